from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, ClassVar, TypeAlias

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import ClientCertError, ClientIdentity
from sslclientcert.asgi import ClientCertMiddleware
from sslclientcert.core.errors import CertificateExpired
from sslclientcert.testing import ClientCA, IssuedCertificate, encode

from . import asgi_applications
from .contract import AdapterContract, Outcome, Request, Seen, Visit, code_in

Message: TypeAlias = MutableMapping[str, Any]
Headers: TypeAlias = list[tuple[bytes, bytes]]

DENIAL: Mapping[str, Any] = {"websocket.http.response": {}}


class Application:
    """An ASGI application that keeps the scope of its last connection."""

    scope: MutableMapping[str, Any] | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        self.scope = scope
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1000})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    @property
    def identity(self) -> Any:
        assert self.scope is not None
        return self.scope["state"]["client_identity"]

    @property
    def names(self) -> list[bytes]:
        assert self.scope is not None
        return [name for name, _ in self.scope["headers"]]


def scope_of(headers: Iterable[tuple[bytes, bytes]] = (), kind: str = "http", **fields: Any) -> dict[str, Any]:
    """Return a scope as a server makes it, from the proxy on this host."""
    own = {"method": "GET"} if kind == "http" else {"subprotocols": ["chat"]}
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"app.example"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    return {**scope, **own, **fields}


# What may follow a message, by the specification; None is the start.
FOLLOWING: Mapping[str | None, set[str]] = {
    None: {"http.response.start", "websocket.accept", "websocket.close", "websocket.http.response.start"},
    "http.response.start": {"http.response.body"},
    "websocket.http.response.start": {"websocket.http.response.body"},
    "websocket.accept": {"websocket.close"},
}


def call(app: Any, scope: MutableMapping[str, Any], first: str | None = None) -> list[Message]:
    """Open one connection, return what was sent, and hold the order of messages to the ASGI specification."""
    kind = scope["type"]
    sent: list[Message] = []
    waiting: list[Message] = [{"type": first or ("http.request" if kind == "http" else "websocket.connect")}]

    async def receive() -> Message:
        return waiting.pop()

    async def send(message: Message) -> None:
        assert message["type"].startswith(f"{kind}.")
        assert message["type"] in FOLLOWING[sent[-1]["type"] if sent else None]
        assert (
            not message["type"].startswith("websocket.http.response")
            or "websocket.http.response" in scope["extensions"]
        )
        assert kind == "http" or not waiting, (
            "a server expects websocket.connect to be received before anything is sent"
        )
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def status_of(sent: list[Message]) -> int:
    """Return the status that a client sees."""
    return {"websocket.accept": 200, "websocket.close": 403}.get(sent[0]["type"]) or int(sent[0]["status"])


class TestContract(AdapterContract):
    kind: ClassVar[str] = "http"
    extensions: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
            with asgi_applications.asgi(request, seen.note) as app:
                sent = call(app, scope_of(headers, self.kind, client=(request.peer, 1), extensions=self.extensions))
            return seen.outcome(status_of(sent), b"".join(message.get("body", b"") for message in sent))

        return visit


class TestContractOfWebSockets(TestContract):
    kind = "websocket"
    extensions = DENIAL


class TestContractOfWebSocketsOfAServerWithoutDenialResponses(TestContract):
    kind = "websocket"
    tells = False


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA("Test CA", intermediates=1)


@pytest.fixture(scope="module")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice", organization="Example")


@pytest.fixture
def application() -> Application:
    return Application()


# What the application finds


def test_the_state_holds_the_identity_next_to_what_the_lifespan_put_there(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    call(
        ClientCertMiddleware(application, ca.authenticator()), scope_of(alice.scope_headers(), state={"pool": "a pool"})
    )
    assert application.scope is not None
    assert isinstance(application.identity, ClientIdentity)
    assert application.identity.pem == alice.pem
    assert application.scope["state"]["pool"] == "a pool"


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("certificate", [True, False])
def test_the_scope_of_the_server_stays_as_it_was(
    kind: str, certificate: bool, ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    headers = alice.scope_headers() if certificate else []
    scope = scope_of(
        headers, kind, state={"pool": "a pool"}, extensions={"tls": {"client_cert_name": "CN=proxy"}, **DENIAL}
    )
    before = copy.deepcopy(scope)
    call(ClientCertMiddleware(application, ca.authenticator(), required=False), scope)
    assert application.scope is not None
    assert application.scope["state"] != scope["state"]
    assert scope == before


def test_a_forged_identity_in_the_state_is_replaced(ca: ClientCA, application: Application) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), required=False)
    call(app, scope_of(state={"client_identity": "root"}))
    assert application.identity is None


def test_each_authenticator_leaves_its_own_finding_to_the_adapters_behind_it(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    outer, inner = ca.authenticator(), ca.authenticator("envoy")
    middleware = ClientCertMiddleware(application, inner, required=False)
    call(ClientCertMiddleware(middleware, outer), scope_of(alice.scope_headers()))
    assert application.scope is not None
    found = application.scope["sslclientcert.decided"]
    assert (found[outer].common_name, found[inner]) == ("alice", None)
    assert application.identity is None


def test_headers_may_be_any_iterable_of_any_pairs_in_any_case(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    pairs = [[name.title(), value] for name, value in alice.scope_headers()]
    call(
        ClientCertMiddleware(application, ca.authenticator()),
        scope_of() | {"headers": iter(pairs)},
    )
    assert application.identity.common_name == "alice"
    assert application.names == []


def test_the_raw_headers_stay_if_they_are_asked_for(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    scope = scope_of(alice.scope_headers())
    call(ClientCertMiddleware(application, ca.authenticator(), keep_headers=True), scope)
    assert application.scope is not None
    assert application.scope["headers"] == scope["headers"]
    assert application.scope["headers"] is not scope["headers"]


def test_a_thousand_strange_names_do_not_change_what_is_removed(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator())
    for start in range(0, 3000, 500):
        strange = [(b"x-%d" % number, b"") for number in range(start, start + 500)]
        call(app, scope_of([*strange, *alice.scope_headers()]))
        assert application.names == [b"host", *(name for name, _ in strange)]
        assert application.identity.common_name == "alice"


# The TLS extension


def test_the_tls_extension_tells_the_verified_chain_and_name(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    call(ClientCertMiddleware(application, ca.authenticator()), scope_of(alice.scope_headers()))
    assert application.scope is not None
    tls = application.scope["extensions"]["tls"]
    assert tls == {
        "server_cert": None,
        "client_cert_chain": tls["client_cert_chain"],
        "client_cert_name": "CN=alice,O=Example",
        "client_cert_error": None,
        "tls_version": None,
        "cipher_suite": None,
    }
    chain = (*alice.chain, ca.certificate)
    assert list(tls["client_cert_chain"]) == [each.public_bytes(Encoding.PEM).decode() for each in chain]


SERVER_TLS: Mapping[str, Any] = {
    "server_cert": "-----BEGIN CERTIFICATE-----",
    "client_cert": b"of the proxy",
    "client_cert_chain": ["of the proxy"],
    "client_cert_name": "CN=proxy",
    "client_cert_error": "of the proxy",
    "tls_version": 0x0304,
    "cipher_suite": 0x1301,
}


def test_what_the_server_says_of_its_own_side_stays_next_to_the_client(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    extensions = {"tls": SERVER_TLS, "http.response.trailers": {}}
    call(ClientCertMiddleware(application, ca.authenticator()), scope_of(alice.scope_headers(), extensions=extensions))
    assert application.scope is not None
    tls = application.scope["extensions"]["tls"]
    assert application.scope["extensions"].keys() == extensions.keys()
    assert (tls["tls_version"], tls["cipher_suite"]) == (0x0304, 0x1301)
    assert tls["client_cert_name"] == "CN=alice,O=Example"
    assert "proxy" not in str(tls)


@pytest.mark.parametrize("options", [{"required": False}, {"exempt": ["/"]}], ids=["anonymous", "exempt"])
def test_the_proxy_is_not_taken_for_an_anonymous_client(
    options: dict[str, Any], ca: ClientCA, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), **options)
    call(app, scope_of(extensions={"tls": SERVER_TLS}))
    assert application.scope is not None
    assert application.scope["extensions"]["tls"] == {
        "server_cert": "-----BEGIN CERTIFICATE-----",
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1301,
    }


def test_an_anonymous_client_adds_no_tls_extension(ca: ClientCA, application: Application) -> None:
    call(ClientCertMiddleware(application, ca.authenticator(), required=False), scope_of())
    assert application.scope is not None
    assert "extensions" not in application.scope


def test_what_one_application_does_to_its_scope_is_not_seen_by_the_next_request(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator())
    call(app, scope_of(alice.scope_headers()))
    assert application.scope is not None
    application.scope["extensions"]["tls"]["client_cert_name"] = "CN=mallory"
    call(app, scope_of(alice.scope_headers()))
    assert application.scope["extensions"]["tls"]["client_cert_name"] == "CN=alice,O=Example"


# Other connections


@pytest.mark.parametrize("kind", ["lifespan", "channel"])
def test_what_has_no_headers_passes_untouched(kind: str, ca: ClientCA) -> None:
    seen: list[Any] = []

    async def app(*arguments: Any) -> None:
        seen.extend(arguments)

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": kind, "state": {}}
    asyncio.run(ClientCertMiddleware(app, ca.authenticator())(scope, receive, send))
    assert all(mine is its for mine, its in zip((scope, receive, send), seen, strict=True))
    assert scope == {"type": kind, "state": {}}


def test_a_client_of_an_unknown_protocol_does_not_get_past_the_middleware(
    ca: ClientCA, application: Application
) -> None:
    with pytest.raises(RuntimeError, match="webtransport"):
        call(ClientCertMiddleware(application, ca.authenticator()), scope_of(kind="webtransport"))
    assert application.scope is None


# Trailers, which uvicorn's httptools parser appends to the list of headers


def test_trailers_that_come_while_the_application_runs_are_not_seen(ca: ClientCA, alice: IssuedCertificate) -> None:
    scope = scope_of()
    seen: list[Headers] = []

    async def app(inner: Any, receive: Any, send: Any) -> None:
        scope["headers"].extend(alice.scope_headers())
        seen.append(inner["headers"])

    asyncio.run(ClientCertMiddleware(app, ca.authenticator(), required=False, keep_headers=True)(scope, *nothing()))
    asyncio.run(ClientCertMiddleware(app, ca.authenticator(), exempt=["/"])(scope_of(), *nothing()))
    assert seen == [[(b"host", b"app.example")], [(b"host", b"app.example")]]


def nothing() -> tuple[Any, Any]:
    async def receive() -> Message:
        raise AssertionError("nothing is to be received")

    async def send(message: Message) -> None:
        raise AssertionError(message)

    return receive, send


def test_a_certificate_that_is_announced_as_a_trailer_is_refused_each_time(
    ca: ClientCA, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator())
    announced = [(b"transfer-encoding", b"chunked"), (b"Trailer", b"x-checksum ,\tssl-client-cert")]
    for _ in range(2):
        sent = call(app, scope_of([*announced, *ca.issue("admin").scope_headers()]))
        assert code_in(sent[1]["body"]) == "header_ambiguous"
    assert application.scope is None


# Two spellings


@pytest.mark.parametrize("genuine", [True, False], ids=["next to the genuine", "alone"])
def test_another_spelling_of_the_header_is_refused(
    genuine: bool, ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    forged = (b"Ssl_Client-Cert", dict(ca.issue("admin").scope_headers())[b"ssl-client-cert"])
    headers = [forged, *(alice.scope_headers() if genuine else [])]
    app = ClientCertMiddleware(application, ca.authenticator())
    for _ in range(2):
        sent = call(app, scope_of(headers))
        assert code_in(sent[1]["body"]) == "header_ambiguous"
    assert application.scope is None


# Exempt paths


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("keep_headers", [True, False])
def test_an_exempt_path_needs_no_certificate_and_shows_none(
    keep_headers: bool, kind: str, ca: ClientCA, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), exempt=["/healthz"], keep_headers=keep_headers)
    headers = [*ca.stranger().scope_headers(), (b"Ssl_Client_Cert", b"forged")]
    assert status_of(call(app, scope_of(headers, kind, path="/healthz", client=("203.0.113.9", 1)))) == 200
    assert application.identity is None
    assert application.names == [b"host"]


@pytest.mark.parametrize(
    "path", ["/", "/healthz/", "/healthz/x", "/HEALTHZ", "/healthz2", "//healthz", "/api/healthz", ""]
)
def test_only_the_exact_path_is_exempt(path: str, ca: ClientCA, application: Application) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), exempt=["/healthz"])
    assert status_of(call(app, scope_of(path=path))) == 403


@pytest.mark.parametrize(
    "options", [{}, {"required": False}, {"exempt": lambda _: True}], ids=["required", "optional", "exempt"]
)
def test_nobody_opens_a_tunnel(
    options: dict[str, Any], ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(trusted_proxies="*"), **options)
    for headers in ([], alice.scope_headers()):
        assert status_of(call(app, scope_of(headers, method="CONNECT"))) == 403
    assert application.scope is None


@pytest.mark.parametrize(
    ("root_path", "path", "status"),
    [
        ("/api", "/api/healthz", 200),  # uvicorn --root-path /api, or an application mounted there
        ("/api", "/healthz", 200),  # servers that leave root_path out of the path
        ("/api", "/apihealthz", 403),
        ("/api", "/api/api/healthz", 403),
        ("", "/api/healthz", 403),
    ],
)
def test_an_exempt_path_is_the_one_below_the_root_path(
    root_path: str, path: str, status: int, ca: ClientCA, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), exempt=["/healthz"])
    assert status_of(call(app, scope_of(root_path=root_path, path=path))) == status


def test_a_function_says_what_is_exempt_by_exactly_true(ca: ClientCA, application: Application) -> None:
    authenticator = ca.authenticator()
    by_method = ClientCertMiddleware(application, authenticator, exempt=lambda scope: scope.get("method") == "OPTIONS")
    assert status_of(call(by_method, scope_of(method="OPTIONS"))) == 200
    assert status_of(call(by_method, scope_of())) == 403
    truthy = ClientCertMiddleware(application, authenticator, exempt=lambda scope: scope["path"])
    assert status_of(call(truthy, scope_of())) == 403


# Answers


def test_a_refusal_is_a_problem_document_that_nobody_stores(ca: ClientCA, application: Application) -> None:
    start, body = call(ClientCertMiddleware(application, ca.authenticator()), scope_of())
    assert start["status"] == 403
    assert dict(start["headers"]) == {
        b"content-type": b"application/problem+json",
        b"content-length": str(len(body["body"])).encode(),
        b"cache-control": b"no-store",
        b"vary": b"Accept",
        b"x-content-type-options": b"nosniff",
    }
    assert json.loads(body["body"]) == {
        "title": "A client certificate is required.",
        "status": 403,
        "code": "certificate_missing",
    }


def test_a_browser_is_refused_with_a_page(ca: ClientCA, application: Application) -> None:
    accept = [(b"Accept", b"text/html"), (b"accept", b"*/*;q=0.8")]
    start, body = call(ClientCertMiddleware(application, ca.authenticator()), scope_of(accept))
    assert (start["status"], dict(start["headers"])[b"content-type"]) == (403, b"text/html; charset=utf-8")
    assert b"<code>certificate_missing</code>" in body["body"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_the_application_may_answer_a_refusal_in_its_own_way_and_the_request_stays_refused(
    kind: str, ca: ClientCA, application: Application
) -> None:
    def on_refusal(error: ClientCertError, scope: Any) -> tuple[int, list[tuple[str, str]], bytes]:
        return 302, [("Location", f"/help?{error.code}&{scope['path']}")], b"see there"

    app = ClientCertMiddleware(application, ca.authenticator(), on_refusal=on_refusal)
    start, body = call(app, scope_of(kind=kind, path="/me", extensions=DENIAL))
    assert (start["status"], body["body"]) == (302, b"see there")
    assert start["headers"] == [(b"location", b"/help?certificate_missing&/me"), (b"content-length", b"9")]
    assert application.scope is None


def test_a_refused_head_request_gets_the_headers_and_no_body(ca: ClientCA, application: Application) -> None:
    app = ClientCertMiddleware(application, ca.authenticator())
    (head, no_body), (get, _) = (call(app, scope_of(method=method)) for method in ("HEAD", "GET"))
    assert head == get
    assert no_body == {"type": "http.response.body", "body": b""}


def test_an_error_of_the_application_is_not_taken_for_a_refusal(ca: ClientCA, alice: IssuedCertificate) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise CertificateExpired("of another connection, which the application made itself")

    with pytest.raises(CertificateExpired):
        call(ClientCertMiddleware(broken, ca.authenticator()), scope_of(alice.scope_headers()))


@pytest.mark.parametrize("extensions", [{}, None], ids=["empty", "none"])
def test_a_websocket_is_closed_as_against_policy_where_the_server_knows_no_denial_response(
    extensions: Any, ca: ClientCA, application: Application
) -> None:
    headers = [(name.encode(), value.encode()) for name, value in encode(None).items()]
    sent = call(
        ClientCertMiddleware(application, ca.authenticator()), scope_of(headers, "websocket", extensions=extensions)
    )
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert application.scope is None


def test_a_websocket_whose_client_has_gone_is_sent_nothing(ca: ClientCA, application: Application) -> None:
    scope = scope_of(kind="websocket", extensions=DENIAL)
    assert call(ClientCertMiddleware(application, ca.authenticator()), scope, first="websocket.disconnect") == []
    assert application.scope is None
