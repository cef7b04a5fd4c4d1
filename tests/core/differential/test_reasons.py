"""Each row of the table of differences, shown by the smallest case that has it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ...openssl import version
from . import model
from .compare import Accepted, by_library, compare
from .examples import ACCEPTED, REFUSED, UNREAD, alice, ca, constrained, permits, spelled, tangle
from .keys import Scheme
from .making import Case, General
from .openssl import OpenSsl
from .reasons import EXCUSES, REASONS, reasons_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # cryptography's


DOCUMENTED = {
    "X.509 v1 CA, or one with keyCertSign and no basic constraints": ["CA without CA:TRUE"],
    "an anchor whose own signature is wrong": ["an anchor's own signature is wrong"],
    "negative serial number, or one of over 20 octets": ["serial number that is negative or longer than 20 octets"],
    "explicit EC parameters, DSA, binary curves, RSA keys of a CA over 8192 bits; RSASSA-PSS keys with parameters that "
    "sign with others": [
        *("explicit EC parameters", "DSA", "binary curve", "RSA key over 8192 bits"),
        "signature with other parameters than its RSASSA-PSS key's",
    ],
    "RFC 3779, a critical Netscape type": ["RFC 3779", "critical Netscape certificate type"],
    "a CA without a subject": ["CA without a subject"],
    "a CA's name and key twice on a path": ["a CA's name and key twice on the path"],
    "name constraints: a common name next to a DNS name, a wildcard that may stand for an excluded name, a name or "
    "constraint that cannot be read, a host name of over 253 characters, a SmtpUTF8Mailbox on the host of an excluded "
    "mailbox, a minimum or maximum, more than 65,536 comparisons": [
        "common name that looks like a host name, next to a DNS name",
        "wildcard below an excluded name",
        "name that cannot be read below a constraint of its kind",
        "constraint that cannot be read",
        "SmtpUTF8Mailbox below a constraint of e-mail",
        "minimum or maximum in a constraint",
        "more than 65,536 comparisons of names",
    ],
    "a forwarded chain that needs more than 16 signature checks, a CA in it with an RSA key over 4096 bits, a large "
    "exponent, an ML-DSA key or another curve than P-256, P-384 and P-521": [
        "more than 16 signature checks for a forwarded chain",
        "forwarded CA with a costly key",
    ],
    "more than 256 steps of search": ["more than 256 steps of search"],
    "a CRL without nextUpdate, indirect, for some reasons, or signed with SHA-1; an entry with removeFromCRL in a "
    "complete CRL (it revokes)": [
        *("CRL without nextUpdate", "a list that cannot be used", "removeFromCRL in a complete CRL"),
    ],
    "a CA of the bundle below a forwarded one, if the bundle has a path for it": [
        "a CA of the bundle below a forwarded one"
    ],
    "a CRL signed by another key of the CA's name": ["a list by another key of the CA's name"],
    "a certificate on one of several CRLs of its CA: any partition that covers it, a delta": [
        *("revoked by a list that OpenSSL does not choose", "revoked by a delta"),
        "revocation of what OpenSSL was not asked",
    ],
    "what cryptography does not parse, see below": ["does not parse"],
}
DOCUMENTED_ACCEPTED = {
    "a path that OpenSSL does not find": ["a path that OpenSSL does not find"],
    "an anchor that is not self-signed": ["an anchor that is not self-signed"],
    "the last second of validity": ["the last second of validity"],
    "one name twice on a path, with two keys": ["one name twice on the path"],
    "a CRL of a CA that OpenSSL confuses with another of its name": ["a CRL that OpenSSL chooses by name"],
    "ECDSA with SHA-3": [],  # later versions of OpenSSL know it; it has a test of its own
}
"""The rows of docs/verification.md, each with the examples that show it."""
NAMED = {reason.name for reason in REASONS}


@pytest.mark.parametrize("row", REFUSED)
def test_what_a_row_names_is_refused_here_and_accepted_by_openssl(row: str, tmp_path: Path) -> None:
    case = REFUSED[row]()
    openssl = OpenSsl(tmp_path)
    accepted = [path for path in model.paths(case) if openssl.accepts_path(case, path)]
    assert accepted
    assert isinstance(by_library(case), str)
    if row in NAMED:
        assert [row in reasons_of(case, path) for path in accepted] == [True]


def test_a_path_that_is_not_found_in_256_steps_is_refused(tmp_path: Path) -> None:
    case, path = tangle()
    assert OpenSsl(tmp_path).accepts_path(case, path)
    assert "256" in str(by_library(case))


@pytest.mark.parametrize("row", UNREAD)
def test_what_cryptography_does_not_read_is_refused_here_and_accepted_by_openssl(row: str, tmp_path: Path) -> None:
    case = spelled(UNREAD[row])
    assert str(by_library(case)).startswith("certificate_malformed")
    assert OpenSsl(tmp_path).accepts_bundle(case)


@pytest.mark.parametrize("row", EXCUSES)
def test_what_an_excuse_names_is_accepted_here_and_refused_by_openssl(row: str, tmp_path: Path) -> None:
    assert compare(ACCEPTED[row](), OpenSsl(tmp_path)) == f"accepted here alone: {row}"


def test_a_path_that_openssl_does_not_find_is_accepted(tmp_path: Path) -> None:
    case = ACCEPTED["a path that OpenSSL does not find"]()
    assert compare(case, OpenSsl(tmp_path)) == "accepted here alone: OpenSSL does not search"


def test_an_anchor_that_is_not_self_signed_is_accepted_as_with_partial_chain(tmp_path: Path) -> None:
    case, openssl = ACCEPTED["an anchor that is not self-signed"](), OpenSsl(tmp_path)
    assert compare(case, openssl) == "both accept, a partial anchor"
    assert not openssl.accepts_bundle(case)


def test_a_host_name_of_over_253_characters_below_a_constraint_is_refused_here_alone(tmp_path: Path) -> None:
    root = constrained(permits("DNS", "example.org"))
    leaf = alice(root, General("DNS", "a." * 122 + "example.org"))
    case = Case(leaf, [root])
    assert "not of a form" in str(by_library(case))
    assert OpenSsl(tmp_path).accepts_path(case, (leaf, root))


def test_ecdsa_with_sha_3_is_accepted_here_and_openssl_3_0_does_not_know_it(tmp_path: Path) -> None:
    root = ca("Root")
    leaf = alice(root)
    leaf.scheme = Scheme("SHA3-256")
    case, openssl = Case(leaf, [root]), OpenSsl(tmp_path)
    assert isinstance(by_library(case), Accepted)
    assert openssl.accepts_path(case, (leaf, root)) is (version() >= (3, 2))


def rows_of(page: str, before: str) -> list[str]:
    """The first cells of the table that follows a sentence."""
    lines = page.partition(before)[2].lstrip().splitlines()
    table = itertools.takewhile(lambda line: line.startswith("|"), lines)
    return [line.split("|")[1].strip() for line in table][2:]


def test_the_documentation_has_a_row_for_each_difference_and_no_others() -> None:
    page = (Path(__file__).parents[3] / "docs" / "verification.md").read_text(encoding="utf-8")
    assert rows_of(page, "These are refused here alone:") == list(DOCUMENTED)
    assert rows_of(page, "These are accepted here alone:") == list(DOCUMENTED_ACCEPTED)
    told = [name for names in DOCUMENTED.values() for name in names]
    assert sorted(told) == sorted({*REFUSED, "more than 256 steps of search", "does not parse"})
    assert {name for names in DOCUMENTED_ACCEPTED.values() for name in names} == set(ACCEPTED)


def test_every_row_says_why() -> None:
    assert len(NAMED) == len(REASONS)
    assert set(REFUSED) >= NAMED
    assert set(ACCEPTED) >= set(EXCUSES)
    assert all(len(reason.why) > 10 for reason in REASONS)
