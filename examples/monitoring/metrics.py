"""What the library decides and trusts, as metrics of prometheus_client; also with several workers of gunicorn.

Nothing in a label is a client's: outcomes are codes of the library, of which there are few.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sslclientcert import ClientCertError, TrustStore
from sslclientcert.core.authenticator import Decision

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

LOOK_SECONDS = 15.0

# Each worker has its own gauges. Of those that live, the worst counts.
DECISIONS = Counter("client_cert_decisions_total", "Decisions on clients, by code or 'accepted'.", ["outcome"])
FAILS = Gauge("client_cert_trust_load_failed", "1 while the changed files do not load.", multiprocess_mode="livemax")
WARNINGS = Gauge("client_cert_trust_warnings", "How many warnings status() has.", multiprocess_mode="livemax")
LEFT_OUT = Gauge("client_cert_trust_left_out", "Certificates that cannot be used.", multiprocess_mode="livemax")
ANCHORS = Gauge("client_cert_trust_anchors", "Anchors of the bundle.", multiprocess_mode="livemin")
REVOKED = Gauge("client_cert_trust_revoked", "Entries of the CRLs.", multiprocess_mode="livemin")
NEXT_END = Gauge(
    "client_cert_trust_next_end_timestamp_seconds",
    "When the next CA or CRL ends; 0 if all have ended.",
    multiprocess_mode="livemin",
)

# increase() does not see the first of a series. So each series begins at 0.
for _outcome in ("accepted", *(kind.code for kind in ClientCertError.__subclasses__())):
    DECISIONS.labels(_outcome)


def count(decision: Decision) -> None:
    """Count a decision: for `ClientCertAuthenticator(audit=count)`."""
    DECISIONS.labels("accepted" if decision.error is None else decision.error.code).inc()


def observe(store: TrustStore) -> None:
    """Set the gauges to what this process trusts now."""
    status = store.status()
    FAILS.set(status.error is not None)
    WARNINGS.set(len(status.warnings))
    LEFT_OUT.set(status.left_out)
    ANCHORS.set(status.anchors)
    REVOKED.set(status.revoked)
    NEXT_END.set(0 if status.next_expiry is None else status.next_expiry.at.timestamp())


def watch(store: TrustStore, seconds: float = LOOK_SECONDS) -> None:
    """Set the gauges now, and again and again in a thread. Call it in each worker, after the fork."""

    def look() -> None:
        while True:
            time.sleep(seconds)
            observe(store)

    observe(store)
    threading.Thread(target=look, name="client-cert-metrics", daemon=True).start()


def metrics(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer the collector, for all workers together: a WSGI application."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client's
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [generate_latest(registry)]
