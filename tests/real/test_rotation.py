"""CAs and CRLs are swapped as the kubelet swaps a mounted secret, under load, through a real nginx and four workers.

No request is lost: each answer is 200, or the refusal that the swap before it or the one under way demands. Every
worker honours each swap, and once it has, it does not go back.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from examples.demo.nginx import Ingress, nginx
from examples.demo.processes import listen, serve
from sslclientcert.testing import ClientCA, IssuedCertificate

from ..mounted_secret import Secret
from .pki import Credentials, Pki
from .servers import DEADLINE_SECONDS, HERE, plain, tls_context

WORKERS = 4
RELOAD_INTERVAL = 1.0
MARGIN = 30.0  # for a machine that is busy with other things: how long to look for what should be there at once

ACCEPTED, UNTRUSTED, REVOKED = (200, None), (403, "certificate_untrusted"), (403, "certificate_revoked")
Outcome = tuple[int, str | None]


@dataclass(frozen=True)
class Answer:
    """What came of one request, by which worker, and from when to when it took."""

    client: str
    outcome: Outcome
    worker: str
    begun: float
    ended: float


@dataclass
class Load:
    """Clients that ask as fast as they are answered, until the block ends."""

    port: int
    server_ca: Path
    answers: list[Answer] = field(default_factory=list)
    lost: list[BaseException] = field(default_factory=list)

    @contextmanager
    def by(self, clients: dict[str, Credentials]) -> Iterator[None]:
        done = threading.Event()

        def ask(name: str, credentials: Credentials) -> None:
            context = tls_context(self.server_ca, credentials)
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS, context=context)
            try:
                while not done.is_set():
                    begun = time.monotonic()
                    connection.request("GET", "/")
                    response = connection.getresponse()
                    body, worker = response.read(), response.headers["worker"]
                    outcome = response.status, None if response.status == 200 else json.loads(body)["code"]
                    self.answers.append(Answer(name, outcome, worker, begun, time.monotonic()))
            except BaseException as error:  # noqa: BLE001  # a request that was lost, which is what the test is for
                self.lost.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=ask, args=each) for each in clients.items() for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join(DEADLINE_SECONDS)

    def of(self, client: str, since: float = 0.0) -> list[Answer]:
        return [one for one in self.answers if one.client == client and one.begun >= since]

    def workers_with(self, client: str, outcome: Outcome, since: float = 0.0) -> set[str]:
        return {one.worker for one in self.of(client, since) if one.outcome == outcome}

    def await_all_workers(self, client: str, outcome: Outcome, since: float, what: str) -> None:
        deadline = time.monotonic() + RELOAD_INTERVAL + MARGIN
        while len(self.workers_with(client, outcome, since)) < WORKERS:
            assert not self.lost, self.lost
            assert time.monotonic() < deadline, f"{what}, and not every worker gives {outcome} to {client} in time"
            time.sleep(0.05)


@contextmanager
def served(
    folder: Path, secret: Secret, pki: Pki, *, preload: bool = False, starve: Path | None = None
) -> Iterator[int]:
    """Run gunicorn with four workers behind nginx, which passes every certificate on; the value is nginx's port.

    While there is the file `starve`, no request can open a file. A thread that accepts would end its worker then, so
    the workers have none.
    """
    with ExitStack() as stack:
        sockets, log = [listen(folder / "socket"), listen()], folder / "gunicorn.log"
        ready_port: int = sockets[1].getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", f"--workers={WORKERS}"]
        command += ["-k", "sync"] if starve else ["-k", "gthread", "--threads=2"]
        command += [f"--bind=fd://{each.fileno()}" for each in sockets]
        command += ["--graceful-timeout=1", *(["--preload"] if preload else []), "rotating:application()"]
        environ = {
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts its control socket
            "SSLCLIENTCERT_CA": str(secret.ca),
            "SSLCLIENTCERT_CRL": str(secret.crl),
            "SSLCLIENTCERT_RELOAD_INTERVAL": str(RELOAD_INTERVAL),
            "SSLCLIENTCERT_TRUSTED_PROXIES": "unix",
            **({"STARVE": str(starve)} if starve else {}),
        }
        stack.enter_context(serve(command, sockets, log=log, environ=environ))
        try:
            assert plain(ready_port, path="/ready").status == 200
        except OSError as error:
            raise AssertionError(log.read_text()) from error
        ingress = Ingress(upstream=f"unix:{folder}/socket", ca=pki.bundle)
        server = pki.server
        (port,) = stack.enter_context(nginx(folder, [ingress], certificate=server.certificate, key=server.key))
        yield port


def written(certificate: IssuedCertificate, folder: Path) -> Credentials:
    folder.mkdir()
    certificate.write(folder)
    return Credentials(certificate=folder / "client.crt", key=folder / "client.key")


@pytest.mark.parametrize("preload", [False, True], ids=["each worker loads", "loaded before the fork"])
def test_every_worker_honours_each_swap_of_a_mounted_secret_and_no_request_is_lost(pki: Pki, preload: bool) -> None:
    old_ca, new_ca = ClientCA("Old CA"), ClientCA("New CA")
    old, new = old_ca.issue("old"), new_ca.issue("new")
    # What is mounted, and what each client must get by it.
    swaps: list[tuple[str, str, str, Outcome, Outcome]] = [
        ("at the start", old_ca.pem, old_ca.crl(), ACCEPTED, UNTRUSTED),
        ("a CA is added", old_ca.pem + new_ca.pem, old_ca.crl() + new_ca.crl(), ACCEPTED, ACCEPTED),
        ("one is revoked", old_ca.pem + new_ca.pem, old_ca.crl([old]) + new_ca.crl(), REVOKED, ACCEPTED),
        ("it is pardoned", old_ca.pem + new_ca.pem, old_ca.crl() + new_ca.crl(), ACCEPTED, ACCEPTED),
        ("a CA is withdrawn", new_ca.pem, new_ca.crl(), UNTRUSTED, ACCEPTED),
    ]
    # Not in pytest's folder: a Unix socket's path may not be longer than about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="rotation-") as name:
        folder = Path(name)
        (folder / "secret").mkdir()
        secret = Secret(folder / "secret")
        secret.update(ca_crt=swaps[0][1], ca_crl=swaps[0][2])
        clients = {"old": written(old, folder / "old"), "new": written(new, folder / "new")}
        with served(folder, secret, pki, preload=preload) as port:
            load = Load(port, pki.server_ca)
            with load.by(clients):
                before: dict[str, Outcome] = {}
                for what, ca, crl, *outcomes in swaps:
                    if before:
                        secret.update(ca_crt=ca, ca_crl=crl)
                    swapped = time.monotonic()
                    expected = dict(zip(clients, outcomes, strict=True))
                    for client, outcome in expected.items():
                        load.await_all_workers(client, outcome, swapped, what)
                    hold_to(load, swapped, before, expected)
                    before = expected
            assert load.lost == []
            assert {one.worker for one in load.answers} == load.workers_with("new", ACCEPTED)


def test_a_reload_that_meets_too_many_open_files_is_tried_again_without_another_change(pki: Pki) -> None:
    ca = ClientCA("The CA")
    old, new = ca.issue("old"), ca.issue("new")
    with tempfile.TemporaryDirectory(prefix="rotation-") as name:
        folder = Path(name)
        (folder / "secret").mkdir()
        secret, starve = Secret(folder / "secret"), folder / "starve"
        secret.update(ca_crt=ca.pem, ca_crl=ca.crl())
        clients = {"old": written(old, folder / "old"), "new": written(new, folder / "new")}

        def failed() -> int:
            said = (folder / "gunicorn.log").read_text(errors="replace")
            return len(re.findall("the trust store stays as it was.*Too many open files", said))

        with served(folder, secret, pki, starve=starve) as port:
            load = Load(port, pki.server_ca)
            with load.by(clients):
                load.await_all_workers("old", ACCEPTED, 0.0, "at the start")
                starve.touch()
                secret.update(ca_crt=ca.pem, ca_crl=ca.crl([old]))
                deadline = time.monotonic() + RELOAD_INTERVAL + MARGIN
                while failed() < WORKERS:
                    assert time.monotonic() < deadline, f"{failed()} workers have met it"
                    time.sleep(0.05)
                assert {one.outcome for one in load.answers} == {ACCEPTED}
                starve.unlink()
                relieved = time.monotonic()
                load.await_all_workers("old", REVOKED, relieved, "there are descriptors again")
                load.await_all_workers("new", ACCEPTED, relieved, "there are descriptors again")
            assert load.lost == []
            assert failed() == WORKERS  # a fault is logged when it is news


def hold_to(load: Load, swapped: float, before: dict[str, Outcome], expected: dict[str, Outcome]) -> None:
    """Since a swap, every answer is the one before it or the one after it, and no worker goes back."""
    for client, outcome in expected.items():
        answers = load.of(client, swapped)
        assert {one.outcome for one in answers} <= {outcome, before.get(client, outcome)}
        honoured: dict[str, float] = {}
        for one in answers:
            if one.outcome == outcome:
                honoured[one.worker] = min(one.ended, honoured.get(one.worker, one.ended))
        assert not [one for one in answers if one.outcome != outcome and one.begun > honoured[one.worker]]
