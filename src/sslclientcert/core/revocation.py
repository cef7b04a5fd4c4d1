"""Whether a certificate is revoked, by CRLs, as nginx's `ssl_crl` asks (OpenSSL's CRL_CHECK and CRL_CHECK_ALL).

Every certificate of the path below the anchor needs a current CRL of its issuer that is about it. A CRL is found by the
issuer's name, then by the key identifier, then by the signature. Of several with one scope the newest holds. A delta
CRL revokes, and makes nothing good or current. A CRL that cannot be used leaves its issuer's certificates unknown in
every mode but `off`: what it would have revoked is not known.

Source: RFC 5280 sections 5 and 6.3.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .certificate import ParsedCertificate
from .crl import RevocationList
from .errors import CertificateRevoked, RevocationUnknown, quoted
from .names import CanonicalName, rfc4514

__all__ = ["REVOCATION_MODES", "AnyList", "RevocationLists"]

REVOCATION_MODES = ("require", "if-available", "off")

_INSTANT = dt.timedelta(microseconds=1)

AnyList: TypeAlias = "x509.CertificateRevocationList | RevocationList"


class RevocationLists:
    """The CRLs of a trust store.

    Parameters:
        crls: the CRLs.
        mode: `"require"`, `"if-available"` or `"off"`.
        source: how messages name where the CRLs came from.
        clock_skew: by how much the time of validation may be wrong: a CRL is current for that much longer, before and
            after. It makes no certificate good that is revoked without it.

    Raises:
        ValueError: a CRL does not parse, or the mode does not exist.
    """

    def __init__(
        self, crls: Iterable[AnyList], mode: str, source: str, clock_skew: dt.timedelta = dt.timedelta()
    ) -> None:
        if mode not in REVOCATION_MODES:
            raise ValueError(f"revocation must be one of {', '.join(REVOCATION_MODES)}, not {mode!r}")
        self.mode = mode
        self._clock_skew = clock_skew
        self._by_issuer: dict[CanonicalName, list[RevocationList]] = {}
        for given in crls:
            try:
                crl = given if isinstance(given, RevocationList) else RevocationList(given.public_bytes(Encoding.DER))
            except ValueError as error:
                raise ValueError(f"{source}: {error}") from error
            self._by_issuer.setdefault(crl.issuer, []).append(crl)
        for of_issuer in self._by_issuer.values():
            of_issuer.sort(key=lambda crl: crl.this_update, reverse=True)

    @property
    def crls(self) -> tuple[RevocationList, ...]:
        """All CRLs."""
        return tuple(itertools.chain.from_iterable(self._by_issuer.values()))

    def require_unrevoked(
        self, certificate: ParsedCertificate, issuer: ParsedCertificate, at: dt.datetime, *, is_needed: bool = True
    ) -> None:
        """Refuse a certificate that is revoked, or, where the mode says so, one of unknown status.

        Parameters:
            certificate: the certificate.
            issuer: the CA that has issued it, as the caller has seen.
            at: the time of validation, aware.
            is_needed: whether the certificate needs a CRL; an anchor does not, and may be on its own.

        Raises:
            ClientCertError: `certificate_revoked`, `revocation_unknown`.
        """
        if self.mode == "off":
            return
        of_issuer = self._by_issuer.get(issuer.subject, ())
        signed = [crl for crl in of_issuer if crl.is_by(issuer)]
        covering = [crl for crl in signed if crl.fault is None and crl.scope.covers(certificate)]
        is_current = False
        # An allowance for the clock may make a CRL current, and never a certificate good that is revoked without it.
        for skew in {dt.timedelta(), self._clock_skew}:
            for scope in {crl.scope for crl in covering}:
                of_scope = [crl for crl in covering if crl.scope == scope]
                asked, current = _in_force(of_scope, at, skew, is_delta=scope.is_delta)
                for crl in asked:
                    if certificate.certificate.serial_number in crl.serial_numbers:
                        raise CertificateRevoked(f"{certificate} is on {crl.name}")
                is_current = is_current or (current and not scope.is_delta)
        if not is_needed:
            return
        for crl in of_issuer:
            if crl.fault is not None and crl.may_be_by(issuer):
                raise RevocationUnknown(
                    f"{crl.name} cannot be used: {crl.fault}. Have the CA publish a complete and direct CRL, or take "
                    "this one out"
                )
        if not is_current and self.mode == "require":
            raise self._unknown(certificate, issuer, at, covering)

    def period(
        self, path: Sequence[ParsedCertificate], at: dt.datetime, since: dt.datetime, until: dt.datetime
    ) -> tuple[dt.datetime, dt.datetime]:
        """Return from when until when the CRLs say the same of a path, within a given time.

        Parameters:
            path: from the leaf to the anchor, found to be good.
            at: the time at which it was.
            since, until: when all of its certificates are valid.
        """
        changes = [*_moved(since, self._clock_skew), *_moved(until, self._clock_skew)]
        for ca in path if self.mode != "off" else ():
            for crl in self._by_issuer.get(ca.subject, ()):
                end = crl.next_update + _INSTANT  # at nextUpdate itself the CRL is still current
                changes += [*_moved(crl.this_update, self._clock_skew), *_moved(end, self._clock_skew)]
        # In the last second of validity there is no change to come: the answer holds for this moment alone.
        return max(one for one in changes if one <= at), min((one for one in changes if one > at), default=at)

    def _unknown(
        self,
        certificate: ParsedCertificate,
        issuer: ParsedCertificate,
        at: dt.datetime,
        covering: Sequence[RevocationList],
    ) -> RevocationUnknown:
        of_issuer = self._by_issuer.get(issuer.subject, ())
        complete = [crl for crl in covering if not crl.scope.is_delta]
        if complete:
            return RevocationUnknown(
                f"{complete[0].name} is not current: it holds until {complete[0].next_update.isoformat()}, and the "
                f"time is {at.isoformat(timespec='seconds')}. Publish a new one"
            )
        start = f"no CRL covers {certificate}: "
        if not of_issuer:
            return RevocationUnknown(
                f"{start}there is none of its issuer {quoted(rfc4514(issuer.certificate.subject))}. Every CA that "
                "issues what is checked needs one, the root too if there are intermediates"
            )
        if covering:
            return RevocationUnknown(
                f"{start}there is only a delta CRL, {covering[0].name}. Configure the complete one"
            )
        if not any(crl.means(issuer) for crl in of_issuer):
            return RevocationUnknown(
                f"{start}the authority key identifier of {of_issuer[0].name} means another key of that CA. Configure "
                "the CRL that this key has signed"
            )
        if not any(crl.is_by(issuer) for crl in of_issuer):
            return RevocationUnknown(
                f"{start}{of_issuer[0].name} is not signed by that CA's key with a hash stronger than SHA-1, or the "
                "CA's key usage lacks cRLSign"
            )
        return RevocationUnknown(
            f"{start}{of_issuer[0].name} is about {of_issuer[0].scope.description} alone. Configure the CRL "
            "of the certificate's own distribution point"
        )


def _in_force(
    of_scope: Sequence[RevocationList], at: dt.datetime, clock_skew: dt.timedelta, *, is_delta: bool
) -> tuple[list[RevocationList], bool]:
    """Return the CRLs to ask, and whether one is current.

    Parameters:
        of_scope: CRLs of one issuer and one scope.
        at: the time of validation.
        clock_skew: by how much it may be wrong.
        is_delta: whether they are delta CRLs, of which only the current one says anything.

    The newest that has begun is asked even if it is stale: it may not say that a certificate is good, but it may say
    that one is not. So is, where none is current, one that has yet to begin.
    """
    begun = [crl for crl in of_scope if crl.this_update - at <= clock_skew]
    current = _newest([crl for crl in begun if at - crl.next_update <= clock_skew])
    return current if is_delta else [*_newest(begun), *(current or _newest(of_scope))], bool(current)


def _newest(crls: Sequence[RevocationList]) -> list[RevocationList]:
    """Return those that no other one is newer than: several, where neither time nor CRL number decides."""
    return [crl for crl in crls if not any(_is_newer(other, crl) for other in crls)]


def _is_newer(one: RevocationList, other: RevocationList) -> bool:
    if one.this_update == other.this_update and one.number is not None and other.number is not None:
        return one.number > other.number
    return one.this_update > other.this_update


def _moved(time: dt.datetime, by: dt.timedelta) -> Iterator[dt.datetime]:
    """Yield the times at which something that begins or ends at `time` may change: with an allowance and without.

    Beyond the ends of time nothing moves: CAs do write 9999-12-31T23:59:59Z.
    """
    for shift in {dt.timedelta(), by, -by}:
        with contextlib.suppress(OverflowError):
            yield time + shift
