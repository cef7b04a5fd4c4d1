"""`sslclientcert verify`: judge a certificate or the headers of a request, as an application with this CA bundle would.

Trust comes from `TrustStore` and `ClientCertAuthenticator` alone. What is printed beside a refusal is a stranger's.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json as json_format
import logging
import textwrap
from collections.abc import Iterator

from cryptography import x509

from ..core.authenticator import ClientCertAuthenticator
from ..core.bundle import parse_certificates, parse_crls
from ..core.errors import CertificateMissing, ClientCertError
from ..core.headers import folded
from ..core.identity import ClientIdentity
from ..core.names import rfc4514
from ..core.presented import PresentedChain
from ..core.proxies import Proxy
from ..core.trust import DEFAULT_MAX_DEPTH, TrustStore
from .evidence import Evidence, forwarded, hint_of_proxy, read, read_bytes, row_of
from .facts import serial_number, validity
from .terminal import Misuse, add_file, add_json, add_proxy, painted, shown

__all__ = ["add_arguments", "run"]

_NOT_CHECKED = "Not checked, since it cannot be from here: who sent it, and that they hold the private key."
_SILENT = logging.NullHandler()  # a refusal is the answer here, not a line of a log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_file(parser, "a header's value, request headers (as curl -v or a log shows them), or certificates, leaf first")
    parser.add_argument("--ca", metavar="FILE", required=True, help="the CA bundle, such as the proxy's ca.crt")
    parser.add_argument("--crl", metavar="FILE", help="certificate revocation lists")
    add_proxy(parser)
    parser.add_argument("--header", metavar="NAME", help="another name for the proxy's certificate header")
    parser.add_argument(
        "--at",
        metavar="TIME",
        type=_time,
        help="judge as of then: ISO 8601, in UTC unless it says otherwise (default: now)",
    )
    parser.add_argument(
        "--max-depth",
        metavar="N",
        type=int,
        choices=range(11),
        default=DEFAULT_MAX_DEPTH,
        help="the most intermediate CAs (default: %(default)s)",
    )
    add_json(parser)


def _time(text: str) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(text)
        return (time.replace(tzinfo=dt.UTC) if time.tzinfo is None else time).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time in ISO 8601, such as 2026-11-23T18:30:00Z") from None


def run(
    *,
    file: str,
    ca: str,
    crl: str | None,
    proxy: str,
    header: str | None,
    at: dt.datetime | None,
    max_depth: int,
    json: bool,
) -> int:
    """Judge what a file holds, and print the answer.

    Not checked: that the headers came from the proxy (any peer is taken for it), and possession of the key.

    Parameters:
        file: its path, or "-".
        ca: the path of the CA bundle.
        crl: the path of the CRLs.
        proxy: the name of the row by which headers are decoded and held against each other.
        header: another name for the row's certificate header.
        at: the time of validation, aware; now if None.
        max_depth: the most intermediates.
        json: print JSON.

    Returns:
        0: accepted; 1: refused.

    Raises:
        Misuse: an option or a file is not what it should be.
        OSError: a file cannot be read.
    """
    logging.getLogger("sslclientcert").addHandler(_SILENT)
    row = row_of(proxy, header)
    # Each file is read once, so that it may be a pipe: --ca <(kubectl get secret ...)
    bundle, lists = read_bytes(ca), None if crl is None else read_bytes(crl)
    try:
        certificates = parse_certificates(bundle, ca)
        crls = () if crl is None or lists is None else parse_crls(lists, crl)
    except ValueError as error:
        raise Misuse(str(error)) from error
    trust = ca if crl is None else f"{ca} and {crl}"
    try:
        store = TrustStore(certificates, crls=crls, max_depth=max_depth)
    except ValueError as error:
        raise Misuse(f"{trust}: {error}") from error
    evidence = read(file)
    identity, refusal = None, None
    try:
        identity = _judged(evidence, row, store, at)
    except ClientCertError as error:
        refusal = error
    if json:
        answer = {
            "accepted": identity is not None,
            "code": refusal and refusal.code,
            "detail": refusal and refusal.detail,
            "identity": identity and identity.as_dict(),
        }
        print(json_format.dumps(answer, indent=2))
    else:
        now = at or dt.datetime.now(dt.UTC)
        as_of = now.isoformat(" ", "seconds").removesuffix("+00:00") + (" UTC" if at is None else " UTC (--at)")
        lines = [*_found(evidence, row), f"by:    {shown(trust)}, as of {as_of}", ""]
        if identity is not None:
            lines += [*_verified_path(identity, ca, now), "", *_acceptance(identity)]
        elif refusal is not None:
            names = {certificate.subject for certificate in certificates}
            lines += [*_presented(evidence, row, names, ca, now), *_refusal(refusal, evidence, row)]
        print("\n".join(lines))
    return int(identity is None)


def _judged(evidence: Evidence, row: Proxy, store: TrustStore, at: dt.datetime | None) -> ClientIdentity:
    """Return the verified identity.

    Raises:
        ClientCertError: there is none.
    """
    if evidence.certificates:
        return store.verify(PresentedChain.from_der(evidence.certificates), at=at)
    authenticator = ClientCertAuthenticator(store, proxy=row, trusted_proxies="*")
    headers = evidence.sent_by(row)
    identity = authenticator.authenticate(headers, at=at)
    if identity is None:
        raise CertificateMissing(
            f"{row.certificate_header} says that there was no certificate"
            if any(folded(name) == folded(row.certificate_header) for name, _ in headers)
            else f"there is no header {row.certificate_header}, by which {row.name} forwards a certificate"
        )
    return identity


def _found(evidence: Evidence, row: Proxy) -> Iterator[str]:
    yield f"found: {evidence.description(row)}"
    if evidence.headers:
        read_by_row = {folded(name) for name in row.headers if name is not None}
        for name, value in evidence.headers:
            if folded(name) in read_by_row:
                yield f"       {shown(name)}: {shown(value, 60)}".rstrip()
        yield '       The sender counts as the proxy, whoever it was (trusted_proxies="*").'


def _line(number: int, certificate: x509.Certificate, now: dt.datetime) -> str:
    return (
        f"  {number}  {shown(rfc4514(certificate.subject)) or '(no subject)'}   "
        f"{painted(f'serial {serial_number(certificate)}, {validity(certificate, now)}', 'dim')}"
    )


def _verified_path(identity: ClientIdentity, ca: str, now: dt.datetime) -> Iterator[str]:
    yield "verified path"
    for number, certificate in enumerate(identity.chain, 1):
        yield _line(number, certificate, now)
        if number < len(identity.chain):
            yield f"     {painted('ok', 'green')}: signed by {number + 1}"
        else:
            yield f"     {painted('ok', 'green')}: {shown(ca)} holds it as an anchor"


def _presented(evidence: Evidence, row: Proxy, names: set[x509.Name], ca: str, now: dt.datetime) -> Iterator[str]:
    """Yield the links of a refused chain, by what each says of itself and what is compared by name alone."""
    try:
        found = evidence.certificates or forwarded(row, evidence.sent_by(row))
        chain = [PresentedChain.from_der([der]).leaf for der in found]
    except ClientCertError:
        return
    if chain:
        yield painted("presented, UNVERIFIED: names as the certificates state them, no signature considered", "yellow")
    for number, certificate in enumerate(chain, 1):
        yield _line(number, certificate, now)
        issuer = shown(rfc4514(certificate.issuer)) or "(no name)"
        if certificate.issuer == certificate.subject:
            where = "itself"
        elif number < len(chain) and chain[number].subject == certificate.issuer:
            where = f"the name of {number + 1}"
        elif certificate.issuer in names:
            where = f"a name in {shown(ca)}"
        else:
            where = f"a name that is neither next here nor in {shown(ca)}"
        yield f"     claims the issuer {issuer}, {where}"
    if chain:
        yield ""


def _acceptance(identity: ClientIdentity) -> Iterator[str]:
    yield f"{painted('ACCEPTED', 'green')}  {shown(identity.subject) or '(no subject)'}"
    for kind, values in (
        ("DNS", identity.sans.dns_names),
        ("email", identity.sans.emails),
        ("URI", identity.sans.uris),
        ("IP", identity.sans.ip_addresses),
        ("UPN", identity.sans.upns),
        ("directory", identity.sans.directory_names),
    ):
        for value in values:
            yield f"          {kind} {shown(value)}"
    yield f"          SHA-256 {identity.fingerprint_sha256}"
    yield f"          {painted(_NOT_CHECKED, 'dim')}"


def _refusal(refusal: ClientCertError, evidence: Evidence, row: Proxy) -> Iterator[str]:
    yield f"{painted('REFUSED', 'red')}   {refusal.code}"
    detail = refusal.detail
    if refusal.code in ("certificate_missing", "header_malformed"):
        detail += hint_of_proxy(evidence, row)
    margin = " " * 10
    yield from textwrap.wrap(
        shown(detail, 4000), 110, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )
