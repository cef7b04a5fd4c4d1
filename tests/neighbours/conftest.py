"""What these tests share. They run in an environment of their own: `make neighbours`."""

from __future__ import annotations

import pytest

from sslclientcert.testing import ClientCA, IssuedCertificate


@pytest.fixture(scope="session")
def ca() -> ClientCA:
    return ClientCA()


@pytest.fixture(scope="session")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice", emails=["alice@example.org"])
