"""Real servers and clients on loopback. Everything is ended by its own process id when its block ends."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.demo.processes import listen, serve

from .pki import Credentials

HERE = Path(__file__).parent
DEADLINE_SECONDS = 30.0
GATEWAYS = ("gunicorn-sync", "gunicorn-gthread", "uvicorn-h11", "uvicorn-httptools")
PROXY_ADDRESS = "127.0.0.1"  # where nginx connects from
STRANGER_ADDRESS = "127.0.0.2"  # where somebody else in the same network connects from

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """What a client read: status, headers (names in lower case) and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def verdict(self) -> str | None:
        """What nginx said of the certificate, which it tells the client for the tests' sake."""
        return self.headers.get("nginx-verdict")

    @property
    def code(self) -> str | None:
        """The library's code, or None if the library did not refuse this request."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        code: str = self.json["code"]
        return code


@dataclass(frozen=True)
class Application:
    """A running application: where nginx reaches it, and where anybody else does."""

    upstream: str
    port: int
    log: Path

    @property
    def address(self) -> tuple[str, int] | str:
        """Where nginx connects to: an address or the path of a Unix socket."""
        if self.upstream.startswith("unix:"):
            return self.upstream.removeprefix("unix:")
        return PROXY_ADDRESS, self.port


@contextmanager
def application(folder: Path, gateway: str, ca: Path, factory: str | None = None) -> Iterator[Application]:
    """Run the tests' application on a real server: gunicorn on a Unix and a TCP socket, uvicorn on a TCP socket alone.

    gunicorn's application trusts its Unix socket, uvicorn's one address: the two ways to say who the proxy is.
    """
    server, kind = gateway.split("-")
    folder = folder / gateway
    folder.mkdir()
    log = folder / "log"
    tcp = listen()
    port: int = tcp.getsockname()[1]
    if server == "gunicorn":
        sockets, upstream, proxy = [listen(folder / "socket"), tcp], f"unix:{folder}/socket", "unix"
        command = ["gunicorn", "-k", kind, *(f"--bind=fd://{each.fileno()}" for each in sockets)]
        command += ["--graceful-timeout=1", f"apps:{factory or 'wsgi'}()"]
    else:
        sockets, upstream, proxy = [tcp], f"{PROXY_ADDRESS}:{port}", PROXY_ADDRESS
        command = ["uvicorn", f"--fd={tcp.fileno()}", "--http", kind, "--no-proxy-headers", "--lifespan=off"]
        command += ["--timeout-graceful-shutdown=1", "--factory", f"apps:{factory or 'asgi'}"]
    environ = {
        "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts its control socket
        "SSLCLIENTCERT_CA": str(ca),
        "SSLCLIENTCERT_TRUSTED_PROXIES": proxy,
    }
    with serve([sys.executable, "-m", *command], sockets, log=log, environ=environ):
        running = Application(upstream, port, log)
        _await_ready(running)
        yield running


def _await_ready(running: Application) -> None:
    # The socket listens before the server starts: one request waits for it, and is cut off if the server dies.
    try:
        reply = plain(running.port, path="/ready", source=STRANGER_ADDRESS)
    except OSError as error:
        raise AssertionError(f"the application did not start\n{running.log.read_text()}") from error
    assert reply.status == 200, running.log.read_text()


def tls_context(ca: Path, credentials: Credentials | None, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    # Since Python 3.13 the default; a root of `openssl req -x509`, without keyUsage, does not pass it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if credentials is not None:
        context.load_cert_chain(credentials.certificate, credentials.key)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def https(port: int, context: ssl.SSLContext, *, headers: Headers = (), path: str = "/", method: str = "GET") -> Reply:
    """One HTTP/1.1 request to nginx; header names keep their case and may repeat."""
    connection = http.client.HTTPSConnection(PROXY_ADDRESS, port, timeout=DEADLINE_SECONDS, context=context)
    return exchange(connection, headers, path, method)


def plain(port: int, *, headers: Headers = (), path: str = "/", source: str = PROXY_ADDRESS) -> Reply:
    """One HTTP/1.1 request without TLS, from the address `source` of this machine."""
    connection = http.client.HTTPConnection(PROXY_ADDRESS, port, timeout=DEADLINE_SECONDS, source_address=(source, 0))
    return exchange(connection, headers, path, "GET")


def exchange(connection: http.client.HTTPConnection, headers: Headers, path: str, method: str) -> Reply:
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def raw(address: tuple[str, int] | str, segments: Sequence[bytes], context: ssl.SSLContext | None = None) -> Reply:
    """Send bytes as they are, pausing between segments so that each is read by itself, and read the one answer."""
    with ExitStack() as stack:
        if isinstance(address, str):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(DEADLINE_SECONDS)
            connection.connect(address)
        else:
            connection = stack.enter_context(socket.create_connection(address, DEADLINE_SECONDS))
        if context is not None:
            connection = stack.enter_context(context.wrap_socket(connection, server_hostname=PROXY_ADDRESS))
        for position, segment in enumerate(segments):
            if position:
                time.sleep(0.2)
            connection.sendall(segment)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
