"""The cache of verified results: bounded in entries and in bytes, and a hit takes no lock.

Two dictionaries, a young and an old one. What is new, or used again, is in the young one; when that is full it becomes
the old one, and what the old one still held is gone: the least recently used, to within half the bound. Only
successes are put in, so a client without a valid certificate cannot push an entry out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .headers import HeaderValues
from .identity import ClientIdentity
from .locks import ForkSafe

__all__ = ["Cache", "interned", "weight"]

_SIZE = 16 * 1024 * 1024
_CERTIFICATE = 4096  # cryptography's object, and its share of the identity and of the dictionaries
_NAME = 256  # an alternative name, as an object of cryptography and as text in the identity

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keeps at most `entries` values that weigh at most `size` bytes together; none if `entries` is 0.

    Parameters:
        entries: how many.
        size: in bytes.
        weigh: returns the bytes of an entry, with all that hangs on it.
    """

    def __init__(self, entries: int, weigh: Callable[[K, V], int], size: int = _SIZE) -> None:
        self._entries = entries // 2
        self._size = size // 2
        self._weigh = weigh
        self._guard = ForkSafe()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._weight = 0

    def get(self, key: K) -> V | None:
        """Return the value, or None."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep a value, unless it alone is over the bound."""
        size = self._weigh(key, value)
        if size > self._size or not self._entries:
            return
        with self._guard.lock:
            if len(self._young) >= self._entries or self._weight + size > self._size:
                self._old, self._young, self._weight = self._young, {}, 0
            if key not in self._young:
                self._weight += size
            self._young[key] = value

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())


def interned(values: HeaderValues) -> HeaderValues:
    """Return the same values, of which those that are many clients' are in memory once: verdict and issuer."""
    certificate, chain, verdict, presence, subject, issuer, *others = values
    shared = verdict and sys.intern(verdict), presence, subject, issuer and sys.intern(issuer)
    return certificate, chain, *shared, *others


def weight(values: HeaderValues, identity: ClientIdentity) -> int:
    """Return the bytes of an entry: the headers, and the identity with its certificates and names.

    A certificate of 150 names is 4 KB of DER, and 38 KB in memory.
    """
    names = sum(len(of_a_kind) for of_a_kind in vars(identity.sans).values()) + len(identity.policies)
    certificates = max(1, len(identity.chain) - 1)  # the anchor is the bundle's
    return sum(map(len, filter(None, values))) + certificates * _CERTIFICATE + names * _NAME
