"""Keys from a small pool, and the signatures that they make: right, odd and weak."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..pki import PrivateKey, content_of, elements, private_key, tlv
from .asn1 import integer, oid, sequence

RSA_ENCRYPTION, RSA_PSS, MGF1 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
NULL = tlv(0x05)
HASHES: dict[str, tuple[hashes.HashAlgorithm, str]] = {
    "MD5": (hashes.MD5(), "1.2.840.113549.2.5"),  # noqa: S303
    "SHA-1": (hashes.SHA1(), "1.3.14.3.2.26"),  # noqa: S303
    "SHA-224": (hashes.SHA224(), "2.16.840.1.101.3.4.2.4"),
    "SHA-256": (hashes.SHA256(), "2.16.840.1.101.3.4.2.1"),
    "SHA-384": (hashes.SHA384(), "2.16.840.1.101.3.4.2.2"),
    "SHA-512": (hashes.SHA512(), "2.16.840.1.101.3.4.2.3"),
    "SHA3-256": (hashes.SHA3_256(), "2.16.840.1.101.3.4.2.8"),
}
SIGNATURES = {
    "RSA": {
        "MD5": "1.2.840.113549.1.1.4",
        "SHA-1": "1.2.840.113549.1.1.5",
        "SHA-224": "1.2.840.113549.1.1.14",
        "SHA-256": "1.2.840.113549.1.1.11",
        "SHA-384": "1.2.840.113549.1.1.12",
        "SHA-512": "1.2.840.113549.1.1.13",
    },
    "EC": {
        "SHA-1": "1.2.840.10045.4.1",
        "SHA-224": "1.2.840.10045.4.3.1",
        "SHA-256": "1.2.840.10045.4.3.2",
        "SHA-384": "1.2.840.10045.4.3.3",
        "SHA-512": "1.2.840.10045.4.3.4",
        "SHA3-256": "2.16.840.1.101.3.4.3.10",
    },
    "DSA": {"SHA-256": "2.16.840.1.101.3.4.3.2"},
}
"""The object identifiers of RFC 3279, 4055, 5758, and of NIST's register for SHA-3."""
EDWARDS = {"Ed25519": "1.3.101.112", "Ed448": "1.3.101.113"}


@dataclasses.dataclass(frozen=True, eq=False)
class Key:
    """A private key, and how a certificate writes its public one."""

    kind: str
    private: PrivateKey
    spki: bytes
    form: str = ""
    """How the public key is written, if not as everybody does: "explicit", "PSS", "PSS with parameters", "no NULL"."""

    @property
    def family(self) -> str:
        """What kind of signature this key can make: RSA, RSA-PSS, EC, DSA, Ed25519, Ed448."""
        if self.form.startswith("PSS"):
            return "RSA-PSS"
        if self.kind.startswith(("RSA-", "DSA-")):
            return self.kind[:3]
        return self.kind if self.kind in EDWARDS else "EC"

    @property
    def bits(self) -> int:
        private = self.private
        if isinstance(private, rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey):
            return private.key_size
        return 256

    @property
    def exponent(self) -> int:
        return self.private.public_key().public_numbers().e if isinstance(self.private, rsa.RSAPrivateKey) else 0

    @functools.cached_property
    def identifier(self) -> bytes:
        """RFC 5280 section 4.2.1.2, method 1."""
        digest = hashes.Hash(hashes.SHA1())  # noqa: S303
        digest.update(content_of(elements(content_of(self.spki))[1])[1:])
        return digest.finalize()


_MERSENNE = {"RSA-6534": (4253, 2281), "RSA-8676": (4423, 4253)}
"""Large RSA keys at no cost: 2**n - 1 is a known prime."""


def _with_exponent(primes: tuple[int, int], exponent: int) -> rsa.RSAPrivateKey:
    p, q = primes
    secret = pow(exponent, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(exponent, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, secret, secret % (p - 1), secret % (q - 1), pow(q, -1, p), public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _private(kind: str, number: int) -> PrivateKey:
    if kind in _MERSENNE:
        p, q = _MERSENNE[kind]
        return _with_exponent((2**p - 1, 2**q - 1), 65537)
    if kind.startswith("RSA-2048-e"):
        base = private_key("RSA-2048", number)
        assert isinstance(base, rsa.RSAPrivateKey)
        numbers = base.private_numbers()
        exponent = int(kind.removeprefix("RSA-2048-e"))
        while True:  # the next one that has an inverse
            try:
                return _with_exponent((numbers.p, numbers.q), exponent)
            except ValueError:
                exponent += 2
    return private_key(kind, number)


@functools.cache
def key_of(kind: str = "P-256", number: int = 0, form: str = "") -> Key:
    """The key of that kind and number in the pool; of one kind and number there is one private key."""
    private = _private(kind, number)
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if form:
        algorithm, point = elements(content_of(spki))
        spki = sequence(_FORMS[form](algorithm), point)
    return Key(kind, private, spki, form)


def _explicit_p256(_: bytes) -> bytes:
    """P-256 as SEC 1 writes it out, instead of its name (RFC 5480 section 2.1.1 forbids that)."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    a = (prime - 3).to_bytes(32)
    b = bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")
    generator = bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    field = sequence(oid("1.2.840.10045.1.1"), integer(prime))
    curve = sequence(tlv(0x04, a), tlv(0x04, b))
    parameters = sequence(integer(1), field, curve, tlv(0x04, generator), integer(order), integer(1))
    return sequence(oid("1.2.840.10045.2.1"), parameters)


_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "explicit": _explicit_p256,
    "PSS": lambda _: sequence(oid(RSA_PSS)),
    "PSS with parameters": lambda _: sequence(oid(RSA_PSS), pss_parameters("SHA-256", 32)),
    "no NULL": lambda _: sequence(oid(RSA_ENCRYPTION)),
}


# Signatures


@dataclasses.dataclass(frozen=True)
class Scheme:
    """How a key signs: with which hash, and for RSA-PSS with which salt."""

    digest: str = "SHA-256"
    salt: int | None = None
    mask: str = ""
    """The hash of the mask generation function, if it is another one."""
    null: bool = False
    """Whether ECDSA has a NULL for its parameters, which RFC 5758 section 3.2 leaves out."""


def pss_parameters(digest: str, salt: int, mask: str = "") -> bytes:
    def named(name: str) -> bytes:
        return sequence(oid(HASHES[name][1]), NULL)

    return sequence(
        tlv(0xA0, named(digest)),
        tlv(0xA1, sequence(oid(MGF1), named(mask or digest))),
        tlv(0xA2, integer(salt)),
    )


def algorithm_of(key: Key, scheme: Scheme) -> bytes:
    """The AlgorithmIdentifier of a signature."""
    if key.kind in EDWARDS:
        return sequence(oid(EDWARDS[key.kind]))
    if scheme.salt is not None:
        return sequence(oid(RSA_PSS), pss_parameters(scheme.digest, scheme.salt, scheme.mask))
    family = key.kind[:3] if key.kind[:3] in ("RSA", "DSA") else "EC"
    named = oid(SIGNATURES[family][scheme.digest])
    return sequence(named, NULL) if family == "RSA" or scheme.null else sequence(named)


def signature(key: Key, scheme: Scheme, data: bytes) -> bytes:
    private, digest = key.private, HASHES[scheme.digest][0]
    if isinstance(private, rsa.RSAPrivateKey):
        if scheme.salt is None:
            return private.sign(data, padding.PKCS1v15(), digest)
        mask = HASHES[scheme.mask or scheme.digest][0]
        return private.sign(data, padding.PSS(padding.MGF1(mask), scheme.salt), digest)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(data, ec.ECDSA(digest))
    if isinstance(private, dsa.DSAPrivateKey):
        return private.sign(data, digest)
    if isinstance(private, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        return private.sign(data)
    raise TypeError(f"no signature with {key.kind} here")


def scheme_for(key: Key, wanted: Scheme | None) -> Scheme:
    """A scheme if that key can sign so, or else its usual one."""
    usual = Scheme("SHA-256", 32) if key.form.startswith("PSS") else Scheme()
    if wanted is None or (wanted.salt is not None and (key.kind[:3] != "RSA" or key.bits < 2048)):
        return usual
    family = "RSA" if key.kind[:3] == "RSA" else key.family
    return wanted if wanted.digest in SIGNATURES.get(family, ()) else usual
