"""Orders of an example shop, without a framework: its clients are services with certificates, behind an ingress."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from sslclientcert import ClientCertAuthenticator, ClientCertError, ClientIdentity, rules
from sslclientcert.wsgi import ClientCertMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

authenticator = ClientCertAuthenticator.from_env()  # SSLCLIENTCERT_CA, SSLCLIENTCERT_PROXY, ...

buyer = rules.organizational_unit("Purchasing")
warehouse = rules.spiffe_id("spiffe://shop.example/warehouse")

orders: list[str] = []


def shop(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request, which the middleware has judged."""
    try:
        status, answer = route(environ, environ["sslclientcert.identity"])
    except ClientCertError as error:
        status, answer = error.status, error.problem()
    body = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]


def route(environ: WSGIEnvironment, identity: ClientIdentity | None) -> tuple[int, object]:
    """Do what is asked, and return the status and the answer."""
    if identity is None:
        return 200, "ok"  # the kubelet at /healthz, the one path without a certificate
    peer = environ["REMOTE_ADDR"]
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "GET", "/me":
            return 200, identity.as_dict()
        case "POST", "/orders":
            authenticator.require_rule(identity, buyer, peer=peer)
            (article,) = parse_qs(environ["QUERY_STRING"])["article"]
            orders.append(f"{article} for {identity.common_name}")
            return 201, orders[-1]
        case "GET", "/orders":
            authenticator.require_rule(identity, warehouse, peer=peer)
            return 200, orders
        case _:
            return 404, "there is nothing here"


app = ClientCertMiddleware(shop, authenticator, exempt=["/healthz"])
