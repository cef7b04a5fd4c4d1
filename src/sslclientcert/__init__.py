"""Verified client identities behind a TLS-terminating proxy.

A certificate shows issuance, not possession. Only the proxy saw the TLS handshake. Trust the header only if you trust
every hop it passed through. Start with the documentation's concepts page.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import rules
    from .answers import answer_to
    from .core.authenticator import ClientCertAuthenticator
    from .core.errors import ClientCertError
    from .core.identity import ClientIdentity
    from .core.presented import PresentedChain, decode
    from .core.proxies import PROXIES, Proxy
    from .core.trust import TrustStore

__version__ = "0.3.0"

__all__ = [
    "PROXIES",
    "ClientCertAuthenticator",
    "ClientCertError",
    "ClientIdentity",
    "PresentedChain",
    "Proxy",
    "TrustStore",
    "answer_to",
    "decode",
    "rules",
]

# The names are imported when first asked for (PEP 562), so that the pytest plugin, which every pytest of an environment
# loads, does not cost all of them the 80 ms of cryptography. A module stands behind those that it imports.
_HOMES = ("answers", "core.proxies", "core.presented", "core.identity", "core.trust", "core.authenticator")


def __getattr__(name: str) -> object:
    if name == "rules":
        return importlib.import_module(".rules", __name__)
    for home in _HOMES if name in __all__ else ():
        module = importlib.import_module(f".{home}", __name__)
        if hasattr(module, name):
            return globals().setdefault(name, getattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
