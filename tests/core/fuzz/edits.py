"""A fuzzer's bytes as choices: which good input to start from, and what to change in it.

Certificates are changed as trees of DER elements whose lengths are written again, because a flipped bit alone seldom
gets past the first parser. Bytes are flipped as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..pki import tlv

T = TypeVar("T")

_CONSTRUCTED, _OCTET_STRING = 0x20, 0x04
_MOST_EDITS = 8


class Choices:
    """Choices made by bytes; where these end, each is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def below(self, count: int) -> int:
        return int.from_bytes(self.take(1 if count <= 256 else 2)) % count

    def one_of(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def more(self) -> bool:
        return self._at < len(self._data)


def edited_text(choices: Choices, text: str, pieces: Sequence[str]) -> str:
    """A text with up to some pieces cut, doubled, put in, or replaced."""
    for _ in range(_MOST_EDITS):
        if not choices.more():
            break
        start = choices.below(len(text) + 1)
        end = start + choices.one_of((0, 1, 2, 3, 16, 64, 400, len(text)))
        match choices.below(4):
            case 0:
                new = choices.one_of(pieces)
            case 1:
                new = choices.take(1 + choices.below(4)).decode("latin-1")
            case 2:
                new = text[start:end] * 2
            case _:
                new = ""
        text = text[:start] + new + text[end:]
    return text


def edited_bytes(choices: Choices, data: bytes) -> bytes:
    """Bytes with some flipped, cut, doubled or put in."""
    for _ in range(_MOST_EDITS):
        if not choices.more():
            break
        start = choices.below(len(data) + 1)
        end = start + choices.one_of((0, 1, 1, 2, 4, 20))
        data = data[:start] + choices.one_of((choices.take(1), choices.take(3), data[start:end] * 2)) + data[end:]
    return data


@dataclass
class Node:
    """A DER element: primitive with its bytes, or constructed of others."""

    tag: int
    content: bytes = b""
    parts: list[Node] | None = None

    def der(self) -> bytes:
        return tlv(self.tag, *([self.content] if self.parts is None else [part.der() for part in self.parts]))


@dataclass
class Tree:
    """A DER element with everything in it, and where each part stands."""

    root: Node
    places: list[tuple[list[Node], int]] = field(default_factory=list)

    def find_places(self) -> None:
        self.places.clear()
        unvisited = [self.root]
        while unvisited:
            parts = unvisited.pop().parts or []
            self.places += [(parts, index) for index in range(len(parts))]
            unvisited += parts


def parsed(data: bytes) -> list[Node] | None:
    """The DER elements that bytes are made of, down to the last; None if they are not."""
    nodes = []
    at = 0
    while at < len(data):
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            return None
        tag, size, head = data[at], data[at + 1], 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(data[at + 2 : at + head])
        content = data[at + head : at + head + size]
        if len(content) != size:
            return None
        inside = parsed(content) if tag & _CONSTRUCTED or (tag == _OCTET_STRING and size > 2) else None
        nodes.append(Node(tag, content, inside))
        at += head + size
    return nodes


def tree_of(der: bytes) -> Tree:
    found = parsed(der)
    assert found is not None
    return Tree(found[0])


def edited_der(choices: Choices, der: bytes, others: Sequence[bytes]) -> bytes:
    """A DER element in which parts are gone, doubled, of another tag or content, or taken from others."""
    tree = tree_of(der)
    for _ in range(_MOST_EDITS):
        tree.find_places()
        if not (choices.more() and tree.places):
            break
        parts, index = choices.one_of(tree.places)
        node = parts[index]
        match choices.below(8):
            case 0:
                del parts[index]
            case 1:
                parts.insert(index, node)
            case 2:
                other = tree_of(choices.one_of(others))
                other.find_places()
                there, place = choices.one_of(other.places)
                parts[index] = there[place]
            case 3:
                parts[index] = Node(choices.below(256), node.content, node.parts)
            case 4:
                parts[index] = Node(node.tag, choices.take(choices.below(24)))
            case 5:
                content = node.content if node.parts is None else b"".join(part.der() for part in node.parts)
                parts[index] = Node(node.tag, edited_bytes(Choices(choices.take(6)), content))
            case 6:
                parts[index], parts[index - 1] = parts[index - 1], parts[index]
            case _:
                parts.insert(index, Node(choices.one_of((0x02, 0x05, 0x0C, 0x13, 0x30, 0x31)), choices.take(3)))
    return tree.root.der()
