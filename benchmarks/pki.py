"""Certificates, bundles and requests to measure with. Keys that nobody keeps."""

from __future__ import annotations

import functools
import io
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslclientcert import ClientCertAuthenticator
from sslclientcert.testing import ClientCA, IssuedCertificate
from sslclientcert.testing.ca import KeyKind, PrivateKey

__all__ = ["CASES", "PEER", "TRUSTED", "Case", "Pairs", "case", "issue", "pairs", "request"]

Pairs = list[tuple[str, str]]

PEER = "10.0.0.7"
TRUSTED = ["127.0.0.1", "::1", "unix", "10.0.0.0/8"]
_CLIENTS = 8
_FOLDER = tempfile.TemporaryDirectory(prefix="sslclientcert-bench-")  # goes when the interpreter ends


def issue(ca: ClientCA, key: KeyKind | PrivateKey, number: int = 0) -> IssuedCertificate:
    """Issue a client certificate with what such certificates have."""
    name = f"cart-{number}"
    uri = f"spiffe://example.org/ns/shop/sa/{name}"
    return ca.issue(name, key=key, organization="Example", dns_names=[f"{name}.shop.example.org"], uris=[uri])


@dataclass(frozen=True)
class Case:
    """A CA and its clients, whose requests come in turn.

    Attributes:
        name: what it is called in the tables.
        key: the kind of all its keys.
        ca: the CA; its bundle holds root and intermediate.
        clients: their certificates.
    """

    name: str
    key: KeyKind
    ca: ClientCA
    clients: tuple[IssuedCertificate, ...]

    @property
    def bundle(self) -> bytes:
        """The CA bundle as PEM."""
        return self.ca.pem.encode()

    @functools.cached_property
    def values(self) -> Callable[[], str]:
        """Returns the header of the next client, as a new string every time."""
        wires = itertools.cycle([client.headers()["ssl-client-cert"].encode() for client in self.clients])
        return lambda: next(wires).decode("latin-1")

    @functools.cached_property
    def pairs(self) -> Callable[[], Pairs]:
        """Returns the ten headers of the next client's request, as new strings every time."""
        wires = itertools.cycle([request(client) for client in self.clients])
        return lambda: pairs(next(wires))

    def environ(self) -> dict[str, Any]:
        """Return the WSGI environ of the next client's request."""
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example.org",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": PEER,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in self.pairs()},
        }

    def scope(self) -> dict[str, Any]:
        """Return the ASGI scope of the next client's request."""
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in self.pairs()],
            "client": (PEER, 4711),
            "server": ("127.0.0.1", 8000),
            "state": {},
        }

    @functools.cached_property
    def path(self) -> Path:
        """The CA bundle as a file."""
        return self.ca.write(Path(_FOLDER.name, f"{self.name.replace(' ', '-')}.crt"))

    def authenticator(self, *, cache_entries: int = 4096) -> ClientCertAuthenticator:
        """Return an authenticator as an application has it: from a file, with trusted proxies.

        With room for two entries, and more clients in turn, every request is a new one to it.
        """
        return ClientCertAuthenticator(self.path, trusted_proxies=TRUSTED, cache_entries=cache_entries)


def request(client: IssuedCertificate) -> list[tuple[bytes, bytes]]:
    """Return the ten headers of a request through nginx: four of the certificate, and six that every request has."""
    return [
        (b"host", b"shop.example.org"),
        (b"user-agent", b"cart/1.0"),
        (b"accept", b"application/json"),
        (b"x-request-id", b"5e0c1d9f2b7a4c3f8e6d1a2b3c4d5e6f"),
        (b"x-forwarded-for", b"192.0.2.17"),
        (b"x-forwarded-proto", b"https"),
        *client.scope_headers(),
    ]


def pairs(wire: Iterable[tuple[bytes, bytes]]) -> Pairs:
    """Return headers as text, in new strings."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in wire]


@functools.cache
def case(name: str) -> Case:
    """Return a case by its name: one of `CASES`."""
    algorithm, path = name.split()
    key: KeyKind = "ec" if algorithm == "P-256" else "rsa"
    ca = ClientCA(f"{name} CA", key=key, intermediates=int(path == "inter"))
    return Case(name, key, ca, tuple(issue(ca, key, number) for number in range(_CLIENTS)))


CASES = ("P-256 direct", "P-256 inter", "RSA-2048 direct", "RSA-2048 inter")
