"""A Django project with what people install. To import it configures Django, once in a process."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

__all__ = ["BACKEND", "DATABASE", "JUDGE", "SESSIONS", "USER", "configured", "database"]

JUDGE = "sslclientcert.django.middleware.ClientCertMiddleware"
USER = "sslclientcert.django.middleware.ClientCertUserMiddleware"
BACKEND = "sslclientcert.django.backends.ClientCertBackend"
SESSIONS = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
AXES = "axes.middleware.AxesMiddleware"

# A file, since threads do not share a database in memory.
DATABASE = Path(tempfile.gettempdir(), f"sslclientcert-neighbours-{os.getpid()}.sqlite3")

settings.configure(
    ALLOWED_HOSTS=["*"],
    # As axes has it: three wrong passwords lock an address out.
    AXES_FAILURE_LIMIT=3,
    AUTHENTICATION_BACKENDS=[
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
        BACKEND,
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=[
        "daphne",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "axes",
        "channels",
        "rest_framework",
        "sslclientcert.django",
    ],
    LOGGING_CONFIG=None,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the tests",
    USE_TZ=True,
)
django.setup()


@contextmanager
def configured(client_cert: Any, *middleware: str, **others: Any) -> Iterator[None]:
    """Within the block the project has these settings."""
    from django.test import override_settings

    with override_settings(SSLCLIENTCERT=client_cert, MIDDLEWARE=list(middleware), **others):
        yield


@contextmanager
def database() -> Iterator[None]:
    """Within the block there are the tables; they are emptied at its end."""
    from django.core.management import call_command
    from django.db import connections

    if not DATABASE.exists():
        atexit.register(DATABASE.unlink, missing_ok=True)
        call_command("migrate", verbosity=0)
    try:
        yield
    finally:
        call_command("flush", interactive=False, verbosity=0)
        connections.close_all()


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
