"""The examples with Django, under real servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from examples.demo.processes import listen, serve
from sslclientcert.testing import ClientCA

from ..uvicorn_server import EXAMPLES, Served

__all__ = ["example"]


@contextmanager
def example(name: str, gateway: str, ca: ClientCA, folder: Path) -> Iterator[Served]:
    """Run an example under a server, as its README says, until the block ends."""
    bundle = ca.write(folder / "ca.crt")
    environ = {
        "SSLCLIENTCERT_CA": str(bundle),
        "SSLCLIENTCERT_TRUSTED_PROXIES": "127.0.0.1",
        "SHOP_DATABASE": str(folder / "db.sqlite3"),
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "XDG_RUNTIME_DIR": str(folder),
    }
    directory = str(EXAMPLES / name)
    listener = listen()
    served = Served(listener.getsockname()[1])
    server, _, kind = gateway.partition("-")
    if server == "gunicorn":
        command = ["gunicorn", f"--bind=fd://{listener.fileno()}", f"--chdir={directory}", "shop.wsgi"]
    else:
        command = ["uvicorn", f"--fd={listener.fileno()}", "--http", kind, "--no-proxy-headers", "--lifespan=off"]
        command += [f"--app-dir={directory}", "shop.asgi:application"]
    with serve([sys.executable, "-m", *command], [listener], log=folder / "log", environ=environ):
        yield served
