"""Where the time of a cold request goes: what each step adds to those before it.

Every variant checks the signature, since what comes after one is slower than alone: it pushes the interpreter's code
and data out of the processor's nearest cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography import x509

from sslclientcert import TrustStore, decode
from sslclientcert.core.decoding import url_pem
from sslclientcert.core.direct import JudgedCA, has_sound_key
from sslclientcert.core.plain import PlainLeaf, plain_leaf

from .pki import PEER, Case, Pairs, case
from .recipe import recipe
from .tables import Cell, Table, measured
from .timing import added, calls, interleave, median, ratio

__all__ = ["CASES", "run"]

CASES = ("P-256 direct", "RSA-2048 direct")

_RECIPE = "**the recipe**, for comparison"
_SIGNATURE = "the signature, by the CA's prepared key"
_STEPS = {
    _SIGNATURE: "the physical floor",
    "percent and base64 decoding": "strict: one spelling, nothing before, between or behind",
    "`load_der_x509_certificate`": "",
    "the walk over the DER (`core/plain.py`)": "proves that every field parses and that the rules for a leaf hold",
    "the leaf's key lies on its curve": "OpenSSL refuses it otherwise; RSA: nothing to do",
    "the rest of `store.verify(decode(header))`": "the objects, validity, which CA, until when, the identity",
    "`authenticate` on top": "ten headers, the peer, the proxy's verdict and names, the entry in the cache",
}


def run(effort: float) -> Table:
    """Measure each step."""
    rows: dict[str, list[Cell | str | None]] = {name: [] for name in (*_STEPS, _RECIPE)}
    for name in CASES:
        one = case(name)
        batches = {each: calls(variant, one.pairs) for each, variant in zip(_STEPS, _variants(one), strict=True)}
        batches[_RECIPE] = calls(recipe(one.bundle), one.values)
        rounds = interleave(batches, 2.0 * effort)
        before = [0.0] * len(rounds[_RECIPE])
        for each in _STEPS:
            more = added(rounds[each], before)
            rows[each].append(Cell(median(more) * 1e6, None, ratio(more, rounds[_RECIPE])))
            before = list(rounds[each])
        rows[_RECIPE].append(measured(rounds[_RECIPE], rounds[_RECIPE]))
    for each, purpose in _STEPS.items():
        rows[each].append(purpose)
    rows[_RECIPE].append("")
    return Table(
        "Where a cold request's time goes: µs that each step adds (share of the recipe)",
        ("", *CASES, "what it is for"),
        rows,
        "The median of the rounds' differences between everything up to a step and everything before it.",
    )


def _value(headers: Pairs) -> str:
    return next(value for name, value in headers if name == "ssl-client-cert")


def _variants(one: Case) -> list[Callable[[Pairs], Any]]:
    """Return what does the signature alone, then one step more each."""
    store, authenticator = TrustStore.from_file(one.path), one.authenticator(cache_entries=2)
    known: dict[bytes, PlainLeaf] = {}
    for client in one.clients:
        (der,) = url_pem(client.headers()["ssl-client-cert"])
        plain = plain_leaf(der)
        if plain is None:
            raise RuntimeError("the certificate is not plain")
        known[der] = plain
    first = next(iter(known))
    ca = JudgedCA(store.verify(decode(one.values())).chain[1:])

    def signature(headers: Pairs) -> bool:
        _value(headers)
        return ca.has_signed(first, known[first])

    def decoded(headers: Pairs) -> bool:
        (der,) = url_pem(_value(headers))
        return ca.has_signed(der, known[der])

    def loaded(headers: Pairs) -> bool:
        (der,) = url_pem(_value(headers))
        x509.load_der_x509_certificate(der)
        return ca.has_signed(der, known[der])

    def walked(headers: Pairs) -> bool:
        (der,) = url_pem(_value(headers))
        x509.load_der_x509_certificate(der)
        plain = plain_leaf(der)
        return plain is not None and ca.has_signed(der, plain)

    def sound(headers: Pairs) -> bool:
        (der,) = url_pem(_value(headers))
        x509.load_der_x509_certificate(der)
        plain = plain_leaf(der)
        return plain is not None and has_sound_key(plain) and ca.has_signed(der, plain)

    return [
        signature,
        decoded,
        loaded,
        walked,
        sound,
        lambda headers: store.verify(decode(_value(headers))),
        lambda headers: authenticator.authenticate(headers, peer=PEER),
    ]
