"""The plot of the documentation: what one request costs, as an SVG that is legible on light and on dark pages.

Written by hand, since a library that draws weighs more than everything else here. Colours follow the reader's choice
of a light or a dark page; text stays text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path

from .tables import Cell, Table, number

__all__ = ["plot"]

_CASES = ("P-256 direct", "RSA-2048 direct")
_LEFT, _BAR, _WIDTH = 14, 405, 480  # a telephone shows three quarters of it
_ROW, _LABEL, _THICK, _TOP = 52, 20, 12, 64
_STYLE = """\
  :root { color-scheme: light dark; }
  text { font: 14px system-ui, sans-serif; fill: #1f2328; }
  .small { font-size: 12px; fill: #59636e; }
  .ours { font-weight: 600; }
  .grid { stroke: #d1d9e0; }
  .ec { fill: #0969da; } .rsa { fill: #bf8700; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .small { fill: #9198a1; } .grid { stroke: #3d444d; }
    .ec { fill: #4493f8; } .rsa { fill: #d29922; }
  }"""


def plot(tables: Mapping[str, Table], path: Path) -> None:
    """Draw the requests' costs on a logarithmic scale, the cheapest first."""
    table = tables["requests"]
    rows = {name: cells for name in table.rows if (cells := _cells(table, name))}
    ordered = sorted(rows, key=lambda name: rows[name][0].median)
    lowest = math.floor(math.log10(min(cell.median for cells in rows.values() for cell in cells)))
    highest = math.ceil(math.log10(max(cell.median for cells in rows.values() for cell in cells)))
    height = _TOP + _ROW * len(rows) + 12

    def x(value: float) -> float:
        return _LEFT + _BAR * (math.log10(value) - lowest) / (highest - lowest)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(_title(rows))}</title>',
        f"<style>\n{_STYLE}\n</style>",
        f'<text x="{_LEFT}" y="18">Microseconds a request, from the header, on a logarithmic scale</text>',
        f'<rect class="ec" x="{_LEFT}" y="27" width="12" height="12"/><text x="{_LEFT + 18}" y="38">P-256</text>',
        f'<rect class="rsa" x="{_LEFT + 80}" y="27" width="12" height="12"/>',
        f'<text x="{_LEFT + 98}" y="38">RSA-2048</text>',
    ]
    for power in range(lowest, highest + 1):
        at = f"{x(10.0**power):.1f}"
        parts += [
            f'<line class="grid" x1="{at}" y1="{_TOP - 4}" x2="{at}" y2="{height - 8}"/>',
            f'<text class="small" x="{at}" y="{_TOP - 8}" text-anchor="middle">{10.0**power:,g}</text>',
        ]
    for place, name in enumerate(ordered):
        top = _TOP + _ROW * place
        kind = "ours" if name.startswith("ours") else "other"
        parts.append(f'<text class="{kind}" x="{_LEFT}" y="{top + 15}">{escape(_plain(name))}</text>')
        for line, (colour, cell) in enumerate(zip(("ec", "rsa"), rows[name], strict=True)):
            y, end = top + _LABEL + line * (_THICK + 1), x(cell.median)
            parts += [
                f'<rect class="{colour}" x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_THICK}"/>',
                f'<text class="small" x="{end + 5:.1f}" y="{y + 10}">{number(cell.median)}</text>',
            ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def _cells(table: Table, name: str) -> list[Cell]:
    found = [table.rows[name][table.columns[1:].index(each)] for each in _CASES]
    cells = [cell for cell in found if isinstance(cell, Cell)]
    return cells if len(cells) == len(_CASES) else []


def _title(rows: Mapping[str, list[Cell]]) -> str:
    said = [f"{_plain(name)} {number(cells[0].median)}" for name, cells in rows.items()]
    return f"Microseconds a request with P-256: {'; '.join(said)}"


def _plain(name: str) -> str:
    return name.replace("`", "").replace("**", "")
