"""`sslclientcert probe`: send forged certificate headers through a proxy of one's own, and see whether one arrives.

The application tells: an adapter of this library answers a forgery that reached it with a problem code other than the
one it answers without it, and a page that names its client names another or none. What the application does not read it
cannot tell: a forgery of another proxy's headers goes unseen.
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import json as json_format
import secrets
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, TypedDict, Unpack
from urllib.parse import SplitResult, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ..core.errors import ClientCertError, HeaderAmbiguous
from ..core.proxies import PROXIES, Proxy
from ..testing import ClientCA, encode
from .evidence import row_of
from .proxies import configuration_of, in_columns
from .terminal import Misuse, add_json, painted, print_json, shown

__all__ = ["add_arguments", "run"]

_MOST_BODY = 1 << 20
_CODES = {each.title: each.code for each in ClientCertError.__subclasses__()}
_GOT_THROUGH = ("accepted", "refused by the application")
_MOST_SPELLINGS = 14
_SHOWS_NOTHING = (
    "no answer shows that the application reads the proxy's headers. Name a page that answers "
    "certificate_missing without a certificate, or that names its client"
)

Line = tuple[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument("url", metavar="URL", help="a page that needs a certificate, as clients reach it by the proxy")
    parser.add_argument("--proxy", metavar="NAME", help="forge the headers of this proxy alone (default: of all)")
    parser.add_argument("--header", metavar="NAME", help="another name for the proxy's certificate header")
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


@dataclass(frozen=True)
class _Answer:
    """An answer; or, with the status 0, why there is none: no connection, no TLS, nothing in time, or no HTTP."""

    status: int
    body: bytes = b""
    error: Exception | None = None

    @property
    def code(self) -> str | None:
        """The library's code, as each of its adapters has it answered; None if another has answered."""
        try:
            said: Any = json_format.loads(self.body)
        except (ValueError, RecursionError):
            said = self.body.decode("utf-8", "replace").strip()  # Starlette's own: the title alone
        if isinstance(said, dict):
            # FastAPI and REST framework answer {"detail": ...}; APIFlask and flask-smorest give the title as message.
            said = said.get("detail") or said
        if isinstance(said, dict):
            if said.get("code") in _CODES.values():
                return str(said["code"])
            said = said.get("message")
        return _CODES.get(said) if isinstance(said, str) else None

    def names(self, names: Iterable[str]) -> bool:
        return any(name.encode() in self.body for name in names)

    def __str__(self) -> str:
        return f"{self.status} {self.code}" if self.code else str(self.status)

    def is_like(self, other: _Answer) -> bool:
        return (self.status, self.code) == (other.status, other.code)


@dataclass(frozen=True)
class _Target:
    url: SplitResult
    context: ssl.SSLContext | None
    timeout: float

    def ask(self, forgery: _Forgery | None = None) -> _Answer:
        """Send one request and return what the answer says; no redirect is followed."""
        host = self.url.hostname or ""
        port = self.url.port or (443 if self.context else 80)
        try:
            with socket.create_connection((host, port), self.timeout) as plain:
                stream = plain if self.context is None else self.context.wrap_socket(plain, server_hostname=host)
                with stream:
                    stream.sendall(_request(self.url, forgery))
                    response = HTTPResponse(stream)
                    response.begin()
                    return _Answer(response.status, response.read(_MOST_BODY))
        except (OSError, HTTPException) as error:
            return _Answer(0, error=error.with_traceback(None))  # the frames would keep the connection


def _request(url: SplitResult, forgery: _Forgery | None) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    way, headers, trailers = (forgery.way, forgery.headers, forgery.trailers) if forgery else ("", (), ())
    hop = [name for name in forgery.row.headers if name] if forgery and way == "hop-by-hop" else []
    # As a proxy in front would say: some pass a client's headers on at that word.
    lines = [("Host", url.netloc), ("User-Agent", "sslclientcert-probe"), ("X-Forwarded-Proto", "https")]
    lines += [("Connection", ", ".join(["close", *hop])), *headers]
    method, body = "GET", ""
    if trailers:
        method, body = "POST", "1\r\nx\r\n0\r\n" + _block(trailers)
        lines.append(("Transfer-Encoding", "chunked"))
        if way == "trailer":
            lines.append(("Trailer", ", ".join(name for name, _ in trailers)))
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
        mixed = tuple((name, marker) for name in _mixed_spellings(row.certificate_header))
        if mixed:
            yield _Forgery(row, "mixed spelling", mixed)
        yield _Forgery(row, "twice", lines + lines)
        yield _Forgery(row, "trailer", (), lines)
        yield _Forgery(row, "trailer, not announced", (), lines)
        yield _Forgery(row, "hop-by-hop", lines)


def _mixed_spellings(name: str) -> list[str]:
    """Return the spellings of a name in which some hyphens are underscores, and some are not."""
    parts = name.split("-")
    joints = itertools.product("-_", repeat=len(parts) - 1)
    spellings = ["".join(map("".join, zip(parts, (*each, ""), strict=True))) for each in joints]
    return spellings[1:-1][:_MOST_SPELLINGS]  # the first is the name, the last has underscores alone


@dataclass(frozen=True)
class _Client:
    """With or without a certificate: how the application answers it when nothing is forged, and by which names."""

    cert: str | None
    usual: _Answer
    names: tuple[str, ...]
    answers: list[tuple[_Forgery, _Answer]]

    @property
    def can_tell(self) -> bool:
        """Whether the answer shows that the application reads the proxy's headers."""
        return self.usual.code not in (None, "proxy_untrusted") or self.is_named

    @property
    def is_named(self) -> bool:
        return 200 <= self.usual.status < 300 and self.usual.names(self.names)

    def outcome(self, forgery: _Forgery, answer: _Answer, marker: str) -> str:
        """Say what became of a forgery, by the answer to it."""
        if answer.names([marker]) or (200 <= answer.status < 300 <= self.usual.status):
            return "accepted"
        if answer.is_like(self.usual):
            return "accepted" if self.is_named and not answer.names(self.names) else "not seen"
        if forgery.way == "trailer" and answer.code == HeaderAmbiguous.code:
            return "announcement refused"
        if answer.code is not None:
            return "refused by the application"
        return "refused on the way" if 400 <= answer.status < 500 and answer.status != 429 else "unclear"

    def findings(self, marker: str) -> Iterator[dict[str, str]]:
        """Yield what became of each forgery, and what closes its way."""
        for forgery, answer in self.answers:
            yield {
                "proxy": forgery.row.name,
                "way": forgery.way,
                "client_certificate": "with" if self.cert else "without",
                "usual": str(self.usual),
                "answer": str(answer),
                "outcome": self.outcome(forgery, answer, marker),
                "remedy": _remedy(forgery.row, forgery.way),
            }


def _names_of(cert: str | None) -> tuple[str, ...]:
    """Return what a page would call the holder of a certificate: common names, alternative names, fingerprint."""
    if cert is None:
        return ()
    try:
        certificate = x509.load_pem_x509_certificate(Path(cert).read_bytes())
        common_names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        extensions = [one.value for one in certificate.extensions]
    except ValueError as error:
        raise Misuse(f"{cert}: not a certificate in PEM: {error}") from error
    names = [str(one.value) for one in common_names]
    for value in extensions:
        if isinstance(value, x509.SubjectAlternativeName):
            for kind in (x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier):
                names += value.get_values_for_type(kind)
    return (*filter(None, names), certificate.fingerprint(hashes.SHA256()).hex())


_UNDERSCORES = {
    "nginx-ingress": 'enable-underscores-in-headers: "false"  # in the ConfigMap of the controller',
    "nginx": "underscores_in_headers off;",
    "haproxy": "http-request del-header _ -m sub",
    "envoy": "common_http_protocol_options: {headers_with_underscores_action: REJECT_REQUEST}",
}


def _remedy(row: Proxy, way: str) -> str:
    """Return what closes a way, in the words of the row's configuration if it has one."""
    names = [name for name in row.headers if name]
    if way in ("underscore", "mixed spelling"):
        spelled = ", ".join([name.replace("-", "_") for name in names] + _mixed_spellings(names[0]))
        return _UNDERSCORES.get(row.name, f"drop every header with an underscore in its name, such as {spelled}")
    if way.startswith("trailer"):
        return "drop request trailers at the proxy, or run uvicorn with --http h11"
    if way == "hop-by-hop":
        return "drop the header Connection before these are set (Apache: RequestHeader unset Connection)"
    if row.certificate_header != PROXIES[row.name].certificate_header:
        return f"set {row.certificate_header} on every request, to nothing if there is no certificate"
    return f"on every request, unconditionally:\n{configuration_of(row).rstrip()}"


class ProbeOptions(TypedDict):
    """What to probe, and how: the options of `add_arguments`."""

    url: str
    proxy: str | None
    header: str | None
    cert: str | None
    key: str | None
    cacert: str | None
    insecure: bool
    timeout: float
    dry_run: bool
    yes_i_own_this: bool
    json: bool


def _checked(options: ProbeOptions) -> SplitResult:
    url, has_cert = options["url"], options["cert"] is not None
    if options["key"] is not None and not has_cert:
        raise Misuse("--key is the key of --cert: name the certificate too")
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
    if not loopback and not options["yes_i_own_this"]:
        raise Misuse(f"{host} is not loopback: the probe attacks it. If it is yours, add --yes-i-own-this")
    if has_cert and split.scheme == "http":
        raise Misuse("--cert needs https: without TLS no client certificate is presented")
    return split


def _context(options: ProbeOptions, cert: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options["cacert"])
        if cert is not None:
            context.load_cert_chain(cert, options["key"])
    except OSError as error:
        raise Misuse(f"--cacert, --cert or --key is not what it should be: {error}") from error
    # Since Python 3.13 the default; a root of `openssl req -x509`, without keyUsage, does not pass it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if options["insecure"]:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def run(**options: Unpack[ProbeOptions]) -> int:
    """Probe a deployment of one's own. It sends only what it says, to this URL, and follows no redirect.

    Returns:
        0: no forgery was seen to arrive. 1: one did, whether or not the application then refused it.

    Raises:
        Misuse: nothing can be told: the URL, a file, the connection, or the application's answers.
    """
    url, cert = _checked(options), options["cert"]
    marker = f"sslclientcert-probe-{secrets.token_hex(8)}"
    rows = (row_of(name, options["header"]) for name in ([options["proxy"]] if options["proxy"] else PROXIES))
    forgeries = list(_forgeries(rows, marker))
    count = (2 if cert else 1) * (len(forgeries) + 2)
    if options["dry_run"]:
        print(f"{count} requests to {url.netloc}, none of them sent")
        print(*(f"{_request(url, each).decode('latin-1')}" for each in forgeries), sep="\n")
        return 0
    if not options["json"]:
        print(f"{count} requests to {url.netloc}", flush=True)
    asked = [
        client for each in ((None, cert) if cert else (None,)) if (client := _asked(url, each, forgeries, options))
    ]
    findings = [finding for client in asked for finding in client.findings(marker)]
    refused = [client.usual for client in asked if client.cert and not 200 <= client.usual.status < 300]
    why = None
    if refused:
        why = f"with the client certificate it answers {refused[0]}. Probe with one that the page lets in"
    elif not any(client.can_tell for client in asked):
        why = _SHOWS_NOTHING
    return _report(findings, why, count=count, json=options["json"])


def _asked(url: SplitResult, cert: str | None, forgeries: list[_Forgery], options: ProbeOptions) -> _Client | None:
    """Send all forgeries with a certificate, or without. None if without one there is no connection, but one is named.

    Raises:
        Misuse: there is no connection, or the application does not answer twice alike.
    """
    names, which = _names_of(cert), "with" if cert else "without"
    target = _Target(url, _context(options, cert) if url.scheme == "https" else None, options["timeout"])
    usual = target.ask()
    lost = usual.error
    if lost and not cert and options["cert"] and not isinstance(lost, ssl.SSLCertVerificationError):
        if not options["json"]:
            print(f"without a certificate, {url.netloc} ends the connection: {type(lost).__name__}")
        return None
    answers = [] if lost else [(each, target.ask(each)) for each in forgeries]
    again = usual if lost else target.ask()
    if again.error:
        hint = "" if cert else "; if it demands one, probe with --cert"
        said = f"{url.netloc}, {which} a client certificate: {type(again.error).__name__}: {again.error}"
        raise Misuse(said + hint) from again.error
    if not again.is_like(usual):
        raise Misuse(f"without any forgery it answers {usual}, then {again}: nothing can be told")
    return _Client(cert, usual, names, answers)


_COLUMNS = ("proxy", "way", "client_certificate", "answer", "outcome")


def _report(findings: list[dict[str, str]], why: str | None, *, count: int, json: bool) -> int:
    """Print what was found; `why` says why nothing else can be told."""
    through = [each for each in findings if each["outcome"] in _GOT_THROUGH]
    unclear = [each for each in findings if each["outcome"] == "unclear"]
    why = why or ("some answers are unclear" if unclear else None)
    status = 1 if through else 2 if why else 0
    if json:
        print_json({"requests": count, "status": status, "findings": findings})
        return status
    if through or unclear:
        _print_table(through + unclear)
    remedies: dict[tuple[str, str], list[str]] = {}
    plainly = {
        (each["proxy"], each["client_certificate"]): each["remedy"] for each in through if each["way"] == "exact"
    }
    for each in through:
        # What arrives as it is arrives with Connection too, and that closes it.
        same = plainly.get((each["proxy"], each["client_certificate"])) if each["way"] == "hop-by-hop" else None
        remedies.setdefault((each["proxy"], same or each["remedy"]), []).append(each["way"])
    for (proxy, remedy), ways in remedies.items():
        print(f"\nTo close {', '.join(dict.fromkeys(ways))} for {proxy}:")
        print(*(f"    {shown(line)}" for line in remedy.splitlines()), sep="\n")
    if status == 0:
        print("No forgery was seen to arrive. What this application does not read, it cannot tell.")
    elif why and not through:
        print(f"NOTHING CAN BE TOLD: {why}.")
    return status


def _print_table(findings: list[dict[str, str]]) -> None:
    rows = [tuple(shown(each[column]) for column in _COLUMNS) for each in findings]
    head, *lines = in_columns([tuple(column.removeprefix("client_") for column in _COLUMNS), *rows])
    print(head)
    for line, (*_, outcome) in zip(lines, rows, strict=True):
        print(line.removesuffix(outcome) + painted(outcome, "red" if outcome in _GOT_THROUGH else "yellow"))
