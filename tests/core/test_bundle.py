"""CA bundles and CRL files as people have them, and what is said about those that are none."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, pkcs7
from cryptography.x509.name import _ASN1Type

from sslclientcert import TrustStore
from sslclientcert.core.bundle import parse_certificates, parse_crls

from .pki import (
    DAY,
    NOW,
    Party,
    as_v1,
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
    return [one.subject.rfc4514_string() for one in parse_certificates(data, "ca.crt")]


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
    assert subjects(data.encode()) == ["CN=Root"]


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
        assert TrustStore.from_pem(data, crl) is not None


def test_several_crls_in_one_file_are_read() -> None:
    lists = parse_crls(f"# root\n{pem_of_crls(CRL)}\r\n{pem_of_crls(revocation_list(OTHER))}".encode(), "ca.crl")
    assert [one.issuer.rfc4514_string() for one in lists] == ["CN=Root", "CN=Other"]


# What is none


def pkcs8(kind: str) -> str:
    return private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def csr() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "alice")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ROOT.key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode()


PUBLIC_KEY = ROOT.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
PKCS7 = pkcs7.serialize_certificates([ROOT.certificate], Encoding.PEM).decode()
HTML = "<!DOCTYPE html><title>404 Not Found</title>"
CUT = "\n".join(ROOT.pem.splitlines()[:-3])
"""The last lines are missing, as after an interrupted copy."""
KEY_REMEDY = "keep keys out of this file, and consider this one exposed"
CRL_REMEDY = "CRLs go into the crl option"

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
    "nothing": ("", "is empty", "-----BEGIN CERTIFICATE-----"),
    "blank lines": ("\n \r\n", "is empty", "-----BEGIN CERTIFICATE-----"),
    "garbage": ("not a certificate", "not a c", "-----BEGIN CERTIFICATE-----"),
    "an error page": (HTML, "<!DOCTY", "-----BEGIN CERTIFICATE-----"),
    "a comment": ("# put the CA here\n", "# put th", "-----BEGIN CERTIFICATE-----"),
    "half a certificate": (CUT, "not closed", "cut short"),
    "a certificate and a half": (OTHER.pem + CUT, "not closed", "cut short"),
    "half a certificate and a whole one": (CUT + "\n" + OTHER.pem, "not closed", "cut short"),
    "no BEGIN line": (ROOT.pem.partition("\n")[2], "MI", "-----BEGIN CERTIFICATE-----"),
    "letters lost": (ROOT.pem[:200] + ROOT.pem[204:], "certificate 1", "cannot be parsed"),
    "no base64": (OTHER.pem + ROOT.pem[:100] + "!" + ROOT.pem[101:], "certificate 2", "cannot be parsed"),
    "an empty certificate": (ROOT.pem[:28] + "\n" + ROOT.pem[-26:], "certificate 1", "cannot be parsed"),
    "a CRL": (pem_of_crls(CRL), "X509 CRL", CRL_REMEDY),
    "a CRL behind a certificate": (ROOT.pem + pem_of_crls(CRL), "PEM block 2 is a X509 CRL", CRL_REMEDY),
    "PKCS#7": (PKCS7, "PKCS7", "CA certificates alone"),
    "a signing request": (csr(), "CERTIFICATE REQUEST", "CA certificates alone"),
    "a public key": (PUBLIC_KEY, "PUBLIC KEY", "CA certificates alone"),
    "OpenSSL's trusted certificate": (
        ROOT.pem.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        "TRUSTED CERTIFICATE",
        "CA certificates alone",
    ),
}


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


def test_utf_16_is_recognized() -> None:
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificate.*UTF-16.*ASCII"):
        parse_certificates(ROOT.pem.encode("utf-16"), "ca.crt")


def test_the_base64_of_a_kubernetes_secret_is_recognized_as_not_decoded() -> None:
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificate.*base64"):
        parse_certificates(base64.b64encode(ROOT.pem.encode()), "ca.crt")


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


def test_a_certificate_whose_extensions_do_not_parse_is_found_when_the_bundle_is_read() -> None:
    def break_constraints(parts: list[bytes]) -> None:
        parts[-1] = parts[-1].replace(b"\x30\x03\x01\x01\xff", b"\x30\x03\x04\x01\xff")

    broken = rewritten(ROOT.der, ROOT.key, break_constraints)
    assert broken != ROOT.der
    pem = "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(broken).decode() + "\n-----END CERTIFICATE-----\n"
    with pytest.raises(ValueError, match=r"ca\.crt: certificate 2 cannot be parsed"):
        parse_certificates((OTHER.pem + pem).encode(), "ca.crt")


def test_certificates_that_do_not_parse_are_refused_where_a_store_is_made_from_objects() -> None:
    empty_constraints = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), b"\x30\x00")
    root = authority("Root", extra=[(empty_constraints, False)])
    with pytest.raises(ValueError, match="subtrees"):
        TrustStore([root.certificate])


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
    "a certificate": (ROOT.pem, "CERTIFICATE", "CA certificates go into the CA bundle"),
    "a private key": (pkcs8("P-256"), "PRIVATE KEY", KEY_REMEDY),
    "nothing": ("", "is empty", "-----BEGIN X509 CRL-----"),
    "garbage": ("not a list", "not a l", "-----BEGIN X509 CRL-----"),
    "half a list": ("\n".join(pem_of_crls(CRL).splitlines()[:-2]), "not closed", "cut short"),
    "letters lost": (pem_of_crls(CRL)[:60] + pem_of_crls(CRL)[64:], "CRL 1", "cannot be parsed"),
    "a duplicate extension": (crl_with(broken_extensions(NUMBER, NUMBER)), "CRL", ""),
    "an extension that does not parse": (crl_with(broken_extensions(GARBAGE)), "CRL", ""),
    "a duplicate extension of an entry": (crl_with(entry(REASON, REASON)), "CRL", ""),
    "an extension of an entry that does not parse": (crl_with(entry(NO_REASON)), "CRL", ""),
    "a name of a kind that cannot be read": (crl_with(broken_extensions(ODD_NAME)), "CRL", ""),
    "a name in an entry of a kind that cannot be read": (crl_with(entry(ODD_ISSUER)), "CRL", ""),
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


# Files


def test_a_file_that_is_missing_is_an_os_error_that_names_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    bundle = tmp_path / "ca.crt"
    bundle.write_text(ROOT.pem, encoding="ascii")
    for arguments in ((missing,), (bundle, missing)):
        with pytest.raises(FileNotFoundError, match="missing"):
            TrustStore.from_file(*arguments)


def test_a_folder_in_the_place_of_a_file_is_an_os_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    with pytest.raises(IsADirectoryError, match="secret"):
        TrustStore.from_file(tmp_path / "secret")


def test_a_path_may_be_a_string() -> None:
    with pytest.raises(FileNotFoundError, match="/nowhere/ca"):
        TrustStore.from_file("/nowhere/ca.crt")


# Which of a bundle's certificates are anchors


def anchors(*parties: Party) -> set[str]:
    return {one.subject.rfc4514_string() for one in anchors_of(party.certificate for party in parties)}


def test_what_is_self_signed_is_an_anchor_and_what_it_issued_is_none() -> None:
    assert anchors(ROOT, OTHER, INTERMEDIATE, LEAF) == {"CN=Root", "CN=Other"}


def test_what_has_no_issuer_in_the_bundle_is_an_anchor() -> None:
    assert anchors(INTERMEDIATE) == {"CN=Intermediate"}
    assert anchors(OTHER, INTERMEDIATE, LEAF) == {"CN=Other", "CN=Intermediate"}
    assert anchors(LEAF) == {"CN=alice"}


def test_an_issuer_that_has_expired_is_still_the_issuer() -> None:
    expired = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    assert anchors(expired, INTERMEDIATE) == {"CN=Root"}


@pytest.mark.parametrize("spelling", ["CN=ROOT", "CN=root", r"CN=\ Root\ ", "CN=Ro  ot"])
def test_an_issuer_whose_name_is_spelled_another_way_is_still_the_issuer(spelling: str) -> None:
    # RFC 5280 section 7.1: names are compared without regard to case and to runs of spaces, as OpenSSL does.
    root = authority("Ro ot" if "  " in spelling else "Root")
    child = authority("Intermediate", root, key=private_key("P-256", 3), issuer_name=spelling)
    assert anchors(root, child) == {root.certificate.subject.rfc4514_string()}


def test_an_issuer_whose_name_has_another_string_type_is_still_the_issuer() -> None:
    printable = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Root", _ASN1Type.PrintableString)])
    child = authority("Intermediate", ROOT, key=private_key("P-256", 3), issuer_name=printable)
    assert anchors(ROOT, child) == {"CN=Root"}


def test_a_ca_of_the_issuers_name_with_another_key_is_not_the_issuer() -> None:
    stranger = authority("Root", key=private_key("P-256", 4))
    assert anchors(stranger, INTERMEDIATE) == {"CN=Root", "CN=Intermediate"}


def test_a_new_key_signed_by_the_old_one_is_an_anchor_only_where_the_old_one_is_not_there() -> None:
    new_with_old = authority("Root", ROOT, key=private_key("P-256", 4))
    assert anchors_of([ROOT.certificate, new_with_old.certificate]) == {ROOT.certificate}
    assert anchors_of([new_with_old.certificate]) == {new_with_old.certificate}


def test_a_cross_signed_root_is_an_anchor_by_its_own_signature_only() -> None:
    cross = authority("Other", ROOT, key=OTHER.key)
    assert anchors_of(one.certificate for one in (ROOT, OTHER, cross)) == {ROOT.certificate, OTHER.certificate}


def test_roots_of_one_name_that_signed_themselves_with_sha_1_are_anchors(tmp_path: Path) -> None:
    # cryptography does not check SHA-1 signatures, but that of a root proves nothing anyway.
    roots = []
    for number in (2, 3):
        key = Party(ROOT.certificate, private_key("P-256", number))
        (tmp_path / "ca.key").write_text(key.key_pem, encoding="ascii")
        pem = openssl("req", "-x509", "-sha1", "-key", "ca.key", "-subj", "/CN=Root", cwd=tmp_path)
        roots.append(x509.load_pem_x509_certificate(pem.encode()))
    assert anchors_of(roots) == set(roots)


@pytest.mark.parametrize("own", ["hash", "none"])
@pytest.mark.parametrize("issuer", ["keyid", "none"])
def test_a_new_key_that_the_old_one_signed_with_sha_1_is_no_anchor_beside_it(
    own: str, issuer: str, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_text(ROOT.pem, encoding="ascii")
    (tmp_path / "ca.key").write_text(ROOT.key_pem, encoding="ascii")
    (tmp_path / "new.key").write_text(Party(ROOT.certificate, private_key("P-256", 2)).key_pem, encoding="ascii")
    identifiers = f"subjectKeyIdentifier={own}\nauthorityKeyIdentifier={issuer}\n"
    (tmp_path / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n" + identifiers, encoding="ascii")
    request = openssl("req", "-new", "-key", "new.key", "-subj", "/CN=Root", cwd=tmp_path)
    ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", "-extfile", "ca.ext")
    pem = openssl("x509", "-req", "-sha1", *ca, cwd=tmp_path, stdin=request)
    new = x509.load_pem_x509_certificate(pem.encode())
    assert anchors_of([ROOT.certificate, new]) == {ROOT.certificate}


def test_a_self_signed_v1_root_and_a_self_signed_leaf_are_anchors() -> None:
    assert anchors(as_v1(ROOT)) == {"CN=Root"}
    assert anchors(client("alice")) == {"CN=alice"}


def test_a_bundle_in_which_all_issue_one_another_is_a_configuration_error() -> None:
    first = authority("A", key=private_key("P-256", 6))
    second = authority("B", first, key=private_key("P-256", 7))
    crossed = authority("A", second, key=first.key)
    with pytest.raises(ValueError, match=r"in a circle.*add a root"):
        TrustStore.from_pem(pem_of(crossed, second))
