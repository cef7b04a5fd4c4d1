"""The user of a client identity, asked of the authentication backends as Django's `authenticate` does.

Not asked by way of `authenticate` itself: that sends the signal `user_login_failed` where no user is found. A verified
client need not be a user, and what counts failed logins, such as django-axes, would lock its address out.

Source: Django's documentation, "Specifying authentication backends".
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import load_backend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from ..core.identity import ClientIdentity

__all__ = ["find_user", "find_user_async"]


def find_user(request: HttpRequest, identity: ClientIdentity) -> Any:
    """Return the user that the first backend finds, or None. A backend that raises PermissionDenied ends the search.

    Sends no signal, and leaves the user's `last_login` alone: a certificate comes with every request.
    """
    for path, backend in _backends(request, identity):
        try:
            user = backend.authenticate(request, client_identity=identity)
        except PermissionDenied:
            return None
        if user is not None:
            user.backend = path
            return user
    return None


async def find_user_async(request: HttpRequest, identity: ClientIdentity) -> Any:
    """Do the same in the event loop."""
    for path, backend in _backends(request, identity):
        try:
            # Not every backend has the asynchronous half: that of django-axes has none.
            ask = getattr(backend, "aauthenticate", None) or sync_to_async(backend.authenticate)
            user = await ask(request, client_identity=identity)
        except PermissionDenied:
            return None
        if user is not None:
            user.backend = path
            return user
    return None


def _backends(request: HttpRequest, identity: ClientIdentity) -> Iterator[tuple[str, Any]]:
    """Yield the dotted path of each backend that takes `client_identity`, and the backend."""
    for path in settings.AUTHENTICATION_BACKENDS:
        backend = load_backend(path)
        try:
            inspect.signature(backend.authenticate).bind(request, client_identity=identity)
        except TypeError:
            continue
        yield path, backend
