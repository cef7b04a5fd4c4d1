"""The wire encodings: one pure function each, from the text of a header to the DER of the certificates in it.

The facts: PEM cannot stand in a header as it is, so each proxy has its own way to flatten it. Our decision: each
function accepts exactly the grammar of its encoding and nothing else, because what it does not understand is a
misconfigured proxy, two headers that a server joined, or somebody trying something. `+` is never a space, base64 has
its padding, a PEM block is labelled CERTIFICATE, nothing stands before, between or behind. Where we deviate: percent
escapes are read in either case, because Apache writes them in lower case and nginx in upper.

Nothing here knows a header's name, and nothing here looks inside the DER. Every function is linear in its input and
raises a ClientCertError for whatever it does not accept.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from .der import element
from .errors import ForwardingInconsistent, HeaderAmbiguous, HeaderMalformed, quoted

__all__ = ["ENCODINGS", "Encoding"]

_BEGIN = b"-----BEGIN CERTIFICATE-----"
_END = b"-----END CERTIFICATE-----"


def _start(value: str | bytes) -> str:
    """Quote the start of a value. A short one: it might be of a private key that somebody put there by mistake."""
    return quoted(value, 12)


def _base64(text: bytes | str, what: str) -> bytes:
    """Decode strict base64 (RFC 4648 section 4): the alphabet, the padding, nothing else, and not nothing."""
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise HeaderMalformed(f"{what} is not base64 ({error}): {_start(text)}") from error
    if not der:
        raise HeaderMalformed(f"{what} is empty")
    if len(text) != (len(der) + 2) // 3 * 4:  # Python's strict mode lets padding pass behind text that needs none
        raise HeaderMalformed(f"{what} is base64 with more padding than it needs")
    return der


def _percent_decoded(text: str) -> bytes:
    """Undo percent encoding (RFC 3986 section 2.1), strictly: every '%' starts an escape, and '+' is a plus sign.

    Quoted-printable (RFC 2045 section 6.7) is percent encoding with '=' for '%', and the standard library reads it
    in C, four times faster than the alternatives. It forgives a bad escape, but only a good one makes the text two
    characters shorter, so the length tells; a soft line break would too, and so no line break is let in.
    """
    escapes = text.count("%")
    if "\n" in text or "\r" in text:
        raise HeaderMalformed(
            "the value holds a line break, so it is not percent-encoded; "
            "nginx's $ssl_client_escaped_cert is meant, not $ssl_client_cert or $ssl_client_raw_cert"
        )
    try:
        plain = binascii.a2b_qp(text.replace("=", "=3D").replace("%", "="))
    except ValueError as error:
        raise HeaderMalformed(f"the value is not ASCII, so it is not percent-encoded: {_start(text)}") from error
    if len(plain) != len(text) - 2 * escapes:
        raise HeaderMalformed(f"the value has a '%' that no two hexadecimal digits follow: {_start(text)}")
    return plain


def _pem_blocks(pem: bytes) -> tuple[bytes, ...]:
    """Split PEM whose lines end in LF into the DER of its certificates; nothing may stand outside the blocks."""
    if not pem.startswith(_BEGIN + b"\n"):
        hint = "; it was encoded with '+' for a space (quote_plus?)" if pem.startswith(b"-----BEGIN+") else ""
        raise HeaderMalformed(f"the value does not start with a PEM certificate: {_start(pem)}{hint}")
    blocks = pem.removesuffix(b"\n").split(_END)
    if blocks.pop() != b"":
        raise HeaderMalformed(f"the value does not end with a PEM certificate: {_start(pem[-12:])}")
    certificates = []
    for number, block in enumerate(blocks):
        start = _BEGIN + b"\n" if number == 0 else b"\n" + _BEGIN + b"\n"
        if not (block.startswith(start) and block.endswith(b"\n")):
            raise HeaderMalformed(f"PEM block {number + 1} does not have its labels on lines of their own")
        certificates.append(_base64(block[len(start) :].replace(b"\n", b""), f"PEM block {number + 1}"))
    return tuple(certificates)


def _single(certificates: tuple[bytes, ...]) -> tuple[bytes, ...]:
    if len(certificates) != 1:
        raise HeaderAmbiguous(f"the header holds {len(certificates)} certificates where the proxy sends one")
    return certificates


def url_pem(text: str) -> tuple[bytes, ...]:
    """One percent-encoded PEM certificate. Source: nginx, `$ssl_client_escaped_cert`."""
    return _single(_pem_blocks(_percent_decoded(text)))


def url_pem_chain(text: str) -> tuple[bytes, ...]:
    """Percent-encoded PEM certificates, one after the other. Source: AWS ALB, mutual TLS passthrough."""
    return _pem_blocks(_percent_decoded(text))


def folded_pem(text: str) -> tuple[bytes, ...]:
    """One PEM certificate whose line ends became spaces, tabs, or folded lines.

    Source: Apache mod_headers `%{SSL_CLIENT_CERT}s`; nginx `$ssl_client_cert`; Tomcat's SSLValve.
    """
    flat = text.strip(" \t\r\n")
    begin, end = _BEGIN.decode(), _END.decode()
    if not (flat.startswith(begin) and flat.endswith(end) and len(flat) >= len(begin) + len(end)):
        raise HeaderMalformed(f"the value is not one PEM certificate: {_start(flat)}")
    body = flat[len(begin) : -len(end)]
    if begin in body:
        raise HeaderAmbiguous("the header holds several PEM certificates where the proxy sends one")
    for line_end in " \t\r\n":
        body = body.replace(line_end, "")
    return (_base64(body, "the PEM body"),)


def base64_der(text: str) -> tuple[bytes, ...]:
    """Base64 of one DER certificate. Source: HAProxy `ssl_c_der,base64`; Azure App Service `X-ARR-ClientCert`."""
    return (_base64(text, "the value"),)


def base64_der_list(text: str) -> tuple[bytes, ...]:
    """Base64 of DER certificates joined by ",", leaf first. Source: Traefik `passTLSClientCert.pem`."""
    return tuple(_base64(part, f"certificate {number + 1}") for number, part in enumerate(text.split(",")))


def base64_der_concatenation(text: str) -> tuple[bytes, ...]:
    """Base64 of DER certificates laid end to end, without the leaf. Source: HAProxy `ssl_c_chain_der,base64`."""
    data = _base64(text, "the value")
    certificates, start = [], 0
    while start < len(data):
        try:
            end = element(data, start).end
        except ValueError as error:
            raise HeaderMalformed("the value is not DER certificates laid end to end") from error
        certificates.append(data[start:end])
        start = end
    return tuple(certificates)


def byte_sequence(text: str) -> tuple[bytes, ...]:
    """One structured-field byte sequence. Source: RFC 9440 section 2.2 (`Client-Cert`), RFC 8941 section 3.3.5."""
    if len(text) < 2 or text[0] != ":" or text[-1] != ":":
        raise HeaderMalformed(f"the value is not a byte sequence between colons: {_start(text)}")
    return (_base64(text[1:-1], "the byte sequence"),)


def byte_sequence_list(text: str) -> tuple[bytes, ...]:
    """A structured-field list of byte sequences. Source: RFC 9440 section 2.3 (`Client-Cert-Chain`)."""
    return tuple(byte_sequence(member.strip(" \t"))[0] for member in text.split(","))


# x-forwarded-client-cert: elements joined by ",", pairs by ";", a value quoted when it holds one of , ; = and then with
# '"' escaped by '\'. Every alternative starts with a character of its own, so matching is linear.
_XFCC_PAIR = re.compile(r'([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*+)"|([^",;]*+))([,;]|\Z)')
_XFCC_ESCAPE = re.compile(r"\\(.)")
# Envoy repeats these for several SANs; the others stand for one thing and may come once.
_XFCC_REPEATABLE = frozenset({"by", "uri", "dns"})


def _xfcc_elements(text: str) -> list[dict[str, str]]:
    elements: list[dict[str, str]] = [{}]
    position, separator = 0, ";"
    while separator:
        pair = _XFCC_PAIR.match(text, position)
        if pair is None:
            raise HeaderMalformed(f"x-forwarded-client-cert breaks off its grammar at {_start(text[position:])}")
        key = pair[1].lower()
        if separator == ",":
            elements.append({})
        if key not in _XFCC_REPEATABLE and key in elements[-1]:
            raise HeaderAmbiguous(f"one element of x-forwarded-client-cert has {pair[1]} twice")
        elements[-1][key] = pair[3] if pair[2] is None else _XFCC_ESCAPE.sub(r"\1", pair[2])
        position, separator = pair.end(), pair[4]
    return elements


def _xfcc_certificates(element: dict[str, str]) -> tuple[bytes, ...]:
    certificate = element.get("cert")
    if not certificate:
        raise HeaderMalformed(
            "x-forwarded-client-cert has no Cert: tell Envoy to send it (set_current_client_cert_details: cert: true)"
        )
    (leaf,) = url_pem(certificate)
    digest = element.get("hash")
    if digest is not None and not hmac.compare_digest(
        digest.lower().encode("utf-8", "replace"), hashlib.sha256(leaf).hexdigest().encode()
    ):
        raise ForwardingInconsistent("x-forwarded-client-cert: Hash is not the SHA-256 of Cert")
    chain = url_pem_chain(element["chain"]) if element.get("chain") else (leaf,)
    if chain[0] != leaf:
        raise ForwardingInconsistent("x-forwarded-client-cert: Chain does not start with Cert")
    return chain


def xfcc(text: str) -> tuple[bytes, ...]:
    """Envoy's x-forwarded-client-cert with exactly one element.

    Source: Envoy, HTTP header manipulation, x-forwarded-client-cert.
    """
    elements = _xfcc_elements(text)
    if len(elements) != 1:
        raise HeaderAmbiguous(
            f"x-forwarded-client-cert has {len(elements)} elements: each proxy on the way added one, or a client "
            "sent its own, or the URI of a certificate smuggled one in. Let the first proxy SANITIZE_SET and the "
            "others forward it unchanged, or choose an element on purpose (encodings xfcc-first and xfcc-last)"
        )
    return _xfcc_certificates(elements[0])


def xfcc_first(text: str) -> tuple[bytes, ...]:
    """The first of several XFCC elements: the client, if *and only if* the first proxy replaced what the client sent.

    Not safe behind an Envoy that faces clients with APPEND_FORWARD: it keeps the client's own, forged element first.
    """
    return _xfcc_certificates(_xfcc_elements(text)[0])


def xfcc_last(text: str) -> tuple[bytes, ...]:
    """The last of several XFCC elements: whoever spoke to the last proxy, which is often another proxy.

    Not safe where that proxy forwards URI or DNS names: Envoy neither quotes nor escapes them, so a certificate
    with a crafted URI name ends in an element of its holder's choice, with anybody's certificate in it.
    """
    return _xfcc_certificates(_xfcc_elements(text)[-1])


class Encoding(NamedTuple):
    """How a header's text becomes certificates.

    Attributes:
        decode: from the text to DER certificates in the order given; raises ClientCertError.
        absent: the values by which a proxy that always sets the header says "no certificate".
    """

    decode: Callable[[str], tuple[bytes, ...]]
    absent: frozenset[str] = frozenset({""})


_OR_NULL = frozenset({"", "(null)"})  # Apache, for a variable that is not set
_OR_EMPTY_SEQUENCE = frozenset({"", "::"})  # Caddy and HAProxy, for colons around nothing

ENCODINGS: Mapping[str, Encoding] = MappingProxyType(
    {
        "url-pem": Encoding(url_pem),
        "url-pem-chain": Encoding(url_pem_chain),
        "folded-pem": Encoding(folded_pem, _OR_NULL),
        "base64-der": Encoding(base64_der),
        "base64-der-list": Encoding(base64_der_list),
        "base64-der-concatenation": Encoding(base64_der_concatenation),
        "byte-sequence": Encoding(byte_sequence, _OR_EMPTY_SEQUENCE),
        "byte-sequence-list": Encoding(byte_sequence_list, _OR_EMPTY_SEQUENCE),
        "xfcc": Encoding(xfcc),
        "xfcc-first": Encoding(xfcc_first),
        "xfcc-last": Encoding(xfcc_last),
    }
)
