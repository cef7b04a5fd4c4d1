from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from sslclientcert import ClientCertAuthenticator, ClientCertError, ClientIdentity, TrustStore, wsgi
from sslclientcert.core.errors import CertificateExpired
from sslclientcert.testing import ClientCA, IssuedCertificate, encode
from sslclientcert.wsgi import ClientCertMiddleware

from ..core.pki import Party, authority, certify
from . import wsgi_applications
from .contract import AdapterContract, Outcome, Request, Seen, Visit, code_in, joined

IDENTITY = "sslclientcert.identity"


@dataclasses.dataclass
class Reply:
    status: str = ""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""


class Application:
    """A WSGI application that keeps the environ of its last request."""

    environ: WSGIEnvironment | None = None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.environ = dict(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"hello"]

    @property
    def variables(self) -> dict[str, str]:
        """What the application finds of mod_ssl's client variables, without their prefix."""
        assert self.environ is not None
        found = {key: value for key, value in self.environ.items() if key.startswith("SSL_CLIENT_")}
        return {key.removeprefix("SSL_CLIENT_"): value for key, value in found.items()}


def call(app: Any, environ: dict[str, Any]) -> Reply:
    """Send one request, and hold the middleware and the application to PEP 3333 by the standard library's checker."""
    setup_testing_defaults(environ)
    environ.setdefault("REMOTE_ADDR", "127.0.0.1")
    environ.setdefault("QUERY_STRING", "")
    environ.setdefault("SCRIPT_NAME", "")
    reply = Reply()

    def start_response(
        status: str,
        headers: list[tuple[str, str]],
        exc_info: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None = None,
    ) -> Callable[[bytes], object]:
        reply.status, reply.headers = status, {name.lower(): value for name, value in headers}
        return io.BytesIO().write

    body = validator(app)(environ, start_response)
    try:
        reply.body = b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]  # the checker's iterator has it, its type has not
    return reply


class TestContract(AdapterContract):
    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            headers = {
                "HTTP_" + name.upper().replace("-", "_"): value for name, value in joined(request.headers).items()
            }
            with wsgi_applications.wsgi(request, seen.note) as app:
                reply = call(app, {**headers, "REMOTE_ADDR": request.peer})
            return seen.outcome(int(reply.status[:3]), reply.body)

        return visit


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA("Test CA")


@pytest.fixture(scope="module")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice", dns_names=["a.example", "b.example"], emails=["alice@example.org"], upns=["alice@corp"])


@pytest.fixture
def application() -> Application:
    return Application()


# What the application finds


def test_the_environ_holds_the_identity_under_its_documented_key(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    call(ClientCertMiddleware(application, ca.authenticator()), alice.environ())
    assert application.environ is not None
    assert isinstance(application.environ[IDENTITY], ClientIdentity)
    assert application.environ[IDENTITY].pem == alice.pem


def test_the_variables_are_those_of_mod_ssl(ca: ClientCA, alice: IssuedCertificate, application: Application) -> None:
    call(ClientCertMiddleware(application, ca.authenticator()), alice.environ())
    found = application.variables
    assert re.fullmatch(r"([0-9A-F]{2})+", found["M_SERIAL"])
    assert int(found["M_SERIAL"], 16) == alice.certificate.serial_number
    times = {
        name: datetime.strptime(found[name], "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
        for name in ("V_START", "V_END")
    }
    assert times["V_START"] == alice.certificate.not_valid_before_utc
    assert times["V_END"] == alice.certificate.not_valid_after_utc
    assert found == {
        "VERIFY": "SUCCESS",
        "CERT": alice.pem,
        "M_VERSION": "3",
        "M_SERIAL": found["M_SERIAL"],
        "V_START": found["V_START"],
        "V_END": found["V_END"],
        "V_REMAIN": "364",
        "S_DN": "CN=alice",
        "S_DN_CN": "alice",
        "I_DN": "CN=Test CA",
        "I_DN_CN": "Test CA",
        "SAN_DNS_0": "a.example",
        "SAN_DNS_1": "b.example",
        "SAN_Email_0": "alice@example.org",
        "SAN_OTHER_msUPN_0": "alice@corp",
    }


@pytest.fixture(scope="module")
def root() -> Party:
    return authority("CN=Lab CA,O=Lab", start=datetime(2001, 1, 1, tzinfo=UTC), end=datetime(2099, 1, 1, tzinfo=UTC))


Variables = Callable[..., dict[str, str]]


@pytest.fixture
def variables_of(root: Party, application: Application) -> Variables:
    """Returns a function: the variables that an application finds of a client with a certificate of these fields."""
    app = ClientCertMiddleware(application, ClientCertAuthenticator(TrustStore([root.certificate])))

    def variables_of(
        *subject: tuple[x509.ObjectIdentifier, str],
        serial_number: int = 1,
        not_before: datetime = datetime(2001, 11, 1, 5, 6, 7, tzinfo=UTC),
        not_after: datetime = datetime(2098, 10, 29, 15, 16, 17, tzinfo=UTC),
    ) -> dict[str, str]:
        name = x509.Name([x509.NameAttribute(*attribute) for attribute in subject])
        issued = certify(name, root, start=not_before, end=not_after, serial=serial_number)
        header = encode(issued.certificate, "nginx-ingress")["ssl-client-cert"]
        assert call(app, {"HTTP_SSL_CLIENT_CERT": header}).status == "200 OK"
        return application.variables

    return variables_of


LAB_SUBJECT = (
    (NameOID.COUNTRY_NAME, "DE"),
    (NameOID.STATE_OR_PROVINCE_NAME, "NRW"),
    (NameOID.ORGANIZATION_NAME, 'Müller, "Inc"/x'),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "one"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "two"),
    (NameOID.COMMON_NAME, "alice"),
    (NameOID.EMAIL_ADDRESS, "a@example.org"),
    (NameOID.USER_ID, "u1"),
)


def test_names_serial_number_and_times_read_as_apache_writes_them(variables_of: Variables) -> None:
    """The values are what Apache 2.4.71 gave for this subject, with `SSLOptions +StdEnvVars`."""
    found = variables_of(*LAB_SUBJECT, serial_number=0x0A1B2C3D4E5F)
    names = {key: value for key, value in found.items() if "_DN" in key}
    mueller = "Müller".encode().decode("latin-1")
    assert names == {
        "S_DN": f'UID=u1,emailAddress=a@example.org,CN=alice,OU=two,OU=one,O={mueller}\\, \\"Inc\\"/x,ST=NRW,C=DE',
        "S_DN_C": "DE",
        "S_DN_ST": "NRW",
        "S_DN_O": f'{mueller}, "Inc"/x',
        "S_DN_OU": "one",
        "S_DN_OU_1": "two",
        "S_DN_CN": "alice",
        "S_DN_Email": "a@example.org",
        "S_DN_UID": "u1",
        "I_DN": "CN=Lab CA,O=Lab",
        "I_DN_O": "Lab",
        "I_DN_CN": "Lab CA",
    }
    assert found["M_SERIAL"] == "0A1B2C3D4E5F"
    assert (found["V_START"], found["V_END"]) == ("Nov  1 05:06:07 2001 GMT", "Oct 29 15:16:17 2098 GMT")


def test_an_attribute_that_has_no_variable_is_in_the_name_all_the_same(variables_of: Variables) -> None:
    found = variables_of((NameOID.SERIAL_NUMBER, "HRB 7"), (NameOID.COMMON_NAME, "alice"))
    assert {key: value for key, value in found.items() if key.startswith("S_DN")} == {
        "S_DN": "CN=alice,serialNumber=HRB 7",
        "S_DN_CN": "alice",
    }


def test_a_certificate_of_version_1_says_so(ca: ClientCA, application: Application) -> None:
    call(ClientCertMiddleware(application, ca.authenticator()), ca.v1("alice").environ())
    assert application.variables["M_VERSION"] == "1"


@pytest.mark.parametrize(
    "common_name", ["zoë", "line\r\nbreak", "back\\slash", "nul\0byte", " # leading, trailing ", "del\x7f", "a+b=c;<d>"]
)
def test_a_strange_name_reads_as_openssl_writes_it(common_name: str, variables_of: Variables, tmp_path: Path) -> None:
    """mod_ssl prints names with OpenSSL's XN_FLAG_RFC2253 less ASN1_STRFLGS_ESC_MSB."""
    found = variables_of((NameOID.ORGANIZATION_NAME, "Example"), (NameOID.COMMON_NAME, common_name))
    certificate = tmp_path / "client.crt"
    certificate.write_text(found["CERT"])
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-subject", "-nameopt", "RFC2253,-esc_msb"]
    said = subprocess.run(command, capture_output=True, check=True).stdout.decode("latin-1")
    assert said == f"subject={found['S_DN']}\n"


def test_no_variable_holds_a_line_break_that_its_certificate_brought(variables_of: Variables) -> None:
    found = variables_of((NameOID.COMMON_NAME, "alice\r\nX-Admin: yes\\"))
    assert found["S_DN_CN"] == "alice\\0D\\0AX-Admin: yes\\\\"
    assert [key for key, value in found.items() if key != "CERT" and re.search(r"[\x00-\x1f\x7f]", value)] == []


def test_the_remaining_days_are_counted_at_each_request(
    variables_of: Variables, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    assert variables_of(LAB_SUBJECT[0], not_after=now + timedelta(days=10, hours=1))["V_REMAIN"] == "10"
    monkeypatch.setattr(wsgi, "time", (now + timedelta(days=3)).timestamp)
    assert variables_of(LAB_SUBJECT[0], not_after=now + timedelta(days=10, hours=1))["V_REMAIN"] == "7"


def test_a_second_request_finds_the_same_as_the_first(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator())
    call(app, alice.environ())
    first = application.variables
    call(app, ca.issue("bob").environ())
    assert application.variables["S_DN"] == "CN=bob"
    assert "SAN_DNS_0" not in application.variables
    call(app, alice.environ())
    assert application.variables == first


def test_what_one_application_does_to_its_environ_is_not_seen_by_the_next_request(
    ca: ClientCA, alice: IssuedCertificate
) -> None:
    seen = []

    def scribbler(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ["SSL_CLIENT_S_DN"])
        environ["SSL_CLIENT_S_DN"] = "CN=mallory"
        start_response("204 No Content", [])
        return []

    app = ClientCertMiddleware(scribbler, ca.authenticator())
    for _ in range(2):
        call(app, alice.environ())
    assert seen == ["CN=alice", "CN=alice"]


# What the application does not find


FOREIGN = {
    "SSL_CLIENT_VERIFY": "SUCCESS",
    "SSL_CLIENT_S_DN": "CN=root",
    "SSL_CLIENT_S_DN_CN": "root",
    "SSL_CLIENT_S_DN_OU_17": "admins",
    "SSL_CLIENT_CERT_CHAIN_0": "-----BEGIN CERTIFICATE-----",
    IDENTITY: "root",
}


def test_variables_from_elsewhere_are_removed_next_to_a_certificate(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    call(ClientCertMiddleware(application, ca.authenticator()), FOREIGN | alice.environ())
    assert "root" not in str(application.environ)
    assert {"S_DN_OU_17", "CERT_CHAIN_0"} & application.variables.keys() == set()


@pytest.mark.parametrize("options", [{"required": False}, {"exempt": ["/"]}], ids=["anonymous", "exempt"])
def test_an_anonymous_client_has_no_variable_but_the_verdict_none(
    options: dict[str, Any], ca: ClientCA, application: Application
) -> None:
    call(ClientCertMiddleware(application, ca.authenticator(), **options), dict(FOREIGN))
    assert application.variables == {"VERIFY": "NONE"}
    assert application.environ is not None
    assert application.environ[IDENTITY] is None


def test_other_variables_of_tls_stay(ca: ClientCA, alice: IssuedCertificate, application: Application) -> None:
    others = {"SSL_CERT_FILE": "/etc/ssl/cert.pem", "SSL_PROTOCOL": "TLSv1.3", "HTTPS": "on"}
    call(ClientCertMiddleware(application, ca.authenticator()), alice.environ() | others)
    assert application.environ is not None
    assert {key: application.environ[key] for key in others} == others


def test_the_raw_headers_stay_if_they_are_asked_for(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    call(ClientCertMiddleware(application, ca.authenticator(), keep_headers=True), alice.environ() | FOREIGN)
    assert application.environ is not None
    assert alice.environ().items() <= application.environ.items()
    assert "S_DN_OU_17" not in application.variables


# Exempt paths


@pytest.mark.parametrize("keep_headers", [True, False])
def test_an_exempt_path_needs_no_certificate_and_shows_none(
    keep_headers: bool, ca: ClientCA, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), exempt=["/healthz"], keep_headers=keep_headers)
    reply = call(app, ca.stranger().environ() | {"PATH_INFO": "/healthz", "REMOTE_ADDR": "203.0.113.9"})
    assert reply.status == "200 OK"
    assert application.environ is not None
    assert application.environ[IDENTITY] is None
    assert ca.authenticator().guarded_environ & application.environ.keys() == set()


@pytest.mark.parametrize(
    ("told", "status"),
    [
        *(("/\u010daj", 200), ("/\u010daj".encode().decode("latin-1"), 200)),  # decoded, and as PEP 3333 has it
        *(("/\u010daje", 403), ("/\U0001f600", 403), ("/\ud800", 403), ("/caj", 403)),
    ],
)
def test_a_path_that_a_server_has_decoded_beyond_latin_1_is_compared_as_it_is(
    told: str, status: int, ca: ClientCA, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), exempt=["/\u010daj"])
    assert call(app, {"PATH_INFO": told}).status.startswith(str(status))


@pytest.mark.parametrize(
    "path", ["/", "/healthz/", "/healthz/x", "/HEALTHZ", "/healthz2", "//healthz", "/api/healthz", ""]
)
def test_only_the_exact_path_is_exempt(path: str, ca: ClientCA, application: Application) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), exempt=["/healthz"])
    assert call(app, {"SCRIPT_NAME": "/mount", "PATH_INFO": path}).status == "403 Forbidden"


def test_an_exempt_path_is_the_one_below_the_mount_point_and_may_be_in_any_script(
    ca: ClientCA, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(), exempt=["/gesünder"])
    native = "/gesünder".encode().decode("latin-1")
    assert call(app, {"SCRIPT_NAME": "/api", "PATH_INFO": native}).status == "200 OK"
    assert call(app, {"SCRIPT_NAME": "/api", "PATH_INFO": "/gesünder"}).status == "403 Forbidden"


def test_a_function_may_say_what_is_exempt(ca: ClientCA, application: Application) -> None:
    def is_probe(environ: WSGIEnvironment) -> bool:
        return bool(environ["PATH_INFO"] == "/healthz" and environ["REQUEST_METHOD"] == "GET")

    app = ClientCertMiddleware(application, ca.authenticator(), exempt=is_probe)
    assert call(app, {"PATH_INFO": "/healthz"}).status == "200 OK"
    assert call(app, {"PATH_INFO": "/healthz", "REQUEST_METHOD": "POST"}).status == "403 Forbidden"


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")  # the checker does not know CONNECT
@pytest.mark.parametrize(
    "options", [{}, {"required": False}, {"exempt": lambda _: True}], ids=["required", "optional", "exempt"]
)
def test_nobody_opens_a_tunnel(
    options: dict[str, Any], ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(trusted_proxies="*"), **options)
    for headers in ({}, alice.environ()):
        assert code_in(call(app, {**headers, "REQUEST_METHOD": "CONNECT"}).body) == "proxy_untrusted"
    assert application.environ is None


# Answers


def test_a_browser_is_refused_with_a_page(ca: ClientCA, application: Application) -> None:
    reply = call(ClientCertMiddleware(application, ca.authenticator()), {"HTTP_ACCEPT": "text/html, */*;q=0.8"})
    assert (reply.status, reply.headers["content-type"]) == ("403 Forbidden", "text/html; charset=utf-8")
    assert b"<code>certificate_missing</code>" in reply.body


def test_the_application_may_answer_a_refusal_in_its_own_way_and_the_request_stays_refused(
    ca: ClientCA, application: Application
) -> None:
    def on_refusal(error: ClientCertError, environ: WSGIEnvironment) -> tuple[int, list[tuple[str, str]], bytes]:
        location = f"/help?{error.code}&{environ['PATH_INFO']}"
        return 302, [("Location", location), ("Content-Type", "text/plain")], b"see there"

    reply = call(ClientCertMiddleware(application, ca.authenticator(), on_refusal=on_refusal), {"PATH_INFO": "/me"})
    assert (reply.status, reply.body) == ("302 Found", b"see there")
    assert (reply.headers["location"], reply.headers["content-length"]) == ("/help?certificate_missing&/me", "9")
    assert application.environ is None


def test_a_refusal_is_a_problem_document_that_nobody_stores(ca: ClientCA, application: Application) -> None:
    reply = call(ClientCertMiddleware(application, ca.authenticator()), {})
    assert reply.status == "403 Forbidden"
    assert reply.headers == {
        "content-type": "application/problem+json",
        "content-length": str(len(reply.body)),
        "cache-control": "no-store",
        "vary": "Accept",
        "x-content-type-options": "nosniff",
    }
    assert json.loads(reply.body) == {
        "title": "A client certificate is required.",
        "status": 403,
        "code": "certificate_missing",
    }


def test_a_refused_head_request_gets_the_headers_and_no_body(ca: ClientCA, application: Application) -> None:
    app = ClientCertMiddleware(application, ca.authenticator())
    head, get = (call(app, {"REQUEST_METHOD": method}) for method in ("HEAD", "GET"))
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_the_reason_phrase_is_that_of_the_status(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    app = ClientCertMiddleware(application, ca.authenticator(max_header_bytes=100))
    assert call(app, alice.environ()).status == "431 Request Header Fields Too Large"


def test_the_answer_of_the_application_goes_out_untouched(ca: ClientCA, alice: IssuedCertificate) -> None:
    class Body:
        closed = False

        def __iter__(self) -> Iterator[bytes]:
            yield from (b"a", b"b")

        def close(self) -> None:
            self.closed = True

    body = Body()

    def streaming(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    assert call(ClientCertMiddleware(streaming, ca.authenticator()), alice.environ()).body == b"ab"
    assert body.closed


def test_an_error_of_the_application_is_not_taken_for_a_refusal(ca: ClientCA, alice: IssuedCertificate) -> None:
    def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise CertificateExpired("of another connection, which the application made itself")

    with pytest.raises(CertificateExpired):
        call(ClientCertMiddleware(broken, ca.authenticator()), alice.environ())


# Headers as servers fold them


def test_a_twin_in_place_of_the_genuine_header_contradicts_its_companions(
    ca: ClientCA, alice: IssuedCertificate, application: Application
) -> None:
    forged = ca.issue("admin").environ()["HTTP_SSL_CLIENT_CERT"]
    reply = call(
        ClientCertMiddleware(application, ca.authenticator()), alice.environ() | {"HTTP_SSL_CLIENT_CERT": forged}
    )
    assert code_in(reply.body) == "forwarding_inconsistent"
