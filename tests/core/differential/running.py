"""Compares the cases of many seeds and counts."""

from __future__ import annotations

import collections
import logging
import tempfile
import traceback
import warnings
from pathlib import Path

from .compare import Disagreement, compare
from .maker import Maker, case_of
from .openssl import OpenSsl


def run(numbers: range, revocation: bool | None = None) -> tuple[collections.Counter[str], list[str]]:
    """Compare the cases of these seeds; if asked, those with CRLs alone."""
    warnings.simplefilter("ignore")  # cryptography's, for names and numbers that are odd on purpose
    logging.disable()  # of every CA that is left out
    try:
        return _run(numbers, revocation=revocation)
    finally:
        logging.disable(logging.NOTSET)


def _run(numbers: range, revocation: bool | None = None) -> tuple[collections.Counter[str], list[str]]:
    counts: collections.Counter[str] = collections.Counter()
    failures = []
    with tempfile.TemporaryDirectory(prefix="differential-") as folder:
        openssl = OpenSsl(Path(folder))
        for number in numbers:
            case = case_of(number) if revocation is None else Maker(number, revocation=revocation).case()
            try:
                counts[compare(case, openssl)] += 1
            except Disagreement as failure:
                counts[f"FAILED: {str(failure).splitlines()[0][:110]}"] += 1
                failures.append(f"seed {number}: {failure}\n{case}")
            except Exception:  # noqa: BLE001  # any other exception is a bug, of the library or of this
                counts["FAILED: another exception"] += 1
                failures.append(f"seed {number}: {traceback.format_exc()}\n{case}")
    return counts, failures
