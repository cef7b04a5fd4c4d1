"""A real uvicorn on loopback, in a thread of the tests' process: a test hands it an application, and looks into it."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from examples.demo.processes import listen
from examples.demo.processes import serve as run

__all__ = ["EXAMPLES", "Reply", "Served", "serve", "serve_example"]

DEADLINE_SECONDS = 30.0
EXAMPLES = Path(__file__).parents[2] / "examples"


class Reply(NamedTuple):
    """What a client read; the names of the headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A running server. What it serves is `app`, which every test replaces by its own."""

    app: Any

    def __init__(self, port: int) -> None:
        self.port = port
        self._called = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self._called.set()
        await self.app(scope, receive, send)

    def get(self, path: str = "/", headers: Iterable[tuple[str, str]] = ()) -> Reply:
        """One request; header names may repeat."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            for name, value in [("connection", "close"), *headers]:
                connection.putheader(name, value)
            connection.endheaders()
            return _read(connection.getresponse())
        finally:
            connection.close()

    def send(self, segments: Sequence[bytes]) -> Reply:
        """Send bytes as they are: what follows the first segment, once that has had the application called."""
        self._called.clear()
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS) as connection:
            for position, segment in enumerate(segments):
                if position:
                    assert self._called.wait(DEADLINE_SECONDS)
                connection.sendall(segment)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return _read(response)


@contextmanager
def serve(**options: Any) -> Iterator[Served]:
    """Run a server until the block ends; `options` are uvicorn's."""
    listener = listen()
    served = Served(listener.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(served, lifespan="off", log_config=None, **options))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield served
    finally:
        server.should_exit = True
        thread.join(DEADLINE_SECONDS)
        listener.close()


def _read(response: http.client.HTTPResponse) -> Reply:
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@contextmanager
def serve_example(name: str, ca: Path, folder: Path, server: str = "uvicorn") -> Iterator[Served]:
    """Run `examples/{name}/app.py` under uvicorn or gunicorn until the block ends; its log is in the folder."""
    listener = listen()
    served = Served(listener.getsockname()[1])
    options = {
        "uvicorn": [f"--fd={listener.fileno()}", "--no-proxy-headers", f"--app-dir={EXAMPLES}"],
        "gunicorn": [f"--bind=fd://{listener.fileno()}", f"--pythonpath={EXAMPLES}"],
    }
    command = [sys.executable, "-m", server, *options[server], f"{name}.app:app"]
    environ = {"SSLCLIENTCERT_CA": str(ca), "XDG_RUNTIME_DIR": str(folder)}  # where gunicorn puts its control socket
    with run(command, [listener], log=folder / "log", environ=environ):
        yield served
