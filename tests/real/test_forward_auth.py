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
from sslclientcert.testing import encode

from .pki import Pki
from .rigs import RunningProxy, running
from .servers import DEADLINE_SECONDS, Headers, Reply, exchange, tls_context

EXAMPLE = Path(__file__).parents[2] / "examples" / "forward_auth"

# The files of each proxy: the main one first.
FILES = {"nginx": ["nginx.conf"], "traefik": ["traefik.yaml", "dynamic.yaml"]}
FOR_LOOPBACK = {
    "nginx": {"listen 443 ssl": "listen 127.0.0.1:@PORT@ ssl"},
    "traefik": {'":443"': '"127.0.0.1:@PORT@"', "/etc/traefik/dynamic.yaml\n": "@FOLDER@/dynamic.yaml\n"},
}
# What makes the proxy pass on every certificate, so that the service alone judges.
JUDGED_BY_THE_SERVICE = {
    "nginx": {"ssl_verify_client       on;": "ssl_verify_client optional_no_ca;"},
    "traefik": {"RequireAndVerifyClientCert": "RequestClientCert"},
}
FORGED = [("Client-Subject", "CN=admin"), ("Client-Fingerprint", "0" * 64)]
FOLDED = [("Client_Subject", "CN=admin"), ("client_fingerprint", "0" * 64)]


def changed(texts: list[str], changes: dict[str, str]) -> list[str]:
    for old, new in changes.items():
        assert any(old in text for text in texts), f"the example does not say {old!r}"
        texts = [text.replace(old, new) for text in texts]
    return texts


class Shop:
    """The application behind the proxy, which verifies clients as its file says, and behind one that does not."""

    def __init__(self, pki: Pki, proxies: dict[bool, RunningProxy], log: Path) -> None:
        self.pki = pki
        self._proxies = proxies
        self._log = log

    @property
    def kind(self) -> str:
        return self._proxies[True].kind

    def get(self, client: str | None, *, verifies: bool = True, headers: Headers = ()) -> Reply:
        context = tls_context(self.pki.server_ca, None if client is None else self.pki.client[client])
        connection = http.client.HTTPSConnection(
            "localhost", self._proxies[verifies].port, timeout=DEADLINE_SECONDS, context=context
        )
        return exchange(connection, headers, "/orders", "GET")

    def seen(self, client: str | None, *, verifies: bool = True, headers: Headers = ()) -> dict[str, str]:
        """What the application saw: who the client is, and the headers."""
        reply = self.get(client, verifies=verifies, headers=headers)
        assert reply.status == 200, (reply, self._log.read_text(errors="replace")[-4000:])
        seen: dict[str, str] = json.loads(reply.body)
        return seen

    def log(self) -> str:
        return self._log.read_text(errors="replace")


@pytest.fixture(scope="module", params=FILES)
def shop(request: pytest.FixtureRequest, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    kind: str = request.param
    folder = tmp_path_factory.mktemp(f"forward-auth-{kind}")
    application, service = listen(), listen()
    places = {
        "127.0.0.1:8000": f"127.0.0.1:{application.getsockname()[1]}",
        "127.0.0.1:8001": f"127.0.0.1:{service.getsockname()[1]}",
        "/etc/ssl/shop/": f"{pki.site}/",
        "/etc/client-ca/ca.crt": str(pki.bundle),
        **FOR_LOOPBACK[kind],
    }
    here = {
        '8000, "127.0.0.1"': f"{{ fd: {application.fileno()} }}",
        "fingerprint })": "fingerprint, ...request.headers })",
    }
    (script,) = changed([(EXAMPLE / "shop.js").read_text(encoding="utf-8")], here)
    (folder / "shop.js").write_text(script, encoding="utf-8")
    gunicorn = ["-m", "gunicorn", f"--bind=fd://{service.fileno()}", f"--chdir={EXAMPLE}", "app:app"]
    environ = {"SSLCLIENTCERT_CA": str(pki.bundle), "SSLCLIENTCERT_PROXY": kind, "XDG_RUNTIME_DIR": str(folder)}
    environ["SSLCLIENTCERT_MAX_HEADER_BYTES"] = "1700"  # for a refusal whose own status is 431
    log = folder / "service.log"
    with ExitStack() as stack:
        stack.enter_context(serve(["node", str(folder / "shop.js")], [application], log=folder / "application.log"))
        stack.enter_context(serve([sys.executable, *gunicorn], [service], log=log, environ=environ))
        main, *others = FILES[kind]
        proxies = {}
        for verifies in (True, False):
            changes = places if verifies else places | JUDGED_BY_THE_SERVICE[kind]
            texts = changed([(EXAMPLE / name).read_text(encoding="utf-8") for name in (main, *others)], changes)
            files = dict(zip(others, texts[1:], strict=True))
            proxies[verifies] = stack.enter_context(running(kind, texts[0], folder / f"{verifies}", files=files))
        yield Shop(pki, proxies, log)


both = pytest.mark.parametrize("verifies", [True, False], ids=["the proxy verifies", "the service alone verifies"])


@both
def test_the_application_knows_the_client(shop: Shop, verifies: bool) -> None:
    certificate = x509.load_der_x509_certificate(shop.pki.client["good"].der)
    seen = shop.seen("good", verifies=verifies)
    assert seen["subject"] == certificate.subject.rfc4514_string()
    assert seen["fingerprint"] == hashlib.sha256(shop.pki.client["good"].der).hexdigest()


def test_the_application_sees_no_certificate(shop: Shop) -> None:
    forged = encode(x509.load_der_x509_certificate(shop.pki.client["good"].der), shop.kind)
    for headers in ([], [*forged.items()]):
        assert [name for name in shop.seen("good", headers=headers) if "cert" in name] == []


def test_a_subject_that_imitates_header_lines_is_one_header(shop: Shop) -> None:
    seen = shop.seen("hostile")
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
    forged = encode(x509.load_der_x509_certificate(shop.pki.client["good"].der), shop.kind)
    for headers in ([], FORGED, [*forged.items()]):
        reply = shop.get(client, verifies=False, headers=headers)
        assert reply.status == 403
        # nginx answers for itself; Traefik passes the service's answer on.
        assert (shop.kind, reply.code) in {("nginx", None), ("traefik", code)}


def test_what_is_another_status_elsewhere_is_403_too(shop: Shop) -> None:
    assert shop.get("xfcc-injection", verifies=False).status == 403
    assert "header_too_large: " in shop.log()


@both
@pytest.mark.parametrize("headers", [FORGED, FOLDED, [*FORGED, *FORGED], [*FORGED, *FOLDED]])
def test_a_client_cannot_write_the_headers_that_the_application_reads(
    shop: Shop, verifies: bool, headers: Headers
) -> None:
    seen = shop.seen("common-name-only", verifies=verifies, headers=headers)
    assert seen["subject"] == "CN=bob"
    assert seen["client-fingerprint"] == hashlib.sha256(shop.pki.client["common-name-only"].der).hexdigest()
    assert [name for name in seen if name.startswith("client_")] == []
    assert "admin" not in json.dumps(seen)


@both
def test_a_forged_certificate_is_not_believed(shop: Shop, verifies: bool) -> None:
    forged = encode(x509.load_der_x509_certificate(shop.pki.client["good"].der), shop.kind)
    assert shop.seen("common-name-only", verifies=verifies, headers=[*forged.items()])["subject"] == "CN=bob"
