"""The verified result. Only `validation` makes one, and `sslclientcert.testing`, which says so in its name.

Holding one means that a trust store verified it. Its attributes are small values, read from what was parsed anyway.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from .certificate import ParsedCertificate
from .der import element
from .names import rfc4514

__all__ = ["UPN", "ClientIdentity", "SubjectAlternativeNames", "read_identity", "utf8_string"]

_ANY_POLICY = "2.5.29.32.0"
UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")  # Microsoft's user principal name, a UTF8String

# SPIFFE-ID section 2: a trust domain of lower-case letters, digits, '.', '-' and '_', then segments that are neither
# empty, '.' nor '..'; 2048 bytes at most. No query, no fragment, no port, no user.
_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")


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


_NO_SANS = SubjectAlternativeNames()


@dataclasses.dataclass(frozen=True, eq=False, repr=False, init=False)
class ClientIdentity:
    """A client whose certificate chain a trust store has verified.

    Does not prove: that the client holds the private key (only the proxy saw the handshake, see the guide to trusted
    proxies), that the certificate has not been revoked (unless CRLs are configured), and that the names are *yours* to
    trust. A CA says who it issued to. An authorization rule says who may come in.

    It is frozen, compares by its certificate, and has no public constructor. Tests make identities with
    `sslclientcert.testing`. Everything but `pem` was read when it was made, so no attribute can fail later.

    Attributes:
        certificate: the leaf.
        chain: the verified path, from the leaf to the anchor, both included.
        subject: the subject as RFC 4514 text, the last RDN first. Empty if the certificate has no subject.
        issuer: the issuer in the same form.
        common_name: the common name; None if the subject has none *or several*, of which software picks this or that.
        organizations: the organization names of the subject, in the order of the certificate.
        organizational_units: the organizational unit names of the subject, in the order of the certificate.
        serial_number: the serial number. It identifies a certificate only together with its issuer.
        fingerprint_sha256: the SHA-256 of the certificate's DER, lower-case hexadecimal without colons. An ECDSA
            certificate can be given a second valid signature by anybody, and so a second fingerprint.
        spki_sha256: the SHA-256 of the public key (SubjectPublicKeyInfo, as DER), hexadecimal. It stays when a
            certificate is renewed with the same key.
        not_before, not_after: the leaf's validity, aware, UTC.
        sans: the subject alternative names by kind; all empty if the certificate has none.
        spiffe_id: the SPIFFE ID, if the certificate is the X.509-SVID of a workload: exactly one URI name, a valid
            SPIFFE ID with a path, and no CA's certificate (SPIFFE X509-SVID sections 2 and 5.2, SPIFFE-ID section 2).
        policies: the certificate policies that may be relied on, as dotted OIDs: those that the leaf asserts and every
            CA below the anchor asserts too, or anyPolicy where nothing above inhibits it. Policy mappings are not
            followed: below a CA that has any, there are no policies.
    """

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    subject: str
    issuer: str
    common_name: str | None
    organizations: tuple[str, ...]
    organizational_units: tuple[str, ...]
    serial_number: int
    fingerprint_sha256: str
    spki_sha256: str
    not_before: dt.datetime
    not_after: dt.datetime
    sans: SubjectAlternativeNames
    spiffe_id: str | None
    policies: tuple[str, ...]

    def __init__(self) -> None:
        raise TypeError("a ClientIdentity is made by TrustStore.verify; in tests, by sslclientcert.testing")

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
    def thumbprint_s256(self) -> str:
        """The SHA-256 of the certificate's DER, base64url without padding; `x5t#S256` of RFC 8705 section 3.1."""
        return base64.urlsafe_b64encode(bytes.fromhex(self.fingerprint_sha256)).rstrip(b"=").decode()

    @property
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
            "policies": list(self.policies),
            "spki_sha256": self.spki_sha256,
            "chain": [rfc4514(certificate.subject) for certificate in self.chain],
        }


def read_identity(path: Sequence[ParsedCertificate]) -> ClientIdentity:
    """Make the identity of a path that **the caller has verified**: the one way to make one.

    Parameters:
        path: from the leaf to the anchor.
    """
    leaf = path[0]
    names: dict[x509.ObjectIdentifier, list[str]] = {}
    for attribute in leaf.certificate.subject:
        if isinstance(attribute.value, str):
            names.setdefault(attribute.oid, []).append(attribute.value)
    common_names = names.get(NameOID.COMMON_NAME, ())
    sans = _sans(leaf.get(x509.SubjectAlternativeName))
    identity = ClientIdentity.__new__(ClientIdentity)
    set_on = functools.partial(object.__setattr__, identity)
    # A certificate keeps what was parsed of it, and an identity may be kept: so it gets one that nothing was read from.
    set_on("certificate", x509.load_der_x509_certificate(leaf.der))
    set_on("chain", (identity.certificate, *(one.certificate for one in path[1:])))
    set_on("subject", rfc4514(leaf.certificate.subject))
    set_on("issuer", rfc4514(leaf.certificate.issuer))
    set_on("common_name", common_names[0] if len(common_names) == 1 else None)
    set_on("organizations", tuple(names.get(NameOID.ORGANIZATION_NAME, ())))
    set_on("organizational_units", tuple(names.get(NameOID.ORGANIZATIONAL_UNIT_NAME, ())))
    set_on("serial_number", leaf.certificate.serial_number)
    set_on("fingerprint_sha256", hashlib.sha256(leaf.der).hexdigest())
    set_on("spki_sha256", hashlib.sha256(leaf.spki).hexdigest())
    set_on("not_before", leaf.not_before)
    set_on("not_after", leaf.not_after)
    set_on("sans", sans)
    set_on("spiffe_id", _spiffe_id(leaf, sans.uris))
    set_on("policies", _policies(path))
    return identity


def _sans(names: x509.SubjectAlternativeName | None) -> SubjectAlternativeNames:
    if names is None:
        return _NO_SANS
    kinds: dict[type[x509.GeneralName], list[Any]] = {}
    for name in names:
        kinds.setdefault(type(name), []).append(name.value if type(name) is not x509.OtherName else name)

    def values(kind: type[x509.GeneralName]) -> tuple[Any, ...]:
        return tuple(kinds.get(kind, ()))

    return SubjectAlternativeNames(
        dns_names=values(x509.DNSName),
        emails=values(x509.RFC822Name),
        uris=values(x509.UniformResourceIdentifier),
        ip_addresses=tuple(map(str, values(x509.IPAddress))),
        upns=tuple(
            upn
            for other in values(x509.OtherName)
            if other.type_id == UPN and (upn := utf8_string(other.value)) is not None
        ),
        directory_names=tuple(map(rfc4514, values(x509.DirectoryName))),
    )


def _spiffe_id(leaf: ParsedCertificate, uris: Sequence[str]) -> str | None:
    if len(uris) != 1 or len(uris[0]) > 2048 or not _SPIFFE_ID.fullmatch(uris[0]):
        return None
    basic, usage = leaf.get(x509.BasicConstraints), leaf.get(x509.KeyUsage)
    is_ca = (basic is not None and basic.ca) or (usage is not None and (usage.key_cert_sign or usage.crl_sign))
    return None if is_ca else uris[0]


def _policies(path: Sequence[ParsedCertificate]) -> tuple[str, ...]:
    asserted = path[0].get(x509.CertificatePolicies)
    policies = [one.policy_identifier.dotted_string for one in asserted or ()]
    is_inhibited = any(one.get(x509.InhibitAnyPolicy) is not None for one in path[1:])
    for ca in path[1:-1]:
        of_ca = {one.policy_identifier.dotted_string for one in ca.get(x509.CertificatePolicies) or ()}
        if ExtensionOID.POLICY_MAPPINGS in ca.extensions:
            return ()
        if is_inhibited or _ANY_POLICY not in of_ca:
            policies = [policy for policy in policies if policy in of_ca]
    return tuple(policy for policy in policies if policy != _ANY_POLICY)


def utf8_string(der: bytes) -> str | None:
    """Return the text of a DER UTF8String, such as of a UPN; None for anything else."""
    try:
        tag, start, end = element(der)
        return der[start:].decode() if tag == 0x0C and end == len(der) else None
    except ValueError:  # UnicodeDecodeError is one
        return None
