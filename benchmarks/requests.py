"""What one request costs, from the header's text to a verified certificate, and what it costs the second time."""

from __future__ import annotations

from pathlib import Path

from sslclientcert import TrustStore, decode

from .contestants import ALTERNATIVES, node
from .pki import CASES, PEER, Case, Pairs, case
from .recipe import recipe, recipe_with_attributes
from .tables import Cell, Table, measured
from .timing import Batch, calls, interleave

__all__ = ["AUTHENTICATE", "READ", "RECIPE", "RECIPE_READ", "VERIFY", "WARM", "run", "shown"]

RECIPE = "**the recipe**"
RECIPE_READ = "recipe + CN, SANs, fingerprint, serial"
VERIFY = "ours: `store.verify(decode(header))`"
READ = "ours + CN, SANs, fingerprint, serial"
AUTHENTICATE = "ours: `authenticate(headers, peer)`, cold"
WARM = "ours: `authenticate(headers, peer)`, warm"

_NODES = {
    "Node's crypto": "no policy: purpose, constraints",
    "Node's client-certificate-auth": "reads no header, verifies nothing: TLS ends in Node",
}
_LACKS = {
    RECIPE: "refuses CN-only, v1, Ed25519 CAs; no revocation",
    RECIPE_READ: "",
    **{name: lacks for name, (_, lacks) in ALTERNATIVES.items()},
    **_NODES,
    VERIFY: "",
    READ: "",
    AUTHENTICATE: "",
    WARM: "",
    f"{WARM}, WSGI environ": "",
    f"{WARM}, ASGI scope": "",
}
_SHOWN = ("P-256 direct", "RSA-2048 direct")
_UNSHOWN = ("bare signature check", "recipe, bundle re-read", *_NODES, f"{WARM}, WSGI environ", f"{WARM}, ASGI scope")
"""What helps a reader of the documentation less: it is in the recorded numbers."""


def run(effort: float) -> Table:
    """Measure everybody with every kind of certificate."""
    columns: dict[str, dict[str, Cell]] = {}
    with node(Path("build", "benchmarks", "node")) as nodes:
        for name in CASES:
            one = case(name)
            batches = _ours(one) | _theirs(one) | ({} if nodes is None else nodes.batches(one))
            rounds = interleave(batches, 1.0 * effort)
            columns[name] = {each: measured(rounds[each], rounds[RECIPE]) for each in batches}
    rows = {name: [*(columns[each].get(name) for each in CASES), lacks] for name, lacks in _LACKS.items()}
    return Table(
        "One request, from the header's text: µs (ratio to the recipe)",
        ("", *CASES, "what it does not do"),
        rows,
        "Eight clients in turn, each header a new string; *cold* has room in its cache for two of them. *direct*: root "
        "to leaf; *inter*: root and intermediate, both in the bundle. `headers` are ten, four of them of the proxy. "
        "Only `authenticate` looks at who sent it. –: not on this machine.",
    )


def shown(table: Table) -> Table:
    """Return the part of the table that the documentation shows."""
    places = [table.columns.index(each) - 1 for each in _SHOWN]
    rows = {
        name: [*(cells[each] for each in places), _LACKS[name]]
        for name, cells in table.rows.items()
        if name not in _UNSHOWN
    }
    note = (
        "Eight clients in turn, with ten headers and a root that issued the leaf. *Cold*: the cache has room for two."
    )
    return Table(table.title, ("", *_SHOWN, table.columns[-1]), rows, note)


def _theirs(one: Case) -> dict[str, Batch]:
    batches = {
        RECIPE: calls(recipe(one.bundle), one.values),
        RECIPE_READ: calls(recipe_with_attributes(one.bundle), one.values),
    }
    for name, (make, _) in ALTERNATIVES.items():
        try:
            batches[name] = make(one)
        except (ModuleNotFoundError, FileNotFoundError):
            continue
    return batches


def _ours(one: Case) -> dict[str, Batch]:
    store = TrustStore.from_file(one.path)
    cold, warm = one.authenticator(cache_entries=2), one.authenticator()

    def read(value: str) -> object:
        identity = store.verify(decode(value))
        return identity.common_name, identity.sans, identity.fingerprint_sha256, identity.serial_number

    def authenticate(headers: Pairs) -> object:
        return warm.authenticate(headers, peer=PEER)

    return {
        VERIFY: calls(lambda value: store.verify(decode(value)), one.values),
        READ: calls(read, one.values),
        AUTHENTICATE: calls(lambda headers: cold.authenticate(headers, peer=PEER), one.pairs),
        WARM: calls(authenticate, one.pairs),
        f"{WARM}, WSGI environ": calls(warm.authenticate_environ, one.environ),
        f"{WARM}, ASGI scope": calls(warm.authenticate_scope, one.scope),
    }
