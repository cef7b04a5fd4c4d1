"""The application of the demo: it greets the client that the middleware verified. A process of its own, run by uvicorn:

    python application.py CA_BUNDLE EXEMPT_PATH DESCRIPTOR...

It trusts certificate headers from its Unix socket, where nginx speaks, and from nobody else. Beside it, it listens on
a TCP port, where anybody may try.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from sslclientcert import ClientCertAuthenticator
from sslclientcert.asgi import ClientCertMiddleware

__all__ = ["main"]


async def greet(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer with the name and the serial number of the verified client."""
    identity = scope["state"].get("client_identity")
    answer = {"healthy": True} if identity is None else {"hello": identity.subject, "serial": identity.serial_number}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def main(ca: str, exempt: str, *listeners: str) -> None:
    """Serve on the listening sockets with these file descriptors until SIGTERM; `exempt` needs no certificate."""
    authenticator = ClientCertAuthenticator(ca, trusted_proxies=["unix"])
    application = ClientCertMiddleware(greet, authenticator, exempt=[exempt])
    # proxy_headers=False: by default uvicorn replaces the peer's address by X-Forwarded-For's, which anybody may write.
    config = uvicorn.Config(application, proxy_headers=False, lifespan="off", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run([socket.socket(fileno=int(listener)) for listener in listeners])


if __name__ == "__main__":
    main(*sys.argv[1:])
