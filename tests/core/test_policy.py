"""What is asked of a leaf and of a CA, rule by rule, against certificates that break just one.

A refusal has its own code, and its detail names the certificate, the rule and the remedy. What OpenSSL says of the same
certificates stands next to it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID, ObjectIdentifier

from sslclientcert import ClientIdentity
from sslclientcert.core.certificate import ParsedCertificate
from sslclientcert.core.errors import (
    CAExpired,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUnsuitable,
    CertificateUntrusted,
    ClientCertError,
)
from sslclientcert.core.policy import require_validity

from . import judge
from .judge import answers, openssl_accepts
from .pki import (
    DAY,
    NOW,
    Extension,
    Party,
    aki,
    as_v1,
    authority,
    basic,
    client,
    name_of,
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
URI = x509.UniformResourceIdentifier


def verify(
    leaf: Party, *bundle: Party, forwarded: Iterable[Party] = (), at: dt.datetime | None = None
) -> ClientIdentity:
    return judge.verify(leaf, *(bundle or (ROOT,)), forwarded=forwarded, at=at)


def refusal(
    kind: type[ClientCertError],
    leaf: Party,
    *bundle: Party,
    forwarded: Iterable[Party] = (),
    at: dt.datetime | None = None,
) -> str:
    return judge.refusal(kind, leaf, *(bundle or (ROOT,)), forwarded=forwarded, at=at)


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
    assert "renew" in detail
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
    one = ParsedCertificate(client("alice", ROOT, start=NOW, end=NOW + DAY).certificate)
    no_skew = dt.timedelta()
    require_validity(one, NOW + DAY + dt.timedelta(microseconds=999_999), no_skew)
    with pytest.raises(CertificateExpired):
        require_validity(one, NOW + DAY + SECOND, no_skew)
    with pytest.raises(CertificateNotYetValid):
        require_validity(one, NOW - dt.timedelta(microseconds=1), no_skew)


def test_an_allowance_for_the_clock_widens_both_ends_and_no_more() -> None:
    one = ParsedCertificate(client("alice", ROOT, start=NOW, end=NOW + DAY).certificate)
    require_validity(one, NOW - 5 * SECOND, 5 * SECOND)
    require_validity(one, NOW + DAY + 5 * SECOND, 5 * SECOND)
    with pytest.raises(CertificateNotYetValid):
        require_validity(one, NOW - 6 * SECOND, 5 * SECOND)
    with pytest.raises(CertificateExpired):
        require_validity(one, NOW + DAY + 6 * SECOND, 5 * SECOND)


@pytest.mark.parametrize("offset", [9 * DAY, -2 * DAY])
def test_a_ca_out_of_its_time_is_the_operators_to_renew(offset: dt.timedelta) -> None:
    one = ParsedCertificate(authority("Root", start=NOW - DAY, end=NOW + 8 * DAY).certificate)
    with pytest.raises(CAExpired, match="CN=Root.*clock"):
        require_validity(one, NOW + offset, dt.timedelta(), is_ca=True)


# The leaf: what is accepted

NS_CERT_TYPE = "2.16.840.1.113730.1.1"
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.2.3"), None)])
ISSUING = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, URI("http://ca.example/ca.crt"))

# Any extension here may be critical: OpenSSL's list (X509_supported_extension), whatever is then processed.
MAY_BE_CRITICAL: dict[str, Extension] = {
    "policies": (POLICIES, True),
    "policy constraints": (x509.PolicyConstraints(0, None), True),
    "policy mappings": (unknown("2.5.29.33", bytes.fromhex("300a300806022a0306022a04")), True),
    "inhibitAnyPolicy": (x509.InhibitAnyPolicy(0), True),
    "CRL distribution points": (
        x509.CRLDistributionPoints([x509.DistributionPoint([URI("http://ca.example/crl")], None, None, None)]),
        True,
    ),
    "OCSP no-check": (x509.OCSPNoCheck(), True),
}

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
    "empty alternative names": [(unknown("2.5.29.17", b"\x30\x00"), False)],
    "where to find the issuer": [(x509.AuthorityInformationAccess([ISSUING]), False)],
    **{f"critical {name}": [extension] for name, extension in MAY_BE_CRITICAL.items()},
}


@pytest.mark.parametrize("name", SUITABLE_LEAVES)
def test_a_suitable_leaf_is_accepted(name: str) -> None:
    leaf = client("alice", ROOT, extra=SUITABLE_LEAVES[name])
    assert verify(leaf).common_name == "alice"
    assert openssl_accepts(leaf, ROOT)


@pytest.mark.parametrize(
    "kind", ["P-224", "P-256", "P-384", "P-521", "secp256k1", "brainpoolP256r1", "RSA-2048", "Ed25519", "Ed448"]
)
def test_leaf_and_ca_may_have_any_supported_key_of_112_bits_of_strength(kind: str) -> None:
    ca = authority("Root", key=kind)
    for leaf, issuer in ((client("alice", ROOT, key=kind), ROOT), (client("alice", ca), ca)):
        assert answers(leaf, issuer) == (True, True)


def test_leaf_and_ca_may_have_a_post_quantum_key() -> None:
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    root, below = authority("Root", key="ML-DSA-65"), authority("Intermediate", ROOT, key="ML-DSA-65")
    assert verify(client("alice", ROOT, key="ML-DSA-65")).common_name == "alice"
    assert verify(client("alice", root), root).common_name == "alice"
    assert verify(client("alice", below), ROOT, below).common_name == "alice"


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "P-384", "P-521"])
def test_a_ca_may_sign_with_sha_2(kind: str, digest: hashes.HashAlgorithm) -> None:
    ca = authority("Root", key=kind, digest=digest)
    assert verify(client("alice", ca, digest=digest), ca).common_name == "alice"


@pytest.mark.parametrize("salt", [0, 20, 32, 64])
@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_a_ca_may_sign_with_rsa_pss_and_any_salt_that_openssl_takes(digest: hashes.HashAlgorithm, salt: int) -> None:
    ca = authority("Root", key="RSA-2048")
    assert answers(client("alice", ca, digest=digest, pss_salt=salt), ca) == (True, True)


# The leaf: what is refused

# For each: the extension that breaks a rule, and words that say which.
UNSUITABLE_LEAVES: dict[str, tuple[Extension, tuple[str, ...]]] = {
    "serverAuth only": (
        (purposes("SERVER_AUTH"), False),
        ("not for client authentication", "serverAuth", "clientAuth"),
    ),
    "any purpose only": ((purposes("ANY_EXTENDED_KEY_USAGE"), False), ("anyExtendedKeyUsage", "clientAuth")),
    "a purpose nobody knows": ((x509.ExtendedKeyUsage([ObjectIdentifier("1.2.3.4")]), True), ("1.2.3.4", "clientAuth")),
    "key encipherment only": (
        (usage("key_encipherment"), True),
        ("digitalSignature and keyAgreement", "reissue it with"),
    ),
    "key usage not critical and of a CA": ((usage("key_cert_sign", "crl_sign"), False), ("digitalSignature",)),
    "an unknown critical extension": (
        (unknown(), True),
        ("critical extension 1.3.6.1.4.1.32473.1", "reissue it without"),
    ),
    "Netscape SSL server": ((unknown(NS_CERT_TYPE, b"\x03\x02\x06\x40"), False), ("Netscape certificate type",)),
    "Netscape CA for objects": ((unknown(NS_CERT_TYPE, b"\x03\x02\x00\x01"), False), ("Netscape certificate type",)),
    "Netscape type of another tag": (
        (unknown(NS_CERT_TYPE, b"\x04\x02\x07\x80"), False),
        ("Netscape certificate type",),
    ),
    "Netscape type that is empty": ((unknown(NS_CERT_TYPE, b"\x03\x01\x00"), False), ("Netscape certificate type",)),
    "Netscape type that is none": ((unknown(NS_CERT_TYPE, b"\x05\x00"), False), ("Netscape certificate type",)),
    # By RFC 5280 sections 4.2.1.1, 4.2.1.2 and 4.2.2.1 never critical, and not in OpenSSL's list of those that may be.
    "critical authority key identifier": (
        (aki(ROOT.key), True),
        ("critical extension authorityKeyIdentifier (2.5.29.35)",),
    ),
    "critical subject key identifier": (
        (ski(private_key("P-256", 1)), True),
        ("critical extension subjectKeyIdentifier (2.5.29.14)",),
    ),
    "critical authority information access": (
        (x509.AuthorityInformationAccess([ISSUING]), True),
        ("critical extension authorityInfoAccess (1.3.6.1.5.5.7.1.1)",),
    ),
    "critical freshestCRL": (
        (x509.FreshestCRL([x509.DistributionPoint([URI("http://ca.example/delta")], None, None, None)]), True),
        ("critical extension freshestCRL (2.5.29.46)",),
    ),
    "critical issuer alternative names": (
        (x509.IssuerAlternativeName([DNS("ca.example")]), True),
        ("critical extension issuerAltName (2.5.29.18)",),
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


@pytest.mark.parametrize("name", UNSUITABLE_LEAVES)
def test_an_unsuitable_leaf_is_refused_with_the_rule_and_the_remedy(name: str) -> None:
    extension, words = UNSUITABLE_LEAVES[name]
    leaf = client("alice", ROOT, extra=[extension])
    detail = refusal(CertificateUnsuitable, leaf)
    for word in ("'CN=alice'", *words, "eissue"):
        assert word in detail
    assert not openssl_accepts(leaf, ROOT)


# RFC 3779's addresses below a CA that has them too: OpenSSL compares them, and here nothing does.
ADDRESSES = (unknown("1.3.6.1.5.5.7.1.7", bytes.fromhex("300e300c040200013006030400000000")), False)


def test_what_is_not_processed_here_is_refused_though_openssl_accepts_it() -> None:
    critical_netscape: Extension = (unknown(NS_CERT_TYPE, b"\x03\x02\x07\x80"), True)
    assert answers(client("alice", ROOT, extra=[critical_netscape]), ROOT) == (False, True)
    routing = authority("Root", extra=[ADDRESSES])
    assert answers(client("alice", routing, extra=[ADDRESSES]), routing) == (False, True)
    assert answers(client("alice", routing), routing) == (False, True)


def test_no_rule_of_a_leaf_is_waived_for_one_that_is_pinned() -> None:
    for extension, words in UNSUITABLE_LEAVES.values():
        leaf = client("alice", ROOT, extra=[extension])
        assert words[0] in refusal(CertificateUnsuitable, leaf, leaf)


@pytest.mark.parametrize(
    ("kind", "word", "of_a_ca"),
    [
        ("RSA-1024", "1024 bits, and 2048 are the least", "1024 bits"),
        ("P-192", "named curve", "not supported (1.2.840.10045.2.1"),
    ],
)
def test_a_weak_key_is_refused_on_leaf_intermediate_and_anchor(kind: str, word: str, of_a_ca: str) -> None:
    weak = client("alice", ROOT, key=kind)
    for leaf in (weak, as_v1(weak, ROOT)):
        detail = refusal(CertificateUnsuitable, leaf)
        assert "'CN=alice'" in detail
        assert word in detail
        assert not openssl_accepts(leaf, ROOT)
    root, below = authority("Weak", key=kind), authority("Weak", ROOT, key=kind)
    for leaf, *bundle in ((client("alice", root), root), (client("alice", below), ROOT, below)):
        detail = refusal(CertificateUnsuitable, leaf, *bundle)
        assert "'CN=Weak'" in detail
        assert of_a_ca in detail
        assert not openssl_accepts(leaf, *bundle)


def test_an_rsa_key_needs_2048_bits_where_openssl_takes_one_less() -> None:
    leaf = client("alice", ROOT, key="RSA-2047")
    assert "2047 bits" in refusal(CertificateUnsuitable, leaf)
    assert openssl_accepts(leaf, ROOT)


def test_a_dsa_ca_is_refused_by_the_name_of_the_signature_though_openssl_accepts_it() -> None:
    root = authority("Root", key="DSA-2048")
    detail = refusal(CertificateUnsuitable, client("alice", root), root)
    assert "2.16.840.1.101.3.4.3.2" in detail
    assert "not supported" in detail
    assert openssl_accepts(client("alice", root), root)


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


def test_sha_1_is_refused_by_name_on_leaf_and_intermediate(tmp_path: Path) -> None:
    root, leaf, intermediate = signed_with("sha1", tmp_path)
    bob = client("bob", intermediate)
    for detail, name in (
        (refusal(CertificateUnsuitable, leaf, root), "alice"),
        (refusal(CertificateUnsuitable, bob, root, forwarded=[intermediate]), "Intermediate"),
        (refusal(CertificateUnsuitable, bob, root, intermediate), "Intermediate"),
    ):
        for word in (f"'CN={name}'", "signed with SHA1", "SHA-256"):
            assert word in detail
    assert not openssl_accepts(leaf, root)
    assert not openssl_accepts(bob, root, intermediate)
    assert not openssl_accepts(bob, root, forwarded=[intermediate])


def test_sha_224_is_sha_2_and_strong_enough(tmp_path: Path) -> None:
    root, leaf, intermediate = signed_with("sha224", tmp_path)
    assert answers(leaf, root) == (True, True)
    assert answers(client("bob", intermediate), root, intermediate) == (True, True)


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
    assert answers(client("alice", old), old) == (True, True)


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
    "constrained in URIs": ([(permitted(URI("example.org")), True)], []),
    "constrained in directory names": ([(permitted(x509.DirectoryName(name_of("alice"))), True)], []),
    "constrained in principal names, of which there are none": (
        [(permitted(x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01a")), True)],
        [],
    ),
    **{f"critical {name}": ([extension], []) for name, extension in MAY_BE_CRITICAL.items()},
}


@pytest.mark.parametrize("kind", ["P-256", "Ed25519"])
@pytest.mark.parametrize("name", SUITABLE_CAS)
def test_a_suitable_root_is_accepted(name: str, kind: str) -> None:
    extra, without = SUITABLE_CAS[name]
    root = authority("Root", key=kind, extra=extra, without=without)
    assert answers(client("alice", root), root) == (True, True)


@pytest.mark.parametrize("name", SUITABLE_CAS)
def test_a_suitable_intermediate_is_accepted(name: str) -> None:
    extra, without = SUITABLE_CAS[name]
    intermediate = authority("Intermediate", ROOT, key=INTERMEDIATE_KEY, extra=extra, without=without)
    leaf = client("alice", intermediate)
    assert len(verify(leaf, ROOT, intermediate).chain) == 3
    assert len(verify(leaf, ROOT, forwarded=[intermediate]).chain) == 3
    assert openssl_accepts(leaf, ROOT, intermediate)


# What is refused of a CA

UNSUITABLE_CAS: dict[str, tuple[list[Extension], list[type[x509.ExtensionType]], str]] = {
    "no basic constraints": ([], [x509.BasicConstraints], "no basic constraints"),
    "not a CA": ([(basic(ca=False), True)], [], "CA:TRUE"),
    "no keyCertSign": ([(usage("digital_signature", "crl_sign"), True)], [], "lacks keyCertSign"),
    "no keyCertSign, not critical": ([(usage("digital_signature"), False)], [], "lacks keyCertSign"),
    "serverAuth": ([(purposes("SERVER_AUTH"), False)], [], "serverAuth"),
    "any purpose": ([(purposes("ANY_EXTENDED_KEY_USAGE"), False)], [], "anyExtendedKeyUsage"),
    "an unknown critical extension": ([(unknown(), True)], [], "1.3.6.1.4.1.32473.1"),
    "critical subject key identifier": ([(ski(INTERMEDIATE_KEY), True)], [], "2.5.29.14"),
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
    extra, without, word = UNSUITABLE_CAS[name]
    root = authority("Root", key=kind, extra=extra, without=without)
    leaf = client("alice", root, extra=[(sans(DNS("alice.example.org")), False)])
    detail = refusal(CertificateUnsuitable, leaf, root)
    assert "'CN=Root'" in detail
    assert word in detail
    assert openssl_accepts(leaf, root) is (name in ONLY_HERE)


# OpenSSL takes a self-signed certificate without basic constraints for a CA if its key usage has keyCertSign.
ONLY_HERE = {"no basic constraints"}


@pytest.mark.parametrize("name", UNSUITABLE_CAS)
def test_an_unsuitable_intermediate_is_refused_with_the_rule_in_the_bundle_and_forwarded(name: str) -> None:
    extra, without, word = UNSUITABLE_CAS[name]
    intermediate = authority("Intermediate", ROOT, key=INTERMEDIATE_KEY, extra=extra, without=without)
    leaf = client("alice", intermediate, extra=[(sans(DNS("alice.example.org")), False)])
    for bundle, forwarded in (((ROOT, intermediate), ()), ((ROOT,), (intermediate,))):
        detail = refusal(CertificateUnsuitable, leaf, *bundle, forwarded=forwarded)
        assert "'CN=Intermediate'" in detail
        assert word in detail
        assert not openssl_accepts(leaf, *bundle, forwarded=forwarded)


def test_a_v1_root_is_refused_as_a_ca_though_openssl_accepts_it() -> None:
    root = as_v1(ROOT)
    for leaf in (client("alice", root), as_v1(client("alice", root), root)):
        detail = refusal(CertificateUnsuitable, leaf, root)
        assert "'CN=Root'" in detail
        assert "X.509 v1" in detail
        assert openssl_accepts(leaf, root)


def test_a_v1_intermediate_is_no_ca() -> None:
    intermediate = as_v1(authority("Intermediate", ROOT, key=INTERMEDIATE_KEY), ROOT)
    assert answers(client("alice", intermediate), ROOT, intermediate) == (False, False)


def test_a_ca_without_a_subject_is_refused_though_openssl_accepts_it() -> None:
    root = authority(x509.Name([]))
    leaf = client("alice", root)
    assert "subject is empty" in refusal(CertificateUnsuitable, leaf, root)
    assert openssl_accepts(leaf, root)


@pytest.mark.parametrize("kind", ["Ed25519", "Ed448", "P-224", "secp256k1", "brainpoolP256r1"])
def test_a_ca_of_any_kind_of_key_may_stand_in_the_middle_of_a_path(kind: str) -> None:
    root = authority("Top", key=kind)
    for top, intermediate in (
        (root, authority("Intermediate", root, key=INTERMEDIATE_KEY)),
        (ROOT, authority("Intermediate", ROOT, key=kind)),
    ):
        assert answers(client("alice", intermediate), top, intermediate) == (True, True)


def test_a_v1_leaf_may_stand_below_an_intermediate() -> None:
    intermediate = authority("Intermediate", ROOT, key=INTERMEDIATE_KEY)
    leaf = as_v1(client("alice", intermediate), intermediate)
    assert answers(leaf, ROOT, intermediate) == (True, True)
    assert answers(leaf, ROOT, forwarded=[intermediate]) == (True, True)


# Odd encodings


def changed(position: int, element: bytes) -> Party:
    def change(parts: list[bytes]) -> None:
        parts[position] = element

    return with_change(client("alice", ROOT), change, ROOT)


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.filterwarnings("ignore:Parsed a negative serial number")
@pytest.mark.parametrize("octets", [b"\xff", b"\x85", b"\xff" + bytes(19), b"\x01" + bytes(20), b"\x01" + bytes(21)])
def test_a_serial_number_that_is_negative_or_too_long_is_refused_though_openssl_accepts_it(octets: bytes) -> None:
    leaf = changed(1, tlv(0x02, octets))
    detail = refusal(CertificateUnsuitable, leaf)
    assert "'CN=alice'" in detail
    assert "serial number" in detail
    assert openssl_accepts(leaf, ROOT)


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
@pytest.mark.parametrize("octets", [b"\x00", b"\x7f" + bytes(19), b"\x00\xff" + bytes(19)])
def test_a_serial_number_of_zero_or_of_twenty_octets_is_accepted(octets: bytes) -> None:
    assert answers(changed(1, tlv(0x02, octets)), ROOT) == (True, True)


def test_a_time_before_2050_may_be_a_generalized_time_as_openssl_takes_it() -> None:
    times = tlv(0x30, tlv(0x18, b"20200101000000Z"), tlv(0x18, b"20400101000000Z"))
    assert answers(changed(4, times), ROOT) == (True, True)


# The key identifiers: OpenSSL follows them, and so an issuer that the leaf itself says is another one is none


def test_an_authority_key_identifier_of_another_key_refuses() -> None:
    for ca in (ROOT, authority("Root", key="Ed25519")):
        leaf = client("alice", ca, extra=[(aki(private_key("P-256", 8)), False)])
        detail = refusal(CertificateUntrusted, leaf, ca)
        assert "'CN=alice'" in detail
        assert "key identifier" in detail
        assert not openssl_accepts(leaf, ca)


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
        leaf = client("alice", ROOT, extra=[(identifier, False)])
        assert "key identifier" in refusal(CertificateUntrusted, leaf)
        assert not openssl_accepts(leaf, ROOT)
