"""A Django project with what people install. To import it configures Django, once in a process."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from ..adapters.django_settings import APPS, BACKEND, COMMON, JUDGE, MODEL_BACKEND, SESSIONS, USER, configured, database

__all__ = ["AXES", "JUDGE", "SESSIONS", "USER", "configured", "database"]

AXES = "axes.middleware.AxesMiddleware"

settings.configure(
    # As axes has it: three wrong passwords lock an address out.
    AXES_FAILURE_LIMIT=3,
    AUTHENTICATION_BACKENDS=["axes.backends.AxesStandaloneBackend", MODEL_BACKEND, BACKEND],
    INSTALLED_APPS=["daphne", *APPS, "axes", "channels", "sslclientcert.django"],
    ROOT_URLCONF=__name__,
    **COMMON,
)
django.setup()


def whoami(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.client_identity.common_name} is {request.user}")  # type: ignore[attr-defined]


def login(request: HttpRequest) -> HttpResponse:
    from django.contrib.auth import authenticate

    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    return HttpResponse("welcome" if user else "wrong", status=200 if user else 401)


def api(request: HttpRequest) -> HttpResponse:
    """Lets clients with a certificate in, be they users or not."""
    from rest_framework.decorators import api_view, authentication_classes, permission_classes
    from rest_framework.response import Response

    from sslclientcert.drf import ClientCertAuthentication, HasClientCert

    @api_view(["GET"])
    @authentication_classes([ClientCertAuthentication])
    @permission_classes([HasClientCert])
    def view(request: Any) -> Any:
        return Response(f"{request.auth.common_name} is {request.user}")

    answer: HttpResponse = view(request)
    return answer


urlpatterns = [path("whoami", whoami), path("login", login), path("api", api)]
