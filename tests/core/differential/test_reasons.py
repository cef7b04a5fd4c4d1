"""Each row of the table of differences, shown by the smallest case that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import model
from .compare import by_library, compare
from .examples import ACCEPTED, REFUSED
from .openssl import OpenSsl
from .reasons import EXCUSES, REASONS, reasons_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # cryptography's


@pytest.mark.parametrize("row", [reason.name for reason in REASONS])
def test_what_a_row_names_is_refused_here_and_accepted_by_openssl(row: str, tmp_path: Path) -> None:
    case = REFUSED[row]()
    openssl = OpenSsl(tmp_path)
    accepted = [path for path in model.paths(case) if openssl.accepts_path(case, path)]
    assert [row in reasons_of(case, path) for path in accepted] == [True]
    assert isinstance(by_library(case), str)


@pytest.mark.parametrize("row", EXCUSES)
def test_what_an_excuse_names_is_accepted_here_and_refused_by_openssl(row: str, tmp_path: Path) -> None:
    case = ACCEPTED[row]()
    assert compare(case, OpenSsl(tmp_path)) == f"accepted here alone: {row}"


def test_every_row_says_why() -> None:
    assert len({reason.name for reason in REASONS}) == len(REASONS)
    assert all(len(reason.why) > 10 for reason in REASONS)
