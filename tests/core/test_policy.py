"""What the profile `private-pki` asks of a leaf and of a CA, rule by rule, against certificates that break just one.

A refusal has its own code, and its detail names the certificate, the rule and the remedy. `web-pki` is cryptography's
own profile, untouched.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID, ObjectIdentifier

from sslclientcert import ClientIdentity, PresentedChain, TrustStore
from sslclientcert.core.errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUnsuitable,
    CertificateUntrusted,
    ClientCertError,
)
from sslclientcert.core.policy import require_validity

from .pki import (
    DAY,
    NOW,
    Extension,
    Party,
    aki,
    as_v1,
    authority,
    basic,
    certify,
    client,
    excluded,
    openssl,
    permitted,
    private_key,
    purposes,
    sans,
    ski,
    tlv,
    unknown,
    usage,
    with_change,
)

ROOT = authority("Root")
INTERMEDIATE_KEY = private_key("P-256", 3)
SECOND = dt.timedelta(seconds=1)

DNS = x509.DNSName
EMAIL = x509.RFC822Name
URI = x509.UniformResourceIdentifier


def ip(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text))


def verify(
    leaf: Party,
    *bundle: Party,
    forwarded: Iterable[Party] = (),
    profile: str = "private-pki",
    at: dt.datetime | None = None,
) -> ClientIdentity:
    store = TrustStore([party.certificate for party in bundle or (ROOT,)], profile=profile)
    return store.verify(PresentedChain(leaf.certificate, tuple(one.certificate for one in forwarded)), at=at)


def refusal(
    kind: type[ClientCertError],
    leaf: Party,
    *bundle: Party,
    profile: str = "private-pki",
    at: dt.datetime | None = None,
) -> str:
    """The detail of a refusal, which must be of that class and not in the verifier's own words."""
    with pytest.raises(ClientCertError) as refused:
        verify(leaf, *bundle, profile=profile, at=at)
    assert type(refused.value) is kind, refused.value
    for jargon in ("candidates exhausted", "fatal error", "AlgorithmIdentifier", "invalid extension", "path builder"):
        assert jargon not in refused.value.detail
    return refused.value.detail


# Validity


@pytest.mark.parametrize("offset", [0 * SECOND, 1 * SECOND, 30 * DAY, 30 * DAY + 0.9 * SECOND])
def test_a_certificate_is_valid_from_its_first_second_to_the_end_of_its_last(offset: dt.timedelta) -> None:
    ca = authority("Root", start=NOW - DAY, end=NOW + 60 * DAY)
    leaf = client("alice", ca, start=NOW, end=NOW + 30 * DAY)
    assert verify(leaf, ca, at=NOW + offset).common_name == "alice"


@pytest.mark.parametrize("v1", [False, True])
def test_a_leaf_is_refused_the_second_after_it_expired_and_the_second_before_it_is_valid(v1: bool) -> None:
    ca = authority("Root", start=NOW - DAY, end=NOW + 60 * DAY)
    leaf = client("alice", ca, start=NOW, end=NOW + 30 * DAY)
    leaf = as_v1(leaf, ca) if v1 else leaf
    detail = refusal(CertificateExpired, leaf, ca, at=NOW + 30 * DAY + SECOND)
    assert "'CN=alice'" in detail
    assert "expired" in detail
    assert "issued anew" in detail
    detail = refusal(CertificateNotYetValid, leaf, ca, at=NOW - SECOND)
    assert "'CN=alice'" in detail
    assert "valid from" in detail
    assert "clock" in detail


def test_a_certificate_that_ends_in_the_year_9999_is_valid() -> None:
    forever = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    assert verify(client("alice", ROOT, end=forever)).not_after == forever


def test_the_time_of_validation_may_be_in_any_time_zone_but_needs_one() -> None:
    leaf = client("alice", ROOT)
    assert verify(leaf, at=NOW.astimezone(dt.timezone(dt.timedelta(hours=9)))).common_name == "alice"
    with pytest.raises(ValueError, match="time zone"):
        verify(leaf, at=NOW.replace(tzinfo=None))


def test_validity_ends_with_the_last_second_whatever_its_fraction() -> None:
    certificate = client("alice", ROOT, start=NOW, end=NOW + DAY).certificate
    require_validity(certificate, NOW + DAY + dt.timedelta(microseconds=999_999))
    with pytest.raises(CertificateExpired):
        require_validity(certificate, NOW + DAY + SECOND)
    with pytest.raises(CertificateNotYetValid):
        require_validity(certificate, NOW - dt.timedelta(microseconds=1))


# The leaf: what is accepted

NS_CERT_TYPE = "2.16.840.1.113730.1.1"
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.2.3"), None)])
ISSUING = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, URI("http://ca.example/ca.crt"))

SUITABLE_LEAVES: dict[str, list[Extension]] = {
    "as it should be": [],
    "critical EKU, as trustme issues": [(purposes("CLIENT_AUTH", "SERVER_AUTH"), True)],
    "key agreement only": [(usage("key_agreement"), True)],
    "key usage not critical": [(usage("digital_signature"), False)],
    "any purpose and clientAuth": [(purposes("ANY_EXTENDED_KEY_USAGE", "CLIENT_AUTH"), False)],
    "an unknown extension that is not critical": [(unknown(), False)],
    "certificate policies": [(POLICIES, False)],
    "Netscape SSL client": [(unknown(NS_CERT_TYPE, b"\x03\x02\x07\x80"), False)],
    "Netscape SSL client and S/MIME": [(unknown(NS_CERT_TYPE, b"\x03\x02\x05\xa0"), False)],
    "critical alternative names": [(sans(DNS("alice.example")), True)],
    "where to find the issuer": [(x509.AuthorityInformationAccess([ISSUING]), False)],
}


@pytest.mark.parametrize("name", SUITABLE_LEAVES)
def test_a_suitable_leaf_is_accepted(name: str) -> None:
    assert verify(client("alice", ROOT, extra=SUITABLE_LEAVES[name])).common_name == "alice"


@pytest.mark.parametrize(
    "kind", ["P-224", "P-256", "P-384", "P-521", "secp256k1", "brainpoolP256r1", "RSA-2048", "Ed25519", "Ed448"]
)
def test_a_leaf_may_have_any_key_of_112_bits_of_strength(kind: str) -> None:
    assert verify(client("alice", ROOT, key=kind)).common_name == "alice"


def test_a_leaf_may_have_a_post_quantum_key() -> None:
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    assert verify(client("alice", ROOT, key="ML-DSA-65")).common_name == "alice"


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "P-384", "P-521"])
def test_a_ca_may_sign_with_sha_2(kind: str, digest: hashes.HashAlgorithm) -> None:
    ca = authority("Root", key=kind, digest=digest)
    assert verify(client("alice", ca, digest=digest), ca).common_name == "alice"


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_a_ca_may_sign_with_rsa_pss(digest: hashes.HashAlgorithm) -> None:
    ca = authority("Root", key="RSA-2048")
    assert verify(client("alice", ca, digest=digest, pss_salt=digest.digest_size), ca).common_name == "alice"


# The leaf: what is refused

# For each: the extension that breaks a rule, and words that say which.
UNSUITABLE_LEAVES: dict[str, tuple[Extension, tuple[str, ...]]] = {
    "serverAuth only": (
        (purposes("SERVER_AUTH"), False),
        ("not for client authentication", "serverAuth", "Issue it with clientAuth"),
    ),
    "any purpose only": ((purposes("ANY_EXTENDED_KEY_USAGE"), False), ("anyExtendedKeyUsage", "clientAuth")),
    "a purpose nobody knows": ((x509.ExtendedKeyUsage([ObjectIdentifier("1.2.3.4")]), True), ("1.2.3.4", "clientAuth")),
    "key encipherment only": ((usage("key_encipherment"), True), ("digitalSignature or keyAgreement", "issue it with")),
    "key usage not critical and of a CA": ((usage("key_cert_sign", "crl_sign"), False), ("digitalSignature",)),
    "an unknown critical extension": (
        (unknown(), True),
        ("critical extension 1.3.6.1.4.1.32473.1", "Issue it without"),
    ),
    "critical policies": ((POLICIES, True), ("critical extension 2.5.29.32", "Issue it without")),
    "Netscape SSL server": ((unknown(NS_CERT_TYPE, b"\x03\x02\x06\x40"), False), ("Netscape certificate type",)),
    "Netscape type that is empty": ((unknown(NS_CERT_TYPE, b"\x03\x01\x00"), False), ("Netscape certificate type",)),
    "Netscape type that is none": ((unknown(NS_CERT_TYPE, b"\x05\x00"), False), ("Netscape certificate type",)),
    # By RFC 5280 sections 4.2.1.1, 4.2.1.2 and 4.2.2.1 never critical, and not in OpenSSL's list of those that may be.
    "critical authority key identifier": ((aki(ROOT.key), True), ("critical extension 2.5.29.35",)),
    "critical subject key identifier": ((ski(private_key("P-256", 1)), True), ("critical extension 2.5.29.14",)),
    "critical authority information access": (
        (x509.AuthorityInformationAccess([ISSUING]), True),
        ("critical extension 1.3.6.1.5.5.7.1.1",),
    ),
    # RFC 3820: a certificate that its owner, no CA, has issued. OpenSSL refuses them, critical or not.
    "a proxy certificate": (
        (unknown("1.3.6.1.5.5.7.1.14", bytes.fromhex("300c300a06082b06010505071501")), False),
        ("1.3.6.1.5.5.7.1.14",),
    ),
    # RFC 3779, which OpenSSL applies, critical or not: the root has none of these addresses to give.
    "addresses of the routing PKI": (
        (unknown("1.3.6.1.5.5.7.1.7", bytes.fromhex("300e300c040200013006030400000000")), False),
        ("1.3.6.1.5.5.7.1.7",),
    ),
}


@pytest.mark.parametrize("issuer", ["P-256", "Ed25519"])
@pytest.mark.parametrize("name", UNSUITABLE_LEAVES)
def test_an_unsuitable_leaf_is_refused_with_the_rule_and_the_remedy(name: str, issuer: str) -> None:
    extension, words = UNSUITABLE_LEAVES[name]
    ca = ROOT if issuer == "P-256" else authority("Root", key=issuer)
    detail = refusal(CertificateUnsuitable, client("alice", ca, extra=[extension]), ca)
    assert "'CN=alice'" in detail
    for word in words:
        assert word in detail


def test_no_rule_of_a_leaf_is_waived_for_one_that_is_pinned() -> None:
    for extension, words in UNSUITABLE_LEAVES.values():
        leaf = client("alice", ROOT, extra=[extension])
        assert words[0] in refusal(CertificateUnsuitable, leaf, leaf)


@pytest.mark.parametrize(("kind", "bits", "least"), [("RSA-1024", "1024", "2048"), ("P-192", "192", "224")])
def test_a_weak_key_is_refused_on_a_leaf_by_its_size(kind: str, bits: str, least: str) -> None:
    for leaf in (client("alice", ROOT, key=kind), as_v1(client("alice", ROOT, key=kind), ROOT)):
        detail = refusal(CertificateUnsuitable, leaf)
        assert "'CN=alice'" in detail
        assert f"{bits} bits" in detail
        assert f"{least} are the least" in detail
        assert "stronger key" in detail


@pytest.mark.parametrize(("kind", "bits"), [("RSA-1024", "1024"), ("P-192", "192")])
def test_a_weak_key_is_refused_on_a_ca_by_its_size(kind: str, bits: str) -> None:
    root = authority("Root", key=kind)
    for leaf in (client("alice", root), as_v1(client("alice", root), root)):
        detail = refusal(CertificateUnsuitable, leaf, root)
        assert "'CN=Root'" in detail
        assert f"{bits} bits" in detail
    below = authority("Intermediate", ROOT, key=kind)
    assert "'CN=Intermediate'" in refusal(CertificateUnsuitable, client("alice", below), ROOT, below)


def signed_with(digest: str, folder: Path) -> tuple[Party, Party, Party]:
    """A root, and a leaf and an intermediate that openssl signed with a weak hash."""
    (folder / "ca.crt").write_text(ROOT.pem, encoding="ascii")
    (folder / "ca.key").write_text(ROOT.key_pem, encoding="ascii")
    (folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n", encoding="ascii")
    made = []
    for name, number, extensions in (("alice", 1, ()), ("Intermediate", 3, ("-extfile", "ca.ext"))):
        key = private_key("P-256", number)
        (folder / "key").write_text(Party(ROOT.certificate, key).key_pem, encoding="ascii")
        request = openssl("req", "-new", "-key", "key", "-subj", f"/CN={name}", cwd=folder)
        ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", *extensions)
        pem = openssl("x509", "-req", f"-{digest}", *ca, cwd=folder, stdin=request)
        made.append(Party(x509.load_pem_x509_certificate(pem.encode()), key))
    return ROOT, made[0], made[1]


@pytest.mark.parametrize("digest", ["sha1", "sha224"])
def test_a_weak_hash_is_refused_by_name_on_leaf_and_intermediate(digest: str, tmp_path: Path) -> None:
    root, leaf, intermediate = signed_with(digest, tmp_path)
    detail = refusal(CertificateUnsuitable, leaf, root)
    assert "'CN=alice'" in detail
    assert f"signed with {digest.upper()}" in detail
    assert "SHA-256" in detail
    detail = refusal(CertificateUnsuitable, client("bob", intermediate), root, intermediate)
    assert "'CN=Intermediate'" in detail
    assert f"signed with {digest.upper()}" in detail


def test_md5_is_refused_by_name(tmp_path: Path) -> None:
    root = authority("Root", key="RSA-2048")
    (tmp_path / "ca.crt").write_text(root.pem, encoding="ascii")
    (tmp_path / "ca.key").write_text(root.key_pem, encoding="ascii")
    request = openssl("req", "-new", "-key", "ca.key", "-subj", "/CN=alice", cwd=tmp_path)
    ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7")
    pem = openssl("x509", "-req", "-md5", *ca, cwd=tmp_path, stdin=request)
    leaf = Party(x509.load_pem_x509_certificate(pem.encode()), root.key)
    detail = refusal(CertificateUnsuitable, leaf, root)
    assert "'CN=alice'" in detail
    assert "signed with MD5" in detail


def test_the_hash_of_an_anchors_own_signature_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "ca.key").write_text(ROOT.key_pem, encoding="ascii")
    pem = openssl("req", "-x509", "-sha1", "-key", "ca.key", "-subj", "/CN=Old Root", "-days", "9", cwd=tmp_path)
    old = Party(x509.load_pem_x509_certificate(pem.encode()), ROOT.key)
    assert verify(client("alice", old), old).common_name == "alice"


# What is accepted of a CA

SUITABLE_CAS: dict[str, tuple[list[Extension], list[type[x509.ExtensionType]]]] = {
    "as it should be": ([], []),
    "no key usage, as openssl req -x509 makes it": ([], [x509.KeyUsage]),
    "basic constraints not critical": ([(basic(ca=True), False)], []),
    "no subject key identifier": ([], [x509.SubjectKeyIdentifier]),
    "clientAuth": ([(purposes("CLIENT_AUTH"), True)], []),
    "clientAuth and serverAuth": ([(purposes("SERVER_AUTH", "CLIENT_AUTH"), False)], []),
    "an unknown extension that is not critical": ([(unknown(), False)], []),
    "path length zero": ([(basic(ca=True, pathlen=0), True)], []),
    "policies": ([(POLICIES, False)], []),
}


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
@pytest.mark.parametrize("name", SUITABLE_CAS)
def test_a_suitable_root_is_accepted(name: str, kind: str) -> None:
    extra, without = SUITABLE_CAS[name]
    root = authority("Root", key=kind, extra=extra, without=without)
    assert verify(client("alice", root), root).common_name == "alice"


@pytest.mark.parametrize("name", SUITABLE_CAS)
def test_a_suitable_intermediate_is_accepted(name: str) -> None:
    extra, without = SUITABLE_CAS[name]
    intermediate = authority("Intermediate", ROOT, key=INTERMEDIATE_KEY, extra=extra, without=without)
    assert len(verify(client("alice", intermediate), ROOT, intermediate).chain) == 3


# What is refused of a CA

UNSUITABLE_CAS: dict[str, tuple[list[Extension], list[type[x509.ExtensionType]], str]] = {
    "no basic constraints": ([], [x509.BasicConstraints], "no basic constraints"),
    "not a CA": ([(basic(ca=False), True)], [], "without CA:TRUE"),
    "no keyCertSign": ([(usage("digital_signature", "crl_sign"), True)], [], "lacks keyCertSign"),
    "no keyCertSign, not critical": ([(usage("digital_signature"), False)], [], "lacks keyCertSign"),
    "serverAuth": ([(purposes("SERVER_AUTH"), False)], [], "serverAuth"),
    "any purpose": ([(purposes("ANY_EXTENDED_KEY_USAGE"), False)], [], "anyExtendedKeyUsage"),
    "an unknown critical extension": ([(unknown(), True)], [], "1.3.6.1.4.1.32473.1"),
    "critical policies": ([(POLICIES, True)], [], "2.5.29.32"),
    "critical subject key identifier": ([(ski(INTERMEDIATE_KEY), True)], [], "2.5.29.14"),
    "constrained in URIs": ([(permitted(URI("example.org")), True)], [], "UniformResourceIdentifier"),
    "constrained in URIs, not critical": ([(excluded(URI("example.org")), False)], [], "UniformResourceIdentifier"),
    "constrained in directory names": (
        [(permitted(x509.DirectoryName(ROOT.certificate.subject)), True)],
        [],
        "DirectoryName",
    ),
    "constrained in principal names": (
        [(permitted(x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a")), True)],
        [],
        "OtherName",
    ),
    # RFC 5280 forbids a minimum or maximum, OpenSSL refuses them, and the path builder does not read them.
    "constrained with a minimum": (
        [
            (
                unknown("2.5.29.30", tlv(0x30, tlv(0xA0, tlv(0x30, tlv(0x82, b"example.org"), tlv(0x80, b"\x01"))))),
                True,
            )
        ],
        [],
        "minimum",
    ),
}


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
@pytest.mark.parametrize("name", UNSUITABLE_CAS)
def test_an_unsuitable_root_is_refused_with_the_rule(name: str, kind: str) -> None:
    extra, without, words = UNSUITABLE_CAS[name]
    root = authority("Root", key=kind, extra=extra, without=without)
    leaf = client("alice", root, extra=[(sans(DNS("alice.example.org")), False)])
    detail = refusal(CertificateUnsuitable, leaf, root)
    assert "'CN=Root'" in detail
    assert words in detail or (kind == "Ed25519" and "name constraints" in detail)


@pytest.mark.parametrize("name", UNSUITABLE_CAS)
def test_an_unsuitable_intermediate_is_refused_with_the_rule_in_the_bundle_and_forwarded(name: str) -> None:
    extra, without, words = UNSUITABLE_CAS[name]
    intermediate = authority("Intermediate", ROOT, key=INTERMEDIATE_KEY, extra=extra, without=without)
    leaf = client("alice", intermediate, extra=[(sans(DNS("alice.example.org")), False)])
    detail = refusal(CertificateUnsuitable, leaf, ROOT, intermediate)
    assert "'CN=Intermediate'" in detail
    assert words in detail
    with pytest.raises(ClientCertError, match="Intermediate") as refused:
        verify(leaf, ROOT, forwarded=[intermediate])
    assert words in refused.value.detail


def test_a_v1_certificate_is_no_ca_not_even_as_an_anchor() -> None:
    root = as_v1(ROOT)
    for leaf in (client("alice", root), as_v1(client("alice", root), root)):
        detail = refusal(CertificateUnsuitable, leaf, root)
        assert "'CN=Root'" in detail
        assert "X.509 v1" in detail


@pytest.mark.parametrize("kind", ["P-224", "secp256k1", "brainpoolP256r1", "DSA-2048"])
def test_a_ca_with_a_kind_of_key_that_the_path_builder_does_not_support_is_refused_by_that_name(kind: str) -> None:
    root = authority("Root", key=kind)
    detail = refusal(CertificateUnsuitable, client("alice", root), root)
    assert "'CN=Root'" in detail
    assert "key" in detail


def test_a_ca_that_signs_with_an_uncommon_rsa_pss_salt_is_refused_by_that_name() -> None:
    root = authority("Root", key="RSA-2048")
    detail = refusal(CertificateUnsuitable, client("alice", root, pss_salt=20), root)
    assert "'CN=alice'" in detail
    assert "PSS" in detail


def test_an_eddsa_ca_in_the_middle_of_a_path_is_refused_with_what_is_supported() -> None:
    root = authority("Edwards", key="Ed25519")
    for top, intermediate in (
        (root, authority("Intermediate", root, key=INTERMEDIATE_KEY)),
        (ROOT, authority("Intermediate", ROOT, key="Ed25519")),
    ):
        detail = refusal(CertificateUnsuitable, client("alice", intermediate), top, intermediate)
        assert "Ed25519" in detail
        assert "anchor" in detail


# Odd encodings


def changed(position: int, element: bytes) -> Party:
    def change(parts: list[bytes]) -> None:
        parts[position] = element

    return with_change(client("alice", ROOT), change, ROOT)


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.filterwarnings("ignore:Parsed a negative serial number")
@pytest.mark.parametrize(
    ("position", "element", "word"),
    [
        pytest.param(1, tlv(0x02, b"\x85"), "serial number", id="a negative serial number"),
        pytest.param(1, tlv(0x02, b"\x01" + bytes(21)), "serial number", id="a serial number of 22 bytes"),
        pytest.param(
            4,
            tlv(0x30, tlv(0x18, b"20200101000000Z"), tlv(0x18, b"20400101000000Z")),
            "GeneralizedTime",
            id="a time before 2050 as GeneralizedTime",
        ),
    ],
)
def test_what_rfc_5280_forbids_and_the_path_builder_refuses_is_refused_in_plain_words(
    position: int, element: bytes, word: str
) -> None:
    detail = refusal(CertificateUnsuitable, changed(position, element))
    assert "'CN=alice'" in detail
    assert word in detail


def test_serial_number_zero_is_accepted() -> None:
    with pytest.warns(match="serial number") as _:
        leaf = changed(1, tlv(0x02, b"\x00"))
    assert leaf.certificate is not None


# The key identifiers: OpenSSL follows them, and so an issuer that the leaf itself says is another one is none


def test_an_authority_key_identifier_of_another_key_refuses() -> None:
    for ca in (ROOT, authority("Root", key="Ed25519")):
        leaf = client("alice", ca, extra=[(aki(private_key("P-256", 8)), False)])
        detail = refusal(CertificateUntrusted, leaf, ca)
        assert "'CN=alice'" in detail
        assert "key identifier" in detail


def test_an_authority_key_identifier_of_another_issuer_or_serial_number_refuses() -> None:
    issuer = [x509.DirectoryName(ROOT.certificate.subject)]
    other = [x509.DirectoryName(authority("Other").certificate.subject)]
    serial = ROOT.certificate.serial_number
    right = client("alice", ROOT, extra=[(x509.AuthorityKeyIdentifier(None, issuer, serial), False)])
    assert verify(right).common_name == "alice"
    for identifier in (
        x509.AuthorityKeyIdentifier(None, issuer, serial + 1),
        x509.AuthorityKeyIdentifier(None, other, serial),
    ):
        detail = refusal(CertificateUntrusted, client("alice", ROOT, extra=[(identifier, False)]))
        assert "key identifier" in detail


def test_an_authority_key_identifier_is_not_needed_and_neither_is_the_issuers() -> None:
    root = authority("Root", without=[x509.SubjectKeyIdentifier])
    assert verify(client("alice", ROOT, without=[x509.AuthorityKeyIdentifier])).common_name == "alice"
    assert verify(client("alice", root), root).common_name == "alice"
    assert verify(client("alice", root, extra=[(aki(private_key("P-256", 8)), False)]), root).common_name == "alice"


# Name constraints: for each the constraint, the subject, the alternative names

Constrained: TypeAlias = tuple[x509.NameConstraints, str, list[x509.GeneralName]]

EMAIL_SUBJECT = "emailAddress=alice@example.org,CN=alice"
SMTP_UTF8 = ObjectIdentifier("1.3.6.1.5.5.7.8.9")

WITHIN: dict[str, Constrained] = {
    "DNS": (permitted(DNS("example.org")), "alice", [DNS("a.example.org"), DNS("EXAMPLE.org")]),
    "DNS, none there": (permitted(DNS("example.org")), "alice", []),
    "DNS, not excluded": (excluded(DNS("example.org")), "alice", [DNS("a.example.com")]),
    "DNS, common name among the names": (permitted(DNS("example.org")), "a.example.org", [DNS("a.example.org")]),
    "e-mail host": (permitted(EMAIL("example.org")), "alice", [EMAIL("a@example.org")]),
    "e-mail domain": (permitted(EMAIL(".example.org")), "alice", [EMAIL("a@mail.example.org")]),
    "e-mail address": (permitted(EMAIL("a@example.org")), "alice", [EMAIL("a@EXAMPLE.org")]),
    "e-mail in the subject": (permitted(EMAIL("example.org")), EMAIL_SUBJECT, [EMAIL("alice@example.org")]),
    "IPv4": (permitted(ip("10.0.0.0/8")), "alice", [ip("10.1.2.3")]),
    "IPv6": (permitted(ip("2001:db8::/32")), "alice", [ip("2001:db8::1")]),
    "another kind": (permitted(DNS("example.org")), "alice", [URI("https://example.com/"), ip("10.0.0.1")]),
}

VIOLATED: dict[str, Constrained] = {
    "DNS": (permitted(DNS("example.org")), "alice", [DNS("a.example.com")]),
    "DNS, one of two": (permitted(DNS("example.org")), "alice", [DNS("a.example.org"), DNS("a.example.com")]),
    "DNS, a suffix without its dot": (permitted(DNS("example.org")), "alice", [DNS("badexample.org")]),
    "DNS, excluded": (excluded(DNS("example.org")), "alice", [DNS("a.example.org")]),
    "DNS, all excluded": (excluded(DNS("")), "alice", [DNS("a.example.org")]),
    "DNS, a wildcard above": (permitted(DNS("a.example.org")), "alice", [DNS("*.example.org")]),
    "DNS, common name": (permitted(DNS("example.org")), "a.example.com", []),
    "DNS, common name, excluded": (excluded(DNS("example.org")), "a_b.example.org", []),
    "DNS, one of two common names": (excluded(DNS("example.org")), "CN=a+CN=a.example.org", []),
    "e-mail host": (permitted(EMAIL("example.org")), "alice", [EMAIL("a@mail.example.org")]),
    "e-mail domain": (permitted(EMAIL(".example.org")), "alice", [EMAIL("a@example.org")]),
    "e-mail address": (permitted(EMAIL("a@example.org")), "alice", [EMAIL("A@example.org")]),
    "e-mail excluded": (excluded(EMAIL("example.org")), "alice", [EMAIL("a@example.org")]),
    "e-mail in the subject": (permitted(EMAIL("example.com")), EMAIL_SUBJECT, []),
    "e-mail in the subject beside another": (permitted(EMAIL("example.com")), EMAIL_SUBJECT, [EMAIL("a@example.com")]),
    "internationalized e-mail": (
        permitted(EMAIL("example.org")),
        "alice",
        [x509.OtherName(SMTP_UTF8, tlv(0x0C, "ä@example.com".encode()))],
    ),
    "internationalized e-mail, excluded": (
        excluded(EMAIL("example.com")),
        "alice",
        [x509.OtherName(SMTP_UTF8, tlv(0x0C, "ä@example.com".encode()))],
    ),
    "IPv4": (permitted(ip("10.0.0.0/8")), "alice", [ip("11.1.2.3")]),
    "IPv4, excluded": (excluded(ip("0.0.0.0/0")), "alice", [ip("11.1.2.3")]),
    "IPv6 under IPv4": (permitted(ip("10.0.0.0/8")), "alice", [ip("::1")]),
    "IPv4 under IPv6": (permitted(ip("fe80::/10")), "alice", [ip("10.0.0.1")]),
}


def constrained(case: Constrained, *, critical: bool, place: str) -> tuple[Party, ...]:
    """A leaf, and the bundle above it in which the root or the intermediate is constrained."""
    constraints, subject, names = case
    extra: list[Extension] = [(constraints, critical)]
    root = authority("Root", extra=() if place == "low" else extra)
    bundle = [root]
    if place != "direct":
        below = authority("Intermediate", root, key=INTERMEDIATE_KEY, extra=extra if place == "low" else ())
        bundle.append(below)
    return client(subject, bundle[-1], extra=[(sans(*names), False)] if names else ()), *bundle


@pytest.mark.parametrize("place", ["direct", "root", "low"])
@pytest.mark.parametrize("name", WITHIN)
def test_names_within_the_constraints_of_a_ca_are_accepted(name: str, place: str) -> None:
    for critical in (True, False):
        leaf, *bundle = constrained(WITHIN[name], critical=critical, place=place)
        assert verify(leaf, *bundle).certificate == leaf.certificate


@pytest.mark.parametrize("place", ["direct", "root", "low"])
@pytest.mark.parametrize("name", VIOLATED)
def test_names_outside_the_constraints_of_a_ca_are_refused(name: str, place: str) -> None:
    for critical in (True, False):
        leaf, *bundle = constrained(VIOLATED[name], critical=critical, place=place)
        with pytest.raises((CertificateUnsuitable, CertificateUntrusted)):
            verify(leaf, *bundle)


@pytest.mark.parametrize("name", ["DNS", "DNS, excluded", "DNS, common name", "e-mail host", "IPv4"])
def test_violated_constraints_are_explained_by_leaf_and_ca_and_rule(name: str) -> None:
    leaf, *bundle = constrained(VIOLATED[name], critical=True, place="low")
    detail = refusal(CertificateUnsuitable, leaf, *bundle)
    assert leaf.certificate.subject.rfc4514_string() in detail
    assert "constrain" in detail
    assert "'CN=Intermediate'" in detail


def test_constraints_bind_the_subject_of_an_intermediate_too() -> None:
    root = authority("Root", extra=[(permitted(EMAIL("example.com")), True)])
    intermediate = authority(EMAIL_SUBJECT, root, key=INTERMEDIATE_KEY)
    assert "alice@example.org" in refusal(CertificateUnsuitable, client("bob", intermediate), root, intermediate)


def test_an_email_in_the_subject_that_is_no_ia5string_is_refused_below_any_constraint() -> None:
    # OpenSSL: X509_V_ERR_UNSUPPORTED_NAME_SYNTAX; such a value escapes a comparison that expects ASCII.
    address = x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@example.com", _ASN1Type.UTF8String)
    root = authority("Root", extra=[(permitted(DNS("example.org")), True)])
    assert "a@example.com" in refusal(CertificateUnsuitable, client(x509.Name([address]), root), root)


def test_a_v1_leaf_under_a_constrained_ca_is_refused_whatever_its_names() -> None:
    root = authority("Root", extra=[(permitted(DNS("example.org")), True)])
    detail = refusal(CertificateUnsuitable, as_v1(client("alice", root), root), root)
    assert "'CN=Root'" in detail
    assert "name constraints" in detail
    assert "v3" in detail


# web-pki


def test_web_pki_accepts_what_the_web_pki_issues() -> None:
    leaf = client("alice", ROOT, extra=[(sans(DNS("alice.example")), False)])
    assert verify(leaf, profile="web-pki").common_name == "alice"


@pytest.mark.parametrize(
    "leaf",
    [
        pytest.param(client("alice", ROOT), id="no alternative name"),
        pytest.param(as_v1(client("alice", ROOT), ROOT), id="X.509 v1"),
        pytest.param(
            client("alice", ROOT, extra=[(sans(DNS("a.example")), False), (purposes("CLIENT_AUTH"), True)]),
            id="critical purposes",
        ),
    ],
)
def test_web_pki_refuses_what_private_pki_accepts(leaf: Party) -> None:
    assert verify(leaf).common_name == "alice"
    with pytest.raises(CertificateUntrusted, match="CN=alice"):
        verify(leaf, profile="web-pki")


def test_web_pki_has_the_same_codes_for_validity() -> None:
    names: list[Extension] = [(sans(DNS("alice.example")), False)]
    expired = client("alice", ROOT, extra=names, start=NOW - 9 * DAY, end=NOW - DAY)
    future = client("alice", ROOT, extra=names, start=NOW + DAY)
    assert "'CN=alice'" in refusal(CertificateExpired, expired, profile="web-pki")
    assert "'CN=alice'" in refusal(CertificateNotYetValid, future, profile="web-pki")


def test_web_pki_trusts_the_same_anchors() -> None:
    expired = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    intermediate = authority("Intermediate", expired, key=INTERMEDIATE_KEY)
    leaf = client("alice", intermediate, extra=[(sans(DNS("alice.example")), False)])
    assert "'CN=Root'" in refusal(CertificateExpired, leaf, expired, intermediate, profile="web-pki")


def test_a_profile_that_does_not_exist_is_a_configuration_error_that_says_which_do() -> None:
    with pytest.raises(ValueError, match=r"private-pki, web-pki.*'public'"):
        TrustStore([ROOT.certificate], profile="public")


def test_a_leaf_without_a_certificates_usual_extensions_is_accepted() -> None:
    assert verify(certify("alice", ROOT, key=private_key("P-256", 1))).common_name == "alice"
