"""The contract under real servers: gunicorn with its kinds of workers, and uvicorn with its two parsers."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from sslclientcert.cli.processes import listen, serve

from .contract import PROXY, AdapterContract, Outcome, Request, Seen, Visit
from .served import FOLDER

DEADLINE_SECONDS = 60.0
OF_WSGI = ("gunicorn sync", "gunicorn gthread")
OF_ASGI = ("gunicorn asgi", "gunicorn uvicorn_worker.UvicornWorker", "uvicorn h11", "uvicorn httptools")


class Server(NamedTuple):
    """A running server, and the folder that it shares with the tests."""

    port: int
    folder: Path

    def visit(self, adapter: str, request: Request) -> Outcome:
        """Send one request, from its peer's address and with repeated headers as they stand."""
        described = {"adapter": adapter, **dataclasses.asdict(request)}
        (self.folder / "request.json").write_text(json.dumps(described))
        note = self.folder / "seen.json"
        note.unlink(missing_ok=True)
        source = (request.peer, 0)
        with closing(http.client.HTTPConnection(PROXY, self.port, DEADLINE_SECONDS, source_address=source)) as client:
            client.putrequest("GET", "/", skip_host=True, skip_accept_encoding=True)
            for name, value in (*request.headers, ("connection", "close")):
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


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that name it. What it serves is described anew for each request: see `served`."""
    folder = tmp_path_factory.mktemp("server")
    listener = listen()
    port: int = listener.getsockname()[1]
    name, kind = request.param.split()
    gateway = "wsgi" if request.param in OF_WSGI else "asgi"
    if name == "gunicorn":
        command = ["gunicorn", "-k", kind, f"--bind=fd://{listener.fileno()}", "--graceful-timeout=1"]
        command += [f"adapters.served:{gateway}()"]
    else:
        command = ["uvicorn", f"--fd={listener.fileno()}", "--http", kind, "--no-proxy-headers", "--lifespan=off"]
        command += ["--factory", f"adapters.served:{gateway}"]
    environ = {
        FOLDER: str(folder),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts its control socket
    }
    with serve([sys.executable, "-m", *command], [listener], log=folder / "log", environ=environ):
        yield Server(port, folder)


class Served(AdapterContract):
    @pytest.fixture
    def adapter(self) -> str:
        raise NotImplementedError("a parameter of the tests")

    @pytest.fixture
    def visit(self, server: Server, adapter: str) -> Visit:
        return lambda request: server.visit(adapter, request)


@pytest.mark.parametrize("server", OF_WSGI, indirect=True)
@pytest.mark.parametrize("adapter", ["wsgi", "flask", "django", "drf"])
class TestContractOfWSGI(Served):
    pass


@pytest.mark.parametrize("server", OF_ASGI, indirect=True)
@pytest.mark.parametrize("adapter", ["asgi", "django"])
class TestContractOfASGI(Served):
    pass


@pytest.mark.parametrize("server", OF_ASGI, indirect=True)
@pytest.mark.parametrize("adapter", ["starlette", "fastapi"])
class TestContractOfASGIWithoutMiddleware(Served):
    strips = False  # neither a backend nor a dependency changes the request; the ASGI middleware in front does
