"""ASGI middleware: the client identity in the scope, for HTTP and WebSocket.

Not verified here: the TLS handshake. Only the proxy saw it, so this is as good as the way the headers come by; the
authenticator's `trusted_proxies` guards it.

Trailers. uvicorn's httptools parser appends the trailer fields of a chunked request to the same list that the scope
holds as its headers: to the application they look like headers that came last. What we do: the headers are frozen
before they are judged, so that no later trailer is seen by anybody; a trailer beside the proxy's own header is a
duplicate, and refused; so is a certificate in a trailer beside the proxy's verdict NONE; so is a request whose Trailer
field announces one of the headers. What remains is a trailer that nobody announced, through a proxy that *deletes* the
header of a client without certificate, sends nothing in its place, and forwards trailers (HAProxy with a conditional
recipe, Envoy with enable_trailers). Have the proxy set the header on every request, be it empty, or run uvicorn with
`--http h11`, which drops trailers as all other servers do.

Sources: the ASGI specification 3.0, HTTP and WebSocket 2.5, TLS extension 0.2; RFC 9110 sections 6.5 and 6.6.2 on
trailers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.serialization import Encoding

from ._gateway import DECIDED, Exempt, OnRefusal, PerIdentity, RawNames, exemption, refusal, require_arguments
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity

__all__ = ["ClientCertMiddleware"]

# Wide enough for the types of Starlette, asgiref and uvicorn alike, which do not fit each other.
ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]

_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1

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
    """Pure ASGI middleware that lets only verified clients through to `app`.

    Not verified: that nobody but the proxy can reach the application, beyond the authenticator's `trusted_proxies`. See
    the module about trailers.

    Connections of the types `http` and `websocket` are judged; what has no headers, such as `lifespan`, passes
    untouched. The application gets a copy of the scope, in which

    - `scope["state"]["client_identity"]` is the `ClientIdentity`, or None if the client is anonymous (with
      `required=False`, and on exempt paths). In Starlette and FastAPI that is `request.state.client_identity`.
    - `scope["extensions"]["tls"]` is the ASGI TLS extension of a verified client: `client_cert_chain` (PEM, the
      verified path from the leaf to the anchor) and `client_cert_name` (RFC 4514). `client_cert_error` is always None:
      a certificate that does not verify is refused, with `required=False` too, and so never reaches the application.
      What the server says of its own TLS connection stays, but for its client, who is the proxy.
    - `scope["headers"]` is a list of its own, without the raw headers that the authenticator reads.

    A refusal is answered by `answer_to`: with the error's status, code and title, as problem details, or as a page for
    browsers. The detail is for logs. A WebSocket gets that as a denial response where the server offers it, otherwise a
    close with code 1008, which servers turn into a plain 403.

    Parameters:
        app: the ASGI application.
        authenticator: judges each request.
        required: whether a request without a certificate is refused. If False it goes on as anonymous; a certificate
            that does not verify is refused all the same.
        exempt: what needs no identity, such as the kubelet's probes, which come straight to the pod: exact paths,
            below `root_path` and percent-decoded; or a function of the scope that returns exactly True. A certificate
            is not even looked at there; the identity is None.
        keep_headers: leave the raw headers of a judged request in the scope. Nobody downstream should need them.
        on_refusal: returns another answer to a refusal: called with the error and the scope, it returns the status
            (from 300), the headers, and the body as bytes, such as `answer_to(error)._replace(status=403)`. The request
            stays refused. If it raises, that is logged, and the library's own answer is sent.

    Raises:
        TypeError: an argument is not of its type; `exempt` is a single string; a function would have to be awaited.
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
        exempt = self._exempt is not None and self._exempt(scope)
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
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
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
