"""Who the peer is, as each real server tells it: over TCP, over TCP with a reset, and over a unix socket.

A client that sends its request and resets the connection (SO_LINGER 0) is gone before the server asks for its address.
Some servers then serve the request without an address, as they do over a unix socket.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from .apps import SERVED
from .many_servers import OF_ASGI, OF_WSGI, OTHERS_OF_ASGI, OTHERS_OF_WSGI, application
from .pki import Pki
from .servers import DEADLINE_SECONDS, STRANGER_ADDRESS, Application, plain, raw
from .test_attacks import VICTIM, became, header

SERVERS = (*OF_WSGI, *OTHERS_OF_WSGI, *OF_ASGI, *OTHERS_OF_ASGI)
RESETS = 25

TELLS_NO_ADDRESS = (  # of a client that has reset its connection, and serves its request
    *("uvicorn h11", "uvicorn httptools", "uvicorn uvloop", "gunicorn uvicorn_worker", "gunicorn asgi"),
    *("uvicorn wsgi", "uvicorn a2wsgi", "uvicorn asgiref"),
)
SHOWS_NO_SOCKET = (
    "cheroot",
    "hypercorn wsgi",
    "hypercorn asgi",
    "uvicorn wsgi",
    "uvicorn a2wsgi",
    "uvicorn asgiref",
)
# wsgiref cannot, and bjoern tells an address there that means nothing, and another one each time.
ON_UNIX_SOCKETS = [name for name in SERVERS if name not in ("wsgiref", "bjoern")]


Served: TypeAlias = tuple[Application, Path]
"""A running server, and the file in which its application says for whom it has run."""


def request_of(pki: Pki, path: str, host: str = "localhost") -> bytes:
    name, value = header(pki, VICTIM)
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{name}: {value}\r\n\r\n".encode()


def send_and_reset(server: Application, request: bytes) -> None:
    with socket.socket() as client:
        client.bind((STRANGER_ADDRESS, 0))
        client.settimeout(DEADLINE_SECONDS)
        client.connect(server.address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(request)


@contextmanager
def server(name: str, pki: Pki, folder: Path, trusted: str, *, unix: bool = False) -> Iterator[Served]:
    """A server whose application trusts these peers, and the file in which it says for whom it has run."""
    served = folder / "served"
    served.touch()
    environ = {"SSLCLIENTCERT_TRUSTED_PROXIES": trusted, SERVED: str(served)}
    with application(name, pki.bundle, environ, unix=unix) as running:
        served.write_text("")  # the probe for its readiness ran the application too
        yield running, served


@pytest.fixture(scope="module", params=SERVERS)
def careful(request: pytest.FixtureRequest, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Each server, for the tests of those whom it must not trust."""
    with server(request.param, pki, tmp_path_factory.mktemp("server"), "127.0.0.1, ::1, unix") as running:
        yield running


def served_after(resets: int, running: Application, request: bytes, served: Path) -> list[str]:
    """For whom the application has run when all of these requests, each with a reset, have been dealt with."""
    for _ in range(resets):
        send_and_reset(running, request)
    time.sleep(0.5)
    for _ in range(4):  # each worker thread has answered one after them
        assert plain(running.port, path="/ready").status == 200
    return [line for line in served.read_text().splitlines() if line != "None"]


def test_a_stranger_who_resets_the_connection_is_not_the_unix_socket(careful: Served, pki: Pki) -> None:
    running, served = careful
    assert served_after(RESETS, running, request_of(pki, "/nginx-ingress"), served) == []


@pytest.mark.parametrize("name", TELLS_NO_ADDRESS)
def test_a_request_with_a_reset_is_served_where_any_peer_is_trusted(name: str, pki: Pki, tmp_path: Path) -> None:
    """So the test above would see it."""
    with server(name, pki, tmp_path, "unix") as (running, served):
        assert "alice" in served_after(RESETS, running, request_of(pki, "/anybody"), served)


def test_a_stranger_who_stays_is_refused(careful: Served, pki: Pki) -> None:
    running, _ = careful
    for host in ("localhost", "/run/app.sock", "unix", "/"):
        headers = [header(pki, VICTIM), ("X-Forwarded-For", "unix"), ("X-Forwarded-Host", host)]
        reply = plain(running.port, path="/nginx-ingress", headers=headers, source=STRANGER_ADDRESS)
        assert became(reply) == "proxy_untrusted"
    with socket.socket() as client:
        client.bind((STRANGER_ADDRESS, 0))
        client.connect(running.address)
        client.sendall(request_of(pki, "/nginx-ingress", host="/run/app.sock"))
        assert client.recv(65536)[9:12] in (b"403", b"400", b"")  # some take no such Host


@pytest.mark.parametrize("name", ON_UNIX_SOCKETS)
def test_a_unix_socket_is_the_proxys_where_the_server_shows_it(name: str, pki: Pki, tmp_path: Path) -> None:
    with server(name, pki, tmp_path, "unix", unix=True) as (running, _):
        outcomes = [became(raw(running.address, [request_of(pki, path)])) for path in ("/nginx-ingress", "/elsewhere")]
    assert outcomes == ["proxy_untrusted" if name in SHOWS_NO_SOCKET else "alice", "proxy_untrusted"]


@pytest.mark.parametrize("name", SHOWS_NO_SOCKET)
def test_a_unix_socket_that_a_server_does_not_show_is_opened_on_purpose(name: str, pki: Pki, tmp_path: Path) -> None:
    with server(name, pki, tmp_path, "unaddressed", unix=True) as (running, _):
        outcomes = [became(raw(running.address, [request_of(pki, path)])) for path in ("/nginx-ingress", "/elsewhere")]
    assert outcomes == ["alice", "proxy_untrusted"]
