"""What all tests share."""

from __future__ import annotations

import gc

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `noxfile.py` says where the same properties are tested on several Pythons."""
    parser.addoption("--few-examples", action="store_true", help="a quarter of the random examples of each property")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have each property tested with a quarter of its examples, if that is asked."""
    if not config.getoption("--few-examples"):
        return
    from hypothesis import is_hypothesis_test, settings

    functions = {item.function for item in items if isinstance(item, pytest.Function)}
    for test in filter(is_hypothesis_test, functions):
        full = test._hypothesis_internal_use_settings
        test._hypothesis_internal_use_settings = settings(full, max_examples=full.max_examples // 4)


def pytest_collection_finish() -> None:
    """Leave what collecting has made out of every later garbage collection: it stays to the end, and it is much."""
    gc.collect()
    gc.freeze()
