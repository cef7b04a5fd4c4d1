"""The one bit of DER that cryptography has no public reader for: where an element starts and ends."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Element", "children", "element"]


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
    if len(head) < 2 + octets or head[1] == 0x80:
        raise ValueError("not a DER element")
    end = content + (int.from_bytes(head[2 : 2 + octets]) if octets else head[1])
    if end > len(data):
        raise ValueError("a DER element is cut short")
    return Element(head[0], content, end)


def children(data: bytes) -> list[bytes]:
    """Return the elements inside a constructed element, each with its own head.

    Raises:
        ValueError: `data` is not one element, or something inside it is not.
    """
    _, at, end = element(data)
    if end != len(data):
        raise ValueError("something follows a DER element")
    found = []
    while at < end:
        # Nearly every element is short. `element` reads the others, and finds what is wrong.
        stop = at + 2 + data[at + 1] if at + 1 < end and data[at + 1] < 0x80 else element(data, at).end
        found.append(data[at:stop])
        at = stop
    if at != end:
        raise ValueError("a DER element is longer than what holds it")
    return found
