"""The probe against real sockets: an open application, one behind a hardened nginx, and one that says nothing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from cryptography import x509

from sslclientcert import PROXIES
from sslclientcert.cli import main, probe
from sslclientcert.core.errors import CertificateMissing
from sslclientcert.testing import ClientCA
from sslclientcert.wsgi import ClientCertMiddleware

from .pki import Pki
from .rigs import running
from .servers import application as real_application


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


Command = Callable[..., Said]
GOT_THROUGH = ("accepted", "refused by the application")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: str) -> Said:
        status = main(arguments)
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return call


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any, **kwargs: Any) -> None:
        pass


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"welcome"]


@contextmanager
def served(wsgi: Any) -> Iterator[int]:
    with make_server("127.0.0.1", 0, wsgi, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def guarded(ca: ClientCA) -> Iterator[int]:
    with served(ClientCertMiddleware(application, ca.authenticator())) as port:
        yield port


def options_with(pki: Pki, certificate: Path, key: Path) -> list[str]:
    """The options of a probe of an `nginx-ingress` with a client's certificate."""
    shown = ["--cert", str(certificate), "--key", str(key)]
    return ["--cacert", str(pki.server_ca), *shown, "--proxy", "nginx-ingress"]


def test_a_forgery_that_reaches_the_application_is_found_though_it_is_refused_there(
    command: Command, guarded: int
) -> None:
    said = command("probe", f"http://127.0.0.1:{guarded}/", "--proxy", "nginx-ingress", "--json")
    assert said.status == 1, said
    outcomes = {each["way"]: each["outcome"] for each in json.loads(said.out)["findings"]}
    assert outcomes["exact"] == outcomes["other case"] == "refused by the application"


def test_the_line_that_closes_it_is_printed(command: Command, guarded: int) -> None:
    said = command("probe", f"http://127.0.0.1:{guarded}/", "--proxy", "nginx-ingress")
    assert said.status == 1, said
    assert "auth-tls-pass-certificate-to-upstream" in said.out


def test_behind_an_nginx_that_sets_every_header_nothing_arrives(command: Command, guarded: int, tmp_path: Path) -> None:
    names = ("ssl-client-cert", "ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn")
    closed = "".join(f'proxy_set_header {name} "";' for name in names)
    configuration = (
        f"server {{ listen 127.0.0.1:@PORT@; location / {{ {closed} proxy_pass http://127.0.0.1:{guarded}; }} }}"
    )
    with running("nginx", configuration, tmp_path / "nginx") as nginx:
        said = command("probe", f"http://127.0.0.1:{nginx.port}/", "--proxy", "nginx-ingress")
    assert said.status == 0, said


def test_what_got_through_is_a_table_with_the_line_that_closes_each(command: Command, guarded: int) -> None:
    said = command("probe", f"http://127.0.0.1:{guarded}/", "--proxy", "nginx-ingress")
    _, head, *rows = said.out.splitlines()
    assert head.split() == ["proxy", "way", "certificate", "answer", "outcome"]
    assert rows[0].split() == [
        *("nginx-ingress", "exact", "without", "403", "certificate_untrusted", "refused", "by", "the", "application")
    ]
    assert "To close underscore, mixed spelling for nginx-ingress:" in rows
    assert "To close exact, other case, twice, hop-by-hop for nginx-ingress:" in rows


def test_the_name_of_another_header_is_forged_and_named_by_the_remedy(command: Command, ca: ClientCA) -> None:
    authenticator = ca.authenticator("azure-app-service", header="x-client-cert")
    with served(ClientCertMiddleware(application, authenticator)) as port:
        call = ("probe", f"http://127.0.0.1:{port}/", "--proxy", "azure-app-service")
        other = command(*call)
        named = command(*call, "--header", "x-client-cert")
    assert (other.status, named.status) == (0, 1), (other, named)
    assert "    set x-client-cert on every request, to nothing if there is no certificate\n" in named.out


def test_an_application_that_does_not_answer_as_the_library_does_is_never_called_good(command: Command) -> None:
    with served(application) as port:
        said = command("probe", f"http://127.0.0.1:{port}/", "--proxy", "caddy")
    assert said.status == 2, said
    assert "NOTHING CAN BE TOLD" in said.out


def test_an_application_that_answers_one_way_and_then_another_is_never_called_good(command: Command) -> None:
    statuses = itertools.chain(["200 OK"], itertools.repeat("404 Not Found"))

    def fickle(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response(next(statuses), [("Content-Type", "text/plain")])
        return [b"welcome"]

    with served(fickle) as port:
        said = command("probe", f"http://127.0.0.1:{port}/", "--proxy", "caddy")
    assert said.status == 2, said
    assert "without any forgery it answers 200, then 404: nothing can be told" in said.err


def test_a_host_that_is_not_loopback_needs_a_word_of_its_owner(command: Command) -> None:
    said = command("probe", "https://192.0.2.1/", "--dry-run")
    assert (said.status, said.out) == (2, "")
    assert "--yes-i-own-this" in said.err


def test_a_dry_run_says_every_request_and_sends_none(command: Command) -> None:
    said = command("probe", "https://192.0.2.1/", "--yes-i-own-this", "--dry-run", "--proxy", "haproxy")
    assert said.status == 0, said
    assert said.out.startswith("10 requests to 192.0.2.1, none of them sent")
    assert "X_SSL_CLIENT_CERT" in said.out.upper()


@pytest.mark.parametrize("setting", ["off", "on"])
def test_underscore_twins_that_nginx_lets_through_over_tls_are_found(
    command: Command, guarded: int, pki: Pki, tmp_path: Path, setting: str
) -> None:
    server, status = pki.server, int(setting == "on")
    names = ("ssl-client-cert", "ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn")
    closed = "".join(f'proxy_set_header {name} "";' for name in names)
    configuration = (
        f"server {{ listen 127.0.0.1:@PORT@ ssl; underscores_in_headers {setting};"
        f" ssl_certificate {server.certificate};"
        f" ssl_certificate_key {server.key}; location / {{ {closed} proxy_pass http://127.0.0.1:{guarded}; }} }}"
    )
    with running("nginx", configuration, tmp_path / "nginx") as nginx:
        url = f"https://localhost:{nginx.port}/"
        said = command("probe", url, "--cacert", str(pki.server_ca), "--proxy", "nginx-ingress", "--json")
        stranger = command("probe", url, "--proxy", "nginx-ingress")
        trusting = command("probe", url, "--proxy", "nginx-ingress", "--insecure")
    assert said.status == trusting.status == status, said
    arrived = [each["way"] for each in json.loads(said.out)["findings"] if each["outcome"] in GOT_THROUGH]
    assert arrived == (["underscore", "mixed spelling"] if status else [])
    assert stranger.status == 2, "a server's certificate that nobody vouches for was taken"


def test_with_a_client_certificate_a_hardened_nginx_lets_no_forgery_in(
    command: Command, guarded: int, pki: Pki, ca: ClientCA, tmp_path: Path
) -> None:
    server, anchor = pki.server, ca.write(tmp_path / "ca.crt")
    certificate, key = ca.issue("alice").write(tmp_path)
    configuration = f"""
        server {{
          listen 127.0.0.1:@PORT@ ssl;
          ssl_certificate {server.certificate};
          ssl_certificate_key {server.key};
          ssl_client_certificate {anchor};
          ssl_verify_client optional;
          location / {{
            proxy_set_header ssl-client-cert $ssl_client_escaped_cert;
            proxy_set_header ssl-client-verify $ssl_client_verify;
            proxy_set_header ssl-client-subject-dn $ssl_client_s_dn;
            proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;
            proxy_pass http://127.0.0.1:{guarded};
          }}
        }}"""
    with running("nginx", configuration, tmp_path / "nginx") as nginx:
        options = options_with(pki, certificate, key)
        url = f"https://localhost:{nginx.port}/"
        said = command("probe", url, *options, "--json")
    assert said.status == 0, said
    findings = json.loads(said.out)["findings"]
    usual = {(each["client_certificate"], each["usual"]) for each in findings}
    assert usual == {("without", "403 certificate_missing"), ("with", "200")}


@pytest.mark.parametrize(("gateway", "arrives"), [("uvicorn-httptools", True), ("uvicorn-h11", False)])
def test_a_trailer_that_uvicorn_adds_to_the_headers_is_found(
    command: Command, ca: ClientCA, tmp_path: Path, gateway: str, arrives: bool
) -> None:
    with real_application(tmp_path, gateway, ca.write(tmp_path / "ca.crt")) as running_application:
        url = f"http://127.0.0.1:{running_application.port}/body"
        said = command("probe", url, "--proxy", "nginx-ingress", "--json")
    outcomes = {each["way"]: each["outcome"] for each in json.loads(said.out)["findings"]}
    assert outcomes["trailer, not announced"] == ("refused by the application" if arrives else "not seen")


# Every adapter's answer


def refusals() -> Iterator[tuple[str, bytes]]:
    """What each adapter answers to a client without a certificate."""
    from fastapi import Depends, FastAPI
    from flask import Flask
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.authentication import AuthenticationMiddleware
    from starlette.testclient import TestClient

    from sslclientcert.asgi import ClientCertMiddleware as AsgiMiddleware
    from sslclientcert.fastapi import ClientCertHTTPException, MutualTLS
    from sslclientcert.fastapi import problem_details as problem_of_fastapi
    from sslclientcert.flask import ClientCert
    from sslclientcert.starlette import ClientCertBackend, problem_details

    judge = ClientCA().authenticator(trusted_proxies="*")
    fastapi = FastAPI(dependencies=[Depends(MutualTLS(judge))])
    fastapi.get("/")(lambda: None)
    yield "fastapi", TestClient(fastapi).get("/").content
    fastapi.add_exception_handler(ClientCertHTTPException, problem_of_fastapi)
    yield "fastapi, problem_details", TestClient(fastapi).get("/").content
    for name, on_error in (("starlette", None), ("starlette, problem_details", problem_details)):
        backend = Middleware(AuthenticationMiddleware, backend=ClientCertBackend(judge), on_error=on_error)
        yield name, TestClient(Starlette(middleware=[backend])).get("/").content
    yield "asgi", TestClient(AsgiMiddleware(Starlette(), judge)).get("/").content
    flask = Flask(__name__)
    ClientCert(flask, authenticator=judge)
    yield "flask", flask.test_client().get("/").data
    error = CertificateMissing("none")
    yield "django, drf", json.dumps(error.problem()).encode()


def test_the_answer_of_every_adapter_is_understood() -> None:
    for adapter, body in refusals():
        assert probe._Answer(403, body).code == "certificate_missing", (adapter, body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{}", b'"certificate_missing"', b'{"code": 1}', b'{"code": []}', b'{"code": "other"}'),
        *(b'{"detail": "Not Found"}', b'{"detail": null}', b"<html>certificate_missing</html>", b"\xff", b"[" * 5000),
    ],
)
def test_the_answer_of_anybody_else_is_no_code(body: bytes) -> None:
    assert probe._Answer(403, body).code is None


# Who is seen


def naive(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Believes whatever header there is, as applications do without this library."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    value = environ.get("HTTP_SSL_CLIENT_CERT")
    if value is None:
        return [b"Hello nobody"]
    certificate = x509.load_pem_x509_certificate(unquote(value).encode())
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return [f"Hello {name.value!s}".encode()]


def greeting(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"Hello {environ['sslclientcert.identity'].common_name}".encode()]


HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen proxy
    bind 127.0.0.1:@PORT@ ssl crt {site}/tls.pem ca-file {ca} verify required
    {lines}
    server app 127.0.0.1:{port}
"""
DROPS = "    http-request del-header _ -m sub\n    http-request del-header ssl-client-cert"
SETS = "http-request set-header ssl-client-cert %[ssl_c_der,base64]"


@contextmanager
def behind_haproxy(wsgi: Any, ca: Path, pki: Pki, folder: Path, lines: str) -> Iterator[str]:
    with served(wsgi) as port:
        configuration = HAPROXY.format(site=pki.site, ca=ca, port=port, lines=lines)
        with running("haproxy", configuration, folder / "haproxy") as proxy:
            yield f"https://localhost:{proxy.port}/"


def test_a_proxy_that_lets_nobody_in_without_a_certificate_is_probed_with_one(
    command: Command, ca: ClientCA, pki: Pki, tmp_path: Path
) -> None:
    certificate, key = ca.issue("alice").write(tmp_path)
    row = dataclasses.replace(
        PROXIES["haproxy"],
        certificate_header="ssl-client-cert",
        chain_header=None,
        chain_encoding=None,
        verdict_header=None,
        presence_header=None,
    )
    guard = ClientCertMiddleware(greeting, ca.authenticator(proxy=row))
    options = options_with(pki, certificate, key)
    with behind_haproxy(
        guard, ca.write(tmp_path / "ca.crt"), pki, tmp_path, f"http-request del-header _ -m sub\n{SETS}"
    ) as url:
        said = command("probe", url, *options)
        alone = command("probe", url, "--cacert", str(pki.server_ca))
    assert said.status == 0, said
    assert "without a certificate, localhost:" in said.out
    assert (alone.status, "probe with --cert" in alone.err) == (2, True), alone


def test_a_forgery_that_changes_who_is_seen_is_found_though_every_answer_is_200(
    command: Command, ca: ClientCA, pki: Pki, tmp_path: Path
) -> None:
    certificate, key = ca.issue("alice").write(tmp_path)
    options = options_with(pki, certificate, key)
    # A proxy that adds its header where the client has sent none.
    escaped = quote(ca.issue("alice").pem, safe="").replace("%", "%%")
    lines = f"http-request set-header ssl-client-cert {escaped} unless {{ req.hdr(ssl-client-cert) -m found }}"
    with behind_haproxy(naive, ca.write(tmp_path / "ca.crt"), pki, tmp_path, lines) as url:
        said = command("probe", url, *options, "--json")
    assert said.status == 1, said
    outcomes = {each["way"]: each["outcome"] for each in json.loads(said.out)["findings"]}
    assert outcomes["exact"] == outcomes["other case"] == "accepted"
    assert outcomes["trailer"] == "not seen"


def test_a_certificate_that_the_page_does_not_let_in_tells_nothing(
    command: Command, ca: ClientCA, pki: Pki, tmp_path: Path
) -> None:
    """As where ingress-nginx does not pass the certificate on: the application refuses before and after."""
    certificate, key = ca.issue("alice").write(tmp_path)
    options = options_with(pki, certificate, key)
    guard = ClientCertMiddleware(greeting, ca.authenticator())
    lines = "http-request set-header ssl-client-verify SUCCESS"
    with behind_haproxy(guard, ca.write(tmp_path / "ca.crt"), pki, tmp_path, f"{lines}\n{DROPS}") as url:
        said = command("probe", url, *options)
    assert said.status == 2, said
    assert "with the client certificate it answers 400 forwarding_inconsistent" in said.out


@pytest.mark.parametrize("option", ["--cacert", "--key"])
def test_a_file_that_tls_has_no_use_for_is_an_option_that_is_wrong(
    command: Command, ca: ClientCA, tmp_path: Path, option: str
) -> None:
    certificate, _ = ca.issue("alice").write(tmp_path)

    said = command(
        "probe", "https://127.0.0.1:9/", "--cert", str(certificate), option, str(tmp_path / "nothing.pem"), "--json"
    )

    assert said.status == 2
    assert said.err.startswith("sslclientcert: --cacert, --cert or --key is not what it should be: ")
