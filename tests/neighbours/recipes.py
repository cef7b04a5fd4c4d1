"""The files of a page's recipes, and servers that run them as the page says, on ports of their own."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from examples.demo.processes import listen, serve
from sslclientcert.testing import ClientCA

from ..docs.run_page import files

__all__ = ["DOCS", "PROXY", "STRANGER", "Reply", "ask", "served", "write"]

DOCS = Path(__file__).parents[2] / "docs"
PROXY = "127.0.0.1"  # which the recipes trust
STRANGER = "127.0.0.2"


def write(page: str, folder: Path, ca: ClientCA) -> Path:
    """Write the files of a page, and the CA that they read."""
    for name, code in files(DOCS / f"{page}.md").items():
        (folder / name).write_text(code, encoding="utf-8")
    ca.write(folder / "ca.crt")
    return folder


@contextmanager
def served(
    folder: Path,
    command: Sequence[str],
    *,
    listener: socket.socket | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Run Python in the folder until the block ends; `{fd}` in the command is what it listens on. Yield the port."""
    listener = listener or listen()
    port = 0 if listener.family == socket.AF_UNIX else listener.getsockname()[1]
    words = [word.replace("{fd}", str(listener.fileno())) for word in command]
    environ = {"PYTHONPATH": str(folder), "XDG_RUNTIME_DIR": str(folder), **(environ or {})}
    with chdir(folder), serve([sys.executable, *words], [listener], log=folder / f"{port}.log", environ=environ):
        yield port


@dataclass(frozen=True)
class Reply:
    """What a client read."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The code of a refusal that is answered with problem details."""
        if self.headers["content-type"] != "application/problem+json":
            return None
        assert self.json.keys() == {"title", "status", "code"}
        assert self.json["status"] == self.status
        code: str = self.json["code"]
        return code


def ask(
    port: int,
    headers: Sequence[tuple[str, str]] = (),
    path: str = "/",
    *,
    peer: str = PROXY,
    method: str = "GET",
    body: bytes = b"",
) -> Reply:
    """One request, from an address of this machine."""
    connection = http.client.HTTPConnection(PROXY, port, timeout=60, source_address=(peer, 0))
    connection.putrequest(method, path, skip_host="host" in dict(headers))
    for name, value in headers:
        connection.putheader(name, value)
    if body:
        connection.putheader("content-length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    found = Reply(response.status, response.headers, response.read())
    connection.close()
    return found
