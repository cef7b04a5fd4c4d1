"""What reaches the terminal: text that cannot command it, colours where a person sees them, complaints.

Names in a certificate are a stranger's. Printed as they are, they could move the cursor, rewrite the answer above them,
or turn the reading direction; so every character that is not printable is shown by its escape.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from typing import Literal, TypeAlias

__all__ = ["Misuse", "add_file", "add_json", "add_proxy", "counted", "painted", "print_json", "shown", "wrapped"]

Colour: TypeAlias = Literal["red", "green", "yellow", "dim"]

_CODES: dict[Colour, int] = {"red": 31, "green": 32, "yellow": 33, "dim": 2}
_CLIP = 400


class Misuse(Exception):
    """The command was given what it cannot work with. The message says what, and what to do."""


def shown(text: object, limit: int = _CLIP) -> str:
    """Return untrusted text for the terminal: what is not printable as an escape, and clipped to `limit` characters.

    Not printable, by Unicode's word, is every control, format (bidirectional overrides) and unassigned character.
    """
    whole = str(text)
    visible = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in whole[:limit]
    )
    return visible if len(whole) <= limit else f"{visible}... ({len(whole)} characters)"


def painted(text: str, colour: Colour) -> str:
    """Return text in a colour, if standard output is a terminal and NO_COLOR (https://no-color.org) is not set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if plain else f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which has an s unless there is one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def wrapped(text: str, start: str) -> list[str]:
    """Return the lines of untrusted text: the first behind `start`, the others indented."""
    lines = textwrap.wrap(shown(text, 4000), 110, break_on_hyphens=False) or [""]
    return [start + lines[0], *(" " * 10 + line for line in lines[1:])]


def print_json(answer: object) -> None:
    """Print what --json asks for."""
    print(json.dumps(answer, indent=2))


def add_file(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the positional argument FILE."""
    parser.add_argument("file", metavar="FILE", help=f"{what}; - for standard input")


def add_proxy(parser: argparse.ArgumentParser) -> None:
    """Add the option --proxy."""
    parser.add_argument(
        "--proxy",
        metavar="NAME",
        default="nginx-ingress",
        help="the proxy, as `sslclientcert proxies` lists it (default: %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option --json."""
    parser.add_argument("--json", action="store_true", help="print JSON")
