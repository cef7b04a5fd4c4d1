"""The settings: what concerns the certificates is at the top."""

from __future__ import annotations

import os
from pathlib import Path

SSLCLIENTCERT = {
    "CA": os.environ["SSLCLIENTCERT_CA"],
    "PROXY": os.environ.get("SSLCLIENTCERT_PROXY", "nginx-ingress"),
    "TRUSTED_PROXIES": os.environ.get("SSLCLIENTCERT_TRUSTED_PROXIES", "127.0.0.1, ::1, unix"),
    "USER_FROM": "email",
}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "sslclientcert.django.middleware.ClientCertMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "sslclientcert.django.middleware.ClientCertUserMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "sslclientcert.django.backends.ClientCertBackend",
]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "sslclientcert.django",
]

SECRET_KEY = os.environ.get("SECRET_KEY", "not a secret, as this is an example")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", Path(__file__).parents[1] / "db.sqlite3"),
    }
}
