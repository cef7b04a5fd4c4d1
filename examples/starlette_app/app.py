"""Orders of an example shop: an application whose clients are services with certificates, behind an ingress."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sslclientcert import ClientCertAuthenticator, ClientIdentity
from sslclientcert.asgi import ClientCertMiddleware
from sslclientcert.starlette import ClientCertBackend, ClientCertUser, problem_details

authenticator = ClientCertAuthenticator.from_env()  # SSLCLIENTCERT_CA, SSLCLIENTCERT_PROXY, ...

orders: list[str] = []


def scopes(identity: ClientIdentity) -> list[str]:
    """Say what a client may do."""
    return ["orders:write"] if "Purchasing" in identity.organizational_units else []


async def healthy(request: Request) -> Response:
    """Answer the kubelet, which has no certificate."""
    return JSONResponse(True)


@requires("authenticated")
async def me(request: Request) -> Response:
    """Say who is asking."""
    user: ClientCertUser = request.user
    return JSONResponse(user.client_identity.as_dict())


@requires("orders:write")
async def order(request: Request) -> Response:
    """Take an order from a buyer."""
    orders.append(f"{request.query_params['article']} for {request.user.display_name}")
    return JSONResponse(orders[-1], status_code=201)


@requires("authenticated")
async def feed(websocket: WebSocket) -> None:
    """Send a client the orders so far."""
    await websocket.accept()
    await websocket.send_json(orders)
    await websocket.close()


app = Starlette(
    routes=[
        Route("/healthz", healthy),
        Route("/me", me),
        Route("/orders", order, methods=["POST"]),
        WebSocketRoute("/feed", feed),
    ],
    middleware=[
        Middleware(ClientCertMiddleware, authenticator=authenticator, exempt=["/healthz"]),
        Middleware(
            AuthenticationMiddleware,
            backend=ClientCertBackend(authenticator, scopes=scopes, required=False),
            on_error=problem_details,
        ),
    ],
)
