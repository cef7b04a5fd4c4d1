"""The script fetches from a real HTTP server; each fault leaves the file as it was, and says so."""

from __future__ import annotations

import datetime as dt
import io
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import ClientCertError, PresentedChain, TrustStore
from sslclientcert.testing import ClientCA

from . import fetch_crls
from .fetch_crls import main

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


class Publisher(BaseHTTPRequestHandler):
    """A CA's web server: what it answers by path, as status, announced length and body."""

    answers: ClassVar[dict[str, tuple[int, int, bytes]]] = {}

    def do_GET(self) -> None:  # http.server's name
        status, length, body = self.answers[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    Publisher.answers = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/clients.crl"
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, sslclientcert_ca: ClientCA) -> Path:
    sslclientcert_ca.write(tmp_path / "ca.crt")
    (tmp_path / "crls").mkdir()
    return tmp_path


def publish(body: bytes | str, *, status: int = 200, missing: int = 0) -> None:
    content = body.encode() if isinstance(body, str) else body
    Publisher.answers["/clients.crl"] = (status, len(content) + missing, content)


class Done(NamedTuple):
    """What came of a run of the script."""

    status: int
    said: str
    complained: str


def fetch(folder: Path, *urls: str, names: Sequence[str] = ("clients.crl",)) -> Done:
    lists = [f"{name}={url}" for name, url in zip(names, urls, strict=True)]
    said, complained = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(complained):
        try:
            status = main(["--ca", str(folder / "ca.crt"), str(folder / "crls"), *lists])
        except SystemExit as end:
            status = int(str(end.code))
    return Done(status, said.getvalue(), complained.getvalue())


def crl(ca: ClientCA, start: dt.datetime, end: dt.datetime) -> bytes:
    """An empty list of this CA with other times."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    signed = builder.last_update(start).next_update(end).sign(ca._keys[0], hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


def test_a_list_is_fetched_as_the_library_reads_it(folder: Path, url: str, sslclientcert_ca: ClientCA) -> None:
    alice = sslclientcert_ca.issue("alice")
    publish(sslclientcert_ca.crl([alice]))
    done = fetch(folder, url)
    assert done.status == 0, done.complained
    store = TrustStore.from_file(folder / "ca.crt", folder / "crls/clients.crl")
    with pytest.raises(ClientCertError) as refusal:
        store.verify(PresentedChain(alice.certificate))
    assert refusal.value.code == "certificate_revoked"
    assert [path.name for path in (folder / "crls").iterdir()] == ["clients.crl"]
    assert (folder / "crls/clients.crl").stat().st_mode & 0o777 == 0o644


def test_the_script_runs_as_a_program_and_its_status_says_how_it_went(
    folder: Path, url: str, sslclientcert_ca: ClientCA
) -> None:
    publish(sslclientcert_ca.crl())
    command = [
        sys.executable,
        fetch_crls.__file__,
        "--ca",
        str(folder / "ca.crt"),
        str(folder / "crls"),
        f"clients.crl={url}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr, done.stdout[:16]) == (0, "", "clients.crl: of ")
    publish("gone", status=404)
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1


def test_a_list_in_der_is_written_as_pem(folder: Path, url: str, sslclientcert_ca: ClientCA) -> None:
    publish(crl(sslclientcert_ca, NOW - DAY, NOW + DAY))
    assert fetch(folder, url).status == 0
    assert (folder / "crls/clients.crl").read_text().startswith("-----BEGIN X509 CRL-----")


def test_a_newer_list_replaces_the_one_of_before_by_a_rename(
    folder: Path, url: str, sslclientcert_ca: ClientCA
) -> None:
    publish(crl(sslclientcert_ca, NOW - 2 * DAY, NOW + DAY))
    fetch(folder, url)
    with (folder / "crls/clients.crl").open() as reader:  # an application that is reading just now
        publish(crl(sslclientcert_ca, NOW - DAY, NOW + 2 * DAY))
        assert fetch(folder, url).status == 0
        before = reader.read()
    after = (folder / "crls/clients.crl").read_text()
    assert before != after
    for text in (before, after):
        x509.load_pem_x509_crl(text.encode())  # whole, both


FAULTS: dict[str, tuple[Callable[[ClientCA], None], str]] = {
    "the server answers with a fault": (lambda ca: publish(ca.crl(), status=500), "HTTP Error 500"),
    "the list is gone": (lambda ca: publish("gone", status=404), "HTTP Error 404"),
    "the answer has no content": (lambda ca: publish("", status=204), "answered 204"),
    "an error page": (lambda ca: publish("<html>Try again later</html>"), "not a CRL; it begins with b'<html>"),
    "a certificate": (lambda ca: publish(ca.pem), "not a CRL; it begins with b'-----BEGIN CERTIFICATE"),
    "nothing": (lambda ca: publish(""), "not a CRL"),
    "half of it": (lambda ca: publish(ca.crl()[:300]), "not a CRL"),
    "the connection breaks": (lambda ca: publish(ca.crl(), missing=10), "bytes"),
    "another CA's": (lambda ca: publish(ClientCA("Another CA").crl()), "its issuer is CN=Another CA"),
    "a stranger's of the CA's name": (lambda ca: publish(ClientCA(ca.name).crl()), "no CA of the bundle has signed it"),
    "one that has ended": (lambda ca: publish(crl(ca, NOW - 2 * DAY, NOW - DAY)), "it ended at"),
    "one that has not begun": (lambda ca: publish(crl(ca, NOW + DAY, NOW + 2 * DAY)), "it begins at"),
    "an older one": (lambda ca: publish(crl(ca, NOW - 9 * DAY, NOW + DAY)), "older than the list that is there"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_list_of_before_stays_and_the_job_fails(
    fault: str, folder: Path, url: str, sslclientcert_ca: ClientCA
) -> None:
    file = folder / "crls/clients.crl"
    file.write_bytes(crl(sslclientcert_ca, NOW - DAY, NOW + DAY))
    before = file.read_bytes(), file.stat().st_ino
    make, message = FAULTS[fault]
    make(sslclientcert_ca)
    done = fetch(folder, url)
    assert (done.status, (file.read_bytes(), file.stat().st_ino)) == (1, before)
    assert message in done.complained
    assert "NOT FETCHED" in done.complained
    assert [path.name for path in (folder / "crls").iterdir()] == ["clients.crl"]


@pytest.mark.usefixtures("url")
def test_the_list_of_before_stays_if_the_server_is_down(folder: Path) -> None:
    file = folder / "crls/clients.crl"
    file.write_text("the list of before")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = fetch(folder, f"http://127.0.0.1:{port}/clients.crl")
    assert (done.status, file.read_text()) == (1, "the list of before")
    assert "Connection refused" in done.complained


def test_one_list_that_is_not_there_does_not_keep_the_others_away(
    folder: Path, url: str, sslclientcert_ca: ClientCA
) -> None:
    publish(sslclientcert_ca.crl())
    Publisher.answers["/gone.crl"] = (404, 0, b"")
    (folder / "crls/clients.crl").write_text("to be replaced")
    done = fetch(folder, url.replace("clients", "gone"), url, names=["gone.crl", "clients.crl"])
    assert (done.status, done.complained.count("NOT FETCHED")) == (1, 1)
    assert [path.name for path in (folder / "crls").iterdir()] == ["clients.crl"]
    x509.load_pem_x509_crl((folder / "crls/clients.crl").read_bytes())


def test_a_ca_that_cannot_be_read_does_not_keep_the_lists_of_the_others_away(
    folder: Path, url: str, sslclientcert_ca: ClientCA
) -> None:
    odd = ssl.DER_cert_to_PEM_cert(bytes.fromhex("30030201ff"))
    (folder / "ca.crt").write_text(odd + sslclientcert_ca.pem)
    publish(sslclientcert_ca.crl())
    assert fetch(folder, url).status == 0


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ldap://ca.example.org/cn=ca", "ftp://ca.example.org/ca.crl"])
def test_only_http_is_fetched(place: str, folder: Path) -> None:
    done = fetch(folder, place)
    assert (done.status, "http://" in done.complained) == (2, True)


@pytest.mark.parametrize("name", ["../clients.crl", "/etc/passwd", "", "..", "a/b"])
def test_nothing_is_written_outside_of_the_folder(name: str, folder: Path, url: str) -> None:
    assert fetch(folder, url, names=[name]).status == 2
    assert list((folder / "crls").iterdir()) == []
