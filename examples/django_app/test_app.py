"""Runs the application's own tests in a process of their own, since Django has one configuration a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sslclientcert.testing import ClientCA


def manage(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "SSLCLIENTCERT_CA": str(ClientCA().write(tmp_path / "ca.crt"))}
    command = (sys.executable, "-W", "error", "manage.py", *command)
    return subprocess.run(  # noqa: S603  # its own command
        command, cwd=Path(__file__).parent, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_application_passes_its_own_tests(tmp_path: Path) -> None:
    done = manage(tmp_path, "test", "shop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 7 tests" in done.stderr


def test_the_application_passes_the_system_checks(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--deploy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sslclientcert." not in done.stderr
