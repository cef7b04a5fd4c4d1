"""Orders of an example shop, with WSGI alone."""

from __future__ import annotations
