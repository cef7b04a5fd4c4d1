"""From DER to a presented chain: what the proxy forwarded, parsed, and *not* verified.

Every element parses or all of it fails. (Elsewhere a chain decoder dropped what it could not parse, the next
certificate slid into the leaf's seat, and its subject became the identity.) For the same reason each certificate must
be issued by the next one, signature included: a name would be easy to forge, and a joined header could seat a
stranger's leaf in front of the client's own.

A presented chain has no name, no fingerprint and no serial number to read by accident; only the trust store turns it
into an identity.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from .decoding import ENCODINGS, MAX_FORWARDED
from .errors import CertificateMalformed, CertificateMissing, ForwardingInconsistent, HeaderMalformed, quoted
from .plain import PlainLeaf, plain_leaf
from .policy import require_strong_signature
from .proxies import Proxy, proxy_named

__all__ = ["PresentedChain", "decode"]


@dataclasses.dataclass(frozen=True, slots=True)
class PresentedChain:
    """What a proxy forwarded: a leaf and any intermediates, parsed. **Nothing about it has been verified.**

    Not verified: who signed the leaf, whether it is valid now, what it may be used for, and whether the client holds
    its key. Certificates are public; anybody can present anybody's. Use `TrustStore.verify`.

    Parameters:
        leaf: the end-entity certificate.
        intermediates: the certificates that follow it, each the issuer of the one before.

    Raises:
        CertificateMalformed: a certificate's names or extensions do not parse.
        CertificateUnsuitable: one that others follow is signed with a hash that is too weak to tell by whom.
        ForwardingInconsistent: a certificate is not issued by the one that follows it, or there are too many.
    """

    leaf: x509.Certificate
    intermediates: tuple[x509.Certificate, ...] = ()
    der: bytes = dataclasses.field(init=False, repr=False, compare=False)  # of the leaf
    plain: PlainLeaf | None = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._hold(self.leaf, self.leaf.public_bytes(Encoding.DER), tuple(self.intermediates))

    @classmethod
    def from_der(cls, certificates: Sequence[bytes]) -> PresentedChain:
        """Parse DER certificates, leaf first. Nothing is verified.

        Raises:
            CertificateMalformed: one of them is not exactly one DER certificate.
            ForwardingInconsistent: see the class.
        """
        chain: list[x509.Certificate] = []
        try:
            for der in certificates[: MAX_FORWARDED + 1]:
                chain.append(x509.load_der_x509_certificate(der))  # noqa: PERF401  # how many there are, says which failed
        except Exception as error:  # cryptography has several for what it cannot read
            raise CertificateMalformed(f"certificate {len(chain) + 1} is not X.509: {quoted(error)}") from error
        if not chain:
            raise CertificateMissing("the header holds no certificate")
        presented = cls.__new__(cls)
        presented._hold(chain[0], certificates[0], tuple(chain[1:]))
        return presented

    def _hold(self, leaf: x509.Certificate, der: bytes, intermediates: tuple[x509.Certificate, ...]) -> None:
        plain = plain_leaf(der)
        if plain is None:
            _require_parsed(leaf, 0)
            _require_whole_signature(leaf, der, 0)
        if intermediates:
            _require_links((leaf, *intermediates))
        set_on = object.__setattr__
        set_on(self, "leaf", leaf)
        set_on(self, "intermediates", intermediates)
        set_on(self, "der", der)
        set_on(self, "plain", plain)


def _require_links(chain: tuple[x509.Certificate, ...]) -> None:
    if len(chain) > MAX_FORWARDED:
        raise ForwardingInconsistent(
            f"the proxy forwarded {len(chain)} certificates; {MAX_FORWARDED} are the most, and no client has more"
        )
    for position, certificate in enumerate(chain[1:], 1):
        _require_parsed(certificate, position)
        _require_whole_signature(certificate, certificate.public_bytes(Encoding.DER), position)
    for position, (certificate, issuer) in enumerate(itertools.pairwise(chain), 1):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            require_strong_signature(certificate)  # of a hash that is too weak nobody says who made the signature
            raise ForwardingInconsistent(
                f"certificate {position} of the forwarded chain is not issued by certificate {position + 1}; "
                "the client must send its chain in order, leaf first, and nothing that is not part of it"
            ) from error


def _require_parsed(certificate: x509.Certificate, position: int) -> None:
    """cryptography parses lazily; parse what an identity will be read from now, while refusing is possible."""
    try:
        for part in ("subject", "issuer", "extensions", "serial_number", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(certificate, part)
    except Exception as error:  # cryptography has several for what it cannot read
        raise _malformed(position, error) from error


def _require_whole_signature(certificate: x509.Certificate, der: bytes, position: int) -> None:
    # Nobody signed the number of unused bits with which the signature's BIT STRING starts; were it not zero, one
    # certificate would have two fingerprints (X.690 section 8.6.2; a signature is whole octets).
    if der[-len(certificate.signature) - 1] != 0:
        raise _malformed(position, "the signature has unused bits")


def _malformed(position: int, what: object) -> CertificateMalformed:
    return CertificateMalformed(f"certificate {position + 1} has a field that does not parse: {quoted(what)}")


def decode(value: str | bytes, proxy: str | Proxy = "nginx-ingress") -> PresentedChain:
    """Decode the value of a proxy's certificate header. **Nothing is verified**, not even that a proxy sent it.

    Parameters:
        value: the header's value, as text or as the bytes from the wire.
        proxy: the name of a row of `PROXIES`, or a row.

    Returns:
        The presented chain. `TrustStore.verify` turns it into an identity.

    Raises:
        ClientCertError: `certificate_missing` for what the proxy sends when there was no certificate, such as an
            empty value; `header_malformed`, `header_ambiguous`, `certificate_malformed`, `forwarding_inconsistent`.
        ValueError: there is no such proxy.
    """
    row = proxy_named(proxy)
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise HeaderMalformed(f"the value of {row.certificate_header} is {type(value).__name__}, not str or bytes")
    presented = presented_by(row, text, None)
    if presented is None:
        raise CertificateMissing(f"the value of {row.certificate_header} says that there was no certificate")
    return presented


def presented_by(row: Proxy, certificate: str | None, chain: str | None) -> PresentedChain | None:
    """Decode the values of a row's certificate header and chain header; None if they say "no certificate".

    Raises:
        ClientCertError: as `decode`; `forwarding_inconsistent` for a chain without a certificate.
    """
    leaf_first = _decoded(certificate, row.certificate_encoding)
    rest = _decoded(chain, row.chain_encoding) if row.chain_encoding is not None else ()
    if not leaf_first:
        if rest:
            raise ForwardingInconsistent(f"{row.chain_header} holds certificates, but {row.certificate_header} none")
        return None
    return PresentedChain.from_der(leaf_first + rest)


def _decoded(value: str | None, encoding: str) -> tuple[bytes, ...]:
    decode_value, absent = ENCODINGS[encoding]
    return () if value is None or value in absent else decode_value(value)
