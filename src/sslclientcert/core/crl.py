"""Certificate revocation lists: who issued one, when it holds, what it is about, what it revokes, and who signed it.

cryptography parses the list and its entries. It checks a signature over a new encoding of the whole list: of a million
entries for 0.3 s, in which no other thread runs. So the hash is taken of the bytes that were signed.

Source: RFC 5280 section 5.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import CRLEntryExtensionOID

from .certificate import DOES_NOT_PARSE, ParsedCertificate, matches_authority_key_identifier
from .der import children
from .errors import ClientCertError, quoted
from .names import CanonicalName, canonical, rfc4514
from .signatures import made_signature, scheme_of

__all__ = ["RevocationList", "Scope"]

_MOST_SIGNERS = 64
_UNDERSTOOD_CRITICAL = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})


class _UnusableError(Exception):
    """A CRL is of a kind that is not processed."""


class Scope(NamedTuple):
    """Which certificates of its issuer a CRL is about (RFC 5280 sections 5.2.4 and 5.2.5).

    Attributes:
        only_users, only_cas: whether it is about end-entity certificates alone, or about CA certificates alone.
        points: the names of its distribution point, one of which a certificate must have; None if it has no such name,
            none if it is about attribute certificates.
        is_delta: whether it says only what changed since a complete CRL.
    """

    only_users: bool = False
    only_cas: bool = False
    points: frozenset[Hashable] | None = None
    is_delta: bool = False

    @property
    def description(self) -> str:
        """Which certificates these are, in words."""
        if self.points is not None and not self.points:
            return "attribute certificates"
        kind = "end-entity certificates" if self.only_users else "CA certificates" if self.only_cas else "certificates"
        names = sorted(map(_described, self.points or ()))
        named = f" of the distribution point {' or '.join(names)}" if names else ""
        return f"all {kind}{named}" + (", as a delta" if self.is_delta else "")

    def covers(self, certificate: ParsedCertificate) -> bool:
        """Say whether a certificate of the CRL's issuer is one that it is about."""
        basic = certificate.get(x509.BasicConstraints)
        is_ca = basic is not None and basic.ca
        if (self.only_users and is_ca) or (self.only_cas and not is_ca):
            return False
        return self.points is None or not self.points.isdisjoint(_distribution_points(certificate))


def _distribution_points(certificate: ParsedCertificate) -> Iterator[Hashable]:
    """Yield the names of the distribution points that hold CRLs of the certificate's issuer for all reasons."""
    for point in certificate.get(x509.CRLDistributionPoints) or ():
        issuers = [_comparable(name) for name in point.crl_issuer or ()]
        if point.reasons is None and (not issuers or certificate.issuer in issuers):
            yield from map(_comparable, point.full_name or ())


def _described(name: Hashable) -> str:
    return quoted(name.value) if isinstance(name, x509.UniformResourceIdentifier) else "that has a directory name"


def _comparable(name: x509.GeneralName) -> Hashable:
    return canonical(name.value.public_bytes()) if isinstance(name, x509.DirectoryName) else name


class RevocationList:
    """One CRL: who issued it, when it holds, and what it revokes. Its signature is checked by `is_by` only.

    Attributes:
        issuer: the canonical name of the CA.
        issuer_text: the same as text.
        name: how messages call it.
        this_update, next_update: from when to when it holds, both included. Without a nextUpdate both are the same.
        number: the CRL number (RFC 5280 section 5.2.3); None if there is none.
        scope: which certificates it is about.
        serial_numbers: what it revokes.
        fault: why it cannot be used, to follow a colon; None if it can.

    Parameters:
        der: the CRL.

    Raises:
        ValueError: it does not parse.
    """

    def __init__(self, der: bytes) -> None:
        try:
            crl = x509.load_der_x509_crl(der)
            self.issuer: CanonicalName = canonical(crl.issuer.public_bytes())
            self.issuer_text: str = rfc4514(crl.issuer)
            self.this_update: dt.datetime = crl.last_update_utc
            self.next_update: dt.datetime = crl.next_update_utc or self.this_update
            self._signature = _Signature(crl, der)
        except Exception as error:  # cryptography has several for what it cannot read
            raise ValueError(f"it {DOES_NOT_PARSE}") from error
        self.name: str = f"the CRL of {quoted(self.issuer_text)} of {self.this_update.isoformat()}"
        self.number: int | None = None
        self.scope: Scope = Scope()
        self.serial_numbers: set[int] = set()
        self.fault: str | None = None
        self._key_identifier: x509.AuthorityKeyIdentifier | None = None
        try:
            self._read_extensions(crl)
            for entry in crl:  # a loop, so that other threads run between two entries
                if _revokes(entry, is_delta=self.scope.is_delta):
                    self.serial_numbers.add(entry.serial_number)
        except _UnusableError as error:
            self.fault = str(error)
        except Exception:  # noqa: BLE001  # cryptography has several for what it cannot read
            self.fault = "it has an extension or an entry that does not parse"
        if self.fault is None and not self._signature.is_supported:
            self.fault = "it is signed with an algorithm that is too weak or not supported"
        self._signers: dict[bytes, bool] = {}

    def _read_extensions(self, crl: x509.CertificateRevocationList) -> None:
        if crl.next_update_utc is None:
            raise _UnusableError("it has no nextUpdate, which RFC 5280 section 5.1.2.5 demands")
        for extension in crl.extensions:
            value = extension.value
            if isinstance(value, x509.IssuingDistributionPoint):
                self.scope = _scope(value)._replace(is_delta=self.scope.is_delta)
            elif isinstance(value, x509.DeltaCRLIndicator):
                self.scope = self.scope._replace(is_delta=True)
            elif isinstance(value, x509.AuthorityKeyIdentifier):
                _ = [_comparable(name) for name in value.authority_cert_issuer or ()]  # or it does not parse
                self._key_identifier = value
            elif isinstance(value, x509.CRLNumber) and not extension.critical:
                self.number = value.crl_number
            elif extension.critical:
                raise _UnusableError(
                    f"it has the critical extension {extension.oid.dotted_string}, which this library does not process"
                )

    @property
    def key_identifier(self) -> bytes | None:
        """The identifier of the key that signed it, if the CRL has one."""
        return None if self._key_identifier is None else self._key_identifier.key_identifier

    def means(self, issuer: ParsedCertificate) -> bool:
        """Say whether name and authority key identifier are those of a CA."""
        return self.issuer == issuer.subject and matches_authority_key_identifier(self._key_identifier, issuer)

    def may_be_by(self, issuer: ParsedCertificate) -> bool:
        """Say whether nothing shows that another key signed this CRL; of an unsupported signature nothing does."""
        return self.is_by(issuer) or (self.means(issuer) and not self._signature.is_supported)

    def is_by(self, issuer: ParsedCertificate) -> bool:
        """Say whether the issuer signed this CRL and may (RFC 5280 section 6.3.3 (f) and (g))."""
        usage = issuer.get(x509.KeyUsage)
        if not self.means(issuer) or (usage is not None and not usage.crl_sign):
            return False
        answer = self._signers.get(issuer.spki)
        if answer is None:
            if len(self._signers) >= _MOST_SIGNERS:
                self._signers.clear()
            answer = self._signers[issuer.spki] = self._signature.is_of(issuer)
        return answer


def _scope(point: x509.IssuingDistributionPoint) -> Scope:
    for is_set, what in (
        (point.indirect_crl, "it is indirect"),
        (point.only_some_reasons, "it is only about some reasons"),
        (point.relative_name, "the name of its distribution point is relative to its issuer's"),
    ):
        if is_set:
            raise _UnusableError(f"{what} (issuing distribution point, RFC 5280 section 5.2.5), which is not processed")
    points = None if point.full_name is None else frozenset(map(_comparable, point.full_name))
    of_attributes = point.only_contains_attribute_certs
    return Scope(point.only_contains_user_certs, point.only_contains_ca_certs, frozenset() if of_attributes else points)


def _revokes(entry: x509.RevokedCertificate, *, is_delta: bool) -> bool:
    """Say whether an entry revokes: removeFromCRL (RFC 5280 section 5.3.1) does not, where it has a meaning.

    Raises:
        _UnusableError: it has a critical extension that is not processed, which forbids to use the CRL (section 5.3).
    """
    revokes = True
    for extension in entry.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD_CRITICAL:
            raise _UnusableError(
                f"an entry of it has the critical extension {extension.oid.dotted_string}, which this library does not "
                "process (an indirect CRL?)"
            )
        if is_delta and isinstance(extension.value, x509.CRLReason):
            revokes = extension.value.reason is not x509.ReasonFlags.remove_from_crl
    return revokes


class _Signature:
    """The signature of a CRL, and the hash that it is of: the CRL itself need not be kept.

    Ed25519, Ed448 and ML-DSA sign no hash, so for these what is signed is kept.
    """

    def __init__(self, crl: x509.CertificateRevocationList, der: bytes) -> None:
        signed, algorithm, _ = children(der)
        # RFC 5280 section 5.1.1.2: both are the same, and only one of them is signed.
        is_one = algorithm in children(signed)[:2]
        self._value = crl.signature
        self._scheme = scheme_of(algorithm, crl) if is_one else None
        self.is_supported = self._scheme is not None
        self._data = signed if self._scheme is not None else b""
        if self._scheme is not None and self._scheme.hash is not None:
            digest = hashes.Hash(self._scheme.hash)
            digest.update(signed)
            self._data = digest.finalize()

    def is_of(self, issuer: ParsedCertificate) -> bool:
        """Say whether the issuer's key made it, with a hash stronger than SHA-1."""
        scheme = self._scheme
        if scheme is None or issuer.key_kind not in scheme.keys:
            return False
        try:
            key = issuer.key
        except ClientCertError:
            return False
        return made_signature(key, scheme, self._value, self._data, is_hashed=scheme.hash is not None)
