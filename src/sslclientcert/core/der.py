"""The one bit of DER that cryptography has no public reader for: where an element starts and ends."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Element", "element"]


class Element(NamedTuple):
    """A DER element in some bytes: its tag, where its content starts, and where it ends."""

    tag: int
    content: int
    end: int


def element(data: bytes, start: int = 0) -> Element:
    """Read the head of the DER element at `start` (X.690 section 8.1; definite lengths below 2**32, one-byte tags).

    Raises:
        ValueError: there is no such element, or it does not end within `data`.
    """
    head = data[start : start + 6]
    octets = head[1] & 0x7F if len(head) > 1 and head[1] & 0x80 else 0
    content = start + 2 + octets
    if len(head) < 2 + octets or octets > 4 or head[1] == 0x80:
        raise ValueError("not a DER element")
    end = content + (int.from_bytes(head[2 : 2 + octets]) if octets else head[1])
    if end > len(data):
        raise ValueError("a DER element is cut short")
    return Element(head[0], content, end)
