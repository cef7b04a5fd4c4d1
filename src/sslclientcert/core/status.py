"""What a trust store holds, what ends soon, and what is odd about it: for health checks, logs and the command line.

Nothing here decides on a client.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import time
from collections.abc import Iterable, Iterator, Sequence

from .certificate import ParsedCertificate
from .crl import RevocationList
from .errors import ClientCertError
from .links import Bundle
from .policy import require_ca, require_client_leaf
from .validation import Snapshot

__all__ = [
    "DEFAULT_WITHIN",
    "Expiry",
    "TrustStatus",
    "WarningLog",
    "ends_soon",
    "expiries",
    "is_pin",
    "odd_certificates",
    "odd_crls",
    "warnings_of",
]

_log = logging.getLogger("sslclientcert")

DEFAULT_WITHIN = dt.timedelta(days=30)
"""How long before its end a certificate is worth a warning."""

_LOOK_SECONDS = 60.0  # between two looks at what may have become worth a warning
_AGAIN_SECONDS = 86400.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expiry:
    """That something ends.

    Attributes:
        what: a certificate or a CRL, as messages call it.
        at: when, aware.
        soon: how long before that a warning is due, at the most.
    """

    what: str
    at: dt.datetime
    soon: dt.timedelta = dt.timedelta.max


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrustStatus:
    """What a trust store is at the moment. It says nothing about any client.

    Attributes:
        since: when the trust in force was loaded, aware.
        files: the paths it was loaded from; none if the store was not made from files.
        anchors, intermediates, crls: how many of each there are.
        left_out: how many certificates of the bundle cannot be used; `warnings` says which and why.
        revoked: how many entries the CRLs have together.
        next_expiry: what ends next, and when; None if nothing is left that has not ended.
        error: why the files that are there now do not load; None if they did. The trust is then the older one.
        error_since: since when that is so, aware; None without an error.
        warnings: what has ended or ends soon, what is left out, and CRLs that cover nothing. Sentences for people.
    """

    since: dt.datetime
    files: tuple[str, ...]
    anchors: int
    intermediates: int
    crls: int
    left_out: int
    revoked: int
    next_expiry: Expiry | None
    error: str | None
    error_since: dt.datetime | None
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return it ready for JSON: times as ISO 8601 in UTC, and lists for tuples."""
        expiry, failed = self.next_expiry, self.error_since
        return {
            **vars(self),
            "since": self.since.isoformat(),
            "files": list(self.files),
            "next_expiry": None if expiry is None else {"what": expiry.what, "at": expiry.at.isoformat()},
            "error_since": None if failed is None else failed.isoformat(),
            "warnings": list(self.warnings),
        }


def expiries(certificates: Iterable[ParsedCertificate], crls: Sequence[RevocationList]) -> Iterator[Expiry]:
    """Yield the ends of certificates, and of those CRLs that no newer one has replaced.

    A CRL is made to be replaced, often daily: a warning is due in the last quarter of its own time.
    """
    for certificate in certificates:
        yield Expiry(what=str(certificate), at=certificate.not_after)
    newest: dict[object, RevocationList] = {}
    for crl in sorted(crls, key=lambda crl: (crl.this_update, crl.number or 0)):
        newest[crl.issuer, crl.key_identifier, crl.scope] = crl
    for crl in newest.values():
        yield Expiry(what=crl.name, at=crl.next_update, soon=(crl.next_update - crl.this_update) / 4)


def ends_soon(found: Iterable[Expiry], at: dt.datetime, within: dt.timedelta) -> Iterator[str]:
    """Yield a sentence for each that has ended, or ends within that time. It stays the same until it has ended."""
    for expiry in found:
        if expiry.at < at:
            yield f"{expiry.what} ended at {expiry.at.isoformat()}"
        elif expiry.at - at <= min(within, expiry.soon):
            yield f"{expiry.what} ends soon, at {expiry.at.isoformat()}"


def odd_certificates(bundle: Bundle, *, has_crls: bool) -> Iterator[str]:
    """Yield a sentence for each certificate of a bundle that is left out, unusable, or trusted as itself alone."""
    for one in bundle.left_out:
        yield f"{one.what} is left out: it {one.why}"
    for certificate, why in bundle.unusable.items():
        yield f"{certificate} is unusable: {why}"
    for anchor in bundle.anchors:
        try:
            require_ca(anchor)
        except ClientCertError as error:
            yield error.detail + _pin(anchor, has_crls=has_crls)


def is_pin(anchor: ParsedCertificate) -> bool:
    """Say whether an anchor that is not a CA may be a client's own certificate."""
    try:
        require_client_leaf(anchor)
    except ClientCertError:
        return False
    return True


def _pin(anchor: ParsedCertificate, *, has_crls: bool) -> str:
    if not is_pin(anchor):
        return ""
    revoked = ". A CRL cannot revoke it: take it out of the bundle instead" if has_crls else ""
    return f". It is a pin: trusted as a client's own certificate, and for no other client{revoked}"


def odd_crls(bundle: Bundle, crls: Iterable[RevocationList]) -> Iterator[str]:
    """Yield a sentence for each CRL that cannot be used, and for each whose issuer's name is not in the bundle."""
    subjects = {certificate.subject for certificate in bundle.certificates}
    for crl in crls:
        if crl.fault is not None:
            yield (
                f"{crl.name} cannot be used: {crl.fault}. What its issuer has issued is refused (revocation_unknown)"
            )
        elif crl.issuer not in subjects:
            yield f"{crl.name} is of a CA that is not in the bundle, so it covers nothing"


def warnings_of(trust: Snapshot, at: dt.datetime, within: dt.timedelta) -> Iterator[str]:
    """Yield what has ended or ends soon, and what of a snapshot cannot be used.

    Parameters:
        trust: the snapshot.
        at: the time to look at it, aware.
        within: how long before its end a certificate is worth a warning.
    """
    crls = trust.revocation.crls
    yield from ends_soon(expiries(trust.bundle.certificates, crls), at, within)
    yield from odd_certificates(trust.bundle, has_crls=bool(crls))
    yield from odd_crls(trust.bundle, crls)


class WarningLog:
    """Logs a warning once when it becomes true, and once a day while it is.

    Attributes:
        next_look: when to look again, by `time.monotonic`.
    """

    def __init__(self) -> None:
        self.next_look: float = 0.0
        self._said: dict[str, float] = {}

    def look(self, trust: Snapshot) -> None:
        """Log what is worth a warning now, and was not said today."""
        now = time.monotonic()
        self.next_look = now + _LOOK_SECONDS
        found = list(warnings_of(trust, dt.datetime.now(dt.UTC), DEFAULT_WITHIN))
        self._said = {warning: said for warning, said in self._said.items() if warning in found}
        for warning in found:
            if warning not in self._said or now - self._said[warning] >= _AGAIN_SECONDS:
                self._said[warning] = now
                _log.warning("the trust store of %s: %s", trust.source, warning, extra={"code": "trust_store_warning"})
