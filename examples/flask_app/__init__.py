"""Orders of an example shop, with Flask."""

from __future__ import annotations
