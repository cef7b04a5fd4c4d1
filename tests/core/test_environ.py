"""A certificate that came by no header: the variables of the WSGI environ, and PEM from an event."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from sslclientcert import ClientCertAuthenticator, PresentedChain, TrustStore, rules
from sslclientcert.core.authenticator import Decision
from sslclientcert.core.proxies import ENVIRON, proxy_named
from sslclientcert.testing import encode

from .conftest import ALICE, MALLORY, STRANGER, pem, refused

CLIENT = "203.0.113.9"  # whom a server names in REMOTE_ADDR

SECRET = "0123456789abcdef"


@pytest.fixture
def server(store: TrustStore) -> ClientCertAuthenticator:
    return ClientCertAuthenticator(store, proxy="environ")


def environ_of(certificate: str | None, verdict: str | None = "SUCCESS", **more: str) -> dict[str, str]:
    said = {"SSL_CLIENT_CERT": certificate, "SSL_CLIENT_VERIFY": verdict}
    return {"REMOTE_ADDR": CLIENT, **{key: value for key, value in said.items() if value is not None}, **more}


@pytest.mark.parametrize("text", [pem(ALICE.der), pem(ALICE.der).strip(), pem(ALICE.der).replace("\n", "\r\n")])
@pytest.mark.parametrize("verdict", ["SUCCESS", "GENEROUS", "FAILED:certificate has expired", None])
def test_the_variables_of_the_server_are_read_for_any_peer(
    server: ClientCertAuthenticator, text: str, verdict: str | None
) -> None:
    identity = server.authenticate_environ(environ_of(text, verdict))
    assert identity is not None
    assert identity.certificate == ALICE.certificate


@pytest.mark.parametrize(("certificate", "verdict"), [(None, "NONE"), ("", "NONE"), ("", ""), (None, None), ("", None)])
def test_no_certificate_is_an_absent_or_an_empty_variable(
    server: ClientCertAuthenticator, certificate: str | None, verdict: str | None
) -> None:
    assert server.authenticate_environ(environ_of(certificate, verdict)) is None


def test_a_header_of_that_name_is_another_variable_and_is_removed(server: ClientCertAuthenticator) -> None:
    forged = {"HTTP_SSL_CLIENT_CERT": pem(ALICE.der).replace("\n", " "), "HTTP_SSL_CLIENT_VERIFY": "SUCCESS"}
    assert server.authenticate_environ({"REMOTE_ADDR": CLIENT, **forged}) is None
    identity = server.authenticate_environ(environ_of(pem(MALLORY.der), **forged))
    assert identity is not None
    assert identity.certificate == MALLORY.certificate
    assert server.guarded_environ == {*forged, "SSL_CLIENT_CERT", "SSL_CLIENT_VERIFY"}


def test_what_the_variables_say_is_held_against_each_other_and_verified(server: ClientCertAuthenticator) -> None:
    with refused("certificate_untrusted"):
        server.authenticate_environ(environ_of(pem(STRANGER.der)))
    with refused("forwarding_inconsistent"):
        server.authenticate_environ(environ_of(None, "SUCCESS"))
    for verdict in ("NONE", ""):
        with refused("forwarding_inconsistent"):
            server.authenticate_environ(environ_of(pem(ALICE.der), verdict))
    with refused("header_malformed"):
        server.authenticate_environ(environ_of(pem(ALICE.der), "YES"))
    with refused("header_ambiguous"):
        server.authenticate_environ(environ_of(pem(ALICE.der) * 2))


def test_a_verdict_may_be_required(store: TrustStore) -> None:
    server = ClientCertAuthenticator(store, proxy="environ", require_proxy_success=True)
    assert server.authenticate_environ(environ_of(pem(ALICE.der))) is not None
    with refused("certificate_untrusted"):
        server.authenticate_environ(environ_of(pem(ALICE.der), "GENEROUS"))
    with refused("forwarding_inconsistent"):
        server.authenticate_environ(environ_of(pem(ALICE.der), None))


def test_headers_are_never_read_by_it(server: ClientCertAuthenticator) -> None:
    for headers in ({"SSL_CLIENT_CERT": pem(ALICE.der)}, {}):
        with pytest.raises(ValueError, match="works under WSGI alone"):
            server.authenticate(headers, peer="unix")
    with pytest.raises(ValueError, match="works under WSGI alone"):
        server.authenticate_scope({"headers": [], "client": None})


def test_a_header_of_the_client_is_nothing_that_the_server_sets(store: TrustStore) -> None:
    with pytest.raises(ValueError, match="'HTTP_SSL_CLIENT_CERT' is a client's header"):
        ClientCertAuthenticator(store, proxy="environ", header="HTTP_SSL_CLIENT_CERT")


@pytest.mark.parametrize("options", [{"trusted_proxies": "10.0.0.7"}, {"shared_secret": ("x-secret", SECRET)}])
def test_what_cannot_be_checked_may_not_be_said(store: TrustStore, options: Any) -> None:
    with pytest.raises(ValueError, match="guard the server's socket"):
        ClientCertAuthenticator(store, proxy="environ", **options)


def test_no_peer_is_asked_and_none_is_warned_of(store: TrustStore, caplog: pytest.LogCaptureFixture) -> None:
    given: list[dict[str, Any]] = [{}, {"trusted_proxies": "*"}, {"trusted_proxies": ["*"]}]
    for options in given:
        assert not ClientCertAuthenticator(store, proxy="environ", **options).trusts_every_peer
    assert [record for record in caplog.records if "trusted_proxies" in record.getMessage()] == []


def test_the_variables_may_have_other_names(store: TrustStore) -> None:
    row = replace(ENVIRON, certificate_header="CLIENT_CERT", verdict_header=None)
    server = ClientCertAuthenticator(store, proxy=row)
    assert proxy_named("environ") is ENVIRON
    assert server.authenticate_environ({"CLIENT_CERT": pem(ALICE.der)}) is not None
    renamed = ClientCertAuthenticator(store, proxy="environ", header="CLIENT_CERT")
    assert renamed.authenticate_environ({"CLIENT_CERT": pem(ALICE.der)}) is not None


def test_what_a_test_is_given_are_the_variables() -> None:
    assert encode(ALICE.certificate, "environ") == {"SSL_CLIENT_CERT": pem(ALICE.der), "SSL_CLIENT_VERIFY": "SUCCESS"}
    assert encode(None, "environ") == {"SSL_CLIENT_VERIFY": "NONE"}


# PEM from an event


@pytest.mark.parametrize("given", [pem(ALICE.der), pem(ALICE.der).encode(), pem(ALICE.der).strip()], ids=range(3))
def test_one_certificate_in_pem_is_verified(ingress: ClientCertAuthenticator, given: str | bytes) -> None:
    identity = ingress.authenticate_pem(given)
    assert identity == ingress.authenticate_pem(given)
    assert identity is not None
    assert identity.certificate == ALICE.certificate


@pytest.mark.parametrize("nothing", [None, "", b""])
def test_none_and_the_empty_text_are_no_certificate(ingress: ClientCertAuthenticator, nothing: Any) -> None:
    assert ingress.authenticate_pem(nothing) is None
    with refused("certificate_missing"):
        ingress.authenticate_pem(nothing, required=True)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (pem(ALICE.der) + pem(MALLORY.der), "header_ambiguous"),
        (pem(ALICE.der) * 2, "header_ambiguous"),
        ("x" + pem(ALICE.der), "header_malformed"),
        ("-----BEGIN CERTIFICATE-----", "header_malformed"),
        (pem(ALICE.der).replace("\n", "%0A"), "header_malformed"),
        (b"\xff", "header_malformed"),
        (5, "header_malformed"),
        (["a"], "header_malformed"),
        (" " * 70_000, "header_too_large"),
        (pem(b"\x30\x03\x02\x01\x05"), "certificate_malformed"),
        (pem(STRANGER.der), "certificate_untrusted"),
    ],
    ids=range(11),
)
def test_what_is_not_one_certificate_in_pem_is_refused_with_a_code(
    ingress: ClientCertAuthenticator, given: Any, code: str
) -> None:
    with refused(code):
        ingress.authenticate_pem(given)


def test_a_header_of_the_same_text_is_not_a_certificate_that_was_remembered(ingress: ClientCertAuthenticator) -> None:
    assert ingress.authenticate_pem(pem(ALICE.der)) is not None
    with refused("header_malformed"):
        ingress.authenticate({"ssl-client-cert": pem(ALICE.der)}, peer="unix")


def test_a_certificate_in_pem_is_held_to_rules_audited_and_logged(
    store: TrustStore, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Decision] = []
    authenticator = ClientCertAuthenticator(store, authorize=rules.common_name("bob"), audit=seen.append)
    caplog.set_level(logging.WARNING, "sslclientcert")
    with refused("not_authorized") as caught:
        authenticator.authenticate_pem(pem(ALICE.der))
    assert seen == [Decision(None, caught.value, None)]
    assert "not_authorized" in caplog.text


@pytest.mark.parametrize("options", [{"require_proxy_success": True}, {"shared_secret": ("x-secret", SECRET)}])
def test_an_authenticator_that_demands_more_than_the_certificate_is_refused(store: TrustStore, options: Any) -> None:
    with pytest.raises(ValueError, match="gets a certificate alone"):
        ClientCertAuthenticator(store, **options).authenticate_pem(None)


def test_the_time_of_validation_may_be_another(ingress: ClientCertAuthenticator, store: TrustStore) -> None:
    end = store.verify(PresentedChain(ALICE.certificate)).not_after
    with refused("certificate_expired"):
        ingress.authenticate_pem(pem(ALICE.der), at=end.replace(year=end.year + 50))
    with pytest.raises(ValueError, match="time zone"):
        ingress.authenticate_pem(None, at=end.replace(tzinfo=None))
