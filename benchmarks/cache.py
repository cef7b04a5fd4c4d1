"""What the cache of verified results costs in memory, and whether anybody can push out who is in it."""

from __future__ import annotations

import gc
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from sslclientcert import ClientCertAuthenticator, ClientCertError, ClientIdentity
from sslclientcert.testing import ClientCA
from sslclientcert.testing.ca import KeyKind

from .pki import PEER, Case, Pairs, case, issue, pairs, request
from .processes import MEGABYTE, in_new_process, resident
from .tables import Cell, Table, measured
from .timing import Batch, Rounds, calls, interleave

__all__ = ["CASES", "ENTRY", "FLOODS", "GROWTH", "run"]

CASES = ("P-256 direct", "RSA-2048 direct")
ENTRY, READ = "an entry, KB", "an entry whose CN, SANs, fingerprint and serial were read, KB"
ALONE = "warm, µs"
FLOODS = ("warm, between a stranger's requests, µs", "warm, between distinct good headers, µs")
GROWTH = "growth from a tenth of them to all, MB"

_ENTRIES = 2000
_FLOOD = 50  # requests of others before each batch
_HEADERS = {"ec": 1_000_000, "rsa": 100_000}  # a million take four minutes
_CERTIFICATE = "ssl-client-cert"


def run(effort: float) -> Table:
    """Measure both kinds of certificates."""
    rows: dict[str, list[Cell | str | None]] = {}
    for name in CASES:
        one = case(name)
        headers = int(_HEADERS[one.key] * effort)
        entry, read = in_new_process(_entry, one.key)
        tenth, whole = in_new_process(_distinct, one.key, headers)
        rounds = _floods(one, effort)
        cells: dict[str, Cell | str] = {
            ENTRY: Cell(entry / 1e3),
            READ: Cell(read / 1e3),
            "distinct headers": f"{headers:,}",
            "the process after a tenth of them, MB": Cell(tenth / MEGABYTE),
            "the process after all, MB": Cell(whole / MEGABYTE),
            GROWTH: Cell((whole - tenth) / MEGABYTE),
            **{each: measured(rounds[each], rounds[ALONE]) for each in (ALONE, *FLOODS)},
        }
        for each, cell in cells.items():
            rows.setdefault(each, []).append(cell)
    return Table(
        "The cache (ratio to warm)",
        ("", *CASES),
        rows,
        f"*An entry*: what a new process grows by, for each of {_ENTRIES:,} certificates. *Distinct headers*: good "
        "ones, through the cache as it is by default. *Warm*: eight clients in turn; before each batch of them, "
        f"{_FLOOD} requests of others that are not timed, through a cache for 256.",
    )


def _entry(key: KeyKind) -> tuple[float, float]:
    """Return the bytes of an entry as verified, and once it was read; in a new process."""
    ca = ClientCA(key=key)
    shared = ca.issue(key=key).private_key  # an RSA key takes 50 ms and more
    wires = [request(issue(ca, shared, number)) for number in range(_ENTRIES)]
    authenticator = ca.authenticator(cache_entries=4 * _ENTRIES)
    _every(ca.authenticator(cache_entries=2), map(pairs, wires))  # what this leaves behind in the heap is there now
    gc.collect()
    before = resident()
    _every(authenticator, map(pairs, wires))
    gc.collect()
    verified = resident()
    _every(authenticator, map(pairs, wires), _read)
    gc.collect()
    return (verified - before) / _ENTRIES, (resident() - before) / _ENTRIES


def _distinct(key: KeyKind, count: int) -> tuple[int, int]:
    """Return the bytes of a process after a tenth of so many distinct good headers, and after all; in a new one."""
    ca = ClientCA(key=key)
    client = next(one for one in iter(lambda: issue(ca, key), None) if len(_parts(one.headers()[_CERTIFICATE])) > 20)
    ca.certificates = (client.certificate,)  # trusted as itself, so that a million take less than a minute
    authenticator, headers = ca.authenticator(), _spellings(pairs(request(client)))
    _every(authenticator, itertools.islice(headers, count // 10))
    gc.collect()
    tenth = resident()
    _every(authenticator, itertools.islice(headers, count - count // 10))
    gc.collect()
    return tenth, resident()


def _every(
    authenticator: ClientCertAuthenticator,
    requests: Iterable[Pairs],
    use: Callable[[ClientIdentity | None], object] = lambda _: None,
) -> None:
    for headers in requests:
        use(authenticator.authenticate(headers, peer=PEER))


def _read(identity: ClientIdentity | None) -> object:
    if identity is None:
        raise AssertionError("nobody is there to be read")
    return identity.common_name, identity.sans, identity.fingerprint_sha256, identity.serial_number


def _spellings(headers: Pairs) -> Iterator[Pairs]:
    """Yield a million requests that say the same in other headers: the digits of an escape may be in either case."""
    others = [pair for pair in headers if pair[0] != _CERTIFICATE]
    *parts, end = _parts(dict(headers)[_CERTIFICATE])
    choices = [(part, part[:-1] + part[-1].lower()) for part in parts[:20]]
    end = "".join(parts[20:]) + end
    for chosen in itertools.product(*choices):
        yield [*others, (_CERTIFICATE, "".join(chosen) + end)]


def _parts(value: str) -> list[str]:
    """Split a header's value behind each escape that has two spellings."""
    return re.split("(?<=%[0-9][A-F])", value)


def _floods(one: Case, effort: float) -> dict[str, Rounds]:
    """Measure warm requests among those of nobody else, of a stranger, and of many good ones."""
    stranger = pairs(request(issue(ClientCA("Stranger", key=one.key), one.key)))
    good = itertools.cycle(itertools.islice(_spellings(one.pairs()), 4096))

    def warm(flood: Iterator[Pairs]) -> Batch:
        authenticator = one.authenticator(cache_entries=256)
        batch = calls(lambda headers: authenticator.authenticate(headers, peer=PEER), one.pairs)

        def between(count: int) -> float:
            for headers in itertools.islice(flood, _FLOOD):
                with suppress(ClientCertError):
                    authenticator.authenticate(headers, peer=PEER)
            return batch(count)

        return between

    floods = (iter(()), itertools.repeat(stranger), good)
    return interleave({name: warm(flood) for name, flood in zip((ALONE, *FLOODS), floods, strict=True)}, 1.0 * effort)
