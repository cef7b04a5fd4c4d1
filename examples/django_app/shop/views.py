"""The views: their clients are people and services with certificates, behind an ingress."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from sslclientcert import rules
from sslclientcert.django import ClientCertRequiredMixin, client_cert_exempt, client_cert_required, client_identity

orders: list[str] = []


@login_not_required
@client_cert_exempt
def healthy(request: HttpRequest) -> HttpResponse:
    """Answer the kubelet, which has no certificate."""
    return HttpResponse("ok")


@login_not_required
async def me(request: HttpRequest) -> HttpResponse:
    """Say who is asking, be it a user or not."""
    return JsonResponse(client_identity(request, required=True).as_dict())


async def account(request: HttpRequest) -> HttpResponse:
    """Say who the user is."""
    user = await request.auser()
    return HttpResponse(user.get_username())


@csrf_exempt
@login_not_required
@client_cert_required(rules.organizational_unit("Purchasing"))
def order(request: HttpRequest) -> HttpResponse:
    """Take an order from a buyer."""
    orders.append(f"{request.POST['article']} for {client_identity(request, required=True).common_name}")
    return HttpResponse(orders[-1], status=201)


@method_decorator(login_not_required, name="dispatch")
class AllOrders(ClientCertRequiredMixin, View):
    """Lists the orders for the warehouse."""

    client_cert_rule = rules.spiffe_id("spiffe://shop.example/warehouse")

    def get(self, request: HttpRequest) -> HttpResponse:
        """List them."""
        return JsonResponse(orders, safe=False)
