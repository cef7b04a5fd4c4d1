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
    """Within the block, make an authenticator trust `ca` instead of its own bundle, and headers from any peer.

    Does not check within the block: the authenticator's own CAs, CRLs, `trusted_proxies` and `shared_secret`. The rest
    stays: the proxy's headers, their contradictions, `authorize`, the limits. It is for an application that is
    configured as for production, whose test client is not a trusted proxy. Starlette's calls itself "testclient".

    Parameters:
        authenticator: the application's own, changed in place and for all threads.
        ca: the CA of the test.

    Returns:
        A context manager that gives the authenticator, and restores it at the end.
    """
    with overridden(authenticator, ca.trust_store()):
        yield authenticator


def forged_identity(name: str = "client", **options: Unpack[CertificateOptions]) -> ClientIdentity:
    """Make an identity that **is not verified**, for tests of code that needs only an identity.

    Its certificate is a real one, from a CA that exists only for this. Do not use this function outside tests.

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
