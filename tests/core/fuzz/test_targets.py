"""Each target of the fuzzer as a property: always asked a little, and the targets themselves keep working."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .targets import TARGETS


@pytest.mark.filterwarnings("ignore::UserWarning")  # of cryptography, for names and numbers that are odd on purpose
@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=80))
def test_the_library_keeps_its_promise_whatever_is_changed_in_a_good_input(target: str, data: bytes) -> None:
    TARGETS[target](data)
