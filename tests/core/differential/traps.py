"""What may be wrong or odd in one certificate: a function each, which changes a certificate before it is signed.

A trap for which a row in the table of reasons exists leaves that row's word among the certificate's traits.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from ..pki import DAY, NOW, tlv
from . import names
from .asn1 import bits, integer, oid, sequence
from .keys import Scheme, key_of
from .making import (
    AIA,
    AKI,
    ANY_POLICY,
    ANY_PURPOSE,
    AS_NUMBERS,
    BASIC,
    CLIENT_AUTH,
    CONSTRAINTS,
    FRESHEST,
    INHIBIT_ANY,
    IP_BLOCKS,
    ISSUER_NAMES,
    NETSCAPE,
    OCSP_NO_CHECK,
    POINTS,
    POLICIES,
    POLICY_CONSTRAINTS,
    POLICY_MAPPINGS,
    PROXY_CERT_INFO,
    PURPOSES,
    SAN,
    SERVER_AUTH,
    SKI,
    USAGE,
    Aki,
    Extension,
    General,
    Made,
    Point,
    Subtree,
    address,
)

Trap: TypeAlias = Callable[[Made, random.Random], None]


class Row(NamedTuple):
    trap: Trap
    on: str
    weight: float


TRAPS: dict[str, Row] = {}


def trap(on: str = "any", weight: float = 1.0) -> Callable[[Trap], Trap]:
    """Put a function among the traps for "leaf", "ca" or "any"."""

    def enter(function: Trap) -> Trap:
        TRAPS[function.__name__.replace("_", " ")] = Row(function, on, weight)
        return function

    return enter


def set_trap(name: str, made: Made, dice: random.Random) -> None:
    TRAPS[name].trap(made, dice)
    made.traits.add(name)


def set_any(made: Made, on: str, dice: random.Random) -> None:
    """Set one trap that fits."""
    fitting = [name for name, row in TRAPS.items() if row.on in (on, "any")]
    set_trap(dice.choices(fitting, [TRAPS[name].weight for name in fitting])[0], made, dice)


# Time, serial number, version


@trap()
def expired(made: Made, dice: random.Random) -> None:
    made.end = NOW - dice.choice((dt.timedelta(seconds=1), DAY))


@trap()
def not_yet_valid(made: Made, dice: random.Random) -> None:
    made.start = NOW + dice.choice((dt.timedelta(seconds=1), DAY))


@trap()
def last_second(made: Made, dice: random.Random) -> None:
    made.end = NOW


@trap(weight=0.5)
def first_second(made: Made, dice: random.Random) -> None:
    made.start = NOW


@trap(weight=0.5)
def valid_for_ever(made: Made, dice: random.Random) -> None:
    made.end = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


@trap(weight=0.7)
def negative_serial(made: Made, dice: random.Random) -> None:
    made.serial = -dice.choice((1, 127, 128, 2**63))


@trap(weight=0.7)
def long_serial(made: Made, dice: random.Random) -> None:
    made.serial = dice.choice((2**160, 2**200 + dice.getrandbits(20)))


@trap(weight=0.3)
def longest_serial(made: Made, dice: random.Random) -> None:
    made.serial = dice.choice((2**159, 2**160)) - 1 - dice.getrandbits(20)


@trap(weight=0.5)
def zero_serial(made: Made, dice: random.Random) -> None:
    made.serial = 0


@trap()
def version_1(made: Made, dice: random.Random) -> None:
    made.version = 1


@trap(weight=0.3)
def version_2(made: Made, dice: random.Random) -> None:
    made.version = 2


# Signatures and keys


@trap(weight=1.5)
def spoilt_signature(made: Made, dice: random.Random) -> None:
    made.spoilt = True


@trap(weight=1.5)
def signed_by_another_key(made: Made, dice: random.Random) -> None:
    made.signer = key_of(made.signed_by.kind if made.signed_by.kind == "RSA-2048" else "P-256", 90)


@trap(weight=0.7)
def two_algorithms(made: Made, dice: random.Random) -> None:
    if made.signed_by.family in ("RSA", "EC"):
        made.outer_scheme = Scheme("SHA-512")


@trap(weight=0.3)
def null_after_ecdsa(made: Made, dice: random.Random) -> None:
    if made.signed_by.family == "EC":
        made.scheme = Scheme(null=True)


@trap()
def weak_hash(made: Made, dice: random.Random) -> None:
    digests = ("MD5", "SHA-1") if made.signed_by.family == "RSA" else ("SHA-1",)
    if made.signed_by.family in ("RSA", "EC"):
        made.scheme = Scheme(dice.choice(digests))


@trap(weight=0.7)
def other_hash(made: Made, dice: random.Random) -> None:
    if made.signed_by.family in ("RSA", "EC"):
        made.scheme = Scheme(dice.choice(("SHA-224", "SHA-384", "SHA-512")))


@trap(weight=1.5)
def pss_signature(made: Made, dice: random.Random) -> None:
    if made.signed_by.family not in ("RSA", "RSA-PSS"):
        return
    digest = dice.choice(("SHA-256", "SHA-256", "SHA-384", "SHA-512"))
    salt = dice.choice((32, 48, 64, 20, 0, 1, 100))
    mask = dice.choice(("", "", "", "SHA-256", "SHA-1"))
    made.scheme = Scheme(digest, salt, mask)


def _own_key(made: Made, kind: str, form: str = "") -> None:
    """Give another key to a certificate, before anything is signed with it."""
    made.key = key_of(kind, 70, form)
    if made.ski is not None:
        made.ski = made.key.identifier
    if made.parent is None and made.aki is not None:
        made.aki = Aki(made.key.identifier)


@trap()
def weak_key(made: Made, dice: random.Random) -> None:
    _own_key(made, dice.choice(("RSA-1024", "P-192")))


@trap(weight=0.7)
def uncommon_key(made: Made, dice: random.Random) -> None:
    _own_key(made, dice.choice(("P-224", "secp256k1", "brainpoolP256r1", "P-521")))


@trap(weight=0.3)
def large_key(made: Made, dice: random.Random) -> None:
    _own_key(made, dice.choice(("RSA-6534", "RSA-8676")))


@trap(weight=0.3)
def dsa_key(made: Made, dice: random.Random) -> None:
    _own_key(made, "DSA-2048")


@trap(weight=0.5)
def unusual_exponent(made: Made, dice: random.Random) -> None:
    _own_key(made, f"RSA-2048-e{dice.choice((3, 17, 131073, 2**33 + 1))}")


@trap(weight=0.7)
def explicit_parameters(made: Made, dice: random.Random) -> None:
    _own_key(made, "P-256", "explicit")


@trap(weight=0.7)
def pss_key(made: Made, dice: random.Random) -> None:
    _own_key(made, "RSA-2048", dice.choice(("PSS", "PSS", "PSS with parameters")))


@trap(weight=0.2)
def key_without_null(made: Made, dice: random.Random) -> None:
    _own_key(made, "RSA-2048", "no NULL")


# Basic constraints, key usage, purposes


@trap("ca")
def no_basic_constraints(made: Made, dice: random.Random) -> None:
    made.basic = None


@trap("ca")
def basic_constraints_of_a_leaf(made: Made, dice: random.Random) -> None:
    made.basic = (False, None)


@trap("leaf")
def leaf_that_is_a_ca(made: Made, dice: random.Random) -> None:
    made.basic = (True, None)
    if dice.random() < 0.5:
        made.usage = frozenset({"key_cert_sign", "digital_signature"})


@trap("ca", 2)
def short_path_length(made: Made, dice: random.Random) -> None:
    made.basic = (True, dice.choice((0, 0, 1)))


@trap()
def other_key_usage(made: Made, dice: random.Random) -> None:
    made.usage = frozenset(
        dice.sample(("digital_signature", "key_encipherment", "key_agreement", "key_cert_sign", "crl_sign"), 2)
    )


@trap(weight=0.3)
def last_key_usage(made: Made, dice: random.Random) -> None:
    made.usage = frozenset({"decipher_only", "key_agreement"})


@trap()
def other_purposes(made: Made, dice: random.Random) -> None:
    made.purposes = dice.choice(
        (
            (SERVER_AUTH,),
            (ANY_PURPOSE,),
            (SERVER_AUTH, CLIENT_AUTH),
            (ANY_PURPOSE, CLIENT_AUTH),
            ("1.3.6.1.4.1.311.20.2.2",),
        )
    )


@trap()
def netscape_type(made: Made, dice: random.Random) -> None:
    made.netscape = dice.choice(((0,), (1,), (0, 1), (5,), (2, 5), (0, 5)))


# Extensions


@trap(weight=2)
def critical_extension_of_a_known_kind(made: Made, dice: random.Random) -> None:
    made.critical.add(
        dice.choice((BASIC, USAGE, PURPOSES, SKI, AKI, SAN, CONSTRAINTS, POLICIES, INHIBIT_ANY, POINTS, NETSCAPE))
    )


_UNKNOWN = "1.3.6.1.4.1.32473.1"
_URI = General("URI", "http://ca.example.org/list").der
_KINDS: dict[str, bytes] = {
    _UNKNOWN: tlv(0x05),
    AIA: sequence(sequence(oid("1.3.6.1.5.5.7.48.2"), _URI)),
    FRESHEST: sequence(Point(("http://ca.example.org/delta",)).der),
    OCSP_NO_CHECK: tlv(0x05),
    ISSUER_NAMES: sequence(General("DNS", "ca.example.org").der),
    POLICY_CONSTRAINTS: sequence(tlv(0x80, b"\0")),
    POLICY_MAPPINGS: sequence(sequence(oid("1.2.3"), oid("1.2.4"))),
    "2.5.29.16": sequence(tlv(0x80, b"20250101000000Z")),  # privateKeyUsagePeriod
    "2.5.29.9": sequence(sequence(oid("1.3.6.1.5.5.7.9.4"), tlv(0x31, tlv(0x13, b"DE")))),  # subjectDirectoryAttributes
    "1.3.6.1.5.5.7.1.24": sequence(integer(5)),  # TLS feature
    "1.3.6.1.4.1.311.20.2": tlv(0x1E, "Sub".encode("utf-16-be")),  # AD CS' template
}


@trap(weight=2)
def further_extension(made: Made, dice: random.Random) -> None:
    kind = dice.choice(list(_KINDS))
    made.extra.append(Extension(kind, _KINDS[kind], dice.random() < 0.5))


@trap(weight=0.5)
def proxy_certificate(made: Made, dice: random.Random) -> None:
    value = sequence(sequence(oid("1.3.6.1.5.5.7.21.1")))
    made.extra.append(Extension(PROXY_CERT_INFO, value, dice.random() < 0.7))


@trap(weight=0.7)
def rfc_3779(made: Made, dice: random.Random) -> None:
    if dice.random() < 0.5:
        value = sequence(sequence(tlv(0x04, b"\0\1"), dice.choice((tlv(0x05), sequence(bits(b"\x0a"))))))
        made.extra.append(Extension(IP_BLOCKS, value, dice.random() < 0.5))
    else:
        value = sequence(tlv(0xA0, dice.choice((tlv(0x05), sequence(integer(64512))))))
        made.extra.append(Extension(AS_NUMBERS, value, dice.random() < 0.5))


@trap(weight=0.3)
def extension_twice(made: Made, dice: random.Random) -> None:
    made.extra += [Extension(_UNKNOWN, tlv(0x05)), Extension(_UNKNOWN, tlv(0x05))]


@trap(weight=0.5)
def malformed_extension(made: Made, dice: random.Random) -> None:
    kind = dice.choice(("purposes", "san", "constraints", "policies", "basic"))
    if kind == "purposes":
        made.purposes = None
        made.extra.append(Extension(PURPOSES, sequence()))
    elif kind == "san":
        made.sans = ()
        made.extra.append(Extension(SAN, dice.choice((sequence(), sequence(tlv(0x82, b"\xff.example.org"))))))
    elif kind == "constraints":
        made.subtrees = ()
        made.extra.append(Extension(CONSTRAINTS, sequence(), critical=True))
    elif kind == "policies":
        made.policies = None
        made.extra.append(Extension(POLICIES, sequence()))
    else:
        made.basic = None
        made.extra.append(Extension(BASIC, sequence(tlv(0x01, b"\0"), integer(0)), critical=True))


# Key identifiers


@trap(weight=1.5)
def other_subject_key_identifier(made: Made, dice: random.Random) -> None:
    made.ski = dice.choice((key_of("P-256", 91).identifier, b"\1", None))


@trap(weight=1.5)
def other_authority_key_identifier(made: Made, dice: random.Random) -> None:
    made.aki = dice.choice((Aki(key_of("P-256", 91).identifier), Aki(b"\1"), Aki(None), None))


@trap(weight=1.5)
def issuer_and_serial(made: Made, dice: random.Random) -> None:
    parent = made.parent or made
    key = parent.key.identifier if dice.random() < 0.4 else None
    serial = parent.serial + (dice.random() < 0.3)
    issuer = parent.issuer if dice.random() < 0.8 else parent.subject
    if serial >= 0:
        made.aki = Aki(key, respelled(issuer, dice) if dice.random() < 0.3 else issuer, serial)


# Names


def respelled(given: names.Name, dice: random.Random) -> names.Name:
    """The same name in other letters, strings or white space; for a name beyond ASCII perhaps another name."""

    def change(one: names.Attribute) -> names.Attribute:
        if one.oid in (names.C, names.DC) or one.tag not in names.CODECS:
            return one
        text = one.text
        kind = dice.randrange(4)
        if kind == 0:
            text = dice.choice((text.upper(), text.lower(), text.swapcase()))
        elif kind == 1:
            text = dice.choice((f" {text}  ", text.replace(" ", "   "), f"{text}\t"))
        tags = [names.UTF8, names.BMP, names.UNIVERSAL]
        tags += [names.PRINTABLE, names.IA5] if text.isascii() and "\t" not in text else []
        tags += [names.T61] if dice.random() < 0.3 else []
        tag = dice.choice(tags) if kind >= 2 else one.tag
        if tag == names.PRINTABLE and not all(c.isalnum() or c in " '()+,-./:=?" for c in text):
            tag = names.UTF8
        if one.tag == names.PRINTABLE and tag == names.PRINTABLE and "\t" in text:
            tag = names.UTF8
        return names.attribute(one.oid, text, tag)

    return tuple(tuple(change(one) for one in rdn) for rdn in given)


@trap(weight=2)
def respelled_issuer(made: Made, dice: random.Random) -> None:
    made.issuer_name = respelled(made.issuer, dice)


@trap(weight=0.5)
def another_issuer_name(made: Made, dice: random.Random) -> None:
    last = made.issuer[-1:] if made.issuer else ()
    made.issuer_name = dice.choice(
        (
            (*made.issuer[:-1], *last, names.name((names.OU, "more"))[0]),
            tuple(reversed(made.issuer)),
            tuple(tuple(rdn * 2) for rdn in made.issuer),
            (tuple(one for rdn in made.issuer for one in rdn),),
            made.issuer[:-1],
        )
    )


@trap(weight=0.7)
def empty_subject(made: Made, dice: random.Random) -> None:
    made.subject = ()


@trap(weight=0.4)
def odd_string_in_subject(made: Made, dice: random.Random) -> None:
    odd = dice.choice(
        (
            names.Attribute(names.O, names.PRINTABLE, b"under_score"),
            names.Attribute(names.O, names.PRINTABLE, b"a@example.org"),
            names.Attribute(names.O, names.T61, b"M\xfcller"),
            names.Attribute(names.O, names.UTF8, b"M\xfcller"),
            names.Attribute(names.O, names.BMP, b"odd"),
            names.Attribute(names.O, names.NUMERIC, b"123"),
            names.Attribute(names.O, 0x1B, b"general"),
            names.Attribute(names.O, names.UTF8, b""),
            names.Attribute(names.O, names.UTF8, b"a\0b"),
        )
    )
    made.subject = (*made.subject, (odd,))


# Name constraints and the names they meet


def _directory(*parts: tuple[str, str]) -> General:
    return General("directory", names.name(*parts))


BASES: dict[str, tuple[General, ...]] = {
    "DNS": (
        *(General("DNS", each) for each in ("example.org", "example.org", ".example.org", "EXAMPLE.org", "", "org")),
        *(General("DNS", each) for each in ("a.example.org", "*.example.org")),
        *(General("DNS", each, odd=True) for each in ("example.org.", "ex ample.org")),
    ),
    "email": (
        *(General("email", each) for each in ("example.org", ".example.org", "alice@example.org", "EXAMPLE.ORG")),
        *(General("email", each) for each in ("Alice@example.org",)),
        *(General("email", each, odd=True) for each in ("", "@example.org", "a@b@example.org")),
    ),
    "URI": (
        *(General("URI", each) for each in ("example.org", ".example.org", "EXAMPLE.org")),
        *(General("URI", each, odd=True) for each in ("", "http://example.org", "https://example.org/")),
    ),
    "IP": (
        *(General("IP", address(each)) for each in ("10.0.0.0/8", "0.0.0.0/0", "10.1.2.3/32", "::/0", "2001:db8::/32")),
        *(General("IP", each, odd=True) for each in (b"\x0a\0\0\0\xff\0\xff\0", b"\x0a\0\0\0", b"")),
    ),
    "directory": (
        _directory((names.O, "Example")),
        _directory((names.O, "EXAMPLE ")),
        _directory((names.O, "Else")),
        _directory((names.O, "Example"), (names.CN, "alice")),
        _directory(),
    ),
    "RID": (General("RID", oid("1.2.3")[2:]),),
    "UPN": (General("UPN", "alice@example.org"),),
    # RFC 9598 section 6: a constraint of e-mail is written as an rfc822Name.
    "SmtpUTF8Mailbox": (General("SmtpUTF8Mailbox", "alice@example.org", odd=True),),
}
ALTERNATIVES: dict[str, tuple[General, ...]] = {
    "DNS": (
        *(
            General("DNS", each)
            for each in ("a.example.org", "example.org", "A.Example.ORG", "a.example.com", "evilexample.org")
        ),
        *(
            General("DNS", each)
            for each in ("*.example.org", "*.a.example.org", "*.org", "a_b.example.org", "xn--mller-kva.example.org")
        ),
        *(
            General("DNS", each, odd=True)
            for each in ("a.example.org.", "a..example.org", ".example.org", "", " a.example.org")
        ),
        *(General("DNS", each, odd=True) for each in (b"a\0.example.org", "a.*.example.org", "a/b.example.org")),
    ),
    "email": (
        *(General("email", each) for each in ("alice@example.org", "ALICE@example.org", "alice@EXAMPLE.org")),
        *(General("email", each) for each in ("alice@mail.example.org", "alice@example.com", "alice@evilexample.org")),
        *(
            General("email", each, odd=True)
            for each in ("example.org", "a@b@example.org", "@example.org", "alice@", '"a@b"@example.org')
        ),
        *(
            General("email", each, odd=True)
            for each in (b"alice\0@example.org", "Alice <alice@example.org>", "alice@example.org.")
        ),
    ),
    "URI": (
        *(
            General("URI", each)
            for each in ("spiffe://example.org/alice", "https://a.example.org:8443/x", "https://A.EXAMPLE.ORG")
        ),
        *(
            General("URI", each)
            for each in (
                "https://example.com/",
                "https://example.com/?@example.org",
                "https://example.com/#.example.org",
            )
        ),
        *(
            General("URI", each, odd=True)
            for each in (
                "urn:example:alice",
                "https://example.com#.example.org",
                "https://example.com?@example.org",
                "https://alice@example.org/",
                "https://a%2eexample.org/",
            )
        ),
        *(
            General("URI", each, odd=True)
            for each in (
                "https://exa\tmple.org/",
                "https://example.com\\.example.org/",
                "https://[::1]/",
                "//example.org/",
                "https:///x",
            )
        ),
        *(
            General("URI", each, odd=True)
            for each in ("https://10.0.0.1/", "https://example.com:80@example.org/", "https://example.org.", "")
        ),
    ),
    "IP": (
        *(General("IP", address(each)) for each in ("10.1.2.3", "192.0.2.7", "2001:db8::1", "::ffff:10.1.2.3")),
        *(General("IP", each, odd=True) for each in (b"\x0a\1\2", b"", b"\x0a\1\2\3\xff\xff\xff\xff")),
    ),
    "directory": (
        _directory((names.O, "Example"), (names.CN, "alice")),
        _directory((names.O, "Else"), (names.CN, "alice")),
        _directory((names.CN, "alice"), (names.O, "Example")),
        _directory(),
    ),
    "RID": (General("RID", oid("1.2.3")[2:]),),
    "UPN": (General("UPN", "alice@example.org"), General("UPN", "alice@example.com")),
    "SmtpUTF8Mailbox": (
        *(
            General("SmtpUTF8Mailbox", each)
            for each in ("alice@example.org", "müller@example.org", "alice@example.com")
        ),
        *(General("SmtpUTF8Mailbox", each, odd=True) for each in ("alice", "a@b@example.org", "alice@exämple.org")),
    ),
}
KINDS, KIND_WEIGHTS = tuple(BASES), (6, 4, 3, 3, 4, 0.5, 0.5, 0.7)


def some_name(table: dict[str, tuple[General, ...]], kind: str, dice: random.Random) -> General:
    usual = [one for one in table[kind] if not one.odd]
    return dice.choice(usual if usual and dice.random() < 0.8 else table[kind])


def constrain(made: Made, dice: random.Random, kinds: tuple[str, ...] = ()) -> None:
    """Add name constraints."""
    subtrees = list(made.subtrees)
    for _ in range(dice.choice((1, 1, 2, 3))):
        kind = dice.choice(kinds) if kinds else dice.choices(KINDS, KIND_WEIGHTS)[0]
        odd = dice.random() < 0.04
        minimum = dice.choice((None, 0, 1)) if odd else None
        subtrees.append(Subtree(some_name(BASES, kind, dice), dice.random() < 0.6, minimum, 3 if odd else None))
    made.subtrees = tuple(subtrees)
    if dice.random() < 0.8:
        made.critical.add(CONSTRAINTS)


@trap("ca", 3)
def name_constraints(made: Made, dice: random.Random) -> None:
    constrain(made, dice)


@trap("any", 2)
def further_alternative_names(made: Made, dice: random.Random) -> None:
    kind = dice.choices(KINDS, KIND_WEIGHTS)[0]
    made.sans = (*made.sans, *(some_name(ALTERNATIVES, kind, dice) for _ in range(dice.choice((1, 1, 2)))))


@trap("any", 2)
def common_name_that_looks_like_a_host(made: Made, dice: random.Random) -> None:
    texts = (
        "a.example.org",
        "a.example.com",
        "alice.smith",
        "*.example.org",
        "example.org.",
        "a_b.example.org",
        "10.0.0.1",
    )
    extra = ("urn:dev:0024", "a..b", "-a.example.com", "a.example.com\0", "Alice.Example.COM", "a.example.com ")
    tag = dice.choice((names.UTF8, names.UTF8, names.PRINTABLE, names.BMP, names.IA5))
    text = dice.choice(texts + extra)
    tag = tag if tag != names.PRINTABLE or not set(text) & set("*_\0") else names.UTF8
    made.subject = (*made.subject, (names.attribute(names.CN, text, tag),))


@trap("any", 1.5)
def email_address_in_the_subject(made: Made, dice: random.Random) -> None:
    text = dice.choice(("alice@example.org", "alice@example.com", "ALICE@EXAMPLE.ORG", "alice", "a@b@example.org"))
    tag = dice.choice((names.IA5, names.IA5, names.IA5, names.UTF8, names.PRINTABLE))
    if tag == names.PRINTABLE and "@" in text:
        tag = names.UTF8
    made.subject = (*made.subject, (names.attribute(names.EMAIL, text, tag),))


# Policies and distribution points


@trap(weight=1.5)
def certificate_policies(made: Made, dice: random.Random) -> None:
    made.policies = tuple(dice.sample(("1.2.3", "1.2.4", "1.2.5", ANY_POLICY), dice.choice((1, 2, 3))))


@trap("ca", 0.7)
def inhibit_any_policy(made: Made, dice: random.Random) -> None:
    made.inhibit_any = dice.choice((0, 0, 1, 2))
    made.critical.add(INHIBIT_ANY)


@trap(weight=0.7)
def distribution_points(made: Made, dice: random.Random) -> None:
    uri = f"http://ca.example.org/{dice.randrange(3)}.crl"
    made.points = (Point((uri,)), *((Point(("ldap:///x", uri)),) if dice.random() < 0.2 else ()))
