"""Bundles as the United States' federal PKI has them, which paths of the web PKI cannot be built from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from sslclientcert import TrustStore

from .differential.asn1 import oid, sequence
from .differential.compare import Accepted, by_library
from .differential.examples import alice, ca
from .differential.making import (
    AIA,
    CONSTRAINTS,
    INHIBIT_ANY,
    POLICIES,
    POLICY_CONSTRAINTS,
    POLICY_MAPPINGS,
    Case,
    Extension,
    General,
    Subtree,
)
from .differential.names import OU, C, O, name
from .differential.openssl import OpenSsl
from .pki import tlv

ON_CARDS = "2.16.840.1.101.3.2.1.3.13"
"""id-fpki-common-authentication: the certificate of a PIV card for logging in."""


def bridged(*, mapped: bool = True) -> Case:
    """A card's certificate below an agency's CA, as the Federal Bridge cross-certifies it: everything critical."""
    root = ca("Federal Common Policy CA G2")
    bridge, agency = ca("Federal Bridge CA G4", root, number=1), ca("Agency CA", number=2)
    agency.parent, agency.aki = bridge, None
    for made in (bridge, agency):
        made.policies = (ON_CARDS, "2.16.840.1.101.3.2.1.3.7")
        made.inhibit_any = 0
        made.extra += [
            Extension(POLICY_CONSTRAINTS, sequence(tlv(0x80, b"\0"), tlv(0x81, b"\2")), critical=True),
            Extension(
                "1.3.6.1.5.5.7.1.11", sequence(sequence(oid("1.3.6.1.5.5.7.48.5"), General("URI", "http://x/").der))
            ),
            Extension(AIA, sequence(sequence(oid("1.3.6.1.5.5.7.48.2"), General("URI", "http://x/").der))),
        ]
        if mapped:
            made.extra.append(Extension(POLICY_MAPPINGS, sequence(sequence(oid("1.2.3"), oid("1.2.4"))), critical=True))
        other = name((C, "US"), (O, "U.S. Government"), (OU, "Another Agency"))
        made.subtrees = (Subtree(General("directory", other), permitted=False),)
        made.critical |= {POLICIES, INHIBIT_ANY, CONSTRAINTS}
    leaf = alice(agency, General("UPN", "alice@agency.example"))
    leaf.policies = (ON_CARDS,)
    return Case(leaf, [root, bridge, agency])


@pytest.mark.parametrize(("mapped", "policies"), [(True, ()), (False, (ON_CARDS,))])
def test_a_card_below_cross_certified_cas_is_accepted_with_its_policy_unless_policies_are_mapped(
    mapped: bool,
    policies: tuple[str, ...],
    tmp_path: Path,
) -> None:
    case = bridged(mapped=mapped)
    answer = by_library(case)
    assert isinstance(answer, Accepted)
    assert answer.policies == policies
    assert OpenSsl(tmp_path).accepts_bundle(case)


def test_a_name_that_the_bridge_excludes_is_refused(tmp_path: Path) -> None:
    case = bridged()
    case.leaf.subject = name((C, "us"), (O, "U.S.  GOVERNMENT"), (OU, "another agency"))
    assert str(by_library(case)).startswith("certificate_unsuitable")
    assert not OpenSsl(tmp_path).accepts_bundle(case)


def dod_bundle() -> bytes:
    """Return the bundle of the package, without importing it: that wants setuptools."""
    found = find_spec("dodcerts")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("dod-ca-certs.pem").read_bytes()


def test_the_cas_of_the_department_of_defense_are_usable_but_for_those_signed_with_sha_1() -> None:
    """Of 42, cryptography does not read five, ECDSA with a NULL; and Root CA 2 has signed ten with SHA-1."""
    status = TrustStore.from_pem(dod_bundle()).status()
    assert (status.anchors, status.intermediates, status.left_out) == (3, 24, 15)
