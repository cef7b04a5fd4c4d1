"""Verified client identities behind a TLS-terminating proxy.

What it can never prove: a certificate shows issuance, not possession. Only the proxy saw the TLS handshake, so a header
is only as good as the path it came by. Start with the documentation's concepts page.
"""

from __future__ import annotations

from . import rules
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError
from .core.identity import ClientIdentity
from .core.presented import PresentedChain, decode
from .core.proxies import PROXIES, Proxy
from .core.trust import TrustStore

__version__ = "0.1.0"

__all__ = [
    "PROXIES",
    "ClientCertAuthenticator",
    "ClientCertError",
    "ClientIdentity",
    "PresentedChain",
    "Proxy",
    "TrustStore",
    "decode",
    "rules",
]
