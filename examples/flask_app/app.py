"""Orders of an example shop: an API whose clients are services with certificates, behind an ingress."""

from __future__ import annotations

from flask import Blueprint, Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from sslclientcert import rules
from sslclientcert.flask import ClientCert, client_cert_exempt, client_cert_required, client_identity

client_cert = ClientCert()
orders = Blueprint("orders", __name__, url_prefix="/orders")


def create_app() -> Flask:
    """Make the application. FLASK_SSLCLIENTCERT_CA, FLASK_SSLCLIENTCERT_PROXY and their like configure it."""
    app = Flask(__name__)
    app.config["ORDERS"] = []
    app.config.from_prefixed_env()
    client_cert.init_app(app)
    app.register_blueprint(orders)
    app.add_url_rule("/healthz", view_func=healthy)
    app.add_url_rule("/me", view_func=me)
    return app


@client_cert_exempt
def healthy() -> ResponseReturnValue:
    """Answer the kubelet, which has no certificate."""
    return "ok"


def me() -> ResponseReturnValue:
    """Say who is asking."""
    return client_identity.as_dict()


@orders.post("/")
@client_cert_required(rules.organizational_unit("Purchasing"))
def order() -> ResponseReturnValue:
    """Take an order from a buyer."""
    article: str = request.form["article"]
    current_app.config["ORDERS"].append(f"{article} for {client_identity.common_name}")
    return jsonify(current_app.config["ORDERS"][-1]), 201


@orders.get("/")
@client_cert_required(rules.spiffe_id("spiffe://shop.example/warehouse"))
async def all_orders() -> ResponseReturnValue:
    """List the orders for the warehouse."""
    return jsonify(current_app.config["ORDERS"])
