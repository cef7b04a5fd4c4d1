"""What a view may ask of its request: who the client is, and whether a rule lets it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, overload

from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest

from ..core.errors import ClientCertError
from ..core.identity import ClientIdentity
from ..core.peers import peer_of_environ, peer_of_scope
from .conf import configuration

__all__ = ["ClientCertDenied", "client_identity", "require"]


class ClientCertDenied(PermissionDenied):
    """A rejected request, for `handler403` and for your `process_exception`. Its text is the public title.

    Attributes:
        error: the reason, with `code`, `status` and `title`. Its `detail` is for logs and never for the client.
    """

    def __init__(self, error: ClientCertError) -> None:
        super().__init__(error.title)
        self.error = error


@overload
def client_identity(request: HttpRequest, *, required: Literal[True]) -> ClientIdentity: ...
@overload
def client_identity(request: HttpRequest, *, required: bool = False) -> ClientIdentity | None: ...
def client_identity(request: HttpRequest, *, required: bool = False) -> ClientIdentity | None:
    """Return the verified identity of a request's client, or None if the client is anonymous.

    It is `request.client_identity` with a type, and with a better message if the middleware is missing.

    Parameters:
        request: Django's, or Django REST framework's.
        required: raise `certificate_missing` instead of returning None.

    Raises:
        ClientCertDenied: `required` is set and the client is anonymous.
        ImproperlyConfigured: `ClientCertMiddleware` has not seen the request.
    """
    try:
        identity: ClientIdentity | None = request.client_identity  # type: ignore[attr-defined]
    except AttributeError:
        raise ImproperlyConfigured(
            "the request has no client_identity: put 'sslclientcert.django.middleware.ClientCertMiddleware' into "
            "MIDDLEWARE, before what asks for it"
        ) from None
    if identity is None and required:
        missing = configuration().authenticator.report.missing(
            "the request has no client certificate, and the view requires one", peer=peer_of(request), path=request.path
        )
        raise ClientCertDenied(missing)
    return identity


def require(request: HttpRequest, rule: Callable[[ClientIdentity], object] | None) -> ClientIdentity:
    """Return the identity of who sent a request, if there is one, and if it passes the rule, if there is one.

    Raises:
        ClientCertDenied: the client is anonymous, or the rule refuses it.
        ImproperlyConfigured: `ClientCertMiddleware` has not seen the request.
    """
    identity = client_identity(request, required=True)
    if rule is not None:
        try:
            configuration().authenticator.require_rule(identity, rule, peer=peer_of(request), path=request.path)
        except ClientCertError as error:
            raise ClientCertDenied(error) from error
    return identity


def peer_of(request: HttpRequest) -> str | None:
    """Return the address of the peer of a request, "unix" for a unix socket, or None if the server does not say."""
    scope: Mapping[str, Any] | None = getattr(request, "scope", None)
    return peer_of_environ(request.META) if scope is None else peer_of_scope(scope)
