"""Orders of an example shop, with Django."""

from __future__ import annotations
