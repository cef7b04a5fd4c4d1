"""The applications in examples/: their own tests, and those of them that are an `app.py` under a real server.

Those of Flask, Django and REST framework are in the files of these adapters. Behind real proxies, and for the demo,
tests/real has all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sslclientcert.testing import ClientCA

from .uvicorn_server import EXAMPLES, serve_example

APPS = {"wsgi_app": "gunicorn", "asgi_app": "uvicorn", "starlette_app": "uvicorn", "fastapi_app": "uvicorn"}
ELSEWHERE = {"demo", "flask_app", "django_app", "drf_app", "fetch_crls", "forward_auth", "monitoring"}


def test_every_example_is_run() -> None:
    assert {folder.name for folder in EXAMPLES.glob("*/")} - {"__pycache__"} == APPS.keys() | ELSEWHERE


def test_the_examples_pass_their_own_tests() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES)]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "server"), APPS.items())
def test_the_example_runs_under_a_real_server(name: str, server: str, tmp_path: Path) -> None:
    ca = ClientCA()
    with serve_example(name, ca.write(tmp_path / "ca.crt"), tmp_path, server) as served:
        assert served.get("/healthz").status == 200, (tmp_path / "log").read_text()
        assert served.get("/me").json["code"] == "certificate_missing"
        assert served.get("/me", ca.issue("alice").headers().items()).json["common_name"] == "alice"
