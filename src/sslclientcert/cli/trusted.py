"""The CA bundle and the CRLs that a command judges by, as of when, and from when on to warn of what ends."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import logging
from typing import TypedDict, Unpack

from ..core.status import DEFAULT_WITHIN
from ..core.trust import DEFAULT_MAX_DEPTH, TrustStore
from ..core.validation import Snapshot
from .evidence import read_bytes
from .terminal import Misuse

__all__ = ["TrustOptions", "Trusted", "add_trust"]

_SILENT = logging.NullHandler()  # refusals and warnings are the answer here, not lines of a log


class TrustOptions(TypedDict):
    """What to judge by, and when: the path of the CA bundle, and the options of `add_trust`.

    Attributes:
        ca: the path of the CA bundle, or "-".
        crl: the path of the CRLs.
        at: the time to judge as of, aware; now if None.
        max_depth: the most intermediates.
        warn_days: how long before its end a certificate is worth a warning.
    """

    ca: str
    crl: str | None
    at: dt.datetime | None
    max_depth: int
    warn_days: dt.timedelta


@dataclasses.dataclass(frozen=True)
class Trusted:
    """What was read, and the time.

    Attributes:
        source: how messages name the files.
        store: a trust store of them.
        trust: what it holds.
        at: the time that was asked for, aware, or None.
        now: the time to judge as of, aware.
        as_of: how to say it.
    """

    source: str
    store: TrustStore
    trust: Snapshot
    at: dt.datetime | None
    now: dt.datetime
    as_of: str

    @classmethod
    def read(cls, **options: Unpack[TrustOptions]) -> Trusted:
        """Read a bundle and CRLs, each file once, so that it may be a pipe: --ca <(kubectl get secret ...).

        Raises:
            Misuse: the content is not what it should be.
            OSError: a file cannot be read.
        """
        ca, crl, at = options["ca"], options["crl"], options["at"]
        logging.getLogger("sslclientcert").addHandler(_SILENT)
        bundle, crls = read_bytes(ca), None if crl is None else read_bytes(crl)
        try:
            store = TrustStore.from_pem(bundle, crls, max_depth=options["max_depth"], source=ca, crl_source=crl or ca)
        except ValueError as error:
            raise Misuse(str(error)) from error
        now = at or dt.datetime.now(dt.UTC)
        as_of = now.isoformat(" ", "seconds").removesuffix("+00:00") + (" UTC" if at is None else " UTC (--at)")
        return cls(ca if crl is None else f"{ca} and {crl}", store, store.current(), at, now, as_of)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the options --crl, --at, --max-depth and --warn-days."""
    parser.add_argument("--crl", metavar="FILE", help="certificate revocation lists")
    parser.add_argument(
        "--at",
        metavar="TIME",
        type=_time,
        help="judge as of then: ISO 8601, in UTC unless it says otherwise (default: now)",
    )
    parser.add_argument(
        "--max-depth",
        metavar="N",
        type=int,
        choices=range(11),
        default=DEFAULT_MAX_DEPTH,
        help="the most intermediate CAs (default: %(default)s)",
    )
    parser.add_argument(
        "--warn-days",
        metavar="N",
        type=_days,
        default=DEFAULT_WITHIN,
        help=f"warn of a certificate that ends within so many days (default: {DEFAULT_WITHIN.days})",
    )


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
