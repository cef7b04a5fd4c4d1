"""The application's tests: a CA of their own stands in for the shop's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from sslclientcert.testing import ClientCA, forged_identity


@pytest.fixture(scope="module")
def client(sslclientcert_ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client on this host, where the application expects its proxy."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSLCLIENTCERT_CA", str(sslclientcert_ca.write(tmp_path_factory.mktemp("ca") / "ca.crt")))
        from .app import app
    yield TestClient(app, client=("127.0.0.1", 50000))
    app.dependency_overrides.clear()


def test_a_client_is_known_by_its_certificate(client: TestClient, sslclientcert_headers: dict[str, str]) -> None:
    assert client.get("/me", headers=sslclientcert_headers).json()["common_name"] == "client"


def test_only_the_health_check_needs_no_certificate(client: TestClient) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/me").json()["code"] == "certificate_missing"


def test_only_purchasing_orders(client: TestClient, sslclientcert_ca: ClientCA) -> None:
    buyer = sslclientcert_ca.issue("alice", organizational_unit="Purchasing")
    other = sslclientcert_ca.issue("bob", organizational_unit="Sales")
    order = {"article": "a book"}
    assert client.post("/orders", params=order, headers=buyer.headers()).json() == "a book for alice"
    assert client.post("/orders", params=order, headers=other.headers()).json()["code"] == "not_authorized"


def test_the_warehouse_reads_the_orders(client: TestClient, sslclientcert_ca: ClientCA) -> None:
    warehouse = sslclientcert_ca.issue("", uris=["spiffe://shop.example/warehouse"])
    assert isinstance(client.get("/orders", headers=warehouse.headers()).json(), list)
    with client.websocket_connect("/feed", headers=warehouse.headers()) as websocket:
        assert isinstance(websocket.receive_json(), list)


def test_an_identity_can_be_given_without_any_certificate(client: TestClient) -> None:
    from .app import app, mtls

    app.dependency_overrides[mtls] = lambda: forged_identity("carol")
    assert client.get("/me").json()["common_name"] == "carol"


def test_the_api_documents_its_scheme(client: TestClient) -> None:
    scheme = client.get("/openapi.json").json()["components"]["securitySchemes"]["MutualTLS"]
    assert scheme == {"type": "mutualTLS", "description": "A certificate of the shop's CA."}
