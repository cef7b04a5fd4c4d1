"""Changes of a random PKI that may not change the answer, or may change it to a refusal alone."""

from __future__ import annotations

import random

import pytest

from .maker import case_of
from .metamorphic import CHANGES, wrong_after
from .test_agreement import CASES, SEED

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # cryptography's


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_never_turns_no_into_yes_and_the_order_changes_nothing(change: str) -> None:
    dice = random.Random(SEED)  # noqa: S311
    applied = 0
    for seed in range(SEED, SEED + CASES // 4):
        wrong = wrong_after(change, case_of(seed), dice)
        assert not wrong, f"seed {seed}: {wrong}"
        applied += wrong is not None
    assert applied > CASES // 40
