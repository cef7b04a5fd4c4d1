"""Whether the size of the CA bundle matters."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.verification import Store

from sslclientcert import ClientCertError, TrustStore, decode
from sslclientcert.testing import ClientCA

from .contestants import pki_core
from .pki import Case, issue
from .recipe import recipe
from .tables import Cell, Table, measured
from .timing import Batch, calls, interleave

__all__ = ["SIZES", "VERIFY", "run"]

SIZES = (1, 10, 150, 1000)
VERIFY = "ours: `store.verify(decode(header))`, µs"

_REFUSE = "ours: refuse an unknown issuer, µs"
_RECIPE = "the recipe, µs"
_PKI_CORE = "pki-core, µs"
_LOAD = "ours: load the bundle, ms"
_STORE = "the recipe: load the bundle, ms"


def run(effort: float) -> Table:
    """Measure verification and loading with each bundle."""
    cases = {size: _case(size) for size in SIZES}
    units = {VERIFY: 1e-6, _REFUSE: 1e-6, _RECIPE: 1e-6, _PKI_CORE: 1e-6, _LOAD: 1e-3, _STORE: 1e-3}
    rows: dict[str, list[Cell | str | None]] = {}
    for name, make, seconds in (
        (VERIFY, _verify, 3.0),
        (_REFUSE, _refuse, 1.0),
        (_RECIPE, lambda one: calls(recipe(one.bundle), one.values), 1.0),
        (_PKI_CORE, pki_core, 1.0),
        (_LOAD, lambda one: calls(TrustStore.from_pem, lambda: one.bundle), 0.5),
        (_STORE, lambda one: calls(_load, lambda: one.bundle), 0.5),
    ):
        try:
            rounds = interleave({str(size): make(cases[size]) for size in SIZES}, seconds * effort)
        except ModuleNotFoundError:
            rows[name] = [None for _ in SIZES]
        else:
            rows[name] = [measured(rounds[str(size)], rounds[str(SIZES[0])], unit=units[name]) for size in SIZES]
    return Table(
        "CA certificates in the bundle (ratio to a bundle of one)",
        ("", *(f"{size:,}" for size in SIZES)),
        rows,
        "P-256, root to leaf, each CA with a name and key of its own; the one that counts is the last of the bundle.",
    )


def _case(size: int) -> Case:
    ca = ClientCA("The last CA")
    one = Case(str(size), "ec", ca, (issue(ca, "ec"),))
    ca.certificates = (*(ClientCA(f"CA {number}").certificate for number in range(size - 1)), *ca.certificates)
    return one


def _verify(one: Case) -> Batch:
    store = TrustStore.from_pem(one.bundle)
    return calls(lambda value: store.verify(decode(value)), one.values)


def _refuse(one: Case) -> Batch:
    store = TrustStore.from_pem(one.bundle)
    stranger = Case("stranger", "ec", one.ca, (issue(ClientCA("Stranger"), "ec"),))

    def refused(value: str) -> bool:
        try:
            store.verify(decode(value))
        except ClientCertError:
            return True
        raise RuntimeError("a stranger was let in")

    return calls(refused, stranger.values)


def _load(bundle: bytes) -> Store:
    return Store(x509.load_pem_x509_certificates(bundle))
