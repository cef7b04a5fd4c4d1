"""Each target of the fuzzer with a few inputs, always the same, so that the targets themselves keep working."""

from __future__ import annotations

import random

import pytest

from .targets import TARGETS

INPUTS = 150


@pytest.mark.filterwarnings("ignore::UserWarning")  # of cryptography, for names and numbers that are odd on purpose
@pytest.mark.parametrize("target", TARGETS)
def test_the_library_keeps_its_promise_for_inputs_made_at_random(target: str) -> None:
    source = random.Random(target)  # noqa: S311  # the same inputs in every run
    TARGETS[target](b"")
    for _ in range(INPUTS):
        TARGETS[target](source.randbytes(source.randrange(60)))
