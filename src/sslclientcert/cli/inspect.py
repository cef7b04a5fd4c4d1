"""`sslclientcert inspect`: what a certificate or a header holds. It verifies nothing, and says so first and last."""

from __future__ import annotations

import argparse
import datetime as dt
import textwrap
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cryptography import x509

from ..core.errors import ClientCertError, serial_text
from ..core.presented import PresentedChain
from .evidence import forwarded, hint_of_proxy, read, row_of
from .facts import facts, hints, validity
from .terminal import add_file, add_json, add_proxy, painted, print_json, shown

__all__ = ["add_arguments", "run"]

_Chain: TypeAlias = "Sequence[x509.Certificate | str]"  # the client's own certificate first, or what is wrong with it

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
    chain = [_parsed(der) for der in certificates]
    if json:
        said = [_as_dict(chain, position) for position in range(len(chain))]
        print_json({"verified": False, "detail": detail, "certificates": said, "warning": _WARNING})
    else:
        print(painted(_WARNING, "yellow"))
        print(f"\nfound: {evidence.description(row)}")
        if detail is not None:
            print(f"\n{painted('NOT DECODED', 'red')}  {shown(detail, 2000)}")
        for position in range(len(chain)):
            print("\n" + "\n".join(_lines(chain, position)))
        print(f"\n{painted(_WARNING, 'yellow')}")
    return int(detail is not None or any(isinstance(one, str) for one in chain))


def _parsed(der: bytes) -> x509.Certificate | str:
    """Return the certificate, or what is wrong with it."""
    try:
        return PresentedChain.from_der([der]).leaf
    except ClientCertError as error:
        return error.detail.replace("certificate 1", "it")


def _hints(chain: _Chain, position: int) -> Iterator[str]:
    one, following = chain[position], next(iter(chain[position + 1 :]), "")
    if isinstance(one, x509.Certificate):
        yield from hints(one, position, dt.datetime.now(dt.UTC))
        if isinstance(following, x509.Certificate) and following.subject != one.issuer:
            yield f"certificate {position + 2} does not bear the name of its issuer, so together they are no chain"


def _as_dict(chain: _Chain, position: int) -> dict[str, object]:
    one, said = chain[position], {"hints": list(_hints(chain, position))}
    return {"detail": one, **said} if isinstance(one, str) else {**facts(one), "detail": None, **said}


def _lines(chain: _Chain, position: int) -> Iterator[str]:
    one = chain[position]
    yield f"certificate {position + 1} of {len(chain)}"
    if isinstance(one, str):
        yield from _labelled("broken", [one])
        return
    for name, value in facts(one).items():
        if name == "serial_number":
            yield from _labelled("serial", [f"{serial_text(one.serial_number)} ({value})"])
        elif name == "not_before":
            yield from _labelled("valid", [validity(one, dt.datetime.now(dt.UTC))])
        elif isinstance(value, list) and name != "subject_alternative_names":
            yield from _labelled(_LABELS[name], textwrap.wrap(", ".join(value), 100))  # our words, no stranger's
        elif name in _LABELS:
            yield from _labelled(_LABELS[name], value if isinstance(value, list) else [value])
    for hint in _hints(chain, position):
        yield from _labelled(painted(f"{'hint':<12}", "yellow"), textwrap.wrap(shown(hint, 2000), 100))


def _labelled(label: str, values: Sequence[object]) -> Iterator[str]:
    """Yield a line a value, the first one behind the label; of no value nothing."""
    for number, value in enumerate(values):
        yield f"  {'' if number else label:<12}{shown(value)}"
