"""The settings: what concerns the certificates is at the top. There are no users, and so there is no database."""

from __future__ import annotations

import os

SSLCLIENTCERT = {
    "CA": os.environ["SSLCLIENTCERT_CA"],
    "PROXY": os.environ.get("SSLCLIENTCERT_PROXY", "nginx-ingress"),
    "TRUSTED_PROXIES": os.environ.get("SSLCLIENTCERT_TRUSTED_PROXIES", "127.0.0.1, ::1, unix"),
}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "sslclientcert.django.middleware.ClientCertMiddleware",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["sslclientcert.drf.ClientCertAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["sslclientcert.drf.HasClientCert"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {"TITLE": "Orders", "VERSION": "1", "OAS_VERSION": "3.1.0"}
INSTALLED_APPS = ["rest_framework", "drf_spectacular", "sslclientcert.django"]

SECRET_KEY = os.environ.get("SECRET_KEY", "not a secret, as this is an example")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
