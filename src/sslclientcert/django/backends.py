"""An authentication backend that finds the user of a client identity."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.db.models import F
from django.http import HttpRequest
from typing_extensions import override

from ..core.errors import quoted
from ..core.identity import ClientIdentity
from .conf import configuration, field_of_users, user_model

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet

__all__ = ["ClientCertBackend"]

_log = logging.getLogger("sslclientcert")


class ClientCertBackend(ModelBackend):
    """Finds the user of a verified client: `authenticate(request, client_identity=identity)`.

    Does not check: that a name in a certificate is the name of your user. Only you know whether your CA's names are
    your users' names. If users may edit the `USER_FIELD`, as they often may the e-mail address, they can enter the name
    of another's certificate.

    `USER_FROM` says which names of an identity may be a user's, and `USER_FIELD` which field of the user model holds
    them. They must be equal, and match exactly one active user. An unknown user is created only if `CREATE_USERS` says
    so, and the identity has exactly one name. If `CREATE_USERS` is a function, it returns the new user's other fields,
    or None for no user.

    If it does not find a user, it logs the names that it looked for, at level INFO. It does not change `last_login`.

    Permissions are the model's, as with Django's own backend. This backend does not restore a session, because the
    certificate comes with every request.
    """

    @override
    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, client_identity: ClientIdentity
    ) -> AbstractBaseUser | None:
        """Return the user of an identity, or None.

        Parameters:
            request: ignored.
            client_identity: the verified identity.
        """
        names = _names(client_identity)
        users = list(_having(names))
        if not users and (fields := _of_new(client_identity, names)):
            user_model()._default_manager.get_or_create(**fields)
            users = list(_having(names))  # another request may have been first, and an administrator after that
        return self._only(users, names)

    @override
    async def aauthenticate(  # type: ignore[override]
        self, request: HttpRequest | None, client_identity: ClientIdentity
    ) -> AbstractBaseUser | None:
        """Do the same in a thread."""
        return await sync_to_async(self.authenticate)(request, client_identity)

    def _only(self, users: list[Any], names: list[str]) -> AbstractBaseUser | None:
        # A database may find "Alice" where it was asked for "alice".
        if not users or users[0].client_certificate_name not in names:
            why = "there is no such user"
        elif len(users) > 1:
            why = "there are several such users"
        elif not self.user_can_authenticate(users[0]):
            why = "the user is not active"
        else:
            (user,) = users
            return cast("AbstractBaseUser", user)
        field, sought = field_of_users(configuration()), " or ".join(map(quoted, names))
        _log.info("no user for the client certificate: looked for %s %s: %s", field, sought or "of no name", why)
        return None

    @override
    def get_user(self, user_id: object) -> None:
        """Return None: a session does not replace a certificate."""

    @override
    async def aget_user(self, user_id: object) -> None:
        """Return None: a session does not replace a certificate."""


def _names(identity: ClientIdentity) -> list[str]:
    given: list[str] = []
    for source in configuration().user_from:
        names = source(identity)
        given += [names] if isinstance(names, str) else names or ()
    if not all(isinstance(name, str) for name in given):
        raise TypeError(f"USER_FROM must give names, each a str, not {given!r}")
    return [name for name in dict.fromkeys(given) if name and "\x00" not in name]  # PostgreSQL takes no NUL


def _having(names: list[str]) -> QuerySet[Any]:
    """Return the users with one of the names; two are enough to know that there are several."""
    field = field_of_users(configuration())
    users: QuerySet[Any] = user_model()._default_manager.filter(**{f"{field}__in": names})
    return users.annotate(client_certificate_name=F(field))[:2]


def _of_new(identity: ClientIdentity, names: list[str]) -> dict[str, Any]:
    """Return the fields of a user to create. They are empty if no user is to be created."""
    create = configuration().create_users
    if create is False or len(names) != 1:
        return {}
    field = user_model()._meta.get_field(user_model().USERNAME_FIELD)
    longest = getattr(field, "max_length", None)
    if longest is not None and len(names[0]) > longest:
        return {}
    defaults = {} if create is True else create(identity)
    if defaults is None:
        return {}
    own = {field.name: names[0]}
    return {**own, "defaults": {**defaults, **own, "password": make_password(None)}}
