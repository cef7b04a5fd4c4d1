"""The two applications behind the real servers: they answer with what the middleware let them see.

Configured by the environment (`ClientCertAuthenticator.from_env`), and imported by gunicorn and uvicorn by name.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import PROXIES, ClientCertAuthenticator, ClientIdentity
from sslclientcert import asgi as asgi_gateway
from sslclientcert import wsgi as wsgi_gateway

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SERVED = "TESTS_SERVED"
"""The environment variable that names a file: the application adds to it for whom it has run, a line a request."""

PRODUCTS = {
    "haproxy-ingress": dataclasses.replace(PROXIES["azure-app-service"], certificate_header="x-ssl-client-cert"),
    "f5-nginx": PROXIES["nginx"],
    "traffic-server": PROXIES["apache"],
    "apache-base64": dataclasses.replace(PROXIES["apache"], name="ours", certificate_encoding="base64-pem"),
}
"""How the application reads what docs/proxies/others.md lists: a row, perhaps with another header or encoding."""

_EXEMPT = ("/ready",)
_TRAILING = "/body"  # a path whose application reads the body before it looks at the headers


def _answer(identity: ClientIdentity | None, headers: Iterable[tuple[str, str]]) -> bytes:
    if SERVED in os.environ:  # what happened, also where nobody can read the answer any more
        with Path(os.environ[SERVED]).open("a", encoding="utf-8") as served:
            served.write(f"{identity and identity.common_name}\n")
    seen: dict[str, object] = {"headers": list(headers), "identity": None}
    if identity is not None:
        seen["identity"] = identity.as_dict()
        seen["common_name"] = identity.common_name
        seen["leaf"] = base64.b64encode(identity.certificate.public_bytes(Encoding.DER)).decode()
    return json.dumps(seen).encode()


def _wsgi_application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    headers = [(key[5:], value) for key, value in environ.items() if key.startswith("HTTP_")]
    body = _answer(environ.get("sslclientcert.identity"), headers)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


async def _asgi_application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    identity = scope.get("state", {}).get("client_identity")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": _answer(identity, ()).decode()})
        await send({"type": "websocket.close", "code": 1000})
        return
    while scope["path"] == _TRAILING and (await receive()).get("more_body"):
        pass
    body = _answer(identity, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wsgi() -> Any:
    """The WSGI application factory, for gunicorn."""
    return wsgi_gateway.ClientCertMiddleware(_wsgi_application, ClientCertAuthenticator.from_env(), exempt=_EXEMPT)


def asgi() -> Any:
    """The ASGI application factory, for uvicorn."""
    return asgi_gateway.ClientCertMiddleware(_asgi_application, ClientCertAuthenticator.from_env(), exempt=_EXEMPT)


def _authenticators() -> dict[str, ClientCertAuthenticator]:
    """One for each row by its name, and for each of `PRODUCTS`; as `haproxy+verdict`, one that demands the proxy's
    success; `elsewhere`, to whom the proxy is at another address than that from which anybody here connects; and
    `anybody`, who trusts every peer.
    """
    peers = {"elsewhere": "192.0.2.10", "anybody": "*"}
    found = {
        name: ClientCertAuthenticator.from_env(environ={**os.environ, "SSLCLIENTCERT_TRUSTED_PROXIES": trusted})
        for name, trusted in peers.items()
    }
    for name, row in PROXIES.items():
        environ = {**os.environ, "SSLCLIENTCERT_PROXY": name}
        found[name] = ClientCertAuthenticator.from_env(environ=environ)
        if row.verdict_header is not None:
            demanding = {**environ, "SSLCLIENTCERT_REQUIRE_PROXY_SUCCESS": "true"}
            found[f"{name}+verdict"] = ClientCertAuthenticator.from_env(environ=demanding)
    ca, trusted = os.environ["SSLCLIENTCERT_CA"], os.environ["SSLCLIENTCERT_TRUSTED_PROXIES"]
    for name, row in PRODUCTS.items():
        found[name] = ClientCertAuthenticator(ca, proxy=row, trusted_proxies=trusted.split(", "))
    return found


def wsgi_of_every_proxy() -> Any:
    """The WSGI application once for each row: the first part of the path says by which proxy a request comes."""
    applications = {
        name: wsgi_gateway.ClientCertMiddleware(_wsgi_application, authenticator, exempt=_EXEMPT)
        for name, authenticator in _authenticators().items()
    }

    def dispatch(environ: Any, start_response: Any) -> Any:
        name = environ["PATH_INFO"].split("/")[1]
        return applications.get(name, applications["nginx-ingress"])(environ, start_response)

    return dispatch


def asgi_of_every_proxy() -> Any:
    """The same for ASGI."""
    applications = {
        name: asgi_gateway.ClientCertMiddleware(_asgi_application, authenticator, exempt=_EXEMPT)
        for name, authenticator in _authenticators().items()
    }

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        name = scope["path"].split("/")[1]
        await applications.get(name, applications["nginx-ingress"])(scope, receive, send)

    return dispatch


def by_a2wsgi() -> Any:
    """The WSGI application behind an ASGI server, by the adapter that Starlette recommends."""
    from a2wsgi import WSGIMiddleware

    return WSGIMiddleware(wsgi_of_every_proxy())


def by_asgiref() -> Any:
    """The same by Django's."""
    from asgiref.wsgi import WsgiToAsgi

    return WsgiToAsgi(wsgi_of_every_proxy())  # type: ignore[no-untyped-call]
