"""The configurations of docs/proxies/ behind the real proxies: who is let in as whom, and that no forgery is."""

from __future__ import annotations

import base64
import http.client
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from sslclientcert import PROXIES as ROWS
from sslclientcert.testing import encode

from .configurations import PROXIES, blocks, configuration
from .pki import Pki
from .rigs import RunningProxy, running
from .servers import DEADLINE_SECONDS, Application, Headers, Reply, _exchange, application, tls_context


@pytest.fixture(scope="module")
def upstream(pki: Pki) -> Iterator[Application]:
    with (
        tempfile.TemporaryDirectory(prefix="proxies-") as name,
        application(Path(name), "uvicorn-httptools", pki.bundle, "asgi_of_every_proxy") as started,
    ):
        yield started


class Front:
    """A proxy in front of the application, which alone judges the client's certificate."""

    def __init__(self, name: str, running_proxy: RunningProxy, pki: Pki) -> None:
        self.name, self.pki = name, pki
        self._port = running_proxy.port

    def get(self, client: str | None, headers: Headers = ()) -> Reply:
        context = tls_context(self.pki.server_ca, None if client is None else self.pki.client[client])
        connection = http.client.HTTPSConnection("localhost", self._port, timeout=DEADLINE_SECONDS, context=context)
        return _exchange(connection, headers, f"/{self.name}", "GET")

    def forged(self, way: str) -> list[tuple[str, str]]:
        """What the proxy would send for the client "good"; its holder is whom the forger poses as."""
        genuine = list(encode(x509.load_der_x509_certificate(self.pki.client["good"].der), self.name).items())
        twins = [(name.replace("-", "_"), value) for name, value in genuine]
        return {
            "exact": genuine,
            "underscores": twins,
            "one underscore": [(name.replace("-", "_", 1), value) for name, value in genuine],
            "twice": genuine + genuine,
            "both spellings": twins + genuine,
            "hidden by Connection": [*genuine, ("Connection", ", ".join(["close", *(name for name, _ in genuine)]))],
        }[way]


FORGERIES = ("exact", "underscores", "one underscore", "twice", "both spellings", "hidden by Connection")


@pytest.fixture(scope="module", params=PROXIES)
def front(
    request: pytest.FixtureRequest, pki: Pki, upstream: Application, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    kind, text, files = configuration(request.param, pki, upstream.upstream, verifies=False)
    with running(kind, text, tmp_path_factory.mktemp(request.param), files=files) as started:
        yield Front(request.param, started, pki)


def leaf(reply: Reply) -> bytes:
    assert reply.status == 200, reply
    return base64.b64decode(reply.json["leaf"])


@pytest.mark.parametrize(
    "client",
    [
        "documentation",
        "good",
        "common-name-only",
        "via-intermediate",
        "ed25519-root",
        "utf-8",
        "hostile",
        "large",
        "xfcc-injection",
    ],
)
def test_the_application_sees_the_very_certificate_of_the_handshake(front: Front, client: str) -> None:
    assert leaf(front.get(client)) == front.pki.client[client].der


def test_a_request_without_certificate_is_refused_as_that(front: Front) -> None:
    assert front.get(None).code == "certificate_missing"


@pytest.mark.parametrize("client", ["stranger", "impostor"])
def test_a_strangers_certificate_is_refused(front: Front, client: str) -> None:
    assert front.get(client).code == "certificate_untrusted"


def test_an_intermediate_that_the_bundle_lacks_is_seen_where_the_proxy_forwards_the_chain(front: Front) -> None:
    reply = front.get("via-forwarded")
    if front.name in ("envoy", "haproxy", "traefik"):
        assert leaf(reply) == front.pki.client["via-forwarded"].der
    else:
        assert reply.code == "certificate_untrusted"


def test_a_certificate_of_14_kilobytes_is_seen_whole_or_refused(front: Front) -> None:
    reply = front.get("huge")
    # HAProxy sends an empty header for what does not fit into its buffer of 16 KB.
    refused = {"haproxy": "forwarding_inconsistent", "rfc9440": "certificate_missing"}.get(front.name)
    if refused:
        assert reply.code == refused
    else:
        assert leaf(reply) == front.pki.client["huge"].der


@pytest.mark.parametrize("way", FORGERIES)
@pytest.mark.parametrize("client", [None, "common-name-only", "stranger"])
def test_a_forged_header_never_makes_anybody_its_holder(front: Front, client: str | None, way: str) -> None:
    reply = front.get(client, front.forged(way))
    if front.name == "envoy" and way in ("underscores", "one underscore", "both spellings"):
        assert (reply.status, reply.code) == (400, None)  # Envoy refuses every request with such a name
    elif client == "common-name-only":
        assert leaf(reply) == front.pki.client[client].der
    else:
        assert reply.code == ("certificate_missing" if client is None else "certificate_untrusted")


@pytest.mark.parametrize("page", [name for name in PROXIES if ROWS[name].configuration])
def test_the_snippet_to_copy_is_in_the_configuration_that_is_tested(page: str) -> None:
    said = " ".join(" ".join(blocks(page).values()).split())
    for line in ROWS[page].configuration.splitlines():
        assert " ".join(line.split()).removesuffix(" {") in said, line
