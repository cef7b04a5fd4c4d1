"""Which certificates of a bundle are anchors, and which certificates are linked to them by signatures.

Anchors end a path. Their own signatures are not relied on. Too few anchors refuse good clients. One too many silences
the root that should stand above it: its constraints, its end and its CRL. The facts, as with OpenSSL:

- A certificate counts as self-signed if its subject is its issuer, its authority key identifier means itself, and its
  signature is of a kind that its own key makes. It is an anchor, unless its signature can be checked and is wrong.
- An anchor's own signature is otherwise not relied on: roots of old PKIs are signed with SHA-1.

Our decision where OpenSSL accepts self-signed anchors alone (it has `-partial_chain` for the rest): a certificate whose
issuer's name no other certificate of the bundle bears is an anchor too. What cannot be used still counts as there.

Links are made from the anchors down. A key is used only if the bundle has vouched for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from .certificate import ParsedCertificate, matches_authority_key_identifier
from .errors import ClientCertError, quoted
from .names import CanonicalName, rfc4514
from .policy import weak_signature

__all__ = ["MOST_CHECKS", "Bundle", "LeftOut", "Links", "by_age"]

MOST_CHECKS = 16
"""The most signature checks for forwarded CAs. An honest chain of three needs two; ten of one name would cost 90."""

_MOST_BITS_OF_BUNDLE, _MOST_BITS_FORWARDED, _EXPONENT_FORWARDED = 8192, 4096, 1 << 17
_KINDS_FORWARDED = frozenset({"secp256r1", "secp384r1", "secp521r1", "Ed25519", "Ed448"})  # and RSA

# The object identifiers of signatures and of the keys that make them, by how both begin. EdDSA and ML-DSA have one.
_FAMILIES = (
    ("1.2.840.113549.1.1.", "1.2.840.113549.1.1."),
    ("1.2.840.10045.4.", "1.2.840.10045.2."),
    ("1.2.840.10040.4.", "1.2.840.10040.4."),
)


class LeftOut(NamedTuple):
    """A certificate of a bundle that cannot be used.

    Attributes:
        what: how messages call it: its position, and its serial number where that can be read.
        why: what is wrong with it, to follow a colon.
        subject: its canonical subject; None if it cannot be read.
        spki: its key; None if it cannot be read.
    """

    what: str
    why: str
    subject: CanonicalName | None
    spki: bytes | None


class Links:
    """The issuers of certificates, for those that are linked to an anchor.

    Parameters:
        anchors: certificates that need no issuer.
        others: certificates that are linked if one that is linked has signed them. Anything else stays out.
        above: the bundle's links, if the others came from a client. Their keys and their checks are then limited.

    Attributes:
        unlinked: the others that are not linked.
        is_exhausted: whether the limit on checks was reached.
    """

    def __init__(
        self,
        anchors: Iterable[ParsedCertificate],
        others: Iterable[ParsedCertificate],
        *,
        above: Links | None = None,
    ) -> None:
        pending = list(others)
        self._above = above
        self._forwarded = frozenset(pending if above is not None else ())
        self._by_subject: dict[CanonicalName, list[ParsedCertificate]] = {}
        self._issuers: dict[ParsedCertificate, Sequence[ParsedCertificate]] = {}
        self._signed: dict[tuple[ParsedCertificate, ParsedCertificate], bool] = {}
        self._checks_left = MOST_CHECKS
        self.is_exhausted: bool = False
        for anchor in anchors:
            self._add(anchor)
        linked: dict[ParsedCertificate, None] = {}
        while found := [one for one in pending if self.issuers_of(one)]:
            for one in found:
                self._add(one)
            linked |= dict.fromkeys(found)
            pending = [one for one in pending if one not in linked]
        self.unlinked: tuple[ParsedCertificate, ...] = tuple(pending)
        self._issuers = {one: self.issuers_of(one) for one in linked}

    def _add(self, one: ParsedCertificate) -> None:
        self._by_subject.setdefault(one.subject, []).append(one)

    def named(self, subject: CanonicalName) -> Sequence[ParsedCertificate]:
        """Return the linked certificates of a subject."""
        own = self._by_subject.get(subject, ())
        return own if self._above is None else (*self._above.named(subject), *own)

    def issuers_of(self, child: ParsedCertificate) -> Sequence[ParsedCertificate]:
        """Return the linked CAs that have signed a certificate, in an order that no file and no client decides."""
        known = self._issuers.get(child)
        if known is None and self._above is not None:
            known = self._above._issuers.get(child)
        if known is not None:
            return known
        return by_age(
            issuer
            for issuer in self.named(child.issuer)
            if issuer is not child and child.may_be_issued_by(issuer) and self.has_signed(issuer, child)
        )

    def has_signed(self, issuer: ParsedCertificate, child: ParsedCertificate) -> bool:
        """Say whether a certificate's key has signed another one. Each pair is checked once."""
        answer = self._signed.get((issuer, child))
        if answer is None:
            if issuer in self._forwarded or child in self._forwarded:
                if not self._checks_left:
                    self.is_exhausted = True
                    return False
                self._checks_left -= 1
            answer = self._may_check_with(issuer) and child.is_signed_by(issuer)
            self._signed[issuer, child] = answer
        return answer

    def _may_check_with(self, issuer: ParsedCertificate) -> bool:
        """Say whether a key is of a size that does not make a check dear."""
        try:
            key = issuer.key
        except ClientCertError:
            return False
        if issuer not in self._forwarded:
            return not isinstance(key, rsa.RSAPublicKey) or key.key_size <= _MOST_BITS_OF_BUNDLE
        if isinstance(key, rsa.RSAPublicKey):
            return key.key_size <= _MOST_BITS_FORWARDED and key.public_numbers().e < _EXPONENT_FORWARDED
        return issuer.key_kind in _KINDS_FORWARDED


def by_age(certificates: Iterable[ParsedCertificate]) -> list[ParsedCertificate]:
    """Return certificates in an order that no file and no client decides: those that end last come first."""
    return sorted(certificates, key=lambda one: (one.not_after, one.der), reverse=True)


class Bundle:
    """The certificates of a CA bundle: which are anchors, which are linked to them, and which cannot be used.

    Parameters:
        certificates: those that parse. Each is taken once.
        left_out: those that do not. By name and key they count as there.

    Attributes:
        certificates: each once.
        by_der: the same by their DER.
        anchors: those that end a path.
        links: the issuers of each.
        unusable: why a certificate is neither an anchor nor linked to one, to follow a colon.
        left_out: as given.
    """

    def __init__(self, certificates: Iterable[ParsedCertificate], left_out: Iterable[LeftOut]) -> None:
        self.by_der: dict[bytes, ParsedCertificate] = {one.der: one for one in certificates}
        self.certificates: tuple[ParsedCertificate, ...] = tuple(self.by_der.values())
        self.left_out: tuple[LeftOut, ...] = tuple(left_out)
        self.unusable: dict[ParsedCertificate, str] = {}
        there: Counter[CanonicalName | None] = Counter(one.subject for one in self.certificates)
        there.update(one.subject for one in self.left_out)
        self._by_subject: dict[CanonicalName | None, list[ParsedCertificate]] = {}
        for one in self.certificates:
            self._by_subject.setdefault(one.subject, []).append(one)
        self.anchors: frozenset[ParsedCertificate] = frozenset(
            one for one in self.certificates if self._is_anchor(one, there)
        )
        others = [one for one in self.certificates if one not in self.anchors]
        self.links: Links = Links(self.anchors, [one for one in others if one not in self.unusable])
        for one in self.links.unlinked:
            named = quoted(rfc4514(one.certificate.issuer))
            found = (
                f"the bundle has a certificate named {named}, its issuer, and no usable one whose key has signed it"
                if _has_issuer(one, there)
                else f"its issuer, {named}, is not in the bundle, where another certificate has its name or one that "
                "cannot be read"
            )
            self.unusable[one] = f"{found}. Put the right CA certificate into the bundle, or take this one out"
            if one.scheme is None:
                self.unusable[one] = weak_signature(one).detail

    def _is_anchor(self, one: ParsedCertificate, there: Counter[CanonicalName | None]) -> bool:
        if _counts_as_self_signed(one):
            if one.scheme is not None and one.key_kind is not None and not one.is_signed_by(one):
                self.unusable[one] = "it counts as self-signed, and its signature is wrong. Take it out of the bundle"
                return False
            return True
        return (
            there[None] == 0
            # None of its name and key has an issuer there: a root stands for its cross-certificate.
            and not any(other.spki == one.spki and _has_issuer(other, there) for other in self._by_subject[one.subject])
            and not any(other.subject == one.subject and other.spki in (None, one.spki) for other in self.left_out)
        )

    def has_linked(self, one: ParsedCertificate) -> bool:
        """Say whether the bundle has this very certificate, as an anchor or linked to one."""
        own = self.by_der.get(one.der)
        return own is not None and own not in self.unusable

    def holds(self, subject: CanonicalName) -> bool:
        """Say whether a certificate of a subject is there, usable or not."""
        return subject in self._by_subject or any(one.subject == subject for one in self.left_out)

    def named(self, subject: CanonicalName) -> Sequence[ParsedCertificate]:
        """Return all certificates of a subject that parse, the unusable ones too."""
        return self._by_subject.get(subject, ())


def _has_issuer(one: ParsedCertificate, there: Counter[CanonicalName | None]) -> bool:
    """Say whether another certificate that is there bears its issuer's name."""
    return there[one.issuer] > one.is_self_issued


def _counts_as_self_signed(one: ParsedCertificate) -> bool:
    """OpenSSL's EXFLAG_SS: the names, the authority key identifier, and the kind of key."""
    return (
        one.is_self_issued
        and matches_authority_key_identifier(one.get(x509.AuthorityKeyIdentifier), one)
        and _fits_own_key(one)
    )


def _fits_own_key(one: ParsedCertificate) -> bool:
    if one.scheme is not None and one.key_kind is not None:
        return one.key_kind in one.scheme.keys
    signature = one.certificate.signature_algorithm_oid.dotted_string
    key = one.certificate.public_key_algorithm_oid.dotted_string
    return signature == key or any(signature.startswith(start) and key.startswith(of) for start, of in _FAMILIES)
