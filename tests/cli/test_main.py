"""What all commands share: their names, the exit status, colours, pipes, and what they import."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import sslclientcert

from .conftest import Command

PROGRAM = [sys.executable, "-m", "sslclientcert"]


def test_the_version_is_the_packages(command: Command) -> None:
    said = command("--version")
    assert (said.status, said.out) == (0, f"sslclientcert {sslclientcert.__version__}\n")


def test_the_program_and_the_module_are_the_same() -> None:
    script = Path(sys.executable).with_name("sslclientcert")
    said = [subprocess.check_output([*each, "--help"], text=True) for each in (PROGRAM, [script])]
    assert said[0] == said[1]
    assert said[0].startswith("usage: sslclientcert ")


@pytest.mark.parametrize(
    "arguments", [[], ["no-such-command"], ["verify"], ["inspect", "--no-such-option", "leaf.crt"]]
)
def test_a_wrong_command_line_ends_with_status_2(command: Command, arguments: list[str]) -> None:
    said = command(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("usage: sslclientcert")


@pytest.mark.parametrize("name", ["verify", "inspect", "bundle", "encode", "proxies", "probe"])
def test_every_command_explains_itself(command: Command, name: str) -> None:
    assert name in command("--help").out
    said = command(name, "--help")
    assert said.status == 0
    assert said.out.startswith(f"usage: sslclientcert {name} ")


def test_a_command_imports_no_other() -> None:
    code = "import sys; from sslclientcert.cli import main; main(['proxies']); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-I", "-c", code], text=True).splitlines()[-1].split()
    assert "sslclientcert.cli.proxies" in loaded
    others = ("verify", "inspect", "bundle", "encode", "probe")
    assert not {"sslclientcert.testing", *(f"sslclientcert.cli.{each}" for each in others)} & {*loaded}


def test_ctrl_c_ends_in_the_shells_status_without_a_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(**_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("sslclientcert.cli.proxies.run", interrupt)
    said = command("proxies")
    assert (said.status, said.err) == (130, "")


@pytest.mark.parametrize(
    "arguments", [["proxies"], ["inspect", "client.crt"], ["verify", "--ca", "ca.crt", "client.crt"]]
)
def test_a_reader_that_has_gone_ends_it_without_a_word(folder: Path, arguments: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [*PROGRAM, *arguments], cwd=folder, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write_end)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def on_a_terminal(folder: Path, *arguments: str, **environ: str) -> str:
    """Run the command with a terminal for its output, and return what it wrote there."""
    master, slave = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    try:
        subprocess.run(
            [*PROGRAM, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=slave, check=False,
            env={**plain, "TERM": "xterm", **environ},
        )  # fmt: skip
        return os.read(master, 65536).decode()
    finally:
        os.close(master)
        os.close(slave)


def test_there_are_colours_on_a_terminal_and_nowhere_else(command: Command, folder: Path) -> None:
    verify = ("verify", "--ca", "ca.crt", "leaf.crt")
    assert "\x1b[32mACCEPTED\x1b[0m" in on_a_terminal(folder, *verify)
    assert "\x1b" not in on_a_terminal(folder, *verify, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(folder, *verify, TERM="dumb")
    assert "\x1b" not in command(*verify).out
