"""The verification profiles: which rules a certificate must keep, apart from the path itself.

`private-pki`, the default, is what nginx's `ssl_verify_client on` accepts (OpenSSL's purpose "SSL client"), less what
is unsafe. `web-pki` is cryptography's defaults, untouched: the CA/Browser Forum's profile, which refuses much of what
private CAs issue.

Each rule is a function that raises a ClientCertError naming the certificate, the rule and the remedy. The path builder
asks the CA rules through its extension policies; the explanation of a refusal asks the same functions again.

Where we deviate from OpenSSL, towards refusing: an X.509 v1 certificate is no CA, not even as an anchor; keys under
112 bits of strength and SHA-1 or MD5 signatures are refused on the leaf too; a name constraint of a kind that the path
builder cannot apply refuses the path.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, SignatureAlgorithmOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store

from .errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUnsuitable,
    CertificateUntrusted,
    quoted,
)
from .names import rfc4514

__all__ = [
    "PROFILES",
    "describe",
    "needs_single_link",
    "path_builder",
    "require_ca",
    "require_client_leaf",
    "require_constrained_subjects",
    "require_single_link",
    "require_strong_signature",
    "require_validity",
]

PROFILES = ("private-pki", "web-pki")

_EDDSA = frozenset({SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448})
_STRONG_HASHES = frozenset({"sha256", "sha384", "sha512"})
_NETSCAPE_CERT_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")

# The extensions that the path builder processes. Any other one, if critical, must refuse (RFC 5280 section 4.2).
_UNDERSTOOD = frozenset(
    {
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    }
)
_PURPOSE_NAMES: dict[x509.ObjectIdentifier, str] = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
}
_CONSTRAINABLE = (x509.DNSName, x509.IPAddress, x509.RFC822Name)


def describe(certificate: x509.Certificate) -> str:
    """Name a certificate in a message: its subject, and its serial number as the tools print it."""
    return f"{quoted(rfc4514(certificate.subject))} (serial {certificate.serial_number:02X})"


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> x509.ExtensionType | None:
    values: list[x509.ExtensionType] = [one.value for one in certificate.extensions if one.oid == oid]
    return values[0] if values else None  # never two: a certificate with a duplicate extension does not parse


# Rules for any certificate


def require_validity(certificate: x509.Certificate, at: dt.datetime) -> None:
    """RFC 5280 section 6.1.3 (a) (2): `at` lies within the validity period, both ends included."""
    if at < certificate.not_valid_before_utc:
        raise CertificateNotYetValid(
            f"{describe(certificate)} is valid from {certificate.not_valid_before_utc.isoformat()}, and it is "
            f"{at.isoformat(timespec='seconds')}: check the clock of this host and of the CA"
        )
    if at.replace(microsecond=0) > certificate.not_valid_after_utc:
        raise CertificateExpired(
            f"{describe(certificate)} expired at {certificate.not_valid_after_utc.isoformat()}, and it is "
            f"{at.isoformat(timespec='seconds')}: it has to be issued anew"
        )


def _require_understood(certificate: x509.Certificate) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise CertificateUnsuitable(
                f"{describe(certificate)} has the critical extension {extension.oid.dotted_string}, which this library "
                "does not process; RFC 5280 section 4.2 demands a refusal. Issue it without, or not critical"
            )


def _require_strong_key(certificate: x509.Certificate) -> None:
    """112 bits of strength (NIST SP 800-57 part 1): RSA and DSA of 2048 bits, elliptic curves of 224."""
    try:
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateUnsuitable(
            f"{describe(certificate)} has a key that is not supported: {quoted(error)}"
        ) from error
    size: int | None = getattr(key, "key_size", None)
    least = 224 if isinstance(key, ec.EllipticCurvePublicKey) else 2048
    if size is not None and size < least:
        raise CertificateUnsuitable(
            f"{describe(certificate)} has a key of {size} bits, and {least} are the least: issue it with a stronger key"
        )


def require_strong_signature(certificate: x509.Certificate) -> None:
    """SHA-2 of 256 bits or more under RSA or ECDSA, or a signature scheme without a hash of its own."""
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm as error:
        raise CertificateUnsuitable(
            f"{describe(certificate)} is signed with an algorithm that is not supported "
            f"({certificate.signature_algorithm_oid.dotted_string})"
        ) from error
    if digest is not None and digest.name not in _STRONG_HASHES:
        raise CertificateUnsuitable(
            f"{describe(certificate)} is signed with {digest.name.upper()}: issue it with SHA-256 or stronger"
        )


# Rules for the leaf


def require_client_leaf(leaf: x509.Certificate, at: dt.datetime) -> None:
    """What `private-pki` asks of a leaf, whoever issued it.

    Raises:
        ClientCertError: `certificate_expired`, `certificate_not_yet_valid`, `certificate_unsuitable`.
    """
    require_validity(leaf, at)
    _require_understood(leaf)
    key_usage = _extension(leaf, ExtensionOID.KEY_USAGE)
    if isinstance(key_usage, x509.KeyUsage) and not (key_usage.digital_signature or key_usage.key_agreement):
        raise CertificateUnsuitable(
            f"{describe(leaf)} has a key usage without digitalSignature or keyAgreement, so its key must not "
            "authenticate a TLS client: issue it with digitalSignature"
        )
    purposes = _extension(leaf, ExtensionOID.EXTENDED_KEY_USAGE)
    if isinstance(purposes, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise CertificateUnsuitable(
            f"{describe(leaf)} is not for client authentication: its extended key usage is "
            f"{_purposes(purposes)}. Issue it with clientAuth, or without an extended key usage"
        )
    # OpenSSL honours this relic, and `nsCertType = server` still stands in old configuration files. Bit 0: SSL client.
    relic = _extension(leaf, _NETSCAPE_CERT_TYPE)
    if isinstance(relic, x509.UnrecognizedExtension) and not (len(relic.value) > 3 and relic.value[3] & 0x80):
        raise CertificateUnsuitable(f"{describe(leaf)} has a Netscape certificate type that is not SSL client")
    _require_strong_key(leaf)
    require_strong_signature(leaf)


def _purposes(purposes: x509.ExtendedKeyUsage) -> str:
    names = [_PURPOSE_NAMES.get(purpose) or purpose.dotted_string for purpose in purposes]
    return ", ".join(names)


# Rules for a CA


def _require_ca_key_usage(ca: x509.Certificate, usage: object) -> None:
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        raise CertificateUnsuitable(f"{describe(ca)} is no CA: its key usage lacks keyCertSign")


def _require_ca_purpose(ca: x509.Certificate, purposes: object) -> None:
    if isinstance(purposes, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise CertificateUnsuitable(
            f"{describe(ca)} is not a CA for client certificates: its extended key usage is {_purposes(purposes)}"
        )


def _require_ca_constraints(ca: x509.Certificate, constraints: object) -> None:
    if isinstance(constraints, x509.NameConstraints):
        for subtree in (*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ())):
            if not isinstance(subtree, _CONSTRAINABLE):
                raise CertificateUnsuitable(
                    f"{describe(ca)} has a name constraint of the kind {type(subtree).__name__}, which this library "
                    "cannot apply; it applies constraints on DNS names, e-mail addresses and IP addresses"
                )


def require_ca(ca: x509.Certificate, at: dt.datetime, below: int) -> None:
    """What `private-pki` asks of a CA that has `below` intermediates under it on the way to the leaf.

    Raises:
        ClientCertError: `certificate_expired`, `certificate_not_yet_valid`, `certificate_unsuitable`.
    """
    require_validity(ca, at)
    _require_understood(ca)
    basic = _extension(ca, ExtensionOID.BASIC_CONSTRAINTS)
    if not isinstance(basic, x509.BasicConstraints) or not basic.ca:
        raise CertificateUnsuitable(
            f"{describe(ca)} is no CA: it has "
            + (
                "basic constraints without CA:TRUE"
                if isinstance(basic, x509.BasicConstraints)
                else "no basic constraints"
            )
            + (" (X.509 v1)" if ca.version is x509.Version.v1 else "")
        )
    if basic.path_length is not None and basic.path_length < below:
        raise CertificateUnsuitable(
            f"{describe(ca)} allows {basic.path_length} CAs below it (pathlen), and there are {below}"
        )
    _require_ca_key_usage(ca, _extension(ca, ExtensionOID.KEY_USAGE))
    _require_ca_purpose(ca, _extension(ca, ExtensionOID.EXTENDED_KEY_USAGE))
    _require_ca_constraints(ca, _extension(ca, ExtensionOID.NAME_CONSTRAINTS))
    _require_strong_key(ca)


# The path builder


def _asked(rule: Callable[[x509.Certificate, object], None]) -> Callable[..., None]:
    def callback(policy: Policy, certificate: x509.Certificate, value: x509.ExtensionType | None) -> None:
        rule(certificate, value)

    return callback


def _private_pki_ca() -> ExtensionPolicy:
    either = Criticality.AGNOSTIC
    return (
        ExtensionPolicy.permit_all()
        .require_present(
            x509.BasicConstraints, either, None
        )  # that it says CA, and pathlen, the verifier checks itself
        .may_be_present(x509.KeyUsage, either, _asked(_require_ca_key_usage))
        .may_be_present(x509.ExtendedKeyUsage, either, _asked(_require_ca_purpose))
        .may_be_present(x509.NameConstraints, either, _asked(_require_ca_constraints))
    )


def path_builder(profile: str, store: Store, max_depth: int) -> PolicyBuilder:
    """Return the builder of verifiers for a profile. A built verifier has its time frozen: build one each time."""
    builder = PolicyBuilder().store(store).max_chain_depth(max_depth)
    if profile == "web-pki":
        return builder
    # What it asks of a leaf, beyond what the verifier asks of every certificate, require_client_leaf has asked before.
    return builder.extension_policies(ca_policy=_private_pki_ca(), ee_policy=ExtensionPolicy.permit_all())


def require_constrained_subjects(chain: tuple[x509.Certificate, ...]) -> None:
    """Refuse what name constraints forbid in a subject, where the path builder looks at alternative names only.

    RFC 5280 section 4.2.1.10 applies e-mail constraints to the subject's emailAddress, and OpenSSL applies DNS
    constraints to a common name that looks like a host. The verifier has judged the alternative names; so a name in
    the subject must be among those, wherever a CA above constrains its kind.
    """
    for position, certificate in enumerate(chain[:-1]):
        constrained = {
            type(subtree)
            for ca in chain[position + 1 :]
            if isinstance(constraints := _extension(ca, ExtensionOID.NAME_CONSTRAINTS), x509.NameConstraints)
            for subtree in (*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ()))
        }
        if not constrained or (position and certificate.subject == certificate.issuer):
            continue
        names = _extension(certificate, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
        judged = set(names) if isinstance(names, x509.SubjectAlternativeName) else set()
        for attribute in certificate.subject:
            value = str(attribute.value)
            unjudged = (
                x509.RFC822Name in constrained
                and attribute.oid == NameOID.EMAIL_ADDRESS
                and value not in {name.value for name in judged if isinstance(name, x509.RFC822Name)}
            ) or (
                x509.DNSName in constrained
                and position == 0
                and attribute.oid == NameOID.COMMON_NAME
                and "." in value
                and value not in {name.value for name in judged if isinstance(name, x509.DNSName)}
            )
            if unjudged:
                raise CertificateUnsuitable(
                    f"{describe(certificate)} has {quoted(value)} in its subject and not among its alternative names, "
                    "and a CA above it constrains such names: issue it with the name as an alternative name"
                )


# The chain of one link


def needs_single_link(leaf: x509.Certificate) -> bool:
    """Say whether the path builder cannot judge this leaf: X.509 v1, or signed by an Ed25519 or Ed448 key."""
    return leaf.version is x509.Version.v1 or leaf.signature_algorithm_oid in _EDDSA


def require_single_link(leaf: x509.Certificate, anchor: x509.Certificate, at: dt.datetime) -> None:
    """RFC 5280 section 6.1 for a path of one link, a leaf issued directly by an anchor, all of it in one place.

    It is for leaves that the path builder cannot judge, and it fails closed on what it does not understand. Asked
    before, by `require_client_leaf`: the leaf's validity, purpose, key, signature hash, and critical extensions.

    Raises:
        ClientCertError: `certificate_untrusted` where the anchor did not sign the leaf; what `require_ca` raises.
    """
    require_ca(anchor, at, below=0)
    if _extension(anchor, ExtensionOID.NAME_CONSTRAINTS) is not None:
        raise CertificateUnsuitable(
            f"{describe(anchor)} has name constraints, which cannot be applied to {describe(leaf)}: "
            "issue an X.509 v3 leaf under an RSA or ECDSA CA"
        )
    try:
        leaf.verify_directly_issued_by(anchor)  # the names, the two signature algorithms, the signature
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise CertificateUntrusted(
            f"{describe(leaf)} names {quoted(rfc4514(anchor.subject))} as its issuer, but is not signed by the "
            "key of the CA of that name in the trust store: it comes from another CA, or "
            "from before that one was made anew"
        ) from error
