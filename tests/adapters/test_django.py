from __future__ import annotations

import asyncio
import inspect
import json
import logging
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from sslclientcert import ClientCertAuthenticator, ClientIdentity, rules
from sslclientcert.core.options import OPTIONS as OPTIONS_OF_AUTHENTICATOR
from sslclientcert.testing import ClientCA, IssuedCertificate, forged_identity, trusting

from . import wsgi_applications
from .contract import PROXY, AdapterContract, Outcome, Request, Seen, Visit, joined
from .django_project import BACKEND, BRANDED, JUDGE, MODEL_BACKEND, SESSIONS, USER, configured, database
from .django_project.servers import example

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_login_failed
from django.core import checks
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path as django_path
from django.utils.decorators import sync_and_async_middleware

from sslclientcert.asgi import ClientCertMiddleware as AsgiMiddleware
from sslclientcert.django import authenticator, backends, client_cert_required, client_identity, middleware
from sslclientcert.django.backends import ClientCertBackend
from sslclientcert.django.middleware import ClientCertMiddleware
from sslclientcert.django.users import find_user

from .django_project.branded import handler403
from .django_project.urls import SEEN, healthy, look

PROJECT = "sslclientcert.django"
PAGE = Path(__file__).parents[2] / "docs" / "django.md"


class TestContract(AdapterContract):
    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            with wsgi_applications.django(request, seen.note):
                answer = Client(REMOTE_ADDR=request.peer).get("/", headers=joined(request.headers))
            return seen.outcome(answer.status_code, answer.content)

        return visit


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA()


@pytest.fixture(scope="module")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice", emails=["alice@example.org", "a@example.org"], upns=["alice@corp"])


@pytest.fixture(scope="module")
def bundle(ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(ca.write(tmp_path_factory.mktemp("ca") / "ca.crt"))


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def get(path: str, certificate: IssuedCertificate | None = None, client: Client | None = None) -> Any:
    return (client or Client()).get(path, headers=certificate.headers() if certificate else {})


# Settings


def test_the_settings_are_those_of_the_authenticator(bundle: Path) -> None:
    refused: list[str] = []
    options = {
        "CA": bundle,
        "PROXY": "envoy",
        "HEADER": "x-cert",
        "TRUSTED_PROXIES": "10.0.0.0/8",
        "MAX_HEADER_BYTES": "4000",
        "AUDIT": lambda decision: refused.append(decision.error.code),
    }
    with configured(options):
        assert authenticator().proxy.certificate_header == "x-cert"
        assert Client(REMOTE_ADDR="10.0.0.7").get("/", headers={"x-cert": "x" * 5000}).status_code == 431
        assert Client().get("/", headers={"x-cert": "garbage"}).json()["code"] == "proxy_untrusted"
    assert refused == ["header_too_large", "proxy_untrusted"]


def test_the_authenticator_and_the_functions_may_be_named_by_dotted_paths() -> None:
    with configured({"AUTHENTICATOR": f"{__name__}.for_dotted_path", "EXEMPT": f"{__name__}.is_probe"}):
        assert authenticator() is for_dotted_path
        assert get("/probe").status_code == 200
        assert get("/").status_code == 403


def test_a_rule_may_be_named_by_a_dotted_path(bundle: Path, ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"CA": bundle, "AUTHORIZE": f"{__name__}.is_alice"}):
        assert get("/", alice).status_code == 200
        assert get("/", ca.issue("bob")).json()["code"] == "not_authorized"


for_dotted_path = ClientCA().authenticator()


def is_probe(request: HttpRequest) -> bool:
    return request.path_info == "/probe"


def is_alice(identity: ClientIdentity) -> bool:
    return identity.common_name == "alice"


def dns_names_of(identity: ClientIdentity) -> tuple[str, ...]:
    return identity.sans.dns_names


async def names_later(identity: ClientIdentity) -> str:
    return "late"


def test_an_overridden_setting_is_in_force_until_the_end_of_the_override(bundle: Path) -> None:
    client = Client()
    with configured({"CA": bundle}):
        assert get("/", client=client).status_code == 403
        before = authenticator()
        with override_settings(SSLCLIENTCERT={"CA": bundle, "REQUIRED": False}):
            assert get("/", client=client).status_code == 200
            assert authenticator() is not before
        assert get("/", client=client).status_code == 403


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ([("CA", "CA")], "must be a dict"),
        (None, "CA is not set"),
        ({}, "CA is not set"),
        ({"CA": "CA", "REQUIER": True}, "REQUIER is not an option; did you mean REQUIRED?; there are CA, CRL"),
        ({"CA": "CA", "required": True}, "required is not an option; did you mean REQUIRED?"),
        ({"CA": "CA", 5: True}, "5 is not an option"),
        ({"CA": "CA", "PROXY": "nginx2"}, "unknown proxy 'nginx2'"),
        ({"CA": "CA", "REQUIRED": 1}, "REQUIRED must be True or False"),
        ({"CA": "CA", "REQUIRED": "maybe"}, "REQUIRED='maybe': say one of 1, true"),
        ({"CA": "CA", "CRL": ""}, "CRL='' is empty"),
        ({"CA": "CA", "MAX_DEPTH": "many"}, "MAX_DEPTH='many'"),
        ({"CA": "CA", "TRUSTED_PROXIES": ["ingress"]}, "'ingress' is not an address"),
        ({"CA": "CA", "EXEMPT": "/healthz"}, "write exempt=['/healthz']"),
        ({"CA": "CA", "EXEMPT": ["healthz"]}, "start with '/'"),
        ({"CA": "CA", "AUTHORIZE": "no.such.rule"}, "No module named 'no'"),
        ({"CA": "CA", "USER_FROM": "dns"}, "there are common_name, email, upn, spiffe_id, fingerprint"),
        ({"CA": "CA", "USER_FROM": "comon_name"}, "did you mean 'common_name'?"),
        ({"CA": "CA", "USER_FROM": names_later}, "not awaited"),
        ({"CA": "CA", "USER_FROM": ["email", "comon_name"]}, "USER_FROM has 'comon_name'; did you mean 'common_name'"),
        ({"CA": "CA", "USER_FROM": "email, dns"}, "USER_FROM has 'dns'; there are common_name, email, upn"),
        ({"CA": "CA", "USER_FROM": []}, "USER_FROM is empty"),
        ({"CA": "CA", "USER_FROM": [7]}, "not awaited"),
        ({"CA": "CA", "CREATE_USERS": names_later}, "CREATE_USERS, if it is not True or False, is called"),
        ({"CA": "CA", "CREATE_USERS": "perhaps"}, "CREATE_USERS='perhaps'"),
        ({"CA": "CA", "CREATE_USERS": True, "USER_FROM": "email"}, "CREATE_USERS gives users a user name"),
        ({"AUTHENTICATOR": for_dotted_path, "PROXY": "nginx"}, "AUTHENTICATOR has its own PROXY"),
        ({"AUTHENTICATOR": f"{__name__}.PROJECT"}, "must be a ClientCertAuthenticator"),
    ],
)
def test_a_wrong_setting_is_told_when_the_application_starts(settings: Any, complaint: str, bundle: Path) -> None:
    if settings and "CA" in settings:
        settings = {**settings, "CA": bundle}
    with configured(settings), pytest.raises(ImproperlyConfigured) as raised:
        get("/")
    assert complaint in str(raised.value)


@pytest.mark.parametrize("text", ["false", "0", "no", "off"])
def test_a_flag_may_be_a_text(text: str, bundle: Path) -> None:
    with configured({"CA": bundle, "REQUIRED": text, "KEEP_HEADERS": text}):
        assert get("/").status_code == 200


def test_the_environment_configures_what_the_setting_does_not_say(
    bundle: Path, ca: ClientCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLCLIENTCERT_CA", str(bundle))
    monkeypatch.setenv("SSLCLIENTCERT_PROXY", "traefik")
    monkeypatch.setenv("SSLCLIENTCERT_REQUIRED", "no")
    for settings, proxy in ((None, "traefik"), ({}, "traefik"), ({"PROXY": "nginx", "CRL": None}, "nginx")):
        with configured(settings):
            assert authenticator().proxy.name == proxy
            assert get("/").status_code == 200
    with configured({"AUTHENTICATOR": ca.authenticator("caddy")}):
        assert authenticator().proxy.name == "caddy"
        assert get("/").status_code == 403


def test_a_wrong_variable_of_the_environment_is_told_by_its_name(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLCLIENTCERT_TRUSTED_PROXY", "10.0.0.1")
    with configured({"CA": bundle}), pytest.raises(ImproperlyConfigured) as raised:
        get("/")
    assert "SSLCLIENTCERT_TRUSTED_PROXY is not an option; did you mean SSLCLIENTCERT_TRUSTED_PROXIES?" in str(
        raised.value
    )


def test_a_wrong_value_keeps_its_cause(bundle: Path) -> None:
    with configured({"CA": bundle, "PROXY": "nginx2"}), pytest.raises(ImproperlyConfigured) as raised:
        authenticator()
    assert isinstance(raised.value.__cause__, ValueError)
    assert str(raised.value.__cause__) in str(raised.value)


# What is judged


@pytest.mark.parametrize("path", ["/healthy", "/healthy/class"])
def test_in_an_exempt_view_nothing_is_judged_and_nothing_left(
    path: str, ca: ClientCA, alice: IssuedCertificate
) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        for certificate in (None, alice, ca.expired()):
            assert get(path, certificate).status_code == 200
            assert SEEN.identity is None
            assert not [name for name in SEEN.header_names if "cert" in name.lower()]
        assert get(f"{path}/nowhere").status_code == 403


def test_no_url_is_resolved_twice_where_no_view_is_exempt(
    ca: ClientCA, alice: IssuedCertificate, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(middleware, "resolve", resolve)
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        with pytest.raises(AssertionError):
            middleware.judge(rf.get("/", headers=alice.headers()))
        monkeypatch.setattr(middleware, "EXEMPT", [])
        assert middleware.judge(rf.get("/", headers=alice.headers())) is not None


def test_an_exempt_view_is_no_refusal_in_the_log(ca: ClientCA, caplog: pytest.LogCaptureFixture) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}), caplog.at_level(logging.INFO, "sslclientcert"):
        get("/healthy")
        assert caplog.records == []
        get("/")
    assert [record.code for record in caplog.records if record.name == "sslclientcert"] == ["certificate_missing"]  # type: ignore[attr-defined]


def test_on_an_exempt_path_nothing_is_judged_and_nothing_left(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "EXEMPT": ["/probe"]}):
        for certificate in (None, alice, ca.expired()):
            assert get("/probe", certificate).status_code == 200
            assert SEEN.identity is None
            assert not [name for name in SEEN.header_names if "cert" in name.lower()]
        assert get("/probe/").status_code == 403


@sync_and_async_middleware
def to_the_other_site(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def middleware(request: HttpRequest) -> Any:
        setattr(request, "urlconf", OTHER_SITE)  # noqa: B010  # as django-hosts does; the stubs want a module's name
        return get_response(request)

    return markcoroutinefunction(middleware) if iscoroutinefunction(get_response) else middleware


OTHER_SITE: Any = types.ModuleType("other_site")
OTHER_SITE.urlpatterns = [
    django_path("healthy", look),
    django_path("healthy/class", healthy),
    django_path("probe", look),
]


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_a_view_is_not_exempt_because_another_site_has_an_exempt_view_at_its_path(
    client: type[Client | AsyncClient], ca: ClientCA, alice: IssuedCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(url: str, headers: dict[str, str]) -> HttpResponse:
        answer: Any = client().get(url, headers=headers)
        return cast("HttpResponse", asyncio.run(awaited(answer)) if inspect.isawaitable(answer) else answer)

    options = {"AUTHENTICATOR": ca.authenticator(), "EXEMPT": ["/probe"]}
    with configured(options, JUDGE, f"{__name__}.to_the_other_site"):
        # With a certificate neither: it was ignored. That middleware belongs in front.
        for headers in ({}, alice.headers()):
            assert json.loads(ask("/healthy", headers).content)["code"] == "certificate_missing"
        assert not SEEN.reached
        assert ask("/healthy/class", {}).status_code == ask("/probe", {}).status_code == 200
        monkeypatch.setattr(OTHER_SITE, "handler403", handler403, raising=False)
        assert ask("/healthy", {}).content.startswith(b"our own page: certificate_missing")


async def awaited(value: Any) -> Any:
    return await value


@pytest.mark.parametrize("path", ["/", "/healthy", "/probe"])
def test_nobody_opens_a_tunnel(path: str, ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "EXEMPT": ["/probe"], "REQUIRED": False}):
        for headers in ({}, alice.headers()):
            assert Client().generic("CONNECT", path, headers=headers).json()["code"] == "proxy_untrusted"


def test_a_path_that_does_not_exist_needs_a_certificate_too(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        assert get("/no/such/path").status_code == 403
        assert get("/no/such/path", alice).status_code == 404


def test_the_raw_headers_stay_if_the_setting_says_so(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "KEEP_HEADERS": True}):
        get("/", alice)
    assert "Ssl-Client-Cert" in SEEN.header_names


def read_headers_first(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        assert "ssl-client-cert" in request.headers
        return get_response(request)

    return middleware


def test_the_raw_headers_are_gone_also_for_who_has_read_them_before(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}, f"{__name__}.read_headers_first", JUDGE):
        get("/", alice)
    assert SEEN.reached
    assert not [name for name in SEEN.header_names if "cert" in name.lower()]


def test_the_identity_of_a_request_that_nobody_judged_is_an_error_in_the_configuration(rf: RequestFactory) -> None:
    with pytest.raises(ImproperlyConfigured, match="ClientCertMiddleware"):
        client_identity(rf.get("/"))


@pytest.fixture
def rf() -> RequestFactory:
    return RequestFactory()


# Views


@pytest.mark.parametrize("path", ["/guarded", "/guarded/async"])
def test_a_guarded_view_requires_a_certificate_where_the_settings_do_not(
    path: str, ca: ClientCA, alice: IssuedCertificate
) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}):
        assert get(path, alice).status_code == 200
        SEEN.clear()
        refused = get(path)
    assert (refused.status_code, refused.json()["code"]) == (403, "certificate_missing")
    assert refused["content-type"] == "application/problem+json"
    assert not SEEN.reached


FOR_ALICE = ["/alice", "/alice/async", "/alice/class", "/alice/class/async", "/alice/class/function"]


@pytest.mark.parametrize("path", FOR_ALICE)
def test_a_view_with_a_rule_lets_in_who_passes_it(path: str, ca: ClientCA, alice: IssuedCertificate) -> None:
    told: list[Any] = []
    judge = ClientCertAuthenticator(ca.trust_store(), audit=told.append)
    with configured({"AUTHENTICATOR": judge, "REQUIRED": False}):
        assert get(path, alice).status_code == 200
        SEEN.clear()
        for certificate, code in ((ca.issue("bob"), "not_authorized"), (None, "certificate_missing")):
            refused = get(path, certificate)
            assert (refused.status_code, refused.json()["code"]) == (403, code)
        assert not SEEN.reached
    codes = [decision.error and decision.error.code for decision in told]
    assert codes == [None, None, "not_authorized", "certificate_missing"]
    assert {decision.peer for decision in told} == {PROXY}


def test_a_rule_given_to_as_view_stands_in_for_that_of_the_class(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        assert get("/alice/class/argument", ca.issue("bob")).status_code == 200
        assert get("/alice/class/argument", alice).status_code == 403


def test_a_guarded_view_without_the_middleware_is_an_error(rf: RequestFactory) -> None:
    @client_cert_required(rules.common_name("alice"))
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("hello")

    with pytest.raises(ImproperlyConfigured):
        view(rf.get("/"))


# Refusals


def test_a_refusal_is_problem_details_that_nobody_may_cache(ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        refused = get("/", ca.expired())
    assert (refused["content-type"], refused["cache-control"]) == ("application/problem+json", "no-store")
    assert refused.json() == {
        "title": "The client certificate has expired.",
        "status": 403,
        "code": "certificate_expired",
    }


@pytest.mark.parametrize("path", ["/", "/alice", "/alice/class"])
def test_a_projects_own_handler_answers_refusals_and_knows_their_code(path: str, ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}, ROOT_URLCONF=BRANDED):
        missing = get(path)
        assert (missing.status_code, missing.content) == (
            403,
            b"our own page: certificate_missing: A client certificate is required.",
        )
        if path != "/":
            assert b"our own page: not_authorized" in get(path, ca.issue("bob")).content
        malformed = get(path, ca.not_a_certificate())
        assert (malformed.status_code, malformed.content) == (
            400,
            b"our own page: certificate_malformed: The forwarded client certificate cannot be parsed.",
        )


@pytest.mark.parametrize(
    ("limit", "since", "status"), [(500, None, 431), (65536, datetime(2001, 1, 1, tzinfo=UTC), 503)]
)
def test_a_projects_own_handler_answers_every_refusal_with_the_errors_own_status(
    limit: int, since: datetime | None, status: int, ca: ClientCA, alice: IssuedCertificate
) -> None:
    judge = (ca if since is None else ClientCA("Old CA", now=since)).authenticator(max_header_bytes=limit)
    with configured({"AUTHENTICATOR": judge}, ROOT_URLCONF=BRANDED):
        refused = get("/", alice)
    assert refused.status_code == status
    assert refused.content.startswith(b"our own page: ")


def test_a_browser_is_refused_with_a_page(ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}):
        for path, certificate in (("/", ca.expired()), ("/alice", None)):
            headers = {**(certificate.headers() if certificate else {}), "accept": "text/html, */*;q=0.8"}
            refused = Client().get(path, headers=headers)
            assert (refused.status_code, refused["content-type"]) == (403, "text/html; charset=utf-8")
            assert b"<code>certificate_" in refused.content


class Answering:
    """Somebody's middleware that answers exceptions of views."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse(f"{type(exception).__name__}: {exception}", status=418)


def test_the_middleware_of_a_project_sees_the_refusals_of_views(ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, JUDGE, f"{__name__}.Answering"):
        answer = get("/guarded")
    assert (answer.status_code, answer.content) == (418, b"ClientCertDenied: A client certificate is required.")


def test_the_exceptions_of_others_are_left_to_them(ca: ClientCA, rf: RequestFactory) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}):
        middleware = ClientCertMiddleware(lambda request: HttpResponse("hello"))
        assert middleware.process_exception(rf.get("/"), ValueError("of a view")) is None


@pytest.mark.parametrize("debug", [True, False])
def test_no_page_of_django_shows_the_detail(debug: bool, ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator()}, DEBUG=debug):
        for certificate in (ca.expired("mallory"), ca.not_a_certificate(), ca.issue("mallory")):
            assert b"mallory" not in get("/alice", certificate).content


# Users


@pytest.fixture
def _users() -> Iterator[None]:
    with database():
        User.objects.create_user("alice", "alice@example.org", "secret")
        User.objects.create_user("bob", "bob@example.org", "secret")
        yield


USERS = pytest.mark.usefixtures("_users")


def user_of(identity: ClientIdentity, **settings: Any) -> str | None:
    with configured({"AUTHENTICATOR": for_dotted_path, **settings}):
        user = ClientCertBackend().authenticate(None, identity)
    return None if user is None else user.get_username()


@USERS
@pytest.mark.parametrize(
    ("source", "name", "options"),
    [
        ("common_name", "alice", {}),
        ("email", "alice@example.org", {"emails": ["alice@example.org"]}),
        ("upn", "alice@corp", {"upns": ["alice@corp"]}),
        ("spiffe_id", "spiffe://example.org/alice", {"uris": ["spiffe://example.org/alice"]}),
        (lambda identity: identity.sans.dns_names, "alice.example", {"dns_names": ["alice.example"]}),
        (f"{__name__}.dns_names_of", "alice.example", {"dns_names": ["alice.example"]}),
        (lambda identity: identity.organizations[0], "Alice Ltd", {"organization": "Alice Ltd"}),
    ],
    ids=["common_name", "email", "upn", "spiffe_id", "function", "dotted path", "function of one name"],
)
def test_a_user_is_found_by_the_name_that_the_settings_say(source: Any, name: str, options: Any) -> None:
    other = forged_identity("bob", emails=["mallory@example.org"], organization="Other")
    if source == "email":
        assert user_of(forged_identity("x", **options), USER_FROM=source) == "alice"
    else:
        User.objects.filter(username="alice").update(username=name)
        assert user_of(forged_identity("alice", **options), USER_FROM=source) == name
    assert user_of(other, USER_FROM=source) == ("bob" if source == "common_name" else None)


@USERS
def test_a_user_is_found_by_the_fingerprint() -> None:
    identity = forged_identity("whoever")
    assert user_of(identity, USER_FROM="fingerprint") is None
    User.objects.filter(username="alice").update(username=identity.fingerprint_sha256)
    assert user_of(identity, USER_FROM="fingerprint") == identity.fingerprint_sha256


@USERS
@pytest.mark.parametrize("source", [["upn", "email"], ("email", lambda identity: None), "upn, email"], ids=str)
def test_several_names_may_be_a_users(source: Any) -> None:
    alice = forged_identity("x", upns=["alice@corp"], emails=["alice@example.org"])
    assert user_of(alice, USER_FROM=source, USER_FIELD="email") == "alice"
    assert user_of(forged_identity("x", emails=["eve@example.org"]), USER_FROM=source, USER_FIELD="email") is None


@USERS
def test_names_of_several_kinds_that_are_two_users_are_nobody() -> None:
    both = forged_identity("alice", emails=["bob"])
    assert user_of(both, USER_FROM=["common_name", "email"]) is None
    assert user_of(both, USER_FROM=["common_name"]) == "alice"
    assert user_of(both, USER_FROM=["email"], USER_FIELD="username") == "bob"


@USERS
def test_a_list_of_the_address_alone_is_compared_with_the_address_too() -> None:
    assert user_of(forged_identity("x", emails=["alice@example.org"]), USER_FROM=["email"]) == "alice"


@USERS
def test_another_field_may_hold_the_names() -> None:
    User.objects.filter(username="alice").update(last_name="spiffe://example.org/alice")
    identity = forged_identity("bob", uris=["spiffe://example.org/alice"])
    assert user_of(identity, USER_FROM="spiffe_id", USER_FIELD="last_name") == "alice"


@USERS
def test_a_certificate_that_fits_two_users_finds_no_user() -> None:
    both = forged_identity("x", emails=["alice@example.org", "bob@example.org"])
    assert user_of(both, USER_FROM="email") is None
    one_of_two = forged_identity("x", emails=["alice@example.org", "nobody@example.org"])
    assert user_of(one_of_two, USER_FROM="email") == "alice"
    User.objects.filter(username="bob").update(email="alice@example.org")
    assert user_of(one_of_two, USER_FROM="email") is None


@USERS
@pytest.mark.parametrize("name", ["Alice", "alice ", "ALICE", "", "ali\0ce", "%"])
def test_a_name_that_is_only_similar_is_nobodys(name: str) -> None:
    assert user_of(forged_identity("x"), USER_FROM=lambda identity: name) is None


@USERS
def test_a_database_that_does_not_mind_case_finds_nobody_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = User.objects.annotate(client_certificate_name=F("username")).filter(username="alice")
    monkeypatch.setattr(backends, "_having", lambda names: found)
    assert user_of(forged_identity("alice")) == "alice"
    assert user_of(forged_identity("ALICE")) is None
    assert user_of(forged_identity("ALICE"), CREATE_USERS=True) is None


@USERS
def test_an_identity_without_a_name_is_nobody() -> None:
    User.objects.filter(username="alice").update(email="")
    assert user_of(forged_identity("x"), USER_FROM="email") is None
    assert user_of(forged_identity("x"), USER_FROM=lambda identity: None) is None


@USERS
def test_an_inactive_user_is_refused() -> None:
    User.objects.filter(username="alice").update(is_active=False)
    assert user_of(forged_identity("alice")) is None


@USERS
def test_names_that_are_no_text_are_an_error_of_the_function() -> None:
    with pytest.raises(TypeError, match="USER_FROM must give names"):
        user_of(forged_identity("alice"), USER_FROM=lambda identity: [7])


@USERS
def test_an_unknown_user_is_created_only_if_the_settings_say_so() -> None:
    assert user_of(forged_identity("carol")) is None
    assert not User.objects.filter(username="carol").exists()
    assert user_of(forged_identity("carol"), CREATE_USERS=True) == "carol"
    carol = User.objects.get(username="carol")
    assert not carol.has_usable_password()
    assert user_of(forged_identity("carol"), CREATE_USERS=True) == "carol"
    assert User.objects.filter(username="carol").count() == 1


def fields_of_new(identity: ClientIdentity) -> dict[str, object] | None:
    if identity.common_name == "eve":
        return None
    return {"first_name": "Carol", "email": identity.sans.emails[0], "username": "root", "password": "secret"}


@USERS
@pytest.mark.parametrize("create", [fields_of_new, f"{__name__}.fields_of_new"], ids=["function", "path"])
def test_a_function_gives_the_fields_of_a_new_user_or_creates_none(create: Any) -> None:
    carol = forged_identity("carol", emails=["carol@example.org"])
    assert user_of(carol, CREATE_USERS=create) == "carol"
    made = User.objects.get(username="carol")
    assert (made.first_name, made.email, made.has_usable_password()) == ("Carol", "carol@example.org", False)
    assert user_of(forged_identity("eve"), CREATE_USERS=create) is None
    assert set(User.objects.values_list("username", flat=True)) == {"alice", "bob", "carol"}


@USERS
@pytest.mark.parametrize("names", [["carol", "dave"], ["x" * 151], [""]])
def test_no_user_is_created_of_names_that_are_not_one_or_too_long(names: list[str]) -> None:
    assert user_of(forged_identity("x"), CREATE_USERS=True, USER_FROM=lambda identity: names) is None
    assert User.objects.count() == 2


@USERS
def test_no_user_is_created_next_to_an_inactive_one() -> None:
    User.objects.filter(username="alice").update(is_active=False)
    assert user_of(forged_identity("alice"), CREATE_USERS=True) is None


@USERS
def test_a_user_that_somebody_else_made_meanwhile_is_judged_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    original = QuerySet.get_or_create

    def too_late(users: QuerySet[User], **fields: Any) -> Any:
        User.objects.create_user("carol", is_active=False)
        return original(users, **fields)

    monkeypatch.setattr(QuerySet, "get_or_create", too_late)
    assert user_of(forged_identity("carol"), CREATE_USERS=True) is None
    with configured({"AUTHENTICATOR": for_dotted_path, "CREATE_USERS": True}):
        User.objects.all().delete()
        assert asyncio.run(ClientCertBackend().aauthenticate(None, forged_identity("carol"))) is None
    assert not User.objects.get(username="carol").is_active


@USERS
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "eve"}, "looked for username 'eve': there is no such user"),
        ({"name": "alice"}, "looked for username 'alice': the user is not active"),
        (
            {"name": "x", "emails": ["bob@example.org"]},
            "looked for email 'bob@example.org': there are several such users",
        ),
        ({"name": "Zo\u00eb\n"}, "looked for username 'Zo\\xeb\\n': there is no such user"),
    ],
)
def test_the_log_says_by_which_name_no_user_was_found(
    options: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    User.objects.filter(username="alice").update(is_active=False)
    User.objects.create_user("robert", "bob@example.org")
    with caplog.at_level(logging.INFO, "sslclientcert"):
        assert user_of(forged_identity(**options), USER_FROM="email" if "emails" in options else "common_name") is None
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"no user for the client certificate: {said}")
    ]


class Silent:
    """A backend as there are: with the synchronous half alone, and open to whatever it may be given."""

    asked = 0

    def authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        Silent.asked += 1


class Forbidding(Silent):
    def authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        raise PermissionDenied


@USERS
def test_the_backends_that_take_an_identity_are_asked_one_after_the_other_and_no_signal_is_sent(
    rf: RequestFactory,
) -> None:
    failures: list[Any] = []

    def note(**signal: Any) -> None:
        failures.append(signal)

    user_login_failed.connect(note)
    asked = Silent.asked
    backends = [f"{__name__}.Silent", f"{__name__}.{PasswordsOnly.__name__}", BACKEND]
    try:
        with configured({"AUTHENTICATOR": for_dotted_path}, AUTHENTICATION_BACKENDS=backends):
            assert find_user(rf.get("/"), forged_identity("alice")).backend == BACKEND
            assert find_user(rf.get("/"), forged_identity("eve")) is None
    finally:
        user_login_failed.disconnect(note)
    assert (Silent.asked - asked, failures) == (2, [])


class PasswordsOnly:
    def authenticate(self, request: HttpRequest, username: str, password: str) -> None:
        raise NotImplementedError


@USERS
def test_a_backend_that_denies_permission_ends_the_search(rf: RequestFactory) -> None:
    backends = [f"{__name__}.Forbidding", BACKEND]
    with configured({"AUTHENTICATOR": for_dotted_path}, AUTHENTICATION_BACKENDS=backends):
        assert find_user(rf.get("/"), forged_identity("alice")) is None


def test_the_backend_knows_no_passwords() -> None:
    with pytest.raises(TypeError):
        ClientCertBackend().authenticate(None, username="alice", password="secret")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


WITHOUT_SESSIONS = (JUDGE, USER)
WITH_SESSIONS = (JUDGE, *SESSIONS, USER)
either = pytest.mark.parametrize("middleware", [WITHOUT_SESSIONS, WITH_SESSIONS], ids=["no sessions", "sessions"])


@USERS
@either
@pytest.mark.parametrize("path", ["/user", "/user/async"])
def test_the_certificates_user_is_the_user_of_the_request(
    middleware: tuple[str, ...], path: str, ca: ClientCA, alice: IssuedCertificate
) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *middleware):
        answer = get(path, alice)
        assert (answer.content, SEEN.user.backend) == (b"alice", BACKEND)
        assert answer.cookies == {}
        for certificate in (None, ca.issue("nobody")):
            assert get(path, certificate).content == b"AnonymousUser"
            assert isinstance(SEEN.user, AnonymousUser)


@USERS
@either
def test_login_required_lets_users_in_and_nobody_else(
    middleware: tuple[str, ...], ca: ClientCA, alice: IssuedCertificate
) -> None:
    login_required = "django.contrib.auth.middleware.LoginRequiredMiddleware"
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *middleware, login_required):
        assert get("/user", alice).status_code == 200
        for certificate in (None, ca.issue("nobody")):
            answer = get("/user", certificate)
            assert (answer.status_code, answer["location"]) == (302, "/login?next=/user")
        assert get("/healthy").status_code == 200


@USERS
def test_without_a_certificate_a_session_keeps_its_user(ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *WITH_SESSIONS):
        client = Client()
        client.login(username="bob", password="secret")
        assert get("/user", client=client).content == b"bob"


@USERS
def test_a_session_of_the_same_user_goes_on(ca: ClientCA, alice: IssuedCertificate) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *WITH_SESSIONS):
        client = Client()
        client.login(username="alice", password="secret")
        assert get("/user", alice, client).content == b"alice"
        assert get("/user", client=client).content == b"alice"


@USERS
@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_a_session_of_another_user_is_refused_and_ended(
    name: str, ca: ClientCA, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = ca.issue(name)
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *WITH_SESSIONS):
        client = Client()
        client.login(username="bob", password="secret")
        refused = get("/user", certificate, client)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_authorized")
        assert b"bob" not in refused.content
        assert not SEEN.reached
        assert get("/user", client=client).content == b"AnonymousUser"
    assert "the session is of 'bob'" in caplog.text


@USERS
def test_a_session_is_not_restored_without_the_certificate(ca: ClientCA) -> None:
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *WITH_SESSIONS):
        client = Client()
        client.force_login(User.objects.get(username="alice"), BACKEND)
        assert get("/user", client=client).content == b"AnonymousUser"
        client.force_login(User.objects.get(username="alice"), MODEL_BACKEND)
        assert get("/user", client=client).content == b"alice"


@USERS
def test_a_header_with_the_name_of_a_user_means_nothing(ca: ClientCA) -> None:
    names = ("remote-user", "sslclientcert-user", "x-remote-user", "client-identity")
    with configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *WITH_SESSIONS):
        assert Client().get("/user", headers=dict.fromkeys(names, "alice")).content == b"AnonymousUser"


# System checks


def messages(*, deploy: bool = False) -> list[str]:
    found = checks.run_checks(include_deployment_checks=deploy)
    return [str(message.id) for message in found if str(message.id).startswith("sslclientcert.")]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, []),
        ({"PROXY": "nginx2"}, ["sslclientcert.E001"]),
        ({"REQUIER": True}, ["sslclientcert.E001"]),
        ({"CA": "/no/such/ca.crt"}, ["sslclientcert.E002"]),
        ({"CRL": "/no/such/ca.crl"}, ["sslclientcert.E002"]),
        ({"CA": __file__}, ["sslclientcert.E001"]),
        ({"TRUSTED_PROXIES": "*"}, ["sslclientcert.W001"]),
        ({"TRUSTED_PROXIES": ["10.0.0.1", "*"]}, ["sslclientcert.W001"]),
        ({"TRUSTED_PROXIES": "0.0.0.0/1, 128.0.0.0/1"}, ["sslclientcert.W001"]),
        ({"TRUSTED_PROXIES": "::/0"}, ["sslclientcert.W001"]),
        ({"TRUSTED_PROXIES": "10.0.0.0/8, unix"}, []),
    ],
)
def test_the_system_checks_find_what_is_wrong_with_the_settings(settings: Any, found: list[str], bundle: Path) -> None:
    with configured({"CA": bundle, **settings}):
        assert messages(deploy=True) == found
        assert messages() == [each for each in found if "W" not in each]


class Derived(ClientCertMiddleware):
    """A project's own."""


LOGIN_REQUIRED = "django.contrib.auth.middleware.LoginRequiredMiddleware"
CACHE = "django.middleware.cache.FetchFromCacheMiddleware"


@pytest.mark.parametrize(
    ("middleware", "found"),
    [
        ((JUDGE, *SESSIONS, USER, LOGIN_REQUIRED), []),
        ((JUDGE, CACHE), []),
        ((f"{__name__}.Derived", USER), []),
        ((f"{__name__}.read_headers_first", "no.such.Middleware", JUDGE), []),
        ((*SESSIONS, USER, JUDGE), ["sslclientcert.E003"]),
        ((USER, f"{__name__}.Derived"), ["sslclientcert.E003"]),
        ((USER,), ["sslclientcert.E003"]),
        ((JUDGE, USER, *SESSIONS), ["sslclientcert.E003"]),
        ((JUDGE, *SESSIONS, LOGIN_REQUIRED, USER), ["sslclientcert.E003"]),
        ((CACHE, JUDGE), ["sslclientcert.E003"]),
    ],
)
def test_the_system_checks_find_middleware_in_the_wrong_order(
    middleware: tuple[str, ...], found: list[str], bundle: Path
) -> None:
    with configured({"CA": bundle}, *middleware):
        assert messages() == found


def test_the_system_checks_find_that_no_backend_knows_identities(bundle: Path) -> None:
    with configured({"CA": bundle}, JUDGE, USER, AUTHENTICATION_BACKENDS=[MODEL_BACKEND]):
        assert messages() == ["sslclientcert.E004"]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"USER_FROM": "email"}, []),
        ({"USER_FROM": "spiffe_id", "USER_FIELD": "last_name"}, []),
        ({"USER_FIELD": "emial"}, ["sslclientcert.E005"]),
        ({"USER_FIELD": "email__no_such_lookup"}, ["sslclientcert.E005"]),
        ({"USER_FIELD": "groups"}, ["sslclientcert.E005"]),
        ({"USER_FIELD": "id"}, ["sslclientcert.E005"]),
        ({"USER_FIELD": "date_joined"}, ["sslclientcert.E005"]),
        ({"USER_FIELD": "emial", "PROXY": "nginx2"}, ["sslclientcert.E001"]),
    ],
)
def test_the_system_checks_find_a_field_that_holds_no_names(settings: Any, found: list[str], bundle: Path) -> None:
    with configured({"CA": bundle, **settings}, JUDGE, USER):
        assert messages() == found


def test_the_system_check_of_a_field_says_which_there_are(bundle: Path) -> None:
    with configured({"CA": bundle, "USER_FIELD": "emial"}, JUDGE, USER):
        (said,) = (each.msg for each in checks.run_checks() if str(each.id).startswith("sslclientcert."))
    assert said.startswith("USER_FIELD is 'emial', which is not a text field of the user model: Cannot resolve keyword")
    assert "email" in said.partition("Choices are: ")[2]


def test_the_system_checks_find_settings_about_users_that_nobody_asks(bundle: Path) -> None:
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "sslclientcert.django"]
    with override_settings(INSTALLED_APPS=apps), configured({"CA": bundle, "USER_FROM": "email"}):
        assert messages() == ["sslclientcert.W002"]
    with override_settings(INSTALLED_APPS=apps), configured({"CA": bundle, "USER_FROM": "email"}, JUDGE, USER):
        assert messages() == []
    with configured({"CA": bundle, "USER_FROM": "email"}):  # REST framework's authentication asks, too
        assert messages() == []


wrapped = AsgiMiddleware(cast("Any", names_later), ClientCA().authenticator())


class Routing:
    """What the check knows of Channels' ProtocolTypeRouter; tests/neighbours has the real one."""

    application_mapping: ClassVar[dict[str, object]] = {"http": names_later, "websocket": wrapped}


routed = Routing()


@pytest.mark.parametrize(
    ("application", "found"),
    [
        ("wrapped", []),
        ("routed", []),
        ("names_later", ["sslclientcert.W003"]),
        ("no_such_name", ["sslclientcert.W003"]),
        (None, ["sslclientcert.W003"]),
    ],
)
def test_the_system_checks_find_that_consumers_are_not_protected(
    application: str | None, found: list[str], bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = application and f"{__name__}.{application}"
    with configured({"CA": bundle}, ASGI_APPLICATION=path):
        assert messages() == []
        monkeypatch.setattr("sslclientcert.django.checks.apps.is_installed", lambda name: name == "channels")
        assert messages() == found


def test_the_command_says_what_is_wrong(bundle: Path) -> None:
    with configured({"CA": bundle, "PROXY": "nginx2"}), pytest.raises(SystemCheckError) as raised:
        call_command("check", stdout=StringIO(), stderr=StringIO())
    assert "sslclientcert.E001" in str(raised.value)
    assert "unknown proxy 'nginx2'; did you mean 'nginx'?; the table has nginx-ingress" in str(raised.value)


def test_the_command_warns_of_any_peer_where_it_is_asked_about_deployment(bundle: Path) -> None:
    with configured({"CA": bundle, "TRUSTED_PROXIES": "*"}):
        call_command("check", fail_level="WARNING", stdout=StringIO(), stderr=StringIO())
        with pytest.raises(SystemCheckError) as raised:
            call_command("check", deploy=True, fail_level="WARNING", stdout=StringIO(), stderr=StringIO())
    assert "sslclientcert.W001" in str(raised.value)


OPTIONS = [*OPTIONS_OF_AUTHENTICATOR, "authorize", "audit", "authenticator", "required", "exempt", "keep_headers"]


@pytest.mark.parametrize("option", [*OPTIONS, "user_from", "user_field", "create_users"])
def test_the_page_names_every_setting(option: str) -> None:
    assert f"`{option.upper()}`" in PAGE.read_text(encoding="utf-8")


# In tests of applications


def test_an_applications_tests_make_its_own_authenticator_trust_their_ca(bundle: Path) -> None:
    stranger = ClientCA("of a test")
    with configured({"CA": bundle, "TRUSTED_PROXIES": "10.0.0.0/8"}):
        assert get("/", stranger.issue()).status_code == 403
        with trusting(authenticator(), stranger):
            assert get("/", stranger.issue()).status_code == 200
        assert get("/", stranger.issue()).status_code == 403


def test_without_django_the_import_names_the_extra() -> None:
    code = "import sys; sys.modules['django'] = None; import sslclientcert.django"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "sslclientcert[django]"' in done.stderr


# Real servers


@pytest.mark.parametrize("gateway", ["gunicorn", "uvicorn-h11", "uvicorn-httptools"])
def test_the_example_keeps_the_contract_under_a_real_server(gateway: str, ca: ClientCA, tmp_path: Path) -> None:
    alice = ca.issue("alice").headers()
    rows: list[tuple[list[tuple[str, str]], str]] = [
        ([], "certificate_missing"),
        ([*ca.expired().headers().items()], "certificate_expired"),
        ([*ca.stranger().headers().items()], "certificate_untrusted"),
        ([("ssl-client-cert", "%garbage")], "header_malformed"),
        ([("ssl-client-cert", alice["ssl-client-cert"])] * 2, "header_"),
        ([*alice.items(), ("ssl-client-verify", "NONE")], "header_"),
    ]
    with example("django_app", gateway, ca, tmp_path) as served:
        host = ("host", "app.example")
        assert served.get("/healthz", [host]).body == b"ok", (tmp_path / "log").read_text()
        for headers, code in rows:
            refused = served.get("/me", [host, *headers])
            assert refused.json["code"].startswith(code)
            assert refused.headers["content-type"] == "application/problem+json"
        accepted = served.get("/me", [host, *alice.items()])
        assert accepted.json["common_name"] == "alice", accepted
        twin = [host, ("ssl_client_cert", alice["ssl-client-cert"])]
        assert served.get("/me", twin).status in (400, 403)
