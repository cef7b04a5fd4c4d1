"""The application of test_rotation.py: each answer says which worker of gunicorn gave it, refusals too."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sslclientcert import ClientCertAuthenticator
from sslclientcert.wsgi import ClientCertMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def _accepted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["sslclientcert.identity"].common_name.encode()]


def _starving(application: Any, while_there_is: Path) -> Any:
    """While there is that file, let a request find that the process can open no further one (EMFILE)."""

    def starved(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if while_there_is.exists():
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            return list(application(environ, start_response))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return starved


def application() -> Any:
    """Make the WSGI application, configured by the environment."""
    guarded = ClientCertMiddleware(_accepted, ClientCertAuthenticator.from_env(), exempt=("/ready",))

    def marked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, ("worker", str(os.getpid()))], *rest)

        if environ["PATH_INFO"] == "/ready":
            start("200 OK", [])
            return []
        return guarded(environ, start)

    return _starving(marked, Path(os.environ["STARVE"])) if "STARVE" in os.environ else marked
