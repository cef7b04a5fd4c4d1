"""The application under test behind each adapter of ASGI: it notes what it can see of its one request or WebSocket."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fastapi as fastapi_framework
from fastapi import FastAPI, Security
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sslclientcert import ClientIdentity
from sslclientcert import asgi as gateway
from sslclientcert.fastapi import MutualTLS
from sslclientcert.starlette import ClientCertBackend, problem_details

from . import wsgi_applications
from .contract import Adapter, Note, Request
from .django_project import configured

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from sslclientcert.django import client_identity as client_identity_of

from .django_project.urls import header_names

__all__ = ["APPLICATIONS", "asgi", "django", "drf", "fastapi", "starlette"]


@contextmanager
def asgi(request: Request, note: Note) -> Iterator[Any]:
    async def application(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        note(scope["state"]["client_identity"], [name.decode() for name, _ in scope["headers"]])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1000})
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})

    yield gateway.ClientCertMiddleware(application, request.authenticator, required=request.required)


@contextmanager
def starlette(request: Request, note: Note) -> Iterator[Starlette]:
    def note_connection(connection: HTTPConnection) -> None:
        user = connection.user
        note(user.client_identity if user.is_authenticated else None, connection.headers)

    async def view(http: StarletteRequest) -> Response:
        note_connection(http)
        return Response("hello")

    async def feed(websocket: WebSocket) -> None:
        note_connection(websocket)
        await websocket.accept()
        await websocket.close()

    backend = ClientCertBackend(request.authenticator, required=request.required)
    middleware = [Middleware(AuthenticationMiddleware, backend=backend, on_error=problem_details)]
    yield Starlette(routes=[Route("/", view), WebSocketRoute("/", feed)], middleware=middleware)


@contextmanager
def fastapi(request: Request, note: Note) -> Iterator[FastAPI]:
    app = FastAPI()
    client = Security(MutualTLS(request.authenticator, auto_error=request.required))

    @app.get("/", response_class=PlainTextResponse)
    async def view(http: fastapi_framework.Request, identity: ClientIdentity | None = client) -> str:
        note(identity, http.headers)
        return "hello"

    @app.websocket("/")
    async def feed(websocket: WebSocket, identity: ClientIdentity | None = client) -> None:
        note(identity, websocket.headers)
        await websocket.accept()
        await websocket.close()

    yield app


@contextmanager
def django(request: Request, note: Note) -> Iterator[Any]:
    async def view(http: HttpRequest) -> HttpResponse:
        note(client_identity_of(http), header_names(http))
        return HttpResponse("hello")

    with configured(request.django_settings, ROOT_URLCONF=(path("", view),)):
        yield get_asgi_application()


drf = functools.partial(wsgi_applications.drf, application=get_asgi_application)  # its views are synchronous

APPLICATIONS: Mapping[str, Adapter] = {
    "asgi": asgi,
    "starlette": starlette,
    "fastapi": fastapi,
    "django": django,
    "drf": drf,
}
