"""Who may speak the certificate headers: the peers at the other end of the connection, which must be the proxies.

The facts. A server tells the address of its peer, and over a unix socket each server says something else: nothing
(uvicorn, hypercorn, daphne), "" (gunicorn, granian, cheroot), "localhost" (waitress), "<local>" (werkzeug), "0.0.0.0"
(uWSGI, tornado), "unix" (eventlet, aiohttp-wsgi). The words cannot be the source of a TCP connection. Nothing and ""
can: a client that resets its connection (SO_LINGER 0) reaches the application without an address under uvicorn and
gunicorn's ASGI worker.

What we decide. A peer without an address is not trusted, unless the server's own address shows that the server listens
on a unix socket: `scope["server"]` of ASGI, the socket of gunicorn, granian's SERVER_NAME. Elsewhere SERVER_NAME may be
the client's Host header, as under gunicorn.

A server that rewrites the address from X-Forwarded-For defeats the check: the peer is then the client, and may be of
the client's choice (uvicorn does so by default for connections from loopback; run it with --no-proxy-headers). The zone
of a link-local peer (fe80::1%eth0) is not compared.

Sources: the ASGI specification, HTTP; PEP 3333; the servers named, as measured in November 2026; Werkzeug's
middleware/proxy_fix.py.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import ProxyUntrusted, quoted
from .proxies import Proxy
from .secret import SharedSecret

__all__ = [
    "DEFAULT_TRUSTED_PROXIES",
    "UNIX",
    "TrustedProxies",
    "peer_of_environ",
    "peer_of_scope",
    "peers_of",
]

UNIX = "unix"
"""The peer that is a unix socket, and the entry of `trusted_proxies` that trusts it."""

DEFAULT_TRUSTED_PROXIES = ("127.0.0.1", "::1", UNIX)
"""This host, but not all of 127.0.0.0/8: the sidecar of a service mesh speaks for strangers from 127.0.0.6."""

_log = logging.getLogger("sslclientcert")

_UNADDRESSED = "unaddressed"
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_MOST_REMEMBERED = 1024

_WORDS_FOR_UNIX = frozenset({UNIX, "localhost", "<local>", "0.0.0.0"})  # noqa: S104  # nothing to bind to
_PROXY_FIXED_TWICE = "one of the addresses in X-Forwarded-For"


def peer_of_environ(environ: Mapping[str, Any]) -> str | None:
    """Return the address of the peer of a WSGI request, "unix" for a unix socket, or None if the server does not say.

    Looks through one ProxyFix of Werkzeug. Of two, the inner one has overwritten the address that the server told, by
    one that the client may have chosen; that is recognized and not trusted, unless the server shows its socket.

    Not checked: other middleware that rewrites `REMOTE_ADDR`.
    """
    told = environ.get("REMOTE_ADDR")
    proxy_fix = environ.get("werkzeug.proxy_fix.orig")
    if proxy_fix is not None:
        told = proxy_fix["REMOTE_ADDR"]
        claims = environ.get("HTTP_X_FORWARDED_FOR", "")
        # A backslash escapes any character of a quoted claim.
        if told and (told in re.split(r'[,"\s]+', claims) or "\\" in claims) and told != _address_of_socket(environ):
            return _PROXY_FIXED_TWICE
    if not told:
        return UNIX if _listens_on_unix_socket(environ) else None
    return UNIX if isinstance(told, str) and told in _WORDS_FOR_UNIX else told


def peer_of_scope(scope: Mapping[str, Any]) -> str | None:
    """Return the address of the peer of an ASGI connection, "unix" for a unix socket, or None if the server says none.

    What is not text is returned as it is, for `TrustedProxies` to refuse.
    """
    client = scope.get("client")
    host: Any = (client[0] if client else None) if isinstance(client, (list, tuple)) else client
    if not host:
        server = scope.get("server")
        path, port = server if isinstance(server, (list, tuple)) and len(server) == 2 else (None, None)
        # A number goes with a host's name, and that may be the client's Host header.
        is_path = isinstance(path, str) and path.startswith("/") and not isinstance(port, int)
        return UNIX if is_path else None
    return None if host == UNIX else host  # no ASGI server has a word for it, but a header might hold it


def _listens_on_unix_socket(environ: Mapping[str, Any]) -> bool:
    listener = environ.get("gunicorn.socket")
    if listener is not None:
        return bool(listener.family == socket.AF_UNIX)
    name = environ.get("SERVER_NAME")
    return environ.get("SERVER_SOFTWARE") == "Granian" and isinstance(name, str) and name.startswith("/")


def _address_of_socket(environ: Mapping[str, Any]) -> str | None:
    """Return the address at the other end of the connection, if gunicorn or Werkzeug's own server shows its socket."""
    connection = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    try:
        name = connection.getpeername() if connection is not None else None
    except OSError:  # the client has reset the connection
        return None
    return str(name[0]) if isinstance(name, tuple) else None


class TrustedProxies:
    """The peers that may speak certificate headers.

    Parameters:
        trusted: addresses; networks; `"loopback"` for 127.0.0.0/8 and ::1; `"unix"` for unix sockets; `"unaddressed"`
            for a peer of which the server tells no address, such as that of a unix socket under hypercorn; or `"*"` for
            any peer. A string with commas, or an iterable.

    Raises:
        ValueError: an entry is not any of these, or there is no entry.
        TypeError: an entry is not a str.
    """

    def __init__(self, trusted: str | Iterable[str]) -> None:
        given = trusted.split(",") if isinstance(trusted, str) else list(trusted)
        for entry in given:
            if not isinstance(entry, str):  # ipaddress would read a number, and four bytes, as an address
                raise TypeError(f"trusted_proxies: {entry!r} is not a str")
        entries = [entry.strip() for entry in given]
        entries = [entry for entry in entries if entry]
        if not entries:
            raise ValueError('trusted_proxies is empty, so no proxy could send a certificate; "*" says any peer')
        self.any: bool = "*" in entries
        self._words = {UNIX, _UNADDRESSED}.intersection(entries)
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            if entry in ("*", UNIX, _UNADDRESSED):
                continue
            for network in _LOOPBACK if entry == "loopback" else (entry,):
                try:
                    self._networks.append(_network(network))
                except ValueError as error:
                    raise ValueError(
                        f"trusted_proxies: {entry!r} is not an address, not a network such as 10.244.3.0/28 ({error}), "
                        'and not "loopback", "unix", "unaddressed" or "*"'
                    ) from None
        self._entries = ", ".join(entries)
        self._is_trusted = functools.lru_cache(_MOST_REMEMBERED)(self._admits)

    @classmethod
    def made_of(cls, trusted: str | Iterable[str] | TrustedProxies) -> TrustedProxies:
        """Return the peers that a configuration trusts. Logs a warning if that is every peer.

        A `TrustedProxies` is returned as it is, without the warning: `sslclientcert.testing` makes one on purpose.
        """
        if isinstance(trusted, TrustedProxies):
            return trusted
        made = cls(trusted)
        if made.everybody:
            _log.warning(
                "trusted_proxies lets every peer send certificate headers (%s): a client that reaches the application "
                "can act as anybody. Name the proxy's own addresses",
                made._entries,
            )
        return made

    @property
    def everybody(self) -> bool:
        """Whether the entries let every peer through: `"*"`, or networks that together are all of IPv4 or of IPv6."""
        of_4 = ipaddress.collapse_addresses(each for each in self._networks if isinstance(each, ipaddress.IPv4Network))
        of_6 = ipaddress.collapse_addresses(each for each in self._networks if isinstance(each, ipaddress.IPv6Network))
        return self.any or not {"0.0.0.0/0", "::/0"}.isdisjoint(map(str, (*of_4, *of_6)))

    def require_said(self) -> None:
        """Refuse a caller that does not say the peer, unless every peer is trusted by `"*"`.

        Raises:
            TypeError: the message says what to pass.
        """
        if not self.any:
            raise TypeError(
                "authenticate() needs peer=, the address of the other end of the connection as your server tells it, "
                'such as peer="10.0.0.7"; peer="unix" for a unix socket; None if the server tells no address'
            )

    def require(self, peer: str | None) -> None:
        """Refuse a peer that is not a trusted proxy. None and "" are a peer without an address.

        Raises:
            ProxyUntrusted: the message names the peer and the setting.
        """
        if self.any:
            return
        if peer is not None and not isinstance(peer, str):
            raise ProxyUntrusted(f"the server tells the peer as {quoted(peer)}, which is not an address")
        if not self._is_trusted(peer):
            raise ProxyUntrusted(
                f"{_described(peer)} sent certificate headers and is not in trusted_proxies ({self._entries}). "
                f"{_remedy(peer)}"
            )

    def _admits(self, peer: str | None) -> bool:
        if not peer:
            return _UNADDRESSED in self._words
        if peer == UNIX:
            return UNIX in self._words
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    def __repr__(self) -> str:
        return f"<TrustedProxies {self._entries}>"


def _described(peer: str | None) -> str:
    if not peer:
        return "a peer without an address"
    if peer == UNIX:
        return "the peer of a unix socket"
    if peer == _PROXY_FIXED_TWICE:
        return f"a peer whose address may be {peer}"
    return f"the peer {quoted(peer)}"


def _remedy(peer: str | None) -> str:
    """Return what the operator can do about an untrusted peer."""
    if not peer:
        return (
            "Either the client has reset its connection: then there is nothing to do. Or the server listens on a unix "
            'socket and does not show it: then add "unaddressed", if only the proxy can open that socket'
        )
    if peer == UNIX:
        return 'Add "unix" if only the proxy can open that socket'
    if peer == _PROXY_FIXED_TWICE:
        return (
            "Either Werkzeug's ProxyFix is there twice: use it once, with x_for=2. Or client and proxy have the same "
            "address: put sslclientcert.wsgi.ClientCertMiddleware outside ProxyFix, with the same authenticator"
        )
    return (
        "If it is your proxy, add its address. If it is a client's address, then either the client bypassed the proxy, "
        "or the server rewrites the peer from X-Forwarded-For (uvicorn: --no-proxy-headers)"
    )


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    if "%" in text:
        raise ValueError("networks do not tell one zone from another: leave out the zone, if any will do")
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        raise ValueError("write the IPv4 form: peers of a dual-stack socket are compared by that")
    return network


_NO_PEERS = (("*",), DEFAULT_TRUSTED_PROXIES)


def peers_of(
    proxy: Proxy, trusted: str | Iterable[str] | TrustedProxies, secret: SharedSecret | None
) -> TrustedProxies:
    """Return the peers that may send what a proxy sends. The WSGI environ has none: its peer is the client itself.

    Raises:
        ValueError: peers or a secret are named for the environ.
    """
    if not proxy.is_environ:
        return TrustedProxies.made_of(trusted)
    if secret is not None or not (isinstance(trusted, TrustedProxies) or tuple(trusted) in _NO_PEERS):
        raise ValueError(
            f"proxy={proxy.name!r} reads what the server itself sets in the environ, and REMOTE_ADDR is then the "
            "client's own address: leave out trusted_proxies and shared_secret, and guard the server's socket"
        )
    return TrustedProxies("*")
