"""A parsed certificate: everything that a decision reads from it, and what can be told of one that does not parse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from sslclientcert.core.certificate import (
    FORBIDDEN,
    Outline,
    ParsedCertificate,
    matches_authority_key_identifier,
    names_and_serial,
)
from sslclientcert.core.errors import CertificateMalformed, CertificateUnsuitable
from sslclientcert.core.names import canonical

from .judge import openssl_accepts, refusal
from .pki import (
    DAY,
    NOW,
    Party,
    aki,
    as_v1,
    authority,
    basic,
    certify,
    client,
    content_of,
    elements,
    openssl,
    permitted,
    private_key,
    purposes,
    rewritten,
    sans,
    ski,
    tlv,
    unknown,
    usage,
)

ROOT = authority("CN=Root,O=Example")
KEY = private_key("P-256", 3)
ALICE = client("alice", ROOT, serial=0xABC, extra=[(sans(x509.DNSName("a.example")), True)])


def parsed(party: Party) -> ParsedCertificate:
    return ParsedCertificate(party.certificate)


# What parses


def test_its_parts_are_those_that_openssl_finds(tmp_path: Path) -> None:
    one = parsed(ALICE)
    (tmp_path / "key").write_text(openssl("x509", "-noout", "-pubkey", cwd=tmp_path, stdin=ALICE.pem), encoding="ascii")
    openssl("pkey", "-pubin", "-in", "key", "-outform", "DER", "-out", "spki", cwd=tmp_path)
    assert one.der == ALICE.der
    assert one.spki == (tmp_path / "spki").read_bytes()
    assert one.subject_der == ALICE.certificate.subject.public_bytes()
    assert one.issuer_der == ROOT.certificate.subject.public_bytes()
    assert (one.subject, one.issuer) == (canonical(one.subject_der), canonical(one.issuer_der))
    assert (one.not_before, one.not_after) == (NOW - DAY, NOW + 30 * DAY)
    assert one.is_signed_by(parsed(ROOT))
    serial = openssl("x509", "-noout", "-serial", cwd=tmp_path, stdin=ALICE.pem).strip().removeprefix("serial=")
    assert str(one) == f"'CN=alice' (serial {serial})"


def test_a_v1_certificate_has_the_same_parts_and_no_extensions() -> None:
    one, v3 = parsed(as_v1(ALICE, ROOT)), parsed(ALICE)
    for part in ("subject", "issuer", "spki", "not_before", "not_after", "key_kind", "scheme"):
        assert getattr(one, part) == getattr(v3, part)
    assert one.extensions == {}
    assert one.is_signed_by(parsed(ROOT))


def test_an_extension_is_told_by_its_kind() -> None:
    one = parsed(ALICE)
    names = one.get(x509.SubjectAlternativeName)
    assert names is not None
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert one.get(x509.NameConstraints) is None
    assert (one.path_length, parsed(authority("x", pathlen=2)).path_length) == (None, 2)
    assert parsed(certify("x", ROOT)).path_length is None


@pytest.mark.parametrize("oid", ["1.3.6.1.5.5.7.1.7", "1.3.6.1.5.5.7.1.8", "1.3.6.1.5.5.7.1.14"])
@pytest.mark.parametrize("critical", [True, False])
def test_an_extension_that_changes_who_it_speaks_for_is_unprocessed_critical_or_not(oid: str, critical: bool) -> None:
    value = {"1.3.6.1.5.5.7.1.14": "300c300a06082b06010505071501"}.get(oid, "3000")
    one = parsed(client("x", ROOT, extra=[(unknown(oid, bytes.fromhex(value)), critical)]))
    assert one.unprocessed is not None
    assert one.unprocessed.dotted_string == oid
    assert oid in FORBIDDEN


@pytest.mark.parametrize(
    "extension",
    [
        basic(ca=False),
        x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.5.29.32.0"), None)]),
        x509.CRLDistributionPoints(
            [x509.DistributionPoint([x509.UniformResourceIdentifier("http://a.example")], None, None, None)]
        ),
        purposes("CLIENT_AUTH"),
        x509.InhibitAnyPolicy(0),
        usage("digital_signature"),
        permitted(x509.DNSName("a.example")),
        x509.OCSPNoCheck(),
        x509.PolicyConstraints(0, None),
        unknown("2.5.29.33", bytes.fromhex("300c300a06032a030406032a0305")),  # policy mappings
        sans(x509.DNSName("a.example")),
    ],
    ids=lambda extension: extension.oid.dotted_string,
)
def test_an_extension_that_openssl_processes_may_be_critical(extension: x509.ExtensionType) -> None:
    assert parsed(client("x", ROOT, extra=[(extension, True)])).unprocessed is None


def test_an_unknown_extension_is_unprocessed_only_if_it_is_critical() -> None:
    assert parsed(client("x", ROOT, extra=[(unknown(), True)])).unprocessed == unknown().oid
    assert parsed(client("x", ROOT, extra=[(unknown(), False)])).unprocessed is None
    assert parsed(client("x", ROOT, extra=[(purposes("CLIENT_AUTH"), True)])).unprocessed is None


def test_a_signature_with_unused_bits_does_not_parse() -> None:
    signed, algorithm, signature = elements(content_of(ROOT.der))
    bits = content_of(signature)[1:-1] + b"\0"
    der = tlv(0x30, signed, algorithm, tlv(0x03, b"\1", bits))
    with pytest.raises(ValueError, match="unused bits"):
        ParsedCertificate(x509.load_der_x509_certificate(der))


# What does not parse


def with_parts(position: int, element: bytes) -> bytes:
    def swap(parts: list[bytes]) -> None:
        parts[position] = element

    return rewritten(ALICE.der, ROOT.key, swap)


# A GeneralName that is a directory name, with an OCTET STRING or a UTCTime in place of text.
ODD_NAMES = [tlv(0xA4, tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(tag, b"x"))))) for tag in (4, 23)]
ROOT_SERIAL = elements(content_of(elements(content_of(ROOT.der))[0]))[1]


@pytest.mark.parametrize("odd", ODD_NAMES, ids=["OCTET STRING", "UTCTime"])
@pytest.mark.parametrize(
    ("oid", "wrapped"),
    [
        pytest.param("2.5.29.17", lambda name: name, id="alternative name"),
        pytest.param(
            "2.5.29.35", lambda name: tlv(0xA1, name) + b"\x82" + ROOT_SERIAL[1:], id="authority key identifier"
        ),
        pytest.param("2.5.29.31", lambda name: tlv(0x30, tlv(0xA0, tlv(0xA0, name))), id="distribution point"),
        pytest.param("2.5.29.31", lambda name: tlv(0x30, tlv(0xA2, name)), id="issuer of a CRL"),
    ],
)
def test_a_name_in_an_extension_that_cannot_be_compared_does_not_parse(
    oid: str, wrapped: Callable[[bytes], bytes], odd: bytes
) -> None:
    leaf = client("alice", ROOT, extra=[(unknown(oid, tlv(0x30, wrapped(odd))), False)])
    refusal(CertificateMalformed, leaf, ROOT)
    assert not openssl_accepts(leaf, ROOT)


@pytest.mark.parametrize("position", [pytest.param(3, id="issuer"), pytest.param(5, id="subject")])
def test_a_certificate_with_a_name_that_has_no_text_does_not_parse(position: int) -> None:
    # Latin-1 in a TeletexString: OpenSSL compares it, cryptography has no text for it, and messages need one.
    name = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(0x14, b"M\xfcller"))))
    assert canonical(name)
    odd = x509.load_der_x509_certificate(with_parts(position, name))
    with pytest.raises(ValueError, match="asn1"):
        ParsedCertificate(odd)


def test_what_can_be_told_of_a_certificate_that_does_not_parse_is_its_serial_number_name_and_key() -> None:
    one = parsed(ALICE)
    told = Outline(0xABC, one.subject, one.spki)
    assert names_and_serial(with_parts(-1, tlv(0xA3, b"\x05\x00"))) == told
    assert names_and_serial(ALICE.der) == told
    assert names_and_serial(as_v1(ALICE, ROOT).der) == told
    assert names_and_serial(with_parts(1, tlv(0x02, b"\x85"))) == told._replace(serial=-123)
    assert names_and_serial(with_parts(5, tlv(0x30, tlv(0x31, tlv(0x30, b"\x05\x00"))))) == Outline(0xABC)
    assert names_and_serial(tlv(0x30, tlv(0x30, tlv(0x02, b"\x05")))) == Outline(5)


@pytest.mark.parametrize(
    "der",
    [
        *(b"", b"\x30\x00", b"\x30\x02\x30\x00", b"\x05\x00", b"-----BEGIN CERTIFICATE-----", ALICE.der[:-1]),
        *(ALICE.der + b"\0", tlv(0x30, tlv(0x30, tlv(0xA0))), tlv(0x30, tlv(0x30, b"\x02"))),
    ],
)
def test_of_what_is_no_certificate_nothing_can_be_told_and_nothing_is_raised(der: bytes) -> None:
    assert names_and_serial(der) == Outline()


# Its key


@pytest.mark.parametrize("error", [ValueError, TypeError, UnsupportedAlgorithm])
def test_a_key_that_cryptography_cannot_load_is_refused_whatever_it_raises(error: type[Exception]) -> None:
    # OpenSSL may have been built without a curve. Then cryptography raises UnsupportedAlgorithm.
    class WithoutKey:
        subject, serial_number = ALICE.certificate.subject, 0xABC

        def public_key(self) -> None:
            raise error("no key")

    one = parsed(ALICE)
    one.certificate = WithoutKey()  # type: ignore[assignment]
    with pytest.raises(CertificateUnsuitable, match="secp256r1 key that cannot be used"):
        _ = one.key
    assert not parsed(client("bob", ALICE)).is_signed_by(one)


# Who may have issued it

ISSUER, OTHER = ROOT.certificate.subject, authority("Other").certificate.subject
SERIAL = ROOT.certificate.serial_number


def raw(*parts: bytes) -> x509.UnrecognizedExtension:
    return unknown("2.5.29.35", tlv(0x30, *parts))


def by_name(name: x509.Name, serial: int = SERIAL, key: bytes | None = None) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier(key, [x509.DirectoryName(name)], serial)


UPPER = x509.Name.from_rfc4514_string("CN=ROOT,O=EXAMPLE")
FIRST_OTHER = tlv(0xA1, tlv(0x86, b"urn:x"), tlv(0xA4, OTHER.public_bytes()), tlv(0xA4, ISSUER.public_bytes()))
FIRST_OWN = tlv(0xA1, tlv(0x86, b"urn:x"), tlv(0xA4, ISSUER.public_bytes()), tlv(0xA4, OTHER.public_bytes()))
SERIAL_TLV = tlv(0x82, SERIAL.to_bytes(SERIAL.bit_length() // 8 + 1))


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        pytest.param(aki(ROOT.key), True, id="its key"),
        pytest.param(aki(KEY), False, id="another key"),
        pytest.param(raw(), True, id="empty"),
        pytest.param(by_name(ISSUER), True, id="issuer and serial number"),
        pytest.param(by_name(UPPER), True, id="its issuer in upper case"),
        pytest.param(by_name(OTHER), False, id="another issuer"),
        pytest.param(by_name(ISSUER, SERIAL + 1), False, id="another serial number"),
        pytest.param(by_name(ISSUER, SERIAL, ski(ROOT.key).digest), True, id="key, issuer and serial number"),
        pytest.param(by_name(ISSUER, SERIAL, ski(KEY).digest), False, id="another key, its issuer and serial number"),
        pytest.param(by_name(ISSUER, SERIAL + 1, ski(ROOT.key).digest), False, id="its key, another serial number"),
        pytest.param(raw(FIRST_OWN, SERIAL_TLV), True, id="the first directory name is its issuer"),
        pytest.param(raw(FIRST_OTHER, SERIAL_TLV), False, id="the first directory name is another"),
        pytest.param(raw(tlv(0xA1, tlv(0x86, b"urn:x")), SERIAL_TLV), True, id="no directory name"),
    ],
)
def test_an_authority_key_identifier_means_the_certificates_that_it_means_for_openssl(
    identifier: x509.ExtensionType, expected: bool
) -> None:
    leaf = client("alice", ROOT, extra=[(identifier, False)])
    found = parsed(leaf).get(x509.AuthorityKeyIdentifier)
    assert matches_authority_key_identifier(found, parsed(ROOT)) is expected
    assert parsed(leaf).may_be_issued_by(parsed(ROOT)) is expected
    assert openssl_accepts(leaf, ROOT) is expected


def test_without_an_identifier_or_without_the_issuers_own_key_identifier_any_key_is_meant() -> None:
    bare = authority("CN=Root,O=Example", without=[x509.SubjectKeyIdentifier])
    assert matches_authority_key_identifier(None, parsed(ROOT))
    assert matches_authority_key_identifier(aki(KEY), parsed(bare))
    assert openssl_accepts(client("alice", bare, extra=[(aki(KEY), False)]), bare)


def test_a_certificate_of_another_name_or_with_a_key_of_another_kind_has_not_issued_it() -> None:
    same = certify("CN=root,O=example", key=KEY)
    for other in (authority("Root", key=ROOT.key), certify("CN=Root,O=Example", key="Ed25519")):
        assert not parsed(certify("alice", ROOT)).may_be_issued_by(parsed(other))
    assert parsed(certify("alice", ROOT)).may_be_issued_by(parsed(same))
    assert not parsed(certify("alice", ROOT)).is_signed_by(parsed(same))
