"""The applications that `servers` serves: one that does nothing, and the same behind the middleware.

gunicorn "benchmarks.served:protected_wsgi()"
    uvicorn --factory benchmarks.served:protected_asgi
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sslclientcert import ClientCertAuthenticator

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["BUNDLE", "asgi", "protected_asgi", "protected_wsgi", "wsgi"]

BUNDLE = "SSLCLIENTCERT_BENCHMARKS_CA"


def wsgi() -> WSGIApplication:
    """Return the bare WSGI application."""
    return _wsgi


def protected_wsgi() -> WSGIApplication:
    """Return the WSGI application behind the middleware."""
    from sslclientcert.wsgi import ClientCertMiddleware

    return ClientCertMiddleware(_wsgi, ClientCertAuthenticator(os.environ[BUNDLE]))


def asgi() -> Any:
    """Return the bare ASGI application."""
    return _asgi


def protected_asgi() -> Any:
    """Return the ASGI application behind the middleware."""
    from sslclientcert.asgi import ClientCertMiddleware

    return ClientCertMiddleware(_asgi, ClientCertAuthenticator(os.environ[BUNDLE]))


def _wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", "2")])
    return [b"ok"]


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
