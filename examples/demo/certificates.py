"""The certificates of the demo. Each client has a folder with `client.crt` and `client.key`."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509

from sslclientcert.testing import ClientCA, encode

__all__ = ["DOCUMENTATION", "make_certificates"]

# Word for word, https://kubernetes.github.io/ingress-nginx/examples/auth/client-certs/
DOCUMENTATION = """\
openssl req -x509 -sha256 -newkey rsa:4096 -keyout ca.key -out ca.crt -days 356 -nodes -subj '/CN=My Cert Authority'
openssl req -new -newkey rsa:4096 -keyout client.key -out client.csr -nodes -subj '/CN=My Client'
openssl x509 -req -sha256 -days 365 -in client.csr -CA ca.crt -CAkey ca.key -set_serial 02 -out client.crt
"""


def make_certificates(folder: Path, check: Callable[[], None]) -> None:
    """Make everything that nginx, the application and the clients need.

    This takes seconds: the documentation's commands make two RSA keys of 4096 bits. Meanwhile `check` is called again
    and again; what it raises ends the work.

    In `folder`: `ca.crt`, the bundle of the two CAs; the folders `server`, `alice`, `documentation`, `stranger` and
    `expired`; and `forged.header`, by which anybody who has seen Alice's certificate may pose as her.
    """
    for name in ("server", "alice", "documentation", "stranger", "expired"):
        (folder / name).mkdir()
    ca = ClientCA("Demo CA")
    ca.server_only("localhost", dns_names=["localhost"], ip_addresses=["127.0.0.1"]).write(folder / "server")
    alice = ca.issue("Alice", uris=["spiffe://demo.example/alice"])
    alice.write(folder / "alice")
    ca.expired("Alice").write(folder / "expired")
    ClientCA("Stranger CA").issue("Alice").write(folder / "stranger")
    other = _documentation(folder / "documentation", check)
    bundle = f"# the demo's CA\n{ca.pem}\n# the CA of the documentation's commands\n{other}"
    (folder / "ca.crt").write_text(bundle, encoding="ascii")
    header = encode(alice.der, "nginx-ingress")["ssl-client-cert"]
    (folder / "forged.header").write_text(f"ssl-client-cert: {header}\n", encoding="ascii")


def _documentation(folder: Path, check: Callable[[], None]) -> str:
    """Make the documentation's certificate, which is X.509 v1, in `folder`; return the PEM of its CA."""
    commands = [shlex.split(command) for command in DOCUMENTATION.splitlines()]
    if shutil.which("openssl") and all(_succeeds(command, folder, check) for command in commands):
        certificate = x509.load_pem_x509_certificate((folder / "client.crt").read_bytes())
        if certificate.version is x509.Version.v1:
            return (folder / "ca.crt").read_text(encoding="ascii")
    # There is no openssl, or one since 3.2, which makes X.509 v3 of the same commands.
    ca = ClientCA("My Cert Authority", key="rsa")
    ca.v1("My Client", key="rsa").write(folder)
    return ca.pem


def _succeeds(command: Sequence[str], folder: Path, check: Callable[[], None]) -> bool:
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdin=nowhere, stdout=nowhere, stderr=nowhere) as process:
        try:
            while process.poll() is None:
                check()
                time.sleep(0.02)
        finally:
            process.kill()
    return process.returncode == 0
