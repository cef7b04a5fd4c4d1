"""The verified result. Only `trust` makes one (and `sslclientcert.testing`, which says so in its name).

An identity is frozen, compares by its certificate, and computes its attributes when they are first asked for. It has
no public constructor: holding one means that a trust store verified it.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import functools
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from .der import element
from .names import plain_text, rfc4514
from .plain import plain_alternatives, plain_attributes, plain_names

__all__ = ["ClientIdentity", "SubjectAlternativeNames"]

_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")  # Microsoft's user principal name, a UTF8String

# SPIFFE-ID section 2: a trust domain of lower-case letters, digits, '.', '-' and '_', then segments that are neither
# empty, '.' nor '..'; 2048 bytes at most. No query, no fragment, no port, no user.
_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")


class _Attribute(NamedTuple):
    """A type of attribute: as an object, and as DER."""

    oid: x509.ObjectIdentifier
    identifier: bytes


_COMMON_NAME = _Attribute(NameOID.COMMON_NAME, b"\x06\x03\x55\x04\x03")
_ORGANIZATION = _Attribute(NameOID.ORGANIZATION_NAME, b"\x06\x03\x55\x04\x0a")
_ORGANIZATIONAL_UNIT = _Attribute(NameOID.ORGANIZATIONAL_UNIT_NAME, b"\x06\x03\x55\x04\x0b")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SubjectAlternativeNames:
    """The subject alternative names of a certificate by their kind (RFC 5280 section 4.2.1.6), in their order.

    Names are what the CA signed. Not checked: that a DNS name resolves to the client, or that mail reaches it.
    Kinds that the library does not know (registered IDs, other names but the UPN) are left out.
    """

    dns_names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    upns: tuple[str, ...] = ()
    directory_names: tuple[str, ...] = ()


class ClientIdentity:
    """A client whose certificate chain a trust store has verified.

    Not proved by it: that the client holds the private key (only the proxy saw the handshake, see the guide to
    trusted proxies), that the certificate has not been revoked (unless CRLs are configured), and that the names are
    *yours* to trust: a CA says who it issued to, an authorization rule says who may come in.

    There is no public constructor. Tests make identities with `sslclientcert.testing`.

    Attributes:
        certificate: the leaf.
        chain: the verified path, from the leaf to the anchor, both included.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    _der: bytes
    _is_plain: bool

    def __init__(self) -> None:
        raise TypeError("a ClientIdentity is made by TrustStore.verify; in tests, by sslclientcert.testing")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a ClientIdentity is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a ClientIdentity is frozen: {name} cannot be deleted")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ClientIdentity cannot be pickled, since it could not be verified again; keep its pem")

    def __copy__(self) -> ClientIdentity:
        return self

    def __deepcopy__(self, memo: object) -> ClientIdentity:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ClientIdentity):
            return NotImplemented
        return self.certificate == other.certificate

    def __hash__(self) -> int:
        return hash(self.certificate)

    def __repr__(self) -> str:
        return f"<ClientIdentity {self.subject!a} {self.fingerprint_sha256[:16]}>"

    @property
    def _parsed(self) -> x509.Certificate:
        """A copy to read names and extensions from: a certificate keeps what it parsed, and this one may be cached."""
        return x509.load_der_x509_certificate(self._der)

    @functools.cached_property
    def subject(self) -> str:
        """The subject as RFC 4514 text, the last RDN first. Empty if the certificate has no subject."""
        text = plain_text(plain_names(self._der)[1]) if self._is_plain else None
        return rfc4514(self._parsed.subject) if text is None else text

    @functools.cached_property
    def issuer(self) -> str:
        """The issuer as RFC 4514 text."""
        text = plain_text(plain_names(self._der)[0]) if self._is_plain else None
        return rfc4514(self._parsed.issuer) if text is None else text

    @functools.cached_property
    def common_name(self) -> str | None:
        """The common name; None if the subject has none *or several*, of which software picks this or that."""
        names = self._attributes(_COMMON_NAME)
        return names[0] if len(names) == 1 else None

    @functools.cached_property
    def organizations(self) -> tuple[str, ...]:
        """The organization names of the subject, in the order of the certificate."""
        return self._attributes(_ORGANIZATION)

    @functools.cached_property
    def organizational_units(self) -> tuple[str, ...]:
        """The organizational unit names of the subject, in the order of the certificate."""
        return self._attributes(_ORGANIZATIONAL_UNIT)

    def _attributes(self, kind: _Attribute) -> tuple[str, ...]:
        oid, identifier = kind
        if self._is_plain:
            _, subject = plain_names(self._der)
            return tuple([value.decode("ascii") for one, value in plain_attributes(subject) if one == identifier])
        values = (attribute.value for attribute in self._parsed.subject.get_attributes_for_oid(oid))
        return tuple(value for value in values if isinstance(value, str))

    @property
    def serial_number(self) -> int:
        """The serial number. It identifies a certificate only together with its issuer."""
        return self.certificate.serial_number

    @functools.cached_property
    def fingerprint_sha256(self) -> str:
        """The SHA-256 of the certificate's DER, lower-case hexadecimal without colons."""
        return hashlib.sha256(self._der).hexdigest()

    @functools.cached_property
    def thumbprint_s256(self) -> str:
        """The SHA-256 of the certificate's DER, base64url without padding; `x5t#S256` of RFC 8705 section 3.1."""
        return base64.urlsafe_b64encode(hashlib.sha256(self._der).digest()).rstrip(b"=").decode()

    @property
    def not_before(self) -> dt.datetime:
        """The start of the leaf's validity, aware, UTC."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> dt.datetime:
        """The end of the leaf's validity, aware, UTC."""
        return self.certificate.not_valid_after_utc

    @functools.cached_property
    def sans(self) -> SubjectAlternativeNames:
        """The subject alternative names by kind; all empty if the certificate has none."""
        if self._is_plain:
            return _plain_sans(plain_alternatives(self._der))
        try:
            names = self._parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return SubjectAlternativeNames()
        kinds: dict[type[x509.GeneralName], list[Any]] = {}
        for name in names:
            kinds.setdefault(type(name), []).append(name)

        def values(kind: type[x509.GeneralName]) -> list[Any]:
            return [name.value for name in kinds.get(kind, ())]

        return SubjectAlternativeNames(
            dns_names=tuple(values(x509.DNSName)),
            emails=tuple(values(x509.RFC822Name)),
            uris=tuple(values(x509.UniformResourceIdentifier)),
            ip_addresses=tuple(map(str, values(x509.IPAddress))),
            upns=tuple(
                upn
                for other in kinds.get(x509.OtherName, ())
                if other.type_id == _UPN and (upn := _utf8_string(other.value)) is not None
            ),
            directory_names=tuple(map(rfc4514, values(x509.DirectoryName))),
        )

    @functools.cached_property
    def spiffe_id(self) -> str | None:
        """The SPIFFE ID, if the certificate is the X.509-SVID of a workload, which has exactly one URI name, and that
        one a valid SPIFFE ID with a path; and no CA's certificate.

        Source: SPIFFE X509-SVID sections 2 and 5.2, SPIFFE-ID section 2.
        """
        uris = self.sans.uris
        if len(uris) != 1 or len(uris[0]) > 2048 or not _SPIFFE_ID.fullmatch(uris[0]):
            return None
        for extension in () if self._is_plain else self._parsed.extensions:
            value = extension.value
            if (isinstance(value, x509.BasicConstraints) and value.ca) or (
                isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign)
            ):
                return None
        return uris[0]

    @functools.cached_property
    def pem(self) -> str:
        """The leaf as PEM."""
        return self.certificate.public_bytes(Encoding.PEM).decode("ascii")

    def matches_confirmation(self, confirmation: Mapping[str, object]) -> bool:
        """Say whether an access token is bound to this certificate, in constant time.

        Not verified: the token itself.

        Parameters:
            confirmation: the token's `cnf` claim. Without the member `x5t#S256` nothing is bound, and the answer is
                False.

        Source: RFC 8705 section 3.1.
        """
        thumbprint = confirmation.get("x5t#S256")
        return isinstance(thumbprint, str) and hmac.compare_digest(
            thumbprint.encode("utf-8", "surrogatepass"), self.thumbprint_s256.encode()
        )

    def telemetry_attributes(self) -> dict[str, str]:
        """Return the certificate as attributes for a span or a log record, by OpenTelemetry's names.

        Source: OpenTelemetry semantic conventions, TLS (incubating): the digest in upper case, times in ISO 8601.
        """
        return {
            "tls.client.subject": self.subject,
            "tls.client.issuer": self.issuer,
            "tls.client.hash.sha256": self.fingerprint_sha256.upper(),
            "tls.client.not_before": self.not_before.isoformat(),
            "tls.client.not_after": self.not_after.isoformat(),
        }

    def as_dict(self) -> dict[str, object]:
        """Return the identity as JSON-ready values; times as ISO 8601 in UTC, the serial number as a decimal string."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "common_name": self.common_name,
            "organizations": list(self.organizations),
            "organizational_units": list(self.organizational_units),
            "serial_number": str(self.serial_number),
            "fingerprint_sha256": self.fingerprint_sha256,
            "thumbprint_s256": self.thumbprint_s256,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "sans": {kind: list(names) for kind, names in dataclasses.asdict(self.sans).items()},
            "spiffe_id": self.spiffe_id,
            "chain": [rfc4514(certificate.subject) for certificate in self.chain],
        }


def _utf8_string(der: bytes) -> str | None:
    """Return the text of a DER UTF8String, None for anything else."""
    try:
        tag, start, end = element(der)
        return der[start:].decode() if tag == 0x0C and end == len(der) else None
    except ValueError:  # UnicodeDecodeError is one
        return None


def _plain_sans(names: list[tuple[int, bytes]]) -> SubjectAlternativeNames:
    """Return the alternative names of a plain certificate, which are of four kinds."""
    texts: dict[int, list[str]] = {0x81: [], 0x82: [], 0x86: []}  # rfc822Name, dNSName, uniformResourceIdentifier
    addresses: list[str] = []  # the fourth kind, iPAddress
    for tag, value in names:
        if tag in texts:
            texts[tag].append(value.decode("ascii"))
        else:
            addresses.append(str(ipaddress.ip_address(value)))
    return SubjectAlternativeNames(
        dns_names=tuple(texts[0x82]),
        emails=tuple(texts[0x81]),
        uris=tuple(texts[0x86]),
        ip_addresses=tuple(addresses),
    )


def _identity_of(chain: tuple[x509.Certificate, ...], der: bytes, *, is_plain: bool) -> ClientIdentity:
    """Make the identity of a chain that **the caller has verified**.

    Parameters:
        chain: from the leaf to the anchor.
        der: the leaf's.
        is_plain: whether the walk over it has called it plain.
    """
    identity = ClientIdentity.__new__(ClientIdentity)
    # One after the other: identities then share their dictionary's keys, which makes each 150 bytes smaller (PEP 412).
    object.__setattr__(identity, "certificate", chain[0])
    object.__setattr__(identity, "chain", chain)
    object.__setattr__(identity, "_der", der)
    object.__setattr__(identity, "_is_plain", is_plain)
    return identity
