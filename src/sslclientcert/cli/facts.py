"""What a certificate says of itself, as JSON-ready values. **Nothing of it is verified**, and anybody can write it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Callable, Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from ..core.certificate import ParsedCertificate
from ..core.errors import ClientCertError, serial_text
from ..core.identity import UPN, utf8_string
from ..core.names import rfc4514
from ..core.policy import require_ca, require_client_leaf, require_path_length, require_validity, weak_signature
from .terminal import painted, shown

__all__ = ["facts", "hints", "line", "validity"]

_GENERAL_NAMES = {
    x509.DNSName: "DNS",
    x509.RFC822Name: "email",
    x509.UniformResourceIdentifier: "URI",
    x509.IPAddress: "IP",
}
_KEY_USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}


def facts(certificate: x509.Certificate) -> dict[str, object]:
    """Return what a certificate says: names, validity, key, usages, extensions, and its fingerprints.

    Not verified: any of it. The certificate must have been parsed by `PresentedChain`, which refuses one with a field
    that does not parse.
    """
    parsed = ParsedCertificate(certificate)
    usage = parsed.get(x509.KeyUsage)
    sha256 = hashlib.sha256(parsed.der)
    return {
        "subject": rfc4514(certificate.subject),
        "issuer": rfc4514(certificate.issuer),
        "serial_number": str(certificate.serial_number),
        "version": certificate.version.name,
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "public_key": _public_key(certificate),
        "signature_algorithm": _named(certificate.signature_algorithm_oid),
        "subject_alternative_names": [*map(_general_name, parsed.get(x509.SubjectAlternativeName) or ())],
        "key_usage": [label for attribute, label in _KEY_USAGES.items() if getattr(usage, attribute, False)],
        "extended_key_usage": [*map(_named, parsed.get(x509.ExtendedKeyUsage) or ())],
        "extensions": [_named(each.oid) + (" (critical)" if each.critical else "") for each in certificate.extensions],
        "fingerprint_sha256": sha256.hexdigest(),
        "fingerprint_sha1": hashlib.sha1(parsed.der, usedforsecurity=False).hexdigest(),  # nginx logs this one
        "thumbprint_s256": base64.urlsafe_b64encode(sha256.digest()).rstrip(b"=").decode(),
    }


def validity(certificate: x509.Certificate, at: dt.datetime) -> str:
    """Return the days of the validity, and whether `at` is outside of it."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    outside = " (NOT YET VALID)" if at < start else " (EXPIRED)" if at > end else ""
    return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}{outside}"


def line(number: int, certificate: x509.Certificate, at: dt.datetime, *more: object) -> str:
    """Return the line that tells a certificate from others: its place, subject, serial number and validity."""
    said = f"serial {serial_text(certificate.serial_number)}, {', '.join([validity(certificate, at), *map(str, more)])}"
    return f"  {number}  {shown(rfc4514(certificate.subject)) or '(no subject)'}   {painted(said, 'dim')}"


def hints(certificate: x509.Certificate, position: int, at: dt.datetime) -> Iterator[str]:
    """Yield why a certificate could not have its place in a chain, with any issuer. Nothing found proves nothing.

    Parameters:
        certificate: it, parsed by `PresentedChain`.
        position: 0 for the client's own, then the CAs above it.
        at: the present, aware.
    """
    parsed = ParsedCertificate(certificate)
    # Each by itself, so that dates do not hide what else is wrong.
    rules: list[Callable[[], None]] = [lambda: require_validity(parsed, at, dt.timedelta(), is_ca=position > 0)]
    if position:
        rules += [lambda: require_path_length(parsed, position - 1), lambda: require_ca(parsed)]
    else:
        rules += [lambda: require_client_leaf(parsed)]
    for rule in rules:
        try:
            rule()
        except ClientCertError as error:
            yield error.detail
    if parsed.scheme is None:
        yield weak_signature(parsed).detail
    if position == 0:
        basic = parsed.get(x509.BasicConstraints)
        if basic is not None and basic.ca:
            yield "it is the certificate of a CA; was the client's meant?"
        if certificate.subject == certificate.issuer:
            yield "it names itself as its issuer, so only a bundle that holds this very certificate accepts it"


def _named(oid: x509.ObjectIdentifier) -> str:
    name = oid._name
    return oid.dotted_string if name == "Unknown OID" else name


def _public_key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"{_named(certificate.public_key_algorithm_oid)}, not supported"
    kind = type(key).__name__.removeprefix("_").removesuffix("PublicKey")
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    size: int | None = getattr(key, "key_size", None)
    return kind if size is None else f"{kind} {size} bits"


def _general_name(name: x509.GeneralName) -> str:
    kind = _GENERAL_NAMES.get(type(name))
    if kind is not None:
        return f"{kind}:{name.value}"
    if isinstance(name, x509.DirectoryName):
        return f"directory:{rfc4514(name.value)}"
    if isinstance(name, x509.OtherName):
        if name.type_id == UPN:
            return f"UPN:{utf8_string(name.value) or f'#{name.value.hex()}'}"
        return f"other {name.type_id.dotted_string}:{name.value.hex()}"
    return f"registered:{name.value.dotted_string}"
