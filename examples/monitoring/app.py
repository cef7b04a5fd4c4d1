"""An application with metrics and a readiness check: the parts of yours that matter for monitoring."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sslclientcert import PROXIES, ClientCertAuthenticator
from sslclientcert.wsgi import ClientCertMiddleware

from .metrics import count, metrics

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

authenticator = ClientCertAuthenticator(
    os.environ["SSLCLIENTCERT_CA"],
    crl=os.environ.get("SSLCLIENTCERT_CRL"),
    proxy=PROXIES[os.environ.get("SSLCLIENTCERT_PROXY", "nginx-ingress")],
    trusted_proxies=os.environ.get("SSLCLIENTCERT_TRUSTED_PROXIES", "127.0.0.1"),
    audit=count,
)


def ready(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Say that this process can serve, and show what needs attention: what is left out, what ends, what does not load.

    It answers 200 all the same. A bundle that does not load would otherwise take every pod out of service at once,
    where the trust of before still holds.
    """
    status = authenticator.trust_store.status()
    shown = {"left_out": status.left_out, "warnings": status.warnings, "error": status.error}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(shown).encode()]


def shop(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a client whose certificate the middleware has verified."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["sslclientcert.identity"].subject.encode()]


def route(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Give a request to what answers it. The first two are for the cluster: have the proxy refuse their paths."""
    return {"/metrics": metrics, "/readyz": ready}.get(environ["PATH_INFO"], shop)(environ, start_response)


app = ClientCertMiddleware(route, authenticator, exempt=["/metrics", "/readyz"])
