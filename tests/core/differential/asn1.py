"""Values as DER, one function a type."""

from __future__ import annotations

import datetime as dt

from ..pki import tlv


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def integer(value: int) -> bytes:
    """A number in as few octets as it takes, negative ones too."""
    size = (value if value >= 0 else -value - 1).bit_length() // 8 + 1
    return tlv(0x02, value.to_bytes(size, signed=True))


def oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.insert(0, arc & 0x7F | 0x80)
        content += bytes(groups)
    return tlv(0x06, content)


def bits(content: bytes, unused: int = 0) -> bytes:
    return tlv(0x03, bytes([unused]), content)


def flags(*positions: int) -> bytes:
    """A BIT STRING with these bits, counted from the left, without trailing zeros (X.690 section 11.2.2)."""
    if not positions:
        return bits(b"")
    size = max(positions) + 1
    value = sum(1 << (size - 1 - position) for position in positions)
    unused = -size % 8
    return bits((value << unused).to_bytes((size + unused) // 8), unused)


def boolean(value: bool) -> bytes:
    return tlv(0x01, b"\xff" if value else b"\0")


def time(moment: dt.datetime) -> bytes:
    """A time as RFC 5280 section 4.1.2.5 writes it."""
    if 1950 <= moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())
