from __future__ import annotations

from pathlib import Path

import pytest

from sslclientcert import ClientCertAuthenticator, ClientIdentity, PresentedChain
from sslclientcert.core import errors
from sslclientcert.testing import ClientCA, forged_identity, trusting


@pytest.fixture
def production(tmp_path: Path) -> ClientCertAuthenticator:
    """An application's own authenticator: another CA, a narrow path, a rule."""
    return ClientCertAuthenticator(
        ClientCA("Production CA").write(tmp_path / "ca.crt"),
        trusted_proxies=["192.0.2.1"],
        shared_secret=("x-proxy-secret", "swordfish of the seas"),
        authorize=lambda identity: identity.common_name != "mallory",
    )


def test_within_the_block_the_ca_of_the_test_and_any_peer_are_trusted(production: ClientCertAuthenticator) -> None:
    ca = ClientCA()
    with trusting(production, ca) as authenticator:
        assert authenticator is production
        identity = production.authenticate(ca.issue("alice").headers(), peer="testclient")
    assert identity is not None
    assert identity.common_name == "alice"


def test_within_the_block_everything_else_is_checked_as_in_production(production: ClientCertAuthenticator) -> None:
    ca = ClientCA()
    with trusting(production, ca):
        for headers, error in [
            (ca.issue("mallory").headers(), errors.NotAuthorized),
            (ca.expired("alice").headers(), errors.CertificateExpired),
            (ca.revoked("alice").headers(), errors.CertificateRevoked),
            (ca.issue("alice").headers(verdict="NONE"), errors.ForwardingInconsistent),
            (ClientCA("Production CA").issue("alice").headers(), errors.CertificateUntrusted),
        ]:
            with pytest.raises(error):
                production.authenticate(headers, peer="testclient")


def test_after_the_block_everything_is_as_before_even_if_the_test_failed(production: ClientCertAuthenticator) -> None:
    ca = ClientCA()
    headers = ca.issue("alice").headers()
    with pytest.raises(AssertionError), trusting(production, ca):
        assert production.authenticate(headers, peer="testclient") is None
    with pytest.raises(errors.ProxyUntrusted):
        production.authenticate(headers, peer="testclient")
    with pytest.raises(errors.ProxyUntrusted):
        production.authenticate(headers, peer="192.0.2.1")
    with pytest.raises(errors.CertificateUntrusted):
        production.authenticate(headers | {"x-proxy-secret": "swordfish of the seas"}, peer="192.0.2.1")


def test_blocks_nest(production: ClientCertAuthenticator) -> None:
    outer, inner = ClientCA("Outer CA"), ClientCA("Inner CA")
    with trusting(production, outer):
        with trusting(production, inner), pytest.raises(errors.CertificateUntrusted):
            production.authenticate(outer.issue("alice").headers(), peer="127.0.0.1")
        assert production.authenticate(outer.issue("alice").headers(), peer="127.0.0.1") is not None


def test_a_forged_identity_has_the_names_it_was_given() -> None:
    identity = forged_identity("alice", emails=["alice@example.org"], organization="Example")
    assert isinstance(identity, ClientIdentity)
    assert identity.subject == "CN=alice,O=Example"
    assert identity.sans.emails == ("alice@example.org",)


def test_a_forged_identity_says_in_its_issuer_and_chain_that_it_is_forged() -> None:
    identity = forged_identity()
    assert identity.issuer == "CN=Forged by sslclientcert.testing"
    assert [certificate.subject.rfc4514_string() for certificate in identity.chain] == [
        "CN=client",
        "CN=Forged by sslclientcert.testing",
    ]


def test_no_trust_store_would_have_made_a_forged_identity() -> None:
    presented = PresentedChain(forged_identity().certificate)
    with pytest.raises(errors.CertificateUntrusted):
        ClientCA().trust_store().verify(presented)
