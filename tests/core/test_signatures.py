"""Which keys and schemes are used at all, and that inner and outer AlgorithmIdentifier must be one.

cryptography reads explicit curve parameters and restricted RSASSA-PSS keys without a word. Here the bytes decide.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from sslclientcert.core.certificate import ParsedCertificate
from sslclientcert.core.crl import RevocationList
from sslclientcert.core.der import children
from sslclientcert.core.errors import CertificateUnsuitable, CertificateUntrusted, ClientCertError
from sslclientcert.core.signatures import Scheme, kind_of_key, made_signature, scheme_of

from .judge import answers, openssl_accepts, refusal, verify
from .pki import (
    Party,
    authority,
    certify,
    client,
    content_of,
    elements,
    openssl,
    private_key,
    revocation_list,
    signature_by,
    tlv,
    with_change,
)
from .test_presented import x509_oid

ROOT = authority("Root")
RSA_ROOT = authority("RSA Root", key="RSA-2048")


def algorithm(oid: str, *parameters: bytes) -> bytes:
    return tlv(0x30, x509_oid(oid), *parameters)


def load(folder: Path, certificate: str, key: str) -> Party:
    loaded = load_pem_private_key((folder / key).read_bytes(), None)
    found = x509.load_pem_x509_certificate((folder / certificate).read_bytes())
    return Party(found, loaded)  # type: ignore[arg-type]  # a key of a CA


# Explicit curve parameters, the kind of CVE-2020-0601


def explicit(folder: Path) -> tuple[Party, Party]:
    """A root on P-256 whose curve is written out, and a leaf that it issued, made by openssl."""
    curve = ("-name", "prime256v1", "-param_enc", "explicit", "-genkey", "-noout", "-out", "ca.key")
    openssl("ecparam", *curve, cwd=folder)
    openssl("req", "-x509", "-key", "ca.key", "-subj", "/CN=Explicit", "-days", "9", "-out", "ca.crt", cwd=folder)
    issue_by_openssl(folder)
    # Not every cryptography reads such a private key, and no test signs with it.
    root = Party(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), private_key("P-256"))
    return root, load(folder, "alice.crt", "key")


def issued_by_openssl(folder: Path, *options: str) -> tuple[Party, Party]:
    """The root in ca.crt, and a leaf that openssl issues with ca.key."""
    issue_by_openssl(folder, *options)
    return load(folder, "ca.crt", "ca.key"), load(folder, "alice.crt", "key")


def issue_by_openssl(folder: Path, *options: str) -> None:
    (folder / "key").write_text(Party(ROOT.certificate, private_key("P-256", 1)).key_pem, encoding="ascii")
    request = openssl("req", "-new", "-key", "key", "-subj", "/CN=alice", cwd=folder)
    ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", "-days", "9", "-out", "alice.crt")
    openssl("x509", "-req", *ca, *options, cwd=folder, stdin=request)


def test_a_ca_whose_key_has_explicit_curve_parameters_issues_nobody(tmp_path: Path) -> None:
    root, leaf = explicit(tmp_path)
    assert ParsedCertificate(root.certificate).key_kind is None
    assert "explicit parameters" in refusal(CertificateUnsuitable, leaf, root)
    assert not openssl_accepts(leaf, root)


def test_a_leaf_whose_key_has_explicit_curve_parameters_is_refused(tmp_path: Path) -> None:
    root, _ = explicit(tmp_path)
    spki = ParsedCertificate(root.certificate).spki

    def swap(parts: list[bytes]) -> None:
        parts[6] = spki

    leaf = with_change(client("alice", ROOT), swap, ROOT)
    assert "explicit parameters" in refusal(CertificateUnsuitable, leaf, ROOT)
    assert not openssl_accepts(leaf, ROOT)


# RSASSA-PSS keys


def pss(folder: Path, *restriction: str) -> tuple[Party, Party]:
    """A root with an id-RSASSA-PSS key, and a leaf that it issued, made by openssl."""
    options = [part for one in ("rsa_keygen_bits:2048", *restriction) for part in ("-pkeyopt", one)]
    openssl("genpkey", "-algorithm", "rsa-pss", *options, "-out", "ca.key", cwd=folder)
    openssl("req", "-x509", "-key", "ca.key", "-subj", "/CN=PSS", "-days", "9", "-out", "ca.crt", cwd=folder)
    return issued_by_openssl(folder)


def test_an_rsassa_pss_key_without_parameters_makes_pss_signatures(tmp_path: Path) -> None:
    root, leaf = pss(tmp_path)
    assert ParsedCertificate(root.certificate).key_kind == "RSASSA-PSS"
    assert answers(leaf, root) == (True, True)


def test_an_rsassa_pss_key_makes_no_pkcs_1_signatures(tmp_path: Path) -> None:
    root, _ = pss(tmp_path)
    assert answers(client("alice", root), root) == (False, False)
    assert answers(client("alice", root, pss_salt=32), root) == (True, True)


def test_an_rsassa_pss_key_signs_no_list_by_pkcs_1(tmp_path: Path) -> None:
    root, _ = pss(tmp_path)
    crl = RevocationList(revocation_list(root).public_bytes(Encoding.DER))
    assert not crl.is_by(ParsedCertificate(root.certificate))


def test_an_rsassa_pss_key_with_parameters_makes_signatures_of_exactly_these(tmp_path: Path) -> None:
    limits = ("rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256", "rsa_pss_keygen_saltlen:32")
    root, leaf = pss(tmp_path, *limits)
    assert answers(leaf, root) == (True, True)
    # cryptography signs with the key as if it had no parameters: with another hash, and another salt.
    assert answers(client("alice", root, digest=hashes.SHA512(), pss_salt=32), root) == (False, False)
    assert answers(client("alice", root, pss_salt=20), root)[0] is False


def test_what_an_rsassa_pss_signature_says_of_its_trailer_must_be_left_out() -> None:
    leaf = client("alice", RSA_ROOT, pss_salt=32)
    _, outer, _ = elements(content_of(leaf.der))
    oid, parameters = elements(content_of(outer))
    longer = tlv(0x30, oid, tlv(0x30, content_of(parameters), tlv(0xA3, tlv(0x02, b"\1"))))
    assert ParsedCertificate(leaf.certificate).scheme is not None
    assert scheme_of(longer, leaf.certificate) is None
    assert scheme_of(tlv(0x30, oid), leaf.certificate) is None


SHA_256, UNKNOWN_HASH = "300d06096086480165030402010500", "300d06096086480165030402630500"


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param(f"3034a00f{UNKNOWN_HASH}a11c301a06092a864886f70d010108{SHA_256}a203020120", id="an unknown hash"),
        pytest.param(f"3034a00f{SHA_256}a11c301a06092a864886f70d010163{SHA_256}a203020120", id="no mask generation"),
        pytest.param("3000", id="SHA-1"),
        pytest.param("", id="no parameters"),
    ],
)
def test_an_rsassa_pss_signature_with_parameters_that_are_not_supported_has_no_scheme(parameters: str) -> None:
    leaf = client("alice", RSA_ROOT, pss_salt=32)
    signed, outer, signature = elements(content_of(leaf.der))
    parts = elements(content_of(signed))
    parts[2] = tlv(0x30, elements(content_of(outer))[0], bytes.fromhex(parameters))
    odd = x509.load_der_x509_certificate(tlv(0x30, tlv(0x30, *parts), parts[2], signature))
    assert scheme_of(parts[2], odd) is None
    assert "not supported" in refusal(CertificateUnsuitable, Party(odd, leaf.key), RSA_ROOT)


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_the_longest_salt_is_taken_too(digest: hashes.HashAlgorithm) -> None:
    longest = 256 - digest.digest_size - 2
    assert answers(client("alice", RSA_ROOT, digest=digest, pss_salt=longest), RSA_ROOT) == (True, True)


# The two AlgorithmIdentifiers of a certificate


def resigned(party: Party, issuer: Party, inner: bytes, outer: bytes) -> Party:
    """The certificate with these AlgorithmIdentifiers, inside what is signed and outside. SHA-256 is what signs it."""
    signed, _, _ = elements(content_of(party.der))
    parts = elements(content_of(signed))
    parts[2] = inner
    body = tlv(0x30, *parts)
    der = tlv(0x30, body, outer, tlv(0x03, b"\0", signature_by(issuer.key, body)))
    return Party(x509.load_der_x509_certificate(der), party.key)


ECDSA_256, ECDSA_384 = algorithm("1.2.840.10045.4.3.2"), algorithm("1.2.840.10045.4.3.3")
NULL = b"\x05\x00"
RSA_256, RSA_256_BARE = algorithm("1.2.840.113549.1.1.11", NULL), algorithm("1.2.840.113549.1.1.11")


def test_inner_and_outer_algorithm_are_the_same_or_the_certificate_is_refused() -> None:
    leaf = client("alice", ROOT)
    assert answers(resigned(leaf, ROOT, ECDSA_256, ECDSA_256), ROOT) == (True, True)
    for inner in (ECDSA_384, RSA_256):
        other = resigned(leaf, ROOT, inner, ECDSA_256)
        refusal(CertificateUnsuitable, other, ROOT)
        assert not openssl_accepts(other, ROOT)


def test_an_rsa_algorithm_may_lack_its_null_and_must_then_lack_it_twice() -> None:
    leaf = client("alice", RSA_ROOT)
    assert answers(resigned(leaf, RSA_ROOT, RSA_256, RSA_256), RSA_ROOT) == (True, True)
    assert answers(resigned(leaf, RSA_ROOT, RSA_256_BARE, RSA_256_BARE), RSA_ROOT) == (True, True)
    for inner, outer in ((RSA_256, RSA_256_BARE), (RSA_256_BARE, RSA_256)):
        assert answers(resigned(leaf, RSA_ROOT, inner, outer), RSA_ROOT) == (False, False)


def test_an_anchor_that_says_its_algorithm_in_two_ways_is_no_less_an_anchor() -> None:
    # Nobody relies on an anchor's own signature, and what cannot be checked does not make it wrong.
    odd = resigned(ROOT, ROOT, ECDSA_384, ECDSA_256)
    assert ParsedCertificate(odd.certificate).scheme is None
    assert verify(client("alice", ROOT), odd).common_name == "alice"


# The fixed lists


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *((curve, curve) for curve in ("secp256k1", "brainpoolP256r1")),
        *(("P-224", "secp224r1"), ("P-256", "secp256r1"), ("P-384", "secp384r1"), ("P-521", "secp521r1")),
        *(("RSA-2048", "RSA"), ("Ed25519", "Ed25519"), ("Ed448", "Ed448"), ("P-192", None), ("DSA-2048", None)),
    ],
)
def test_a_key_is_called_by_its_kind_and_one_that_is_not_used_has_none(kind: str, expected: str | None) -> None:
    assert ParsedCertificate(certify("x", ROOT, key=kind).certificate).key_kind == expected


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        ("RSA", algorithm("1.2.840.113549.1.1.1", NULL)),
        ("RSA", algorithm("1.2.840.113549.1.1.1")),
        ("RSASSA-PSS", algorithm("1.2.840.113549.1.1.10")),
        *(
            (kind, algorithm("1.2.840.10045.2.1", x509_oid(curve)))
            for kind, curve in (
                ("secp224r1", "1.3.132.0.33"),
                ("secp256r1", "1.2.840.10045.3.1.7"),
                ("secp384r1", "1.3.132.0.34"),
                ("secp521r1", "1.3.132.0.35"),
                ("secp256k1", "1.3.132.0.10"),
                ("brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7"),
                ("brainpoolP384r1", "1.3.36.3.3.2.8.1.1.11"),
                ("brainpoolP512r1", "1.3.36.3.3.2.8.1.1.13"),
            )
        ),
        ("Ed25519", algorithm("1.3.101.112")),
        ("Ed448", algorithm("1.3.101.113")),
        *(
            (f"ML-DSA-{size}", algorithm(f"2.16.840.1.101.3.4.3.{last}"))
            for size, last in ((44, 17), (65, 18), (87, 19))
        ),
    ],
)
def test_every_kind_of_key_that_is_used_is_told_by_its_algorithm(kind: str, identifier: bytes) -> None:
    assert kind_of_key(identifier) == kind


CURVES = frozenset({f"secp{name}" for name in ("224r1", "256r1", "384r1", "521r1", "256k1")})
CURVES |= {f"brainpoolP{bits}r1" for bits in (256, 384, 512)}
DIGESTS = ("sha224", "sha256", "sha384", "sha512", "sha3-224", "sha3-256", "sha3-384", "sha3-512")
RSA_OIDS = [
    *(f"1.2.840.113549.1.1.{last}" for last in (14, 11, 12, 13)),
    *(f"2.16.840.1.101.3.4.3.{last}" for last in (13, 14, 15, 16)),
]
ECDSA_OIDS = [
    *(f"1.2.840.10045.4.3.{last}" for last in (1, 2, 3, 4)),
    *(f"2.16.840.1.101.3.4.3.{last}" for last in (9, 10, 11, 12)),
]


@pytest.mark.parametrize(("oid", "digest"), list(zip(RSA_OIDS, DIGESTS, strict=True)))
def test_every_pkcs_1_signature_is_told_with_its_null_and_without_it(oid: str, digest: str) -> None:
    for parameters in ((), (NULL,)):
        scheme = scheme_of(algorithm(oid, *parameters), ROOT.certificate)
        assert scheme is not None
        assert scheme.hash is not None
        assert (scheme.keys, scheme.hash.name) == (frozenset({"RSA"}), digest)
        assert isinstance(scheme.padding, padding.PKCS1v15)


@pytest.mark.parametrize(("oid", "digest"), list(zip(ECDSA_OIDS, DIGESTS, strict=True)))
def test_every_ecdsa_signature_is_told_without_parameters_alone(oid: str, digest: str) -> None:
    scheme = scheme_of(algorithm(oid), ROOT.certificate)
    assert scheme is not None
    assert scheme.hash is not None
    assert (scheme.keys, scheme.hash.name, scheme.padding) == (CURVES, digest, None)
    assert scheme_of(algorithm(oid, NULL), ROOT.certificate) is None


@pytest.mark.parametrize(
    ("kind", "oid"),
    [
        *(("Ed25519", "1.3.101.112"), ("Ed448", "1.3.101.113"), ("ML-DSA-44", "2.16.840.1.101.3.4.3.17")),
        *(("ML-DSA-65", "2.16.840.1.101.3.4.3.18"), ("ML-DSA-87", "2.16.840.1.101.3.4.3.19")),
    ],
)
def test_a_signature_without_a_hash_is_made_by_the_kind_of_key_that_has_its_algorithm(kind: str, oid: str) -> None:
    assert scheme_of(algorithm(oid), ROOT.certificate) == Scheme(frozenset({kind}))


@pytest.mark.parametrize("digest", [hashes.SHA224(), hashes.SHA3_256(), hashes.SHA3_512()])
def test_an_rsassa_pss_signature_may_have_any_strong_hash(digest: hashes.HashAlgorithm) -> None:
    leaf = client("alice", RSA_ROOT, digest=digest, pss_salt=32)
    assert verify(leaf, RSA_ROOT).common_name == "alice"


@pytest.mark.parametrize(
    "identifier",
    [
        pytest.param(algorithm("1.2.840.10045.2.1"), id="EC without a curve"),
        pytest.param(algorithm("1.2.840.10045.2.1", NULL), id="EC with the issuer's curve"),
        pytest.param(algorithm("1.2.840.113549.1.1.1", tlv(0x30)), id="RSA with a sequence"),
        pytest.param(algorithm("1.3.101.112", NULL), id="Ed25519 with parameters"),
        pytest.param(algorithm("1.3.101.112") + b"\0", id="a byte behind it"),
        pytest.param(algorithm("1.2.840.113549.1.1.7", NULL), id="RSAES-OAEP"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_key_of_any_other_algorithm_is_not_used(identifier: bytes) -> None:
    assert kind_of_key(identifier) is None


@pytest.mark.parametrize(
    "oid",
    [
        pytest.param("1.2.840.113549.1.1.4", id="MD5 with RSA"),
        pytest.param("1.2.840.113549.1.1.5", id="SHA-1 with RSA"),
        pytest.param("1.2.840.10045.4.1", id="SHA-1 with ECDSA"),
        pytest.param("2.16.840.1.101.3.4.3.2", id="DSA"),
        pytest.param("1.2.3", id="what nobody knows"),
    ],
)
def test_a_weak_or_unknown_signature_has_no_scheme(oid: str) -> None:
    for parameters in ((), (NULL,)):
        assert scheme_of(algorithm(oid, *parameters), ROOT.certificate) is None


@pytest.mark.parametrize("digest", [hashes.SHA3_224(), hashes.SHA3_256(), hashes.SHA3_384(), hashes.SHA3_512()])
def test_sha_3_is_strong_with_rsa_and_with_ecdsa_which_openssl_3_0_does_not_know(digest: hashes.HashAlgorithm) -> None:
    root, curve = authority("Root", key="RSA-2048", digest=digest), authority("Root", key="P-256", digest=digest)
    assert answers(client("alice", root, digest=digest), root) == (True, True)
    assert verify(client("alice", curve, digest=digest), curve).common_name == "alice"


def test_a_scheme_is_held_to_the_kinds_of_key_that_make_it() -> None:
    # An RSA key under an ECDSA algorithm: no key of that kind has that name, and nothing is verified with another.
    leaf = resigned(client("alice", RSA_ROOT), RSA_ROOT, ECDSA_256, ECDSA_256)
    detail = refusal(CertificateUntrusted, leaf, RSA_ROOT)
    assert "its key did not sign this" in detail
    assert not openssl_accepts(leaf, RSA_ROOT)


# The check itself


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048", "Ed25519"])
def test_a_signature_of_other_data_by_another_key_or_cut_short_was_not_made(kind: str) -> None:
    root, other = authority("Root", key=private_key(kind, 0)), private_key(kind, 9)
    child = client("alice", root)
    parsed = ParsedCertificate(child.certificate)
    signed, signature, key = children(child.der)[0], child.certificate.signature, root.key.public_key()
    assert parsed.scheme is not None
    assert made_signature(key, parsed.scheme, signature, signed)
    for wrong in ((key, signature, signed + b"\0"), (other.public_key(), signature, signed)):
        assert not made_signature(wrong[0], parsed.scheme, wrong[1], wrong[2])
    for broken in (signature[:-1], b"", bytes(len(signature)), signature + b"\0"):
        assert not made_signature(key, parsed.scheme, broken, signed)


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_a_hash_may_be_given_in_place_of_the_data(kind: str) -> None:
    root = authority("Root", key=private_key(kind, 0))
    child = client("alice", root)
    parsed = ParsedCertificate(child.certificate)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(children(child.der)[0])
    assert parsed.scheme is not None
    key, signature = root.key.public_key(), child.certificate.signature
    assert made_signature(key, parsed.scheme, signature, digest.copy().finalize(), is_hashed=True)
    assert not made_signature(key, parsed.scheme, signature, bytes(32), is_hashed=True)


def test_a_key_of_another_kind_than_the_scheme_made_no_signature_and_raises_nothing() -> None:
    schemes = [ParsedCertificate(authority("x", key=kind).certificate) for kind in ("P-256", "RSA-2048", "Ed25519")]
    for one in schemes:
        for other in schemes:
            if one is not other:
                assert one.scheme is not None
                assert made_signature(other.key, one.scheme, one.certificate.signature, b"data") is False


def test_a_key_too_short_for_the_hash_of_a_pss_signature_made_none_and_raises_nothing() -> None:
    short = rsa.RSAPublicNumbers(65537, (1 << 512) - 159).public_key()
    scheme = Scheme(frozenset({"RSA"}), hashes.SHA512(), padding.PSS(padding.MGF1(hashes.SHA512()), 32))
    assert made_signature(short, scheme, bytes(64), b"data") is False


def test_a_signature_on_a_curve_is_not_taken_for_one_with_a_padding_of_rsa() -> None:
    parsed = ParsedCertificate(ROOT.certificate)
    signed, signature = children(ROOT.der)[0], ROOT.certificate.signature
    assert parsed.scheme is not None
    assert made_signature(parsed.key, parsed.scheme, signature, signed)
    assert not made_signature(parsed.key, parsed.scheme._replace(padding=padding.PKCS1v15()), signature, signed)


def test_pkcs_1_and_pss_are_not_taken_for_each_other() -> None:
    parsed = ParsedCertificate(client("alice", RSA_ROOT, pss_salt=32).certificate)
    plain = ParsedCertificate(client("alice", RSA_ROOT).certificate)
    key = RSA_ROOT.key.public_key()
    assert parsed.scheme is not None
    assert plain.scheme is not None
    assert isinstance(parsed.scheme.padding, padding.PSS)
    for one, scheme in ((parsed, plain.scheme), (plain, parsed.scheme)):
        assert not made_signature(key, scheme, one.certificate.signature, children(one.der)[0])


def test_a_point_that_is_not_on_its_curve_is_no_key() -> None:
    def spoil(parts: list[bytes]) -> None:
        head, _ = elements(content_of(parts[6]))
        parts[6] = tlv(0x30, head, tlv(0x03, b"\0\4", b"\1" * 64))

    leaf = with_change(client("alice", ROOT), spoil, ROOT)
    root = with_change(authority("Odd"), spoil)
    refusal(CertificateUnsuitable, leaf, ROOT)
    with pytest.raises(ClientCertError):
        verify(client("alice", Party(root.certificate, ROOT.key)), root, ROOT)
