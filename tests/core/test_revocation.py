"""CRLs as nginx's `ssl_crl` treats them: every certificate below the anchor needs a current list of its issuer.

What is not processed fails closed: when it is loaded, where that can be told, else when a certificate is asked about.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import ClientCertError, PresentedChain, TrustStore
from sslclientcert.core.errors import CertificateRevoked, RevocationUnknown
from sslclientcert.core.revocation import RevocationLists

from .pki import (
    DAY,
    NOW,
    Party,
    aki,
    as_v1,
    authority,
    client,
    openssl,
    pem_of_crls,
    private_key,
    revocation_list,
    revoked_entry,
    rewritten,
    tlv,
    unknown,
    usage,
)

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


def detail(*lists: CRL, leaf: Party = LEAF, bundle: Iterable[Party] = (ROOT, LOWER)) -> str:
    with pytest.raises((CertificateRevoked, RevocationUnknown)) as refused:
        store(*lists, bundle=bundle).verify(PresentedChain(leaf.certificate))
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


def test_v1_and_eddsa_leaves_are_looked_up_too() -> None:
    edwards = authority("Edwards", key="Ed25519")
    v1 = as_v1(client("alice", ROOT), ROOT)
    for ca, leaf in ((ROOT, v1), (edwards, client("alice", edwards))):
        serial = leaf.certificate.serial_number
        assert judge(revocation_list(ca), leaf=leaf, bundle=[ca]) == ""
        assert judge(revocation_list(ca, serial), leaf=leaf, bundle=[ca]) == "certificate_revoked"


@pytest.mark.parametrize("kind", ["P-384", "RSA-2048", "Ed25519"])
def test_lists_signed_with_any_key_of_a_ca_are_read(kind: str) -> None:
    ca = authority("CA", key=kind)
    leaf = client("alice", ca)
    assert judge(revocation_list(ca), leaf=leaf, bundle=[ca]) == ""
    assert judge(revocation_list(ca, leaf.certificate.serial_number), leaf=leaf, bundle=[ca]) == "certificate_revoked"


def test_a_pinned_leaf_has_nothing_above_it_that_could_revoke_it() -> None:
    assert judge(revocation_list(ROOT, SERIAL), bundle=[LEAF]) == ""


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


def test_a_list_that_another_key_signed_is_none() -> None:
    impostor = private_key("P-256", 8)
    lists = (revocation_list(ROOT), revocation_list(LOWER, key=impostor))
    assert judge(*lists) == "revocation_unknown"
    assert "not signed by that CA's key" in detail(*lists)
    assert judge(revocation_list(ROOT), revocation_list(LOWER, SERIAL, key=impostor)) == "revocation_unknown"


def test_a_list_whose_signature_was_tampered_with_is_none() -> None:
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


def test_a_list_that_names_another_key_as_its_signers_is_none() -> None:
    extensions = [(aki(private_key("P-256", 8)), False)]
    assert judge(revocation_list(ROOT), revocation_list(LOWER, extensions=extensions)) == "revocation_unknown"
    extensions = [(aki(LOWER.key), False)]
    assert judge(revocation_list(ROOT), revocation_list(LOWER, extensions=extensions)) == ""


def test_a_list_signed_with_sha_1_is_none(tmp_path: Path) -> None:
    weak = by_openssl(tmp_path, "-md", "sha1")
    assert judge(weak, leaf=client("alice", ROOT), bundle=[ROOT]) == "revocation_unknown"


def test_a_list_signed_with_an_unknown_algorithm_is_none() -> None:
    der = revocation_list(LOWER).public_bytes(Encoding.DER)
    ecdsa, nothing = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d04037f")
    odd = x509.load_der_x509_crl(der.replace(ecdsa, nothing))
    for revocation, code in (("require", "revocation_unknown"), ("if-available", "")):
        assert judge(revocation_list(ROOT), odd, revocation=revocation) == code


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


# Kinds that are not processed


URL = [x509.UniformResourceIdentifier("http://ca.example/crl")]


def partition(**flags: bool) -> x509.IssuingDistributionPoint:
    chosen = {
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
        **flags,
    }
    return x509.IssuingDistributionPoint(
        full_name=None if any(flags.values()) else URL, relative_name=None, only_some_reasons=None, **chosen
    )


@pytest.mark.parametrize(
    ("extension", "critical", "word"),
    [
        pytest.param(x509.DeltaCRLIndicator(1), True, "delta CRL", id="delta"),
        pytest.param(x509.DeltaCRLIndicator(1), False, "delta CRL", id="delta, not critical"),
        pytest.param(partition(indirect_crl=True), True, "indirect", id="indirect"),
        pytest.param(partition(only_contains_user_certs=True), True, "a part", id="for leaves only"),
        pytest.param(partition(only_contains_ca_certs=True), True, "a part", id="for CAs only"),
        pytest.param(partition(), True, "a part", id="one distribution point"),
        pytest.param(partition(), False, "a part", id="one distribution point, not critical"),
        pytest.param(unknown(), True, "1.3.6.1.4.1.32473.1", id="unknown critical extension"),
    ],
)
def test_a_list_of_a_kind_that_is_not_processed_is_a_configuration_error(
    extension: x509.ExtensionType, *, critical: bool, word: str, tmp_path: Path
) -> None:
    bundle, crl = tmp_path / "ca.crt", tmp_path / "ca.crl"
    bundle.write_text(ROOT.pem, encoding="ascii")
    crl.write_text(pem_of_crls(revocation_list(ROOT, extensions=[(extension, critical)])), encoding="ascii")
    with pytest.raises(ValueError, match=word) as refused:
        TrustStore.from_file(bundle, crl)
    assert str(crl) in str(refused.value)
    assert "CN=Root" in str(refused.value)


def test_extensions_that_do_not_change_what_a_list_means_are_accepted() -> None:
    fresher = x509.FreshestCRL([x509.DistributionPoint(URL, None, None, None)])
    extensions = [(x509.CRLNumber(7), False), (aki(LOWER.key), False), (fresher, False), (unknown(), False)]
    assert judge(revocation_list(ROOT), revocation_list(LOWER, extensions=extensions)) == ""


def test_a_list_without_a_next_update_is_a_configuration_error() -> None:
    def drop(parts: list[bytes]) -> None:
        del parts[[part[0] in (0x17, 0x18) for part in parts].index(True) + 1]

    endless = x509.load_der_x509_crl(rewritten(revocation_list(ROOT).public_bytes(Encoding.DER), ROOT.key, drop))
    with pytest.raises(ValueError, match="no nextUpdate"):
        store(endless)


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


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param(x509.CertificateIssuer([x509.DirectoryName(LOWER.certificate.subject)]), id="certificate issuer"),
        pytest.param(unknown(), id="unknown"),
    ],
)
def test_an_entry_with_a_critical_extension_that_is_not_processed_is_a_configuration_error(
    extension: x509.ExtensionType,
) -> None:
    oid = extension.oid.dotted_string
    with pytest.raises(ValueError, match=oid):
        store(revocation_list(ROOT, revoked_entry(5, (extension, True))))


# Until when


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
        trust = store(*lists, bundle=[root, lower])._current()
        assert trust.verify(PresentedChain(leaf.certificate), NOW)[1] == NOW + days * DAY


def test_an_answer_does_not_outlast_the_start_of_a_newer_list() -> None:
    lists = (revocation_list(ROOT), revocation_list(LOWER), revocation_list(LOWER, SERIAL, **FUTURE))
    trust = store(*lists)._current()
    assert trust.verify(PresentedChain(LEAF.certificate), NOW)[1] <= FUTURE["start"]


def test_lists_that_are_not_asked_do_not_limit_an_answer() -> None:
    lists = RevocationLists([revocation_list(ROOT), revocation_list(LOWER)], "off", "ca.crl")
    chain = (LEAF.certificate, LOWER.certificate, ROOT.certificate)
    assert lists.require_unrevoked(chain, NOW) is None
    assert RevocationLists([], "if-available", "ca.crl").require_unrevoked(chain, NOW) is None
    lists = RevocationLists([revocation_list(LOWER)], "if-available", "ca.crl")
    assert lists.require_unrevoked(chain, NOW) == NOW + 7 * DAY


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


def by_openssl(folder: Path, *arguments: str, revoke: Iterable[Party] = ()) -> CRL:
    """A CRL of ROOT by `openssl ca -gencrl`; X.509 v1 unless -crlexts says otherwise."""
    (folder / "ca.crt").write_text(ROOT.pem, encoding="ascii")
    (folder / "ca.key").write_text(ROOT.key_pem, encoding="ascii")
    (folder / "ca.cnf").write_text(
        CONFIGURATION + "[v2]\nauthorityKeyIdentifier=keyid\n[idp]\nissuingDistributionPoint=critical,onlyuser:TRUE\n",
        encoding="ascii",
    )
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
        at = NOW + dt.timedelta(minutes=10)
        assert judge(crl, leaf=good, bundle=[ROOT], at=at) == ""
        assert judge(crl, leaf=bad, bundle=[ROOT], at=at) == "certificate_revoked"


def test_a_partitioned_list_by_openssl_ca_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a part"):
        store(by_openssl(tmp_path, "-crlexts", "idp"))


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_lists_signed_with_sha_2_are_read(digest: hashes.HashAlgorithm) -> None:
    assert judge(revocation_list(ROOT, digest=digest), revocation_list(LOWER, digest=digest)) == ""
