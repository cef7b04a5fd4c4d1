"""The application's tests: a CA of their own stands in for the shop's."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sslclientcert.testing import ClientCA

from .app import create_app


@pytest.fixture
def client(sslclientcert_ca: ClientCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client on this host, where the application expects its proxy."""
    monkeypatch.setenv("FLASK_SSLCLIENTCERT_CA", str(sslclientcert_ca.write(tmp_path / "ca.crt")))
    return create_app().test_client()


def test_a_client_is_known_by_its_certificate(client: FlaskClient, sslclientcert_headers: dict[str, str]) -> None:
    assert client.get("/me", headers=sslclientcert_headers).get_json()["common_name"] == "client"


def test_only_the_health_check_needs_no_certificate(client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/me").get_json()["code"] == "certificate_missing"
    assert client.get("/nothing").get_json()["code"] == "certificate_missing"


def test_purchasing_orders_and_the_warehouse_reads(client: FlaskClient, sslclientcert_ca: ClientCA) -> None:
    buyer = sslclientcert_ca.issue("alice", organizational_unit="Purchasing").headers()
    warehouse = sslclientcert_ca.issue("", uris=["spiffe://shop.example/warehouse"]).headers()
    assert client.post("/orders/", data={"article": "a book"}, headers=buyer).get_json() == "a book for alice"
    assert client.get("/orders/", headers=warehouse).get_json() == ["a book for alice"]


def test_nobody_else_orders_or_reads(client: FlaskClient, sslclientcert_ca: ClientCA) -> None:
    other = sslclientcert_ca.issue("bob", organizational_unit="Sales").headers()
    assert client.post("/orders/", data={"article": "a book"}, headers=other).get_json()["code"] == "not_authorized"
    assert client.get("/orders/", headers=other).get_json()["code"] == "not_authorized"
