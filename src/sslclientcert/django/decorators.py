"""Decorators for views, synchronous and asynchronous ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from asgiref.sync import iscoroutinefunction

from .._gateway import Rule, guarded
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
    return guarded(view_or_rule, lambda rule, request, *_: require(request, rule), iscoroutinefunction)


def client_cert_exempt(view: _View) -> _View:
    """Let everybody into a view, such as the kubelet's probes, which come straight to the pod.

    Not verified there: anything. A certificate is not even looked at, and `request.client_identity` is None, as on the
    paths of the setting `EXEMPT`. The view is as open to everybody who can reach the application as to the kubelet.
    """
    view.client_cert_exempt = True  # type: ignore[attr-defined]  # as csrf_exempt does
    EXEMPT.append(view)
    return view
