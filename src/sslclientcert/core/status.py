"""What a trust store holds, what ends soon, and what is odd about it: for health checks, logs and the command line.

Nothing here decides on anybody.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from cryptography import x509

from .crl import RevocationList
from .policy import describe

__all__ = ["DEFAULT_WITHIN", "Ending", "TrustStatus", "endings", "ends_soon", "strange_lists"]

DEFAULT_WITHIN = dt.timedelta(days=30)
"""How long before its end a certificate is worth a warning."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ending:
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
        revoked: how many entries the CRLs have together.
        next_expiry: what ends next, and when; None if nothing is left that has not ended.
        error: why the files that are there now do not load; None if they did. The trust is then the older one.
        error_since: since when that is so, aware; None without an error.
        warnings: what has ended or ends soon, and CRLs of CAs that are not in the bundle. Sentences for people.
    """

    since: dt.datetime
    files: tuple[str, ...]
    anchors: int
    intermediates: int
    crls: int
    revoked: int
    next_expiry: Ending | None
    error: str | None
    error_since: dt.datetime | None
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return it ready for JSON: times as ISO 8601 in UTC, and lists for tuples."""
        expiry = self.next_expiry
        return {
            "since": self.since.isoformat(),
            "files": list(self.files),
            "anchors": self.anchors,
            "intermediates": self.intermediates,
            "crls": self.crls,
            "revoked": self.revoked,
            "next_expiry": None if expiry is None else {"what": expiry.what, "at": expiry.at.isoformat()},
            "error": self.error,
            "error_since": None if self.error_since is None else self.error_since.isoformat(),
            "warnings": list(self.warnings),
        }


def endings(certificates: Iterable[x509.Certificate], lists: Sequence[RevocationList]) -> Iterator[Ending]:
    """Yield the ends of certificates, and of those lists that no newer one has replaced.

    A CRL is made to be replaced, often daily: a warning is due in the last quarter of its own time.
    """
    for certificate in certificates:
        yield Ending(what=describe(certificate), at=certificate.not_valid_after_utc)
    newest: dict[object, RevocationList] = {}
    for one in sorted(lists, key=lambda one: one.this_update):
        newest[one.issuer, one.key_identifier] = one
    for one in newest.values():
        yield Ending(what=one.name, at=one.next_update, soon=(one.next_update - one.this_update) / 4)


def ends_soon(ends: Iterable[Ending], at: dt.datetime, within: dt.timedelta) -> Iterator[str]:
    """Yield a sentence for whatever has ended, or ends within that time."""
    for one in ends:
        if one.at < at:
            yield f"{one.what} ended at {one.at.isoformat()}"
        elif one.at - at <= min(within, one.soon):
            yield f"{one.what} ends at {one.at.isoformat()}, in {_how_long(one.at - at)}"


def strange_lists(certificates: Iterable[x509.Certificate], lists: Iterable[RevocationList]) -> Iterator[str]:
    """Yield a sentence for each list that no CA of the bundle can have issued, by name."""
    subjects = {certificate.subject for certificate in certificates}
    for one in lists:
        if one.issuer not in subjects:
            yield f"{one.name} is of a CA that is not in the bundle, so it covers nothing there"


def _how_long(time: dt.timedelta) -> str:
    hours = time // dt.timedelta(hours=1)
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"
