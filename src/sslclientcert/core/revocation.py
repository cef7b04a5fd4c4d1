"""Certificate revocation lists, as nginx's `ssl_crl` treats them (OpenSSL's CRL_CHECK and CRL_CHECK_ALL).

Every certificate of the path below the anchor needs a current list of its issuer, signed by it. What we do not
process (indirect, delta and partitioned lists, unknown critical extensions) is refused when the list is loaded, and a
list that is not there, stale, or not signed by the issuer leaves the status unknown.

Source: RFC 5280 sections 5 and 6.3.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .crl import RevocationList
from .errors import CertificateRevoked, RevocationUnknown, quoted
from .names import rfc4514
from .policy import describe

__all__ = ["REVOCATION_MODES", "AnyList", "RevocationLists", "shifted"]

REVOCATION_MODES = ("require", "if-available", "off")

AnyList: TypeAlias = "x509.CertificateRevocationList | RevocationList"


def shifted(time: dt.datetime, by: dt.timedelta) -> dt.datetime:
    """Return `time` moved by `by`, or, beyond the ends of time (CAs do write 9999-12-31T23:59:59Z), as it was."""
    try:
        return time + by
    except OverflowError:
        return time


class RevocationLists:
    """The lists of a trust store.

    Parameters:
        crls: the lists.
        mode: `"require"`, `"if-available"` or `"off"`.
        source: how messages name where the lists came from.
        clock_skew: by how much the time of validation may be wrong: a list is current for that much longer, before and
            after. It makes no certificate good that is revoked without it.

    Raises:
        ValueError: a list is of a kind that is not processed, or the mode does not exist.
    """

    def __init__(
        self, crls: Iterable[AnyList], mode: str, source: str, clock_skew: dt.timedelta = dt.timedelta()
    ) -> None:
        if mode not in REVOCATION_MODES:
            raise ValueError(f"revocation must be one of {', '.join(REVOCATION_MODES)}, not {mode!r}")
        self.mode = mode
        self._clock_skew = clock_skew
        self._by_issuer: dict[x509.Name, list[RevocationList]] = {}
        for crl in crls:
            if isinstance(crl, RevocationList):
                one = crl
            else:
                try:
                    one = RevocationList([crl.public_bytes(Encoding.DER)])
                except ValueError as error:
                    raise ValueError(f"{source}: {error}") from error
            self._by_issuer.setdefault(one.issuer, []).append(one)
        for lists in self._by_issuer.values():
            lists.sort(key=lambda one: one.this_update, reverse=True)

    @property
    def lists(self) -> tuple[RevocationList, ...]:
        """All lists."""
        return tuple(itertools.chain.from_iterable(self._by_issuer.values()))

    def require_unrevoked(self, chain: Sequence[x509.Certificate], at: dt.datetime) -> dt.datetime | None:
        """Refuse a path with a revoked certificate in it, or, where the mode says so, one of unknown status.

        Parameters:
            chain: the verified path, from the leaf to the anchor.
            at: the time of validation, aware.

        Returns:
            When the answer may become another one, because one of the lists that were asked begins or ends to hold;
            None if none was asked.

        Raises:
            ClientCertError: `certificate_revoked`, `revocation_unknown`.
        """
        if self.mode == "off":
            return None
        anchor = chain[-1]
        links = [*itertools.pairwise(chain), *([(anchor, anchor)] if anchor.subject == anchor.issuer else [])]
        ends = [
            until
            for certificate, issuer in links
            if (until := self._require_unrevoked(certificate, issuer, at, needed=certificate is not anchor)) is not None
        ]
        return min(ends, default=None)

    def _require_unrevoked(
        self, certificate: x509.Certificate, issuer: x509.Certificate, at: dt.datetime, *, needed: bool
    ) -> dt.datetime | None:
        """Return until when the lists say no more and nothing else; None if there are none, where that may be."""
        candidates = self._by_issuer.get(issuer.subject, [])
        signed = [one for one in candidates if one.is_by(issuer)]
        asked, current = _in_force(signed, at, dt.timedelta())
        if self._clock_skew:
            # The allowance may make a list current, and never a certificate good that is revoked without it.
            more, current = _in_force(signed, at, self._clock_skew)
            asked += more
        for one in asked:
            if certificate.serial_number in one.serial_numbers:
                raise CertificateRevoked(f"{describe(certificate)} is on {one.name} of {one.this_update.isoformat()}")
        if current is None and self.mode == "require" and needed:
            raise self._unknown(certificate, issuer, at, candidates, asked)
        return min(
            (change for one in signed for change in self._changes(one) if change > at),
            default=None,
        )

    def _changes(self, one: RevocationList) -> Iterator[dt.datetime]:
        """Yield the times at which a list begins or ends to hold, with the allowance and without."""
        for by in {dt.timedelta(), self._clock_skew}:
            yield shifted(one.this_update, -by)
            yield shifted(one.this_update, by)
            yield shifted(one.next_update, -by)
            yield shifted(one.next_update, by)

    def _unknown(
        self,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        at: dt.datetime,
        candidates: Sequence[RevocationList],
        asked: Sequence[RevocationList],
    ) -> RevocationUnknown:
        if asked:
            latest = asked[-1]
            return RevocationUnknown(
                f"{latest.name} is not current: it holds from {latest.this_update.isoformat()} to "
                f"{latest.next_update.isoformat()}, and it is {at.isoformat(timespec='seconds')}. Publish a new one"
            )
        return RevocationUnknown(
            f"no CRL covers {describe(certificate)}: "
            + (
                f"{candidates[0].name} is not signed by that CA's key with a hash stronger than SHA-1, or the CA's "
                "key usage lacks cRLSign"
                if candidates
                else f"there is none of its issuer {quoted(rfc4514(issuer.subject))}. Every CA below which "
                "certificates are checked needs one, the root too if there are intermediates"
            )
        )


def _in_force(
    signed: Sequence[RevocationList], at: dt.datetime, clock_skew: dt.timedelta
) -> tuple[list[RevocationList], RevocationList | None]:
    """Return the lists to ask, and the current one, if there is one.

    Parameters:
        signed: lists of one issuer, the newest first.
        at: the time of validation.
        clock_skew: by how much it may be wrong.

    The newest that has begun is asked even if it is stale: it may not say that a certificate is good, but it may say
    that one is not. So is, where none is current, one that has yet to begin.
    """
    earliest, latest = shifted(at, -clock_skew), shifted(at, clock_skew)
    begun = [one for one in signed if one.this_update <= latest]
    current = next((one for one in begun if earliest <= one.next_update), None)
    asked = [*begun[:1], *([current] if current else signed[:1])]
    return asked, current
