"""The applications in examples/: each started as its README says, behind the real proxy by the file next to it."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.demo.processes import listen, serve

from .configurations import blocks
from .pki import Pki
from .shops import Shop, proxies

EXAMPLES = Path(__file__).parents[2] / "examples"

# The proxy of each example, and its files: the main one first.
PROXIES = {
    "wsgi_app": ("nginx", ["nginx.conf"]),
    "asgi_app": ("envoy", ["envoy.yaml"]),
    "flask_app": ("nginx", ["nginx.conf"]),
    "fastapi_app": ("traefik", ["traefik.yaml", "dynamic.yaml"]),
    "django_app": ("haproxy", ["haproxy.cfg"]),
    "drf_app": ("apache", ["apache.conf"]),
    "starlette_app": ("caddy", ["Caddyfile"]),
}


def commands(example: str) -> list[str]:
    """The commands of an example's README that run it: without `pip`, the server last."""
    found = re.findall(r"^\$ (.*)$", (EXAMPLES / example / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    return [command for command in found if not command.startswith("pip ")]


def started(command: str, changes: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """A command's words, run by this Python, and the variables before it."""
    words = shlex.split(command)
    for old, new in changes.items():
        words = [word.replace(old, new) for word in words]
    assignments = [(name, value) for name, _, value in (word.partition("=") for word in words) if name.isupper()]
    program, *arguments = words[len(assignments) :]
    python = [sys.executable] if program == "python" else [sys.executable, "-m", program]
    return [*python, *arguments], dict(assignments)


def words(text: str) -> set[str]:
    """The lines of a configuration, without spaces and comments."""
    return {" ".join(re.sub(r"(^|\s)# .*", "", line).split()) for line in text.splitlines()}


@contextmanager
def application(example: str, folder: Path, bundle: Path) -> Iterator[str]:
    """Run the example as its README says, and give where its proxy finds it."""
    *before, server = commands(example)
    environ = {"SHOP_DATABASE": str(folder / "db.sqlite3"), "XDG_RUNTIME_DIR": str(folder)}
    changes = {"/etc/client-ca/ca.crt": str(bundle)}
    for each in before:
        command, variables = started(each, changes)
        variables = {**os.environ, **environ, **variables}
        subprocess.run(command, cwd=EXAMPLES / example, env=variables, check=True, timeout=120, capture_output=True)

    (where,) = re.findall(r"--(?:bind|port) (\S+)", server)
    is_socket = where.startswith("unix:")
    listener = listen(folder / "app.sock") if is_socket else listen()
    upstream = str(folder / "app.sock") if is_socket else f"127.0.0.1:{listener.getsockname()[1]}"
    descriptor = f"--bind fd://{listener.fileno()}" if "gunicorn" in server else f"--fd {listener.fileno()}"
    command, variables = started(re.sub(r"--(?:bind|port) \S+", descriptor, server), changes)
    # The server's own folder is that of the example, as its README asks.
    with pytest.MonkeyPatch.context() as here:
        here.chdir(EXAMPLES / example)
        with serve(command, [listener], log=folder / "application.log", environ={**environ, **variables}):
            yield upstream


@pytest.fixture(scope="module", params=PROXIES)
def shop(request: pytest.FixtureRequest, pki: Pki) -> Iterator[Shop]:
    example: str = request.param
    # Not in pytest's folder: a unix socket's path may not be longer than about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="shop-") as name, application(example, Path(name), pki.bundle) as upstream:
        kind, names = PROXIES[example]
        files = [EXAMPLES / example / each for each in names]
        with proxies(kind, files, pki, upstream, Path(name)) as started:
            yield Shop(pki=pki, proxies=started, path="/me", log=Path(name, "application.log"))


def test_every_example_has_its_proxy_and_says_so() -> None:
    elsewhere = {"demo", "fetch_crls", "forward_auth", "monitoring"}
    assert {path.parent.name for path in EXAMPLES.glob("*/README.md")} == {*PROXIES, *elsewhere}
    for example, (kind, _) in PROXIES.items():
        title = (EXAMPLES / example / "README.md").read_text(encoding="utf-8").splitlines()[0].lower()
        assert title.endswith(f"behind {kind}")
        assert f"_PROXY={kind} " in commands(example)[-1]


@pytest.mark.parametrize(("example", "kind", "names"), [(name, *row) for name, row in PROXIES.items()])
def test_the_proxy_of_an_example_does_all_that_its_page_does_about_certificates(
    example: str, kind: str, names: list[str]
) -> None:
    has = set().union(*(words((EXAMPLES / example / name).read_text(encoding="utf-8")) for name in names))
    page = "\n".join(blocks(kind).values()).replace("/ssl/app/", "/ssl/shop/")
    lines = {line for line in words(page) if re.search("header|client|verif|cert|trailer", line, re.IGNORECASE)}
    assert lines - has == set()


@pytest.mark.parametrize("verifies", [True, False], ids=["the proxy verifies", "the application alone verifies"])
def test_a_client_is_known_by_its_certificate(shop: Shop, verifies: bool) -> None:
    assert shop.answer("good", verifies=verifies)["common_name"] == "alice"


@pytest.mark.parametrize("client", [None, "stranger"])
def test_nobody_else_gets_past_the_proxy(shop: Shop, client: str | None) -> None:
    try:
        reply = shop.get(client)
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return  # refused in the handshake
    assert (shop.kind, reply.status, reply.code) == ("nginx", 400, None)


@pytest.mark.parametrize(
    ("client", "code"), [(None, "certificate_missing"), ("stranger", "certificate_untrusted")], ids=["none", "stranger"]
)
def test_behind_a_proxy_that_lets_everybody_pass_the_application_refuses_them(
    shop: Shop, client: str | None, code: str
) -> None:
    reply = shop.get(client, verifies=False)
    assert reply.status == 403
    assert code in reply.body.decode()


@pytest.mark.parametrize("verifies", [True, False], ids=["the proxy verifies", "the application alone verifies"])
def test_a_forged_header_makes_nobody_its_holder(shop: Shop, verifies: bool) -> None:
    answer = shop.answer("common-name-only", verifies=verifies, headers=shop.forged())
    assert answer["common_name"] == "bob"
