"""Who is let in by a trust store: kinds of certificates, paths, anchors, pins, depth, and the store's own options.

The rules of one certificate are in test_policy.py, and why a path was not found in test_diagnosis.py.
"""

from __future__ import annotations

import datetime as dt
import itertools
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from sslclientcert import ClientCertError, ClientIdentity, PresentedChain, TrustStore, decode
from sslclientcert.core.errors import (
    CertificateExpired,
    CertificateRevoked,
    CertificateUnsuitable,
    CertificateUntrusted,
    ForwardingInconsistent,
)

from .pki import (
    DAY,
    NOW,
    Party,
    aki,
    as_v1,
    authority,
    basic,
    certify,
    client,
    make_by_documentation,
    openssl,
    pem_of,
    permitted,
    private_key,
    purposes,
    revocation_list,
    sans,
)

ROOT = authority("Root")
KEYS = [private_key("P-256", number) for number in range(2, 8)]
LOWER = authority("Lower", ROOT, key=KEYS[0])
LOWEST = authority("Lowest", LOWER, key=KEYS[1])


def verify(
    leaf: Party,
    *bundle: Party,
    forwarded: Iterable[Party] = (),
    crls: Iterable[x509.CertificateRevocationList] = (),
    max_depth: int = 3,
    at: dt.datetime | None = None,
) -> ClientIdentity:
    store = TrustStore([party.certificate for party in bundle], crls=crls, max_depth=max_depth)
    return store.verify(PresentedChain(leaf.certificate, tuple(one.certificate for one in forwarded)), at=at)


def chain(identity: ClientIdentity) -> list[str]:
    return [one.subject.rfc4514_string().removeprefix("CN=") for one in identity.chain]


# Made by other software


def test_certificates_made_exactly_as_the_ingress_nginx_documentation_says_verify(tmp_path: Path) -> None:
    make_by_documentation(tmp_path)
    leaf = x509.load_pem_x509_certificate((tmp_path / "client.crt").read_bytes())
    assert leaf.version is x509.Version.v1
    identity = TrustStore.from_file(tmp_path / "ca.crt").verify(PresentedChain(leaf))
    assert (identity.common_name, identity.serial_number) == ("My Client", 2)
    assert chain(identity) == ["My Client", "My Cert Authority"]


@pytest.mark.parametrize("kind", ["ed25519", "ed448", "ec", "rsa"])
def test_certificates_by_the_openssl_program_verify_with_and_without_extensions(kind: str, tmp_path: Path) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256") if kind == "ec" else ("-newkey", kind)
    root = ("-keyout", "ca.key", "-out", "ca.crt", "-nodes", "-days", "9", "-subj", "/CN=Root")
    openssl("req", "-x509", *key, *root, cwd=tmp_path)
    request = openssl("req", "-new", *key, "-nodes", "-keyout", "key", "-subj", "/CN=alice", cwd=tmp_path)
    (tmp_path / "v3").write_text("subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid,issuer\n", encoding="ascii")
    for version, extensions in ((x509.Version.v1, ()), (x509.Version.v3, ("-extfile", "v3"))):
        ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "5", *extensions)
        leaf = x509.load_pem_x509_certificate(openssl("x509", "-req", *ca, cwd=tmp_path, stdin=request).encode())
        assert leaf.version is version
        assert TrustStore.from_file(tmp_path / "ca.crt").verify(PresentedChain(leaf)).common_name == "alice"


def test_leaves_made_by_trustme_verify() -> None:
    ca = trustme.CA()
    store = TrustStore.from_pem(ca.cert_pem.bytes())
    for leaf in (ca.issue_cert("alice@example.org"), ca.issue_cert("alice.example.org", common_name="alice")):
        presented = PresentedChain(x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()))
        assert chain(store.verify(presented))[1:] == [ca_name(ca)]


def test_leaves_made_by_trustme_below_an_intermediate_verify() -> None:
    ca = trustme.CA()
    intermediate = ca.create_child_ca()
    leaf, below = (
        x509.load_pem_x509_certificate(pem.bytes())
        for pem in intermediate.issue_cert("alice.example.org").cert_chain_pems
    )
    for bundle, forwarded in (
        (ca.cert_pem.bytes() + intermediate.cert_pem.bytes(), ()),
        (ca.cert_pem.bytes(), (below,)),
    ):
        assert len(TrustStore.from_pem(bundle).verify(PresentedChain(leaf, forwarded)).chain) == 3


def ca_name(ca: trustme.CA) -> str:
    return x509.load_pem_x509_certificate(ca.cert_pem.bytes()).subject.rfc4514_string()


# Paths


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA-2048", "Ed25519", "Ed448"])
def test_leaves_of_v1_and_v3_directly_below_a_root_verify_whatever_its_key(kind: str) -> None:
    root = authority("Root", key=kind)
    leaf = client("alice", root)
    for presented in (leaf, as_v1(leaf, root), certify("alice", root)):
        assert chain(verify(presented, root)) == ["alice", "Root"]


def test_intermediates_come_from_the_bundle_or_from_what_was_forwarded() -> None:
    leaf = client("alice", LOWEST)
    for bundle, forwarded in (
        ((ROOT, LOWER, LOWEST), ()),
        ((LOWEST, LOWER, ROOT), ()),
        ((ROOT, LOWER), (LOWEST,)),
        ((ROOT,), (LOWEST, LOWER)),
        ((ROOT,), (LOWEST, LOWER, ROOT)),
        ((ROOT, LOWER, LOWEST), (LOWEST, LOWER, ROOT)),
    ):
        assert chain(verify(leaf, *bundle, forwarded=forwarded)) == ["alice", "Lowest", "Lower", "Root"]
    assert chain(verify(leaf, ROOT, LOWEST, forwarded=[LOWEST, LOWER])) == ["alice", "Lowest"]  # not below Lower there


def test_a_forwarded_chain_goes_on_past_the_anchor_without_harm() -> None:
    top = authority("Top", key=KEYS[5])
    cross = authority("Root", top, key=ROOT.key)
    assert chain(verify(client("alice", LOWER), ROOT, forwarded=[LOWER, cross, top])) == ["alice", "Lower", "Root"]


def test_intermediates_that_were_forwarded_are_never_anchors() -> None:
    stranger = authority("Stranger", key=KEYS[5])
    with pytest.raises(CertificateUntrusted):
        verify(client("alice", stranger), ROOT, forwarded=[stranger])
    with pytest.raises(CertificateUntrusted):
        verify(client("alice", LOWER), authority("Other", key=KEYS[4]), forwarded=[LOWER, ROOT])


def test_a_forwarded_self_signed_certificate_is_no_link_of_a_path() -> None:
    # The leaf means the self-signed root, which nobody trusts. Without this hop its key identifier refuses the other.
    other = authority("Other", key=KEYS[3])
    cross = authority("Root", other, key=ROOT.key)
    issuer = [x509.DirectoryName(ROOT.certificate.issuer)]
    identifier = x509.AuthorityKeyIdentifier(None, issuer, ROOT.certificate.serial_number)
    leaf = client("alice", ROOT, extra=[(identifier, False)])
    for forwarded in ((cross,), (cross, other), (ROOT, cross), (ROOT, cross, other)):
        with pytest.raises(CertificateUntrusted):
            verify(leaf, other, forwarded=forwarded)


def test_what_is_forwarded_must_be_a_chain() -> None:
    with pytest.raises(ForwardingInconsistent):
        PresentedChain(client("alice", LOWER).certificate, (ROOT.certificate,))


def test_either_of_two_roots_that_cross_signed_each_other_is_enough() -> None:
    other = authority("Other", key=KEYS[3])
    cross = authority("Root", other, key=ROOT.key)
    leaf = client("alice", LOWER)
    assert chain(verify(leaf, ROOT, LOWER, cross)) == ["alice", "Lower", "Root"]
    assert chain(verify(leaf, other, cross, LOWER)) == ["alice", "Lower", "Root", "Other"]
    assert chain(verify(leaf, other, forwarded=[LOWER, cross])) == ["alice", "Lower", "Root", "Other"]


def test_one_way_to_an_anchor_is_enough_where_another_has_expired() -> None:
    old = authority("Old", key=KEYS[3], start=NOW - 9 * DAY, end=NOW - DAY)
    cross = authority("Lower", old, key=LOWER.key)
    for bundle in itertools.permutations((ROOT, LOWER, old, cross)):
        assert chain(verify(client("alice", LOWER), *bundle)) == ["alice", "Lower", "Root"]


def test_cas_of_one_name_are_told_apart_by_their_keys_in_any_order() -> None:
    second, third = authority("Root", key=KEYS[3]), authority("Root", key="Ed25519")
    for bundle in itertools.permutations((ROOT, second, third)):
        for ca in bundle:
            for leaf in (client("alice", ca), certify("alice", ca), as_v1(client("alice", ca), ca)):
                assert verify(leaf, *bundle).chain[1] == ca.certificate


def test_after_a_key_rollover_leaves_of_both_keys_verify_with_old_and_new_root() -> None:
    new = authority("Root", key=KEYS[3])
    old_leaf, new_leaf = client("alice", ROOT), client("alice", new)
    for leaf in (old_leaf, new_leaf):
        assert verify(leaf, ROOT, new).common_name == "alice"
    new_with_old = authority("Root", ROOT, key=new.key)
    assert verify(new_leaf, ROOT, new_with_old).chain[1:] == (new_with_old.certificate, ROOT.certificate)
    with pytest.raises(CertificateUntrusted):
        verify(old_leaf, new)


def test_a_root_renewed_with_its_key_verifies_what_it_issued_before() -> None:
    expired = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf = client("alice", expired)
    for bundle in ((expired, ROOT), (ROOT, expired), (ROOT,)):
        assert verify(leaf, *bundle).chain[1] == ROOT.certificate


def test_a_root_renewed_with_its_key_does_not_hide_the_one_that_leaves_name_by_issuer_and_serial_number() -> None:
    # easy-rsa writes authorityKeyIdentifier=keyid,issuer:always.
    renewed = authority("Root", key=ROOT.key)
    for ca in (ROOT, renewed):
        issuer = [x509.DirectoryName(ca.certificate.issuer)]
        identifier = x509.AuthorityKeyIdentifier(aki(ca.key).key_identifier, issuer, ca.certificate.serial_number)
        below = authority("Lower", ca, key=KEYS[0], extra=[(identifier, False)])
        for bundle in ((ROOT, renewed), (renewed, ROOT)):
            assert verify(client("alice", ca, extra=[(identifier, False)]), *bundle).chain[1] == ca.certificate
            assert verify(client("alice", below), *bundle, below).chain[2] == ca.certificate


def test_a_new_key_signed_by_the_old_one_does_not_outlive_it_whatever_their_kinds() -> None:
    for old_kind, new_kind in (("P-256", "RSA-2048"), ("RSA-2048", "P-256"), ("Ed25519", "P-256"), ("P-384", "P-256")):
        old = authority("Root", key=private_key(old_kind, 0), start=NOW - 9 * DAY, end=NOW - DAY)
        for without in ((), (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)):
            new = authority("Root", old, key=private_key(new_kind, 5), without=without)
            for bundle in ((old, new), (new, old)):
                for leaf in (client("alice", new), as_v1(client("alice", new), new)):
                    with pytest.raises(ClientCertError):
                        verify(leaf, *bundle)


def test_an_intermediate_is_an_anchor_beside_a_new_root_of_its_issuers_name_whatever_their_kinds() -> None:
    for old_kind, new_kind in (("P-256", "RSA-2048"), ("RSA-2048", "Ed25519"), ("P-384", "P-256")):
        old, new = authority("Root", key=private_key(old_kind, 0)), authority("Root", key=private_key(new_kind, 5))
        intermediate = authority("Lower", old, key=KEYS[0])
        assert chain(verify(client("alice", intermediate), new, intermediate)) == ["alice", "Lower"]


def test_a_path_through_a_loop_of_cross_signatures_ends() -> None:
    first = authority("A", key=KEYS[3])
    second = authority("B", first, key=KEYS[4])
    loop = authority("A", second, key=KEYS[3])
    with pytest.raises(CertificateUntrusted):
        verify(client("alice", loop), ROOT, forwarded=[loop, second, first])
    assert chain(verify(client("alice", second), first, second, loop)) == ["alice", "B", "A"]


def test_a_ca_certificate_may_identify_a_client_unless_its_key_usage_is_that_of_a_ca() -> None:
    root = certify("Root", extensions=[(basic(ca=True), True)])
    assert chain(verify(root, root)) == ["Root"]
    intermediate = certify("Box", ROOT, key=KEYS[0], extensions=[(basic(ca=True), True)])
    assert chain(verify(intermediate, ROOT)) == ["Box", "Root"]
    with pytest.raises(CertificateUnsuitable, match="digitalSignature"):
        verify(ROOT, ROOT)


EXPENSIVE = """
import sys
from cryptography import x509
from sslclientcert import ClientCertError, PresentedChain, TrustStore

root, *chain = x509.load_pem_x509_certificates(sys.stdin.buffer.read())
try:
    TrustStore([root], max_depth=10).verify(PresentedChain(chain[0], tuple(chain[1:])))
except ClientCertError as error:
    print(error.code)
"""


def loops() -> dict[str, list[Party]]:
    """Nine CAs, each of them the issuer of every other, or of every second one."""
    genuine = client("mallory", ROOT, key=KEYS[5])
    made = {"mallory": [*(authority("mallory", genuine, key=KEYS[5]) for _ in range(8)), genuine]}
    for name in ("Stranger", "Root"):  # the name of a CA is no secret
        top = authority(name, key=KEYS[5])
        made[name] = [*(authority(name, top, key=KEYS[5]) for _ in range(8)), top]
    first, second = authority("Root", key=KEYS[5]), authority("Other", key=KEYS[4])
    pairs = [(authority("Root", second, key=KEYS[5]), authority("Other", first, key=KEYS[4])) for _ in range(4)]
    made["Root and Other"] = [*itertools.chain.from_iterable(pairs), first]
    return made


@pytest.mark.parametrize("name", ["Stranger", "Root", "mallory", "Root and Other"])
def test_a_forwarded_chain_that_loops_is_refused_before_anybody_gets_old(name: str) -> None:
    # A search of all paths through nine CAs of one name and key takes a second at max_depth 3, and minutes at 5, with
    # a cryptography that has no budget of signature checks (45). And whoever has any certificate of the CA can put
    # such a loop below it.
    loop = loops()[name]
    pem = pem_of(ROOT, client("alice", loop[0]), *loop)
    command = [sys.executable, "-c", EXPENSIVE]
    done = subprocess.run(command, input=pem, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() in ("certificate_untrusted", "certificate_unsuitable", "forwarding_inconsistent"), done


# Anchors: cryptography's Store alone would take every member of the bundle for one


def only_by_root(root: Party, leaf_of: Party | None = None) -> tuple[Party, tuple[Party, Party]]:
    intermediate = leaf_of or authority("Lower", root, key=KEYS[0])
    return client("alice.example", intermediate), (root, intermediate)


def test_an_intermediate_of_the_bundle_does_not_outlive_its_root() -> None:
    root = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf, bundle = only_by_root(root)
    for order in (bundle, bundle[::-1]):
        with pytest.raises(CertificateExpired, match="CN=Root"):
            verify(leaf, *order)


@pytest.mark.parametrize("spelling", ["CN=ROOT", r"CN=\ root\ "])
def test_an_intermediate_does_not_outlive_its_root_where_it_spells_the_name_another_way(spelling: str) -> None:
    root = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf, bundle = only_by_root(root, authority("Lower", root, key=KEYS[0], issuer_name=spelling))
    with pytest.raises(ClientCertError):
        verify(leaf, *bundle)


def test_a_root_above_an_intermediate_of_the_bundle_constrains_names_length_and_purpose() -> None:
    names = authority("Root", extra=[(permitted(x509.DNSName("example.org")), True)])
    length = authority("Root", pathlen=0)
    purpose = authority("Root", extra=[(purposes("SERVER_AUTH"), False)])
    for root in (names, length, purpose):
        leaf, bundle = only_by_root(root)
        for order in (bundle, bundle[::-1]):
            with pytest.raises((CertificateUnsuitable, CertificateUntrusted)):
                verify(leaf, *order)


def test_a_root_that_revoked_an_intermediate_of_the_bundle_is_heard() -> None:
    leaf, bundle = only_by_root(ROOT)
    lists = [revocation_list(ROOT, bundle[1].certificate.serial_number), revocation_list(bundle[1])]
    with pytest.raises(CertificateRevoked, match="CN=Lower"):
        verify(leaf, *bundle, crls=lists)


def test_a_root_above_does_not_matter_where_it_is_not_in_the_bundle() -> None:
    root = authority("Root", pathlen=0, start=NOW - 9 * DAY, end=NOW - DAY)
    leaf, (_, intermediate) = only_by_root(root)
    assert chain(verify(leaf, intermediate)) == ["alice.example", "Lower"]
    assert chain(verify(leaf, intermediate, authority("Other"))) == ["alice.example", "Lower"]
    assert chain(verify(leaf, intermediate, forwarded=[intermediate, root])) == ["alice.example", "Lower"]


def test_an_intermediate_that_is_an_anchor_must_be_a_ca_and_valid() -> None:
    lower = authority("Lower", ROOT, key=KEYS[0], start=NOW - 9 * DAY, end=NOW - DAY)
    with pytest.raises(CertificateExpired, match="CN=Lower"):
        verify(client("alice", lower), lower)
    lower = certify("Lower", ROOT, key=KEYS[0], extensions=[(basic(ca=False), True)])
    with pytest.raises(CertificateUnsuitable, match="CN=Lower"):
        verify(client("alice", lower), lower)


# Pins


def test_a_leaf_in_the_bundle_is_trusted_as_itself_whatever_its_kind() -> None:
    for leaf in (
        client("alice", ROOT),
        as_v1(client("alice", ROOT), ROOT),
        client("alice"),
        as_v1(client("alice")),
        certify("alice"),
        client("alice", key="Ed25519"),
    ):
        assert chain(verify(leaf, leaf)) == ["alice"]
        assert chain(verify(leaf, authority("Other", key=KEYS[4]), leaf)) == ["alice"]


def test_a_pinned_leaf_must_be_valid_and_suitable() -> None:
    expired = client("alice", ROOT, start=NOW - 9 * DAY, end=NOW - DAY)
    with pytest.raises(CertificateExpired):
        verify(expired, expired)
    server = client("alice", ROOT, extra=[(purposes("SERVER_AUTH"), False)])
    with pytest.raises(CertificateUnsuitable):
        verify(server, server)


def test_a_pinned_leaf_vouches_for_nobody_else() -> None:
    pinned = client("alice", ROOT, key=KEYS[0])
    for other in (client("alice", ROOT, key=KEYS[0]), client("mallory", pinned), client("alice", key=KEYS[0])):
        with pytest.raises(ClientCertError):
            verify(other, pinned)
    with pytest.raises(ClientCertError):
        verify(client("mallory", pinned), ROOT, forwarded=[pinned])


def test_a_leaf_in_the_bundle_beside_its_issuer_holds_only_through_it() -> None:
    expired = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf = client("alice", expired)
    with pytest.raises(CertificateExpired, match="CN=Root"):
        verify(leaf, expired, leaf)
    assert chain(verify(leaf, ROOT, leaf)) == ["alice", "Root"]


def test_a_self_signed_stranger_is_refused_though_it_bears_the_name_of_a_ca() -> None:
    for stranger in (client("alice"), as_v1(client("alice")), client("Root", key=KEYS[5]), client("x", key="Ed25519")):
        with pytest.raises(CertificateUntrusted):
            verify(stranger, ROOT)


# Depth


def test_depth_counts_intermediates_as_nginx_does() -> None:
    direct, below, deeper = client("alice", ROOT), client("alice", LOWER), client("alice", LOWEST)
    for leaf, least in ((direct, 0), (below, 1), (deeper, 2)):
        for bundle, forwarded in (((ROOT, LOWER, LOWEST), ()), ((ROOT,), (LOWEST, LOWER)[2 - least :])):
            assert len(verify(leaf, *bundle, forwarded=forwarded, max_depth=least).chain) == least + 2
            if least:
                with pytest.raises(CertificateUntrusted, match=f"more than {least - 1} intermediate"):
                    verify(leaf, *bundle, forwarded=forwarded, max_depth=least - 1)


def test_path_length_counts_the_cas_below() -> None:
    for allowed, needed in itertools.product(range(3), repeat=2):
        root = authority("Root", pathlen=allowed)
        path = [root]
        for number in range(needed):
            path.append(authority(f"CA {number}", path[-1], key=KEYS[number]))
        leaf = client("alice", path[-1])
        if allowed >= needed:
            assert len(verify(leaf, *path).chain) == needed + 2
        else:
            with pytest.raises(CertificateUnsuitable, match=rf"CN=Root.* allows {allowed} .*there are {needed}"):
                verify(leaf, *path)


# The store


def test_a_store_needs_a_certificate_and_options_in_their_ranges() -> None:
    for problem, arguments in (
        ("at least one CA certificate", {"certificates": ()}),
        ("profile must be one of private-pki, web-pki", {"profile": "strict"}),
        ("max_depth must be from 0 to 10", {"max_depth": -1}),
        ("max_depth must be from 0 to 10", {"max_depth": 11}),
        ("revocation must be one of require, if-available, off", {"revocation": "maybe"}),
    ):
        with pytest.raises(ValueError, match=problem):
            TrustStore(**{"certificates": [ROOT.certificate], **arguments})  # type: ignore[arg-type]


def test_options_are_the_same_from_objects_from_pem_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(pem_of(ROOT, LOWER), encoding="ascii")
    presented = PresentedChain(client("alice", LOWER).certificate)
    for store in (
        TrustStore([ROOT.certificate, LOWER.certificate], max_depth=0),
        TrustStore.from_pem(pem_of(ROOT, LOWER), max_depth=0),
        TrustStore.from_file(tmp_path / "ca.crt", max_depth=0),
    ):
        with pytest.raises(CertificateUntrusted, match="more than 0 intermediate"):
            store.verify(presented)
    for interval in (-1, float("nan")):
        with pytest.raises(ValueError, match="reload_interval"):
            TrustStore.from_file(tmp_path / "ca.crt", reload_interval=interval)


def test_a_store_says_what_it_holds() -> None:
    assert "1 anchors, 1 intermediates" in repr(TrustStore.from_pem(pem_of(ROOT, LOWER)))


def test_certificates_may_come_from_an_iterator_and_more_than_once() -> None:
    store = TrustStore(iter([ROOT.certificate, ROOT.certificate]))
    assert store.verify(PresentedChain(client("alice", ROOT).certificate)).common_name == "alice"


def test_a_decoded_header_verifies() -> None:
    header = client("alice", ROOT).pem.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")
    assert TrustStore.from_pem(ROOT.pem).verify(decode(header)).common_name == "alice"


def test_the_chain_of_an_identity_is_the_path_that_was_verified() -> None:
    identity = verify(client("alice", LOWEST, extra=[(sans(x509.DNSName("a.example")), True)]), ROOT, LOWER, LOWEST)
    for certificate, issuer in itertools.pairwise(identity.chain):
        certificate.verify_directly_issued_by(issuer)
    assert identity.chain[0] is identity.certificate
