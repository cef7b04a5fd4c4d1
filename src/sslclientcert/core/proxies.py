"""The proxies: a table of frozen rows, one a proxy, that says which headers it sends and how they are encoded.

Code never branches on a proxy's name. A new proxy is one row here, one entry of `testing.encoders`, one captured
vector, and one page or line of documentation. A deployment with headers of its own makes its row with
`dataclasses.replace` or `Proxy(...)`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from .decoding import ENCODINGS, LISTS
from .headers import folded
from .options import did_you_mean

__all__ = ["ENVIRON", "PROXIES", "TOKEN", "Proxy", "ProxyName", "proxy_named"]

ProxyName: TypeAlias = Literal[
    "nginx-ingress",
    "nginx",
    "envoy",
    "traefik",
    "traefik-ingress-nginx",
    "haproxy",
    "openshift",
    "apache",
    "caddy",
    "rfc9440",
    "aws-alb",
    "aws-alb-verify",
    "aws-cloudfront",
    "gcp",
    "cloudflare",
    "cloudflare-forwarding",
    "azure-app-service",
    "azure-application-gateway",
    "cloud-foundry",
    "environ",
]
"""The names of the proxies in `PROXIES`, and "environ"."""


def _openssl_verdicts(*words: str) -> str:
    """Return the grammar of these words and of FAILED, whose text may hold commas, but no other verdict behind one."""
    others = "|".join(map(re.escape, filter(None, words)))
    return rf"{'|'.join(map(re.escape, words))}|FAILED:(?:(?!,\s*(?:{others}|FAILED:)).)*+(?<![,\s])"


TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proxy:
    """What one proxy, configured in one way, sends to the application.

    A row promises nothing about safety: the proxy must *set* (not merely add) each of these headers on every
    request, or a client's own would pass.

    Attributes:
        name: how the row is called in configuration and messages.
        certificate_header: the header that carries the leaf (or everything, where the encoding is a chain).
        certificate_encoding: a key of `sslclientcert.core.decoding.ENCODINGS`.
        chain_header: the header that carries the intermediates, if the proxy forwards them apart.
        chain_encoding: its encoding.
        verdict_header: the header with the proxy's own verdict on the certificate.
        verdict_grammar: a regular expression for the whole of that header's value.
        verdict_success: the value that says the proxy accepted the certificate.
        verdict_none: the values that say there was no certificate.
        verdict_either: the values that come with a certificate and without one, so that they say nothing of it.
        presence_header: a header that only says whether there was a certificate.
        presence_yes: its value when there was.
        presence_no: its value when there was none; an empty one says so too.
        subject_header: the certificate's subject as the proxy saw it.
        issuer_header: the same for the issuer.
        compares_names: whether these two are as OpenSSL writes them in RFC 2253 form, and are held against the
            certificate.
        fingerprint_header: the SHA-256 of the certificate in hexadecimal, which is held against it.
        is_environ: whether these are no headers, but variables of the WSGI environ, which the server itself sets.

    Raises:
        ValueError: the row is incomplete or contradicts itself.
    """

    name: str
    certificate_header: str
    certificate_encoding: str
    chain_header: str | None = None
    chain_encoding: str | None = None
    verdict_header: str | None = None
    verdict_grammar: str = _openssl_verdicts("SUCCESS", "NONE")
    verdict_success: str = "SUCCESS"
    verdict_none: frozenset[str] = frozenset({"NONE"})
    verdict_either: frozenset[str] = frozenset()
    presence_header: str | None = None
    presence_yes: str = "1"
    presence_no: str = "0"
    subject_header: str | None = None
    issuer_header: str | None = None
    compares_names: bool = True
    fingerprint_header: str | None = None
    is_environ: bool = False

    def __post_init__(self) -> None:
        if (self.chain_header is None) != (self.chain_encoding is None):
            raise ValueError(f"proxy {self.name!r}: chain_header and chain_encoding go together")
        for encoding in (self.certificate_encoding, self.chain_encoding):
            if encoding is not None and encoding not in ENCODINGS:
                raise ValueError(
                    f"proxy {self.name!r}: unknown encoding {encoding!r}; there are {', '.join(sorted(ENCODINGS))}"
                )
        names = [name for name in self.headers if name is not None]
        for name in names:
            if not TOKEN.fullmatch(name):
                raise ValueError(f"proxy {self.name!r}: {name!r} is not a header name (without colon or spaces)")
        if len({folded(name) for name in names}) != len(names):
            raise ValueError(f"proxy {self.name!r}: two of its headers have the same name: {', '.join(names)}")
        try:
            grammar = re.compile(self.verdict_grammar)
        except re.error as error:
            raise ValueError(f"proxy {self.name!r}: verdict_grammar is not a regular expression: {error}") from error
        if not grammar.fullmatch(self.verdict_success):
            raise ValueError(f"proxy {self.name!r}: verdict_success does not match verdict_grammar")

    def require_headers(self) -> None:
        """Refuse a proxy that is no proxy, but the WSGI environ, where there are headers alone.

        Raises:
            ValueError: the message says what to do.
        """
        if self.is_environ:
            raise ValueError(
                f"proxy={self.name!r} reads {self.certificate_header} of the WSGI environ, and never a header, which a "
                "client can write itself. It works under WSGI alone: here, name the proxy that forwards the certificate"
            )

    @property
    def headers(self) -> tuple[str | None, ...]:
        """Certificate, chain, verdict, presence, subject, issuer, fingerprint header; None where there is none."""
        return (
            self.certificate_header,
            self.chain_header,
            self.verdict_header,
            self.presence_header,
            self.subject_header,
            self.issuer_header,
            self.fingerprint_header,
        )

    @property
    def lists(self) -> frozenset[str]:
        """Those of its headers that may come on several lines, which are then one list."""
        return frozenset({self.chain_header} if self.chain_header and self.chain_encoding in LISTS else ())


def proxy_named(proxy: str | Proxy) -> Proxy:
    """Return the proxy of the table by that name, or the proxy itself.

    Raises:
        ValueError: the table has no such proxy; the message lists those it has.
    """
    if isinstance(proxy, Proxy):
        return proxy
    if proxy == ENVIRON.name:
        return ENVIRON
    try:
        return PROXIES[proxy]
    except (KeyError, TypeError):
        names = [*PROXIES, ENVIRON.name]
        close = did_you_mean(proxy, names)
        raise ValueError(f"unknown proxy {proxy!r}{close}; the table has {', '.join(names)}") from None


_ROWS = (
    # ingress-nginx, rootfs/etc/nginx/template/nginx.tmpl: these four headers, in every location of a host that has
    # auth-tls-secret; the certificate only with auth-tls-pass-certificate-to-upstream.
    Proxy(
        name="nginx-ingress",
        certificate_header="ssl-client-cert",
        certificate_encoding="url-pem",
        verdict_header="ssl-client-verify",
        subject_header="ssl-client-subject-dn",
        issuer_header="ssl-client-issuer-dn",
    ),
    # https://nginx.org/en/docs/http/ngx_http_ssl_module.html#var_ssl_client_escaped_cert
    Proxy(
        name="nginx",
        certificate_header="x-ssl-client-cert",
        certificate_encoding="url-pem",
        verdict_header="x-ssl-client-verify",
    ),
    # https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
    Proxy(
        name="envoy",
        certificate_header="x-forwarded-client-cert",
        certificate_encoding="xfcc",
    ),
    # https://doc.traefik.io/traefik/middlewares/http/passtlsclientcert/
    Proxy(
        name="traefik",
        certificate_header="x-forwarded-tls-client-cert",
        certificate_encoding="base64-der-list",
    ),
    # Traefik's provider kubernetesIngressNGINX, for the annotations of ingress-nginx: the same four headers, but the
    # names are as Go writes them, which regroups attributes and knows some by other words.
    Proxy(
        name="traefik-ingress-nginx",
        certificate_header="ssl-client-cert",
        certificate_encoding="url-pem",
        verdict_header="ssl-client-verify",
        subject_header="ssl-client-subject-dn",
        issuer_header="ssl-client-issuer-dn",
        compares_names=False,
    ),
    # https://docs.haproxy.org/dev/configuration.html#7.3.4 ; ssl_c_verify is 0 without a certificate too.
    Proxy(
        name="haproxy",
        certificate_header="x-ssl-client-cert",
        certificate_encoding="base64-der",
        chain_header="x-ssl-client-chain",
        chain_encoding="base64-der-concatenation",
        verdict_header="x-ssl-client-verify",
        verdict_grammar=r"[0-9]{0,5}",
        verdict_success="0",
        verdict_none=frozenset({""}),
        verdict_either=frozenset({"0"}),
        presence_header="x-ssl-client-used",
    ),
    # https://github.com/openshift/router/blob/master/images/router/haproxy/conf/haproxy-config.template
    Proxy(
        name="openshift",
        certificate_header="x-ssl-client-der",
        certificate_encoding="base64-der",
        verdict_header="x-ssl-client-verify",
        verdict_grammar=r"[0-9]{0,5}",
        verdict_success="0",
        verdict_none=frozenset({""}),
        verdict_either=frozenset({"0"}),
    ),
    # https://httpd.apache.org/docs/2.4/mod/mod_headers.html#header ; GENEROUS is optional_no_ca over TLS 1.2.
    Proxy(
        name="apache",
        certificate_header="x-ssl-cert",
        certificate_encoding="folded-pem",
        verdict_header="x-ssl-verify",
        verdict_grammar=_openssl_verdicts("SUCCESS", "NONE", "GENEROUS", "(null)"),
        verdict_none=frozenset({"NONE", "(null)"}),
    ),
    # https://caddyserver.com/docs/caddyfile/concepts#placeholders
    Proxy(
        name="caddy",
        certificate_header="client-cert",
        certificate_encoding="byte-sequence",
    ),
    # https://www.rfc-editor.org/rfc/rfc9440 ; the example is HAProxy's.
    Proxy(
        name="rfc9440",
        certificate_header="client-cert",
        certificate_encoding="byte-sequence",
        chain_header="client-cert-chain",
        chain_encoding="byte-sequence-list",
    ),
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
    Proxy(
        name="aws-alb",
        certificate_header="x-amzn-mtls-clientcert",
        certificate_encoding="url-pem-chain",
    ),
    Proxy(
        name="aws-alb-verify",
        certificate_header="x-amzn-mtls-clientcert-leaf",
        certificate_encoding="url-pem",
    ),
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/viewer-mtls-headers.html
    Proxy(
        name="aws-cloudfront",
        certificate_header="cloudfront-viewer-cert-pem",
        certificate_encoding="url-pem",
        presence_header="cloudfront-viewer-cert-present",
        fingerprint_header="cloudfront-viewer-cert-sha256",
    ),
    # https://cloud.google.com/load-balancing/docs/https/custom-headers-global ; the names are the deployment's choice.
    Proxy(
        name="gcp",
        certificate_header="x-client-cert-leaf",
        certificate_encoding="byte-sequence",
        chain_header="x-client-cert-chain",
        chain_encoding="byte-sequence-list",
        verdict_header="x-client-cert-chain-verified",
        verdict_grammar=r"true|false|",
        verdict_success="true",
        verdict_none=frozenset({""}),
        verdict_either=frozenset({"false"}),
        presence_header="x-client-cert-present",
        presence_yes="true",
        presence_no="false",
    ),
    # https://developers.cloudflare.com/ssl/client-certificates/forward-a-client-certificate/ : two rules of "Modify
    # Request Header"; the first takes away what a client sent itself.
    Proxy(
        name="cloudflare",
        certificate_header="client-cert",
        certificate_encoding="byte-sequence",
        chain_header="client-cert-chain",
        chain_encoding="byte-sequence-list",
    ),
    # The same page: the setting client_certificate_forwarding of a host name.
    Proxy(
        name="cloudflare-forwarding",
        certificate_header="cf-client-cert-der-base64",
        certificate_encoding="base64-der",
        fingerprint_header="cf-client-cert-sha256",
    ),
    # https://learn.microsoft.com/azure/app-service/app-service-web-configure-tls-mutual-auth
    Proxy(
        name="azure-app-service",
        certificate_header="x-arr-clientcert",
        certificate_encoding="base64-der",
    ),
    # https://learn.microsoft.com/azure/application-gateway/rewrite-http-headers-url ; the names are the rewrite's.
    Proxy(
        name="azure-application-gateway",
        certificate_header="x-client-cert",
        certificate_encoding="url-pem",
        verdict_header="x-client-cert-verify",
        verdict_grammar=_openssl_verdicts("SUCCESS", "NONE", ""),
        verdict_none=frozenset({"NONE", ""}),
    ),
    # https://docs.cloudfoundry.org/concepts/http-routing.html#forward-client-cert
    Proxy(
        name="cloud-foundry",
        certificate_header="x-forwarded-client-cert",
        certificate_encoding="base64-der",
    ),
)

PROXIES: Mapping[str, Proxy] = MappingProxyType({row.name: row for row in _ROWS})
"""The proxies that the library knows, by name. Read-only; derive a row of your own with `dataclasses.replace`."""

ENVIRON = Proxy(
    name="environ",
    certificate_header="SSL_CLIENT_CERT",
    certificate_encoding="folded-pem",
    verdict_header="SSL_CLIENT_VERIFY",
    verdict_grammar=_openssl_verdicts("SUCCESS", "NONE", "GENEROUS", ""),
    verdict_none=frozenset({"NONE", ""}),
    is_environ=True,
)
"""The variables by which a WSGI server that speaks TLS or the uwsgi protocol tells of a certificate, and not a proxy.

Sources: https://httpd.apache.org/docs/2.4/mod/mod_ssl.html#envvars (mod_wsgi), and the same names by custom elsewhere.
"""
