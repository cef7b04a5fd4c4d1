from __future__ import annotations

import ssl
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from examples.demo.nginx import Ingress, nginx

from .pki import Pki
from .servers import GATEWAYS, Application, Headers, Reply, application, https, plain, tls_context

MODES = ("on", "optional", "optional_no_ca")


class Stage:
    """Each application behind each configuration of one nginx.

    The hosts of nginx: the three modes of `auth-tls-verify-client`; `not-passed`, which is `optional_no_ca` without
    `auth-tls-pass-certificate-to-upstream`; and `plain`, without TLS.
    """

    def __init__(
        self, folder: Path, pki: Pki, applications: dict[str, Application], ports: dict[tuple[str, str], int]
    ) -> None:
        self.pki = pki
        self.applications = applications
        self._folder = folder
        self._ports = ports

    def port(self, gateway: str, host: str = "optional_no_ca") -> int:
        return self._ports[gateway, host]

    def context(self, client: str | None, *protocols: str) -> ssl.SSLContext:
        return tls_context(self.pki.server_ca, None if client is None else self.pki.client[client], *protocols)

    def get(self, gateway: str, client: str | None, *, host: str = "optional_no_ca", headers: Headers = ()) -> Reply:
        """Ask nginx for the application with this client's certificate, or none."""
        if host == "plain":
            return plain(self.port(gateway, host), headers=headers)
        return https(self.port(gateway, host), self.context(client), headers=headers)

    def logs(self) -> Iterator[tuple[str, str]]:
        for log in (self._folder / "nginx.log", *(each.log for each in self.applications.values())):
            yield str(log.relative_to(self._folder)), log.read_text(errors="replace")[-4000:]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def stage(pki: Pki) -> Iterator[Stage]:
    # Not in pytest's folder: a Unix socket's path may not be longer than about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="stage-") as name, ExitStack() as stack:
        folder = Path(name)
        applications = {each: stack.enter_context(application(folder, each, pki.bundle)) for each in GATEWAYS}
        hosts: dict[tuple[str, str], Ingress] = {}
        for gateway, running in applications.items():
            for mode in MODES:
                hosts[gateway, mode] = Ingress(upstream=running.upstream, ca=pki.bundle, verify_client=mode)
            hosts[gateway, "not-passed"] = Ingress(upstream=running.upstream, ca=pki.bundle, pass_certificate=False)
            hosts[gateway, "plain"] = Ingress(upstream=running.upstream, ca=pki.bundle, tls=False)
        server = pki.server
        ports = stack.enter_context(nginx(folder, [*hosts.values()], certificate=server.certificate, key=server.key))
        yield Stage(folder, pki, applications, dict(zip(hosts, ports, strict=True)))


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest) -> str:
    """Each real server, with the middleware of its gateway."""
    name: str = request.param
    return name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    stage: Any = getattr(item, "funcargs", {}).get("stage")
    if report.failed and stage is not None:
        report.sections.extend((f"{name} (its end)", text) for name, text in stage.logs())
    return report
