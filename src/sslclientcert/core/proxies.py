"""The proxies: a table of frozen rows, one a proxy, that says which headers it sends and how they are encoded.

Code never branches on a proxy's name. A new proxy is one row here, one captured vector in the tests, and one page in
the documentation; a deployment with headers of its own makes its row with `dataclasses.replace` or `Proxy(...)`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from types import MappingProxyType

from .decoding import ENCODINGS
from .headers import folded

__all__ = ["PROXIES", "TOKEN", "Proxy", "proxy_named"]

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
        presence_header: a header that only says whether there was a certificate.
        presence_yes: its value when there was.
        presence_no: its value when there was none; an empty one says so too.
        subject_header: the certificate's subject as the proxy saw it, as OpenSSL writes it in RFC 2253 form.
        issuer_header: the same for the issuer.
        configuration: the proxy's configuration that sends just this, for people to copy.

    Raises:
        ValueError: the row is incomplete or contradicts itself.
    """

    name: str
    certificate_header: str
    certificate_encoding: str
    chain_header: str | None = None
    chain_encoding: str | None = None
    verdict_header: str | None = None
    verdict_grammar: str = r"SUCCESS|NONE|FAILED:[^,]*"
    verdict_success: str = "SUCCESS"
    verdict_none: frozenset[str] = frozenset({"NONE"})
    presence_header: str | None = None
    presence_yes: str = "1"
    presence_no: str = "0"
    subject_header: str | None = None
    issuer_header: str | None = None
    configuration: str = dataclasses.field(default="", repr=False, compare=False)

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

    @property
    def headers(self) -> tuple[str | None, ...]:
        """Certificate, chain, verdict, presence, subject and issuer header, in this order; None where there is none."""
        return (
            self.certificate_header,
            self.chain_header,
            self.verdict_header,
            self.presence_header,
            self.subject_header,
            self.issuer_header,
        )


def proxy_named(proxy: str | Proxy) -> Proxy:
    """Return the row of the table by that name, or the row itself.

    Raises:
        ValueError: the table has no such row; the message lists those it has.
    """
    if isinstance(proxy, Proxy):
        return proxy
    try:
        return PROXIES[proxy]
    except (KeyError, TypeError):
        raise ValueError(f"unknown proxy {proxy!r}; the table has {', '.join(PROXIES)}") from None


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
        configuration="""\
metadata:
  annotations:
    nginx.ingress.kubernetes.io/auth-tls-secret: default/client-ca
    nginx.ingress.kubernetes.io/auth-tls-verify-client: "on"
    nginx.ingress.kubernetes.io/auth-tls-pass-certificate-to-upstream: "true"
""",
    ),
    # https://nginx.org/en/docs/http/ngx_http_ssl_module.html#var_ssl_client_escaped_cert
    Proxy(
        name="nginx",
        certificate_header="x-ssl-client-cert",
        certificate_encoding="url-pem",
        verdict_header="x-ssl-client-verify",
        configuration="""\
ssl_client_certificate /etc/client-ca/ca.crt;
ssl_verify_client on;
proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
""",
    ),
    # https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
    Proxy(
        name="envoy",
        certificate_header="x-forwarded-client-cert",
        certificate_encoding="xfcc",
        configuration="""\
common_http_protocol_options:
  headers_with_underscores_action: REJECT_REQUEST
forward_client_cert_details: SANITIZE_SET
set_current_client_cert_details: {cert: true, chain: true}
""",
    ),
    # https://doc.traefik.io/traefik/middlewares/http/passtlsclientcert/
    Proxy(
        name="traefik",
        certificate_header="x-forwarded-tls-client-cert",
        certificate_encoding="base64-der-list",
        configuration="""\
http:
  middlewares:
    client-cert:
      passTLSClientCert:
        pem: true
""",
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
        presence_header="x-ssl-client-used",
        configuration="""\
http-request del-header _ -m sub
http-request del-header Trailer
http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]
http-request set-header X-SSL-Client-Chain %[ssl_c_chain_der,base64]
http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
http-request set-header X-SSL-Client-Used %[ssl_c_used]
""",
    ),
    # https://httpd.apache.org/docs/2.4/mod/mod_headers.html#header ; GENEROUS is optional_no_ca over TLS 1.2.
    Proxy(
        name="apache",
        certificate_header="x-ssl-cert",
        certificate_encoding="folded-pem",
        verdict_header="x-ssl-verify",
        verdict_grammar=r"SUCCESS|NONE|GENEROUS|\(null\)|FAILED:[^,]*",
        verdict_none=frozenset({"NONE", "(null)"}),
        configuration="""\
SSLVerifyClient require
RequestHeader unset Connection
RequestHeader unset X_SSL_CERT
RequestHeader unset X_SSL-CERT
RequestHeader unset X-SSL_CERT
RequestHeader unset X_SSL_VERIFY
RequestHeader unset X_SSL-VERIFY
RequestHeader unset X-SSL_VERIFY
RequestHeader set X-SSL-CERT "%{SSL_CLIENT_CERT}s"
RequestHeader set X-SSL-VERIFY "%{SSL_CLIENT_VERIFY}s"
""",
    ),
    # https://caddyserver.com/docs/caddyfile/concepts#placeholders
    Proxy(
        name="caddy",
        certificate_header="client-cert",
        certificate_encoding="byte-sequence",
        configuration="""\
reverse_proxy 127.0.0.1:8000 {
    header_up Client-Cert ":{http.request.tls.client.certificate_der_base64}:"
}
""",
    ),
    # https://www.rfc-editor.org/rfc/rfc9440 ; the example is HAProxy's.
    Proxy(
        name="rfc9440",
        certificate_header="client-cert",
        certificate_encoding="byte-sequence",
        chain_header="client-cert-chain",
        chain_encoding="byte-sequence-list",
        configuration="""\
http-request del-header _ -m sub
http-request del-header Trailer
http-request del-header Client-Cert-Chain
http-request set-header Client-Cert :%[ssl_c_der,base64]:
""",
    ),
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html
    Proxy(
        name="aws-alb",
        certificate_header="x-amzn-mtls-clientcert",
        certificate_encoding="url-pem-chain",
        configuration="""\
aws elbv2 modify-listener --listener-arn "$LISTENER" --mutual-authentication Mode=passthrough
""",
    ),
    Proxy(
        name="aws-alb-verify",
        certificate_header="x-amzn-mtls-clientcert-leaf",
        certificate_encoding="url-pem",
        configuration="""\
aws elbv2 modify-listener --listener-arn "$LISTENER" --mutual-authentication Mode=verify,TrustStoreArn="$TRUST_STORE"
""",
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
        presence_header="x-client-cert-present",
        presence_yes="true",
        presence_no="false",
        configuration="""\
customRequestHeaders:
- "X-Client-Cert-Leaf:{client_cert_leaf}"
- "X-Client-Cert-Chain:{client_cert_chain}"
- "X-Client-Cert-Present:{client_cert_present}"
- "X-Client-Cert-Chain-Verified:{client_cert_chain_verified}"
""",
    ),
    # https://developers.cloudflare.com/ssl/client-certificates/forward-a-client-certificate/ : two rules of "Modify
    # Request Header"; the first takes away what a client sent itself.
    Proxy(
        name="cloudflare",
        certificate_header="client-cert",
        certificate_encoding="byte-sequence",
        chain_header="client-cert-chain",
        chain_encoding="byte-sequence-list",
        configuration="""\
expression: true
  Remove       Client-Cert
  Remove       Client-Cert-Chain
expression: cf.tls_client_auth.cert_verified and not cf.tls_client_auth.cert_revoked
  Set dynamic  Client-Cert        cf.tls_client_auth.cert_rfc9440
  Set dynamic  Client-Cert-Chain  cf.tls_client_auth.cert_chain_rfc9440
""",
    ),
    # https://learn.microsoft.com/azure/app-service/app-service-web-configure-tls-mutual-auth
    Proxy(
        name="azure-app-service",
        certificate_header="x-arr-clientcert",
        certificate_encoding="base64-der",
        configuration="""\
az webapp update --set clientCertEnabled=true --name "$APP" --resource-group "$GROUP"
""",
    ),
)

PROXIES: Mapping[str, Proxy] = MappingProxyType({row.name: row for row in _ROWS})
"""The proxies that the library knows, by name. Read-only; derive a row of your own with `dataclasses.replace`."""
