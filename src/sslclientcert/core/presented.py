"""From DER to a presented chain: what the proxy forwarded, parsed, and *not* verified.

Every element parses or all of it fails. (Elsewhere a chain decoder dropped what it could not parse, the next
certificate slid into the leaf's seat, and its subject became the identity.) A presented chain has no name, no
fingerprint and no serial number to read by accident; only the trust store turns it into an identity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .certificate import DOES_NOT_PARSE, names_and_serial
from .decoding import ENCODINGS, MAX_FORWARDED
from .errors import CertificateMalformed, CertificateMissing, ForwardingInconsistent, HeaderMalformed
from .proxies import Proxy, proxy_named
from .recognition import explained

__all__ = ["PresentedChain", "decode", "decoded"]


@dataclasses.dataclass(frozen=True, slots=True)
class PresentedChain:
    """What a proxy forwarded: a leaf and any further certificates, parsed. **Nothing about it has been verified.**

    Does not check: who signed the leaf, whether it is valid now, what it may be used for, and whether the client holds
    its key. Certificates are public; anybody can present anybody's. Use `TrustStore.verify`.

    Parameters:
        leaf: the end-entity certificate.
        intermediates: further certificates, in any order (RFC 8446 section 4.4.2). Those that are not needed are
            passed over.
        is_leaf_bound: whether something besides its place says which certificate is the leaf, such as a header of its
            own. If not, each further certificate must have issued another one of the chain, or verification refuses.

    Raises:
        CertificateMalformed: a certificate does not parse whole.
        ForwardingInconsistent: there are too many.
    """

    leaf: x509.Certificate
    intermediates: tuple[x509.Certificate, ...] = ()
    is_leaf_bound: bool = dataclasses.field(default=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "intermediates", tuple(self.intermediates))
        if len(self.intermediates) >= MAX_FORWARDED:
            raise ForwardingInconsistent(
                f"the proxy forwarded {len(self.intermediates) + 1} certificates, and {MAX_FORWARDED} are the most. "
                "The client has to send a shorter chain"
            )
        for position, certificate in enumerate((self.leaf, *self.intermediates), 1):
            _require_parsed(certificate, position)

    @classmethod
    def from_der(cls, certificates: Sequence[bytes], *, is_leaf_bound: bool = True) -> PresentedChain:
        """Parse DER certificates, leaf first. Nothing is verified.

        Parameters:
            certificates: each one certificate.
            is_leaf_bound: see the class.

        Raises:
            CertificateMissing: there is none.
            CertificateMalformed: one of them is not exactly one DER certificate.
            ForwardingInconsistent: see the class.
        """
        chain: list[x509.Certificate] = []
        try:
            for der in certificates[: MAX_FORWARDED + 1]:
                chain.append(x509.load_der_x509_certificate(der))  # noqa: PERF401  # how many there are, says which failed
        except Exception as error:  # cryptography has several for what it cannot read
            raise _malformed(len(chain) + 1, certificates[len(chain)]) from error
        if not chain:
            raise CertificateMissing("the header holds no certificate")
        return cls(chain[0], tuple(chain[1:]), is_leaf_bound)


def _require_parsed(certificate: x509.Certificate, position: int) -> None:
    """cryptography parses lazily; parse what an identity will be read from now, while refusing is possible."""
    try:
        for part in ("subject", "issuer", "extensions", "serial_number", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(certificate, part)
    except Exception as error:  # cryptography has several for what it cannot read
        raise _malformed(position, certificate.public_bytes(Encoding.DER)) from error


def _malformed(position: int, der: bytes) -> CertificateMalformed:
    serial = names_and_serial(der).serial
    return CertificateMalformed(
        f"certificate {position}{f' (serial {serial:X})' if serial is not None else ''} {DOES_NOT_PARSE}"
    )


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
    leaf_first = decoded(row.certificate_header, certificate, row.certificate_encoding)
    rest = decoded(row.chain_header, chain, row.chain_encoding) if row.chain_encoding is not None else ()
    if not leaf_first:
        if rest:
            raise ForwardingInconsistent(f"{row.chain_header} holds certificates, but {row.certificate_header} none")
        return None
    return PresentedChain.from_der(
        leaf_first + rest, is_leaf_bound=ENCODINGS[row.certificate_encoding].is_leaf_bound or len(leaf_first) == 1
    )


def decoded(header: str | None, value: str | None, encoding: str) -> tuple[bytes, ...]:
    """Return the DER of the certificates in a header's value, or nothing if it says "no certificate". Unverified.

    Raises:
        ClientCertError: the value is not of the encoding. The detail says what it looks like instead.
    """
    decode_value, absent, *_ = ENCODINGS[encoding]
    if value is None or value in absent:
        return ()
    try:
        return decode_value(value)
    except HeaderMalformed as error:
        raise explained(error, value, encoding, header) from error
