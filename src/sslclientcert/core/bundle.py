"""CA bundles as people have them: PEM or DER, one certificate or many, with comments and blank lines between.

What is wrong with one is a configuration fault: a ValueError that names the file, says what was found, and what to do.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Hashable, Iterable, Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from .names import comparable
from .policy import names_another

__all__ = ["Signed", "anchors_of", "by_comparable_name", "parse_certificates", "parse_crls", "require_parsed", "signed"]

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_CERTIFICATE_LABELS = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})


def _blocks(data: bytes, source: str, wanted: frozenset[bytes], what: str, remedy: str) -> Iterator[tuple[int, bytes]]:
    """Yield number and body of each PEM block, if all are of a wanted kind."""
    blocks = list(_BLOCK.finditer(data))
    if data.count(b"-----BEGIN ") != len(blocks):
        raise ValueError(f"{source}: a PEM block is not closed by its END line; the file may be cut short")
    for number, block in enumerate(blocks, 1):
        label = block[1].decode()
        if block[1] not in wanted:
            hint = "keep keys out of this file, and consider this one exposed" if "PRIVATE KEY" in label else remedy
            raise ValueError(f"{source}: PEM block {number} is a {label}, where only {what} may be: {hint}")
        yield number, block[2]


def _found(data: bytes) -> str:
    if not data.strip():
        return "it is empty"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16 text (written by PowerShell?); save it as ASCII"
    if data.lstrip().startswith(b"LS0tLS1C"):  # base64 of "-----B"
        return "it is base64 of PEM, as a Kubernetes secret shows it; decode it (base64 -d), or mount the secret"
    if not all(32 <= octet < 127 or octet in b"\t\r\n" for octet in data[:12]):
        return "it is binary and no DER of that kind (a key, PKCS #7, or PKCS #12?)"  # not quoted: it may be a key
    return f"it starts with {data[:12].decode()!r}"


def require_parsed(certificate: x509.Certificate, source: str) -> None:
    """cryptography parses lazily; parse all of a CA's certificate when the store is made.

    Raises:
        ValueError: a part of it does not parse.
    """
    try:
        _ = certificate.subject, certificate.issuer, certificate.extensions
    except Exception as error:
        raise ValueError(
            f"{source}: the certificate with serial number {certificate.serial_number:02X} cannot be parsed: {error}"
        ) from error


def parse_certificates(data: bytes, source: str) -> tuple[x509.Certificate, ...]:
    """Parse a CA bundle. Nothing about the certificates is verified.

    Parameters:
        data: the content, PEM or DER.
        source: how messages name it, such as the file's path.

    Raises:
        ValueError: it holds no certificate, something that is none, or one that does not parse.
    """
    certificates: dict[x509.Certificate, None] = {}  # in order, each once
    remedy = "give the CA certificates alone (CRLs go into the crl option)"
    for number, body in _blocks(data, source, _CERTIFICATE_LABELS, "CA certificates", remedy):
        pem = b"-----BEGIN CERTIFICATE-----" + body + b"-----END CERTIFICATE-----\n"
        try:
            certificate = x509.load_pem_x509_certificate(pem)
            _ = certificate.subject, certificate.issuer, certificate.extensions
        except Exception as error:
            raise ValueError(f"{source}: certificate {number} cannot be parsed: {error}") from error
        certificates[certificate] = None
    if not certificates:
        try:
            certificates[x509.load_der_x509_certificate(data)] = None
        except Exception as error:
            raise ValueError(
                f"{source} holds no certificate: {_found(data)}. A CA bundle is PEM ('-----BEGIN CERTIFICATE-----', "
                "one or several) or one certificate in DER"
            ) from error
    return tuple(certificates)


def parse_crls(data: bytes, source: str) -> tuple[x509.CertificateRevocationList, ...]:
    """Parse certificate revocation lists, PEM (one or several) or DER. Nothing about them is verified.

    Raises:
        ValueError: it holds no list, something that is none, or one that does not parse.
    """
    lists = []
    for number, body in _blocks(
        data, source, frozenset({b"X509 CRL"}), "CRLs", "CA certificates go into the CA bundle"
    ):
        pem = b"-----BEGIN X509 CRL-----" + body + b"-----END X509 CRL-----\n"
        try:
            lists.append(x509.load_pem_x509_crl(pem))
        except Exception as error:
            raise ValueError(f"{source}: CRL {number} cannot be parsed: {error}") from error
    if not lists:
        try:
            lists.append(x509.load_der_x509_crl(data))
        except Exception as error:
            raise ValueError(
                f"{source} holds no CRL: {_found(data)}. It must be PEM ('-----BEGIN X509 CRL-----', one or several) "
                "or one list in DER"
            ) from error
    return tuple(lists)


class Signed(enum.Enum):
    """Whether one certificate is issued by another: name and signature."""

    YES = enum.auto()
    NO = enum.auto()  # the signature is of another key
    UNKNOWN = enum.auto()  # the names differ, or the signature is of a kind that cannot be checked


def signed(child: x509.Certificate, issuer: x509.Certificate) -> Signed:
    """Say whether `issuer` has the name and the key that signed `child`."""
    try:
        child.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return Signed.NO
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Signed.UNKNOWN
    return Signed.YES


def anchors_of(certificates: Iterable[x509.Certificate]) -> frozenset[x509.Certificate]:
    """Pick the trust anchors of a bundle: what is self-signed, and what has no issuer in the bundle.

    The others are intermediates and hold only through their issuers: were they anchors too, a root that has expired,
    constrains, or revokes would have no say over them. So where a certificate of the issuer's name is there, spelled as
    it may be, and the signature cannot be checked, the certificate is no anchor.
    """
    pool = tuple(certificates)
    by_name = by_comparable_name(pool)

    def stands_alone(certificate: x509.Certificate) -> bool:
        if certificate.subject == certificate.issuer:
            by_itself = signed(certificate, certificate)
            # A root signed with SHA-1 cannot be checked, and need not be: it says itself whether it is its own issuer.
            if by_itself is Signed.YES or (by_itself is Signed.UNKNOWN and not names_another(certificate, certificate)):
                return True
        issuers = by_name.get(comparable(certificate.issuer), ())
        return all(signed(certificate, issuer) is Signed.NO for issuer in issuers if issuer != certificate)

    return frozenset(filter(stands_alone, pool))


def by_comparable_name(certificates: Iterable[x509.Certificate]) -> dict[Hashable, list[x509.Certificate]]:
    """Return certificates by their subject's comparable form."""
    found: dict[Hashable, list[x509.Certificate]] = {}
    for certificate in certificates:
        found.setdefault(comparable(certificate.subject), []).append(certificate)
    return found
