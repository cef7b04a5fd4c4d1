"""Makes random PKIs: most certificates as they should be, some with one trap set, a few with several."""

from __future__ import annotations

import datetime as dt
import functools
import random

from ..pki import DAY, NOW
from . import names
from .keys import Key, Scheme, key_of
from .making import CLIENT_AUTH, SERVER_AUTH, Aki, Case, Crl, Extension, General, Made, Point
from .model import issued
from .traps import (
    certificate_policies,
    common_name_that_looks_like_a_host,
    constrain,
    email_address_in_the_subject,
    further_alternative_names,
    respelled,
    set_any,
)

RSA_PLACES = (0, 1, 5, 12)
"""The places in a PKI where RSA keys may be: a few, since each takes a while to make."""

MOULDS = ("Example", "Example", "Müller GmbH", "Two  Words")


class Maker:
    """Throws the dice of one seed.

    Parameters:
        seed: where to start.
        revocation: whether CRLs are asked; None: a third of the cases.
    """

    def __init__(self, seed: int, *, revocation: bool | None = None) -> None:
        self.dice = random.Random(seed)  # noqa: S311
        self.revocation = revocation
        self.wrong = 0.0
        self.organization = "Example"
        self.constrained = self.partitioned = False

    def odds(self, probability: float) -> bool:
        return self.dice.random() < probability

    def case(self) -> Case:
        self.wrong = self.dice.choice((0.0, 0.1, 0.2, 0.35))
        self.organization = self.dice.choice(MOULDS)
        self.constrained = self.odds(0.3)
        revocation = self.odds(0.3) if self.revocation is None else self.revocation
        self.partitioned = revocation and self.odds(0.4)
        depth = self.dice.choices((0, 1, 2, 3), (4, 5, 3, 1))[0]
        root = self.ca("Root", None, 0)
        chain = [root]
        for level in range(1, depth + 1):
            chain.append(self.ca(f"CA {level}", chain[-1], level))
        others = self.relatives(chain)
        issuer = self.dice.choice([chain[-1]] * 8 + others) if others else chain[-1]
        leaf = self.leaf(issuer)
        known = [*chain, *others]
        bundle = self.bundle(chain, others)
        if self.odds(0.06):
            bundle.append(leaf)
        self.dice.shuffle(bundle)
        return Case(
            leaf,
            bundle,
            self.forwarded(leaf, known) if self.odds(0.6) else [],
            self.crls(leaf, known) if revocation else None,
            self.dice.choices((0, 1, 2, 3, 4), (1, 2, 2, 8, 3))[0],
            NOW if self.odds(0.97) else NOW + dt.timedelta(seconds=self.dice.choice((-1, 1))),
            (b"\x30\x03\x02\x01\x01",) if self.odds(0.01) else (),
        )

    # CAs

    def relatives(self, chain: list[Made]) -> list[Made]:
        """Other roots, and other certificates of the CAs' names and keys."""
        root, others = chain[0], []
        if self.odds(0.15):  # another root of the same name
            others.append(self.ca(root.subject, None, 5))
        if self.odds(0.12):  # the root renewed
            others.append(self.ca(root.subject, None, 0, key=root.key))
        if self.odds(0.25):
            other = self.ca("Other", None, 6)
            others.append(other)
            if self.odds(0.7):  # which has signed a CA of ours too
                ca = self.dice.choice(chain)
                others.append(self.ca(ca.subject, other, 0, key=ca.key))
            if self.odds(0.2):  # and the other way round
                others.append(self.ca(other.subject, self.dice.choice(chain), 0, key=other.key))
        if self.odds(0.1):  # the root's next key, signed by the present one
            others.append(self.ca(root.subject, root, 7))
        if len(chain) > 1:
            below = self.dice.choice(range(1, len(chain)))
            ca, parent = chain[below], chain[below - 1]
            if self.odds(0.12):  # an intermediate renewed
                others.append(self.ca(ca.subject, parent, 0, key=ca.key))
            if self.odds(0.12):  # an intermediate's name with another key
                others.append(self.ca(ca.subject, parent, 8))
            if self.odds(0.06):  # what claims to be the intermediate's certificate
                forged = self.ca(ca.subject, parent, 9)
                forged.signer = key_of("P-256", 92)
                others.append(forged)
            if self.odds(0.05):  # a self-issued CA: pathlen does not count it
                others.append(self.ca(ca.subject, ca, 10))
        if self.odds(0.03):
            others += [self.ca(root.subject, None, number) for number in range(20, 20 + self.dice.choice((3, 20)))]
        return others

    def bundle(self, chain: list[Made], others: list[Made]) -> list[Made]:
        kind = self.dice.choices(("roots", "all", "some", "middle"), (3, 5, 2, 1))[0]
        everything = [*chain, *others]
        if kind == "roots":
            return chain[:1] + [other for other in others if other.is_self_issued and self.odds(0.7)]
        if kind == "some":
            return self.dice.sample(everything, self.dice.randint(1, len(everything)))
        if kind == "middle" and len(chain) > 1:
            return chain[self.dice.randrange(1, len(chain)) :] + [other for other in others if self.odds(0.3)]
        return chain + [other for other in others if self.odds(0.8)]

    def forwarded(self, leaf: Made, known: list[Made]) -> list[Made]:
        """What the client sent along: in order or not, with its root or not, with copies and strangers."""
        chain: list[Made] = []
        last = leaf
        while self.odds(0.9):
            above = [ca for ca in known if issued(ca, last) and ca not in chain]
            if not above:
                break
            last = self.dice.choice(above)
            chain.append(last)
        if self.odds(0.3):
            chain += [ca for ca in known if self.odds(0.4)]
        if self.odds(0.1):
            chain.append(self.ca("Stranger", None, 11))
        if self.odds(0.05):
            chain.append(leaf)
        if self.odds(0.3):
            self.dice.shuffle(chain)
        return chain[:9]

    def key(self, number: int) -> Key:
        kinds = {"P-256": 14, "P-384": 2, "RSA-2048": 3, "Ed25519": 2, "P-521": 0.5, "Ed448": 0.5}
        kind = self.dice.choices(list(kinds), list(kinds.values()))[0]
        return key_of("P-256" if kind == "RSA-2048" and number not in RSA_PLACES else kind, number)

    def ca(self, name: str | names.Name, issuer: Made | None, number: int, *, key: Key | None = None) -> Made:
        if isinstance(name, str):
            name = names.name((names.O, self.organization), (names.CN, name))
        made = self.certificate(name, issuer, key or self.key(number))
        made.basic = (True, self.dice.choices((None, 0, 1, 2), (10, 1, 1, 1))[0])
        if self.odds(0.7):
            made.usage = frozenset({"key_cert_sign", "crl_sign", *self.dice.sample(("digital_signature",), 1)})
        if self.odds(0.1):
            made.purposes = (SERVER_AUTH, CLIENT_AUTH)
        if self.odds(0.8):
            made.ski = made.key.identifier
        if self.constrained and self.odds(0.5):
            constrain(made, self.dice, self.dice.choice((("DNS",), ("DNS", "email"), ("directory",), ())))
        self.finish(made, "ca")
        return made

    # Leaves

    def leaf(self, issuer: Made) -> Made:
        parts = [(names.O, self.dice.choice((self.organization, "Else"))), (names.CN, "alice")]
        made = self.certificate(names.name(*parts), None if self.odds(0.04) else issuer, self.key(12))
        if self.odds(0.7):
            made.basic = (False, None)
        if self.odds(0.7):
            made.usage = frozenset({"digital_signature"} if self.odds(0.9) else {"key_agreement"})
        if self.odds(0.7):
            made.purposes = (CLIENT_AUTH,)
        if self.odds(0.6):
            made.ski = made.key.identifier
        if self.odds(0.5):
            made.sans = self.dice.choice(
                (
                    (General("DNS", "a.example.org"),),
                    (General("email", "alice@example.org"), General("DNS", "a.example.org")),
                    (General("URI", "spiffe://example.org/alice"),),
                    (General("IP", b"\x0a\1\2\3"), General("UPN", "alice@example.org")),
                    (General("directory", names.name((names.O, "Example"), (names.CN, "alice"))),),
                )
            )
        if self.constrained:
            for _ in range(self.dice.choice((0, 1, 1, 2))):
                set_any_name(made, self.dice)
        if self.odds(0.03):  # the name of its issuer
            made.subject = issuer.subject
        self.finish(made, "leaf")
        return made

    def certificate(self, subject: names.Name, issuer: Made | None, key: Key) -> Made:
        made = Made(subject, key, issuer, serial=self.dice.getrandbits(63) | 1)
        made.end = NOW + self.dice.randint(2, 30) * DAY
        if issuer is not None and self.odds(0.6):
            made.aki = Aki(issuer.ski or issuer.key.identifier)
        elif issuer is None and self.odds(0.2):
            made.aki = Aki(key.identifier)
        if self.odds(0.15):
            certificate_policies(made, self.dice)
        if self.partitioned and self.odds(0.8):
            made.points = (Point((f"http://ca.example.org/{self.dice.randrange(2)}.crl",)),)
        return made

    def finish(self, made: Made, on: str) -> None:
        made.critical |= {kind for kind in ("2.5.29.19", "2.5.29.15") if self.odds(0.7)}
        while self.odds(self.wrong):
            set_any(made, on, self.dice)
        if self.wrong and self.odds(0.1):
            made.issuer_name = respelled(made.issuer, self.dice)

    # Revocation

    def crls(self, leaf: Made, known: list[Made]) -> list[Crl]:
        lists: list[Crl] = []
        for ca in known:
            if self.odds(0.06):
                continue
            for uri in (0, 1) if self.partitioned and self.odds(0.7) else (None,):
                lists += self.lists_of(ca, leaf, known, None if uri is None else f"http://ca.example.org/{uri}.crl")
        self.dice.shuffle(lists)
        return lists

    def lists_of(self, ca: Made, leaf: Made, known: list[Made], uri: str | None) -> list[Crl]:
        """One list of a CA, and perhaps older ones, deltas, and the two halves of one."""
        base = self.crl(ca, leaf, known, uri)
        base.number = self.dice.choice((None, 5))
        lists = [base]
        if self.odds(0.12):
            lists.append(self.crl(ca, leaf, known, uri))
            lists[-1].start = base.start - DAY * self.dice.choice((0, 1, -0.5))
            lists[-1].number = self.dice.choice((None, 4, 6))
        if self.odds(0.12):
            delta = self.crl(ca, leaf, known, uri)
            delta.start, delta.number, delta.delta = base.start + DAY / 2, 7, 5
            lists.append(delta)
        if not uri and self.odds(0.12):
            base.only = "users"
            other = self.crl(ca, leaf, known, uri)
            other.only = self.dice.choice(("CAs", "CAs", "attributes"))
            lists.append(other)
        for crl in lists:
            if self.odds(self.wrong):
                self.spoil(crl)
        return lists

    def crl(self, ca: Made, leaf: Made, known: list[Made], uri: str | None) -> Crl:
        # An anchor's own status is nobody's question here; OpenSSL asks it.
        below = [one for one in known if not one.is_self_issued]
        revoked = {one.serial: self.dice.choice((None, 1, 4, 6)) for one in (leaf, *below) if self.odds(0.05)}
        crl = Crl(ca, revoked, end=NOW + self.dice.randint(1, 9) * DAY, uris=(uri,) if uri else ())
        if self.odds(0.5):
            crl.aki = Aki(ca.ski or ca.key.identifier)
        return crl

    def spoil(self, crl: Crl) -> None:
        kind = self.dice.choice(
            (
                "stale",
                "future",
                "signer",
                "name",
                "reasons",
                "indirect",
                "critical",
                "aki",
                "spoilt",
                "removed",
                "bare",
                "hash",
            )
        )
        if kind == "stale":
            crl.start, crl.end = NOW - 9 * DAY, NOW - DAY
        elif kind == "future":
            crl.start, crl.end = NOW + DAY, NOW + 9 * DAY
        elif kind == "signer":
            crl.signer = key_of("P-256", 93)
        elif kind == "name":
            crl.issuer_name = respelled(crl.issuer.subject, self.dice)
        elif kind == "reasons":
            crl.reasons = (1, 2)
        elif kind == "indirect":
            crl.indirect = True
        elif kind == "critical":
            crl.extra.append(Extension("1.3.6.1.4.1.32473.1", b"\x05\0", critical=True))
            crl.traits.add("unknown critical extension")
        elif kind == "aki":
            crl.aki = Aki(key_of("P-256", 91).identifier)
        elif kind == "spoilt":
            crl.spoilt = True
        elif kind == "removed":
            crl.revoked = dict.fromkeys(crl.revoked, 8)
        elif kind == "bare":
            crl.idp_critical = False
        else:
            crl.scheme = Scheme("SHA-1")


@functools.lru_cache(maxsize=1024)
def case_of(seed: int) -> Case:
    """The case of a seed. Several tests look at it, and signing its certificates takes longer than the look."""
    return Maker(seed).case()


def set_any_name(made: Made, dice: random.Random) -> None:
    """Add a name that constraints may meet."""
    dice.choice((further_alternative_names, common_name_that_looks_like_a_host, email_address_in_the_subject))(
        made, dice
    )
