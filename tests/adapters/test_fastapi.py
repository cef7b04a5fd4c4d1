from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import fastapi
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Security, WebSocket
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader
from fastapi.testclient import TestClient
from openapi_spec_validator import validate
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.testclient import WebSocketDenialResponse
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from sslclientcert import ClientCertAuthenticator, ClientIdentity, rules
from sslclientcert.asgi import ClientCertMiddleware
from sslclientcert.core.authenticator import Decision
from sslclientcert.core.errors import ClientCertError
from sslclientcert.fastapi import ClientCertHTTPException, MutualTLS, problem_details
from sslclientcert.testing import ClientCA, IssuedCertificate, forged_identity

from . import asgi_applications
from .contract import AdapterContract, Outcome, Request, Seen, Visit
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


def app_with(dependency: Callable[..., Any], *, scopes: tuple[str, ...] = (), **options: Any) -> FastAPI:
    """An application that answers at `/` with the name of the client, by HTTP and by WebSocket."""
    app = FastAPI(**options)
    client = Security(dependency, scopes=scopes)

    @app.get("/")
    async def name_by_http(identity: ClientIdentity | None = client) -> str:
        return name_of(identity)

    @app.websocket("/")
    async def name_by_websocket(websocket: WebSocket, identity: ClientIdentity | None = client) -> None:
        await websocket.accept()
        await websocket.send_text(name_of(identity))
        await websocket.close()

    return app


def name_of(identity: ClientIdentity | None) -> str:
    return "nobody" if identity is None else str(identity.common_name)


def get(app: FastAPI, certificate: IssuedCertificate | None = None, path: str = "/") -> tuple[int, Any]:
    """The status, and the answer: the client's name, or the code of the refusal."""
    reply = TestClient(app, client=PEER).get(path, headers={} if certificate is None else certificate.headers())
    answer = reply.json()
    return reply.status_code, answer["detail"]["code"] if reply.is_error else answer


# The contract, by two ways


class TestContract(AdapterContract):
    strips = False  # a dependency comes too late to hide a header; the middleware in front does

    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            with asgi_applications.fastapi(request, seen.note) as app:
                client = TestClient(self.wrapped(app, request), client=(request.peer, 1))
                reply = client.get("/", headers=list(request.headers))
            return seen.outcome(reply.status_code, reply.content)

        return visit

    def wrapped(self, app: FastAPI, request: Request) -> Any:
        return app


class TestContractBehindTheMiddleware(TestContract):
    strips = True

    def wrapped(self, app: FastAPI, request: Request) -> Any:
        return ClientCertMiddleware(app, request.authenticator, required=False)


# Behind the middleware


def test_the_finding_of_the_middleware_is_taken_over(ca: ClientCA, alice: IssuedCertificate) -> None:
    found: list[Decision] = []
    authenticator = ca.authenticator(audit=found.append)
    app = app_with(MutualTLS(authenticator))
    app.add_middleware(ClientCertMiddleware, authenticator=authenticator)
    assert get(app, alice) == (200, "alice")
    assert len(found) == 1


def test_a_client_that_the_middleware_let_pass_without_certificate_is_refused_by_the_route(ca: ClientCA) -> None:
    authenticator = ca.authenticator()
    options: dict[str, Any]
    for options in ({"required": False}, {"exempt": ["/"]}):
        app = app_with(MutualTLS(authenticator))
        app.add_middleware(ClientCertMiddleware, authenticator=authenticator, **options)
        assert get(app) == (403, "certificate_missing")


def test_the_finding_of_another_authenticators_middleware_is_not_taken_over(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    app = app_with(MutualTLS(ca.authenticator()))
    app.add_middleware(ClientCertMiddleware, authenticator=ca.authenticator())
    assert get(app, alice) == (403, "certificate_missing")


def test_each_of_two_middlewares_leaves_its_finding_to_its_own_routes(ca: ClientCA, alice: IssuedCertificate) -> None:
    nginx, envoy = ca.authenticator(), ca.authenticator("envoy")
    app = FastAPI()
    app.add_middleware(ClientCertMiddleware, authenticator=nginx, required=False)
    app.add_middleware(ClientCertMiddleware, authenticator=envoy, required=False)
    app.mount("/nginx", app_with(MutualTLS(nginx)))
    app.mount("/envoy", app_with(MutualTLS(envoy)))
    client = TestClient(app, client=PEER)
    assert client.get("/nginx/", headers=alice.headers()).json() == "alice"
    assert client.get("/envoy/", headers=alice.headers("envoy")).json() == "alice"
    assert client.get("/envoy/", headers=alice.headers()).status_code == 403


def test_an_identity_in_the_applications_state_is_not_taken_for_a_finding(ca: ClientCA) -> None:
    app = app_with(MutualTLS(ca.authenticator()))

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": {"client_identity": forged_identity("mallory")}}, receive, send)

    assert TestClient(with_state, client=PEER).get("/").status_code == 403


# Rules and scopes


def test_a_rule_lets_those_in_who_pass_it(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(MutualTLS(ca.authenticator()).require(rules.common_name("alice")))
    assert get(app, alice) == (200, "alice")
    assert get(app, ca.issue("bob")) == (403, "not_authorized")


def broken(identity: ClientIdentity) -> bool:
    raise LookupError(identity)


async def unawaited(identity: ClientIdentity) -> bool:
    return True


@pytest.mark.parametrize("rule", [lambda identity: "no", lambda identity: 1, broken], ids=["text", "number", "broken"])
def test_a_rule_that_does_not_answer_exactly_true_refuses(
    rule: Callable[[ClientIdentity], object], ca: ClientCA, alice: IssuedCertificate
) -> None:
    assert get(app_with(MutualTLS(ca.authenticator()).require(rule)), alice) == (403, "not_authorized")


@pytest.mark.parametrize("rule", [True, "alice", None, unawaited], ids=["True", "text", "None", "coroutine"])
def test_what_is_no_rule_is_refused_when_the_application_starts(rule: Any, ca: ClientCA) -> None:
    with pytest.raises(TypeError, match="rule"):
        MutualTLS(ca.authenticator()).require(rule)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"authenticator": "ca.crt"}, "ClientCertAuthenticator"),
        ({"auto_error": "false"}, "auto_error must be True or False"),
        ({"scopes": ["read"]}, "scopes is called"),
        ({"scopes": unawaited}, "not awaited"),
    ],
    ids=["authenticator", "auto_error", "scopes", "coroutine"],
)
def test_an_argument_that_is_not_what_it_should_be_is_refused_when_the_application_starts(
    options: dict[str, Any], complaint: str, ca: ClientCA
) -> None:
    with pytest.raises(TypeError, match=complaint):
        MutualTLS(**{"authenticator": ca.authenticator(), **options})


def test_a_rule_refuses_an_anonymous_client_also_where_the_certificate_is_optional(ca: ClientCA) -> None:
    mtls = MutualTLS(ca.authenticator(), auto_error=False)
    assert get(app_with(mtls)) == (200, "nobody")
    assert get(app_with(mtls.require(lambda identity: True))) == (403, "certificate_missing")


def test_scopes_are_those_that_the_application_grants(ca: ClientCA, alice: IssuedCertificate) -> None:
    granted = {"alice": ["read", "write"], "bob": ["read"]}
    mtls = MutualTLS(ca.authenticator(), scopes=lambda identity: granted[name_of(identity)])
    app = app_with(mtls, scopes=("read", "write"))
    assert get(app, alice) == (200, "alice")
    assert get(app, ca.issue("bob")) == (403, "not_authorized")


def test_a_dependency_that_demands_scopes_demands_them_of_the_certificate_below_it(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    client = Security(MutualTLS(ca.authenticator(), scopes=lambda identity: ["read"]))

    async def user(identity: ClientIdentity = client) -> ClientIdentity:
        return identity

    assert get(app_with(user, scopes=("read",)), alice) == (200, "alice")
    assert get(app_with(user, scopes=("write",)), alice) == (403, "not_authorized")


def test_a_scope_is_demanded_also_where_the_application_has_asked_for_the_client_before(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    mtls = MutualTLS(ca.authenticator(), scopes=lambda identity: ["read"])
    assert get(app_with(mtls, scopes=("read",), dependencies=[Security(mtls)]), alice) == (200, "alice")
    assert get(app_with(mtls, scopes=("write",), dependencies=[Security(mtls)]), alice) == (403, "not_authorized")


def test_nobody_has_a_scope_where_none_are_granted(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(MutualTLS(ca.authenticator()), scopes=("read",))
    assert get(app, alice) == (403, "not_authorized")


def test_a_scope_refuses_an_anonymous_client_also_where_the_certificate_is_optional(ca: ClientCA) -> None:
    app = app_with(MutualTLS(ca.authenticator(), auto_error=False), scopes=("read",))
    assert get(app) == (403, "certificate_missing")


def failing(identity: ClientIdentity) -> list[str]:
    raise LookupError(identity)


@pytest.mark.parametrize("scopes", [lambda identity: "read", failing], ids=["one string", "an exception"])
def test_scopes_that_are_no_list_or_fail_refuse(scopes: Any, ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(MutualTLS(ca.authenticator(), scopes=scopes), scopes=("r",))
    assert get(app, alice) == (403, "not_authorized")


@pytest.mark.parametrize("demand", [{"rule": rules.common_name("bob")}, {"scopes": ("write",)}], ids=["rule", "scope"])
def test_a_refusal_by_a_rule_or_for_a_scope_is_audited_with_its_peer(
    demand: dict[str, Any], ca: ClientCA, alice: IssuedCertificate
) -> None:
    found: list[Decision] = []
    mtls = MutualTLS(ca.authenticator(audit=found.append), scopes=lambda identity: ["read"])
    app = app_with(mtls.require(demand["rule"]) if "rule" in demand else mtls, scopes=demand.get("scopes", ()))
    assert get(app, alice)[0] == 403
    error = found[-1].error
    assert error is not None
    assert (error.code, found[-1].peer) == ("not_authorized", PEER[0])
    assert ("common_name('bob')" if "rule" in demand else "scopes(write)") in error.detail


# Two of them


def test_each_of_two_instances_trusts_its_own_ca(ca: ClientCA, alice: IssuedCertificate) -> None:
    partners = ClientCA("Partners")
    app = FastAPI()
    for path, issuer in (("/staff", ca), ("/partners", partners)):
        mtls = MutualTLS(issuer.authenticator(), scheme_name=path[1:])
        mtls.document(app)
        app.add_api_route(path, lambda: "welcome", dependencies=[Security(mtls)])
    mallory = partners.issue("mallory")
    assert [get(app, each, "/staff") for each in (alice, mallory)] == [(200, "welcome"), (403, "certificate_untrusted")]
    assert [get(app, each, "/partners")[0] for each in (alice, mallory)] == [403, 200]
    assert app.openapi()["components"]["securitySchemes"] == {
        "staff": {"type": "mutualTLS"},
        "partners": {"type": "mutualTLS"},
    }


# Overrides


def test_an_override_gives_the_routes_another_identity_and_their_rules_judge_it(ca: ClientCA) -> None:
    mtls = MutualTLS(ca.authenticator())
    app = app_with(mtls)
    app.include_router(app_with(mtls.require(rules.common_name("alice"))).router, prefix="/alice")
    app.dependency_overrides[mtls] = lambda: forged_identity("bob")
    assert get(app) == (200, "bob")
    assert get(app, path="/alice/") == (403, "not_authorized")
    app.dependency_overrides[mtls] = lambda: forged_identity("alice")
    assert get(app, path="/alice/") == (200, "alice")


# Errors


def test_a_refusal_is_answered_as_fastapi_answers(ca: ClientCA) -> None:
    reply = TestClient(app_with(MutualTLS(ca.authenticator())), client=PEER).get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (403, "application/json")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json() == {
        "detail": {"title": "A client certificate is required.", "status": 403, "code": "certificate_missing"}
    }


def test_a_refusal_is_answered_as_problem_details_if_the_application_says_so(ca: ClientCA) -> None:
    app = app_with(MutualTLS(ca.authenticator()))
    app.add_exception_handler(ClientCertHTTPException, problem_details)
    reply = TestClient(app, client=PEER).get("/")
    assert (reply.status_code, reply.headers["content-type"]) == (403, "application/problem+json")
    assert reply.json() == {"title": "A client certificate is required.", "status": 403, "code": "certificate_missing"}


@pytest.mark.parametrize("kind", [ClientCertHTTPException, HTTPException, StarletteHTTPException, 403], ids=str)
def test_a_refusal_reaches_the_applications_own_handlers(kind: Any, ca: ClientCA) -> None:
    errors: list[ClientCertError] = []
    app = app_with(MutualTLS(ca.authenticator()))

    @app.exception_handler(kind)
    async def handle(request: Any, exc: ClientCertHTTPException) -> JSONResponse:
        errors.append(exc.error)
        return JSONResponse("own", 418, exc.headers)

    reply = TestClient(app, client=PEER).get("/", headers=ca.expired().headers())
    assert (reply.status_code, reply.json()) == (418, "own")
    (error,) = errors
    assert error.code == "certificate_expired"


def test_the_handler_of_problems_passes_on_what_is_no_refusal() -> None:
    other = HTTPException(404)
    with pytest.raises(HTTPException) as raised:
        asyncio.run(problem_details(fastapi.Request({"type": "http"}), other))
    assert raised.value is other


# WebSockets


def test_a_websocket_gets_the_identity(ca: ClientCA, alice: IssuedCertificate) -> None:
    client = TestClient(app_with(MutualTLS(ca.authenticator())), client=PEER)
    with client.websocket_connect("/", headers=alice.headers()) as websocket:
        assert websocket.receive_text() == "alice"


@pytest.mark.parametrize("handled", [False, True], ids=["as FastAPI answers", "as problem details"])
def test_a_websocket_is_refused_with_the_reason_where_the_server_can_tell_it(handled: bool, ca: ClientCA) -> None:
    app = app_with(MutualTLS(ca.authenticator()).require(rules.common_name("alice")))
    if handled:
        app.add_exception_handler(ClientCertHTTPException, problem_details)
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        TestClient(app, client=PEER).websocket_connect("/", headers=ca.issue("bob").headers()),
    ):
        pytest.fail("the handshake went through")
    assert denied.value.status_code == 403
    problem = denied.value.json()
    assert (problem if handled else problem["detail"])["code"] == "not_authorized"


def test_a_websocket_is_closed_for_a_violated_policy_where_the_server_cannot_tell_more(ca: ClientCA) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "websocket", "path": "/", "query_string": b"", "headers": [], "client": PEER}
    asyncio.run(app_with(MutualTLS(ca.authenticator()))(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "A client certificate is required."}]


def test_a_websocket_on_uvicorn_gets_the_identity_or_the_reason(
    ca: ClientCA, alice: IssuedCertificate, uvicorn: Served
) -> None:
    uvicorn.app = app_with(MutualTLS(ca.authenticator()))
    url = f"ws://127.0.0.1:{uvicorn.port}/"
    with connect(url, additional_headers=alice.headers(), proxy=None) as websocket:
        assert websocket.recv() == "alice"
    with pytest.raises(InvalidStatus) as denied:
        connect(url, additional_headers=ca.expired().headers(), proxy=None)
    assert denied.value.response.status_code == 403
    assert json.loads(denied.value.response.body or b"")["detail"]["code"] == "certificate_expired"


# Trailers


def chunked(certificate: IssuedCertificate, *headers: str) -> list[bytes]:
    """A POST whose trailer holds a certificate header, in two segments: a server has the headers before the trailer."""
    head = ["POST / HTTP/1.1", "host: app", "connection: close", "transfer-encoding: chunked", *headers, "", ""]
    trailer = f"0\r\nssl-client-cert: {certificate.headers()['ssl-client-cert']}\r\n\r\n"
    return ["\r\n".join(head).encode(), b"2\r\n{}\r\n" + trailer.encode()]


def app_that_reads_a_body(authenticator: ClientCertAuthenticator) -> FastAPI:
    app = FastAPI()
    client = Security(MutualTLS(authenticator))

    @app.post("/")
    async def name(body: dict[str, str], identity: ClientIdentity = client) -> str:
        return name_of(identity)

    return app


@pytest.mark.parametrize("spelling", ["ssl-client-cert", "X-Checksum, SSL_Client_Cert"])
def test_a_certificate_that_is_announced_as_a_trailer_is_refused(
    spelling: str, ca: ClientCA, alice: IssuedCertificate, uvicorn: Served
) -> None:
    uvicorn.app = app_that_reads_a_body(ca.authenticator())
    reply = uvicorn.send(chunked(alice, "content-type: application/json", f"trailer: {spelling}"))
    assert (reply.status, reply.json["detail"]["code"]) == (400, "header_ambiguous")


def test_other_announced_trailers_are_nobodys_concern(ca: ClientCA, alice: IssuedCertificate, uvicorn: Served) -> None:
    uvicorn.app = app_with(MutualTLS(ca.authenticator()))
    headers = [*alice.headers().items(), ("trailer", "x-checksum")]
    assert uvicorn.get(headers=headers).json == "alice"


def test_behind_the_middleware_a_certificate_in_a_late_trailer_is_not_seen(
    ca: ClientCA, alice: IssuedCertificate, uvicorn: Served
) -> None:
    authenticator = ca.authenticator()
    uvicorn.app = ClientCertMiddleware(app_that_reads_a_body(authenticator), authenticator, required=False)
    reply = uvicorn.send(chunked(alice, "content-type: application/json"))
    assert (reply.status, reply.json["detail"]["code"]) == (403, "certificate_missing")


# OpenAPI


def test_the_openapi_document_says_mutual_tls(ca: ClientCA) -> None:
    mtls = MutualTLS(ca.authenticator(), scopes=lambda identity: [], description="A certificate of our CA.")
    app = app_with(mtls, scopes=("read",))
    mtls.document(app)
    app.include_router(app_with(mtls.require(rules.common_name("alice"))).router, prefix="/later")
    document = TestClient(app).get("/openapi.json").json()
    validate(document)
    assert document["components"]["securitySchemes"] == {
        "MutualTLS": {"type": "mutualTLS", "description": "A certificate of our CA."}
    }
    assert list(document["paths"]["/"]["get"]["security"][0]) == ["MutualTLS"]
    assert list(document["paths"]["/later/"]["get"]["security"][0]) == ["MutualTLS"]


def test_openapi_3_0_which_knows_no_mutual_tls_gets_the_proxys_header(ca: ClientCA) -> None:
    mtls = MutualTLS(ca.authenticator("envoy"))
    app = app_with(mtls)
    app.openapi_version = "3.0.3"
    mtls.document(app)
    document = app.openapi()
    validate(document)
    assert document["components"]["securitySchemes"] == {
        "MutualTLS": {"type": "apiKey", "in": "header", "name": "x-forwarded-client-cert"}
    }


PROBLEM = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "status": {"type": "integer"}, "code": {"type": "string"}},
}


@pytest.mark.parametrize("as_problem", [True, False])
def test_the_openapi_document_has_the_refusals_as_they_are_answered(as_problem: bool, ca: ClientCA) -> None:
    mtls = MutualTLS(ca.authenticator())
    app = app_with(mtls)
    app.get("/own", dependencies=[Security(mtls)], responses={403: {"description": "Ours"}})(lambda: None)
    app.get("/open")(lambda: None)
    if as_problem:
        app.add_exception_handler(ClientCertHTTPException, problem_details)
    mtls.document(app)
    document = app.openapi()
    validate(document)
    assert app.openapi() == document
    responses = {path: operations["get"]["responses"] for path, operations in document["paths"].items()}
    wrapped = {"type": "object", "properties": {"detail": PROBLEM}}
    content = (
        {"application/problem+json": {"schema": PROBLEM}} if as_problem else {"application/json": {"schema": wrapped}}
    )
    refused = TestClient(app).get("/")
    assert refused.headers["content-type"] in content
    assert responses["/"].keys() == {"200", "400", "403", "431", "503"}
    assert responses["/"][str(refused.status_code)] == {"description": "Forbidden", "content": content}
    assert (responses["/own"]["403"], responses["/open"].keys()) == ({"description": "Ours"}, {"200"})


@pytest.mark.parametrize(("auto_error", "security"), [(True, [{"MutualTLS": []}]), (False, [{"MutualTLS": []}, {}])])
def test_the_openapi_document_shows_whether_a_certificate_is_optional(
    auto_error: bool, security: list[object], ca: ClientCA
) -> None:
    mtls = MutualTLS(ca.authenticator(), auto_error=auto_error)
    app = app_with(mtls)
    mtls.document(app)
    for _ in range(2):  # it is kept, and shown again
        assert app.openapi()["paths"]["/"]["get"]["security"] == security
    assert get(app)[0] == (200 if {} in security else 403)


def test_where_more_is_asked_the_certificate_is_not_shown_as_optional(ca: ClientCA) -> None:
    mtls, ruled = (MutualTLS(ca.authenticator(), auto_error=False) for _ in range(2))
    scoped = MutualTLS(ca.authenticator(), auto_error=False, scopes=lambda identity: [])
    with_another = FastAPI(dependencies=[Security(mtls), Security(APIKeyHeader(name="key"))])
    with_another.get("/")(lambda: None)
    applications = {
        mtls: with_another,
        scoped: app_with(scoped, scopes=("read",)),
        ruled: app_with(ruled.require(rules.common_name("alice"))),
    }
    for scheme, app in applications.items():
        scheme.document(app)
        assert {} not in app.openapi()["paths"]["/"]["get"]["security"]
        assert TestClient(app, client=PEER).get("/").is_error


def test_an_application_without_the_dependency_has_nothing_to_document(ca: ClientCA) -> None:
    app = FastAPI()
    MutualTLS(ca.authenticator()).document(app)
    assert "components" not in app.openapi()


# The rest


def test_the_dependency_judges_in_the_event_loop_without_a_thread(ca: ClientCA, alice: IssuedCertificate) -> None:
    threads = []

    def note(identity: ClientIdentity) -> bool:
        threads.append(threading.get_ident())
        return True

    mtls = MutualTLS(ca.authenticator(authorize=note), scopes=lambda identity: [str(note(identity))])
    app = app_with(mtls.require(note), scopes=("True",))

    @app.middleware("http")
    async def outside(request: Any, call_next: Any) -> Any:
        threads.append(threading.get_ident())
        return await call_next(request)

    assert get(app, alice) == (200, "alice")
    assert len(threads) == 4
    assert len(set(threads)) == 1


def test_a_router_can_demand_a_certificate_for_all_its_routes(ca: ClientCA, alice: IssuedCertificate) -> None:
    router = APIRouter(dependencies=[Depends(MutualTLS(ca.authenticator()))])
    router.add_api_route("/inside", lambda: "welcome")
    app = FastAPI()
    app.include_router(router)
    assert get(app, alice, "/inside") == (200, "welcome")
    assert get(app, None, "/inside") == (403, "certificate_missing")


def test_without_fastapi_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['fastapi'] = None; import sslclientcert.fastapi"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        'ImportError: sslclientcert.fastapi needs FastAPI: pip install "sslclientcert[fastapi]"'
    )
