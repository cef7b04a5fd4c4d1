"""CA bundles as people have them: PEM or DER, one certificate or many, with comments and blank lines between.

What is wrong with one is a configuration fault: a ValueError that names the file, says what was found, and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

__all__ = ["anchors_of", "parse_certificates", "parse_crls"]

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
    return f"it starts with {data[:24]!r}"


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


def is_signed_by(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether `issuer` has the name and the key that signed `child`; False where that cannot be checked."""
    try:
        child.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def anchors_of(certificates: Iterable[x509.Certificate]) -> frozenset[x509.Certificate]:
    """Pick the trust anchors of a bundle: what is self-signed, and what has no issuer in the bundle.

    The others are intermediates and hold only through their issuers: were they anchors too, a root that has expired,
    constrains, or revokes would have no say over them. Where a certificate of the issuer's name is there but the
    signature cannot be checked (an unsupported algorithm), the certificate is no anchor.
    """
    pool = tuple(certificates)
    by_subject: dict[x509.Name, list[x509.Certificate]] = {}
    for certificate in pool:
        by_subject.setdefault(certificate.subject, []).append(certificate)

    def stands_alone(certificate: x509.Certificate) -> bool:
        if certificate.subject == certificate.issuer and is_signed_by(certificate, certificate):
            return True
        return not any(_may_be_signed_by(certificate, issuer) for issuer in by_subject.get(certificate.issuer, ()))

    return frozenset(filter(stands_alone, pool))


def _may_be_signed_by(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return child is not issuer
    return True
