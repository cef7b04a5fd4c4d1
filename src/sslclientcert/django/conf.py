"""The setting `SSLCLIENTCERT`: read and checked once, and read again when a test overrides it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.module_loading import import_string

from .._gateway import RawNames, exemption, require_function, require_types
from ..core.authenticator import ClientCertAuthenticator
from ..core.identity import ClientIdentity
from ..core.options import OPTIONS, PREFIX, Parsers, did_you_mean, flag, from_environment, options_of, taken_ca

__all__ = ["Configuration", "authenticator", "configuration"]

Names: TypeAlias = Callable[[ClientIdentity], "str | Iterable[str] | None"]

_NAMES: Mapping[str, Names] = {
    "common_name": lambda identity: identity.common_name,
    "email": lambda identity: identity.sans.emails,
    "upn": lambda identity: identity.sans.upns,
    "spiffe_id": lambda identity: identity.spiffe_id,
    "fingerprint": lambda identity: identity.fingerprint_sha256,
    "spki_sha256": lambda identity: identity.spki_sha256,
}
_OF_AUTHENTICATOR: Parsers = {**OPTIONS, "authorize": import_string, "audit": import_string}
_PARSERS: Parsers = {
    **_OF_AUTHENTICATOR,
    "authenticator": import_string,
    "required": flag,
    "exempt": lambda text: text if text.startswith("/") else import_string(text),
    "keep_headers": flag,
    "user_from": lambda text: [part.strip() for part in text.split(",")],
    "user_field": str,
    "create_users": lambda text: import_string(text) if "." in text else flag(text),
}


class Configuration(NamedTuple):
    """What the setting says.

    Attributes:
        authenticator: judges each request.
        required: whether a request without a certificate is refused.
        exempt: says which requests are not judged; None for none.
        keep_headers: whether the raw headers stay in the request.
        environ_keys: the raw headers in `request.META`.
        is_raw: says of a header's name in an ASGI scope whether it is one of them.
        user_from: each returns names by which an identity may be a user.
        user_field: the field of the user model that holds such a name; None for the usual one.
        create_users: whether a user that is not there is created, or what returns its fields, or None for no user.
        user_options: which options there are about users.
    """

    authenticator: ClientCertAuthenticator
    required: bool
    exempt: Callable[[HttpRequest], bool] | None
    keep_headers: bool
    environ_keys: tuple[str, ...]
    is_raw: Mapping[bytes, bool]
    user_from: Sequence[Names]
    user_field: str | None
    create_users: bool | Callable[[ClientIdentity], Mapping[str, Any] | None]
    user_options: Sequence[str]


@functools.cache
def configuration() -> Configuration:
    """Return what the setting `SSLCLIENTCERT` says; a fault in it is told when the application starts.

    Raises:
        ImproperlyConfigured: the message says what is wrong and what to do. Its cause is the ValueError, TypeError or
            OSError that it came from.
    """
    values = getattr(settings, "SSLCLIENTCERT", None)
    if not isinstance(values, Mapping | None):
        raise ImproperlyConfigured('SSLCLIENTCERT must be a dict, such as {"CA": "/etc/client-ca/ca.crt"}')
    try:
        return _configured(_options(values or {}))
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise ImproperlyConfigured(f"SSLCLIENTCERT: {error}") from error


@receiver(setting_changed)
def _forget(*, setting: str, **_: object) -> None:
    if setting == "SSLCLIENTCERT":
        configuration.cache_clear()


def authenticator() -> ClientCertAuthenticator:
    """Return the authenticator of the setting `SSLCLIENTCERT`. It is the same one until the setting changes.

    Use it with `sslclientcert.testing.trusting`, and with the ASGI middleware in front of Django. Django's own
    middleware reuses the result of that one.

    Raises:
        ImproperlyConfigured: the setting is wrong.
    """
    return configuration().authenticator


def _options(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what the setting says, and, unless it has an authenticator of its own, what the environment adds."""
    given = {name.lower() if isinstance(name, str) and name.isupper() else repr(name): name for name in values}
    options = options_of(
        {option: values[name] for option, name in given.items()},
        _PARSERS,
        lambda option: str(given.get(option, option.upper())),
    )
    if "authenticator" in options:
        return options
    return {**options_of(from_environment(), _PARSERS, lambda name: PREFIX + name.upper()), **options}


def _configured(options: Mapping[str, Any]) -> Configuration:
    made = _authenticator(options)
    required, keep_headers = options.get("required", True), options.get("keep_headers", False)
    require_types(made, REQUIRED=required, KEEP_HEADERS=keep_headers)
    found = Configuration(
        authenticator=made,
        required=required,
        exempt=exemption(options.get("exempt", ()), lambda request: request.path_info),
        keep_headers=keep_headers,
        environ_keys=tuple(made.guarded_environ),
        is_raw=RawNames(made.guarded_headers),
        user_from=_user_from(options.get("user_from", ["common_name"])),
        user_field=options.get("user_field"),
        create_users=options.get("create_users", False),
        user_options=[name.upper() for name in ("user_from", "user_field", "create_users") if name in options],
    )
    if not isinstance(found.create_users, bool):
        require_function("CREATE_USERS, if it is not True or False,", found.create_users)
    if found.create_users and field_of_users(found) != user_model().USERNAME_FIELD:
        raise ValueError("CREATE_USERS gives users a user name and nothing else, so USER_FIELD must be the user name")
    return found


def _authenticator(options: Mapping[str, Any]) -> ClientCertAuthenticator:
    of_authenticator = {name: option for name, option in options.items() if name in _OF_AUTHENTICATOR}
    made = options.get("authenticator")
    if made is None:
        return ClientCertAuthenticator(taken_ca(of_authenticator, "CA"), **of_authenticator)
    if of_authenticator:
        raise ValueError(f"AUTHENTICATOR has its own {min(of_authenticator).upper()}: leave one of the two out")
    if not isinstance(made, ClientCertAuthenticator):
        raise TypeError(f"AUTHENTICATOR must be a ClientCertAuthenticator, or the dotted path of one, not {made!r}")
    return made


def _user_from(sources: Any) -> list[Names]:
    listed = sources if isinstance(sources, list | tuple) else [sources]
    if not listed:
        raise ValueError("USER_FROM is empty: name what of a certificate may be a user's name, or leave it out")
    return [_names(source) for source in listed]


def _names(source: Any) -> Names:
    if isinstance(source, str):
        if source in _NAMES:
            return _NAMES[source]
        if "." not in source:
            close, known = did_you_mean(source, _NAMES), ", ".join(_NAMES)
            raise ValueError(f"USER_FROM has {source!r}{close}; there are {known}, functions, and dotted paths of them")
        source = import_string(source)
    require_function("USER_FROM", source)
    return cast("Names", source)


def field_of_users(configured: Configuration) -> str:
    """Return the field of the user model that holds the names of identities."""
    if configured.user_field is not None:
        return configured.user_field
    by_email = configured.user_from == [_NAMES["email"]]
    field: str = user_model().get_email_field_name() if by_email else user_model().USERNAME_FIELD
    return field


user_model: Callable[[], Any] = get_user_model
"""The project's user model, of which the type checkers know nothing without a plugin."""
