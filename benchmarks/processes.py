"""What has to be measured in a process of its own: memory, and what a process does only once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

__all__ = ["MEGABYTE", "forget_peak", "in_new_process", "peak", "resident"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

MEGABYTE = 1e6


def in_new_process(
    function: Callable[_Arguments, _Result], *arguments: _Arguments.args, **options: _Arguments.kwargs
) -> _Result:
    """Call a function of a module in a new interpreter, and return what it returns."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **options).result()


def resident() -> int:
    """Return how many bytes of memory this process has now. Only the system knows: Rust's are not in tracemalloc."""
    return _status("VmRSS")


def peak() -> int:
    """Return the most it ever had since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Let the peak be what there is now. Source: proc_pid_clear_refs(5)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/self/status does not tell {name}")
