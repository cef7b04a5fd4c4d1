"""Results as JSON, and on the page of the documentation, whose tables are made of them and of nothing else."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import NamedTuple

from . import goals, requests
from .tables import Table, markdown

__all__ = ["BUILD", "PAGE", "RECORDED", "Results", "about", "read", "record", "rendered", "write"]

BUILD = Path("build", "benchmarks", "results.json")
_DOCS = Path(__file__).parents[1] / "docs"
PAGE = _DOCS / "performance.md"
RECORDED = _DOCS / "performance" / "results.json"
_PLACE = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Results(NamedTuple):
    """One run."""

    environment: dict[str, str]
    tables: dict[str, Table]


def about(environment: dict[str, str]) -> str:
    """Return the environment as a table."""
    return markdown(("measured on", ""), list(environment.items()))


def write(results: Results, path: Path) -> None:
    """Write results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = {name: dataclasses.asdict(table) for name, table in results.tables.items()}
    path.write_text(json.dumps({"environment": results.environment, "tables": tables}, indent=1) + "\n", "utf-8")


def read(path: Path) -> Results:
    """Read what `write` wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Results(data["environment"], {name: Table.from_dict(table) for name, table in data["tables"].items()})


def rendered(page: str, results: Results) -> str:
    """Return the page with these results between its marks, `<!-- measured: name -->` and `<!-- end -->`."""
    parts = {
        "requests": str(requests.shown(results.tables["requests"])),
        "goals": str(goals.table(results.tables)),
    }
    return _PLACE.sub(lambda place: f"{place[1]}\n{parts[place[2]]}\n\n{place[3]}", page)


def record(results: Results) -> None:
    """Put results into the documentation: the numbers, the plot, and the tables of the page."""
    from .plot import plot

    write(results, RECORDED)
    plot(results.tables, RECORDED.with_name("requests.svg"))
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
