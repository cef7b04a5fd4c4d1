"""The tests of the adapters; `contract` is the table that every one of them is held to."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(f"{__name__}.contract")
