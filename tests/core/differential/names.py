"""Names as DER, and as X509_NAME_cmp of OpenSSL compares them."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from ..pki import tlv
from .asn1 import oid, sequence

UTF8, PRINTABLE, T61, IA5, UNIVERSAL, BMP, NUMERIC = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E, 0x12
CODECS = {UTF8: "utf-8", PRINTABLE: "ascii", T61: "latin-1", IA5: "ascii", UNIVERSAL: "utf-32-be", BMP: "utf-16-be"}
CN, O, OU, C, DC, EMAIL = (  # noqa: E741
    *("2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.6"),
    *("0.9.2342.19200300.100.1.25", "1.2.840.113549.1.9.1"),
)
LABELS = {CN: "CN", O: "O", OU: "OU", C: "C", DC: "DC", EMAIL: "emailAddress"}


@dataclasses.dataclass(frozen=True)
class Attribute:
    """A type, the tag of its string, and the string's octets."""

    oid: str
    tag: int
    octets: bytes

    @property
    def text(self) -> str:
        return self.octets.decode(CODECS.get(self.tag, "latin-1"), "replace")

    @property
    def der(self) -> bytes:
        return sequence(oid(self.oid), tlv(self.tag, self.octets))

    @property
    def is_readable(self) -> bool:
        """Whether OpenSSL reads it in a name: of a type that it knows, and of that type's characters."""
        if self.tag not in CODECS:
            return self.tag == NUMERIC
        try:
            self.octets.decode(CODECS[self.tag].replace("ascii", "latin-1"))
        except UnicodeDecodeError:
            return False
        return True

    @property
    def canonical(self) -> tuple[str, int, bytes]:
        """Without regard to the type of string, the case of ASCII letters, and white space but for one space inside."""
        if self.tag not in CODECS:
            return (self.oid, self.tag, self.octets)
        words = self.text.encode().translate(bytes.maketrans(b"\t\n\v\f\r", b"     ")).split(b" ")
        return (self.oid, 0, b" ".join(word for word in words if word).lower())


Name: TypeAlias = "tuple[tuple[Attribute, ...], ...]"
"""Relative distinguished names, each of one attribute or several."""


def attribute(kind: str, text: str, tag: int = UTF8) -> Attribute:
    return Attribute(kind, tag, text.encode(CODECS.get(tag, "latin-1")))


def name(*parts: tuple[str, str] | Attribute) -> Name:
    """A name of one attribute each."""
    return tuple((part if isinstance(part, Attribute) else attribute(*part),) for part in parts)


def der_of(given: Name) -> bytes:
    # DER sorts what is in a SET (X.690 section 11.6).
    return sequence(*(tlv(0x31, *sorted(one.der for one in rdn)) for rdn in given))


def canonical(given: Name) -> tuple[object, ...]:
    return tuple(tuple(sorted(one.canonical for one in rdn)) for rdn in given)


def shown(given: Name) -> str:
    return (
        ",".join("+".join(f"{LABELS.get(one.oid, one.oid)}={one.text!r}" for one in rdn) for rdn in given) or "(empty)"
    )
