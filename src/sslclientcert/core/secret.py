"""The shared secret: a header by which the application knows that a request came through the proxy."""

from __future__ import annotations

import hmac

from .errors import ProxyUntrusted
from .proxies import TOKEN

__all__ = ["SharedSecret"]

_SHORTEST_SECRET = 16


class SharedSecret:
    """A header that the proxy adds and whose value only it and the application know.

    Several values may hold at once, so that a new one can be spread before the old one goes. Does not check that the
    proxy removes a client's own header: a value that does not match refuses.

    Parameters:
        secret: the header's name, and its value or several, of 16 characters or more each.

    Attributes:
        header: the header's name.

    Raises:
        ValueError: it could not arrive in a header, or could be guessed. The message does not hold a value.
    """

    def __init__(self, secret: object) -> None:
        form = (
            "shared_secret is a tuple of a header's name and its value, or several values, such as "
            '("x-proxy-secret", ["the new value", "the old value"])'
        )
        if not isinstance(secret, tuple) or len(secret) != 2 or not isinstance(secret[0], str):
            raise ValueError(form)
        values = [secret[1]] if isinstance(secret[1], str) else secret[1]
        if not isinstance(values, (list, tuple)) or not values or not all(isinstance(each, str) for each in values):
            raise ValueError(form)
        self.header: str = secret[0]
        if not TOKEN.fullmatch(self.header):
            raise ValueError(f"shared_secret: {self.header!r} is not the name of a header")
        for value in values:
            # A comma is what a server joins two headers with, and what text has between two values.
            if not value.isascii() or not value.isprintable() or "," in value or value != value.strip():
                raise ValueError(
                    "shared_secret: a value must be printable ASCII without a comma, and not start or end with a space"
                )
            if len(value) < _SHORTEST_SECRET:
                raise ValueError(
                    f"shared_secret: a value must have {_SHORTEST_SECRET} characters or more, such as "
                    "`openssl rand -hex 32` prints"
                )
        self._values = [value.encode() for value in values]

    def require(self, sent: str | None) -> None:
        """Refuse a request without one of the values. Compares in constant time.

        Raises:
            ProxyUntrusted: the message holds neither the secret nor what was sent for it.
        """
        # compare_digest wants ASCII text or bytes; a header's text is latin-1, a broken one is no match.
        told = b"" if sent is None else sent.encode("utf-8", "replace")
        if True not in [hmac.compare_digest(told, value) for value in self._values]:
            raise ProxyUntrusted(
                "the request has certificate headers and not the shared secret that the proxy adds to them: either it "
                "bypassed the proxy, or proxy and application do not have the same secret"
            )

    def __repr__(self) -> str:
        return f"<SharedSecret in {self.header}>"
