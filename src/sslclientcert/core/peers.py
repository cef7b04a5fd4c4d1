"""Who may speak the certificate headers: the peers at the other end of the connection, which must be the proxies.

The facts: a server tells the peer's address, and for a unix socket each has its own word: None (uvicorn, hypercorn,
daphne), "" (gunicorn, granian, cheroot), "localhost" (waitress), "<local>" (werkzeug), "0.0.0.0" (uWSGI). None of
these can be the source address of a TCP connection. A server that rewrites the address from X-Forwarded-For defeats
the check: behind it the peer is the client, and may be of the client's choice (uvicorn does so by default for
connections from loopback; run it with --no-proxy-headers). The zone of a link-local peer (fe80::1%eth0) is not
compared.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from .errors import ProxyUntrusted, quoted

__all__ = ["TrustedProxies"]

_UNIX = frozenset({None, "", "localhost", "<local>", "0.0.0.0"})  # noqa: S104  # what uWSGI tells, nothing to bind to
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_MOST_REMEMBERED = 1024


class TrustedProxies:
    """The peers that may speak certificate headers.

    Parameters:
        trusted: addresses, networks, `"loopback"`, `"unix"` for unix sockets, or `"*"` for any peer; a comma-separated
            string or an iterable of such.

    Raises:
        ValueError: an entry is none of these, or there is none.
    """

    def __init__(self, trusted: str | Iterable[str]) -> None:
        given = trusted.split(",") if isinstance(trusted, str) else list(trusted)
        for entry in given:
            if not isinstance(entry, str):  # ipaddress would read a number, and four bytes, as an address
                raise TypeError(f"trusted_proxies: {entry!r} is not a str")
        entries = [entry.strip() for entry in given]
        entries = [entry for entry in entries if entry]
        if not entries:
            raise ValueError(
                'trusted_proxies is empty, so nobody could send a certificate; "*" says any peer, on purpose'
            )
        self.any: bool = "*" in entries
        self._unix = "unix" in entries
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for entry in entries:
            if entry in ("*", "unix"):
                continue
            for network in _LOOPBACK if entry == "loopback" else (entry,):
                try:
                    self._networks.append(_network(network))
                except ValueError as error:
                    raise ValueError(
                        f"trusted_proxies: {entry!r} is no address, no network such as 10.0.0.0/8 ({error}), and not "
                        '"loopback", "unix" or "*"'
                    ) from None
        self._entries = ", ".join(entries)
        self._answers: dict[str | None, bool] = {}

    def require(self, peer: str | None) -> None:
        """Refuse a peer that is none of the trusted proxies.

        Raises:
            ProxyUntrusted: the message names the peer and the setting.
        """
        if self.any:
            return
        if peer is not None and not isinstance(peer, str):
            raise ProxyUntrusted(f"the peer is told as {quoted(peer)}, which is no address")
        answer = self._answers.get(peer)
        if answer is None:
            if len(self._answers) >= _MOST_REMEMBERED:
                self._answers.clear()
            answer = self._answers[peer] = self._admits(peer)
        if not answer:
            raise ProxyUntrusted(
                f"the peer {'of a unix socket' if peer in _UNIX else quoted(peer)} sent certificate headers "
                f"and is none of the trusted_proxies ({self._entries}). If it is your proxy, add its address or "
                "network; if it is a client's address, then either the client came past the proxy, or the server "
                "rewrites the peer from X-Forwarded-For (uvicorn: --no-proxy-headers)"
            )

    def _admits(self, peer: str | None) -> bool:
        if peer in _UNIX:
            return self._unix
        try:
            address = ipaddress.ip_address(peer)  # type: ignore[arg-type]  # None is in _UNIX
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)

    def __repr__(self) -> str:
        return f"<TrustedProxies {self._entries}>"


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    if "%" in text:
        raise ValueError("networks do not tell one zone from another: leave out the zone, if any will do")
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        raise ValueError("write the IPv4 form: peers of a dual-stack socket are compared by that")
    return network
