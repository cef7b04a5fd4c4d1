"""The few ratios that the tests hold, as JSON: `python -m benchmarks.guard`.

A program of its own, so that a measurement of the tests' coverage does not slow down one side and not the other.
"""

from __future__ import annotations

import json

from sslclientcert import TrustStore, decode

from .pki import PEER, Case, case
from .recipe import recipe
from .timing import Batch, calls, interleave, ratio

__all__ = ["COLD", "UNCACHED", "WARM", "ratios"]

COLD, WARM, UNCACHED = "store.verify(decode(header))", "authenticate, warm", "authenticate, without a cache"

_RECIPE = "the recipe"
_CASES = ("P-256 direct", "RSA-2048 direct")
_SECONDS = 0.2


def ratios() -> dict[str, dict[str, float]]:
    """Return, for each case, how many times as long as the recipe each takes."""
    found = {}
    for name in _CASES:
        rounds = interleave(_batches(case(name)), _SECONDS)
        found[name] = {each: ratio(rounds[each], rounds[_RECIPE]) for each in (COLD, WARM, UNCACHED)}
    return found


def _batches(one: Case) -> dict[str, Batch]:
    store, warm, uncached = TrustStore.from_file(one.path), one.authenticator(), one.authenticator(cache_entries=0)
    return {
        _RECIPE: calls(recipe(one.bundle), one.values),
        COLD: calls(lambda value: store.verify(decode(value)), one.values),
        WARM: calls(lambda headers: warm.authenticate(headers, peer=PEER), one.pairs),
        UNCACHED: calls(lambda headers: uncached.authenticate(headers, peer=PEER), one.pairs),
    }


if __name__ == "__main__":
    print(json.dumps(ratios()))
