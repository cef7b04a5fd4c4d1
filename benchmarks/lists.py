"""What a CRL costs, up to a million entries: to load, in memory, other threads, and a lookup."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sslclientcert import PresentedChain, TrustStore, decode
from sslclientcert.core.certificate import ParsedCertificate
from sslclientcert.testing import ClientCA

from .pki import issue
from .processes import MEGABYTE, forget_peak, in_new_process, peak, resident
from .tables import Cell, Table
from .timing import Rounds, added, calls, interleave, median, quartiles

__all__ = ["IDLE", "LOAD", "LOOKUP", "MILLION", "PEAK", "STALL", "run"]

LOAD, PEAK, STALL, IDLE, LOOKUP = "load, s", "peak, MB", "stall, ms", "stall without, ms", "lookup, µs"
MILLION = "1,000,000"

_KINDS = {  # entries, reasons in them, PEM
    "10": (10, False, False),
    "10,000": (10_000, False, False),
    "100,000": (100_000, False, False),
    MILLION: (1_000_000, False, False),
    f"{MILLION}, PEM": (1_000_000, False, True),
    f"{MILLION}, each with a reason": (1_000_000, True, False),
}
_RUNS = 3
_REASON = bytes.fromhex("300c300a0603551d1504030a0101")  # CRLReason keyCompromise, RFC 5280 section 5.3.1


class _Cost(NamedTuple):
    seconds: float
    peak: float
    held: float
    stall: float
    idle: float
    lookup: Rounds


def run(effort: float) -> Table:
    """Measure each list in new processes."""
    rows: dict[str, list[Cell | str | None]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ca = ClientCA()
        bundle, few, path = ca.write(Path(folder, "ca.crt")), Path(folder, "few.crl"), Path(folder, "ca.crl")
        header = issue(ca, "ec").headers()["ssl-client-cert"]
        few.write_bytes(_crl(ca, 10))
        for name, (entries, reasons, pem) in _KINDS.items():
            if effort < 1 and name not in list(_KINDS)[:4]:
                continue
            path.write_bytes(_crl(ca, entries, reasons=reasons, pem=pem))
            runs = [
                in_new_process(_cost, str(bundle), str(path), str(few), header, 0.3 * effort)
                for _ in range(_RUNS if effort >= 1 else 1)
            ]
            lookups = list(itertools.chain.from_iterable(one.lookup for one in runs))
            rows[name] = [
                Cell(path.stat().st_size / MEGABYTE),
                Cell(median(one.seconds for one in runs)),
                Cell(median(one.peak for one in runs) / MEGABYTE),
                Cell(median(one.held for one in runs) / MEGABYTE),
                Cell(median(one.stall for one in runs) * 1e3),
                Cell(median(one.idle for one in runs) * 1e3),
                Cell(median(lookups) * 1e6, quartiles([each * 1e6 for each in lookups])),
            ]
    return Table(
        "Entries in the CRL",
        ("", "file, MB", LOAD, PEAK, "held, MB", STALL, IDLE, LOOKUP),
        rows,
        "P-256 issuer, DER unless it says PEM, serial numbers of 16 bytes; medians of new processes. *load*: "
        "`TrustStore.from_file` and the first verification, which checks the list's signature. *peak*, *held*: above "
        "what the process had before. *stall*: the longest time in which another thread, which wakes every "
        "millisecond, did not get to run; beside it the same for as long with nothing going on. *lookup*: what asking "
        "this list takes more than asking one of ten entries.",
    )


def _cost(bundle: str, path: str, few: str, header: str, seconds: float) -> _Cost:
    """Measure one list; in a new process."""
    presented = decode(header)
    small = _Asking(TrustStore.from_file(bundle, few), presented)  # what a process does only once is done
    forget_peak()
    before = resident()
    with _Watch() as watch:
        start = time.perf_counter()
        large = _Asking(TrustStore.from_file(bundle, path), presented)
        took = time.perf_counter() - start
    peaked, held = peak() - before, resident() - before
    with _Watch() as idle:
        time.sleep(took)
    rounds = interleave({"small": calls(small, list), "large": calls(large, list)}, seconds)
    return _Cost(took, peaked, held, watch.longest, idle.longest, added(rounds["large"], rounds["small"]))


class _Asking:
    """Asks a store's list about a chain. No public function does it alone, and a verification would drown it."""

    def __init__(self, store: TrustStore, presented: PresentedChain) -> None:
        self._path = [ParsedCertificate(one) for one in store.verify(presented).chain]
        self._ask = store.current().revocation.require_unrevoked
        self._now = dt.datetime.now(dt.UTC)

    def __call__(self, _: object) -> None:
        for certificate, issuer in itertools.pairwise(self._path):
            self._ask(certificate, issuer, self._now)


class _Watch:
    """A thread that wants to run every millisecond, and notes the longest that it had to wait."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        last = time.perf_counter()
        while not self._end.wait(0.001):
            now = time.perf_counter()
            self.longest = max(self.longest, now - last)
            last = now

    def __enter__(self) -> Self:
        self._thread.start()
        time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.01)
        self._end.set()
        self._thread.join()


def _crl(ca: ClientCA, entries: int, *, reasons: bool = False, pem: bool = False) -> bytes:
    """Make a CRL byte by byte, because a builder of a million entries takes a minute. RFC 5280 section 5.1."""
    now = dt.datetime.now(dt.UTC)
    issuer, key = ca.certificates[-1], ca._keys[-1]
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA's key has to be of an elliptic curve")
    empty = x509.CertificateRevocationListBuilder(issuer.subject, now - dt.timedelta(1), now + dt.timedelta(30))
    der = empty.add_extension(x509.CRLNumber(1), critical=False).sign(key, hashes.SHA256()).tbs_certlist_bytes
    end = der.rindex(b"\xa0")  # the extensions, the last field
    serials = random.Random(0)  # noqa: S311  # no secret
    tail = _der(0x17, f"{now:%y%m%d%H%M%S}Z".encode()) + (_REASON if reasons else b"")
    revoked = b"".join(_der(0x30, b"\x02\x10\x6b" + serials.randbytes(15) + tail) for _ in range(entries))
    start = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    tbs = _der(0x30, der[start:end] + _der(0x30, revoked) + der[end:])
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256, RFC 5758 section 3.2
    made = _der(0x30, tbs + algorithm + _der(0x03, b"\x00" + key.sign(tbs, ec.ECDSA(hashes.SHA256()))))
    if not pem:
        return made
    lines = base64.encodebytes(made)
    return b"-----BEGIN X509 CRL-----\n" + lines + b"-----END X509 CRL-----\n"


def _der(tag: int, content: bytes) -> bytes:
    """Return one DER element (X.690 section 8.1)."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content
