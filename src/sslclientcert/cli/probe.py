"""`sslclientcert probe`: send forged certificate headers through a proxy of one's own, and see whether one arrives.

The application tells: an adapter of this library answers a forgery that reached it with a problem code other than the
one it answers without it. What it does not read it cannot tell: a forgery of another proxy's headers goes unseen.
"""

from __future__ import annotations

import argparse
import ipaddress
import json as json_format
import secrets
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import SplitResult, urlsplit

from ..core.errors import ClientCertError
from ..core.proxies import PROXIES, Proxy
from ..testing import ClientCA, encode
from .evidence import row_of
from .terminal import Misuse, add_json, painted, shown

__all__ = ["add_arguments", "run"]

_MOST_BODY = 1 << 20
_CODES = frozenset(each.code for each in ClientCertError.__subclasses__() if hasattr(each, "code"))
_WAYS = ("exact", "other case", "underscore", "twice", "trailer", "trailer, not announced", "hop-by-hop")
_GOT_THROUGH = ("accepted", "refused by the application")

Line = tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument("url", metavar="URL", help="a page that needs a certificate, as clients reach it by the proxy")
    parser.add_argument("--proxy", metavar="NAME", help="forge the headers of this proxy alone (default: of all)")
    parser.add_argument("--cert", metavar="FILE", help="ask with this client certificate (PEM) too")
    parser.add_argument("--key", metavar="FILE", help="its private key, if it is not in the same file")
    parser.add_argument("--cacert", metavar="FILE", help="the CA of the server's certificate (default: the system's)")
    parser.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=10.0, help="default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="print the requests, and send none")
    parser.add_argument("--yes-i-own-this", action="store_true", help="needed for any host that is not loopback")
    add_json(parser)


@dataclass(frozen=True)
class _Forgery:
    row: Proxy
    way: str
    headers: tuple[Line, ...]
    trailers: tuple[Line, ...] = ()
    announced: bool = False


@dataclass(frozen=True)
class _Answer:
    status: int
    code: str | None
    marked: bool = False

    def __str__(self) -> str:
        return f"{self.status} {self.code}" if self.code else str(self.status)


@dataclass(frozen=True)
class _Target:
    url: SplitResult
    context: ssl.SSLContext | None
    timeout: float
    marker: str

    def ask(self, forgery: _Forgery | None = None) -> _Answer:
        """Send one request and return what the answer says; no redirect is followed.

        Raises:
            OSError: no connection, no TLS, or no answer in time.
            HTTPException: what came is not HTTP.
        """
        host = self.url.hostname or ""
        port = self.url.port or (443 if self.context else 80)
        with socket.create_connection((host, port), self.timeout) as plain:
            stream = plain if self.context is None else self.context.wrap_socket(plain, server_hostname=host)
            with stream:
                stream.sendall(_request(self.url, forgery))
                response = HTTPResponse(stream)
                response.begin()
                body = response.read(_MOST_BODY)
        code = None
        if response.headers.get_content_type() == "application/problem+json":
            try:
                said = json_format.loads(body)
            except ValueError:
                said = None
            code = said.get("code") if isinstance(said, dict) else None
        return _Answer(response.status, code if code in _CODES else None, self.marker.encode() in body)

    def tell(self, forgery: _Forgery) -> _Answer:
        """Send a forgery; a connection that ends without an answer has the status 0, of which nothing can be told."""
        try:
            return self.ask(forgery)
        except (OSError, HTTPException):
            return _Answer(0, None)


def _request(url: SplitResult, forgery: _Forgery | None) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [("Host", url.netloc), ("User-Agent", "sslclientcert-probe"), ("Accept", "*/*")]
    method, body = "GET", ""
    if forgery is None:
        lines.append(("Connection", "close"))
    else:
        hop = [row for row in forgery.row.headers if row] if forgery.way == "hop-by-hop" else []
        lines += [("Connection", ", ".join(["close", *hop])), *forgery.headers]
        if forgery.trailers:
            method = "POST"
            lines.append(("Transfer-Encoding", "chunked"))
            if forgery.announced:
                lines.append(("Trailer", ", ".join(name for name, _ in forgery.trailers)))
            body = "1\r\nx\r\n0\r\n" + _block(forgery.trailers)
    return (f"{method} {target} HTTP/1.1\r\n" + _block(lines) + body).encode("latin-1")


def _block(lines: Iterable[Line]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"


def _forgeries(rows: Iterable[Proxy], marker: str) -> Iterator[_Forgery]:
    forged = ClientCA(marker).self_signed(marker)
    for row in rows:
        lines = tuple(encode(forged.certificate, row, verdict=0).items())
        yield _Forgery(row, "exact", lines)
        yield _Forgery(row, "other case", tuple((name.upper(), value) for name, value in lines))
        yield _Forgery(row, "underscore", tuple((name.replace("-", "_"), value) for name, value in lines))
        yield _Forgery(row, "twice", lines + lines)
        yield _Forgery(row, "trailer", (), lines, announced=True)
        yield _Forgery(row, "trailer, not announced", (), lines)
        yield _Forgery(row, "hop-by-hop", lines)


def _outcome(answer: _Answer, usual: _Answer) -> str:
    """Say what became of a forgery, by the answer and the one to the same request without it."""
    if answer.marked or (200 <= answer.status < 300 <= usual.status):
        return "accepted"
    if answer.code is not None and answer.code != usual.code:
        return "refused by the application"
    if (answer.status, answer.code) == (usual.status, usual.code):
        return "not seen"
    if 400 <= answer.status < 500 and answer.status != 429:
        return "refused on the way"
    return "unclear"


def _remedy(row: Proxy, way: str) -> str:
    """Return what closes a way, in the words of the row's configuration."""
    names = [name for name in row.headers if name]
    if way == "underscore":
        return "nginx: underscores_in_headers off; others: delete " + ", ".join(n.replace("-", "_") for n in names)
    if way.startswith("trailer"):
        return "drop request trailers at the proxy, or run uvicorn with --http h11"
    if way == "hop-by-hop":
        return "set these after the proxy has applied Connection, and ask the middleware for require_proxy_success"
    lines = [line.strip() for line in row.configuration.splitlines() if line.strip()]
    if not lines:
        return "remove these from every request before the proxy sets its own: " + ", ".join(names)
    return "on every request, unconditionally: " + " | ".join(lines)


def _checked(url: str, owned: bool) -> SplitResult:
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and split.hostname and (split.port or 1)
    except ValueError as error:
        raise Misuse(f"{url}: not a URL to probe: {error}") from error
    if not usable or split.username is not None or not (url.isascii() and url.isprintable() and " " not in url):
        raise Misuse(f"{url}: not a URL to probe; write https://host[:port]/path")
    host = split.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback and not owned:
        raise Misuse(f"{host} is not loopback: the probe attacks it. If it is yours, add --yes-i-own-this")
    return split


def _check_files(split: SplitResult, cert: str | None, key: str | None) -> None:
    if key is not None and cert is None:
        raise Misuse("--key is the key of --cert: name the certificate too")
    if cert is not None and split.scheme == "http":
        raise Misuse("--cert needs https: without TLS no client certificate is presented")


def _context(cacert: str | None, insecure: bool, cert: str | None, key: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cacert)
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


def run(
    *,
    url: str,
    proxy: str | None,
    cert: str | None,
    key: str | None,
    cacert: str | None,
    insecure: bool,
    timeout: float,
    dry_run: bool,
    yes_i_own_this: bool,
    json: bool,
) -> int:
    """Probe a deployment of one's own. It sends only what it says, to this URL, and follows no redirect.

    Returns:
        0: no forgery was seen to arrive. 1: one did, whether or not the application then refused it.

    Raises:
        Misuse: nothing can be told: the URL, a file, the connection, or the application's answers.
    """
    split = _checked(url, yes_i_own_this)
    _check_files(split, cert, key)
    marker = f"sslclientcert-probe-{secrets.token_hex(8)}"
    forgeries = list(_forgeries([row_of(proxy)] if proxy else PROXIES.values(), marker))
    clients = {"without": None, **({"with": cert} if cert else {})}
    count = len(clients) * (len(forgeries) + 2)
    if dry_run:
        print(f"{count} requests to {split.netloc}, none of them sent")
        print(*(f"{_request(split, each).decode('latin-1')}" for each in forgeries), sep="\n")
        return 0
    if not json:
        print(f"{count} requests to {split.netloc}", flush=True)
    findings: list[dict[str, str]] = []
    told = False
    for client, file in clients.items():
        try:
            context = _context(cacert, insecure, file, key) if split.scheme == "https" else None
            target = _Target(split, context, timeout, marker)
            usual = target.ask()
            answers = [(each, target.tell(each)) for each in forgeries]
            again = target.ask()
        except (OSError, HTTPException) as error:
            raise Misuse(f"{split.netloc}, {client} a client certificate: {type(error).__name__}: {error}") from error
        if usual != again:
            raise Misuse(f"without any forgery it answers {usual}, then {again}: nothing can be told")
        told = told or usual.code not in (None, "proxy_untrusted")
        for each, answer in answers:
            findings.append(
                {
                    "proxy": each.row.name,
                    "way": each.way,
                    "client_certificate": client,
                    "usual": str(usual),
                    "answer": str(answer),
                    "outcome": _outcome(answer, usual),
                    "remedy": _remedy(each.row, each.way),
                }
            )
    return _report(findings, told=told, count=count, json=json)


def _report(findings: list[dict[str, str]], *, told: bool, count: int, json: bool) -> int:
    through = [each for each in findings if each["outcome"] in _GOT_THROUGH]
    unclear = [each for each in findings if each["outcome"] == "unclear"]
    status = 1 if through else 2 if unclear or not told else 0
    if json:
        print(json_format.dumps({"requests": count, "status": status, "findings": findings}, indent=2))
        return status
    for each in through + unclear:
        print(f"{each['proxy']}, {each['way']}, {each['client_certificate']} a client certificate")
        print(f"  {painted(each['outcome'], 'red')}: {each['answer']} instead of {each['usual']}")
        if each in through:
            print(f"  {shown(each['remedy'], 2000)}")
    if status == 0:
        print("No forgery was seen to arrive. What this application does not read, it cannot tell.")
    elif not through:
        why = "some answers are unclear" if unclear else "the application did not answer as sslclientcert does"
        print(f"NOTHING CAN BE TOLD: {why}. Name a page that answers certificate_missing without a certificate.")
    return status
