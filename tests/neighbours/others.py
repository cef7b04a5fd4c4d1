"""Applications of the frameworks in the table of docs/other-frameworks.md, each in one line of ASGI or WSGI."""

# pyright: reportMissingImports=false
from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sslclientcert import ClientCertAuthenticator, asgi, wsgi


def sanic() -> Any:
    from sanic import Sanic, text

    app = Sanic("tests")

    async def hello(request: Any) -> Any:
        return text(request.transport.scope["state"]["client_identity"].common_name)

    app.add_route(hello, "/")
    return app


def blacksheep() -> Any:
    from blacksheep import Application, text

    app = Application()

    @app.router.get("/")
    async def hello(request):  # type: ignore[no-untyped-def]  # BlackSheep reads no types in text
        return text(request.scope["state"]["client_identity"].common_name)

    return app


def strawberry() -> Any:
    import strawberry
    from strawberry.asgi import GraphQL

    def me(info):  # type: ignore[no-untyped-def]
        return info.context["request"].state.client_identity.common_name

    me.__annotations__ = {"info": strawberry.Info, "return": str}
    query = strawberry.type(type("Query", (), {"me": strawberry.field(resolver=me)}))
    return GraphQL(strawberry.Schema(query))


def ariadne() -> Any:
    from ariadne import QueryType, make_executable_schema
    from ariadne.asgi import GraphQL

    query = QueryType()
    query.set_field("me", lambda _, info: info.context["request"].state.client_identity.common_name)
    return GraphQL(make_executable_schema("type Query { me: String! }", query))


def connexion() -> Any:
    import connexion

    def me() -> Any:
        return connexion.request.scope["state"]["client_identity"].common_name, 200, {"content-type": "text/plain"}

    content = {"text/plain": {"schema": {"type": "string"}}}
    operation = {"operationId": "me", "responses": {"200": {"description": "who is asking", "content": content}}}
    app = connexion.AsyncApp("tests", resolver=connexion.Resolver(lambda _: me))
    app.add_api({"openapi": "3.0.0", "info": {"title": "", "version": "1"}, "paths": {"/": {"get": operation}}})
    return app


def prometheus() -> Any:
    from prometheus_client import make_asgi_app

    return make_asgi_app()


def bottle() -> Any:
    import bottle

    app = bottle.Bottle()
    app.get("/")(lambda: bottle.request.environ["sslclientcert.identity"].common_name)
    return app


def prometheus_wsgi() -> Any:
    from prometheus_client import make_wsgi_app

    return make_wsgi_app()


def wrapped(wrapper: Callable[..., Any], make: Callable[[], Any]) -> Callable[[], Any]:
    return lambda: wrapper(make(), ClientCertAuthenticator(os.environ["CA"]))


ASGI = {
    make.__name__: wrapped(asgi.ClientCertMiddleware, make)
    for make in (sanic, blacksheep, strawberry, ariadne, connexion, prometheus)
}
WSGI = {make.__name__: wrapped(wsgi.ClientCertMiddleware, make) for make in (bottle, prometheus_wsgi)}


def app() -> Any:
    """The application that the environment names."""
    return {**ASGI, **WSGI}[os.environ["FRAMEWORK"]]()
