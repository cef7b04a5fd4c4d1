"""A Django project for the tests. Importing this package configures Django, which can be done once in a process."""

from __future__ import annotations

import django
from django.conf import settings

from ..django_settings import APPS, BACKEND, COMMON, JUDGE, MODEL_BACKEND, SESSIONS, USER, configured, database

__all__ = ["BACKEND", "BRANDED", "JUDGE", "MODEL_BACKEND", "SESSIONS", "USER", "configured", "database"]

BRANDED = f"{__name__}.branded"
"""The URLs of a project that answers refusals itself."""

settings.configure(
    AUTHENTICATION_BACKENDS=[MODEL_BACKEND, BACKEND],
    INSTALLED_APPS=[*APPS, "drf_spectacular", "sslclientcert.django"],
    LOGIN_URL="/login",
    REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"},
    ROOT_URLCONF=f"{__name__}.urls",
    **COMMON,
)
django.setup()
