"""The probe against real sockets: an open application, one behind a hardened nginx, and one that says nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from sslclientcert.cli import main
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
    def log_message(self, format: str, *args: Any) -> None:
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


def test_an_application_that_does_not_answer_as_the_library_does_is_never_called_good(command: Command) -> None:
    with served(application) as port:
        said = command("probe", f"http://127.0.0.1:{port}/", "--proxy", "caddy")
    assert said.status == 2, said
    assert "NOTHING CAN BE TOLD" in said.out


def test_a_host_that_is_not_loopback_needs_a_word_of_its_owner(command: Command) -> None:
    said = command("probe", "https://192.0.2.1/", "--dry-run")
    assert (said.status, said.out) == (2, "")
    assert "--yes-i-own-this" in said.err


def test_a_dry_run_says_every_request_and_sends_none(command: Command) -> None:
    said = command("probe", "https://192.0.2.1/", "--yes-i-own-this", "--dry-run", "--proxy", "haproxy")
    assert said.status == 0, said
    assert said.out.startswith("9 requests to 192.0.2.1, none of them sent")
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
    assert said.status == status, said
    arrived = [each["way"] for each in json.loads(said.out)["findings"] if each["outcome"] != "not seen"]
    assert arrived == (["underscore"] if status else [])
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
        options = ["--cacert", str(pki.server_ca), "--cert", str(certificate), "--key", str(key)]
        url = f"https://localhost:{nginx.port}/"
        said = command("probe", url, *options, "--proxy", "nginx-ingress", "--json")
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
