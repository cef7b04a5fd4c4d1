"""What all tests share."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Leave what collecting has made out of every later garbage collection: it stays to the end, and it is much."""
    gc.collect()
    gc.freeze()
