"""The goals, each with what was measured.

They were set on a machine on which the recipe took 79.8 µs (P-256, root to leaf). Measured times are therefore
converted to that machine, by what the recipe takes here before and after the section. Ratios and sizes are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from . import bundles, cache, hostile, imports, lists, middleware, refusals, requests, servers
from .tables import Cell, Table, number

__all__ = ["table"]

_REFERENCE = 79.8
_TIMES = ("µs", "ms", "s")
_UNITS = {"×": "×", "": ""}
"""Units that are not written after a space."""
_READ = requests.RECIPE_READ
_EC, _RSA = ("P-256 direct", "P-256 inter"), ("RSA-2048 direct", "RSA-2048 inter")


class _Goal(NamedTuple):
    """What is wanted of a section.

    Attributes:
        name: what it is about. Goals of one name are for EC and RSA, and share a row.
        section: where it was measured.
        bound: what it should be at most, or with `at_least` at least.
        unit: of the bound. A measured time is converted.
        measured: reads it.
    """

    name: str
    section: str
    bound: float
    unit: str
    measured: Callable[[Table], float]
    at_least: bool = False


def _ratio(row: str, columns: tuple[str, ...], beside: str | None = None) -> Callable[[Table], float]:
    """Return what reads the worst ratio of a row to the recipe, or to another row."""

    def measured(found: Table) -> float:
        return max(
            _of(found.cell(row, each)) / (1 if beside is None else _of(found.cell(beside, each))) for each in columns
        )

    return measured


def _of(cell: Cell) -> float:
    if cell.ratio is None:
        raise ValueError("the cell has no ratio")
    return cell.ratio


def _median(row: str, *columns: str) -> Callable[[Table], float]:
    return lambda found: max(found.cell(row, each).median for each in columns)


def _worst_refusal(found: Table) -> float:
    others = (refusals.GOOD, refusals.BIG_GOOD, refusals.BIG_REFUSED, refusals.BIG, refusals.HUGE)
    return max(_of(found.cell(row, each)) for row in found.rows if row not in others for each in refusals.CASES)


def _dearest(found: Table) -> float:
    return max(found.cell(row, hostile.CHECKS).median for row in hostile.SHAPES)


def _long_refusal(found: Table) -> float:
    rows = (refusals.BIG_REFUSED, refusals.BIG_GOOD)
    refused, good = ([found.cell(row, each) for each in refusals.CASES] for row in rows)
    return max(ours.median / theirs.median for ours, theirs in zip(refused, good, strict=True))


def _growth_with_length(found: Table) -> float:
    huge, big = (found.cell(row, refusals.CASES[0]).median for row in (refusals.HUGE, refusals.BIG))
    return huge / big / 16


def _stall(found: Table) -> float:
    return found.cell(lists.MILLION, lists.STALL).median - found.cell(lists.MILLION, lists.IDLE).median


def _goals() -> Iterator[_Goal]:
    for columns, warm in ((_EC, 1 / 50), (_RSA, 1 / 30)):
        for name, most, measured in (
            ("`store.verify(decode(header))`, cold", 1.20, _ratio(requests.VERIFY, columns)),
            ("the same, with attributes", 1.00, _ratio(requests.READ, columns, _READ)),
            ("`authenticate(headers, peer)`, cold", 1.10, _ratio(requests.AUTHENTICATE, columns, _READ)),
            ("`authenticate(headers, peer)`, warm", warm, _ratio(requests.WARM, columns)),
        ):
            yield _Goal(name, "requests", most, "×", measured)
    for row, bound in (
        (middleware.ASGI, 0.10),
        (middleware.WSGI, 0.08),
        (middleware.FASTAPI, 0.45),
        (middleware.FLASK, 0.20),
        (middleware.DJANGO, 0.15),
    ):
        yield _Goal(f"{row}, added", "middleware", bound * _REFERENCE, "µs", _median(row, middleware.CASES[0]))
    sizes = tuple(f"{size:,}" for size in bundles.SIZES)
    yield _Goal("1 to 1000 CAs, to one", "bundles", 1.10, "×", _ratio(bundles.VERIFY, sizes))
    yield _Goal("million-entry CRL, load", "lists", 2, "s", _median(lists.MILLION, lists.LOAD))
    yield _Goal("million-entry CRL, peak", "lists", 120, "MB", _median(lists.MILLION, lists.PEAK))
    yield _Goal("million-entry CRL, stall of other threads", "lists", 50, "ms", _stall)
    yield _Goal("million-entry CRL, lookup", "lists", 0.2, "µs", _median(lists.MILLION, lists.LOOKUP))
    yield _Goal("the dearest refusal, to a cold good one", "refusals", 1.5, "×", _worst_refusal)
    yield _Goal("64 KB refused, to 64 KB accepted", "refusals", 1.1, "×", _long_refusal)
    yield _Goal("an oversized header", "refusals", 0.2 * _REFERENCE, "µs", _median(refusals.OVERSIZED, *refusals.CASES))
    yield _Goal("decoding 1 MB, to 16 times 64 KB", "refusals", 1.1, "×", _growth_with_length)
    yield _Goal("a hostile request, in P-521 signature checks", "hostile", 20, "", _dearest)
    for each, most in zip(cache.CASES, (3, 4), strict=True):
        yield _Goal("a cache entry", "cache", most, "KB", _median(cache.ENTRY, each))
    growth = _median(cache.GROWTH, *cache.CASES)
    yield _Goal("growth beyond the full cache", "cache", 1, "MB", growth)
    yield _Goal("the import, beyond cryptography's", "imports", 15, "ms", _median(imports.LIBRARY, imports.TIME))
    for server in servers.SERVERS:
        kept = _ratio(server, (servers.PROTECTED,))
        yield _Goal(f"requests/s through nginx, {server}", "servers", 0.95, "×", kept, at_least=True)


def table(tables: Mapping[str, Table]) -> Table:
    """Return the goals of the sections that were measured."""
    rows: dict[str, tuple[list[str], list[str]]] = {}
    for goal in _goals():
        if goal.section not in tables:
            continue
        section = tables[goal.section]
        pace = (section.recipe or _REFERENCE) / _REFERENCE if goal.unit in _TIMES else 1
        found = goal.measured(section) / pace
        met = found >= goal.bound if goal.at_least else found <= goal.bound
        bound = f"{goal.bound:.2g}" if goal.bound < 100 else f"{goal.bound:g}"
        wanted = f"{'at least ' if goal.at_least else ''}{bound}{_UNITS.get(goal.unit, f' {goal.unit}')}"
        wants, shown = rows.setdefault(goal.name, ([], []))
        wants.append(wanted)
        shown.append(number(found) if met else f"**{number(found)} missed**")
    return Table(
        "Goals",
        ("", "at most", "measured"),
        {name: [", ".join(dict.fromkeys(wants)), ", ".join(shown)] for name, (wants, shown) in rows.items()},
        "Two numbers are for EC and RSA. Ratios are to the recipe, or with attributes and in cold `authenticate` to "
        f"the recipe that reads them. Times are converted to a recipe of {_REFERENCE} µs.",
    )
