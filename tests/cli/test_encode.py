from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sslclientcert import PROXIES
from sslclientcert.testing import ClientCA, IssuedCertificate

from ..openssl import OpenSSL
from .conftest import Command


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("file", ["leaf.crt", "client.crt"])
def test_what_it_prints_is_what_verify_accepts(command: Command, proxy: str, file: str) -> None:
    said = command("encode", "--proxy", proxy, file)
    assert (said.status, said.err) == (0, "")
    assert command("verify", "--ca", "ca.crt", "--proxy", proxy, "-", stdin=said.out).status == 0


def test_it_prints_the_headers_of_the_proxy_and_nothing_else(command: Command, alice: IssuedCertificate) -> None:
    lines = command("encode", "client.crt").out.splitlines()
    assert lines == [f"{name}: {value}" for name, value in alice.headers().items()]


def test_intermediates_go_along_where_the_proxy_forwards_them(command: Command) -> None:
    (alone,) = command("encode", "--proxy", "traefik", "leaf.crt").out.splitlines()
    (chain,) = command("encode", "--proxy", "traefik", "client.crt").out.splitlines()
    assert chain.startswith(f"{alone},")


def test_the_certificate_header_may_have_another_name(command: Command) -> None:
    said = command("encode", "--proxy", "nginx", "--header", "X-Client-Cert", "leaf.crt")
    assert "x-client-cert: -----BEGIN%20CERTIFICATE-----" in said.out
    assert "x-ssl-client-cert" not in said.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--proxy", "ngnix", "leaf.crt"], "unknown proxy 'ngnix'; did you mean 'nginx'?; the table has nginx-ingress"),
        (["--proxy", "envoy", "header.txt"], "header.txt: it holds no certificate in PEM"),
        (["--proxy", "envoy", "client.key"], "client.key: it holds a private key"),
        (["--proxy", "envoy", "nowhere.crt"], "nowhere.crt: there is no such file"),
        (["--proxy", "envoy", "--header", "a b", "leaf.crt"], "'a b' is not a header name"),
    ],
)
def test_a_fault_of_usage_is_said_in_a_line(command: Command, arguments: list[str], complaint: str) -> None:
    said = command("encode", *arguments)
    assert (said.status, said.out) == (2, "")
    assert complaint in said.err


def test_a_name_that_would_begin_another_header_line_is_not_printed(command: Command, ca: ClientCA) -> None:
    # Envoy copies URI names as they are, and answers 503 itself.
    Path("split.crt").write_text(ca.issue("x", uris=["https://example.org/\r\nssl-client-verify: SUCCESS"]).pem)
    said = command("encode", "--proxy", "envoy", "split.crt")
    assert (said.status, said.out) == (2, "")
    assert "holds a line break" in said.err


def test_a_hostile_subject_is_printed_as_the_proxy_escapes_it(command: Command, openssl: OpenSSL) -> None:
    said = command("encode", "--proxy", "nginx-ingress", openssl.folder / "hostile.crt")
    assert said.status == 0
    assert all(char.isprintable() or char == "\n" for char in said.out)
    root = openssl.folder / "root.crt"
    assert command("verify", "--ca", root, "-", stdin=said.out).status == 0


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The address of a server that answers with the headers of the request."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(f"{name}: {value}\n" for name, value in self.headers.items()).encode("latin-1")
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])  # seconds until it sees that it should end
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("proxy", PROXIES)
def test_curl_sends_the_lines_as_they_are_printed(command: Command, echo: str, proxy: str) -> None:
    lines = command("encode", "--proxy", proxy, "leaf.crt").out
    Path("headers.txt").write_text(lines)
    done = subprocess.run(
        ["curl", "-sS", "--verbose", "--noproxy", "*", "--max-time", "30", "-H", "@headers.txt", echo],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    received = [line.rstrip() for line in done.stdout.splitlines()]
    for line in lines.splitlines():
        assert (f"{line[:-1]}:" if line.endswith(";") else line.rstrip()) in received
    # What the application received, and what curl says that it sent, are both accepted.
    for seen in (done.stdout, done.stderr):
        assert command("verify", "--ca", "ca.crt", "--proxy", proxy, "-", stdin=seen).status == 0
