"""For the tests of applications: client certificates, right and wrong, and the headers that a proxy makes of them.

Nothing here belongs into production: it makes certificates that anybody can make, and identities that nobody verified.
In a test::

    from sslclientcert.testing import ClientCA

    ca = ClientCA()
    alice = ca.issue("alice", emails=["alice@example.org"])
    client.get("/", headers=alice.headers())

The pytest plugin is `sslclientcert.testing.plugin`. pytest imports it, and so this package, at the start of every run
in its environment; therefore the names below load their modules only when they are asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ca import CertificateOptions as CertificateOptions
    from .ca import ClientCA as ClientCA
    from .ca import IssuedCertificate as IssuedCertificate
    from .encoders import encode as encode
    from .overrides import forged_identity as forged_identity
    from .overrides import trusting as trusting
    from .refusals import REFUSALS as REFUSALS
    from .refusals import Refusal as Refusal
    from .refusals import RefusedClient as RefusedClient

_MODULES = {
    "CertificateOptions": "ca",
    "ClientCA": "ca",
    "IssuedCertificate": "ca",
    "REFUSALS": "refusals",
    "Refusal": "refusals",
    "RefusedClient": "refusals",
    "encode": "encoders",
    "forged_identity": "overrides",
    "trusting": "overrides",
}

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


def __getattr__(name: str) -> object:
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(f".{module}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
