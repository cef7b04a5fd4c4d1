"""Verified client identities behind a TLS-terminating proxy.

What it can never prove: a certificate shows issuance, not possession. Only the proxy saw the TLS handshake, so a header
is only as good as the path it came by. Start with the documentation's concepts page.
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

__version__ = "0.2.1"

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

# Where each name lives. They are imported when first asked for (PEP 562), so that the pytest plugin, which every pytest
# of an environment loads, does not cost all of them the 80 ms of cryptography.
_HOMES = {
    "PROXIES": "core.proxies",
    "ClientCertAuthenticator": "core.authenticator",
    "ClientCertError": "core.errors",
    "ClientIdentity": "core.identity",
    "PresentedChain": "core.presented",
    "Proxy": "core.proxies",
    "TrustStore": "core.trust",
    "answer_to": "answers",
    "decode": "core.presented",
}


def __getattr__(name: str) -> object:
    if name == "rules":
        return importlib.import_module(".rules", __name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
