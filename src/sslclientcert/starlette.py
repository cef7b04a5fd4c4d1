"""Starlette: an authentication backend that gives `request.user` and `request.auth`.

Does not check: the TLS handshake, which only the proxy saw. The authenticator's `trusted_proxies` guards the headers.

Source: Starlette's documentation, "Authentication".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from typing_extensions import override

try:
    from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
    from starlette.requests import HTTPConnection
    from starlette.responses import PlainTextResponse, Response
except ModuleNotFoundError as _missing:
    raise ImportError(f'{__name__} needs Starlette: pip install "sslclientcert[starlette]"') from _missing

from ._gateway import identity_of, require_function, require_types
from .answers import answer_to
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity

__all__ = ["ClientCertAuthenticationError", "ClientCertBackend", "ClientCertUser", "problem_details"]

Scopes: TypeAlias = Callable[[ClientIdentity], Iterable[str]]


class ClientCertUser(BaseUser):
    """A verified client, as `request.user`.

    Does not check: that the client holds the private key, or that you should trust its names. See `ClientIdentity`.

    Attributes:
        client_identity: the verified identity.
    """

    def __init__(self, client_identity: ClientIdentity) -> None:
        self.client_identity = client_identity

    @property
    @override
    def is_authenticated(self) -> bool:
        """True."""
        return True

    @property
    @override
    def display_name(self) -> str:
        """The common name, SPIFFE ID, subject or fingerprint, whichever exists first. Do not authorize by it."""
        identity = self.client_identity
        return identity.common_name or identity.spiffe_id or identity.subject or identity.fingerprint_sha256

    @property
    @override
    def identity(self) -> str:
        """The certificate's SHA-256 fingerprint.

        Two certificates never have the same one. It changes when the certificate is renewed. Anybody can give an ECDSA
        certificate a second fingerprint, because its signature has a second valid form. To count or block clients, use
        `client_identity.spki_sha256`, or the issuer with the serial number.
        """
        return self.client_identity.fingerprint_sha256


class ClientCertAuthenticationError(AuthenticationError):
    """A rejected request. Its text is the public title.

    Attributes:
        error: the reason. Its `detail` is for logs and never for the client.
    """

    def __init__(self, error: ClientCertError) -> None:
        super().__init__(error.title)
        self.error = error


class ClientCertBackend(AuthenticationBackend):
    """Authenticates by client certificate: `AuthenticationMiddleware(app, ClientCertBackend(...), problem_details)`.

    Does not check: that only the proxy can reach the application, beyond the authenticator's `trusted_proxies`.

    `request.user` is a `ClientCertUser`. `request.auth.scopes` has "authenticated" and what `scopes` grants. An
    anonymous client is Starlette's `UnauthenticatedUser`, without scopes. The backend works alone. Behind the ASGI
    middleware of the same authenticator it reuses the result.

    Starlette's middleware closes a rejected WebSocket with code 1000 and does not call `on_error`. The client sees a
    plain 403. The ASGI middleware in front answers with the code, if the server offers that.

    Parameters:
        authenticator: verifies each request.
        scopes: returns the scopes of an identity. It runs in the event loop, so it must not block. An exception in it
            ends the request with status 500.
        required: whether a certificate is required. If False, a request without one is anonymous, and
            `@requires("authenticated")` rejects it. A bad certificate is still rejected.

    Raises:
        TypeError: an argument is wrong. The message says what to do.
    """

    def __init__(
        self, authenticator: ClientCertAuthenticator, *, scopes: Scopes | None = None, required: bool = True
    ) -> None:
        require_arguments(authenticator, scopes, required=required)
        self._authenticator = authenticator
        self._scopes = scopes
        self._required = required

    @override
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, ClientCertUser] | None:
        """Return the scopes and the user of a connection, or None for an anonymous client.

        Raises:
            ClientCertAuthenticationError: the client is rejected.
        """
        try:
            identity = identity_of(conn.scope, self._authenticator, required=self._required)
        except ClientCertError as error:
            raise ClientCertAuthenticationError(error) from error
        if identity is None:
            return None
        granted = () if self._scopes is None else scopes_of(identity, self._scopes)
        return AuthCredentials(["authenticated", *granted]), ClientCertUser(identity)


def problem_details(conn: HTTPConnection, exc: AuthenticationError) -> Response:
    """Answer a rejected request with `answer_to`: the `on_error` of `AuthenticationMiddleware`.

    Errors of other backends are answered as Starlette does.
    """
    if not isinstance(exc, ClientCertAuthenticationError):
        return PlainTextResponse(str(exc), status_code=400)
    return response_to(exc.error, conn)


def response_to(error: ClientCertError, conn: HTTPConnection) -> Response:
    """Return the answer to a refusal."""
    answer = answer_to(error, ",".join(conn.headers.getlist("accept")))
    return Response(answer.body, answer.status, headers=dict(answer.headers))


def require_arguments(authenticator: ClientCertAuthenticator, scopes: object, **flags: object) -> None:
    """Refuse arguments that would fail, or loosen it in silence, only when requests come.

    Raises:
        TypeError: the message says which, and what it should be.
        ValueError: the authenticator reads the WSGI environ.
    """
    require_types(authenticator, **flags)
    authenticator.proxy.require_headers()
    if scopes is not None:
        require_function("scopes", scopes)


def scopes_of(identity: ClientIdentity, scopes: Scopes) -> list[str]:
    """Return the scopes that the application grants to an identity.

    Raises:
        TypeError: `scopes` gave one string, which would be a scope a letter, or an awaitable.
    """
    granted = scopes(identity)
    if isinstance(granted, str):
        raise TypeError(f"scopes must give a list of scopes, not one string: {granted!r}")
    return list(granted)
