"""What a store says of itself: what it trusts, since when, what ends soon, and what went wrong."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Self, TypedDict

import pytest
from cryptography import x509

from sslclientcert import ClientCertAuthenticator, ClientCertError, PresentedChain, TrustStore
from sslclientcert.core import status, trust
from sslclientcert.core.validation import validate

from .pki import (
    DAY,
    NOW,
    Party,
    aki,
    authority,
    client,
    pem_of,
    pem_of_crls,
    private_key,
    purposes,
    revocation_list,
)

ROOT = authority("Root", end=NOW + 400 * DAY)
LOWER = authority("Lower", ROOT, end=NOW + 100 * DAY)
STRANGER = authority("Stranger", end=NOW + 400 * DAY)
MINUTE = dt.timedelta(minutes=1)


class Period(TypedDict):
    start: dt.datetime
    end: dt.datetime


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    bundle, crl = tmp_path / "ca.crt", tmp_path / "ca.crl"
    bundle.write_text(pem_of(ROOT, LOWER), encoding="ascii")
    crl.write_text(pem_of_crls(revocation_list(ROOT, 5, 6), revocation_list(LOWER, 7)), encoding="ascii")
    return bundle, crl


def test_it_says_what_is_trusted_since_when_and_from_which_files(files: tuple[Path, Path]) -> None:
    before = dt.datetime.now(dt.UTC)
    status = TrustStore.from_file(*files).status()
    assert before <= status.since <= dt.datetime.now(dt.UTC)
    assert status.files == tuple(map(str, files))
    assert (status.anchors, status.intermediates, status.crls, status.revoked) == (1, 1, 2, 3)
    assert status.next_expiry is not None
    assert "CRL" in status.next_expiry.what
    assert status.next_expiry.at == NOW + 7 * DAY
    assert (status.error, status.error_since, status.warnings) == (None, None, ())


def test_it_is_ready_for_json_and_within_reach_of_an_authenticator(files: tuple[Path, Path]) -> None:
    store = TrustStore.from_file(*files)
    assert ClientCertAuthenticator(store).trust_store is store
    said = json.loads(json.dumps(store.status().as_dict()))
    assert (said["revoked"], said["error"], said["warnings"]) == (3, None, [])
    assert said["next_expiry"]["at"] == (NOW + 7 * DAY).isoformat()


def test_what_ends_within_the_time_asked_for_is_a_warning() -> None:
    store = TrustStore([ROOT.certificate, LOWER.certificate])
    assert store.status(within=99 * DAY).warnings == ()
    (warning,) = store.status(within=101 * DAY).warnings
    assert "CN=Lower" in warning
    assert (NOW + 100 * DAY).isoformat() in warning
    assert len(store.status(within=500 * DAY).warnings) == 2


def test_what_has_ended_is_a_warning_and_is_not_what_ends_next() -> None:
    old = authority("Old", end=NOW - DAY)
    status = TrustStore([old.certificate]).status()
    assert "ended at" in status.warnings[0]
    assert status.next_expiry is None
    assert status.as_dict()["next_expiry"] is None


def test_a_list_is_a_warning_in_the_last_quarter_of_its_time_and_not_once_it_is_replaced() -> None:
    period: Period = {"start": NOW - 9 * DAY, "end": NOW + DAY}
    late = revocation_list(ROOT, **period)
    assert "CRL of 'CN=Root'" in TrustStore([ROOT.certificate], crls=[late]).status().warnings[0]
    replaced = TrustStore([ROOT.certificate], crls=[late, revocation_list(ROOT)])
    assert replaced.status().warnings == ()


def test_a_list_of_a_ca_that_is_not_in_the_bundle_is_a_warning() -> None:
    store = TrustStore([ROOT.certificate], crls=[revocation_list(ROOT), revocation_list(STRANGER)])
    (warning,) = store.status().warnings
    assert "CN=Stranger" in warning
    assert "not in the bundle" in warning


def test_warnings_are_logged_once_for_each_load(files: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    files[1].write_text(pem_of_crls(revocation_list(STRANGER)), encoding="ascii")
    store = TrustStore.from_file(*files, reload_interval=0)
    store.status()
    store.status()
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert "CN=Stranger" in caplog.text


class Clock:
    """The time of day and the monotonic clock, as the trust store reads them, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.moved = dt.timedelta()
        start, clock = time.monotonic(), self

        class Moved(dt.datetime):
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> Self:
                return super().now(tz) + clock.moved

        for module in (status, trust):
            monkeypatch.setattr(module, "dt", SimpleNamespace(datetime=Moved, UTC=dt.UTC, timedelta=dt.timedelta))
        monkeypatch.setattr(time, "monotonic", lambda: start + self.moved.total_seconds())

    def move(self, by: dt.timedelta) -> None:
        self.moved += by


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings since the last call."""
    found = [each.getMessage() for each in caplog.records if getattr(each, "code", "") == "trust_store_warning"]
    caplog.clear()
    return found


@pytest.mark.parametrize("from_file", [True, False])
def test_a_warning_is_logged_when_it_becomes_true_without_any_reload(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, clock: Clock, from_file: bool
) -> None:
    root = authority("Root", end=NOW + 40 * DAY)
    path = tmp_path / "ca.crt"
    path.write_text(root.pem, encoding="ascii")
    store = TrustStore.from_file(path) if from_file else TrustStore([root.certificate])
    leaf = PresentedChain(client("a", root).certificate)
    store.verify(leaf)
    assert logged(caplog) == []
    clock.move(11 * DAY)
    store.verify(leaf, at=NOW)
    (warning,) = logged(caplog)
    assert "CN=Root" in warning
    assert "ends soon" in warning


def test_a_warning_is_logged_once_and_again_after_a_day_while_it_is_true(
    caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    store = TrustStore([ROOT.certificate], crls=[revocation_list(STRANGER)])
    assert len(logged(caplog)) == 1
    for _ in range(23):
        clock.move(dt.timedelta(hours=1))
        store.current()
    assert [one for one in logged(caplog) if "not in the bundle" in one] == []
    clock.move(dt.timedelta(hours=1))
    store.current()
    assert len([one for one in logged(caplog) if "not in the bundle" in one]) == 1


def test_a_warning_that_was_mended_and_is_true_again_is_logged_again(
    files: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    good, odd = files[1].read_text(), files[1].read_text() + pem_of_crls(revocation_list(STRANGER))
    store = TrustStore.from_file(*files, reload_interval=0)
    for content, count in ((odd, 1), (good, 0), (odd, 1)):
        files[1].write_text(content, encoding="ascii")
        store.status()
        store.status()
        assert len(logged(caplog)) == count


def test_a_pinned_leaf_is_warned_about_and_that_no_list_can_revoke_it_where_there_is_one() -> None:
    leaf = client("alice", ROOT)
    (warning,) = TrustStore([leaf.certificate]).status(within=DAY).warnings
    assert "'CN=alice'" in warning
    assert "It is a pin" in warning
    assert "CRL" not in warning
    (warning,) = [
        one
        for one in TrustStore([leaf.certificate], crls=[revocation_list(ROOT)]).status(within=DAY).warnings
        if "pin" in one
    ]
    assert "A CRL cannot revoke it" in warning


def test_an_anchor_that_is_no_ca_and_no_pin_is_said_to_be_no_ca() -> None:
    server = client("server", ROOT, extra=[(purposes("SERVER_AUTH"), False)])
    (warning,) = TrustStore([server.certificate]).status(within=DAY).warnings
    assert "'CN=server'" in warning
    assert "pin" not in warning


def test_what_is_unusable_is_counted_and_warned_about() -> None:
    stranger = authority("Root", key=private_key("P-256", 9), end=NOW + 400 * DAY)
    status = TrustStore([stranger.certificate, LOWER.certificate]).status()
    assert (status.anchors, status.intermediates, status.left_out) == (1, 0, 1)
    (warning,) = status.warnings
    assert "'CN=Lower'" in warning
    assert "is unusable" in warning
    assert status.as_dict()["left_out"] == 1


def test_partitions_and_deltas_are_warned_about_each_for_itself() -> None:
    period: Period = {"start": NOW - 9 * DAY, "end": NOW + DAY}
    scope = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    late = [
        revocation_list(ROOT, **period),
        revocation_list(ROOT, extensions=[(scope, True)], **period),
        revocation_list(ROOT, extensions=[(x509.DeltaCRLIndicator(1), True)], **period),
    ]
    assert len(TrustStore([ROOT.certificate], crls=[*late, revocation_list(ROOT)]).status().warnings) == 2


def test_the_lists_of_two_keys_of_one_name_are_warned_about_each_for_itself() -> None:
    renewed = authority("Root", key=private_key("P-256", 7), end=NOW + 400 * DAY)
    old, new = ([(aki(ca.key), False)] for ca in (ROOT, renewed))
    lists = [
        revocation_list(ROOT, start=NOW - 9 * DAY, end=NOW - 2 * DAY, extensions=old),
        revocation_list(renewed, extensions=new),
    ]
    store = TrustStore([ROOT.certificate, renewed.certificate], crls=lists)
    assert any("ended" in warning for warning in store.status().warnings)


def test_a_failed_reload_is_seen_until_the_next_one_that_succeeds(files: tuple[Path, Path]) -> None:
    store = TrustStore.from_file(*files, reload_interval=0)
    first = store.status()
    files[0].write_text("garbage", encoding="ascii")
    failed = store.status()
    assert (failed.since, failed.anchors) == (first.since, 1)
    assert failed.error is not None
    assert "holds no certificate" in failed.error
    assert failed.error_since is not None
    assert store.status() == failed
    assert failed.as_dict()["error_since"] == failed.error_since.isoformat()
    files[0].write_text(ROOT.pem, encoding="ascii")
    mended = store.status()
    assert (mended.error, mended.error_since, mended.intermediates) == (None, None, 0)
    assert mended.since > first.since


def test_a_reload_on_demand_that_fails_is_seen_too(files: tuple[Path, Path]) -> None:
    store = TrustStore.from_file(*files)
    files[0].write_text("garbage", encoding="ascii")
    with pytest.raises(ValueError, match="holds no certificate"):
        store.reload()
    assert store.status().error is not None


# The allowance for the clock


def judge(store: TrustStore, leaf: Party, at: dt.datetime) -> str:
    try:
        store.verify(PresentedChain(leaf.certificate), at=at)
    except ClientCertError as error:
        return error.code
    return ""


@pytest.mark.parametrize("seconds", [-1, 601, float("nan")])
def test_an_allowance_out_of_its_range_is_a_configuration_error(seconds: float) -> None:
    with pytest.raises(ValueError, match="clock_skew"):
        TrustStore([ROOT.certificate], clock_skew=seconds)


@pytest.mark.parametrize("which", ["leaf", "root"])
def test_what_begins_or_ended_by_less_than_the_allowance_is_taken_as_current(which: str) -> None:
    period: Period = {"start": NOW - DAY, "end": NOW + DAY}
    root = authority("R", **period) if which == "root" else ROOT
    leaf = client("a", root, **period) if which == "leaf" else client("a", root, start=NOW - 9 * DAY, end=NOW + 9 * DAY)
    strict, lenient = (TrustStore([root.certificate], clock_skew=seconds) for seconds in (0, 60))
    for at in (NOW - DAY - MINUTE, NOW + DAY + MINUTE):
        assert judge(strict, leaf, at) != ""
        assert judge(lenient, leaf, at) == ""
    for at in (NOW - DAY - 2 * MINUTE, NOW + DAY + 2 * MINUTE):
        assert judge(lenient, leaf, at) == judge(strict, leaf, at) != ""


def test_an_answer_by_the_allowance_ends_with_it() -> None:
    leaf = client("a", ROOT, end=NOW + DAY)
    trust = TrustStore([ROOT.certificate], clock_skew=60).current()
    presented = PresentedChain(leaf.certificate)
    assert validate(trust, presented, NOW + DAY + MINUTE / 2).until == NOW + DAY + MINUTE
    assert validate(trust, presented, NOW).until <= NOW + DAY


def test_a_list_is_current_for_the_allowance_before_and_after() -> None:
    leaf = client("a", ROOT)
    lists = [revocation_list(ROOT, start=NOW - DAY, end=NOW + DAY)]
    store = TrustStore([ROOT.certificate], crls=lists, clock_skew=60)
    strict = TrustStore([ROOT.certificate], crls=lists)
    late = NOW + DAY + MINUTE
    assert (judge(strict, leaf, late), judge(store, leaf, late)) == ("revocation_unknown", "")
    assert judge(store, leaf, late + MINUTE) == "revocation_unknown"
    assert validate(store.current(), PresentedChain(leaf.certificate), late - MINUTE / 2).until == late + dt.timedelta(
        microseconds=1
    )


@pytest.mark.parametrize("mode", ["require", "if-available"])
def test_the_allowance_never_makes_a_revoked_certificate_good(mode: str) -> None:
    leaf = client("a", ROOT)
    serial = leaf.certificate.serial_number
    soon: Period = {"start": NOW + MINUTE / 2, "end": NOW + 9 * DAY}
    for old, new in (((), (serial,)), ((serial,), ()), ((serial,), (serial,))):
        lists = [revocation_list(ROOT, *old), revocation_list(ROOT, *new, **soon)]
        store = TrustStore([ROOT.certificate], crls=lists, clock_skew=60, revocation=mode)
        assert judge(store, leaf, NOW) == "certificate_revoked"
    stale = revocation_list(ROOT, serial, start=NOW - 9 * DAY, end=NOW - MINUTE / 2)
    store = TrustStore([ROOT.certificate], crls=[stale, revocation_list(ROOT, **soon)], clock_skew=60, revocation=mode)
    assert judge(store, leaf, NOW) == "certificate_revoked"


def test_the_ends_of_time_are_judged_with_an_allowance_too() -> None:
    last = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    root = authority("Endless", end=last)
    leaf = client("a", root, end=last)
    store = TrustStore([root.certificate], crls=[revocation_list(root, end=last)], clock_skew=60)
    assert judge(store, leaf, NOW) == judge(store, leaf, dt.datetime.max.replace(tzinfo=dt.UTC)) == ""
    assert judge(store, leaf, dt.datetime.min.replace(tzinfo=dt.UTC)) == "certificate_not_yet_valid"


def test_the_allowance_is_an_option_of_every_way_to_make_a_store(files: tuple[Path, Path]) -> None:
    late = client("a", LOWER, end=NOW - MINUTE / 2)
    environ = {"SSLCLIENTCERT_CA": str(files[0]), "SSLCLIENTCERT_CLOCK_SKEW": "600"}
    for store in (
        TrustStore.from_file(files[0], clock_skew=600),
        TrustStore.from_pem(files[0].read_text(), clock_skew=600),
        ClientCertAuthenticator(files[0], clock_skew=600).trust_store,
        ClientCertAuthenticator.from_env(environ=environ).trust_store,
    ):
        assert judge(store, late, NOW) == ""
    with pytest.raises(ValueError, match="clock_skew goes with a path"):
        ClientCertAuthenticator(TrustStore([ROOT.certificate]), clock_skew=1)
