"""The demo itself: certificates, servers, requests, a table, and in the end nothing left behind."""

from __future__ import annotations

import http.client
import json
import shlex
import signal
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Self

from rich import box
from rich.console import Console
from rich.table import Table

from .cases import CASES, HEALTH_PATH, NGINX_ITSELF, NOBODY, PAST_NGINX, Case, Outcome
from .certificates import make_certificates
from .nginx import Ingress, NginxFailed, nginx
from .processes import listen, serve

__all__ = ["show"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TIMEOUT_SECONDS = 30.0
_ENDED = "Ended: the servers are stopped, the files are removed."
_NEXT = """\
Next: `make demo SERVE=1` keeps it running, for requests of your own.
docs/quickstart.md puts the library into your application."""


class _Interruption(Exception):
    """A signal asked the demo to end."""


class _Signals:
    """Remembers the first signal, and never breaks into a step: each one either did not begin or can be undone."""

    received = 0

    def __enter__(self) -> Self:
        self._previous = {each: signal.signal(each, self._remember) for each in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._previous.items():
            signal.signal(each, handler)

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or number

    def check(self) -> None:
        """Raise _Interruption if there was one."""
        if self.received:
            raise _Interruption


class _ApplicationFailed(RuntimeError):
    """The application did not start. The message is what it said."""


@dataclass(frozen=True)
class _Stage:
    """The running servers: the folder of the certificates, nginx's port and the application's own."""

    folder: Path
    nginx_port: int
    application_port: int

    def outcome(self, case: Case) -> tuple[Outcome, str]:
        """Send the request of a case; return what became of it, and the title of a refusal or nothing."""
        connection = self._connect(case)
        try:
            connection.request("GET", "/", headers=self._headers(case))
            response = connection.getresponse()
            kind, body = response.getheader("content-type"), response.read()
        finally:
            connection.close()
        verdict = response.getheader("nginx-verdict", PAST_NGINX)
        match kind:
            case "application/json":
                return Outcome(verdict, f"{response.status}", json.loads(body)["hello"]), ""
            case "application/problem+json":
                problem = json.loads(body)
                return Outcome(verdict, f"{response.status} {problem['code']}", NOBODY), problem["title"]
            case _:
                return Outcome(verdict, f"{response.status} {NGINX_ITSELF}", NOBODY), ""

    def _connect(self, case: Case) -> http.client.HTTPConnection:
        if case.direct:
            return http.client.HTTPConnection("127.0.0.1", self.application_port, timeout=_TIMEOUT_SECONDS)
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.crt")
        if case.certificate:
            context.load_cert_chain(*self._files(case.certificate))
        return http.client.HTTPSConnection("127.0.0.1", self.nginx_port, timeout=_TIMEOUT_SECONDS, context=context)

    def _headers(self, case: Case) -> dict[str, str]:
        if not case.forged:
            return {}
        name, value = (self.folder / "forged.header").read_text(encoding="ascii").strip().split(": ")
        return {name: value}

    def curl(self, case: Case) -> str:
        """Return the request of a case as a curl command for a shell."""
        command = ["curl", "-i"]
        if case.forged:
            command += ["-H", f"@{self.folder}/forged.header"]
        if case.direct:
            return shlex.join([*command, f"http://127.0.0.1:{self.application_port}/"])
        if case.certificate:
            certificate, key = self._files(case.certificate)
            command += ["--cert", certificate, "--key", key]
        return shlex.join([*command, "--cacert", f"{self.folder}/ca.crt", f"https://127.0.0.1:{self.nginx_port}/"])

    def _files(self, name: str) -> tuple[str, str]:
        return f"{self.folder}/{name}/client.crt", f"{self.folder}/{name}/client.key"


def show(keep: bool) -> int:
    """Run the demo; see `__main__`."""
    console = Console(highlight=False)
    with _Signals() as signals:
        try:
            with ExitStack() as stack:
                stage = _set(console, signals, stack)
                complete = _report(console, signals, stage)
                if keep:
                    _invite(console, stage)
                    while not signals.received:
                        time.sleep(0.1)
        except _Interruption:
            console.print("Interrupted.")
            return 128 + signals.received
        except (NginxFailed, _ApplicationFailed, OSError) as error:
            console.print(f"{error}", markup=False)
            return 1
    console.print(_ENDED if keep else _NEXT)
    return 0 if complete else 1


def _set(console: Console, signals: _Signals, stack: ExitStack) -> _Stage:
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="sslclientcert-demo-")))
    with _step(console, signals, "Making a throwaway CA and client certificates"):
        make_certificates(folder, signals.check)
    with _step(console, signals, "Starting the application"):
        behind, beside = listen(folder / "application.sock"), listen()
        port = beside.getsockname()[1]
        listeners = [f"{listener.fileno()}" for listener in (behind, beside)]
        program = str(Path(__file__).with_name("application.py"))
        command = [sys.executable, program, f"{folder}/ca.crt", HEALTH_PATH, *listeners]
        log = folder / "application.log"
        stack.enter_context(serve(command, [behind, beside], log=log))
        _await_application(port, log)
    with _step(console, signals, "Starting nginx"):
        ingress = Ingress(upstream=f"unix:{folder}/application.sock", ca=folder / "ca.crt")
        certificate, key = folder / "server" / "client.crt", folder / "server" / "client.key"
        [nginx_port] = stack.enter_context(nginx(folder, [ingress], certificate=certificate, key=key))
    return _Stage(folder, nginx_port, port)


@contextmanager
def _step(console: Console, signals: _Signals, what: str) -> Iterator[None]:
    signals.check()
    began = time.monotonic()
    if console.is_terminal:
        with console.status(f"{what} ..."):
            yield
    else:
        console.print(f"{what} ...", end=" ")
        yield
    console.print(f"{f'{what} ... ' * console.is_terminal}{time.monotonic() - began:.1f} s")
    signals.check()


def _await_application(port: int, log: Path) -> None:
    # Its socket listens already: one request waits until it is ready, and is cut off if it dies.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", HEALTH_PATH)
        healthy = connection.getresponse().status == 200
    except OSError:
        healthy = False
    finally:
        connection.close()
    if not healthy:
        raise _ApplicationFailed(f"the application did not start:\n{log.read_text(errors='replace')}")


def _report(console: Console, signals: _Signals, stage: _Stage) -> bool:
    table = Table(box=box.HORIZONTALS, show_lines=True, pad_edge=False)
    # So that a code and a name stay whole on a terminal of 80 columns.
    table.add_column("presented", width=14)
    table.add_column("nginx said", width=18)
    table.add_column("the application answered, and why")
    table.add_column("who it saw", no_wrap=True)
    complete = True
    with _step(console, signals, f"Sending {len(CASES)} requests"):
        for case in CASES:
            outcome, title = stage.outcome(case)
            colour, why = "green" if outcome.saw != NOBODY else "yellow", f"{title} {case.why}".strip()
            if not case.holds(outcome):
                complete, colour, why = False, "bold red", f"WRONG, expected: {case.expected}"
            table.add_row(case.presented, outcome.verdict, f"[{colour}]{outcome.answer}[/]\n{why}", outcome.saw)
    console.print(table)
    console.print("Everything is as it should be." if complete else "[bold red]Not everything is as it should be.")
    return complete


def _invite(console: Console, stage: _Stage) -> None:
    console.print("\nIt keeps running. Try:")
    for case in CASES:
        console.print(f"\n# {case.presented}\n{stage.curl(case)}", markup=False, soft_wrap=True)
    console.print(f"\nWhat the application logs: {stage.folder}/application.log", markup=False, soft_wrap=True)
    console.print("Ctrl-C ends it and removes everything.")
