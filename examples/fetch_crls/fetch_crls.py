"""Fetches CRLs into a folder that the application reads, for a CronJob. Each file is replaced at once, or not at all.

    python fetch_crls.py --ca /etc/client-ca/ca.crt /crls clients.crl=http://crl.example.org/clients.crl ...

Before a list replaces the one of before, it is held against it: it parses as one CRL, a CA of the bundle has signed it,
it is in force now, and it is not older than the list that is there. Does not check: whether the list is complete for
its CA, whether it is a partition or a delta, and what it revokes. The library does that when it loads the file.

The exit status is 1 if a list was not fetched, so that the Job fails and an alert on failed Jobs fires.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.client
import os
import re
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

TIMEOUT_SECONDS = 60.0
MOST_BYTES = 256 * 1024 * 1024  # a list of a million entries has 40 MB
CLOCK_SKEW = dt.timedelta(minutes=5)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch every list, and return how it went as an exit status."""
    parser = argparse.ArgumentParser(description="Fetch CRLs into a folder.")
    parser.add_argument("--ca", type=Path, required=True, help="the CA bundle, PEM")
    parser.add_argument("folder", type=Path, help="where the lists go")
    parser.add_argument("lists", nargs="+", metavar="FILE=URL", help="the name of a file there, and where its list is")
    options = parser.parse_args(arguments)
    cas = list(certificates(options.ca.read_bytes()))
    failed = 0
    for each in options.lists:
        name, _, url = each.partition("=")
        if name in ("", "..") or Path(name).name != name or not url.startswith(("http://", "https://")):
            parser.error(f"{each} is not the name of a file, '=', and a URL that begins with http:// or https://")
        try:
            print(f"{name}: {update(options.folder / name, url, cas)}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            print(f"{name}: NOT FETCHED from {url}, the file stays as it is: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def certificates(pem: bytes) -> Iterator[x509.Certificate]:
    """Yield the certificates of a bundle that can be read, as the library does."""
    for block in re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pem, re.DOTALL):
        with contextlib.suppress(ValueError):
            yield x509.load_pem_x509_certificate(block)


def update(path: Path, url: str, cas: Sequence[x509.Certificate]) -> str:
    """Replace a list by the one at a URL, and return what was done.

    Raises:
        OSError, HTTPException: it could not be fetched or written.
        ValueError: it is not a list to replace the one of before by. The message says why.
    """
    new = load(fetch(url))
    require_usable(new, cas, dt.datetime.now(dt.UTC))
    try:
        old = load(path.read_bytes())
    except (FileNotFoundError, ValueError):
        old = None  # nothing to lose
    if old is not None and old.issuer == new.issuer and new.last_update_utc < old.last_update_utc:
        raise ValueError(f"it is of {new.last_update_utc}, older than the list that is there, of {old.last_update_utc}")
    replace(path, new.public_bytes(Encoding.PEM))
    return f"of {new.last_update_utc}, until {new.next_update_utc}"


def fetch(url: str) -> bytes:
    """Return what is at a URL.

    Raises:
        OSError, HTTPException: the server does not answer, or not with 200, or the answer is cut short.
        ValueError: it is too large.
    """
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310  # http or https, see main
        if response.status != 200:
            raise OSError(f"the server answered {response.status}")
        announced = response.headers.get("Content-Length")
        content: bytes = response.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    if announced is not None and len(content) != int(announced):
        raise OSError(f"{len(content)} of {announced} bytes arrived")
    return content


def load(content: bytes) -> x509.CertificateRevocationList:
    """Return the one CRL that is there, PEM or DER.

    Raises:
        ValueError: it is something else.
    """
    is_pem = content.lstrip().startswith(b"-----BEGIN X509 CRL-----")
    try:
        return x509.load_pem_x509_crl(content) if is_pem else x509.load_der_x509_crl(content)
    except ValueError as error:
        raise ValueError(f"it is not a CRL; it begins with {content[:40]!r}") from error


def require_usable(crl: x509.CertificateRevocationList, cas: Sequence[x509.Certificate], now: dt.datetime) -> None:
    """Refuse a list that no CA of the bundle has signed, or that is not in force.

    Raises:
        ValueError: it is one.
    """
    if not any(ca.subject == crl.issuer and _is_by(crl, ca) for ca in cas):
        raise ValueError(f"no CA of the bundle has signed it; its issuer is {crl.issuer.rfc4514_string()}")
    if crl.last_update_utc > now + CLOCK_SKEW:
        raise ValueError(f"it begins at {crl.last_update_utc}; check this host's clock")
    if crl.next_update_utc is None or crl.next_update_utc < now:
        raise ValueError(f"it ended at {crl.next_update_utc}")


def _is_by(crl: x509.CertificateRevocationList, ca: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]  # a key that signs nothing is a TypeError
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def replace(path: Path, content: bytes) -> None:
    """Write a file next to the old one, and replace the old one in one step."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)  # a list is public; the application runs as another user
        beside.replace(path)
    except BaseException:
        beside.unlink()
        raise


if __name__ == "__main__":
    sys.exit(main())
