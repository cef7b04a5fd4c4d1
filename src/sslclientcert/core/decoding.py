"""The wire encodings: one pure function each, from the text of a header to the DER of the certificates in it.

The facts: PEM cannot stand in a header as it is, so each proxy has its own way to flatten it. Our decision: each
function accepts exactly the grammar of its encoding and nothing else, because what it does not understand is a
misconfigured proxy, two headers that a server joined, or an attack. `+` is never a space, base64 has
its padding, a PEM block is labelled CERTIFICATE, nothing stands before, between or behind. Where we deviate: percent
escapes are read in either case, because Apache writes them in lower case and nginx in upper.

Nothing here knows a header's name, and nothing here looks inside the DER. Every function is linear in its input and
raises a ClientCertError for all that it does not accept.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from .der import element
from .errors import ClientCertError, ForwardingInconsistent, HeaderAmbiguous, HeaderMalformed, quoted

__all__ = ["ENCODINGS", "LISTS", "MAX_FORWARDED", "Encoding"]

MAX_FORWARDED = 10
"""The most certificates a forwarded chain may have. OpenSSL's servers stop at 10 by default (SSL_CTX_set_max_cert_list
bounds bytes, ssl_verify_depth the length); a longer one costs a signature check each and comes from no real client."""


def _start(value: str | bytes) -> str:
    """Quote the start of a value. A short one: it might be of a private key, put there by mistake."""
    return quoted(value[:13], 12)


def _end(value: bytes) -> str:
    return quoted(value[-12:])


def _too_many(most: int) -> ClientCertError:
    if most == 1:
        return HeaderAmbiguous("there are several certificates where one belongs")
    return ForwardingInconsistent(f"the proxy forwarded more than {most} certificates, and no client has so many")


def _base64(text: bytes | str, what: str, number: int | str = "") -> bytes:
    """Decode strict base64 (RFC 4648 section 4): the alphabet, the padding, nothing else, and not nothing."""
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise HeaderMalformed(f"{what}{number} is not base64 ({error}): {_start(text)}") from error
    if not der:
        raise HeaderMalformed(f"{what}{number} is empty")
    # Python's strict mode lets pass padding behind text that needs none, and bits that are set and stand for nothing.
    end = binascii.b2a_base64(der[-(len(der) % 3 or 3) :], newline=False)
    if text[-4:] != (end if isinstance(text, bytes) else end.decode()):
        raise HeaderMalformed(f"{what}{number} is base64 that does not end as it should: {quoted(text[-4:])}")
    return der


def _der(text: str, what: str, number: int | str = "") -> bytes:
    """Decode strict base64 of DER. Base64 of PEM text is what some send instead."""
    der = _base64(text, what, number)
    if der.startswith(b"-----BEGIN"):
        raise HeaderMalformed(f"{what}{number} is base64 of PEM text, and not of DER")
    return der


def _percent_decoded(text: str) -> bytes:
    """Undo percent encoding (RFC 3986 section 2.1), strictly: every '%' starts an escape, and '+' is a plus sign.

    Quoted-printable (RFC 2045 section 6.7) is percent encoding with '=' for '%', and the standard library reads it
    in C, four times faster than the alternatives. It forgives a bad escape, but only a good one makes the text two
    characters shorter, so the length tells; a soft line break would too, and so no line break is let in.
    """
    if "\n" in text or "\r" in text:
        raise HeaderMalformed("the value holds a line break, so it is not percent-encoded")
    padding = text.count("=")
    if padding > 2 * MAX_FORWARDED:  # two end a certificate; the escaping of very many would cost
        raise HeaderMalformed(f"the value has more '=' than {MAX_FORWARDED} certificates have: {_start(text)}")
    printable = text.replace("=", "=3D") if padding else text
    try:
        plain = binascii.a2b_qp(printable.replace("%", "="))
    except ValueError as error:
        raise HeaderMalformed(f"the value is not ASCII, so it is not percent-encoded: {_start(text)}") from error
    if len(plain) != len(text) - 2 * text.count("%"):
        raise HeaderMalformed(f"the value has a '%' that no two hexadecimal digits follow: {_start(text)}")
    return plain


# RFC 7468 section 2: each label on a line of its own. How long the lines between them are does not matter.
_PEM_HEAD = b"-----BEGIN CERTIFICATE-----\n"
_PEM_TAIL = b"\n-----END CERTIFICATE-----\n"


def _url_pem(text: str) -> bytes:
    """Undo the percent encoding of what starts with PEM; the last line end, which not everybody writes, is there."""
    if not text.startswith(("-", "%2D", "%2d")):  # asked first, because garbage should cost little
        raise HeaderMalformed(f"the value does not start with a PEM certificate: {_start(text)}")
    pem = _percent_decoded(text)
    if not pem.startswith(_PEM_HEAD):
        raise HeaderMalformed(f"the value does not start with a PEM certificate: {_start(pem)}")
    return pem if pem.endswith(b"\n") else pem + b"\n"


def _pem_block(pem: bytes) -> bytes:
    """Decode exactly one PEM certificate, with nothing before or behind it; a label between would be no base64."""
    if not (pem.startswith(_PEM_HEAD) and pem.endswith(_PEM_TAIL)):
        raise HeaderMalformed(f"the value is not PEM of certificates and nothing else: it ends with {_end(pem)}")
    return _base64(pem[len(_PEM_HEAD) : -len(_PEM_TAIL)].replace(b"\n", b""), "the PEM body")


def url_pem(text: str) -> tuple[bytes, ...]:
    """One percent-encoded PEM certificate. Source: nginx, `$ssl_client_escaped_cert`."""
    pem = _url_pem(text)
    if pem.find(_PEM_HEAD, 1) >= 0:
        raise _too_many(1)
    return (_pem_block(pem),)


def url_pem_chain(text: str) -> tuple[bytes, ...]:
    """Percent-encoded PEM certificates, one after the other. Source: AWS ALB, mutual TLS passthrough."""
    *blocks, rest = _url_pem(text).split(_PEM_TAIL, MAX_FORWARDED)
    if rest.startswith(_PEM_HEAD) and len(blocks) == MAX_FORWARDED:
        raise _too_many(MAX_FORWARDED)
    if rest:
        raise HeaderMalformed(f"the value does not end with a PEM certificate: {_end(rest)}")
    return tuple([_pem_block(block + _PEM_TAIL) for block in blocks])


_FOLDED_PEM = re.compile(r"[ \t\r\n]{0,8}+-----BEGIN CERTIFICATE-----([^-]*+)-----END CERTIFICATE-----[ \t\r\n]{0,8}+")


def folded_pem(text: str) -> tuple[bytes, ...]:
    """One PEM certificate whose line ends became spaces, tabs, or folded lines.

    Source: Apache mod_headers `%{SSL_CLIENT_CERT}s`; nginx `$ssl_client_cert`; Tomcat's SSLValve.
    """
    pem = _FOLDED_PEM.fullmatch(text)
    if pem is None:
        if text.count("-----BEGIN CERTIFICATE-----") > 1:
            raise _too_many(1)
        raise HeaderMalformed(f"the value is not one PEM certificate: {_start(text)}")
    return (_base64(pem[1].encode("utf-8", "replace").translate(None, b" \t\r\n"), "the PEM body"),)


def base64_der(text: str) -> tuple[bytes, ...]:
    """Base64 of one DER certificate. Source: HAProxy `ssl_c_der,base64`; Azure App Service `X-ARR-ClientCert`."""
    return (_der(text, "the value"),)


def base64_pem(text: str) -> tuple[bytes, ...]:
    """Base64 of the text of one PEM certificate. Source: Apache `expr=%{base64:%{SSL_CLIENT_CERT}}`; nginx njs."""
    pem = _base64(text, "the value")
    if pem.find(_PEM_HEAD, 1) >= 0:
        raise _too_many(1)
    return (_pem_block(pem if pem.endswith(b"\n") else pem + b"\n"),)


def _members(text: str) -> list[str]:
    """Split a list at its commas, but not further than it may be long."""
    members = text.split(",", MAX_FORWARDED)
    if len(members) > MAX_FORWARDED:
        raise _too_many(MAX_FORWARDED)
    return members


def base64_der_list(text: str) -> tuple[bytes, ...]:
    """Base64 of DER certificates joined by ",", leaf first. Source: Traefik `passTLSClientCert.pem`."""
    return tuple([_der(member, "certificate ", number) for number, member in enumerate(_members(text), 1)])


def base64_der_concatenation(text: str) -> tuple[bytes, ...]:
    """Base64 of DER certificates laid end to end, without the leaf. Source: HAProxy `ssl_c_chain_der,base64`."""
    data = _base64(text, "the value")
    certificates: list[bytes] = []
    start = 0
    while start < len(data):
        if len(certificates) == MAX_FORWARDED:
            raise _too_many(MAX_FORWARDED)
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
    return (_der(text[1:-1], "the byte sequence"),)


def byte_sequence_list(text: str) -> tuple[bytes, ...]:
    """A structured-field list of byte sequences. Source: RFC 9440 section 2.3 (`Client-Cert-Chain`)."""
    return tuple([byte_sequence(member.strip(" \t"))[0] for member in _members(text)])


# x-forwarded-client-cert: elements joined by ",", pairs by ";", keys in any case, and a value quoted when it holds one
# of , ; = and then with '"' escaped by '\'. Nothing that is read here needs an escape, so none is undone. A value
# in quotes seldom holds '"', and then needs no look at each character; none is looked at more than three times.
_XFCC_PAIR = re.compile(
    r'([A-Za-z]++)=("(?:[^"]*+(?<!\\)|[^"\\]*+(?:\\.[^"\\]*+){0,4096}+)"|[^",;]*+)([,;]|\Z)', re.DOTALL
)
# Envoy repeats these for several SANs; the others stand for one thing and may come once.
_XFCC_REPEATABLE = frozenset({"by", "uri", "dns"})
_XFCC_MOST_PAIRS = 2000  # far more names than certificates have; reading so many takes some milliseconds


def _xfcc_elements(text: str) -> list[dict[str, str]]:
    if "\n" in text or "\r" in text:
        raise HeaderMalformed("x-forwarded-client-cert holds a line break, and Envoy sends none")
    elements: list[dict[str, str]] = [{}]
    position, separator = 0, ";"
    for _ in range(_XFCC_MOST_PAIRS):
        pair = _XFCC_PAIR.match(text, position)
        if pair is None:
            raise HeaderMalformed(
                f"x-forwarded-client-cert breaks off its grammar at {_start(text[position : position + 13])}"
            )
        name, value, separator = pair.groups()
        key = name.lower()
        if key not in _XFCC_REPEATABLE and key in elements[-1]:
            raise HeaderAmbiguous(f"one element of x-forwarded-client-cert has {quoted(name)} twice")
        elements[-1][key] = value[1:-1] if value.startswith('"') else value
        if not separator:
            return elements
        if separator == ",":
            elements.append({})
        position = pair.end()
    raise ForwardingInconsistent(
        f"x-forwarded-client-cert has more than {_XFCC_MOST_PAIRS} pairs: have Envoy send cert and chain alone, "
        "without uri and dns (set_current_client_cert_details)"
    )


def _xfcc_certificates(element: dict[str, str]) -> tuple[bytes, ...]:
    if "hash" not in element:
        raise HeaderMalformed("x-forwarded-client-cert has no Hash, which Envoy always sends: it is not from Envoy")
    chain = url_pem_chain(element["chain"]) if "chain" in element else ()
    (leaf,) = url_pem(element["cert"]) if element.get("cert") else chain[:1] or (None,)
    if leaf is None:
        raise HeaderMalformed(
            "x-forwarded-client-cert has neither Cert nor Chain: tell Envoy to send them "
            "(set_current_client_cert_details: {cert: true, chain: true})"
        )
    if element["hash"].lower() != hashlib.sha256(leaf).hexdigest():
        raise ForwardingInconsistent("x-forwarded-client-cert: Hash is not the SHA-256 of the client's certificate")
    if chain and chain[0] != leaf:
        raise ForwardingInconsistent("x-forwarded-client-cert: Chain does not start with Cert")
    return chain or (leaf,)


def xfcc(text: str) -> tuple[bytes, ...]:
    """Envoy's x-forwarded-client-cert with exactly one element: Hash, and what it is of, in Cert, Chain, or both.

    Source: Envoy, HTTP header manipulation, x-forwarded-client-cert; and its API, SetCurrentClientCertDetails: "Hash is
    always set".
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
    Not safe either where the client need not have a certificate: then the first element is the first proxy itself.
    """
    return _xfcc_certificates(_xfcc_elements(text)[0])


def xfcc_last(text: str) -> tuple[bytes, ...]:
    """The last of several XFCC elements: the client of the last proxy, which is often another proxy.

    Not safe where any proxy on the way forwards URI or DNS names: Envoy neither quotes nor escapes them, so a
    certificate with a crafted URI name ends in an element of its holder's choice, with anybody's certificate in it.
    """
    return _xfcc_certificates(_xfcc_elements(text)[-1])


class Encoding(NamedTuple):
    """How a header's text becomes certificates.

    Attributes:
        decode: from the text to DER certificates in the order given; raises ClientCertError.
        absent: the values by which a proxy that always sets the header says "no certificate".
        is_leaf_bound: whether something besides its place says which certificate is the leaf, such as XFCC's Hash.
    """

    decode: Callable[[str], tuple[bytes, ...]]
    absent: frozenset[str] = frozenset({""})
    is_leaf_bound: bool = True


_OR_NULL = frozenset({"", "(null)"})  # Apache, for a variable that is not set
_OR_EMPTY_SEQUENCE = frozenset({"", "::"})  # Caddy and HAProxy, for colons around nothing

LISTS = frozenset({"byte-sequence-list"})
"""The encodings of a list header: several lines of it are one value, joined by commas (RFC 9110 section 5.3)."""

ENCODINGS: Mapping[str, Encoding] = MappingProxyType(
    {
        "url-pem": Encoding(url_pem),
        "url-pem-chain": Encoding(url_pem_chain, is_leaf_bound=False),
        "folded-pem": Encoding(folded_pem, _OR_NULL),
        "base64-der": Encoding(base64_der),
        "base64-pem": Encoding(base64_pem),
        "base64-der-list": Encoding(base64_der_list, is_leaf_bound=False),
        "base64-der-concatenation": Encoding(base64_der_concatenation),
        "byte-sequence": Encoding(byte_sequence, _OR_EMPTY_SEQUENCE),
        "byte-sequence-list": Encoding(byte_sequence_list, _OR_EMPTY_SEQUENCE),
        "xfcc": Encoding(xfcc),
        "xfcc-first": Encoding(xfcc_first),
        "xfcc-last": Encoding(xfcc_last),
    }
)
