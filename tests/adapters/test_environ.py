"""`proxy="environ"` through the adapters: read under WSGI, refused under ASGI when the application starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import pytest
from starlette.applications import Starlette

from sslclientcert.asgi import ClientCertMiddleware as AsgiMiddleware
from sslclientcert.fastapi import MutualTLS
from sslclientcert.flask import ClientCert, client_identity
from sslclientcert.starlette import ClientCertBackend
from sslclientcert.testing import ClientCA
from sslclientcert.wsgi import ClientCertMiddleware


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA()


def test_the_wsgi_middleware_replaces_the_variables_by_what_was_verified(ca: ClientCA) -> None:
    seen: dict[str, Any] = {}

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return []

    def start(*_: Any) -> Any:
        pass

    protected = ClientCertMiddleware(application, ca.authenticator("environ"), required=False)
    alice = ca.issue("alice")
    protected({**alice.environ("environ"), "HTTP_SSL_CLIENT_CERT": "forged"}, start)
    assert seen["sslclientcert.identity"].common_name == "alice"
    assert seen["SSL_CLIENT_CERT"] == alice.pem
    assert seen["SSL_CLIENT_S_DN_CN"] == "alice"
    assert "HTTP_SSL_CLIENT_CERT" not in seen

    seen.clear()
    protected({"SSL_CLIENT_VERIFY": "NONE"}, start)
    assert seen["sslclientcert.identity"] is None
    assert "SSL_CLIENT_CERT" not in seen


def test_flask_knows_the_client_of_the_environ(ca: ClientCA) -> None:
    app = flask.Flask(__name__)
    ClientCert(app, authenticator=ca.authenticator("environ"))

    @app.get("/")
    def hello() -> str:
        return str(client_identity.common_name)

    client = app.test_client()
    assert client.get("/", environ_overrides=ca.issue("alice").environ("environ")).text == "alice"
    assert client.get("/", environ_overrides=ca.stranger("alice").environ("environ")).status_code == 403
    assert client.get("/", headers={"SSL-Client-Cert": ca.issue("alice").pem.replace("\n", " ")}).status_code == 403


STARTS: dict[str, Callable[[Any], object]] = {
    "asgi": lambda authenticator: AsgiMiddleware(Starlette(), authenticator),
    "starlette": ClientCertBackend,
    "fastapi": MutualTLS,
}


@pytest.mark.parametrize("adapter", STARTS)
def test_an_adapter_of_asgi_refuses_it_when_the_application_starts(ca: ClientCA, adapter: str) -> None:
    with pytest.raises(ValueError, match="It works under WSGI alone"):
        STARTS[adapter](ca.authenticator("environ"))
