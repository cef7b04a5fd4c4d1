"""The proxies: a table of frozen rows, one a proxy, that says which headers it sends and how they are encoded.

Code never branches on a proxy's name. A new proxy is one row here, one entry of `testing.encoders`, one captured
vector, and one page or line of documentation. A deployment with headers of its own makes its row with
`dataclasses.replace` or `Proxy(...)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from .options import did_you_mean
from .proxy import TOKEN, Proxy, openssl_verdicts

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


def proxy_named(proxy: str | Proxy, header: str | None = None) -> Proxy:
    """Return the proxy of the table by that name, or the proxy itself, with another certificate header if one is given.

    Raises:
        ValueError: the table has no such proxy; the message lists those it has. Or `header` is not a header's name.
    """
    if header is not None:
        return dataclasses.replace(proxy_named(proxy), certificate_header=header)
    if isinstance(proxy, Proxy):
        return proxy
    known = {**PROXIES, ENVIRON.name: ENVIRON}
    try:
        return known[proxy]
    except (KeyError, TypeError):
        close = did_you_mean(proxy, known)
        raise ValueError(f"unknown proxy {proxy!r}{close}; the table has {', '.join(known)}") from None


# ingress-nginx, rootfs/etc/nginx/template/nginx.tmpl: these four headers, in every location of a host that has
# auth-tls-secret; the certificate only with auth-tls-pass-certificate-to-upstream.
_NGINX_INGRESS = Proxy(
    name="nginx-ingress",
    certificate_header="ssl-client-cert",
    certificate_encoding="url-pem",
    verdict_header="ssl-client-verify",
    subject_header="ssl-client-subject-dn",
    issuer_header="ssl-client-issuer-dn",
)
# https://docs.haproxy.org/dev/configuration.html#7.3.4 ; ssl_c_verify is 0 without a certificate too.
_HAPROXY = Proxy(
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
)
# https://www.rfc-editor.org/rfc/rfc9440 ; the example is HAProxy's.
_RFC9440 = Proxy(
    name="rfc9440",
    certificate_header="client-cert",
    certificate_encoding="byte-sequence",
    chain_header="client-cert-chain",
    chain_encoding="byte-sequence-list",
)

_ROWS = (
    _NGINX_INGRESS,
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
    dataclasses.replace(_NGINX_INGRESS, name="traefik-ingress-nginx", compares_names=False),
    _HAPROXY,
    # https://github.com/openshift/router/blob/master/images/router/haproxy/conf/haproxy-config.template
    dataclasses.replace(
        _HAPROXY,
        name="openshift",
        certificate_header="x-ssl-client-der",
        chain_header=None,
        chain_encoding=None,
        presence_header=None,
    ),
    # https://httpd.apache.org/docs/2.4/mod/mod_headers.html#header ; GENEROUS is optional_no_ca over TLS 1.2.
    Proxy(
        name="apache",
        certificate_header="x-ssl-cert",
        certificate_encoding="folded-pem",
        verdict_header="x-ssl-verify",
        verdict_grammar=openssl_verdicts("SUCCESS", "NONE", "GENEROUS", "(null)"),
        verdict_none=frozenset({"NONE", "(null)"}),
    ),
    # https://caddyserver.com/docs/caddyfile/concepts#placeholders
    Proxy(
        name="caddy",
        certificate_header="client-cert",
        certificate_encoding="byte-sequence",
    ),
    _RFC9440,
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
    dataclasses.replace(_RFC9440, name="cloudflare"),
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
        verdict_grammar=openssl_verdicts("SUCCESS", "NONE", ""),
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
    verdict_grammar=openssl_verdicts("SUCCESS", "NONE", "GENEROUS", ""),
    verdict_none=frozenset({"NONE", ""}),
    is_environ=True,
)
"""The variables by which a WSGI server that speaks TLS or the uwsgi protocol tells of a certificate, and not a proxy.

Sources: https://httpd.apache.org/docs/2.4/mod/mod_ssl.html#envvars (mod_wsgi), and the same names by custom elsewhere.
"""
