"""The table of docs/other-frameworks.md: each way to the identity that it names, with the framework itself."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from examples.demo.processes import serve
from sslclientcert.testing import ClientCA, IssuedCertificate

from .recipes import DOCS, PROXY, STRANGER, ask, served

ROOT = Path(__file__).parents[2]
WSGI = {"bottle", "prometheus_wsgi"}


ANSWERS = {
    "sanic": "alice",
    "blacksheep": "alice",
    "strawberry": '{"data":{"me":"alice"}}',
    "ariadne": '{"data":{"me":"alice"}}',
    "connexion": "alice",
    "prometheus": "# HELP",
    "bottle": "alice",
    "prometheus_wsgi": "# HELP",
}


@pytest.mark.parametrize("framework", ANSWERS)
def test_one_line_serves_it(framework: str, folder: Path, ca: ClientCA, alice: IssuedCertificate) -> None:
    uvicorn = ["-m", "uvicorn", "--fd={fd}", "--no-proxy-headers", "--factory", "tests.neighbours.others:app"]
    gunicorn = ["-m", "gunicorn", "--bind=fd://{fd}", "tests.neighbours.others:app()"]
    body = b'{"query": "{me}"}' if "data" in ANSWERS[framework] else b""
    environ = {"FRAMEWORK": framework, "CA": "ca.crt", "PYTHONPATH": str(ROOT)}
    with served(folder, gunicorn if framework in WSGI else uvicorn, environ=environ) as port:
        headers = [*alice.headers().items(), ("content-type", "application/json")]
        said = ask(port, headers, method="POST" if body else "GET", body=body)
        assert (said.status, said.body.decode()[: len(ANSWERS[framework])]) == (200, ANSWERS[framework])
        for path in ("/", "/nothing/here"):
            assert refusals(port, ca, alice, path) == CODES


# Frameworks with servers of their own: the lines that the table counts are between "begin" and "end".

SANIC = """
    import socket
    from sanic import Sanic, raw, text
    from sslclientcert import ClientCertAuthenticator, ClientCertError, answer_to

    authenticator = ClientCertAuthenticator("ca.crt")
    app = Sanic("shop")

    # begin
    @app.on_request
    async def client_cert(request):
        try:
            headers, peer = request.headers.items(), request.ip
            request.ctx.client_identity = authenticator.authenticate(headers, peer=peer, required=True)
        except ClientCertError as error:
            answer = answer_to(error, request.headers.get("accept"))
            return raw(answer.body, answer.status, dict(answer.headers), None)
    # end

    @app.get("/")
    async def hello(request):
        return text(request.ctx.client_identity.common_name)

    app.run(sock=socket.socket(fileno={fd}), single_process=True, motd=False)
"""
ROBYN = """
    from robyn import Headers, Response, Robyn
    from robyn.robyn import Identity
    from sslclientcert import ClientCertAuthenticator, ClientCertError, answer_to

    authenticator = ClientCertAuthenticator("ca.crt")
    app = Robyn("shop.py")

    # begin
    @app.before_request()
    def client_cert(request):
        try:
            headers, peer = request.headers.multi_items(), request.ip_addr
            identity = authenticator.authenticate(headers, peer=peer, required=True)
        except ClientCertError as error:
            answer = answer_to(error, request.headers.get("accept"))
            return Response(answer.status, Headers(dict(answer.headers)), answer.body)
        request.identity = Identity({"common_name": identity.common_name})
        return request
    # end

    @app.get("/")
    def hello(request):
        return request.identity.claims["common_name"]

    app.start(host="127.0.0.1", port={port})
"""
JUPYTER = """
    import socket
    from jupyter_server.auth import IdentityProvider, User
    from jupyter_server.serverapp import ServerApp
    from sslclientcert import ClientCertAuthenticator, ClientCertError
    from tornado.web import HTTPError

    authenticator = ClientCertAuthenticator("ca.crt")

    # begin
    class ClientCert(IdentityProvider):
        def get_user(self, handler):
            headers, peer = handler.request.headers.get_all(), handler.request.remote_ip
            try:
                identity = authenticator.authenticate(headers, peer=peer, required=True)
            except ClientCertError as error:
                raise HTTPError(error.status, error.title) from error
            return User(username=identity.common_name)
    # end

    options = ["--allow-root", "--no-browser", "--ip=127.0.0.1", "--port={port}"]
    ServerApp.launch_instance(options, identity_provider_class=ClientCert, allow_unauthenticated_access=False)
"""


def listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex((PROXY, port)) == 0


@contextmanager
def running(folder: Path, code: str) -> Iterator[int]:
    """Run a server that takes no socket until the block ends, on a port that a socket of the tests holds for it."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((PROXY, 0))
        port: int = reserved.getsockname()[1]
        command = [sys.executable, "-c", dedent(code).replace("{port}", str(port))]
        environ = {"HOME": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}
        with chdir(folder), serve(command, [], log=folder / "log", environ=environ) as process:
            deadline = time.monotonic() + 60
            while not listens(port):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
            yield port
            process.kill()  # they take their time to stop


@pytest.fixture
def folder(tmp_path: Path, ca: ClientCA) -> Path:
    ca.write(tmp_path / "ca.crt")
    return tmp_path


def refusals(port: int, ca: ClientCA, alice: IssuedCertificate, path: str) -> list[tuple[int, str | None]]:
    """Ask without a certificate, with another CA's, and from another peer that says it is the proxy."""
    stranger, good = ([*each.headers().items()] for each in (ca.stranger(), alice))
    forged = [*good, ("x-forwarded-for", PROXY), ("x-real-ip", PROXY)]
    replies = [ask(port, path=path), ask(port, stranger, path), ask(port, forged, path, peer=STRANGER)]
    return [(reply.status, reply.code) for reply in replies]


CODES = [(403, "certificate_missing"), (403, "certificate_untrusted"), (403, "proxy_untrusted")]


def test_sanics_own_server(folder: Path, ca: ClientCA, alice: IssuedCertificate) -> None:
    with served(folder, ["-c", dedent(SANIC)]) as port:
        assert ask(port, [*alice.headers().items()]).body == b"alice"
        assert refusals(port, ca, alice, "/") == CODES
        assert refusals(port, ca, alice, "/nothing/here") == CODES


def test_robyns_server(folder: Path, ca: ClientCA, alice: IssuedCertificate) -> None:
    with running(folder, ROBYN) as port:
        assert ask(port, [*alice.headers().items()]).body == b"alice"
        assert refusals(port, ca, alice, "/") == CODES
        assert refusals(port, ca, alice, "/nothing/here") == CODES


def test_jupyters_server(folder: Path, ca: ClientCA, alice: IssuedCertificate) -> None:
    with running(folder, JUPYTER) as port:
        said = ask(port, [*alice.headers().items()], "/api/me")
        assert (said.status, said.json["identity"]["username"]) == (200, "alice")
        for path in ("/api/me", "/api/contents", "/api/kernels", "/login", "/static/favicon.ico"):
            assert refusals(port, ca, alice, path) == [(403, None)] * 3  # its own answers


def test_the_table_counts_the_lines() -> None:
    page = (DOCS / "other-frameworks.md").read_text(encoding="utf-8")
    for name, code in (("Sanic's own server", SANIC), ("Robyn", ROBYN), ("Jupyter Server", JUPYTER)):
        (lines,) = re.findall(rf"^\| {name} \| (\d+) \|", page, re.MULTILINE)
        assert len(code.partition("# begin\n")[2].partition("# end")[0].strip().splitlines()) == int(lines), name
