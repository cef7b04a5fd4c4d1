"""The request headers that each proxy sends for a client certificate: what `decode` reads, written by the other side.

Nothing here proves anything: these headers are what a client would forge. They are for tests, for the demonstration,
and for `sslclientcert encode`.

One function a proxy, written from its manual (the link in each docstring) and held to what the real ones send. They
share no code with the decoders, so that a mistake in one is not answered by the same mistake in the other. Only the
headers' *names* come from the row of `PROXIES`, because they are the deployment's to choose.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import ssl
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..core.proxies import Proxy, proxy_named
from . import _der

__all__ = ["OPENSSL_VERDICTS", "encode", "openssl_name"]

OPENSSL_VERDICTS: Mapping[int, str] = MappingProxyType(
    {
        0: "ok",
        7: "certificate signature failure",
        9: "certificate is not yet valid",
        10: "certificate has expired",
        18: "self-signed certificate",
        19: "self-signed certificate in certificate chain",
        20: "unable to get local issuer certificate",
        21: "unable to verify the first certificate",
        23: "certificate revoked",
        26: "unsuitable certificate purpose",
        66: "EE certificate key too weak",
        68: "CA signature digest algorithm too weak",
    }
)
"""What OpenSSL thinks of a certificate, by number: HAProxy sends the number, nginx and Apache the text.

Source: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
"""


@dataclasses.dataclass(frozen=True)
class _Client:
    """What a proxy knows of its client after the TLS handshake, and its own verdict on it; certificates are DER."""

    leaf: bytes
    intermediates: tuple[bytes, ...]
    verdict: int

    @property
    def pem(self) -> str:
        return ssl.DER_cert_to_PEM_cert(self.leaf)

    @property
    def chain_pem(self) -> str:
        return "".join(map(ssl.DER_cert_to_PEM_cert, (self.leaf, *self.intermediates)))

    @functools.cached_property
    def certificate(self) -> x509.Certificate | None:
        """The leaf, parsed; None for bytes that are no certificate, which have no names to send."""
        try:
            return x509.load_der_x509_certificate(self.leaf)
        except ValueError:
            return None

    @functools.cached_property
    def alternative_names(self) -> x509.SubjectAlternativeName:
        try:
            extensions = self.certificate.extensions if self.certificate else x509.Extensions([])
            return extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return x509.SubjectAlternativeName([])


_Lines: TypeAlias = Iterator[tuple[str | None, str]]  # the name is None where the row has no such header
_Encoder: TypeAlias = Callable[[Proxy, _Client | None], _Lines]  # the client is None if it presented no certificate


def encode(
    certificate: x509.Certificate | bytes | None,
    proxy: str | Proxy = "nginx-ingress",
    *,
    intermediates: Sequence[x509.Certificate | bytes] = (),
    verdict: int | str = 0,
) -> dict[str, str]:
    """Return the request headers by which a proxy passes on a client certificate.

    Nothing is verified, and nothing about the headers proves who sends them.

    Parameters:
        certificate: the client's certificate, parsed or as DER (which may be garbage, for tests of just that); None
            for a client that presented none.
        proxy: the name of a row of `PROXIES`, or a row; a row of your own is encoded as its encodings say.
        intermediates: what the client sent along. Proxies that pass on the leaf alone leave them out.
        verdict: what the proxy thinks of the certificate, as OpenSSL's number (0: it is good; see
            `OPENSSL_VERDICTS`), said in the proxy's own way if it says it at all; or a str, sent as it is.

    Returns:
        A new dict of the headers, names in lower case. Each vendor's page is cited at its function below.

    Raises:
        ValueError: there is no such proxy.
    """
    row = proxy_named(proxy)
    number = verdict if isinstance(verdict, int) else 0
    client = None if certificate is None else _Client(_der_of(certificate), tuple(map(_der_of, intermediates)), number)
    lines = _ENCODERS.get(row.name, _custom)(row, client)
    headers = {name.lower(): value for name, value in lines if name is not None}
    if isinstance(verdict, str) and row.verdict_header is not None:
        headers[row.verdict_header.lower()] = verdict
    return headers


def _der_of(certificate: x509.Certificate | bytes) -> bytes:
    return certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)


def _nginx(row: Proxy, client: _Client | None) -> _Lines:
    """nginx and the ingress made of it: the leaf alone, in PEM, with everything escaped but RFC 3986's unreserved.

    A variable without a value makes nginx leave the header out.

    Sources: https://nginx.org/en/docs/http/ngx_http_ssl_module.html#variables,
    https://github.com/kubernetes/ingress-nginx/blob/main/rootfs/etc/nginx/template/nginx.tmpl
    """
    yield row.verdict_header, "NONE" if client is None else _success_or_failed(client)
    if client is not None:
        yield row.certificate_header, urllib.parse.quote(client.pem, safe="")
        if client.certificate is not None:
            if subject := openssl_name(client.certificate.subject):
                yield row.subject_header, subject
            yield row.issuer_header, openssl_name(client.certificate.issuer)


def _success_or_failed(client: _Client) -> str:
    if client.verdict == 0:
        return "SUCCESS"
    return "FAILED:" + OPENSSL_VERDICTS.get(client.verdict, "unknown certificate verification error")


_XFCC_ESCAPES = str.maketrans({"\n": "%0A", " ": "%20", "+": "%2B", "/": "%2F", "=": "%3D"})


def _envoy(row: Proxy, client: _Client | None) -> _Lines:
    """Envoy with every detail turned on: one element. The chain holds the leaf too, even if the client sent it alone.

    Envoy escapes what is in Subject and neither escapes nor quotes URI and DNS.

    Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
    """
    if client is None:
        return
    pairs = [
        f"Hash={hashlib.sha256(client.leaf).hexdigest()}",
        f'Cert="{client.pem.translate(_XFCC_ESCAPES)}"',
        f'Chain="{client.chain_pem.translate(_XFCC_ESCAPES)}"',
        f'Subject="{openssl_name(client.certificate.subject) if client.certificate else ""}"',
    ]
    uris = client.alternative_names.get_values_for_type(x509.UniformResourceIdentifier)
    pairs += [f"URI={uri}" for uri in uris or [""]]
    pairs += [f"DNS={name}" for name in client.alternative_names.get_values_for_type(x509.DNSName)]
    yield row.certificate_header, ";".join(pairs)


def _traefik(row: Proxy, client: _Client | None) -> _Lines:
    """Traefik, `passTLSClientCert.pem`: PEM bodies without labels and line ends, all that the client sent, by commas.

    Source: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/passtlsclientcert/
    """
    if client is not None:
        yield row.certificate_header, _base64_list(client.leaf, *client.intermediates)


def _base64(*certificates: bytes) -> str:
    return base64.b64encode(b"".join(certificates)).decode("ascii")


def _base64_list(*certificates: bytes) -> str:
    return ",".join(map(_base64, certificates))


def _haproxy(row: Proxy, client: _Client | None) -> _Lines:
    """HAProxy with `set-header` on every request: empty without a certificate, and then the verdict is 0, too.

    The chain is the DER of what followed the leaf, laid end to end.

    Source: https://docs.haproxy.org/3.0/configuration.html#7.3.4 (ssl_c_der, ssl_c_chain_der, ssl_c_verify, ssl_c_used)
    """
    yield row.certificate_header, _base64(client.leaf) if client else ""
    yield row.chain_header, _base64(*client.intermediates) if client else ""
    yield row.verdict_header, str(client.verdict) if client else "0"
    yield row.presence_header, "1" if client else "0"


def _apache(row: Proxy, client: _Client | None) -> _Lines:
    """Apache, `RequestHeader set NAME "%{SSL_CLIENT_CERT}s"`: PEM with a space for each line end, or "(null)".

    Sources: https://httpd.apache.org/docs/2.4/mod/mod_headers.html#header,
    https://httpd.apache.org/docs/2.4/mod/mod_ssl.html#envvars
    """
    yield row.certificate_header, client.pem.replace("\n", " ") if client else "(null)"
    yield row.verdict_header, _success_or_failed(client) if client else "NONE"


def _caddy(row: Proxy, client: _Client | None) -> _Lines:
    """Caddy, colons around a placeholder: they stay when it is empty.

    Source: https://caddyserver.com/docs/json/apps/http/#docs (tls.client.certificate_der_base64)
    """
    yield row.certificate_header, f":{_base64(client.leaf) if client else ''}:"


def _rfc9440(row: Proxy, client: _Client | None) -> _Lines:
    """A proxy that follows RFC 9440: byte sequences, and no header without a value.

    Cloudflare does so with rules that set its fields, since a rule whose value is empty removes the header.

    Sources: https://www.rfc-editor.org/rfc/rfc9440#section-2,
    https://developers.cloudflare.com/ssl/client-certificates/forward-a-client-certificate/,
    https://developers.cloudflare.com/rules/transform/request-header-modification/
    """
    if client is not None:
        yield row.certificate_header, _byte_sequences(client.leaf)
        if client.intermediates:
            yield row.chain_header, _byte_sequences(*client.intermediates)


def _byte_sequences(*certificates: bytes) -> str:
    return ", ".join(f":{_base64(der)}:" for der in certificates)


def _google(row: Proxy, client: _Client | None) -> _Lines:
    """Google Cloud's load balancer: custom headers of these variables, the value empty where there is nothing to say.

    Source: https://cloud.google.com/load-balancing/docs/https/custom-headers
    """
    yield row.certificate_header, _byte_sequences(client.leaf) if client else ""
    yield row.chain_header, _byte_sequences(*client.intermediates) if client else ""
    yield row.presence_header, "true" if client else "false"
    yield row.verdict_header, "true" if client and client.verdict == 0 else "false"


_ALB_SAFE = "+=/"  # "with +=/ as safe characters": a reader that takes '+' for a space breaks the base64


def _alb_passthrough(row: Proxy, client: _Client | None) -> _Lines:
    """AWS Application Load Balancer, mutual TLS passthrough: the whole chain in PEM, unverified.

    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
    """
    if client is not None:
        yield row.certificate_header, urllib.parse.quote(client.chain_pem, safe=_ALB_SAFE)


def _alb_verify(row: Proxy, client: _Client | None) -> _Lines:
    """AWS Application Load Balancer, mutual TLS verify: the leaf, and what the balancer read in it.

    Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
    """
    if client is None:
        return
    yield row.certificate_header, urllib.parse.quote(client.pem, safe=_ALB_SAFE)
    if certificate := client.certificate:
        validity = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        not_before, not_after = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in validity)
        yield "x-amzn-mtls-clientcert-serial-number", f"{certificate.serial_number:X}"
        yield "x-amzn-mtls-clientcert-issuer", openssl_name(certificate.issuer)
        yield "x-amzn-mtls-clientcert-subject", openssl_name(certificate.subject)
        yield "x-amzn-mtls-clientcert-validity", f"NotBefore={not_before};NotAfter={not_after}"


def _azure(row: Proxy, client: _Client | None) -> _Lines:
    """Azure App Service: base64 of the DER, not verified by its front end.

    Source: https://learn.microsoft.com/azure/app-service/app-service-web-configure-tls-mutual-auth#access-client-certificate
    """
    if client is not None:
        yield row.certificate_header, _base64(client.leaf)


def _custom(row: Proxy, client: _Client | None) -> _Lines:
    """A row that is not in the table: as the proxy that its encoding comes from, with what the row itself defines."""
    if row.certificate_encoding not in _BY_ENCODING:
        raise ValueError(f"no proxy is known that sends a client's certificate as {row.certificate_encoding}")
    yield from _BY_ENCODING[row.certificate_encoding](row, client)
    if client is None and row.verdict_none:
        yield row.verdict_header, min(row.verdict_none)  # any of them
    if client is not None:
        yield row.presence_header, row.presence_yes
        if client.verdict == 0:
            yield row.verdict_header, row.verdict_success
        if client.intermediates and (chain := _CHAINS.get(row.chain_encoding or "")):
            yield row.chain_header, chain(*client.intermediates)


_ENCODERS: Mapping[str, _Encoder] = {
    "nginx-ingress": _nginx,
    "nginx": _nginx,
    "envoy": _envoy,
    "traefik": _traefik,
    "haproxy": _haproxy,
    "apache": _apache,
    "caddy": _caddy,
    "rfc9440": _rfc9440,
    "aws-alb": _alb_passthrough,
    "aws-alb-verify": _alb_verify,
    "gcp": _google,
    "cloudflare": _rfc9440,
    "azure-app-service": _azure,
}

_BY_ENCODING: Mapping[str, _Encoder] = {
    "url-pem": _nginx,
    "url-pem-chain": _alb_passthrough,
    "folded-pem": _apache,
    "base64-der": _azure,
    "base64-der-list": _traefik,
    "byte-sequence": _rfc9440,
    "xfcc": _envoy,
    "xfcc-first": _envoy,
    "xfcc-last": _envoy,
}

_CHAINS: Mapping[str, Callable[..., str]] = {
    "base64-der-concatenation": _base64,
    "base64-der-list": _base64_list,
    "byte-sequence-list": _byte_sequences,
}

# OpenSSL's short names, crypto/objects/objects.txt, of what is found in certificates; others are printed as numbers.
_SHORT_NAMES = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.13": "description",
    "2.5.4.15": "businessCategory",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "GN",
    "2.5.4.43": "initials",
    "2.5.4.44": "generationQualifier",
    "2.5.4.45": "x500UniqueIdentifier",
    "2.5.4.46": "dnQualifier",
    "2.5.4.65": "pseudonym",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    "1.2.840.113549.1.9.2": "unstructuredName",
    "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
    "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
    "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
}

# UTF8String, NumericString, PrintableString, TeletexString, IA5String, VisibleString, UniversalString, BMPString.
_CHARACTER_SETS = {
    0x0C: "utf-8",
    0x12: "latin-1",
    0x13: "latin-1",
    0x14: "latin-1",
    0x16: "latin-1",
    0x1A: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}


def openssl_name(name: x509.Name) -> str:
    """Return a distinguished name as OpenSSL prints it in the form that nginx, Envoy and AWS send.

    The last attribute comes first. `,+"\\<>;` are escaped by a backslash, as is a space at either end or a '#' at the
    start; bytes that are not printable ASCII by a backslash and two digits. The value of a type that OpenSSL has no
    name for is dumped as '#' and its DER.

    Source: https://docs.openssl.org/3.0/man3/X509_NAME_print_ex/ with XN_FLAG_RFC2253
    """
    return ",".join("+".join(map(_openssl_attribute, reversed(list(rdn)))) for rdn in reversed(name.rdns))


def _openssl_attribute(attribute: x509.NameAttribute[str | bytes]) -> str:
    oid = attribute.oid.dotted_string
    (rdn,) = _der.members(x509.Name([attribute]).public_bytes())
    (type_and_value,) = _der.members(rdn)
    value = _der.members(type_and_value)[1]
    character_set = _CHARACTER_SETS.get(value[0])
    if character_set is None or oid not in _SHORT_NAMES:
        return f"{_SHORT_NAMES.get(oid, oid)}=#{value.hex().upper()}"
    octets = _der.content(value).decode(character_set).encode()
    last = len(octets) - 1
    return f"{_SHORT_NAMES[oid]}=" + "".join(
        f"\\{chr(octet)}"
        if octet in b',+"\\<>;' or (octet == 0x20 and position in (0, last)) or (octet == 0x23 and position == 0)
        else chr(octet)
        if 0x20 <= octet < 0x7F
        else f"\\{octet:02X}"
        for position, octet in enumerate(octets)
    )
