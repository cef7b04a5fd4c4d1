"""Doors around verification, for tests: an authenticator made to trust a test's CA, and identities out of thin air."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Unpack

from ..core.authenticator import ClientCertAuthenticator, overridden
from ..core.certificate import ParsedCertificate
from ..core.identity import ClientIdentity, read_identity
from .ca import CertificateOptions, ClientCA

__all__ = ["forged_identity", "trusting"]


@contextlib.contextmanager
def trusting(authenticator: ClientCertAuthenticator, ca: ClientCA) -> Iterator[ClientCertAuthenticator]:
    """Within the block, make an authenticator trust `ca` instead of its own bundle, and take headers from any peer.

    Not checked within the block: the authenticator's own CAs, CRLs, `trusted_proxies` and `shared_secret`. Everything
    else stays: the proxy's headers, what they must not contradict, `authorize`, the limits. It is for an application
    as configured for production, whose test client is no trusted proxy (Starlette's calls itself "testclient").

    Parameters:
        authenticator: the application's own, changed in place and for all threads.
        ca: the CA of the test.

    Returns:
        A context manager that gives the authenticator, and puts everything back at its end.
    """
    with overridden(authenticator, ca.trust_store()):
        yield authenticator


def forged_identity(name: str = "client", **options: Unpack[CertificateOptions]) -> ClientIdentity:
    """Make an identity that **nobody has verified**, for tests of code that wants no more than an identity.

    Its certificate is a real one, from a CA that exists for this purpose alone. Outside tests there is no use for
    this function, and its name is meant to be noticed.

    Parameters:
        name: the common name.
        options: what `ClientCA.issue` takes.
    """
    ca = _forger()
    issued = ca.issue(name, **options)
    return read_identity([*map(ParsedCertificate, (*issued.chain, ca.certificate))])


@functools.cache
def _forger() -> ClientCA:
    return ClientCA("Forged by sslclientcert.testing")
