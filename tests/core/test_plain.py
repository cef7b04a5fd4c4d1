"""The walk over a plain leaf says yes only where the rules do, and a trust store answers alike with it and without.

Certificates are changed element by element, in every place, and signed anew by their CA, so that nothing but the change
can refuse them. SSLCLIENTCERT_PLAIN_CASES says how many (3000 if not set), SSLCLIENTCERT_PLAIN_SEED where to start.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime as dt
import functools
import ipaddress
import itertools
import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sslclientcert import ClientCertError, PresentedChain, TrustStore
from sslclientcert.core import presented, trust
from sslclientcert.core.direct import has_sound_key
from sslclientcert.core.identity import _identity_of
from sslclientcert.core.names import is_openssl_text_of, plain_text
from sslclientcert.core.plain import PlainLeaf, plain_leaf
from sslclientcert.core.policy import require_client_leaf
from sslclientcert.testing import ClientCA

from .conftest import refused
from .pki import (
    DAY,
    NOW,
    Extension,
    Party,
    aki,
    authority,
    basic,
    certify,
    client,
    content_of,
    elements,
    openssl,
    permitted,
    private_key,
    purposes,
    revocation_list,
    sans,
    signature_by,
    ski,
    tlv,
    unknown,
    usage,
    with_change,
)
from .test_differential import Maker

CASES = int(os.environ.get("SSLCLIENTCERT_PLAIN_CASES", "3000"))
SEED = int(os.environ.get("SSLCLIENTCERT_PLAIN_SEED", "690"))
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)

DNS, EMAIL, URI, IP = x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier, x509.IPAddress
STEP = "1.3.6.1.4.1.37476.9000.64.1"
NAMES = sans(
    DNS("cart.shop.example.org"),
    URI("spiffe://example.org/ns/shop/sa/cart"),
    EMAIL("cart@example.org"),
    IP(ipaddress.ip_address("192.0.2.1")),
    IP(ipaddress.ip_address("2001:db8::1")),
)

ROOT = authority("CN=Root,OU=PKI,O=Example,C=DE", key=private_key("P-256", 0))
RSA_ROOT = authority("RSA Root", key=private_key("RSA-2048", 0))
LOWER = authority("Lower", ROOT, key=private_key("P-384", 0))
OTHERS = [
    authority("Lower", authority("Other", key=private_key("P-256", 3)), key=LOWER.key),
    authority("CN=Root,OU=PKI,O=Example,C=DE", key=ROOT.key, end=NOW + DAY),
    authority("CN=Root,OU=PKI,O=Example,C=DE", key=private_key("P-521", 0)),
]


@dataclasses.dataclass(frozen=True)
class Original:
    leaf: Party
    issuer: Party


def originals() -> Iterator[Original]:
    subject = "emailAddress=alice@example.org,CN=alice,OU=Shop,O=Example\\, Inc,ST=Berlin,C=DE"
    for issuer in (ROOT, RSA_ROOT, LOWER):
        for kind in ("P-256", "P-384", "P-521", "RSA-2048", "Ed25519", "P-224"):
            key = private_key(kind, 1)
            names = [(NAMES, False)]
            yield Original(client("alice", issuer, key=key), issuer)
            yield Original(client(subject, issuer, key=key, extra=names), issuer)
        yield Original(certify("alice", issuer, key=private_key("P-256", 1)), issuer)
        yield Original(certify("CN=alice,DC=example,DC=org", issuer, extensions=[(NAMES, True)]), issuer)
        for made_by in MAKERS.values():
            yield Original(made_by(issuer), issuer)


# What the common makers make


def by_cert_manager(issuer: Party) -> Party:
    return certify(
        "O=Example,CN=cart",
        issuer,
        extensions=[
            (usage("digital_signature", "key_encipherment"), True),
            (purposes("CLIENT_AUTH"), False),
            (basic(ca=False), True),
            (aki(issuer.key), False),
            (NAMES, False),
        ],
    )


def by_step_ca(issuer: Party) -> Party:
    own = private_key("P-256", 1)
    provisioner = tlv(
        0x30, tlv(0x02, b"\x01"), tlv(0x04, b"admin@example.org"), tlv(0x04, b"4vn46fbZT68Uxfs9LBwHkTvrjEvxQqx")
    )
    return certify(
        "cart.shop.example.org",
        issuer,
        key=own,
        extensions=[
            (usage("digital_signature"), True),
            (purposes("SERVER_AUTH", "CLIENT_AUTH"), False),
            (ski(own), False),
            (aki(issuer.key), False),
            (sans(DNS("cart.shop.example.org")), False),
            (unknown(STEP, provisioner), False),
        ],
    )


def by_cfssl(issuer: Party) -> Party:
    own = private_key("RSA-2048", 1)
    return certify(
        "C=DE,ST=Berlin,L=Berlin,O=Example,CN=cart",
        issuer,
        key=own,
        extensions=[
            (usage("digital_signature", "key_encipherment"), True),
            (purposes("CLIENT_AUTH"), False),
            (basic(ca=False), True),
            (ski(own), False),
            (aki(issuer.key), False),
            (sans(DNS("cart.shop.example.org"), IP(ipaddress.ip_address("192.0.2.1"))), False),
        ],
    )


def by_vault(issuer: Party) -> Party:
    own = private_key("RSA-2048", 1)
    return certify(
        "cart.shop.example.org",
        issuer,
        key=own,
        extensions=[
            (usage("digital_signature", "key_encipherment", "key_agreement"), True),
            (purposes("SERVER_AUTH", "CLIENT_AUTH"), False),
            (ski(own), False),
            (aki(issuer.key), False),
            (sans(DNS("cart.shop.example.org")), False),
        ],
    )


def by_spire(issuer: Party) -> Party:
    own = private_key("P-256", 1)
    return certify(
        "O=SPIRE,C=US",
        issuer,
        key=own,
        extensions=[
            (usage("digital_signature"), True),
            (purposes("SERVER_AUTH", "CLIENT_AUTH"), False),
            (basic(ca=False), True),
            (ski(own), False),
            (aki(issuer.key), False),
            (sans(URI("spiffe://example.org/ns/shop/sa/cart")), False),
        ],
    )


MAKERS: dict[str, Callable[[Party], Party]] = {
    "cert-manager": by_cert_manager,
    "step-ca": by_step_ca,
    "cfssl": by_cfssl,
    "Vault": by_vault,
    "SPIRE": by_spire,
}


@pytest.fixture
def search_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the answer is not found the short way: a plain leaf, and one link to a CA judged beforehand."""

    def forbidden(*_: object) -> None:
        raise AssertionError("this leaf was taken the long way")

    monkeypatch.setattr(presented, "_require_parsed", forbidden)
    monkeypatch.setattr(trust, "require_client_leaf", forbidden)
    monkeypatch.setattr(trust._Trust, "_path", forbidden)


def loaded(*bundle: Party) -> TrustStore:
    return TrustStore([party.certificate for party in bundle])


BELOW_ROOT, BELOW_LOWER, BELOW_RSA = loaded(ROOT), loaded(ROOT, LOWER), loaded(RSA_ROOT)


@pytest.mark.usefixtures("search_forbidden")
@pytest.mark.parametrize("maker", MAKERS)
def test_what_the_common_makers_issue_is_taken_the_short_way(maker: str) -> None:
    for store, issuer in ((BELOW_ROOT, ROOT), (BELOW_LOWER, LOWER), (BELOW_RSA, RSA_ROOT)):
        leaf = MAKERS[maker](issuer)
        assert store.verify(PresentedChain.from_der([leaf.der])).certificate == leaf.certificate


@pytest.mark.usefixtures("search_forbidden")
@pytest.mark.parametrize("key", ["ec", "rsa"])
def test_what_the_unit_test_helper_issues_is_taken_the_short_way(key: str) -> None:
    ca = ClientCA()
    store = TrustStore(ca.certificates)
    for leaf in (
        ca.issue("alice", key=key),  # type: ignore[arg-type]  # a parameter is no literal
        ca.issue("alice", organization="Example", dns_names=["a.example.org"], key=key),  # type: ignore[arg-type]
        ca.issue("", uris=["spiffe://example.org/ns/shop/sa/cart"], key=key),  # type: ignore[arg-type]
    ):
        assert store.verify(PresentedChain(leaf.certificate)).certificate == leaf.certificate


OPENSSL_CONFIGURATION = """\
[usual]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = clientAuth
subjectAltName = DNS:a.example.org, email:alice@example.org
[newer]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer
"""


@pytest.mark.usefixtures("search_forbidden")
@pytest.mark.parametrize("section", ["usual", "client", "newer"])
@pytest.mark.parametrize("kind", ["rsa:2048", "ec"])
def test_what_openssl_issues_with_the_usual_extensions_is_taken_the_short_way(
    kind: str, section: str, tmp_path: Path
) -> None:
    """As usr_cert of openssl.cnf has them, as manuals say, and as `openssl x509 -req` adds them by itself since 3.2."""
    (tmp_path / "extensions").write_text(OPENSSL_CONFIGURATION, encoding="ascii")
    key = ("-newkey", kind, *(("-pkeyopt", "ec_paramgen_curve:P-256") if kind == "ec" else ()), "-nodes")
    root = ("-keyout", "ca.key", "-out", "ca.crt", "-days", "9", "-subj", "/C=DE/O=Example/CN=Example CA")
    openssl("req", "-x509", *key, *root, cwd=tmp_path)
    request = openssl("req", "-new", *key, "-keyout", "key", "-subj", "/C=DE/O=Example/CN=alice", cwd=tmp_path)
    ca = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions", "-extensions", section)
    leaf = x509.load_pem_x509_certificate(openssl("x509", "-req", *ca, cwd=tmp_path, stdin=request).encode())
    assert TrustStore.from_file(tmp_path / "ca.crt").verify(PresentedChain(leaf)).common_name == "alice"


def test_taking_the_short_way_gives_the_chain_up_to_the_root() -> None:
    leaf = client("alice", LOWER)
    assert BELOW_LOWER.verify(PresentedChain(leaf.certificate)).chain == tuple(
        one.certificate for one in (leaf, LOWER, ROOT)
    )


# Changing a certificate


@dataclasses.dataclass
class Node:
    """A DER element: its tag, and what is in it, elements or octets."""

    tag: int
    content: bytes | list[Node]
    long: bool = False  # with a longer form of the length than it needs

    @property
    def children(self) -> list[Node]:
        return self.content if isinstance(self.content, list) else []

    def encode(self) -> bytes:
        body = self.content if isinstance(self.content, bytes) else b"".join(one.encode() for one in self.content)
        if self.long and len(body) < 0x80:
            return bytes((self.tag, 0x81, len(body))) + body
        return tlv(self.tag, body)

    def all(self) -> Iterator[Node]:
        yield self
        for one in self.children:
            yield from one.all()


def parsed(data: bytes) -> Node:
    tag, body = data[0], content_of(data)
    if tag & 0x20:
        return Node(tag, [parsed(one) for one in elements(body)])
    if tag == 0x04:  # an extension holds elements, a key identifier merely octets
        with contextlib.suppress(IndexError):
            node = Node(tag, [parsed(one) for one in elements(body)])
            if node.encode() == data:
                return node
    return Node(tag, body)


def identifier(oid: str) -> bytes:
    """The DER of an object identifier (X.690 section 8.19)."""
    first, second, *rest = map(int, oid.split("."))
    octets = b""
    for arc in (40 * first + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.insert(0, arc & 0x7F | 0x80)
        octets += bytes(digits)
    return tlv(0x06, octets)


def extension(oid: str, value: bytes, *, critical: bytes = b"") -> bytes:
    return tlv(0x30, identifier(oid), critical, tlv(0x04, value))


CRITICAL, NOT_CRITICAL, ODDLY_CRITICAL = tlv(0x01, b"\xff"), tlv(0x01, b"\x00"), tlv(0x01, b"\x01")
KEY_USAGE, SAN, EKU, BASIC, SKI, AKI = (f"2.5.29.{number}" for number in (15, 17, 37, 19, 14, 35))
CLIENT_AUTH, SERVER_AUTH, ANY_PURPOSE = map(identifier, ("1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"))
PLAIN_NAMES = tlv(0x30, tlv(0x86, b"spiffe://example.org/cart"), tlv(0x82, b"a.example.org"), tlv(0x87, bytes(16)))
GENERAL_NAMES = [
    tlv(tag, value)
    for tag, value in (
        *(
            (tag, text)
            for tag in (0x81, 0x82, 0x86)
            for text in (b"a.example.org", b"", b"\xc3\xa9", b"a\0b", b"a" * 200)
        ),
        *((0x87, bytes(size)) for size in (0, 3, 4, 8, 16, 32)),
        (0x88, b"\x2a\x03"),
        (0xA0, identifier("1.3.6.1.4.1.311.20.2.3") + tlv(0xA0, tlv(0x0C, b"alice@example.org"))),
        (0xA4, tlv(0x30, tlv(0x31, tlv(0x30, identifier("2.5.4.3"), tlv(0x0C, b"alice"))))),
        (0xA5, b""),
    )
]
ODD_EXTENSIONS = [
    *(
        extension(KEY_USAGE, tlv(0x03, bytes((unused, *octets))))
        for unused in range(9)
        for octets in ((0x80,), (0xE0,), (0x20,), (), (0x80, 0x80))
    ),
    *(extension(KEY_USAGE, tlv(0x03, b"\x07\x80"), critical=how) for how in (CRITICAL, NOT_CRITICAL, ODDLY_CRITICAL)),
    *(
        extension(EKU, tlv(0x30, *purposes_), critical=how)
        for how in (b"", CRITICAL, NOT_CRITICAL)
        for purposes_ in (
            (),
            (CLIENT_AUTH,),
            (ANY_PURPOSE,),
            (CLIENT_AUTH, CLIENT_AUTH),
            (identifier("1.2.3"), CLIENT_AUTH),
        )
    ),
    *(extension(SAN, tlv(0x30, name)) for name in GENERAL_NAMES),
    *(extension(SAN, tlv(0x30, GENERAL_NAMES[0], name), critical=CRITICAL) for name in GENERAL_NAMES),
    extension(SAN, tlv(0x30)),
    extension(SAN, tlv(0x30, GENERAL_NAMES[0]) + b"\x05\x00"),
    extension(SAN, tlv(0x31, GENERAL_NAMES[0])),
    *(
        extension(BASIC, tlv(0x30, inside))
        for inside in (b"", CRITICAL, NOT_CRITICAL, CRITICAL + tlv(0x02, b"\0"), tlv(0x02, b"\0"))
    ),
    *(extension(SKI, tlv(0x04, bytes(size))) for size in (0, 8, 19, 20, 21, 32)),
    *(extension(AKI, tlv(0x30, tlv(0x80, bytes(size)))) for size in (0, 19, 20, 21)),
    extension(AKI, tlv(0x30)),
    extension(AKI, tlv(0x30, tlv(0x80, bytes(20)), tlv(0x82, b"\x01"))),
    extension(AKI, tlv(0x30, tlv(0x80, bytes(20))), critical=CRITICAL),
    *(
        extension(oid, value, critical=how)
        for oid in (STEP, "1.2.3.4", "2.5.29.99", "1.3.6.1.5.5.7.1.14", "1.3.6.1.5.5.7.1.7", "2.5.29.32", "2.5.29.31")
        for value in (b"", b"\x05\x00", bytes.fromhex("0603551d"), bytes.fromhex("0603551d11"))
        for how in (b"", CRITICAL)
    ),
    *(extension("2.16.840.1.113730.1.1", tlv(0x03, bits)) for bits in (b"\x07\x80", b"\x06\x40")),
    extension(
        "1.3.6.1.5.5.7.1.1",
        tlv(0x30, tlv(0x30, identifier("1.3.6.1.5.5.7.48.1"), tlv(0x86, b"http://ocsp.example.org"))),
    ),
    extension("1.3.6.1.5.5.7.1.24", tlv(0x30, tlv(0x02, b"\x05"))),
]
USUAL_EXTENSIONS = [
    *(
        extension(KEY_USAGE, tlv(0x03, bytes((unused, bits))), critical=how)
        for unused, bits in ((7, 0x80), (5, 0xA0), (6, 0xC0), (3, 0x88), (3, 0xE8), (5, 0x20))
        for how in (b"", CRITICAL)
    ),
    *(
        extension(EKU, tlv(0x30, *found), critical=how)
        for found in ((CLIENT_AUTH,), (CLIENT_AUTH, SERVER_AUTH), (SERVER_AUTH, CLIENT_AUTH), (SERVER_AUTH,))
        for how in (b"", CRITICAL)
    ),
    *(extension(SAN, PLAIN_NAMES, critical=how) for how in (b"", CRITICAL)),
    *(extension(BASIC, tlv(0x30), critical=how) for how in (b"", CRITICAL)),
    extension(SKI, tlv(0x04, bytes(20))),
    extension(AKI, tlv(0x30, tlv(0x80, bytes(20)))),
    extension(STEP, b"\x05\x00"),
]
ODD_ATTRIBUTES = [
    tlv(0x30, identifier(oid), tlv(tag, value))
    for oid in (
        "2.5.4.3",
        "2.5.4.6",
        "2.5.4.45",
        "2.5.4.300",
        "1.2.840.113549.1.9.1",
        "0.9.2342.19200300.100.1.25",
        "1.2.3",
    )
    for tag in (0x0C, 0x13, 0x14, 0x16, 0x1E, 0x1C, 0x03)
    for value in (
        b"",
        b"ab1x",
        b"alice",
        b"DE",
        b" x ",
        b"a,b+c",
        b"#a",
        b"caf\xc3\xa9",
        b"caf\xe9",
        b"a\nb",
        b"a" * 70,
        b"\0a",
    )
]
TAGS = (
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x0A,
    0x0C,
    0x13,
    0x14,
    0x16,
    0x17,
    0x18,
    0x1E,
    0x30,
    0x31,
    0x80,
    0x81,
    0x82,
    0x86,
    0x87,
    0xA0,
    0xA3,
)


class Changer:
    """Makes certificates that differ from an original in one place or a few."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311

    def certificate(self, original: Original) -> bytes:
        signed, algorithm, _ = elements(content_of(original.leaf.der))
        tbs = parsed(signed)
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            change = self.random.choices(
                (self.usual, self.element, self.extension, self.name, self.octet), (6, 2, 1, 2, 1)
            )[0]
            change(tbs)
        body = tbs.encode()
        if self.random.random() < 0.03:
            algorithm = self.random.choice(
                [bytes.fromhex(one) for one in ("300906072a8648ce3d0401", "300a06082a8648ce3d040303")]
            )
        return tlv(0x30, body, algorithm, tlv(0x03, b"\0", signature_by(original.issuer.key, body)))

    def usual(self, tbs: Node) -> None:
        """What some CA might do: an extension less, another usual one, or another order."""
        if tbs.children[-1].tag != 0xA3 or not tbs.children[-1].children:
            return
        extensions = tbs.children[-1].children[0].children
        added = parsed(self.random.choice(USUAL_EXTENSIONS))
        extensions[:] = [one for one in extensions if one.children[:1] != added.children[:1]]
        if self.random.random() < 0.7:
            extensions.append(added)
        self.random.shuffle(extensions)

    def element(self, tbs: Node) -> None:
        """Any element, with another tag, length or content, once more, or away."""
        parent = self.random.choice([one for one in tbs.all() if one.children])
        at = self.random.randrange(len(parent.children))
        one = parent.children[at]
        change = self.random.randrange(7)
        if change == 0:
            one.tag = self.random.choice(TAGS)
        elif change == 1:
            one.long = True
        elif change == 2:
            parent.children.insert(at, one)
        elif change == 3:
            del parent.children[at]
        elif change == 4:
            parent.children.insert(at, parent.children.pop(self.random.randrange(len(parent.children))))
        elif change == 5:
            one.content = self.random.randbytes(self.random.choice((0, 1, 2, 4, 16, 20, 40, 130)))
        else:
            one.content = self.random.choice([other.encode() for other in tbs.all()])

    def octet(self, tbs: Node) -> None:
        """One octet of an element that holds no others."""
        one = self.random.choice([one for one in tbs.all() if not one.children and one.content])
        content = bytearray(one.content if isinstance(one.content, bytes) else b"")
        at = self.random.choice((0, -1, self.random.randrange(len(content))))
        content[at] = self.random.choice((content[at] ^ 1 << self.random.randrange(8), 0, 0xFF, 0x80, 0x31, 0x06))
        one.content = bytes(content)

    def extension(self, tbs: Node) -> None:
        """One extension more, in place of one of its kind or beside it."""
        added = parsed(self.random.choice(ODD_EXTENSIONS))
        if tbs.children[-1].tag != 0xA3:
            tbs.children.append(Node(0xA3, [Node(0x30, [])]))
        found = tbs.children[-1].children
        if not found:
            return
        extensions = found[0].children
        if self.random.random() < 0.8:
            extensions[:] = [one for one in extensions if one.children[:1] != added.children[:1]]
        extensions.insert(self.random.randint(0, len(extensions)), added)

    def name(self, tbs: Node) -> None:
        """One attribute more in the subject or the issuer, in an RDN of its own or together with another."""
        name = self.random.choice([one for one in tbs.children if one.tag == 0x30][1:4:2] or [tbs])
        attribute = self.random.choice(ODD_ATTRIBUTES)
        rdns = [one for one in name.children if one.tag == 0x31]
        if rdns and self.random.random() < 0.4:
            rdn = self.random.choice(rdns)
            together = sorted([one.encode() for one in rdn.children] + [attribute] * self.random.choice((1, 2)))
            rdn.content = [parsed(one) for one in together]
        else:
            name.children.insert(self.random.randint(0, len(name.children)), parsed(tlv(0x31, attribute)))


# The rules


class NotLoaded(Exception):
    """cryptography does not take it for a certificate."""


def walk(der: bytes) -> tuple[x509.Certificate, PlainLeaf | None]:
    try:
        certificate = x509.load_der_x509_certificate(der)
    except Exception as error:  # cryptography has several for what it cannot read
        raise NotLoaded from error
    return certificate, plain_leaf(der)


def has_point_on_curve(certificate: x509.Certificate) -> bool:
    try:
        certificate.public_key()
    except ValueError:
        return False
    return True


def hold_to_the_rules(certificate: x509.Certificate, found: PlainLeaf) -> None:
    """Whatever is plain parses, keeps the rules for a leaf, and is what the walk says it is."""
    presented._require_parsed(certificate, 0)
    assert has_sound_key(found) == has_point_on_curve(certificate)
    if not has_sound_key(found):
        return  # which the walk does not see; the trust store looks
    require_client_leaf(certificate)
    for name, rdns in ((certificate.issuer, found.issuer), (certificate.subject, found.subject)):
        assert name.public_bytes() == tlv(0x30, rdns)
        text = plain_text(rdns)
        assert text is None or is_openssl_text_of(name, text)
    identifiers = [one.value for one in certificate.extensions if isinstance(one.value, x509.AuthorityKeyIdentifier)]
    assert found.key_identifier == (identifiers[0].key_identifier if identifiers else None)
    key = certificate.public_key()
    is_point = isinstance(key, ec.EllipticCurvePublicKey)
    assert found.point == (key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) if is_point else None)
    der = certificate.public_bytes(Encoding.DER)
    assert certificate.tbs_certificate_bytes == der[4 : found.signed_until]
    assert certificate.signature == der[found.signature :]
    assert der[found.signed_until :].startswith(found.signature_algorithm)
    assert identifier(certificate.signature_algorithm_oid.dotted_string) in found.signature_algorithm
    ours, theirs = (_identity_of((certificate,), der, is_plain=is_plain) for is_plain in (True, False))
    assert ours.as_dict() == theirs.as_dict()


# The trust store with the walk, and without


Answer: TypeAlias = tuple[bytes, tuple[x509.Certificate, ...], dt.datetime] | str


def answer(store: TrustStore, der: bytes, forwarded: Sequence[x509.Certificate], at: dt.datetime) -> Answer:
    try:
        chain = PresentedChain.from_der([der, *(Party(one, ROOT.key).der for one in forwarded)])
        verified = store._current().verify(chain, at)
    except ClientCertError as error:
        return error.code
    identity, until = verified
    return identity._der, identity.chain, until


def both_answers(
    store: TrustStore, der: bytes, forwarded: Sequence[x509.Certificate] = (), at: dt.datetime = NOW
) -> tuple[Answer, Answer]:
    """What the store says with the walk, and where it says nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(presented, "plain_leaf", lambda _: None)
        without = answer(store, der, forwarded, at)
    return answer(store, der, forwarded, at), without


MOMENTS = [
    *[NOW] * 8,
    *(
        start + by
        for start in (NOW - DAY, NOW + DAY, NOW + 30 * DAY)
        for by in (-MINUTE, -SECOND / 2, SECOND / 2, MINUTE)
    ),
]
STORES = [
    BELOW_ROOT,
    BELOW_LOWER,
    BELOW_RSA,
    loaded(ROOT, LOWER, RSA_ROOT, *OTHERS),
    loaded(*OTHERS, LOWER, ROOT),
    TrustStore([ROOT.certificate, LOWER.certificate], clock_skew=60),
    TrustStore([ROOT.certificate, LOWER.certificate], crls=[revocation_list(ROOT), revocation_list(LOWER)]),
]


@pytest.fixture(autouse=True)
def odd_certificates_may_be_remarked_upon() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def all_originals() -> list[Original]:
    return list(originals())


@pytest.mark.parametrize("batch", range(6))
def test_whatever_is_changed_in_a_certificate_the_walk_says_yes_only_where_the_rules_do(batch: int) -> None:
    counts: collections.Counter[str] = collections.Counter()
    for number in range(batch, CASES, 6):
        changer = Changer(SEED + number)
        der = changer.certificate(changer.random.choice(all_originals()))
        try:
            certificate, found = walk(der)
        except NotLoaded:
            counts["not loaded"] += 1
            continue
        counts["plain" if found else "not plain"] += 1
        if found:
            hold_to_the_rules(certificate, found)
        store = changer.random.choice(STORES)
        at = (
            NOW
            + changer.random.choice((0, 0, 0, 1, 2, 30, 40, -2)) * DAY
            + changer.random.choice((-1, 0, 0, 1)) * SECOND / 2
        )
        with_walk, without = both_answers(store, der, at=at)
        assert with_walk == without, f"seed {SEED + number}"
        counts[with_walk if isinstance(with_walk, str) else "accepted"] += 1
    print(dict(counts))  # noqa: T201  # with pytest -s
    assert min(counts[each] for each in ("plain", "not plain", "not loaded", "accepted")) > CASES / 60 / 6


@pytest.mark.parametrize("extra", ODD_EXTENSIONS, ids=bytes.hex)
def test_every_odd_extension_alone_and_twice_is_taken_as_the_rules_take_it(extra: bytes) -> None:
    added = parsed(extra)
    beside: tuple[Extension, ...] = ((NAMES, False), (basic(ca=False), True))
    for other, repeated in itertools.product(beside, (1, 2)):
        signed, algorithm, _ = elements(content_of(certify("alice", ROOT, extensions=[other]).der))
        tbs = parsed(signed)
        found = tbs.children[-1].children[0].children
        found[:] = [one for one in found if one.children[:1] != added.children[:1]] + [added] * repeated
        body = tbs.encode()
        der = tlv(0x30, body, algorithm, tlv(0x03, b"\0", signature_by(ROOT.key, body)))
        with contextlib.suppress(NotLoaded):
            certificate, plain = walk(der)
            if plain:
                assert repeated == 1
                hold_to_the_rules(certificate, plain)
            with_walk, without = both_answers(BELOW_ROOT, der)
            assert with_walk == without


# What stands above the leaf, as it was judged when it was loaded and as it is when the leaf comes


Situation: TypeAlias = tuple[str, str, Party, list[Party], dict[str, Any], dt.datetime]
"""What it is, the code of the refusal if it must be refused, the leaf, the bundle, the store's options, and when."""

EXPIRED, UNTRUSTED, UNSUITABLE = "certificate_expired", "certificate_untrusted", "certificate_unsuitable"
FIRST, SECOND_KEY, THIRD = (private_key("P-256", number) for number in (4, 5, 6))
BRIEF = authority("Brief", key=FIRST, end=NOW + 2 * DAY)
BELOW_BRIEF = authority("Below", BRIEF, key=SECOND_KEY)


def validity() -> Iterator[Situation]:
    both = [BELOW_BRIEF, BRIEF]
    end = BRIEF.certificate.not_valid_after_utc
    for name, code, at in (
        ("is valid", "", NOW),
        ("is in its last second", "", end),
        ("is within its last second", "", end + SECOND / 2),
        ("ended a second ago", EXPIRED, end + SECOND),
        ("ended since it was loaded", EXPIRED, NOW + 3 * DAY),
    ):
        yield f"a root that {name}", code, client("a", BRIEF), [BRIEF], {}, at
        yield f"a root above that {name}", code, client("a", BELOW_BRIEF), both, {}, at
    early = authority("Early", key=FIRST, start=NOW + DAY)
    yield "a root that has begun since", "", client("a", early), [ROOT, early], {}, NOW + 2 * DAY
    yield "a root that has yet to begin", "certificate_not_yet_valid", client("a", early), [ROOT, early], {}, NOW
    passing = authority("Below", ROOT, key=SECOND_KEY, end=NOW + 2 * DAY)
    yield "an intermediate that is valid", "", client("a", passing), [ROOT, passing], {}, NOW
    yield "an intermediate that ended since", EXPIRED, client("a", passing), [ROOT, passing], {}, NOW + 3 * DAY
    other_way = authority("Below", RSA_ROOT, key=SECOND_KEY)
    for bundle in ([ROOT, passing, RSA_ROOT, other_way], [other_way, passing, RSA_ROOT, ROOT]):
        yield "cross-signed, and one way ended since", "", client("a", passing), bundle, {}, NOW + 3 * DAY
    old = authority("Old", key=FIRST, start=NOW - 9 * DAY, end=NOW - DAY)
    below = authority("Below", old, key=SECOND_KEY)
    yield "below an expired root", EXPIRED, client("a", below), [old, below], {}, NOW
    yield "the same cross-signed", "", client("a", below), [old, below, RSA_ROOT, other_way], {}, NOW


def limits() -> Iterator[Situation]:
    constrained = [(permitted(DNS("example.org")), True)]
    root = authority("Constrained", key=FIRST, extra=constrained)
    lower = authority("Constrained", ROOT, key=FIRST, extra=constrained)
    for ca, bundle in (
        (root, [root]),
        (lower, [lower, ROOT]),
        (below_root := authority("Below", root, key=SECOND_KEY), [root, below_root]),
        (below_lower := authority("Below", lower, key=SECOND_KEY), [below_lower, lower, ROOT]),
    ):
        for host, code in (("a.example.org", ""), ("a.example.com", UNSUITABLE)):
            yield f"constraints, {host}", code, client("a", ca, extra=[(sans(DNS(host)), False)]), bundle, {}, NOW
        yield "constraints, a host in the subject alone", UNSUITABLE, client("a.example.org", ca), bundle, {}, NOW
        yield "constraints, no host at all", "", client("a", ca), bundle, {}, NOW
    for limit, code in ((0, UNSUITABLE), (1, "")):
        short = authority("Short", key=FIRST, pathlen=limit)
        below = authority("Below", short, key=SECOND_KEY)
        yield f"pathlen {limit}", code, client("a", below), [short, below], {}, NOW
    deep = authority("Deep", LOWER, key=SECOND_KEY)
    for depth, code in ((0, UNTRUSTED), (1, UNTRUSTED), (2, ""), (3, "")):
        yield f"max_depth {depth}", code, client("a", deep), [ROOT, LOWER, deep], {"max_depth": depth}, NOW


def names() -> Iterator[Situation]:
    def identified_by(number: int) -> list[Extension]:
        return [(aki(private_key("P-256", number)), False)]

    name = "CN=Twin,O=Example"
    twins = [authority(name, key=key) for key in (FIRST, SECOND_KEY, THIRD)]
    for twin in twins:
        yield "one of three CAs of a name", "", client("a", twin), twins, {}, NOW
    nameless = authority(x509.Name([]), key=FIRST)
    yield "a CA without a name", UNTRUSTED, client("a", nameless), [nameless], {}, NOW
    yield "another authority key", UNTRUSTED, client("a", ROOT, extra=identified_by(9)), [ROOT], {}, NOW
    renewed = [authority(name, key=FIRST, extra=[(ski(private_key("P-256", number)), False)]) for number in (7, 8, 9)]
    for number in (7, 8, 9):
        leaf = client("a", renewed[0], extra=identified_by(number))
        yield "one of three certificates of a key", "", leaf, renewed, {}, NOW
    yield "none of three", UNTRUSTED, client("a", renewed[0], extra=identified_by(10)), renewed, {}, NOW
    bare: list[type[x509.ExtensionType]] = [x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier]
    for without, code in (([], ""), (bare, UNTRUSTED)):
        new = authority(name, twins[0], key=private_key("P-256", 7), without=without)
        yield f"a new key signed by the old, without {without}", code, client("a", new), [twins[0], new], {}, NOW
        for own in (name, "CN=tWIN,O=example", "CN=twin\\ ,O=Example", "CN=\\ twin,O=Example\\ "):
            leaf = client(own, twins[0], without=without)
            yield f"a leaf of its CA's name, {own!r}, without {without}", code, leaf, [twins[0]], {}, NOW


def bundles() -> Iterator[Situation]:
    leaf, both = client("a", LOWER), [ROOT, LOWER]
    revoked = {"crls": [revocation_list(ROOT, LOWER.certificate.serial_number), revocation_list(LOWER)]}
    yield "a CRL that revokes the intermediate", "certificate_revoked", leaf, both, revoked, NOW
    name = "CN=Twice,O=Example"
    withdrawn = authority(name, key=FIRST)
    constrained = authority(name, key=FIRST, extra=[(permitted(DNS("example.org")), True)])
    gone = {"crls": [revocation_list(withdrawn, withdrawn.certificate.serial_number)]}
    pair = [constrained, withdrawn]
    yield "a CRL that revokes one of two certificates of a CA", "", client("a", withdrawn), pair, gone, NOW
    lists = {"crls": [revocation_list(ROOT, end=NOW + DAY), revocation_list(LOWER)]}
    yield "CRLs that revoke nothing", "", leaf, both, lists, NOW
    yield "CRLs of which one ended since", "revocation_unknown", leaf, both, lists, NOW + 2 * DAY
    yield "a leaf in the bundle and its issuer", "", leaf, [*both, leaf], {}, NOW
    yield "a leaf in the bundle and no issuer", "", leaf, [ROOT, leaf], {}, NOW
    yield "a leaf in the bundle that ended since", EXPIRED, leaf, [ROOT, leaf], {}, NOW + 40 * DAY
    alone, beside = client("CN=Alone,O=Example", key=FIRST), authority("CN=Alone,O=Example", key=FIRST)
    yield "a self-signed leaf in the bundle", "", alone, [alone], {}, NOW
    yield "the same beside a CA of its key and name", "", alone, [beside, alone], {}, NOW
    yield "a self-signed leaf that is not", UNTRUSTED, alone, [ROOT], {}, NOW


def clocks() -> Iterator[Situation]:
    skew, both = {"clock_skew": 60.0}, [ROOT, LOWER]
    late = client("a", LOWER, end=NOW - SECOND * 30)
    yield "an end within the allowance", "", late, both, skew, NOW
    yield "the same without one", EXPIRED, late, both, {}, NOW
    leaf, bundle, end = client("a", BELOW_BRIEF), [BRIEF, BELOW_BRIEF], NOW + 2 * DAY + MINUTE
    yield "an end of the root within the allowance", "", leaf, bundle, skew, end
    yield "an end of the root beyond it", EXPIRED, leaf, bundle, skew, end + SECOND
    soon = authority("Soon", key=FIRST, start=NOW + SECOND * 30)
    yield "a beginning within the allowance", "", client("a", soon), [ROOT, soon], skew, NOW
    both_ways = client("a", soon, end=NOW - SECOND * 20)
    yield "an end and a beginning at once", EXPIRED, both_ways, [ROOT, soon], skew, NOW


SITUATIONS = [*validity(), *limits(), *names(), *bundles(), *clocks()]

in_each_situation = pytest.mark.parametrize(
    ("code", "leaf", "bundle", "options", "at"),
    [each[1:] for each in SITUATIONS],
    ids=[f"{number}: {each[0]}" for number, each in enumerate(SITUATIONS)],
)


@in_each_situation
def test_what_stands_above_a_leaf_is_judged_as_it_is_when_the_leaf_comes(
    code: str, leaf: Party, bundle: list[Party], options: dict[str, Any], at: dt.datetime
) -> None:
    store = TrustStore([party.certificate for party in bundle], **options)
    with_walk, without = both_answers(store, leaf.der, at=at)
    assert with_walk == without
    assert (with_walk if isinstance(with_walk, str) else "") == code
    assert plain_leaf(leaf.der)


@pytest.mark.parametrize(
    "leaf",
    [
        client("CN=alice,O=Example", authority("CN=Stranger,O=Example", key=private_key("P-256", 9))),
        client("CN=alice,O=Example", authority("CN=Root,OU=PKI,O=Example,C=DE", key=private_key("P-256", 9))),
        client("CN=alice,O=Example", key=private_key("P-256", 9)),
        client("CN=\\#alice\\, Inc,O=Example", authority("CN=Stranger\\+,O=Example", key=private_key("P-256", 9))),
    ],
    ids=["an unknown issuer", "another key of the issuer's name", "self-signed", "names with escapes"],
)
def test_a_refusal_reads_the_same_with_the_walk_and_without(leaf: Party, monkeypatch: pytest.MonkeyPatch) -> None:
    details = []
    for _ in range(2):
        with refused("certificate_untrusted") as caught:
            BELOW_ROOT.verify(PresentedChain.from_der([leaf.der]))
        details.append(caught.value.detail)
        monkeypatch.setattr(presented, "plain_leaf", lambda _: None)
    assert details[0] == details[1]
    assert "alice" in details[0]


def test_a_key_that_is_no_point_of_its_curve_is_refused_though_all_else_is_plain() -> None:
    der = with_change(client("alice", ROOT), off_curve, ROOT).der
    _, found = walk(der)
    assert found
    assert both_answers(BELOW_ROOT, der) == ("certificate_unsuitable", "certificate_unsuitable")


def off_curve(parts: list[bytes]) -> None:
    parts[6] = parts[6][:-1] + bytes([parts[6][-1] ^ 1])


def test_two_attributes_of_one_rdn_are_not_taken_for_two_rdns() -> None:
    def twice(parts: list[bytes]) -> None:
        attribute = tlv(0x30, identifier("2.5.4.3"), tlv(0x0C, b"ab1x"))
        parts[5] = tlv(0x30, tlv(0x31, attribute, attribute))

    der = with_change(client("alice", ROOT), twice, ROOT).der
    assert walk(der)[1] is None
    assert both_answers(BELOW_ROOT, der) == ("certificate_malformed", "certificate_malformed")


def test_what_is_cut_short_is_never_plain() -> None:
    der = client("alice", ROOT).der
    assert walk(der)[1]
    signed = 8 + int.from_bytes(der[6:8])
    assert {plain_leaf(der[:size]) for size in range(signed)} == {None}


@pytest.mark.parametrize("batch", range(4))
def test_random_pkis_get_the_same_answer_with_the_walk_and_without_at_any_time(batch: int) -> None:
    counts: collections.Counter[str] = collections.Counter()
    for number in range(batch, CASES // 3, 4):
        maker = Maker(SEED + number)
        case = maker.case()
        known = [made.certificate for made in (case.leaf, *case.bundle, *case.forwarded)]
        ends = [end for one in known for end in (one.not_valid_before_utc, one.not_valid_after_utc)]
        at = maker.random.choice((NOW, maker.random.choice(ends) + maker.random.randint(-90, 90) * SECOND))
        options: dict[str, Any] = {
            "crls": case.crls,
            "max_depth": case.max_depth,
            "clock_skew": maker.random.choice((0, 60)),
        }
        try:
            store = TrustStore([made.certificate for made in case.bundle], **options)
        except ValueError:
            continue
        der, forwarded = case.leaf.party.der, [made.certificate for made in case.forwarded]
        with_walk, without = both_answers(store, der, forwarded, at)
        if with_walk != without:  # another path, of two certificates of one CA
            assert not isinstance(with_walk, str), f"seed {SEED + number}"
            options["crls"] = [one for one in case.crls if one.issuer in {ca.subject for ca in with_walk[1]}]
            alone = TrustStore(with_walk[1][1:], **options)
            assert both_answers(alone, der, at=at) == (with_walk, with_walk), f"seed {SEED + number}"
            counts["another path"] += 1
        counts["plain" if plain_leaf(der) else "not plain"] += 1
        counts["refused" if isinstance(with_walk, str) else "accepted"] += 1
    print(dict(counts))  # noqa: T201  # with pytest -s
    assert min(counts[each] for each in ("plain", "not plain", "accepted", "refused")) > CASES / 3 / 4 / 20
    assert counts["another path"] <= CASES / 3 / 4 / 50
