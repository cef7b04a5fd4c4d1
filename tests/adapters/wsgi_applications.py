"""The application under test behind each adapter of WSGI: it notes what it can see of its one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.validate import validator

import flask as flask_framework

from sslclientcert import wsgi as gateway
from sslclientcert.flask import ClientCert, client_identity

from .contract import Adapter, Note, Request
from .django_project import configured

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request as DRFRequest
from rest_framework.views import APIView

from sslclientcert.django import client_identity as client_identity_of
from sslclientcert.drf import ClientCertAuthentication

from .django_project.urls import header_names

__all__ = ["APPLICATIONS", "django", "drf", "flask", "wsgi"]


@contextmanager
def wsgi(request: Request, note: Note) -> Iterator[Any]:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        names = [key.removeprefix("HTTP_") for key in environ if key.startswith("HTTP_")]
        note(environ["sslclientcert.identity"], names)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    yield gateway.ClientCertMiddleware(validator(application), request.authenticator, required=request.required)


@contextmanager
def flask(request: Request, note: Note) -> Iterator[flask_framework.Flask]:
    app = flask_framework.Flask(__name__)
    app.config["SSLCLIENTCERT_REQUIRED"] = request.required
    ClientCert(app, authenticator=request.authenticator)

    @app.get("/")
    def view() -> str:
        note(client_identity._get_current_object(), flask_framework.request.headers.keys())
        return "hello"

    yield app


@contextmanager
def django(request: Request, note: Note) -> Iterator[Any]:
    def view(http: HttpRequest) -> HttpResponse:
        note(client_identity_of(http), header_names(http))
        return HttpResponse("hello")

    with configured(request.django_settings, ROOT_URLCONF=(path("", view),)):
        yield get_wsgi_application()


@contextmanager
def drf(
    request: Request,
    note: Note,
    middleware: str = "django.middleware.common.CommonMiddleware",  # one that does not matter here
    application: Callable[[], Any] = get_wsgi_application,
) -> Iterator[Any]:
    class View(APIView):
        authentication_classes = (ClientCertAuthentication,)
        permission_classes = ()

        def get(self, http: DRFRequest) -> HttpResponse:
            """Note what the view sees."""
            note(http.auth, header_names(http._request))
            return HttpResponse("hello")

    settings = {**request.django_settings, "USER_FROM": lambda identity: None}  # there is no database
    with configured(settings, middleware, ROOT_URLCONF=(path("", View.as_view()),)):
        yield application()


APPLICATIONS: Mapping[str, Adapter] = {"wsgi": wsgi, "flask": flask, "django": django, "drf": drf}
