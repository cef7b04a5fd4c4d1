"""The contract under real servers: gunicorn with its kinds of workers, and uvicorn with its two parsers.

Requests go over loopback, each header a line of its own, from the address that the row names. All say X-Forwarded-For,
as behind a proxy: where a server would take the peer's address from that, it is told not to.
"""

from __future__ import annotations

import dataclasses
import functools
import http.client
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest

from examples.demo.processes import listen, serve
from sslclientcert.testing import ClientCA

from .contract import ABSENT, ACCEPTED, PROXY, AdapterContract, Case, Outcome, Request, Seen, Visit
from .served import FOLDER

DEADLINE_SECONDS = 60.0
OF_WSGI = ("gunicorn sync", "gunicorn gthread")
UVICORNS = ("gunicorn uvicorn_worker.UvicornWorker", "uvicorn h11", "uvicorn httptools")
OF_ASGI = ("gunicorn asgi", *UVICORNS)
DROPS_UNDERSCORES = (*OF_WSGI, "gunicorn asgi")

GET = {"connection": "close"}
HANDSHAKE = {  # RFC 6455 section 1.3
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Server(NamedTuple):
    """A running server, and the folder that it shares with the tests."""

    name: str
    port: int
    folder: Path

    def visit(self, adapter: str, request: Request, own_headers: Mapping[str, str]) -> Outcome:
        """Send one request, from its peer's address and with repeated headers as they stand."""
        described = {"adapter": adapter, **dataclasses.asdict(request)}
        (self.folder / "request.json").write_text(json.dumps(described))
        note = self.folder / "seen.json"
        note.unlink(missing_ok=True)
        source = (request.peer, 0)
        with closing(http.client.HTTPConnection(PROXY, self.port, DEADLINE_SECONDS, source_address=source)) as client:
            client.putrequest("GET", "/", skip_host=True, skip_accept_encoding=True)
            for name, value in (*request.headers, *own_headers.items()):
                client.putheader(name, value)
            try:
                client.endheaders()
                reply = client.getresponse()
                body = reply.read()
            except OSError as error:
                raise AssertionError(f"the server did not answer\n{self.log}") from error
        assert reply.status != 500, self.log
        seen = Seen(**json.loads(note.read_text())) if note.exists() else Seen()
        return seen.outcome(reply.status, body)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def serving(name: str, folder: Path) -> Iterator[Server]:
    """Run a server until the block ends. Each request describes what it serves: see `served`."""
    listener = listen()
    port: int = listener.getsockname()[1]
    program, kind = name.split()
    gateway = "wsgi" if name in OF_WSGI else "asgi"
    if program == "gunicorn":
        command = ["gunicorn", "-k", kind, f"--bind=fd://{listener.fileno()}", "--graceful-timeout=1"]
        command += ["--forwarded-allow-ips=", "--timeout=120", f"adapters.served:{gateway}()"]
    else:
        command = ["uvicorn", f"--fd={listener.fileno()}", "--http", kind, "--no-proxy-headers", "--lifespan=off"]
        command += ["--factory", f"adapters.served:{gateway}"]
    environ = {
        FOLDER: str(folder),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts its control socket
    }
    with serve([sys.executable, "-m", *command], [listener], log=folder / "log", environ=environ):
        yield Server(name, port, folder)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Returns a function: the server of a name, started once for all tests."""
    with ExitStack() as running:
        yield functools.cache(lambda name: running.enter_context(serving(name, tmp_path_factory.mktemp("server"))))


class Served(AdapterContract):
    own_headers: ClassVar[Mapping[str, str]] = GET

    @pytest.fixture
    def server(self, name: str, servers: Callable[[str], Server]) -> Server:
        return servers(name)

    @pytest.fixture
    def visit(self, server: Server, adapter: str) -> Visit:
        return lambda request: server.visit(adapter, request, self.own_headers)

    @pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
    @pytest.mark.parametrize("case", [ABSENT[0], ACCEPTED[0]], ids=["alone", "next to the proxy's"])
    def test_the_other_spelling_of_the_header_makes_nobody_a_client(
        self, case: Case, first: bool, server: Server, ca: ClientCA, visit: Visit
    ) -> None:
        request = case.request(ca)
        twin = ("Ssl_Client_Cert", ca.issue("mallory").headers()["ssl-client-cert"])
        headers = (twin, *request.headers) if first else (*request.headers, twin)
        outcome = visit(dataclasses.replace(request, headers=headers))
        if server.name not in DROPS_UNDERSCORES:
            self.require_refused(outcome, 400, "header_ambiguous")
        elif case is ABSENT[0]:
            self.require_refused(outcome, 403, "certificate_missing")
        else:
            assert outcome.identity is not None
            assert outcome.identity["common_name"] == "alice"


def under(names: Iterable[str], *adapters: str) -> pytest.MarkDecorator:
    """The tests of a class run under each of these servers, with each of these adapters."""
    return pytest.mark.parametrize(("name", "adapter"), [*itertools.product(names, adapters)])


@under(OF_WSGI, "wsgi", "flask", "django", "drf")
class TestContractOfWSGI(Served):
    pass


@under(OF_ASGI, "asgi", "django", "drf")
class TestContractOfASGI(Served):
    pass


@under(OF_ASGI, "starlette", "fastapi")
class TestContractOfASGIWithoutMiddleware(Served):
    strips = False  # neither a backend nor a dependency changes the request; the ASGI middleware in front does


class ServedByWebSocket(Served):
    own_headers = HANDSHAKE
    passed = 101


@under(UVICORNS, "asgi")
class TestContractOfWebSockets(ServedByWebSocket):
    pass


@under(UVICORNS, "fastapi")
class TestContractOfWebSocketsWithoutMiddleware(ServedByWebSocket):
    strips = False


@under(["gunicorn asgi"], "asgi")
class TestContractOfWebSocketsThatCanOnlyBeClosed(ServedByWebSocket):
    tells = False  # the server has no denial responses


@under(["gunicorn asgi"], "fastapi")
class TestContractOfWebSocketsThatCanOnlyBeClosedWithoutMiddleware(ServedByWebSocket):
    strips = False
    tells = False


@under(OF_ASGI, "starlette")
class TestContractOfWebSocketsOfStarlette(ServedByWebSocket):
    strips = False
    tells = False  # its own middleware closes, and asks no `on_error`
