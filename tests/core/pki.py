"""Certificates for the tests: by cryptography's builders, byte by byte where these refuse, and by `openssl`.

Keys come from a small pool and are shared between certificates: what a certificate says is under test, not its key.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from ..openssl import OpenSSL

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)

PrivateKey: TypeAlias = CertificateIssuerPrivateKeyTypes
Extension: TypeAlias = tuple[x509.ExtensionType, bool]
"""An extension, and whether it is critical."""

CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-192": ec.SECP192R1,
    "P-224": ec.SECP224R1,
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpoolP256r1": ec.BrainpoolP256R1,
}


@functools.cache
def private_key(kind: str = "P-256", number: int = 0) -> PrivateKey:
    """The key of that number in the pool: a curve, `RSA-<bits>`, `DSA-<bits>`, `Ed25519`, `Ed448` or `ML-DSA-65`."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind.startswith("RSA-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    if kind.startswith("DSA-"):
        return dsa.generate_private_key(int(kind[4:]))
    if kind == "ML-DSA-65":
        from cryptography.hazmat.primitives.asymmetric import mldsa  # since cryptography 47

        return mldsa.MLDSA65PrivateKey.generate()
    return ed25519.Ed25519PrivateKey.generate() if kind == "Ed25519" else ed448.Ed448PrivateKey.generate()


@dataclasses.dataclass(frozen=True)
class Party:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem_of(*parties: Party) -> str:
    return "".join(party.pem for party in parties)


def name_of(text: str | x509.Name) -> x509.Name:
    """A name from RFC 4514 text, or of one common name."""
    if isinstance(text, x509.Name):
        return text
    if "=" in text:
        return x509.Name.from_rfc4514_string(text, {"emailAddress": NameOID.EMAIL_ADDRESS})
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*names: str) -> x509.KeyUsage:
    """A key usage with these bits, by their names in cryptography."""
    bits = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    return x509.KeyUsage(**{**bits, **dict.fromkeys(names, True)})


def purposes(*names: str) -> x509.ExtendedKeyUsage:
    """An extended key usage, by the names in cryptography."""
    return x509.ExtendedKeyUsage([getattr(ExtendedKeyUsageOID, name) for name in names])


def basic(*, ca: bool, pathlen: int | None = None) -> x509.BasicConstraints:
    return x509.BasicConstraints(ca=ca, path_length=pathlen)


def sans(*names: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(names)


def permitted(*names: x509.GeneralName) -> x509.NameConstraints:
    return x509.NameConstraints(permitted_subtrees=names, excluded_subtrees=None)


def excluded(*names: x509.GeneralName) -> x509.NameConstraints:
    return x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=names)


def unknown(oid: str = "1.3.6.1.4.1.32473.1", value: bytes = b"\x05\x00") -> x509.UnrecognizedExtension:
    """An unknown extension (RFC 5612's enterprise number for examples)."""
    return x509.UnrecognizedExtension(ObjectIdentifier(oid), value)


def ski(key: PrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def aki(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def digest_for(key: PrivateKey, digest: hashes.HashAlgorithm | None = None) -> hashes.HashAlgorithm | None:
    hashes_first = isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey)
    return digest or hashes.SHA256() if hashes_first else None


def certify(
    subject: str | x509.Name,
    issuer: Party | None = None,
    *,
    key: str | PrivateKey = "P-256",
    extensions: Iterable[Extension] = (),
    start: dt.datetime = NOW - DAY,
    end: dt.datetime = NOW + 30 * DAY,
    digest: hashes.HashAlgorithm | None = None,
    serial: int | None = None,
    issuer_name: str | x509.Name | None = None,
    pss_salt: int | None = None,
) -> Party:
    """Issue a certificate with exactly these extensions; self-signed without an issuer."""
    own = private_key(key) if isinstance(key, str) else key
    signer = own if issuer is None else issuer.key
    parent = name_of(subject) if issuer is None else issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(parent if issuer_name is None else name_of(issuer_name))
        .public_key(own.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    algorithm = digest_for(signer, digest)
    if pss_salt is not None and isinstance(algorithm, hashes.HashAlgorithm):
        pss = padding.PSS(padding.MGF1(algorithm), pss_salt)
        return Party(builder.sign(signer, algorithm, rsa_padding=pss), own)  # type: ignore[arg-type]  # SHA-1 is refused by type
    return Party(builder.sign(signer, algorithm), own)  # type: ignore[arg-type]


def _merged(
    defaults: Iterable[Extension], extra: Iterable[Extension], without: Iterable[type[x509.ExtensionType]]
) -> list[Extension]:
    replaced = {extension.oid for extension, _ in extra} | {kind.oid for kind in without}
    return [*(one for one in defaults if one[0].oid not in replaced), *extra]


def authority(
    subject: str | x509.Name,
    issuer: Party | None = None,
    *,
    key: str | PrivateKey = "P-256",
    pathlen: int | None = None,
    extra: Iterable[Extension] = (),
    without: Iterable[type[x509.ExtensionType]] = (),
    start: dt.datetime = NOW - DAY,
    end: dt.datetime = NOW + 30 * DAY,
    digest: hashes.HashAlgorithm | None = None,
    serial: int | None = None,
    issuer_name: str | x509.Name | None = None,
) -> Party:
    """Issue a CA as it should be, but for what `extra` replaces or adds and `without` leaves out."""
    own = private_key(key) if isinstance(key, str) else key
    defaults: list[Extension] = [
        (basic(ca=True, pathlen=pathlen), True),
        (usage("key_cert_sign", "crl_sign"), True),
        (ski(own), False),
    ]
    if issuer is not None:
        defaults.append((aki(issuer.key), False))
    return certify(
        subject,
        issuer,
        key=own,
        extensions=_merged(defaults, tuple(extra), without),
        start=start,
        end=end,
        digest=digest,
        serial=serial,
        issuer_name=issuer_name,
    )


def client(
    subject: str | x509.Name = "alice",
    issuer: Party | None = None,
    *,
    key: str | PrivateKey = "P-256",
    extra: Iterable[Extension] = (),
    without: Iterable[type[x509.ExtensionType]] = (),
    start: dt.datetime = NOW - DAY,
    end: dt.datetime = NOW + 30 * DAY,
    digest: hashes.HashAlgorithm | None = None,
    serial: int | None = None,
    pss_salt: int | None = None,
) -> Party:
    """Issue a client's certificate as it should be, but for what `extra` replaces or adds and `without` leaves out."""
    own = private_key(key, 1) if isinstance(key, str) else key
    defaults: list[Extension] = [
        (basic(ca=False), True),
        (usage("digital_signature"), True),
        (purposes("CLIENT_AUTH"), False),
        (ski(own), False),
    ]
    if issuer is not None:
        defaults.append((aki(issuer.key), False))
    return certify(
        subject,
        issuer,
        key=own,
        extensions=_merged(defaults, tuple(extra), without),
        start=start,
        end=end,
        digest=digest,
        serial=serial,
        pss_salt=pss_salt,
    )


def revocation_list(
    issuer: Party,
    *revoked: int | x509.RevokedCertificate,
    start: dt.datetime = NOW - DAY,
    end: dt.datetime = NOW + 7 * DAY,
    extensions: Iterable[Extension] = (),
    key: PrivateKey | None = None,
    digest: hashes.HashAlgorithm | None = None,
) -> x509.CertificateRevocationList:
    """Issue a CRL, signed with the issuer's key or another one."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(start)
        .next_update(end)
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(revoked_entry(one) if isinstance(one, int) else one)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = key or issuer.key
    return builder.sign(signer, digest_for(signer, digest))  # type: ignore[arg-type]  # SHA-1 is refused by type


def revoked_entry(serial: int, *extensions: Extension) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def pem_of_crls(*lists: x509.CertificateRevocationList) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in lists)


# DER, for what the builders refuse to make


def tlv(tag: int, *content: bytes) -> bytes:
    """A DER element."""
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def elements(data: bytes) -> list[bytes]:
    """The DER elements that `data` is made of, each with its head."""
    found = []
    while data:
        length, head = data[1], 2
        if length & 0x80:
            head += length & 0x7F
            length = int.from_bytes(data[2:head])
        found.append(data[: head + length])
        data = data[head + length :]
    return found


def content_of(element: bytes) -> bytes:
    return element[2 + (element[1] & 0x7F if element[1] & 0x80 else 0) :]


def signature_by(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return key.sign(data)
    raise TypeError(f"no signature with {type(key).__name__} here")


def rewritten(der: bytes, key: PrivateKey, change: Callable[[list[bytes]], None]) -> bytes:
    """Change the elements of what is signed in a certificate or CRL (SHA-256), and sign it again."""
    signed, algorithm, _ = elements(content_of(der))
    parts = elements(content_of(signed))
    change(parts)
    body = tlv(0x30, *parts)
    return tlv(0x30, body, algorithm, tlv(0x03, b"\0", signature_by(key, body)))


def as_v1(party: Party, issuer: Party | None = None) -> Party:
    """The same certificate as X.509 v1: without a version and without extensions."""

    def strip(parts: list[bytes]) -> None:
        parts[:] = [part for part in parts if part[0] not in (0xA0, 0xA3)]

    return with_change(party, strip, issuer)


def with_change(party: Party, change: Callable[[list[bytes]], None], issuer: Party | None = None) -> Party:
    """The same certificate with its parts (version, serial, algorithm, issuer, validity, ...) changed."""
    der = rewritten(party.der, (issuer or party).key, change)
    return Party(x509.load_der_x509_certificate(der), party.key)


# The openssl program


def openssl(*arguments: str | Path, cwd: Path, stdin: str | None = None) -> str:
    """Run openssl and return what it printed."""
    return OpenSSL(cwd)(*arguments, stdin=stdin)


def make_by_documentation(folder: Path) -> None:
    """Make ca.crt and client.crt exactly as the ingress-nginx documentation says."""
    OpenSSL(folder).documentation()
