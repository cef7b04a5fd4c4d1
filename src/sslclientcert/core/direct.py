"""The one link that most verifications come to: from a plain leaf to a CA that was judged when its bundle was loaded.

The path builder looks for a path at each verification, and prepares the CA's key each time. Where the issuer is named
exactly, and all that concerns it and what stands above it was judged beforehand, one signature is left to check, and
the CA's key, once prepared, does that in two thirds of the time. RFC 5280 section 6.1.3 for this link, by who answers
for it:

- (a) (1), the signature: `JudgedCA.has_signed`, by cryptography's key and over the very octets that came.
- (a) (2), validity: of the leaf, the trust store; of the CA and all above it, `since` and `until`.
- (a) (3), revocation: the trust store.
- (a) (4), the issuer's name: octet by octet, as the trust store looks the CA up.
- (b) and (c), name constraints: a CA that has any, or stands below any, is not among the judged.
- What a CA must be: judged by `policy` and the path builder. What a leaf must be: `plain`, which knows every extension
  of a plain leaf, and `has_sound_key`.

It only ever says yes: whatever else there is, the trust store searches for a path. `tests/core/test_plain.py` holds it
to the search.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Hashable, Mapping

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from .der import element
from .names import comparable
from .plain import ECDSA_WITH, RSA_WITH, PlainLeaf
from .policy import subject_key_identifier

__all__ = ["JudgedCA", "has_sound_key"]

_HASHES: Mapping[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}
_CURVES: Mapping[int, ec.EllipticCurve] = {65: ec.SECP256R1(), 97: ec.SECP384R1(), 133: ec.SECP521R1()}


class JudgedCA:
    """A CA whose path up to an anchor was judged, and does not concern the leaves below it.

    Parameters:
        path: the CA, and those above it, up to the anchor; **the caller has verified it**.

    Attributes:
        path: the same.
        name: the CA's, as the DER of its RDNs, as a plain leaf has it.
        comparable_name: the same without letter case and spaces.
        since, until: when all of them are valid.
    """

    def __init__(self, path: tuple[x509.Certificate, ...]) -> None:
        self.path = path
        subject = path[0].subject.public_bytes()
        self.name: bytes = subject[element(subject).content :]
        self.comparable_name: Hashable = comparable(path[0].subject)
        self.since: dt.datetime = max(one.not_valid_before_utc for one in path)
        self.until: dt.datetime = min(one.not_valid_after_utc for one in path)
        self._ends = (b" ", self.name.rstrip(b" ")[-1:].lower())
        self._key_identifier = subject_key_identifier(path[0])
        key = path[0].public_key()
        self._checks: dict[bytes, Callable[[bytes, bytes], None]] = {}
        if isinstance(key, ec.EllipticCurvePublicKey):
            self._checks = {
                identifier: functools.partial(key.verify, signature_algorithm=ec.ECDSA(_HASHES[size]))
                for identifier, size in ECDSA_WITH.items()
            }
        elif isinstance(key, rsa.RSAPublicKey):
            self._checks = {
                identifier: functools.partial(key.verify, padding=padding.PKCS1v15(), algorithm=_HASHES[size])
                for identifier, size in RSA_WITH.items()
            }

    def is_meant_by(self, plain: PlainLeaf) -> bool:
        """Say whether a leaf that names this CA may mean it: no key identifier says otherwise."""
        own, meant = self._key_identifier, plain.key_identifier
        return own is None or meant is None or own == meant

    def may_be_named_as(self, plain: PlainLeaf) -> bool:
        """Say whether a leaf might have the CA's own name, letter case and spaces aside: it ends as that does."""
        return plain.subject[-1:].lower() in self._ends

    def has_signed(self, der: bytes, plain: PlainLeaf) -> bool:
        """Say whether this CA's key made the signature of a leaf, which is of a kind that plain leaves have."""
        check = self._checks.get(plain.signature_algorithm)
        if check is None:
            return False
        try:
            check(der[plain.signature :], der[4 : plain.signed_until])
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            return False
        return True


def has_sound_key(plain: PlainLeaf) -> bool:
    """Say whether the leaf's key, if it is a point, lies on its curve; OpenSSL refuses a certificate whose does not."""
    try:
        if plain.point is not None:
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[len(plain.point)], plain.point)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
