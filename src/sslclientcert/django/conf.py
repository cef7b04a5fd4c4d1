"""The setting `SSLCLIENTCERT`: read and checked once, and read anew when a test overrides it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.module_loading import import_string

from .._gateway import RawNames, exemption
from ..core.authenticator import OPTIONS_FROM_TEXT, ClientCertAuthenticator
from ..core.identity import ClientIdentity

__all__ = ["Configuration", "authenticator", "configuration"]

Names: TypeAlias = Callable[[ClientIdentity], "str | Iterable[str] | None"]

_NAMES: Mapping[str, Names] = {
    "common_name": lambda identity: identity.common_name,
    "email": lambda identity: identity.sans.emails,
    "upn": lambda identity: identity.sans.upns,
    "spiffe_id": lambda identity: identity.spiffe_id,
    "fingerprint": lambda identity: identity.fingerprint_sha256,
}
_OF_AUTHENTICATOR = ("CA", *map(str.upper, OPTIONS_FROM_TEXT), "AUTHORIZE", "AUDIT")
_KEYS = (
    *_OF_AUTHENTICATOR,
    "AUTHENTICATOR",
    "REQUIRED",
    "EXEMPT",
    "KEEP_HEADERS",
    "USER_FROM",
    "USER_FIELD",
    "CREATE_USERS",
)


class Configuration(NamedTuple):
    """What the setting says.

    Attributes:
        authenticator: judges each request.
        required: whether a request without a certificate is refused.
        exempt: says which requests are not judged; None for none.
        keep_headers: whether the raw headers stay in the request.
        environ_keys: the raw headers in `request.META`.
        is_raw: says of a header's name in an ASGI scope whether it is one of them.
        names: returns the names by which an identity may be a user.
        user_field: the field of the user model that holds such a name; None for the usual one.
        by_email: whether the usual one is the e-mail field, and not the user name.
        create_users: whether the backend creates a user that is not there.
    """

    authenticator: ClientCertAuthenticator
    required: bool
    exempt: Callable[[HttpRequest], bool] | None
    keep_headers: bool
    environ_keys: tuple[str, ...]
    is_raw: Mapping[bytes, bool]
    names: Names
    user_field: str | None
    by_email: bool
    create_users: bool


@functools.cache
def configuration() -> Configuration:
    """Return what the setting `SSLCLIENTCERT` says; a fault in it is told when the application starts.

    Raises:
        ImproperlyConfigured: the message says what is wrong and what to do. Its cause is the ValueError, TypeError or
            OSError that it came from.
    """
    values = getattr(settings, "SSLCLIENTCERT", None)
    if not isinstance(values, Mapping):
        raise ImproperlyConfigured('SSLCLIENTCERT must be a dict, such as {"CA": "/etc/client-ca/ca.crt"}')
    unknown = sorted(map(repr, values.keys() - set(_KEYS)))
    if unknown:
        raise ImproperlyConfigured(f"SSLCLIENTCERT[{unknown[0]}] is no setting; there are {', '.join(_KEYS)}")
    try:
        return _configured(values)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise ImproperlyConfigured(f"SSLCLIENTCERT: {error}") from error


@receiver(setting_changed)
def _forget(*, setting: str, **_: object) -> None:
    if setting == "SSLCLIENTCERT":
        configuration.cache_clear()


def authenticator() -> ClientCertAuthenticator:
    """Return the authenticator that the setting `SSLCLIENTCERT` describes, the same one until the setting changes.

    For `sslclientcert.testing.trusting`, and for the ASGI middleware in front of Django, whose finding Django's own
    middleware takes over.

    Raises:
        ImproperlyConfigured: the setting is wrong.
    """
    return configuration().authenticator


def _configured(values: Mapping[str, Any]) -> Configuration:
    judge = _authenticator(values)
    exempt = values.get("EXEMPT", ())
    if isinstance(exempt, str) and not exempt.startswith("/"):
        exempt = import_string(exempt)
    found = Configuration(
        authenticator=judge,
        required=_flag(values, "REQUIRED", default=True),
        exempt=exemption(exempt, lambda request: request.path_info),
        keep_headers=_flag(values, "KEEP_HEADERS"),
        environ_keys=tuple(judge.guarded_environ),
        is_raw=RawNames(judge.guarded_headers),
        names=_names(values.get("USER_FROM", "common_name")),
        user_field=values.get("USER_FIELD"),
        by_email=values.get("USER_FROM") == "email",
        create_users=_flag(values, "CREATE_USERS"),
    )
    if found.create_users and field_of_users(found) != user_model().USERNAME_FIELD:
        raise ValueError("CREATE_USERS gives users a user name and nothing else, so USER_FIELD must be the user name")
    return found


def _authenticator(values: Mapping[str, Any]) -> ClientCertAuthenticator:
    made = values.get("AUTHENTICATOR")
    if made is None:
        if not values.get("CA"):
            raise ValueError('CA is not set; it is the path of the CA bundle, such as "/etc/client-ca/ca.crt"')
        options = {
            name.lower(): _from_text(name, values[name])
            for name in _OF_AUTHENTICATOR
            if name != "CA" and values.get(name) is not None
        }
        return ClientCertAuthenticator(values["CA"], **options)
    superfluous = [name for name in _OF_AUTHENTICATOR if name in values]
    if superfluous:
        raise ValueError(f"AUTHENTICATOR has its own {superfluous[0]}: leave one of the two out")
    if isinstance(made, str):
        made = import_string(made)
    if not isinstance(made, ClientCertAuthenticator):
        raise TypeError(f"AUTHENTICATOR must be a ClientCertAuthenticator, or the dotted path of one, not {made!r}")
    return made


def _names(source: Any) -> Names:
    names = source
    if isinstance(source, str):
        if source in _NAMES:
            return _NAMES[source]
        if "." not in source:
            raise ValueError(f"USER_FROM is {source!r}, and must be one of {', '.join(_NAMES)}, or a function")
        names = import_string(source)
    if not callable(names) or inspect.iscoroutinefunction(names):
        raise TypeError(f"USER_FROM is called with the identity, and not awaited: give a plain function, not {names!r}")
    return cast("Names", names)


def _from_text(name: str, value: Any) -> Any:
    """Return an option from its text, as `from_env` does, or the object that a dotted path names."""
    if not isinstance(value, str):
        return value
    if name in ("AUTHORIZE", "AUDIT"):
        return import_string(value)
    try:
        return OPTIONS_FROM_TEXT[name.lower()](value)
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}: {error}") from error


def _flag(values: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = values.get(name, default)
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return value


def field_of_users(configured: Configuration) -> str:
    """Return the field of the user model that holds the names of identities."""
    if configured.user_field is not None:
        return configured.user_field
    field: str = user_model().get_email_field_name() if configured.by_email else user_model().USERNAME_FIELD
    return field


def user_model() -> Any:
    """Return the project's user model, of which the type checkers know nothing without a plugin."""
    return get_user_model()
