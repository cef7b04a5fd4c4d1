"""What else people build APIs with on Flask: each has its own way to answer an exception, and all answer a refusal."""

# pyright: reportMissingImports=false
from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from sslclientcert.cli import main
from sslclientcert.flask import ClientCert, client_identity
from sslclientcert.testing import ClientCA, IssuedCertificate

TITLE = "A client certificate is required."
CODE = "certificate_missing"


def who() -> dict[str, object]:
    return {"name": client_identity.common_name}


def apiflask() -> Flask:
    from apiflask import APIFlask

    app: Flask = APIFlask("orders")
    app.add_url_rule("/orders", view_func=who)
    return app


def with_resources(package: str) -> Flask:
    extension = importlib.import_module(package)
    orders = type("Orders", (extension.Resource,), {"get": lambda _: who()})
    app = Flask("orders")
    extension.Api(app).add_resource(orders, "/orders")
    return app


def flask_restx() -> Flask:
    return with_resources("flask_restx")


def flask_restful() -> Flask:
    return with_resources("flask_restful")


def flask_smorest() -> Flask:
    from flask_smorest import Api, Blueprint

    blueprint = Blueprint("orders", "orders")
    blueprint.route("/orders")(who)
    app = Flask("orders")
    app.config.update(API_TITLE="orders", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    Api(app).register_blueprint(blueprint)
    return app


def flask_openapi3() -> Flask:
    from flask_openapi3 import OpenAPI

    app: Flask = OpenAPI("orders")
    app.get("/orders")(who)
    return app


PROBLEM = {"title": TITLE, "status": 403, "code": CODE}
ANSWERS = {
    apiflask: {"message": TITLE, "detail": {}},
    flask_restx: {"message": TITLE, "code": CODE},
    flask_restful: {"message": TITLE, "code": CODE},
    flask_smorest: {"message": TITLE, "code": 403, "status": TITLE},
    flask_openapi3: PROBLEM,
}
each = pytest.mark.parametrize("make", ANSWERS, ids=lambda make: make.__name__)


def protected(make: Callable[[], Flask], ca: ClientCA) -> Flask:
    app = make()
    ClientCert(app, authenticator=ca.authenticator())
    return app


@each
def test_a_client_is_known_by_its_certificate(
    make: Callable[[], Flask], ca: ClientCA, alice: IssuedCertificate
) -> None:
    answer = protected(make, ca).test_client().get("/orders", headers=alice.headers())
    assert (answer.status_code, answer.get_json()) == (200, {"name": "alice"})


@each
def test_a_refusal_is_answered_in_the_neighbours_way_and_says_what_is_wrong(
    make: Callable[[], Flask], ca: ClientCA
) -> None:
    answer = protected(make, ca).test_client().get("/orders")
    assert (answer.status_code, json.loads(answer.data)) == (403, ANSWERS[make])
    assert len(answer.headers.getlist("Content-Length")) == 1


@each
@pytest.mark.parametrize(("certificate", "status"), [(ClientCA.expired, 403), (ClientCA.not_a_certificate, 400)])
def test_no_detail_is_told(make: Callable[[], Flask], certificate: Any, status: int, ca: ClientCA) -> None:
    answer = protected(make, ca).test_client().get("/orders", headers=certificate(ca).headers())
    assert answer.status_code == status
    assert not [word for word in ("CN=", "Test CA", "notAfter") if word in answer.text]


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """Run the application on werkzeug's server until the block ends; yield its port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@each
def test_the_probe_reads_the_answers_and_finds_that_nothing_stands_before_the_application(
    make: Callable[[], Flask], ca: ClientCA, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(protected(make, ca)) as port:
        status = main(["probe", f"http://127.0.0.1:{port}/orders", "--proxy", "nginx-ingress", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert status == said["status"] == 1
    found = {finding["way"]: finding for finding in said["findings"]}
    assert found["exact"]["usual"] == f"403 {CODE}"
    assert found["exact"]["answer"] == "403 certificate_untrusted"
    assert found["exact"]["outcome"] == "refused by the application"
