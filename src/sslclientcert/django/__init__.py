"""Django: add `"sslclientcert.django"` to `INSTALLED_APPS` and the middleware to `MIDDLEWARE`, and set `SSLCLIENTCERT`.

Does not check: the TLS handshake, which only the proxy saw. The setting `TRUSTED_PROXIES` guards the headers.

This does not use Django's RemoteUserMiddleware. Before Django 6.1 its asynchronous half takes the name from a header
that the client may send.

Sources: Django's documentation, "Middleware", "Customizing authentication", "System check framework".
"""

from __future__ import annotations

try:
    import django as _django  # noqa: F401
except ModuleNotFoundError as _missing:
    raise ImportError(f'{__name__} needs Django: pip install "sslclientcert[django]"') from _missing

from .conf import authenticator
from .decorators import client_cert_exempt, client_cert_required
from .mixins import ClientCertRequiredMixin
from .requests import ClientCertDenied, client_identity

__all__ = [
    "ClientCertDenied",
    "ClientCertRequiredMixin",
    "authenticator",
    "client_cert_exempt",
    "client_cert_required",
    "client_identity",
]
