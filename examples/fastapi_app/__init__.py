"""Orders of an example shop, with FastAPI."""

from __future__ import annotations
