"""The user of a client identity, asked of the authentication backends as Django's `authenticate` does.

Not asked by way of `authenticate` itself: that sends the signal `user_login_failed` where no user is found. A verified
client need not be a user, and what counts failed logins, such as django-axes, would lock its address out.

Source: Django's documentation, "Specifying authentication backends".
"""

from __future__ import annotations

import inspect
from typing import Any

from django.conf import settings
from django.contrib.auth import load_backend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from ..core.identity import ClientIdentity

__all__ = ["find_user"]


def find_user(request: HttpRequest, identity: ClientIdentity) -> Any:
    """Return the user that the first backend finds, or None. A backend that raises PermissionDenied ends the search.

    Sends no signal, and leaves the user's `last_login` alone: a certificate comes with every request.
    """
    for path in settings.AUTHENTICATION_BACKENDS:
        backend = load_backend(path)
        try:
            inspect.signature(backend.authenticate).bind(request, client_identity=identity)
        except TypeError:
            continue  # it wants a password, or a token
        try:
            user = backend.authenticate(request, client_identity=identity)
        except PermissionDenied:
            return None
        if user is not None:
            user.backend = path
            return user
    return None
