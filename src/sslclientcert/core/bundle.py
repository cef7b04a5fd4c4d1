"""CA bundles as people have them: PEM or DER, one certificate or many, with comments and blank lines between.

What is wrong with one is a configuration fault: a ValueError that names the file, says what was found, and what to do.
"""

from __future__ import annotations

import binascii
import enum
import io
import re
from collections.abc import Hashable, Iterable, Iterator

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from .crl import RevocationList
from .der import element
from .names import comparable

__all__ = ["Signed", "anchors_of", "by_comparable_name", "parse_certificates", "parse_crls", "require_parsed", "signed"]

_BEGIN = b"-----BEGIN "
_LABEL = re.compile(rb"([A-Z0-9 ]+)-----")
# The kinds of keys that make signatures of an algorithm, by the start of its OID.
_KINDS: dict[str, type] = {
    "1.2.840.113549.1.1.": rsa.RSAPublicKey,
    "1.2.840.10045.4.": ec.EllipticCurvePublicKey,
    "1.2.840.10040.4.": dsa.DSAPublicKey,
    "1.3.101.112": ed25519.Ed25519PublicKey,
    "1.3.101.113": ed448.Ed448PublicKey,
}
_RSASSA_PSS = "1.2.840.113549.1.1.10"
_PIECE = 1 << 20  # characters of base64 that are decoded at a time
_CERTIFICATE_LABELS = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})


def _blocks(
    data: bytes, source: str, wanted: frozenset[bytes], what: str, remedy: str
) -> Iterator[tuple[int, memoryview]]:
    """Yield number and body of each PEM block; one of another kind than the wanted ends it. A body is not copied."""
    number, at = 0, data.find(_BEGIN)
    while at >= 0:
        number += 1
        found = _LABEL.match(data, at + len(_BEGIN))
        stop = -1 if found is None else data.find(b"-----END " + found[0], found.end())
        following = data.find(_BEGIN, at + 1)
        if found is None or stop < 0 or 0 <= following < stop:
            raise ValueError(f"{source}: a PEM block is not closed by its END line; the file may be cut short")
        if found[1] not in wanted:
            label = found[1].decode()
            hint = "keep keys out of this file, and consider this one exposed" if "PRIVATE KEY" in label else remedy
            raise ValueError(f"{source}: PEM block {number} is a {label}, where only {what} may be: {hint}")
        yield number, memoryview(data)[found.end() : stop]
        at = following


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


def parse_crls(data: bytes, source: str) -> tuple[RevocationList, ...]:
    """Read certificate revocation lists, PEM (one or several) or DER. Nobody's signature is verified.

    No other thread is held up for long, however long a list is.

    Raises:
        ValueError: it holds no list, something that is none, one that does not parse, or one of a kind that is not
            processed.
    """
    if _is_one_sequence(data):
        content = [data]
        del data  # the caller that keeps it no longer either has the memory back before the serial numbers need it
        return (_revocation_list(content, f"{source}: the list"),)
    wanted, remedy = frozenset({b"X509 CRL"}), "CA certificates go into the CA bundle"
    lists = [
        (f"{source}: CRL {number}", _decoded(body, f"{source}: CRL {number}"))
        for number, body in _blocks(data, source, wanted, "CRLs", remedy)
    ]
    if not lists:
        raise ValueError(
            f"{source} holds no CRL: {_found(data)}. It must be PEM ('-----BEGIN X509 CRL-----', one or several) "
            "or one list in DER"
        )
    del data
    return tuple(_revocation_list(content, name) for name, content in lists)


def _is_one_sequence(data: bytes) -> bool:
    try:
        return element(data)[::2] == (0x30, len(data))
    except ValueError:
        return False


def _revocation_list(content: list[bytes], name: str) -> RevocationList:
    try:
        return RevocationList(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _decoded(body: memoryview, name: str) -> list[bytes]:
    """Decode base64, a piece at a time, since no other thread runs meanwhile."""
    decoded, rest, padded = io.BytesIO(), b"", False
    try:
        for at in range(0, len(body), _PIECE):
            text = rest + bytes(body[at : at + _PIECE]).translate(None, b" \t\r\n")
            if padded and text:
                raise ValueError("something follows its end")
            whole, rest = text[: len(text) // 4 * 4], text[len(text) // 4 * 4 :]
            octets = binascii.a2b_base64(whole, strict_mode=True)
            if len(octets) != len(whole) // 4 * 3 - whole.count(b"="):  # the strict mode lets "====" pass
                raise ValueError("there is padding in the wrong place")
            decoded.write(octets)
            padded = padded or whole.endswith(b"=")
        if rest:
            raise ValueError("characters are missing")
    except ValueError as error:
        raise ValueError(f"{name}: it cannot be parsed, as it is not base64: {error}") from error
    return [decoded.getvalue()]


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
        return _signed_otherwise(child, issuer)
    return Signed.YES


def _signed_otherwise(child: x509.Certificate, issuer: x509.Certificate) -> Signed:
    """The same where cryptography declines to say: another kind of key, a weak hash, a name spelled another way.

    It makes nothing trusted: it tells which of a bundle's own certificates stand below which others.
    """
    algorithm = child.signature_algorithm_oid.dotted_string
    try:
        key = issuer.public_key()
        kinds = {prefix: kind for prefix, kind in _KINDS.items() if algorithm.startswith(prefix)}
        if kinds and not isinstance(key, tuple(kinds.values())):
            return Signed.NO
        digest = child.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey) and digest is not None:
            key.verify(child.signature, child.tbs_certificate_bytes, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
            key.verify(child.signature, child.tbs_certificate_bytes, ec.ECDSA(digest))
        else:
            return Signed.UNKNOWN
    except InvalidSignature:
        return Signed.NO if algorithm != _RSASSA_PSS else Signed.UNKNOWN
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return Signed.UNKNOWN
    return Signed.YES if child.issuer.public_bytes() == issuer.subject.public_bytes() else Signed.UNKNOWN


def anchors_of(certificates: Iterable[x509.Certificate]) -> frozenset[x509.Certificate]:
    """Pick the trust anchors of a bundle: what is self-signed, and what has no issuer in the bundle.

    The others are intermediates and hold only through their issuers: were they anchors too, a root that has expired,
    constrains, or revokes would have no say over them. So where a certificate of the issuer's name is there, spelled as
    it may be, and the signature cannot be checked, the certificate is no anchor.
    """
    pool = tuple(certificates)
    by_name = by_comparable_name(pool)

    def stands_alone(certificate: x509.Certificate) -> bool:
        if certificate.subject == certificate.issuer and signed(certificate, certificate) is Signed.YES:
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
