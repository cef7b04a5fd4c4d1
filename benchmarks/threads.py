"""Whether several threads get in one another's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from sslclientcert import TrustStore, decode

from .pki import PEER, case
from .recipe import recipe
from .tables import Cell, Table
from .timing import Batch, interleave, median, ratio

__all__ = ["run"]

_Input = TypeVar("_Input")

_THREADS = (1, 2, 4, 8)


def run(effort: float) -> Table:
    """Measure how much a process gets done with more and more threads."""
    one = case("P-256 direct")
    warm, store, verified = one.authenticator(), TrustStore.from_file(one.path), recipe(one.bundle)
    contestants: dict[str, Callable[[int], Batch]] = {
        "ours: `authenticate(headers, peer)`, warm": lambda threads: _batch(
            lambda headers: warm.authenticate(headers, peer=PEER), one.pairs, threads
        ),
        "ours: `store.verify(decode(header))`": lambda threads: _batch(
            lambda value: store.verify(decode(value)), one.values, threads
        ),
        "the recipe": lambda threads: _batch(verified, one.values, threads),
    }
    batches = {f"{name} {threads}": make(threads) for name, make in contestants.items() for threads in _THREADS}
    rounds = interleave(batches, 1.0 * effort, batch_seconds=0.03)
    rows = {
        name: [
            Cell(
                median(1 / each for each in rounds[f"{name} {threads}"]) / 1e3,
                ratio=ratio(rounds[f"{name} 1"], rounds[f"{name} {threads}"]),
            )
            for threads in _THREADS
        ]
        for name in contestants
    }
    return Table(
        "Threads: thousand requests a second (ratio to one thread)",
        ("", *(f"{threads}" for threads in _THREADS)),
        rows,
        "P-256, root to leaf. Python's interpreter lock lets one thread run at a time, and cryptography keeps it while "
        "it verifies: more threads cannot be faster here, but they must not be slower.",
    )


def _batch(function: Callable[[_Input], object], fresh: Callable[[], _Input], threads: int) -> Batch:
    """Return batches that so many threads share."""

    def batch(count: int) -> float:
        shares = [[fresh() for _ in range(count // threads + 1)] for _ in range(threads)]
        barrier = threading.Barrier(threads + 1)

        def work(share: list[_Input]) -> None:
            barrier.wait()
            for each in share:
                function(each)

        workers = [threading.Thread(target=work, args=(share,)) for share in shares]
        for worker in workers:
            worker.start()
        barrier.wait()
        start = time.perf_counter()
        for worker in workers:
            worker.join()
        return (time.perf_counter() - start) * count / (len(shares) * len(shares[0]))

    return batch
