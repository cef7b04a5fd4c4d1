"""`sslclientcert verify`: judge a certificate or the headers of a request, as an application with this CA bundle would.

Trust comes from `TrustStore` and `ClientCertAuthenticator` alone. What is printed next to a refusal is not verified.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Iterator
from typing import Unpack

from cryptography import x509

from ..core.authenticator import ClientCertAuthenticator
from ..core.certificate import ParsedCertificate
from ..core.errors import CertificateMissing, ClientCertError
from ..core.headers import folded
from ..core.identity import ClientIdentity
from ..core.names import rfc4514
from ..core.peers import DEFAULT_TRUSTED_PROXIES, UNIX
from ..core.presented import PresentedChain
from ..core.proxies import Proxy
from ..core.status import ends_soon, expiries, odd_certificates, odd_crls
from .evidence import Evidence, forwarded, hint_of_proxy, read, row_of
from .facts import line
from .terminal import Misuse, add_file, add_json, add_proxy, painted, print_json, shown, wrapped
from .trusted import Trusted, TrustOptions, add_trust

__all__ = ["add_arguments", "run"]

_KINDS_OF_NAMES = ("DNS", "email", "URI", "IP", "UPN", "directory")  # in the order of `SubjectAlternativeNames`
_NOT_CHECKED = "Not checked, since it cannot be from here: who sent it, and that they hold the private key."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_file(parser, "a header's value, request headers (as curl -v or a log shows them), or certificates, leaf first")
    parser.add_argument("--ca", metavar="FILE", required=True, help="the CA bundle, such as the proxy's ca.crt")
    add_proxy(parser)
    parser.add_argument("--header", metavar="NAME", help="another name for the proxy's certificate header")
    parser.add_argument("--peer", metavar="ADDRESS", help='who sent the headers: an address, or "unix"')
    parser.add_argument("--trusted-proxies", metavar="LIST", help="as in the application, with commas; with --peer")
    add_trust(parser)
    add_json(parser)


def run(
    *,
    file: str,
    proxy: str,
    header: str | None,
    peer: str | None,
    trusted_proxies: str | None,
    json: bool,
    **options: Unpack[TrustOptions],
) -> int:
    """Judge what a file holds, and print the answer.

    Not checked: possession of the key; and that the headers came from the proxy, unless `peer` says who sent them.

    Parameters:
        file: its path, or "-".
        proxy, header: the row by which headers are decoded and held against each other; another certificate header.
        peer: the address that the headers came from, as the server tells it, or "unix"; the proxy's if None.
        trusted_proxies: as for `ClientCertAuthenticator`, with commas; its default if None.
        json, options: print JSON; see `TrustOptions`.

    Returns:
        0: accepted; 1: refused.

    Raises:
        Misuse: an option or a file is not what it should be.
        OSError: a file cannot be read.
    """
    row = row_of(proxy, header)
    trusted = Trusted.read(**options)
    evidence = read(file)
    found = _decided(evidence, row, trusted, peer, trusted_proxies)
    warnings = _warnings(found, trusted, options["warn_days"])
    if json:
        _print_json(found, warnings)
    else:
        answer = _answer(found, evidence, row, trusted, options["ca"])
        _print([*_found(evidence, row, peer), *answer], warnings)
    return int(isinstance(found, ClientCertError))


def _warnings(found: ClientIdentity | ClientCertError, trusted: Trusted, within: dt.timedelta) -> list[str]:
    bundle, revocation, *_ = trusted.trust
    chain = () if isinstance(found, ClientCertError) else map(ParsedCertificate, found.chain)
    return [
        *ends_soon(expiries(chain, revocation.crls), trusted.now, within),
        *odd_certificates(bundle, has_crls=bool(revocation.crls)),
        *odd_crls(bundle, revocation.crls),
    ]


def _print_json(found: ClientIdentity | ClientCertError, warnings: list[str]) -> None:
    identity, refusal = (None, found) if isinstance(found, ClientCertError) else (found, None)
    print_json(
        {
            "accepted": identity is not None,
            "code": refusal and refusal.code,
            "detail": refusal and refusal.detail,
            "identity": identity and identity.as_dict(),
            "warnings": warnings,
        }
    )


def _print(lines: list[str], warnings: list[str]) -> None:
    print("\n".join([*lines, *[""] * bool(warnings)]))
    print(*(f"{painted('WARNING', 'yellow')}   {shown(warning)}\n" for warning in warnings), sep="", end="")


def _answer(
    found: ClientIdentity | ClientCertError, evidence: Evidence, row: Proxy, trusted: Trusted, ca: str
) -> list[str]:
    judged_by = [f"by:    {shown(trusted.source)}, as of {trusted.as_of}", ""]
    if not isinstance(found, ClientCertError):
        return [*judged_by, *_verified_path(found, ca, trusted.now), "", *_acceptance(found)]
    names = {one.certificate.subject for one in trusted.trust.bundle.certificates}
    return [*judged_by, *_presented(evidence, row, names, ca, trusted.now), *_refusal(found, evidence, row)]


def _decided(
    evidence: Evidence, row: Proxy, trusted: Trusted, peer: str | None, trusted_proxies: str | None
) -> ClientIdentity | ClientCertError:
    """Return the verified identity, or the refusal.

    Raises:
        Misuse: the options do not go with each other, or with the file.
    """
    if peer is None and trusted_proxies is not None:
        raise Misuse("--trusted-proxies goes with --peer, which says who sent the headers")
    if peer is not None and evidence.certificates:
        raise Misuse("--peer goes with headers, and the file holds certificates")
    try:
        if evidence.certificates:
            return trusted.store.verify(PresentedChain.from_der(evidence.certificates), at=trusted.at)
        peers = UNIX if peer is None else trusted_proxies or DEFAULT_TRUSTED_PROXIES
        authenticator = ClientCertAuthenticator(trusted.store, proxy=row, trusted_proxies=peers)
        headers = evidence.sent_by(row)
        identity = authenticator.authenticate(headers, peer=UNIX if peer is None else peer, at=trusted.at)
    except ClientCertError as error:
        return error
    except ValueError as error:
        raise Misuse(str(error)) from error
    return identity or CertificateMissing(
        f"{row.certificate_header} says that there was no certificate"
        if any(folded(name) == folded(row.certificate_header) for name, _ in headers)
        else f"there is no header {row.certificate_header}, by which {row.name} forwards a certificate"
    )


def _found(evidence: Evidence, row: Proxy, peer: str | None) -> Iterator[str]:
    yield f"found: {evidence.description(row)}"
    if evidence.headers:
        read_by_row = {folded(name) for name in row.headers if name is not None}
        for name, value in evidence.headers:
            if folded(name) in read_by_row:
                yield f"       {shown(name)}: {shown(value, 60)}".rstrip()
    if peer is not None:
        yield f"       sent by {shown(peer)}"
    elif evidence.headers:
        yield "       The sender counts as the proxy. To name another one, use --peer."


def _verified_path(identity: ClientIdentity, ca: str, now: dt.datetime) -> Iterator[str]:
    yield "verified path"
    for number, certificate in enumerate(identity.chain, 1):
        yield line(number, certificate, now)
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
        yield line(number, certificate, now)
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
    for kind, values in zip(_KINDS_OF_NAMES, vars(identity.sans).values(), strict=True):
        for value in values:
            yield f"          {kind} {shown(value)}"
    yield f"          SHA-256 {identity.fingerprint_sha256}"
    yield f"          {painted(_NOT_CHECKED, 'dim')}"


def _refusal(refusal: ClientCertError, evidence: Evidence, row: Proxy) -> Iterator[str]:
    yield f"{painted('REFUSED', 'red')}   {refusal.code}"
    hint = hint_of_proxy(evidence, row) if refusal.code == "certificate_missing" else ""
    yield from wrapped(refusal.detail + hint, " " * 10)
