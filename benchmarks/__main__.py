"""Measure, print the tables, and keep the numbers in build/benchmarks/results.json; --record puts them on the page."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import logging
import time

from . import environment, goals, report
from .tables import Table

SECTIONS = (
    "requests",
    "bundles",
    "lists",
    "threads",
    "refusals",
    "hostile",
    "cache",
    "middleware",
    "servers",
    "imports",
)
_QUICK = 0.1


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"all, if none is named: {', '.join(SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, for a look; not for claims")
    parser.add_argument("--record", action="store_true", help="write the numbers and the plot into docs/ as well")
    options = parser.parse_args()
    unknown = sorted(set(options.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"there is no section {unknown[0]}; there are {', '.join(SECTIONS)}")
    if options.record and (options.quick or options.sections):
        parser.error("--record is for a whole run of all sections: leave --quick and the sections out")
    # A refusal is logged as in an application, but what a handler writes is not ours to measure.
    logging.getLogger("sslclientcert").addHandler(logging.NullHandler())
    results = report.Results(environment.environment(), {})
    results.environment["load before"] = environment.load()
    print(report.about(results.environment), flush=True)
    for name in options.sections or SECTIONS:
        start = time.monotonic()
        before = environment.pace()
        table: Table = importlib.import_module(f"benchmarks.{name}").run(_QUICK if options.quick else 1.0)
        table = dataclasses.replace(table, recipe=(before + environment.pace()) / 2)
        results.tables[name] = table
        print(f"\n{table}\n\n({name}: {time.monotonic() - start:.0f} s)", flush=True)
    results.environment["load after"] = environment.load()
    print(f"\n{goals.table(results.tables)}")
    report.write(results, report.BUILD)
    print(f"\nThe numbers are in {report.BUILD}.")
    if options.record:
        report.record(results)


if __name__ == "__main__":
    main()
