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
    "user_from": lambda text: _NAMES[text] if text in _NAMES else _function(text),
    "user_field": str,
    "create_users": flag,
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
    """Return the authenticator that the setting `SSLCLIENTCERT` describes, the same one until the setting changes.

    For `sslclientcert.testing.trusting`, and for the ASGI middleware in front of Django, whose finding Django's own
    middleware takes over.

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
    found = Configuration(
        authenticator=made,
        required=_flag(options, "required", default=True),
        exempt=exemption(options.get("exempt", ()), lambda request: request.path_info),
        keep_headers=_flag(options, "keep_headers"),
        environ_keys=tuple(made.guarded_environ),
        is_raw=RawNames(made.guarded_headers),
        names=_names(options.get("user_from", _NAMES["common_name"])),
        user_field=options.get("user_field"),
        by_email=options.get("user_from") is _NAMES["email"],
        create_users=_flag(options, "create_users"),
    )
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


def _function(text: str) -> Any:
    if "." not in text:
        close = did_you_mean(text, _NAMES)
        raise ValueError(f"it must be one of {', '.join(_NAMES)}{close}, or a function, or the dotted path of one")
    return import_string(text)


def _names(names: Any) -> Names:
    if not callable(names) or inspect.iscoroutinefunction(names):
        raise TypeError(f"USER_FROM is called with the identity, and not awaited: give a plain function, not {names!r}")
    return cast("Names", names)


def _flag(options: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = options.get(name, default)
    if not isinstance(value, bool):
        raise TypeError(f"{name.upper()} must be True or False, not {value!r}")
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
