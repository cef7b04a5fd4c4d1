"""A mixin for class-based views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..core.identity import ClientIdentity
from .requests import require

__all__ = ["ClientCertRequiredMixin"]


class ClientCertRequiredMixin:
    """Requires a verified certificate in a class-based view. Put it left of `View`.

    A rejected request raises `ClientCertDenied`.

    Attributes:
        client_cert_rule: called with the identity, must return exactly True. See `sslclientcert.rules`.
    """

    client_cert_rule: Callable[[ClientIdentity], object] | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Check the rule, then call the view.

        Raises:
            ClientCertDenied: the client is anonymous, or does not pass the rule.
        """
        # From as_view(client_cert_rule=...), or from the class: there a plain function is none of its methods.
        require(request, vars(self).get("client_cert_rule", type(self).client_cert_rule))
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc,no-any-return]
