"""Which certificates of a bundle are anchors, and which keys are ever used to check a signature.

nginx accepts self-signed anchors alone. So OpenSSL is asked with `-partial_chain` for the anchors that are not.
"""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sslclientcert import PresentedChain, TrustStore
from sslclientcert.core.bundle import parse_certificates
from sslclientcert.core.errors import CAExpired, CertificateRevoked, CertificateUnsuitable, CertificateUntrusted
from sslclientcert.core.links import MOST_CHECKS, Bundle
from sslclientcert.core.signatures import made_signature

from .judge import answers, is_accepted, names, openssl_accepts, refusal, verify
from .pki import (
    DAY,
    NOW,
    Party,
    aki,
    authority,
    client,
    content_of,
    elements,
    pem_of,
    permitted,
    private_key,
    revocation_list,
    sans,
    tlv,
    unknown,
    with_change,
)

KEYS = [private_key("P-256", number) for number in range(2, 8)]
ROOT = authority("Root")
LOWER = authority("Lower", ROOT, key=KEYS[0])
OTHER = authority("Other", key=KEYS[1])
CROSS = authority("Root", OTHER, key=ROOT.key)
ABSENT = authority("Absent", key=KEYS[2])

NO_IDENTIFIERS: list[type[x509.ExtensionType]] = [x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier]

# A certificate that does not parse: an extension holds what it cannot. Name and key can be told.
BROKEN = (unknown("2.5.29.31", b"\x05\x00"), False)


def bundle_of(*parties: Party) -> Bundle:
    return Bundle(*parse_certificates(pem_of(*parties).encode(), "ca.crt"))


def anchors_of(*parties: Party) -> list[Party]:
    anchors = {one.der for one in bundle_of(*parties).anchors}
    return [party for party in parties if party.der in anchors]


def unusable_of(*parties: Party) -> list[Party]:
    unusable = {one.der for one in bundle_of(*parties).unusable}
    return [party for party in parties if party.der in unusable]


def why_unusable(party: Party, *parties: Party) -> str:
    return {one.der: why for one, why in bundle_of(*parties).unusable.items()}[party.der]


def with_wrong_signature(party: Party) -> Party:
    signed, algorithm, signature = elements(content_of(party.der))
    wrong = client("x", party).certificate.signature
    der = tlv(0x30, signed, algorithm, tlv(0x03, b"\0", wrong))
    assert signature != wrong
    return Party(x509.load_der_x509_certificate(der), party.key)


def say_sha_1(party: Party) -> Party:
    """The certificate with SHA-1 in both AlgorithmIdentifiers. Whether it is signed so, nobody checks."""
    algorithm = bytes.fromhex("300906072a8648ce3d0401")
    signed, _, signature = elements(content_of(party.der))
    parts = elements(content_of(signed))
    parts[2] = algorithm
    der = tlv(0x30, tlv(0x30, *parts), algorithm, signature)
    return Party(x509.load_der_x509_certificate(der), party.key)


# What ends a path


def test_a_self_signed_certificate_is_an_anchor_and_what_it_issued_is_not() -> None:
    assert anchors_of(ROOT, LOWER, OTHER) == [ROOT, OTHER]
    assert unusable_of(ROOT, LOWER, OTHER) == []


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "Ed25519", "P-224"])
def test_a_self_signed_certificate_is_an_anchor_whatever_its_key(kind: str) -> None:
    root = authority("Own", key=kind)
    assert anchors_of(root, ROOT) == [root, ROOT]


def test_a_certificate_whose_issuers_name_nobody_bears_is_an_anchor_as_with_partial_chain() -> None:
    leaf, pinned = client("alice", LOWER), client("bob", LOWER)
    assert anchors_of(LOWER, pinned, OTHER) == [LOWER, OTHER]
    assert anchors_of(pinned, OTHER) == [pinned, OTHER]
    for one, *bundle in ((leaf, LOWER), (leaf, LOWER, OTHER), (pinned, pinned)):
        assert answers(one, *bundle) == (True, False)  # nginx accepts self-signed anchors alone
        assert openssl_accepts(one, *bundle, options=["-partial_chain"])


def test_a_certificate_whose_issuers_name_is_there_and_not_its_key_is_unusable_as_with_nginx() -> None:
    impostor = authority("Root", key=KEYS[3])
    assert anchors_of(impostor, LOWER) == [impostor]
    assert "no usable one whose key has signed it" in why_unusable(LOWER, impostor, LOWER)
    assert answers(client("alice", LOWER), impostor, LOWER) == (False, False)


def test_a_self_signed_certificate_with_a_wrong_signature_is_unusable_and_still_counts_as_there() -> None:
    wrong = with_wrong_signature(ROOT)
    assert anchors_of(wrong, LOWER, OTHER) == [OTHER]
    assert unusable_of(wrong, LOWER, OTHER) == [wrong, LOWER]
    assert "signature is wrong" in why_unusable(wrong, wrong, LOWER, OTHER)
    for leaf in (client("alice", LOWER), client("alice", ROOT)):
        refusal(CertificateUntrusted, leaf, wrong, LOWER, OTHER)


def test_a_root_of_which_nobody_can_check_the_signature_is_an_anchor() -> None:
    # As roots of old Active Directories are. OpenSSL does not check an anchor's own signature either.
    old, second = say_sha_1(ROOT), say_sha_1(authority("Root", key=KEYS[3]))
    assert anchors_of(old, LOWER) == [old]
    assert anchors_of(old, second) == [old, second]
    assert answers(client("alice", LOWER), old, LOWER) == (True, True)


def test_a_root_whose_key_is_not_supported_counts_as_self_signed_by_the_family_of_its_key() -> None:
    odd = authority("Root", key="P-192")
    # Next to another certificate of its name it is an anchor only if it counts as self-signed.
    assert anchors_of(odd, ROOT) == [odd, ROOT]
    assert "not supported" in refusal(CertificateUnsuitable, client("alice", odd), odd)


@pytest.mark.parametrize(
    ("kind", "oid"),
    [
        pytest.param("P-256", "2a8648ce3d0401", id="ECDSA"),
        pytest.param("RSA-2048", "2a864886f70d010105", id="RSA"),
        pytest.param("DSA-2048", "2a8648ce380403", id="DSA"),
    ],
)
def test_a_root_signed_with_sha_1_counts_as_self_signed_by_the_family_of_its_key(kind: str, oid: str) -> None:
    algorithm = tlv(0x30, tlv(0x06, bytes.fromhex(oid)))
    signed, _, signature = elements(content_of(ROOT.der))
    parts = elements(content_of(signed))
    parts[2], parts[6] = algorithm, spki_of(private_key(kind, 1).public_key())
    old = Party(x509.load_der_x509_certificate(tlv(0x30, tlv(0x30, *parts), algorithm, signature)), ROOT.key)
    # Next to another certificate of its name it is an anchor only if it counts as self-signed.
    assert anchors_of(old, ROOT) == [old, ROOT]
    parts[6] = spki_of(KEYS[3].public_key() if kind != "P-256" else private_key("RSA-2048").public_key())
    other = Party(x509.load_der_x509_certificate(tlv(0x30, tlv(0x30, *parts), algorithm, signature)), ROOT.key)
    assert anchors_of(other, ROOT) == [ROOT]


def test_a_root_of_an_unknown_algorithm_counts_as_self_signed_if_its_key_and_its_signature_have_that_one() -> None:
    algorithm = tlv(0x30, tlv(0x06, bytes.fromhex("2a030401")))
    signed, _, signature = elements(content_of(ROOT.der))
    parts = elements(content_of(signed))
    parts[2] = algorithm
    parts[6] = tlv(0x30, algorithm, elements(content_of(parts[6]))[1])
    odd = Party(x509.load_der_x509_certificate(tlv(0x30, tlv(0x30, *parts), algorithm, signature)), ROOT.key)
    assert anchors_of(odd, ROOT) == [odd, ROOT]
    parts[2] = algorithm = tlv(0x30, tlv(0x06, bytes.fromhex("2a030402")))
    other = Party(x509.load_der_x509_certificate(tlv(0x30, tlv(0x30, *parts), algorithm, signature)), ROOT.key)
    assert anchors_of(other, ROOT) == [ROOT]


# Cross-certificates


def test_a_cross_certificate_whose_issuer_is_absent_is_an_anchor_alone_and_not_next_to_its_root() -> None:
    assert anchors_of(CROSS) == [CROSS]
    assert anchors_of(CROSS, ROOT) == [ROOT]
    assert anchors_of(CROSS, ROOT, OTHER) == [ROOT, OTHER]
    assert anchors_of(CROSS, OTHER) == [OTHER]


def test_a_cross_certificate_does_not_silence_the_end_the_constraints_and_the_crl_of_its_root() -> None:
    expired = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    narrow = authority("Root", extra=[(permitted(x509.DNSName("example.com")), True)])
    leaf = client("alice", LOWER, extra=[(sans(x509.DNSName("a.example.org")), False)])
    unrelated = authority("Unrelated", key=KEYS[4])
    for bundle in itertools.permutations((expired, CROSS, LOWER, unrelated)):
        refusal(CAExpired, leaf, *bundle)
    for bundle in itertools.permutations((narrow, CROSS, LOWER)):
        refusal(CertificateUnsuitable, leaf, *bundle)
    crls = [revocation_list(ROOT, LOWER.certificate.serial_number), revocation_list(LOWER)]
    for bundle in itertools.permutations((ROOT, CROSS, LOWER)):
        refusal(CertificateRevoked, leaf, *bundle, crls=crls)
    for root in (expired, narrow):
        assert not openssl_accepts(leaf, root, CROSS, LOWER)


def test_a_cross_certificate_of_an_intermediate_does_not_silence_the_root_above_the_other_one() -> None:
    expired = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    beside = authority("Lower", ABSENT, key=LOWER.key)
    assert anchors_of(expired, LOWER, beside) == [expired]
    why = why_unusable(beside, expired, LOWER, beside)
    assert "its issuer, 'CN=Absent', is not in the bundle, where another certificate has its name" in why
    refusal(CAExpired, client("alice", LOWER), expired, LOWER, beside, OTHER)
    assert anchors_of(LOWER, beside) == [LOWER, beside]  # neither has its issuer there


def test_a_certificate_of_the_same_name_and_another_key_is_not_a_cross_certificate() -> None:
    beside = authority("Lower", ABSENT, key=KEYS[3])
    assert anchors_of(ROOT, LOWER, beside) == [ROOT, beside]


# What does not parse counts as there


def test_a_root_that_does_not_parse_does_not_make_an_anchor_of_what_it_issued() -> None:
    broken = authority("Root", extra=[BROKEN])
    bundle = bundle_of(broken, LOWER, OTHER)
    assert [(one.subject, one.spki) for one in bundle.left_out] == [
        (bundle_of(ROOT).certificates[0].subject, bundle_of(ROOT).certificates[0].spki)
    ]
    assert anchors_of(broken, LOWER, OTHER) == [OTHER]
    assert "does not parse" in refusal_of_pem(client("alice", ROOT), broken, LOWER, OTHER)
    assert "unusable" in refusal_of_pem(client("alice", LOWER), broken, LOWER, OTHER)


def refusal_of_pem(leaf: Party, *bundle: Party) -> str:
    store = TrustStore.from_pem(pem_of(*bundle))
    with pytest.raises(CertificateUntrusted) as refused:
        store.verify(PresentedChain(leaf.certificate))
    return refused.value.detail


def test_a_root_that_does_not_parse_stands_for_its_cross_certificate_by_name_and_key() -> None:
    broken, other_key = authority("Root", extra=[BROKEN]), authority("Root", key=KEYS[3], extra=[BROKEN])
    assert anchors_of(broken, CROSS, ABSENT) == [ABSENT]
    assert anchors_of(other_key, CROSS, ABSENT) == [CROSS, ABSENT]


def test_a_certificate_that_does_not_parse_hides_no_fault_of_a_forwarded_chain_of_another_name() -> None:
    weak = say_sha_1(authority("Weak", ABSENT, key=KEYS[3]))
    for bundle in ((ROOT,), (ROOT, authority("Elsewhere", key=KEYS[4], extra=[BROKEN]))):
        assert "'CN=Weak'" in refusal(CertificateUnsuitable, client("alice", weak), *bundle, forwarded=[weak])


def test_a_certificate_that_does_not_parse_stands_for_none_of_another_name() -> None:
    broken = authority("Elsewhere", key=LOWER.key, extra=[BROKEN])
    assert anchors_of(LOWER, broken) == [LOWER]


@pytest.mark.parametrize("is_certificate", [True, False])
def test_next_to_what_has_no_subject_that_can_be_read_only_what_is_self_signed_is_an_anchor(
    is_certificate: bool,
) -> None:
    signed, algorithm, signature = elements(content_of(authority("Spoilt", key=KEYS[3]).der))
    parts = elements(content_of(signed))
    parts[5] = tlv(0x30, tlv(0x31, tlv(0x30, b"\x05\x00")))
    pem = pem_of_der(tlv(0x30, tlv(0x30, *parts), algorithm, signature) if is_certificate else b"\x30\x03\x02\x01\x05")
    alone = Bundle(*parse_certificates(pem_of(LOWER).encode() + pem, "ca.crt"))
    assert [one.subject for one in alone.left_out] == [None]
    assert alone.anchors == frozenset()
    both = Bundle(*parse_certificates(pem + pem_of(LOWER, OTHER).encode(), "ca.crt"))
    assert [one.der for one in both.anchors] == [OTHER.der]
    (why,) = both.unusable.values()
    assert "its issuer, 'CN=Root', is not in the bundle, where another certificate has its name or one that" in why


def pem_of_der(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


# Roots with a new key


def test_a_new_key_signed_by_the_old_one_is_an_anchor_alone_and_linked_next_to_the_old_root() -> None:
    new = authority("Root", ROOT, key=KEYS[3])
    assert anchors_of(new) == [new]
    assert anchors_of(new, ROOT) == [ROOT]
    assert names(verify(client("alice", new), ROOT, new)) == ["alice", "Root", "Root"]
    assert openssl_accepts(client("alice", new), ROOT, new)


def test_an_old_and_a_new_root_that_certified_each_other_are_both_anchors() -> None:
    new = authority("Root", key=KEYS[3])
    new_with_old, old_with_new = authority("Root", ROOT, key=KEYS[3]), authority("Root", new, key=ROOT.key)
    every = (ROOT, new, new_with_old, old_with_new)
    for bundle in itertools.permutations(every):
        assert set(anchors_of(*bundle)) == {ROOT, new}
    for leaf in (client("alice", ROOT), client("alice", new)):
        assert answers(leaf, *every) == (True, True)
        assert answers(leaf, ROOT, new_with_old) == (True, True)


def test_a_new_key_signed_by_the_old_one_without_key_identifiers_counts_as_self_signed_and_its_signature_is_wrong() -> (
    None
):
    new = authority("Root", ROOT, key=KEYS[3], without=NO_IDENTIFIERS)
    assert anchors_of(new, ROOT) == [ROOT]
    assert unusable_of(new, ROOT) == [new]
    assert not is_accepted(client("alice", new), new, ROOT)


@pytest.mark.parametrize(
    "without", [[], [x509.SubjectKeyIdentifier], [x509.AuthorityKeyIdentifier], NO_IDENTIFIERS], ids=len
)
def test_a_new_key_that_the_old_one_signed_with_sha_1_counts_as_self_signed_unless_its_identifiers_say_no(
    without: list[type[x509.ExtensionType]],
) -> None:
    # OpenSSL decides by names, identifiers and the kind of key (EXFLAG_SS), and cannot check SHA-1 either.
    new = say_sha_1(authority("Root", ROOT, key=KEYS[3], without=without))
    assert anchors_of(ROOT, new) == ([ROOT, new] if without else [ROOT])


def test_a_new_key_of_another_kind_signed_by_the_old_one_does_not_count_as_self_signed_without_identifiers() -> None:
    new = authority("Root", ROOT, key="RSA-2048", without=NO_IDENTIFIERS)
    assert anchors_of(new, ROOT) == anchors_of(ROOT, new) == [ROOT]
    assert unusable_of(new, ROOT) == []
    assert names(verify(client("alice", new), ROOT, new)) == ["alice", "Root", "Root"]
    assert openssl_accepts(client("alice", new), ROOT, new)


def test_a_new_key_for_rsassa_pss_alone_signed_by_pkcs_1_does_not_count_as_self_signed_without_identifiers() -> None:
    def restrict(parts: list[bytes]) -> None:
        parts[6] = tlv(0x30, tlv(0x30, bytes.fromhex("06092a864886f70d01010a")), elements(content_of(parts[6]))[1])

    old, key = authority("Root", key="RSA-2048"), private_key("RSA-2048", 1)
    new = with_change(authority("Root", old, key=key, without=NO_IDENTIFIERS), restrict, old)
    leaf = client("alice", new, pss_salt=32)
    assert anchors_of(new, old) == anchors_of(old, new) == [old]
    assert unusable_of(new, old) == []
    assert answers(leaf, old, new) == (True, True)


def test_a_weak_signature_by_a_key_of_another_kind_does_not_count_as_the_roots_own() -> None:
    new = say_sha_1(authority("Root", ROOT, key="RSA-2048", without=NO_IDENTIFIERS))
    assert anchors_of(new, ROOT) == [ROOT]
    assert unusable_of(new, ROOT) == [new]
    assert answers(client("alice", new), ROOT, new) == (False, False)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        pytest.param(aki(ROOT.key), True, id="its own key"),
        pytest.param(aki(KEYS[3]), False, id="another key"),
        pytest.param(
            x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(ROOT.certificate.subject)], 7), True, id="own"
        ),
        pytest.param(
            x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(ROOT.certificate.subject)], 8), False, id="serial"
        ),
        pytest.param(
            x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(OTHER.certificate.subject)], 7), False, id="issuer"
        ),
    ],
)
def test_an_authority_key_identifier_of_another_certificate_makes_a_root_not_count_as_self_signed(
    identifier: x509.AuthorityKeyIdentifier, expected: bool
) -> None:
    root = authority("Root", serial=7, extra=[(identifier, False)])
    new = authority("Root", key=KEYS[4])
    # Next to another certificate of its name it is an anchor only if it counts as self-signed.
    assert (root in anchors_of(root, new)) is expected
    assert answers(client("alice", root), root, new) == (expected, expected)


# Order and copies


def test_neither_the_order_of_a_bundle_nor_copies_change_what_is_an_anchor() -> None:
    broken = authority("Broken", extra=[BROKEN])
    below = authority("Below", broken, key=KEYS[3])
    parties = (ROOT, LOWER, CROSS, below, broken)
    results = set()
    for order in itertools.permutations(parties):
        bundle = bundle_of(*order, order[0])
        results.add(
            (
                frozenset(one.der for one in bundle.anchors),
                frozenset((one.der, why) for one, why in bundle.unusable.items()),
                frozenset(one.der for one in bundle.links.unlinked),
                frozenset(left.subject for left in bundle.left_out),
            )
        )
    assert len(results) == 1


# Which keys are used


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """The key and the signature of every check, from now on."""
    checks: list[tuple[bytes, bytes]] = []

    def recorded(key: Any, scheme: Any, signature: bytes, data: bytes) -> bool:
        checks.append((spki_of(key), signature))
        return made_signature(key, scheme, signature, data)

    monkeypatch.setattr("sslclientcert.core.certificate.made_signature", recorded)
    return checks


def spki_of(key: Any) -> bytes:
    spki: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return spki


def keys_of(*parties: Party) -> set[bytes]:
    return {spki_of(party.key.public_key()) for party in parties}


def asked(store: TrustStore, used: list[tuple[bytes, bytes]], leaf: Party, *forwarded: Party) -> bool:
    """Verify, with the checks of loading the bundle forgotten."""
    used.clear()
    try:
        store.verify(PresentedChain(leaf.certificate, tuple(one.certificate for one in forwarded)))
    except CertificateUntrusted:
        return False
    return True


def test_only_keys_that_the_bundle_has_vouched_for_are_used(used: list[tuple[bytes, bytes]]) -> None:
    store = TrustStore([ROOT.certificate])
    lowest = authority("Lowest", LOWER, key=KEYS[4])
    stranger = authority("Lowest", authority("Lower", key=KEYS[3]), key=KEYS[5])
    own_root = authority("Lower", key=KEYS[3])
    assert asked(store, used, client("alice", lowest), stranger, own_root, lowest, LOWER)
    assert {key for key, _ in used} <= keys_of(ROOT, LOWER, lowest)
    assert not asked(store, used, client("alice", stranger), stranger, own_root, LOWER)
    assert {key for key, _ in used} <= keys_of(ROOT, LOWER)
    assert not asked(store, used, client("alice", ABSENT), ABSENT, stranger, own_root)
    assert {key for key, _ in used} <= keys_of(ROOT)


def test_each_pair_of_certificate_and_key_is_checked_once(used: list[tuple[bytes, bytes]]) -> None:
    lowest = authority("Lowest", LOWER, key=KEYS[4])
    store = TrustStore([ROOT.certificate])
    assert asked(store, used, client("alice", lowest), ROOT, LOWER, lowest, LOWER)
    assert Counter(used).most_common(1)[0][1] == 1
    assert len(used) == 3
    assert asked(TrustStore([ROOT.certificate, LOWER.certificate]), used, client("alice", LOWER))
    assert len(used) == 1  # the links of the bundle are checked when it is loaded


def test_a_chain_that_is_not_told_apart_by_identifiers_costs_at_most_16_checks(used: list[tuple[bytes, bytes]]) -> None:
    store = TrustStore([ROOT.certificate])
    many = [
        authority("Lower", ROOT, key=private_key("P-256", 40 + number), without=NO_IDENTIFIERS) for number in range(9)
    ]
    leaf = client("alice", authority("Lower", key=KEYS[3]), without=NO_IDENTIFIERS)
    assert not asked(store, used, leaf, *many)
    assert len(used) <= MOST_CHECKS == 16
    own = [
        authority("Root", ROOT, key=private_key("P-256", 50 + number), without=NO_IDENTIFIERS) for number in range(9)
    ]
    assert not asked(store, used, client("alice", authority("Root", key=KEYS[3]), without=NO_IDENTIFIERS), *own)
    assert len(used) <= MOST_CHECKS + 1  # the leaf's by the bundle's key is not counted


def test_a_chain_that_needs_more_checks_is_refused_with_the_remedy(used: list[tuple[bytes, bytes]]) -> None:
    store = TrustStore([ROOT.certificate])
    own = [
        authority("Root", ROOT, key=private_key("P-256", 50 + number), without=NO_IDENTIFIERS) for number in range(9)
    ]
    leaf = client("alice", authority("Root", key=KEYS[3]), without=NO_IDENTIFIERS)
    with pytest.raises(CertificateUntrusted, match="more than 16 signature checks.*its own chain"):
        store.verify(PresentedChain(leaf.certificate, tuple(one.certificate for one in own)))
    assert used


def test_the_checks_of_a_leaf_by_the_bundles_keys_are_not_limited(used: list[tuple[bytes, bytes]]) -> None:
    cas = [authority("One Name", key=private_key("P-256", 60 + number), without=NO_IDENTIFIERS) for number in range(33)]
    store = TrustStore([ca.certificate for ca in cas])
    for ca in (cas[0], cas[16], cas[-1]):
        assert asked(store, used, client("alice", ca, without=NO_IDENTIFIERS))
    assert (
        asked(store, used, client("alice", authority("Lower", cas[-1], key=KEYS[3], without=NO_IDENTIFIERS)), LOWER)
        is False
    )


def test_key_identifiers_tell_cas_of_one_name_apart_before_any_check(used: list[tuple[bytes, bytes]]) -> None:
    cas = [authority("One Name", key=private_key("P-256", 60 + number)) for number in range(33)]
    store = TrustStore([ca.certificate for ca in cas])
    assert asked(store, used, client("alice", cas[20]))
    assert len(used) == 1


def test_a_ca_whose_key_does_not_parse_has_signed_nothing_and_hides_no_other_of_its_name() -> None:
    def move_off_curve(parts: list[bytes]) -> None:
        parts[6] = parts[6][:-1] + bytes([parts[6][-1] ^ 1])

    good = authority("Lower", ABSENT, key=KEYS[0])
    odd, leaf = with_change(good, move_off_curve, ABSENT), client("alice", good)
    own = with_change(ROOT, move_off_curve)
    assert anchors_of(own, odd, good) == [odd, good]
    assert unusable_of(own, odd, good) == [own]
    assert "cannot be used" in refusal(CertificateUnsuitable, leaf, odd)
    refusal(CertificateUntrusted, leaf, ABSENT, forwarded=[odd])
    for bundle, forwarded in (((odd, good), ()), ((ABSENT,), (odd, good))):
        assert is_accepted(leaf, *bundle, forwarded=forwarded)


# Forwarded keys


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "Ed25519", "Ed448", "RSA-2048", "RSA-4096"])
def test_a_forwarded_ca_may_have_a_common_key(kind: str) -> None:
    below = authority("Below", ROOT, key=kind)
    assert answers(client("alice", below), ROOT, forwarded=[below]) == (True, True)


@pytest.mark.parametrize("kind", ["P-224", "secp256k1", "brainpoolP256r1"])
def test_an_uncommon_curve_is_used_from_the_bundle_and_not_forwarded_though_openssl_uses_it(kind: str) -> None:
    below = authority("Below", ROOT, key=kind)
    leaf = client("alice", below)
    assert answers(leaf, ROOT, below) == (True, True)
    refusal(CertificateUntrusted, leaf, ROOT, forwarded=[below])
    assert openssl_accepts(leaf, ROOT, forwarded=[below])


def with_rsa(party: Party, issuer: Party, bits: int, exponent: int) -> Party:
    """The certificate with an RSA key of that size. Nobody has the private one, and nobody needs it here."""
    modulus = (1 << bits) - 159
    spki = spki_of(rsa.RSAPublicNumbers(exponent, modulus).public_key())

    def swap(parts: list[bytes]) -> None:
        parts[6] = spki

    return with_change(party, swap, issuer)


RSA_LEAF = client("alice", authority("Below", ROOT, key="RSA-2048"), without=[x509.AuthorityKeyIdentifier])


@pytest.mark.parametrize(
    ("bits", "exponent", "from_bundle", "forwarded"),
    [
        (2048, 65537, True, True),
        (4096, 65537, True, True),
        (4096, (1 << 17) - 1, True, True),
        (4104, 65537, True, False),
        (8192, 65537, True, False),
        (8200, 65537, False, False),
        (2048, (1 << 17) + 1, True, False),
        (2048, (1 << 64) + 1, True, False),
    ],
)
def test_rsa_keys_are_used_up_to_a_size_that_keeps_a_check_cheap(
    bits: int, exponent: int, from_bundle: bool, forwarded: bool, used: list[tuple[bytes, bytes]]
) -> None:
    below = with_rsa(authority("Below", ROOT, key=KEYS[3]), ROOT, bits, exponent)
    key = spki_of(below.certificate.public_key())
    assert not asked(TrustStore([ROOT.certificate, below.certificate]), used, RSA_LEAF)
    assert (key in {one for one, _ in used}) is from_bundle
    assert not asked(TrustStore([ROOT.certificate]), used, RSA_LEAF, below)
    assert (key in {one for one, _ in used}) is forwarded


def test_a_certificate_that_the_bundle_has_is_not_held_to_the_limits_where_a_client_sends_it_too() -> None:
    below = authority("Below", ROOT, key="brainpoolP256r1")
    assert is_accepted(client("alice", below), ROOT, below, forwarded=[below, ROOT])
