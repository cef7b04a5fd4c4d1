"""What the adapters add to a request on the warm path, to an application that does nothing."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sslclientcert import ClientCertAuthenticator, asgi, wsgi

from .pki import TRUSTED, case
from .tables import Cell, Table
from .timing import Batch, added, calls, drive, interleave, median, quartiles, ratio

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["ASGI", "CASES", "DJANGO", "FASTAPI", "FLASK", "WSGI", "run"]

CASES = ("P-256 direct", "RSA-2048 direct")
WSGI, ASGI = "WSGI middleware", "ASGI middleware"
FASTAPI, FLASK, DJANGO = "FastAPI, `Security(mtls)`", "Flask extension", "Django middleware"

_BARE = "bare, µs"
_NOTHING = "FastAPI, a dependency that does nothing"
_HEADERS = [("content-type", "text/plain"), ("content-length", "2")]

_Call = Callable[[Any], object]
_Applications = dict[str, tuple[str, _Call, _Call]]
"""By name: what it is called with, the bare application, and the one with the adapter."""


def run(effort: float) -> Table:
    """Measure each adapter beside the application without it."""
    rows: dict[str, list[Cell | str | None]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "ca.crt")  # of both cases: Django has one configuration
        bundle.write_bytes(b"".join(case(name).bundle for name in CASES))
        applications = _applications(bundle)
        for name in CASES:
            one = case(name)
            requests = {"environ": one.environ, "scope": one.scope}
            batches: dict[str, Batch] = {}
            for each, (kind, bare, protected) in applications.items():
                batches[f"{each}, bare"] = calls(bare, requests[kind])
                batches[each] = calls(protected, requests[kind])
            rounds = interleave(batches, 0.7 * effort)
            for each in applications:
                whole, part = rounds[each], rounds[f"{each}, bare"]
                more = added(whole, part)
                cells = rows.setdefault(each, [Cell(median(part) * 1e6)])
                cells.append(Cell(median(more) * 1e6, _microseconds(quartiles(more)), ratio(whole, part)))
    return Table(
        "Middleware, warm: µs added (whole request in ratio to the bare application)",
        ("", _BARE, *CASES),
        rows,
        "Ten headers; the application answers two bytes, called without a server. *A dependency that does nothing*: "
        "what FastAPI itself takes for any dependency.",
    )


def _microseconds(seconds: tuple[float, float]) -> tuple[float, float]:
    return seconds[0] * 1e6, seconds[1] * 1e6


def _applications(bundle: Path) -> _Applications:
    authenticator = ClientCertAuthenticator(bundle, trusted_proxies=TRUSTED)
    found: _Applications = {
        WSGI: ("environ", _by_wsgi(_wsgi), _by_wsgi(wsgi.ClientCertMiddleware(_wsgi, authenticator))),
        ASGI: ("scope", _by_asgi(_asgi), _by_asgi(asgi.ClientCertMiddleware(_asgi, authenticator))),
    }
    for make in (_fastapi, _flask, _django):
        try:
            found |= make(authenticator, bundle)
        except ModuleNotFoundError:
            continue
    return found


def _wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", _HEADERS)
    return [b"ok"]


async def _asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def _by_wsgi(application: WSGIApplication) -> _Call:
    def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
        if status[:3] != "200":
            raise AssertionError(status)
        return lambda _: None

    def call(environ: WSGIEnvironment) -> None:
        answer: Any = application(environ, start_response)
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()

    return call


def _by_asgi(application: Callable[[Any, Any, Any], Any]) -> _Call:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message.get("status", 200) != 200:
            raise AssertionError(message)

    return lambda scope: drive(application(scope, receive, send))


def _fastapi(authenticator: ClientCertAuthenticator, _: Path) -> _Applications:
    from fastapi import Depends, FastAPI, Security
    from fastapi.responses import PlainTextResponse

    from sslclientcert.fastapi import MutualTLS

    mtls = MutualTLS(authenticator)

    async def nothing() -> None:
        return None

    async def bare() -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def dependent(client: object = Depends(nothing)) -> PlainTextResponse:
        return PlainTextResponse("ok")

    async def protected(client: object = Security(mtls)) -> PlainTextResponse:
        return PlainTextResponse("ok")

    def application(root: Callable[..., Any]) -> _Call:
        app = FastAPI(openapi_url=None)
        app.add_api_route("/", root, response_class=PlainTextResponse)
        return _by_asgi(app)

    return {
        FASTAPI: ("scope", application(bare), application(protected)),
        _NOTHING: ("scope", application(bare), application(dependent)),
    }


def _flask(authenticator: ClientCertAuthenticator, _: Path) -> _Applications:
    from flask import Flask

    from sslclientcert.flask import ClientCert

    def application() -> Flask:
        app = Flask("benchmarks")
        app.add_url_rule("/", view_func=lambda: "ok", endpoint="root")
        return app

    bare, protected = application(), application()
    ClientCert(protected, authenticator=authenticator)
    return {FLASK: ("environ", _by_wsgi(bare.wsgi_app), _by_wsgi(protected.wsgi_app))}


def _django(_: ClientCertAuthenticator, bundle: Path) -> _Applications:
    import django
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler, ASGIRequest
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def root(request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"ok")

    async def root_in_the_loop(request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"ok")

    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=(path("", root), path("async", root_in_the_loop)),
        LOGGING_CONFIG=None,
        SSLCLIENTCERT={"CA": str(bundle), "TRUSTED_PROXIES": TRUSTED},
    )
    django.setup()

    def by_wsgi(*middleware: str) -> _Call:
        settings.MIDDLEWARE = middleware
        return _by_wsgi(WSGIHandler())

    def by_asgi(*middleware: str) -> _Call:
        # Not the handler's own call, which starts a task in an event loop to see whether the client has gone.
        settings.MIDDLEWARE = middleware
        handler = ASGIHandler()

        def call(scope: Any) -> None:
            answer = drive(handler.get_response_async(ASGIRequest({**scope, "path": "/async"}, io.BytesIO())))
            if answer.status_code != 200:
                raise AssertionError(answer)

        return call

    ours = "sslclientcert.django.middleware.ClientCertMiddleware"
    return {
        DJANGO: ("environ", by_wsgi(), by_wsgi(ours)),
        f"{DJANGO}, async": ("scope", by_asgi(), by_asgi(ours)),
    }
