"""The service's tests: a CA of their own stands in for the shop's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from wsgiref.util import setup_testing_defaults

import pytest

from sslclientcert.testing import ClientCA, IssuedCertificate

Ask = Callable[..., tuple[str, dict[str, str]]]


@pytest.fixture(scope="module")
def ask(sslclientcert_ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Returns a function that asks the service from this host, where it expects its proxy."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSLCLIENTCERT_CA", str(sslclientcert_ca.write(tmp_path_factory.mktemp("ca") / "ca.crt")))
        from .app import app

    def ask(client: IssuedCertificate | None = None, peer: str = "127.0.0.1") -> tuple[str, dict[str, str]]:
        environ = {"REMOTE_ADDR": peer, **(client.environ() if client else {})}
        setup_testing_defaults(environ)
        said: list[tuple[str, dict[str, str]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
            said.append((status, dict(headers)))
            return lambda _: None

        b"".join(app(environ, start_response))
        return said[0]

    return ask


def test_a_client_is_known_by_its_certificate(ask: Ask, sslclientcert_ca: ClientCA) -> None:
    client = sslclientcert_ca.issue("Zoë\r\nClient-Subject: CN=admin")
    status, headers = ask(client)
    assert status == "204 No Content"
    assert headers == {
        "Client-Subject": "CN%3DZo%C3%AB%0D%0AClient-Subject%3A%20CN%3Dadmin",
        "Client-Fingerprint": hashlib.sha256(client.der).hexdigest(),
    }


@pytest.mark.parametrize("make", [ClientCA.expired, ClientCA.stranger, ClientCA.not_a_certificate])
def test_everything_else_is_answered_with_403(
    make: Callable[[ClientCA], IssuedCertificate], ask: Ask, sslclientcert_ca: ClientCA
) -> None:
    for status, headers in (ask(), ask(make(sslclientcert_ca)), ask(sslclientcert_ca.issue(), "192.0.2.7")):
        assert status == "403 Forbidden"
        assert headers.keys().isdisjoint(["Client-Subject", "Client-Fingerprint"])
