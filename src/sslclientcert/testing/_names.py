"""Distinguished names as proxies write them: in OpenSSL's words, and in Go's."""

from __future__ import annotations

from cryptography import x509

from . import _der

__all__ = ["go_name", "openssl_name"]

# OpenSSL's short names, crypto/objects/objects.txt, of what is found in certificates; others are printed as numbers.
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "GN",
    "2.5.4.43": "initials",
    "2.5.4.44": "generationQualifier",
    "2.5.4.45": "x500UniqueIdentifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
    "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
    "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

# UTF8String, NumericString, PrintableString, TeletexString, IA5String, VisibleString, UniversalString, BMPString.
_CHARACTER_SETS = {
    0x0C: "utf-8",
    0x12: "latin-1",
    0x13: "latin-1",
    0x14: "latin-1",
    0x16: "latin-1",
    0x1A: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}


def openssl_name(name: x509.Name) -> str:
    """Return a distinguished name as OpenSSL prints it in the form that nginx, Envoy and AWS send.

    The last attribute comes first. `,+"\\<>;` are escaped by a backslash, as is a space at either end or a '#' at the
    start; bytes that are not printable ASCII by a backslash and two digits. The value of a type that OpenSSL has no
    name for is dumped as '#' and its DER.

    Source: https://docs.openssl.org/3.0/man3/X509_NAME_print_ex/ with XN_FLAG_RFC2253
    """
    return ",".join("+".join(map(_openssl_attribute, reversed(list(rdn)))) for rdn in reversed(name.rdns))


def _openssl_attribute(attribute: x509.NameAttribute[str | bytes]) -> str:
    oid = attribute.oid.dotted_string
    value = _value(attribute)
    character_set = _CHARACTER_SETS.get(value[0])
    if character_set is None or oid not in _SHORT_NAMES:
        return f"{_SHORT_NAMES.get(oid, oid)}=#{value.hex().upper()}"
    octets = _der.content(value).decode(character_set).encode()
    return f"{_SHORT_NAMES[oid]}=" + _escaped(octets, unprintable="\\{:02X}")


# Go's order and words for the types that it has fields for, crypto/x509/pkix. The others come last, each by its number.
_GO_TYPES = {
    "2.5.4.5": "SERIALNUMBER",
    "2.5.4.3": "CN",
    "2.5.4.17": "POSTALCODE",
    "2.5.4.9": "STREET",
    "2.5.4.8": "ST",
    "2.5.4.7": "L",
    "2.5.4.11": "OU",
    "2.5.4.10": "O",
    "2.5.4.6": "C",
}
_GO_SINGLE = ("SERIALNUMBER", "CN")  # of which the last alone is kept


def go_name(name: x509.Name) -> str:
    """Return a distinguished name as Go prints it, which Traefik sends: attributes of one type together, in Go's order.

    What is not ASCII is UTF-8 on the wire, and so in the result, which is to be read as latin-1.

    Source: https://pkg.go.dev/crypto/x509/pkix#Name.String
    """
    attributes = list(name)
    found: list[str] = []
    for oid, word in _GO_TYPES.items():
        values = [str(each.value).encode() for each in attributes if each.oid.dotted_string == oid]
        if kept := values[-1:] if word in _GO_SINGLE else values:
            found.append("+".join(f"{word}={_escaped(value, unprintable='{:c}')}" for value in kept))
    others = [each for each in reversed(attributes) if each.oid.dotted_string not in _GO_TYPES]
    return ",".join([*found, *(f"{each.oid.dotted_string}=#{_value(each).hex()}" for each in others)])


def _escaped(octets: bytes, *, unprintable: str) -> str:
    """Escape as RFC 2253 does; an octet that is no printable ASCII is formatted by `unprintable`."""
    last = len(octets) - 1
    return "".join(
        f"\\{chr(octet)}"
        if octet in b',+"\\<>;' or (octet == 0x20 and position in (0, last)) or (octet == 0x23 and position == 0)
        else (chr(octet) if 0x20 <= octet < 0x7F else unprintable.format(octet))
        for position, octet in enumerate(octets)
    )


def _value(attribute: x509.NameAttribute[str | bytes]) -> bytes:
    """Return the DER of an attribute's value."""
    (rdn,) = _der.members(x509.Name([attribute]).public_bytes())
    (type_and_value,) = _der.members(rdn)
    return _der.members(type_and_value)[1]
