"""What controllers write for the proxy inside them: the lines of their templates, with one host and one application.

Here is what concerns the request's headers and the client's certificate, and what the proxy does not start without.
"""

from __future__ import annotations

from .configurations import Site

# OpenShift's router, for spec.clientTLS (https://github.com/openshift/router, haproxy-config.template): it sets its
# headers on every request, and takes no other spelling of them away.
_OPENSHIFT = """\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend fe_sni
    bind 127.0.0.1:@PORT@ ssl crt {site}/tls.pem ca-file {bundle} {verify} alpn h2,http/1.1
    http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
    http-request set-header X-SSL-Client-DER %{{+Q}}[ssl_c_der,base64]
    default_backend app

backend app
    server app {upstream}
"""

# HAProxy Ingress, for auth-tls-secret, auth-tls-verify-client, auth-tls-cert-header, ssl-redirect: "false" and
# config-backend (https://github.com/jcmoraisjr/haproxy-ingress, rootfs/etc/templates/haproxy/haproxy.tmpl and what
# pkg/haproxy/instance_test.go expects of it). Its lists of host names are conditions here, and what its Lua answers is
# `return`.
_HAPROXY_INGRESS = """\
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s

backend shop_app_8080
    mode http
{fronting}    acl local-offload ssl_fc
    http-request set-header X-SSL-Client-CN   %{{+Q}}[ssl_c_s_dn(cn)]   if local-offload
    http-request set-header X-SSL-Client-DN   %{{+Q}}[ssl_c_s_dn]       if local-offload
    http-request set-header X-SSL-Client-SHA1 %{{+Q}}[ssl_c_sha1,hex]   if local-offload
    http-request set-header X-SSL-Client-Cert %{{+Q}}[ssl_c_der,base64] if local-offload
    http-request deny if METH_CONNECT or {{ req.hdr(Upgrade) -i h2c }}
    http-request del-header _ -m sub
    server s1 {upstream} weight 100

"""
_HAPROXY_INGRESS_TLS = """\
frontend _front_https
    mode http
    bind 127.0.0.1:@PORT@ ssl alpn h2,http/1.1 crt-list @FOLDER@/bind_crt.list ca-ignore-err all crt-ignore-err all
    http-request set-var(req.path) path
    http-request set-var(req.host) hdr(host),field(1,:),lower
    http-request set-header X-Forwarded-Proto https
    http-request del-header X-SSL-Client-CN
    http-request del-header X-SSL-Client-DN
    http-request del-header X-SSL-Client-SHA1
    http-request del-header X-SSL-Client-SHA2
    http-request del-header X-SSL-Client-Cert
    acl tls-has-crt ssl_c_used
    acl tls-need-crt ssl_fc_sni -i -m str {needs}
    acl tls-host-need-crt var(req.host) -i -m str {needs}
    acl tls-has-invalid-crt ssl_c_verify gt 0
    acl tls-check-crt ssl_fc_sni -i -m str localhost
    http-request set-var(req.tls_nocrt_redir) str(_internal) if !tls-has-crt tls-need-crt
    http-request set-var(req.tls_invalidcrt_redir) str(_internal) if tls-has-invalid-crt tls-check-crt
    http-request return status 421 if tls-has-crt {{ ssl_fc_has_sni }} !{{ ssl_fc_sni,strcmp(req.host) eq 0 }}
    http-request return status 496 if {{ var(req.tls_nocrt_redir) -m str _internal }}
    http-request return status 421 if !tls-has-crt tls-host-need-crt
    http-request return status 495 if {{ var(req.tls_invalidcrt_redir) -m str _internal }}
    use_backend shop_app_8080
"""
# The first is the default certificate, which there is of another name.
_BIND_CRT_LIST = "{site}/tls.pem default.invalid\n{site}/tls.pem [ca-file {bundle} verify optional] localhost\n"

# What is added with fronting-proxy-port: "80" and ssl-redirect: "false", and what answers plain HTTP then.
_FRONTING_OF_THE_BACKEND = """\
    acl fronting-proxy hdr(X-Forwarded-Proto) -m found
    acl https-request ssl_fc
    acl https-request var(txn.proto) -m str https
    http-request set-var(txn.proto) hdr(X-Forwarded-Proto)
    http-request redirect scheme https if fronting-proxy !{ hdr(X-Forwarded-Proto) https }
"""
_HAPROXY_INGRESS_FRONTING = """\
frontend _front_http
    mode http
    bind 127.0.0.1:@PORT@
    acl fronting-proxy hdr(X-Forwarded-Proto) -m found
    http-request set-header X-Forwarded-Proto http if !fronting-proxy
    http-request del-header X-SSL-Client-CN if !fronting-proxy
    http-request del-header X-SSL-Client-DN if !fronting-proxy
    http-request del-header X-SSL-Client-SHA1 if !fronting-proxy
    http-request del-header X-SSL-Client-SHA2 if !fronting-proxy
    http-request del-header X-SSL-Client-Cert if !fronting-proxy
    use_backend shop_app_8080
"""

# F5's NGINX Ingress Controller, for a VirtualServer with a policy of kind ingressMTLS and the location-snippets of
# docs/proxies/others.md (https://github.com/nginx/kubernetes-ingress, internal/configs,
# version2/nginx.virtualserver.tmpl; the map is from version1/nginx.tmpl).
_F5_NGINX = """\
map $http_upgrade $vs_connection_header {{
    default upgrade;
    ''      $default_connection_header;
}}
upstream vs_shop_app {{
    server {upstream} max_fails=1 fail_timeout=10s max_conns=0;
}}
server {{
    listen 127.0.0.1:@PORT@ ssl;
    http2 on;
    server_name localhost;
    ssl_certificate {site}/tls.crt;
    ssl_certificate_key {site}/tls.key;
    ssl_client_certificate {bundle};
    ssl_verify_client {verify};
    ssl_verify_depth 1;
    server_tokens "on";
    location / {{
        set $service "app";
        proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
        proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
        set $default_connection_header close;
        proxy_connect_timeout 60s;
        proxy_read_timeout 60s;
        proxy_send_timeout 60s;
        client_max_body_size 1m;
        proxy_buffering on;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $vs_connection_header;
        proxy_pass_request_headers on;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Host $host;
        proxy_set_header X-Forwarded-Port $server_port;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_pass http://vs_shop_app;
        proxy_next_upstream error timeout;
        proxy_next_upstream_timeout 0s;
        proxy_next_upstream_tries 0;
    }}
}}
"""


def openshift(site: Site, upstream: str, *, verifies: bool) -> str:
    """Return the configuration of HAProxy in OpenShift's router, which refuses bad certificates itself or does not."""
    verify = "verify required" if verifies else "verify optional crt-ignore-err all ca-ignore-err all"
    return _OPENSHIFT.format(site=site.site, bundle=site.bundle, upstream=upstream, verify=verify)


def product(name: str, site: Site, upstream: str, *, verifies: bool) -> tuple[str, str, dict[str, str]] | None:
    """Return kind, main file and other files for `rigs.running`, or None if there is no controller of that name.

    Parameters:
        name: "openshift", "haproxy-ingress", "haproxy-ingress over plain HTTP" or "f5-nginx".
        site: the files it gets.
        upstream: the application's `address:port`.
        verifies: whether it refuses clients without a good certificate; or else as few as it can.
    """
    names = {"site": site.site, "bundle": site.bundle, "upstream": upstream}
    if name == "openshift":
        return "haproxy", openshift(site, upstream, verifies=verifies), {}
    if name == "haproxy-ingress over plain HTTP":
        backend = _HAPROXY_INGRESS.format(**names, fronting=_FRONTING_OF_THE_BACKEND)
        return "haproxy", backend + _HAPROXY_INGRESS_FRONTING, {}
    if name == "haproxy-ingress":  # auth-tls-verify-client: "on" or "optional", by which it refuses a bad one too
        text = _HAPROXY_INGRESS + _HAPROXY_INGRESS_TLS
        text = text.format(**names, fronting="", needs="localhost" if verifies else "nowhere.invalid")
        return "haproxy", text, {"bind_crt.list": _BIND_CRT_LIST.format(**names)}
    if name == "f5-nginx":
        verify = "on" if verifies else "optional_no_ca"
        return "nginx", _F5_NGINX.format(**names, verify=verify), {}
    return None
