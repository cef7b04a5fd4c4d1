"""What a message says of a value that is not of its encoding, and of the header of another proxy."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from sslclientcert import PROXIES, ClientCertAuthenticator, TrustStore, decode
from sslclientcert.core.decoding import ENCODINGS
from sslclientcert.core.proxies import ProxyName
from sslclientcert.core.recognition import OtherProxies

from .conftest import ALICE, ENCODERS, ROWS, b64, escaped, headers_of, pem, refused

ADDRESS = "127.0.0.1"
PEM = pem(ALICE.der)
BODY = b64(ALICE.der)
CHAINS = {"base64-der-concatenation", "byte-sequence-list", "base64-der-list", "url-pem-chain"}
LEAVES = sorted(ENCODINGS.keys() - CHAINS - {"xfcc-first", "xfcc-last"})


def detail_of(text: str, proxy: str) -> str:
    with refused("header_malformed", "header_ambiguous") as caught:
        decode(text, proxy)
    return caught.value.detail


@pytest.mark.parametrize("sent", LEAVES)
@pytest.mark.parametrize("proxy", ROWS)
def test_a_value_of_another_encoding_is_named_with_the_proxies_that_send_it(sent: str, proxy: str) -> None:
    expected = PROXIES[proxy].certificate_encoding
    if expected.startswith(sent) or (expected, sent) == ("base64-der-list", "base64-der"):
        return
    detail = detail_of(ENCODERS[sent](ALICE.der), proxy)
    assert f"It looks like {sent}" in detail
    assert f"certificate_encoding={sent!r}" in detail
    header = PROXIES[proxy].certificate_header
    senders = [row for row in PROXIES.values() if row.certificate_encoding == sent]
    here = [row.name for row in senders if row.certificate_header == header]
    assert all(name in detail for name in here or [row.name for row in senders])


def test_the_proxy_that_sends_it_in_just_this_header_is_named_alone() -> None:
    detail = detail_of(BODY, "envoy")
    assert "which cloud-foundry sends" in detail
    assert "haproxy" not in detail


SAID = {
    f'"{BODY}"': ("haproxy", "%{+Q}"),
    BODY.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D") + "%3D": ("traefik", "2.9.4"),
    PEM.replace("\n", "\n\t"): ("nginx", "$ssl_client_escaped_cert"),
    PEM.replace("\n", "\t"): ("nginx-ingress", "$ssl_client_escaped_cert"),
    escaped(PEM.replace("\n", "\r\n")): ("nginx", "CRLF"),
    escaped(PEM).replace("%0A", "%0d%0a"): ("nginx", "CRLF"),
    escaped(PEM.replace("\n", " ")): ("nginx", "spaces"),
    escaped(PEM.replace("\n", "\t")): ("nginx", "tabs"),
    escaped(PEM.replace("\n", "")): ("nginx", "no line ends"),
    escaped(PEM).replace("%20", "+"): ("nginx", "quote_plus"),
    f":{b64(PEM.encode())}:": ("rfc9440", "base64-pem"),
    f"{b64(PEM.encode())},{BODY}": ("traefik", "base64-pem"),
}


@pytest.mark.parametrize("text", SAID, ids=range(len(SAID)))
def test_a_known_fault_of_a_configuration_is_named_with_what_to_do(text: str) -> None:
    proxy, words = SAID[text]
    assert words in detail_of(text, proxy)


@pytest.mark.parametrize("text", ["garbage", "-----BEGIN", "%", "LS0t", "=", "-----BEGIN CERTIFICATE REQUEST-----"])
def test_of_what_is_not_known_nothing_is_claimed(text: str) -> None:
    assert "looks like" not in detail_of(text, "nginx")


@pytest.mark.parametrize(
    "text",
    [escaped(PEM).replace("-", "%2D"), "".join(f"%{octet:02X}" for octet in PEM.encode())],
    ids=["dashes", "every character"],
)
def test_a_dash_may_be_escaped(text: str) -> None:
    assert decode(text, "nginx").leaf == ALICE.certificate


# The header of another proxy


@pytest.fixture
def warned(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.WARNING, "sslclientcert")
    return lambda: [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def environ_of(headers: dict[str, str]) -> dict[str, str]:
    keys = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}
    return {**keys, "REMOTE_ADDR": ADDRESS}


@pytest.mark.parametrize("other", ROWS)
def test_the_certificate_header_of_another_proxy_from_a_trusted_peer_is_told_once(
    other: ProxyName, store: TrustStore, warned: Any
) -> None:
    header = PROXIES[other].certificate_header
    own = next(name for name, row in PROXIES.items() if row.certificate_header != header)
    authenticator = ClientCertAuthenticator(store, proxy=PROXIES[own])
    headers = {header: headers_of(ALICE, other)[header]}
    for _ in range(2):
        assert authenticator.authenticate(headers, peer=ADDRESS) is None
        assert authenticator.authenticate_environ(environ_of(headers)) is None
    (said,) = warned()
    assert f"{header} is there" in said
    assert other in said
    assert own in said


def test_it_is_told_again_after_a_minute(store: TrustStore, warned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("sslclientcert.core.recognition.time.monotonic", lambda: now)
    authenticator = ClientCertAuthenticator(store)
    for now in (1000.0, 1059.0, 1061.0, 1062.0):  # noqa: B007  # the clock reads it
        authenticator.authenticate(headers_of(ALICE, "traefik"), peer=ADDRESS)
    assert len(warned()) == 2


def test_of_what_a_stranger_sends_nothing_is_told(store: TrustStore, warned: Any) -> None:
    authenticator = ClientCertAuthenticator(store)
    for peer in ("203.0.113.9", None, ""):
        assert authenticator.authenticate(headers_of(ALICE, "traefik"), peer=peer) is None
    assert warned() == []


def test_of_a_request_with_the_proxys_own_header_or_without_any_nothing_is_told(store: TrustStore, warned: Any) -> None:
    authenticator = ClientCertAuthenticator(store)
    authenticator.authenticate({**headers_of(ALICE), **headers_of(ALICE, "traefik")}, peer=ADDRESS)
    authenticator.authenticate({"host": "shop"}, peer=ADDRESS)
    authenticator.authenticate({"client-cert": ""}, peer=ADDRESS)
    assert warned() == []


def test_what_another_header_holds_does_not_reach_the_log(store: TrustStore, warned: Any) -> None:
    ClientCertAuthenticator(store).authenticate({"client-cert": "secret\r\nforged line"}, peer=ADDRESS)
    (said,) = warned()
    assert "secret" not in said
    assert "forged" not in said


def test_headers_that_cannot_be_read_are_not_told_of() -> None:
    assert OtherProxies(frozenset()).found_in([("client-cert", "a"), ("client-cert", "b")]) == ""
    assert OtherProxies(frozenset()).found_in(5) == ""
