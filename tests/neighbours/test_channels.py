"""Django Channels under real servers: MIDDLEWARE never runs for consumers, and the ASGI middleware does."""

# pyright: reportMissingImports=false
from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from examples.demo.processes import listen, serve
from sslclientcert.testing import ClientCA, IssuedCertificate

PROJECT = "tests.neighbours.channels_project"
ROOT = Path(__file__).parents[2]
SERVERS: dict[str, Callable[[int], list[str]]] = {
    "daphne": lambda fd: ["daphne", "--fd", str(fd)],
    "uvicorn": lambda fd: ["uvicorn", f"--fd={fd}", "--no-proxy-headers", "--lifespan=off"],
}
each_server = pytest.mark.parametrize("server", SERVERS)


@contextmanager
def served(server: str, application: str, ca: ClientCA, folder: Path) -> Iterator[int]:
    """Run one of the project's applications until the block ends; yield its port."""
    bundle = ca.write(folder / "ca.crt")
    listener = listen()
    port: int = listener.getsockname()[1]
    command = [sys.executable, "-m", *SERVERS[server](listener.fileno()), f"{PROJECT}:{application}"]
    with serve(command, [listener], log=folder / "log", environ={"CA": str(bundle), "PYTHONPATH": str(ROOT)}):
        yield port


def ask(port: int, certificate: IssuedCertificate | None = None) -> Any:
    """Return what the consumer says first, or the status of its refusal."""
    headers = certificate.headers() if certificate else {}
    try:
        with connect(
            f"ws://127.0.0.1:{port}/orders", additional_headers=headers, open_timeout=60, proxy=None
        ) as socket:
            return json.loads(socket.recv())
    except InvalidStatus as refused:
        return refused.response.status_code


def page(port: int, certificate: IssuedCertificate | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/me", headers=certificate.headers() if certificate else {})
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


@each_server
@pytest.mark.parametrize("application", ["wrapped", "websockets_wrapped"])
def test_a_consumer_knows_its_client_and_nobody_else_is_connected(
    server: str, application: str, ca: ClientCA, alice: IssuedCertificate, tmp_path: Path
) -> None:
    with served(server, application, ca, tmp_path) as port:
        assert ask(port, alice) == {"client": "alice"}
        assert [ask(port), ask(port, ca.expired()), ask(port, ca.stranger())] == [403, 403, 403]
        assert page(port, alice) == (200, b"alice")
        assert page(port)[0] == 403


@each_server
def test_without_the_middleware_around_it_a_consumer_is_open_to_everybody(
    server: str, ca: ClientCA, tmp_path: Path
) -> None:
    with served(server, "unwrapped", ca, tmp_path) as port:
        assert ask(port) == {"client": None}
        assert page(port)[0] == 403


@pytest.mark.parametrize(
    ("application", "warned"),
    [("wrapped", False), ("websockets_wrapped", False), ("unwrapped", True), ("django_application", True)],
)
def test_the_system_check_warns_of_an_application_that_is_not_wrapped(
    application: str, warned: bool, ca: ClientCA, tmp_path: Path
) -> None:
    code = f"""
        import {PROJECT}
        from django.conf import settings
        from django.core import checks
        settings.ASGI_APPLICATION = "{PROJECT}.{application}"
        print(*(message.id for message in checks.run_checks() if message.id.startswith("sslclientcert")))
    """
    environ = {"CA": str(ca.write(tmp_path / "ca.crt")), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], env=environ, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == (["sslclientcert.W003"] if warned else [])
