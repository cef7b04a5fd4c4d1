"""A Django project for the tests. Importing this package configures Django, which can be done once in a process."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.conf import settings

__all__ = ["JUDGE", "SESSIONS", "USER", "configured", "database"]

JUDGE = "sslclientcert.django.middleware.ClientCertMiddleware"
USER = "sslclientcert.django.middleware.ClientCertUserMiddleware"
SESSIONS = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
BACKEND = "sslclientcert.django.backends.ClientCertBackend"

# A file, since threads do not share a database in memory.
DATABASE = Path(tempfile.gettempdir(), f"sslclientcert-tests-{os.getpid()}.sqlite3")

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUTHENTICATION_BACKENDS=[MODEL_BACKEND, BACKEND],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "rest_framework",
        "drf_spectacular",
        "sslclientcert.django",
    ],
    LOGGING_CONFIG=None,
    LOGIN_URL="/login",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"},
    ROOT_URLCONF=f"{__name__}.urls",
    SECRET_KEY="of the tests",
    USE_TZ=True,
)
django.setup()


@contextmanager
def configured(client_cert: Any, *middleware: str, **others: Any) -> Iterator[None]:
    """Within the block the project has these settings; without middleware, the one that judges."""
    from django.test import override_settings

    values: Mapping[str, Any] = {"SSLCLIENTCERT": client_cert, "MIDDLEWARE": list(middleware or (JUDGE,)), **others}
    with override_settings(**values):
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
