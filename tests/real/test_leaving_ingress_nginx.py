"""docs/leaving-ingress-nginx.md as it is done: an application twice, a word apart, behind the old and the new proxy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from examples.demo.nginx import Ingress, nginx
from sslclientcert.testing import encode

from .configurations import configuration
from .pki import Pki
from .rigs import running
from .servers import Headers, Reply, application, https, tls_context


@dataclass(frozen=True)
class Move:
    """Ports: the old way (ingress-nginx), the new (Traefik), and Traefik before an application that was left behind."""

    pki: Pki
    old: int
    new: int
    left_behind: int

    def get(self, port: int, client: str, headers: Headers = ()) -> Reply:
        return https(port, tls_context(self.pki.server_ca, self.pki.client[client]), headers=headers)


@pytest.fixture(scope="module")
def move(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    with tempfile.TemporaryDirectory(prefix="move-") as name, ExitStack() as stack:
        folder = Path(name)
        applications = {}
        for proxy in ("nginx-ingress", "traefik"):
            (folder / proxy).mkdir()
            with pytest.MonkeyPatch.context() as environment:
                environment.setenv("SSLCLIENTCERT_PROXY", proxy)
                applications[proxy] = stack.enter_context(application(folder / proxy, "uvicorn-h11", pki.bundle))
        upstream = applications["nginx-ingress"].upstream
        hosts = [Ingress(upstream=upstream, ca=pki.bundle, verify_client="on")]
        (old,) = stack.enter_context(nginx(folder, hosts, certificate=pki.server.certificate, key=pki.server.key))
        fronts = []
        for proxy in ("traefik", "nginx-ingress"):
            kind, text, files = configuration("traefik", pki, applications[proxy].upstream, verifies=True)
            rig = running(kind, text, tmp_path_factory.mktemp("traefik"), files=files)
            fronts.append(stack.enter_context(rig).port)
        yield Move(pki, old, *fronts)


def forged(pki: Pki) -> list[tuple[str, str]]:
    """What ingress-nginx would send for alice, written by somebody else."""
    return list(encode(x509.load_der_x509_certificate(pki.client["good"].der), "nginx-ingress").items())


def test_a_client_is_the_same_by_the_old_way_and_by_the_new(move: Move) -> None:
    old, new = (move.get(port, "good") for port in (move.old, move.new))
    assert (old.status, new.status) == (200, 200)
    assert old.json["identity"] == new.json["identity"]
    assert old.json["common_name"] == "alice"


def test_a_header_of_the_old_scheme_makes_nobody_its_holder_by_either_way(move: Move) -> None:
    for port in (move.old, move.new):
        assert move.get(port, "common-name-only", forged(move.pki)).json["common_name"] == "bob"


def test_an_application_left_behind_the_new_proxy_with_the_old_word_believes_a_forged_header(move: Move) -> None:
    assert move.get(move.left_behind, "common-name-only").code == "certificate_missing"
    assert move.get(move.left_behind, "common-name-only", forged(move.pki)).json["common_name"] == "alice"
