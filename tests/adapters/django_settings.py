"""What the Django projects of the tests have in common. Each of them configures Django, once in a process."""

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["APPS", "BACKEND", "COMMON", "JUDGE", "MODEL_BACKEND", "SESSIONS", "USER", "configured", "database"]

JUDGE = "sslclientcert.django.middleware.ClientCertMiddleware"
USER = "sslclientcert.django.middleware.ClientCertUserMiddleware"
SESSIONS = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"
BACKEND = "sslclientcert.django.backends.ClientCertBackend"
APPS = ("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "rest_framework")

# A file, since threads do not share a database in memory.
DATABASE = Path(tempfile.gettempdir(), f"sslclientcert-tests-{os.getpid()}.sqlite3")

COMMON: Mapping[str, Any] = {
    "ALLOWED_HOSTS": ["*"],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    "LOGGING_CONFIG": None,
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
    "SECRET_KEY": "of the tests",
    "USE_TZ": True,
}


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
