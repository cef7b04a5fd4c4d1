"""The request headers that each proxy sends for a client certificate: what `decode` reads, written by the other side.

Nothing here proves anything: these headers are what a client would forge. They are for tests, for the demonstration,
and for `sslclientcert encode`.

One entry a proxy, written from its manual (the link over it) and held to what the real ones send. They share no code
with the decoders, so that a mistake in one is not answered by the same mistake in the other. Only the headers' *names*,
and the words for "yes", "no" and "accepted", come from the row of `PROXIES`: they are the deployment's to choose.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import ssl
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..core.proxies import Proxy, proxy_named
from ._names import go_name, openssl_name

__all__ = ["OPENSSL_VERDICTS", "encode"]

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

    def alternative_names(self, kind: type[x509.DNSName | x509.UniformResourceIdentifier]) -> list[str]:
        extensions = self.certificate.extensions if self.certificate else ()
        found = [one.value for one in extensions if isinstance(one.value, x509.SubjectAlternativeName)]
        return [name.value for names in found for name in names if isinstance(name, kind)]


_Line: TypeAlias = "tuple[str | None, str | None]"  # name and value; None where the row, or the proxy, has none


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Wire:
    """How a proxy writes what it knows.

    Attributes:
        leaf: the value of the certificate header.
        none: the same if there was no certificate; None where the header is then absent.
        chain: the value of the chain header, of the DER of what followed the leaf, which may be nothing.
        failed: the verdict on a bad certificate, by OpenSSL's number. That on a good one is the row's.
        no_verdict: the verdict if there was no certificate; None for the row's.
        name: subject and issuer; None where the header is then absent.
        others: what else it sends with a certificate, which the library does not read.
    """

    leaf: Callable[[_Client], str]
    none: str | None = None
    chain: Callable[..., str | None] | None = None
    failed: Callable[[int], str] | None = None
    no_verdict: str | None = None
    name: Callable[[x509.Name], str | None] = lambda name: openssl_name(name) or None
    others: Callable[[x509.Certificate], Iterator[_Line]] | None = None

    def lines(self, row: Proxy, client: _Client | None) -> Iterator[_Line]:
        """Yield the lines for a client, or for one that presented no certificate."""
        intermediates = client.intermediates if client else ()
        yield row.certificate_header, self.leaf(client) if client else self.none
        yield row.chain_header, self.chain(*intermediates) if self.chain else None
        yield row.verdict_header, self._verdict(row, client)
        yield row.presence_header, row.presence_yes if client else row.presence_no
        if client and client.certificate:
            yield row.subject_header, self.name(client.certificate.subject)
            yield row.issuer_header, self.name(client.certificate.issuer)
            yield from self.others(client.certificate) if self.others else ()
        if client:
            yield row.fingerprint_header, hashlib.sha256(client.leaf).hexdigest()

    def _verdict(self, row: Proxy, client: _Client | None) -> str | None:
        if client is None:
            return self.no_verdict or min(row.verdict_none, default=None)
        if client.verdict == 0:
            return row.verdict_success
        return self.failed(client.verdict) if self.failed else None


def encode(
    certificate: x509.Certificate | bytes | None,
    proxy: str | Proxy = "nginx-ingress",
    *,
    intermediates: Sequence[x509.Certificate | bytes] = (),
    verdict: int | str = 0,
) -> dict[str, str]:
    """Return the request headers that a proxy sends for a client certificate.

    Does not verify anything. Anybody can send these headers.

    Parameters:
        certificate: the client's certificate, parsed or as DER. For tests it may be garbage. None means a client
            without a certificate.
        proxy: a name in `PROXIES`, or a `Proxy`. A proxy of your own is encoded as its encodings say.
        intermediates: what the client sent too. Proxies that forward only the leaf leave them out.
        verdict: the proxy's verdict as OpenSSL's number (0: it is good. See `OPENSSL_VERDICTS`), written as the proxy
            does, or a str that is sent as it is.

    Returns:
        A new dict of the headers, names in lower case. For `proxy="environ"` it has the variables of the environ. Each
        vendor's page is cited at its entry below.

    Raises:
        ValueError: there is no such proxy.
    """
    row = proxy_named(proxy)
    number = verdict if isinstance(verdict, int) else 0
    client = None if certificate is None else _Client(_der_of(certificate), tuple(map(_der_of, intermediates)), number)
    lines: Iterable[_Line] = (_WIRES.get(row.name) or _of_encoding(row)).lines(row, client)
    if isinstance(verdict, str):
        lines = [*lines, (row.verdict_header, verdict)]
    found = {name: value for name, value in lines if name is not None and value is not None}
    return found if row.is_environ else {name.lower(): value for name, value in found.items()}


def _of_encoding(row: Proxy) -> _Wire:
    """For a row that is not in the table: the proxy that its encoding comes from, with what the row itself defines."""
    if row.certificate_encoding not in _BY_ENCODING:
        raise ValueError(f"no proxy is known that sends a client's certificate as {row.certificate_encoding}")
    wire = _BY_ENCODING[row.certificate_encoding]
    return dataclasses.replace(wire, chain=_CHAINS.get(row.chain_encoding or ""), no_verdict=None)


def _der_of(certificate: x509.Certificate | bytes) -> bytes:
    return certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)


def _base64(*certificates: bytes) -> str:
    return base64.b64encode(b"".join(certificates)).decode("ascii")


def _base64_list(*certificates: bytes) -> str:
    return ",".join(map(_base64, certificates))


def _byte_sequences(*certificates: bytes) -> str:
    return ", ".join(f":{_base64(der)}:" for der in certificates)


def _base64_of(client: _Client) -> str:
    return _base64(client.leaf)


def _byte_sequence_of(client: _Client) -> str:
    return _byte_sequences(client.leaf)


def _escaped_pem(client: _Client) -> str:
    return urllib.parse.quote(client.pem, safe="")  # everything but RFC 3986's unreserved


_AWS_SAFE = "+=/"  # "with +=/ as safe characters": a reader that takes '+' for a space breaks the base64


def _aws_pem(client: _Client) -> str:
    return urllib.parse.quote(client.pem, safe=_AWS_SAFE)


def _openssl_failed(verdict: int) -> str:
    return "FAILED:" + OPENSSL_VERDICTS.get(verdict, "unknown certificate verification error")


_XFCC_ESCAPES = str.maketrans({"\n": "%0A", " ": "%20", "+": "%2B", "/": "%2F", "=": "%3D"})


def _xfcc(client: _Client) -> str:
    """One element with every detail. Envoy escapes what is in Subject, and neither escapes nor quotes URI and DNS."""
    pairs = [
        f"Hash={hashlib.sha256(client.leaf).hexdigest()}",
        f'Cert="{client.pem.translate(_XFCC_ESCAPES)}"',
        f'Chain="{client.chain_pem.translate(_XFCC_ESCAPES)}"',
        f'Subject="{openssl_name(client.certificate.subject) if client.certificate else ""}"',
    ]
    uris = client.alternative_names(x509.UniformResourceIdentifier)
    pairs += [f"URI={uri}" for uri in uris or [""]]
    pairs += [f"DNS={name}" for name in client.alternative_names(x509.DNSName)]
    return ";".join(pairs)


def _aws_reading(certificate: x509.Certificate) -> Iterator[_Line]:
    """What the load balancer read in a certificate that it verified."""
    validity = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    not_before, not_after = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in validity)
    yield "x-amzn-mtls-clientcert-serial-number", f"{certificate.serial_number:X}"
    yield "x-amzn-mtls-clientcert-issuer", openssl_name(certificate.issuer)
    yield "x-amzn-mtls-clientcert-subject", openssl_name(certificate.subject)
    yield "x-amzn-mtls-clientcert-validity", f"NotBefore={not_before};NotAfter={not_after}"


# https://nginx.org/en/docs/http/ngx_http_ssl_module.html#variables ; a variable without a value makes nginx leave the
# header out. https://github.com/kubernetes/ingress-nginx/blob/main/rootfs/etc/nginx/template/nginx.tmpl
_NGINX = _Wire(leaf=_escaped_pem, failed=_openssl_failed)
# https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert ; the
# chain holds the leaf too, even if the client sent it alone.
_ENVOY = _Wire(leaf=_xfcc)
# https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/passtlsclientcert/ ; all that the
# client sent.
_TRAEFIK = _Wire(leaf=lambda client: _base64_list(client.leaf, *client.intermediates))
# https://docs.haproxy.org/3.0/configuration.html#7.3.4 (ssl_c_der, ssl_c_verify), with `set-header` on every request:
# empty without a certificate, and then the verdict is 0, too.
_OPENSHIFT = _Wire(leaf=_base64_of, none="", failed=str, no_verdict="0")
# https://httpd.apache.org/docs/2.4/mod/mod_headers.html#header ; .../mod_ssl.html#envvars
_APACHE = _Wire(
    leaf=lambda client: client.pem.replace("\n", " "), none="(null)", failed=_openssl_failed, no_verdict="NONE"
)
# https://www.rfc-editor.org/rfc/rfc9440#section-2 ; no header without a value.
_RFC9440 = _Wire(leaf=_byte_sequence_of, chain=lambda *chain: _byte_sequences(*chain) or None)
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
_AWS_PASSTHROUGH = _Wire(leaf=lambda client: urllib.parse.quote(client.chain_pem, safe=_AWS_SAFE))
# https://learn.microsoft.com/azure/app-service/app-service-web-configure-tls-mutual-auth#access-client-certificate
_BARE = _Wire(leaf=_base64_of)

_WIRES: Mapping[str, _Wire] = {
    "nginx-ingress": _NGINX,
    # https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/ingress-nginx/ ; its verdicts are Go's.
    "traefik-ingress-nginx": _Wire(
        leaf=_escaped_pem,
        failed=lambda verdict: "FAILED:x509: " + OPENSSL_VERDICTS.get(verdict, "certificate is not valid"),
        name=lambda name: go_name(name).strip(" "),  # Go trims what it sends, an escaped space at the end too
    ),
    "nginx": _NGINX,
    "envoy": _ENVOY,
    "traefik": _TRAEFIK,
    "haproxy": dataclasses.replace(_OPENSHIFT, chain=_base64),
    "openshift": _OPENSHIFT,
    "apache": _APACHE,
    # https://caddyserver.com/docs/json/apps/http/#docs ; the colons stay when the placeholder between them is empty.
    "caddy": _Wire(leaf=_byte_sequence_of, none="::"),
    "rfc9440": _RFC9440,
    "aws-alb": _AWS_PASSTHROUGH,
    "aws-alb-verify": _Wire(leaf=_aws_pem, others=_aws_reading),
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/viewer-mtls-headers.html
    "aws-cloudfront": _Wire(leaf=_aws_pem),
    # https://cloud.google.com/load-balancing/docs/https/custom-headers ; empty where there is nothing to say.
    "gcp": _Wire(leaf=_byte_sequence_of, none="", chain=_byte_sequences, failed=lambda _: "false", no_verdict="false"),
    # https://developers.cloudflare.com/ssl/client-certificates/forward-a-client-certificate/ ; a rule whose value is
    # empty removes the header: https://developers.cloudflare.com/rules/transform/request-header-modification/
    "cloudflare": _RFC9440,
    "cloudflare-forwarding": _BARE,
    "azure-app-service": _BARE,
    # https://learn.microsoft.com/azure/application-gateway/rewrite-http-headers-url
    "azure-application-gateway": _Wire(leaf=_escaped_pem, none="", failed=_openssl_failed, no_verdict="NONE"),
    # https://docs.cloudfoundry.org/concepts/http-routing.html#forward-client-cert
    "cloud-foundry": _BARE,
    # https://httpd.apache.org/docs/2.4/mod/mod_ssl.html#envvars
    "environ": _Wire(leaf=lambda client: client.pem, failed=_openssl_failed, no_verdict="NONE"),
}

_BY_ENCODING: Mapping[str, _Wire] = {
    "url-pem": _NGINX,
    "url-pem-chain": _AWS_PASSTHROUGH,
    "folded-pem": _APACHE,
    "base64-der": _BARE,
    "base64-der-list": _TRAEFIK,
    "base64-pem": _Wire(leaf=lambda client: _base64(client.pem.encode())),
    "byte-sequence": _RFC9440,
    "xfcc": _ENVOY,
    "xfcc-first": _ENVOY,
    "xfcc-last": _ENVOY,
}

_CHAINS: Mapping[str, Callable[..., str]] = {
    "base64-der-concatenation": _base64,
    "base64-der-list": _base64_list,
    "byte-sequence-list": _byte_sequences,
}
