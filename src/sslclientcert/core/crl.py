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
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID, SignatureAlgorithmOID

from .der import Element, element
from .errors import quoted
from .names import rfc4514
from .policy import names_another

__all__ = ["RevocationList", "SerialNumbers"]

_PIECE = 1 << 18  # octets that are parsed or hashed at a time: a millisecond, in which no other thread runs
_SHARDS = 64  # of a million numbers 16,000 each, so that no set's table takes long to grow
_MOST_HARMLESS = 1024  # forms of an entry's extensions to remember; a CA uses a dozen
_SEQUENCE, _INTEGER, _TIMES = b"\x30", b"\x02", (b"\x17", b"\x18")
_EDWARDS: dict[x509.ObjectIdentifier, type[ed25519.Ed25519PublicKey | ed448.Ed448PublicKey]] = {
    SignatureAlgorithmOID.ED25519: ed25519.Ed25519PublicKey,
    SignatureAlgorithmOID.ED448: ed448.Ed448PublicKey,
}
_UNDERSTOOD_ENTRY_CRITICAL = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})


class SerialNumbers:
    """A set of integers that grows without a stall. A lookup costs the same in ten and in a million."""

    def __init__(self) -> None:
        self.shards: tuple[set[int], ...] = tuple(set() for _ in range(_SHARDS))

    def __contains__(self, number: int) -> bool:
        return number in self.shards[number % _SHARDS]

    def __len__(self) -> int:
        return sum(map(len, self.shards))


class RevocationList:
    """One list: who issued it, when it holds, and what it revokes. Its signature is checked by `is_by` only.

    Attributes:
        issuer: the name of the CA.
        name: how messages call it.
        this_update, next_update: from when to when it holds, both included.
        serial_numbers: what it revokes.
        outline: cryptography's object of the list without its entries.

    Parameters:
        der: the list, in a list of one, from which it is taken: so its memory is free again before that of the serial
            numbers is needed.

    Raises:
        ValueError: it cannot be parsed, or is of a kind that is not processed.
    """

    def __init__(self, der: list[bytes]) -> None:
        try:
            parts = _Parts(der.pop())
            self.outline: x509.CertificateRevocationList = parts.as_list()
            self.issuer: x509.Name = self.outline.issuer
            self.name: str = f"the CRL of {quoted(rfc4514(self.issuer))}"
        except Exception as error:  # cryptography has several for what it cannot read
            raise ValueError(f"it cannot be parsed: {error}") from error
        try:
            self.this_update: dt.datetime = self.outline.last_update_utc
            self.next_update: dt.datetime = _require_complete_and_direct(self.outline)
            self._signature = _Signature(self.outline, parts)
            self.serial_numbers: SerialNumbers = _serial_numbers(parts)
        except Exception as error:
            raise ValueError(f"{self.name} cannot be used: {error}") from error
        self._signers: dict[x509.Certificate, bool] = {}

    @property
    def number(self) -> int | None:
        """The CRL number (RFC 5280 section 5.2.3), if there is one."""
        return next((one.value.crl_number for one in self._extensions if isinstance(one.value, x509.CRLNumber)), None)

    @property
    def key_identifier(self) -> bytes | None:
        """The identifier of the key that signed it, if the list has one."""
        for one in self._extensions:
            if isinstance(one.value, x509.AuthorityKeyIdentifier):
                return one.value.key_identifier
        return None

    @property
    def _extensions(self) -> x509.Extensions:
        return self.outline.extensions

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
        return not names_another(self.outline, issuer) and self._signature.is_of(issuer)


def _require_complete_and_direct(crl: x509.CertificateRevocationList) -> dt.datetime:
    """Refuse kinds of lists that are not processed, and return nextUpdate."""
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
    return crl.next_update_utc


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
        self.same_algorithm = der[signed.end :].startswith(der[at : algorithm.end])
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


def _serial_numbers(parts: _Parts) -> SerialNumbers:
    found = SerialNumbers()
    add = [shard.add for shard in found.shards]
    harmless: set[bytes] = set()
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
            add[number % _SHARDS](number)
            at = stop + 2 + piece[stop + 1]  # behind the time
            if at != end and (extensions := piece[at:end]) not in harmless:
                _require_understood(crl[position])
                if len(harmless) < _MOST_HARMLESS:
                    harmless.add(extensions)
            at = end
            position += 1
    return found


def _require_understood(entry: x509.RevokedCertificate) -> None:
    """RFC 5280 section 5.3: a critical extension that is not processed forbids to use the list.

    removeFromCRL (section 5.3.1) has a meaning in delta CRLs only. Here such an entry revokes like any other.
    """
    for extension in entry.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD_ENTRY_CRITICAL:
            raise ValueError(
                f"an entry of it has the critical extension {extension.oid.dotted_string}, which this library does not "
                "process (an indirect CRL?)"
            )


# The signature


class _Signature:
    """The signature of a list, and the hash that it is of: the list itself need not be kept.

    Ed25519 and Ed448 sign no hash, so for these what is signed is kept.
    """

    def __init__(self, outline: x509.CertificateRevocationList, parts: _Parts) -> None:
        self._value, self._oid = outline.signature, outline.signature_algorithm_oid
        try:
            self._hash = outline.signature_hash_algorithm
            self._scheme = outline.signature_algorithm_parameters
        except (TypeError, ValueError, UnsupportedAlgorithm):
            self._data = None
            return
        if not parts.same_algorithm or (self._hash is not None and self._hash.name in ("md5", "sha1")):
            self._data = None
        elif self._hash is None:
            self._data = bytes(parts.signed())
        else:
            digest, data = hashes.Hash(self._hash), parts.signed()
            for at in range(0, len(data), _PIECE):
                digest.update(data[at : at + _PIECE])
            self._data = digest.finalize()

    def is_of(self, issuer: x509.Certificate) -> bool:
        """Say whether the issuer's key made it, with a hash stronger than SHA-1."""
        if self._data is None:
            return False
        try:
            self._verify(issuer.public_key(), self._data)
        except (InvalidSignature, TypeError, ValueError, UnsupportedAlgorithm):
            return False
        return True

    def _verify(self, key: object, data: bytes) -> None:
        scheme, hashed = self._scheme, None if self._hash is None else Prehashed(self._hash)
        if isinstance(key, rsa.RSAPublicKey) and isinstance(scheme, (padding.PKCS1v15, padding.PSS)) and hashed:
            key.verify(self._value, data, scheme, hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(scheme, ec.ECDSA) and hashed:
            key.verify(self._value, data, ec.ECDSA(hashed))
        elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)) and isinstance(
            key, _EDWARDS.get(self._oid, ())
        ):
            key.verify(self._value, data)
        else:
            raise TypeError("the key is of another kind than the signature")
