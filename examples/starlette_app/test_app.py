"""The application's tests: a CA of their own stands in for the shop's."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from sslclientcert.testing import ClientCA


@pytest.fixture(scope="module")
def client(sslclientcert_ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A client on this host, where the application expects its proxy."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSLCLIENTCERT_CA", str(sslclientcert_ca.write(tmp_path_factory.mktemp("ca") / "ca.crt")))
        from .app import app
    return TestClient(app, client=("127.0.0.1", 50000))


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
    assert client.post("/orders", params=order, headers=other.headers()).status_code == 403


def test_the_feed_is_for_clients(client: TestClient, sslclientcert_headers: dict[str, str]) -> None:
    with client.websocket_connect("/feed", headers=sslclientcert_headers) as websocket:
        assert isinstance(websocket.receive_json(), list)
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/feed"):
        pytest.fail("the handshake went through")
    assert denied.value.json()["code"] == "certificate_missing"
