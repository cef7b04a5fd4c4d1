"""Contestants measured in turn, in short batches, so that what disturbs the machine disturbs all of them alike.

pyperf measures better than this one thing after the other, each in processes of its own. What is claimed here is ratios
of things measured side by side, which it has no way to do.

The method: every round runs a batch of about ten milliseconds of each contestant, in an order that is shuffled again. A
result is the median of all rounds; a ratio is the median of the rounds' ratios. The garbage collector runs between
batches and not during them, as in `timeit`.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median, quantiles
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

__all__ = ["Batch", "Rounds", "added", "calls", "drive", "interleave", "median", "quartiles", "ratio"]

_Input = TypeVar("_Input")

Batch: TypeAlias = Callable[[int], float]
"""Does something so many times, and returns the seconds that took."""

Rounds: TypeAlias = Sequence[float]
"""Seconds for one call, a number for each round; the rounds of contestants measured together belong together."""

_BATCH_SECONDS = 0.01
_AT_ONCE = 32  # inputs, so that they are in the processor's cache, as a request is that a server has just read
_LEAST_ROUNDS = 5


def calls(function: Callable[[_Input], object], fresh: Callable[[], _Input]) -> Batch:
    """Return batches of `function(fresh())`. Only `function` is timed.

    A request's header is a new string every time, whose hash nobody has computed yet: `fresh` has to make it so.
    """

    def batch(count: int) -> float:
        took = 0.0
        for done in range(0, count, _AT_ONCE):
            inputs = [fresh() for _ in range(min(_AT_ONCE, count - done))]
            start = perf_counter()
            for each in inputs:
                function(each)
            took += perf_counter() - start
        return took

    return batch


def interleave(
    batches: Mapping[str, Batch], seconds: float, *, batch_seconds: float = _BATCH_SECONDS
) -> dict[str, Rounds]:
    """Measure contestants in turn.

    Parameters:
        batches: the contestants by name.
        seconds: how long to measure each of them, about; at least five rounds are made.
        batch_seconds: how long one batch takes, about; what takes longer is called once a batch.
    """
    counts = {name: _count(batch, batch_seconds) for name, batch in batches.items()}
    rounds: dict[str, list[float]] = {name: [] for name in batches}
    shuffled = list(batches)
    order = random.Random(0)  # noqa: S311  # no secret
    end = perf_counter() + seconds * len(batches)
    with _no_garbage_collection():
        while perf_counter() < end or len(rounds[shuffled[0]]) < _LEAST_ROUNDS:
            order.shuffle(shuffled)
            for name in shuffled:
                gc.collect()
                rounds[name].append(batches[name](counts[name]) / counts[name])
    return dict(rounds)


def _count(batch: Batch, seconds: float) -> int:
    """Return how many calls make a batch, having warmed the contestant up with them."""
    count = 1
    batch(count)
    while (took := batch(count)) < seconds / 2:
        count = max(2 * count, int(count * seconds / 2 / took))
    return max(1, round(count * seconds / took))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # what is there stays: a collection between batches is then short
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def ratio(ours: Rounds, theirs: Rounds) -> float:
    """Return how many times the one takes as long as the other."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def added(whole: Rounds, part: Rounds) -> list[float]:
    """Return what the one takes more than the other, round by round."""
    return [one - other for one, other in zip(whole, part, strict=True)]


def quartiles(rounds: Rounds) -> tuple[float, float]:
    """Return the first and the third quartile."""
    low, _, high = quantiles(rounds, n=4)
    return low, high


def drive(coroutine: Any) -> Any:
    """Run a coroutine that never has to wait, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError(f"{coroutine!r} waits for something")
