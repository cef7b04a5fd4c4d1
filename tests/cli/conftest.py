"""The command in the process of the test, in a folder of its own, with files as people have them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sslclientcert.cli import main
from sslclientcert.testing import ClientCA, IssuedCertificate

from ..openssl import OpenSSL


@dataclass(frozen=True)
class Said:
    """What became of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command: TypeAlias = Callable[..., Said]


@pytest.fixture(scope="session")
def ca() -> ClientCA:
    return ClientCA("Example CA", intermediates=1)


@pytest.fixture(scope="session")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue(
        "alice", organization="Example", dns_names=["alice.example.org"], uris=["spiffe://example.org/alice"]
    )


@pytest.fixture
def folder(ca: ClientCA, alice: IssuedCertificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ca.crt, ca.crl, client.crt (with its intermediate), client.key, leaf.crt, and header.txt."""
    monkeypatch.chdir(tmp_path)
    ca.write("ca.crt")
    alice.write(".")
    Path("ca.crl").write_text(ca.crl())
    Path("leaf.crt").write_text(alice.pem)
    Path("header.txt").write_text(alice.headers()["ssl-client-cert"] + "\n")
    return tmp_path


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    def run(*arguments: str | Path, stdin: str | bytes = b"") -> Said:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        capsys.readouterr()
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return run


HOSTILE = "\x1b[2J\x1b[32mACCEPTED\x1b[0m\r\nACCEPTED  CN=admin\u202e\u0007"


@pytest.fixture(scope="session")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpenSSL:
    """A folder with plain.crt and hostile.crt, of root.crt."""
    made = OpenSSL(tmp_path_factory.mktemp("openssl"))
    made.root("root", "My Cert Authority", "rsa:2048")
    made.issue("plain", "My Client", "root")
    made.issue("hostile", HOSTILE, "root", "extendedKeyUsage=clientAuth\n")
    return made
