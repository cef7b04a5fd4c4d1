"""HTTP/2, websockets and chunked trailers: the other ways by which a request, and so a certificate, comes in."""

from __future__ import annotations

import asyncio
import base64
import json

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from .conftest import Stage
from .servers import DEADLINE_SECONDS, PROXY_ADDRESS, raw
from .test_nginx import forged, leaf

UVICORN = ("uvicorn-h11", "uvicorn-httptools")


def get_over_http2(stage: Stage, gateway: str, client: str | None, headers: list[tuple[str, str]]) -> httpx2.Response:
    with httpx2.Client(
        verify=stage.context(client), http1=False, http2=True, trust_env=False, timeout=DEADLINE_SECONDS
    ) as session:
        response = session.get(f"https://{PROXY_ADDRESS}:{stage.port(gateway)}/", headers=headers)
    assert response.http_version == "HTTP/2"
    return response


def test_the_certificate_of_an_http2_client_is_seen(stage: Stage, gateway: str) -> None:
    response = get_over_http2(stage, gateway, "good", forged(stage, "both spellings"))
    assert base64.b64decode(response.json()["leaf"]) == stage.pki.client["good"].der


def test_a_header_forged_over_http2_is_no_certificate(stage: Stage, gateway: str) -> None:
    response = get_over_http2(stage, gateway, None, forged(stage, "both spellings"))
    assert (response.status_code, response.json()["code"]) == (403, "certificate_missing")


def websocket(stage: Stage, gateway: str, client: str | None) -> dict[str, str]:
    """Return what the application says on a websocket; raise InvalidStatus if it refuses the handshake."""

    # Not the client of websockets.sync: it reads and writes one TLS connection in two threads, and may hang.
    async def conversation() -> dict[str, str]:
        async with connect(
            f"wss://{PROXY_ADDRESS}:{stage.port(gateway)}/",
            ssl=stage.context(client),
            additional_headers=forged(stage, "its exact name"),
            open_timeout=DEADLINE_SECONDS,
            proxy=None,
        ) as connection:
            message: dict[str, str] = json.loads(await connection.recv())
        return message

    return asyncio.run(asyncio.wait_for(conversation(), DEADLINE_SECONDS))


@pytest.mark.parametrize("gateway", UVICORN)
def test_a_websocket_with_a_certificate_is_accepted_as_its_holder(stage: Stage, gateway: str) -> None:
    message = websocket(stage, gateway, "documentation")
    assert base64.b64decode(message["leaf"]) == stage.pki.client["documentation"].der


@pytest.mark.parametrize(("client", "code"), [(None, "certificate_missing"), ("stranger", "certificate_untrusted")])
@pytest.mark.parametrize("gateway", UVICORN)
def test_a_websocket_that_is_refused_is_told_why(stage: Stage, gateway: str, client: str | None, code: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        websocket(stage, gateway, client)
    response = refused.value.response
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(response.body)["code"] == code


def chunked(headers: list[tuple[str, str]], trailers: list[tuple[str, str]], path: str = "/") -> tuple[bytes, bytes]:
    """A request with a body in chunks, cut before its end: the trailers follow the body."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    last = ["0", *(f"{name}: {value}" for name, value in trailers)]
    return "\r\n".join([*lines, "", "4", "body", ""]).encode(), "\r\n".join([*last, "", ""]).encode()


@pytest.mark.parametrize("late", [False, True])
def test_a_trailer_next_to_no_certificate_is_no_certificate(stage: Stage, gateway: str, late: bool) -> None:
    head, tail = chunked([], forged(stage, "its exact name"))
    segments = [head, tail] if late else [head + tail]
    reply = raw((PROXY_ADDRESS, stage.port(gateway)), segments, stage.context(None))
    assert (reply.status, reply.code) == (403, "certificate_missing")


@pytest.mark.parametrize("late", [False, True])
def test_a_trailer_next_to_a_certificate_changes_nothing(stage: Stage, gateway: str, late: bool) -> None:
    head, tail = chunked([], forged(stage, "its exact name"), "/body")
    segments = [head, tail] if late else [head + tail]
    reply = raw((PROXY_ADDRESS, stage.port(gateway)), segments, stage.context("good"))
    assert leaf(reply) == stage.pki.client["good"].der


@pytest.mark.parametrize("gateway", UVICORN)
def test_a_trailer_that_a_proxy_lets_through_contradicts_its_verdict(stage: Stage, gateway: str) -> None:
    """nginx drops trailers, HAProxy does not; uvicorn's httptools appends them to the headers of the request."""
    head, tail = chunked([("ssl-client-verify", "NONE")], forged(stage, "its exact name"))
    reply = raw(stage.applications[gateway].address, [head + tail])
    assert reply.code in ("forwarding_inconsistent", "certificate_missing")


@pytest.mark.parametrize("gateway", UVICORN)
def test_a_trailer_that_comes_after_the_verdict_on_the_headers_is_never_seen(stage: Stage, gateway: str) -> None:
    head, tail = chunked(forged(stage, "its exact name", "good"), forged(stage, "its exact name"), "/body")
    reply = raw(stage.applications[gateway].address, [head, tail])
    assert leaf(reply) == stage.pki.client["good"].der
    assert "ssl-client-cert" not in [name for name, _ in reply.json["headers"]]


def test_an_underscore_twin_that_a_proxy_lets_through_never_wins(stage: Stage, gateway: str) -> None:
    """nginx drops such names, HAProxy, Apache and Envoy do not; here they come from the trusted peer itself."""
    genuine, twin = forged(stage, "its exact name", "good"), forged(stage, "the underscore spelling")
    lines = ["GET / HTTP/1.1", "Host: localhost", "Connection: close"]
    for pair in ([*twin, *genuine], [*genuine, *twin]):
        request = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in pair), "", ""]).encode()
        reply = raw(stage.applications[gateway].address, [request])
        if reply.status == 200:  # the server had already dropped the twin
            assert leaf(reply) == stage.pki.client["good"].der
        else:
            assert reply.code == "header_ambiguous"
