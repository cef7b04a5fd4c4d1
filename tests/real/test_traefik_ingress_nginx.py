"""Ingress objects of ingress-nginx, read by the real Traefik: who is let in by one word, and what a forgery does."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from .fronts import FORGERIES, Front, front, traefik_ingress_nginx
from .pki import SUBJECTS, Pki
from .servers import PROXY_ADDRESS, Application, Reply, application
from .test_unsafe import ANYBODY, NOBODY, VICTIM, Probe, outcome, probe  # noqa: F401  # a fixture

ROW = "traefik-ingress-nginx"
PASSED = "auth-tls-pass-certificate-to-upstream"
Annotations = dict[str, str | None]
NOT_PASSED: Annotations = {PASSED: None}
OPTIONAL: Annotations = {"auth-tls-verify-client": "optional_no_ca"}
OVER_PLAIN_HTTP: Annotations = {"ssl-redirect": "false"}

Stand = Callable[..., AbstractContextManager[Front]]


@pytest.fixture(scope="module")
def upstream(pki: Pki) -> Iterator[Application]:
    with (
        tempfile.TemporaryDirectory(prefix="traefik-") as name,
        application(Path(name), "uvicorn-httptools", pki.bundle, "asgi_of_every_proxy") as started,
    ):
        yield started


@pytest.fixture
def stand(pki: Pki, upstream: Application, tmp_path: Path) -> Stand:
    """Run Traefik with changes to the annotations of docs/kubernetes.md, in front of the application of a row."""

    @contextmanager
    def start(annotations: Annotations, row: str = ROW, main: str = "traefik.yaml") -> Iterator[Front]:
        folder = tmp_path / "traefik"
        with traefik_ingress_nginx(pki, upstream.upstream, folder, annotations, main=main) as started:
            yield Front(name=row, pki=pki, port=started.port)

    return start


@pytest.fixture(scope="module")
def both(pki: Pki, upstream: Application, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Front]]:
    """The proxy that an application leaves, and the one that it moves to by one word."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("both")
        yield [
            stack.enter_context(front(row, pki, upstream, folder / row, verifies=True))
            for row in ("nginx-ingress", ROW)
        ]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_whatever_the_subject_one_word_lets_the_same_client_in(both: list[Front], subject: str) -> None:
    old, new = (each.get(f"subject-{subject}") for each in both)
    assert (old.status, new.status) == (200, 200)
    assert old.json["identity"] == new.json["identity"]
    assert leaf(new) == both[0].pki.client[f"subject-{subject}"].der


def test_a_subject_with_a_line_break_is_500_by_traefik_itself(both: list[Front]) -> None:
    reply = both[1].get("hostile")
    assert (reply.status, reply.code) == (500, None)
    assert both[0].get("hostile").status == 200


def test_plain_http_is_redirected(stand: Stand) -> None:
    with stand({}) as opened:
        reply = opened.get_over_plain_http(opened.forged("exact"))
    assert (reply.status, reply.headers["location"]) == (308, f"https://localhost/{ROW}")


@pytest.mark.parametrize("annotations", [OVER_PLAIN_HTTP, OVER_PLAIN_HTTP | OPTIONAL], ids=["on", "optional_no_ca"])
def test_where_the_certificate_is_passed_a_forgery_over_plain_http_is_no_certificate(
    stand: Stand, annotations: Annotations
) -> None:
    with stand(annotations) as opened:
        replies = {way: opened.get_over_plain_http(opened.forged(way)) for way in FORGERIES}
    assert {way: reply.code for way, reply in replies.items()} == dict.fromkeys(FORGERIES, "certificate_missing")


class Hole(NamedTuple):
    """What lets a client in as somebody else: changed annotations, and what it shows; None to come over plain HTTP."""

    annotations: Annotations
    client: str | None = None
    plain: bool = False


HOLES = {
    "required, and not passed on": Hole(NOT_PASSED, ANYBODY),
    "optional, and not passed on": Hole(NOT_PASSED | OPTIONAL, NOBODY),
    "not passed on, over plain HTTP": Hole(NOT_PASSED | OVER_PLAIN_HTTP, plain=True),
    "an Ingress without the annotations": Hole(
        {"auth-tls-secret": None, "auth-tls-verify-client": None, PASSED: None}, NOBODY
    ),
}


def leaf(reply: Reply) -> bytes:
    assert reply.status == 200, reply
    return base64.b64decode(reply.json["leaf"])


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("row", [ROW, f"{ROW}+verdict"])
def test_without_the_annotation_that_passes_it_on_any_client_is_anybody(stand: Stand, name: str, row: str) -> None:
    hole = HOLES[name]
    with stand(hole.annotations, row) as opened:
        sent = Front(name=ROW, pki=opened.pki, port=opened.port).forged("exact")
        reply = opened.get_over_plain_http(sent) if hole.plain else opened.get(hole.client, sent)
    assert outcome(reply, opened.pki.client["good"].der) == VICTIM


@pytest.mark.parametrize("name", [name for name, hole in HOLES.items() if not hole.plain])
def test_probe_finds_what_lets_a_client_in_as_somebody_else(stand: Stand, probe: Probe, name: str) -> None:  # noqa: F811
    hole = HOLES[name]
    with stand(hole.annotations) as opened:
        status, arrived = probe(opened)
    assert status == 1
    assert ("exact", "with" if hole.client else "without") in arrived


def test_probe_finds_nothing_where_the_certificate_is_passed_on(stand: Stand, probe: Probe) -> None:  # noqa: F811
    with stand({}) as opened:
        status, arrived = probe(opened)
    assert (status, arrived) == (0, set())


def test_with_the_middlewares_of_the_entry_point_the_word_is_traefik_and_no_annotation_is_needed(stand: Stand) -> None:
    with stand(NOT_PASSED, "traefik", main="with-middlewares.yaml") as opened:
        assert leaf(opened.get(ANYBODY)) == opened.pki.client[ANYBODY].der
        assert leaf(opened.get("via-forwarded")) == opened.pki.client["via-forwarded"].der
        replies = {way: opened.get(ANYBODY, opened.forged(way)) for way in FORGERIES}
    assert {way: leaf(reply) for way, reply in replies.items()} == dict.fromkeys(
        FORGERIES, opened.pki.client[ANYBODY].der
    )


def test_the_middlewares_hold_on_an_ingress_without_the_annotations_and_over_plain_http(stand: Stand) -> None:
    annotations = HOLES["an Ingress without the annotations"].annotations | OVER_PLAIN_HTTP
    with stand(annotations, "traefik", main="with-middlewares.yaml") as opened:
        for way in FORGERIES:
            assert opened.get(NOBODY, opened.forged(way)).code == "certificate_missing"
            assert opened.get_over_plain_http(opened.forged(way)).code == "certificate_missing"


def of_host(front_: Front, host: str) -> tuple[int, bytes]:
    """The answer to a good client that asks for a host, in the handshake too."""
    context = front_.context("good")
    # The certificate is that of localhost, or Traefik's own for a host that it does not serve.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((PROXY_ADDRESS, front_.port)) as stream,
        context.wrap_socket(stream, server_hostname=host) as encrypted,
    ):
        encrypted.sendall(f"GET /{ROW} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        response = http.client.HTTPResponse(encrypted)
        response.begin()
        return response.status, response.read()


def test_next_to_ingress_nginx_traefik_serves_only_the_ingresses_of_its_own_class(
    pki: Pki, upstream: Application, tmp_path: Path
) -> None:
    classes = {"localhost": "traefik-next", "next.example.org": "traefik-next", "old.example.org": "nginx"}
    main = "next-to-ingress-nginx.yaml"
    with traefik_ingress_nginx(pki, upstream.upstream, tmp_path / "traefik", {}, main=main, classes=classes) as started:
        fronted = Front(name=ROW, pki=pki, port=started.port)
        status, body = of_host(fronted, "next.example.org")
        assert status == 200
        assert base64.b64decode(json.loads(body)["leaf"]) == pki.client["good"].der
        assert of_host(fronted, "old.example.org") == (404, b"404 page not found\n")
