"""Why a path was not found: each refusal has a code to branch on and a detail that helps at two in the morning.

That each rule of one certificate is named is in test_policy.py; here are the paths.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type

from sslclientcert import ClientCertError, PresentedChain, TrustStore
from sslclientcert.core.errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUnsuitable,
    CertificateUntrusted,
    TrustStoreUnavailable,
)

from .pki import DAY, NOW, Party, as_v1, authority, basic, certify, client, pem_of, private_key

ROOT = authority("Root")
OTHER = authority("Other", key="P-384")
KEYS = [private_key("P-256", number) for number in range(2, 8)]
LOWER = authority("Lower", ROOT, key=KEYS[0])
LOWEST = authority("Lowest", LOWER, key=KEYS[1])
IMPOSTOR = authority("Root", key=KEYS[2])
EXPIRED = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
FUTURE = authority("Root", start=NOW + DAY)

JARGON = (
    "candidates exhausted",
    "fatal error",
    "interior errors",
    "exceeds max depth",
    "AlgorithmIdentifier",
    "<Certificate",
)


def refusal(
    leaf: Party, *bundle: Party, forwarded: Iterable[Party] = (), max_depth: int = 3
) -> tuple[type[ClientCertError], str]:
    store = TrustStore([party.certificate for party in bundle], max_depth=max_depth)
    with pytest.raises(ClientCertError) as refused:
        store.verify(PresentedChain(leaf.certificate, tuple(one.certificate for one in forwarded)))
    assert not any(word in refused.value.detail for word in JARGON), refused.value
    return type(refused.value), refused.value.detail


def variants(leaf: Party, issuer: Party) -> tuple[Party, Party]:
    return leaf, as_v1(leaf, issuer)


def test_a_leaf_of_an_unknown_ca_is_untrusted_with_the_cas_name_and_those_of_the_anchors() -> None:
    stranger = authority("Stranger", key=KEYS[3])
    for leaf in variants(client("alice", stranger), stranger):
        kind, detail = refusal(leaf, ROOT, OTHER)
        assert kind is CertificateUntrusted
        for word in ("'CN=alice'", "'CN=Stranger'", "'CN=Root'", "'CN=Other'", "the trust store", "not meant for you"):
            assert word in detail


def test_many_anchors_are_listed_in_part() -> None:
    cas = [authority(f"Root {number}") for number in range(9)]
    assert "'CN=Root 4' and 4 more" in refusal(client("alice", LOWER), *cas)[1]


def test_a_leaf_of_a_ca_of_a_known_name_and_another_key_is_untrusted_with_what_may_have_happened() -> None:
    edwards = authority("Root", key="Ed25519")
    for leaf in (*variants(client("alice", IMPOSTOR), IMPOSTOR), *variants(client("alice", edwards), edwards)):
        kind, detail = refusal(leaf, ROOT)
        assert kind is CertificateUntrusted
        for word in ("'CN=alice'", "'CN=Root'", "another CA", "made anew"):
            assert word in detail


def test_a_missing_intermediate_is_told_with_the_remedy() -> None:
    kind, detail = refusal(client("alice", LOWER), ROOT)
    assert kind is CertificateUntrusted
    for word in ("'CN=Lower'", "'CN=alice'", "add its certificate to the bundle", "nginx and Caddy"):
        assert word in detail


def test_a_missing_root_above_an_intermediate_that_was_forwarded_is_told_with_the_remedy() -> None:
    kind, detail = refusal(client("alice", LOWER), OTHER, forwarded=[LOWER])
    assert kind is CertificateUntrusted
    for word in ("'CN=Root'", "the issuer of 'CN=Lower'", "lacks the root above it"):
        assert word in detail


def test_a_missing_intermediate_between_two_others_is_told_with_the_remedy() -> None:
    kind, detail = refusal(client("alice", LOWEST), ROOT, forwarded=[LOWEST])
    assert kind is CertificateUntrusted
    assert "'CN=Lower'" in detail
    assert "the issuer of 'CN=Lowest'" in detail


def test_a_self_signed_stranger_is_told_so() -> None:
    for leaf in (client("alice"), as_v1(client("alice")), client("alice", key="Ed25519")):
        kind, detail = refusal(leaf, ROOT)
        assert kind is CertificateUntrusted
        for word in ("'CN=alice'", "is self-signed", "the trust store does not hold it"):
            assert word in detail


def test_a_whole_chain_of_a_stranger_with_its_root_is_told_by_that_root() -> None:
    stranger = authority("Stranger", key=KEYS[3])
    below = authority("Below", stranger, key=KEYS[4])
    for leaf, forwarded in ((client("alice", stranger), [stranger]), (client("alice", below), [below, stranger])):
        kind, detail = refusal(leaf, ROOT, forwarded=forwarded)
        assert kind is CertificateUntrusted
        assert "'CN=Stranger'" in detail
        assert "the trust store does not hold it" in detail


@pytest.mark.parametrize(
    ("anchor", "kind", "word"),
    [(EXPIRED, CertificateExpired, "expired"), (FUTURE, CertificateNotYetValid, "valid from")],
)
def test_an_anchor_out_of_its_time_is_named(anchor: Party, kind: type[ClientCertError], word: str) -> None:
    for leaf in variants(client("alice", anchor), anchor):
        found, detail = refusal(leaf, OTHER, anchor)
        assert found is kind
        assert "'CN=Root'" in detail
        assert word in detail


def test_an_intermediate_out_of_its_time_is_named() -> None:
    for start, end, kind in (
        (NOW - 9 * DAY, NOW - DAY, CertificateExpired),
        (NOW + DAY, NOW + 9 * DAY, CertificateNotYetValid),
    ):
        intermediate = authority("Lower", ROOT, key=KEYS[0], start=start, end=end)
        for bundle, forwarded in (((ROOT, intermediate), ()), ((ROOT,), (intermediate,))):
            found, detail = refusal(client("alice", intermediate), *bundle, forwarded=forwarded)
            assert found is kind
            assert "'CN=Lower'" in detail


def test_a_root_out_of_its_time_is_named_above_an_intermediate() -> None:
    intermediate = authority("Lower", EXPIRED, key=KEYS[0])
    found, detail = refusal(client("alice", intermediate), EXPIRED, intermediate)
    assert found is CertificateExpired
    assert "'CN=Root'" in detail


def test_a_bundle_of_which_nothing_is_valid_is_the_services_fault() -> None:
    kind, detail = refusal(client("alice", LOWER), EXPIRED, authority("Gone", start=NOW - 9 * DAY, end=NOW - DAY))
    assert kind is TrustStoreUnavailable
    assert "renew the bundle" in detail


def test_the_reason_of_the_ca_that_did_sign_is_told_among_cas_of_one_name() -> None:
    for leaf in variants(client("alice", EXPIRED), EXPIRED):
        for bundle in ((IMPOSTOR, EXPIRED), (EXPIRED, IMPOSTOR)):
            kind, detail = refusal(leaf, *bundle)
            assert kind is CertificateExpired
            assert format(EXPIRED.certificate.serial_number, "X") in detail


def test_a_ca_that_suits_is_preferred_to_one_that_does_not_when_looking_for_the_reason() -> None:
    unsuitable = certify("Lower", ROOT, key=KEYS[0], extensions=[(basic(ca=False), True)])
    suitable = authority("Lower", EXPIRED, key=KEYS[0])
    kind, detail = refusal(client("alice", suitable), EXPIRED, unsuitable, suitable)
    assert kind is CertificateExpired
    assert "'CN=Root'" in detail


def test_a_path_that_is_too_long_says_how_long_it_may_be_and_which_option_says_so() -> None:
    for bundle, forwarded in (((ROOT, LOWER, LOWEST), ()), ((ROOT,), (LOWEST, LOWER))):
        kind, detail = refusal(client("alice", LOWEST), *bundle, forwarded=forwarded, max_depth=1)
        assert kind is CertificateUntrusted
        for word in ("'CN=alice'", "more than 1 intermediate", "max_depth"):
            assert word in detail


def test_a_v1_or_eddsa_leaf_below_an_intermediate_is_told_what_is_supported() -> None:
    edwards = authority("Lower", ROOT, key="Ed25519")
    for leaf, intermediate, word in (
        (as_v1(client("alice", LOWER), LOWER), LOWER, "X.509 v1"),
        (client("alice", edwards), edwards, "Ed25519"),
    ):
        for bundle, forwarded in (((ROOT, intermediate), ()), ((ROOT,), (intermediate,))):
            kind, detail = refusal(leaf, *bundle, forwarded=forwarded)
            assert kind in (CertificateUnsuitable, CertificateUntrusted)
            for expected in ("'CN=alice'", word, "issued directly by an anchor"):
                assert expected in detail


def test_a_name_that_differs_in_its_string_type_only_is_not_called_another_key() -> None:
    # Names are compared byte by byte here, where RFC 5280 section 7.1 and OpenSSL compare them as text.
    printable = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Root", _ASN1Type.PrintableString)])
    leaf = certify("alice", ROOT, issuer_name=printable)
    kind, detail = refusal(leaf, ROOT)
    assert kind is CertificateUntrusted
    assert "its key did not sign" not in detail


def test_the_bundle_is_named_by_its_path(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("secret") / "ca.crt"
    path.write_text(pem_of(ROOT), encoding="ascii")
    with pytest.raises(CertificateUntrusted, match=r"secret0/ca\.crt"):
        TrustStore.from_file(path).verify(PresentedChain(client("alice", LOWER).certificate))


def test_what_a_client_wrote_into_its_certificate_is_quoted_and_clipped() -> None:
    hostile = "x\r\nrefused: nothing\x1b[2J\u202e" + "y" * 30
    detail = refusal(client(f"CN={'z' * 64}"), ROOT)[1]
    assert "z" * 64 in detail
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostile)] * 9)
    stranger = authority(name, key=KEYS[3])
    for leaf in (client(name), client("alice", stranger), client(name, stranger)):
        detail = refusal(leaf, ROOT)[1]
        assert detail.isascii()
        assert detail.isprintable()
        assert len(detail) < 2100


def test_the_answer_for_the_client_never_holds_the_detail() -> None:
    with pytest.raises(ClientCertError) as refused:
        TrustStore([ROOT.certificate]).verify(PresentedChain(client("alice", LOWER).certificate))
    assert set(refused.value.problem()) == {"title", "status", "code"}
    assert not any("alice" in str(value) or "Root" in str(value) for value in refused.value.problem().values())
