"""For the tests of applications: good and bad client certificates, and the headers that a proxy makes of them.

Do not use it in production. Anybody can make these certificates, and the identities are not verified.

In a test::

    from sslclientcert.testing import ClientCA

    ca = ClientCA()
    alice = ca.issue("alice", emails=["alice@example.org"])
    client.get("/", headers=alice.headers())

The pytest plugin is `sslclientcert.testing.plugin`. pytest imports it, and so this package, at the start of every run
in its environment. Therefore the names below load their modules only on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ca import CertificateOptions, ClientCA, IssuedCertificate
    from .encoders import encode
    from .overrides import forged_identity, trusting
    from .refusals import REFUSALS, Refusal, RefusedClient

__all__ = [
    "REFUSALS",
    "CertificateOptions",
    "ClientCA",
    "IssuedCertificate",
    "Refusal",
    "RefusedClient",
    "encode",
    "forged_identity",
    "trusting",
]


_MODULES = ("refusals", "encoders", "ca", "overrides")  # each stands behind those that it imports


def __getattr__(name: str) -> object:
    for module in _MODULES if name in __all__ else ():
        found = importlib.import_module(f".{module}", __name__)
        if hasattr(found, name):
            return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
