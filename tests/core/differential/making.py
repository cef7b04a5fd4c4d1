"""Certificates and CRLs made from what is to be said in them, and remembered as that."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import functools
import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from cryptography import x509

from ..pki import DAY, NOW, tlv
from .asn1 import bits, boolean, flags, integer, oid, sequence, time
from .keys import Key, Scheme, algorithm_of, scheme_for, signature
from .names import Name, canonical, der_of, shown

USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)
CLIENT_AUTH, SERVER_AUTH, ANY_PURPOSE = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"
ANY_POLICY = "2.5.29.32.0"
SMTP_UTF8_MAILBOX, UPN = "1.3.6.1.5.5.7.8.9", "1.3.6.1.4.1.311.20.2.3"

BASIC, USAGE, PURPOSES, SKI, AKI, SAN = "2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35", "2.5.29.17"
CONSTRAINTS, POLICIES, POINTS, INHIBIT_ANY = "2.5.29.30", "2.5.29.32", "2.5.29.31", "2.5.29.54"
POLICY_CONSTRAINTS, POLICY_MAPPINGS, NETSCAPE = "2.5.29.36", "2.5.29.33", "2.16.840.1.113730.1.1"
IDP, DELTA, CRL_NUMBER, REASON, ISSUER_NAMES = "2.5.29.28", "2.5.29.27", "2.5.29.20", "2.5.29.21", "2.5.29.18"
FRESHEST, AIA, OCSP_NO_CHECK = "2.5.29.46", "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.48.1.5"
PROXY_CERT_INFO, IP_BLOCKS, AS_NUMBERS = "1.3.6.1.5.5.7.1.14", "1.3.6.1.5.5.7.1.7", "1.3.6.1.5.5.7.1.8"


class Extension(NamedTuple):
    oid: str
    value: bytes
    critical: bool = False

    @property
    def der(self) -> bytes:
        critical = boolean(True) if self.critical else b""
        return sequence(oid(self.oid), critical, tlv(0x04, self.value))


class RawExtension(Extension):
    """An extension that says of itself that it is not critical, which DER leaves out."""

    @property
    def der(self) -> bytes:
        return sequence(oid(self.oid), boolean(False), tlv(0x04, self.value))


class General(NamedTuple):
    """A GeneralName: its kind, and what is in it."""

    kind: str
    value: bytes | str | Name
    odd: bool = False
    """Whether it cannot be read by the syntax of its kind."""

    @property
    def der(self) -> bytes:
        if isinstance(self.value, tuple):
            return tlv(0xA4, der_of(self.value))
        value = self.value.encode() if isinstance(self.value, str) else self.value
        if self.kind in OTHER_NAMES:
            return tlv(0xA0, oid(OTHER_NAMES[self.kind]), tlv(0xA0, tlv(0x0C, value)))
        return tlv(_TAGS[self.kind], value)


_TAGS = {"email": 0x81, "DNS": 0x82, "EDI": 0xA5, "URI": 0x86, "IP": 0x87, "RID": 0x88}
OTHER_NAMES = {"SmtpUTF8Mailbox": SMTP_UTF8_MAILBOX, "UPN": UPN}


def address(text: str) -> bytes:
    """An IP address, or a network as name constraints write it."""
    if "/" not in text:
        return ipaddress.ip_address(text).packed
    network = ipaddress.ip_network(text)
    return network.network_address.packed + network.netmask.packed


class Subtree(NamedTuple):
    base: General
    permitted: bool
    minimum: int | None = None
    maximum: int | None = None

    @property
    def der(self) -> bytes:
        minimum = b"" if self.minimum is None else tlv(0x80, bytes([self.minimum]))
        maximum = b"" if self.maximum is None else tlv(0x81, bytes([self.maximum]))
        return sequence(self.base.der, minimum, maximum)


class Aki(NamedTuple):
    key: bytes | None
    issuer: Name | None = None
    serial: int | None = None

    @property
    def der(self) -> bytes:
        key = b"" if self.key is None else tlv(0x80, self.key)
        issuer = b"" if self.issuer is None else tlv(0xA1, General("directory", self.issuer).der)
        serial = b"" if self.serial is None else tlv(0x82, integer(self.serial)[2:])
        return sequence(key, issuer, serial)


class Point(NamedTuple):
    """A distribution point: the URIs of its full name."""

    uris: tuple[str, ...]
    reasons: tuple[int, ...] = ()
    crl_issuer: Name | None = None

    @property
    def der(self) -> bytes:
        name = tlv(0xA0, tlv(0xA0, *(General("URI", uri).der for uri in self.uris))) if self.uris else b""
        reasons = tlv(0x81, flags(*self.reasons)[2:]) if self.reasons else b""
        issuer = tlv(0xA2, General("directory", self.crl_issuer).der) if self.crl_issuer is not None else b""
        return sequence(name, reasons, issuer)


@dataclasses.dataclass(eq=False, repr=False)
class Made:
    """A certificate: what it says, and which key signed it. Change it before the first look at `der`, not after."""

    subject: Name
    key: Key
    parent: Made | None = None
    """The CA whose name and key identifiers it bears; None for one that is to issue itself."""
    signer: Key | None = None
    """The key that signs, if it is not the parent's."""
    issuer_name: Name | None = None
    """The issuer as written, if it is not the parent's subject as written there."""
    serial: int = 1
    start: dt.datetime = NOW - 9 * DAY
    end: dt.datetime = NOW + 30 * DAY
    version: int = 3
    scheme: Scheme | None = None
    outer_scheme: Scheme | None = None
    spoilt: bool = False
    """Whether what it says was changed after it was signed."""
    basic: tuple[bool, int | None] | None = None
    usage: frozenset[str] | None = None
    purposes: tuple[str, ...] | None = None
    ski: bytes | None = None
    aki: Aki | None = None
    sans: tuple[General, ...] = ()
    subtrees: tuple[Subtree, ...] = ()
    policies: tuple[str, ...] | None = None
    inhibit_any: int | None = None
    points: tuple[Point, ...] = ()
    netscape: tuple[int, ...] | None = None
    extra: list[Extension] = dataclasses.field(default_factory=list)
    critical: set[str] = dataclasses.field(default_factory=set)
    raw_subject: bytes | None = None
    traits: set[str] = dataclasses.field(default_factory=set)
    """The traps that were set in it."""

    @property
    def issuer(self) -> Name:
        if self.issuer_name is not None:
            return self.issuer_name
        return self.subject if self.parent is None else self.parent.subject

    @property
    def signed_by(self) -> Key:
        if self.signer is not None:
            return self.signer
        return self.key if self.parent is None else self.parent.key

    @property
    def signed_with(self) -> Scheme:
        return scheme_for(self.signed_by, self.scheme)

    @functools.cached_property
    def names(self) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """Subject and issuer, as they are compared."""
        return canonical(self.subject), canonical(self.issuer)

    @property
    def is_ca(self) -> bool:
        """Whether it is a CA by its own basic constraints."""
        return self.version == 3 and self.basic is not None and self.basic[0]

    @property
    def is_self_issued(self) -> bool:
        return self.names[0] == self.names[1]

    def was_signed_by(self, key: Key) -> bool:
        return self.signed_by.private is key.private and not self.spoilt

    def extensions(self) -> list[Extension]:
        found: list[tuple[str, bytes | None]] = [
            (BASIC, None if self.basic is None else _basic(*self.basic)),
            (USAGE, None if self.usage is None else flags(*map(USAGES.index, self.usage))),
            (PURPOSES, None if self.purposes is None else sequence(*map(oid, self.purposes))),
            (SKI, None if self.ski is None else tlv(0x04, self.ski)),
            (AKI, None if self.aki is None else self.aki.der),
            (SAN, sequence(*(one.der for one in self.sans)) if self.sans else None),
            (CONSTRAINTS, _constraints(self.subtrees) if self.subtrees else None),
            (POLICIES, None if self.policies is None else sequence(*(sequence(oid(one)) for one in self.policies))),
            (INHIBIT_ANY, None if self.inhibit_any is None else integer(self.inhibit_any)),
            (POINTS, sequence(*(one.der for one in self.points)) if self.points else None),
            (NETSCAPE, None if self.netscape is None else flags(*self.netscape)),
        ]
        ours = [Extension(kind, value, kind in self.critical) for kind, value in found if value is not None]
        return ours + self.extra

    @functools.cached_property
    def der(self) -> bytes:
        scheme, key = self.signed_with, self.signed_by
        extensions = self.extensions() if self.version == 3 else []
        body = sequence(
            # 0 stands for version 1, written out.
            tlv(0xA0, integer(max(self.version - 1, 0))) if self.version != 1 else b"",
            integer(self.serial),
            algorithm_of(key, scheme),
            der_of(self.issuer),
            sequence(time(self.start), time(self.end)),
            der_of(self.subject) if self.raw_subject is None else self.raw_subject,
            self.key.spki,
            tlv(0xA3, sequence(*(one.der for one in extensions))) if extensions else b"",
        )
        signed = signature(key, scheme, body + b"?" if self.spoilt else body)
        return sequence(body, algorithm_of(key, scheme_for(key, self.outer_scheme or scheme)), bits(signed))

    @functools.cached_property
    def pem(self) -> str:
        return pem(self.der, "CERTIFICATE")

    @functools.cached_property
    def parses(self) -> bool:
        """Whether cryptography reads all of it."""
        try:
            certificate = x509.load_der_x509_certificate(self.der)
            certificate.public_key()
            _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.signature_hash_algorithm
            _ = certificate.signature_algorithm_parameters, certificate.not_valid_after_utc
        except Exception:  # noqa: BLE001  # whatever it says
            return False
        return True

    def __str__(self) -> str:
        said = [f"{shown(self.subject)} by {shown(self.issuer)}", f"v{self.version}", self.key.kind + self.key.form]
        by = "itself" if self.signed_by.private is self.key.private else self.signed_by.kind
        said += [f"signed by {by} {self.signed_with}{' SPOILT' if self.spoilt else ''}", f"serial {self.serial:x}"]
        said += [f"until {self.end:%F %T}", f"traps {sorted(self.traits)}"]
        plain = ("basic", "usage", "purposes", "ski", "aki", "sans", "subtrees", "policies", "points", "netscape")
        lines = [", ".join(said)]
        if self.version == 3:
            shows = {each: getattr(self, each) for each in plain}
            lines += [f"    {each}: {_short(value)}" for each, value in shows.items() if value not in (None, ())]
            lines += [f"    {one}" for one in self.extra]
            lines += [f"    critical: {sorted(self.critical)}"]
        return "\n".join(lines)


def _short(value: object) -> str:
    """A key identifier by its first octets; anything else as Python shows it."""
    if isinstance(value, Aki):
        name = "" if value.issuer is None else f", {shown(value.issuer)}"
        number = "" if value.serial is None else f", serial {value.serial:x}"
        return _short(value.key) + name + number
    return value.hex()[:12] if isinstance(value, bytes) else repr(value)


def _basic(ca: bool, length: int | None) -> bytes:
    return sequence(boolean(True) if ca else b"", b"" if length is None else integer(length))


def _constraints(subtrees: Sequence[Subtree]) -> bytes:
    parts = []
    for tag, permitted in ((0xA0, True), (0xA1, False)):
        if chosen := [one.der for one in subtrees if one.permitted is permitted]:
            parts.append(tlv(tag, *chosen))
    return sequence(*parts)


@dataclasses.dataclass(eq=False, repr=False)
class Crl:
    """A CRL: what it says, the CA whose name it bears, and the key that signed it."""

    issuer: Made
    revoked: dict[int, int | None] = dataclasses.field(default_factory=dict)
    """Serial numbers, each with its reason code."""
    signer: Key | None = None
    issuer_name: Name | None = None
    start: dt.datetime = NOW - DAY
    end: dt.datetime | None = NOW + 7 * DAY
    number: int | None = None
    delta: int | None = None
    """The number of the list that a delta is based on."""
    aki: Aki | None = None
    uris: tuple[str, ...] = ()
    """The full name of its issuing distribution point."""
    only: str = ""
    """What it is limited to: "users", "CAs", "attributes"."""
    reasons: tuple[int, ...] = ()
    indirect: bool = False
    idp_critical: bool = True
    scheme: Scheme | None = None
    spoilt: bool = False
    extra: list[Extension] = dataclasses.field(default_factory=list)
    traits: set[str] = dataclasses.field(default_factory=set)

    @property
    def name(self) -> tuple[object, ...]:
        return canonical(self.issuer.subject if self.issuer_name is None else self.issuer_name)

    @property
    def signed_by(self) -> Key:
        return self.signer or self.issuer.key

    @property
    def signed_with(self) -> Scheme:
        return scheme_for(self.signed_by, self.scheme)

    def was_signed_by(self, key: Key) -> bool:
        return self.signed_by.private is key.private and not self.spoilt

    @property
    def has_idp(self) -> bool:
        return bool(self.uris or self.only or self.reasons or self.indirect)

    def _idp(self) -> bytes:
        name = tlv(0xA0, tlv(0xA0, *(General("URI", uri).der for uri in self.uris))) if self.uris else b""
        tags = {"users": 0x81, "CAs": 0x82, "attributes": 0x85}
        only = tlv(tags[self.only], b"\xff") if self.only else b""
        reasons = tlv(0x83, flags(*self.reasons)[2:]) if self.reasons else b""
        indirect = tlv(0x84, b"\xff") if self.indirect else b""
        return sequence(name, *((only, reasons, indirect) if self.only != "attributes" else (reasons, indirect, only)))

    def extensions(self) -> list[Extension]:
        found = [] if self.aki is None else [Extension(AKI, self.aki.der)]
        if self.number is not None:
            found.append(Extension(CRL_NUMBER, integer(self.number)))
        if self.delta is not None:
            found.append(Extension(DELTA, integer(self.delta), critical=True))
        if self.has_idp:
            found.append(Extension(IDP, self._idp(), self.idp_critical))
        return found + self.extra

    @functools.cached_property
    def der(self) -> bytes:
        scheme, key = self.signed_with, self.signed_by
        entries = [
            sequence(
                integer(serial),
                time(NOW - 2 * DAY),
                b"" if reason is None else sequence(Extension(REASON, tlv(0x0A, bytes([reason]))).der),
            )
            for serial, reason in self.revoked.items()
        ]
        extensions = self.extensions()
        body = sequence(
            integer(1),
            algorithm_of(key, scheme),
            der_of(self.issuer.subject if self.issuer_name is None else self.issuer_name),
            time(self.start),
            b"" if self.end is None else time(self.end),
            sequence(*entries) if entries else b"",
            tlv(0xA0, sequence(*(one.der for one in extensions))) if extensions else b"",
        )
        signed = signature(key, scheme, body + b"?" if self.spoilt else body)
        return sequence(body, algorithm_of(key, scheme), bits(signed))

    @functools.cached_property
    def pem(self) -> str:
        return pem(self.der, "X509 CRL")

    @functools.cached_property
    def parses(self) -> bool:
        """Whether cryptography reads all of it."""
        try:
            crl = x509.load_der_x509_crl(self.der)
            _ = crl.issuer, crl.extensions, [entry.extensions for entry in crl], crl.signature_hash_algorithm
        except Exception:  # noqa: BLE001  # whatever it says
            return False
        return True

    def __str__(self) -> str:
        numbers = {f"{serial:x}": reason for serial, reason in self.revoked.items()}
        return (
            f"CRL of {shown(self.issuer.subject)}, key of the CA: {self.was_signed_by(self.issuer.key)}, revoked "
            f"{numbers}, from {self.start:%F %T} to {self.end}, number {self.number}, delta {self.delta}, "
            f"AKI {_short(self.aki)}, IDP uris {self.uris} only {self.only!r} reasons {self.reasons} "
            f"indirect {self.indirect}, traps {sorted(self.traits)}"
        )


def pem(der: bytes, label: str) -> str:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Case:
    """A leaf, the CAs around it, and how a service was configured with them."""

    leaf: Made
    bundle: list[Made]
    forwarded: list[Made] = dataclasses.field(default_factory=list)
    crls: list[Crl] | None = None
    """None: revocation is not asked."""
    max_depth: int = 3
    at: dt.datetime = NOW
    junk: tuple[bytes, ...] = ()
    """DER in the bundle that is no certificate."""

    @property
    def members(self) -> list[Made]:
        return list(dict.fromkeys((self.leaf, *self.forwarded, *self.bundle)))

    def __str__(self) -> str:
        asked = "no CRLs asked" if self.crls is None else f"{len(self.crls)} CRLs"
        lines = [f"max_depth {self.max_depth}, at {self.at:%F %T}, {asked}, {len(self.junk)} pieces of junk"]
        roles = (("leaf", [self.leaf]), ("bundle", self.bundle), ("forwarded", self.forwarded))
        lines += [f"{role}: {made}" for role, members in roles for made in members]
        return "\n".join(lines + [str(crl) for crl in self.crls or ()])
