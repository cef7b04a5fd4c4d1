"""`sslclientcert encode`: the header lines by which a proxy passes on a certificate, for curl and for tests by hand."""

from __future__ import annotations

import argparse

from ..testing.encoders import encode
from .evidence import read, row_of
from .terminal import Misuse, add_file, add_proxy

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    add_file(parser, "the client's certificate in PEM or DER, its intermediates behind it")
    add_proxy(parser)
    parser.add_argument("--header", metavar="NAME", help="another name for the proxy's certificate header")


def run(*, file: str, proxy: str, header: str | None) -> int:
    """Print header lines that `curl -H @FILE` sends. Nothing is verified, and they prove nothing.

    Parameters:
        file: the path of the certificates, or "-".
        proxy: the name of the row.
        header: another name for the row's certificate header.

    Returns:
        0.

    Raises:
        Misuse: there is no such proxy, or the file holds no certificate, or one that no header can carry.
        OSError: the file cannot be read.

    Source: https://curl.se/docs/manpage.html#-H (a name and a semicolon send a header without a value).
    """
    row = row_of(proxy, header)
    evidence = read(file)
    if not evidence.certificates:
        raise Misuse(
            f"{evidence.source}: it holds no certificate in PEM ('-----BEGIN CERTIFICATE-----') or DER; "
            "to see what is in a header, use: sslclientcert inspect"
        )
    leaf, *intermediates = evidence.certificates
    lines = []
    for name, value in encode(leaf, row, intermediates=intermediates).items():
        if not (value.isascii() and value.isprintable()):
            raise Misuse(f"{evidence.source}: a name in it holds a line break or the like, which no header can carry")
        lines.append(f"{name}: {value}" if value else f"{name};")
    print("\n".join(lines))
    return 0
