"""The verification profiles: which rules a certificate must keep, apart from the path itself.

`private-pki`, the default, is what nginx's `ssl_verify_client on` accepts (OpenSSL's purpose "SSL client"), less what
is unsafe. `web-pki` is cryptography's defaults, untouched: the CA/Browser Forum's profile, which refuses much of what
private CAs issue.

Each rule is a function that raises a ClientCertError naming the certificate, the rule and the remedy. What a CA must be
at any time is asked once, when a bundle is loaded (and of forwarded CAs as they come): only CAs that are suited reach
the path builder. The explanation of a refusal asks the same functions again.

Where we deviate from OpenSSL, towards refusing: an X.509 v1 certificate is no CA, not even as an anchor; keys under
112 bits of strength and SHA-1 or MD5 signatures are refused on the leaf too; a name constraint of a kind that the path
builder cannot apply refuses the path.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, SignatureAlgorithmOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store

from .errors import CertificateExpired, CertificateNotYetValid, CertificateUnsuitable, CertificateUntrusted, quoted
from .names import comparable, rfc4514

__all__ = [
    "EDDSA",
    "PROFILES",
    "describe",
    "is_constraining",
    "is_eddsa",
    "mistaken_issuer",
    "names_another",
    "needs_single_link",
    "path_builder",
    "require_ca",
    "require_client_leaf",
    "require_constrained_names",
    "require_key_identifiers",
    "require_room",
    "require_single_link",
    "require_strong_signature",
    "require_told_apart",
    "require_validity",
    "subject_key_identifier",
]

PROFILES = ("private-pki", "web-pki")

EDDSA = frozenset({SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448})

_STRONG_HASHES = frozenset({"sha256", "sha384", "sha512"})
_CA_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)  # the path builder's

# The extensions that are processed when they are critical; any other one must refuse (RFC 5280 section 4.2). Key
# identifiers and authority information access must never be critical (sections 4.2.1.1, 4.2.1.2, 4.2.2.1).
_MAY_BE_CRITICAL = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
# Extensions that change who a certificate speaks for, critical or not, and that are not processed here.
_FORBIDDEN = {
    x509.ObjectIdentifier("1.3.6.1.5.5.7.1.7"): "IP address blocks of the routing PKI, RFC 3779",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.1.8"): "AS numbers of the routing PKI, RFC 3779",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14"): "a proxy certificate, RFC 3820: its issuer is no CA",
}
_NETSCAPE_CERT_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
_SMTP_UTF8_MAILBOX = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9")
_CONSTRAINABLE = (x509.DNSName, x509.IPAddress, x509.RFC822Name)
_PURPOSE_NAMES: dict[x509.ObjectIdentifier, str] = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
}


def describe(certificate: x509.Certificate, subject: str | None = None) -> str:
    """Name a certificate in a message: its subject, and its serial number as the tools print it.

    Parameters:
        certificate: any.
        subject: its subject as text, where that is known.
    """
    digits = f"{certificate.serial_number:X}"
    subject = rfc4514(certificate.subject) if subject is None else subject
    return f"{quoted(subject)} (serial {'0' * (len(digits) % 2)}{digits})"


def _extension(
    certificate: x509.Certificate | x509.CertificateRevocationList, oid: x509.ObjectIdentifier
) -> x509.ExtensionType | None:
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


def _require_form(certificate: x509.Certificate) -> None:
    """What may stand in any certificate: its serial number, and extensions that we process or may ignore."""
    if not 0 <= certificate.serial_number < 1 << 167:
        raise CertificateUnsuitable(
            f"{describe(certificate)} has a serial number that is negative or longer than 20 octets, which RFC 5280 "
            "section 4.1.2.2 forbids: it has to be issued anew"
        )
    for extension in certificate.extensions:
        if extension.oid in _FORBIDDEN:
            raise CertificateUnsuitable(
                f"{describe(certificate)} has the extension {extension.oid.dotted_string} "
                f"({_FORBIDDEN[extension.oid]}), which this library does not process. Issue it without"
            )
        if extension.critical and extension.oid not in _MAY_BE_CRITICAL:
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
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateUnsuitable(
            f"{describe(certificate)} is signed with an algorithm that is not supported "
            f"({certificate.signature_algorithm_oid.dotted_string})"
        ) from error
    if digest is not None and digest.name not in _STRONG_HASHES:
        raise CertificateUnsuitable(
            f"{describe(certificate)} is signed with {digest.name.upper()}: issue it with SHA-256 or stronger"
        )


# Rules for the leaf


def require_client_leaf(leaf: x509.Certificate) -> None:
    """What `private-pki` asks of a leaf at any time, whoever issued it.

    Raises:
        CertificateUnsuitable: the detail says which rule.
    """
    _require_form(leaf)
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
    # OpenSSL honours this relic, and `nsCertType = server` still stands in old configuration files. A BIT STRING; its
    # first bit is "SSL client".
    relic = _extension(leaf, _NETSCAPE_CERT_TYPE)
    if isinstance(relic, x509.UnrecognizedExtension) and not (
        len(relic.value) > 3 and relic.value[0] == 0x03 and relic.value[3] & 0x80
    ):
        raise CertificateUnsuitable(f"{describe(leaf)} has a Netscape certificate type that is not SSL client")
    _require_strong_key(leaf)
    require_strong_signature(leaf)


def _purposes(purposes: x509.ExtendedKeyUsage) -> str:
    names = [_PURPOSE_NAMES.get(purpose) or purpose.dotted_string for purpose in purposes]
    return ", ".join(names)


# Rules for a CA


def require_ca(ca: x509.Certificate) -> None:
    """What `private-pki` asks of a CA at any time.

    Raises:
        CertificateUnsuitable: the detail says which rule.
    """
    _require_form(ca)
    basic = _extension(ca, ExtensionOID.BASIC_CONSTRAINTS)
    if not isinstance(basic, x509.BasicConstraints):
        version = " (X.509 v1)" if ca.version is x509.Version.v1 else ""
        raise CertificateUnsuitable(f"{describe(ca)} is no CA: it has no basic constraints{version}")
    if not basic.ca:
        raise CertificateUnsuitable(f"{describe(ca)} is no CA: it has basic constraints without CA:TRUE")
    usage = _extension(ca, ExtensionOID.KEY_USAGE)
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        raise CertificateUnsuitable(f"{describe(ca)} is no CA: its key usage lacks keyCertSign")
    purposes = _extension(ca, ExtensionOID.EXTENDED_KEY_USAGE)
    if isinstance(purposes, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        raise CertificateUnsuitable(
            f"{describe(ca)} is not a CA for client certificates: its extended key usage is {_purposes(purposes)}"
        )
    for subtree in _subtrees(ca):
        if not isinstance(subtree, _CONSTRAINABLE):
            raise CertificateUnsuitable(
                f"{describe(ca)} has a name constraint of the kind {type(subtree).__name__}, which this library "
                "cannot apply; it applies constraints on DNS names, e-mail addresses and IP addresses"
            )
    constraints = _extension(ca, ExtensionOID.NAME_CONSTRAINTS)
    # cryptography reads past a minimum and a maximum; so what it read must be all that stands there.
    if constraints is not None and constraints.public_bytes() not in ca.public_bytes(Encoding.DER):
        raise CertificateUnsuitable(
            f"{describe(ca)} has name constraints with a minimum or maximum, which RFC 5280 section 4.2.1.10 forbids"
        )
    _require_ca_key(ca)


def _require_ca_key(ca: x509.Certificate) -> None:
    _require_strong_key(ca)
    key = ca.public_key()
    kind = "DSA" if isinstance(key, dsa.DSAPublicKey) else ""
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, _CA_CURVES):
        kind = f"curve {key.curve.name}"
    if kind:
        raise CertificateUnsuitable(
            f"{describe(ca)} has a key of a kind that is not supported for a CA ({kind}): RSA, P-256, P-384 and P-521 "
            "are, and Ed25519 or Ed448 for an anchor that issues the leaf directly"
        )


def require_room(ca: x509.Certificate, at: dt.datetime, below: int) -> None:
    """What is asked of a CA in its place: validity at `at`, and that its path length allows `below` CAs below it.

    Raises:
        ClientCertError: `certificate_expired`, `certificate_not_yet_valid`, `certificate_unsuitable`.
    """
    require_validity(ca, at)
    basic = _extension(ca, ExtensionOID.BASIC_CONSTRAINTS)
    if isinstance(basic, x509.BasicConstraints) and basic.path_length is not None and basic.path_length < below:
        raise CertificateUnsuitable(
            f"{describe(ca)} allows {basic.path_length} CAs below it (pathlen), and there are {below}"
        )


def _subtrees(ca: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    constraints = _extension(ca, ExtensionOID.NAME_CONSTRAINTS)
    if not isinstance(constraints, x509.NameConstraints):
        return ()
    return (*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ()))


def is_constraining(ca: x509.Certificate) -> bool:
    """Say whether a CA has name constraints."""
    return bool(_subtrees(ca))


def subject_key_identifier(ca: x509.Certificate) -> bytes | None:
    """Return the subject key identifier, None if there is none."""
    own = _extension(ca, ExtensionOID.SUBJECT_KEY_IDENTIFIER)
    return own.digest if isinstance(own, x509.SubjectKeyIdentifier) else None


# The path


def path_builder(profile: str, store: Store, max_depth: int) -> PolicyBuilder:
    """Return the builder of verifiers for a profile. A built verifier has its time frozen: build one each time."""
    builder = PolicyBuilder().store(store).max_chain_depth(max_depth)
    if profile == "web-pki":
        return builder
    # What it asks beyond what the verifier asks of every path, the rules of this module ask of each certificate.
    anything = ExtensionPolicy.permit_all()
    return builder.extension_policies(
        ca_policy=anything.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None), ee_policy=anything
    )


def names_another(child: x509.Certificate | x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Say whether the authority key identifier of `child`, if it has one, means another certificate than `issuer`."""
    wanted = _extension(child, ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
    if not isinstance(wanted, x509.AuthorityKeyIdentifier):
        return False
    own = subject_key_identifier(issuer)
    names = [name.value for name in wanted.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    return (
        (own is not None and wanted.key_identifier not in (None, own))
        or wanted.authority_cert_serial_number not in (None, issuer.serial_number)
        or (bool(names) and names[0] != issuer.issuer)
    )


def mistaken_issuer(chain: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the first CA of a path that the certificate below it does not mean as its issuer, or None."""
    return next((issuer for child, issuer in itertools.pairwise(chain) if names_another(child, issuer)), None)


def require_key_identifiers(chain: Sequence[x509.Certificate]) -> None:
    """Refuse a path in which a certificate says that its issuer is another one (RFC 5280 section 4.2.1.1, as OpenSSL).

    Raises:
        CertificateUntrusted: the detail says which.
    """
    for child, issuer in itertools.pairwise(chain):
        if names_another(child, issuer):
            raise CertificateUntrusted(
                f"{describe(child)} has the authority key identifier of another certificate than {describe(issuer)}, "
                "which did sign it: the CA's certificate was made anew with other identifiers. Put the right one into "
                "the bundle, or issue the certificate anew"
            )


def require_told_apart(chain: Sequence[x509.Certificate]) -> None:
    """Refuse a path in which a name stands for two CAs, unless key identifiers say at each link which one is meant.

    The signatures do say it, and RFC 5280 asks for no more. But OpenSSL goes by names and key identifiers: it takes a
    CA's new key, signed by the old one, for self-signed, or the old one for the new.

    Parameters:
        chain: a path, or the upper part of one.

    Raises:
        CertificateUntrusted: the detail says which.
    """
    names = [comparable(one.subject) for one in chain]
    for (child, issuer), (below, name) in zip(itertools.pairwise(chain), itertools.pairwise(names), strict=True):
        is_self_issued = below == name
        if not is_self_issued and names[1:].count(name) == 1:
            continue
        wanted = _extension(child, ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
        meant = wanted.key_identifier if isinstance(wanted, x509.AuthorityKeyIdentifier) else None
        own = subject_key_identifier(child)
        if meant is None or meant != subject_key_identifier(issuer) or (is_self_issued and own in (None, meant)):
            raise CertificateUntrusted(
                f"{describe(child)} is issued by {describe(issuer)}, and another certificate of the path has that "
                "name: issue them with subject and authority key identifiers, which tell them apart"
            )


def require_constrained_names(chain: Sequence[x509.Certificate]) -> None:
    """Refuse names that a CA's constraints may forbid, where the path builder does not look.

    It has judged the alternative names. RFC 5280 section 4.2.1.10 applies e-mail constraints to the subject's
    emailAddress too, and OpenSSL applies DNS constraints to a common name that looks like a host. So such a name in the
    subject must be among the alternative names, wherever a CA above constrains its kind.

    Raises:
        CertificateUnsuitable: the detail says which name, and whose constraint.
    """
    for position, certificate in enumerate(chain[:-1]):
        constraining = {type(subtree): ca for ca in chain[position + 1 :] for subtree in _subtrees(ca)}
        if not constraining or (position and certificate.subject == certificate.issuer):
            continue
        unjudged = _unjudged_name(certificate, set(constraining), is_leaf=position == 0)
        if unjudged:
            raise CertificateUnsuitable(
                f"{describe(certificate)} has the name {quoted(unjudged)} where the name constraints of "
                f"{' and '.join(sorted({describe(ca) for ca in constraining.values()}))} cannot be applied to it: "
                "issue it with the name among its DNS or e-mail alternative names, and nowhere else"
            )


def _unjudged_name(certificate: x509.Certificate, constrained: set[type], *, is_leaf: bool) -> str | None:
    names = _extension(certificate, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    alternative = list(names) if isinstance(names, x509.SubjectAlternativeName) else []
    emails = {name.value for name in alternative if isinstance(name, x509.RFC822Name)}
    hosts = {name.value for name in alternative if isinstance(name, x509.DNSName)}
    for name in alternative:
        if x509.RFC822Name in constrained and isinstance(name, x509.OtherName) and name.type_id == _SMTP_UTF8_MAILBOX:
            return repr(name.value)
    for attribute in certificate.subject:
        value = str(attribute.value)
        if attribute.oid == NameOID.EMAIL_ADDRESS:
            # Not an IA5String: OpenSSL refuses it below any constraint (X509_V_ERR_UNSUPPORTED_NAME_SYNTAX).
            if attribute._type.name != "IA5String" or (x509.RFC822Name in constrained and value not in emails):
                return value
        elif is_leaf and attribute.oid == NameOID.COMMON_NAME and x509.DNSName in constrained:
            looks_like_host = "." in value
            if looks_like_host and value not in hosts:
                return value
    return None


# The chain of one link


def needs_single_link(leaf: x509.Certificate) -> bool:
    """Say whether the path builder cannot judge this leaf: X.509 v1, or signed by an Ed25519 or Ed448 key."""
    return leaf.version is x509.Version.v1 or leaf.signature_algorithm_oid in EDDSA


def require_single_link(leaf: x509.Certificate, anchor: x509.Certificate, at: dt.datetime) -> None:
    """RFC 5280 section 6.1 for a path of one link, a leaf issued directly by an anchor, all of it in one place.

    It is for leaves that the path builder cannot judge, and it fails closed on what it does not understand. Asked
    before: the leaf's validity, and what `require_client_leaf` asks.

    Raises:
        ClientCertError: `certificate_untrusted` where the anchor did not sign the leaf; `certificate_unsuitable`,
            `certificate_expired`, `certificate_not_yet_valid` for the anchor.
    """
    require_ca(anchor)
    require_room(anchor, at, below=0)
    if _subtrees(anchor):
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
    require_key_identifiers((leaf, anchor))


def is_eddsa(ca: x509.Certificate) -> bool:
    """Say whether a CA signs with Ed25519 or Ed448."""
    return isinstance(ca.public_key(), (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))
