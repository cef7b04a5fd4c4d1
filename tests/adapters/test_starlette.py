from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.requests import Request as HTTPRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from sslclientcert import ClientIdentity
from sslclientcert.asgi import ClientCertMiddleware
from sslclientcert.core.authenticator import Decision
from sslclientcert.starlette import ClientCertBackend, ClientCertUser, problem_details
from sslclientcert.testing import ClientCA, IssuedCertificate, forged_identity

from . import asgi_applications
from .contract import AdapterContract, Outcome, Request, Seen, Visit, code_in
from .uvicorn_server import Served, serve

PEER = ("127.0.0.1", 50000)


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA("Test CA")


@pytest.fixture(scope="module")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice")


@pytest.fixture(scope="module")
def uvicorn() -> Iterator[Served]:
    with serve(http="httptools", ws="websockets-sansio") as served:
        yield served


async def who(request: HTTPRequest) -> Response:
    return JSONResponse([request.user.display_name, request.auth.scopes])


@requires("authenticated")
async def authenticated(request: HTTPRequest) -> Response:
    return await who(request)


@requires("write")
async def writing(request: HTTPRequest) -> Response:
    return await who(request)


async def who_by_websocket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(websocket.user.display_name)
    await websocket.close()


ROUTES = [
    Route("/", who),
    Route("/authenticated", authenticated),
    Route("/write", writing),
    WebSocketRoute("/", who_by_websocket),
]


def app_with(backend: AuthenticationBackend, *outside: Middleware) -> Starlette:
    inner = Middleware(AuthenticationMiddleware, backend=backend, on_error=problem_details)
    return Starlette(routes=ROUTES, middleware=[*outside, inner])


def get(app: Starlette, certificate: IssuedCertificate | None = None, path: str = "/") -> tuple[int, Any]:
    """The status, and the answer: the user's name and scopes, or the code of the refusal."""
    reply = TestClient(app, client=PEER).get(path, headers={} if certificate is None else certificate.headers())
    return reply.status_code, code_in(reply.content) if reply.is_error else reply.json()


# The contract, by two ways


class TestContract(AdapterContract):
    strips = False  # a backend judges and does not change the request; the ASGI middleware in front does

    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            with asgi_applications.starlette(request, seen.note) as app:
                client = TestClient(self.wrapped(app, request), client=(request.peer, 1))
                reply = client.get("/", headers=list(request.headers))
            return seen.outcome(reply.status_code, reply.content)

        return visit

    def wrapped(self, app: Starlette, request: Request) -> Any:
        return app


class TestContractBehindTheMiddleware(TestContract):
    strips = True

    def wrapped(self, app: Starlette, request: Request) -> Any:
        return ClientCertMiddleware(app, request.authenticator, required=False)


# The user and the scopes


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (forged_identity("alice", uris=["spiffe://example.org/a"]), "alice"),
        (forged_identity("", uris=["spiffe://example.org/a"], organization="Example"), "spiffe://example.org/a"),
        (forged_identity("", organization="Example"), "O=Example"),
    ],
    ids=["common name", "SPIFFE ID", "subject"],
)
def test_a_user_shows_the_best_name_its_certificate_has(identity: ClientIdentity, name: str) -> None:
    user = ClientCertUser(identity)
    assert isinstance(user, BaseUser)
    assert (user.is_authenticated, user.display_name, user.client_identity) == (True, name, identity)


def test_a_user_is_identified_by_the_fingerprint_and_shown_by_it_if_nothing_else_is_there() -> None:
    identity = forged_identity("")
    user = ClientCertUser(identity)
    assert user.identity == user.display_name == identity.fingerprint_sha256


def test_scopes_are_those_that_the_application_grants(ca: ClientCA, alice: IssuedCertificate) -> None:
    granted = {"alice": ["read", "write"], "bob": ["read"]}
    app = app_with(ClientCertBackend(ca.authenticator(), scopes=lambda identity: granted[str(identity.common_name)]))
    bob = ca.issue("bob")
    assert get(app, alice, "/write") == (200, ["alice", ["authenticated", "read", "write"]])
    assert get(app, bob) == (200, ["bob", ["authenticated", "read"]])
    assert TestClient(app, client=PEER).get("/write", headers=bob.headers()).status_code == 403


def test_an_anonymous_client_has_no_scopes_and_is_not_authenticated(ca: ClientCA) -> None:
    app = app_with(ClientCertBackend(ca.authenticator(), scopes=lambda identity: ["write"], required=False))
    assert get(app) == (200, ["", []])
    assert TestClient(app, client=PEER).get("/authenticated").status_code == 403


def test_one_string_is_not_taken_for_a_list_of_scopes(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(ClientCertBackend(ca.authenticator(), scopes=lambda identity: "write"))
    with pytest.raises(TypeError, match="not one string"):
        get(app, alice)


async def awaited(identity: ClientIdentity) -> list[str]:
    return []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"authenticator": "ca.crt"}, "ClientCertAuthenticator"),
        ({"required": "false"}, "required must be True or False"),
        ({"scopes": ["read"]}, "scopes is called"),
        ({"scopes": awaited}, "not awaited"),
    ],
    ids=["authenticator", "required", "scopes", "coroutine"],
)
def test_an_argument_that_is_not_what_it_should_be_is_refused_when_the_application_starts(
    options: dict[str, Any], complaint: str, ca: ClientCA
) -> None:
    with pytest.raises(TypeError, match=complaint):
        ClientCertBackend(**{"authenticator": ca.authenticator(), **options})


# Beside the middleware


def test_the_finding_of_the_middleware_is_taken_over(ca: ClientCA, alice: IssuedCertificate) -> None:
    found: list[Decision] = []
    authenticator = ca.authenticator(audit=found.append)
    app = app_with(ClientCertBackend(authenticator), Middleware(ClientCertMiddleware, authenticator=authenticator))
    assert get(app, alice) == (200, ["alice", ["authenticated"]])
    assert len(found) == 1


def test_a_client_that_the_middleware_let_pass_without_certificate_is_refused_by_the_backend(ca: ClientCA) -> None:
    authenticator = ca.authenticator()
    outside = Middleware(ClientCertMiddleware, authenticator=authenticator, exempt=["/"])
    assert get(app_with(ClientCertBackend(authenticator), outside)) == (403, "certificate_missing")
    assert get(app_with(ClientCertBackend(authenticator, required=False), outside)) == (200, ["", []])


def test_the_finding_of_another_authenticators_middleware_is_not_taken_over(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    outside = Middleware(ClientCertMiddleware, authenticator=ca.authenticator())
    assert get(app_with(ClientCertBackend(ca.authenticator()), outside), alice) == (403, "certificate_missing")


# Refusals


def test_a_refusal_is_answered_as_problem_details(ca: ClientCA) -> None:
    reply = TestClient(app_with(ClientCertBackend(ca.authenticator())), client=PEER).get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (403, "application/problem+json")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json() == {"title": "A client certificate is required.", "status": 403, "code": "certificate_missing"}


def test_without_on_error_the_client_reads_the_title_alone(ca: ClientCA) -> None:
    app = AuthenticationMiddleware(Starlette(routes=ROUTES), ClientCertBackend(ca.authenticator()))
    reply = TestClient(app, client=PEER).get("/", headers=ca.expired().headers())
    assert (reply.status_code, reply.text) == (400, "The client certificate has expired.")


def test_the_error_of_another_backend_is_answered_as_starlette_does() -> None:
    class Other(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
            raise AuthenticationError("no badge")

    reply = TestClient(app_with(Other())).get("/")
    assert (reply.status_code, reply.text) == (400, "no badge")


def test_the_backend_judges_in_the_event_loop_without_a_thread(ca: ClientCA, alice: IssuedCertificate) -> None:
    threads = []

    def note(identity: ClientIdentity) -> bool:
        threads.append(threading.get_ident())
        return True

    backend = ClientCertBackend(ca.authenticator(authorize=note), scopes=lambda identity: [str(note(identity))])
    conn = HTTPConnection({"type": "http", "headers": alice.scope_headers()})
    assert asyncio.run(backend.authenticate(conn)) is not None
    assert threads == [threading.get_ident()] * 2


# WebSockets, where Starlette's own middleware can only close


def test_a_websocket_has_the_user_or_is_closed(ca: ClientCA, alice: IssuedCertificate) -> None:
    client = TestClient(app_with(ClientCertBackend(ca.authenticator())), client=PEER)
    with client.websocket_connect("/", headers=alice.headers()) as websocket:
        assert websocket.receive_text() == "alice"
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/"):
        pytest.fail("the handshake went through")
    assert closed.value.code == 1000


@pytest.mark.parametrize("behind", [False, True], ids=["alone", "behind the middleware"])
def test_a_websocket_on_uvicorn_is_told_the_reason_only_by_the_middleware(
    behind: bool, ca: ClientCA, alice: IssuedCertificate, uvicorn: Served
) -> None:
    authenticator = ca.authenticator()
    outside = [Middleware(ClientCertMiddleware, authenticator=authenticator)] if behind else []
    uvicorn.app = app_with(ClientCertBackend(authenticator), *outside)
    url = f"ws://127.0.0.1:{uvicorn.port}/"
    with connect(url, additional_headers=alice.headers(), proxy=None) as websocket:
        assert websocket.recv() == "alice"
    with pytest.raises(InvalidStatus) as denied:
        connect(url, additional_headers=ca.expired().headers(), proxy=None)
    body = denied.value.response.body or b"{}"
    assert denied.value.response.status_code == 403
    assert json.loads(body).get("code") == ("certificate_expired" if behind else None)


# The rest


def test_without_starlette_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['starlette'] = None; import sslclientcert.starlette"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        'ImportError: sslclientcert.starlette needs Starlette: pip install "sslclientcert[starlette]"'
    )
