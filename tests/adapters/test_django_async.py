from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import httpx2
import pytest

from sslclientcert import asgi, rules
from sslclientcert.core.authenticator import Decision
from sslclientcert.testing import ClientCA, IssuedCertificate

from . import asgi_applications
from .contract import PROXY, STRANGER, AdapterContract, Outcome, Request, Seen, Visit, code_in, joined
from .django_project import BRANDED, JUDGE, SESSIONS, USER, configured, database
from .uvicorn_server import Served, serve

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from asgiref.sync import iscoroutinefunction
from django.contrib.auth.models import AnonymousUser, User
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient

from sslclientcert.django import authenticator
from sslclientcert.django.middleware import ClientCertMiddleware, judge
from sslclientcert.django.requests import ClientCertDenied, require

from .django_project.urls import SEEN

Headers = Iterable[tuple[str, str]]


def get(path: str, headers: Headers = (), peer: str | None = PROXY, app: Any = None) -> httpx2.Response:
    """One request to the ASGI application, from a peer; header names may repeat."""

    async def visit() -> httpx2.Response:
        application = app or get_asgi_application()

        async def from_peer(scope: Any, receive: Any, send: Any) -> None:
            await application({**scope, "client": None if peer is None else (peer, 50000)}, receive, send)

        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(from_peer), base_url="http://app.example"
        ) as client:
            return await client.get(path, headers=[*headers])

    return asyncio.run(visit())


class TestContract(AdapterContract):
    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            with asgi_applications.django(request, seen.note) as app:
                answer = get("/", request.headers, request.peer, app)
            return seen.outcome(answer.status_code, answer.content)

        return visit


class TestContractByDjangosOwnClient(AdapterContract):
    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            class FromPeer(AsyncClient):
                """It has no way of its own to say where a request comes from."""

                async def request(self, **scope: Any) -> Any:
                    return await super().request(**{**scope, "client": (request.peer, 50000)})

            seen = Seen()
            with asgi_applications.django(request, seen.note):
                answer = asyncio.run(FromPeer().get("/", headers=joined(request.headers)))
            return seen.outcome(answer.status_code, answer.content)

        return visit


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA()


@pytest.fixture(scope="module")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice")


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def code(response: httpx2.Response) -> str | None:
    return code_in(response.content)


# What the scope tells, and META does not


def test_two_headers_are_told_from_one(ca: ClientCA, alice: IssuedCertificate) -> None:
    certificate = ("ssl-client-cert", alice.headers()["ssl-client-cert"])
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        assert code(get("/async", [certificate, certificate])) == "header_ambiguous"


@pytest.mark.parametrize("name", ["ssl_client_cert", "Ssl-Client_Cert"])
def test_another_spelling_of_the_header_is_refused(name: str, ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}):
        assert code(get("/async", [(name, alice.headers()["ssl-client-cert"])])) == "header_ambiguous"
    assert not SEEN.reached


def test_an_exempt_path_leaves_no_spelling_of_the_header(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "EXEMPT": ["/async"]}):
        assert get("/async", [("ssl_client_cert", alice.headers()["ssl-client-cert"])]).status_code == 200
    assert SEEN.reached
    assert not [name for name in SEEN.header_names if "cert" in name.lower()]


@pytest.mark.parametrize(("trusted", "status"), [("unaddressed", 200), ("unix", 403), ("127.0.0.1, ::1", 403)])
def test_a_peer_without_an_address_is_not_the_unix_socket(
    trusted: str, status: int, ca: ClientCA, alice: IssuedCertificate
) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(trusted_proxies=trusted)}):
        assert get("/async", alice.headers().items(), peer=None).status_code == status


@pytest.mark.parametrize(("server", "peer"), [(("/run/app.sock", None), "unix"), (("127.0.0.1", 8000), None)])
def test_the_peer_that_is_logged_is_the_one_that_the_scope_tells(
    server: Any, peer: str | None, ca: ClientCA, alice: IssuedCertificate
) -> None:
    found: list[Decision] = []
    headers = [(name.encode(), value.encode()) for name, value in alice.headers().items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers, "server": server}
    with configured({"AUTHENTICATOR": ca.authenticator(audit=found.append)}):
        request = ASGIRequest({**scope, "client": None}, BytesIO())
        judge(request)
        with pytest.raises(ClientCertDenied):
            require(request, rules.common_name("bob"))
    assert [decision.peer for decision in found] == [peer, peer]


# The event loop


def test_the_middleware_stays_in_the_event_loop(
    ca: ClientCA, alice: IssuedCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    judge = ca.authenticator()
    original = judge.authenticate_scope

    def noting(*args: Any, **kwargs: Any) -> Any:
        threads.append(threading.get_ident())
        return original(*args, **kwargs)

    monkeypatch.setattr(judge, "authenticate_scope", noting)
    with configured({"AUTHENTICATOR": judge}):
        assert get("/async", alice.headers().items()).status_code == 200
    assert threads == [threading.get_ident()]


def test_the_middleware_is_asynchronous_where_what_it_wraps_is(ca: ClientCA) -> None:
    async def later(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    def now(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with configured({"AUTHENTICATOR": ca.authenticator()}):
        assert iscoroutinefunction(ClientCertMiddleware(later))
        assert not iscoroutinefunction(ClientCertMiddleware(now))


# Views


@pytest.mark.parametrize("path", ["/alice", "/alice/async", "/alice/class", "/alice/class/async"])
def test_a_view_with_a_rule_lets_in_who_passes_it(path: str, ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}):
        assert get(path, alice.headers().items()).status_code == 200
        assert code(get(path, ca.issue("bob").headers().items())) == "not_authorized"
        assert code(get(path)) == "certificate_missing"


@pytest.mark.parametrize("path", ["/healthy", "/healthy/class"])
def test_in_an_exempt_view_nothing_is_judged(path: str, ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        for headers in ({}, ca.expired().headers(), {"ssl-client-cert": "garbage"}):
            assert get(path, headers.items()).status_code == 200
            assert SEEN.identity is None


def test_a_projects_own_handler_answers_refusals(ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}, ROOT_URLCONF=BRANDED):
        assert get("/alice/async").text == "our own page: certificate_missing: A client certificate is required."
        refused = get("/alice/async", ca.issue("bob").headers().items())
        assert refused.text == "our own page: not_authorized: The client is not authorized."
        malformed = get("/async", ca.not_a_certificate().headers().items())
        assert (malformed.status_code, malformed.text[:38]) == (400, "our own page: certificate_malformed: T")


# Users


@pytest.fixture
def _users() -> Iterator[None]:
    with database():
        User.objects.create_user("alice", "alice@example.org", "secret")
        User.objects.create_user("bob", "bob@example.org", "secret")
        yield


either = pytest.mark.parametrize(
    "middleware", [(JUDGE, USER), (JUDGE, *SESSIONS, USER)], ids=["no sessions", "sessions"]
)


@pytest.mark.usefixtures("_users")
@either
@pytest.mark.parametrize("path", ["/user", "/user/async"])
def test_the_certificates_user_is_the_user_of_the_request(
    middleware: tuple[str, ...], path: str, ca: ClientCA, alice: IssuedCertificate
) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *middleware):
        assert get(path, alice.headers().items()).text == "alice"
        assert get(path, ca.issue("nobody").headers().items()).text == "AnonymousUser"
        assert isinstance(SEEN.user, AnonymousUser)


@pytest.mark.usefixtures("_users")
def test_an_anonymous_client_has_a_user_without_sessions_too(ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, JUDGE, USER):
        assert get("/user/async").text == "AnonymousUser"


@pytest.mark.usefixtures("_users")
def test_an_unknown_user_is_created_only_if_the_settings_say_so(ca: ClientCA) -> None:
    headers = ca.issue("carol").headers()
    with configured({"AUTHENTICATOR": ca.authenticator(), "CREATE_USERS": True}, JUDGE, USER):
        assert get("/user/async", headers.items()).text == "carol"
        assert get("/user/async", headers.items()).text == "carol"
    assert not User.objects.get(username="carol").has_usable_password()


@pytest.mark.usefixtures("_users")
@either
@pytest.mark.parametrize("path", ["/user", "/user/async"])
def test_login_required_lets_users_in_and_nobody_else(
    middleware: tuple[str, ...], path: str, ca: ClientCA, alice: IssuedCertificate
) -> None:
    login_required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *middleware, login_required):
        assert get(path, alice.headers().items()).text == "alice"
        assert get(path, ca.issue("nobody").headers().items()).status_code == 302
        assert get(path).status_code == 302
        assert get("/healthy").status_code == 200


@pytest.mark.usefixtures("_users")
@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_session_of_another_user_is_refused_and_ended(name: str, ca: ClientCA) -> None:
    headers = ca.issue(name).headers()

    async def visits() -> None:
        client = AsyncClient()
        await client.alogin(username="bob", password="secret")
        refused = await client.get("/user/async", headers=headers)
        assert (refused.status_code, code_in(refused.content)) == (403, "not_authorized")
        assert not SEEN.reached
        assert (await client.get("/user/async")).status_code == 200
        assert isinstance(SEEN.user, AnonymousUser)

    async def same_user() -> None:
        client = AsyncClient()
        await client.alogin(username="bob", password="secret")
        await client.get("/user/async", headers=ca.issue("bob").headers())
        assert SEEN.user.get_username() == "bob"
        await client.get("/user/async")
        assert SEEN.user.get_username() == "bob"

    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, JUDGE, *SESSIONS, USER):
        asyncio.run(visits())
        asyncio.run(same_user())


@pytest.mark.usefixtures("_users")
@pytest.mark.parametrize("name", ["remote-user", "sslclientcert-user", "http-remote-user"])
def test_a_header_with_the_name_of_a_user_means_nothing(name: str, ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, JUDGE, *SESSIONS, USER):
        assert get("/user/async", [(name, "alice")]).text == "AnonymousUser"


# Behind the ASGI middleware


def test_what_the_asgi_middleware_found_is_taken_over(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        app = asgi.ClientCertMiddleware(get_asgi_application(), authenticator(), required=False)
        assert get("/async", alice.headers().items(), app=app).status_code == 200
        assert SEEN.identity is not None
        assert code(get("/async", app=app)) == "certificate_missing"
        assert get("/healthy", app=app).status_code == 200


def test_behind_the_asgi_middleware_of_another_authenticator_there_is_no_certificate(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        app = asgi.ClientCertMiddleware(get_asgi_application(), ca.authenticator())
        assert code(get("/async", alice.headers().items(), app=app)) == "certificate_missing"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve(http="httptools", proxy_headers=False) as served:
        yield served


def with_trailer(alice: IssuedCertificate) -> list[bytes]:
    """A chunked request without the header, which its trailer brings; nobody has announced it."""
    head = b"POST /async HTTP/1.1\r\nhost: app\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n"
    trailer = f"0\r\nssl-client-cert: {alice.headers()['ssl-client-cert']}\r\n\r\n"
    return [head, trailer.encode()]


def test_a_trailer_is_no_header_behind_the_asgi_middleware(
    ca: ClientCA, alice: IssuedCertificate, served: Served
) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        served.app = asgi.ClientCertMiddleware(get_asgi_application(), authenticator(), required=False)
        assert served.send(with_trailer(alice)).json["code"] == "certificate_missing"


def test_an_untrusted_peer_is_refused_under_uvicorn(ca: ClientCA, alice: IssuedCertificate, served: Served) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(trusted_proxies=STRANGER)}):
        served.app = get_asgi_application()
        headers = [("host", "app.example"), *alice.headers().items()]
        assert served.get("/async", headers).json["code"] == "proxy_untrusted"
        assert served.get("/healthy", headers[:1]).status == 200
