"""The servers in which attacks were seen, or which stop them, with the applications `..._of_every_proxy`."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from examples.demo.processes import listen, serve

from .servers import DEADLINE_SECONDS, HERE, PROXY_ADDRESS, Application, raw

OF_WSGI = (
    *("gunicorn", "gunicorn header_map=dangerous", "waitress", "wsgiref", "cheroot", "granian wsgi", "hypercorn wsgi"),
    *("uvicorn wsgi", "uvicorn a2wsgi", "aiohttp-wsgi", "tornado", "bjoern"),
)
OF_ASGI = ("uvicorn h11", "uvicorn httptools", "hypercorn asgi", "granian asgi", "gunicorn asgi")
# Others of the same kinds, for what depends on how a server tells the peer.
OTHERS_OF_WSGI = ("gunicorn gthread", "werkzeug", "uvicorn asgiref")
OTHERS_OF_ASGI = ("uvicorn uvloop", "gunicorn uvicorn_worker")


def _command(name: str, descriptor: int, address: list[str]) -> list[str]:
    program, _, kind = name.partition(" ")
    handed = f"fd://{descriptor}"
    if program == "gunicorn":
        options = {
            "": [],
            "asgi": ["-k", "asgi"],
            "gthread": ["-k", "gthread"],
            "header_map=dangerous": ["--header-map=dangerous"],
            "uvicorn_worker": ["-k", "uvicorn_worker.UvicornWorker", "--forwarded-allow-ips="],
        }[kind]
        gateway = "asgi" if kind in ("asgi", "uvicorn_worker") else "wsgi"
        return ["-m", "gunicorn", "-b", handed, *options, f"apps:{gateway}_of_every_proxy()"]
    if program == "uvicorn":
        options = {
            "wsgi": ["--interface=wsgi", "--no-proxy-headers"],
            "rewriting": [],
            "uvloop": ["--loop=uvloop", "--http=h11", "--no-proxy-headers"],
            "a2wsgi": ["--no-proxy-headers"],
            "asgiref": ["--no-proxy-headers"],
        }.get(kind, [f"--http={kind}", "--loop=asyncio", "--no-proxy-headers"])
        factory = {"wsgi": "wsgi_of_every_proxy", "a2wsgi": "by_a2wsgi", "asgiref": "by_asgiref"}
        options += [f"--fd={descriptor}", "--lifespan=off", "--factory"]
        return ["-m", "uvicorn", *options, f"apps:{factory.get(kind, 'asgi_of_every_proxy')}"]
    if program == "hypercorn":
        return ["-m", "hypercorn", "-b", handed, f"{kind}:apps:{kind}_of_every_proxy()"]
    if program == "granian":
        options = [*address, "--interface", kind, "--no-ws", "--factory"]
        return ["-m", "granian", *options, f"apps:{kind}_of_every_proxy"]
    return [str(HERE / "run_server.py"), name, str(descriptor)]


@contextmanager
def application(
    name: str, ca: Path, environ: Mapping[str, str] | None = None, *, unix: bool = False
) -> Iterator[Application]:
    """Run one of the servers until the block ends. Its application trusts 127.0.0.1 alone, unless `environ` says.

    Parameters:
        name: one of the lists above, or "uvicorn rewriting", by its defaults.
        ca: the CA bundle.
        environ: options of the application's authenticators, as `from_env` reads them.
        unix: listen on a Unix socket instead of a TCP socket.
    """
    with tempfile.TemporaryDirectory(prefix="server-") as folder, socket.socket() as reserved:
        log, path = Path(folder, "log"), Path(folder, "socket")
        sockets, port, address = [], 0, ["--uds", str(path)]
        if not name.startswith("granian"):
            sockets = [listen(path if unix else None)]
            port = 0 if unix else int(sockets[0].getsockname()[1])
        elif not unix:  # it binds by itself; see rigs for how a port is kept for it
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind((PROXY_ADDRESS, 0))
            port = int(reserved.getsockname()[1])
            address = ["--port", str(port)]
        running = Application(f"unix:{path}" if unix else f"{PROXY_ADDRESS}:{port}", port, log)
        variables = {
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "XDG_RUNTIME_DIR": folder,
            "SSLCLIENTCERT_CA": str(ca),
            "SSLCLIENTCERT_TRUSTED_PROXIES": PROXY_ADDRESS,
            **(environ or {}),
        }
        command = [sys.executable, *_command(name, sockets[0].fileno() if sockets else -1, address)]
        with serve(command, sockets, log=log, environ=variables) as process:
            deadline = time.monotonic() + DEADLINE_SECONDS
            while not (sockets or _listens(running)):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            assert raw(running.address, [b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n"]).status == 200
            yield running


def _listens(running: Application) -> bool:
    with socket.socket(socket.AF_INET if running.port else socket.AF_UNIX) as client:
        try:
            client.connect(running.address)
        except OSError:
            return False
    return True
