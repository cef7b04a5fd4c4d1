"""What the real servers of `test_servers` serve: the application that the test has described, made for each request.

Test and server share a folder. Before a request the test leaves `request.json` there; the application, if it comes to
run, leaves `seen.json`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .contract import Adapter, Request, Seen

__all__ = ["FOLDER", "asgi", "wsgi"]

FOLDER = "SSLCLIENTCERT_TESTS_FOLDER"


class Server:
    """Makes a new application for each request, and keeps it until the next one: the tests send one at a time."""

    def __init__(self, applications: Mapping[str, Adapter]) -> None:
        self._applications = applications
        self._current = ExitStack()
        self._folder = Path(os.environ[FOLDER])

    def application(self) -> Any:
        described = json.loads((self._folder / "request.json").read_text())
        seen = Seen()

        def note(*what: Any) -> None:
            seen.note(*what)
            (self._folder / "seen.json").write_text(json.dumps(dataclasses.asdict(seen)))

        self._current.close()
        adapter = self._applications[described.pop("adapter")]
        return self._current.enter_context(adapter(Request(**described), note))


def wsgi() -> Any:
    """The WSGI application factory."""
    from .wsgi_applications import APPLICATIONS

    server = Server(APPLICATIONS)

    def serve(environ: Any, start_response: Any) -> Any:
        return server.application()(environ, start_response)

    return serve


def asgi() -> Any:
    """The ASGI application factory."""
    from .asgi_applications import APPLICATIONS

    server = Server(APPLICATIONS)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        await server.application()(scope, receive, send)

    return serve
