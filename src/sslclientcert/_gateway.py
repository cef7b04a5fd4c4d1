"""What the two gateways share: the answer to a refusal, the exemptions, and what is computed once for an identity.

The other adapters may use it too; it knows nothing of WSGI, ASGI, or any framework.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Generic, TypeAlias, TypeVar

from .answers import Answer, answer_to
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity
from .core.peers import peer_of_scope
from .rules import Rule

__all__ = [
    "DECIDED",
    "POLICY_VIOLATION",
    "Exempt",
    "OnRefusal",
    "PerIdentity",
    "RawNames",
    "exemption",
    "guarded",
    "identity_of",
    "refusal",
    "require_arguments",
    "require_function",
    "require_types",
]

_log = logging.getLogger("sslclientcert")

DECIDED = "sslclientcert.decided"
"""Where a scope says what each authenticator's middleware found, for an adapter behind it: the raw headers are gone."""

POLICY_VIOLATION = 1008
"""The code of a WebSocket that is closed by a refusal (RFC 6455 section 7.4.1)."""

Exempt: TypeAlias = Iterable[str] | Callable[[Any], bool]
OnRefusal: TypeAlias = Callable[[ClientCertError, Any], tuple[int, Iterable[tuple[str, str]], bytes]]

_Value = TypeVar("_Value")

_MOST_REMEMBERED = 4 * 1024 * 1024  # bytes of what was computed of identities
_IDENTITY, _NAME = 2048, 256  # bytes of what is computed of one, and more for each of its alternative names
_MOST_NAMES = 1024  # far more than servers let through
_LONGEST_NAME = 64


def refusal(error: ClientCertError, accept: str | None, on_refusal: OnRefusal | None, request: Any) -> Answer:
    """Return the application's own answer to a refusal, or else the library's: `on_refusal` must not fail.

    What `on_refusal` returns must be a refusal too. A status below 300 would tell a proxy, such as nginx with
    `auth_request`, that the client is accepted.
    """
    if on_refusal is not None:
        try:
            given: Any = on_refusal(error, request)
            status, headers, body = given
            pairs = [(name, value) for name, value in headers if name.lower() != "content-length"]
            if HTTPStatus(status) < 300 or not isinstance(body, bytes) or not all(map(_is_field, pairs)):
                raise ValueError("it must return a status from 300, headers of printable ASCII, and bytes")
            return Answer(status, [*pairs, ("Content-Length", str(len(body)))], body)
        except Exception:  # noqa: BLE001  # the client stays refused, with any error
            _log.exception("on_refusal failed on %s: the library's own answer is sent", error.code)
    return answer_to(error, accept)


def _is_field(pair: tuple[str, str]) -> bool:
    text = "".join(pair)
    return text.isascii() and text.isprintable()


def identity_of(
    scope: Mapping[str, Any], authenticator: ClientCertAuthenticator, *, required: bool
) -> ClientIdentity | None:
    """Return what the ASGI middleware of this very authenticator has found; without one, judge the connection here.

    Raises:
        ClientCertError: the client is refused.
    """
    judged: Mapping[ClientCertAuthenticator, ClientIdentity | None] = scope.get(DECIDED, {})
    if authenticator not in judged:
        return authenticator.authenticate_scope(scope, required=required)
    identity = judged[authenticator]
    if identity is None and required:
        raise authenticator.report.missing(
            "the middleware let the request pass without a certificate, and one is required",
            peer=peer_of_scope(scope),
            path=scope.get("path"),
        )
    return identity


def require_arguments(
    app: object, authenticator: object, *, required: object, keep_headers: object, on_refusal: object
) -> None:
    """Refuse arguments of a middleware that would fail, or loosen it in silence, only when requests come.

    Raises:
        TypeError: the message says which, and what it should be.
    """
    if not callable(app):
        raise TypeError(f"app must be the application to protect, not {app!r}")
    require_types(authenticator, required=required, keep_headers=keep_headers)
    if on_refusal is not None:
        require_function("on_refusal", on_refusal)


def require_types(authenticator: object, **flags: object) -> None:
    """Refuse arguments that would fail, or loosen a middleware in silence, only when requests come.

    Raises:
        TypeError: the message says which, and what it should be.
    """
    if not isinstance(authenticator, ClientCertAuthenticator):
        raise TypeError(
            f"authenticator must be a ClientCertAuthenticator, such as one of 'ca.crt', not {authenticator!r}"
        )
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {value!r}")


def require_function(name: str, function: object) -> None:
    """Refuse what cannot be called, and what would have to be awaited.

    Raises:
        TypeError: the message says what to give instead.
    """
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
    if not callable(function) or is_async:
        raise TypeError(f"{name} is called and not awaited: give an ordinary function, not {function!r}")


def guarded(
    view_or_rule: Any, check: Callable[..., object], is_async: Callable[[Any], bool], rule: Rule | None = None
) -> Any:
    """Return a view that asks first, or, of a rule, the decorator that makes one of a view.

    Parameters:
        view_or_rule: the view, or a rule.
        check: called with the rule or None, and with the view's arguments; raises if the client may not come in.
        is_async: says whether a view has to be awaited.
    """
    if isinstance(view_or_rule, Rule):
        return functools.partial(guarded, check=check, is_async=is_async, rule=view_or_rule)

    @functools.wraps(view_or_rule)
    def view(*args: Any, **kwargs: Any) -> Any:
        check(rule, *args)
        return view_or_rule(*args, **kwargs)

    @functools.wraps(view_or_rule)
    async def async_view(*args: Any, **kwargs: Any) -> Any:
        check(rule, *args)
        return await view_or_rule(*args, **kwargs)

    return async_view if is_async(view_or_rule) else view


def exemption(exempt: Exempt, path_of: Callable[[Any], str]) -> Callable[[Any], bool] | None:
    """Return what says whether a request needs no identity; None if every request needs one.

    Parameters:
        exempt: exact paths, or a function of the request that returns exactly True for what is exempt.
        path_of: returns a request's path, as the application routes it.

    Raises:
        TypeError: `exempt` is one str, or a coroutine function.
        ValueError: a path does not start with "/".
    """
    if callable(exempt):
        require_function("exempt", exempt)
        return lambda request: exempt(request) is True
    if isinstance(exempt, (str, bytes)):
        raise TypeError(f"exempt is a list of paths or a function, not one string: write exempt=[{exempt!r}]")
    paths: frozenset[object] = frozenset(exempt)
    for path in paths:
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"exempt holds {path!r}: paths are matched exactly and start with '/', such as '/healthz'")
    return (lambda request: path_of(request) in paths) if paths else None


class PerIdentity(Generic[_Value]):
    """Calls a function for an identity, and remembers the values of those that came last, by the object.

    To look for an equal identity would hash a certificate at every request, which costs more than all the rest of it.
    Bounded in bytes, by an estimate: what is computed of an identity grows with its alternative names.
    """

    def __init__(self, compute: Callable[[ClientIdentity], _Value]) -> None:
        self._compute = compute
        self._values: dict[int, tuple[ClientIdentity, _Value]] = {}
        self._weight = 0

    def __call__(self, identity: ClientIdentity) -> _Value:
        """Return the value for `identity`."""
        known = self._values.get(id(identity))
        if known is not None and known[0] is identity:
            return known[1]
        value = self._compute(identity)
        self._weight += _IDENTITY + _NAME * sum(len(of_a_kind) for of_a_kind in vars(identity.sans).values())
        if self._weight > _MOST_REMEMBERED:
            self._values, self._weight = {}, 0
        self._values[id(identity)] = identity, value
        return value


class RawNames(dict[bytes, bool]):
    """Says of a header's name whether the authenticator reads it in any spelling, and remembers what it said.

    Bounded, since the names are the client's to choose; the usual ones come with the first requests.
    """

    def __init__(self, guarded_headers: Iterable[str]) -> None:
        super().__init__()
        self._guarded = frozenset(name.encode() for name in guarded_headers)

    def __missing__(self, name: bytes) -> bool:
        is_raw = name.lower().replace(b"_", b"-") in self._guarded
        if len(self) < _MOST_NAMES and len(name) < _LONGEST_NAME:
            self[name] = is_raw
        return is_raw
