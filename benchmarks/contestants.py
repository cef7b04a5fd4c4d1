"""The alternatives: each from the header's value to what it calls a good certificate, and what it does not do."""

# pyright: reportMissingImports=false
# They are installed by `make bench` alone.
from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from .pki import Case
from .recipe import recipe
from .timing import Batch, calls, drive

__all__ = ["ALTERNATIVES", "node"]

_NPM_PACKAGE = "client-certificate-auth@0.3.0"


def signature(case: Case) -> Batch:
    """The floor: the one signature that every verification has to check."""
    key = case.ca.certificates[-1].public_key()
    leaf = case.clients[0].certificate
    arguments: tuple[Any, ...]
    if isinstance(key, ec.EllipticCurvePublicKey):
        arguments = (leaf.signature, leaf.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPublicKey):
        arguments = (leaf.signature, leaf.tbs_certificate_bytes, padding.PKCS1v15(), hashes.SHA256())
    else:
        raise TypeError(f"no such case: {key!r}")
    verify: Callable[..., None] = key.verify
    return calls(lambda _: verify(*arguments), case.values)


def reread(case: Case) -> Batch:
    """The recipe, with the bundle parsed for every request, as many have it."""
    bundle = case.bundle

    def verify(value: str) -> None:
        recipe(bundle)(value)

    return calls(verify, case.values)


def pyopenssl(case: Case) -> Batch:
    """pyOpenSSL, which is OpenSSL's own X509_verify_cert."""
    from OpenSSL import crypto

    store = crypto.X509Store()
    for ca in case.ca.certificates:
        store.add_cert(crypto.X509.from_cryptography(ca))

    def verify(value: str) -> None:
        leaf = crypto.load_certificate(crypto.FILETYPE_PEM, unquote(value).encode())
        crypto.X509StoreContext(store, leaf).verify_certificate()

    return calls(verify, case.values)


def pki_core(case: Case) -> Batch:
    """pki-core's chain check."""
    from pki.core.certificate import load_certificate
    from pki.core.validation import verify_chain

    bundle = list(case.ca.certificates)
    return calls(lambda value: verify_chain(load_certificate(unquote(value).encode()), bundle), case.values)


def pyhanko(case: Case) -> Batch:
    """pyhanko-certvalidator's validation of a certificate for clients, without the network."""
    from asn1crypto import pem, x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from pyhanko_certvalidator import CertificateValidator, ValidationContext

    root, *others = [x509.Certificate.load(ca.public_bytes(Encoding.DER)) for ca in case.ca.certificates]

    def verify(value: str) -> None:
        _, _, der = pem.unarmor(unquote(value).encode())
        context = ValidationContext(trust_roots=[root], other_certs=others, allow_fetching=False)
        validator = CertificateValidator(x509.Certificate.load(der), validation_context=context)
        drive(validator.async_validate_usage({"digital_signature"}, {"client_auth"}))

    return calls(verify, case.values)


def fastapi_client_cert_auth(case: Case) -> Batch:
    """What the dependency of fastapi-client-cert-auth does with the header."""
    from fastapi_client_cert_auth import parse_certificate_header

    return calls(parse_certificate_header, case.values)


def openssl(case: Case) -> Batch:
    """`openssl verify`, a process for each request."""
    program = shutil.which("openssl")
    if program is None:
        raise FileNotFoundError("openssl")
    command = [program, "verify", "-purpose", "sslclient", "-CAfile", str(case.path)]

    def verify(value: str) -> None:
        subprocess.run(command, input=unquote(value).encode(), check=True, stdout=subprocess.DEVNULL)

    return calls(verify, case.values)


ALTERNATIVES: Mapping[str, tuple[Callable[[Case], Batch], str]] = {
    "bare signature check": (signature, "the physical floor: no decoding, no policy"),
    "recipe, bundle re-read": (reread, "as the recipe; sees a changed bundle"),
    "pyOpenSSL": (pyopenssl, "purpose not checked, no CRLs configured"),
    "pki-core, chain check": (pki_core, "grows with the bundle"),
    "pyhanko-certvalidator": (pyhanko, "made for signatures on documents"),
    "fastapi-client-cert-auth": (fastapi_client_cert_auth, "verifies nothing"),
    "`openssl verify` as a process": (openssl, "a process a request"),
}
"""Each with what it does not do, beside what none of them does: judge the way by which the header came."""


class _Node:
    """A Node that measures its own batches when it is asked to, in turn with the others."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, **question: object) -> Any:
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("Node is asked through pipes")
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    @property
    def version(self) -> str:
        """Node's own."""
        return str(self._ask(do="version"))

    def batches(self, case: Case) -> dict[str, Batch]:
        """Return its contestants."""
        values = [case.values() for _ in case.clients]
        bundle = [f"-----BEGIN{each}" for each in case.bundle.decode().split("-----BEGIN")[1:]]
        self._ask(do="prepare", name=case.name, values=values, bundle=bundle)

        def batch(what: str) -> Batch:
            return lambda count: float(self._ask(do=what, name=case.name, count=count))

        return {"Node's crypto": batch("crypto"), "Node's client-certificate-auth": batch("middleware")}


@contextmanager
def node(folder: Path) -> Iterator[_Node | None]:
    """Run Node, with client-certificate-auth installed below `folder`; None where one of the two cannot be had."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--prefix", str(folder), "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    command = [npm, "install", "--silent", *options, _NPM_PACKAGE]
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
        yield None
        return
    script = Path(__file__).with_name("contestants.js")
    command = [program, str(script), str((folder / "node_modules" / "client-certificate-auth").resolve())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield _Node(process)
