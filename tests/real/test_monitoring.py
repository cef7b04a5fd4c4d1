"""The recipe in examples/monitoring: two workers of gunicorn, a real Prometheus, and every alert of the rule file.

Each alert is there when its reason is, and not before. Prometheus is Debian's, and asks every second.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from examples.demo.processes import listen, serve
from sslclientcert.testing import ClientCA

from .servers import plain

EXAMPLE = Path(__file__).parents[2] / "examples" / "monitoring"
RULE = yaml.safe_load((EXAMPLE / "prometheusrule.yaml").read_text(encoding="utf-8"))
ALERTS = {rule["alert"] for group in RULE["spec"]["groups"] for rule in group["rules"]}
DASHBOARD = json.loads((EXAMPLE / "dashboard.json").read_text(encoding="utf-8"))
PATIENCE_SECONDS = 90.0
EXPIRED_CA = ClientCA("Expired CA", now=datetime(2001, 1, 1, tzinfo=UTC))


class Exporter(ThreadingHTTPServer):
    """What else the collector asks in a cluster: it tells whatever text it is given."""

    text = ""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(exporter.text.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
                pass

        exporter = self
        super().__init__(("127.0.0.1", 0), Handler)


@contextmanager
def exporting() -> Iterator[Exporter]:
    with Exporter() as exporter:
        thread = threading.Thread(target=exporter.serve_forever)
        thread.start()
        try:
            yield exporter
        finally:
            exporter.shutdown()
            thread.join()


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log

    def ask(self, path: str) -> Any:
        reply = plain(self.port, path=f"/api/v1/{path}")
        assert reply.status == 200, reply.body
        return reply.json["data"]

    def query(self, expression: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = self.ask(f"query?query={quote(expression)}")["result"]
        return found

    @property
    def alerts(self) -> set[str]:
        """The alerts whose expressions hold now."""
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]}

    def await_alerts(self, *names: str) -> None:
        await_(lambda: self.alerts == set(names), lambda: f"the alerts are {self.alerts}, not {names}")


def await_(holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.25)


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    """Run Prometheus with the example's rules, as the operator would write them into its configuration."""
    (folder / "rules.yml").write_text(yaml.safe_dump(RULE["spec"]), encoding="utf-8")
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules.yml")],
        "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": targets}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:  # it takes no socket that is open already
        port = free.getsockname()[1]
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    with serve(command, [], log=folder / "prometheus.log"):
        running = Prometheus(port, folder / "prometheus.log")

        def is_ready() -> bool:
            try:
                return plain(port, path="/-/ready").status == 200
            except OSError:
                return False

        await_(is_ready, running.log.read_text)
        yield running


@contextmanager
def application(folder: Path) -> Iterator[int]:
    """Run the example's application with two workers, and give its port."""
    (folder / "metrics").mkdir()
    listener = listen()
    port: int = listener.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--workers=2", f"--bind=fd://{listener.fileno()}"]
    command += [f"--chdir={EXAMPLE.parent}", f"--config={EXAMPLE}/gunicorn_conf.py", "--graceful-timeout=1"]
    environ = {
        "SSLCLIENTCERT_CA": str(folder / "ca.crt"),
        "SSLCLIENTCERT_CRL": str(folder / "ca.crl"),
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
        "XDG_RUNTIME_DIR": str(folder),  # where gunicorn puts its control socket
    }
    with serve([*command, "monitoring.app:app"], [listener], log=folder / "gunicorn.log", environ=environ):
        try:
            assert plain(port, path="/readyz").status == 200
        except OSError as error:
            raise AssertionError((folder / "gunicorn.log").read_text()) from error
        yield port


def swap(path: Path, text: str) -> None:
    beside = path.with_name("new")
    beside.write_text(text, encoding="ascii")
    beside.replace(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def ask(port: int, headers: Mapping[str, str], source: str = "127.0.0.1") -> tuple[int, str | None]:
    reply = plain(port, headers=headers.items(), source=source)
    return reply.status, None if reply.status == 200 else reply.code


def test_the_rule_file_is_one_that_prometheus_reads(folder: Path) -> None:
    (folder / "rules.yml").write_text(yaml.safe_dump(RULE["spec"]), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "check", "rules", str(folder / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in done.stdout


def test_every_alert_comes_for_its_reason_and_not_before_and_the_dashboard_shows_it(folder: Path) -> None:
    ca = ClientCA("Shop CA")
    alice = ca.issue("alice")
    late = EXPIRED_CA.issue("late", not_after=datetime.now(UTC) + timedelta(days=1))
    ca.write(folder / "ca.crt")
    (folder / "ca.crl").write_text(ca.crl(), encoding="ascii")
    seen: set[str] = set()
    with ExitStack() as stack:
        other = stack.enter_context(exporting())  # an application that has not begun to tell
        shop = ExitStack()
        stack.enter_context(shop)
        port = shop.enter_context(application(folder))
        targets = [f"127.0.0.1:{port}", f"127.0.0.1:{other.server_address[1]}"]
        monitor = stack.enter_context(prometheus(folder, targets))

        def sees(*names: str) -> None:
            monitor.await_alerts(*names)
            seen.update(names)

        def decided(outcome: str) -> float:
            (one,) = monitor.query(f'sum(client_cert_decisions_total{{outcome="{outcome}"}})')
            return float(one["value"][1])

        # Good clients, at both workers: their sum is what was asked, and there is no alert.
        await_(lambda: bool(monitor.query("client_cert_trust_anchors")), monitor.log.read_text)
        for _ in range(20):
            assert ask(port, alice.headers()) == (200, None)
        await_(lambda: decided("accepted") == 20, lambda: f"{decided('accepted')} accepted")
        assert len(list((folder / "metrics").glob("counter_*.db"))) == 2
        monitor.await_alerts()

        # Who comes by another way than the proxy, and who forges a header.
        assert ask(port, alice.headers(), source="127.0.0.2") == (403, "proxy_untrusted")
        assert ask(port, {**alice.headers(), "ssl-client-verify": "NONE"}) == (400, "forwarding_inconsistent")
        sees("ClientCertificateForged")

        # A CA that has expired is added: its clients get 503, and the bundle needs attention.
        swap(folder / "ca.crt", ca.pem + EXPIRED_CA.pem)
        await_(lambda: ask(port, late.headers()) == (503, "ca_expired"), lambda: str(ask(port, late.headers())))
        sees("ClientCAExpired", "ClientTrustNeedsAttention", "ClientCertificateForged")
        assert "Expired CA" in plain(port, path="/readyz").json["warnings"][0]

        # The list is replaced by one of another CA.
        swap(folder / "ca.crl", ClientCA("Another CA").crl())
        await_(lambda: ask(port, alice.headers()) == (403, "revocation_unknown"), lambda: "no revocation_unknown")
        before = ("ClientCAExpired", "ClientTrustNeedsAttention", "ClientCertificateForged", "ClientRevocationUnknown")
        sees(*before)

        # The bundle is broken, and mended again: the gauge follows in every worker.
        swap(folder / "ca.crt", ca.pem[:300])
        sees(*before, "ClientTrustDoesNotLoad")
        swap(folder / "ca.crt", ca.pem + EXPIRED_CA.pem)
        sees(*before)

        # The job that fetches lists has failed; and another pod trusts something else.
        other.text = 'kube_job_status_failed{job_name="fetch-crls-29000000"} 1\n'
        sees(*before, "ClientCRLNotFetched")
        other.text = "client_cert_trust_next_end_timestamp_seconds 2000000000\n"
        sees(*before, "ClientTrustDiffers")

        for panel in DASHBOARD["panels"]:
            for target in panel["targets"]:
                assert monitor.query(target["expr"]), f"nothing in the panel {panel['title']!r}"

        # No application answers any more.
        shop.close()
        other.text = ""
        await_(lambda: "ClientMetricsMissing" in monitor.alerts, lambda: str(monitor.alerts))
        assert seen | {"ClientMetricsMissing"} == ALERTS


def test_the_gauges_of_a_worker_that_was_killed_are_forgotten(folder: Path) -> None:
    ca = ClientCA("Shop CA")
    ca.write(folder / "ca.crt")
    (folder / "ca.crl").write_text(ca.crl(), encoding="ascii")

    def workers() -> set[int]:
        return {int(path.stem.rpartition("_")[2]) for path in (folder / "metrics").glob("gauge_livemax_*.db")}

    with application(folder):
        await_(lambda: len(workers()) == 2, lambda: f"the workers {workers()}")
        killed = min(workers())
        os.kill(killed, signal.SIGKILL)
        await_(lambda: killed not in workers() and len(workers()) == 2, lambda: f"{killed} of {workers()}")


def test_one_process_without_a_folder_for_metrics_tells_the_same(folder: Path) -> None:
    ca = ClientCA("Shop CA")
    ca.write(folder / "ca.crt")
    program = (
        "from monitoring.app import app, authenticator\n"
        "from monitoring.metrics import metrics, watch\n"
        "watch(authenticator.trust_store)\n"
        "print(b''.join(metrics({}, lambda *_: None)).decode())\n"
    )
    environ = {"PATH": os.environ["PATH"], "SSLCLIENTCERT_CA": str(folder / "ca.crt")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=EXAMPLE.parent,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "client_cert_trust_anchors 1.0" in done.stdout
    assert 'client_cert_decisions_total{outcome="ca_expired"} 0.0' in done.stdout


def test_the_readiness_check_shows_what_is_left_out_and_says_ready_all_the_same(folder: Path) -> None:
    ca = ClientCA("Shop CA")
    does_not_parse = ssl.DER_cert_to_PEM_cert(bytes.fromhex("3003020101"))
    (folder / "ca.crl").write_text(ca.crl(), encoding="ascii")
    (folder / "ca.crt").write_text(ca.pem + does_not_parse, encoding="ascii")
    with application(folder) as port:
        reply = plain(port, path="/readyz")
    assert (reply.status, reply.json["left_out"]) == (200, 1)
    (warning,) = reply.json["warnings"]
    assert "certificate 2" in warning
    assert "left out" in warning
