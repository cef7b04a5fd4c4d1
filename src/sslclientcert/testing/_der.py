"""The little DER (X.690) that the builders of `cryptography` have no way to write.

For elements made by this package and by `cryptography` only: it trusts their lengths and checks nothing.
"""

from __future__ import annotations

__all__ = ["BIT_STRING", "SEQUENCE", "UTF8_STRING", "content", "element", "members"]

BIT_STRING, UTF8_STRING, SEQUENCE = 0x03, 0x0C, 0x30


def element(tag: int, *contents: bytes) -> bytes:
    """Return one element with a definite length (X.690 section 8.1.3)."""
    joined = b"".join(contents)
    length = len(joined)
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    head = bytes([length]) if length < 0x80 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + head + joined


def content(data: bytes) -> bytes:
    """Return what an element holds."""
    start, end = _bounds(data, 0)
    return data[start:end]


def members(data: bytes) -> list[bytes]:
    """Return the elements inside a SEQUENCE or SET, each with its own tag and length."""
    position, end = _bounds(data, 0)
    found = []
    while position < end:
        following = _bounds(data, position)[1]
        found.append(data[position:following])
        position = following
    return found


def _bounds(data: bytes, position: int) -> tuple[int, int]:
    first = data[position + 1]
    octets = first & 0x7F if first & 0x80 else 0
    start = position + 2 + octets
    return start, start + (int.from_bytes(data[position + 2 : start]) if octets else first)
