"""A lock that a fork cannot leave held.

gunicorn and its like fork after the application is loaded. A lock that another thread held at that moment would stay
held in the child for ever, since that thread is not there.
"""

from __future__ import annotations

import os
import threading
import weakref

__all__ = ["ForkSafe"]


class ForkSafe:
    """Has a lock, which is a new one in a forked child.

    Attributes:
        lock: ask for it each time.
    """

    def __init__(self) -> None:
        self.lock: threading.Lock = threading.Lock()
        _all.add(self)


_all: weakref.WeakSet[ForkSafe] = weakref.WeakSet()


def _after_fork() -> None:
    for each in _all:
        each.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
