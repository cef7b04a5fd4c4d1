"""Servers on loopback that cannot miss their port.

The listening socket is bound here and handed down to the server. No port is guessed or fixed, none can be taken
between the choice and its use, and a client that connects before the server is ready waits instead of being refused.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["listen", "serve"]

_STOP_SECONDS = 10.0


def listen(path: Path | None = None) -> socket.socket:
    """Return a listening socket: a free port of 127.0.0.1, or a Unix socket at `path`.

    Raises:
        OSError: there is no free port, or the path is taken or too long for a Unix socket (about 100 bytes).
    """
    if path is None:
        return socket.create_server(("127.0.0.1", 0), backlog=128)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(os.fspath(path))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def serve(
    command: Sequence[str], sockets: Sequence[socket.socket], *, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends, then end it and whatever it started in the same way.

    The server is not known to be ready, nor even to have understood its options, when the block begins.

    Parameters:
        command: the program and its arguments; each socket has the same file descriptor there as here.
        sockets: what it listens on. They are closed here, so that they end with the server.
        log: the file that takes its standard output and error.
        environ: added to the environment.
    """
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environ or {})},
                pass_fds=[listener.fileno() for listener in sockets],
                process_group=0,  # Ctrl-C reaches the demo alone, which then ends its servers in order
            )
    finally:
        for listener in sockets:
            listener.close()
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
