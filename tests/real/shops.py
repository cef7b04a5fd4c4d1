"""An example behind its proxy, which verifies clients as its file says, and behind one that passes on all."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from sslclientcert.testing import encode

from .configurations import for_loopback, replaced
from .pki import Pki
from .rigs import RunningProxy, running
from .servers import DEADLINE_SECONDS, Headers, Reply, exchange, tls_context


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The application, and the proxies before it.

    Attributes:
        pki: whose certificates the clients show.
        proxies: by whether they verify clients.
        path: a page of the application that needs a certificate.
        log: what the application, or what judges for it, has said.
    """

    pki: Pki
    proxies: Mapping[bool, RunningProxy]
    path: str
    log: Path

    @property
    def kind(self) -> str:
        return self.proxies[True].kind

    def get(self, client: str | None, *, verifies: bool = True, headers: Headers = ()) -> Reply:
        context = tls_context(self.pki.server_ca, None if client is None else self.pki.client[client])
        connection = http.client.HTTPSConnection(
            "localhost", self.proxies[verifies].port, timeout=DEADLINE_SECONDS, context=context
        )
        return exchange(connection, headers, self.path, "GET")

    def answer(self, client: str | None, *, verifies: bool = True, headers: Headers = ()) -> Any:
        """The JSON of the page, which the client has to get."""
        reply = self.get(client, verifies=verifies, headers=headers)
        assert reply.status == 200, (reply, self.log.read_text(errors="replace")[-4000:])
        return reply.json

    def forged(self) -> list[tuple[str, str]]:
        """What the proxy would send for the client "good", written by somebody else."""
        return [*encode(x509.load_der_x509_certificate(self.pki.client["good"].der), self.kind).items()]


@contextmanager
def proxies(
    kind: str, files: Sequence[Path], pki: Pki, upstream: str, folder: Path, *, more: Mapping[str, str] | None = None
) -> Iterator[dict[bool, RunningProxy]]:
    """Run the proxy of an example twice until the block ends: as it verifies clients, and as it passes on all.

    Parameters:
        kind: one of `rigs.KINDS`.
        files: its configuration; the main file first.
        pki: whose server certificate and client CA it gets.
        upstream: the application's `address:port`, or the path of its Unix socket.
        folder: for both.
        more: what else to replace.
    """
    read = [file.read_text(encoding="utf-8") for file in files]
    with ExitStack() as stack:
        started = {}
        for verifies in (True, False):
            changes = {**for_loopback(kind, pki, upstream, verifies=verifies, name="shop"), **(more or {})}
            main, *others = replaced(read, changes, files[0].parent.name)
            names = [file.name for file in files[1:]]
            rig = running(kind, main, folder / f"{kind}-{verifies}", files=dict(zip(names, others, strict=True)))
            started[verifies] = stack.enter_context(rig)
        yield started
