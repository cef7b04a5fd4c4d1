"""How people's own code uses the adapters, for the type checkers to read. Nothing here runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Annotated, Any, assert_type

import uvicorn
from django.http import HttpRequest, HttpResponse
from django.views import View
from fastapi import Depends, FastAPI, Security, WebSocket
from flask import Flask
from rest_framework.views import APIView
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from sslclientcert import ClientCertAuthenticator, ClientIdentity, asgi, django, drf, fastapi, rules, wsgi
from sslclientcert import flask as in_flask
from sslclientcert import starlette as in_starlette

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


# Starlette


def scopes(identity: ClientIdentity) -> list[str]:
    return [*identity.organizational_units]


backend = in_starlette.ClientCertBackend(authenticator, scopes=scopes, required=False)
with_users = Starlette(
    middleware=[Middleware(AuthenticationMiddleware, backend=backend, on_error=in_starlette.problem_details)]
)


# FastAPI

mtls = fastapi.MutualTLS(authenticator, scopes=scopes, scheme_name="Clients", description="A certificate.")
optional_mtls = fastapi.MutualTLS(authenticator, auto_error=False)
Client = Annotated[ClientIdentity, Security(mtls)]
Cart = Annotated[ClientIdentity, Depends(mtls.require(rules.common_name("cart") | rules.dns_name("cart.example")))]

api = FastAPI(dependencies=[Security(mtls, scopes=["read"])])
api.add_middleware(asgi.ClientCertMiddleware, authenticator=authenticator, required=False)
api.add_exception_handler(fastapi.ClientCertHTTPException, fastapi.problem_details)
mtls.document(api)


@api.get("/me")
async def me(client: Client, cart: Cart) -> list[str | None]:
    return [client.common_name, cart.common_name]


@api.websocket("/feed")
async def feed(websocket: WebSocket, client: Annotated[ClientIdentity | None, Security(optional_mtls)]) -> None:
    await websocket.send_text(client.subject if client else "nobody")


# Flask

flask_app = Flask(__name__)
in_flask.ClientCert(flask_app, authenticator=authenticator)
of_a_factory = in_flask.ClientCert()


@flask_app.get("/order/<int:number>")
@in_flask.client_cert_required
def order(number: int) -> str:
    return f"{number} of {in_flask.client_identity.common_name if in_flask.client_identity else None}"


@flask_app.delete("/order/<int:number>")
@in_flask.client_cert_required(rules.organization("Example") & ~rules.common_name("eve"))
async def cancel(number: int) -> str:
    return str(number)


@flask_app.errorhandler(in_flask.ClientCertHTTPException)
def refused(exception: in_flask.ClientCertHTTPException) -> tuple[str, int]:
    return exception.error.title, exception.error.status


assert_type(order(1), str)


# Django and Django REST framework


@django.client_cert_required
def account(request: HttpRequest, number: int) -> HttpResponse:
    assert_type(django.client_identity(request), ClientIdentity | None)
    return HttpResponse(django.client_identity(request, required=True).common_name or number)


@django.client_cert_required(rules.spiffe_trust_domain("example.org"))
async def later(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@django.client_cert_exempt
def healthy(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


assert_type(account(HttpRequest(), 1), HttpResponse)


class Report(django.ClientCertRequiredMixin, View):
    client_cert_rule = rules.organization("Example")


class Resource(APIView):
    authentication_classes = (drf.ClientCertAuthentication,)
    permission_classes = (drf.HasClientCert.passing(rules.common_name("cart")),)
