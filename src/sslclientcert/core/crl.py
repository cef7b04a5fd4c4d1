"""Certificate revocation lists of any size, read without holding up other threads.

A list may have a million entries. cryptography makes an object of each that is asked for, and checks the signature over
a new encoding of the whole: for 0.3 s no other thread runs. So a list is taken apart here: what stands around the
entries is parsed by cryptography as a list without entries, and the entries are, some thousands at a time, as lists of
their own. Whatever it refuses in the whole it refuses in one of these. All that is read here is where an entry, its
serial number and its extensions start and end, in bytes that it has found to be DER.

Source: RFC 5280 section 5.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Hashable, Iterator
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import CRLEntryExtensionOID

from .certificate import DOES_NOT_PARSE, ParsedCertificate, matches_authority_key_identifier
from .der import Element, element
from .errors import ClientCertError, quoted
from .names import CanonicalName, canonical, rfc4514
from .signatures import made_signature, scheme_of

__all__ = ["RevocationList", "Scope", "SerialNumbers"]

_PIECE = 1 << 18  # octets that are parsed or hashed at a time: a millisecond, in which no other thread runs
_SHARDS = 64  # of a million numbers 16,000 each, so that no set's table takes long to grow
_MOST_FORMS = 1024  # forms of an entry's extensions to remember; a CA uses a dozen
_MOST_SIGNERS = 64
_SEQUENCE, _INTEGER, _TIMES = b"\x30", b"\x02", (b"\x17", b"\x18")
_UNDERSTOOD_ENTRY_CRITICAL = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})


class SerialNumbers:
    """A set of integers that grows without a stall. A lookup costs the same in ten and in a million."""

    def __init__(self) -> None:
        self.shards: tuple[set[int], ...] = tuple(set() for _ in range(_SHARDS))

    def __contains__(self, number: int) -> bool:
        return number in self.shards[number % _SHARDS]

    def __len__(self) -> int:
        return sum(map(len, self.shards))


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
        der: the CRL, in a list of one, from which it is taken: so its memory is free again before that of the serial
            numbers is needed.

    Raises:
        ValueError: it does not parse.
    """

    def __init__(self, der: list[bytes]) -> None:
        try:
            parts = _Parts(der.pop())
            crl = parts.as_list()
            self.issuer: CanonicalName = canonical(crl.issuer.public_bytes())
            self.issuer_text: str = rfc4514(crl.issuer)
            self.this_update: dt.datetime = crl.last_update_utc
            self.next_update: dt.datetime = crl.next_update_utc or self.this_update
        except Exception as error:  # cryptography has several for what it cannot read
            raise ValueError(f"it {DOES_NOT_PARSE}") from error
        self.name: str = f"the CRL of {quoted(self.issuer_text)} of {self.this_update.isoformat()}"
        self.number: int | None = None
        self.scope = Scope()
        self.serial_numbers = SerialNumbers()
        self.fault: str | None = None
        self._key_identifier: x509.AuthorityKeyIdentifier | None = None
        self._signature = _Signature(crl, parts)
        try:
            self._read_extensions(crl)
            self.serial_numbers = _serial_numbers(parts, is_delta=self.scope.is_delta)
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


class _UnusableError(Exception):
    """A CRL is of a kind that is not processed."""


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


# The DER


def _head(length: int) -> bytes:
    """Return the tag and the length of a SEQUENCE."""
    if length < 0x80:
        return _SEQUENCE + bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return _SEQUENCE + bytes([0x80 | len(octets)]) + octets


def _sequence(der: bytes, at: int) -> Element:
    found = element(der, at)
    if der[at : found.content] != _head(found.end - found.content):
        raise ValueError("not a DER sequence")
    return found


class _Parts:
    """A list taken apart: what is signed, what stands around the entries, and the entries.

    Raises:
        ValueError: it is not of that shape. That each part is right is not looked at; `as_list` does.
    """

    def __init__(self, der: bytes) -> None:
        whole = _sequence(der, 0)
        if whole.end != len(der):
            raise ValueError("something follows it")
        signed = _sequence(der, whole.content)
        # TBSCertList: version OPTIONAL, signature, issuer, thisUpdate, nextUpdate OPTIONAL, revokedCertificates
        # OPTIONAL, crlExtensions OPTIONAL
        at = signed.content
        if der[at : at + 1] == _INTEGER:
            at = element(der, at).end
        algorithm = _sequence(der, at)
        self.algorithm = der[at : algorithm.end]
        self.has_one_algorithm = der[signed.end :].startswith(self.algorithm)  # RFC 5280 section 5.1.1.2
        at = _sequence(der, algorithm.end).end
        while der[at : at + 1] in _TIMES:
            at = element(der, at).end
        self._has_entries = at < signed.end and der[at : at + 1] == _SEQUENCE
        entries = _sequence(der, at) if self._has_entries else Element(0, at, at)
        if entries.end > signed.end:
            raise ValueError("a part is longer than the whole")
        self._around = der[signed.content : at], der[entries.end : signed.end], der[signed.end :]
        self._entries = entries
        self._signed = slice(whole.content, signed.end)
        self._der = der

    def as_list(self, entries: bytes = b"") -> x509.CertificateRevocationList:
        """Return the list with these of its entries. Its signature is of something else."""
        before, extensions, after = self._around
        signed = before + (_head(len(entries)) + entries if self._has_entries else b"") + extensions
        rest = _head(len(signed)) + signed + after
        return x509.load_der_x509_crl(_head(len(rest)) + rest)

    def signed(self) -> memoryview:
        """Return what the signature is of."""
        return memoryview(self._der)[self._signed]

    def take_entries(self) -> deque[bytes]:
        """Return the entries, cut between them into pieces, and let go of the list as it was."""
        pieces = deque(self._cut())
        self._der = b""
        return pieces

    def _cut(self) -> Iterator[bytes]:
        _, at, end = self._entries
        start, der = at, self._der
        while at < end:
            length = der[at + 1]
            at = at + 2 + length if length < 0x80 else element(der, at).end
            if at - start >= _PIECE or at >= end:
                yield der[start:at]
                start = at
        if at > end:
            raise ValueError("an entry is longer than the list of them")


def _serial_numbers(parts: _Parts, *, is_delta: bool) -> SerialNumbers:
    found = SerialNumbers()
    add = [shard.add for shard in found.shards]
    revoking: dict[bytes, bool] = {b"": True}  # by the extensions of an entry
    from_bytes = int.from_bytes
    pieces = parts.take_entries()
    while pieces:
        piece = pieces.popleft()
        crl = parts.as_list(piece)  # from here on it is known to be DER, and a sequence of entries
        at = position = 0
        size = len(piece)
        while at < size:
            # SEQUENCE { INTEGER, Time, Extensions OPTIONAL }, nearly always with lengths of one octet
            length = piece[at + 1]
            if length < 0x80:
                start, end = at + 4, at + 2 + length
            else:
                _, start, end = element(piece, at)
                start += 2
            stop = start + piece[start - 1]
            if piece[start - 1] >= 0x80:
                _, start, stop = element(piece, start - 2)
            number = from_bytes(piece[start:stop])
            if piece[start] >= 0x80:
                number -= 1 << 8 * (stop - start)
            at = stop + 2 + piece[stop + 1]  # behind the time
            extensions = piece[at:end]
            revokes = revoking.get(extensions)
            if revokes is None:
                revokes = _revokes(crl[position], is_delta=is_delta)
                if len(revoking) < _MOST_FORMS:
                    revoking[extensions] = revokes
            if revokes:
                add[number % _SHARDS](number)
            at = end
            position += 1
    return found


def _revokes(entry: x509.RevokedCertificate, *, is_delta: bool) -> bool:
    """Say whether an entry revokes: removeFromCRL (RFC 5280 section 5.3.1) does not, where it has a meaning.

    Raises:
        _UnusableError: it has a critical extension that is not processed, which forbids to use the CRL (section 5.3).
    """
    revokes = True
    for extension in entry.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD_ENTRY_CRITICAL:
            raise _UnusableError(
                f"an entry of it has the critical extension {extension.oid.dotted_string}, which this library does not "
                "process (an indirect CRL?)"
            )
        if is_delta and isinstance(extension.value, x509.CRLReason):
            revokes = extension.value.reason is not x509.ReasonFlags.remove_from_crl
    return revokes


# The signature


class _Signature:
    """The signature of a CRL, and the hash that it is of: the CRL itself need not be kept.

    Ed25519, Ed448 and ML-DSA sign no hash, so for these what is signed is kept.
    """

    def __init__(self, crl: x509.CertificateRevocationList, parts: _Parts) -> None:
        self._value = crl.signature
        self._scheme = scheme_of(parts.algorithm, crl) if parts.has_one_algorithm else None
        self.is_supported = self._scheme is not None
        self._data = b""
        if self._scheme is not None and self._scheme.hash is None:
            self._data = bytes(parts.signed())
        elif self._scheme is not None and self._scheme.hash is not None:
            digest, data = hashes.Hash(self._scheme.hash), parts.signed()
            for at in range(0, len(data), _PIECE):
                digest.update(data[at : at + _PIECE])
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
