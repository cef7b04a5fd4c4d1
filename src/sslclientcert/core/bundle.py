"""CA bundles and CRL files: which certificates and CRLs they hold, and what of a bundle is left out.

What is wrong with one is a configuration fault: a ValueError that names the file, says what was found, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .certificate import DOES_NOT_PARSE, ParsedCertificate, names_and_serial
from .crl import RevocationList
from .der import children
from .forms import CERTIFICATES, CRLS, PKCS7, elements, is_one_sequence, kind_of, refusal
from .links import LeftOut

__all__ = ["ParsedBundle", "parse_certificates", "parse_crls", "parsed_certificates"]


class ParsedBundle(NamedTuple):
    """What a file of certificates holds, nothing of it verified: those that parse, and those that are left out."""

    certificates: tuple[ParsedCertificate, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def __add__(self, other: object) -> ParsedBundle:
        if not isinstance(other, ParsedBundle):
            return NotImplemented
        return ParsedBundle(self.certificates + other.certificates, self.left_out + other.left_out)


def parse_certificates(data: bytes, source: str) -> ParsedBundle:
    """Parse a CA bundle. Nothing about the certificates is verified.

    What cryptography cannot parse is left out, since one odd certificate must not stop an application. Broken PEM,
    base64 or a broken outer length refuse the whole: the file may be half written.

    Parameters:
        data: the content: PEM, DER or PKCS #7.
        source: how messages name it, such as the file's path.

    Raises:
        ValueError: it holds no certificate, or something that is none.
    """
    found = elements(data, source, CERTIFICATES)
    return sum((_parsed(der, number, source) for number, der in enumerate(found, 1)), ParsedBundle())


def _parsed(der: bytes, number: int, source: str) -> ParsedBundle:
    name = f"{source}: certificate {number}"
    if not is_one_sequence(der):
        raise ValueError(f"{name} is not one DER element; the file may be cut short")
    try:
        return ParsedBundle((ParsedCertificate(x509.load_der_x509_certificate(der)),))
    except Exception:  # noqa: BLE001  # cryptography has several for what it cannot read
        label = kind_of(der)
    if label == PKCS7:
        return _parsed_pkcs7(der, source)
    if label is not None and label not in CERTIFICATES.labels:
        raise refusal(name, label, CERTIFICATES)
    outline = names_and_serial(der)
    serial = "" if outline.serial is None else f" (serial {outline.serial:X})"
    what = f"certificate {number} of {source}{serial}"
    return ParsedBundle((), (LeftOut(what, DOES_NOT_PARSE, outline.subject, outline.spki),))


def _parsed_pkcs7(der: bytes, source: str) -> ParsedBundle:
    """Parse the certificates of PKCS #7, without which cryptography's reader refuses."""
    from cryptography.hazmat.primitives.serialization import pkcs7  # imports all of the package email

    try:
        signed_data = children(children(children(der)[1])[0])
        found = pkcs7.load_der_pkcs7_certificates(der)
    except Exception as error:  # cryptography has several for what it cannot read
        raise ValueError(
            f"{source}: its PKCS #7 does not parse, or it holds no certificate: openssl pkcs7 -in FILE -print_certs "
            "-out ca.crt (-inform DER if it is binary)"
        ) from error
    if any(part[0] == 0xA1 for part in signed_data):  # SignedData's crls, which that reader passes over
        raise ValueError(
            f"{source}: its PKCS #7 holds CRLs too, which go into the crl option. Write all of it as PEM and move them "
            "into a file of their own: openssl pkcs7 -in FILE -print_certs (-inform DER if it is binary)"
        )
    ders = (one.public_bytes(Encoding.DER) for one in found)
    return sum((_parsed(one, number, source) for number, one in enumerate(ders, 1)), ParsedBundle())


def parsed_certificates(certificates: Iterable[x509.Certificate]) -> ParsedBundle:
    """Return certificates that are objects already, as `parse_certificates` does those of a file."""
    ders = (certificate.public_bytes(Encoding.DER) for certificate in certificates)
    return sum((_parsed(der, number, "the trust store") for number, der in enumerate(ders, 1)), ParsedBundle())


def parse_crls(data: bytes, source: str) -> tuple[RevocationList, ...]:
    """Read certificate revocation lists, PEM (one or several) or DER. Their signatures are not verified.

    Raises:
        ValueError: it holds no list, something that is none, or one that does not parse. What parses and cannot be used
            has a `fault`.
    """
    found = elements(data, source, CRLS)
    return tuple(_revocation_list(der, f"{source}: CRL {number}") for number, der in enumerate(found, 1))


def _revocation_list(der: bytes, name: str) -> RevocationList:
    try:
        return RevocationList(der)
    except ValueError as error:
        label = kind_of(der)
        if label is not None and label not in CRLS.labels:
            raise refusal(name, label, CRLS) from error
        raise ValueError(f"{name}: {error}") from error
