"""A project with Channels, for a real server: its application in the ASGI middleware, and the same one without it."""

from __future__ import annotations

# pyright: reportMissingModuleSource=false
# ruff: noqa: E402  # Django has to be configured before what needs that is imported
import os
from typing import Any, cast

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["daphne", "channels", "sslclientcert.django"],
    MIDDLEWARE=["sslclientcert.django.middleware.ClientCertMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the tests",
    SSLCLIENTCERT={"CA": os.environ["CA"], "TRUSTED_PROXIES": "127.0.0.1"},
)

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.generic.websocket import JsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.http import HttpRequest, HttpResponse
from django.urls import path

from sslclientcert.asgi import ClientCertMiddleware
from sslclientcert.django import authenticator, client_identity


class Orders(JsonWebsocketConsumer):  # type: ignore[misc]
    def connect(self) -> None:
        self.accept()
        identity = self.scope.get("state", {}).get("client_identity")
        self.send_json({"client": identity and identity.common_name})


def me(request: HttpRequest) -> HttpResponse:
    return HttpResponse(client_identity(request, required=True).common_name or "")


urlpatterns = [path("me", me)]
websockets = URLRouter([path("orders", cast("Any", Orders.as_asgi()))])  # Django's type knows its own views alone
unwrapped = ProtocolTypeRouter({"http": django_application, "websocket": websockets})
wrapped = ClientCertMiddleware(unwrapped, authenticator())
websockets_wrapped = ProtocolTypeRouter(
    {"http": django_application, "websocket": ClientCertMiddleware(websockets, authenticator())}
)
