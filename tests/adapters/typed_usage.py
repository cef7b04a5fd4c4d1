"""How people's own code uses the two gateways, for the type checkers to read. Nothing here runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

import uvicorn
from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from sslclientcert import ClientCertAuthenticator, ClientIdentity, asgi, wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

authenticator = ClientCertAuthenticator("ca.crt")


# WSGI


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    identity: ClientIdentity | None = environ["sslclientcert.identity"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [identity.subject.encode() if identity else b"nobody"]


def is_probe(environ: dict[str, Any]) -> bool:
    return bool(environ["PATH_INFO"] == "/healthz")


plain: WSGIApplication = wsgi.ClientCertMiddleware(hello, authenticator)
optional: WSGIApplication = wsgi.ClientCertMiddleware(hello, authenticator, required=False, keep_headers=True)
by_paths: WSGIApplication = wsgi.ClientCertMiddleware(hello, authenticator, exempt=["/healthz", "/readyz"])
by_function: WSGIApplication = wsgi.ClientCertMiddleware(hello, authenticator, exempt=is_probe)
around_flask: WSGIApplication = wsgi.ClientCertMiddleware(Flask(__name__).wsgi_app, authenticator)


# ASGI


async def with_starlettes_types(scope: Scope, receive: Receive, send: Send) -> None:
    identity: ClientIdentity | None = scope["state"]["client_identity"]
    await send({"type": "http.response.start", "status": 200 if identity else 403, "headers": []})


async def with_plain_types(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    await send({"type": "http.response.body"})


def is_ready(scope: MutableMapping[str, Any]) -> bool:
    return bool(scope["path"] == "/ready")


app: ASGIApp = asgi.ClientCertMiddleware(with_starlettes_types, authenticator)
of_plain_types: ASGIApp = asgi.ClientCertMiddleware(with_plain_types, authenticator, exempt=is_ready)
twice: ASGIApp = asgi.ClientCertMiddleware(app, authenticator, required=False, exempt={"/ready"})
starlette = Starlette(
    middleware=[Middleware(asgi.ClientCertMiddleware, authenticator, required=False, exempt=["/ready"])]
)
around_starlette: ASGIApp = asgi.ClientCertMiddleware(starlette, authenticator)


def serve() -> None:
    uvicorn.run(asgi.ClientCertMiddleware(starlette, authenticator), host="127.0.0.1")
