"""Starlette: an authentication backend that gives `request.user` and `request.auth`.

Not verified here: the TLS handshake. Only the proxy saw it, so this is as good as the way the headers come by; the
authenticator's `trusted_proxies` guards it.

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

    Not verified: that the client holds the private key, and that its names are yours to trust. See `ClientIdentity`.

    Attributes:
        client_identity: who it is.
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
        """The common name, or the next best name there is, for people to read. Nothing should hang on it."""
        identity = self.client_identity
        return identity.common_name or identity.spiffe_id or identity.subject or identity.fingerprint_sha256

    @property
    @override
    def identity(self) -> str:
        """The certificate's SHA-256 fingerprint.

        It is never one for two certificates, and it changes when the certificate is renewed. An ECDSA certificate can
        have two, since anybody can give its signature a second valid form. To count or to block clients, use
        `client_identity.spki_sha256`, or the issuer with the serial number.
        """
        return self.client_identity.fingerprint_sha256


class ClientCertAuthenticationError(AuthenticationError):
    """A refusal; its text is the public title.

    Attributes:
        error: the reason. Its `detail` is for logs and never for the client.
    """

    def __init__(self, error: ClientCertError) -> None:
        super().__init__(error.title)
        self.error = error


class ClientCertBackend(AuthenticationBackend):
    """Authenticates by client certificate: `AuthenticationMiddleware(app, ClientCertBackend(...), problem_details)`.

    Not verified: that nobody but the proxy can reach the application, beyond the authenticator's `trusted_proxies`.

    `request.user` is a `ClientCertUser`, and `request.auth.scopes` holds "authenticated" and what `scopes` grants. An
    anonymous client is Starlette's `UnauthenticatedUser`, without scopes. It works by itself, and behind the ASGI
    middleware of the same authenticator, whose finding it takes over.

    Starlette's middleware refuses a WebSocket by a close with code 1000, whatever `on_error` is, which servers turn
    into a plain 403. The ASGI middleware in front answers with the reason where the server lets it.

    Parameters:
        authenticator: judges each request.
        scopes: returns the scopes of an identity; called in the event loop, so it may not block. An exception in it is
            the application's, and ends the request with status 500.
        required: whether a request without a certificate is refused. If False it goes on as anonymous, for
            `@requires("authenticated")` to refuse; a certificate that does not verify is refused all the same.

    Raises:
        TypeError: an argument is not what it should be; the message says what to do.
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
            ClientCertAuthenticationError: the client is refused.
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
    """Answer a refusal by `answer_to`: the `on_error` of `AuthenticationMiddleware`.

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
