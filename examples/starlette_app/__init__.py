"""Orders of an example shop, with Starlette."""

from __future__ import annotations
