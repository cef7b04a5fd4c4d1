"""CA bundles as people have them: PEM or DER, one certificate or many, with comments and blank lines between.

What is wrong with one is a configuration fault: a ValueError that names the file, says what was found, and what to do.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .certificate import DOES_NOT_PARSE, ParsedCertificate, names_and_serial
from .crl import RevocationList
from .der import element
from .links import LeftOut

__all__ = ["ParsedBundle", "parse_certificates", "parse_crls", "parsed_certificates"]

_BEGIN = b"-----BEGIN "
_LABEL = re.compile(rb"([A-Z0-9 ]+)-----")
_PIECE = 1 << 20  # characters of base64 that are decoded at a time
_CERTIFICATE_LABELS = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})


def _blocks(
    data: bytes, source: str, wanted: frozenset[bytes], what: str, remedy: str
) -> Iterator[tuple[int, memoryview]]:
    """Yield number and body of each PEM block; one of another kind than the wanted ends it. A body is not copied."""
    number, at = 0, data.find(_BEGIN)
    while at >= 0:
        number += 1
        found = _LABEL.match(data, at + len(_BEGIN))
        stop = -1 if found is None else data.find(b"-----END " + found[0], found.end())
        following = data.find(_BEGIN, at + 1)
        if found is None or stop < 0 or 0 <= following < stop:
            raise ValueError(f"{source}: a PEM block is not closed by its END line; the file may be cut short")
        if found[1] not in wanted:
            label = found[1].decode()
            hint = "keep keys out of this file, and consider this one exposed" if "PRIVATE KEY" in label else remedy
            raise ValueError(f"{source}: PEM block {number} is a {label}, where only {what} may be: {hint}")
        yield number, memoryview(data)[found.end() : stop]
        at = following


def _found(data: bytes) -> str:
    if not data.strip():
        return "it is empty"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16 text (written by PowerShell?); save it as ASCII"
    if data.lstrip().startswith(b"LS0tLS1C"):  # base64 of "-----B"
        return "it is base64 of PEM, as a Kubernetes secret shows it; decode it (base64 -d), or mount the secret"
    if not all(32 <= octet < 127 or octet in b"\t\r\n" for octet in data[:12]):
        return "it is binary and no DER of that kind (a key, PKCS #7, or PKCS #12?)"  # not quoted: it may be a key
    return f"it starts with {data[:12].decode()!r}"


class ParsedBundle(NamedTuple):
    """What a file of certificates holds, nothing of it verified: those that parse, and those that are left out."""

    certificates: tuple[ParsedCertificate, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def __add__(self, other: object) -> ParsedBundle:
        if not isinstance(other, ParsedBundle):
            return NotImplemented
        return ParsedBundle(self.certificates + other.certificates, self.left_out + other.left_out)


def parse_certificates(data: bytes, source: str) -> ParsedBundle:
    """Parse a CA bundle. Nothing about the certificates is verified.

    What cryptography cannot parse is left out, since one odd certificate must not stop an application. Broken PEM,
    base64 or a broken outer length refuse the whole: the file may be half written.

    Parameters:
        data: the content, PEM or DER.
        source: how messages name it, such as the file's path.

    Raises:
        ValueError: it holds no certificate, or something that is none.
    """
    remedy = "give the CA certificates alone (CRLs go into the crl option)"
    blocks = [
        (number, b"".join(_decoded(body, f"{source}: certificate {number}")))
        for number, body in _blocks(data, source, _CERTIFICATE_LABELS, "CA certificates", remedy)
    ]
    if not blocks and _is_one_sequence(data):
        blocks = [(1, data)]
    if not blocks:
        raise ValueError(
            f"{source} holds no certificate: {_found(data)}. A CA bundle is PEM ('-----BEGIN CERTIFICATE-----', one or "
            "several) or one certificate in DER"
        )
    return sum((_parsed(der, number, source) for number, der in blocks), ParsedBundle())


def _parsed(der: bytes, number: int, source: str) -> ParsedBundle:
    if not _is_one_sequence(der):
        raise ValueError(f"{source}: certificate {number} is not one DER element; the file may be cut short")
    try:
        return ParsedBundle((ParsedCertificate(x509.load_der_x509_certificate(der)),))
    except Exception:  # noqa: BLE001  # cryptography has several for what it cannot read
        outline = names_and_serial(der)
        serial = "" if outline.serial is None else f" (serial {outline.serial:X})"
        why = DOES_NOT_PARSE
        return ParsedBundle((), (LeftOut(f"certificate {number}{serial}", why, outline.subject, outline.spki),))


def parsed_certificates(certificates: Iterable[x509.Certificate]) -> ParsedBundle:
    """Return certificates that are objects already, as `parse_certificates` does those of a file."""
    ders = (certificate.public_bytes(Encoding.DER) for certificate in certificates)
    return sum((_parsed(der, number, "the trust store") for number, der in enumerate(ders, 1)), ParsedBundle())


def parse_crls(data: bytes, source: str) -> tuple[RevocationList, ...]:
    """Read certificate revocation lists, PEM (one or several) or DER. Nobody's signature is verified.

    No other thread is held up for long, however long a list is.

    Raises:
        ValueError: it holds no list, something that is none, one that does not parse, or one of a kind that is not
            processed.
    """
    if _is_one_sequence(data):
        content = [data]
        del data  # the caller that keeps it no longer either has the memory back before the serial numbers need it
        return (_revocation_list(content, f"{source}: the list"),)
    wanted, remedy = frozenset({b"X509 CRL"}), "CA certificates go into the CA bundle"
    lists = [
        (f"{source}: CRL {number}", _decoded(body, f"{source}: CRL {number}"))
        for number, body in _blocks(data, source, wanted, "CRLs", remedy)
    ]
    if not lists:
        raise ValueError(
            f"{source} holds no CRL: {_found(data)}. It must be PEM ('-----BEGIN X509 CRL-----', one or several) "
            "or one list in DER"
        )
    del data
    return tuple(_revocation_list(content, name) for name, content in lists)


def _is_one_sequence(data: bytes) -> bool:
    try:
        return element(data)[::2] == (0x30, len(data))
    except ValueError:
        return False


def _revocation_list(content: list[bytes], name: str) -> RevocationList:
    try:
        return RevocationList(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _decoded(body: memoryview, name: str) -> list[bytes]:
    """Decode base64, a piece at a time, since no other thread runs meanwhile."""
    decoded, rest, padded = io.BytesIO(), b"", False
    try:
        for at in range(0, len(body), _PIECE):
            text = rest + bytes(body[at : at + _PIECE]).translate(None, b" \t\r\n")
            if padded and text:
                raise ValueError("something follows its end")
            whole, rest = text[: len(text) // 4 * 4], text[len(text) // 4 * 4 :]
            octets = binascii.a2b_base64(whole, strict_mode=True)
            if len(octets) != len(whole) // 4 * 3 - whole.count(b"="):  # the strict mode lets "====" pass
                raise ValueError("there is padding in the wrong place")
            decoded.write(octets)
            padded = padded or whole.endswith(b"=")
        if rest:
            raise ValueError("characters are missing")
    except ValueError as error:
        raise ValueError(f"{name}: it cannot be parsed, as it is not base64: {error}") from error
    return [decoded.getvalue()]
