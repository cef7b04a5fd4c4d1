"""The application's tests: a CA of their own stands in for the shop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import pytest

from sslclientcert.testing import ClientCA, IssuedCertificate

Ask = Callable[..., httpx2.Response]


@pytest.fixture(scope="module")
def ask(sslclientcert_ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Returns a function that asks the application from this host, where it expects its proxy."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSLCLIENTCERT_CA", str(sslclientcert_ca.write(tmp_path_factory.mktemp("ca") / "ca.crt")))
        from .app import app

    async def answer(method: str, url: str, headers: dict[str, str]) -> httpx2.Response:
        transport = httpx2.ASGITransport(app, client=("127.0.0.1", 50000))
        async with httpx2.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            return await client.request(method, url, headers=headers)

    def ask(method: str, url: str, client: IssuedCertificate | None = None) -> httpx2.Response:
        return asyncio.run(answer(method, url, client.headers() if client else {}))

    return ask


def test_a_client_is_known_by_its_certificate(ask: Ask, sslclientcert_ca: ClientCA) -> None:
    assert ask("GET", "/me", sslclientcert_ca.issue("cart")).json()["common_name"] == "cart"


def test_only_the_health_check_needs_no_certificate(ask: Ask) -> None:
    assert ask("GET", "/healthz").status_code == 200
    assert ask("GET", "/me").json()["code"] == "certificate_missing"


def test_purchasing_orders_and_the_warehouse_reads(ask: Ask, sslclientcert_ca: ClientCA) -> None:
    buyer = sslclientcert_ca.issue("alice", organizational_unit="Purchasing")
    warehouse = sslclientcert_ca.issue("", uris=["spiffe://shop.example/warehouse"])
    assert ask("POST", "/orders?article=a+book", buyer).json() == "a book for alice"
    assert ask("GET", "/orders", warehouse).json() == ["a book for alice"]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_nobody_else_orders_or_reads(method: str, ask: Ask, sslclientcert_ca: ClientCA) -> None:
    answer = ask(method, "/orders", sslclientcert_ca.issue("bob", organizational_unit="Sales"))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_authorized")
