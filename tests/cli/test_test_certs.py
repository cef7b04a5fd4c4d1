from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest

from .conftest import Command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder without the files that the tests of this command line start with."""
    made = tmp_path / "empty"
    made.mkdir()
    return made


def test_what_it_writes_verifies_and_is_a_pair(command: Command, folder: Path) -> None:
    folder = folder / "new" / "folder"
    said = command("test-certs", str(folder))
    assert (said.status, said.err) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == ["ca.crt", "client.crt", "client.key"]
    assert all(str(path) in said.out for path in folder.iterdir())
    verified = command("verify", "--ca", str(folder / "ca.crt"), str(folder / "client.crt"))
    assert "ACCEPTED  CN=alice" in verified.out
    ssl.create_default_context().load_cert_chain(folder / "client.crt", folder / "client.key")


def test_the_key_is_for_its_owner_alone(command: Command, folder: Path) -> None:
    command("test-certs", str(folder))
    assert stat.S_IMODE((folder / "client.key").stat().st_mode) == 0o600


def test_the_client_may_have_another_name(command: Command, folder: Path) -> None:
    command("test-certs", "--name", "bob", str(folder))
    assert "CN=bob" in command("verify", "--ca", str(folder / "ca.crt"), str(folder / "client.crt")).out


@pytest.mark.parametrize("file", ["ca.crt", "client.crt", "client.key"])
def test_a_file_that_is_there_is_not_overwritten(command: Command, folder: Path, file: str) -> None:
    (folder / file).write_text("precious")
    said = command("test-certs", str(folder))
    assert (said.status, said.out) == (2, "")
    assert f"{file} exists" in said.err
    assert [path.read_text() for path in folder.iterdir()] == ["precious"]


def test_a_name_that_no_certificate_can_hold_is_refused(command: Command, folder: Path) -> None:
    said = command("test-certs", "--name", "x" * 65, str(folder))
    assert (said.status, said.out) == (2, "")
    assert "--name" in said.err
    assert list(folder.iterdir()) == []
