"""Django REST framework: an authentication class, a permission class, and the scheme for drf-spectacular.

Does not check: the TLS handshake, which only the proxy saw. The setting `TRUSTED_PROXIES` guards the headers.

Does not check: that a person meant the request that their browser sends. REST framework exempts API views from Django's
CSRF protection. A browser sends its certificate also with requests that other sites cause.

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
    """A rejected request, for your exception handler. Its `detail` is the public title, status and code.

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
    """Authenticates by client certificate. `request.user` is its user, and `request.auth` the `ClientIdentity`.

    Does not check: that only the proxy can reach the application, beyond the setting `TRUSTED_PROXIES`.

    It reuses the result of `ClientCertMiddleware`. Without that middleware it verifies the request itself, by the same
    settings. The authentication backends find the user. If there is none, it is Django's AnonymousUser:
    `IsAuthenticated` rejects that client, and `HasClientCert` accepts it.

    A rejected client gets 403 and not 401, because there is no HTTP authentication scheme for a certificate.
    """

    @override
    def authenticate(self, request: Request) -> tuple[Any, ClientIdentity] | None:
        """Return the user and the identity of a request, or None for an anonymous client.

        Raises:
            ClientCertAuthenticationFailed: the client is rejected.
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
        anonymous: Any = api_settings.UNAUTHENTICATED_USER
        return anonymous() if user is None and anonymous is not None else user, identity


class HasClientCert(BasePermission):
    """Accepts clients that `ClientCertAuthentication` has verified, with or without a user.

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
            TypeError: `rule` is not a function, or would have to be awaited.
        """
        require_function("rule", rule)
        return type(cls.__name__, (cls,), {"rule": staticmethod(rule)})

    @override
    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the client of a request is accepted."""
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
