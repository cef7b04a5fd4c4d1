"""Name constraints (RFC 5280 section 4.2.1.10): which names a CA may issue.

As OpenSSL applies them (crypto/x509/v3_ncons.c), and each difference refuses more:

- A name that cannot be read by its own syntax refuses below a constraint of its kind, permitted or excluded.
- A wildcard is held against excluded subtrees by what it may stand for.
- A leaf's common name is held against DNS constraints wherever it looks like a host name, even if there is a DNS name
  next to it: rules and `identity.common_name` read it.
- A minimum or maximum refuses, whichever names there are.

Names of kinds without a constraint are free: a user principal name below a CA that is constrained in DNS alone.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID

from .der import element
from .names import attributes, canonical, rfc4514

__all__ = ["Constraints", "Names"]

MAX_COMPARISONS = 1 << 16
"""The most names times constraints of one CA. OpenSSL's limit is 2**20 (NAME_CHECK_MAX), which takes a second here."""

_LONGEST_HOST = 253
_SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9"
_EMAIL_ADDRESS = bytes.fromhex("06092a864886f70d010901")
_IA5_STRING, _UTF8_STRING = 0x16, 0x0C

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_HOST_NAME = re.compile(_HOST)
_DNS = re.compile(rf"(?:\*\.)?{_HOST}")
_LOOKS_LIKE_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")  # OpenSSL, cn2dnsid: two labels at least
_EMAIL = re.compile(rf"[^@\x00-\x20\x7f]+@{_HOST}")
# OpenSSL takes any later colon for the end of the host name, and a question mark for a part of it.
_URI = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://({_HOST})(?::[0-9]*(?:/[!-~]*)?|(?:/[!-9;-~]*)?)")
_BASES = {
    "DNS": re.compile(rf"\.?{_HOST}|"),
    "e-mail": re.compile(rf"\.?{_HOST}|[^@\x00-\x20\x7f]*@{_HOST}"),
    "URI": re.compile(rf"\.?{_HOST}"),
}
_KINDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "DNS",
    x509.RFC822Name: "e-mail",
    x509.UniformResourceIdentifier: "URI",
    x509.IPAddress: "IP address",
    x509.DirectoryName: "directory name",
    x509.RegisteredID: "registered ID",
}


class _Name(NamedTuple):
    """A name to compare: its kind, its value in the form that is compared (None: it cannot be read), and its text."""

    kind: str
    value: Any
    text: str


class Names:
    """The names of one certificate that name constraints are about.

    Attributes:
        names: the subject, the e-mail addresses in it, and the alternative names.
        host_names: the common names that look like host names.
        unreadable: a part of the subject that refuses below any constraint.
    """

    def __init__(
        self, certificate: x509.Certificate, subject: bytes, alternative: x509.SubjectAlternativeName | None
    ) -> None:
        self.names: list[_Name] = list(map(_name, alternative or ()))
        self.host_names: list[_Name] = []
        self.unreadable: str | None = None
        if certificate.subject.rdns:
            self.names.append(_Name("directory name", canonical(subject), rfc4514(certificate.subject)))
        for oid, value in itertools.chain.from_iterable(attributes(subject)):
            if oid == _EMAIL_ADDRESS:
                text = value[element(value).content :].decode("latin-1")
                self.names.append(_Name("e-mail", _email(text), text))
                if value[0] != _IA5_STRING:
                    self.unreadable = text  # OpenSSL: X509_V_ERR_UNSUPPORTED_NAME_SYNTAX
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            text = str(attribute.value).rstrip("\0")
            if "\0" in text:
                self.unreadable = text
            elif _LOOKS_LIKE_HOST.fullmatch(text):
                self.host_names.append(_Name("DNS", _host(text), text))


def _name(name: x509.GeneralName) -> _Name:
    kind, text = _kind(name), str(name.value)
    value: Any = None
    if isinstance(name, x509.DNSName):
        value = _host(text) if _DNS.fullmatch(text) else None
    elif isinstance(name, x509.RFC822Name):
        value = _email(text)
    elif isinstance(name, x509.UniformResourceIdentifier):
        found = _URI.fullmatch(text)
        value = _host(found[1]) if found and not found[1].rpartition(".")[2].isdecimal() else None
    elif isinstance(name, x509.IPAddress):
        value = name.value if isinstance(name.value, (ipaddress.IPv4Address, ipaddress.IPv6Address)) else None
    elif isinstance(name, x509.DirectoryName):
        value, text = canonical(name.value.public_bytes()), rfc4514(name.value)
    elif isinstance(name, x509.OtherName) and kind == "e-mail" and name.value[0] == _UTF8_STRING:
        # RFC 9598: the local part is UTF-8, which no constraint can hold; a host name beyond ASCII is not read.
        text = name.value[element(name.value).content :].decode("utf-8", "replace")
        local, _, host = text.rpartition("@")
        is_read = local and not {"@", "\ufffd"} & set(local) and _HOST_NAME.fullmatch(host)
        value = (None, _host(host)) if is_read and _host(host) else None
    return _Name(kind, value, text)


def _kind(name: x509.GeneralName) -> str:
    if isinstance(name, x509.OtherName):
        oid = name.type_id.dotted_string
        return "e-mail" if oid == _SMTP_UTF8_MAILBOX else f"other name {oid}"
    return _KINDS.get(type(name), type(name).__name__)


def _email(text: str) -> tuple[str, str] | None:
    local, _, host = text.rpartition("@")
    found = _host(host) if _EMAIL.fullmatch(text) else None
    return None if found is None else (local, found)


def _host(text: str) -> str | None:
    """Return a host name as it is compared; None if it is longer than DNS allows (RFC 1035 section 2.3.4)."""
    return text.lower() if len(text) <= _LONGEST_HOST else None


class _Subtrees:
    """The permitted or the excluded subtrees of one kind, as values that names are looked up in."""

    def __init__(self) -> None:
        self.is_read = True
        self.bases: set[Any] = set()
        self.networks: list[tuple[int, int, int]] = []  # an address' version, the network, its mask
        # What an excluded name may hide behind: a wildcard, or a mailbox whose local part is not compared.
        self.hidden: set[str] = set()

    def add(self, base: x509.GeneralName) -> None:
        """Add a subtree. One that cannot be read, or whose kind cannot be applied, leaves the kind unread."""
        kind = _kind(base)
        syntax = _BASES.get(kind)
        if isinstance(base, x509.DirectoryName):
            self.bases.add(canonical(base.value.public_bytes()))
        elif isinstance(base.value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
            network = base.value
            self.networks.append((network.version, int(network.network_address), int(network.netmask)))
        elif syntax is not None and not isinstance(base, x509.OtherName) and syntax.fullmatch(base.value):
            local, at, host = base.value.rpartition("@")
            self.bases.add(local + at + host.lower())
            self.hidden.update([host.lower()] if kind == "e-mail" else _suffixes(f".{host.lower().removeprefix('.')}"))
        else:
            self.is_read = False

    def contain(self, name: _Name) -> bool:
        """Say whether a name lies within one of them."""
        if name.kind == "IP address":
            version, number = name.value.version, int(name.value)
            return any(number & mask == network for of, network, mask in self.networks if of == version)
        return not self.bases.isdisjoint(_subtrees_around(name))

    def may_contain(self, name: _Name) -> bool:
        """The same, and whether it may stand for a name within one of them."""
        hidden = name.value[1] if name.kind == "e-mail" and name.value[0] is None else None
        if name.kind == "DNS" and name.value.startswith("*."):
            hidden = name.value[1:]
        return self.contain(name) or hidden in self.hidden


def _suffixes(host: str) -> list[str]:
    """Return what is left of a host name from each of its dots on."""
    return [host[position:] for position, character in enumerate(host) if character == "."]


def _subtrees_around(name: _Name) -> list[Any]:
    """Return all subtrees that a name lies within, as `_Subtrees` holds them."""
    if name.kind == "directory name":
        return [name.value[:length] for length in range(len(name.value) + 1)]
    if name.kind == "DNS":
        above = _suffixes(name.value)
        return ["", name.value, *above, *(suffix[1:] for suffix in above)]
    local, host = name.value if name.kind == "e-mail" else (None, name.value)
    mailboxes = [] if local is None else [f"@{host}", f"{local}@{host}"]
    return [host, *_suffixes(host), *mailboxes]


class Constraints:
    """The name constraints of one CA, ready to compare.

    Parameters:
        extension: the constraints.
        der: the certificate, to see that nothing was read over.

    Attributes:
        fault: what is wrong with the constraints themselves, to follow the CA's description; None if nothing.
    """

    def __init__(self, extension: x509.NameConstraints, der: bytes) -> None:
        permitted, excluded = extension.permitted_subtrees or [], extension.excluded_subtrees or []
        self._count = len(permitted) + len(excluded)
        self._permitted: dict[str, _Subtrees] = {}
        self._excluded: dict[str, _Subtrees] = {}
        for subtrees, bases in ((self._permitted, permitted), (self._excluded, excluded)):
            for base in bases:
                subtrees.setdefault(_kind(base), _Subtrees()).add(base)
        # cryptography reads over a minimum and a maximum: what it read is then not all that stands there.
        self.fault: str | None = (
            None
            if extension.public_bytes() in der
            else "has name constraints with a minimum or maximum, which RFC 5280 section 4.2.1.10 forbids: reissue it "
            "without"
        )

    def violation(self, names: Names, *, is_leaf: bool) -> str | None:
        """Return which name may not stand below the CA, and why; None if each may.

        Parameters:
            names: those of a certificate below the CA.
            is_leaf: whether it is the leaf, whose common names count.
        """
        if names.unreadable is not None:
            return f"the subject holds {names.unreadable!a}, to which name constraints cannot be applied"
        held = [*names.names, *(names.host_names if is_leaf else ())]
        if len(held) * self._count > MAX_COMPARISONS:
            return f"there are {len(held)} names for {self._count} constraints, more than are compared"
        for name in held:
            permitted, excluded = self._permitted.get(name.kind), self._excluded.get(name.kind)
            of_kind = [subtrees for subtrees in (permitted, excluded) if subtrees is not None]
            if of_kind and (name.value is None or not all(subtrees.is_read for subtrees in of_kind)):
                return f"the {name.kind} {name.text!a} is not of a form to which the constraints can be applied"
            if permitted is not None and not permitted.contain(name):
                return f"the {name.kind} {name.text!a} is not permitted"
            if excluded is not None and excluded.may_contain(name):
                return f"the {name.kind} {name.text!a} is excluded"
        return None
