"""`sslclientcert bundle`: what a CA bundle holds: who, until when, with which key, and what each can be used for.

The answers are those of `TrustStore`, which is asked about each CA as if it were to issue a client's certificate.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import json as json_format
import textwrap
from collections.abc import Iterator, Sequence

from cryptography import x509

from ..core.crl import RevocationList
from ..core.errors import ClientCertError
from ..core.names import rfc4514
from ..core.policy import require_ca, require_client_leaf, require_validity
from .facts import facts, serial_number, validity
from .terminal import add_json, painted, shown
from .trusted import Trusted, add_at, add_crl, add_max_depth, add_warn_days, as_of

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument("ca", metavar="CA", help="the CA bundle, such as the proxy's ca.crt; - for standard input")
    add_crl(parser)
    add_at(parser)
    add_max_depth(parser)
    add_warn_days(parser)
    add_json(parser)


def run(
    *, ca: str, crl: str | None, at: dt.datetime | None, max_depth: int, warn_days: dt.timedelta, json: bool
) -> int:
    """List what a bundle holds, and warn of what needs attention.

    Not checked: whose CAs these are, and whether their certificates are the right ones.

    Parameters:
        ca: the path of the CA bundle, or "-".
        crl: the path of the CRLs.
        at: the time to judge as of, aware; now if None.
        max_depth: the most intermediates.
        warn_days: how long before its end a certificate is worth a warning.
        json: print JSON.

    Returns:
        0: all of it is of use; 1: something needs attention.

    Raises:
        Misuse: an option or a file is not what it should be.
        OSError: a file cannot be read.
    """
    trusted = Trusted.read(ca, crl, max_depth)
    now, said = as_of(at)
    entries = [_entry(trusted, number, now) for number, _ in enumerate(trusted.certificates, 1)]
    warnings = [*trusted.store._current().warnings(now, warn_days), *_uncovered(trusted, entries, now)]
    if json:
        answer = {
            "certificates": [entry.as_dict() for entry in entries],
            "crls": [_list_as_dict(one, _signers(one, entries)) for one in trusted.lists],
            "warnings": warnings,
        }
        print(json_format.dumps(answer, indent=2))
    else:
        print(f"found: {_counted(trusted)} in {shown(trusted.source)}, as of {said}\n")
        for entry in entries:
            print("\n".join(entry.lines(now)))
        for one in trusted.lists:
            print("\n".join(_list_lines(one, _signers(one, entries))))
        for warning in warnings:
            print("\n".join(["", *_wrapped(warning, f"{painted('WARNING', 'yellow')}  ")]))
    return int(bool(warnings) or any(entry.role is None for entry in entries))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Entry:
    """A certificate of the bundle.

    Attributes:
        number: its place, from 1.
        role: `"anchor"`, `"intermediate"`, `"pin"` (a client's own, trusted as itself), or None: of no use.
        through: the place of the certificate through which an intermediate holds.
        why: why it is no anchor.
    """

    number: int
    certificate: x509.Certificate
    role: str | None
    through: int | None = None
    why: str | None = None

    def as_dict(self) -> dict[str, object]:
        said = facts(self.certificate)
        kept = ("subject", "issuer", "serial_number", "not_before", "not_after", "public_key", "fingerprint_sha256")
        return {
            **{name: said[name] for name in kept},
            "role": self.role,
            "through": self.through,
            "why_no_anchor": self.why,
        }

    def lines(self, now: dt.datetime) -> Iterator[str]:
        said = f"serial {serial_number(self.certificate)}, {validity(self.certificate, now)}, "
        yield (
            f"  {self.number}  {shown(rfc4514(self.certificate.subject)) or '(no subject)'}   "
            f"{painted(said + str(facts(self.certificate)['public_key']), 'dim')}"
        )
        label = painted("OF NO USE", "red") if self.role is None else painted(self.role, "green")
        yield from _wrapped(self.why or "", f"     {label}{': ' if self.why else ''}")


def _entry(trusted: Trusted, number: int, now: dt.datetime) -> _Entry:
    trust = trusted.store._current()
    certificate = trusted.certificates[number - 1]
    role, through, why = None, None, None
    try:
        require_validity(certificate, now)
        role, why = _pin(certificate) if certificate in trust.anchors else (None, None)
        if role is None:
            require_ca(certificate)
            path = trust.path_above(certificate, now)
            role = "anchor"
            if len(path) > 1:
                through = trusted.certificates.index(path[1]) + 1
                role, why = "intermediate", f"its issuer is in the bundle too, so it holds only through {through}"
    except ClientCertError as error:
        why = error.detail
    return _Entry(number=number, certificate=certificate, role=role, through=through, why=why)


def _pin(certificate: x509.Certificate) -> tuple[str | None, str | None]:
    """Return the role of a certificate that is no CA, though nothing in the bundle issued it, and why it is none."""
    try:
        require_ca(certificate)
    except ClientCertError as no_ca:
        try:
            require_client_leaf(certificate)
        except ClientCertError:
            return None, None
        return "pin", f"it is trusted as a client's own and for nobody else, for {no_ca.detail}"
    return None, None


def _uncovered(trusted: Trusted, entries: Sequence[_Entry], now: dt.datetime) -> Iterator[str]:
    """Yield a sentence for each CA without a current list of its own, where there are lists at all."""
    for entry in entries:
        if trusted.lists and entry.role in ("anchor", "intermediate"):
            own = [one for one in trusted.lists if entry.number in _signers(one, [entry])]
            if not any(one.this_update <= now <= one.next_update for one in own):
                yield (
                    f"there is no current CRL of {entry.number}, {shown(rfc4514(entry.certificate.subject))}: what it "
                    "issued is refused (revocation_unknown)"
                )


def _signers(one: RevocationList, entries: Sequence[_Entry]) -> list[int]:
    return [
        entry.number for entry in entries if entry.certificate.subject == one.issuer and one.is_by(entry.certificate)
    ]


def _list_as_dict(one: RevocationList, signers: list[int]) -> dict[str, object]:
    return {
        "issuer": rfc4514(one.issuer),
        "number": None if one.number is None else str(one.number),
        "this_update": one.this_update.isoformat(),
        "next_update": one.next_update.isoformat(),
        "revoked": len(one.serial_numbers),
        "signed_by": signers,
    }


def _list_lines(one: RevocationList, signers: list[int]) -> Iterator[str]:
    number = "" if one.number is None else f"number {one.number}, "
    period = f"{one.this_update:%Y-%m-%d %H:%M} to {one.next_update:%Y-%m-%d %H:%M}"
    said = f"{number}{len(one.serial_numbers)} revoked, {period}"
    yield f"  CRL of {shown(rfc4514(one.issuer))}   {painted(said, 'dim')}"
    if signers:
        yield f"     {painted('signed', 'green')} by {' and '.join(map(str, signers))}"
    else:
        yield f"     {painted('OF NO USE', 'red')}: no CA of the bundle signed it, with cRLSign and more than SHA-1"


def _counted(trusted: Trusted) -> str:
    counts = [(len(trusted.certificates), "certificate"), (len(trusted.lists), "CRL")]
    return " and ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count)


def _wrapped(text: str, start: str) -> list[str]:
    width = 110
    lines = textwrap.wrap(shown(text, 4000), width, break_on_hyphens=False) or [""]
    return [start + lines[0], *(" " * 10 + line for line in lines[1:])]
