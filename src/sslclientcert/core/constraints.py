"""Name constraints (RFC 5280 section 4.2.1.10): which names a CA may issue.

As OpenSSL applies them (crypto/x509/v3_ncons.c), and each difference refuses more:

- A name that cannot be read by its own syntax refuses below a constraint of its kind, permitted or excluded.
- A wildcard is held against excluded subtrees by what it may stand for.
- A leaf's common name is held against DNS constraints wherever it looks like a host name, even if there is a DNS name
  next to it: rules and `identity.common_name` read it.
- A minimum or maximum refuses, whichever names there are.

Names of kinds that nobody constrained are free: a user principal name below a CA that is constrained in DNS alone.
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
                self.host_names.append(_Name("DNS", text.lower(), text))


def _name(name: x509.GeneralName) -> _Name:
    kind, text = _kind(name), str(name.value)
    value: Any = None
    if isinstance(name, x509.DNSName):
        value = text.lower() if _DNS.fullmatch(text) else None
    elif isinstance(name, x509.RFC822Name):
        value = _email(text)
    elif isinstance(name, x509.UniformResourceIdentifier):
        found = _URI.fullmatch(text)
        value = found[1].lower() if found and not found[1].rpartition(".")[2].isdecimal() else None
    elif isinstance(name, x509.IPAddress):
        value = name.value if isinstance(name.value, (ipaddress.IPv4Address, ipaddress.IPv6Address)) else None
    elif isinstance(name, x509.DirectoryName):
        value, text = canonical(name.value.public_bytes()), rfc4514(name.value)
    elif isinstance(name, x509.OtherName) and kind == "e-mail":
        # RFC 9598: the local part is UTF-8, which no constraint can hold; a host name beyond ASCII is not read.
        text = name.value[element(name.value).content :].decode("utf-8", "replace")
        local, _, host = text.rpartition("@")
        is_read = name.value[0] == _UTF8_STRING and local and "\ufffd" not in local and _HOST_NAME.fullmatch(host)
        value = (None, host.lower()) if is_read else None
    return _Name(kind, value, text)


def _kind(name: x509.GeneralName) -> str:
    if isinstance(name, x509.OtherName):
        oid = name.type_id.dotted_string
        return "e-mail" if oid == _SMTP_UTF8_MAILBOX else f"other name {oid}"
    return _KINDS.get(type(name), type(name).__name__)


def _email(text: str) -> tuple[str, str] | None:
    local, _, host = text.rpartition("@")
    return (local, host.lower()) if _EMAIL.fullmatch(text) else None


class Constraints:
    """The name constraints of one CA, ready to compare.

    Parameters:
        extension: the constraints.
        der: the certificate, to see that nothing was read over.

    Attributes:
        fault: what is wrong with the constraints themselves, to follow the CA's description; None if nothing.
    """

    def __init__(self, extension: x509.NameConstraints, der: bytes) -> None:
        self._permitted = _subtrees(extension.permitted_subtrees)
        self._excluded = _subtrees(extension.excluded_subtrees)
        self._count = sum(map(len, (*self._permitted.values(), *self._excluded.values())))
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
            if permitted is None and excluded is None:
                continue
            if name.value is None or None in (*(permitted or ()), *(excluded or ())):
                return f"the {name.kind} {name.text!a} is not of a form to which the constraints can be applied"
            if permitted is not None and not any(_is_within(name, base) for base in permitted):
                return f"the {name.kind} {name.text!a} is not permitted"
            if any(_is_within(name, base) or _may_stand_for(name, base) for base in excluded or ()):
                return f"the {name.kind} {name.text!a} is excluded"
        return None


def _subtrees(subtrees: list[x509.GeneralName] | None) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for base in subtrees or ():
        found.setdefault(_kind(base), []).append(_base(base))
    return found


def _base(base: x509.GeneralName) -> Any:
    """Return a constraint in the form that is compared; None if it cannot be read or its kind cannot be applied."""
    if isinstance(base, x509.DirectoryName):
        return canonical(base.value.public_bytes())
    if isinstance(base, x509.IPAddress):
        return base.value if isinstance(base.value, (ipaddress.IPv4Network, ipaddress.IPv6Network)) else None
    syntax = _BASES.get(_kind(base))
    if syntax is None or isinstance(base, x509.OtherName) or not syntax.fullmatch(base.value):
        return None
    local, at, host = base.value.rpartition("@")
    return local + at + host.lower()


def _is_within(name: _Name, base: Any) -> bool:
    """Say whether a name lies within a subtree of its kind."""
    if name.kind == "directory name":
        return bool(name.value[: len(base)] == base)
    if name.kind == "IP address":
        return name.value in base
    if name.kind == "DNS":
        return not base or name.value == base or name.value.endswith(base if base[0] == "." else f".{base}")
    local, host = name.value if name.kind == "e-mail" else (None, name.value)
    if base[0] == ".":
        return bool(host.endswith(base) and host != base)
    wanted, at, base_host = base.rpartition("@")
    return bool(host == base_host) and (not at or not wanted or wanted == local)


def _may_stand_for(name: _Name, base: Any) -> bool:
    """Say whether a wildcard, or a local part that is not compared, may stand for a name within an excluded subtree."""
    if name.kind == "DNS":
        return bool(name.value.startswith("*.") and base.removeprefix(".").endswith(name.value[1:]))
    return name.kind == "e-mail" and name.value[0] is None and name.value[1] == base.rpartition("@")[2]
