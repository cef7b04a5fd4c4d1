"""`sslclientcert inspect`: what a certificate or a header holds. It verifies nothing, and says so first and last."""

from __future__ import annotations

import argparse
import datetime as dt
import json as json_format
import textwrap
from collections.abc import Iterator, Sequence

from cryptography import x509

from ..core.errors import ClientCertError
from ..core.presented import PresentedChain
from .evidence import forwarded, hint_of_proxy, read, row_of
from .facts import facts, hints, serial_number, validity
from .terminal import add_file, add_json, add_proxy, painted, shown

__all__ = ["add_arguments", "run"]

_WARNING = "NOT VERIFIED. ANYBODY CAN MAKE A CERTIFICATE THAT SAYS THIS."
_LABELS = {
    "subject": "subject",
    "issuer": "issuer",
    "version": "version",
    "public_key": "key",
    "signature_algorithm": "signed with",
    "subject_alternative_names": "names",
    "key_usage": "key usage",
    "extended_key_usage": "purposes",
    "extensions": "extensions",
    "fingerprint_sha256": "SHA-256",
    "fingerprint_sha1": "SHA-1",
    "thumbprint_s256": "x5t#S256",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_file(parser, "a header's value, request headers, or certificates in PEM or DER")
    add_proxy(parser)
    add_json(parser)


def run(*, file: str, proxy: str, json: bool) -> int:
    """Print what a file holds. **Nothing is verified.**

    Parameters:
        file: its path, or "-".
        proxy: the name of the row by which headers are decoded.
        json: print JSON.

    Returns:
        0, or 1 where there is no certificate, or one does not decode.

    Raises:
        Misuse: there is no such proxy, or the file is nothing to inspect.
        OSError: the file cannot be read.
    """
    row = row_of(proxy)
    evidence = read(file)
    detail = None
    try:
        certificates = evidence.certificates or forwarded(row, evidence.sent_by(row))
        if not certificates:
            detail = f"no {row.certificate_header} with a certificate in it" + hint_of_proxy(evidence, row)
    except ClientCertError as error:
        certificates, detail = (), error.detail
    seats = [_Seat(position, der) for position, der in enumerate(certificates)]
    if json:
        answer = {
            "verified": False,
            "detail": detail,
            "certificates": [seat.as_dict(seats) for seat in seats],
            "warning": _WARNING,
        }
        print(json_format.dumps(answer, indent=2))
    else:
        print(painted(_WARNING, "yellow"))
        print(f"\nfound: {evidence.description(row)}")
        if detail is not None:
            print(f"\n{painted('NOT DECODED', 'red')}  {shown(detail, 2000)}")
        for seat in seats:
            print("\n" + "\n".join(seat.lines(seats)))
        print(f"\n{painted(_WARNING, 'yellow')}")
    return int(detail is not None or any(seat.certificate is None for seat in seats))


class _Seat:
    """A certificate and its place: 0 is where the client's own belongs."""

    def __init__(self, position: int, der: bytes) -> None:
        self.position = position
        self.certificate: x509.Certificate | None = None
        self.detail = None
        try:
            self.certificate = PresentedChain.from_der([der]).leaf
        except ClientCertError as error:
            self.detail = error.detail.replace("certificate 1", "it")

    def _hints(self, seats: Sequence[_Seat]) -> Iterator[str]:
        if self.certificate is None:
            return
        yield from hints(self.certificate, self.position, dt.datetime.now(dt.UTC))
        following = seats[self.position + 1].certificate if self.position + 1 < len(seats) else None
        if following is not None and following.subject != self.certificate.issuer:
            yield f"certificate {self.position + 2} does not bear the name of its issuer, so together they are no chain"

    def as_dict(self, seats: Sequence[_Seat]) -> dict[str, object]:
        said = {} if self.certificate is None else facts(self.certificate)
        return {**said, "detail": self.detail, "hints": list(self._hints(seats))}

    def lines(self, seats: Sequence[_Seat]) -> Iterator[str]:
        yield f"certificate {self.position + 1} of {len(seats)}"
        if self.certificate is None:
            yield from _labelled("broken", [self.detail])
            return
        for name, value in facts(self.certificate).items():
            if name == "serial_number":
                yield from _labelled("serial", [f"{serial_number(self.certificate)} ({value})"])
            elif name == "not_before":
                yield from _labelled("valid", [validity(self.certificate, dt.datetime.now(dt.UTC))])
            elif isinstance(value, list) and name != "subject_alternative_names":
                yield from _labelled(_LABELS[name], textwrap.wrap(", ".join(value), 100))  # our words, no stranger's
            elif name in _LABELS:
                yield from _labelled(_LABELS[name], value if isinstance(value, list) else [value])
        for hint in self._hints(seats):
            yield from _labelled(painted(f"{'hint':<12}", "yellow"), textwrap.wrap(shown(hint, 2000), 100))


def _labelled(label: str, values: Sequence[object]) -> Iterator[str]:
    """Yield a line a value, the first one behind the label; of no value nothing."""
    for number, value in enumerate(values):
        yield f"  {'' if number else label:<12}{shown(value)}"
