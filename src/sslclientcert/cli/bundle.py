"""`sslclientcert bundle`: what a CA bundle holds: who, until when, with which key, and what each can be used for.

The answers are those of `TrustStore`, which is asked about each CA as if it were to issue a client's certificate.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Unpack

from ..core.certificate import ParsedCertificate
from ..core.crl import RevocationList
from ..core.errors import ClientCertError
from ..core.names import rfc4514
from ..core.policy import require_ca, require_path_length, require_validity
from ..core.status import expiries, is_pin, warnings_of
from ..core.validation import Snapshot
from .facts import facts, line
from .terminal import add_json, counted, painted, print_json, shown, wrapped
from .trusted import Trusted, TrustOptions, add_trust

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.add_argument("ca", metavar="CA", help="the CA bundle, such as the proxy's ca.crt; - for standard input")
    add_trust(parser)
    add_json(parser)


def run(*, json: bool, **options: Unpack[TrustOptions]) -> int:
    """List what a bundle holds, and warn of what needs attention.

    Not checked: whose CAs these are, and whether their certificates are the right ones.

    Parameters:
        json, options: print JSON; see `TrustOptions`.

    Returns:
        0: all of it is usable; 1: something needs attention.

    Raises:
        Misuse: an option or a file is not what it should be.
        OSError: a file cannot be read.
    """
    trusted = Trusted.read(**options)
    (bundle, revocation, *_), now = trusted.trust, trusted.now
    entries = list(_entries(trusted.trust, now))
    ends = sorted(expiries(bundle.certificates, revocation.crls), key=lambda end: (end.at, end.what))
    warnings = [*warnings_of(trusted.trust, now, options["warn_days"]), *_uncovered(revocation.crls, entries, now)]
    if json:
        print_json(
            {
                "certificates": [entry.as_dict() for entry in entries],
                "left_out": [{"what": one.what, "why": one.why} for one in bundle.left_out],
                "crls": [_crl_as_dict(crl, _signers(crl, entries)) for crl in revocation.crls],
                "ends": [{"what": end.what, "at": end.at.isoformat()} for end in ends],
                "warnings": warnings,
            }
        )
    else:
        counts = [(len(bundle.certificates) + len(bundle.left_out), "certificate"), (len(revocation.crls), "CRL")]
        found = " and ".join(counted(count, noun) for count, noun in counts if count)
        found = f"found: {found} in {shown(trusted.source)}, as of {trusted.as_of}"
        print("\n".join([found, "", *_lines(trusted.trust, entries, now), "", "ends"]))
        for end in ends:
            print(f"  {end.at:%Y-%m-%d %H:%M}  {shown(end.what)}{' (ENDED)' if end.at < now else ''}")
        for warning in warnings:
            print("\n" + "\n".join(wrapped(warning, f"{painted('WARNING', 'yellow')}  ")))
    return int(bool(warnings) or any(entry.role is None for entry in entries))


def _lines(trust: Snapshot, entries: Sequence[_Entry], now: dt.datetime) -> Iterator[str]:
    for entry in entries:
        yield from entry.lines(now)
    for one in trust.bundle.left_out:
        yield f"  -  {shown(one.what)}"
        yield from wrapped(f"it {one.why}", f"     {painted('UNUSABLE', 'red')}: ")
    for crl in trust.revocation.crls:
        yield from _crl_lines(crl, _signers(crl, entries))


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A certificate of the bundle.

    Attributes:
        number: its place, from 1.
        role: `"anchor"`, `"intermediate"`, `"pin"` (a client's own, trusted as itself), or None: unusable.
        through: the place of the certificate through which an intermediate holds.
        same_name_and_key: the places of such certificates from other issuers: it is cross-certified.
        why_no_anchor: why it is none.
    """

    number: int
    parsed: ParsedCertificate
    role: str | None
    through: int | None
    same_name_and_key: list[int]
    why_no_anchor: str | None

    def as_dict(self) -> dict[str, object]:
        kept = ("subject", "issuer", "serial_number", "not_before", "not_after", "public_key", "fingerprint_sha256")
        own = ("role", "through", "same_name_and_key", "why_no_anchor")
        said = {**facts(self.parsed.certificate), **vars(self)}
        return {name: said[name] for name in (*kept, *own)}

    def lines(self, now: dt.datetime) -> Iterator[str]:
        certificate, why = self.parsed.certificate, self.why_no_anchor
        yield line(self.number, certificate, now, facts(certificate)["public_key"])
        label = painted("UNUSABLE", "red") if self.role is None else painted(self.role, "green")
        yield from wrapped(why or "", f"     {label}{': ' if why else ''}")
        if self.same_name_and_key:
            yield f"     cross-certified: {' and '.join(map(str, self.same_name_and_key))} has the same name and key"


def _entries(trust: Snapshot, now: dt.datetime) -> Iterator[_Entry]:
    bundle = trust.bundle
    numbers = {one: number for number, one in enumerate(bundle.certificates, 1)}
    for one, number in numbers.items():
        role, through, why = None, None, bundle.unusable.get(one)
        try:
            require_validity(one, now, dt.timedelta(), is_ca=True)
            if why is None:
                role = "anchor" if one in bundle.anchors else "intermediate"
                require_ca(one)
                issuers = [issuer for issuer in bundle.links.issuers_of(one) if _is_usable(trust, issuer, now, [one])]
                if role == "intermediate" and issuers:
                    through = numbers[issuers[0]]
                    why = f"its issuer is in the bundle too, so it holds only through {through}"
                elif role == "intermediate":
                    role = None
                    why = f"no path of at most {trust.max_depth} intermediates leads from it to a usable anchor"
        except ClientCertError as error:
            role, why = "pin" if role == "anchor" and is_pin(one) else None, error.detail
        twins = [
            place
            for other, place in numbers.items()
            if (other.subject, other.spki) == (one.subject, one.spki) and other.issuer != one.issuer
        ]
        yield _Entry(number, one, role, through, twins, why)


def _is_usable(trust: Snapshot, ca: ParsedCertificate, now: dt.datetime, below: Sequence[ParsedCertificate]) -> bool:
    """Say whether a CA of the bundle can stand above others: by its rules, its path length, and what is above it."""
    try:
        require_validity(ca, now, dt.timedelta(), is_ca=True)
        require_ca(ca)
        require_path_length(ca, sum(not one.is_self_issued for one in below))
    except ClientCertError:
        return False
    return len(below) <= trust.max_depth and (
        ca in trust.bundle.anchors
        or any(
            issuer not in below and _is_usable(trust, issuer, now, [*below, ca])
            for issuer in trust.bundle.links.issuers_of(ca)
        )
    )


def _uncovered(crls: Sequence[RevocationList], entries: Sequence[_Entry], now: dt.datetime) -> Iterator[str]:
    """Yield a sentence for each CA without a current list of its own, where there are lists at all."""
    for entry in entries:
        if crls and entry.role in ("anchor", "intermediate"):
            own = [crl for crl in crls if crl.fault is None and crl.is_by(entry.parsed)]
            if not any(crl.this_update <= now <= crl.next_update and not crl.scope.is_delta for crl in own):
                name = shown(rfc4514(entry.parsed.certificate.subject))
                yield (
                    f"there is no current CRL of {entry.number}, {name}: what it issued is refused (revocation_unknown)"
                )


def _signers(crl: RevocationList, entries: Sequence[_Entry]) -> list[int]:
    return [entry.number for entry in entries if crl.is_by(entry.parsed)]


def _crl_as_dict(crl: RevocationList, signers: list[int]) -> dict[str, object]:
    return {
        "issuer": crl.issuer_text,
        "number": None if crl.number is None else str(crl.number),
        "this_update": crl.this_update.isoformat(),
        "next_update": crl.next_update.isoformat(),
        "revoked": len(crl.serial_numbers),
        "scope": crl.scope.description,
        "fault": crl.fault,
        "signed_by": signers,
    }


def _crl_lines(crl: RevocationList, signers: list[int]) -> Iterator[str]:
    number = "" if crl.number is None else f"number {crl.number}, "
    period = f"{crl.this_update:%Y-%m-%d %H:%M} to {crl.next_update:%Y-%m-%d %H:%M}"
    said = f"{number}{len(crl.serial_numbers)} revoked, {period}"
    yield f"  CRL of {shown(crl.issuer_text)}   {painted(said, 'dim')}"
    if crl.fault is not None:
        yield f"     {painted('UNUSABLE', 'red')}: {crl.fault}"
    elif signers:
        yield f"     {painted('signed', 'green')} by {' and '.join(map(str, signers))}, about {crl.scope.description}"
    else:
        yield f"     {painted('UNUSABLE', 'red')}: no CA of the bundle signed it, with cRLSign and more than SHA-1"
