"""Gunicorn's hooks for metrics of several workers. PROMETHEUS_MULTIPROC_DIR is an empty folder, such as an emptyDir."""

from __future__ import annotations

from typing import Any

from prometheus_client import multiprocess


def post_worker_init(worker: Any) -> None:
    """Watch the trust store in each worker."""
    from monitoring.app import authenticator  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
    from monitoring.metrics import watch  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

    watch(authenticator.trust_store)


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that has ended."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # prometheus_client's
