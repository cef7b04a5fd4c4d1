"""A certificate with everything that a decision reads from it, after one pass over it.

cryptography parses lazily, and has no bytes for the parts that are compared as bytes: names, the key, the two
AlgorithmIdentifiers. `der` finds where these end, in what cryptography has parsed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from .constraints import Constraints, Names
from .der import children, element
from .errors import CertificateUnsuitable, ClientCertError, quoted, serial_text
from .names import CanonicalName, canonical, rfc4514
from .signatures import Scheme, kind_of_key, made_signature, scheme_of

__all__ = [
    "DOES_NOT_PARSE",
    "FORBIDDEN",
    "Outline",
    "ParsedCertificate",
    "matches_authority_key_identifier",
    "names_and_serial",
]

_E = TypeVar("_E", bound=x509.ExtensionType)

# OpenSSL's list (X509_supported_extension) without what we do not process. Any other critical extension refuses
# (RFC 5280 section 4.2); key identifiers, authorityInfoAccess and freshestCRL must not be critical.
_MAY_BE_CRITICAL = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.OCSP_NO_CHECK,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
# They change who a certificate speaks for, and they are not processed here: they refuse even if they are not critical.
FORBIDDEN: Mapping[str, str] = {
    "1.3.6.1.5.5.7.1.7": "ipAddrBlocks, RFC 3779",
    "1.3.6.1.5.5.7.1.8": "autonomousSysIds, RFC 3779",
    "1.3.6.1.5.5.7.1.14": "proxyCertInfo, RFC 3820",
}


DOES_NOT_PARSE = (
    "does not parse as DER (X.690). OpenSSL may accept it; the page on the verification policy lists the kinds. "
    "Reissue it with software that writes DER"
)


class Outline(NamedTuple):
    """What can be told of a certificate that does not parse; None for what cannot be told."""

    serial: int | None = None
    subject: CanonicalName | None = None
    spki: bytes | None = None


def names_and_serial(der: bytes) -> Outline:
    """Return what can be told of a certificate that cryptography does not parse. Nothing about it is verified."""
    try:
        fields = children(children(der)[0])
        del fields[: fields[0][0] == 0xA0]
        serial = int.from_bytes(fields[0][element(fields[0]).content :], signed=True)
    except (IndexError, ValueError):
        return Outline()
    try:
        return Outline(serial, canonical(fields[4]), fields[5])
    except (IndexError, ValueError):
        return Outline(serial)


class ParsedCertificate:
    """A certificate with everything read from it that a decision needs. **Nothing about it is verified.**

    Two of them are the same only if they are one object: compare `der`.

    Attributes:
        certificate: cryptography's object.
        der: the whole, as DER.
        issuer_der, subject_der: the names, as DER.
        issuer, subject: the names in their canonical form.
        spki: the SubjectPublicKeyInfo, as DER.
        key_kind: what its key is called; None for a kind that is not supported.
        scheme: how it is signed; None where that is not supported, too weak, or said in two ways.
        not_before, not_after: its validity, aware.
        extensions: the values by OID.
        constraints: its name constraints; None if it has none.

    Raises:
        ValueError: a part of it does not parse. cryptography has other classes for that; each becomes this one.
    """

    __slots__ = (
        "_key",
        "_names",
        "_tbs",
        "certificate",
        "constraints",
        "der",
        "extensions",
        "issuer",
        "issuer_der",
        "key_kind",
        "not_after",
        "not_before",
        "scheme",
        "spki",
        "subject",
        "subject_der",
        "unprocessed",
    )

    def __init__(self, certificate: x509.Certificate) -> None:
        self.certificate: x509.Certificate = certificate
        self.der: bytes = certificate.public_bytes(Encoding.DER)
        self._tbs, algorithm, signature = children(self.der)
        fields = children(self._tbs)
        del fields[: fields[0][0] == 0xA0]  # the version; X.509 v1 has none
        if signature[element(signature).content] != 0:
            # The number of unused bits is not signed. If it could vary, one certificate would have two fingerprints.
            raise ValueError("the signature has unused bits (X.690 section 8.6.2)")
        _ = certificate.issuer, certificate.subject  # cryptography parses lazily, and messages need both
        _, inner_algorithm, issuer, _, subject, spki = fields[:6]
        self.issuer_der: bytes = issuer
        self.subject_der: bytes = subject
        self.spki: bytes = spki
        self.issuer: CanonicalName = canonical(self.issuer_der)
        self.subject: CanonicalName = canonical(self.subject_der)
        self.key_kind: str | None = kind_of_key(children(self.spki)[0])
        # RFC 5280 section 4.1.1.2: both are the same, and only one of them is signed.
        self.scheme: Scheme | None = scheme_of(algorithm, certificate) if algorithm == inner_algorithm else None
        self.not_before: dt.datetime = certificate.not_valid_before_utc
        self.not_after: dt.datetime = certificate.not_valid_after_utc
        self.extensions: dict[x509.ObjectIdentifier, x509.ExtensionType] = {}
        self.unprocessed: x509.ObjectIdentifier | None = None
        for extension in certificate.extensions:
            oid = extension.oid
            self.extensions[oid] = extension.value
            if (extension.critical and oid not in _MAY_BE_CRITICAL) or oid.dotted_string in FORBIDDEN:
                self.unprocessed = oid
        constraints = self.get(x509.NameConstraints)
        self.constraints: Constraints | None = None if constraints is None else Constraints(constraints, self.der)
        _require_canonical_names(self)
        self._names: Names | None = None
        self._key: CertificatePublicKeyTypes | None = None

    def __str__(self) -> str:
        """Return how messages call it: its subject, and its serial number as the tools print it."""
        return f"{quoted(rfc4514(self.certificate.subject))} (serial {serial_text(self.certificate.serial_number)})"

    def get(self, kind: type[_E]) -> _E | None:
        """Return the value of an extension; None if there is none."""
        value = self.extensions.get(kind.oid)
        return value if isinstance(value, kind) else None

    @property
    def is_self_issued(self) -> bool:
        """Whether subject and issuer are one name. Says nothing of the signature."""
        return self.subject == self.issuer

    @property
    def names(self) -> Names:
        """The names that name constraints are held against."""
        if self._names is None:
            self._names = Names(self.certificate, self.subject_der, self.get(x509.SubjectAlternativeName))
        return self._names

    @property
    def key(self) -> CertificatePublicKeyTypes:
        """Its public key.

        Raises:
            CertificateUnsuitable: the key is not of a supported kind, or it does not parse.
        """
        if self._key is None:
            if self.key_kind is None:
                raise CertificateUnsuitable(
                    f"{self} has a key of a kind that is not supported "
                    f"({self.certificate.public_key_algorithm_oid.dotted_string}, or explicit parameters). Use RSA, a "
                    "named curve (P-256), Ed25519 or Ed448"
                )
            try:
                self._key = self.certificate.public_key()
            except (ValueError, TypeError, UnsupportedAlgorithm) as error:
                raise CertificateUnsuitable(
                    f"{self} has a {self.key_kind} key that cannot be used: reissue it with another key"
                ) from error
        return self._key

    @property
    def path_length(self) -> int | None:
        """How many CAs may stand below it; None if it says nothing."""
        basic = self.get(x509.BasicConstraints)
        return None if basic is None else basic.path_length

    def may_be_issued_by(self, issuer: ParsedCertificate) -> bool:
        """Say whether a certificate may be its issuer, before any signature is checked: names, identifier, key."""
        return (
            issuer.subject == self.issuer
            and self.scheme is not None
            and issuer.key_kind in self.scheme.keys
            and matches_authority_key_identifier(self.get(x509.AuthorityKeyIdentifier), issuer)
        )

    def is_signed_by(self, issuer: ParsedCertificate) -> bool:
        """Say whether the key of a certificate that `may_be_issued_by` admits has signed this one."""
        try:
            key = issuer.key
        except ClientCertError:
            return False
        return self.scheme is not None and made_signature(key, self.scheme, self.certificate.signature, self._tbs)


def _require_canonical_names(one: ParsedCertificate) -> None:
    """Raise a ValueError if a directory name in an extension cannot be compared. OpenSSL does not parse it either."""
    identifier = one.get(x509.AuthorityKeyIdentifier)
    names = [*(one.get(x509.SubjectAlternativeName) or ()), *((identifier and identifier.authority_cert_issuer) or ())]
    for point in one.get(x509.CRLDistributionPoints) or ():
        names += [*(point.full_name or ()), *(point.crl_issuer or ())]
    for name in names:
        if isinstance(name, x509.DirectoryName):
            canonical(name.value.public_bytes())


def matches_authority_key_identifier(identifier: x509.AuthorityKeyIdentifier | None, issuer: ParsedCertificate) -> bool:
    """Say whether an authority key identifier, if there is one, means this certificate (OpenSSL: X509_check_akid)."""
    if identifier is None:
        return True
    own = issuer.get(x509.SubjectKeyIdentifier)
    if own is not None and identifier.key_identifier not in (None, own.digest):
        return False
    if identifier.authority_cert_serial_number not in (None, issuer.certificate.serial_number):
        return False
    names = [name for name in identifier.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    return not names or canonical(names[0].value.public_bytes()) == issuer.issuer
