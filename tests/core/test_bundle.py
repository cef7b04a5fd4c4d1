"""CA bundles and CRL files as people have them, and what is said about those that are none."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.name import _ASN1Type

from sslclientcert import PresentedChain, TrustStore
from sslclientcert.core.bundle import parse_certificates, parse_crls, parsed_certificates
from sslclientcert.core.links import Bundle

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
        assert TrustStore.from_pem(data, crl) is not None


def test_several_crls_in_one_file_are_read() -> None:
    lists = parse_crls(f"# root\n{pem_of_crls(CRL)}\r\n{pem_of_crls(revocation_list(OTHER))}".encode(), "ca.crl")
    assert [one.issuer_text for one in lists] == ["CN=Root", "CN=Other"]


# What is none


def pkcs8(kind: str) -> str:
    return private_key(kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pkcs8_der() -> bytes:
    return private_key("P-256").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


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


def broken(party: Party, issuer: Party | None = None) -> bytes:
    """The same certificate, signed, with a boolean in its basic constraints that is none."""

    def change(parts: list[bytes]) -> None:
        parts[-1] = parts[-1].replace(b"\x30\x03\x01\x01\xff", b"\x30\x03\x04\x01\xff")

    der = rewritten(party.der, (issuer or party).key, change)
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


@pytest.mark.parametrize("name", ODD_CRLS)
def test_a_list_with_a_part_that_does_not_parse_has_a_fault(name: str) -> None:
    (crl,) = parse_crls(ODD_CRLS[name].encode(), "ca.crl")
    assert crl.fault is not None
    assert crl.issuer_text == "CN=Root"


# Which of a bundle's certificates are anchors


def bundle(*parties: Party, left_out: bytes = b"") -> Bundle:
    parsed = parsed_certificates(party.certificate for party in parties)
    return Bundle(*(parsed + parse_certificates(left_out, "odd") if left_out else parsed))


def anchors(*parties: Party, left_out: bytes = b"") -> set[str]:
    found = bundle(*parties, left_out=left_out)
    return {one.certificate.subject.rfc4514_string() for one in found.anchors}


def anchor_parties(*parties: Party) -> set[Party]:
    ders = {one.der for one in bundle(*parties).anchors}
    return {party for party in parties if party.der in ders}


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


def test_a_ca_whose_issuers_name_is_there_with_another_key_is_unusable_and_no_anchor() -> None:
    stranger = authority("Root", key=private_key("P-256", 4))
    found = bundle(stranger, INTERMEDIATE)
    assert [one.der for one in found.anchors] == [stranger.der]
    assert [one.der for one in found.unusable] == [INTERMEDIATE.der]
    (why,) = found.unusable.values()
    assert "no usable one whose key has signed it" in why


def test_a_new_key_signed_by_the_old_one_is_an_anchor_only_where_the_old_one_is_not_there() -> None:
    new_with_old = authority("Root", ROOT, key=private_key("P-256", 4))
    assert anchor_parties(ROOT, new_with_old) == {ROOT}
    assert anchor_parties(new_with_old) == {new_with_old}


def test_a_cross_signed_root_is_an_anchor_by_its_own_signature_only() -> None:
    cross = authority("Other", ROOT, key=OTHER.key)
    assert anchor_parties(ROOT, OTHER, cross) == {ROOT, OTHER}


def test_a_cross_certificate_from_a_ca_that_is_not_there_is_no_anchor_beside_its_twin_below_a_root() -> None:
    # Were it one, what the root says of its subject (constraints, end, CRL) would be silenced.
    lower = authority("Lower", ROOT, key=private_key("P-256", 3))
    cross = authority("Lower", OTHER, key=private_key("P-256", 3))
    assert anchor_parties(ROOT, lower, cross) == {ROOT}
    assert anchor_parties(cross) == {cross}
    (why,) = bundle(ROOT, lower, cross).unusable.values()
    assert "its issuer, 'CN=Other', is not in the bundle, where another certificate has its name" in why


def test_a_self_signed_certificate_whose_signature_is_wrong_is_unusable() -> None:
    wrong = Party(x509.load_der_x509_certificate(ROOT.der[:-1] + bytes([ROOT.der[-1] ^ 1])), ROOT.key)
    found = bundle(OTHER, wrong)
    assert [one.der for one in found.anchors] == [OTHER.der]
    assert "signature is wrong" in found.unusable[found.by_der[wrong.der]]


# What is left out still counts as there


def test_an_issuer_that_is_left_out_is_still_the_issuer() -> None:
    assert anchors(OTHER, INTERMEDIATE, left_out=labelled("CERTIFICATE", broken(ROOT)).encode()) == {"CN=Other"}


def test_a_cross_certificate_is_no_anchor_where_the_left_out_certificate_has_its_name_and_key() -> None:
    lower = authority("Lower", ROOT, key=private_key("P-256", 3))
    cross = authority("Lower", OTHER, key=private_key("P-256", 3))
    left_out = labelled("CERTIFICATE", broken(lower, ROOT)).encode()
    assert anchors(ROOT, cross, left_out=left_out) == {"CN=Root"}


@pytest.mark.parametrize("odd", [without_readable_subject(ROOT), b"\x30\x03\x02\x01\x05"])
def test_below_a_left_out_certificate_of_an_unreadable_subject_only_the_self_signed_are_anchors(odd: bytes) -> None:
    left_out = labelled("CERTIFICATE", odd).encode()
    assert anchors(OTHER, INTERMEDIATE, left_out=left_out) == {"CN=Other"}
    (why,) = bundle(OTHER, INTERMEDIATE, left_out=left_out).unusable.values()
    assert "its issuer, 'CN=Root', is not in the bundle, where another certificate has its name or one that" in why


def test_roots_of_one_name_that_signed_themselves_with_sha_1_are_anchors(tmp_path: Path) -> None:
    # cryptography does not check SHA-1 signatures, but that of a root proves nothing anyway.
    roots = []
    for number in (2, 3):
        key = Party(ROOT.certificate, private_key("P-256", number))
        (tmp_path / "ca.key").write_text(key.key_pem, encoding="ascii")
        pem = openssl("req", "-x509", "-sha1", "-key", "ca.key", "-subj", "/CN=Root", cwd=tmp_path)
        roots.append(Party(x509.load_pem_x509_certificate(pem.encode()), key.key))
    assert anchor_parties(*roots) == set(roots)


@pytest.mark.parametrize(("own", "issuer"), [("hash", "keyid"), ("hash", "none"), ("none", "keyid"), ("none", "none")])
def test_a_new_key_that_the_old_one_signed_with_sha_1_counts_as_self_signed_unless_its_identifiers_say_no(
    own: str, issuer: str, tmp_path: Path
) -> None:
    # OpenSSL decides by names, identifiers and the kind of key (EXFLAG_SS), and cannot check SHA-1 either.
    (tmp_path / "ca.crt").write_text(ROOT.pem, encoding="ascii")
    (tmp_path / "ca.key").write_text(ROOT.key_pem, encoding="ascii")
    (tmp_path / "new.key").write_text(Party(ROOT.certificate, private_key("P-256", 2)).key_pem, encoding="ascii")
    identifiers = f"subjectKeyIdentifier={own}\nauthorityKeyIdentifier={issuer}\n"
    (tmp_path / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n" + identifiers, encoding="ascii")
    request = openssl("req", "-new", "-key", "new.key", "-subj", "/CN=Root", cwd=tmp_path)
    ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", "-extfile", "ca.ext")
    pem = openssl("x509", "-req", "-sha1", *ca, cwd=tmp_path, stdin=request)
    new = Party(x509.load_pem_x509_certificate(pem.encode()), private_key("P-256", 2))
    assert anchor_parties(ROOT, new) == ({ROOT} if (own, issuer) == ("hash", "keyid") else {ROOT, new})


def test_a_self_signed_v1_root_and_a_self_signed_leaf_are_anchors() -> None:
    assert anchors(as_v1(ROOT)) == {"CN=Root"}
    assert anchors(client("alice")) == {"CN=alice"}


def test_a_bundle_in_which_all_issue_one_another_is_a_configuration_error() -> None:
    first = authority("A", key=private_key("P-256", 6))
    second = authority("B", first, key=private_key("P-256", 7))
    crossed = authority("A", second, key=first.key)
    with pytest.raises(ValueError, match=r"has no anchor.*put the root CA into it"):
        TrustStore.from_pem(pem_of(crossed, second))
