"""Decorators for views, synchronous and asynchronous ones."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from ..core.identity import ClientIdentity
from .requests import require

__all__ = ["client_cert_exempt", "client_cert_required"]

_View = TypeVar("_View", bound=Callable[..., Any])


class _Rule(Protocol):
    """One of `rules`. What tells it from a view is that it can be negated."""

    def __call__(self, identity: ClientIdentity, /) -> bool: ...
    def __invert__(self) -> Any: ...


@overload
def client_cert_required(rule: _Rule, /) -> Callable[[_View], _View]: ...
@overload
def client_cert_required(view: _View, /) -> _View: ...
def client_cert_required(view_or_rule: Any, /) -> Any:
    """Let only clients with a verified certificate into a view, or only those who pass a rule.

        @client_cert_required
        def orders(request): ...

        @client_cert_required(rules.common_name("cart"))
        async def cancel(request): ...

    Needed where the setting `REQUIRED` is False, or for a rule. A refusal is raised as `ClientCertDenied`.

    Parameters:
        view_or_rule: the view, or a rule of `rules`; for a function of your own, `rules.predicate(function)`.

    Raises:
        ImproperlyConfigured: when the view is called: `ClientCertMiddleware` has not seen the request.
    """
    if hasattr(view_or_rule, "__invert__"):
        return functools.partial(_guarded, rule=view_or_rule)
    return _guarded(view_or_rule, None)


def _guarded(view: Callable[..., Any], rule: _Rule | None) -> Callable[..., Any]:
    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        require(request, rule)
        return view(request, *args, **kwargs)

    @functools.wraps(view)
    async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        require(request, rule)
        return await view(request, *args, **kwargs)

    return guarded_async if iscoroutinefunction(view) else guarded


def client_cert_exempt(view: _View) -> _View:
    """Let everybody into a view, such as the kubelet's probes, which come straight to the pod.

    Not verified there: anything. A certificate is not even looked at, and `request.client_identity` is None, as on the
    paths of the setting `EXEMPT`. The view is as open to everybody who can reach the application as to the kubelet.
    """
    view.client_cert_exempt = True  # type: ignore[attr-defined]  # as csrf_exempt does
    return view
