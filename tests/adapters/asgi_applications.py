"""The application under test behind each adapter of ASGI: it notes what it can see of its one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fastapi as fastapi_framework
from fastapi import FastAPI, Security
from fastapi.responses import PlainTextResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import Route

from sslclientcert import ClientIdentity
from sslclientcert import asgi as gateway
from sslclientcert.fastapi import MutualTLS
from sslclientcert.starlette import ClientCertBackend, problem_details

from .contract import Adapter, Note, Request
from .django_project import configured

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from sslclientcert.django import client_identity as client_identity_of

from .django_project.urls import header_names

__all__ = ["APPLICATIONS", "asgi", "django", "fastapi", "starlette"]


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
    async def view(http: StarletteRequest) -> Response:
        note(http.user.client_identity if http.user.is_authenticated else None, http.headers)
        return Response("hello")

    backend = ClientCertBackend(request.authenticator, required=request.required)
    middleware = [Middleware(AuthenticationMiddleware, backend=backend, on_error=problem_details)]
    yield Starlette(routes=[Route("/", view)], middleware=middleware)


@contextmanager
def fastapi(request: Request, note: Note) -> Iterator[FastAPI]:
    app = FastAPI()
    client = Security(MutualTLS(request.authenticator, auto_error=request.required))

    @app.get("/", response_class=PlainTextResponse)
    async def view(http: fastapi_framework.Request, identity: ClientIdentity | None = client) -> str:
        note(identity, http.headers)
        return "hello"

    yield app


@contextmanager
def django(request: Request, note: Note) -> Iterator[Any]:
    async def view(http: HttpRequest) -> HttpResponse:
        note(client_identity_of(http), header_names(http))
        return HttpResponse("hello")

    with configured(request.django_settings, ROOT_URLCONF=(path("", view),)):
        yield get_asgi_application()


APPLICATIONS: Mapping[str, Adapter] = {"asgi": asgi, "starlette": starlette, "fastapi": fastapi, "django": django}
