"""As much of the Kubernetes API as Traefik's providers ask for, on loopback: fixed objects, listed and watched.

A controller lists every kind of object, and then watches it on a connection that stays open. Nothing changes here, so
that a watch says nothing until the client goes or the block ends.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ (lists and watches)
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Object = Mapping[str, Any]
_KINDS = {
    "configmaps": "ConfigMap",
    "endpointslices": "EndpointSlice",
    "ingressclasses": "IngressClass",
    "ingresses": "Ingress",
    "namespaces": "Namespace",
    "nodes": "Node",
    "secrets": "Secret",
    "services": "Service",
}
_VERSION = {"resourceVersion": "1"}


@contextmanager
def kubernetes_api(objects: Iterable[Object]) -> Iterator[str]:
    """Serve these objects until the block ends; its value is the URL of the API."""
    known = list(objects)
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            # /api/v1/secrets, /apis/networking.k8s.io/v1/ingresses, the same below namespaces/NAME, and one by its name
            parts = url.path.strip("/").split("/")
            version, rest = ("v1", parts[2:]) if parts[0] == "api" else ("/".join(parts[1:3]), parts[3:])
            rest = rest[2:] if rest[0] == "namespaces" and len(rest) > 2 else rest
            kind = _KINDS[rest[0]]
            found = [each for each in known if (each["apiVersion"], each["kind"]) == (version, kind)]
            if len(rest) > 1:
                found = [each for each in found if each["metadata"]["name"] == rest[1]]
                self._say(found[0] if found else _failure(HTTPStatus.NOT_FOUND, "NotFound"))
            elif "sendInitialEvents" in query:  # a client then lists, as with any API server that lacks this
                self._say(_failure(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid"))
            elif "watch" in query:
                self._say(None)
                ended.wait()
            else:
                self._say({"apiVersion": version, "kind": f"{kind}List", "metadata": _VERSION, "items": found})

        def _say(self, what: Object | None) -> None:
            self.send_response(what.get("code", 200) if what else 200)
            self.send_header("Content-Type", "application/json")
            body = b"" if what is None else json.dumps(what).encode()
            self.send_header(
                *(("Transfer-Encoding", "chunked") if what is None else ("Content-Length", str(len(body))))
            )
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _failure(status: HTTPStatus, reason: str) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
