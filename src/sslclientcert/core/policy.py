"""What a client's certificate and a CA must be: the rules about one certificate.

The rules are those of nginx's `ssl_verify_client on`, which are OpenSSL's for the purpose "SSL client" at security
level 2. Each rule is a function that raises a ClientCertError. Its detail names the certificate, the rule and what to
do. Where we deviate from OpenSSL we refuse more: an X.509 v1 certificate is no CA, proxy certificates and the routing
PKI's extensions refuse even if they are not critical, and `docs/verification.md` lists the rest.

Source: RFC 5280 sections 4.1, 4.2 and 6.1.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from .certificate import FORBIDDEN, ParsedCertificate
from .errors import CAExpired, CertificateExpired, CertificateNotYetValid, CertificateUnsuitable, ClientCertError

__all__ = [
    "require_ca",
    "require_client_leaf",
    "require_path_length",
    "require_validity",
    "weak_signature",
]

_EXTENSION_NAMES: Mapping[str, str] = {
    "1.3.6.1.4.1.11129.2.4.3": "the poison of Certificate Transparency",
    "1.3.6.1.5.5.7.1.1": "authorityInfoAccess",
    "1.3.6.1.5.5.7.1.3": "qcStatements",
    "1.3.6.1.5.5.7.1.11": "subjectInfoAccess",
    "1.3.6.1.5.5.7.1.24": "TLS feature",
    "2.5.29.9": "subjectDirectoryAttributes",
    "2.5.29.14": "subjectKeyIdentifier",
    "2.5.29.16": "privateKeyUsagePeriod",
    "2.5.29.18": "issuerAltName",
    "2.5.29.35": "authorityKeyIdentifier",
    "2.5.29.46": "freshestCRL",
    "2.16.840.1.113730.1.1": "Netscape certificate type",
}
_NETSCAPE_CERT_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
_PURPOSE_NAMES: Mapping[x509.ObjectIdentifier, str] = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.SMARTCARD_LOGON: "smartcardLogon",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
}

# The remedy for who cannot have the CA's certificate reissued.
_OR_MAKE_ANCHOR = (
    "If another organization issued it, leave the CAs above it out of the bundle: then it is an anchor, and this rule "
    "does not concern it"
)


# Rules for any certificate


def require_validity(one: ParsedCertificate, at: dt.datetime, clock_skew: dt.timedelta, *, is_ca: bool = False) -> None:
    """RFC 5280 section 6.1.3 (a) (2): `at` lies within the validity period, both ends included.

    Parameters:
        one: the certificate.
        at: the time of validation, aware.
        clock_skew: by how much it may be wrong.
        is_ca: whether it is a CA's, which is the operator's to renew.

    Raises:
        ClientCertError: `certificate_expired`, `certificate_not_yet_valid`; of a CA `ca_expired`.
    """
    if one.not_before - at > clock_skew:
        told: type[ClientCertError] = CAExpired if is_ca else CertificateNotYetValid
        raise told(
            f"{one} is valid from {one.not_before.isoformat()}, and the time is "
            f"{at.isoformat(timespec='seconds')}. Check the clock of this host and of the CA"
        )
    if at.replace(microsecond=0) - one.not_after > clock_skew:
        told = CAExpired if is_ca else CertificateExpired
        remedy = "Put the renewed CA certificate into the bundle" if is_ca else "The client has to renew it"
        raise told(
            f"{one} expired at {one.not_after.isoformat()}, and the time is "
            f"{at.isoformat(timespec='seconds')}. {remedy}, or check this host's clock"
        )


def _require_form(one: ParsedCertificate) -> None:
    """What may stand in any certificate: a serial number, extensions that are processed, a key of enough strength."""
    if not 0 <= one.certificate.serial_number < 1 << 160:
        raise CertificateUnsuitable(
            f"{one} has a serial number that is negative or longer than 20 octets (RFC 5280 section "
            f"4.1.2.2): reissue it. {_OR_MAKE_ANCHOR if one.path_length is not None else ''}".rstrip()
        )
    if one.unprocessed is not None:
        oid = one.unprocessed.dotted_string
        name = FORBIDDEN.get(oid) or _EXTENSION_NAMES.get(oid)
        shown = f"{name} ({oid})" if name else oid
        raise CertificateUnsuitable(
            f"{one} has the "
            + (f"extension {shown}" if oid in FORBIDDEN else f"critical extension {shown}")
            + ", which this library does not process (RFC 5280 section 4.2): reissue it without"
        )
    _require_strong_key(one)


def _require_strong_key(one: ParsedCertificate) -> None:
    """112 bits of strength (NIST SP 800-57 part 1). The smallest of the supported curves has them; RSA needs 2048."""
    key = one.key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        raise CertificateUnsuitable(
            f"{one} has an RSA key of {key.key_size} bits, and 2048 are the least (NIST SP "
            "800-57): reissue it with a stronger key"
        )


def weak_signature(one: ParsedCertificate) -> CertificateUnsuitable:
    """Return the refusal of a certificate that has no scheme, although its signature has to be relied on."""
    oid = one.certificate.signature_algorithm_oid
    try:
        digest = one.certificate.signature_hash_algorithm
        name = "" if digest is None else f"{digest.name.upper()}, "
    except (ValueError, UnsupportedAlgorithm):
        name = ""
    return CertificateUnsuitable(
        f"{one} is signed with {name}{oid.dotted_string}, which is too weak or not supported: "
        f"reissue it with SHA-256. {_OR_MAKE_ANCHOR if one.path_length is not None else ''}".rstrip()
    )


# Rules for the leaf


def require_client_leaf(leaf: ParsedCertificate) -> None:
    """Require what a leaf needs at any time, with any issuer.

    Raises:
        CertificateUnsuitable: the detail says which rule.
    """
    _require_form(leaf)
    key_usage = leaf.get(x509.KeyUsage)
    if key_usage is not None and not (key_usage.digital_signature or key_usage.key_agreement):
        raise CertificateUnsuitable(
            f"{leaf} has a key usage without digitalSignature and keyAgreement, so its key must not "
            "authenticate a TLS client (RFC 5280 section 4.2.1.3): reissue it with digitalSignature"
        )
    purposes = leaf.get(x509.ExtendedKeyUsage)
    if purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise CertificateUnsuitable(
            f"{leaf} is not for client authentication: its extended key usage is {_purposes(purposes)} (RFC 5280 "
            "section 4.2.1.12). Reissue it with clientAuth, or without an extended key usage"
        )
    # `nsCertType = server` still stands in old configuration files. A BIT STRING; its first bit is "SSL client".
    relic = leaf.extensions.get(_NETSCAPE_CERT_TYPE)
    if isinstance(relic, x509.UnrecognizedExtension) and not (
        len(relic.value) > 3 and relic.value[0] == 0x03 and relic.value[3] & 0x80
    ):
        raise CertificateUnsuitable(
            f"{leaf} has a Netscape certificate type that is not SSL client: reissue it without"
        )


def _purposes(purposes: x509.ExtendedKeyUsage) -> str:
    return ", ".join(_PURPOSE_NAMES.get(purpose) or purpose.dotted_string for purpose in purposes)


# Rules for a CA


def require_ca(ca: ParsedCertificate) -> None:
    """What is asked of a CA at any time.

    Raises:
        CertificateUnsuitable: the detail says which rule.
    """
    _require_form(ca)
    basic = ca.get(x509.BasicConstraints)
    if basic is None or not basic.ca:
        version = " (X.509 v1)" if ca.certificate.version is x509.Version.v1 else ""
        raise CertificateUnsuitable(
            f"{ca} is not a CA: it has no basic constraints with CA:TRUE{version} (RFC 5280 "
            "section 4.2.1.9). Reissue it with them: printf basicConstraints=critical,CA:TRUE > ca.ext; openssl x509 "
            "-in ca.crt -signkey ca.key -days 3650 -clrext -extfile ca.ext -out new.crt. In PowerShell: "
            'New-SelfSignedCertificate -TextExtension "2.5.29.19={critical}{text}CA=true"'
        )
    usage = ca.get(x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise CertificateUnsuitable(
            f"{ca} is not a CA: its key usage lacks keyCertSign (RFC 5280 section 4.2.1.3). Reissue it with keyCertSign"
        )
    purposes = ca.get(x509.ExtendedKeyUsage)
    if purposes is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise CertificateUnsuitable(
            f"{ca} is not a CA for client certificates: its extended key usage is "
            f"{_purposes(purposes)}. Use the CA that issues client certificates, or reissue it with clientAuth"
        )
    if not ca.subject:
        raise CertificateUnsuitable(
            f"{ca} is not a CA: its subject is empty (RFC 5280 section 4.1.2.6). Reissue it with a subject"
        )
    if ca.constraints is not None and ca.constraints.fault is not None:
        raise CertificateUnsuitable(f"{ca} {ca.constraints.fault}")


def require_path_length(ca: ParsedCertificate, below: int) -> None:
    """RFC 5280 section 6.1.4 (l) and (m): the CA allows that many CAs below it, self-issued ones not counted.

    Raises:
        CertificateUnsuitable: it does not.
    """
    if ca.path_length is not None and ca.path_length < below:
        raise CertificateUnsuitable(
            f"{ca} allows {ca.path_length} CAs below it (pathlen), and there are {below} (RFC "
            "5280 section 4.2.1.9): issue the client's certificate by a CA that is nearer to it"
        )
