"""The CA bundle and the CRLs that a command judges by, and from when on to warn of what ends."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import logging
from collections.abc import Sequence

from ..core.crl import RevocationList
from ..core.status import DEFAULT_WITHIN
from ..core.trust import DEFAULT_MAX_DEPTH, TrustStore
from .evidence import read_bytes
from .terminal import Misuse

__all__ = ["Trusted", "add_at", "add_crl", "add_max_depth", "add_warn_days", "as_of"]

_SILENT = logging.NullHandler()  # refusals and warnings are the answer here, not lines of a log


@dataclasses.dataclass(frozen=True)
class Trusted:
    """What was read.

    Attributes:
        source: how messages name it.
        crls: the CRLs.
        store: a trust store of both.
    """

    source: str
    crls: Sequence[RevocationList]
    store: TrustStore

    @classmethod
    def read(cls, ca: str, crl: str | None, max_depth: int) -> Trusted:
        """Read a bundle and CRLs, each file once, so that it may be a pipe: --ca <(kubectl get secret ...).

        Raises:
            Misuse: the content is not what it should be.
            OSError: a file cannot be read.
        """
        logging.getLogger("sslclientcert").addHandler(_SILENT)
        bundle, crls = read_bytes(ca), None if crl is None else read_bytes(crl)
        try:
            store = TrustStore.from_pem(bundle, crls, max_depth=max_depth, source=ca, crl_source=crl or ca)
        except ValueError as error:
            raise Misuse(str(error)) from error
        return cls(ca if crl is None else f"{ca} and {crl}", store.current().revocation.crls, store)


def add_crl(parser: argparse.ArgumentParser) -> None:
    """Add the option --crl."""
    parser.add_argument("--crl", metavar="FILE", help="certificate revocation lists")


def add_at(parser: argparse.ArgumentParser) -> None:
    """Add the option --at."""
    parser.add_argument(
        "--at",
        metavar="TIME",
        type=_time,
        help="judge as of then: ISO 8601, in UTC unless it says otherwise (default: now)",
    )


def add_max_depth(parser: argparse.ArgumentParser) -> None:
    """Add the option --max-depth."""
    parser.add_argument(
        "--max-depth",
        metavar="N",
        type=int,
        choices=range(11),
        default=DEFAULT_MAX_DEPTH,
        help="the most intermediate CAs (default: %(default)s)",
    )


def add_warn_days(parser: argparse.ArgumentParser) -> None:
    """Add the option --warn-days."""
    parser.add_argument(
        "--warn-days",
        metavar="N",
        type=_days,
        default=DEFAULT_WITHIN,
        help=f"warn of a certificate that ends within so many days (default: {DEFAULT_WITHIN.days})",
    )


def as_of(at: dt.datetime | None) -> tuple[dt.datetime, str]:
    """Return the time to judge as of, and how to say it."""
    now = at or dt.datetime.now(dt.UTC)
    return now, now.isoformat(" ", "seconds").removesuffix("+00:00") + (" UTC" if at is None else " UTC (--at)")


def _time(text: str) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(text)
        return (time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time in ISO 8601, such as 2026-11-23T18:30:00Z") from None


def _days(text: str) -> dt.timedelta:
    try:
        if (days := int(text)) >= 0:
            return dt.timedelta(days)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no number of days, such as 30")
