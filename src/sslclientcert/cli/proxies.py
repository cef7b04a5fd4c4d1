"""`sslclientcert proxies`: the proxies that the library knows, their headers, and how to configure each."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ..core.proxies import PROXIES, Proxy
from .evidence import row_of
from .terminal import add_json, painted, print_json

__all__ = ["add_arguments", "configuration_of", "in_columns", "run"]

_ROLES = ("certificate", "chain", "verdict", "presence", "subject", "issuer", "fingerprint")
_CONFIGURATIONS = Path(__file__).parent / "configurations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="show this proxy alone, with its configuration to copy")
    add_json(parser)


def run(*, name: str | None, json: bool) -> int:
    """Print the table with the configuration of each row, or one row of it with its own.

    Parameters:
        name: the row to print alone.
        json: print JSON.

    Returns:
        0.

    Raises:
        Misuse: there is no such proxy.
    """
    if name is not None:
        row = row_of(name)
        print_json(_as_dict(row)) if json else print(_one(row))
    elif json:
        print_json([_as_dict(row) for row in PROXIES.values()])
    else:
        print("\n\n".join([_table(), *map(_snippet, PROXIES.values())]))
    return 0


def configuration_of(row: Proxy) -> str:
    """Return the proxy's configuration that sends just what a row of the table reads, for people to copy."""
    return (_CONFIGURATIONS / f"{row.name}.txt").read_text(encoding="utf-8")


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _as_dict(row: Proxy) -> dict[str, object]:
    said = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in dataclasses.asdict(row).items()
    }
    return {**said, "configuration": configuration_of(row)}


def _table() -> str:
    lines = [("proxy", "certificate header", "encoding", "also reads")]
    for row in PROXIES.values():
        others = ", ".join(header for header in row.headers[1:] if header is not None)
        lines.append((row.name, row.certificate_header, row.certificate_encoding, others))
    head, *rows = in_columns(lines)
    return "\n".join([painted(head, "dim"), *rows])


def _snippet(row: Proxy) -> str:
    return f"{painted(row.name, 'dim')}\n{textwrap.indent(configuration_of(row).rstrip(), '  ')}"


def _one(row: Proxy) -> str:
    encodings = (row.certificate_encoding, row.chain_encoding)
    lines = [
        f"{painted(role.ljust(12), 'dim')}{header}" + (f" ({encoding})" if encoding is not None else "")
        for role, header, encoding in itertools.zip_longest(_ROLES, row.headers, encodings)
        if header is not None
    ]
    return "\n".join([*lines, "", configuration_of(row).rstrip()])
