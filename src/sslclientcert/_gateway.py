"""What the two gateways share: the answer to a refusal, the exemptions, and what is computed once for an identity.

The other adapters may use it too; it knows nothing of WSGI, ASGI, or any framework.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Generic, TypeAlias, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding

from .answers import Answer, answer_to
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity

__all__ = ["DECIDED", "Exempt", "OnRefusal", "PerIdentity", "RawNames", "exemption", "refusal", "require_arguments"]

_log = logging.getLogger("sslclientcert")

DECIDED = "sslclientcert.decided"
"""Where a scope says what each authenticator's middleware found, for an adapter behind it: the raw headers are gone."""

Exempt: TypeAlias = Iterable[str] | Callable[[Any], bool]
OnRefusal: TypeAlias = Callable[[ClientCertError, Any], tuple[int, Iterable[tuple[str, str]], bytes]]

_Value = TypeVar("_Value")

_MOST_REMEMBERED = 1024 * 1024  # of certificates; what is computed of them takes some five times as much
_OVERHEAD = 512
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
        except Exception:  # noqa: BLE001  # whatever it raises, the client stays refused
            _log.exception("on_refusal failed on %s: the library's own answer is sent", error.code)
    return answer_to(error, accept)


def _is_field(pair: tuple[str, str]) -> bool:
    text = "".join(pair)
    return text.isascii() and text.isprintable()


def require_arguments(
    app: object, authenticator: object, *, required: object, keep_headers: object, on_refusal: object
) -> None:
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
    if on_refusal is not None and (not callable(on_refusal) or _has_to_be_awaited(on_refusal)):
        raise TypeError(f"on_refusal is called without await: give an ordinary function, not {on_refusal!r}")


def _has_to_be_awaited(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


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
        if _has_to_be_awaited(exempt):
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
    Bounded by the size of the certificates, to which what is computed of them is proportional.
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
        self._weight += _OVERHEAD + sum(len(certificate.public_bytes(Encoding.DER)) for certificate in identity.chain)
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
