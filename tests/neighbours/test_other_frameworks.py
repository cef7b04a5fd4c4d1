"""docs/other-frameworks.md: each recipe on its real server, as the page has it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from examples.demo.processes import listen
from sslclientcert.testing import ClientCA, IssuedCertificate

from .recipes import PROXY, STRANGER, Reply, ask, served, write

# How the page says to run each, with the tests' socket; the two with servers of their own get a route more.
AIOHTTP = """\
import socket
from aiohttp import web
from aiohttp_app import app, client_identity

async def feed(request):
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    await websocket.send_str(request[client_identity].common_name)
    return websocket

app.add_routes([web.get("/feed", feed)])
web.run_app(app, sock=socket.socket(fileno={fd}))
"""
TORNADO = """\
import asyncio, json, socket
from tornado.httpserver import HTTPServer
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler
from tornado_app import app

class Feed(WebSocketHandler):
    def open(self):
        self.write_message(self.request.client_identity.common_name)

class Headers(RequestHandler):
    def get(self):
        self.write(json.dumps([*self.request.headers]))

async def main():
    app.add_handlers(".*", [("/feed", Feed), ("/headers", Headers)])
    listener = socket.socket(fileno={fd})
    listener.setblocking(False)
    HTTPServer(app).add_socket(listener)
    await asyncio.Event().wait()

asyncio.run(main())
"""
GUNICORN = ["-m", "gunicorn", "--bind=fd://{fd}"]
UVICORN = ["-m", "uvicorn", "--fd={fd}", "--no-proxy-headers"]
SERVERS = {
    "litestar": [*UVICORN, "litestar_app:app"],
    "aiohttp": ["-c", AIOHTTP],
    "quart": ["-m", "hypercorn", "--bind=fd://{fd}", "quart_app:app"],
    "tornado": ["-c", TORNADO],
    "falcon": [*GUNICORN, "falcon_app:app"],
    "pyramid": [*GUNICORN, "pyramid_app:app"],
    "django-ninja": [*GUNICORN, "--env=DJANGO_SETTINGS_MODULE=settings", "django.core.wsgi:get_wsgi_application()"],
    "fastmcp": [*UVICORN, "mcp_app:app"],
}
TOOL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "who_am_i", "arguments": {}}}
FOR_MCP = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")]

Headers = list[tuple[str, str]]


class Served:
    """One recipe, and its server."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port

    def hello(self, headers: Headers) -> Reply:
        """Ask the recipe's one page, or tool, who is asking."""
        if self.name == "fastmcp":
            return ask(self.port, [*headers, *FOR_MCP], "/mcp", method="POST", body=json.dumps(TOOL).encode())
        return ask(self.port, headers)


@pytest.fixture(scope="module")
def folder(ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write("other-frameworks", tmp_path_factory.mktemp("other-frameworks"), ca)


@pytest.fixture(scope="module")
def start(folder: Path) -> Iterator[Callable[[str], Served]]:
    """A function that starts a recipe's server, once."""
    with ExitStack() as stack:
        yield cache(lambda name: Served(name, stack.enter_context(served(folder, SERVERS[name]))))


@pytest.fixture(params=SERVERS)
def recipe(request: pytest.FixtureRequest, start: Callable[[str], Served]) -> Served:
    return start(request.param)


def only(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recipe", names, indirect=True)


def sent(certificate: IssuedCertificate) -> Headers:
    return [*certificate.headers().items()]


def test_a_client_is_known_by_its_certificate(recipe: Served, ca: ClientCA) -> None:
    for name in ("alice", "bob"):
        reply = recipe.hello(sent(ca.issue(name)))
        assert reply.status == 200, reply
        assert f"Hello {name}".encode() in reply.body


@pytest.mark.parametrize("path", ["/", "/nothing/here"])
def test_a_client_without_a_certificate_is_refused_on_every_path(recipe: Served, path: str) -> None:
    reply = ask(recipe.port, path=path)
    assert (reply.status, reply.code) == (403, "certificate_missing")


@pytest.mark.parametrize(
    ("make", "status", "code"),
    [
        (ClientCA.stranger, 403, "certificate_untrusted"),
        (ClientCA.expired, 403, "certificate_expired"),
        (ClientCA.not_a_certificate, 400, "certificate_malformed"),
    ],
)
def test_a_bad_certificate_is_refused_with_its_code_and_no_detail(
    make: Any, status: int, code: str, recipe: Served, ca: ClientCA
) -> None:
    reply = recipe.hello(sent(make(ca)))
    assert (reply.status, reply.code) == (status, code)
    assert b"CN=" not in reply.body


def test_a_second_header_is_refused(recipe: Served, ca: ClientCA) -> None:
    reply = recipe.hello([*sent(ca.issue("alice")), *sent(ca.issue("bob"))])
    assert reply.status == 400
    assert reply.code in {"header_ambiguous", "header_malformed"}  # a WSGI server joins the two


def test_a_header_from_another_peer_that_says_it_is_the_proxy_is_refused(recipe: Served, ca: ClientCA) -> None:
    claims = [(name, PROXY) for name in ("x-forwarded-for", "x-real-ip")]
    reply = ask(recipe.port, [*sent(ca.issue("alice")), *claims], peer=STRANGER)
    assert (reply.status, reply.code) == (403, "proxy_untrusted")


def test_the_peer_is_the_proxy_and_not_its_client(recipe: Served, ca: ClientCA) -> None:
    claims = [(name, "203.0.113.9") for name in ("x-forwarded-for", "x-real-ip")]
    assert recipe.hello([*sent(ca.issue("alice")), *claims]).status == 200


def test_a_browser_gets_a_page(recipe: Served) -> None:
    reply = ask(recipe.port, [("accept", "text/html")])
    assert (reply.status, reply.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert b"<code>certificate_missing</code>" in reply.body


@pytest.mark.parametrize(
    ("recipe", "asked", "status", "code"),
    [
        ("litestar", "DELETE /orders", 204, "not_authorized"),
        ("django-ninja", "DELETE /orders?number=7", 200, "not_authorized"),
        ("pyramid", "GET /orders", 200, None),  # its own page
    ],
    indirect=["recipe"],
)
def test_a_rule_is_asked(recipe: Served, asked: str, status: int, code: str | None, ca: ClientCA) -> None:
    method, path = asked.split()
    buyer, packer = (ca.issue(unit, organizational_unit=unit) for unit in ("Purchasing", "Warehouse"))
    assert ask(recipe.port, sent(buyer), path, method=method).status == status
    reply = ask(recipe.port, sent(packer), path, method=method)
    assert (reply.status, reply.code) == (403, code)


@only("aiohttp", "tornado")
def test_a_websocket_knows_its_client_and_is_refused_without_a_certificate(
    recipe: Served, alice: IssuedCertificate
) -> None:
    url = f"ws://127.0.0.1:{recipe.port}/feed"
    with connect(url, additional_headers=alice.headers(), proxy=None) as websocket:
        assert websocket.recv() == "alice"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None)
    assert refused.value.response.status_code == 403


@only("tornado")
def test_a_handler_does_not_see_the_raw_header(recipe: Served, alice: IssuedCertificate) -> None:
    names = {name.lower() for name in ask(recipe.port, sent(alice), "/headers").json}
    assert "host" in names
    assert names.isdisjoint(alice.headers())


XHEADERS = TORNADO.replace("HTTPServer(app)", "HTTPServer(app, xheaders=True)")


def test_with_xheaders_tornados_peer_is_whom_the_client_says(folder: Path, alice: IssuedCertificate) -> None:
    with served(folder, ["-c", XHEADERS]) as port:
        assert ask(port, [*sent(alice), ("x-real-ip", PROXY)], peer=STRANGER).status == 200


def over(path: Path, certificate: IssuedCertificate) -> bytes:
    """One request over a unix socket; the whole answer."""
    lines = ["GET / HTTP/1.0", "host: localhost", *(f"{name}: {value}" for name, value in sent(certificate)), "", ""]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall("\r\n".join(lines).encode())
        return connection.makefile("rb").read()


@pytest.mark.parametrize(
    ("name", "code", "peer"), [("aiohttp", AIOHTTP, "request.remote"), ("tornado", TORNADO, "request.remote_ip")]
)
def test_a_unix_socket_is_trusted_only_if_it_is_named(
    name: str, code: str, peer: str, folder: Path, alice: IssuedCertificate
) -> None:
    app = (folder / f"{name}_app.py").read_text(encoding="utf-8")
    assert app.count(peer) == 1
    # Not in pytest's folder: a unix socket's path may not be longer than about 100 bytes.
    with TemporaryDirectory(prefix="unix-") as place:
        (Path(place) / "ca.crt").write_bytes((folder / "ca.crt").read_bytes())
        for text, answer in ((app, b"proxy_untrusted"), (app.replace(peer, '"unix"'), b"Hello alice")):
            (Path(place) / f"{name}_app.py").write_text(text, encoding="utf-8")
            path = Path(place, "socket")
            with served(Path(place), ["-c", code], listener=listen(path)):
                assert answer in over(path, alice)
            path.unlink()
