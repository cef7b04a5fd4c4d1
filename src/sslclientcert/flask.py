"""Flask: an extension that protects an application, and `client_identity`, which says who the client is.

Does not check: the TLS handshake, which only the proxy saw. The authenticator's `trusted_proxies` guards the headers.

The identity is in the request's environ, not in `g`. If an application context is already pushed, as in tests, all
requests share one `g`, and a client would get the identity of the one before.

Sources: Flask's documentation, "Flask Extension Development"; Werkzeug's, "X-Forwarded-For Proxy Fix".
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload
from wsgiref.types import WSGIEnvironment

try:
    from flask import Flask, Request, current_app, has_request_context, request
    from werkzeug import exceptions
    from werkzeug.local import LocalProxy
except ModuleNotFoundError as _missing:
    raise ImportError(f'{__name__} needs Flask: pip install "sslclientcert[flask]"') from _missing

from ._gateway import DECIDED, guarded, require_types
from .answers import Answer, answer_to
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity
from .core.options import OPTIONS, PREFIX, Parsers, flag, from_environment, options_of, taken_ca
from .core.peers import peer_of_environ
from .rules import Rule

__all__ = [
    "ClientCert",
    "ClientCertBadRequest",
    "ClientCertForbidden",
    "ClientCertHTTPException",
    "ClientCertHeaderTooLarge",
    "ClientCertState",
    "ClientCertUnavailable",
    "client_cert_exempt",
    "client_cert_required",
    "client_identity",
]

_EXTENSION = "sslclientcert"
_EXEMPT = "_sslclientcert_exempt"
_PARSERS: Parsers = {**OPTIONS, "authorize": str, "audit": str, "required": flag}  # a text is no function, and refused

_View = TypeVar("_View", bound=Callable[..., Any])


class ClientCertHTTPException(exceptions.HTTPException):
    """A rejected request, for `app.errorhandler`: by this class, the status, Werkzeug's class, or HTTPException.

    If there is no handler, `answer_to` answers. The description and the name are the public title.

    Attributes:
        error: the reason. Its `detail` is for logs and never for the client.
        data: the title as `message`, and the code. Flask-RESTX, Flask-RESTful and flask-smorest answer with it.
    """

    def __init__(self, error: ClientCertError) -> None:
        super().__init__(error.title)
        self.error = error
        self.data: dict[str, str] = {"message": error.title, "code": error.code}

    @property
    def name(self) -> str:
        """The public title, not the phrase of the status. APIFlask answers with it."""
        return self.error.title

    def __str__(self) -> str:
        return f"{self.code} {self.error.code}: {self.error.title}"

    def get_body(self, environ: Any = None, scope: Any = None) -> str:
        """Return the answer's body."""
        return self._answer(environ).body.decode()

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the answer's headers, without its length, because a handler may send another body."""
        return [(name, value) for name, value in self._answer(environ).headers if name != "Content-Length"]

    def _answer(self, environ: Any) -> Answer:
        return answer_to(self.error, (environ or {}).get("HTTP_ACCEPT"))


class ClientCertBadRequest(ClientCertHTTPException, exceptions.BadRequest):
    """400: what the proxy forwarded is malformed, ambiguous or contradictory."""


class ClientCertForbidden(ClientCertHTTPException, exceptions.Forbidden):
    """403: the certificate is missing, does not verify, or is not authorized."""


class ClientCertHeaderTooLarge(ClientCertHTTPException, exceptions.RequestHeaderFieldsTooLarge):
    """431: the headers hold more than `max_header_bytes`."""


class ClientCertUnavailable(ClientCertHTTPException, exceptions.ServiceUnavailable):
    """503: there is no usable trust store."""


_REFUSALS = {kind.code: kind for kind in ClientCertHTTPException.__subclasses__()}


class ClientCertState:
    """The extension's state in an application: `app.extensions["sslclientcert"]`.

    Attributes:
        authenticator: verifies each request of the application.
        required: whether a certificate is required.
    """

    def __init__(self, authenticator: ClientCertAuthenticator, *, required: bool) -> None:
        self.authenticator = authenticator
        self.required = required
        self._raw = tuple(authenticator.guarded_environ)

    def _before_request(self, app: Flask) -> None:
        current = cast("LocalProxy[Request]", request)._get_current_object()  # asking the proxy takes 2 µs each time
        environ = current.environ
        # Flask has routed the request by now; without a rule it is on its way to a 404 or 405.
        route = current.url_rule
        if route and current.method != "CONNECT" and hasattr(app.view_functions.get(route.endpoint), _EXEMPT):
            self._strip(environ)
        else:
            self._identify(environ, required=self.required)

    def _identify(self, environ: WSGIEnvironment, *, required: bool) -> ClientIdentity | None:
        try:
            identity = self._found(environ)
            # Of an anonymous client judged before, the headers are gone: this finds none again, and tells it the log.
            if identity is None:
                identity = self.authenticator.authenticate_environ(environ, required=required)
        except ClientCertError as error:
            raise _REFUSALS[error.status](error) from error
        finally:
            self._strip(environ)
        environ[DECIDED] = {**environ.get(DECIDED, {}), self.authenticator: identity}
        return identity

    def _require(self, rule: Rule | None) -> None:
        environ = request.environ
        identity = self._identify(environ, required=True)
        if rule is not None and identity is not None:
            try:
                self.authenticator.require_rule(identity, rule, peer=peer_of_environ(environ), path=request.path)
            except ClientCertError as error:
                raise _REFUSALS[error.status](error) from error

    def _found(self, environ: WSGIEnvironment) -> ClientIdentity | None:
        """Return what this authenticator has found: here, or in the WSGI middleware in front."""
        judged: Mapping[ClientCertAuthenticator, ClientIdentity | None] = environ.get(DECIDED, {})
        return judged.get(self.authenticator)

    def _strip(self, environ: WSGIEnvironment) -> None:
        for key in self._raw:
            environ.pop(key, None)


class ClientCert:
    """The Flask extension: `ClientCert(app)`, or `ClientCert()` and later `init_app(app)`. It holds no application.

    Does not check: that only the proxy can reach the application, beyond the authenticator's `trusted_proxies`.

    It checks each request before its view is called, also for static files and unknown paths. The identity is
    `client_identity`, in templates too. A rejected request is a `ClientCertHTTPException`. The extension removes the
    raw headers from the environ, and so from `request.headers`.

    `init_app` reads `app.config` once: `SSLCLIENTCERT_CA`, and `SSLCLIENTCERT_` with the name of any other option of
    `ClientCertAuthenticator` in upper case. A value may be a text, as in `ClientCertAuthenticator.from_env`, or what
    the class takes. If a key is missing or None, the environment variable of that name counts. `SSLCLIENTCERT_REQUIRED`
    (default True) says whether a certificate is required. If False, a request without one is anonymous. A bad
    certificate is still rejected.

    Parameters:
        app: the application to protect.
        authenticator: verifies the requests, instead of one made from the configuration.

    Raises:
        TypeError: `authenticator` is not an authenticator.
        ValueError, OSError, RuntimeError: see `init_app`.
    """

    def __init__(self, app: Flask | None = None, *, authenticator: ClientCertAuthenticator | None = None) -> None:
        if authenticator is not None:
            require_types(authenticator)
        self._authenticator = authenticator
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Protect an application. Call it before you register other `before_request` functions.

        Raises:
            ValueError: `SSLCLIENTCERT_CA` is missing, a key with the prefix is not an option, a value is wrong, or
                there are options next to an authenticator of your own.
            OSError: a file cannot be read.
            RuntimeError: the application is already protected.
        """
        if _EXTENSION in app.extensions:
            raise RuntimeError(f"{app!r} has its ClientCert already")
        options = options_of(app.config.get_namespace(PREFIX), _PARSERS, _key)
        if self._authenticator is None:
            options = {**options_of(from_environment(), _PARSERS, _key), **options}
        required = options.pop("required", True)
        if not isinstance(required, bool):
            raise ValueError(f"{PREFIX}REQUIRED must be True or False, not {required!r}")  # noqa: TRY004  # a configuration fault
        state = ClientCertState(self._authenticator_for(options), required=required)
        app.extensions[_EXTENSION] = state
        app.before_request(functools.partial(state._before_request, app))
        app.context_processor(lambda: {"client_identity": client_identity})

    def _authenticator_for(self, options: dict[str, Any]) -> ClientCertAuthenticator:
        if self._authenticator is not None:
            if options:
                raise ValueError(
                    f"{_key(min(options))} is set, and ClientCert was given an authenticator that has its own"
                )
            return self._authenticator
        ca = taken_ca(options, f"{PREFIX}CA")
        try:
            return ClientCertAuthenticator(ca, **options)
        except TypeError as error:
            raise ValueError(f"a value of {PREFIX}CA, {PREFIX}... is not of its type: {error}") from error


def _key(name: str) -> str:
    return PREFIX + name.upper()


def _state() -> ClientCertState:
    state: ClientCertState | None = current_app.extensions.get(_EXTENSION) if has_request_context() else None
    if state is None:
        raise RuntimeError(
            "there is no request here of an application that is protected by ClientCert(app). (If you gave a function "
            "to client_cert_required as its rule: wrap it in rules.predicate)"
        )
    return state


def _current() -> ClientIdentity | None:
    return _state()._found(request.environ) if has_request_context() else None


if TYPE_CHECKING:

    class CurrentClientIdentity(ClientIdentity):
        """What type checkers take `client_identity` for: the identity, but it may be false."""

        def __bool__(self) -> bool: ...
        def _get_current_object(self) -> ClientIdentity | None: ...


class _CurrentClientIdentity(LocalProxy[Any]):
    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        current = self._get_current_object()
        if current is None:
            raise AttributeError(
                f"there is no client identity to have a {name}: the client is anonymous, or there is no request. Ask "
                "`if client_identity:` first"
            )
        return getattr(current, name)


client_identity: CurrentClientIdentity = _CurrentClientIdentity(_current)  # type: ignore[assignment]  # as Flask types its own
"""The `ClientIdentity` of who sent the current request. False if the client is anonymous, or if there is no request.

It is never None itself: ask `if client_identity:`, not `if client_identity is None`. Beyond the request, and for other
threads, keep `client_identity._get_current_object()`, which is the identity or None.
"""


@overload
def client_cert_required(rule: Rule, /) -> Callable[[_View], _View]: ...
@overload
def client_cert_required(view: _View, /) -> _View: ...
def client_cert_required(view_or_rule: Any, /) -> Any:
    """Require a verified certificate in a view, or one that passes a rule.

    Does not protect anything above `@app.route`: Flask then has the view without it.

        @app.get("/orders")
        @client_cert_required
        def orders(): ...

        @app.delete("/orders")
        @client_cert_required(rules.common_name("cart"))
        async def cancel(): ...

    You need it if `SSLCLIENTCERT_REQUIRED` is False, or for a rule. It may decorate a `before_request` function of a
    blueprint, and be in the `decorators` of a class-based view.

    Parameters:
        view_or_rule: the view, or a rule of `rules`. For a function of your own: `rules.predicate(function)`.

    Raises:
        RuntimeError: when the view is called: the application has no ClientCert.
    """
    return guarded(view_or_rule, lambda rule, *_: _state()._require(rule), inspect.iscoroutinefunction)


def client_cert_exempt(view: _View) -> _View:
    """Accept every client in a view, for requests such as the kubelet's probes.

    Does not check anything. The extension ignores certificates, and `client_identity` is false. Every client can use
    the view, so show nothing secret there.

    Parameters:
        view: a view, also of another extension or of Flask: `client_cert_exempt(app.view_functions["static"])`.
    """
    setattr(view, _EXEMPT, True)
    return view
