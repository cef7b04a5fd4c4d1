"""Random small PKIs, judged by the library and by `openssl verify -purpose sslclient`, which is what nginx asks.

Never may the library accept what OpenSSL refuses. Where it refuses what OpenSSL accepts, every path that OpenSSL
accepts must have a reason in the table `REASONS`: our deviations, all of them towards refusing.

`-partial_chain` is given where the library found a path to an anchor that is not self-signed, and, where it refused,
if a certificate of the bundle has no issuer in it (the anchors' rule). Which certificate has signed which is known
from making them, and never asked of the library.

SSLCLIENTCERT_DIFFERENTIAL_CASES says how many PKIs (300 if not set), SSLCLIENTCERT_DIFFERENTIAL_SEED where to start.
With more than the usual number, run pytest with -s to see the counts.
"""

from __future__ import annotations

import collections
import dataclasses
import ipaddress
import itertools
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier, SignatureAlgorithmOID

from sslclientcert import ClientCertError, PresentedChain, TrustStore

from .pki import (
    DAY,
    NOW,
    Extension,
    Party,
    PrivateKey,
    aki,
    as_v1,
    basic,
    certify,
    pem_of,
    pem_of_crls,
    private_key,
    purposes,
    revocation_list,
    revoked_entry,
    sans,
    ski,
    unknown,
    usage,
)

CASES = int(os.environ.get("SSLCLIENTCERT_DIFFERENTIAL_CASES", "300"))
SEED = int(os.environ.get("SSLCLIENTCERT_DIFFERENTIAL_SEED", "5280"))
BATCHES = 10
RSA_PLACES = (0, 1, 5, 8)
"""The places in a PKI where RSA keys may be: a few, since each takes a while to make."""

DNS, EMAIL, URI = x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("1.2.3"), None)])
NS_CERT_TYPE = "2.16.840.1.113730.1.1"
UNDERSTOOD_BY_OPENSSL_ONLY = {"2.5.29.32", "2.5.29.31", NS_CERT_TYPE}


@dataclasses.dataclass(frozen=True, eq=False)
class Made:
    """A certificate, and what is known of it from having made it."""

    party: Party
    signed_by: PrivateKey

    @property
    def certificate(self) -> x509.Certificate:
        return self.party.certificate

    @property
    def self_signed(self) -> bool:
        return self.signed_by is self.party.key and canonical(self.certificate.subject) == canonical(
            self.certificate.issuer
        )

    @property
    def self_signed_to_openssl(self) -> bool:
        """To OpenSSL, a root whose authority key identifier is of another key is issued by somebody who is missing."""
        found = {type(one.value): one.value for one in self.certificate.extensions}
        wanted, own = found.get(x509.AuthorityKeyIdentifier), found.get(x509.SubjectKeyIdentifier)
        if isinstance(wanted, x509.AuthorityKeyIdentifier) and isinstance(own, x509.SubjectKeyIdentifier):
            return self.self_signed and wanted.key_identifier == own.digest
        return self.self_signed

    def is_namesake(self, other: Made) -> bool:
        return canonical(self.certificate.subject) == canonical(other.certificate.subject)

    def may_issue(self, child: Made) -> bool:
        return child.signed_by is self.party.key and canonical(child.certificate.issuer) == canonical(
            self.certificate.subject
        )


def canonical(name: x509.Name) -> str:
    """A name as RFC 5280 section 7.1 compares it: without regard to case and to runs of spaces."""
    return " ".join(name.rfc4514_string().replace("\\ ", " ").casefold().split()).replace("= ", "=")


Path_: TypeAlias = tuple[Made, ...]
"""From the leaf to what is trusted."""


@dataclasses.dataclass(frozen=True, eq=False)
class List:
    """A CRL, the CA whose name it bears, and the key that signed it."""

    crl: x509.CertificateRevocationList
    issuer: Made
    signed_by: PrivateKey

    def is_of(self, path: Path_) -> bool:
        return any(self.signed_by is made.party.key and self.issuer.is_namesake(made) for made in path)


@dataclasses.dataclass(frozen=True)
class Case:
    """A leaf, the CAs around it, and how a service was configured with them."""

    leaf: Made
    bundle: list[Made]
    forwarded: list[Made]
    lists: list[List] | None
    max_depth: int

    @property
    def crls(self) -> list[x509.CertificateRevocationList]:
        return [one.crl for one in self.lists or ()]

    def is_orphan(self, made: Made) -> bool:
        return not any(issuer.may_issue(made) for issuer in self.bundle)

    def is_anchor(self, made: Made) -> bool:
        return made.self_signed or self.is_orphan(made)

    def paths(self) -> Iterator[tuple[Made, ...]]:
        """Yield every path of true signatures from the leaf to any certificate of the bundle."""
        pool = [*self.bundle, *self.forwarded]
        pending: list[Path_] = [(self.leaf,)]
        while pending:
            path = pending.pop()
            last = path[-1]
            if last in self.bundle:
                yield path
            if len(path) < 7:
                pending.extend((*path, ca) for ca in pool if ca not in path and ca.may_issue(last))


# Making


class Maker:
    """Makes random PKIs: most certificates as they should be, some with one thing wrong, a few with several."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.wrong = 0.0

    def odds(self, probability: float) -> bool:
        return self.random.random() < probability

    def odd(self) -> bool:
        """Whether to do here what should not be done."""
        return self.odds(self.wrong)

    def one_of(self, *choices: object) -> object:
        return self.random.choice(choices)

    def case(self) -> Case:
        self.wrong = self.random.choice((0.0, 0.02, 0.06))
        depth = self.random.choices((0, 1, 2, 3), (4, 4, 2, 1))[0]
        root = self.ca("Root", None, 0)
        roots, middle, chain = [root], [], [root]
        for level in range(1, depth + 1):
            chain.append(self.ca(f"CA {level}", chain[-1], level))
            middle.append(chain[-1])
        others = self.relatives(root, chain)
        issuer = self.random.choice([chain[-1]] * 9 + others) if others else chain[-1]
        leaf = self.leaf(issuer)
        known = [*roots, *middle, *others]
        bundle = self.bundle(roots, middle, others)
        if self.odds(0.08):
            bundle.append(leaf)
        self.random.shuffle(bundle)
        orphaned = any(not any(ca.may_issue(one) for ca in bundle) for one in bundle)
        return Case(
            leaf,
            bundle,
            self.forwarded(leaf, known) if self.odds(0.5) else [],
            self.lists(leaf, known) if self.odds(0.25) and not orphaned else None,
            self.random.choices((0, 1, 2, 3, 4), (1, 1, 1, 6, 3))[0],
        )

    def relatives(self, root: Made, chain: list[Made]) -> list[Made]:
        """Other roots, and other certificates of the CAs' names and keys."""
        others: list[Made] = []
        if self.odds(0.2):  # another root of the same name
            others.append(self.ca("Root", None, 5))
        if self.odds(0.1):  # the root renewed
            others.append(self.ca("Root", None, 0, key=root.party.key))
        if self.odds(0.2):
            other = self.ca("Other", None, 6)
            others.append(other)
            if self.odds(0.6):  # which has signed a CA of ours too
                ca = self.random.choice(chain)
                others.append(self.ca(ca.certificate.subject, other, 0, key=ca.party.key))
        if self.odds(0.1):  # the root's next key, signed by the present one
            others.append(self.ca(root.certificate.subject, root, 7))
        if len(chain) > 1:
            below = self.random.choice(range(1, len(chain)))
            ca, parent = chain[below], chain[below - 1]
            if self.odds(0.1):  # an intermediate issued anew
                others.append(self.ca(ca.certificate.subject, parent, 0, key=ca.party.key))
            if self.odds(0.1):  # an intermediate of the same name
                others.append(self.ca(ca.certificate.subject, parent, 8))
        return others

    def bundle(self, roots: list[Made], middle: list[Made], others: list[Made]) -> list[Made]:
        kind = self.random.choices(("roots", "all", "some", "middle"), (3, 5, 2, 1))[0]
        everything = [*roots, *middle, *others]
        if kind == "roots":
            return roots + [other for other in others if other.self_signed and self.odds(0.7)]
        if kind == "some":
            return self.random.sample(everything, self.random.randint(1, len(everything)))
        if kind == "middle" and middle:
            return list(middle)
        return roots + middle + [other for other in others if self.odds(0.8)]

    def forwarded(self, leaf: Made, known: list[Made]) -> list[Made]:
        """What the client sent along: issuers one above the other, as many as it happens to send."""
        chain: list[Made] = []
        last = leaf
        while self.odds(0.8):
            above = [
                ca
                for ca in known
                if ca.may_issue(last) and ca not in chain and ca.certificate.subject == last.certificate.issuer
            ]
            if not above:
                break
            last = self.random.choice(above)
            chain.append(last)
        return chain

    # Certificates

    def key(self, number: int, kinds: dict[str, int]) -> PrivateKey:
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        return private_key("P-256" if kind == "RSA-2048" and number not in RSA_PLACES else kind, number)

    def ca(self, name: str | x509.Name, issuer: Made | None, number: int, *, key: PrivateKey | None = None) -> Made:
        weak = {"P-224": 1, "secp256k1": 1, "RSA-1024": 1} if self.odd() else {}
        own = key or self.key(number, weak or {"P-256": 14, "P-384": 2, "RSA-2048": 2, "Ed25519": 2})
        extensions: list[Extension] = []
        if not self.odd():
            pathlen = self.random.choices((None, 0, 1, 2), (8, 1, 1, 1))[0]
            extensions.append((basic(ca=True, pathlen=pathlen), self.odds(0.7)))
        elif self.odds(0.5):
            extensions.append((basic(ca=False), self.odds(0.7)))
        if self.odds(0.7):
            signs = "digital_signature" if self.odd() else "key_cert_sign"
            bits = (signs,) if self.odd() else (signs, "crl_sign")
            extensions.append((usage(*bits), self.odds(0.7)))
        if self.odd():
            extensions.append((purposes(str(self.one_of("SERVER_AUTH", "ANY_EXTENDED_KEY_USAGE"))), self.odds(0.3)))
        elif self.odds(0.1):
            extensions.append((purposes("SERVER_AUTH", "CLIENT_AUTH"), self.odds(0.3)))
        if self.odds(0.8):
            extensions.append((ski(private_key("P-256", 9) if self.odd() else own), self.odd()))
        if self.odds(0.12):
            extensions.append((self.constraints(), self.odds(0.7)))
        name = self.subject(name) if self.odd() and isinstance(name, str) else name
        return self.certificate(name, issuer, own, extensions)

    def subject(self, name: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                x509.NameAttribute(NameOID.EMAIL_ADDRESS, str(self.one_of("ca@example.org", "ca@example.com"))),
            ]
        )

    def constraints(self) -> x509.NameConstraints:
        usual = (DNS("example.org"), EMAIL("example.org"), x509.IPAddress(ipaddress.ip_network("10.0.0.0/8")))
        unusual = (
            URI("example.org"),
            DNS(".example.org"),
            DNS(""),
            EMAIL(".example.org"),
            EMAIL("alice@example.org"),
            x509.IPAddress(ipaddress.ip_network("::/0")),
            x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])),
        )
        names: tuple[x509.GeneralName, ...] = usual + (unusual if self.odd() else ())
        chosen = self.random.sample(names, self.random.choice((1, 1, 2)))
        return x509.NameConstraints(*((chosen, None) if self.odds(0.6) else (None, chosen)))

    def leaf(self, issuer: Made) -> Made:
        weak = {"RSA-1024": 1, "P-192": 1} if self.odd() else {}
        own = self.key(1, weak or {"P-256": 12, "RSA-2048": 3, "Ed25519": 2, "P-521": 1, "secp256k1": 1})
        extensions: list[Extension] = []
        if self.odds(0.7):
            extensions.append((basic(ca=self.odd()), self.odds(0.5)))
        if self.odds(0.7):
            bits = ("key_encipherment",) if self.odd() else ("digital_signature",)
            bits = ("key_agreement",) if self.odds(0.1) else bits
            extensions.append((usage(*bits), self.odds(0.7)))
        if self.odds(0.7):
            named = ("SERVER_AUTH",) if self.odd() else ("CLIENT_AUTH",)
            named = ("ANY_EXTENDED_KEY_USAGE",) if self.odd() else named
            extensions.append((purposes(*named), self.odds(0.2)))
        if self.odds(0.6):
            extensions.append((ski(own), self.odd()))
        if self.odds(0.5):
            extensions.append((self.names(), self.odds(0.3)))
        if self.odd():
            bits_of_type = self.random.choice((b"\x03\x02\x07\x80", b"\x03\x02\x06\x40"))
            extensions.append((unknown(NS_CERT_TYPE, bits_of_type), self.odds(0.2)))
        name = x509.Name([x509.NameAttribute(*attribute) for attribute in self.leaf_subject()])
        if self.odds(0.03):  # the name of its issuer
            name = issuer.certificate.subject
        return self.certificate(name, None if self.odd() else issuer, own, extensions, v1=0.15)

    def leaf_subject(self) -> list[tuple[ObjectIdentifier, str]]:
        names = [(NameOID.COMMON_NAME, str(self.one_of("alice", "alice", "a.example.org", "a.example.com")))]
        if self.odds(0.2):
            names.append((NameOID.ORGANIZATION_NAME, str(self.one_of("Example", "Else"))))
        if self.odds(0.15):
            names.append((NameOID.EMAIL_ADDRESS, str(self.one_of("alice@example.org", "alice@example.com"))))
        return names

    def names(self) -> x509.SubjectAlternativeName:
        known: tuple[x509.GeneralName, ...] = (
            DNS("a.example.org"),
            DNS("a.example.org"),
            DNS("a.example.com"),
            DNS("*.example.org"),
            EMAIL("alice@example.org"),
            EMAIL("alice@example.com"),
            URI("spiffe://example.org/alice"),
            x509.IPAddress(ipaddress.ip_address("10.1.2.3")),
            x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
        )
        return sans(*self.random.sample(known, self.random.choice((1, 1, 2, 3))))

    def certificate(
        self, name: str | x509.Name, issuer: Made | None, key: PrivateKey, extensions: list[Extension], v1: float = 0.0
    ) -> Made:
        signer = key if issuer is None else issuer.party.key
        if issuer is not None and self.odd():  # one that claims to be issued, and is not
            signer = private_key("P-256", 10)
        if issuer is not None and self.odds(0.6):
            extensions.append((self.authority_key(issuer), self.odd() and self.odds(0.3)))
        elif issuer is None and self.odds(0.3):
            wrong = private_key("P-256", 9) if self.odd() else key
            extensions.append((aki(wrong), False))
        if self.odds(0.1):
            extensions.append((POLICIES, self.odd()))
        if self.odd():
            extensions.append((unknown(), self.odds(0.5)))
        start, end = NOW - 9 * DAY, NOW + self.random.randint(2, 30) * DAY
        if self.odd():
            start, end = self.random.choice(((NOW - 9 * DAY, NOW - DAY), (NOW + DAY, NOW + 9 * DAY)))
        digest = hashes.SHA224() if self.odd() and self.odds(0.3) else hashes.SHA256()
        issuer_name = None
        if issuer is not None and self.odd():
            issuer_name = self.respelled(issuer.certificate.subject)
        parent = None if issuer is None else Party(issuer.certificate, signer)
        party = certify(
            name,
            parent,
            key=key,
            extensions=extensions,
            start=start,
            end=end,
            digest=digest,
            serial=self.random.getrandbits(63) | 1,
            issuer_name=issuer_name,
        )
        # What signs v1 certificates here does so with SHA-256 and no other hash.
        if isinstance(digest, hashes.SHA256) and (self.odds(v1) or self.odd()):
            party = as_v1(party, parent or party)
        return Made(party, signer)

    def respelled(self, name: x509.Name) -> x509.Name:
        return x509.Name(
            x509.NameAttribute(one.oid, str(one.value).upper() if one.oid == NameOID.COMMON_NAME else str(one.value))
            for one in name
        )

    def authority_key(self, issuer: Made) -> x509.AuthorityKeyIdentifier:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            (private_key("P-256", 9) if self.odd() else issuer.party.key).public_key()
        )
        if self.odds(0.8):
            return identifier
        serial = issuer.certificate.serial_number + self.odd()
        keyid = identifier.key_identifier if self.odds(0.5) else None
        return x509.AuthorityKeyIdentifier(keyid, [x509.DirectoryName(issuer.certificate.issuer)], serial)

    # Revocation

    def lists(self, leaf: Made, known: list[Made]) -> list[List]:
        lists: list[List] = []
        for ca in known:
            if self.odds(0.06):
                continue
            revoked = [one.certificate.serial_number for one in (leaf, *known) if self.odds(0.05)]
            entries = [
                revoked_entry(serial, (x509.CRLReason(self.random.choice(list(REASON_FLAGS))), False))
                for serial in revoked
            ]
            start, end = NOW - 9 * DAY, NOW + self.random.randint(1, 9) * DAY
            if self.odds(0.04):
                start, end = self.random.choice(((NOW - 9 * DAY, NOW - DAY), (NOW + DAY, NOW + 9 * DAY)))
            key = private_key("P-256", 10) if self.odds(0.04) else ca.party.key
            extensions: list[Extension] = [(self.authority_key(ca), False)] if self.odds(0.5) else []
            crl = revocation_list(ca.party, *entries, start=start, end=end, extensions=extensions, key=key)
            lists.append(List(crl, ca, key))
        return lists


REASON_FLAGS = set(x509.ReasonFlags) - {x509.ReasonFlags.unspecified}


# Judging


def by_library(case: Case) -> tuple[x509.Certificate, ...] | str:
    """The path that the library found, or the code of its refusal."""
    try:
        store = TrustStore(
            [made.certificate for made in case.bundle],
            crls=case.crls,
            max_depth=case.max_depth,
            revocation="off" if case.lists is None else "require",
        )
    except ValueError as error:
        return f"configuration: {error}"
    try:
        presented = PresentedChain(case.leaf.certificate, tuple(made.certificate for made in case.forwarded))
        return store.verify(presented, at=NOW).chain
    except ClientCertError as error:
        return f"{error.code}: {error.detail}"


class OpenSsl:
    """Asks `openssl verify`, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""

    def accepts(
        self,
        leaf: Made,
        trusted: list[Made],
        untrusted: list[Made],
        lists: list[List] | None,
        *,
        partial: bool,
        depth: int,
    ) -> bool:
        (self.folder / "leaf").write_text(leaf.party.pem, encoding="ascii")
        (self.folder / "trusted").write_text(pem_of(*(made.party for made in trusted)), encoding="ascii")
        command = ["openssl", "verify", "-purpose", "sslclient", "-attime", str(int(NOW.timestamp()))]
        command += ["-no-CApath", "-no-CAstore", "-CAfile", "trusted", "-verify_depth", str(depth)]
        if untrusted:
            (self.folder / "untrusted").write_text(pem_of(*(made.party for made in untrusted)), encoding="ascii")
            command += ["-untrusted", "untrusted"]
        if lists is not None:
            (self.folder / "crls").write_text(pem_of_crls(*(one.crl for one in lists)), encoding="ascii")
            command += ["-crl_check_all", *(("-CRLfile", "crls") if lists else ())]
        if partial:
            command.append("-partial_chain")
        done = subprocess.run(
            [*command, "leaf"], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        self.said = " ".join((done.stderr or done.stdout).split())
        return done.returncode == 0

    def accepts_case(self, case: Case, *, partial: bool) -> bool:
        return self.accepts(case.leaf, case.bundle, case.forwarded, case.lists, partial=partial, depth=case.max_depth)

    def accepts_path(self, case: Case, path: tuple[Made, ...]) -> bool:
        """Whether exactly this path will do, and the lists of its CAs, whatever else there is.

        A leaf in the bundle is its own anchor; there, OpenSSL asks the leaf for a list of its own, which we do not.
        """
        partial = not path[-1].self_signed_to_openssl
        lists = None if case.lists is None or len(path) == 1 else [one for one in case.lists if one.is_of(path)]
        return self.accepts(case.leaf, [path[-1]], list(path[1:-1]), lists, partial=partial, depth=case.max_depth)


# Where the library refuses a path that OpenSSL accepts: for each reason a predicate over the path, and why


def extension(made: Made, oid: ObjectIdentifier) -> object:
    for one in made.certificate.extensions:
        if one.oid == oid:
            return one.value
    return None


def constraints_above(path: Path_) -> list[x509.NameConstraints]:
    found = [extension(made, ExtensionOID.NAME_CONSTRAINTS) for made in path[1:]]
    return [one for one in found if isinstance(one, x509.NameConstraints)]


def subtrees(path: Path_) -> list[x509.GeneralName]:
    return [
        name
        for one in constraints_above(path)
        for name in (*(one.permitted_subtrees or ()), *(one.excluded_subtrees or ()))
    ]


def alternative_names(made: Made) -> set[x509.GeneralName]:
    found = extension(made, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    return set(found) if isinstance(found, x509.SubjectAlternativeName) else set()


def is_eddsa(made: Made) -> bool:
    return made.certificate.signature_algorithm_oid in (SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448)


def is_v1(made: Made) -> bool:
    return made.certificate.version is x509.Version.v1


def needs_single_link(path: Path_) -> bool:
    return is_v1(path[0]) or is_eddsa(path[0])


def has_weak_key(made: Made) -> bool:
    key = made.party.key
    if isinstance(key, rsa.RSAPrivateKey):
        return key.key_size < 2048
    return isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size < 224


def has_unsupported_ca_key(made: Made) -> bool:
    key = made.party.key
    return isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in ("secp256r1", "secp384r1", "secp521r1")


def is_no_ca_by_its_constraints(made: Made) -> bool:
    found = extension(made, ExtensionOID.BASIC_CONSTRAINTS)
    return not (isinstance(found, x509.BasicConstraints) and found.ca)


def exceeds_path_length(path: Path_) -> bool:
    limits = [extension(made, ExtensionOID.BASIC_CONSTRAINTS) for made in path[1:]]
    return any(
        isinstance(limit, x509.BasicConstraints) and limit.path_length is not None and limit.path_length < below
        for below, limit in enumerate(limits)
    )


def has_namesakes(path: Path_) -> bool:
    """Whether a name stands for two certificates of a path in which key identifiers do not tell these apart."""
    names = [canonical(made.certificate.subject) for made in path]
    identifiers = [extension(made, ExtensionOID.SUBJECT_KEY_IDENTIFIER) for made in path]
    for number, child in enumerate(path[:-1]):
        meant = extension(child, ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
        said = {getattr(meant, "key_identifier", None), getattr(identifiers[number + 1], "digest", None)}
        of_child = getattr(identifiers[number], "digest", None)
        is_self_issued = names[number] == names[number + 1]
        if (is_self_issued or names[1:].count(names[number + 1]) > 1) and (
            len(said) > 1 or None in said or (is_self_issued and of_child in {None, *said})
        ):
            return True
    return False


def has_name_in_subject_only(path: Path_) -> bool:
    kinds = {type(one) for one in subtrees(path)}
    for made in path[:-1]:
        names = {str(name.value) for name in alternative_names(made) if isinstance(name, DNS | EMAIL)}
        for attribute in made.certificate.subject:
            constrained = (attribute.oid == NameOID.EMAIL_ADDRESS and EMAIL in kinds) or (
                attribute.oid == NameOID.COMMON_NAME and DNS in kinds and "." in str(attribute.value)
            )
            if constrained and attribute.value not in names:
                return True
    return False


def is_removed_from_crl(case: Case, path: Path_) -> bool:
    numbers = {made.certificate.serial_number for made in path}
    return any(
        entry.serial_number in numbers
        and any(
            isinstance(one.value, x509.CRLReason) and one.value.reason is x509.ReasonFlags.remove_from_crl
            for one in entry.extensions
        )
        for crl in case.crls
        for entry in crl
    )


@dataclasses.dataclass(frozen=True)
class Reason:
    name: str
    why: str
    holds: Callable[[Case, Path_], bool]


REASONS = (
    Reason(
        "anchor of -partial_chain",
        "with that option OpenSSL trusts every certificate of the bundle by itself; here one whose issuer is there "
        "holds only through it",
        lambda case, path: not case.is_anchor(path[-1]),
    ),
    Reason(
        "CA without CA:TRUE",
        "OpenSSL takes an X.509 v1 root, or a certificate with keyCertSign and no basic constraints, for a CA",
        lambda _, path: any(is_no_ca_by_its_constraints(made) for made in path[1:]),
    ),
    Reason(
        "weak key",
        "RSA under 2048 bits and curves under 224 are refused on every certificate; openssl verify, which has no "
        "security level by default, accepts them (nginx does not)",
        lambda _, path: any(map(has_weak_key, path)),
    ),
    Reason(
        "weak hash",
        "signatures with less than SHA-256 are refused below the anchor, and on a leaf that is its own",
        lambda _, path: any(
            isinstance(made.certificate.signature_hash_algorithm, hashes.SHA224) for made in path[:-1] or path
        ),
    ),
    Reason(
        "v1 or EdDSA further down than one link",
        "the path builder judges neither; a chain of one link is judged without it",
        lambda _, path: (needs_single_link(path) and len(path) > 2) or any(map(is_eddsa, path[1:-1])),
    ),
    Reason(
        "v1 or EdDSA under name constraints",
        "the check of one link applies none, and refuses",
        lambda _, path: needs_single_link(path) and bool(constraints_above(path)),
    ),
    Reason(
        "CA with an uncommon curve",
        "the path builder supports P-256, P-384 and P-521",
        lambda _, path: any(map(has_unsupported_ca_key, path[1:])),
    ),
    Reason(
        "name constraint of a kind that is not applied",
        "the path builder applies DNS, e-mail and IP constraints; any other kind refuses, met or not",
        lambda _, path: any(not isinstance(one, DNS | EMAIL | x509.IPAddress) for one in subtrees(path)),
    ),
    Reason(
        "DNS constraint with a leading dot, or empty",
        "RFC 5280 has no leading dot; the path builder calls both malformed",
        lambda _, path: any(isinstance(one, DNS) and (not one.value or one.value[0] == ".") for one in subtrees(path)),
    ),
    Reason(
        "constrained name in the subject only",
        "where DNS names or e-mail addresses are constrained, one in the subject must be an alternative name too; "
        "OpenSSL judges it in the subject",
        lambda _, path: has_name_in_subject_only(path),
    ),
    Reason(
        "wildcard that overlaps an excluded name",
        "the path builder takes *.example.org for every name below example.org, OpenSSL for a string",
        lambda _, path: (
            bool(constraints_above(path))
            and any(isinstance(name, DNS) and name.value.startswith("*") for name in alternative_names(path[0]))
        ),
    ),
    Reason(
        "critical extension that only OpenSSL knows",
        "certificate policies, Netscape certificate type: processed by OpenSSL, not here, so refused where critical",
        lambda _, path: any(
            one.critical and one.oid.dotted_string in UNDERSTOOD_BY_OPENSSL_ONLY
            for made in path
            for one in made.certificate.extensions
        ),
    ),
    Reason(
        "path length with self-issued CAs",
        "pathlen counts every CA below, OpenSSL leaves out those that are self-issued",
        lambda _, path: (
            exceeds_path_length(path)
            and any(made.certificate.subject == made.certificate.issuer for made in path[1:-1])
        ),
    ),
    Reason(
        "CAs of one name without key identifiers",
        "where a name stands for two certificates of a path, key identifiers must tell them apart; OpenSSL needs them "
        "too, unless it happens to try the right one first",
        lambda _, path: has_namesakes(path),
    ),
    Reason(
        "issuer's name spelled another way",
        "names are compared byte by byte, where OpenSSL compares them without regard to case",
        lambda _, path: any(
            child.certificate.issuer != issuer.certificate.subject for child, issuer in itertools.pairwise(path)
        ),
    ),
    Reason(
        "revocation, or a name in the subject, on the path found first",
        "where several paths lead to an anchor, one is found, and the lists and subjects are asked about that one only",
        lambda case, path: any(
            case.lists is not None or has_name_in_subject_only(other) for other in case.paths() if other != path
        ),
    ),
    Reason(
        "removeFromCRL in a complete list",
        "RFC 5280 section 5.3.1 has it in delta lists only; here any entry revokes",
        is_removed_from_crl,
    ),
)


def reasons_of(case: Case, path: Path_) -> list[str]:
    return [reason.name for reason in REASONS if reason.holds(case, path)]


def orders(bundle: list[Made], limit: int = 24) -> Iterator[list[Made]]:
    """Other orders in which the bundle could have been written: of CAs of one name, OpenSSL tries the first only."""
    if len(bundle) <= 4:
        yield from map(list, itertools.permutations(bundle))
    else:
        shuffle = random.Random(0)  # noqa: S311
        yield from (shuffle.sample(bundle, len(bundle)) for _ in range(limit))


def compare(case: Case, openssl: OpenSsl) -> str:
    """Say how the two answers relate; raise where the library accepts, or refuses unexplained, what it should not."""
    answer = by_library(case)
    if isinstance(answer, str):
        if not openssl.accepts_case(case, partial=any(map(case.is_orphan, case.bundle))):
            return "both refuse"
        accepted = [path for path in case.paths() if openssl.accepts_path(case, path)]
        unexplained = [path for path in accepted if not reasons_of(case, path)]
        if unexplained or not accepted:
            raise AssertionError(f"refused without a reason in the table: {answer}\n{told(case, unexplained)}")
        return "refused: " + min(itertools.chain.from_iterable(reasons_of(case, path) for path in accepted), key=rank)
    by_certificate = {made.certificate: made for made in (case.leaf, *case.forwarded, *case.bundle)}
    path = tuple(by_certificate[certificate] for certificate in answer)
    if not (path[-1] in case.bundle and case.is_anchor(path[-1])):
        raise AssertionError(f"accepted with an anchor that is none\n{told(case, [path])}")
    partial = not path[-1].self_signed_to_openssl
    if openssl.accepts_case(case, partial=partial):
        return "both accept"
    if not openssl.accepts_path(case, path):
        raise AssertionError(f"ACCEPTED WHAT OPENSSL REFUSES: {openssl.said}\n{told(case, [path])}")
    for order in orders(case.bundle):
        if openssl.accepts_case(dataclasses.replace(case, bundle=order), partial=partial):
            return "both accept, OpenSSL in another order of the bundle"
    return "both accept this path, which OpenSSL does not find"


def rank(name: str) -> int:
    return [reason.name for reason in REASONS].index(name)


def told(case: Case, paths: list[Path_]) -> str:
    """A case as text."""
    lines = [f"max_depth {case.max_depth}, {'no' if case.lists is None else len(case.lists)} CRLs"]
    for role, members in (("leaf", [case.leaf]), ("bundle", case.bundle), ("forwarded", case.forwarded)):
        for made in members:
            certificate = made.certificate
            lines.append(
                f"{role}: {certificate.subject.rfc4514_string()} by {certificate.issuer.rfc4514_string()}, "
                f"{certificate.version.name}, {type(made.party.key).__name__}, {certificate.not_valid_after_utc}"
            )
            lines += [f"    {one.oid.dotted_string} {one.critical} {one.value}" for one in certificate.extensions]
    for path in paths:
        lines.append("path: " + " < ".join(made.certificate.subject.rfc4514_string() for made in path))
    return "\n".join(lines)


COUNTS: collections.Counter[str] = collections.Counter()


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_library_accepts_nothing_that_openssl_refuses_and_refuses_only_for_known_reasons(
    batch: int, tmp_path: Path
) -> None:
    openssl = OpenSsl(tmp_path)
    failures = []
    for number in range(batch, CASES, BATCHES):
        case = Maker(SEED + number).case()
        try:
            COUNTS[compare(case, openssl)] += 1
        except AssertionError as failure:
            COUNTS["FAILED"] += 1
            failures.append(f"seed {SEED + number}: {failure}")
    assert not failures, f"{len(failures)} disagreements, the first:\n" + failures[0]


def test_the_random_cases_are_worth_comparing() -> None:
    """Both answers are common, and so the comparison above has compared something."""
    print(*(f"{count:6} {name}" for name, count in COUNTS.most_common()), sep="\n")  # noqa: T201  # with pytest -s
    compared = sum(COUNTS.values())
    if compared < CASES:
        pytest.skip("the cases ran in other processes")
    assert COUNTS["both accept"] > compared / 5
    assert COUNTS["both refuse"] > compared / 10


def test_every_reason_is_explained() -> None:
    assert len({reason.name for reason in REASONS}) == len(REASONS)
    assert all(len(reason.why) > 20 for reason in REASONS)


def test_the_comparison_would_notice_an_unsafe_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself: a library that takes every certificate of the bundle for an anchor fails."""
    from sslclientcert.core import trust

    monkeypatch.setattr(trust, "anchors_of", frozenset)
    openssl = OpenSsl(tmp_path)
    noticed = 0
    for number in range(200):
        try:
            compare(Maker(SEED + number).case(), openssl)
        except AssertionError as failure:
            noticed += "anchor that is none" in str(failure)
    assert noticed
