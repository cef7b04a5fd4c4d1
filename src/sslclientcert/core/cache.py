"""The cache of verified results: bounded in entries and in bytes, and a hit takes no lock.

Two dictionaries, a young and an old one. What is new, or used again, is in the young one; when that is full it becomes
the old one, and what the old one still held is gone: the least recently used, to within half the bound. Only
successes are ever put in, so nobody without a valid certificate can push an entry out.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from .locks import ForkSafeLock

__all__ = ["Cache"]

V = TypeVar("V")


class Cache(Generic[V]):
    """Keeps at most `entries` values whose stated sizes add up to at most `size` bytes; none if `entries` is 0."""

    def __init__(self, entries: int, size: int) -> None:
        self._entries = entries // 2
        self._size = size // 2
        self._lock = ForkSafeLock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._young: dict[Hashable, tuple[V, int]] = {}
        self._old: dict[Hashable, tuple[V, int]] = {}
        self._weight = 0

    def get(self, key: Hashable) -> V | None:
        """Return the value, or None."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return None
            self.put(key, *found)
        return found[0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value of `size` bytes, unless it alone is over the bound."""
        if size > self._size or not self._entries:
            return
        with self._lock:
            if len(self._young) >= self._entries or self._weight + size > self._size:
                self._old, self._young, self._weight = self._young, {}, 0
            if key not in self._young:
                self._weight += size
            self._young[key] = (value, size)

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
