"""ASGI middleware: the client identity in the scope, for HTTP and WebSocket.

Does not check: the TLS handshake, which only the proxy saw. The authenticator's `trusted_proxies` guards the headers.

Trailers. A chunked request may have trailer fields after its body. uvicorn's httptools parser appends them to the list
that the scope has as its headers. There they look like headers that came last. The middleware:

- copies the headers first, so that the application never sees a later trailer
- rejects a trailer next to the proxy's own header, as a duplicate
- rejects a certificate in a trailer next to the proxy's verdict NONE
- rejects a request whose Trailer field announces one of the headers

One hole remains: an unannounced trailer, if the proxy *deletes* the header of a client without a certificate, sends
nothing instead, and forwards trailers (HAProxy with a conditional recipe, Envoy with enable_trailers). Set the header
on every request, or run uvicorn with `--http h11`, which drops trailers as all other servers do.

Sources: the ASGI specification 3.0, HTTP and WebSocket 2.5, TLS extension 0.2; RFC 9110 sections 6.5 and 6.6.2 on
trailers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding

from ._gateway import (
    DECIDED,
    POLICY_VIOLATION,
    Exempt,
    OnRefusal,
    PerIdentity,
    RawNames,
    exemption,
    refusal,
    require_arguments,
)
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity

__all__ = ["ClientCertMiddleware"]

# Wide enough for the types of Starlette, asgiref and uvicorn alike, which do not fit each other.
ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]

# The members of the TLS extension, when nothing is known.
_NO_CLIENT: Mapping[str, Any] = {
    "server_cert": None,
    "client_cert_chain": (),
    "client_cert_name": None,
    "client_cert_error": None,
    "tls_version": None,
    "cipher_suite": None,
}


class ClientCertMiddleware:
    """Pure ASGI middleware that passes only verified clients to `app`.

    Does not check: that only the proxy can reach the application, beyond the authenticator's `trusted_proxies`. See the
    module about trailers.

    The middleware checks connections of the types `http` and `websocket`. What has no headers, such as `lifespan`,
    passes unchanged. The application gets a copy of the scope:

    - `scope["state"]["client_identity"]` is the `ClientIdentity`. It is None if the client is anonymous: with
      `required=False`, and on exempt paths. In Starlette and FastAPI it is `request.state.client_identity`.
    - `scope["extensions"]["tls"]` is the ASGI TLS extension of a verified client. `client_cert_chain` is the verified
      path as PEM, from the leaf to the anchor. `client_cert_name` is the subject (RFC 4514). `client_cert_error` is
      always None, because a bad certificate never reaches the application. The members about the server's own TLS
      connection stay.
    - `scope["headers"]` is a new list, without the raw headers that the authenticator reads.

    `answer_to` answers a rejected request, with the error's status, code and title. The detail is for logs. A WebSocket
    gets the same as a denial response, if the server offers that. Otherwise it is closed with code 1008, and the client
    sees a plain 403.

    Parameters:
        app: the ASGI application.
        authenticator: verifies each request.
        required: whether a certificate is required. If False, a request without one is anonymous. A bad certificate is
            still rejected.
        exempt: requests that need no identity, such as the kubelet's probes. A list of exact paths (below `root_path`,
            percent-decoded), or a function of the scope that returns exactly True. There the middleware ignores
            certificates, and the identity is None.
        keep_headers: whether to keep the raw headers in the scope. Your application should not need them.
        on_refusal: returns another answer. It gets the error and the scope, and returns the status (from 300), the
            headers, and the body as bytes, such as `answer_to(error)._replace(status=403)`. The request stays rejected.
            If the function fails, the middleware logs that and sends its own answer.

    Raises:
        TypeError: an argument has the wrong type, `exempt` is a single string, or a function would have to be awaited.
        ValueError: an exempt path does not start with "/", or the authenticator reads the WSGI environ.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticator: ClientCertAuthenticator,
        *,
        required: bool = True,
        exempt: Exempt = (),
        keep_headers: bool = False,
        on_refusal: OnRefusal | None = None,
    ) -> None:
        require_arguments(app, authenticator, required=required, keep_headers=keep_headers, on_refusal=on_refusal)
        authenticator.proxy.require_headers()
        self._app = app
        self._authenticator = authenticator
        self._is_raw = RawNames(authenticator.guarded_headers)
        self._required = required
        self._exempt = exemption(exempt, _path)
        self._keep_headers = keep_headers
        self._on_refusal = on_refusal
        self._client_tls = PerIdentity(_client_tls)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Judge one connection; pass it on, or answer it.

        Raises:
            RuntimeError: a type of connection that the middleware does not know, and that has headers to judge.
        """
        if scope["type"] not in ("http", "websocket"):
            if "headers" in scope:
                raise RuntimeError(
                    f"a client's connection of type {scope['type']!r} cannot be judged; http and websocket can"
                )
            await self._app(scope, receive, send)
            return
        exempt = self._exempt is not None and scope.get("method") != "CONNECT" and self._exempt(scope)
        headers = list(scope["headers"])
        inner = {**scope, "headers": headers}
        try:
            identity = None if exempt else self._authenticator.authenticate_scope(inner, required=self._required)
        except ClientCertError as error:
            await self._refuse(error, inner, receive, send)
            return
        if exempt or not self._keep_headers:
            is_raw = self._is_raw
            inner["headers"] = [pair for pair in headers if not is_raw[pair[0]]]
        inner["state"] = {**(scope.get("state") or {}), "client_identity": identity}
        inner[DECIDED] = {**scope.get(DECIDED, {}), self._authenticator: identity}
        extensions = scope.get("extensions") or {}
        if identity is not None or "tls" in extensions:
            tls = {**(_NO_CLIENT if identity is None else self._client_tls(identity))}
            # What the server says of its own TLS connection stays, less its client: that is the proxy.
            of_server = extensions.get("tls") or {}
            tls |= {name: said for name, said in of_server.items() if not name.startswith("client_")}
            inner["extensions"] = {**extensions, "tls": tls}
        await self._app(inner, receive, send)

    async def _refuse(self, error: ClientCertError, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        protocol = "http.response"
        if scope["type"] == "websocket":
            if (await receive())["type"] != "websocket.connect":
                return  # the client went first
            if "websocket.http.response" not in (scope.get("extensions") or {}):
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
                return
            protocol = "websocket.http.response"
        accept = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept").decode("latin-1")
        answer = refusal(error, accept, self._on_refusal, scope)
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        await send({"type": f"{protocol}.start", "status": answer.status, "headers": headers})
        await send({"type": f"{protocol}.body", "body": b"" if scope.get("method") == "HEAD" else answer.body})


def _path(scope: Mapping[str, Any]) -> str:
    """Return the path below `root_path`, as frameworks route it; servers differ in whether it holds `root_path`."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _client_tls(identity: ClientIdentity) -> Mapping[str, Any]:
    chain = tuple(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in identity.chain)
    return {**_NO_CLIENT, "client_cert_chain": chain, "client_cert_name": identity.subject}
