"""Orders of an example shop, with ASGI alone."""

from __future__ import annotations
