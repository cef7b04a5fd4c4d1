"""Whether a key made a signature: the one place that says so, for certificates and for CRLs.

Both the key's and the signature's AlgorithmIdentifier are compared as bytes with a fixed list. So a key with explicit
curve parameters (the kind of CVE-2020-0601) is not used, although cryptography reads it without a word. SHA-1 and MD5
are not on the list. RSASSA-PSS is the one scheme whose parameters vary, and cryptography reads them. A key that
restricts itself to RSASSA-PSS with certain parameters makes signatures of exactly this AlgorithmIdentifier.

Sources: RFC 3279, 4055, 5480, 5639, 5758, 8410, 9881; NIST CSOR for SHA-3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from .der import children

__all__ = ["Scheme", "kind_of_key", "made_signature", "scheme_of"]


def _algorithm(oid: str, parameters: str = "") -> bytes:
    """Return an AlgorithmIdentifier: the OID's octets and the parameters' element, both in hexadecimal."""
    content = bytes([6, len(oid) // 2]) + bytes.fromhex(oid + parameters)
    return bytes([0x30, len(content)]) + content


_NULL = "0500"
_RSA, _RSASSA_PSS, _EC = "2a864886f70d010101", "2a864886f70d01010a", "2a8648ce3d0201"
_CURVES = {
    "secp224r1": "06052b81040021",
    "secp256r1": "06082a8648ce3d030107",
    "secp384r1": "06052b81040022",
    "secp521r1": "06052b81040023",
    "secp256k1": "06052b8104000a",
    "brainpoolP256r1": "06092b2403030208010107",
    "brainpoolP384r1": "06092b240303020801010b",
    "brainpoolP512r1": "06092b240303020801010d",
}
# Schemes whose signatures and keys have one AlgorithmIdentifier and no hash to choose: EdDSA, ML-DSA.
_PURE = {
    _algorithm("2b6570"): "Ed25519",
    _algorithm("2b6571"): "Ed448",
    **{_algorithm(f"6086480165030403{11 + step}"): f"ML-DSA-{size}" for step, size in enumerate((44, 65, 87))},
}

_KEYS: Mapping[bytes, str] = {
    _algorithm(_RSA, _NULL): "RSA",
    _algorithm(_RSA): "RSA",  # OpenSSL reads it without the NULL as well
    _algorithm(_RSASSA_PSS): "RSASSA-PSS",
    **{_algorithm(_EC, curve): name for name, curve in _CURVES.items()},
    **_PURE,
}


class Scheme(NamedTuple):
    """How a signature was made.

    Attributes:
        keys: the kinds of key that make such signatures.
        hash: the hash that is signed; None where the scheme signs the data itself.
        padding: RSA's padding; None for other keys.
    """

    keys: frozenset[str]
    hash: hashes.HashAlgorithm | None = None
    padding: padding.PKCS1v15 | padding.PSS | None = None


_SHA2: Mapping[str, hashes.HashAlgorithm] = {
    "224": hashes.SHA224(),
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_SHA3: Mapping[str, hashes.HashAlgorithm] = {
    "224": hashes.SHA3_224(),
    "256": hashes.SHA3_256(),
    "384": hashes.SHA3_384(),
    "512": hashes.SHA3_512(),
}
_STRONG = frozenset(digest.name for digest in (*_SHA2.values(), *_SHA3.values()))
_OF_RSA, _OF_EC = frozenset({"RSA"}), frozenset(_CURVES)


def _fixed() -> dict[bytes, Scheme]:
    found = {algorithm: Scheme(frozenset({name})) for algorithm, name in _PURE.items()}
    rsa_sha2 = zip(("0e", "0b", "0c", "0d"), _SHA2.values(), strict=True)
    rsa_sha3 = zip(("0d", "0e", "0f", "10"), _SHA3.values(), strict=True)
    for arc, members in (("2a864886f70d0101", rsa_sha2), ("6086480165030403", rsa_sha3)):
        for last, digest in members:
            scheme = Scheme(_OF_RSA, digest, padding.PKCS1v15())
            found[_algorithm(arc + last, _NULL)] = found[_algorithm(arc + last)] = scheme  # RFC 4055 section 5: both
    ecdsa_sha2 = zip(("01", "02", "03", "04"), _SHA2.values(), strict=True)
    ecdsa_sha3 = zip(("09", "0a", "0b", "0c"), _SHA3.values(), strict=True)
    for arc, members in (("2a8648ce3d0403", ecdsa_sha2), ("6086480165030403", ecdsa_sha3)):
        for last, digest in members:
            found[_algorithm(arc + last)] = Scheme(_OF_EC, digest)
    return found


_SCHEMES: Mapping[bytes, Scheme] = _fixed()
_PSS_OID = bytes.fromhex("0609" + _RSASSA_PSS)


def kind_of_key(algorithm: bytes) -> str | None:
    """Return what a key is called; None for a kind that is not used.

    Parameters:
        algorithm: the AlgorithmIdentifier of its SubjectPublicKeyInfo, as DER.
    """
    kind = _KEYS.get(algorithm)
    restricted = kind is None and algorithm.startswith(_PSS_OID, 2)
    return f"RSASSA-PSS with {algorithm.hex()}" if restricted else kind


def scheme_of(algorithm: bytes, signed: x509.Certificate | x509.CertificateRevocationList) -> Scheme | None:
    """Return how a certificate or list is signed; None where that is not supported, or too weak to rely on.

    Parameters:
        algorithm: the AlgorithmIdentifier, as DER.
        signed: what has that algorithm; read where RSASSA-PSS has parameters.
    """
    if not algorithm.startswith(_PSS_OID, 2):
        return _SCHEMES.get(algorithm)
    try:
        digest, parameters = signed.signature_hash_algorithm, signed.signature_algorithm_parameters
        # RFC 4055 section 3.1: the trailer field [3] has one value, which DER leaves out.
        has_trailer = any(one[0] == 0xA3 for one in children(children(algorithm)[1]))
    except (IndexError, TypeError, ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(parameters, padding.PSS) or digest is None or digest.name not in _STRONG or has_trailer:
        return None
    return Scheme(frozenset({"RSA", "RSASSA-PSS", str(kind_of_key(algorithm))}), digest, parameters)


def made_signature(
    key: CertificatePublicKeyTypes, scheme: Scheme, signature: bytes, data: bytes, *, is_hashed: bool = False
) -> bool:
    """Say whether a key made a signature. **The caller has seen that the key is of one of the scheme's kinds.**

    Parameters:
        key: the public key.
        scheme: how the signature is said to be made.
        signature: its octets.
        data: what is signed, or, if `is_hashed`, its hash.
    """
    try:
        if scheme.hash is None:
            key.verify(signature, data)  # type: ignore[union-attr, call-arg]  # keys that sign the data itself
            return True
        digest = Prehashed(scheme.hash) if is_hashed else scheme.hash
        if isinstance(key, rsa.RSAPublicKey) and scheme.padding is not None:
            key.verify(signature, data, scheme.padding, digest)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and scheme.padding is None:
            key.verify(signature, data, ec.ECDSA(digest))
            return True
    except (InvalidSignature, TypeError, ValueError, UnsupportedAlgorithm):
        pass
    return False
