"""The entries of a CRL of any size, read without holding up other threads.

A list may have a million entries. cryptography makes an object of each that is asked for. So a list is taken apart
here: what stands around the entries is parsed by cryptography as a list without entries, and the entries are, some
thousands at a time, as lists of their own. Whatever it refuses in the whole it refuses in one of these. All that is
read here is where an entry, its serial number and its extensions start and end, in bytes that it has found to be DER.

Source: RFC 5280 section 5.1.2.6 and 5.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID

from .der import Element, element

__all__ = ["PIECE", "Parts", "SerialNumbers", "UnusableError", "serial_numbers"]

PIECE = 1 << 18  # octets that are parsed or hashed at a time: a millisecond, in which no other thread runs
_SHARDS = 64  # of a million numbers 16,000 each, so that no set's table takes long to grow
_MOST_FORMS = 1024  # forms of an entry's extensions to remember; a CA uses a dozen
_SEQUENCE, _INTEGER, _TIMES = b"\x30", b"\x02", (b"\x17", b"\x18")
_UNDERSTOOD_CRITICAL = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})


class UnusableError(Exception):
    """A CRL is of a kind that is not processed."""


class SerialNumbers:
    """A set of integers that grows without a stall. A lookup costs the same in ten and in a million."""

    def __init__(self) -> None:
        self.shards: tuple[set[int], ...] = tuple(set() for _ in range(_SHARDS))

    def __contains__(self, number: int) -> bool:
        return number in self.shards[number % _SHARDS]

    def __len__(self) -> int:
        return sum(map(len, self.shards))


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


class Parts:
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
        self.algorithm: bytes = der[at : algorithm.end]
        self.has_one_algorithm: bool = der[signed.end :].startswith(self.algorithm)  # RFC 5280 section 5.1.1.2
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
            if at - start >= PIECE or at >= end:
                yield der[start:at]
                start = at
        if at > end:
            raise ValueError("an entry is longer than the list of them")


def serial_numbers(parts: Parts, *, is_delta: bool) -> SerialNumbers:
    """Return what a CRL revokes. `UnusableError`: an entry has a critical extension that is not processed."""
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
        UnusableError: it has a critical extension that is not processed, which forbids to use the CRL (section 5.3).
    """
    revokes = True
    for extension in entry.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD_CRITICAL:
            raise UnusableError(
                f"an entry of it has the critical extension {extension.oid.dotted_string}, which this library does not "
                "process (an indirect CRL?)"
            )
        if is_delta and isinstance(extension.value, x509.CRLReason):
            revokes = extension.value.reason is not x509.ReasonFlags.remove_from_crl
    return revokes
