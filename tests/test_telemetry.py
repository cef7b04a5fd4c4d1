"""The attributes of a certificate by OpenTelemetry's names: semantic conventions 1.44, registry of TLS attributes."""

from __future__ import annotations

from sslclientcert.testing import ClientCA


def test_an_identity_has_opentelemetrys_attributes() -> None:
    ca = ClientCA("Test CA")
    alice = ca.issue("alice", organization="Example")
    identity = ca.authenticator().authenticate(alice.headers())
    assert identity is not None
    assert identity.telemetry_attributes() == {
        "tls.client.subject": "CN=alice,O=Example",
        "tls.client.issuer": "CN=Test CA",
        "tls.client.hash.sha256": identity.fingerprint_sha256.upper(),
        "tls.client.not_before": alice.certificate.not_valid_before_utc.isoformat(),
        "tls.client.not_after": alice.certificate.not_valid_after_utc.isoformat(),
    }
