from __future__ import annotations

import contextvars
import http.client
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import flask
import flask_login  # type: ignore[import-untyped]
import pytest
from flask import Blueprint, Flask, render_template_string, url_for
from flask.views import MethodView
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    RequestHeaderFieldsTooLarge,
    ServiceUnavailable,
)
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.serving import make_server

from examples.demo.processes import listen, serve
from sslclientcert import PROXIES, ClientCertAuthenticator, ClientIdentity, rules
from sslclientcert._gateway import DECIDED
from sslclientcert.core import errors
from sslclientcert.core.authenticator import Decision
from sslclientcert.core.errors import ClientCertError
from sslclientcert.core.options import OPTIONS as OPTIONS_OF_AUTHENTICATOR
from sslclientcert.flask import (
    ClientCert,
    ClientCertForbidden,
    ClientCertHTTPException,
    client_cert_exempt,
    client_cert_required,
    client_identity,
)
from sslclientcert.testing import REFUSALS, ClientCA, IssuedCertificate, encode, forged_identity, trusting
from sslclientcert.wsgi import ClientCertMiddleware

from . import wsgi_applications
from .contract import AdapterContract, Outcome, Request, Seen, Visit, code_in, joined

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = Path(__file__).parents[2] / "docs" / "flask.md"
DEADLINE_SECONDS = 30.0


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA("Test CA")


@pytest.fixture(scope="module")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice")


@pytest.fixture(scope="module")
def bundle(ca: ClientCA, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(ca.write(tmp_path_factory.mktemp("ca") / "ca.crt"))


def name_of_client() -> str:
    return f"hello {client_identity.common_name}" if client_identity else "nobody"


@client_cert_exempt
def healthz() -> str:
    return name_of_client()


def app_with(authenticator: ClientCertAuthenticator, **config: Any) -> Flask:
    """An application that answers at `/` with the name of its client, and at `/healthz` to everybody."""
    app = Flask(__name__)
    app.config.from_mapping(config)
    ClientCert(app, authenticator=authenticator)
    app.add_url_rule("/", view_func=name_of_client)
    app.add_url_rule("/healthz", view_func=healthz)
    return app


def optional(authenticator: ClientCertAuthenticator) -> Flask:
    return app_with(authenticator, SSLCLIENTCERT_REQUIRED=False)


def get(app: Flask, certificate: IssuedCertificate | None = None, path: str = "/", **options: Any) -> tuple[int, str]:
    """The status, and what the client reads: the view's text, or the code of a refusal."""
    headers = {} if certificate is None else certificate.headers()
    reply = app.test_client().get(path, headers=headers, **options)
    text = reply.text
    reply.close()  # the file behind a static one
    return reply.status_code, reply.get_json()["code"] if reply.mimetype == "application/problem+json" else text


# The contract


class TestContract(AdapterContract):
    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            with wsgi_applications.flask(request, seen.note) as app:
                reply = app.test_client().get(
                    "/", headers=joined(request.headers), environ_base={"REMOTE_ADDR": request.peer}
                )
            return seen.outcome(reply.status_code, reply.data)

        return visit


# Everything is protected, unless it is exempt


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/style.css", "/healthz/", "/healthz%2f", "//healthz"])
def test_every_path_is_protected(path: str, ca: ClientCA) -> None:
    assert get(app_with(ca.authenticator()), path=path) == (403, "certificate_missing")


def test_a_static_file_is_for_clients_with_a_certificate(
    ca: ClientCA, alice: IssuedCertificate, tmp_path: Path
) -> None:
    (tmp_path / "style.css").write_text("body {}")
    app = Flask(__name__, static_folder=tmp_path, static_url_path="/static")
    ClientCert(app, authenticator=ca.authenticator())
    assert get(app, path="/static/style.css") == (403, "certificate_missing")
    assert get(app, alice, "/static/style.css") == (200, "body {}")
    client_cert_exempt(app.view_functions["static"])
    assert get(app, path="/static/style.css") == (200, "body {}")


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "OPTIONS"])
def test_every_method_is_protected(method: str, ca: ClientCA) -> None:
    assert app_with(ca.authenticator()).test_client().open("/", method=method).status_code == 403


def test_an_exempt_view_needs_no_certificate_and_shows_none(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(ca.authenticator())
    assert get(app, path="/healthz") == (200, "nobody")
    assert get(app, alice, "/healthz") == (200, "nobody")
    assert get(app, ca.expired(), "/healthz", environ_base={"REMOTE_ADDR": "203.0.113.9"}) == (200, "nobody")


def test_nobody_opens_a_tunnel(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = optional(ca.authenticator())
    app.add_url_rule("/any", "any", name_of_client, methods=["CONNECT"])
    app.add_url_rule("/exempt", "exempt", healthz, methods=["CONNECT"])
    for path in ("/any", "/exempt"):
        for headers in ({}, alice.headers()):
            reply = app.test_client().open(path, method="CONNECT", headers=headers)
            assert (reply.get_json() or {}).get("code") == "proxy_untrusted"


def test_an_exempt_view_does_not_see_the_raw_headers(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(ca.authenticator())
    app.add_url_rule("/names", view_func=client_cert_exempt(lambda: ",".join(flask.request.headers.keys()).lower()))
    assert "ssl-client" not in get(app, alice, "/names")[1]


def test_a_class_based_view_can_be_exempt_or_ask_a_rule(ca: ClientCA, alice: IssuedCertificate) -> None:
    class Probe(MethodView):
        decorators = [client_cert_exempt]  # noqa: RUF012  # as Flask declares it

        def get(self) -> str:
            return "ok"

    class Cart(MethodView):
        decorators = [client_cert_required(rules.common_name("cart"))]  # noqa: RUF012

        def get(self) -> str:
            return "cart"

    app = app_with(ca.authenticator())
    app.add_url_rule("/probe", view_func=Probe.as_view("probe"))
    app.add_url_rule("/cart", view_func=Cart.as_view("cart"))
    assert get(app, path="/probe") == (200, "ok")
    assert get(app, alice, "/cart") == (403, "not_authorized")
    assert get(app, ca.issue("cart"), "/cart") == (200, "cart")


def test_a_view_that_is_both_exempt_and_required_lets_nobody_in(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(ca.authenticator())
    app.add_url_rule("/both", "both", client_cert_exempt(client_cert_required(name_of_client)))
    assert get(app, alice, "/both") == (403, "certificate_missing")


def test_an_endpoint_without_a_view_is_not_exempt(ca: ClientCA) -> None:
    app = app_with(ca.authenticator())
    app.add_url_rule("/soon", endpoint="soon")
    assert get(app, path="/soon") == (403, "certificate_missing")


# client_identity


def test_the_identity_is_usable_as_what_it_stands_for(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(ca.authenticator())
    found: list[object] = []

    @app.get("/look")
    def look() -> str:
        found.extend((client_identity._get_current_object(), isinstance(client_identity, ClientIdentity)))
        found.append(client_identity == client_identity._get_current_object())
        return client_identity.fingerprint_sha256

    identity = ca.authenticator().authenticate(alice.headers())
    assert identity is not None
    assert get(app, alice, "/look") == (200, identity.fingerprint_sha256)
    assert found == [identity, True, True]


def test_a_name_of_an_anonymous_client_is_an_error_that_says_how_to_ask(ca: ClientCA) -> None:
    app = app_with(ca.authenticator(), SSLCLIENTCERT_REQUIRED=False)
    app.add_url_rule("/look", view_func=lambda: client_identity.common_name or "no name")
    app.testing = True
    with pytest.raises(
        AttributeError, match="no client identity to have a common_name.*Ask `if client_identity:` first"
    ):
        app.test_client().get("/look")
    assert not hasattr(client_identity, "common_name")


def test_templates_know_the_identity(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = optional(ca.authenticator())
    template = "{% if client_identity %}{{ client_identity.common_name }}{% else %}nobody{% endif %}"
    app.add_url_rule("/page", "page", lambda: render_template_string(template))
    assert get(app, alice, "/page") == (200, "alice")
    assert get(app, path="/page") == (200, "nobody")


def test_there_is_nobody_without_a_request(ca: ClientCA) -> None:
    assert not client_identity
    with app_with(ca.authenticator()).app_context():
        assert not client_identity
        assert client_identity._get_current_object() is None


def test_there_is_nobody_in_an_application_without_the_extension() -> None:
    with Flask(__name__).test_request_context():
        assert not client_identity
        with pytest.raises(RuntimeError, match="ClientCert"):
            assert client_identity.subject


def test_one_request_does_not_see_the_client_of_another_within_one_application_context(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    app = optional(ca.authenticator())
    early: list[bool] = []
    app.before_request_funcs.setdefault(None, []).insert(0, lambda: early.append(bool(client_identity)))
    with app.app_context():
        assert get(app, alice) == (200, "hello alice")
        assert get(app) == (200, "nobody")
        assert get(app, alice, "/healthz") == (200, "nobody")
        assert not client_identity
    assert early == [False, False, False]


def test_the_identity_goes_along_into_a_thread_with_the_context(ca: ClientCA, alice: IssuedCertificate) -> None:
    app = app_with(ca.authenticator())
    names: list[str] = []

    @app.get("/thread")
    def start() -> str:
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: names.append(context.run(name_of_client)))
        thread.start()
        thread.join(DEADLINE_SECONDS)
        return names[0]

    assert get(app, alice, "/thread") == (200, "hello alice")


def test_an_environ_can_not_bring_its_own_identity(ca: ClientCA) -> None:
    forged = forged_identity("mallory")
    environ = {"sslclientcert.identity": forged, DECIDED: {ca.authenticator(): forged}, "SSL_CLIENT_S_DN": "CN=mallory"}
    assert get(app_with(ca.authenticator()), environ_overrides=environ) == (403, "certificate_missing")
    assert get(optional(ca.authenticator()), environ_overrides=environ) == (200, "nobody")


# client_cert_required


@pytest.fixture
def guarded(ca: ClientCA) -> Flask:
    """An application open to everybody, with guarded views."""
    app = optional(ca.authenticator())

    @app.get("/known")
    @client_cert_required
    def known() -> str:
        return name_of_client()

    @app.get("/known-async")
    @client_cert_required
    async def known_async() -> str:
        return name_of_client()

    @app.get("/bob/<thing>")
    @client_cert_required(rules.common_name("bob"))
    def bob(thing: str) -> str:
        return thing

    @app.get("/bob-async/<thing>")
    @client_cert_required(rules.common_name("bob"))
    async def bob_async(thing: str) -> str:
        return thing

    return app


@pytest.mark.parametrize("kind", ["", "-async"])
def test_a_required_view_is_for_clients_with_a_certificate(
    kind: str, guarded: Flask, ca: ClientCA, alice: IssuedCertificate
) -> None:
    assert get(guarded) == (200, "nobody")
    assert get(guarded, path=f"/known{kind}") == (403, "certificate_missing")
    assert get(guarded, alice, f"/known{kind}") == (200, "hello alice")
    assert get(guarded, ca.expired(), f"/known{kind}") == (403, "certificate_expired")


@pytest.mark.parametrize("kind", ["", "-async"])
def test_a_view_with_a_rule_is_for_those_who_pass_it(
    kind: str, guarded: Flask, ca: ClientCA, alice: IssuedCertificate
) -> None:
    assert get(guarded, path=f"/bob{kind}/tea") == (403, "certificate_missing")
    assert get(guarded, alice, f"/bob{kind}/tea") == (403, "not_authorized")
    assert get(guarded, ca.issue("bob"), f"/bob{kind}/tea") == (200, "tea")


def test_a_decorated_view_stays_what_it_was() -> None:
    @client_cert_required(rules.common_name("bob"))
    async def view() -> str:
        """Do it."""
        return ""

    assert (view.__name__, view.__doc__) == ("view", "Do it.")
    assert flask.Flask(__name__).ensure_sync(view) is not view


@pytest.mark.parametrize("answer", ["no", 1, LookupError("broken")], ids=["text", "number", "broken"])
def test_a_rule_that_does_not_answer_exactly_true_refuses(answer: Any, ca: ClientCA, alice: IssuedCertificate) -> None:
    def rule(identity: ClientIdentity) -> bool:
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    app = app_with(ca.authenticator())
    app.add_url_rule("/rule", "rule", client_cert_required(rules.predicate(rule))(name_of_client))
    assert get(app, alice, "/rule") == (403, "not_authorized")


def test_rules_one_above_the_other_must_all_be_passed(ca: ClientCA) -> None:
    app = app_with(ca.authenticator())
    both = client_cert_required(rules.common_name("bob"))(
        client_cert_required(rules.organization("Example"))(name_of_client)
    )
    app.add_url_rule("/both", "both", both)
    assert get(app, ca.issue("bob", organization="Example"), "/both") == (200, "hello bob")
    assert get(app, ca.issue("bob"), "/both") == (403, "not_authorized")
    assert get(app, ca.issue("eve", organization="Example"), "/both") == (403, "not_authorized")


def test_a_function_given_as_a_rule_fails_when_the_view_is_defined() -> None:
    def is_bob(identity: ClientIdentity) -> bool:
        return identity.common_name == "bob"

    with pytest.raises(RuntimeError, match=r"rules\.predicate"):

        @client_cert_required(is_bob)  # type: ignore[arg-type]
        def view() -> str:
            return ""


def test_a_required_view_lets_nobody_in_without_the_extension(alice: IssuedCertificate) -> None:
    app = Flask(__name__)
    app.testing = True
    app.add_url_rule("/", "view", client_cert_required(name_of_client))
    with pytest.raises(RuntimeError, match="ClientCert"):
        get(app, alice)


def test_a_blueprint_can_be_required_as_a_whole(ca: ClientCA, alice: IssuedCertificate) -> None:
    blueprint = Blueprint("members", __name__, url_prefix="/members")
    blueprint.add_url_rule("/", view_func=name_of_client)

    @blueprint.before_request
    @client_cert_required(rules.common_name("alice"))
    def members_only() -> None:
        pass

    app = optional(ca.authenticator())
    app.register_blueprint(blueprint)
    assert get(app) == (200, "nobody")
    assert get(app, path="/members/") == (403, "certificate_missing")
    assert get(app, ca.issue("bob"), "/members/") == (403, "not_authorized")
    assert get(app, alice, "/members/") == (200, "hello alice")


def test_a_required_function_judges_for_itself_where_the_extension_has_not_yet(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    names: list[str] = []
    app = Flask(__name__)
    app.before_request(client_cert_required(lambda: names.append(name_of_client())))
    ClientCert(app, authenticator=ca.authenticator())
    app.add_url_rule("/", view_func=name_of_client)
    assert get(app, alice) == (200, "hello alice")
    assert names == ["hello alice"]
    assert get(app, ca.stranger()) == (403, "certificate_untrusted")


def test_a_refusal_by_a_view_is_logged_and_audited(
    ca: ClientCA, alice: IssuedCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[Decision] = []
    app = optional(ca.authenticator(audit=found.append))
    app.add_url_rule("/bob", "bob", client_cert_required(rules.common_name("bob"))(name_of_client))
    with caplog.at_level(logging.INFO, "sslclientcert"):
        get(app, path="/bob")
        get(app, alice, "/bob")
    assert [decision.error and decision.error.code for decision in found] == [
        "certificate_missing",
        None,  # the certificate is good
        "not_authorized",
    ]
    assert {decision.peer for decision in found} == {"127.0.0.1"}
    assert [vars(record)["code"] for record in caplog.records] == ["certificate_missing", "not_authorized"]


# Refusals


def test_a_refusal_is_a_problem_document_that_nobody_stores(ca: ClientCA) -> None:
    reply = app_with(ca.authenticator()).test_client().get("/")
    assert reply.get_json() == {
        "title": "A client certificate is required.",
        "status": 403,
        "code": "certificate_missing",
    }
    assert dict(reply.headers) == {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(reply.data)),
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }


def test_a_refused_head_request_gets_the_headers_and_no_body(ca: ClientCA) -> None:
    reply = app_with(ca.authenticator()).test_client().head("/")
    assert (reply.status_code, reply.data, reply.mimetype) == (403, b"", "application/problem+json")


ALL_ERRORS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ClientCertError)]
WERKZEUGS = {400: BadRequest, 403: Forbidden, 431: RequestHeaderFieldsTooLarge, 503: ServiceUnavailable}


@pytest.mark.parametrize("error", [each for each in ALL_ERRORS if each is not ClientCertError])
@pytest.mark.parametrize("by", ["own class", "werkzeug's class", "status", "HTTPException"])
def test_an_error_handler_sees_every_refusal(error: type[ClientCertError], by: str, ca: ClientCA) -> None:
    app = app_with(ca.authenticator(authorize=rules.predicate(lambda identity: True)))
    seen: list[HTTPException] = []

    kinds: dict[str, int | type[HTTPException]] = {
        "own class": ClientCertHTTPException,
        "werkzeug's class": WERKZEUGS[error.status],
        "status": error.status,
        "HTTPException": HTTPException,
    }

    @app.errorhandler(kinds[by])
    def handle(exception: HTTPException) -> tuple[str, int, Any]:
        seen.append(exception)
        return str(exception), exception.code or 500, exception.get_headers()

    def judge(*_: Any, **__: Any) -> None:
        raise error("for the log")

    app.extensions["sslclientcert"].authenticator.authenticate_environ = judge
    reply = app.test_client().get("/")
    assert reply.status_code == error.status
    assert reply.text == f"{error.status} {error.code}: {error.title}"
    assert reply.headers["cache-control"] == "no-store"
    (exception,) = seen
    assert isinstance(exception, ClientCertHTTPException)
    assert isinstance(exception.error, error)
    assert "Content-Length" not in dict(exception.get_headers())
    assert (exception.name, exception.data) == (error.title, {"message": error.title, "code": error.code})
    assert exception.error is exception.__cause__


def test_an_error_handler_of_a_blueprint_sees_what_its_views_refuse(ca: ClientCA, alice: IssuedCertificate) -> None:
    blueprint = Blueprint("shop", __name__)
    blueprint.add_url_rule("/bob", view_func=client_cert_required(rules.common_name("bob"))(name_of_client))
    blueprint.register_error_handler(ClientCertForbidden, lambda exception: (exception.error.code, 418))
    app = app_with(ca.authenticator())
    app.register_blueprint(blueprint)
    assert get(app, alice, "/bob") == (418, "not_authorized")


@pytest.mark.parametrize("kinds", [(ClientCertHTTPException, 403), (403, ClientCertForbidden)])
def test_a_handler_of_a_status_comes_before_one_of_the_base_class_and_after_one_of_the_very_class(
    kinds: tuple[Any, Any], ca: ClientCA
) -> None:
    app = app_with(ca.authenticator())
    for kind in kinds:
        app.register_error_handler(kind, lambda exception, kind=kind: (str(kind), 403))
    assert get(app) == (403, str(kinds[1]))


def test_an_error_handlers_page_may_ask_for_the_identity_and_finds_nobody(ca: ClientCA) -> None:
    app = app_with(ca.authenticator())
    names: list[str] = []

    @app.errorhandler(403)
    def handle(exception: HTTPException) -> tuple[str, int]:
        names.extend(name.lower() for name, _ in flask.request.headers)
        return render_template_string("{{ client_identity or 'nobody' }}"), 403

    assert get(app, ca.expired()) == (403, "nobody")
    assert [name for name in names if name.startswith("ssl-")] == []


def test_a_handler_of_the_documented_kind_can_rewrite_the_answer(ca: ClientCA) -> None:
    app = app_with(ca.authenticator())

    @app.errorhandler(HTTPException)
    def handle(exception: HTTPException) -> Any:
        response = exception.get_response()
        response.data = flask.json.dumps({"description": exception.description})
        response.content_type = "application/json"
        return response

    assert get(app) == (403, '{"description": "A client certificate is required."}')


@pytest.mark.parametrize("word", [refusal.word for refusal in REFUSALS])
def test_the_description_says_the_title_and_nothing_more(word: str, ca: ClientCA) -> None:
    app = app_with(ca.authenticator())
    caught: list[ClientCertHTTPException] = []

    @app.errorhandler(ClientCertHTTPException)
    def handle(exception: ClientCertHTTPException) -> ClientCertHTTPException:
        caught.append(exception)
        return exception

    get(app, getattr(ca, word)("mallory"))
    (exception,) = caught
    assert exception.description == exception.error.title
    assert exception.error.detail not in f"{exception} {exception!r} {exception.get_body()} {exception.args}"


# Configuration


def test_the_configuration_makes_the_authenticator(bundle: str, alice: IssuedCertificate) -> None:
    app = Flask(__name__)
    app.config.from_mapping(
        SSLCLIENTCERT_CA=bundle,
        SSLCLIENTCERT_PROXY="traefik",
        SSLCLIENTCERT_HEADER="x-client-cert",
        SSLCLIENTCERT_TRUSTED_PROXIES=["127.0.0.1", "10.0.0.0/8"],
        SSLCLIENTCERT_SHARED_SECRET="x-secret: open sesame it is me",
        SSLCLIENTCERT_MAX_HEADER_BYTES="9000",
        SSLCLIENTCERT_AUTHORIZE=rules.common_name("alice"),
        SSLCLIENTCERT_CRL=None,
    )
    ClientCert(app)
    app.add_url_rule("/", view_func=name_of_client)
    value = alice.headers("traefik")["x-forwarded-tls-client-cert"]
    headers = {"x-client-cert": value, "x-secret": "open sesame it is me"}
    client = app.test_client()
    assert client.get("/", headers=headers).text == "hello alice"
    assert client.get("/", headers=headers, environ_base={"REMOTE_ADDR": "10.9.9.9"}).status_code == 200
    assert client.get("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
    assert client.get("/", headers={"x-client-cert": value}).status_code == 403
    assert client.get("/", headers=headers | {"x-client-cert": "x" * 9001}).status_code == 431


def test_the_environment_can_configure_it(
    bundle: str, alice: IssuedCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_SSLCLIENTCERT_CA", bundle)
    monkeypatch.setenv("FLASK_SSLCLIENTCERT_TRUSTED_PROXIES", "192.0.2.1, 127.0.0.1")
    monkeypatch.setenv("FLASK_SSLCLIENTCERT_REQUIRED", "False")  # not JSON, so Flask gives the text
    app = Flask(__name__)
    app.config.from_prefixed_env()
    ClientCert(app)
    app.add_url_rule("/", view_func=name_of_client)
    assert get(app) == (200, "nobody")
    assert get(app, alice) == (200, "hello alice")


def test_objects_are_options_too(ca: ClientCA, alice: IssuedCertificate) -> None:
    found: list[Decision] = []
    app = Flask(__name__)
    app.config.from_mapping(
        SSLCLIENTCERT_CA=ca.trust_store(), SSLCLIENTCERT_PROXY=PROXIES["nginx"], SSLCLIENTCERT_AUDIT=found.append
    )
    ClientCert(app)
    app.add_url_rule("/", view_func=name_of_client)
    assert app.test_client().get("/", headers=alice.headers("nginx")).text == "hello alice"
    assert len(found) == 1


def test_the_environment_configures_what_the_configuration_does_not_say(
    bundle: str, ca: ClientCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLCLIENTCERT_CA", bundle)
    monkeypatch.setenv("SSLCLIENTCERT_PROXY", "traefik")
    monkeypatch.setenv("SSLCLIENTCERT_REQUIRED", "off")
    found = {}
    for name, config in (("none", {}), ("other", {"SSLCLIENTCERT_PROXY": "nginx", "SSLCLIENTCERT_CRL": None})):
        app = Flask(name)
        app.config.from_mapping(config)
        ClientCert(app)
        state = app.extensions["sslclientcert"]
        found[name] = (state.authenticator.proxy.name, state.required)
    assert found == {"none": ("traefik", False), "other": ("nginx", False)}
    given = Flask("given")
    ClientCert(given, authenticator=ca.authenticator("caddy"))
    assert given.extensions["sslclientcert"].required
    monkeypatch.setenv("SSLCLIENTCERT_TRUSTED_PROXY", "10.0.0.1")
    with pytest.raises(ValueError, match="did you mean SSLCLIENTCERT_TRUSTED_PROXIES"):
        ClientCert(Flask("wrong"))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "SSLCLIENTCERT_CA is not set"),
        ({"CA": None}, "SSLCLIENTCERT_CA is not set"),
        ({"CA": ""}, "SSLCLIENTCERT_CA='' is empty"),
        ({"CRL": " "}, "SSLCLIENTCERT_CRL=' ' is empty"),
        ({"TRUSTED_PROXY": "10.0.0.1"}, "SSLCLIENTCERT_TRUSTED_PROXY is not an option"),
        ({"EXEMPT": None}, "SSLCLIENTCERT_EXEMPT is not an option"),
        ({"REQUIRED": "maybe"}, "SSLCLIENTCERT_REQUIRED='maybe': say one of 1, true"),
        ({"REQUIRED": 0}, "SSLCLIENTCERT_REQUIRED must be True or False"),
        ({"PROXY": "ngnix"}, "ngnix"),
        ({"TRUSTED_PROXIES": []}, "trusted_proxies is empty"),
        ({"TRUSTED_PROXIES": "10.0.0.300"}, "10.0.0.300"),
        ({"MAX_DEPTH": "deep"}, "SSLCLIENTCERT_MAX_DEPTH='deep'"),
        ({"MAX_HEADER_BYTES": [1]}, "not of its type"),
        ({"SHARED_SECRET": "sesame"}, "SSLCLIENTCERT_SHARED_SECRET"),
        ({"AUTHORIZE": "alice"}, "authorize must be a rule"),
    ],
)
def test_a_fault_of_the_configuration_is_a_value_error_at_the_start(
    config: dict[str, Any], words: str, bundle: str
) -> None:
    app = Flask(__name__)
    values = config if not config or "CA" in config else {"CA": bundle, **config}
    app.config.from_mapping({f"SSLCLIENTCERT_{name}": value for name, value in values.items()})
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        ClientCert(app)


def test_a_bundle_that_cannot_be_read_is_an_os_error_at_the_start(tmp_path: Path) -> None:
    app = Flask(__name__)
    app.config["SSLCLIENTCERT_CA"] = tmp_path / "nothing.crt"
    with pytest.raises(FileNotFoundError):
        ClientCert(app)


def test_options_next_to_an_authenticator_are_refused_and_not_ignored(ca: ClientCA, bundle: str) -> None:
    with pytest.raises(ValueError, match="SSLCLIENTCERT_CA is set"):
        app_with(ca.authenticator(), SSLCLIENTCERT_CA=bundle)


def test_what_is_no_authenticator_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"'ca\.crt'"):
        ClientCert(authenticator="ca.crt")  # type: ignore[arg-type]


def test_an_application_is_protected_once(ca: ClientCA) -> None:
    app = app_with(ca.authenticator())
    with pytest.raises(RuntimeError, match="already"):
        ClientCert(app, authenticator=ca.authenticator())


def test_a_list_of_revoked_certificates_can_be_configured(ca: ClientCA, bundle: str, tmp_path: Path) -> None:
    crl = tmp_path / "ca.crl"
    crl.write_text(ca.crl())
    app = Flask(__name__)
    app.config.from_mapping(SSLCLIENTCERT_CA=bundle, SSLCLIENTCERT_CRL=str(crl))
    ClientCert(app)
    app.add_url_rule("/", view_func=name_of_client)
    assert get(app, ca.issue("alice")) == (200, "hello alice")
    assert get(app, ca.revoked()) == (403, "certificate_revoked")


@pytest.mark.parametrize("option", [*OPTIONS_OF_AUTHENTICATOR, "authorize", "audit", "required"])
def test_the_page_names_every_key(option: str) -> None:
    assert re.search(rf"`(SSLCLIENTCERT)?_{option.upper()}\b", PAGE.read_text(encoding="utf-8"))


# Applications


def test_one_extension_serves_the_applications_of_a_factory_each_with_its_own_ca(
    ca: ClientCA, alice: IssuedCertificate, tmp_path: Path
) -> None:
    other = ClientCA("Other CA")
    extension = ClientCert()

    def create_app(authority: ClientCA, name: str) -> Flask:
        app = Flask(name)
        app.config["SSLCLIENTCERT_CA"] = authority.write(tmp_path / f"{name}.crt")
        extension.init_app(app)
        app.add_url_rule("/", view_func=client_cert_required(name_of_client))
        return app

    ours, theirs = create_app(ca, "ours"), create_app(other, "theirs")
    for _ in range(2):
        assert get(ours, alice) == (200, "hello alice")
        assert get(theirs, alice) == (403, "certificate_untrusted")
        assert get(theirs, other.issue("bob")) == (200, "hello bob")
        assert get(ours, other.issue("bob")) == (403, "certificate_untrusted")
    assert ours not in vars(extension).values()


def test_the_context_of_another_application_does_not_lend_it_the_client(ca: ClientCA, alice: IssuedCertificate) -> None:
    app, other = app_with(ca.authenticator()), app_with(ca.authenticator())

    @app.get("/other")
    def visit_other() -> str:
        with other.app_context():
            inside = name_of_client()
        return f"{inside}, {name_of_client()}"

    assert get(app, alice, "/other") == (200, "nobody, hello alice")


def test_the_applications_own_authenticator_can_be_made_to_trust_a_test(bundle: str, alice: IssuedCertificate) -> None:
    app = Flask(__name__)
    app.config["SSLCLIENTCERT_CA"] = bundle
    ClientCert(app)
    app.add_url_rule("/", view_func=name_of_client)
    of_the_test = ClientCA("Of the test")
    with trusting(app.extensions["sslclientcert"].authenticator, of_the_test):
        assert get(app, of_the_test.issue("carol")) == (200, "hello carol")
        assert get(app, alice) == (403, "certificate_untrusted")
    assert get(app, alice) == (200, "hello alice")


def test_a_view_called_by_a_test_in_a_request_context_judges_its_headers(
    alice: IssuedCertificate, guarded: Flask
) -> None:
    with guarded.test_request_context("/known", headers=alice.headers()):
        assert guarded.view_functions["known"]() == "hello alice"
    with guarded.test_request_context("/known"), pytest.raises(ClientCertForbidden):
        guarded.view_functions["known"]()


def test_a_url_can_be_built_without_a_request(guarded: Flask) -> None:
    with guarded.test_request_context():
        assert url_for("known") == "/known"


# With others


def behind(app: Flask, authenticator: ClientCertAuthenticator, **options: Any) -> Flask:
    app.wsgi_app = ClientCertMiddleware(app.wsgi_app, authenticator, **options)  # type: ignore[method-assign]
    return app


def test_behind_the_middleware_of_another_authenticator_there_is_no_certificate(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    assert get(behind(app_with(ca.authenticator()), ca.authenticator()), alice) == (403, "certificate_missing")
    assert get(behind(optional(ca.authenticator()), ca.authenticator()), alice) == (200, "nobody")


def test_behind_a_middleware_that_keeps_the_headers_they_are_judged_here(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    authenticator = ca.authenticator()
    app = behind(app_with(authenticator), authenticator, keep_headers=True, required=False)
    assert get(app, alice) == (200, "hello alice")
    assert get(app) == (403, "certificate_missing")


@contextmanager
def judged_in_front(app: Flask, authenticator: ClientCertAuthenticator, identity: ClientIdentity) -> Iterator[None]:
    original = app.wsgi_app

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        return original({**environ, DECIDED: {authenticator: identity}}, start_response)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]
    yield
    app.wsgi_app = original  # type: ignore[method-assign]


def test_what_the_same_authenticator_has_found_in_front_is_taken_over(ca: ClientCA) -> None:
    found: list[Decision] = []
    authenticator = ca.authenticator(audit=found.append)
    app = app_with(authenticator)
    with judged_in_front(app, authenticator, forged_identity("carol")):
        assert get(app) == (200, "hello carol")
    with judged_in_front(app, ca.authenticator(), forged_identity("carol")):
        assert get(app) == (403, "certificate_missing")
    assert len(found) == 1


def test_proxy_fix_does_not_hide_the_proxy(ca: ClientCA, alice: IssuedCertificate) -> None:
    found: list[Decision] = []
    app = app_with(ca.authenticator(trusted_proxies=["10.0.0.1"], audit=found.append))
    app.add_url_rule("/client", "client", lambda: str(flask.request.remote_addr))
    app.add_url_rule("/bob", "bob", client_cert_required(rules.common_name("bob"))(name_of_client))
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    headers = {**alice.headers(), "X-Forwarded-For": "203.0.113.5"}
    client = app.test_client()
    proxy, stranger = {"REMOTE_ADDR": "10.0.0.1"}, {"REMOTE_ADDR": "198.51.100.1"}
    assert client.get("/client", headers=headers, environ_base=proxy).text == "203.0.113.5"
    assert client.get("/bob", headers=headers, environ_base=proxy).json["code"] == "not_authorized"  # type: ignore[index]
    refused = client.get("/", headers={**headers, "X-Forwarded-For": "10.0.0.1"}, environ_base=stranger)
    assert refused.get_json()["code"] == "proxy_untrusted"
    assert [decision.peer for decision in found] == ["10.0.0.1", "10.0.0.1", "10.0.0.1", "198.51.100.1"]


CLAIMS = ("10.0.0.1", "203.0.113.5, 10.0.0.1", '"10.0.0.1"', '"10.0.0\\.1"')


@pytest.mark.parametrize("claim", CLAIMS)
def test_behind_two_proxy_fixes_a_client_that_claims_to_be_the_proxy_is_refused(
    claim: str, ca: ClientCA, alice: IssuedCertificate
) -> None:
    app = app_with(ca.authenticator(trusted_proxies=["10.0.0.1"]))
    app.wsgi_app = ProxyFix(ProxyFix(app.wsgi_app))  # type: ignore[method-assign]
    headers = {**alice.headers(), "X-Forwarded-For": claim}
    reply = app.test_client().get("/", headers=headers, environ_base={"REMOTE_ADDR": "198.51.100.1"})
    assert reply.get_json()["code"] == "proxy_untrusted"


@pytest.mark.parametrize("layers", [1, 2])
def test_behind_proxy_fix_a_client_on_the_host_of_the_proxy_is_served_where_the_server_shows_its_socket(
    layers: int, ca: ClientCA, alice: IssuedCertificate
) -> None:
    app = app_with(ca.authenticator(trusted_proxies=["127.0.0.1"]))
    for _ in range(layers):
        app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        for source, status in (("127.0.0.1", 200), ("127.0.0.66", 403)):
            client = http.client.HTTPConnection("127.0.0.1", server.port, DEADLINE_SECONDS, source_address=(source, 0))
            with closing(client):
                client.request("GET", "/", headers={**alice.headers(), "X-Forwarded-For": "127.0.0.1"})
                assert client.getresponse().status == status
    finally:
        server.shutdown()
        thread.join(DEADLINE_SECONDS)
        server.server_close()


class User(flask_login.UserMixin):  # type: ignore[misc]
    def __init__(self, name: str) -> None:
        self.id = name


@pytest.fixture
def with_login(ca: ClientCA) -> Flask:
    """An application whose users are known by Flask-Login."""
    app = optional(ca.authenticator())
    manager = flask_login.LoginManager(app)

    @manager.request_loader  # type: ignore[untyped-decorator]
    def load(request: flask.Request) -> User | None:
        return User(f"user {client_identity.common_name}") if client_identity else None

    @app.get("/account")
    @flask_login.login_required  # type: ignore[untyped-decorator]
    def account() -> str:
        return str(flask_login.current_user.id)

    return app


def test_flask_login_knows_its_user_by_the_certificate(
    with_login: Flask, ca: ClientCA, alice: IssuedCertificate
) -> None:
    assert get(with_login, alice, "/account") == (200, "user alice")
    assert get(with_login, path="/account")[0] == 401
    assert get(with_login, ca.stranger(), "/account") == (403, "certificate_untrusted")


def test_flask_login_does_not_remember_the_user_beyond_the_request(with_login: Flask, alice: IssuedCertificate) -> None:
    client = with_login.test_client()
    assert client.get("/account", headers=alice.headers()).status_code == 200
    assert client.get("/account").status_code == 401


# A missing Flask, and a real server


def test_without_flask_the_message_names_the_extra() -> None:
    code = "import sys; sys.modules['flask'] = None; import sslclientcert.flask"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "sslclientcert[flask]"' in done.stderr
    assert "ImportError" in done.stderr


@pytest.fixture(scope="module", params=["sync", "gthread"])
def port(request: pytest.FixtureRequest, bundle: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The example, run by gunicorn as its README says."""
    folder = tmp_path_factory.mktemp("gunicorn")
    listener = listen()
    port: int = listener.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-k", request.param, f"--bind=fd://{listener.fileno()}"]
    command += ["--graceful-timeout=1", f"--pythonpath={EXAMPLES}", "flask_app.app:create_app()"]
    environ = {
        "FLASK_SSLCLIENTCERT_CA": bundle,
        "FLASK_SSLCLIENTCERT_TRUSTED_PROXIES": "127.0.0.1",
        "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts its control socket
    }
    with serve(command, [listener], log=folder / "log", environ=environ):
        yield port


Ask = Callable[..., tuple[int, str | None]]


@pytest.fixture
def ask(port: int) -> Ask:
    """Returns a function that sends one request to gunicorn: the status, and the code of a refusal."""

    def ask(*headers: tuple[str, str], path: str = "/me", source: str = "127.0.0.1") -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, DEADLINE_SECONDS, source_address=(source, 0))
        try:
            connection.putrequest("GET", path)
            for header in headers:
                connection.putheader(*header)
            connection.endheaders()
            reply = connection.getresponse()
            body = reply.read()
            is_problem = reply.getheader("content-type") == "application/problem+json"
            return reply.status, code_in(body) if is_problem else None
        finally:
            connection.close()

    return ask


def test_gunicorn_serves_the_example(ask: Ask, ca: ClientCA, alice: IssuedCertificate) -> None:
    good = tuple(alice.headers().items())
    warehouse = ca.issue("", uris=["spiffe://shop.example/warehouse"])
    assert ask(*good) == (200, None)
    assert ask(*good) == (200, None)
    assert ask(*warehouse.headers().items(), path="/orders/") == (200, None)
    assert ask(*good, path="/orders/") == (403, "not_authorized")
    assert ask(path="/healthz", source="127.0.0.2") == (200, None)


def test_gunicorns_example_refuses_what_is_bad(ask: Ask, ca: ClientCA, alice: IssuedCertificate) -> None:
    good = tuple(alice.headers().items())
    certificate = ("ssl-client-cert", alice.headers()["ssl-client-cert"])
    assert ask() == (403, "certificate_missing")
    assert ask(*encode(None).items()) == (403, "certificate_missing")
    assert ask(path="/nothing") == (403, "certificate_missing")
    assert ask(*ca.expired().headers().items()) == (403, "certificate_expired")
    assert ask(*ca.stranger().headers().items()) == (403, "certificate_untrusted")
    assert ask(*good, certificate) == (400, "header_ambiguous")
    assert ask(("Ssl_Client_Cert", certificate[1])) == (403, "certificate_missing")  # gunicorn drops the spelling
    assert ask(*good, source="127.0.0.2") == (403, "proxy_untrusted")
