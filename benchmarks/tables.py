"""A table of measurements: as data, as JSON, and as Markdown that is legible as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from .timing import Rounds, median, quartiles, ratio

__all__ = ["Cell", "Table", "markdown", "measured", "number"]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A median in the unit of its column, and what it is beside the row or column that the table compares with.

    Attributes:
        median: the number.
        quartiles: the first and the third of the rounds' numbers, if there were rounds.
        ratio: the median of the rounds' ratios to what is compared with.
    """

    median: float
    quartiles: tuple[float, float] | None = None
    ratio: float | None = None

    def __str__(self) -> str:
        return number(self.median) + ("" if self.ratio is None else f" ({number(self.ratio)}×)")


@dataclasses.dataclass(frozen=True)
class Table:
    """What one section measured.

    Attributes:
        title: what it is, with the units.
        columns: their names; the first is that of the row's name.
        rows: cells by the row's name, one for each further column. A number, a text, or None: could not be measured.
        note: how it was measured, and what is to be known of it.
        recipe: what the recipe took just before and after, in microseconds (P-256, root to leaf).
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, Sequence[Cell | str | None]]
    note: str = ""
    recipe: float | None = None

    def cell(self, row: str, column: str) -> Cell:
        """Return a number.

        Raises:
            LookupError: it was not measured.
        """
        found = self.rows[row][self.columns[1:].index(column)] if column in self.columns else None
        if not isinstance(found, Cell):
            raise LookupError(f"{self.title}: there is no number for {row!r}, {column!r}")  # noqa: TRY004  # its place is wrong
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Table:
        """Return it from what `dataclasses.asdict` made of it."""
        rows = {
            name: tuple(Cell(**cell) if isinstance(cell, dict) else cell for cell in cells)
            for name, cells in data["rows"].items()
        }
        return cls(data["title"], tuple(data["columns"]), rows, data["note"], data["recipe"])

    def __str__(self) -> str:
        texts = [[name, *("–" if cell is None else str(cell) for cell in cells)] for name, cells in self.rows.items()]
        return "\n\n".join(filter(None, [f"**{self.title}**", markdown(self.columns, texts), self.note]))


def measured(rounds: Rounds, beside: Rounds | None = None, *, unit: float = 1e-6) -> Cell:
    """Return the cell of what `timing.interleave` measured, in units of so many seconds."""
    low, high = quartiles(rounds)
    compared = None if beside is None else ratio(rounds, beside)
    return Cell(median(rounds) / unit, (low / unit, high / unit), compared)


def number(value: float) -> str:
    """Write three digits that mean something."""
    for bound, digits in ((100, 0), (10, 1), (0.1, 2)):
        if abs(value) >= bound:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns aligned for a terminal."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (columns, *rows)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
