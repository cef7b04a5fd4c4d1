"""Certificate revocation lists, as nginx's `ssl_crl` treats them (OpenSSL's CRL_CHECK and CRL_CHECK_ALL).

Every certificate of the path below the anchor needs a current list of its issuer, signed by it. What we do not
process (indirect, delta and partitioned lists, unknown critical extensions) is refused when the list is loaded, and a
list that is not there, stale, or not signed by the issuer leaves the status unknown.

Source: RFC 5280 sections 5 and 6.3.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from .errors import CertificateRevoked, RevocationUnknown, quoted
from .names import rfc4514
from .policy import describe, names_another

__all__ = ["REVOCATION_MODES", "RevocationLists"]

REVOCATION_MODES = ("require", "if-available", "off")

_UNDERSTOOD_ENTRY_CRITICAL = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})


class _RevocationList:
    """One list, with its serial numbers in a set: a scan of a million entries takes 44 ms, a lookup no time."""

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        self.name = f"the CRL of {quoted(rfc4514(crl.issuer))}"
        for extension in crl.extensions:
            if extension.oid == ExtensionOID.DELTA_CRL_INDICATOR:
                raise ValueError("it is a delta CRL; configure the complete one")
            if extension.oid == ExtensionOID.ISSUING_DISTRIBUTION_POINT:
                raise ValueError(
                    "it covers only a part of the issuer's certificates (issuing distribution point) or is indirect; "
                    "configure a complete and direct one"
                )
            if extension.critical:
                raise ValueError(
                    f"it has the critical extension {extension.oid.dotted_string}, which this library does not process"
                )
        if crl.next_update_utc is None:
            raise ValueError("it has no nextUpdate (RFC 5280 section 5.1.2.5 demands one)")
        self.crl = crl
        self.this_update = crl.last_update_utc
        self.next_update = crl.next_update_utc
        self.serial_numbers = frozenset(_serial_number(entry) for entry in crl)
        self._signers: dict[x509.Certificate, bool] = {}

    def is_by(self, issuer: x509.Certificate) -> bool:
        """Say whether the issuer signed this list and may (RFC 5280 section 6.3.3 (f) and (g))."""
        answer = self._signers.get(issuer)
        if answer is None:
            answer = self._signers[issuer] = self._is_by(issuer)
        return answer

    def _is_by(self, issuer: x509.Certificate) -> bool:
        for extension in issuer.extensions:
            if isinstance(extension.value, x509.KeyUsage) and not extension.value.crl_sign:
                return False
        if names_another(self.crl, issuer):
            return False
        try:
            digest = self.crl.signature_hash_algorithm
            if digest is not None and digest.name in ("md5", "sha1"):
                return False
            return self.crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # any other key is a TypeError
        except (TypeError, ValueError, UnsupportedAlgorithm):
            return False


def _serial_number(entry: x509.RevokedCertificate) -> int:
    for extension in entry.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD_ENTRY_CRITICAL:
            raise ValueError(
                f"an entry of it has the critical extension {extension.oid.dotted_string}, which this library does not "
                "process (an indirect CRL?)"
            )
    return entry.serial_number


class RevocationLists:
    """The lists of a trust store.

    Parameters:
        crls: the lists.
        mode: `"require"`, `"if-available"` or `"off"`.
        source: how messages name where the lists came from.

    Raises:
        ValueError: a list is of a kind that is not processed, or the mode does not exist.
    """

    def __init__(self, crls: Iterable[x509.CertificateRevocationList], mode: str, source: str) -> None:
        if mode not in REVOCATION_MODES:
            raise ValueError(f"revocation must be one of {', '.join(REVOCATION_MODES)}, not {mode!r}")
        self.mode = mode
        self._by_issuer: dict[x509.Name, list[_RevocationList]] = {}
        for crl in crls:
            try:
                self._by_issuer.setdefault(crl.issuer, []).append(_RevocationList(crl))
            except Exception as error:  # cryptography has several for what it cannot read
                raise ValueError(
                    f"{source}: the CRL of {quoted(rfc4514(crl.issuer))} cannot be used: {error}"
                ) from error
        for lists in self._by_issuer.values():
            lists.sort(key=lambda one: one.this_update, reverse=True)

    def require_unrevoked(self, chain: Sequence[x509.Certificate], at: dt.datetime) -> dt.datetime | None:
        """Refuse a path with a revoked certificate in it, or, where the mode says so, one of unknown status.

        Parameters:
            chain: the verified path, from the leaf to the anchor.
            at: the time of validation, aware.

        Returns:
            When the first list that was used ends, or None if none was.

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
        """Return until when the lists say that the certificate is good; None if they say nothing, where that may be."""
        candidates = self._by_issuer.get(issuer.subject, [])
        signed = [one for one in candidates if one.is_by(issuer)]
        current = next((one for one in signed if one.this_update <= at <= one.next_update), None)
        # A stale list may not say that a certificate is good, but it may say that one is not.
        latest = current or next(iter(signed), None)
        if latest is not None and certificate.serial_number in latest.serial_numbers:
            raise CertificateRevoked(f"{describe(certificate)} is on {latest.name} of {latest.this_update.isoformat()}")
        if current is not None:
            # A newer list may say otherwise from the moment on that it is current.
            return min([current.next_update, *(one.this_update for one in signed if one.this_update > at)])
        if self.mode == "if-available" or not needed:
            return None
        if latest is not None:
            raise RevocationUnknown(
                f"{latest.name} is not current: it holds from {latest.this_update.isoformat()} to "
                f"{latest.next_update.isoformat()}, and it is {at.isoformat(timespec='seconds')}. Publish a new one"
            )
        raise RevocationUnknown(
            f"no CRL covers {describe(certificate)}: "
            + (
                f"{candidates[0].name} is not signed by that CA's key with a hash stronger than SHA-1, or the CA's "
                "key usage lacks cRLSign"
                if candidates
                else f"there is none of its issuer {quoted(rfc4514(issuer.subject))}. Every CA below which "
                "certificates are checked needs one, the root too if there are intermediates"
            )
        )
