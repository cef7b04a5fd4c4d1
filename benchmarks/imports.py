"""What importing the library costs, in time and memory, beyond what is imported already."""

from __future__ import annotations

import compileall
import importlib
import importlib.util
import time
from pathlib import Path

import sslclientcert

from .processes import MEGABYTE, in_new_process, resident
from .tables import Cell, Table
from .timing import median, quartiles

__all__ = ["LIBRARY", "TIME", "run"]

TIME, _MEMORY = "ms", "MB"
LIBRARY = "`from sslclientcert import ClientCertAuthenticator, TrustStore, decode`"

_CRYPTOGRAPHY = "cryptography.x509.verification"
_CORE = ("sslclientcert.core.authenticator", "sslclientcert.core.trust", "sslclientcert.core.presented")
_IMPORTS = {  # what is imported, and what has been before
    f"`{_CRYPTOGRAPHY}`, for comparison": ((_CRYPTOGRAPHY,), ()),
    "`import sslclientcert`, which imports its parts when they are asked for": (("sslclientcert",), ()),
    LIBRARY: (_CORE, (_CRYPTOGRAPHY,)),
    "`sslclientcert.wsgi`": (("sslclientcert.wsgi",), _CORE),
    "`sslclientcert.asgi`": (("sslclientcert.asgi",), _CORE),
    "`sslclientcert.flask`": (("sslclientcert.flask",), (*_CORE, "flask")),
    "`sslclientcert.fastapi`": (("sslclientcert.fastapi",), (*_CORE, "fastapi")),
    "`sslclientcert.django.middleware`": (("sslclientcert.django.middleware",), (*_CORE, "django.contrib.auth")),
}
_RUNS = 15


def run(effort: float) -> Table:
    """Measure each in new interpreters, in turn."""
    compileall.compile_dir(Path(sslclientcert.__file__).parent, quiet=2)  # as an installation does
    wanted = {name: what for name, what in _IMPORTS.items() if all(map(_is_there, what[1]))}
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in wanted}
    for _ in range(max(3, int(_RUNS * effort))):
        for name, (modules, before) in wanted.items():
            found[name].append(in_new_process(_cost, modules, before))
    rows: dict[str, list[Cell | str | None]] = {}
    for name, costs in found.items():
        times = [seconds * 1e3 for seconds, _ in costs]
        rows[name] = [Cell(median(times), quartiles(times)), Cell(median(size for _, size in costs) / MEGABYTE)]
    return Table(
        "Imports",
        ("", TIME, _MEMORY),
        rows,
        "Processor time in new interpreters, the modules compiled and in the file system's cache. The library: beyond "
        f"`{_CRYPTOGRAPHY}`; an adapter: beyond the library and its framework.",
    )


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def _cost(modules: tuple[str, ...], before: tuple[str, ...]) -> tuple[float, int]:
    """Import modules, and return the seconds and the bytes that took; in a new process."""
    for module in before:
        importlib.import_module(module)
    held = resident()
    start = time.process_time()
    for module in modules:
        importlib.import_module(module)
    return time.process_time() - start, resident() - held
