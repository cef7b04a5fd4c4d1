"""Distinguished names: their text (RFC 4514), and the form in which they are compared (OpenSSL's canonical form)."""

from __future__ import annotations

import functools
from typing import TypeAlias

from cryptography import x509

from .der import children, element

__all__ = ["OPENSSL_NAMES", "CanonicalName", "attributes", "canonical", "rfc4514"]

# OpenSSL's short names (crypto/objects/objects.txt) of the attribute types that names are made of.
_SHORT_NAMES = {
    "2.5.4": "CN=3 SN=4 serialNumber=5 C=6 L=7 ST=8 street=9 O=10 OU=11 title=12 description=13 searchGuide=14 "
    "businessCategory=15 postalAddress=16 postalCode=17 postOfficeBox=18 physicalDeliveryOfficeName=19 "
    "telephoneNumber=20 telexNumber=21 teletexTerminalIdentifier=22 facsimileTelephoneNumber=23 x121Address=24 "
    "internationaliSDNNumber=25 registeredAddress=26 destinationIndicator=27 preferredDeliveryMethod=28 "
    "presentationAddress=29 supportedApplicationContext=30 member=31 owner=32 roleOccupant=33 seeAlso=34 name=41 GN=42 "
    "initials=43 generationQualifier=44 x500UniqueIdentifier=45 dnQualifier=46 enhancedSearchGuide=47 "
    "protocolInformation=48 distinguishedName=49 uniqueMember=50 houseIdentifier=51 dmdName=54 pseudonym=65 role=72 "
    "organizationIdentifier=97 c3=98 n3=99 dnsName=100",
    "0.9.2342.19200300.100.1": "UID=1 textEncodedORAddress=2 mail=3 info=4 favouriteDrink=5 roomNumber=6 photo=7 "
    "userClass=8 host=9 manager=10 documentIdentifier=11 documentTitle=12 documentVersion=13 documentAuthor=14 "
    "documentLocation=15 homeTelephoneNumber=20 secretary=21 otherMailbox=22 lastModifiedTime=23 lastModifiedBy=24 "
    "DC=25 aRecord=26 mXRecord=28 nSRecord=29 sOARecord=30 cNAMERecord=31 associatedDomain=37 associatedName=38 "
    "homePostalAddress=39 personalTitle=40 mobileTelephoneNumber=41 pagerTelephoneNumber=42 friendlyCountryName=43 "
    "uid=44 organizationalStatus=45 janetMailbox=46 mailPreferenceOption=47 buildingName=48 dSAQuality=49 "
    "documentPublisher=56",
    "1.2.840.113549.1.9": "emailAddress=1 unstructuredName=2 challengePassword=7 unstructuredAddress=8 friendlyName=20",
    "1.2.643.3.131.1": "INN=1",
    "1.2.643.100": "OGRN=1 SNILS=3 OGRNIP=5",
    "1.3.6.1.4.1.311.60.2.1": "jurisdictionL=1 jurisdictionST=2 jurisdictionC=3",
}
OPENSSL_NAMES = {
    short: f"{arc}.{number}"
    for arc, members in _SHORT_NAMES.items()
    for short, number in (member.split("=") for member in members.split())
}
"""The dotted OIDs of attribute types by OpenSSL's short names."""

_NAME_OVERRIDES = {
    x509.ObjectIdentifier(oid): short
    for short, oid in OPENSSL_NAMES.items()
    if short != "street"  # STREET in RFC 4514
}

# The string types that OpenSSL's canonical form makes alike (ASN1_MASK_CANON), and how it reads their octets.
_CANONICAL_CHARSETS = {0x0C: "utf-8", 0x13: "latin-1", 0x14: "latin-1", 0x16: "latin-1"}
_CANONICAL_CHARSETS |= {0x1C: "utf-32-be", 0x1E: "utf-16-be"}
_OTHER_TAGS = frozenset({0x03, 0x12, 0x30})  # the other types that OpenSSL reads in a name (B_ASN1_PRINTABLE)

CanonicalName: TypeAlias = "tuple[tuple[bytes, ...], ...]"


def rfc4514(name: x509.Name) -> str:
    """Return a name as RFC 4514 text, the last RDN first, attribute types by the names that OpenSSL gives them."""
    return name.rfc4514_string(_NAME_OVERRIDES)


def attributes(name: bytes) -> list[list[tuple[bytes, bytes]]]:
    """Return the attributes of a name by RDN: the type and the value of each, as DER elements.

    Parameters:
        name: the name's DER.

    Raises:
        ValueError: it is not a name.
    """
    return [[(oid, value) for oid, value in map(children, children(rdn))] for rdn in children(name)]


@functools.lru_cache(128)  # clients are many, their issuers few
def canonical(name: bytes) -> CanonicalName:
    """Return what names have in common that mean one: OpenSSL's canonical form of X509_NAME.

    ASCII letter case and white space are folded, the string types are alike, and the attributes of an RDN have no
    order. Nothing else: O=Müller is not O=MÜLLER. The name of a subtree is the start of the names below it.

    Parameters:
        name: the name's DER.

    Raises:
        ValueError: it is not a name, or a value is not of the string type that it claims.

    Source: OpenSSL, crypto/x509/x_name.c, x509_name_canon; RFC 5280 section 7.1.
    """
    return tuple(tuple(sorted(oid + _folded(value) for oid, value in rdn)) for rdn in attributes(name))


def _folded(value: bytes) -> bytes:
    charset = _CANONICAL_CHARSETS.get(value[0])
    if charset is None:
        if value[0] not in _OTHER_TAGS:
            raise ValueError(f"a value of type {value[0]} in a name")
        return value
    content = value[element(value).content :]
    if value[0] >= 0x1C or not content.isascii():
        content = content.decode(charset).encode()
    return b"\x0c" + b" ".join(content.lower().split())
