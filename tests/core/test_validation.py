"""The decision: which path leads from a leaf to an anchor, what ends a search, and what a refusal says.

The rules of one certificate are in test_policy.py and test_constraints.py; anchors and links are in test_links.py.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.x509.name import _ASN1Type

from sslclientcert import PROXIES, ClientCertError, PresentedChain, TrustStore
from sslclientcert.core import validation
from sslclientcert.core.errors import (
    CAExpired,
    CertificateExpired,
    CertificateRevoked,
    CertificateUnsuitable,
    CertificateUntrusted,
    ForwardingInconsistent,
    RevocationUnknown,
    TrustStoreUnavailable,
)
from sslclientcert.core.presented import presented_by

from ..openssl import version
from .conftest import CHAIN_ROWS, headers_of
from .judge import answers, openssl_accepts, refusal, verify
from .judge import names as chain
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
    tlv,
    unknown,
)

ROOT = authority("Root")
KEYS = [private_key("P-256", number) for number in range(2, 8)]
LOWER = authority("Lower", ROOT, key=KEYS[0])
LOWEST = authority("Lowest", LOWER, key=KEYS[1])
OTHER = authority("Other", key="P-384")
IMPOSTOR = authority("Root", key=KEYS[2])
EXPIRED = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
FUTURE = authority("Root", start=NOW + DAY)


# Made by other software


def test_certificates_made_exactly_as_the_ingress_nginx_documentation_says_verify(tmp_path: Path) -> None:
    make_by_documentation(tmp_path)
    leaf = x509.load_pem_x509_certificate((tmp_path / "client.crt").read_bytes())
    assert leaf.version is (x509.Version.v3 if version() >= (3, 2) else x509.Version.v1)
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
    for extensions in ((), ("-extfile", "v3")):
        ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "5", *extensions)
        leaf = x509.load_pem_x509_certificate(openssl("x509", "-req", *ca, cwd=tmp_path, stdin=request).encode())
        assert leaf.version is (x509.Version.v3 if extensions or version() >= (3, 2) else x509.Version.v1)
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


def test_a_ca_that_is_unusable_in_the_bundle_is_linked_by_what_the_client_forwards() -> None:
    leaf, impostor = client("alice", LOWEST), authority("Lower", key=KEYS[5])
    assert chain(verify(leaf, ROOT, impostor, LOWEST, forwarded=[LOWEST, LOWER])) == [
        "alice",
        "Lowest",
        "Lower",
        "Root",
    ]
    with pytest.raises(CertificateUntrusted):
        verify(leaf, ROOT, impostor, LOWEST, forwarded=[LOWEST])


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


def test_an_intermediate_next_to_a_new_root_of_its_issuers_name_is_unusable_as_with_nginx() -> None:
    for old_kind, new_kind in (("P-256", "RSA-2048"), ("RSA-2048", "Ed25519"), ("P-384", "P-256")):
        old, new = authority("Root", key=private_key(old_kind, 0)), authority("Root", key=private_key(new_kind, 5))
        intermediate = authority("Lower", old, key=KEYS[0])
        detail = refusal(CertificateUntrusted, client("alice", intermediate), new, intermediate)
        assert "unusable" in detail
        assert not openssl_accepts(client("alice", intermediate), new, intermediate)


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
def test_a_forwarded_chain_that_loops_is_refused_within_a_minute(name: str) -> None:
    # A search of all paths through nine CAs of one name and key takes a second at max_depth 3, and minutes at 5, with
    # a cryptography that has no budget of signature checks (45). Anybody with a certificate of the CA can put such a
    # loop below it.
    loop = loops()[name]
    pem = pem_of(ROOT, client("alice", loop[0]), *loop)
    command = [sys.executable, "-c", EXPENSIVE]
    done = subprocess.run(command, input=pem, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() in ("certificate_untrusted", "certificate_unsuitable"), done


# Intermediates of the bundle hold only through their roots


def only_by_root(root: Party, leaf_of: Party | None = None) -> tuple[Party, tuple[Party, Party]]:
    intermediate = leaf_of or authority("Lower", root, key=KEYS[0])
    return client("alice.example", intermediate), (root, intermediate)


def test_an_intermediate_of_the_bundle_does_not_outlive_its_root() -> None:
    root = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf, bundle = only_by_root(root)
    for order in (bundle, bundle[::-1]):
        assert "'CN=Root'" in refusal(CAExpired, leaf, OTHER, *order)
        refusal(TrustStoreUnavailable, leaf, *order)
        assert not openssl_accepts(leaf, *order)


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
    assert "'CN=Lower'" in refusal(CAExpired, client("alice", lower), OTHER, lower)
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


def test_a_leaf_in_the_bundle_next_to_its_issuer_holds_only_through_it() -> None:
    expired = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf = client("alice", expired)
    assert "'CN=Root'" in refusal(CAExpired, leaf, OTHER, expired, leaf)
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
                told = f"'CN=alice'.*more than {least - 1} intermediate.*max_depth"
                with pytest.raises(CertificateUntrusted, match=told):
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


# The forwarded chain


def test_a_forwarded_chain_comes_in_any_order_with_its_root_with_copies_and_with_strangers() -> None:
    leaf, stranger = client("alice", LOWEST), authority("Stranger", key=KEYS[5])
    for forwarded in itertools.permutations((LOWEST, LOWER, ROOT, stranger, LOWEST)):
        assert chain(verify(leaf, ROOT, forwarded=forwarded)) == ["alice", "Lowest", "Lower", "Root"]
    assert chain(verify(leaf, ROOT, forwarded=[leaf, LOWER, leaf, LOWEST])) == ["alice", "Lowest", "Lower", "Root"]
    assert openssl_accepts(leaf, ROOT, forwarded=[stranger, LOWER, LOWEST, ROOT])


# One header for leaf and chain: the leaf's place alone says that it is the leaf


def in_one_header(leaf: Party, *others: Party) -> list[str]:
    return chain(verify(leaf, ROOT, forwarded=others, is_leaf_bound=False))


def test_certificates_of_one_header_may_come_in_any_order_with_the_root_and_with_copies() -> None:
    leaf, path = client("alice", LOWEST), ["alice", "Lowest", "Lower", "Root"]
    for others in itertools.permutations((LOWEST, LOWER, ROOT)):
        assert in_one_header(leaf, *others) == path
    assert in_one_header(leaf, LOWER, LOWEST, leaf, LOWER, ROOT, ROOT) == path
    assert in_one_header(client("alice", ROOT)) == ["alice", "Root"]
    assert in_one_header(client("alice", ROOT), ROOT) == ["alice", "Root"]


def test_a_cross_certificate_above_the_anchor_is_part_of_the_chain() -> None:
    top = authority("Top", key=KEYS[5])
    cross = authority("Root", top, key=ROOT.key)
    for others in itertools.permutations((LOWER, cross, top)):
        assert in_one_header(client("alice", LOWER), *others) == ["alice", "Lower", "Root"]


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(authority("Mallory", key=KEYS[5]), id="a CA that mallory made"),
        pytest.param(authority("Root", key=KEYS[5]), id="one of the anchor's name"),
        pytest.param(authority("Mallory", key=ROOT.key), id="one of the anchor's key"),
        pytest.param(authority("Lower", key=KEYS[5]), id="one of the issuer's name"),
        pytest.param(certify("Root", key=KEYS[5], extensions=[(basic(ca=True), True)]), id="as openssl req -x509"),
        pytest.param(client("mallory", ROOT), id="a genuine certificate of mallory's"),
        pytest.param(client("mallory", LOWER), id="one of the same issuer"),
        pytest.param(authority("Root", authority("x", key=KEYS[4]), key=KEYS[5]), id="issued by another stranger"),
    ],
)
def test_a_victims_leaf_in_front_of_the_attackers_certificate_is_refused_in_one_header(own: Party) -> None:
    for victim, others in ((client("victim", ROOT), ()), (client("victim", LOWER), (LOWER,))):
        for listed in itertools.permutations((*others, own)):
            detail = refusal(ForwardingInconsistent, victim, ROOT, forwarded=listed, is_leaf_bound=False)
            assert own.certificate.subject.rfc4514_string() in detail
            assert "two headers were joined" in detail
            # Where the leaf has a header of its own, what is not needed is passed over.
            assert verify(victim, ROOT, forwarded=listed).common_name == "victim"


@pytest.mark.parametrize("proxy", CHAIN_ROWS)
def test_proxies_that_bind_the_leaf_pass_over_a_stranger_and_the_others_refuse_it(proxy: str) -> None:
    own, victim = authority("Mallory", key=KEYS[5]), client("victim", LOWER)
    row, headers = PROXIES[proxy], headers_of(victim, proxy, LOWER, own)
    chain_value = headers.get(row.chain_header) if row.chain_header else None
    presented = presented_by(row, headers[row.certificate_header], chain_value)
    assert presented is not None
    assert len(presented.intermediates) == 2
    store = TrustStore([ROOT.certificate])
    if proxy in ("traefik", "aws-alb"):
        with pytest.raises(ForwardingInconsistent, match="CN=Mallory"):
            store.verify(presented)
    else:
        assert chain(store.verify(presented)) == ["victim", "Lower", "Root"]


def test_a_stranger_that_was_issued_by_the_listed_ca_has_issued_nothing_itself() -> None:
    own = authority("Own", LOWER, key=KEYS[5])
    refusal(ForwardingInconsistent, client("victim", LOWER), ROOT, forwarded=[LOWER, own], is_leaf_bound=False)


def test_where_there_is_no_path_the_leafs_own_refusal_is_told_and_no_strangers_key_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stranger = authority("Stranger", key=KEYS[5])
    leaf = client("alice", stranger)
    store = TrustStore([OTHER.certificate, client("pinned", ROOT).certificate])
    monkeypatch.setattr("sslclientcert.core.certificate.made_signature", lambda *_: pytest.fail("a key was used"))
    with pytest.raises(CertificateUntrusted):
        store.verify(PresentedChain(leaf.certificate, (stranger.certificate,), is_leaf_bound=False))


# The search


def test_a_path_that_fails_late_does_not_hide_a_good_one() -> None:
    """Two ways up from Lower: the one through the other root breaks a rule, at its very end."""
    for other, crls in (
        (authority("Other", key=KEYS[3], start=NOW - 9 * DAY, end=NOW - DAY), False),
        (authority("Other", key=KEYS[3], pathlen=0), False),
        (authority("Other", key=KEYS[3], extra=[(permitted(x509.DNSName("example.com")), True)]), False),
        (authority("Other", key=KEYS[3], extra=[(purposes("SERVER_AUTH"), False)]), False),
        (authority("Other", key=KEYS[3]), True),
    ):
        for end in (NOW + 20 * DAY, NOW + 40 * DAY):  # whichever of the two is tried first
            cross = authority("Middle", other, key=KEYS[2], end=end)
            middle = authority("Middle", ROOT, key=KEYS[2])
            lower = authority("Lower", middle, key=KEYS[0])
            lists = [revocation_list(one) for one in (ROOT, middle, lower)]
            lists.append(revocation_list(other, cross.certificate.serial_number))
            leaf = client("alice", lower, extra=[(sans(x509.DNSName("a.example.org")), False)])
            for bundle in itertools.permutations((ROOT, other, middle, cross)):
                found = verify(leaf, *bundle, forwarded=[lower], crls=lists if crls else ())
                assert chain(found) == ["alice", "Lower", "Middle", "Root"]


def test_the_refusal_of_the_path_that_came_furthest_is_told() -> None:
    old = authority("Old", key=KEYS[3], start=NOW - 9 * DAY, end=NOW - DAY)
    direct = certify("Lower", ROOT, key=KEYS[0], extensions=[(basic(ca=False), True)])
    suitable = authority("Lower", old, key=KEYS[0])
    leaf = client("alice", suitable)
    for bundle in itertools.permutations((ROOT, old, direct, suitable)):
        assert "'CN=Old'" in refusal(CAExpired, leaf, *bundle)
    for forwarded in itertools.permutations((direct, suitable)):
        assert "'CN=Old'" in refusal(CAExpired, leaf, ROOT, old, forwarded=forwarded)


def test_of_two_paths_of_one_length_the_one_that_broke_the_later_rule_is_told() -> None:
    second = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY)
    leaf = client("alice", ROOT)
    for bundle in ((ROOT, second), (second, ROOT)):
        lists = [revocation_list(ROOT, leaf.certificate.serial_number)]
        assert "'CN=alice'" in refusal(CertificateRevoked, leaf, *bundle, crls=lists)


@pytest.mark.parametrize("padded", ["usable", "expired"])
def test_the_later_rule_is_told_whichever_of_the_two_cas_has_the_greater_der(padded: str) -> None:
    long = (unknown(value=tlv(0x04, bytes(300))), False)
    good = authority("Root", extra=[long] if padded == "usable" else ())
    old = authority("Root", start=NOW - 9 * DAY, end=NOW - DAY, extra=[long] if padded == "expired" else ())
    assert (good.der > old.der) is (padded == "usable")
    leaf = client("alice", good)
    lists = [revocation_list(good, leaf.certificate.serial_number)]
    for bundle in ((good, old), (old, good)):
        refusal(CertificateRevoked, leaf, *bundle, crls=lists)


def test_a_path_that_is_too_deep_came_further_than_one_whose_first_ca_has_expired() -> None:
    expired = authority("Lower", ROOT, key=KEYS[0], start=NOW - 9 * DAY, end=NOW - DAY)
    middle = authority("Middle", ROOT, key=KEYS[3])
    lower = authority("Lower", middle, key=KEYS[0])
    for bundle in itertools.permutations((ROOT, expired, middle, lower)):
        assert "max_depth" in refusal(CertificateUntrusted, client("alice", lower), *bundle, max_depth=1)


def web(size: int) -> tuple[Party, list[Party]]:
    """CAs that have all cross-certified one another, below a root that has expired."""
    old = authority("Old", key=KEYS[5], start=NOW - 9 * DAY, end=NOW - DAY)
    keys = [private_key("P-256", 30 + number) for number in range(size)]
    tops = [authority(f"CA {number}", old, key=key) for number, key in enumerate(keys)]
    crosses = [
        authority(f"CA {number}", issuer, key=key)
        for number, key in enumerate(keys)
        for issuer in tops
        if issuer.key is not key
    ]
    return tops[0], [old, *tops, *crosses]


def test_a_search_ends_after_256_steps_and_says_so() -> None:
    assert validation._MOST_STEPS == 256
    ca, bundle = web(6)
    detail = refusal(CertificateUntrusted, client("alice", ca), *bundle, max_depth=10)
    assert "256" in detail
    assert "cross-certificates" in detail


def test_a_search_within_the_steps_tells_the_rule_that_was_broken() -> None:
    ca, bundle = web(3)
    assert "'CN=Old'" in refusal(CAExpired, client("alice", ca), OTHER, *bundle, max_depth=10)


def test_a_search_takes_as_many_steps_as_it_may_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ca, bundle = web(4)
    monkeypatch.setattr(validation, "_MOST_STEPS", 10)
    leaf = client("alice", ca)
    assert "more paths than the 10" in refusal(CertificateUntrusted, leaf, *bundle, max_depth=10)
    monkeypatch.setattr(validation, "_MOST_STEPS", 2)
    assert chain(verify(client("alice", LOWER), ROOT, LOWER)) == ["alice", "Lower", "Root"]
    monkeypatch.setattr(validation, "_MOST_STEPS", 1)
    assert "more paths than the 1 " in refusal(CertificateUntrusted, client("alice", LOWER), ROOT, LOWER)


def test_no_name_and_key_stands_twice_on_a_path() -> None:
    first = authority("A", key=KEYS[3], start=NOW - 9 * DAY, end=NOW - DAY)
    second = authority("B", first, key=KEYS[4])
    again = authority("A", second, key=KEYS[3])
    for bundle in itertools.permutations((first, second, again)):
        detail = refusal(CAExpired, client("alice", second), OTHER, *bundle, max_depth=10)
        assert "'CN=A'" in detail


def test_a_ca_with_the_name_and_key_of_the_leaf_does_not_stand_above_it() -> None:
    leaf = client("Box", ROOT, key=KEYS[0])
    ca = authority("Box", ROOT, key=KEYS[0])
    assert chain(verify(leaf, ROOT, forwarded=[ca])) == ["Box", "Root"]
    own = client("Box", ca, key=KEYS[0])
    assert "name and the key" in refusal(CertificateUntrusted, own, ROOT, ca)


def test_a_fault_of_the_leaf_ends_the_search_before_any_signature_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    expired = client("alice", LOWER, start=NOW - 9 * DAY, end=NOW - DAY)
    server = client("alice", LOWER, extra=[(purposes("SERVER_AUTH"), False)])
    store = TrustStore([ROOT.certificate])
    monkeypatch.setattr("sslclientcert.core.certificate.made_signature", lambda *_: pytest.fail("a key was used"))
    for leaf, kind in ((expired, CertificateExpired), (server, CertificateUnsuitable)):
        with pytest.raises(kind):
            store.verify(PresentedChain(leaf.certificate, (LOWER.certificate,)))


def test_the_order_of_bundle_and_chain_changes_no_answer() -> None:
    other = authority("Other", key=KEYS[3])
    cross, back = authority("Root", other, key=ROOT.key), authority("Other", ROOT, key=KEYS[3])
    leaf = client("alice", LOWER)
    found = {
        verify(leaf, *bundle, forwarded=forwarded).chain
        for bundle in itertools.permutations((ROOT, other, cross, back))
        for forwarded in ((LOWER, cross), (cross, LOWER))
    }
    assert len(found) == 1
    strangers = client("alice", IMPOSTOR)
    refused = {
        refusal(CertificateUntrusted, strangers, *bundle)
        for bundle in itertools.permutations((ROOT, other, cross, back))
    }
    assert len(refused) == 1


def test_of_several_good_paths_the_one_by_the_ca_that_ends_last_is_the_answer_in_any_order() -> None:
    roots = [authority("Root", end=NOW + days * DAY) for days in (10, 50, 30, 20)]
    middle = [authority("Lower", roots[0], key=KEYS[0], end=NOW + days * DAY) for days in (5, 9, 7)]
    leaf = client("alice", middle[0])
    for order in (*itertools.permutations(roots), *itertools.permutations(roots[:2])):
        assert verify(leaf, *order, forwarded=middle).chain[1:] == (middle[1].certificate, roots[1].certificate)
    for forwarded in itertools.permutations(middle):
        assert verify(leaf, *roots, forwarded=forwarded).chain[1:] == (middle[1].certificate, roots[1].certificate)


def test_of_several_good_paths_by_cas_that_end_at_once_one_is_the_answer_in_any_order() -> None:
    roots = [authority("Root", serial=number) for number in (1, 2, 3)]
    middle = [authority("Lower", roots[0], key=KEYS[0], serial=number) for number in (4, 5, 6)]
    leaf = client("alice", middle[0])
    found = {verify(leaf, *order, forwarded=middle).chain for order in itertools.permutations(roots)}
    found |= {verify(leaf, *roots, forwarded=order).chain for order in itertools.permutations(middle)}
    assert len(found) == 1


def test_where_a_ca_on_the_path_has_no_list_another_path_may_have_all() -> None:
    cross = authority("Lower", OTHER, key=KEYS[0], end=NOW + 60 * DAY)
    lists = [revocation_list(ROOT), revocation_list(LOWER)]
    for bundle in itertools.permutations((ROOT, LOWER, OTHER, cross)):
        assert chain(verify(client("alice", LOWER), *bundle, crls=lists)) == ["alice", "Lower", "Root"]
    assert "'CN=Other'" in refusal(RevocationUnknown, client("alice", LOWER), OTHER, cross, crls=lists)


def test_self_issued_cas_are_not_counted_by_a_path_length() -> None:
    old = authority("Root", pathlen=0, key=KEYS[3])
    renewed = authority("Root", old, key=KEYS[4])
    assert answers(client("alice", renewed), old, renewed) == (True, True)
    below = authority("Lower", renewed, key=KEYS[0])
    assert answers(client("alice", below), old, renewed, below) == (False, False)


def test_the_chain_of_an_identity_is_the_path_that_was_verified() -> None:
    identity = verify(client("alice", LOWEST, extra=[(sans(x509.DNSName("a.example")), True)]), ROOT, LOWER, LOWEST)
    for certificate, issuer in itertools.pairwise(identity.chain):
        certificate.verify_directly_issued_by(issuer)
    assert identity.chain[0] is identity.certificate


# What a refusal says


def variants(leaf: Party, issuer: Party) -> tuple[Party, Party]:
    return leaf, as_v1(leaf, issuer)


def test_a_leaf_of_an_unknown_ca_is_untrusted_with_the_cas_name_and_those_of_the_anchors() -> None:
    stranger = authority("Stranger", key=KEYS[3])
    for leaf in variants(client("alice", stranger), stranger):
        detail = refusal(CertificateUntrusted, leaf, ROOT, OTHER)
        for word in ("'CN=alice'", "'CN=Stranger'", "'CN=Root'", "'CN=Other'", "the trust store", "not meant for you"):
            assert word in detail


def test_many_anchors_are_listed_in_part() -> None:
    cas = [authority(f"Root {number}") for number in range(9)]
    assert "'CN=Root 4' and 4 more" in refusal(CertificateUntrusted, client("alice", LOWER), *cas)


def test_a_leaf_of_a_ca_of_a_known_name_and_another_key_is_untrusted_with_what_may_have_happened() -> None:
    edwards = authority("Root", key="Ed25519")
    for leaf in (*variants(client("alice", IMPOSTOR), IMPOSTOR), *variants(client("alice", edwards), edwards)):
        detail = refusal(CertificateUntrusted, leaf, ROOT)
        for word in ("'CN=alice'", "'CN=Root'", "another CA", "new key"):
            assert word in detail


def test_a_missing_intermediate_is_told_with_the_remedy() -> None:
    detail = refusal(CertificateUntrusted, client("alice", LOWER), ROOT)
    for word in ("'CN=Lower'", "'CN=alice'", "add its certificate to the bundle", "nginx and Caddy"):
        assert word in detail


def test_a_missing_root_above_an_intermediate_that_was_forwarded_is_told_with_the_remedy() -> None:
    detail = refusal(CertificateUntrusted, client("alice", LOWER), OTHER, forwarded=[LOWER])
    for word in ("'CN=Root'", "the issuer of 'CN=Lower'", "add the CA above it to the bundle"):
        assert word in detail


def test_a_missing_intermediate_between_two_others_is_told_with_the_remedy() -> None:
    detail = refusal(CertificateUntrusted, client("alice", LOWEST), ROOT, forwarded=[LOWEST])
    assert "'CN=Lower'" in detail
    assert "the issuer of 'CN=Lowest'" in detail


def test_a_self_signed_stranger_is_told_so() -> None:
    for leaf in (client("alice"), as_v1(client("alice")), client("alice", key="Ed25519")):
        detail = refusal(CertificateUntrusted, leaf, ROOT)
        for word in ("'CN=alice'", "is self-signed", "the trust store does not hold it"):
            assert word in detail


def test_a_whole_chain_of_a_stranger_with_its_root_is_told_by_that_root() -> None:
    stranger = authority("Stranger", key=KEYS[3])
    below = authority("Below", stranger, key=KEYS[4])
    for leaf, forwarded in ((client("alice", stranger), [stranger]), (client("alice", below), [below, stranger])):
        detail = refusal(CertificateUntrusted, leaf, ROOT, forwarded=forwarded)
        assert "'CN=Stranger'" in detail
        assert "the trust store does not hold it" in detail


@pytest.mark.parametrize(("anchor", "word"), [(EXPIRED, "expired"), (FUTURE, "valid from")])
def test_an_anchor_out_of_its_time_is_named(anchor: Party, word: str) -> None:
    for leaf in variants(client("alice", anchor), anchor):
        detail = refusal(CAExpired, leaf, OTHER, anchor)
        assert "'CN=Root'" in detail
        assert word in detail


def test_an_intermediate_out_of_its_time_is_named() -> None:
    for start, end, word in ((NOW - 9 * DAY, NOW - DAY, "expired"), (NOW + DAY, NOW + 9 * DAY, "valid from")):
        intermediate = authority("Lower", ROOT, key=KEYS[0], start=start, end=end)
        for bundle, forwarded in (((ROOT, intermediate), ()), ((ROOT,), (intermediate,))):
            detail = refusal(CAExpired, client("alice", intermediate), *bundle, forwarded=forwarded)
            assert "'CN=Lower'" in detail
            assert word in detail


def test_a_bundle_of_which_nothing_is_valid_is_the_services_fault() -> None:
    detail = refusal(
        TrustStoreUnavailable, client("alice", LOWER), EXPIRED, authority("Gone", start=NOW - 9 * DAY, end=NOW - DAY)
    )
    assert "renewed CA certificate into the bundle" in detail


def test_in_the_first_and_in_the_last_second_of_its_only_anchor_a_bundle_is_valid() -> None:
    stranger = client("mallory", OTHER, start=NOW - 60 * DAY, end=NOW + 60 * DAY)
    for end in (ROOT.certificate.not_valid_before_utc, ROOT.certificate.not_valid_after_utc):
        refusal(CertificateUntrusted, stranger, ROOT, at=end)
    for beyond in (ROOT.certificate.not_valid_before_utc - DAY, ROOT.certificate.not_valid_after_utc + DAY):
        refusal(TrustStoreUnavailable, stranger, ROOT, at=beyond)


def test_the_reason_of_the_ca_that_did_sign_is_told_among_cas_of_one_name() -> None:
    for leaf in variants(client("alice", EXPIRED), EXPIRED):
        for bundle in ((IMPOSTOR, EXPIRED), (EXPIRED, IMPOSTOR)):
            detail = refusal(CAExpired, leaf, *bundle)
            assert format(EXPIRED.certificate.serial_number, "X") in detail


def test_a_name_in_another_string_type_case_or_spacing_is_the_same_name() -> None:
    printable = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Root", _ASN1Type.PrintableString)])
    for spelling in (printable, "CN=ROOT", r"CN=\ root\ "):
        leaf = certify("alice", ROOT, issuer_name=spelling, key=KEYS[3])
        assert answers(leaf, ROOT) == (True, True)


def test_the_bundle_is_named_by_its_path(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("secret") / "ca.crt"
    path.write_text(pem_of(ROOT), encoding="ascii")
    with pytest.raises(CertificateUntrusted, match=r"secret0/ca\.crt"):
        TrustStore.from_file(path).verify(PresentedChain(client("alice", LOWER).certificate))


def test_what_a_client_wrote_into_its_certificate_is_quoted_and_clipped() -> None:
    hostile = "x\r\nrefused: nothing\x1b[2J\u202e" + "y" * 30
    detail = refusal(CertificateUntrusted, client(f"CN={'z' * 64}"), ROOT)
    assert "z" * 64 in detail
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostile)] * 9)
    stranger = authority(name, key=KEYS[3])
    for leaf in (client(name), client("alice", stranger), client(name, stranger)):
        detail = refusal(CertificateUntrusted, leaf, ROOT)
        assert detail.isascii()
        assert detail.isprintable()
        assert len(detail) < 2100


def test_a_pin_with_further_certificates_leaves_nothing_behind_in_the_bundle() -> None:
    pin = client("alice")
    store = TrustStore([pin.certificate])
    known = dict(store.current().bundle.links._signed)
    for _ in range(3):
        presented = PresentedChain(pin.certificate, (authority("Own").certificate,), is_leaf_bound=False)
        with pytest.raises(ForwardingInconsistent):
            store.verify(presented)
    assert store.current().bundle.links._signed == known
