"""Two middleware: one verifies each request, the other makes its client Django's user."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth import logout
from django.core.handlers.exception import response_for_exception
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, get_resolver, get_urlconf, resolve

from .._gateway import identity_of
from ..answers import answer_to
from ..core.errors import ClientCertError, quoted
from ..core.identity import ClientIdentity
from .conf import configuration
from .decorators import EXEMPT
from .requests import ClientCertDenied, client_identity, require
from .users import find_user

__all__ = ["ClientCertMiddleware", "ClientCertUserMiddleware"]

_Value = TypeVar("_Value")
_Response: TypeAlias = "HttpResponseBase | Awaitable[HttpResponseBase]"


class _Middleware:
    """What Django's two kinds of handlers want of a middleware that serves both."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async: bool = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)  # type: ignore[type-var]  # its type admits functions only
        configuration()  # its faults are told when the application starts

    def refuse(self, request: HttpRequest, error: ClientCertError) -> Any:
        """Return the answer to a refusal, to be awaited if the middleware is asynchronous."""
        if not _has_handler403():
            answer = _built_in(request, error)
            return _awaitable(answer) if self.is_async else answer
        # As Django does it: the project's handler may ask the database, which it may not in the event loop.
        handled = sync_to_async(_handled, thread_sensitive=False) if self.is_async else _handled
        return handled(request, error)


class ClientCertMiddleware(_Middleware):
    """Passes only verified clients. `request.client_identity` is the `ClientIdentity`, or None if anonymous.

    Does not check: that only the proxy can reach the application, beyond the setting `TRUSTED_PROXIES`. Under ASGI
    Django reads the body first, and uvicorn's httptools parser appends the body's trailers to the headers. See
    `sslclientcert.asgi`, whose middleware may stand in front of Django. With the same authenticator, this middleware
    reuses its result.

    Put it first, or after Django's SecurityMiddleware. Middleware before it, such as a cache, answers every client, and
    may rewrite `REMOTE_ADDR`. It runs before the URL is resolved, so other clients do not learn which paths exist.
    Under ASGI it stays in the event loop and does not block.

    Put middleware that sets `request.urlconf` before it. Otherwise it rejects every client at a path where its own
    URLconf has a view with `client_cert_exempt`, and the other URLconf a protected one.

    It removes the raw headers that the authenticator reads from `request.META`, `request.headers` and `request.scope`,
    unless `KEEP_HEADERS` is set.

    `answer_to` answers a rejected request, with the error's status, code and title. The detail is for logs. A
    `handler403` in the root URLconf replaces every such answer. It gets a `ClientCertDenied`. If it answers with 403,
    the client gets the error's own status.
    """

    def __call__(self, request: HttpRequest) -> _Response:
        """Verify one request. Pass it on, or answer it."""
        try:
            judge(request)
        except ClientCertError as error:
            return self.refuse(request, error)  # type: ignore[no-any-return]
        response: _Response = self.get_response(request)  # awaited by the caller
        return response

    @property
    def process_view(self) -> Callable[..., Awaitable[HttpResponse | None] | HttpResponse | None]:
        """Refuse an anonymous client at a view that is not exempt: a later middleware may have changed the URLconf."""
        return _answer_in_the_loop if self.is_async else _answer_to_view

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a request that a view rejects, if no other middleware and no `handler403` does."""
        if isinstance(exception, ClientCertDenied) and not _has_handler403():
            return _built_in(request, exception.error)
        return None


class ClientCertUserMiddleware(_Middleware):
    """Sets `request.user` and `request.auser` to the certificate's user, found by the authentication backends.

    Does not check: that you should trust the certificate's names. See `ClientCertBackend`.

    Put it after `ClientCertMiddleware`, after Django's AuthenticationMiddleware if there is one, and before Django's
    LoginRequiredMiddleware. It does not need or write sessions, because the certificate comes with every request. It
    does not send Django's login signals, and does not change `last_login`.

    A client without a certificate keeps the user of its session. A client whose certificate does not have an active
    user is Django's AnonymousUser. If the session has another user than the certificate, the request is rejected
    (`not_authorized`) and the session ends.
    """

    def __call__(self, request: HttpRequest) -> _Response:
        """Find the user of one request, and pass the request on.

        Raises:
            ImproperlyConfigured: `ClientCertMiddleware` has not seen the request.
        """
        if self.is_async:
            return self._in_the_loop(request)
        refused = self._identify(request)
        response: _Response = self.get_response(request) if refused is None else self.refuse(request, refused)
        return response

    async def _in_the_loop(self, request: HttpRequest) -> HttpResponseBase:
        refused = await sync_to_async(self._identify)(request)  # it asks the database
        answer = self.get_response(request) if refused is None else self.refuse(request, refused)
        response: HttpResponseBase = await answer
        return response

    def _identify(self, request: HttpRequest) -> ClientCertError | None:
        """Set the user of a request, or return why it is refused."""
        identity = client_identity(request)
        if identity is not None:
            user, before = find_user(request, identity), getattr(request, "user", None)
            try:
                if before is not None and before.is_authenticated:
                    require(request, _SameUser(before, user))
            except ClientCertDenied as denied:
                logout(request)
                return denied.error
            _set_user(request, user)
        elif not hasattr(request, "user"):
            _set_user(request, None)
        return None


def judge(request: HttpRequest) -> ClientIdentity | None:
    """Set `request.client_identity`, and take the raw headers out of the request.

    Raises:
        ClientCertError: the client is refused.
    """
    configured = configuration()
    scope: Mapping[str, Any] | None = getattr(request, "scope", None)
    exempt = (configured.exempt is not None and configured.exempt(request)) or _is_marked(request)
    if exempt and request.method != "CONNECT":
        identity = None
    elif scope is None:
        identity = configured.authenticator.authenticate_environ(request.META, required=configured.required)
    else:  # a scope still tells duplicates and other spellings apart, META does not
        identity = identity_of(scope, configured.authenticator, required=configured.required)
    if exempt or not configured.keep_headers:
        for key in configured.environ_keys:
            request.META.pop(key, None)
        vars(request).pop("headers", None)  # a cached property, which a middleware before this one may have read
        if scope is not None:
            is_raw = configured.is_raw
            headers = [pair for pair in scope["headers"] if not is_raw[pair[0]]]
            request.scope = {**scope, "headers": headers}  # type: ignore[attr-defined]
    request.client_identity = identity  # type: ignore[attr-defined]
    return identity


def _is_marked(request: HttpRequest) -> bool:
    """Say whether the view is one of `client_cert_exempt`."""
    urlconf = getattr(request, "urlconf", None)
    if not (get_resolver(urlconf).url_patterns and EXEMPT):  # the first imports the views
        return False
    try:
        return _is_exempt(resolve(request.path_info, urlconf).func)
    except Resolver404:
        return False


def _is_exempt(view: object) -> bool:
    return getattr(view, "client_cert_exempt", False) is True


def _answer_to_view(request: HttpRequest, view: object, *_: object) -> HttpResponse | None:
    """Return the answer to an anonymous client at a view that is not exempt, if there is no handler for it."""
    configured = configuration()
    if EXEMPT and configured.required and not (_is_exempt(view) or (configured.exempt and configured.exempt(request))):
        try:
            client_identity(request, required=True)
        except ClientCertDenied as denied:
            if _has_handler403():
                raise
            return _built_in(request, denied.error)
    return None


async def _answer_in_the_loop(*given: Any) -> HttpResponse | None:
    return _answer_to_view(*given)


def _has_handler403() -> bool:
    """Say whether the project's root URLconf names one; Django's own would answer with a page without the code."""
    return getattr(get_resolver(get_urlconf()).urlconf_module, "handler403", None) is not None


def _built_in(request: HttpRequest, error: ClientCertError) -> HttpResponse:
    answer = answer_to(error, request.META.get("HTTP_ACCEPT"))
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))


def _handled(request: HttpRequest, error: ClientCertError) -> HttpResponse:
    """Return what the project's handler answers."""
    response: HttpResponse = response_for_exception(request, ClientCertDenied(error))
    if response.status_code == 403:
        response.status_code = error.status
    return response


async def _awaitable(value: _Value) -> _Value:
    return value


class _SameUser:
    """The rule that a session is of the certificate's user."""

    def __init__(self, before: object, user: object) -> None:
        self._before = before
        self._user = user

    def __call__(self, identity: ClientIdentity) -> bool:
        return bool(self._before == self._user)

    def __repr__(self) -> str:
        user = "of no user" if self._user is None else f"of {quoted(self._user)}"
        return f"the session is of {quoted(self._before)}, and the certificate {user}; the session has been ended"


def _set_user(request: HttpRequest, user: Any) -> None:
    from django.contrib.auth.models import AnonymousUser  # not everybody who imports this module has the models

    request.user = AnonymousUser() if user is None else user
    request.auser = functools.partial(_awaitable, request.user)
