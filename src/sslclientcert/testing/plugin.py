"""The pytest plugin: fixtures for tests of an application behind a proxy that forwards client certificates.

pytest imports this module in every run of an environment where the library is installed. Therefore it imports little,
and does not slow down a suite without its fixtures. All names start with `sslclientcert_`.

Override `sslclientcert_authenticator` in a `conftest.py`, and the other fixtures take your authenticator's proxy.
Override `sslclientcert_proxy` or `sslclientcert_ca` for another proxy or another kind of CA.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from .refusals import REFUSALS, RefusedClient

if TYPE_CHECKING:
    from ..core.authenticator import ClientCertAuthenticator
    from ..core.identity import ClientIdentity
    from ..core.proxies import Proxy
    from .ca import ClientCA, IssuedCertificate

__all__: list[str] = []


@pytest.fixture(scope="session")
def sslclientcert_authenticator() -> ClientCertAuthenticator | None:
    """Your application's authenticator, if you override this; otherwise None."""
    return None


@pytest.fixture(scope="session")
def sslclientcert_proxy(sslclientcert_authenticator: ClientCertAuthenticator | None) -> str | Proxy:
    """The proxy whose headers the other fixtures give: your authenticator's, or "nginx-ingress"."""
    return "nginx-ingress" if sslclientcert_authenticator is None else sslclientcert_authenticator.proxy


@pytest.fixture(scope="session")
def sslclientcert_ca() -> ClientCA:
    """A CA for client certificates, one for the whole run."""
    from .ca import ClientCA

    return ClientCA()


@pytest.fixture(scope="session")
def sslclientcert_certificate(sslclientcert_ca: ClientCA) -> IssuedCertificate:
    """A good client certificate with alternative names of the common kinds."""
    return sslclientcert_ca.issue(
        "client",
        dns_names=["client.example.org"],
        emails=["client@example.org"],
        uris=["spiffe://example.org/client"],
        organization="Example",
    )


@pytest.fixture
def sslclientcert_headers(
    sslclientcert_certificate: IssuedCertificate, sslclientcert_proxy: str | Proxy
) -> dict[str, str]:
    """What the proxy sends for the good certificate, in a new dict."""
    return sslclientcert_certificate.headers(sslclientcert_proxy)


@pytest.fixture
def sslclientcert_no_certificate(sslclientcert_proxy: str | Proxy) -> dict[str, str]:
    """What the proxy sends for a client that presented no certificate, in a new dict."""
    from .encoders import encode

    return encode(None, sslclientcert_proxy)


@pytest.fixture(scope="session")
def sslclientcert_identity(sslclientcert_ca: ClientCA, sslclientcert_certificate: IssuedCertificate) -> ClientIdentity:
    """The identity of the good certificate, for code that takes an identity and no request."""
    from ..core.presented import PresentedChain

    return sslclientcert_ca.trust_store().verify(PresentedChain(sslclientcert_certificate.certificate))


@pytest.fixture(params=[refusal.word for refusal in REFUSALS])
def sslclientcert_refused(
    request: pytest.FixtureRequest, sslclientcert_ca: ClientCA, sslclientcert_proxy: str | Proxy
) -> RefusedClient:
    """A bad client. A test that uses it runs once for each kind.

    For some kinds only: `@pytest.mark.parametrize("sslclientcert_refused", ["expired"], indirect=True)`.
    """
    (refusal,) = (refusal for refusal in REFUSALS if refusal.word == request.param)
    certificate: IssuedCertificate = getattr(sslclientcert_ca, refusal.word)("mallory")
    return RefusedClient(certificate, certificate.headers(sslclientcert_proxy), refusal.code, refusal.status)


_OF_THE_PROXY = frozenset({"sslclientcert_headers", "sslclientcert_no_certificate", "sslclientcert_refused"})


@pytest.fixture
def sslclientcert_trusting(
    request: pytest.FixtureRequest, sslclientcert_ca: ClientCA, sslclientcert_proxy: str | Proxy
) -> Iterator[Callable[[ClientCertAuthenticator], None]]:
    """A function that makes your application's authenticator trust the CA of the test until the test ends.

    It raises an error if the authenticator reads another proxy's headers than the fixtures give. See
    `sslclientcert.testing.trusting` for what stays in force.
    """
    from ..core.proxies import proxy_named
    from .overrides import trusting

    row = proxy_named(sslclientcert_proxy)
    with contextlib.ExitStack() as overrides:

        def trust(authenticator: ClientCertAuthenticator) -> None:
            if authenticator.proxy != row and _OF_THE_PROXY.intersection(request.fixturenames):
                raise ValueError(
                    f"the authenticator reads {authenticator.proxy.certificate_header} of {authenticator.proxy.name}, "
                    f"and the fixtures give {row.certificate_header} of {row.name}: override "
                    "sslclientcert_authenticator in conftest.py, and return the authenticator from it"
                )
            overrides.enter_context(trusting(authenticator, sslclientcert_ca))

        yield trust
