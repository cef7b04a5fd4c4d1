"""What the worst that a stranger can send costs: signature checks, search, names."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sslclientcert import ClientCertError, PresentedChain, TrustStore

from .tables import Cell, Table
from .timing import median

__all__ = ["CHECKS", "SHAPES", "run"]

CHECKS = "P-521 signature checks in that time"
HONEST = "40 CAs of one name, an honest client"
_MILLISECONDS = "CPU time, ms"
_KINDS = ("RSA-4096", "P-521", "brainpoolP512r1")
_OTHERS = 9
"""A chain of ten is the longest that is read."""
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-521": ec.SECP521R1,
    "brainpoolP512r1": ec.BrainpoolP512R1,
}
_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_Extension = tuple[x509.ExtensionType, bool]
_NOW = dt.datetime.now(dt.UTC)


class _CA(NamedTuple):
    certificate: x509.Certificate
    key: _Key


class _Shape(NamedTuple):
    """What is configured, what is sent, and whether it is accepted."""

    bundle: Sequence[_CA]
    sent: Sequence[x509.Certificate]
    is_accepted: bool = False
    crl: str | None = None
    max_depth: int = 10


def _key(kind: str) -> _Key:
    return rsa.generate_private_key(65537, 4096) if kind == "RSA-4096" else ec.generate_private_key(_CURVES[kind]())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _issue(
    subject: str, key: _Key, issuer: str, signer: _Key, extensions: Iterable[_Extension] = (), *, is_ca: bool = True
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_NOW - dt.timedelta(days=1))
        .not_valid_after(_NOW + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def _root(name: str, kind: str, extensions: Iterable[_Extension] = ()) -> _CA:
    key = _key(kind)
    return _CA(_issue(name, key, name, key, extensions), key)


def _leaf(issuer: str, signer: _Key, *sans: x509.GeneralName) -> x509.Certificate:
    names = [(x509.SubjectAlternativeName(sans), False)] if sans else []
    return _issue("alice", _key("P-256"), issuer, signer, names, is_ca=False)


def _of_the_bundles_name(kind: str) -> _Shape:
    """Every certificate claims to be issued by the root, and is not: a check with the root's key for each."""
    root, own = _root("Root", kind), _key(kind)
    chain = [_issue("Root", own, "Root", own) for _ in range(_OTHERS)]
    return _Shape([root], [_leaf("Root", own), *chain])


def _of_their_own_names(kind: str) -> _Shape:
    root, own = _root("Root", kind), _key(kind)
    chain = [_issue(f"CA {number}", own, f"CA {number + 1}", own) for number in range(_OTHERS)]
    return _Shape([root], [_leaf("CA 0", own), *chain])


def _below_a_ca(kind: str) -> _Shape:
    """The client holds a CA that the root has signed, and has made nine of one name below it."""
    root, own, forged = _root("Root", kind), _key(kind), _key(kind)
    chain = [_issue("CA", own, "Root", root.key), *(_issue("CA", _key("P-256"), "CA", own) for _ in range(_OTHERS - 1))]
    return _Shape([root], [_leaf("CA", forged), *chain])


def _cross_certified(*, revoked: bool) -> _Shape:
    """Six CAs that have all certified one another, below a root; what is wrong with the leaf shows on each path."""
    constraint = x509.NameConstraints([x509.DNSName("example.org")], None)
    root = _root("Root", "P-256", [] if revoked else [(constraint, True)])
    keys = {f"CA {number}": _key("P-256") for number in range(6)}
    cross = [_issue(below, keys[below], above, keys[above]) for below, above in itertools.permutations(keys, 2)]
    below_root = [_issue(name, keys[name], "Root", root.key) for name in keys]
    leaf = _leaf("CA 0", keys["CA 0"], x509.DNSName("alice.example.com"))
    bundle = [root, *(_CA(one, root.key) for one in (*below_root, *cross))]
    if not revoked:
        return _Shape(bundle, [leaf])
    crls = [_crl("Root", root.key), *(_crl(name, key, leaf) for name, key in keys.items())]
    return _Shape(bundle, [leaf], crl="".join(crls))


def _crl(issuer: str, key: _Key, *revoked: x509.Certificate) -> str:
    builder = x509.CertificateRevocationListBuilder(_name(issuer), _NOW, _NOW + dt.timedelta(days=7))
    for one in revoked:
        entry = x509.RevokedCertificateBuilder(one.serial_number, _NOW)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _of_one_name(*, honest: bool) -> _Shape:
    cas = [_root("CA", "P-256") for _ in range(40)]
    signer = cas[0].key if honest else _key("P-256")
    return _Shape(cas, [_leaf("CA", signer)], honest)


def _many_names() -> _Shape:
    constraints = x509.NameConstraints([x509.DNSName(f"{number}.example.org") for number in range(100)], None)
    root = _root("Root", "P-256", [(constraints, True)])
    names = [x509.DNSName(f"host{number}.99.example.org") for number in range(600)]  # more are not compared
    return _Shape([root], [_leaf("Root", root.key, *names)], is_accepted=True)


def _too_many_names() -> _Shape:
    shape = _many_names()
    names = [x509.DNSName(f"host{number}.99.example.org") for number in range(1000)]
    return shape._replace(sent=[_leaf("Root", shape.bundle[0].key, *names)], is_accepted=False)


SHAPES: dict[str, Callable[[], _Shape]] = {
    **{f"a chain of ten, the CAs of the bundle's name, {kind}": partial(_of_the_bundles_name, kind) for kind in _KINDS},
    **{f"a chain of ten, the CAs of their own names, {kind}": partial(_of_their_own_names, kind) for kind in _KINDS},
    **{f"a chain of ten, the CAs below one of the root's, {kind}": partial(_below_a_ca, kind) for kind in _KINDS},
    "six cross-certified CAs, a leaf outside the constraints": partial(_cross_certified, revoked=False),
    "six cross-certified CAs, a revoked leaf": partial(_cross_certified, revoked=True),
    HONEST: partial(_of_one_name, honest=True),
    "40 CAs of one name, a stranger": partial(_of_one_name, honest=False),
    "600 names under 100 constraints": _many_names,
    "1,000 names under 100 constraints": _too_many_names,
}


def run(effort: float) -> Table:
    """Measure the CPU time of each shape, decoding and cache left out."""
    check = _seconds(_p521_check(), 0.3 * effort)
    rows: dict[str, list[Cell | str | None]] = {"**one P-521 signature check**": [Cell(check * 1e3), Cell(1.0), ""]}
    for name, make in SHAPES.items():
        shape = make()
        verify = _verified(shape)
        answer = verify()
        if (answer == "accepted") is not shape.is_accepted:
            raise AssertionError(f"{name}: {answer}")
        took = _seconds(verify, 0.5 * effort)
        rows[name] = [Cell(took * 1e3), Cell(took / check), f"`{answer}`"]
    return Table(
        "Hostile requests: CPU time of `store.verify(chain)`, parsing included",
        ("", _MILLISECONDS, CHECKS, "answer"),
        rows,
        "The most that a request may cost is the time of 20 P-521 signature checks.",
    )


def _p521_check() -> Callable[[], object]:
    key, data = ec.generate_private_key(ec.SECP521R1()), bytes(1000)
    made, public = key.sign(data, ec.ECDSA(hashes.SHA256())), key.public_key()
    return lambda: public.verify(made, data, ec.ECDSA(hashes.SHA256()))


def _verified(shape: _Shape) -> Callable[[], str]:
    bundle = "".join(ca.certificate.public_bytes(Encoding.PEM).decode() for ca in shape.bundle)
    store = TrustStore.from_pem(bundle, crl=shape.crl, max_depth=shape.max_depth)
    sent = [one.public_bytes(Encoding.DER) for one in shape.sent]

    def verify() -> str:
        try:
            store.verify(PresentedChain.from_der(sent))
        except ClientCertError as error:
            return error.code
        return "accepted"

    return verify


def _seconds(function: Callable[[], object], least: float) -> float:
    """Return the median of the CPU seconds of one call."""
    taken: list[float] = []
    while sum(taken) < least or len(taken) < 5:
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return median(taken)
