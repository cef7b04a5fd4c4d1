"""What a hostile request costs: it must not cost more than a good one that has not been seen before."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from sslclientcert import ClientCertAuthenticator, ClientCertError, decode
from sslclientcert.testing import ClientCA

from .pki import PEER, Case, Pairs, case, issue, pairs, request
from .tables import Cell, Table, measured
from .timing import Batch, calls, interleave

__all__ = ["BIG", "BIG_GOOD", "BIG_REFUSED", "CASES", "GOOD", "HUGE", "OVERSIZED", "run"]

CASES = ("P-256 direct", "RSA-2048 direct")
GOOD = "**a good one**, cold"
BIG_GOOD = "**a good one** of 64 KB, cold"
BIG_REFUSED = "64 KB of `%41` in a PEM certificate"
OVERSIZED = "a megabyte"
BIG, HUGE = "`decode` of 64 KB of it", "`decode` of a megabyte of it"

_HEADER = "ssl-client-cert"
_PEM = "-----BEGIN%20CERTIFICATE-----%0A{}%0A-----END%20CERTIFICATE-----%0A"
_FILL = 64 * 1024 // 3 - 200  # with the other headers just below the default of max_header_bytes
_STRANGER = "192.0.2.1"


def run(effort: float) -> Table:
    """Measure every way to be refused."""
    columns: dict[str, dict[str, Cell]] = {}
    codes: dict[str, str] = {}
    for name in CASES:
        batches: dict[str, Batch] = {}
        for each, (batch, code) in _refusals(case(name)).items():
            batches[each], codes[each] = batch, code
        rounds = interleave(batches, 1.0 * effort)
        columns[name] = {each: measured(rounds[each], rounds[GOOD]) for each in batches}
    rows: dict[str, list[Cell | str | None]] = {
        each: [*(columns[name][each] for name in CASES), code] for each, code in codes.items()
    }
    return Table(
        "Refusals: µs (ratio to a good one that is not in the cache)",
        ("", *CASES, "refused with"),
        rows,
        "By `authenticate(headers, peer)` with ten headers, logged to a handler that writes nothing. The most that "
        "`max_header_bytes` lets through by default is 64 KB, so a good one of that length (1590 names) is there to "
        "compare with. The last two rows show that decoding is linear.",
    )


def _refusals(one: Case) -> Mapping[str, tuple[Batch, str]]:
    """Return the batches of each, with the code that it is refused with."""
    authenticator = one.authenticator(cache_entries=2)
    good = calls(lambda headers: authenticator.authenticate(headers, peer=PEER), one.pairs)
    found = {GOOD: (good, ""), BIG_GOOD: (_big_good(one, authenticator), "")}
    for each, headers in _hostile(one).items():
        found[each] = _refusal(authenticator, headers, _STRANGER if "not from the proxy" in each else PEER)
    for each, count in ((BIG, _FILL), (HUGE, 16 * _FILL)):
        value = _PEM.format("%41" * count)
        found[each] = calls(_decoded, itertools.repeat(value).__next__), _decoded(value)
    return found


def _big_good(one: Case, authenticator: ClientCertAuthenticator) -> Batch:
    names = [f"cart-{number:04}.shop.example.org" for number in range(1590)]
    certificates = [one.ca.issue("cart", key=one.key, dns_names=names) for _ in range(3)]  # more than the cache keeps
    headers = itertools.cycle([request(certificate) for certificate in certificates])
    return calls(lambda found: authenticator.authenticate(found, peer=PEER), lambda: pairs(next(headers)))


def _decoded(value: str) -> str:
    return _code(lambda: decode(value))


def _hostile(one: Case) -> Mapping[str, Pairs]:
    ca, key = one.ca, one.key
    good = pairs(request(one.clients[0]))

    def with_value(value: str) -> Pairs:
        return [(name, value if name == _HEADER else text) for name, text in good]

    return {
        "garbage": with_value("x" * 800),
        "base64 of garbage in a PEM certificate": pairs(request(ca.not_a_certificate())),
        OVERSIZED: with_value("A" * 1024 * 1024),
        "64 KB of `%41`": with_value("%41" * _FILL),
        BIG_REFUSED: with_value(_PEM.format("%41" * _FILL)),
        "the header twice": [*good, (_HEADER, dict(good)[_HEADER])],
        "another certificate's subject beside it": [
            (name, "CN=alice" if name.endswith("subject-dn") else text) for name, text in good
        ],
        "not from the proxy": good,
        "unknown issuer": pairs(request(issue(ClientCA("Stranger", key=key), key))),
        "issuer of the same name": pairs(request(ca.stranger(key=key))),
        "wrong signature": pairs(request(ca.tampered(key=key))),
        "self-signed": pairs(request(ca.self_signed(key=key))),
        "expired": pairs(request(ca.expired(key=key))),
        "not yet valid": pairs(request(ca.not_yet_valid(key=key))),
        "for servers only": pairs(request(ca.server_only(key=key))),
    }


def _refusal(authenticator: ClientCertAuthenticator, headers: Pairs, peer: str) -> tuple[Batch, str]:
    def refuse(headers: Pairs) -> str:
        return _code(lambda: authenticator.authenticate(headers, peer=peer))

    def fresh() -> Pairs:
        # A new string for each request, but for a megabyte: its hash is not what takes the time.
        return [(name, value if len(value) > 2**16 else f"{value} "[:-1]) for name, value in headers]

    return calls(refuse, fresh), refuse(headers)


def _code(judge: Callable[[], object]) -> str:
    try:
        judge()
    except ClientCertError as error:
        return f"`{error.code}`"
    raise AssertionError("it was not refused")
