"""The smallest case for each row of the tables: what is refused here alone, and what is accepted here alone."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
from collections.abc import Callable

from ..pki import DAY, NOW
from . import names
from .asn1 import boolean, integer, sequence
from .keys import Scheme, key_of
from .making import (
    BASIC,
    CLIENT_AUTH,
    CONSTRAINTS,
    IP_BLOCKS,
    NETSCAPE,
    Aki,
    Case,
    Crl,
    Extension,
    General,
    Made,
    RawExtension,
    Subtree,
)
from .model import Path

REFUSED: dict[str, Callable[[], Case]] = {}
ACCEPTED: dict[str, Callable[[], Case]] = {}


def refused(row: str) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    def enter(function: Callable[[], Case]) -> Callable[[], Case]:
        REFUSED[row] = function
        return function

    return enter


def accepted(row: str) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    def enter(function: Callable[[], Case]) -> Callable[[], Case]:
        ACCEPTED[row] = function
        return function

    return enter


def ca(name: str, issuer: Made | None = None, kind: str = "P-256", number: int = 0, form: str = "") -> Made:
    """A CA as it should be."""
    own = key_of(kind, number, form)
    made = Made(names.name((names.O, "Example"), (names.CN, name)), own, issuer)
    made.basic, made.usage, made.ski = (True, None), frozenset({"key_cert_sign", "crl_sign"}), own.identifier
    made.aki = None if issuer is None else Aki(issuer.ski)
    made.serial = 100 + number
    return made


def alice(issuer: Made | None, *sans: General, kind: str = "P-256", form: str = "") -> Made:
    """A client's certificate as it should be."""
    own = key_of(kind, 12, form)
    made = Made(names.name((names.CN, "alice")), own, issuer, serial=7)
    made.basic, made.usage, made.purposes = (False, None), frozenset({"digital_signature"}), (CLIENT_AUTH,)
    made.sans = sans
    return made


def constrained(*subtrees: Subtree) -> Made:
    root = ca("Root")
    root.subtrees = subtrees
    root.critical.add(CONSTRAINTS)
    return root


def permits(kind: str, value: str) -> Subtree:
    return Subtree(General(kind, value), permitted=True)


def excludes(kind: str, value: str) -> Subtree:
    return Subtree(General(kind, value), permitted=False)


@refused("does not parse")
def _() -> Case:
    root = ca("Root")
    leaf = alice(root)
    leaf.subject = (*leaf.subject, (names.Attribute(names.O, names.PRINTABLE, b"under_score"),))
    return Case(leaf, [root])


@refused("an anchor's own signature is wrong")
def _() -> Case:
    root = ca("Root")
    root.spoilt = True
    return Case(alice(root), [root])


@refused("CA without CA:TRUE")
def _() -> Case:
    root = ca("Root")
    root.basic = None
    return Case(alice(root), [root])


@refused("CA without a subject")
def _() -> Case:
    root = ca("Root")
    root.subject = ()
    return Case(alice(root), [root])


@refused("serial number that is negative or longer than 20 octets")
def _() -> Case:
    root = ca("Root")
    leaf = alice(root)
    leaf.serial = -5
    return Case(leaf, [root])


@refused("explicit EC parameters")
def _() -> Case:
    """Pinned: on a longer path OpenSSL refuses them too."""
    leaf = alice(None, form="explicit")
    return Case(leaf, [leaf])


@refused("signature with other parameters than its RSASSA-PSS key's")
def _() -> Case:
    root = ca("Root", kind="RSA-2048", form="PSS with parameters")
    leaf = alice(root)
    leaf.scheme = Scheme("SHA-256", 48)
    return Case(leaf, [root])


@refused("DSA")
def _() -> Case:
    root = ca("Root")
    return Case(alice(root, kind="DSA-2048"), [root])


@refused("RSA key over 8192 bits")
def _() -> Case:
    root = ca("Root", kind="RSA-8676")
    return Case(alice(root), [root])


@refused("forwarded CA with a costly key")
def _() -> Case:
    root = ca("Root")
    middle = ca("CA", root, "RSA-6534", 1)
    return Case(alice(middle), [root], [middle])


@refused("critical Netscape certificate type")
def _() -> Case:
    root = ca("Root")
    leaf = alice(root)
    leaf.netscape = (0,)
    leaf.critical.add(NETSCAPE)
    return Case(leaf, [root])


@refused("RFC 3779")
def _() -> Case:
    root = ca("Root")
    block = Extension(IP_BLOCKS, sequence(sequence(b"\x04\x02\0\1", sequence(b"\x03\x02\0\x0a"))))
    root.extra.append(block)
    leaf = alice(root)
    leaf.extra.append(block)
    return Case(leaf, [root])


@refused("a CA's name and key twice on the path")
def _() -> Case:
    """The leaf means a certificate of the CA that the CA's other certificate has signed."""
    root = ca("Root")
    renewed = ca("Root", root)
    renewed.serial = 999
    leaf = alice(renewed)
    leaf.aki = Aki(None, renewed.issuer, renewed.serial)
    renewed.aki = Aki(None, root.issuer, root.serial)
    return Case(leaf, [root, renewed])


@refused("name that cannot be read below a constraint of its kind")
def _() -> Case:
    root = constrained(permits("URI", ".example.org"))
    return Case(alice(root, General("URI", "https://alice@a.example.org/", odd=True)), [root])


@refused("constraint that cannot be read")
def _() -> Case:
    root = constrained(excludes("DNS", "example.com."))
    root.subtrees = (root.subtrees[0]._replace(base=General("DNS", "example.com.", odd=True)),)
    return Case(alice(root, General("DNS", "a.example.org")), [root])


@refused("minimum or maximum in a constraint")
def _() -> Case:
    root = constrained(permits("DNS", "example.org"), Subtree(General("email", "example.org"), True, None, 3))
    return Case(alice(root, General("DNS", "a.example.org")), [root])


@refused("wildcard below an excluded name")
def _() -> Case:
    root = constrained(excludes("DNS", "secret.example.org"))
    return Case(alice(root, General("DNS", "*.example.org")), [root])


@refused("common name that looks like a host name, next to a DNS name")
def _() -> Case:
    root = constrained(permits("DNS", "example.org"))
    leaf = alice(root, General("DNS", "a.example.org"))
    leaf.subject = names.name((names.CN, "victim.other.net"))
    return Case(leaf, [root])


@refused("a list that cannot be used")
def _() -> Case:
    root = ca("Root")
    return Case(alice(root), [root], crls=[Crl(root), Crl(root, start=NOW - 3 * DAY, reasons=(1,))])


@refused("a list by another key of the CA's name")
def _() -> Case:
    """The CA's next key has signed no list yet."""
    root = ca("Root")
    following = ca("Root", root, number=1)
    leaf = alice(following)
    leaf.aki = Aki(following.ski)
    return Case(leaf, [root, following], crls=[Crl(root, aki=Aki(root.ski))])


@refused("a CA of the bundle below a forwarded one")
def _() -> Case:
    """The root permits other names; its certificate by another root, which the client sends, permits all."""
    root, other = constrained(permits("DNS", "example.org")), ca("Other", number=2)
    middle = ca("CA", root, number=1)
    cross = dataclasses.replace(root, parent=other, subtrees=(), serial=999)
    leaf = alice(middle, General("DNS", "a.example.com"))
    return Case(leaf, [root, other, middle], [cross])


@refused("revoked by a list that OpenSSL does not choose")
def _() -> Case:
    root = ca("Root")
    return Case(alice(root), [root], crls=[Crl(root), Crl(root, {7: 1}, start=NOW - 3 * DAY, only="users")])


@refused("revoked by a delta")
def _() -> Case:
    root = ca("Root")
    return Case(alice(root), [root], crls=[Crl(root, number=5), Crl(root, {7: 1}, number=6, delta=5)])


@refused("revocation of what OpenSSL was not asked")
def _() -> Case:
    root = ca("Root")
    middle = ca("CA", root, number=1)
    return Case(alice(middle), [middle], crls=[Crl(middle, {7: 1})])


@refused("SmtpUTF8Mailbox below a constraint of e-mail")
def _() -> Case:
    root = constrained(excludes("email", "bob@example.org"))
    return Case(alice(root, General("SmtpUTF8Mailbox", "müller@example.org")), [root])


# Limits and forms that random cases do not have


@refused("binary curve")
def _() -> Case:
    """A key that is never used: cryptography has no binary curves any more."""
    root = ca("Root")
    leaf = alice(root)
    made = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:sect283r1", "-outform", "DER"],
        capture_output=True,
        check=True,
    )
    public = subprocess.run(
        ["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
        input=made.stdout,
        capture_output=True,
        check=True,
    )
    leaf.key = dataclasses.replace(leaf.key, spki=public.stdout, form="binary")
    return Case(leaf, [root])


@refused("more than 65,536 comparisons of names")
def _() -> Case:
    root = constrained(*(excludes("DNS", f"{number}.example.com") for number in range(80)))
    return Case(alice(root, *(General("DNS", f"{number}.example.org") for number in range(900))), [root])


@refused("more than 16 signature checks for a forwarded chain")
def _() -> Case:
    """Twenty CAs of one name, without key identifiers: any of them may be the one."""
    root = ca("Root")
    same = [ca("CA", root, number=number) for number in range(20, 40)]
    leaf = alice(max(same, key=lambda made: made.der))
    for made in (*same, leaf):
        made.ski = made.aki = None
    return Case(leaf, [root], same)


def tangle() -> tuple[Case, Path]:
    """Seven CAs that have all certified one another, and the one path of three links that keeps the path length."""
    cas = [ca(f"CA {number}", number=number) for number in range(40, 47)]
    root = ca("Root", number=47)
    first, last = cas[0], cas[-1]
    top = dataclasses.replace(first, parent=root, serial=1000, basic=(True, 1))
    cross = [
        dataclasses.replace(below, parent=above, aki=Aki(above.ski), serial=2000 + number)
        for number, (below, above) in enumerate(itertools.permutations(cas, 2))
    ]
    straight = next(made for made in cross if made.key is last.key and made.parent is first)
    straight.end = NOW + DAY  # the search begins with those that end last
    leaf = alice(last)
    return Case(leaf, [root, top, *cross], max_depth=10), (leaf, straight, top, root)


def listed(**changes: object) -> Case:
    root = ca("Root")
    return Case(alice(root), [root], crls=[Crl(root, **changes)])  # type: ignore[arg-type]


@refused("CRL without nextUpdate")
def _() -> Case:
    return listed(end=None)


@refused("removeFromCRL in a complete CRL")
def _() -> Case:
    return listed(revoked={7: 8})


def spelled(change: Callable[[Made], None]) -> Case:
    root = ca("Root")
    leaf = alice(root)
    change(leaf)
    return Case(leaf, [root])


def with_default(oid: str, value: bytes) -> Callable[[Made], None]:
    """Say that an extension is not critical, where that goes without saying."""
    return lambda made: made.extra.append(RawExtension(oid, value))


def _basic(value: bytes) -> Callable[[Made], None]:
    def change(made: Made) -> None:
        made.basic = None
        made.extra.append(Extension(BASIC, value))

    return change


def _subject(tag: int, octets: bytes) -> Callable[[Made], None]:
    return lambda made: setattr(made, "subject", ((names.Attribute(names.O, tag, octets),),))


UNREAD: dict[str, Callable[[Made], None]] = {
    "_ in a PrintableString": _subject(names.PRINTABLE, b"under_score"),
    "@ in a PrintableString": _subject(names.PRINTABLE, b"a@example.org"),
    "* in a PrintableString": _subject(names.PRINTABLE, b"*.example.org"),
    "& in a PrintableString": _subject(names.PRINTABLE, b"A&B"),
    "! in a PrintableString": _subject(names.PRINTABLE, b"A!"),
    "letters beyond ASCII in a TeletexString": _subject(names.T61, b"M\xfcller"),
    "letters beyond ASCII in an IA5String": _subject(names.IA5, b"M\xfcller"),
    "CA:FALSE written out": _basic(sequence(boolean(False))),
    "CA:FALSE with a path length": _basic(sequence(integer(0))),
    "critical FALSE written out": with_default("1.3.6.1.4.1.32473.1", b"\x05\0"),
    "version 1 written out": lambda made: setattr(made, "version", 0),
    "version 2": lambda made: setattr(made, "version", 2),
    "NULL after an ECDSA algorithm": lambda made: setattr(made, "scheme", Scheme(null=True)),
    "an authority key identifier with an issuer and no serial number": lambda made: setattr(
        made, "aki", Aki(None, made.issuer)
    ),
    "an EDI party name": lambda made: setattr(made, "sans", (General("EDI", b"\xa1\x03\x0c\x01a"),)),
}
"""What OpenSSL reads and cryptography does not, of a leaf."""


# Accepted here alone


@accepted("the last second of validity")
def _() -> Case:
    root = ca("Root")
    leaf = alice(root)
    leaf.end = NOW
    return Case(leaf, [root])


@accepted("one name twice on the path")
def _() -> Case:
    """The leaf's issuer has the root's name, and nothing tells OpenSSL which of the two is meant."""
    root = ca("Root")
    other = ca("Other", root, number=1)
    namesake = ca("Root", other, number=2)
    leaf = alice(namesake)
    for made in (root, other, namesake, leaf):
        made.ski = made.aki = None
    return Case(leaf, [root, other, namesake])


@accepted("a CRL that OpenSSL chooses by name")
def _() -> Case:
    """Two CAs of one name on a path, each with its list."""
    root = ca("Root")
    following = ca("Root", root, number=1)
    newer = Crl(root, {7: 1}, aki=None)
    return Case(alice(following), [root, following], crls=[Crl(following, start=NOW - 3 * DAY), newer])


@accepted("a path that OpenSSL does not find")
def _() -> Case:
    """The CA's certificate that OpenSSL takes first is by a root that is not there."""
    root, gone = ca("Root"), ca("Gone", number=1)
    lost, found = ca("CA", gone, number=2), ca("CA", root, number=2)
    lost.serial, found.end = 999, NOW + DAY
    return Case(alice(found), [root], [lost, found])


@accepted("an anchor that is not self-signed")
def _() -> Case:
    middle = ca("CA", ca("Root"), number=1)
    return Case(alice(middle), [middle])
