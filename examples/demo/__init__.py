"""The demo: `make demo`. docs/demo.md shows what it prints and why."""

from __future__ import annotations
