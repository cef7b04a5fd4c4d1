"""Orders of an example shop, with Django REST framework."""

from __future__ import annotations
