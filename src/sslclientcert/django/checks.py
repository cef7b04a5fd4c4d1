"""System checks: `manage.py check`, and `manage.py check --deploy`.

| id | |
| --- | --- |
| sslclientcert.E001 | the setting SSLCLIENTCERT is wrong: an unknown key or proxy, a value out of its range |
| sslclientcert.E002 | the CA bundle, or the CRL, cannot be read |
| sslclientcert.E003 | the middleware is in the wrong order |
| sslclientcert.E004 | no authentication backend knows client identities |
| sslclientcert.E005 | USER_FIELD is not a text field of the user model |
| sslclientcert.W001 | every peer may send certificate headers (`--deploy`) |
| sslclientcert.W002 | there are settings about users, and nothing asks for users |
| sslclientcert.W003 | Channels or daphne is installed, and the ASGI application is not wrapped |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import FieldError, ImproperlyConfigured, ValidationError
from django.utils.module_loading import import_string

from ..asgi import ClientCertMiddleware
from .conf import authenticator, configuration, field_of_users, user_model

__all__ = ["check", "check_trusted_proxies"]

_JUDGE = "sslclientcert.django.middleware.ClientCertMiddleware"
_USER = "sslclientcert.django.middleware.ClientCertUserMiddleware"
_BACKEND = "sslclientcert.django.backends.ClientCertBackend"
_SESSION_USER = "django.contrib.auth.middleware.AuthenticationMiddleware"

# The first stands before the second, or else what the third says.
_ORDER = (
    (_JUDGE, _USER, "there is no client identity yet of which to find the user"),
    (_SESSION_USER, _USER, "the certificate's user is replaced by that of the session"),
    (_USER, "django.contrib.auth.middleware.LoginRequiredMiddleware", "clients with a certificate are sent to log in"),
    (_JUDGE, "django.middleware.cache.FetchFromCacheMiddleware", "what is in the cache is given to anybody"),
    (_JUDGE, "django.middleware.cache.CacheMiddleware", "what is in the cache is given to anybody"),
)


def check(app_configs: object, **_: object) -> list[checks.CheckMessage]:
    """Tell what is wrong with the setting SSLCLIENTCERT, the middleware, the backends, and the ASGI application."""
    places: dict[str, int] = {}
    for place, path in enumerate(settings.MIDDLEWARE):
        for name in _names_of(path):
            places.setdefault(name, place)
    return [*_of_settings(places), *_of_middleware(places), *_of_asgi_application()]


def check_trusted_proxies(app_configs: object, **_: object) -> list[checks.CheckMessage]:
    """Warn that every peer may send certificate headers."""
    try:
        everybody = authenticator().trusts_every_peer
    except ImproperlyConfigured:
        return []  # check says so
    if not everybody:
        return []
    return [
        checks.Warning(
            "TRUSTED_PROXIES trusts every peer: a client that reaches the application can act as anybody.",
            hint="Name the proxy's own addresses. If the network, a Unix socket or SHARED_SECRET keeps everybody else "
            "out, silence this with SILENCED_SYSTEM_CHECKS.",
            id="sslclientcert.W001",
        )
    ]


def _of_settings(places: Mapping[str, int]) -> Iterator[checks.CheckMessage]:
    try:
        configured = configuration()
    except ImproperlyConfigured as error:
        number = "E002" if isinstance(error.__cause__, OSError) else "E001"
        yield checks.Error(str(error), id=f"sslclientcert.{number}")
        return
    named = ", ".join(configured.user_options)
    if named and _USER not in places and not apps.is_installed("rest_framework"):
        yield checks.Warning(
            f"SSLCLIENTCERT has {named}, and MIDDLEWARE has no ClientCertUserMiddleware: no client is a user.",
            hint=f"Add {_USER!r} to MIDDLEWARE, or leave {named} out.",
            id="sslclientcert.W002",
        )
    if named and apps.is_installed("django.contrib.auth"):
        field = field_of_users(configured)
        try:
            user_model()._default_manager.filter(**{f"{field}__in": ["a name"]})
        except (FieldError, ValueError, ValidationError) as error:
            why = f"USER_FIELD is {field!r}, which is not a text field of the user model: {error}"
            yield checks.Error(why, id="sslclientcert.E005")


def _of_middleware(places: Mapping[str, int]) -> Iterator[checks.CheckMessage]:
    for first, second, consequence in _ORDER:
        if first in places and second in places and places[first] > places[second]:
            yield checks.Error(
                f"MIDDLEWARE has {second} before {first}: {consequence}.",
                hint=f"Put {first} first.",
                id="sslclientcert.E003",
            )
    if _USER in places and _JUDGE not in places:
        yield checks.Error(f"MIDDLEWARE has {_USER}, which needs {_JUDGE}.", id="sslclientcert.E003")
    if _USER in places and not any(_BACKEND in _names_of(path) for path in settings.AUTHENTICATION_BACKENDS):
        yield checks.Error(
            f"MIDDLEWARE has {_USER}, and AUTHENTICATION_BACKENDS has no ClientCertBackend: no client is a user.",
            hint=f"Add {_BACKEND!r} to AUTHENTICATION_BACKENDS.",
            id="sslclientcert.E004",
        )


def _of_asgi_application() -> Iterator[checks.CheckMessage]:
    """Warn of what MIDDLEWARE does not protect: the consumers of Channels, which daphne serves too."""
    installed = [name for name in ("channels", "daphne") if apps.is_installed(name)]
    path: str | None = getattr(settings, "ASGI_APPLICATION", None)
    if installed and (path is None or not _is_wrapped(path)):
        yield checks.Warning(
            f"{installed[0]} is installed, and ASGI_APPLICATION ({path}) is not wrapped in the ASGI middleware. "
            "MIDDLEWARE does not run for consumers: their WebSockets are open to everybody.",
            hint="Wrap it: ClientCertMiddleware(ProtocolTypeRouter(...), authenticator()), with the class of "
            "sslclientcert.asgi and the function of sslclientcert.django.",
            id="sslclientcert.W003",
        )


def _is_wrapped(path: str) -> bool:
    """Say whether the ASGI application, or what its ProtocolTypeRouter has for WebSockets, is in the middleware."""
    try:
        application: Any = import_string(path)
    except ImportError:
        return False
    for_websockets = getattr(application, "application_mapping", {}).get("websocket", application)
    return any(isinstance(each, ClientCertMiddleware) for each in (application, for_websockets))


def _names_of(path: str) -> set[str]:
    """Return the dotted paths of a class and its bases; of what is no class, or not there, its own."""
    try:
        bases = import_string(path).__mro__
    except (ImportError, AttributeError):
        return {path}
    return {f"{base.__module__}.{base.__qualname__}" for base in bases}
