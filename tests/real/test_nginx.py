"""The middleware behind a real nginx: what it accepts, what it refuses, and what cannot be forged.

The verdicts and statuses of nginx are those of real runs; that nginx itself answers 400 to an expired certificate,
even under `optional_no_ca`, is one of them.
"""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from .conftest import MODES, Stage
from .pki import HOSTILE_NAME
from .servers import STRANGER_ADDRESS, Reply, plain

NAMES = {
    "documentation": "My Client",
    "good": "alice",
    "common-name-only": "bob",
    "via-intermediate": "carol",
    "ed25519-root": "dave",
    "utf-8": "Zoë Müller",
    "hostile": HOSTILE_NAME,
}
FORGERIES = {
    "its exact name": [("ssl-client-cert", "{}")],
    "another case": [("SSL-Client-Cert", "{}")],
    "the underscore spelling": [("ssl_client_cert", "{}")],
    "twice": [("ssl-client-cert", "{}"), ("ssl-client-cert", "{}")],
    "both spellings": [("Ssl_Client_Cert", "{}"), ("ssl-client-cert", "{}")],
    "with a verdict and names": [
        ("ssl-client-cert", "{}"),
        ("ssl-client-verify", "SUCCESS"),
        ("ssl-client-subject-dn", "CN=My Client"),
        ("ssl-client-issuer-dn", "CN=My Cert Authority"),
    ],
    "hidden by Connection": [("ssl-client-cert", "{}"), ("Connection", "close, ssl-client-verify, ssl-client-cert")],
}


def forged(stage: Stage, way: str, client: str = "documentation") -> list[tuple[str, str]]:
    """The headers by which somebody poses as the holder of another client's certificate."""
    value = quote(stage.pki.client[client].pem, safe="")
    return [(name, text.replace("{}", value)) for name, text in FORGERIES[way]]


def leaf(reply: Reply) -> bytes:
    """The certificate that the application saw."""
    assert reply.status == 200, reply
    return base64.b64decode(reply.json["leaf"])


@pytest.mark.parametrize("client", NAMES)
@pytest.mark.parametrize("mode", MODES)
def test_the_application_sees_the_very_certificate_of_the_handshake(
    stage: Stage, gateway: str, mode: str, client: str
) -> None:
    reply = stage.get(gateway, client, host=mode)
    assert leaf(reply) == stage.pki.client[client].der
    assert reply.json["common_name"] == NAMES[client]
    assert reply.verdict == "SUCCESS"


@pytest.mark.parametrize("mode", MODES)
def test_a_request_without_certificate_is_refused_by_nginx_or_else_by_the_application(
    stage: Stage, gateway: str, mode: str
) -> None:
    reply = stage.get(gateway, None, host=mode)
    assert reply.verdict == "NONE"
    assert (reply.status, reply.code) == ((400, None) if mode == "on" else (403, "certificate_missing"))


@pytest.mark.parametrize("client", ["stranger", "impostor"])
@pytest.mark.parametrize("mode", MODES)
def test_a_stranger_is_refused_by_nginx_and_under_optional_no_ca_by_the_application(
    stage: Stage, gateway: str, mode: str, client: str
) -> None:
    reply = stage.get(gateway, client, host=mode)
    assert reply.verdict is not None
    assert reply.verdict.startswith("FAILED:")
    expected = (403, "certificate_untrusted") if mode == "optional_no_ca" else (400, None)
    assert (reply.status, reply.code) == expected


@pytest.mark.parametrize(
    ("client", "verdict"),
    [
        ("expired", "FAILED:certificate has expired"),
        ("not-yet-valid", "FAILED:certificate is not yet valid"),
        ("server-auth-only", "FAILED:unsuitable certificate purpose"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_nginx_itself_refuses_what_is_expired_or_for_another_purpose_in_every_mode(
    stage: Stage, mode: str, client: str, verdict: str
) -> None:
    reply = stage.get("uvicorn-h11", client, host=mode)
    assert (reply.status, reply.code, reply.verdict) == (400, None, verdict)


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forged_header_next_to_no_certificate_is_no_certificate(stage: Stage, gateway: str, way: str) -> None:
    reply = stage.get(gateway, None, headers=forged(stage, way))
    assert (reply.status, reply.code) == (403, "certificate_missing")


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forged_header_next_to_a_certificate_changes_nothing(stage: Stage, gateway: str, way: str) -> None:
    reply = stage.get(gateway, "good", headers=forged(stage, way))
    assert leaf(reply) == stage.pki.client["good"].der


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forged_header_next_to_a_strangers_certificate_does_not_make_it_trusted(
    stage: Stage, gateway: str, way: str
) -> None:
    reply = stage.get(gateway, "stranger", headers=forged(stage, way))
    assert (reply.status, reply.code) == (403, "certificate_untrusted")


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forged_header_over_plain_http_is_no_certificate(stage: Stage, gateway: str, way: str) -> None:
    reply = stage.get(gateway, None, host="plain", headers=forged(stage, way))
    assert (reply.status, reply.code) == (403, "certificate_missing")


@pytest.mark.parametrize("client", ["good", "stranger", None])
def test_a_forged_certificate_contradicts_nginx_when_nginx_does_not_pass_the_certificate(
    stage: Stage, gateway: str, client: str | None
) -> None:
    reply = stage.get(gateway, client, host="not-passed", headers=forged(stage, "its exact name"))
    assert (reply.status, reply.code) == (400, "forwarding_inconsistent")


def test_a_success_without_the_certificate_is_refused_as_a_configuration_that_does_not_pass_it(
    stage: Stage, gateway: str
) -> None:
    reply = stage.get(gateway, "good", host="not-passed")
    assert (reply.status, reply.code, reply.verdict) == (400, "forwarding_inconsistent", "SUCCESS")


@pytest.mark.parametrize("hop", ["127.0.0.1", "::1", "unix", ""])
def test_a_request_past_nginx_is_refused_whatever_it_says_of_its_way(stage: Stage, gateway: str, hop: str) -> None:
    claim = [("X-Forwarded-For", hop), ("X-Real-IP", hop), ("Forwarded", f"for={hop}")]
    headers = [*forged(stage, "with a verdict and names"), *claim]
    reply = plain(stage.applications[gateway].port, headers=headers, source=STRANGER_ADDRESS)
    assert (reply.status, reply.code) == (403, "proxy_untrusted")


def test_a_path_that_is_exempt_answers_a_probe_that_comes_straight_to_the_application(
    stage: Stage, gateway: str
) -> None:
    reply = plain(stage.applications[gateway].port, path="/ready", source=STRANGER_ADDRESS)
    assert reply.status == 200
    assert reply.json["identity"] is None


def test_the_application_sees_the_identity_and_not_the_headers_it_came_from(stage: Stage, gateway: str) -> None:
    seen = stage.get(gateway, "good").json
    assert seen["identity"]["sans"]["uris"] == ["spiffe://example.org/alice"]
    assert not [name for name, _ in seen["headers"] if name.lower().replace("_", "-").startswith("ssl-client")]
