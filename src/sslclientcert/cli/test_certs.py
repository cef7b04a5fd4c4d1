"""`sslclientcert test-certs`: a CA, a client certificate and its key, for a first try."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..testing.ca import ClientCA
from .terminal import Misuse, shown

__all__ = ["add_arguments", "run"]

_FILES = {
    "ca.crt": "the CA: what your application trusts",
    "client.crt": "the client's certificate",
    "client.key": "its key",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument("directory", metavar="DIR", help="where to write ca.crt, client.crt and client.key")
    parser.add_argument("--name", default="alice", help="the client's common name (default: %(default)s)")


def run(*, directory: str, name: str) -> int:
    """Write the files. The CA's own key is not kept, so it cannot issue another certificate.

    Parameters:
        directory: where to; it is made if it does not exist.
        name: the client's common name.

    Returns:
        0.

    Raises:
        Misuse: one of the files exists, or the name is none.
        OSError: a file cannot be written.
    """
    folder = Path(directory)
    for file in _FILES:
        if (folder / file).exists():
            raise Misuse(f"{folder / file} exists, and is left as it is: name another folder")
    ca = ClientCA("CA of a first try")
    try:
        client = ca.issue(name)
    except ValueError as error:
        raise Misuse(f"--name {name!r}: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    ca.write(folder / "ca.crt")
    client.write(folder)
    print(*(f"{shown(str(folder / file))}: {what}" for file, what in _FILES.items()), sep="\n")
    print(f"\nTry it: sslclientcert verify --ca {folder / 'ca.crt'} {folder / 'client.crt'}")
    return 0
