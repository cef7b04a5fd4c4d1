"""The project's URLs and views: a view notes what it could see of its request."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.generic import View

from sslclientcert import ClientIdentity, rules
from sslclientcert.django import ClientCertRequiredMixin, client_cert_exempt, client_cert_required, client_identity

__all__ = ["SEEN", "Seen", "header_names", "healthy", "look", "urlpatterns"]


@dataclasses.dataclass
class Seen:
    """What the view of the last request saw; nothing, if no view ran."""

    reached: bool = False
    identity: ClientIdentity | None = None
    header_names: tuple[str, ...] = ()
    user: Any = None

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]

    def note(self, request: HttpRequest) -> None:
        self.reached = True
        self.identity = client_identity(request)
        self.header_names = header_names(request)


def header_names(request: HttpRequest) -> tuple[str, ...]:
    """Return the names in every place where a view may look for headers."""
    names = [key.removeprefix("HTTP_") for key in request.META if key.startswith("HTTP_")]
    names += request.headers
    return (*names, *(name.decode() for name, _ in getattr(request, "scope", {}).get("headers", ())))


SEEN = Seen()


def look(request: HttpRequest) -> HttpResponse:
    SEEN.note(request)
    return HttpResponse("hello")


async def look_async(request: HttpRequest) -> HttpResponse:
    SEEN.note(request)
    return HttpResponse("hello")


def user(request: HttpRequest) -> HttpResponse:
    SEEN.note(request)
    SEEN.user = request.user
    return HttpResponse(str(request.user))


async def user_async(request: HttpRequest) -> HttpResponse:
    SEEN.note(request)
    SEEN.user = await request.auser()
    if SEEN.identity is not None:  # with a session alone, only a thread may ask for request.user
        assert request.user == SEEN.user
    return HttpResponse(str(SEEN.user))


@client_cert_required
def guarded(request: HttpRequest) -> HttpResponse:
    return look(request)


@client_cert_required
async def guarded_async(request: HttpRequest) -> HttpResponse:
    return await look_async(request)


@client_cert_required(rules.common_name("alice"))
def for_alice(request: HttpRequest) -> HttpResponse:
    return look(request)


@client_cert_required(rules.common_name("alice"))
async def for_alice_async(request: HttpRequest) -> HttpResponse:
    return await look_async(request)


class ForAlice(ClientCertRequiredMixin, View):
    client_cert_rule = rules.common_name("alice")

    def get(self, request: HttpRequest) -> HttpResponse:
        return look(request)


class ForAliceAsync(ClientCertRequiredMixin, View):
    client_cert_rule = rules.common_name("alice")

    async def get(self, request: HttpRequest) -> HttpResponse:
        return await look_async(request)


def is_alice(identity: ClientIdentity) -> bool:
    return identity.common_name == "alice"


class ForAliceByFunction(ClientCertRequiredMixin, View):
    client_cert_rule = is_alice  # type: ignore[assignment]  # to a type checker it is a method; staticmethod, or rules

    def get(self, request: HttpRequest) -> HttpResponse:
        return look(request)


@login_not_required
@client_cert_exempt
def healthy(request: HttpRequest) -> HttpResponse:
    return look(request)


@method_decorator(client_cert_exempt, name="dispatch")
class Healthy(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return await look_async(request)


urlpatterns = [
    path("", look),
    path("async", look_async),
    path("user", user),
    path("user/async", user_async),
    path("guarded", guarded),
    path("guarded/async", guarded_async),
    path("alice", for_alice),
    path("alice/async", for_alice_async),
    path("alice/class", ForAlice.as_view()),
    path("alice/class/async", ForAliceAsync.as_view()),
    path("alice/class/function", ForAliceByFunction.as_view()),
    path("alice/class/argument", ForAlice.as_view(client_cert_rule=rules.common_name("bob"))),
    path("healthy", healthy),
    path("healthy/class", Healthy.as_view()),
    path("probe", look),
]
