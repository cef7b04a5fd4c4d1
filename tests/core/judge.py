"""The library's answer on a PKI, and next to it the answer of `openssl verify -purpose sslclient`, which is nginx's."""

from __future__ import annotations

import datetime as dt
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography import x509

from sslclientcert import ClientCertError, ClientIdentity, PresentedChain, TrustStore

from .pki import Party, pem_of

_JARGON = ("candidates exhausted", "fatal error", "invalid extension", "path builder", "<Certificate", "Traceback")


def verify(
    leaf: Party,
    *bundle: Party,
    forwarded: Iterable[Party] = (),
    crls: Iterable[x509.CertificateRevocationList] = (),
    max_depth: int = 3,
    at: dt.datetime | None = None,
    is_leaf_bound: bool = True,
) -> ClientIdentity:
    """Verify a leaf, and what was forwarded with it, against a bundle."""
    store = TrustStore([party.certificate for party in bundle], crls=crls, max_depth=max_depth)
    others = tuple(one.certificate for one in forwarded)
    return store.verify(PresentedChain(leaf.certificate, others, is_leaf_bound), at=at)


def refusal(
    kind: type[ClientCertError],
    leaf: Party,
    *bundle: Party,
    forwarded: Iterable[Party] = (),
    crls: Iterable[x509.CertificateRevocationList] = (),
    max_depth: int = 3,
    at: dt.datetime | None = None,
    is_leaf_bound: bool = True,
) -> str:
    """The detail of a refusal, which must be of exactly that class, safe to log, and in the library's own words."""
    with pytest.raises(ClientCertError) as refused:
        verify(
            leaf, *bundle, forwarded=forwarded, crls=crls, max_depth=max_depth, at=at, is_leaf_bound=is_leaf_bound
        )  # fmt: skip
    detail = refused.value.detail
    assert type(refused.value) is kind, refused.value
    assert detail.isascii()
    assert detail.isprintable()
    assert not any(word in detail for word in _JARGON), detail
    return detail


def names(identity: ClientIdentity) -> list[str]:
    """The subjects of the path, from the leaf to the anchor, without `CN=`."""
    return [one.subject.rfc4514_string().removeprefix("CN=") for one in identity.chain]


def is_accepted(leaf: Party, *bundle: Party, forwarded: Iterable[Party] = ()) -> bool:
    """Say whether the library accepts; what it does not accept must be a ClientCertError."""
    try:
        verify(leaf, *bundle, forwarded=forwarded)
    except ClientCertError:
        return False
    return True


def openssl_accepts(leaf: Party, *bundle: Party, forwarded: Iterable[Party] = (), options: Iterable[str] = ()) -> bool:
    """Say whether `openssl verify` accepts, as nginx asks it: for a TLS client, at security level 2."""
    untrusted = list(forwarded)
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["-CAfile", _file(folder, "ca.pem", *bundle)]
        if untrusted:
            arguments += ["-untrusted", _file(folder, "chain.pem", *untrusted)]
        command = ["openssl", "verify", "-no-CApath", "-no-CAstore", "-purpose", "sslclient", "-auth_level", "2"]
        command += [*options, *arguments, _file(folder, "leaf.pem", leaf)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.endswith(": OK\n") == (done.returncode == 0), done
    assert done.returncode == 0 or "error " in done.stderr, done
    return done.returncode == 0


def answers(leaf: Party, *bundle: Party, forwarded: Iterable[Party] = ()) -> tuple[bool, bool]:
    """Whether the library accepts, and whether OpenSSL does."""
    chain = list(forwarded)
    return is_accepted(leaf, *bundle, forwarded=chain), openssl_accepts(leaf, *bundle, forwarded=chain)


def _file(folder: str, name: str, *parties: Party) -> str:
    path = Path(folder, name)
    path.write_text(pem_of(*parties), encoding="ascii")
    return str(path)
