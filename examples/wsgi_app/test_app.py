"""The application's tests: a CA of their own stands in for the shop's."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from sslclientcert.testing import ClientCA, IssuedCertificate

Ask = Callable[..., tuple[str, Any]]


@pytest.fixture(scope="module")
def ask(sslclientcert_ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Returns a function that asks the application from this host, where it expects its proxy."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSLCLIENTCERT_CA", str(sslclientcert_ca.write(tmp_path_factory.mktemp("ca") / "ca.crt")))
        from .app import app

    def ask(method: str, path: str, client: IssuedCertificate | None = None, query: str = "") -> tuple[str, Any]:
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": "127.0.0.1"}
        environ |= client.environ() if client else {}
        setup_testing_defaults(environ)
        statuses: list[str] = []

        def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
            statuses.append(status)
            return io.BytesIO().write

        body = b"".join(app(environ, start_response))
        return statuses[0], json.loads(body)

    return ask


def test_a_client_is_known_by_its_certificate(ask: Ask, sslclientcert_ca: ClientCA) -> None:
    status, answer = ask("GET", "/me", sslclientcert_ca.issue("cart"))
    assert (status, answer["common_name"]) == ("200 OK", "cart")


def test_only_the_health_check_needs_no_certificate(ask: Ask) -> None:
    assert ask("GET", "/healthz") == ("200 OK", "ok")
    assert ask("GET", "/me")[1]["code"] == "certificate_missing"


def test_purchasing_orders_and_the_warehouse_reads(ask: Ask, sslclientcert_ca: ClientCA) -> None:
    buyer = sslclientcert_ca.issue("alice", organizational_unit="Purchasing")
    warehouse = sslclientcert_ca.issue("", uris=["spiffe://shop.example/warehouse"])
    assert ask("POST", "/orders", buyer, "article=a+book") == ("201 Created", "a book for alice")
    assert ask("GET", "/orders", warehouse) == ("200 OK", ["a book for alice"])


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_nobody_else_orders_or_reads(method: str, ask: Ask, sslclientcert_ca: ClientCA) -> None:
    status, answer = ask(method, "/orders", sslclientcert_ca.issue("bob", organizational_unit="Sales"))
    assert (status, answer["code"]) == ("403 Forbidden", "not_authorized")
