"""Options as text, read once for all who configure by text: the environment, Flask's configuration, Django's settings.

What is not text is taken as it is. None is as if not set. A name that is not an option is a fault: the option that was
meant would be missing in silence. Empty text is a fault for the same reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

__all__ = ["OPTIONS", "PREFIX", "Parsers", "did_you_mean", "flag", "from_environment", "options_of", "taken_ca"]

PREFIX = "SSLCLIENTCERT_"
"""What the names of environment variables and of Flask's keys start with."""

Parsers: TypeAlias = "Mapping[str, Callable[[str], Any]]"

_FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def flag(text: str) -> bool:
    """Return the yes or no that a text says: true, false, 1, 0, yes, no, on or off, in any letter case.

    Raises:
        ValueError: it says neither.
    """
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"say one of {', '.join(_FLAGS)}") from None


def _paths(text: str) -> str | tuple[str, ...]:
    first, *others = (part.strip() for part in text.split(","))
    if not all((first, *others)):
        raise ValueError("say a path, or several with a comma between two")
    return (first, *others) if others else first


def _header_and_values(text: str) -> tuple[str, list[str]]:
    name, colon, values = text.partition(":")
    if not colon or not name.strip() or not values.strip():
        raise ValueError("say the header's name, a colon, and its value, or several with commas")
    return name.strip(), [value.strip() for value in values.split(",")]


OPTIONS: Parsers = {
    "ca": _paths,
    "crl": _paths,
    "proxy": str,
    "header": str,
    "trusted_proxies": str,
    "require_proxy_success": flag,
    "shared_secret": _header_and_values,
    "max_header_bytes": int,
    "max_depth": int,
    "reload_interval": float,
    "clock_skew": float,
    "cache_entries": int,
}
"""The options of `ClientCertAuthenticator` that can be said as text, and what reads each; `ca` is its `trust`."""


def options_of(values: Mapping[str, Any], parsers: Parsers, shown: Callable[[str], str]) -> dict[str, Any]:
    """Return the options that a configuration sets, read from text where they are text.

    Parameters:
        values: what is configured, by the option's name in lower case.
        parsers: what reads each option from text.
        shown: returns the name that the configuration has for an option, for messages.

    Raises:
        ValueError: a name is not an option, or a text is empty or not what it should be. The value of a secret is not
            in the message.
    """
    options = {}
    for name, value in values.items():
        if name not in parsers:
            close, known = did_you_mean(name, parsers, shown), ", ".join(map(shown, parsers))
            raise ValueError(f"{shown(name)} is not an option{close}; there are {known}")
        if isinstance(value, str):
            told = shown(name) if name == "shared_secret" else f"{shown(name)}={value!r}"
            if not value.strip():
                raise ValueError(f"{told} is empty: give it a value, or unset it")
            try:
                options[name] = parsers[name](value)
            except ValueError as error:
                raise ValueError(f"{told}: {error}") from error
        elif value is not None:
            options[name] = value
    return options


def taken_ca(options: dict[str, Any], shown: str) -> Any:
    """Take the CA bundle out of the options.

    Parameters:
        options: what `options_of` returned; without `ca` afterwards.
        shown: the name that the configuration has for it.

    Raises:
        ValueError: it is not set.
    """
    try:
        return options.pop("ca")
    except KeyError:
        raise ValueError(
            f"{shown} is not set; it is the path of the CA bundle, such as /etc/client-ca/ca.crt"
        ) from None


def from_environment(prefix: str = PREFIX, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment variables that start with `prefix`, without it, in lower case."""
    variables = os.environ if environ is None else environ
    return {name.removeprefix(prefix).lower(): text for name, text in variables.items() if name.startswith(prefix)}


def did_you_mean(name: object, known: Iterable[str], shown: Callable[[str], str] = repr) -> str:
    """Return `; did you mean 'x'?` for a name that is close to a known one, and nothing otherwise."""
    import difflib  # for messages alone

    close = difflib.get_close_matches(str(name), [*known], n=1, cutoff=0.7)
    return f"; did you mean {shown(close[0])}?" if close else ""
