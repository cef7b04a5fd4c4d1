from __future__ import annotations

import contextlib
import itertools
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from sslclientcert import PROXIES, ClientCertError, ClientIdentity, PresentedChain, TrustStore, decode
from sslclientcert.core import errors
from sslclientcert.core.proxies import ProxyName
from sslclientcert.testing import REFUSALS, ClientCA, IssuedCertificate, Refusal
from sslclientcert.testing.ca import CertificateOptions, KeyKind

OPTIONS: CertificateOptions = {"emails": ["mallory@example.org"], "organization": "Example"}


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA()


@pytest.fixture(scope="module")
def deep_ca() -> ClientCA:
    return ClientCA("Deep CA", intermediates=2)


def openssl_says(ca: ClientCA, certificate: IssuedCertificate, folder: Path, *options: str) -> str:
    """What `openssl verify` makes of a client certificate: "ok", or its number and text of the first error."""
    bundle, client = str(ca.write(folder / "ca.crt")), folder / "client.crt"
    client.write_text(certificate.pem)
    command = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", bundle, *options, str(client)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    said = ran.stdout + ran.stderr
    if ran.returncode == 0:
        return "ok"
    return said.partition("error ")[2].partition(" at ")[0] or said


def test_a_certificate_holds_every_name_that_was_asked_for(ca: ClientCA) -> None:
    alice = ca.issue(
        "alice",
        dns_names=["alice.example.org"],
        emails=["alice@example.org"],
        uris=["spiffe://example.org/alice"],
        ip_addresses=["192.0.2.7", "2001:db8::7"],
        upns=["alice@corp.example"],
        organization="Example",
        organizational_unit=["Sales", "Support"],
        serial_number=42,
    )
    identity = ca.trust_store().verify(PresentedChain(alice.certificate))
    assert identity.as_dict() | {"not_before": None, "not_after": None} == {
        "subject": "CN=alice,OU=Support,OU=Sales,O=Example",
        "issuer": "CN=Test Client CA",
        "common_name": "alice",
        "organizations": ["Example"],
        "organizational_units": ["Sales", "Support"],
        "serial_number": "42",
        "fingerprint_sha256": identity.fingerprint_sha256,
        "thumbprint_s256": identity.thumbprint_s256,
        "spki_sha256": identity.spki_sha256,
        "not_before": None,
        "not_after": None,
        "sans": {
            "dns_names": ["alice.example.org"],
            "emails": ["alice@example.org"],
            "uris": ["spiffe://example.org/alice"],
            "ip_addresses": ["192.0.2.7", "2001:db8::7"],
            "upns": ["alice@corp.example"],
            "directory_names": [],
        },
        "spiffe_id": "spiffe://example.org/alice",
        "policies": [],
        "chain": ["CN=alice,OU=Support,OU=Sales,O=Example", "CN=Test Client CA"],
    }


def test_openssl_reads_the_names_that_cryptography_wrote(ca: ClientCA, tmp_path: Path) -> None:
    certificate, _ = ca.issue("alice", upns=["alice@corp.example"], ip_addresses=["192.0.2.7"]).write(tmp_path)
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-ext", "subjectAltName"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # OpenSSL 3.6 writes one colon, where those before wrote two.
    assert text.split("\n")[1].strip().replace("UPN::", "UPN:") == (
        "IP Address:192.0.2.7, othername: UPN:alice@corp.example"
    )


def test_a_certificate_has_no_alternative_names_but_those_asked_for(ca: ClientCA) -> None:
    with pytest.raises(x509.ExtensionNotFound):
        ca.issue("alice").certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_an_empty_name_makes_an_empty_subject(ca: ClientCA) -> None:
    nobody = ca.issue("", emails=["alice@example.org"])
    assert list(nobody.certificate.subject) == []
    assert ca.trust_store().verify(PresentedChain(nobody.certificate)).common_name is None


def test_the_validity_and_the_key_can_be_chosen(ca: ClientCA) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    key = ec.generate_private_key(ec.SECP384R1())
    alice = ca.issue("alice", not_before=start, not_after=start + timedelta(hours=1), key=key)
    assert alice.certificate.not_valid_before_utc == start
    assert alice.certificate.not_valid_after_utc == start + timedelta(hours=1)
    assert alice.private_key is key
    assert alice.certificate.public_key() == key.public_key()


def test_an_extension_of_a_usual_kind_replaces_the_usual_one_and_others_are_added(ca: ClientCA) -> None:
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.2"), None)])
    any_purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    extensions = ca.issue("alice", extensions=[policies, any_purpose]).certificate.extensions
    assert extensions.get_extension_for_class(x509.CertificatePolicies).value == policies
    assert extensions.get_extension_for_class(x509.ExtendedKeyUsage).value == any_purpose


@pytest.mark.parametrize(
    ("kind", "private_key"),
    [("ec", ec.EllipticCurvePrivateKey), ("rsa", rsa.RSAPrivateKey), ("ed25519", ed25519.Ed25519PrivateKey)],
)
def test_every_kind_of_key_can_issue_and_be_issued_to(kind: KeyKind, private_key: type, tmp_path: Path) -> None:
    ca = ClientCA(key=kind)
    alice = ca.issue("alice", key=kind)
    assert isinstance(alice.private_key, private_key)
    assert openssl_says(ca, alice, tmp_path) == "ok"
    assert ca.trust_store().verify(PresentedChain(alice.certificate)).common_name == "alice"


def test_an_unknown_kind_of_key_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(ValueError, match="'dsa'; there are ec, rsa, ed25519"):
        ClientCA(key="dsa")  # type: ignore[arg-type]


def test_a_fixed_time_decides_every_validity() -> None:
    now = datetime(2020, 2, 29, 12, tzinfo=UTC)
    ca = ClientCA(now=now)
    alice = ca.issue("alice")
    assert alice.certificate.not_valid_before_utc == now - timedelta(hours=1)
    assert alice.certificate.not_valid_after_utc == now + timedelta(days=365)
    assert ca.trust_store().verify(PresentedChain(alice.certificate), at=now).common_name == "alice"
    with pytest.raises(errors.CertificateExpired):
        ca.trust_store().verify(PresentedChain(ca.expired().certificate), at=now)
    with pytest.raises(errors.CertificateNotYetValid):
        ca.trust_store().verify(PresentedChain(ca.not_yet_valid().certificate), at=now)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        ClientCA(now=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of it


def test_there_cannot_be_fewer_than_no_intermediates() -> None:
    with pytest.raises(ValueError, match="negative"):
        ClientCA(intermediates=-1)


def test_intermediates_stand_between_the_root_and_the_client(deep_ca: ClientCA) -> None:
    alice = deep_ca.issue("alice")
    chain = [*alice.chain, deep_ca.certificate]
    for certificate, issuer in itertools.pairwise(chain):
        certificate.verify_directly_issued_by(issuer)
    assert len(chain) == 4
    assert alice.chain_pem.count("BEGIN CERTIFICATE") == 3


@pytest.mark.parametrize("proxy", PROXIES)
def test_every_proxy_with_intermediates_is_read_back_as_the_same_client(deep_ca: ClientCA, proxy: ProxyName) -> None:
    alice = deep_ca.issue("alice", emails=["alice@example.org"])
    identity = deep_ca.authenticator(proxy, max_depth=2).authenticate(alice.headers(proxy), peer="testclient")
    assert identity is not None
    assert identity.chain == (*alice.chain, deep_ca.certificate)


def test_the_bundle_and_the_lists_serve_a_store_made_from_files(deep_ca: ClientCA, tmp_path: Path) -> None:
    good, bad = deep_ca.issue("alice"), deep_ca.issue("mallory")
    crl = tmp_path / "ca.crl"
    crl.write_text(deep_ca.crl(revoked=[bad]))
    store = TrustStore.from_file(deep_ca.write(tmp_path / "ca.crt"), crl, max_depth=2)
    assert store.verify(PresentedChain(good.certificate)).common_name == "alice"
    with pytest.raises(errors.CertificateRevoked):
        store.verify(PresentedChain(bad.certificate))


def test_an_intermediate_can_be_revoked(deep_ca: ClientCA) -> None:
    store = deep_ca.trust_store(revoked=[deep_ca.certificates[1]], max_depth=2)
    presented = PresentedChain(deep_ca.issue("alice").certificate)
    with pytest.raises(errors.CertificateRevoked):
        store.verify(presented)


def test_the_authenticator_takes_what_one_for_production_takes(ca: ClientCA) -> None:
    alice = ca.issue("alice")
    narrow = ca.authenticator(trusted_proxies=["192.0.2.1"], authorize=lambda identity: False, revoked=[alice])
    with pytest.raises(errors.ProxyUntrusted):
        narrow.authenticate(alice.headers(), peer="testclient")
    with pytest.raises(errors.CertificateRevoked):
        narrow.authenticate(alice.headers(), peer="192.0.2.1")
    with pytest.raises(errors.NotAuthorized):
        narrow.authenticate(ca.issue("bob").headers(), peer="192.0.2.1")


def test_the_table_of_refusals_gives_each_code_the_status_of_its_error() -> None:
    statuses = {error.code: error.status for error in ClientCertError.__subclasses__()}
    assert {refusal.code: refusal.status for refusal in REFUSALS}.items() <= statuses.items()


@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal.word for refusal in REFUSALS])
@pytest.mark.parametrize("proxy", PROXIES)
def test_each_way_to_be_wrong_is_refused_for_its_own_reason(ca: ClientCA, proxy: ProxyName, refusal: Refusal) -> None:
    options = {} if refusal.word == "not_a_certificate" else OPTIONS
    mallory: IssuedCertificate = getattr(ca, refusal.word)("mallory", **options)
    with pytest.raises(ClientCertError) as refused:
        ca.authenticator(proxy).authenticate(mallory.headers(proxy), peer="testclient")
    assert (refused.value.code, refused.value.status) == (refusal.code, refusal.status)


@pytest.mark.parametrize("word", ["v1", "without_san"])
def test_what_only_the_web_pki_refuses_is_accepted(ca: ClientCA, word: str) -> None:
    odd: IssuedCertificate = getattr(ca, word)("alice")
    identity = ca.authenticator().authenticate(odd.headers(), peer="testclient")
    assert isinstance(identity, ClientIdentity)
    assert identity.certificate == odd.certificate


def test_a_v1_certificate_says_so_and_has_no_extensions(ca: ClientCA) -> None:
    certificate = ca.v1("alice").certificate
    assert certificate.version is x509.Version.v1
    assert list(certificate.extensions) == []


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize(
    ("word", "options", "verdict"),
    [
        ("issue", (), "ok"),
        ("v1", (), "ok"),
        ("without_san", (), "ok"),
        ("expired", (), "10"),
        ("not_yet_valid", (), "9"),
        ("server_only", (), "26"),
        ("self_signed", (), "18"),
        ("stranger", (), "20"),
        ("tampered", (), "7"),
        ("revoked", ("-crl_check",), "23"),
        ("issue", ("-crl_check",), "ok"),
        ("weak", ("-auth_level", "2"), "66"),
        ("sha1", ("-auth_level", "2"), "68"),
        ("issue", ("-auth_level", "2"), "ok"),
    ],
)
def test_openssl_agrees_on_what_is_wrong(
    word: str, options: tuple[str, ...], verdict: str, kind: KeyKind, tmp_path: Path
) -> None:
    ca = ClientCA(key=kind)
    certificate: IssuedCertificate = getattr(ca, word)("client")
    lists = tmp_path / "ca.crl"
    lists.write_text(ca.crl())
    said = openssl_says(ca, certificate, tmp_path, "-CRLfile", str(lists), *options)
    assert said == verdict
    if verdict not in {"ok", "20"}:  # a leaf all alone is 21 to servers, which read on after the first error
        assert str(certificate.verdict) == verdict


def test_a_ca_whose_keys_are_ed25519_can_issue_v1(tmp_path: Path) -> None:
    ca = ClientCA(key="ed25519")
    assert openssl_says(ca, ca.v1("alice"), tmp_path) == "ok"


def test_the_report_of_a_failed_test_names_who_is_who_and_shows_no_key(ca: ClientCA) -> None:
    assert repr(ca) == "<ClientCA 'Test Client CA'>"
    assert repr(ca.expired("alice")) == "IssuedCertificate(name='alice', verdict=10)"


def test_a_ca_whose_keys_are_ed25519_has_no_sha1_to_sign_with() -> None:
    with pytest.raises(ValueError, match="SHA-1"):
        ClientCA(key="ed25519").sha1()


def test_a_stranger_has_the_names_of_the_ca_and_not_its_keys(deep_ca: ClientCA) -> None:
    good, bad = deep_ca.issue("alice"), deep_ca.stranger("alice")
    assert [certificate.issuer for certificate in good.chain] == [certificate.issuer for certificate in bad.chain]
    with pytest.raises(errors.CertificateUntrusted):
        deep_ca.trust_store(max_depth=2).verify(PresentedChain(bad.certificate, bad.intermediates))


def test_a_revoked_certificate_is_refused_by_what_was_made_before_it(ca: ClientCA) -> None:
    authenticator = ca.authenticator()
    with pytest.raises(errors.CertificateRevoked):
        authenticator.authenticate(ca.revoked("mallory").headers(), peer="testclient")


def test_what_is_not_a_certificate_cannot_be_parsed_but_sent(ca: ClientCA) -> None:
    garbage = ca.not_a_certificate()
    with pytest.raises(ValueError, match="parsing"):
        garbage.certificate  # noqa: B018 - the attribute parses
    with pytest.raises(errors.CertificateMalformed):
        decode(garbage.headers()["ssl-client-cert"])


def test_headers_are_a_new_dict_of_lower_case_names_each_time(ca: ClientCA) -> None:
    alice = ca.issue("alice")
    first = alice.headers()
    first["ssl-client-verify"] = "changed by a test client"
    assert alice.headers()["ssl-client-verify"] == "SUCCESS"
    assert all(name == name.lower() for name in alice.headers())


def test_environ_and_scope_hold_the_same_headers_as_servers_spell_them(ca: ClientCA) -> None:
    alice = ca.issue("alice")
    headers = alice.headers("haproxy")
    assert alice.environ("haproxy") == {
        "HTTP_X_SSL_CLIENT_CERT": headers["x-ssl-client-cert"],
        "HTTP_X_SSL_CLIENT_CHAIN": "",
        "HTTP_X_SSL_CLIENT_VERIFY": "0",
        "HTTP_X_SSL_CLIENT_USED": "1",
    }
    assert alice.scope_headers("haproxy") == [(name.encode(), value.encode()) for name, value in headers.items()]
    authenticator = ca.authenticator("haproxy")
    by_environ = authenticator.authenticate_environ(alice.environ("haproxy"))
    by_scope = authenticator.authenticate_scope({"headers": alice.scope_headers("haproxy"), "client": None})
    assert by_environ == by_scope == authenticator.authenticate(headers)
    assert by_environ is not None


def test_a_verdict_can_be_put_into_the_proxys_mouth(ca: ClientCA) -> None:
    assert ca.issue("alice").headers(verdict=10)["ssl-client-verify"] == "FAILED:certificate has expired"
    assert ca.expired("alice").headers(verdict="SUCCESS")["ssl-client-verify"] == "SUCCESS"
    assert ca.issue("alice").environ(verdict="NONE")["HTTP_SSL_CLIENT_VERIFY"] == "NONE"
    assert (b"ssl-client-verify", b"NONE") in ca.issue("alice").scope_headers(verdict="NONE")


def test_the_private_key_is_in_the_files_and_belongs_to_the_certificate(ca: ClientCA, tmp_path: Path) -> None:
    alice = ca.issue("alice")
    certificate, key = alice.write(tmp_path)
    assert certificate.read_text() == alice.chain_pem
    assert key.read_text() == alice.private_key_pem
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_a_real_tls_client_presents_its_certificate(kind: KeyKind, tmp_path: Path) -> None:
    ca = ClientCA(intermediates=1, key=kind)
    alice = ca.issue("alice", key=kind)
    server = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cadata=ca.certificate.public_bytes(Encoding.PEM).decode()
    )
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(*ca.server_only("localhost", dns_names=["localhost"]).write(tmp_path))
    assert peer_of(server, alice.ssl_context(server_ca=ca.pem)) == alice.der


def peer_of(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes | None:
    """Shake hands in memory; what the server then has of the client."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    for side in [client_side, server_side] * 3:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return server_side.getpeercert(binary_form=True)


@pytest.mark.parametrize("option", ["dns_names", "emails", "uris", "ip_addresses", "upns"])
def test_one_name_where_a_list_belongs_is_refused_and_the_message_shows_the_list(option: str) -> None:
    with pytest.raises(ValueError, match=rf"{option}=\['spiffe://example.org/a'\]"):
        ClientCA().issue("alice", **{option: "spiffe://example.org/a"})  # type: ignore[arg-type]
