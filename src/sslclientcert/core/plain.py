r"""A walk over a leaf's DER that sees at a glance that it is a plain client certificate, as most are.

The rules for a leaf (`policy.require_client_leaf`), and the proof that each of its fields parses, want every name and
extension as an object, which takes as long as a signature. This walk makes none. It only ever says
yes: of a certificate that is not plain, because a rule refuses it or since it merely is unusual, it says nothing, and
the rules themselves are asked. So it can save time and cannot let anybody in; `tests/core/test_plain.py` holds it to
the rules.

The DER has been parsed as a certificate by cryptography before. Patterns have every length written out; those of names
are measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["ECDSA_WITH", "RSA_WITH", "PlainLeaf", "plain_alternatives", "plain_attributes", "plain_leaf", "plain_names"]


class PlainLeaf(NamedTuple):
    """What was found in passing.

    Attributes:
        issuer, subject: the names, as the DER of their RDNs; `plain_text` prints them.
        key_identifier: that of the authority key identifier, if the certificate has one.
        point: the key, if it is a point of a curve. That it lies on the curve was not looked at.
        signature_algorithm: its identifier, as DER.
        signed_until: where in the certificate's DER that ends which is signed; it starts behind four octets.
        signature: where the signature starts, which goes to the end.
    """

    issuer: bytes
    subject: bytes
    key_identifier: bytes | None
    point: bytes | None
    signature_algorithm: bytes
    signed_until: int
    signature: int


# Certificate, TBSCertificate (both of 256 bytes and more), version 3, and the head of a positive serial number.
_START = re.compile(rb"\x30\x82..\x30\x82..\xa0\x03\x02\x01\x02\x02[\x01-\x14][\x00-\x7f]", re.DOTALL)

# The bits of SHA-2, by the DER of the algorithm's identifier, that go with ECDSA (RFC 5758 section 3.2) and with RSA
# PKCS#1 v1.5 (RFC 4055 section 5).
ECDSA_WITH: Mapping[bytes, int] = {
    b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03" + bytes([last]): size
    for last, size in ((2, 256), (3, 384), (4, 512))
}
RSA_WITH: Mapping[bytes, int] = {
    b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01" + bytes([last, 5, 0]): size
    for last, size in ((11, 256), (12, 384), (13, 512))
}
_SIGNATURES = {**ECDSA_WITH, **RSA_WITH}

# Two UTCTimes (RFC 5280 section 4.1.2.5): what they say, the trust store judges. Then the head of the subject.
_VALIDITY = re.compile(rb"\x30\x1e\x17\x0d.{13}\x17\x0d.{13}\x30[\x00-\x7f]", re.DOTALL)

# Attributes in RDNs of their own: country of two letters; any other of the arc 2.5.4, emailAddress and domainComponent,
# as UTF8String, PrintableString or IA5String in printable ASCII, up to the 64 characters of RFC 5280 appendix A.1.
_NAME = re.compile(
    rb"(?:\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02[A-Z]{2}"
    rb"|\x31.\x30.\x06(?:\x03\x55\x04[^\x06]|\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01|\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19)"
    rb"[\x0c\x13\x16].[ -~]{1,64})*",
    re.DOTALL,
)

# P-256, P-384 and P-521 with uncompressed points (RFC 5480 section 2); RSA of 2048, 3072 and 4096 bits, the modulus
# with its highest bit set, the exponent 65537 (RFC 3279 section 2.3.1).
_KEY = re.compile(
    rb"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00(\x04.{64})"
    rb"|\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00(\x04.{96})"
    rb"|\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00(\x04.{132})"
    rb"|\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00"
    rb"\x30\x82\x01\x0a\x02\x82\x01\x01\x00[\x80-\xff].{255}\x02\x03\x01\x00\x01"
    rb"|\x30\x82\x01\xa2\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x8f\x00"
    rb"\x30\x82\x01\x8a\x02\x82\x01\x81\x00[\x80-\xff].{383}\x02\x03\x01\x00\x01"
    rb"|\x30\x82\x02\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x02\x0f\x00"
    rb"\x30\x82\x02\x0a\x02\x82\x02\x01\x00[\x80-\xff].{511}\x02\x03\x01\x00\x01",
    re.DOTALL,
)

# The heads of the extensions' tag and of their sequence; then any number of those that are everywhere the same.
_HEADS = re.compile(rb"\xa3(?:\x81.|\x82..|[\x00-\x7f])\x30(?:\x81.|\x82..|[\x00-\x7f])", re.DOTALL)
_EXTENSIONS = re.compile(
    rb"(?:"
    # basic constraints, no CA
    rb"\x30(?:\x09\x06\x03\x55\x1d\x13|\x0c\x06\x03\x55\x1d\x13\x01\x01\xff)\x04\x02\x30\x00|"
    # key usage with digitalSignature, as a BIT STRING of one octet without idle bits (X.690 section 11.2.2)
    rb"\x30(?:\x0b\x06\x03\x55\x1d\x0f|\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff)\x04\x04\x03\x02"
    rb"(?:\x07\x80|\x06\xc0|\x05[\xa0\xe0]|\x04[\x90\xb0\xd0\xf0]|\x03[\x88\x98\xa8\xb8\xc8\xd8\xe8\xf8])|"
    # extended key usage: clientAuth alone, or together with serverAuth
    rb"\x30(?:\x13\x06\x03\x55\x1d\x25|\x16\x06\x03\x55\x1d\x25\x01\x01\xff)\x04\x0c\x30\x0a"
    rb"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02|"
    rb"\x30(?:\x1d\x06\x03\x55\x1d\x25|\x20\x06\x03\x55\x1d\x25\x01\x01\xff)\x04\x16\x30\x14"
    rb"\x06\x08\x2b\x06\x01\x05\x05\x07\x03(?:\x01\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02|"
    rb"\x02\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01)|"
    # the two key identifiers
    rb"\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14.{20}|"
    rb"\x30\x1f\x06\x03\x55\x1d\x23\x04\x18\x30\x16\x80\x14(.{20})"
    rb")+",
    re.DOTALL,
)
# Which provisioner of step-ca let it be issued. No rule is about it, and nobody parses it.
_STEP_PROVISIONER = b"\x06\x0c\x2b\x06\x01\x04\x01\x82\xa4\x64\xc6\x28\x40\x01"  # 1.3.6.1.4.1.37476.9000.64.1
_KINDS = re.compile(rb"\x06\x03\x55\x1d.|" + re.escape(_STEP_PROVISIONER), re.DOTALL)  # none may come twice
_ALTERNATIVE_NAMES = re.compile(rb"\x06\x03\x55\x1d\x11(?:\x01\x01\xff)?\x04")
_ASCII_NAMES = (0x82, 0x86, 0x81)  # dNSName, uniformResourceIdentifier, rfc822Name
_IP_ADDRESS = 0x87


def plain_leaf(der: bytes) -> PlainLeaf | None:
    """Return what was found, if the certificate is plain: all its fields parse, and it keeps the rules for a leaf.

    Not looked at: validity, signature and issuer, and whether a point lies on its curve; all that the trust store asks.
    """
    try:
        return _walk(der)
    except IndexError:
        return None


def _walk(der: bytes) -> PlainLeaf | None:
    if _START.match(der) is None:
        return None
    end = 8 + (der[6] << 8 | der[7])
    at = 15 + der[14]
    algorithm = der[at : at + 2 + der[at + 1]]
    if algorithm not in _SIGNATURES or not der.startswith(algorithm, end):  # it stands behind what is signed once more
        return None
    signature, _ = _content(der, end + len(algorithm))
    issuer, validity = _content(der, at + len(algorithm))
    found = _VALIDITY.match(der, validity)
    if der[signature] or found is None or not _is_plain_name(der, issuer, validity):  # no bits of the last octet unused
        return None
    subject = found.end()
    key = subject + der[subject - 1]
    found = _KEY.match(der, key)
    if found is None or not _is_plain_name(der, subject, key):
        return None
    at, point = found.end(), found[found.lastindex] if found.lastindex else None
    key_identifier = None
    if at < end:
        at, key_identifier = _extensions(der, at, end)
    if at != end:
        return None
    return PlainLeaf(der[issuer:validity], der[subject:key], key_identifier, point, algorithm, end, signature + 1)


def _extensions(der: bytes, at: int, end: int) -> tuple[int, bytes | None]:
    """Return where the extensions end, or, if one is not plain, zero; and the authority key identifier."""
    key_identifier = None
    found = _HEADS.match(der, at)
    if found is None:
        return 0, None
    at = found.end()
    kinds = _KINDS.findall(der, at, end)
    if len(set(kinds)) != len(kinds):
        return 0, None
    while at < end:
        found = _EXTENSIONS.match(der, at)
        if found is not None:
            at = found.end()
            key_identifier = found[1] or key_identifier
        else:
            start, at = _content(der, at)
            if der.startswith(_STEP_PROVISIONER + b"\x04", start):  # not critical
                continue
            found = _ALTERNATIVE_NAMES.match(der, start)
            if found is None:
                return 0, None
            value, _ = _content(der, found.end() - 1)
            names, after = _content(der, value)
            if der[value] != 0x30 or after != at or not _are_plain(der, names, after):
                return 0, None
    return at, key_identifier


def plain_names(der: bytes) -> tuple[bytes, bytes]:
    """Return issuer and subject, as the DER of their RDNs, of a certificate that **was found to be plain**."""
    at = 15 + der[14]
    issuer, validity = _content(der, at + 2 + der[at + 1])
    subject = validity + 34
    return der[issuer:validity], der[subject : subject + der[subject - 1]]


def plain_attributes(rdns: bytes) -> list[tuple[bytes, bytes]]:
    """Return the attributes of such a name in their order: the type, as the DER of its identifier, and the value."""
    attributes = []
    at, end = 0, len(rdns)
    while at < end:
        value = at + 8 + rdns[at + 5]
        attributes.append((rdns[at + 4 : value - 2], rdns[value : (at := at + 2 + rdns[at + 1])]))
    return attributes


def plain_alternatives(der: bytes) -> list[tuple[int, bytes]]:
    """Return the alternative names of a certificate that **was found to be plain**: the tag, and the octets."""
    at = 15 + der[14]
    _, validity = _content(der, at + 2 + der[at + 1])
    _, extensions = _content(der, validity + 34 + der[validity + 33])  # behind the key
    if extensions == 8 + (der[6] << 8 | der[7]):
        return []
    at, _ = _content(der, extensions)
    at, end = _content(der, at)
    while at < end:
        start, at = _content(der, at)
        found = _ALTERNATIVE_NAMES.match(der, start)
        if found is not None:
            value, _ = _content(der, found.end() - 1)
            return _names(der, *_content(der, value))
    return []


def _names(der: bytes, at: int, end: int) -> list[tuple[int, bytes]]:
    names = []
    while at < end:
        names.append((der[at], der[at + 2 : (at := at + 2 + der[at + 1])]))
    return names


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at `at` starts and ends."""
    size = der[at + 1]
    if size < 0x80:
        return at + 2, at + 2 + size
    if size == 0x81 and der[at + 2] >= 0x80:
        return at + 3, at + 3 + der[at + 2]
    if size == 0x82 and der[at + 2]:
        return at + 4, at + 4 + (der[at + 2] << 8 | der[at + 3])
    raise IndexError  # another form of a length than the shortest (X.690 section 10.1), or too long to be plain


def _is_plain_name(der: bytes, at: int, end: int) -> bool:
    if _NAME.fullmatch(der, at, end) is None:
        return False
    # The pattern would take two attributes of one RDN, of which the first ends in "1" and a character, for two RDNs.
    while at < end:
        size = der[at + 1]
        if der[at + 3] != size - 2:
            return False
        at += 2 + size
    return at == end


def _are_plain(der: bytes, at: int, end: int) -> bool:
    """Say whether the alternative names up to `end` are of the usual kinds and in ASCII."""
    while at < end:
        tag, size = der[at], der[at + 1]
        at += 2 + size
        if tag in _ASCII_NAMES:
            if not 0 < size < 0x80 or not der[at - size : at].isascii():
                return False
        elif tag != _IP_ADDRESS or size not in (4, 16):
            return False
    return at == end
