"""CA bundles and CRL files as people have them, and what is said about those that are none."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sslclientcert import PresentedChain, TrustStore
from sslclientcert.core.bundle import parse_certificates, parse_crls
from sslclientcert.core.links import Bundle

from .pki import (
    Party,
    authority,
    client,
    openssl,
    pem_of,
    pem_of_crls,
    private_key,
    revocation_list,
    rewritten,
    tlv,
)

ROOT = authority("Root")
OTHER = authority("Other", key="P-384")
INTERMEDIATE = authority("Intermediate", ROOT, key=private_key("P-256", 3))
LEAF = client("alice", INTERMEDIATE)
CRL = revocation_list(ROOT)


def subjects(data: bytes) -> list[str]:
    return [one.certificate.subject.rfc4514_string() for one in parse_certificates(data, "ca.crt").certificates]


# What is a bundle


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ROOT.pem, id="one certificate"),
        pytest.param(ROOT.pem.rstrip(), id="no newline at the end"),
        pytest.param("\n\n  \n" + ROOT.pem + "\n\n", id="blank lines around it"),
        pytest.param("# our root, until 2031\n" + ROOT.pem + "# end\n", id="comments around it"),
        pytest.param("Wurzelzertifikat für alle: ÄÖÜ\n" + ROOT.pem, id="a comment in UTF-8"),
        pytest.param("\ufeff" + ROOT.pem, id="a byte order mark"),
        pytest.param(ROOT.pem.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(ROOT.pem.replace("CERTIFICATE", "X509 CERTIFICATE"), id="the label of old software"),
        pytest.param("Bag Attributes\n    friendlyName: root\nsubject=CN=Root\n" + ROOT.pem, id="from openssl pkcs12"),
        pytest.param(ROOT.pem + ROOT.pem, id="twice the same"),
        pytest.param(ROOT.pem + "\n" + ROOT.pem.replace("\n", "\r\n"), id="twice the same, once with CRLF"),
    ],
)
def test_a_bundle_of_one_certificate_is_read_however_it_is_written(data: str) -> None:
    (root,) = Bundle(*parse_certificates(data.encode(), "ca.crt")).certificates
    assert root.der == ROOT.der


def test_a_der_certificate_is_read() -> None:
    assert subjects(ROOT.der) == ["CN=Root"]


def test_several_certificates_are_read_in_their_order() -> None:
    assert subjects(pem_of(ROOT, OTHER, INTERMEDIATE).encode()) == ["CN=Root", "CN=Other", "CN=Intermediate"]


def test_comments_and_blank_lines_and_line_ends_may_differ_between_certificates() -> None:
    data = f"# root\n{ROOT.pem}\n\n\n# other\r\n\r\n{OTHER.pem.replace(chr(10), chr(13) + chr(10))}# the end"
    assert subjects(data.encode()) == ["CN=Root", "CN=Other"]


def test_the_text_that_openssl_prints_above_certificates_is_ignored(tmp_path: Path) -> None:
    printed = "".join(openssl("x509", "-text", cwd=tmp_path, stdin=party.pem) for party in (ROOT, OTHER))
    assert "Basic Constraints" in printed
    assert subjects(printed.encode()) == ["CN=Root", "CN=Other"]


def test_certificates_and_crls_are_read_from_text_and_from_bytes() -> None:
    for data, crl in ((ROOT.pem, pem_of_crls(CRL)), (ROOT.der, CRL.public_bytes(Encoding.DER))):
        status = TrustStore.from_pem(data, crl).status()
        assert (status.anchors, status.crls) == (1, 1)


def test_several_crls_in_one_file_are_read() -> None:
    lists = parse_crls(f"# root\n{pem_of_crls(CRL)}\r\n{pem_of_crls(revocation_list(OTHER))}".encode(), "ca.crl")
    assert [one.issuer_text for one in lists] == ["CN=Root", "CN=Other"]


# What is none


def pkcs8(kind: str) -> str:
    return private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pkcs8_der(password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return private_key("P-256").private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)


def labelled(label: str, der: bytes) -> str:
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----\n"


def csr() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "alice")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ROOT.key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


PUBLIC_KEY = ROOT.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
CUT = "\n".join(ROOT.pem.splitlines()[:-3])
"""The last lines are missing, as after an interrupted copy."""
KEY_REMEDY = "keep keys out of this file, and consider this one exposed"

# For each: the content, what was found, and what to do about it.
NO_BUNDLE = {
    "a private key": (pkcs8("P-256"), "PRIVATE KEY", KEY_REMEDY),
    "a private key behind a certificate": (ROOT.pem + pkcs8("P-256"), "PEM block 2 is a PRIVATE KEY", KEY_REMEDY),
    "a private key before a certificate": (pkcs8("P-256") + ROOT.pem, "PEM block 1 is a PRIVATE KEY", KEY_REMEDY),
    "an encrypted private key": (
        pkcs8("P-256").replace("PRIVATE", "ENCRYPTED PRIVATE") + ROOT.pem,
        "ENCRYPTED PRIVATE KEY",
        KEY_REMEDY,
    ),
    "a private key under the label of a certificate": (labelled("CERTIFICATE", pkcs8_der()), "PRIVATE KEY", KEY_REMEDY),
    "an encrypted private key under the label of a certificate": (
        labelled("CERTIFICATE", pkcs8_der(b"secret")),
        "ENCRYPTED PRIVATE KEY",
        KEY_REMEDY,
    ),
    "nothing": ("", "is empty", "-----BEGIN CERTIFICATE-----"),
    "blank lines": ("\n \r\n", "is empty", "-----BEGIN CERTIFICATE-----"),
    "garbage": ("not a certificate", "not a c", "-----BEGIN CERTIFICATE-----"),
    "a comment": ("# put the CA here\n", "# put th", "-----BEGIN CERTIFICATE-----"),
    "half a certificate": (CUT, "not closed", "cut short"),
    "a certificate and a half": (OTHER.pem + CUT, "not closed", "cut short"),
    "half a certificate and a whole one": (CUT + "\n" + OTHER.pem, "not closed", "cut short"),
    "letters lost": (ROOT.pem[:200] + ROOT.pem[204:], "certificate 1", "cut short"),
    "no base64": (OTHER.pem + ROOT.pem[:100] + "!" + ROOT.pem[101:], "certificate 2", "not base64"),
    "an empty certificate": (ROOT.pem[:28] + "\n" + ROOT.pem[-26:], "certificate 1", "cut short"),
    "a CRL behind a certificate": (ROOT.pem + pem_of_crls(CRL), "PEM block 2 is an X509 CRL", "the crl option"),
    "a signing request": (csr(), "CERTIFICATE REQUEST", "a CA has yet to sign it"),
    "a public key": (PUBLIC_KEY, "PUBLIC KEY", "CA certificates alone"),
}
"""Other forms are in test_forms."""


@pytest.mark.parametrize("name", NO_BUNDLE)
def test_what_is_no_bundle_is_a_configuration_error_that_says_what_was_found_and_what_to_do(
    name: str, tmp_path: Path
) -> None:
    content, found, remedy = NO_BUNDLE[name]
    path = tmp_path / "ca.crt"
    path.write_bytes(content.encode())
    with pytest.raises(ValueError, match="ca") as refused:
        TrustStore.from_file(path)
    message = str(refused.value)
    assert str(path) in message
    assert found in message
    assert remedy in message


def test_the_message_about_a_key_in_der_does_not_hold_bytes_of_the_key() -> None:
    key = private_key("P-256", 9).private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    secret = key[7:39]  # SEQUENCE, version 1, OCTET STRING of 32 bytes: the key begins with the eighth
    with pytest.raises(ValueError, match="ca") as refused:
        parse_certificates(key, "ca.crt")
    assert repr(secret[:4])[2:-1] not in str(refused.value)


@pytest.mark.parametrize("cut", [1, 100, 300])
def test_a_der_certificate_that_is_cut_short_is_a_configuration_error(cut: int) -> None:
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificate"):
        parse_certificates(ROOT.der[:-cut], "ca.crt")


def test_a_der_certificate_with_bytes_behind_it_is_a_configuration_error() -> None:
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificate"):
        parse_certificates(ROOT.der + OTHER.der, "ca.crt")


# What does not parse and is left out


def broken(party: Party) -> bytes:
    """The same certificate, signed, with a boolean in its basic constraints that is none."""

    def change(parts: list[bytes]) -> None:
        parts[-1] = parts[-1].replace(b"\x30\x03\x01\x01\xff", b"\x30\x03\x04\x01\xff")

    der = rewritten(party.der, party.key, change)
    assert der != party.der
    return der


def without_readable_subject(party: Party) -> bytes:
    """The same certificate with a common name in its subject that is not UTF-8."""

    def change(parts: list[bytes]) -> None:
        parts[5] = tlv(0x30, tlv(0x31, tlv(0x30, tlv(0x06, bytes.fromhex("550403")), tlv(0x0C, b"\xff"))))

    return rewritten(party.der, party.key, change)


def test_a_certificate_that_does_not_parse_is_left_out_with_its_place_and_serial_number() -> None:
    found = parse_certificates((OTHER.pem + labelled("CERTIFICATE", broken(ROOT))).encode(), "ca.crt")
    assert [one.certificate for one in found.certificates] == [OTHER.certificate]
    (left_out,) = found.left_out
    assert left_out.what == f"certificate 2 of ca.crt (serial {ROOT.certificate.serial_number:X})"
    assert "does not parse" in left_out.why


def with_an_empty_rdn(party: Party) -> bytes:
    """The same certificate with an RDN in its subject that has no attribute, which cryptography finds late."""

    def change(parts: list[bytes]) -> None:
        parts[5] = tlv(0x30, tlv(0x31))

    return rewritten(party.der, party.key, change)


@pytest.mark.parametrize(
    "form", [broken, without_readable_subject, with_an_empty_rdn, lambda _: b"\x30\x03\x02\x01\x05"]
)
def test_a_certificate_that_does_not_parse_stops_no_application(
    form: Callable[[Party], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ca.crt"
    path.write_text(ROOT.pem + labelled("CERTIFICATE", form(OTHER)), encoding="ascii")
    store = TrustStore.from_file(path)
    assert store.verify(PresentedChain(client("alice", ROOT).certificate)).common_name == "alice"
    assert "certificate 2 of" in caplog.text
    assert "is left out" in caplog.text
    status = store.status()
    assert (status.anchors, status.left_out) == (1, 1)
    assert any("is left out" in warning for warning in status.warnings)


def test_a_certificate_that_does_not_parse_is_left_out_where_a_store_is_made_from_objects() -> None:
    empty_constraints = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), b"\x30\x00")
    odd = authority("Odd", extra=[(empty_constraints, False)])
    assert TrustStore([ROOT.certificate, odd.certificate]).status().left_out == 1


def test_a_bundle_of_which_nothing_can_be_used_is_a_configuration_error_that_says_why() -> None:
    with pytest.raises(ValueError, match=r"(?s)ca\.crt has no anchor.*certificate 1 of ca\.crt.*does not parse"):
        TrustStore.from_pem(labelled("CERTIFICATE", broken(ROOT)), source="ca.crt")


# Lists


def broken_extensions(*extensions: bytes) -> Callable[[list[bytes]], None]:
    def change(parts: list[bytes]) -> None:
        parts.append(tlv(0xA0, tlv(0x30, *extensions)))

    return change


NUMBER = tlv(0x30, tlv(0x06, bytes.fromhex("551d14")), tlv(0x04, tlv(0x02, b"\x01")))
GARBAGE = tlv(0x30, tlv(0x06, bytes.fromhex("551d14")), tlv(0x04, b"\x05\x00"))


def entry(*extensions: bytes) -> Callable[[list[bytes]], None]:
    def change(parts: list[bytes]) -> None:
        revoked = tlv(0x30, tlv(0x02, b"\x05"), tlv(0x17, b"200101000000Z"), tlv(0x30, *extensions))
        parts.insert([part[0] in (0x17, 0x18) for part in parts].index(True) + 2, tlv(0x30, revoked))

    return change


REASON = tlv(0x30, tlv(0x06, bytes.fromhex("551d15")), tlv(0x04, tlv(0x0A, b"\x01")))
NO_REASON = tlv(0x30, tlv(0x06, bytes.fromhex("551d15")), tlv(0x04, b"\x05\x00"))


# An issuerAltName, and the certificateIssuer of an entry, with an x400Address: DER, and nothing that cryptography reads
X400 = tlv(0x04, tlv(0x30, tlv(0xA3, tlv(0x30))))
ODD_NAME = tlv(0x30, tlv(0x06, bytes.fromhex("551d12")), X400)
ODD_ISSUER = tlv(0x30, tlv(0x06, bytes.fromhex("551d1d")), X400)


def crl_with(change: Callable[[list[bytes]], None]) -> str:
    der = rewritten(CRL.public_bytes(Encoding.DER), ROOT.key, change)
    return f"-----BEGIN X509 CRL-----\n{base64.b64encode(der).decode()}\n-----END X509 CRL-----\n"


NO_CRL = {
    "a certificate": (ROOT.pem, "a CERTIFICATE", "CA certificates go into the CA bundle"),
    "a private key": (pkcs8("P-256"), "PRIVATE KEY", KEY_REMEDY),
    "nothing": ("", "is empty", "-----BEGIN X509 CRL-----"),
    "garbage": ("not a list", "not a l", "-----BEGIN X509 CRL-----"),
    "half a list": ("\n".join(pem_of_crls(CRL).splitlines()[:-2]), "not closed", "cut short"),
    "letters lost": (pem_of_crls(CRL)[:60] + pem_of_crls(CRL)[64:], "CRL 1", "does not parse"),
    "a certificate under the label of a list": (labelled("X509 CRL", ROOT.der), "a CERTIFICATE", "the CA bundle"),
}


@pytest.mark.parametrize("name", NO_CRL)
def test_what_is_no_crl_is_a_configuration_error_that_says_what_was_found_and_what_to_do(
    name: str, tmp_path: Path
) -> None:
    content, found, remedy = NO_CRL[name]
    bundle, path = tmp_path / "ca.crt", tmp_path / "ca.crl"
    bundle.write_text(ROOT.pem, encoding="ascii")
    path.write_text(content, encoding="ascii")
    with pytest.raises(ValueError, match="ca") as refused:
        TrustStore.from_file(bundle, path)
    message = str(refused.value)
    assert str(path) in message
    assert found in message
    assert remedy in message


# Lists of which a part does not parse: see what becomes of them in test_revocation.
ODD_CRLS = {
    "a duplicate extension": crl_with(broken_extensions(NUMBER, NUMBER)),
    "an extension that does not parse": crl_with(broken_extensions(GARBAGE)),
    "a duplicate extension of an entry": crl_with(entry(REASON, REASON)),
    "an extension of an entry that does not parse": crl_with(entry(NO_REASON)),
    "a name of a kind that cannot be read": crl_with(broken_extensions(ODD_NAME)),
    "a name in an entry of a kind that cannot be read": crl_with(entry(ODD_ISSUER)),
}


# Which of a bundle's certificates are anchors is in test_links.py


def test_a_bundle_in_which_all_issue_one_another_is_a_configuration_error() -> None:
    first = authority("A", key=private_key("P-256", 6))
    second = authority("B", first, key=private_key("P-256", 7))
    crossed = authority("A", second, key=first.key)
    with pytest.raises(ValueError, match=r"has no anchor.*put the root CA into it"):
        TrustStore.from_pem(pem_of(crossed, second))
