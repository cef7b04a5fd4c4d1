"""The library and OpenSSL agree on random PKIs, but for the reasons in the table.

SSLCLIENTCERT_DIFFERENTIAL_CASES says how many PKIs (1,000 if not set), SSLCLIENTCERT_DIFFERENTIAL_SEED where to start.
"""

from __future__ import annotations

import collections
import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from . import model
from .compare import Accepted, Disagreement, by_library, compare
from .maker import case_of
from .making import Case
from .openssl import OpenSsl
from .running import run

CASES = int(os.environ.get("SSLCLIENTCERT_DIFFERENTIAL_CASES", "1000"))
SEED = int(os.environ.get("SSLCLIENTCERT_DIFFERENTIAL_SEED", "5280"))
BATCHES = 10
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # cryptography's


@functools.cache
def compared(batch: int) -> tuple[collections.Counter[str], list[str]]:
    return run(range(SEED + batch, SEED + CASES, BATCHES))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_library_accepts_nothing_that_openssl_refuses_and_refuses_only_for_known_reasons(batch: int) -> None:
    _, failures = compared(batch)
    assert not failures, f"{len(failures)} disagreements, the first:\n{failures[0]}"


def test_partitions_deltas_and_renewed_keys_are_judged_as_rfc_5280_says_and_as_openssl_does_where_it_can() -> None:
    """CRLs in each case. Deltas are held against the model alone: OpenSSL takes one for a complete list."""
    counts, failures = run(range(SEED, SEED + CASES // 4), revocation=True)
    assert not failures, f"{len(failures)} disagreements, the first:\n{failures[0]}"
    assert counts["both accept"] > counts.total() / 10


def test_where_its_place_alone_says_which_certificate_is_the_leaf_every_other_one_must_have_issued_one() -> None:
    counts: collections.Counter[tuple[bool, bool]] = collections.Counter()
    for seed in range(SEED, SEED + CASES // 2):
        case = case_of(seed)
        bound = by_library(case)
        unbound = by_library(case, is_leaf_bound=False)
        if isinstance(bound, str):
            assert isinstance(unbound, str), f"seed {seed}: {bound}"
            continue
        has_strangers = bool(model.strangers(case))
        assert isinstance(unbound, str) or not has_strangers, f"seed {seed}\n{case}"
        counts[has_strangers, isinstance(unbound, Accepted)] += 1
    assert counts[True, False] > CASES // 100
    assert counts[False, True] > CASES // 20


def test_the_random_cases_are_worth_comparing() -> None:
    """Both answers are common, and so the comparison above has compared something. Three batches show it."""
    counts = sum((compared(batch)[0] for batch in range(3)), collections.Counter[str]())
    assert counts["both accept"] > counts.total() / 5
    assert counts["both refuse"] > counts.total() / 10


def accepts_every_signature(case: Case) -> Accepted | str:
    """A library that checks signatures and nothing else."""
    found = model.paths(case)
    return Accepted(found[0]) if found else "certificate_untrusted"


def accepts_every_anchor(case: Case) -> Accepted | str:
    """A library that takes every certificate of the bundle for an anchor."""
    issuers = [ca for ca in case.bundle if model.issued(ca, case.leaf)]
    return Accepted((case.leaf, issuers[0])) if issuers else "certificate_untrusted"


def asserts_every_policy(case: Case) -> Accepted | str:
    """A library that believes the leaf's policies."""
    answer = accepts_every_signature(case)
    return Accepted(answer.path, case.leaf.policies or ()) if isinstance(answer, Accepted) else answer


@pytest.mark.parametrize(
    ("library", "complaint"),
    [
        (accepts_every_signature, "ACCEPTED WHAT OPENSSL REFUSES"),
        (accepts_every_signature, "ACCEPTED IN SPITE OF"),
        (accepts_every_signature, "ACCEPTED WHAT IS REVOKED"),
        (accepts_every_anchor, "ACCEPTED WITH AN ANCHOR THAT IS NONE"),
        (asserts_every_policy, "POLICIES THAT A CA DOES NOT ASSERT"),
        (lambda _: "certificate_untrusted", "refused without a reason"),
    ],
)
def test_the_comparison_notices_a_wrong_library(
    library: Callable[[Case], Accepted | str], complaint: str, tmp_path: Path
) -> None:
    openssl = OpenSsl(tmp_path)
    for seed in range(400):
        try:
            compare(case_of(seed), openssl, library)
        except Disagreement as failure:
            if complaint in str(failure):
                return
    pytest.fail("it noticed nothing")
