"""The command `sslclientcert`: verify, inspect, bundle, test-certs, encode, proxies, probe.

Each command is the module of its name, imported only when it is called: `add_arguments` says what it takes, `run` does
it and returns the exit status. What a person can get wrong ends in one line on standard error, never in a traceback.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import warnings
from collections.abc import Sequence

from .. import __version__
from .terminal import Misuse, shown

__all__ = ["main"]

_COMMANDS = {
    "verify": "judge a certificate or the headers of a request by a CA bundle",
    "inspect": "show what a certificate or a header holds, WITHOUT VERIFYING it",
    "bundle": "list what a CA bundle holds, what each can be used for, and what ends soon",
    "test-certs": "make a CA, a client certificate and its key, for a first try",
    "encode": "print the header lines by which a proxy passes on a certificate",
    "proxies": "list the proxies and their headers, or show one's configuration",
    "probe": "send forged headers through a proxy that you own, and see what arrives",
}

_REMEDIES: dict[type[OSError], str] = {
    FileNotFoundError: "there is no such file; check the path and the folder you are in",
    IsADirectoryError: "it is a folder; name a file in it",
    PermissionError: "it may not be read by you; check its owner and mode (ls -l)",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters:
        argv: the arguments behind the program's name; those of the process if None.

    Returns:
        The exit status: 0 for accepted or done, 1 for refused, not decodable, or in need of attention, 2 for a
        configuration or a file that is not what it should be; 130 after Ctrl-C, and 141 where the reader of the output
        has gone, as the shells have it.

    Raises:
        SystemExit: after `--help` and `--version` with status 0, and with 2 for options that are not right.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name may hold what the terminal's encoding lacks
    called = next((each for each in arguments if not each.startswith("-")), None)
    options = vars(_parser(called).parse_args(arguments))
    command = importlib.import_module(_module(options.pop("command")), __name__)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cryptography's remarks on odd certificates, with lines of its source
            status: int = command.run(**options)
        sys.stdout.flush()
    except (Misuse, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # Python flushes standard output once more as it ends: https://docs.python.org/3/library/signal.html#note-on-sigpipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        print(f"sslclientcert: {_complaint(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _complaint(error: Misuse | OSError) -> str:
    """Return the sentence that says what is wrong with which file, and what to do."""
    if isinstance(error, OSError) and error.filename is not None:
        said = _REMEDIES.get(type(error)) or error.strerror or error
        return f"{shown(error.filename)}: {said}"
    return shown(error, 2000)


def _module(command: str) -> str:
    return f".{command.replace('-', '_')}"


def _parser(called: str | None) -> argparse.ArgumentParser:
    """Return the parser of all commands, with the options of the one that is called."""
    parser = argparse.ArgumentParser(
        prog="sslclientcert",
        description="TLS client certificates from the request headers of a reverse proxy.",
        epilog="Options of a command: sslclientcert COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"sslclientcert {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in _COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        if name == called:
            importlib.import_module(_module(name), __name__).add_arguments(command)
    return parser
