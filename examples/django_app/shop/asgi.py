"""For uvicorn: `--no-proxy-headers`, or it takes the peer's address from a header."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from sslclientcert.asgi import ClientCertMiddleware
from sslclientcert.django import authenticator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
# Django reads the body before it looks at the headers. This looks first; Django's middleware takes over what it found.
application = ClientCertMiddleware(get_asgi_application(), authenticator(), required=False)
