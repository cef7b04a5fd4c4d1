"""Compare many random PKIs: python -m tests.core.differential [--cases N] [--seeds N,N,...]

Prints how often the answers agree, and why they differ. Ends with status 1 at a difference without a reason.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import functools
import sys

from .running import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.core.differential", description=__doc__)
    parser.add_argument("--cases", type=int, default=5000, help="for each seed; default: %(default)s")
    parser.add_argument("--seeds", default="5280,6125,8446,9440", help="where to start; default: %(default)s")
    parser.add_argument("--processes", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--failures", type=int, default=3, help="how many to print in full; default: %(default)s")
    parser.add_argument("--crls", action="store_true", help="with CRLs alone; default: a third of the cases")
    options = parser.parse_args()
    starts = [int(seed) * 1_000_000 for seed in options.seeds.split(",")]
    batches = [
        range(start + first, start + min(first + 250, options.cases))
        for start in starts
        for first in range(0, options.cases, 250)
    ]
    counts: collections.Counter[str] = collections.Counter()
    failures: list[str] = []
    with concurrent.futures.ProcessPoolExecutor(options.processes) as pool:
        for some, failed in pool.map(functools.partial(run, revocation=options.crls or None), batches):
            counts += some
            failures += failed
            sys.stderr.writelines(f"{failure.partition(chr(10))[0]}\n" for failure in failed)
    sys.stdout.writelines(f"{count:7} {name}\n" for name, count in counts.most_common())
    sys.stdout.writelines(f"\n{failure}\n" for failure in failures[: options.failures])
    sys.stdout.write(f"{counts.total()} cases, {len(failures)} without a reason\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
