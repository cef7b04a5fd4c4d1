"""Authorization rules: functions of a verified identity. Combine them with `&`, `|` and `~`.

A CA's signature says who a client is, not what it may do. If your CA issues to others too, a rule rejects them.
Comparisons are exact and case-sensitive unless a rule says otherwise. Rules compare parsed names, never a part of a
distinguished name's text, because a value can look like more attributes.

Each rule has a repr that reads like its source. The detail of `not_authorized` quotes it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from .core.identity import ClientIdentity

__all__ = [
    "Rule",
    "common_name",
    "dns_name",
    "email",
    "fingerprint",
    "ip_address",
    "issuer",
    "organization",
    "organizational_unit",
    "policy",
    "predicate",
    "serial_number",
    "spiffe_id",
    "spiffe_trust_domain",
    "spki_sha256",
    "subject",
    "upn",
    "uri",
]

_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_ANY_POLICY = "2.5.29.32.0"


class Rule:
    """A function of an identity that returns True or False.

    Combine rules with `&` (both), `|` (either) and `~` (not). The functions of this module return rules.
    """

    __slots__ = ("_holds", "_text")

    def __init__(self, holds: Callable[[ClientIdentity], object], text: str) -> None:
        self._holds = holds
        self._text = text

    def __call__(self, identity: ClientIdentity) -> bool:
        """Return whether the rule holds for this identity."""
        answer = self._holds(identity)
        if answer is True or answer is False:
            return answer
        # Not "so False": under a ~ that would let everybody in.
        raise TypeError(f"the rule {self!r} answered {type(answer).__name__}, neither True nor False")

    def __and__(self, other: Rule) -> Rule:
        if not isinstance(other, Rule):
            return NotImplemented
        return Rule(lambda identity: self(identity) and other(identity), f"({self!r} & {other!r})")

    def __or__(self, other: Rule) -> Rule:
        if not isinstance(other, Rule):
            return NotImplemented
        return Rule(lambda identity: self(identity) or other(identity), f"({self!r} | {other!r})")

    def __invert__(self) -> Rule:
        return Rule(lambda identity: not self(identity), f"~{self!r}")

    def __bool__(self) -> bool:
        raise TypeError("a rule is neither true nor false: combine rules with & | ~, not with and, or, not")

    def __repr__(self) -> str:
        return self._text


def _one_of(name: str, wanted: tuple[str, ...], values: Callable[[ClientIdentity], tuple[str, ...]]) -> Rule:
    if not wanted or not all(wanted):
        raise ValueError(f"{name}() needs one or more values, none of them empty")
    allowed = frozenset(wanted)
    return Rule(
        lambda identity: not allowed.isdisjoint(values(identity)),
        f"{name}({', '.join(ascii(value) for value in wanted)})",
    )


def _optional(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def common_name(*names: str) -> Rule:
    """Return a rule: the subject has exactly one common name, and it is one of these."""
    return _one_of("common_name", names, lambda identity: _optional(identity.common_name))


def subject(*names: str) -> Rule:
    """Return a rule: the whole subject is one of these RFC 4514 texts, as `identity.subject` writes them."""
    return _one_of("subject", names, lambda identity: (identity.subject,))


def issuer(*names: str) -> Rule:
    """Return a rule: the whole issuer is one of these RFC 4514 texts, as `identity.issuer` writes them."""
    return _one_of("issuer", names, lambda identity: (identity.issuer,))


def organization(*names: str) -> Rule:
    """Return a rule: the subject has one of these organization names."""
    return _one_of("organization", names, lambda identity: identity.organizations)


def organizational_unit(*names: str) -> Rule:
    """Return a rule: the subject has one of these organizational unit names."""
    return _one_of("organizational_unit", names, lambda identity: identity.organizational_units)


def email(*addresses: str) -> Rule:
    """Return a rule: one of these is an e-mail address of the alternative names, not the subject. Case-sensitive."""
    return _one_of("email", addresses, lambda identity: identity.sans.emails)


def dns_name(*names: str) -> Rule:
    """Return a rule: one of these is a DNS name in the alternative names. A wildcard matches only the same wildcard."""
    return _one_of("dns_name", names, lambda identity: identity.sans.dns_names)


def uri(*uris: str) -> Rule:
    """Return a rule: one of these is a URI in the alternative names."""
    return _one_of("uri", uris, lambda identity: identity.sans.uris)


def spiffe_id(*ids: str) -> Rule:
    """Return a rule: the certificate is an X.509-SVID with one of these SPIFFE IDs."""
    return _one_of("spiffe_id", ids, lambda identity: _optional(identity.spiffe_id))


def spiffe_trust_domain(*domains: str) -> Rule:
    """Return a rule: the certificate is an X.509-SVID of one of these trust domains, such as `"example.org"`."""
    return _one_of(
        "spiffe_trust_domain",
        domains,
        lambda identity: _optional(identity.spiffe_id and identity.spiffe_id.removeprefix("spiffe://").split("/")[0]),
    )


def upn(*names: str) -> Rule:
    """Return a rule: one of these is a user principal name (Active Directory). Case-sensitive."""
    return _one_of("upn", names, lambda identity: identity.sans.upns)


def policy(*oids: str) -> Rule:
    """Return a rule: the certificate has one of these policies, and every CA below the anchor may issue under it.

    It reads `identity.policies`. Does not check: what a CA's policy mappings say. Below a CA with policy mappings the
    rule never holds.

    Parameters:
        oids: object identifiers with dots, such as `"2.16.840.1.101.3.2.1.3.13"` (PIV authentication). Read them in
            your CA's certificate policy. Other CAs use other identifiers.

    Raises:
        ValueError: there is no identifier, a text is not an identifier, or it is anyPolicy, which `identity.policies`
            never holds.

    Source: RFC 5280 section 4.2.1.4.
    """
    for oid in oids:
        if not _OID.fullmatch(oid):
            raise ValueError(f"policy() takes object identifiers with dots, such as 1.3.6.1.4.1.32473.1, not {oid!r}")
        if oid == _ANY_POLICY:
            raise ValueError(f"policy() takes the policies that you accept, not anyPolicy ({oid})")
    return _one_of("policy", oids, lambda identity: identity.policies)


def ip_address(*networks: str) -> Rule:
    """Return a rule: an IP address in the alternative names is one of these, or in one of these networks.

    It is the address that the CA wrote into the certificate, not the address of the request.
    """
    if not networks:
        raise ValueError("ip_address() needs one or more addresses or networks")
    allowed = [ipaddress.ip_network(network) for network in networks]
    return Rule(
        lambda identity: any(
            ipaddress.ip_address(address) in network
            for address in identity.sans.ip_addresses
            if "/" not in address
            for network in allowed
        ),
        f"ip_address({', '.join(map(ascii, networks))})",
    )


def fingerprint(*digests: str) -> Rule:
    """Return a rule: the SHA-256 of the certificate is one of these. Hexadecimal, with or without colons.

    Use it to accept certificates. Do not use it to reject them (`~`): anybody can give an ECDSA certificate a second
    fingerprint, because the signature has a second valid form. To reject a certificate, have its CA revoke it. Its
    `spki_sha256` and its `serial_number` do not change.
    """
    return _one_of("fingerprint", _digests("fingerprint", digests), lambda identity: (identity.fingerprint_sha256,))


def spki_sha256(*digests: str) -> Rule:
    """Return a rule: the SHA-256 of the public key is one of these. Hexadecimal, with or without colons.

    The digest is of the SubjectPublicKeyInfo, as DER. It stays when a certificate is renewed with the same key.
    """
    return _one_of("spki_sha256", _digests("spki_sha256", digests), lambda identity: (identity.spki_sha256,))


def _digests(name: str, digests: tuple[str, ...]) -> tuple[str, ...]:
    normal = tuple(digest.replace(":", "").lower() for digest in digests)
    if not all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in normal):
        raise ValueError(f"{name}() takes SHA-256 digests: 64 hexadecimal digits (SHA-1 has 40 and is not enough)")
    return normal


def serial_number(number: int, *, issuer: str) -> Rule:
    """Return a rule: the serial number *and* the issuer are these. A number alone does not identify a certificate.

    Parameters:
        number: the serial number. From hexadecimal: `int("0A1B", 16)`.
        issuer: the issuer as RFC 4514 text, as `identity.issuer` writes it.
    """
    return Rule(
        lambda identity: identity.serial_number == number and identity.issuer == issuer,
        f"serial_number({number}, issuer={issuer!a})",
    )


def predicate(holds: Callable[[ClientIdentity], bool]) -> Rule:
    """Return a rule of your own, to combine with the others.

    The function must return exactly True or False. Any other value rejects the client.
    """
    return Rule(holds, f"predicate({getattr(holds, '__qualname__', holds)})")
