"""The pages whose examples need a neighbour run as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.test_examples import NEIGHBOURS, folder, run

__all__ = ["folder"]  # a fixture

# Pyramid and WebOb import what Python and setuptools deprecate.
OTHERS_WARNINGS = ["-W", "ignore::DeprecationWarning", "-W", "ignore:pkg_resources is deprecated:UserWarning"]
OPTIONS = {"other-frameworks": OTHERS_WARNINGS}


@pytest.mark.parametrize("page", NEIGHBOURS, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_as_they_are_written(page: Path, folder: Path) -> None:
    done = run(page, folder, *OPTIONS.get(page.stem, []))
    assert done.returncode == 0, done.stdout + done.stderr
