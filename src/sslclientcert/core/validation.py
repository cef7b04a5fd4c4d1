"""The decision: whether a presented chain leads to an anchor. The only place that makes an identity.

This is certification path validation (RFC 5280 section 6.1) as nginx does it, which is `openssl verify -purpose
sslclient` without a host name and without a policy tree:

- (a) (1), signatures: `links`, from the anchors down, by `signatures`.
- (a) (2), validity, and (k) to (n), what a CA must be: `policy`.
- (a) (3), revocation: `revocation`.
- (a) (4), names, and key identifiers: `ParsedCertificate.may_be_issued_by`, by `names.canonical`.
- (b) and (c), name constraints: `constraints`. (d) to (f), policies: not asked; `identity.policies` is restricted.

OpenSSL builds one path and judges it. Here every path is tried until one keeps all rules; the order of bundle and chain
changes no answer. The search is bounded, and no key is used that the bundle has not vouched for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cryptography import x509

from .certificate import DOES_NOT_PARSE, ParsedCertificate
from .errors import (
    CertificateMalformed,
    CertificateUnsuitable,
    CertificateUntrusted,
    ClientCertError,
    ForwardingInconsistent,
    TrustStoreUnavailable,
)
from .explanation import why_unlinked
from .identity import ClientIdentity, read_identity
from .links import Bundle, Links
from .policy import require_ca, require_client_leaf, require_path_length, require_validity
from .presented import PresentedChain
from .revocation import RevocationLists

__all__ = ["Snapshot", "Validated", "validate"]

_MOST_STEPS = 256
"""The most steps of a search. Six CAs that have all cross-certified one another have more paths than that."""

_Path = tuple[ParsedCertificate, ...]


class Snapshot(NamedTuple):
    """One consistent state of what is trusted; nothing in it changes.

    Attributes:
        bundle: the CAs.
        revocation: their CRLs.
        max_depth: the most intermediates of a path.
        clock_skew: by how much the time of validation may be wrong.
        source: how messages name the bundle.
        since: when it was loaded, aware.
    """

    bundle: Bundle
    revocation: RevocationLists
    max_depth: int
    clock_skew: dt.timedelta
    source: str
    since: dt.datetime


class Validated(NamedTuple):
    """An identity, and from when until when the same snapshot says the same of it."""

    identity: ClientIdentity
    since: dt.datetime
    until: dt.datetime


def validate(trust: Snapshot, presented: PresentedChain, at: dt.datetime) -> Validated:
    """Return the identity of a presented chain. This is where trust is raised.

    Does not check: that the client holds the key of the certificate. Only the proxy saw the handshake.

    Parameters:
        trust: what to trust.
        presented: what the proxy forwarded.
        at: the time of validation, aware.

    Raises:
        ClientCertError: there is no valid path, or nothing says which certificate is the leaf's.
    """
    leaf, *others = (_parsed(one, number) for number, one in enumerate((presented.leaf, *presented.intermediates), 1))
    forwarded = list({one.der: one for one in others if one.der != leaf.der}.values())
    search = _Search(trust, leaf, forwarded, at)
    path = search.path()
    if not presented.is_leaf_bound:
        _require_issuers_only(search.links, leaf, forwarded)
    since = max(one.not_before for one in path)
    until = min(one.not_after for one in path)
    return Validated(read_identity(path), *trust.revocation.period(path, at, since, until))


def _parsed(certificate: x509.Certificate, number: int) -> ParsedCertificate:
    try:
        return ParsedCertificate(certificate)
    except Exception as error:  # cryptography has several for what it cannot read
        raise CertificateMalformed(
            f"certificate {number} of the forwarded chain (serial {certificate.serial_number:X}) {DOES_NOT_PARSE}"
        ) from error


def _require_issuers_only(links: Links, leaf: ParsedCertificate, others: Sequence[ParsedCertificate]) -> None:
    """Refuse a further certificate that has not issued another one of the list, up from the leaf.

    Where one header holds leaf and chain, a second header that a proxy or server joins to it could slide another
    client's leaf in front of the client's own. Its place is then all that makes it the leaf.
    """
    reached, rest = [leaf], list(others)
    while rest:
        found = [
            one
            for one in rest
            if any(child.may_be_issued_by(one) and links.has_signed(one, child) for child in reached)
        ]
        if not found:
            raise ForwardingInconsistent(
                f"{rest[0]} has issued no other certificate of the forwarded chain, and the "
                "place in it is all that says which certificate is the client's. Either the client sends certificates "
                "that are not part of its chain, or two headers were joined"
            )
        reached += found
        rest = [one for one in rest if one not in found]


class _Search:
    """The search for a path from one leaf that keeps every rule, depth first, and the refusal that came furthest."""

    def __init__(
        self, trust: Snapshot, leaf: ParsedCertificate, forwarded: Sequence[ParsedCertificate], at: dt.datetime
    ) -> None:
        self._trust, self._bundle, self._leaf, self._at = trust, trust.bundle, leaf, at
        self._forwarded = [one for one in forwarded if not self._bundle.has_linked(one)]
        self._steps = 0
        self._violations: dict[tuple[ParsedCertificate, ParsedCertificate], str | None] = {}
        self._furthest: tuple[tuple[bool, int, int], ClientCertError] | None = None
        self.links: Links

    def path(self) -> _Path:
        """Return the path, from the leaf to the anchor.

        Raises:
            ClientCertError: there is none. It says what was wrong with the path that came furthest.
        """
        require_validity(self._leaf, self._at, self._trust.clock_skew)
        require_client_leaf(self._leaf)
        self.links = Links((), self._forwarded, above=self._bundle.links)
        if self._bundle.by_der.get(self._leaf.der) in self._bundle.anchors:
            if self._leaf.is_self_issued:
                self._trust.revocation.require_unrevoked(self._leaf, self._leaf, self._at, is_needed=False)
            return (self._leaf,)
        found = self._extended((self._leaf,))
        if found is not None:
            return found
        if not any(_is_valid(anchor, self._at, self._trust.clock_skew) for anchor in self._bundle.anchors):
            raise TrustStoreUnavailable(
                f"no anchor of {self._trust.source} is valid at {self._at.isoformat(timespec='seconds')}. Put a "
                "renewed CA certificate into the bundle, or check this host's clock"
            )
        raise (
            self._furthest[1]
            if self._furthest is not None
            else why_unlinked(self._leaf, self.links, self._bundle, self._trust.source)
        )

    def _extended(self, path: _Path) -> _Path | None:
        """Return the first path that goes on from this one and keeps every rule."""
        for issuer in self.links.issuers_of(path[-1]):
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise CertificateUntrusted(
                    f"the CAs above {self._leaf} have more paths than the {_MOST_STEPS} that are "
                    "tried: take cross-certificates that you do not need out of the bundle"
                )
            if self._keeps_rules(path, issuer):
                above = (*path, issuer)
                found = above if issuer in self._bundle.anchors else self._extended(above)
                if found is not None:
                    return found
        return None

    def _keeps_rules(self, path: _Path, issuer: ParsedCertificate) -> bool:
        for rank, rule in enumerate(_RULES):
            try:
                rule(self, path, issuer)
            except ClientCertError as error:
                # A certificate that is on the path already says nothing of what is wrong with the path.
                key = (rank > 0, len(path), rank)
                if self._furthest is None or key > self._furthest[0]:
                    self._furthest = key, error
                return False
        return True

    # The rules for the next certificate of a path, in this order.

    def _require_once(self, path: _Path, issuer: ParsedCertificate) -> None:
        if any(one.subject == issuer.subject and one.spki == issuer.spki for one in path):
            raise CertificateUntrusted(f"{issuer} has the name and the key of a certificate below it on the path")

    def _require_depth(self, path: _Path, issuer: ParsedCertificate) -> None:
        if issuer not in self._bundle.anchors and len(path) > self._trust.max_depth:
            raise CertificateUntrusted(
                f"the path from {self._leaf} has more than {self._trust.max_depth} intermediate "
                "CAs: raise max_depth if that is right"
            )

    def _require_usable(self, path: _Path, issuer: ParsedCertificate) -> None:
        require_validity(issuer, self._at, self._trust.clock_skew, is_ca=True)
        require_ca(issuer)
        require_path_length(issuer, sum(not one.is_self_issued for one in path[1:]))

    def _require_names(self, path: _Path, issuer: ParsedCertificate) -> None:
        if issuer.constraints is None:
            return
        for one in path:
            if one is not self._leaf and one.is_self_issued:
                continue
            if (issuer, one) not in self._violations:
                self._violations[issuer, one] = issuer.constraints.violation(one.names, is_leaf=one is self._leaf)
            said = self._violations[issuer, one]
            if said is not None:
                raise CertificateUnsuitable(
                    f"the name constraints of {issuer} do not admit "
                    f"{one}: {said} (RFC 5280 section 4.2.1.10). Reissue it with names within "
                    "the constraints, or by another CA"
                )

    def _require_unrevoked(self, path: _Path, issuer: ParsedCertificate) -> None:
        self._trust.revocation.require_unrevoked(path[-1], issuer, self._at)
        if issuer in self._bundle.anchors and issuer.is_self_issued:
            self._trust.revocation.require_unrevoked(issuer, issuer, self._at, is_needed=False)


_RULES: tuple[Callable[[_Search, _Path, ParsedCertificate], None], ...] = (
    _Search._require_once,
    _Search._require_depth,
    _Search._require_usable,
    _Search._require_names,
    _Search._require_unrevoked,
)


def _is_valid(anchor: ParsedCertificate, at: dt.datetime, clock_skew: dt.timedelta) -> bool:
    return anchor.not_before - at <= clock_skew and at.replace(microsecond=0) - anchor.not_after <= clock_skew
