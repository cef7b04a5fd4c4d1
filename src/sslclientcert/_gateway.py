"""What the two gateways share: the answer to a refusal, the exemptions, and what is computed once for an identity.

The other adapters may use it too; it knows nothing of WSGI, ASGI, or any framework.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity

__all__ = ["DECIDED", "Answer", "Exempt", "PerIdentity", "RawNames", "answer_to", "exemption", "require_arguments"]

DECIDED = "sslclientcert.decided"
"""Where a scope says what each authenticator's middleware found, for an adapter behind it: the raw headers are gone."""

Exempt: TypeAlias = Iterable[str] | Callable[[Any], bool]

_Value = TypeVar("_Value")

_MOST_REMEMBERED = 4 * 1024 * 1024  # bytes of what was computed of identities
_IDENTITY, _NAME = 2048, 256  # bytes of what is computed of one, and more for each of its alternative names
_MOST_NAMES = 1024  # far more than servers let through
_LONGEST_NAME = 64


class Answer(NamedTuple):
    """An HTTP answer: the status, the headers with lower-case names, and the body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def answer_to(error: ClientCertError) -> Answer:
    """Return the answer to a refusal as problem details (RFC 9457): the code and the title, never the detail."""
    body = json.dumps(error.problem()).encode()
    headers = [
        ("content-type", "application/problem+json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
    ]
    return Answer(error.status, headers, body)


def require_arguments(app: object, authenticator: object, *, required: object, keep_headers: object) -> None:
    """Refuse arguments of a middleware that would fail, or loosen it in silence, only when requests come.

    Raises:
        TypeError: the message says which, and what it should be.
    """
    if not callable(app):
        raise TypeError(f"app must be the application to protect, not {app!r}")
    if not isinstance(authenticator, ClientCertAuthenticator):
        raise TypeError(
            f"authenticator must be a ClientCertAuthenticator, such as one of 'ca.crt', not {authenticator!r}"
        )
    for name, value in (("required", required), ("keep_headers", keep_headers)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {value!r}")


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
        if inspect.iscoroutinefunction(exempt) or inspect.iscoroutinefunction(type(exempt).__call__):
            raise TypeError("exempt is called without await: give an ordinary function that returns True or False")
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
