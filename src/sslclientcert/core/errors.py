"""What goes wrong, as data: one base class, one class a kind of failure, each with a stable code.

The split between `title` (fixed, public) and `detail` (for logs, may quote the input) is the point: an adapter
may send the first to anybody and must never send the second to the client.

Source: RFC 9457 (problem details) for the public form.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

__all__ = [
    "CAExpired",
    "CertificateExpired",
    "CertificateMalformed",
    "CertificateMissing",
    "CertificateNotYetValid",
    "CertificateRevoked",
    "CertificateUnsuitable",
    "CertificateUntrusted",
    "ClientCertError",
    "ErrorCode",
    "ForwardingInconsistent",
    "HeaderAmbiguous",
    "HeaderMalformed",
    "HeaderTooLarge",
    "NotAuthorized",
    "ProxyUntrusted",
    "RevocationUnknown",
    "TrustStoreUnavailable",
    "escaped",
    "quoted",
    "serial_text",
]

ErrorCode: TypeAlias = Literal[
    "certificate_missing",
    "header_malformed",
    "header_ambiguous",
    "header_too_large",
    "certificate_malformed",
    "forwarding_inconsistent",
    "proxy_untrusted",
    "certificate_untrusted",
    "certificate_expired",
    "certificate_not_yet_valid",
    "certificate_unsuitable",
    "certificate_revoked",
    "revocation_unknown",
    "not_authorized",
    "ca_expired",
    "trust_store_unavailable",
]
"""The codes of the refusals: the same in every release, to branch or alert on."""

_QUOTE_LIMIT = 200
_DETAIL_LIMIT = 2000


def quoted(value: object, limit: int = _QUOTE_LIMIT) -> str:
    """Return untrusted text for a message: quoted, escaped to printable ASCII, and clipped to `limit` characters."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    clipped = text if len(text) <= limit else text[:limit] + "..."
    return ascii(clipped)


def escaped(value: object, limit: int = _DETAIL_LIMIT) -> str:
    """Return untrusted text for a field of a log record: escaped to printable ASCII and clipped, without quotes."""
    text = str(value)
    clipped = text if len(text) <= limit else text[:limit] + "..."
    return clipped.encode("unicode_escape").decode("ascii")


def serial_text(number: int) -> str:
    """Return a serial number as OpenSSL and nginx print it: hexadecimal in upper case, two digits an octet."""
    digits = f"{abs(number):X}"
    return "-" * (number < 0) + "0" * (len(digits) % 2) + digits


class ClientCertError(Exception):
    """Why there is no client identity. Every refusal of this library is one of these.

    Attributes:
        code: stable slug, the same in every release, to branch or alert on.
        status: the HTTP status an adapter answers with.
        title: a fixed sentence that is safe to show to the client.
        detail: what happened and what to do about it, for logs. It may quote the input, escaped and clipped;
            it never goes to the client.
    """

    code: ClassVar[ErrorCode]
    status: ClassVar[int] = 403
    title: ClassVar[str]

    def __init__(self, detail: str) -> None:
        self.detail: str = detail if len(detail) <= _DETAIL_LIMIT else detail[:_DETAIL_LIMIT] + "..."
        super().__init__(self.detail)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def problem(self) -> dict[str, object]:
        """Return the members of an `application/problem+json` answer (RFC 9457), without the detail.

        There is no `type`: it would have to be a URI that stays the same for good, which the code is already. So the
        type is `about:blank`, whose title RFC 9457 would have be the status's phrase; ours says what is wrong.
        """
        return {"title": self.title, "status": self.status, "code": self.code}


class CertificateMissing(ClientCertError):
    """Nothing was presented and a certificate is required."""

    code: ClassVar[ErrorCode] = "certificate_missing"
    title = "A client certificate is required."


class HeaderMalformed(ClientCertError):
    """A header is not what the configured proxy sends."""

    code: ClassVar[ErrorCode] = "header_malformed"
    status = 400
    title = "The forwarded client certificate header is malformed."


class HeaderAmbiguous(ClientCertError):
    """A header came twice, or next to another spelling of its own name."""

    code: ClassVar[ErrorCode] = "header_ambiguous"
    status = 400
    title = "The forwarded client certificate header is ambiguous."


class HeaderTooLarge(ClientCertError):
    """A header is longer than the configured limit."""

    code: ClassVar[ErrorCode] = "header_too_large"
    status = 431
    title = "The forwarded client certificate header is too large."


class CertificateMalformed(ClientCertError):
    """The header was well-formed but what it holds is not an X.509 certificate."""

    code: ClassVar[ErrorCode] = "certificate_malformed"
    status = 400
    title = "The forwarded client certificate cannot be parsed."


class ForwardingInconsistent(ClientCertError):
    """What the proxy says contradicts itself."""

    code: ClassVar[ErrorCode] = "forwarding_inconsistent"
    status = 400
    title = "The forwarded client certificate headers contradict each other."


class ProxyUntrusted(ClientCertError):
    """The headers came from a peer that may not speak them."""

    code: ClassVar[ErrorCode] = "proxy_untrusted"
    title = "Client certificate headers are not accepted from this peer."


class CertificateUntrusted(ClientCertError):
    """No valid path leads from the certificate to an anchor of the trust store."""

    code: ClassVar[ErrorCode] = "certificate_untrusted"
    title = "The client certificate is not trusted."


class CertificateExpired(ClientCertError):
    """The client's certificate has expired."""

    code: ClassVar[ErrorCode] = "certificate_expired"
    title = "The client certificate has expired."


class CertificateNotYetValid(ClientCertError):
    """The client's certificate is not valid yet."""

    code: ClassVar[ErrorCode] = "certificate_not_yet_valid"
    title = "The client certificate is not yet valid."


class CertificateUnsuitable(ClientCertError):
    """The certificate is issued by a trusted CA but may not be used for client authentication."""

    code: ClassVar[ErrorCode] = "certificate_unsuitable"
    title = "The certificate is not suitable for client authentication."


class CertificateRevoked(ClientCertError):
    """The certificate, or one that it depends on, has been revoked."""

    code: ClassVar[ErrorCode] = "certificate_revoked"
    title = "The client certificate has been revoked."


class RevocationUnknown(ClientCertError):
    """No current certificate revocation list covers the certificate and policy demands one."""

    code: ClassVar[ErrorCode] = "revocation_unknown"
    title = "The revocation status of the client certificate is unknown."


class NotAuthorized(ClientCertError):
    """The identity is verified, and a rule refuses it."""

    code: ClassVar[ErrorCode] = "not_authorized"
    title = "The client is not authorized."


class CAExpired(ClientCertError):
    """A CA certificate above the client's has expired or is not valid yet; it is the operator's to renew."""

    code: ClassVar[ErrorCode] = "ca_expired"
    status = 503
    title = "A CA certificate above the client's has expired or is not valid yet."


class TrustStoreUnavailable(ClientCertError):
    """The service has no usable trust store at this time."""

    code: ClassVar[ErrorCode] = "trust_store_unavailable"
    status = 503
    title = "Client certificates cannot be verified at this time."
