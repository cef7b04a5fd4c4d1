"""The forms in which people have certificates and CRLs: what is read, and what is said about the rest.

PEM, one or several, with text around it, and DER are read. `bundle` reads PKCS #7 too, which is how Windows exports a
chain. Any other form is refused with the command that mends it. What may be a key is never quoted.
"""

from __future__ import annotations

import binascii
import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from .der import children, element

__all__ = ["CERTIFICATES", "CRLS", "PKCS7", "Kind", "elements", "is_one_sequence", "kind_of", "refusal"]

PKCS7 = "PKCS7"
_CERTIFICATE, _CRL, _PKCS12 = "CERTIFICATE", "X509 CRL", "PKCS12"
_BEGIN = b"-----BEGIN "
_LABEL = re.compile(rb"([A-Z0-9 ]+)-----")
_PIECE = 1 << 20  # characters of base64 that are decoded at a time
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_KEYSTORES = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")  # JKS and JCEKS

# What DER may be instead, by the PEM label of that kind.
_READERS: tuple[tuple[str, Callable[[bytes], object]], ...] = (
    (_CERTIFICATE, x509.load_der_x509_certificate),
    (_CRL, x509.load_der_x509_crl),
    ("CERTIFICATE REQUEST", x509.load_der_x509_csr),
    ("PUBLIC KEY", load_der_public_key),
    ("PRIVATE KEY", lambda der: load_der_private_key(der, None)),
)


class Kind(NamedTuple):
    """What a file has to hold.

    Attributes:
        noun: how messages call one, and what is said of all.
        labels: the PEM labels that are read.
        form: which forms are read, for messages.
        remedies: what to do about other kinds, by their PEM label; "" for the rest.
    """

    noun: str
    labels: frozenset[str]
    form: str
    remedies: Mapping[str, str]


CERTIFICATES = Kind(
    "certificate",
    frozenset({_CERTIFICATE, "X509 CERTIFICATE", PKCS7, "CMS"}),
    "A CA bundle is PEM ('-----BEGIN CERTIFICATE-----', one or several), one certificate in DER, or PKCS #7",
    {
        "": "give the CA certificates alone",
        _CRL: "CRLs go into a file of their own, the crl option: openssl crl -in FILE -out ca.crl",
        "TRUSTED CERTIFICATE": "write it as a plain certificate: openssl x509 -in FILE -out ca.crt",
        "CERTIFICATE REQUEST": "a CA has yet to sign it. Give the certificates of that CA",
        _PKCS12: "take the certificates out of it: openssl pkcs12 -in FILE -nokeys -out ca.crt",
    },
)
CRLS = Kind(
    "CRL",
    frozenset({_CRL}),
    "CRLs are PEM ('-----BEGIN X509 CRL-----', one or several) or one CRL in DER",
    {
        "": "give the CRLs alone",
        _CERTIFICATE: "CA certificates go into the CA bundle, the ca option",
        "CRL": "the label of a CRL is X509 CRL: sed -E 's/(BEGIN|END) [A-Z ]+/\\1 X509 CRL/' FILE > ca.crl",
        PKCS7: "take the CRLs out of it: openssl pkcs7 -in FILE -print_certs -out ca.crl (-inform DER if it is binary)",
    },
)


def elements(data: bytes, source: str, kind: Kind) -> list[bytes]:
    """Return what a file holds as DER.

    A PEM block that is cut short, that is not base64, or that has the label of another kind refuses the file.

    Parameters:
        data: the content.
        source: how messages name it, such as the file's path.
        kind: what it has to hold.

    Raises:
        ValueError: it holds nothing of that kind, or something else. The message says what was found and what to do.
    """
    whole = _without_line_end(data)
    if is_one_sequence(whole):
        return [whole]
    found = []
    for number, label, body in _blocks(data, source):
        if label not in kind.labels:
            raise refusal(f"{source}: PEM block {number}", _really(label, body, kind), kind)
        found.append(_decoded(body, f"{source}: {kind.noun} {number}"))
    if not found:
        raise ValueError(f"{source} holds no {kind.noun}: {_guess(data)}. {kind.form}")
    return found


def refusal(where: str, label: str, kind: Kind) -> ValueError:
    """Return the error for something of another kind, known by the PEM label of that kind."""
    remedy = kind.remedies.get(label, kind.remedies[""])
    if "PRIVATE KEY" in label:
        remedy = "keep keys out of this file, and consider this one exposed"
    called = "a CRL under another label" if label == "CRL" else f"{'an' if label[0] in 'EX' else 'a'} {label}"
    return ValueError(f"{where} is {called}, and only {kind.noun}s belong there: {remedy}")


def kind_of(der: bytes) -> str | None:
    """Return the PEM label of what some DER is; None if that cannot be told."""
    try:
        first = children(der)[0]
    except (IndexError, ValueError):
        return None
    if first == _SIGNED_DATA:
        return PKCS7
    if first == b"\x02\x01\x03":
        return _PKCS12
    for label, read in _READERS:
        try:
            read(der)
        except TypeError:
            return "ENCRYPTED PRIVATE KEY"  # it wants a password
        except Exception:  # noqa: BLE001, S112  # cryptography has several for what it cannot read
            continue
        return label
    return None


def is_one_sequence(data: bytes) -> bool:
    """Say whether some bytes are one DER SEQUENCE, as far as its outer length tells."""
    try:
        return element(data)[::2] == (0x30, len(data))
    except ValueError:
        return False


def _without_line_end(data: bytes) -> bytes:
    """Return DER without the line end that an editor or a template has put behind it."""
    if not data.startswith(b"\x30") or not data.endswith((b"\n", b"\r")) or is_one_sequence(data):
        return data
    return data.removesuffix(b"\n").removesuffix(b"\r")


def _really(label: str, body: memoryview, kind: Kind) -> str:
    """Return what a PEM block of another label is: Windows writes CERTIFICATE above CRLs too."""
    if kind is CRLS and label == _CERTIFICATE and kind_of(_decoded(body, label)) == _CRL:
        return "CRL"
    return label


def _blocks(data: bytes, source: str) -> Iterator[tuple[int, str, memoryview]]:
    """Yield number, label and body of each PEM block. A body is not copied."""
    number, at = 0, data.find(_BEGIN)
    while at >= 0:
        number += 1
        found = _LABEL.match(data, at + len(_BEGIN))
        stop = -1 if found is None else data.find(b"-----END " + found[0], found.end())
        following = data.find(_BEGIN, at + 1)
        if found is None or stop < 0 or 0 <= following < stop:
            raise ValueError(f"{source}: a PEM block is not closed by its END line; the file may be cut short")
        if data.startswith((b"\\n", b"\\r"), found.end()):
            raise ValueError(f"{source}: {_escaped(data)}")
        yield number, found[1].decode(), memoryview(data)[found.end() : stop]
        at = following


def _escaped(data: bytes) -> str:
    if data.lstrip().startswith((b"{", b"[")):
        return "it is JSON. Take the PEM text out of it: jq -r .NAME FILE > mended.pem"
    return r"""it has the two characters \n where its lines should end: printf '%b' "$(cat FILE)" > mended.pem"""


# What the first bytes of a file that is neither PEM nor DER tell.
_GUESSES: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (rb"\s*\Z", "it is empty"),
        (
            rb"\xff\xfe|\xfe\xff",
            "it is UTF-16 text (written by PowerShell?): iconv -f UTF-16 -t ASCII FILE > mended.pem",
        ),
        (
            rb"\s*LS0tLS1C",  # base64 of "-----B"
            "it is base64 of PEM, as a Kubernetes secret shows it: mount the secret, or base64 -d FILE > mended.pem",
        ),
        (rb"\s*MI[A-Za-z0-9+/=\s]{0,40}", "it is base64 without a BEGIN and an END line: base64 -d FILE > mended.der"),
        (rb"\s*[{[]", "it is JSON. Take the PEM text out of it: jq -r .NAME FILE > mended.pem"),
        (rb"(?i)\s*<(?:!doctype|html)", "it is HTML, an error page that was saved? With --fail curl saves none"),
        (b"|".join(_KEYSTORES), "it is a Java keystore: keytool -list -rfc -keystore FILE > ca.crt"),
        (rb"(?s).{0,200}BEGIN [A-Z0-9 ]+", "the hyphens of its BEGIN line were changed: five '-' go before and behind"),
    )
)


def _guess(data: bytes) -> str:
    for pattern, said in _GUESSES:
        if pattern.match(data):
            return said
    if not all(32 <= octet < 127 or octet in b"\t\r\n" for octet in data[:12]):
        return "it is binary and no DER of that kind, or cut short"  # not quoted: it may be a key
    return f"it starts with {data[:12].decode()!r}"


def _decoded(body: memoryview, name: str) -> bytes:
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
    return decoded.getvalue()
