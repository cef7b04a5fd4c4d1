"""Orders of an example shop: an API whose clients are services with certificates, behind an ingress."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Security, WebSocket

from sslclientcert import ClientCertAuthenticator, ClientIdentity, rules
from sslclientcert.asgi import ClientCertMiddleware
from sslclientcert.fastapi import ClientCertHTTPException, MutualTLS, problem_details

authenticator = (
    ClientCertAuthenticator.from_env()
)  # SSLCLIENTCERT_CA, SSLCLIENTCERT_PROXY, SSLCLIENTCERT_TRUSTED_PROXIES


def scopes(identity: ClientIdentity) -> list[str]:
    """Say what a client may do."""
    return ["orders:write"] if "Purchasing" in identity.organizational_units else []


mtls = MutualTLS(authenticator, scopes=scopes, description="A certificate of the shop's CA.")
warehouse = mtls.require(rules.spiffe_id("spiffe://shop.example/warehouse"))

Client = Annotated[ClientIdentity, Security(mtls)]
Buyer = Annotated[ClientIdentity, Security(mtls, scopes=["orders:write"])]
Warehouse = Annotated[ClientIdentity, Security(warehouse)]

app = FastAPI(title="Orders")
app.add_middleware(ClientCertMiddleware, authenticator=authenticator, required=False)
app.add_exception_handler(ClientCertHTTPException, problem_details)
mtls.document(app)

orders: list[str] = []


@app.get("/healthz")
async def healthy() -> bool:
    """Answer the kubelet, which has no certificate."""
    return True


@app.get("/me")
async def me(client: Client) -> dict[str, object]:
    """Say who is asking."""
    return client.as_dict()


@app.post("/orders", status_code=201)
async def order(article: str, buyer: Buyer) -> str:
    """Take an order from a buyer."""
    orders.append(f"{article} for {buyer.common_name}")
    return orders[-1]


@app.get("/orders")
async def all_orders(_: Warehouse) -> list[str]:
    """List the orders for the warehouse."""
    return orders


@app.websocket("/feed")
async def feed(websocket: WebSocket, _: Warehouse) -> None:
    """Send the warehouse the orders so far."""
    await websocket.accept()
    await websocket.send_json(orders)
    await websocket.close()
