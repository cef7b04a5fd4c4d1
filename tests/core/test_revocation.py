"""CRLs as nginx's `ssl_crl` treats them: every certificate below the anchor needs a current list of its issuer.

A list that cannot be used stops no application, and leaves the certificates of its issuer unknown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from sslclientcert import ClientCertError, PresentedChain, TrustStore
from sslclientcert.core.certificate import ParsedCertificate
from sslclientcert.core.crl import RevocationList
from sslclientcert.core.errors import CertificateRevoked, RevocationUnknown
from sslclientcert.core.validation import validate

from .pki import (
    DAY,
    NOW,
    Party,
    aki,
    as_v1,
    authority,
    client,
    content_of,
    elements,
    openssl,
    pem_of_crls,
    private_key,
    revocation_list,
    revoked_entry,
    rewritten,
    tlv,
    unknown,
    usage,
    with_change,
)
from .test_bundle import ODD_CRLS

ROOT = authority("Root")
LOWER = authority("Lower", ROOT, key=private_key("P-256", 3))
LEAF = client("alice", LOWER)
SERIAL = LEAF.certificate.serial_number
CRL = x509.CertificateRevocationList


class Period(TypedDict):
    start: dt.datetime
    end: dt.datetime


STALE: Period = {"start": NOW - 9 * DAY, "end": NOW - DAY}
FUTURE: Period = {"start": NOW + DAY, "end": NOW + 9 * DAY}


def store(*lists: CRL, bundle: Iterable[Party] = (ROOT, LOWER), revocation: str | None = None) -> TrustStore:
    return TrustStore([party.certificate for party in bundle], crls=lists, revocation=revocation)


def judge(
    *lists: CRL,
    leaf: Party = LEAF,
    bundle: Iterable[Party] = (ROOT, LOWER),
    revocation: str | None = None,
    at: dt.datetime | None = None,
) -> str:
    """The code of the refusal; "" if there is none."""
    try:
        store(*lists, bundle=bundle, revocation=revocation).verify(PresentedChain(leaf.certificate), at=at)
    except ClientCertError as error:
        return error.code
    return ""


def detail(
    *lists: CRL, leaf: Party = LEAF, bundle: Iterable[Party] = (ROOT, LOWER), at: dt.datetime | None = None
) -> str:
    with pytest.raises((CertificateRevoked, RevocationUnknown)) as refused:
        store(*lists, bundle=bundle).verify(PresentedChain(leaf.certificate), at=at)
    return refused.value.detail


# What is covered


def test_a_certificate_on_no_list_is_accepted_and_one_on_its_issuers_list_is_revoked() -> None:
    assert judge(revocation_list(ROOT), revocation_list(LOWER)) == ""
    assert judge(revocation_list(ROOT), revocation_list(LOWER, SERIAL + 1)) == ""
    assert judge(revocation_list(ROOT), revocation_list(LOWER, SERIAL)) == "certificate_revoked"


def test_a_revoked_intermediate_takes_everything_below_it_along() -> None:
    lists = (revocation_list(ROOT, LOWER.certificate.serial_number), revocation_list(LOWER))
    assert judge(*lists) == "certificate_revoked"
    assert "'CN=Lower'" in detail(*lists)
    forwarded = PresentedChain(LEAF.certificate, (LOWER.certificate,))
    with pytest.raises(CertificateRevoked, match="CN=Lower"):
        store(*lists, bundle=[ROOT]).verify(forwarded)


def test_a_serial_number_is_revoked_for_its_issuer_only() -> None:
    assert judge(revocation_list(ROOT, SERIAL), revocation_list(LOWER)) == ""


def test_a_v1_leaf_is_looked_up_too() -> None:
    v1 = as_v1(client("alice", ROOT), ROOT)
    assert judge(revocation_list(ROOT), leaf=v1, bundle=[ROOT]) == ""
    assert judge(revocation_list(ROOT, v1.certificate.serial_number), leaf=v1, bundle=[ROOT]) == "certificate_revoked"


@pytest.mark.parametrize("kind", ["P-384", "RSA-2048", "Ed25519"])
def test_lists_signed_with_any_key_of_a_ca_are_read(kind: str) -> None:
    ca = authority("CA", key=kind)
    leaf = client("alice", ca)
    assert judge(revocation_list(ca), leaf=leaf, bundle=[ca]) == ""
    assert judge(revocation_list(ca, leaf.certificate.serial_number), leaf=leaf, bundle=[ca]) == "certificate_revoked"


def test_a_pinned_leaf_has_nothing_above_it_that_could_revoke_it() -> None:
    assert judge(revocation_list(ROOT, SERIAL), bundle=[LEAF]) == ""


def test_a_pinned_leaf_that_is_self_signed_needs_no_list_and_may_be_on_its_own() -> None:
    own = client("alice", extra=[(usage("digital_signature", "crl_sign"), True)])
    serial = own.certificate.serial_number
    assert judge(leaf=own, bundle=[own], revocation="require") == ""
    assert judge(revocation_list(own), leaf=own, bundle=[own]) == ""
    assert judge(revocation_list(own, serial), leaf=own, bundle=[own]) == "certificate_revoked"
    assert judge(revocation_list(own, serial, **STALE), leaf=own, bundle=[own]) == "certificate_revoked"


def test_the_list_of_an_anchor_that_another_ca_issued_is_about_others_of_its_serial_number() -> None:
    both = usage("digital_signature", "key_cert_sign", "crl_sign")
    anchor = authority("Lower", ROOT, key=LOWER.key, serial=7, extra=[(both, True)])
    assert judge(revocation_list(anchor, 7), leaf=anchor, bundle=[anchor]) == ""
    assert judge(revocation_list(anchor, 7), leaf=client("alice", anchor), bundle=[anchor]) == ""
    assert judge(revocation_list(anchor, 7), leaf=client("alice", anchor, serial=7), bundle=[anchor]) != ""


def test_a_new_key_of_a_ca_does_not_revoke_its_own_certificate_by_the_old_one_as_with_openssl() -> None:
    new = authority("Root", ROOT, key=private_key("P-256", 5), serial=7)
    lists = [revocation_list(ca, 7, extensions=[(aki(ca.key), False)]) for ca in (ROOT, new)]
    good = revocation_list(ROOT, extensions=[(aki(ROOT.key), False)])
    assert judge(good, lists[1], leaf=client("alice", new), bundle=[ROOT, new]) == ""
    assert judge(*lists, leaf=client("alice", new), bundle=[ROOT, new]) == "certificate_revoked"


def test_a_root_that_revoked_itself_is_refused_as_openssl_does() -> None:
    assert judge(revocation_list(ROOT, ROOT.certificate.serial_number), revocation_list(LOWER)) != ""


# Modes


def test_the_default_is_to_require_where_there_are_lists_and_off_where_there_are_none() -> None:
    assert judge() == ""
    assert judge(revocation_list(LOWER)) == "revocation_unknown"
    assert judge(revocation="require") == "revocation_unknown"


def test_if_available_accepts_what_no_current_list_covers_and_refuses_what_is_revoked() -> None:
    for lists in ((), (revocation_list(LOWER),), (revocation_list(ROOT), revocation_list(LOWER, **STALE))):
        assert judge(*lists, revocation="if-available") == ""
    assert judge(revocation_list(LOWER, SERIAL), revocation="if-available") == "certificate_revoked"
    lists = (revocation_list(ROOT, LOWER.certificate.serial_number),)
    assert judge(*lists, revocation="if-available") == "certificate_revoked"


def test_off_asks_no_list() -> None:
    assert judge(revocation_list(LOWER, SERIAL), revocation="off") == ""


def test_what_a_stale_list_revoked_stays_revoked_while_there_is_no_newer_one() -> None:
    for revocation in ("require", "if-available"):
        lists = (revocation_list(ROOT), revocation_list(LOWER, SERIAL, **STALE))
        assert judge(*lists, revocation=revocation) == "certificate_revoked"


def test_what_a_list_that_has_yet_to_begin_revokes_is_revoked_while_there_is_no_current_one() -> None:
    for revocation in ("require", "if-available"):
        for lists in ((), (revocation_list(LOWER, **STALE),)):
            later = revocation_list(LOWER, SERIAL, **FUTURE)
            assert judge(revocation_list(ROOT), *lists, later, revocation=revocation) == "certificate_revoked"


def test_what_the_newer_of_two_stale_lists_no_longer_names_is_not_revoked() -> None:
    older = revocation_list(LOWER, SERIAL, start=NOW - 19 * DAY, end=NOW - 8 * DAY)
    newer = revocation_list(LOWER, **STALE)
    for lists in ((older, newer), (newer, older)):
        assert judge(*lists, revocation="if-available") == ""


def test_a_list_that_cannot_be_used_revokes_nothing_by_the_entries_in_front_of_the_fault() -> None:
    odd = revoked_entry(SERIAL + 1, (unknown(), True))
    for own in (SERIAL, ROOT.certificate.serial_number):
        lists = (revocation_list(LOWER, own, odd), revocation_list(ROOT, own, odd))
        assert judge(*lists) == judge(*lists, revocation="if-available") == "revocation_unknown"
    root = authority("Root", serial=7)
    assert judge(revocation_list(root, 7, odd), leaf=client("alice", root), bundle=[root]) == "revocation_unknown"


# Missing, stale, unsigned: unknown, with the reason


def test_a_list_that_is_missing_is_told_by_the_name_of_its_issuer() -> None:
    for lists, issuer, certificate in (
        ((revocation_list(ROOT),), "Lower", "alice"),
        ((revocation_list(LOWER),), "Root", "Lower"),
    ):
        assert judge(*lists) == "revocation_unknown"
        told = detail(*lists)
        assert f"no CRL covers 'CN={certificate}'" in told
        assert f"none of its issuer 'CN={issuer}'" in told


@pytest.mark.parametrize("period", [STALE, FUTURE])
def test_a_list_that_is_not_current_is_told_with_its_period(period: Period) -> None:
    lists = (revocation_list(ROOT), revocation_list(LOWER, **period))
    assert judge(*lists) == "revocation_unknown"
    told = detail(*lists)
    for word in ("CRL of 'CN=Lower'", "is not current", period["start"].isoformat(), period["end"].isoformat()):
        assert word in told


def test_a_list_is_current_from_its_first_second_to_its_last() -> None:
    lists = (revocation_list(ROOT, start=NOW, end=NOW + DAY), revocation_list(LOWER, start=NOW, end=NOW + DAY))
    second = dt.timedelta(seconds=1)
    for at in (NOW, NOW + DAY):
        assert judge(*lists, at=at) == ""
    for at in (NOW - second, NOW + DAY + second):
        assert judge(*lists, at=at) == "revocation_unknown"


def test_a_list_that_another_key_signed_is_not_used() -> None:
    impostor = private_key("P-256", 8)
    lists = (revocation_list(ROOT), revocation_list(LOWER, key=impostor))
    assert judge(*lists) == "revocation_unknown"
    assert "not signed by that CA's key" in detail(*lists)
    assert judge(revocation_list(ROOT), revocation_list(LOWER, SERIAL, key=impostor)) == "revocation_unknown"


@pytest.mark.parametrize("kind", ["RSA-2048", "Ed25519"])
def test_a_list_that_a_key_of_another_kind_signed_is_not_used(kind: str) -> None:
    forged = revocation_list(LOWER, SERIAL, key=private_key(kind))
    assert judge(revocation_list(ROOT), forged) == "revocation_unknown"
    assert judge(revocation_list(ROOT), revocation_list(LOWER), forged) == ""


def test_a_ca_whose_key_does_not_parse_has_signed_no_list() -> None:
    def move_off_curve(parts: list[bytes]) -> None:
        parts[6] = parts[6][:-1] + bytes([parts[6][-1] ^ 1])

    odd = ParsedCertificate(with_change(LOWER, move_off_curve, ROOT).certificate)
    crl = RevocationList(revocation_list(LOWER).public_bytes(Encoding.DER))
    assert crl.is_by(ParsedCertificate(LOWER.certificate))
    assert not crl.is_by(odd)


def test_a_weak_list_that_names_another_key_as_its_signers_leaves_nothing_unknown() -> None:
    sha_1 = bytes.fromhex("300906072a8648ce3d0401")
    for key, expected in ((LOWER.key, "revocation_unknown"), (private_key("P-256", 8), "")):
        der = revocation_list(LOWER, extensions=[(aki(key), False)]).public_bytes(Encoding.DER)
        signed, algorithm, signature = elements(content_of(der))
        weak = tlv(0x30, tlv(0x30, content_of(signed).replace(algorithm, sha_1)), sha_1, signature)
        lists = (revocation_list(ROOT), revocation_list(LOWER), x509.load_der_x509_crl(weak))
        assert judge(*lists) == expected


def test_a_list_whose_authority_key_identifier_has_a_name_that_cannot_be_compared_leaves_everything_unknown() -> None:
    odd = tlv(0xA4, tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(0x04, b"x")))))
    number = LOWER.certificate.serial_number
    serial = tlv(0x82, number.to_bytes(number.bit_length() // 8 + 1))
    extension = unknown("2.5.29.35", tlv(0x30, tlv(0xA1, odd), serial))
    assert judge(revocation_list(ROOT), revocation_list(LOWER, extensions=[(extension, False)])) == "revocation_unknown"


def test_a_ca_of_another_name_has_signed_no_list_though_its_key_has() -> None:
    crl = RevocationList(revocation_list(LOWER).public_bytes(Encoding.DER))
    assert not crl.is_by(ParsedCertificate(authority("Other", key=LOWER.key).certificate))


def test_a_list_that_was_tampered_with_is_not_used() -> None:
    genuine = revocation_list(LOWER, SERIAL).public_bytes(Encoding.DER)
    at = genuine.index(tlv(0x02, SERIAL.to_bytes(20)) if SERIAL >> 159 == 0 else SERIAL.to_bytes(20)) + 5
    tampered = x509.load_der_x509_crl(genuine[:at] + bytes([genuine[at] ^ 1]) + genuine[at + 1 :])
    assert judge(revocation_list(ROOT), tampered) == "revocation_unknown"


def test_a_ca_whose_key_usage_lacks_crl_sign_cannot_sign_one() -> None:
    lower = authority("Lower", ROOT, key=LOWER.key, extra=[(usage("key_cert_sign"), True)])
    lists = (revocation_list(ROOT), revocation_list(lower))
    assert judge(*lists, bundle=[ROOT, lower]) == "revocation_unknown"
    assert "lacks cRLSign" in detail(*lists, bundle=[ROOT, lower])


def test_a_ca_without_a_key_usage_can_sign_one() -> None:
    lower = authority("Lower", ROOT, key=LOWER.key, without=[x509.KeyUsage])
    assert judge(revocation_list(ROOT), revocation_list(lower), bundle=[ROOT, lower]) == ""


def test_a_list_that_names_another_key_as_its_signers_is_not_used() -> None:
    lists = (revocation_list(ROOT), revocation_list(LOWER, extensions=[(aki(private_key("P-256", 8)), False)]))
    assert judge(*lists) == "revocation_unknown"
    told = detail(*lists)
    assert "authority key identifier" in told
    assert "means another key" in told
    extensions = [(aki(LOWER.key), False)]
    assert judge(revocation_list(ROOT), revocation_list(LOWER, extensions=extensions)) == ""


# Several lists


def test_of_several_lists_of_one_issuer_the_newest_current_one_is_right() -> None:
    older = revocation_list(LOWER, SERIAL, start=NOW - 2 * DAY)
    newer = revocation_list(LOWER)
    root = revocation_list(ROOT)
    assert judge(root, older, newer) == judge(root, newer, older) == ""  # a hold that was released
    older, newer = revocation_list(LOWER, start=NOW - 2 * DAY), revocation_list(LOWER, SERIAL)
    assert judge(root, older, newer) == judge(root, newer, older) == "certificate_revoked"


def test_a_list_that_is_not_current_or_not_signed_does_not_hide_one_that_is() -> None:
    root, good = revocation_list(ROOT), revocation_list(LOWER)
    for bad in (
        revocation_list(LOWER, SERIAL, **STALE),
        revocation_list(LOWER, SERIAL, **FUTURE),
        revocation_list(LOWER, SERIAL, key=private_key("P-256", 8)),
    ):
        assert judge(root, bad, good) == judge(root, good, bad) == ""
    bad = revocation_list(LOWER, key=private_key("P-256", 8))
    assert judge(root, bad, revocation_list(LOWER, SERIAL)) == "certificate_revoked"


def test_the_lists_of_two_cas_of_one_name_are_told_apart_by_their_keys() -> None:
    other = authority("Root", key=private_key("P-256", 4))
    leaf, foreign = client("alice", ROOT, serial=77), client("alice", other, serial=77)
    lists = (revocation_list(ROOT, 77), revocation_list(other))
    for order in (lists, lists[::-1]):
        assert judge(*order, leaf=leaf, bundle=[ROOT, other]) == "certificate_revoked"
        assert judge(*order, leaf=foreign, bundle=[ROOT, other]) == ""
    assert judge(revocation_list(ROOT), leaf=foreign, bundle=[ROOT, other]) == "revocation_unknown"


def test_several_lists_in_one_file_and_one_in_der_are_read(tmp_path: Path) -> None:
    bundle, crl = tmp_path / "ca.crt", tmp_path / "ca.crl"
    bundle.write_text(ROOT.pem + LOWER.pem, encoding="ascii")
    crl.write_text(pem_of_crls(revocation_list(ROOT), revocation_list(LOWER, SERIAL)), encoding="ascii")
    with pytest.raises(CertificateRevoked):
        TrustStore.from_file(bundle, crl).verify(PresentedChain(LEAF.certificate))
    bundle.write_text(ROOT.pem, encoding="ascii")
    leaf = client("alice", ROOT)
    crl.write_bytes(revocation_list(ROOT, leaf.certificate.serial_number).public_bytes(Encoding.DER))
    with pytest.raises(CertificateRevoked):
        TrustStore.from_file(bundle, crl).verify(PresentedChain(leaf.certificate))


# Lists that cannot be used

URL = [x509.UniformResourceIdentifier("http://ca.example/crl")]


def issuing(
    full_name: list[x509.GeneralName] | None = None,
    *,
    relative_name: x509.RelativeDistinguishedName | None = None,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    users: bool = False,
    cas: bool = False,
    indirect: bool = False,
    attributes: bool = False,
) -> x509.IssuingDistributionPoint:
    return x509.IssuingDistributionPoint(full_name, relative_name, users, cas, reasons, indirect, attributes)


def without_next_update(issuer: Party) -> CRL:
    def drop(parts: list[bytes]) -> None:
        del parts[[part[0] in (0x17, 0x18) for part in parts].index(True) + 1]

    return x509.load_der_x509_crl(rewritten(revocation_list(issuer).public_bytes(Encoding.DER), issuer.key, drop))


def of_an_unknown_algorithm(issuer: Party) -> CRL:
    ecdsa, nothing = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f")
    return x509.load_der_x509_crl(revocation_list(issuer).public_bytes(Encoding.DER).replace(ecdsa, nothing))


def with_extension(extension: x509.ExtensionType, *, critical: bool = True) -> Callable[[Party], CRL]:
    return lambda issuer: revocation_list(issuer, extensions=[(extension, critical)])


def with_entry(extension: x509.ExtensionType) -> Callable[[Party], CRL]:
    return lambda issuer: revocation_list(issuer, revoked_entry(5, (extension, True)))


SOME_REASONS = frozenset({x509.ReasonFlags.key_compromise})
RELATIVE = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "one")])
UNUSABLE = {
    "indirect": (with_extension(issuing(indirect=True)), "it is indirect"),
    "some reasons": (with_extension(issuing(reasons=SOME_REASONS)), "some reasons"),
    "a relative name": (with_extension(issuing(relative_name=RELATIVE)), "relative"),
    "indirect, not critical": (with_extension(issuing(indirect=True), critical=False), "it is indirect"),
    "an unknown critical extension": (with_extension(unknown()), "1.3.6.1.4.1.32473.1"),
    "a critical CRL number, as in OpenSSL": (with_extension(x509.CRLNumber(1)), "2.5.29.20"),
    "a critical freshestCRL, as in OpenSSL": (
        with_extension(x509.FreshestCRL([x509.DistributionPoint(URL, None, None, None)])),
        "2.5.29.46",
    ),
    "no nextUpdate": (without_next_update, "no nextUpdate"),
    "an unknown algorithm": (of_an_unknown_algorithm, "too weak or not supported"),
    "an entry's certificate issuer": (
        with_entry(x509.CertificateIssuer([x509.DirectoryName(LOWER.certificate.subject)])),
        "2.5.29.29",
    ),
    "an entry's unknown critical extension": (with_entry(unknown()), "1.3.6.1.4.1.32473.1"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_list_that_cannot_be_used_leaves_its_issuers_certificates_unknown_in_every_mode_but_off(name: str) -> None:
    make, fault = UNUSABLE[name]
    lists = (revocation_list(ROOT), make(LOWER))
    for revocation in ("require", "if-available"):
        assert judge(*lists, revocation=revocation) == "revocation_unknown"
        assert judge(*lists, revocation_list(LOWER), revocation=revocation) == "revocation_unknown"
    assert judge(*lists, revocation="off") == ""
    told = detail(*lists)
    assert "cannot be used" in told
    assert fault in told


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_list_that_cannot_be_used_stops_no_application_and_no_other_issuer(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make, fault = UNUSABLE[name]
    bundle, crl = tmp_path / "ca.crt", tmp_path / "ca.crl"
    bundle.write_text(ROOT.pem + LOWER.pem, encoding="ascii")
    crl.write_text(pem_of_crls(revocation_list(ROOT), make(LOWER)), encoding="ascii")
    trust = TrustStore.from_file(bundle, crl)
    assert trust.verify(PresentedChain(client("bob", ROOT).certificate)).common_name == "bob"
    assert fault in caplog.text
    assert any("cannot be used" in warning and fault in warning for warning in trust.status().warnings)


def test_a_list_that_is_an_object_and_does_not_parse_is_refused() -> None:
    def rename(parts: list[bytes]) -> None:
        value = tlv(0x14, b"M\xfcller")  # a TeletexString that is not ASCII: cryptography has no text for it
        parts[2] = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), value)))

    good = revocation_list(LOWER)
    odd = x509.load_der_x509_crl(rewritten(good.public_bytes(Encoding.DER), LOWER.key, rename))
    for lists in ((odd,), (good, odd)):
        with pytest.raises(ValueError, match="the trust store: it does not parse"):
            store(*lists)


def test_what_is_revoked_by_another_list_is_revoked_next_to_one_that_cannot_be_used() -> None:
    odd = revocation_list(LOWER, extensions=[(unknown(), True)])
    assert judge(revocation_list(ROOT), odd, revocation_list(LOWER, SERIAL)) == "certificate_revoked"


def test_a_list_that_cannot_be_used_and_that_another_key_signed_leaves_nothing_unknown() -> None:
    odd = revocation_list(LOWER, extensions=[(unknown(), True)], key=private_key("P-256", 8))
    assert judge(revocation_list(ROOT), revocation_list(LOWER), odd) == ""


def test_a_list_signed_with_sha_1_leaves_its_issuers_certificates_unknown(tmp_path: Path) -> None:
    weak = by_openssl(tmp_path, "-md", "sha1")
    leaf = client("alice", ROOT)
    for revocation in ("require", "if-available"):
        assert judge(weak, leaf=leaf, bundle=[ROOT], revocation=revocation) == "revocation_unknown"
        both = (weak, revocation_list(ROOT))
        assert judge(*both, leaf=leaf, bundle=[ROOT], revocation=revocation) == "revocation_unknown"
    assert "too weak" in detail(weak, leaf=leaf, bundle=[ROOT])


@pytest.mark.parametrize("name", ODD_CRLS)
def test_a_list_with_a_part_that_does_not_parse_leaves_its_issuers_certificates_unknown(name: str) -> None:
    store = TrustStore.from_pem(ROOT.pem, ODD_CRLS[name], revocation="if-available")
    with pytest.raises(RevocationUnknown, match="cannot be used"):
        store.verify(PresentedChain(client("alice", ROOT).certificate))


def test_extensions_that_do_not_change_what_a_list_means_are_accepted() -> None:
    fresher = x509.FreshestCRL([x509.DistributionPoint(URL, None, None, None)])
    extensions = [(x509.CRLNumber(7), False), (aki(LOWER.key), True), (fresher, False), (unknown(), False)]
    assert judge(revocation_list(ROOT), revocation_list(LOWER, extensions=extensions)) == ""


# Issuing distribution points, by the openssl program


def partition(tmp_path: Path, idp: str, *revoked: Party, **sections: str) -> CRL:
    """A CRL of ROOT with this issuing distribution point, as `openssl ca` writes it."""
    return by_openssl(tmp_path, "-crlexts", "idp", revoke=revoked, idp=f"issuingDistributionPoint={idp}", **sections)


def at_points(*points: x509.DistributionPoint, name: str = "alice", critical: bool = False) -> Party:
    """A client's certificate with these CRL distribution points."""
    return client(name, ROOT, extra=[(x509.CRLDistributionPoints(points), critical)])


def point_of(
    *names: x509.GeneralName,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    crl_issuer: list[x509.GeneralName] | None = None,
) -> x509.DistributionPoint:
    return x509.DistributionPoint(list(names) or None, None, reasons, crl_issuer)


def url(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def directory(text: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name.from_rfc4514_string(text))


ONE, TWO = url("http://ca.example/1.crl"), url("http://ca.example/2.crl")
LATER = NOW + dt.timedelta(hours=6)


def below_root(*lists: CRL, leaf: Party, bundle: Iterable[Party] = (ROOT,), revocation: str | None = None) -> str:
    return judge(*lists, leaf=leaf, bundle=bundle, at=LATER, revocation=revocation)


@pytest.mark.parametrize("critical", ["critical,", ""])
def test_a_list_for_end_entities_covers_them_and_no_ca(tmp_path: Path, critical: str) -> None:
    users = partition(tmp_path, f"{critical}onlyuser:TRUE")
    assert below_root(users, leaf=client("alice", ROOT)) == ""
    assert below_root(users, revocation_list(LOWER), leaf=LEAF, bundle=[ROOT, LOWER]) == "revocation_unknown"
    assert "all end-entity certificates alone" in detail(users, revocation_list(LOWER), at=LATER)


@pytest.mark.parametrize("critical", ["critical,", ""])
def test_a_list_for_cas_covers_them_and_no_end_entity(tmp_path: Path, critical: str) -> None:
    cas = partition(tmp_path, f"{critical}onlyCA:TRUE")
    assert below_root(cas, leaf=client("alice", ROOT)) == "revocation_unknown"
    assert below_root(cas, revocation_list(LOWER), leaf=LEAF, bundle=[ROOT, LOWER]) == ""


def test_a_list_for_attribute_certificates_says_nothing_of_others() -> None:
    alice = client("alice", ROOT)
    odd = revocation_list(ROOT, alice.certificate.serial_number, extensions=[(issuing(attributes=True), True)])
    assert judge(odd, leaf=alice, bundle=[ROOT]) == "revocation_unknown"
    assert judge(odd, revocation_list(ROOT), leaf=alice, bundle=[ROOT]) == ""
    assert "about attribute certificates alone" in detail(odd, leaf=alice, bundle=[ROOT])


def test_of_lists_of_one_scope_that_neither_time_nor_number_tells_apart_all_are_asked() -> None:
    root, good, hit = revocation_list(ROOT), revocation_list(LOWER), revocation_list(LOWER, SERIAL)
    numbered = revocation_list(LOWER, extensions=[(x509.CRLNumber(9), False)])
    for lists in ((good, hit), (hit, good), (numbered, hit), (hit, numbered)):
        assert judge(root, *lists) == "certificate_revoked"


def test_the_lists_for_cas_and_for_end_entities_cover_all_together(tmp_path: Path) -> None:
    alice = client("alice", ROOT)
    users, cas = partition(tmp_path, "onlyuser:TRUE", alice), partition(tmp_path, "onlyCA:TRUE", LOWER)
    assert below_root(users, cas, leaf=client("bob", ROOT)) == ""
    assert below_root(users, cas, leaf=alice) == "certificate_revoked"
    lists = (users, cas, revocation_list(LOWER))
    assert below_root(*lists, leaf=LEAF, bundle=[ROOT, LOWER]) == "certificate_revoked"


def test_a_list_for_end_entities_takes_a_v1_certificate_for_one(tmp_path: Path) -> None:
    v1 = as_v1(client("alice", ROOT), ROOT)
    assert below_root(partition(tmp_path, "onlyuser:TRUE"), leaf=v1) == ""
    assert below_root(partition(tmp_path, "onlyCA:TRUE"), leaf=v1) == "revocation_unknown"


@pytest.mark.parametrize("critical", ["critical,", ""])
def test_a_partition_covers_the_certificates_of_its_distribution_point(tmp_path: Path, critical: str) -> None:
    one = partition(tmp_path, f"{critical}fullname:URI:http://ca.example/1.crl")
    assert below_root(one, leaf=at_points(point_of(ONE))) == ""
    assert below_root(one, leaf=at_points(point_of(ONE), critical=True)) == ""
    assert below_root(one, leaf=at_points(point_of(TWO), point_of(ONE))) == ""
    assert below_root(one, leaf=at_points(point_of(TWO, ONE))) == ""
    for leaf in (at_points(point_of(TWO)), client("alice", ROOT)):
        assert below_root(one, leaf=leaf) == "revocation_unknown"
        assert below_root(one, leaf=leaf, revocation="if-available") == ""
    assert "distribution point" in detail(one, leaf=at_points(point_of(TWO)), bundle=[ROOT], at=LATER)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point_of(ONE, reasons=SOME_REASONS), id="for some reasons"),
        pytest.param(point_of(ONE, crl_issuer=[directory("CN=Another")]), id="of another issuer"),
        pytest.param(point_of(crl_issuer=[directory("CN=Root")]), id="without a name"),
        pytest.param(x509.DistributionPoint(None, RELATIVE, None, None), id="relative"),
        pytest.param(point_of(x509.DNSName("http://ca.example/1.crl")), id="a name of another kind"),
    ],
)
def test_a_distribution_point_of_another_kind_is_not_the_partitions(
    tmp_path: Path, point: x509.DistributionPoint
) -> None:
    one = partition(tmp_path, "critical,fullname:URI:http://ca.example/1.crl")
    assert below_root(one, leaf=at_points(point)) == "revocation_unknown"


def test_a_distribution_point_that_names_the_certificates_own_issuer_is_the_partitions(tmp_path: Path) -> None:
    one = partition(tmp_path, "critical,fullname:URI:http://ca.example/1.crl")
    assert below_root(one, leaf=at_points(point_of(ONE, crl_issuer=[directory("CN=ROOT")]))) == ""


def test_a_partition_that_is_named_by_a_directory_name_is_compared_in_canonical_form(tmp_path: Path) -> None:
    one = partition(tmp_path, "critical,fullname:dirName:point", point="O=Example\nCN=Partition 1\n")
    assert below_root(one, leaf=at_points(point_of(directory("CN=partition  1,O=EXAMPLE")))) == ""
    assert below_root(one, leaf=at_points(point_of(directory("CN=partition 2,O=EXAMPLE")))) == "revocation_unknown"


def test_the_distribution_point_of_a_list_is_quoted_in_the_detail() -> None:
    point = issuing([x509.UniformResourceIdentifier("http://ca.example/\nforged")])
    told = detail(revocation_list(ROOT), revocation_list(LOWER, extensions=[(point, True)]))
    assert "http://ca.example/" in told
    assert told.isprintable()


def test_several_partitions_stand_in_one_file(tmp_path: Path) -> None:
    alice, bob = at_points(point_of(ONE)), at_points(point_of(TWO), name="bob")
    one = partition(tmp_path, "critical,fullname:URI:http://ca.example/1.crl")
    two = partition(tmp_path, "critical,fullname:URI:http://ca.example/2.crl", bob)
    for text in (pem_of_crls(one, two), pem_of_crls(two, one)):
        trust = TrustStore.from_pem(ROOT.pem, text)
        assert trust.verify(PresentedChain(alice.certificate), at=LATER).common_name == "alice"
        with pytest.raises(CertificateRevoked):
            trust.verify(PresentedChain(bob.certificate), at=LATER)


def test_a_partition_for_end_entities_of_one_point_asks_both(tmp_path: Path) -> None:
    # Every CRL of step-ca and of AWS Private CA's partitions is like that.
    one = partition(tmp_path, "critical,onlyuser:TRUE,fullname:URI:http://ca.example/1.crl")
    assert below_root(one, leaf=at_points(point_of(ONE))) == ""
    assert below_root(one, leaf=client("alice", ROOT)) == "revocation_unknown"


def scoped(
    point: x509.IssuingDistributionPoint | None,
    *revoked: int,
    start: dt.datetime = NOW - DAY,
    end: dt.datetime = NOW + 7 * DAY,
) -> CRL:
    extensions = () if point is None else ((point, True),)
    return revocation_list(ROOT, *revoked, extensions=extensions, start=start, end=end)


def test_the_newest_list_is_that_of_its_scope_and_any_list_that_covers_may_revoke() -> None:
    leaf = at_points(point_of(ONE))
    serial = leaf.certificate.serial_number
    older = NOW - 2 * DAY
    users, everything, part = issuing(users=True), None, issuing([ONE])
    for hit in (users, everything, part):
        others = [scoped(point) for point in (users, everything, part) if point is not hit]
        for order in ([scoped(hit, serial, start=older), *others], [*others, scoped(hit, serial, start=older)]):
            assert judge(*order, leaf=leaf, bundle=[ROOT]) == "certificate_revoked"
            assert judge(scoped(hit), *order, leaf=leaf, bundle=[ROOT]) == ""


def test_one_current_list_that_covers_is_enough() -> None:
    leaf = at_points(point_of(ONE))
    stale = scoped(issuing([ONE]), **STALE)
    assert judge(stale, leaf=leaf, bundle=[ROOT]) == "revocation_unknown"
    assert judge(stale, scoped(None), leaf=leaf, bundle=[ROOT]) == ""
    assert judge(stale, scoped(issuing([TWO])), leaf=leaf, bundle=[ROOT]) == "revocation_unknown"


# Delta CRLs


def delta(
    *revoked: int | x509.RevokedCertificate, start: dt.datetime = NOW - DAY, end: dt.datetime = NOW + 7 * DAY
) -> CRL:
    extensions = [(x509.DeltaCRLIndicator(1), True), (x509.CRLNumber(2), False)]
    return revocation_list(ROOT, *revoked, extensions=extensions, start=start, end=end)


def test_what_a_current_delta_revokes_is_revoked() -> None:
    leaf = client("alice", ROOT)
    serial = leaf.certificate.serial_number
    for lists in ((revocation_list(ROOT), delta(serial)), (delta(serial), revocation_list(ROOT))):
        assert judge(*lists, leaf=leaf, bundle=[ROOT]) == "certificate_revoked"
    assert judge(revocation_list(ROOT), delta(), leaf=leaf, bundle=[ROOT]) == ""


def test_an_entry_of_a_delta_revokes_whatever_else_it_says() -> None:
    leaf = client("alice", ROOT)
    entry = revoked_entry(leaf.certificate.serial_number, (x509.InvalidityDate(NOW.replace(tzinfo=None)), False))
    assert judge(revocation_list(ROOT), delta(entry), leaf=leaf, bundle=[ROOT]) == "certificate_revoked"


def test_a_delta_makes_nothing_current() -> None:
    leaf = client("alice", ROOT)
    for lists in ((delta(),), (delta(), revocation_list(ROOT, **STALE))):
        assert judge(*lists, leaf=leaf, bundle=[ROOT]) == "revocation_unknown"
    assert "only a delta CRL" in detail(delta(), leaf=leaf, bundle=[ROOT])


def test_a_delta_makes_nothing_good() -> None:
    leaf = client("alice", ROOT)
    serial = leaf.certificate.serial_number
    gone = revoked_entry(serial, (x509.CRLReason(x509.ReasonFlags.remove_from_crl), False))
    for lists in ((revocation_list(ROOT, serial), delta()), (revocation_list(ROOT, serial), delta(gone))):
        assert judge(*lists, leaf=leaf, bundle=[ROOT]) == "certificate_revoked"


def test_an_entry_that_a_delta_removes_revokes_nothing() -> None:
    leaf = client("alice", ROOT)
    gone = revoked_entry(leaf.certificate.serial_number, (x509.CRLReason(x509.ReasonFlags.remove_from_crl), False))
    assert judge(revocation_list(ROOT), delta(gone), leaf=leaf, bundle=[ROOT]) == ""


@pytest.mark.parametrize("period", [STALE, FUTURE])
def test_a_delta_that_is_not_current_says_nothing(period: Period) -> None:
    leaf = client("alice", ROOT)
    lists = (revocation_list(ROOT), delta(leaf.certificate.serial_number, **period))
    assert judge(*lists, leaf=leaf, bundle=[ROOT]) == ""


def test_a_delta_that_another_key_signed_says_nothing() -> None:
    leaf = client("alice", ROOT)
    odd = revocation_list(
        ROOT,
        leaf.certificate.serial_number,
        extensions=[(x509.DeltaCRLIndicator(1), True)],
        key=private_key("P-256", 8),
    )
    assert judge(revocation_list(ROOT), odd, leaf=leaf, bundle=[ROOT]) == ""


def test_ca_crl_and_its_delta_stand_in_one_file_as_ad_cs_publishes_them(tmp_path: Path) -> None:
    alice, bob, carol = (client(name, ROOT) for name in ("alice", "bob", "carol"))
    freshest = "freshestCRL=URI:http://ca.example/CA+.crl\n"
    complete = by_openssl(tmp_path, "-crlexts", "base", revoke=[alice], base=f"2.5.29.20=DER:020105\n{freshest}")
    newer = by_openssl(
        tmp_path, "-crlexts", "delta", revoke=[bob], delta="2.5.29.27=critical,DER:020105\n2.5.29.20=DER:020106\n"
    )
    for lists in ((complete, newer), (newer, complete)):
        codes = [below_root(*lists, leaf=leaf) for leaf in (alice, bob, carol)]
        assert codes == ["certificate_revoked", "certificate_revoked", ""]


# Names, identifiers, keys, numbers


@pytest.mark.parametrize("spelling", ["ROOT", "root", " Root "])
def test_a_list_is_found_by_its_issuers_name_in_canonical_form(spelling: str) -> None:
    leaf, respelled = client("alice", ROOT), authority(spelling, key=ROOT.key)
    for revocation in ("require", "if-available"):
        hit = revocation_list(respelled, leaf.certificate.serial_number)
        assert judge(hit, leaf=leaf, bundle=[ROOT], revocation=revocation) == "certificate_revoked"
    assert judge(revocation_list(respelled), leaf=leaf, bundle=[ROOT]) == ""


def test_after_a_ca_got_a_new_key_each_key_needs_its_own_list() -> None:
    renewed = authority("Root", key=private_key("P-256", 4))
    old, new = client("old", ROOT), client("new", renewed)
    with_aki = [revocation_list(ca, extensions=[(aki(ca.key), False)]) for ca in (ROOT, renewed)]
    without = [revocation_list(ca) for ca in (ROOT, renewed)]
    for lists in (with_aki, without):
        for leaf in (old, new):
            assert judge(*lists, leaf=leaf, bundle=[ROOT, renewed]) == ""
        assert judge(lists[0], leaf=new, bundle=[ROOT, renewed]) == "revocation_unknown"
        assert judge(lists[1], leaf=old, bundle=[ROOT, renewed]) == "revocation_unknown"


def test_a_list_covers_what_a_ca_issued_under_its_other_certificates_of_the_same_key() -> None:
    renewed = authority("Root", key=ROOT.key)
    leaf = client("alice", renewed)
    hit = revocation_list(ROOT, leaf.certificate.serial_number)
    for bundle in ([ROOT, renewed], [renewed]):
        assert judge(hit, leaf=leaf, bundle=bundle) == "certificate_revoked"


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
def test_an_identifier_with_another_issuer_or_serial_number_means_another_certificate() -> None:
    leaf = client("alice", ROOT)
    for issuer, serial in (("CN=Another", ROOT.certificate.serial_number), ("CN=Root", 0)):
        identifier = x509.AuthorityKeyIdentifier(None, [directory(issuer)], serial)
        lists = (revocation_list(ROOT, extensions=[(identifier, False)]),)
        assert judge(*lists, leaf=leaf, bundle=[ROOT]) == "revocation_unknown"
        assert "authority key identifier" in detail(*lists, leaf=leaf, bundle=[ROOT])
    right = x509.AuthorityKeyIdentifier(None, [directory("CN=root")], ROOT.certificate.serial_number)
    assert judge(revocation_list(ROOT, extensions=[(right, False)]), leaf=leaf, bundle=[ROOT]) == ""


def test_of_lists_of_one_this_update_the_higher_number_is_the_newer() -> None:
    root = revocation_list(ROOT)
    low = revocation_list(LOWER, extensions=[(x509.CRLNumber(9), False)])
    high = revocation_list(LOWER, SERIAL, extensions=[(x509.CRLNumber(10), False)])
    assert judge(root, low, high) == judge(root, high, low) == "certificate_revoked"
    low = revocation_list(LOWER, SERIAL, extensions=[(x509.CRLNumber(9), False)])
    high = revocation_list(LOWER, extensions=[(x509.CRLNumber(2**70), False)])
    assert judge(root, low, high) == judge(root, high, low) == ""


def test_a_later_this_update_is_the_newer_whatever_the_number() -> None:
    # A CA that was restored from a backup counts again from there.
    older = revocation_list(LOWER, start=NOW - 2 * DAY, extensions=[(x509.CRLNumber(99), False)])
    newer = revocation_list(LOWER, SERIAL, extensions=[(x509.CRLNumber(1), False)])
    assert judge(revocation_list(ROOT), older, newer) == "certificate_revoked"


# Entries


def reason(flag: x509.ReasonFlags) -> tuple[x509.ExtensionType, bool]:
    return x509.CRLReason(flag), False


@pytest.mark.parametrize("flag", [flag for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.unspecified])
def test_an_entry_revokes_whatever_its_reason(flag: x509.ReasonFlags) -> None:
    # removeFromCRL too: RFC 5280 section 5.3.1 has it in delta CRLs only, so in a complete list it fails closed.
    lists = (revocation_list(ROOT), revocation_list(LOWER, revoked_entry(SERIAL, reason(flag))))
    assert judge(*lists) == "certificate_revoked"


def test_entries_with_the_extensions_of_rfc_5280_are_read() -> None:
    entry = revoked_entry(SERIAL, reason(x509.ReasonFlags.key_compromise), (x509.InvalidityDate(NOW - DAY), False))
    assert judge(revocation_list(ROOT), revocation_list(LOWER, entry)) == "certificate_revoked"
    entry = revoked_entry(SERIAL + 1, (x509.CRLReason(x509.ReasonFlags.superseded), True))
    assert judge(revocation_list(ROOT), revocation_list(LOWER, entry)) == ""
    entry = revoked_entry(SERIAL + 1, (unknown(), False))
    assert judge(revocation_list(ROOT), revocation_list(LOWER, entry)) == ""


# Until when


def period(trust: TrustStore, leaf: Party, at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    found = validate(trust.current(), PresentedChain(leaf.certificate), at)
    return found.since, found.until


def test_an_answer_holds_until_the_first_certificate_or_list_ends() -> None:
    root = authority("Root", end=NOW + 9 * DAY)
    lower = authority("Lower", root, key=LOWER.key, end=NOW + 8 * DAY)
    leaf = client("alice", lower, end=NOW + 7 * DAY)
    for days, lists in (
        (7, ()),
        (5, (revocation_list(root, end=NOW + 5 * DAY), revocation_list(lower, end=NOW + 6 * DAY))),
        (4, (revocation_list(root, end=NOW + 5 * DAY), revocation_list(lower, end=NOW + 4 * DAY))),
        (7, (revocation_list(root, end=NOW + 20 * DAY), revocation_list(lower, end=NOW + 20 * DAY))),
    ):
        since, until = period(store(*lists, bundle=[root, lower]), leaf, NOW)
        assert since <= NOW
        assert NOW + days * DAY <= until <= NOW + days * DAY + dt.timedelta(seconds=1)


def test_an_answer_holds_at_the_nextupdate_of_a_list_and_not_an_instant_longer() -> None:
    leaf, end = client("alice", ROOT), NOW + DAY
    for at in (NOW, end):
        until = period(store(revocation_list(ROOT, end=end), bundle=[ROOT]), leaf, at)[1]
        assert until == end + dt.timedelta(microseconds=1)


def test_an_answer_does_not_outlast_the_start_of_a_newer_list() -> None:
    lists = (revocation_list(ROOT), revocation_list(LOWER), revocation_list(LOWER, SERIAL, **FUTURE))
    assert period(store(*lists), LEAF, NOW)[1] <= FUTURE["start"]


def test_an_answer_does_not_outlast_the_nextupdate_of_its_list_where_the_next_one_revokes_and_has_yet_to_begin() -> (
    None
):
    # Within the allowance the old list is still current. Without it none is, and the one to come is asked.
    leaf, end = client("alice", ROOT), NOW + MINUTE / 2
    lists = [revocation_list(ROOT, end=end), revocation_list(ROOT, leaf.certificate.serial_number, **FUTURE)]
    trust = TrustStore([ROOT.certificate], crls=lists, clock_skew=60)
    until = period(trust, leaf, NOW)[1]
    assert until == end + dt.timedelta(microseconds=1)
    with pytest.raises(CertificateRevoked):
        period(trust, leaf, until)


def test_an_answer_does_not_outlast_the_start_of_a_delta() -> None:
    leaf = client("alice", ROOT)
    later = delta(leaf.certificate.serial_number, **FUTURE)
    assert period(store(revocation_list(ROOT), later, bundle=[ROOT]), leaf, NOW)[1] <= FUTURE["start"]


def test_lists_that_are_not_asked_do_not_limit_an_answer() -> None:
    lists = (revocation_list(ROOT, end=NOW + DAY), revocation_list(LOWER, end=NOW + DAY))
    assert period(store(*lists, revocation="off"), LEAF, NOW)[1] >= NOW + 30 * DAY


HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


@st.composite
def some_list(draw: st.DrawFn, serial: int) -> CRL:
    start = draw(st.integers(-4, 3))
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if draw(st.booleans()):
        extensions.append((issuing(users=True), True))
    if draw(st.integers(0, 3)) == 0:
        extensions.append((x509.DeltaCRLIndicator(1), True))
    revoked = [serial] if draw(st.integers(0, 3)) == 0 else []
    period: Period = {"start": NOW + start * HOUR, "end": NOW + draw(st.integers(start, 5)) * HOUR}
    return revocation_list(ROOT, *revoked, extensions=extensions, **period)


ANY_LEAF = client("alice", ROOT, start=NOW - 5 * HOUR, end=NOW + 5 * HOUR)


@settings(max_examples=300, deadline=None)
@given(
    lists=st.lists(some_list(ANY_LEAF.certificate.serial_number), max_size=4),
    mode=st.sampled_from(["require", "if-available", "off"]),
    skew=st.sampled_from([0, 60, 600]),
    at=st.tuples(
        st.integers(-5, 5), st.sampled_from([0, 0, 0, -600, -60, -1, 1, 60, 600]), st.sampled_from([0, 1, -1])
    ),
    other=st.floats(0, 1),
)
def test_within_its_period_an_answer_does_not_change(
    lists: list[CRL], mode: str, skew: int, at: tuple[int, int, int], other: float
) -> None:
    trust = TrustStore([ROOT.certificate], crls=lists, revocation=mode, clock_skew=skew)
    moment = NOW + at[0] * HOUR + dt.timedelta(seconds=at[1], microseconds=at[2])
    try:
        since, until = period(trust, ANY_LEAF, moment)
    except ClientCertError:
        return
    assert since <= moment <= until
    smallest = dt.timedelta(microseconds=1)
    within = [since, since + smallest, since + (until - since) * other, until - smallest]
    for instant in within if until > since else ():
        if since <= instant < until:
            validate(trust.current(), PresentedChain(ANY_LEAF.certificate), instant)  # refuses nothing


# Made by the openssl program

CONFIGURATION = """\
[ca]
default_ca = here
[here]
database = index.txt
default_md = sha256
default_crl_days = 7
unique_subject = no
"""


def by_openssl(folder: Path, *arguments: str, revoke: Iterable[Party] = (), **sections: str) -> CRL:
    """A CRL of ROOT by `openssl ca -gencrl`; X.509 v1 unless -crlexts names a section of the configuration."""
    (folder / "ca.crt").write_text(ROOT.pem, encoding="ascii")
    (folder / "ca.key").write_text(ROOT.key_pem, encoding="ascii")
    sections = {"v2": "authorityKeyIdentifier=keyid", **sections}
    more = "".join(f"[{name}]\n{content}\n" for name, content in sections.items())
    (folder / "ca.cnf").write_text(CONFIGURATION + more, encoding="ascii")
    (folder / "index.txt").write_text("", encoding="ascii")
    ca = ("-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key")
    for party in revoke:
        (folder / "client.crt").write_text(party.pem, encoding="ascii")
        openssl("ca", *ca, "-revoke", "client.crt", "-crl_reason", "keyCompromise", cwd=folder)
    openssl("ca", *ca, "-gencrl", *arguments, "-out", "ca.crl", cwd=folder)
    return x509.load_pem_x509_crl((folder / "ca.crl").read_bytes())


def test_lists_by_openssl_ca_are_read_as_v1_and_as_v2(tmp_path: Path) -> None:
    good, bad = client("alice", ROOT), client("bob", ROOT)
    for arguments, extensions in (((), 0), (("-crlexts", "v2"), 1)):
        crl = by_openssl(tmp_path, *arguments, revoke=[bad])
        assert len(crl.extensions) == extensions
        at = LATER
        assert judge(crl, leaf=good, bundle=[ROOT], at=at) == ""
        assert judge(crl, leaf=bad, bundle=[ROOT], at=at) == "certificate_revoked"


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_lists_signed_with_sha_2_are_read(digest: hashes.HashAlgorithm) -> None:
    assert judge(revocation_list(ROOT, digest=digest), revocation_list(LOWER, digest=digest)) == ""
