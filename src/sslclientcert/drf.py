"""Django REST framework: an authentication class, a permission class, and the scheme for drf-spectacular.

Not verified here: the TLS handshake. Only the proxy saw it, so this is as good as the way the headers come by; the
setting `TRUSTED_PROXIES` guards it.

Not verified either: that a person meant the request that their browser sends. REST framework exempts API views from
Django's CSRF protection, and a browser sends its certificate along with requests that other sites cause.

Sources: Django REST framework's documentation, "Authentication", "Permissions"; drf-spectacular's, "Extensions";
OpenAPI 3.1.0, "Security Scheme Object".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from typing_extensions import override

try:
    from django.apps import apps
    from rest_framework.authentication import BaseAuthentication
    from rest_framework.exceptions import AuthenticationFailed
    from rest_framework.permissions import BasePermission
    from rest_framework.request import Request
    from rest_framework.settings import api_settings
except ModuleNotFoundError as _missing:
    raise ImportError(f'{__name__} needs Django REST framework: pip install "sslclientcert[drf]"') from _missing

from ._gateway import require_function
from .core.errors import ClientCertError
from .core.identity import ClientIdentity
from .django.conf import authenticator
from .django.middleware import judge
from .django.requests import ClientCertDenied, require
from .django.users import find_user

if TYPE_CHECKING:
    from rest_framework.views import APIView

__all__ = ["ClientCertAuthentication", "ClientCertAuthenticationFailed", "HasClientCert"]


class ClientCertAuthenticationFailed(AuthenticationFailed):
    """A refusal, for your exception handler. Its `detail` holds the public title, status and code.

    Attributes:
        error: the reason. Its own `detail` is for logs and never for the client.
    """

    def __init__(self, error: ClientCertError) -> None:
        super().__init__(error.title, error.code)
        self.error = error
        self.detail: Any = error.problem()

    # REST framework sets 403 on every failed authentication without a WWW-Authenticate, also where it should be a 400.
    @property
    def status_code(self) -> int:
        """The error's status."""
        return self.error.status

    @status_code.setter
    def status_code(self, value: int) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        pass

    @override
    def get_codes(self) -> str:
        """Return the error's code."""
        return self.error.code

    @override
    def get_full_details(self) -> Any:
        """Return the error's title and code."""
        return {"message": self.error.title, "code": self.error.code}


class ClientCertAuthentication(BaseAuthentication):
    """Authenticates by client certificate: `request.user` is its user, and `request.auth` the `ClientIdentity`.

    Not verified: that nobody but the proxy can reach the application, beyond the setting `TRUSTED_PROXIES`.

    It takes over what `ClientCertMiddleware` has found; without that middleware it judges the request itself, by the
    same settings. The user is the one that the authentication backends find, and Django's AnonymousUser if there is
    none: then `IsAuthenticated` refuses the client, and `HasClientCert` lets it in.

    There is no registered HTTP authentication scheme for a certificate, so `authenticate_header` names none, and REST
    framework answers 403, as every adapter of this library does, and not 401.
    """

    @override
    def authenticate(self, request: Request) -> tuple[Any, ClientIdentity] | None:
        """Return the user and the identity of a request, or None for an anonymous client.

        Raises:
            ClientCertAuthenticationFailed: the client is refused.
        """
        http_request = request._request
        try:
            seen = vars(http_request)
            identity = seen["client_identity"] if "client_identity" in seen else judge(http_request)
        except ClientCertError as error:
            raise ClientCertAuthenticationFailed(error) from error
        if identity is None:
            return None
        users = apps.is_installed("django.contrib.auth")
        user = find_user(http_request, identity) if users else None
        nobody: Any = api_settings.UNAUTHENTICATED_USER
        return nobody() if user is None and nobody is not None else user, identity


class HasClientCert(BasePermission):
    """Lets clients in that `ClientCertAuthentication` has verified, be they users or not.

    Attributes:
        rule: called with the identity, must return exactly True. `HasClientCert.passing(rule)` sets it.
    """

    rule: Callable[[ClientIdentity], object] | None = None

    @classmethod
    def passing(cls, rule: Callable[[ClientIdentity], object]) -> type[HasClientCert]:
        """Return a permission class for the clients that pass a rule.

        Parameters:
            rule: called with the identity, must return exactly True. See `sslclientcert.rules`.

        Raises:
            TypeError: `rule` is no function, or has to be awaited.
        """
        require_function("rule", rule)
        return type(cls.__name__, (cls,), {"rule": staticmethod(rule)})

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the client of a request may come in."""
        if not isinstance(request.auth, ClientIdentity):
            return False
        try:
            require(request, self.rule)
        except ClientCertDenied as denied:
            self.message: str = denied.error.title
            self.code: str = denied.error.code
            return False
        return True


try:
    from drf_spectacular.extensions import OpenApiAuthenticationExtension
    from drf_spectacular.settings import spectacular_settings
except ModuleNotFoundError:
    pass
else:

    class _MutualTLS(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself
        """Has drf-spectacular say `{"type": "mutualTLS"}`, or, in OpenAPI 3.0, which has no such type, an `apiKey`."""

        target_class = ClientCertAuthentication
        match_subclasses = True
        name = "MutualTLS"

        def get_security_definition(self, auto_schema: object) -> dict[str, Any]:
            """Return the security scheme."""
            if spectacular_settings.OAS_VERSION.startswith("3.0"):
                return {"type": "apiKey", "in": "header", "name": authenticator().proxy.certificate_header}
            return {"type": "mutualTLS"}
