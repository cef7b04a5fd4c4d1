"""FastAPI: a security dependency that gives the client identity, rules and scopes for routes, and the OpenAPI scheme.

Does not check: the TLS handshake, which only the proxy saw. The authenticator's `trusted_proxies` guards the headers.

FastAPI reads a request's body before it solves dependencies. uvicorn's httptools parser may have appended the body's
trailers to the headers by then (see the module `asgi`). Set the proxy's header on every request, or add the ASGI
middleware, whose result the dependency reuses:
`app.add_middleware(ClientCertMiddleware, authenticator=authenticator, required=False)`.

Sources: FastAPI's documentation, "Security" and "Extending OpenAPI"; OpenAPI 3.1.0, "Security Scheme Object".
"""

from __future__ import annotations

import typing
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

try:
    from fastapi import FastAPI, HTTPException, Security, WebSocketException
    from fastapi.openapi.models import APIKey, APIKeyIn
    from fastapi.openapi.models import SecurityBase as SecurityBaseModel
    from fastapi.requests import HTTPConnection
    from fastapi.responses import Response
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
except ModuleNotFoundError as _missing:
    raise ImportError(f'{__name__} needs FastAPI: pip install "sslclientcert[fastapi]"') from _missing

from ._gateway import POLICY_VIOLATION, identity_of, require_function
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity
from .core.peers import peer_of_scope
from .starlette import Scopes, require_arguments, response_to, scopes_of

__all__ = ["ClientCertHTTPException", "MutualTLS", "problem_details"]

_KINDS = {"title": "string", "status": "integer", "code": "string"}
_PROBLEM = {"type": "object", "properties": {name: {"type": kind} for name, kind in _KINDS.items()}}


class ClientCertHTTPException(HTTPException):
    """A rejected request, for your exception handlers. Its `detail` is the public title, status and code.

    Attributes:
        error: the reason. Its own `detail` is for logs and never for the client.
    """

    def __init__(self, error: ClientCertError) -> None:
        super().__init__(error.status, error.problem(), {"cache-control": "no-store"})
        self.error = error


class MutualTLS(SecurityBase):
    """A security dependency for HTTP and WebSocket routes: `Annotated[ClientIdentity, Security(mtls)]`.

    Does not check: that only the proxy can reach the application, beyond the authenticator's `trusted_proxies`. See
    the module about trailers. It does not protect routes without it, such as `/docs` and mounted applications. The ASGI
    middleware protects them all.

    It works alone. Behind the ASGI middleware of the same authenticator it reuses the result. Behind the middleware of
    another authenticator it finds no certificate, and rejects.

    A rejected request is a `ClientCertHTTPException`. FastAPI answers it with `{"detail": {"title": ..., "status": ...,
    "code": ...}}`, and `problem_details` with problem details. A WebSocket gets the same as a denial response, if the
    server offers that. Otherwise it is a `WebSocketException` with code 1008, and the client sees a plain 403.

    Parameters:
        authenticator: verifies each request.
        scopes: returns the scopes that an identity has. They must include all that the route and its dependencies
            require with `Security(..., scopes=[...])`. Without it no client has any scope. It runs in the event loop,
            so it must not block. An exception in it rejects the client, and is logged.
        auto_error: whether a certificate is required. If False, the dependency gives None for a request without one. A
            bad certificate is still rejected.
        scheme_name: the name of the scheme in OpenAPI, by default `MutualTLS`. Each instance needs its own.
        description: the description of the scheme in OpenAPI.

    Raises:
        TypeError: an argument is wrong. The message says what to do.
    """

    def __init__(
        self,
        authenticator: ClientCertAuthenticator,
        *,
        scopes: Scopes | None = None,
        auto_error: bool = True,
        scheme_name: str | None = None,
        description: str | None = None,
    ) -> None:
        require_arguments(authenticator, scopes, auto_error=auto_error)
        # FastAPI's models know no mutualTLS. This one says what the application reads; `document` puts the true one.
        self.model: SecurityBaseModel = APIKey.model_validate(
            {"in": APIKeyIn.header, "name": authenticator.proxy.certificate_header, "description": description}
        )
        self.scheme_name: str = scheme_name or self.__class__.__name__
        self.auto_error = auto_error
        self._optional = not auto_error and scopes is None
        self._authenticator = authenticator
        self._scopes = scopes

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> ClientIdentity | None:
        """Return the verified identity of a connection, or None for an anonymous client without `auto_error`.

        Raises:
            ClientCertHTTPException, WebSocketException: the client is rejected.
        """
        try:
            required = self.auto_error or bool(security_scopes.scopes)
            identity = identity_of(connection.scope, self._authenticator, required=required)
            if identity is not None and security_scopes.scopes:
                granted = _Grant(self._scopes, security_scopes.scopes)
                self._authenticator.require_rule(identity, granted, **_origin_of(connection))
        except ClientCertError as error:
            raise _refusal(error, connection) from error
        return identity

    def require(self, rule: Callable[[ClientIdentity], object]) -> Callable[..., Awaitable[ClientIdentity]]:
        """Return a dependency that gives the identity if it passes `rule`, and rejects all other clients.

        It rejects anonymous clients, also without `auto_error`. If you override the instance in
        `app.dependency_overrides`, the rule checks the replacement.

        Parameters:
            rule: called with the identity, must return exactly True. See `rules`.

        Raises:
            TypeError: `rule` is not a function, or would have to be awaited.
        """
        require_function("rule", rule)
        self._optional = False
        client = Security(self)  # the instance itself, so that it can be overridden, and stands in OpenAPI

        async def required(connection: HTTPConnection, identity: ClientIdentity | None = client) -> ClientIdentity:
            try:
                if identity is None:
                    raise self._authenticator.report.missing(
                        "the route's rule requires a certificate", **_origin_of(connection)
                    )
                self._authenticator.require_rule(identity, rule, **_origin_of(connection))
            except ClientCertError as error:
                raise _refusal(error, connection) from error
            return identity

        return required

    def document(self, app: FastAPI) -> None:
        """Make the application's OpenAPI say `{"type": "mutualTLS"}`, which FastAPI's models cannot, and rejections.

        Each operation gets the answers 400, 403, 431 and 503, if it has none of its own. Without `auto_error` the
        scheme is optional there, unless this instance has `scopes`, or `require` was called.

        OpenAPI 3.0 does not have this type. There the scheme stays an `apiKey` in the proxy's header.
        """
        original = app.openapi

        def openapi() -> dict[str, Any]:
            document = original()
            schemes = document.get("components", {}).get("securitySchemes", {})
            if self.scheme_name in schemes and not document["openapi"].startswith("3.0"):
                said = self.model.model_dump(include={"description"}, exclude_none=True)
                schemes[self.scheme_name] = {"type": "mutualTLS", **said}
            content = {"application/json": {"schema": {"type": "object", "properties": {"detail": _PROBLEM}}}}
            if app.exception_handlers.get(ClientCertHTTPException) is problem_details:
                content = {"application/problem+json": {"schema": _PROBLEM}}
            for operation in (each for path in document["paths"].values() for each in path.values()):
                if any(self.scheme_name in scheme for scheme in operation.get("security", ())):
                    if self._optional and all(each == {self.scheme_name: []} for each in operation["security"]):
                        operation["security"].append({})
                    for status in (400, 403, 431, 503):
                        answer = {"description": HTTPStatus(status).phrase, "content": content}
                        operation["responses"].setdefault(str(status), answer)
            return document

        app.openapi = openapi  # type: ignore[method-assign]  # as "Extending OpenAPI" does


# FastAPI does not find what the annotations of an object's __call__ mean while they are text.
MutualTLS.__call__.__annotations__.update(typing.get_type_hints(MutualTLS.__call__))


async def problem_details(connection: HTTPConnection, exc: Exception) -> Response:
    """Answer a rejected request with `answer_to`: as `application/problem+json` (RFC 9457), or as a page for browsers.

    Register it: `app.add_exception_handler(ClientCertHTTPException, problem_details)`.
    """
    if not isinstance(exc, ClientCertHTTPException):
        raise exc
    return response_to(exc.error, connection)


def _refusal(error: ClientCertError, connection: HTTPConnection) -> HTTPException | WebSocketException:
    scope = connection.scope
    if scope["type"] == "websocket" and "websocket.http.response" not in (scope.get("extensions") or {}):
        return WebSocketException(POLICY_VIOLATION, error.title)
    return ClientCertHTTPException(error)


def _origin_of(connection: HTTPConnection) -> dict[str, str | None]:
    return {"peer": peer_of_scope(connection.scope), "path": connection.scope.get("path")}


class _Grant:
    """The rule that the application grants an identity all the scopes that a route demands."""

    def __init__(self, scopes: Scopes | None, demanded: list[str]) -> None:
        self._scopes = scopes
        self._demanded = demanded

    def __call__(self, identity: ClientIdentity) -> bool:
        return self._scopes is not None and set(self._demanded).issubset(scopes_of(identity, self._scopes))

    def __repr__(self) -> str:
        remedy = "" if self._scopes else "; MutualTLS was given no scopes=..., so no client has any"
        return f"scopes({', '.join(self._demanded)}){remedy}"
