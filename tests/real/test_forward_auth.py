"""examples/forward_auth: an application in Node.js, behind nginx's auth_request and Traefik's ForwardAuth."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509

from examples.demo.processes import listen, serve

from .configurations import replaced
from .pki import Pki
from .servers import Headers
from .shops import Shop, proxies

EXAMPLE = Path(__file__).parents[2] / "examples" / "forward_auth"

# The files of each proxy: the main one first.
FILES = {"nginx": ["nginx.conf"], "traefik": ["traefik.yaml", "dynamic.yaml"]}
FORGED = [("Client-Subject", "CN=admin"), ("Client-Fingerprint", "0" * 64)]
FOLDED = [("Client_Subject", "CN=admin"), ("client_fingerprint", "0" * 64)]


@pytest.fixture(scope="module", params=FILES)
def shop(request: pytest.FixtureRequest, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    kind: str = request.param
    folder = tmp_path_factory.mktemp(f"forward-auth-{kind}")
    application, service = listen(), listen()
    ports = [each.getsockname()[1] for each in (application, service)]
    here = {
        '8000, "127.0.0.1"': f"{{ fd: {application.fileno()} }}",
        "fingerprint })": "fingerprint, ...request.headers })",
    }
    (script,) = replaced([(EXAMPLE / "shop.js").read_text(encoding="utf-8")], here, "shop.js")
    (folder / "shop.js").write_text(script, encoding="utf-8")
    gunicorn = ["-m", "gunicorn", f"--bind=fd://{service.fileno()}", f"--chdir={EXAMPLE}", "app:app"]
    environ = {"SSLCLIENTCERT_CA": str(pki.bundle), "SSLCLIENTCERT_PROXY": kind, "XDG_RUNTIME_DIR": str(folder)}
    environ["SSLCLIENTCERT_MAX_HEADER_BYTES"] = "1700"  # for a refusal whose own status is 431
    log = folder / "service.log"
    with ExitStack() as stack:
        stack.enter_context(serve(["node", str(folder / "shop.js")], [application], log=folder / "application.log"))
        stack.enter_context(serve([sys.executable, *gunicorn], [service], log=log, environ=environ))
        upstream, judge = (f"127.0.0.1:{port}" for port in ports)
        files = [EXAMPLE / name for name in FILES[kind]]
        both = proxies(kind, files, pki, upstream, folder, more={"127.0.0.1:8001": judge})
        yield Shop(pki=pki, proxies=stack.enter_context(both), path="/orders", log=log)


both = pytest.mark.parametrize("verifies", [True, False], ids=["the proxy verifies", "the service alone verifies"])


@both
def test_the_application_knows_the_client(shop: Shop, verifies: bool) -> None:
    certificate = x509.load_der_x509_certificate(shop.pki.client["good"].der)
    seen = shop.answer("good", verifies=verifies)
    assert seen["subject"] == certificate.subject.rfc4514_string()
    assert seen["fingerprint"] == hashlib.sha256(shop.pki.client["good"].der).hexdigest()


def test_the_application_sees_no_certificate(shop: Shop) -> None:
    for headers in ([], shop.forged()):
        assert [name for name in shop.answer("good", headers=headers) if "cert" in name] == []


def test_a_subject_that_imitates_header_lines_is_one_header(shop: Shop) -> None:
    seen = shop.answer("hostile")
    assert seen["subject"].startswith("CN=mallory")
    assert seen["client-subject"] == quote(seen["subject"])


@pytest.mark.parametrize("client", [None, "stranger"])
def test_the_proxy_refuses_others_itself(shop: Shop, client: str | None) -> None:
    try:
        reply = shop.get(client)
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return  # refused in the handshake
    assert (shop.kind, reply.status) == ("nginx", 400)


@pytest.mark.parametrize(
    ("client", "code"),
    [(None, "certificate_missing"), ("stranger", "certificate_untrusted")],
)
def test_behind_a_proxy_that_refuses_no_client_the_service_does(shop: Shop, client: str | None, code: str) -> None:
    for headers in ([], FORGED, shop.forged()):
        reply = shop.get(client, verifies=False, headers=headers)
        assert reply.status == 403
        # nginx answers for itself; Traefik passes the service's answer on.
        assert (shop.kind, reply.code) in {("nginx", None), ("traefik", code)}


def test_what_is_another_status_elsewhere_is_403_too(shop: Shop) -> None:
    assert shop.get("xfcc-injection", verifies=False).status == 403
    assert "header_too_large: " in shop.log.read_text(errors="replace")


@both
@pytest.mark.parametrize("headers", [FORGED, FOLDED, [*FORGED, *FORGED], [*FORGED, *FOLDED]])
def test_a_client_cannot_write_the_headers_that_the_application_reads(
    shop: Shop, verifies: bool, headers: Headers
) -> None:
    seen = shop.answer("common-name-only", verifies=verifies, headers=headers)
    assert seen["subject"] == "CN=bob"
    assert seen["client-fingerprint"] == hashlib.sha256(shop.pki.client["common-name-only"].der).hexdigest()
    assert [name for name in seen if name.startswith("client_")] == []
    assert "admin" not in json.dumps(seen)


@both
def test_a_forged_certificate_is_not_believed(shop: Shop, verifies: bool) -> None:
    assert shop.answer("common-name-only", verifies=verifies, headers=shop.forged())["subject"] == "CN=bob"
