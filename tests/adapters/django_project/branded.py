"""The same URLs in a project that answers refusals itself."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from sslclientcert.django import ClientCertDenied

from .urls import urlpatterns

__all__ = ["handler403", "urlpatterns"]


def handler403(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    code = exception.error.code if isinstance(exception, ClientCertDenied) else "other"
    return HttpResponse(f"our own page: {code}: {exception}", status=403)
