"""docs/recipes.md: each recipe, as the page has it, with the package that it is for."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.cookies import SimpleCookie
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from starlette.testclient import TestClient
from werkzeug.test import Client, TestResponse

from sslclientcert import ClientCertError
from sslclientcert.flask import ClientCert
from sslclientcert.testing import ClientCA, IssuedCertificate

from .recipes import Reply, ask, served, write

GUNICORN = ["-m", "gunicorn", "--bind=fd://{fd}"]
Headers = list[tuple[str, str]]


@pytest.fixture(scope="module")
def folder(ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write("recipes", tmp_path_factory.mktemp("recipes"), ca)


@pytest.fixture
def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """A function that imports a file of the page, in its folder."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    before = {*sys.modules}
    yield importlib.import_module
    for name in {*sys.modules} - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == folder:
            del sys.modules[name]


def sent(certificate: IssuedCertificate) -> Headers:
    return [*certificate.headers().items()]


# REMOTE_USER

FLASK_APPBUILDER = """
    from flask import Flask, g, request
    from flask_appbuilder import AppBuilder
    from flask_appbuilder.const import AUTH_REMOTE_USER
    from flask_appbuilder.utils.legacy import get_sqla_class
    from remote_user import protect

    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="of the tests",
        SQLALCHEMY_DATABASE_URI="sqlite:///:memory:",
        AUTH_TYPE=AUTH_REMOTE_USER,
        AUTH_USER_REGISTRATION=True,
        AUTH_USER_REGISTRATION_ROLE="Public",
    )
    database = get_sqla_class()(app)
    with app.app_context():
        AppBuilder(app, database.session)

    @app.get("/who")
    def who():
        return {
            "user": g.user.username if g.user.is_authenticated else None,
            "variables": [request.environ.get("REMOTE_USER"), request.environ.get("AUTH_TYPE")],
        }

    protect(app)
"""


class Browser:
    """A client with a certificate, and the cookies of its session."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies = SimpleCookie()

    def get(self, path: str, certificate: IssuedCertificate | None, *headers: tuple[str, str]) -> Reply:
        shown = sent(certificate) if certificate else []
        cookies = [("cookie", f"{name}={morsel.value}") for name, morsel in self._cookies.items()]
        reply = ask(self._port, [*shown, *headers, *cookies], path)
        for line in reply.headers.get_all("set-cookie", []):
            self._cookies.load(line)
        return reply


@pytest.fixture(scope="module")
def appbuilder(folder: Path) -> Iterator[int]:
    (folder / "superset.py").write_text(dedent(FLASK_APPBUILDER), encoding="utf-8")
    with served(folder, [*GUNICORN, "superset:app"]) as port:
        yield port


def test_flask_appbuilder_logs_the_certificates_user_in(appbuilder: int, alice: IssuedCertificate) -> None:
    browser = Browser(appbuilder)
    assert browser.get("/who", alice).json == {"user": None, "variables": ["alice@example.org", "CLIENT_CERT"]}
    assert browser.get("/login/", alice).status == 302
    assert browser.get("/who", alice).json["user"] == "alice@example.org"


def test_without_a_certificate_a_session_is_worth_nothing(
    appbuilder: int, alice: IssuedCertificate, ca: ClientCA
) -> None:
    browser = Browser(appbuilder)
    browser.get("/login/", alice)
    for certificate, code in ((None, "certificate_missing"), (ca.stranger(), "certificate_untrusted")):
        reply = browser.get("/who", certificate)
        assert (reply.status, reply.code) == (403, code)


def test_a_session_ends_where_another_certificate_comes_with_it(
    appbuilder: int, alice: IssuedCertificate, ca: ClientCA
) -> None:
    browser = Browser(appbuilder)
    browser.get("/login/", alice)
    bob = ca.issue("bob", emails=["bob@example.org"])
    assert browser.get("/who", bob).status == 403
    assert browser.get("/who", bob).json["user"] is None
    browser.get("/login/", bob)
    assert browser.get("/who", bob).json["user"] == "bob@example.org"


@pytest.mark.parametrize("emails", [[], ["bob@example.org", "alice@example.org"]])
def test_a_client_without_exactly_one_address_has_no_user(appbuilder: int, emails: list[str], ca: ClientCA) -> None:
    browser = Browser(appbuilder)
    claims = [(name, "alice@example.org") for name in ("Remote-User", "X-Remote-User", "Auth-Type")]
    mallory = ca.issue("alice@example.org", emails=emails)
    browser.get("/login/", mallory, *claims)
    assert browser.get("/who", mallory, *claims).json == {"user": None, "variables": [None, None]}


def test_what_a_server_sets_itself_is_removed(load: Callable[[str], Any], alice: IssuedCertificate) -> None:
    remote_user = load("remote_user")
    app = Flask("tests")
    app.add_url_rule("/", view_func=lambda: [request.environ.get(name) for name in ("REMOTE_USER", "AUTH_TYPE")])
    app.wsgi_app = remote_user.ClientCertMiddleware(  # type: ignore[method-assign]
        remote_user.RemoteUser(app.wsgi_app), remote_user.authenticator, exempt=["/"]
    )
    environ = {"REMOTE_USER": "root", "AUTH_TYPE": "Basic"}
    assert app.test_client().get("/", headers=alice.headers(), environ_base=environ).json == [None, None]


# Rate limits


def test_flask_limiter_counts_by_the_clients_key(folder: Path, ca: ClientCA) -> None:
    with served(folder, [*GUNICORN, "rate_limits:app"]) as port:
        alice, bob = ca.issue("alice"), ca.issue("bob")
        assert [ask(port, sent(alice)).status for _ in range(3)] == [200, 200, 429]
        assert ask(port, sent(bob)).status == 200
        assert ask(port).code == "certificate_missing"


# Django: the page's settings, with views of the tests

URLS = """
    from django.http import JsonResponse
    from django.urls import path
    from rest_framework.decorators import api_view
    from rest_framework.response import Response


    @api_view(["GET"])
    def api(request):
        return Response(request.auth.common_name)


    def groups(request):
        return JsonResponse(sorted(request.user.groups.values_list("name", flat=True)), safe=False)


    urlpatterns = [path("api", api), path("groups", groups)]
"""
TABLES = """
    import wsgi
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command

    call_command("check", fail_level="WARNING")
    call_command("migrate", verbosity=0)
    for name in ("buyers", "packers", "staff"):
        Group.objects.create(name=name)
    User.objects.create_user("alice").groups.set(Group.objects.filter(name__in=["packers", "staff"]))
"""


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[int]:
    (folder / "urls.py").write_text(dedent(URLS), encoding="utf-8")
    environ = {"DJANGO_SETTINGS_MODULE": "settings"}
    subprocess.run([sys.executable, "-c", dedent(TABLES)], cwd=folder, env=environ, check=True, timeout=120)
    with served(folder, [*GUNICORN, "wsgi:application"], environ=environ) as port:
        yield port


def test_a_user_has_the_groups_of_the_certificate_and_keeps_the_others(shop: int, ca: ClientCA) -> None:
    def groups(*units: str) -> Any:
        return ask(shop, sent(ca.issue("alice", organizational_unit=units)), "/groups").json

    assert groups("Purchasing", "Unknown") == ["buyers", "staff"]
    assert groups("Warehouse", "Purchasing") == ["buyers", "packers", "staff"]
    assert groups("staff") == ["staff"]
    assert ask(shop, sent(ca.stranger("alice", organizational_unit="Purchasing")), "/groups").code


def test_rest_framework_throttles_by_the_clients_key(shop: int, ca: ClientCA) -> None:
    carol, dave = ca.issue("carol"), ca.issue("dave")
    assert [ask(shop, sent(carol), "/api").status for _ in range(3)] == [200, 200, 429]
    assert ask(shop, sent(dave), "/api").json == "dave"
    assert ask(shop, path="/api").code == "certificate_missing"


# Spans


def test_a_span_says_who_the_client_is_or_why_it_is_refused(
    load: Callable[[str], Any], ca: ClientCA, alice: IssuedCertificate
) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    authenticator = load("spans").authenticator
    with provider.get_tracer("tests").start_as_current_span("accepted"):
        authenticator.authenticate(alice.headers(), peer="127.0.0.1")
    with provider.get_tracer("tests").start_as_current_span("refused"), suppress(ClientCertError):
        authenticator.authenticate(ca.stranger().headers(), peer="127.0.0.1")
    accepted, refused = (dict(span.attributes or {}) for span in exporter.get_finished_spans())
    assert accepted["tls.client.subject"] == "CN=alice"
    assert refused == {"sslclientcert.code": "certificate_untrusted"}


# Tokens: an authorization server and a resource server in one application, with the page's classes

ISSUER, SHOP = "https://issuer.example.org", "https://shop.example.org"


@pytest.fixture
def tokens(load: Callable[[str], Any], ca: ClientCA) -> FlaskClient:
    from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
    from authlib.oauth2.rfc6749 import ClientMixin
    from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
    from joserfc.jwk import KeySet, RSAKey

    page = load("bound_tokens")
    bound_tokens, bound_token = page.BoundTokens, page.BoundToken
    key = RSAKey.generate_key(2048, private=True, auto_kid=True)

    class Registered(ClientMixin):  # type: ignore[misc]
        client_metadata: ClassVar = {"tls_client_auth_san_dns": "cart.example.org"}

        def get_client_id(self) -> str:
            return "cart"

        def get_allowed_scope(self, scope: Any) -> Any:
            return scope

        def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
            return (method, endpoint) == ("tls_client_auth", "token")

        def check_grant_type(self, grant_type: str) -> bool:
            return grant_type == "client_credentials"

    grant = type("Grant", (ClientCredentialsGrant,), {"TOKEN_ENDPOINT_AUTH_METHODS": ["tls_client_auth"]})

    class Tokens(bound_tokens):  # type: ignore[misc,valid-type]
        def get_jwks(self) -> Any:
            return KeySet([key])

        def get_audiences(self, client: Any, user: Any, scope: Any) -> str:
            return SHOP

    class Token(bound_token):  # type: ignore[misc,valid-type]
        def get_jwks(self) -> Any:
            return KeySet([key])

    app = Flask("tokens")
    ClientCert(app, authenticator=ca.authenticator())
    server: Any = AuthorizationServer(app, {"cart": Registered()}.get, lambda token, request: None)
    server.register_token_generator("default", Tokens(issuer=ISSUER))
    server.register_client_auth_method("tls_client_auth", page.tls_client_auth)
    server.register_grant(grant)
    require_oauth = ResourceProtector()
    require_oauth.register_token_validator(Token(issuer=ISSUER, resource_server=SHOP))
    app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])
    app.add_url_rule("/orders", "orders", require_oauth()(lambda: f"orders of {current_token['sub']}"))
    return app.test_client()


ASKED = {"grant_type": "client_credentials", "client_id": "cart", "scope": "orders"}


def told(answer: TestResponse) -> tuple[int, str]:
    """The status, and the error or code of an answer."""
    body: Any = answer.json
    return answer.status_code, body.get("error") or body.get("code")


def token_of(tokens: FlaskClient, certificate: IssuedCertificate) -> dict[str, str]:
    answer = tokens.post("/token", data=ASKED, headers=certificate.headers())
    assert answer.status_code == 200, answer.text
    body: Any = answer.json
    return {"authorization": f"Bearer {body['access_token']}"}


def test_a_token_is_worth_something_with_its_certificate_alone(tokens: FlaskClient, ca: ClientCA) -> None:
    cart, thief = (ca.issue(name, dns_names=["cart.example.org"]) for name in ("cart", "thief"))
    token = token_of(tokens, cart)
    assert tokens.get("/orders", headers={**cart.headers(), **token}).text == "orders of cart"
    assert told(tokens.get("/orders", headers={**thief.headers(), **token})) == (401, "invalid_token")
    assert told(tokens.get("/orders", headers=token)) == (403, "certificate_missing")


def test_a_token_that_is_not_bound_is_refused(
    tokens: FlaskClient, ca: ClientCA, load: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load("bound_tokens").BoundTokens, "get_extra_claims", lambda *_: {})
    cart = ca.issue("cart", dns_names=["cart.example.org"])
    assert told(tokens.get("/orders", headers={**cart.headers(), **token_of(tokens, cart)})) == (401, "invalid_token")


@pytest.mark.parametrize("names", [[], ["other.example.org"]])
def test_a_client_with_another_name_gets_no_token(tokens: FlaskClient, names: list[str], ca: ClientCA) -> None:
    answer = tokens.post("/token", data=ASKED, headers=ca.issue("cart", dns_names=names).headers())
    assert told(answer) == (400, "invalid_client")
    cart = ca.issue("cart", dns_names=["cart.example.org"])
    answer = tokens.post("/token", data={**ASKED, "client_id": "unknown"}, headers=cart.headers())
    assert told(answer) == (400, "invalid_client")


# Several CAs: the tenants' applications, each asked with the other's certificates

Get = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def tenants(folder: Path) -> dict[str, ClientCA]:
    # Of one name, so that the keys alone tell them apart.
    cas = {tenant: ClientCA("Tenants CA") for tenant in ("red", "blue")}
    for tenant, ca in cas.items():
        (folder / tenant).mkdir()
        ca.write(folder / tenant / "ca.crt")
    return cas


def fastapi(load: Callable[[str], Any]) -> Get:
    client = TestClient(load("fastapi_tenants").app, client=("127.0.0.1", 50000))

    def get(tenant: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        answer = client.get(f"/{tenant}/", headers=dict(headers))
        return answer.status_code, answer.json()

    return get


def flask(load: Callable[[str], Any]) -> Get:
    client = Client(load("flask_tenants").app)

    def get(tenant: str, headers: Mapping[str, str]) -> tuple[int, Any]:
        answer = client.get(f"/{tenant}/", headers=headers, environ_base={"REMOTE_ADDR": "127.0.0.1"})
        return answer.status_code, answer.json or answer.text

    return get


@pytest.fixture(params=[fastapi, flask])
def get(request: pytest.FixtureRequest, load: Callable[[str], Any], tenants: dict[str, ClientCA]) -> Get:
    made: Get = request.param(load)
    return made


OTHER = {"red": "blue", "blue": "red"}


@pytest.mark.parametrize("tenant", OTHER)
def test_a_tenants_clients_are_known_and_those_of_the_other_refused(
    tenant: str, get: Get, tenants: dict[str, ClientCA]
) -> None:
    alice, mallory = (tenants[each].issue("alice").headers() for each in (tenant, OTHER[tenant]))
    assert get(tenant, alice) == (200, f"Hello alice of {tenant}")
    for headers, code in ((mallory, "certificate_untrusted"), ({}, "certificate_missing")):
        status, body = get(tenant, headers)
        assert (status, body["code"]) == (403, code)


TENANTS_VIEWS = """
    import os
    os.environ["DJANGO_SETTINGS_MODULE"] = "tenants_settings"
    from django.http import HttpResponse
    from django.urls import path

    def hello(request):
        identity, tenant = request.META["sslclientcert.identity"], request.META["shop.tenant"]
        return HttpResponse(f"Hello {identity.common_name} of {tenant}")

    SECRET_KEY = "of the tests"
    ALLOWED_HOSTS = ["*"]
    ROOT_URLCONF = "tenants_settings"
    urlpatterns = [path("", hello)]
"""


@pytest.fixture(scope="module")
def django_tenants(folder: Path, tenants: dict[str, ClientCA]) -> Iterator[int]:
    (folder / "tenants_settings.py").write_text(dedent(TENANTS_VIEWS), encoding="utf-8")
    environ = {"DJANGO_SETTINGS_MODULE": "tenants_settings"}
    with served(folder, [*GUNICORN, "tenants:application"], environ=environ) as port:
        yield port


@pytest.mark.parametrize("tenant", OTHER)
def test_in_django_the_host_chooses_who_is_asked_and_the_view_is_told_which(
    tenant: str, django_tenants: int, tenants: dict[str, ClientCA]
) -> None:
    def get(certificate: IssuedCertificate | None, host: str = f"{tenant}.example.org") -> Reply:
        shown = sent(certificate) if certificate else []
        forwarded = ("x-forwarded-host", f"{OTHER[tenant]}.example.org")
        return ask(django_tenants, [("host", host), forwarded, *shown])

    alice = tenants[tenant].issue("alice")
    assert get(alice).body == f"Hello alice of {tenant}".encode()
    assert get(alice, f"{OTHER[tenant]}.example.org").code == "certificate_untrusted"
    assert get(None).code == "certificate_missing"
    for host in ("", "unknown.example.org", f"{tenant}.example.org:443"):
        assert get(alice, host).status == 421
