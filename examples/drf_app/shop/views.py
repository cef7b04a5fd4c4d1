"""The views: their clients are services with certificates, behind an ingress."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sslclientcert import rules
from sslclientcert.django import client_cert_exempt, client_identity
from sslclientcert.drf import HasClientCert

orders: list[str] = []

Warehouse = HasClientCert.passing(rules.spiffe_id("spiffe://shop.example/warehouse"))
Buyer = HasClientCert.passing(rules.organizational_unit("Purchasing"))


@client_cert_exempt
def healthy(request: HttpRequest) -> HttpResponse:
    """Answer the kubelet, which has no certificate."""
    return HttpResponse("ok")


@extend_schema(responses={200: dict[str, Any]})
@api_view(["GET"])
def me(request: Request) -> Response:
    """Say who is asking."""
    return Response(client_identity(request, required=True).as_dict())


class Orders(APIView):
    """Buyers order, the warehouse reads the orders."""

    def get_permissions(self) -> list[Any]:
        """Return the permission for the method."""
        wanted: type[BasePermission] = Warehouse if self.request.method in SAFE_METHODS else Buyer
        return [wanted()]

    @extend_schema(responses={200: list[str]})
    def get(self, request: Request) -> Response:
        """List the orders."""
        return Response(orders)

    @extend_schema(request=None, parameters=[OpenApiParameter("article", required=True)], responses={201: str})
    def post(self, request: Request) -> Response:
        """Take an order."""
        buyer = client_identity(request, required=True)
        orders.append(f"{request.query_params['article']} for {buyer.common_name}")
        return Response(orders[-1], status=201)
