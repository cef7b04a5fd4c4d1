"""What docs/smart-cards.md says of OCSP in the proxy: a real nginx asks a responder in the handshake.

The responder is Python's HTTP server, and its answers are made by cryptography.
"""

from __future__ import annotations

import base64
import datetime as dt
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from examples.demo.nginx import Ingress, nginx
from sslclientcert.testing import ClientCA, IssuedCertificate

from .pki import Credentials, Pki
from .servers import application, https, tls_context

GOOD, REVOKED = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED


@contextmanager
def responder(ca: ClientCA, statuses: dict[x509.Certificate, ocsp.OCSPCertStatus]) -> Iterator[str]:
    """Run an OCSP responder of this CA, which knows these certificates."""
    known = {certificate.serial_number: certificate for certificate in statuses}

    class Responder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # RFC 6960 appendix A.1: the request is in the path
            encoded = urllib.parse.unquote(self.path.rpartition("/")[2])
            asked = ocsp.load_der_ocsp_request(base64.b64decode(encoded))
            certificate, now = known[asked.serial_number], dt.datetime.now(dt.UTC)
            is_revoked = statuses[certificate] is REVOKED
            builder = ocsp.OCSPResponseBuilder().add_response(
                cert=certificate,
                issuer=ca.certificate,
                algorithm=asked.hash_algorithm,
                cert_status=statuses[certificate],
                this_update=now - dt.timedelta(minutes=1),
                next_update=now + dt.timedelta(minutes=10),
                revocation_time=now - dt.timedelta(hours=1) if is_revoked else None,
                revocation_reason=None,
            )
            signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, ca.certificate)
            body = signed.sign(ca._keys[0], hashes.SHA256()).public_bytes(Encoding.DER)
            self.send_response(200)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Responder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not in pytest's folder: a Unix socket's path may not be longer than about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="cards-") as name:
        yield Path(name)


def written(card: IssuedCertificate, folder: Path) -> Credentials:
    folder.mkdir()
    certificate, key = card.write(folder)
    return Credentials(certificate=certificate, key=key)


def test_nginx_refuses_a_card_that_the_responder_calls_revoked_before_the_application_sees_it(
    folder: Path, pki: Pki
) -> None:
    ca = ClientCA("Card CA")
    cards = {"good": ca.issue("good"), "revoked": ca.issue("revoked")}
    bundle = ca.write(folder / "ca.crt")
    statuses = {cards["good"].certificate: GOOD, cards["revoked"].certificate: REVOKED}
    clients = {name: tls_context(pki.server_ca, written(card, folder / name)) for name, card in cards.items()}
    with application(folder, "gunicorn-sync", bundle) as running, responder(ca, statuses) as url:
        asking = Ingress(upstream=running.upstream, ca=bundle, verify_client="on", ocsp_responder=url)
        not_asking = Ingress(upstream=running.upstream, ca=bundle, verify_client="on")
        server = pki.server
        with nginx(folder, [asking, not_asking], certificate=server.certificate, key=server.key) as (asks, does_not):
            assert https(asks, clients["good"]).status == 200, (folder / "nginx.log").read_text()
            refused = https(asks, clients["revoked"])
            assert https(does_not, clients["revoked"]).status == 200
    assert (refused.status, refused.code) == (400, None)
    assert b"The SSL certificate error" in refused.body
    assert refused.verdict == "FAILED:certificate revoked"
