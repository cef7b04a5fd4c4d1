"""Orders of an example shop, without a framework: its clients are services with certificates, behind an ingress."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from sslclientcert import ClientCertAuthenticator, ClientCertError, ClientIdentity, rules
from sslclientcert.asgi import ClientCertMiddleware

authenticator = ClientCertAuthenticator.from_env()  # SSLCLIENTCERT_CA, SSLCLIENTCERT_PROXY, ...

buyer = rules.organizational_unit("Purchasing")
warehouse = rules.spiffe_id("spiffe://shop.example/warehouse")

orders: list[str] = []


async def shop(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Mapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer one request, which the middleware has judged. There are no WebSockets, and nothing to do at the start."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    try:
        status, answer = route(scope, scope["state"]["client_identity"])
    except ClientCertError as error:
        status, answer = error.status, error.problem()
    body = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def route(scope: Mapping[str, Any], identity: ClientIdentity | None) -> tuple[int, object]:
    """Do what is asked, and return the status and the answer."""
    if identity is None:
        return 200, "ok"  # the kubelet at /healthz, the one path without a certificate
    peer = scope["client"][0] if scope["client"] else None
    match scope["method"], scope["path"]:
        case "GET", "/me":
            return 200, identity.as_dict()
        case "POST", "/orders":
            authenticator.require_rule(identity, buyer, peer=peer)
            (article,) = parse_qs(scope["query_string"].decode())["article"]
            orders.append(f"{article} for {identity.common_name}")
            return 201, orders[-1]
        case "GET", "/orders":
            authenticator.require_rule(identity, warehouse, peer=peer)
            return 200, orders
        case _:
            return 404, "there is nothing here"


app = ClientCertMiddleware(shop, authenticator, exempt=["/healthz"])
