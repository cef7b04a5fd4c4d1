"""Decorators for views, synchronous and asynchronous ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from asgiref.sync import iscoroutinefunction

from .._gateway import guarded
from ..rules import Rule
from .requests import require

__all__ = ["EXEMPT", "client_cert_exempt", "client_cert_required"]

EXEMPT: list[object] = []
"""The exempt views of the process. Where there are none, no URL has to be resolved twice."""

_View = TypeVar("_View", bound=Callable[..., Any])


@overload
def client_cert_required(rule: Rule, /) -> Callable[[_View], _View]: ...
@overload
def client_cert_required(view: _View, /) -> _View: ...
def client_cert_required(view_or_rule: Any, /) -> Any:
    """Require a verified certificate in a view, or one that passes a rule.

        @client_cert_required
        def orders(request): ...

        @client_cert_required(rules.common_name("cart"))
        async def cancel(request): ...

    You need it if the setting `REQUIRED` is False, or for a rule. A rejected request raises `ClientCertDenied`.

    Parameters:
        view_or_rule: the view, or a rule of `rules`. For a function of your own: `rules.predicate(function)`.

    Raises:
        ImproperlyConfigured: when the view is called: `ClientCertMiddleware` has not seen the request.
    """
    return guarded(view_or_rule, lambda rule, request, *_: require(request, rule), iscoroutinefunction)


def client_cert_exempt(view: _View) -> _View:
    """Accept every client in a view, for requests such as the kubelet's probes.

    Does not check anything. The middleware ignores certificates, and `request.client_identity` is None, as on the paths
    of the setting `EXEMPT`. Every client can use the view, so show nothing secret there.
    """
    view.client_cert_exempt = True  # type: ignore[attr-defined]  # as csrf_exempt does
    EXEMPT.append(view)
    return view
