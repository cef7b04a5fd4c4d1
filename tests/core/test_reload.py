"""A store made from files sees them change: by rewrite, by rename, and by what Kubernetes does with a mounted secret.

One consistent pair of bundle and CRL or none; the old trust stays on any failure, which is logged once.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import logging
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest

from sslclientcert import ClientCertAuthenticator, PresentedChain, TrustStore
from sslclientcert.core import reload
from sslclientcert.core.errors import CertificateRevoked, CertificateUntrusted

from ..mounted_secret import Secret
from .pki import Party, authority, client, pem_of, pem_of_crls, private_key, revocation_list, unknown
from .test_bundle import NO_BUNDLE, NO_CRL, broken, labelled

OLD = authority("Old Root", key=private_key("P-256", 2))
NEW = authority("New Root", key=private_key("P-256", 3))
OLD_LEAF = client("old", OLD)
NEW_LEAF = client("new", NEW)


def admits(store: TrustStore, leaf: Party) -> bool:
    try:
        store.verify(PresentedChain(leaf.certificate))
    except CertificateUntrusted:
        return False
    return True


def rewrite(path: Path, content: str) -> None:
    path.write_text(content, encoding="ascii")


def rename(path: Path, content: str) -> None:
    beside = path.with_name("ca.crt.new")
    beside.write_text(content, encoding="ascii")
    beside.rename(path)


def remove_and_create(path: Path, content: str) -> None:
    path.unlink()
    path.write_text(content, encoding="ascii")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ca.crt"
    path.write_text(OLD.pem, encoding="ascii")
    return path


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# Seeing a change


@pytest.mark.parametrize("change", [rewrite, rename, remove_and_create])
def test_a_change_of_the_bundle_is_seen_by_the_next_verification(
    path: Path, change: Callable[[Path, str], None]
) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    change(path, pem_of(OLD, NEW))
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, True)
    change(path, NEW.pem)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


def test_the_swap_of_a_kubernetes_secret_is_seen(tmp_path: Path) -> None:
    secret = Secret(tmp_path)
    secret.update(ca_crt=OLD.pem)
    store = TrustStore.from_file(secret.ca, reload_interval=0)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    secret.update(ca_crt=NEW.pem)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


def test_a_file_of_the_same_size_and_an_older_time_is_another_file(path: Path) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    twin = authority("Nex Root", key=private_key("P-256", 4))
    beside = path.with_name("beside")
    beside.write_text(twin.pem.ljust(len(OLD.pem), "\n")[: max(len(OLD.pem), len(twin.pem))], encoding="ascii")
    os.utime(beside, ns=(0, 0))
    beside.rename(path)
    assert not admits(store, OLD_LEAF)
    assert admits(store, client("x", twin))


def test_a_newly_revoked_certificate_is_refused_from_the_change_of_the_list(tmp_path: Path) -> None:
    secret = Secret(tmp_path)
    secret.update(ca_crt=OLD.pem, ca_crl=pem_of_crls(revocation_list(OLD)))
    store = TrustStore.from_file(secret.ca, secret.crl, reload_interval=0)
    assert admits(store, OLD_LEAF)
    secret.update(ca_crt=OLD.pem, ca_crl=pem_of_crls(revocation_list(OLD, OLD_LEAF.certificate.serial_number)))
    with pytest.raises(CertificateRevoked):
        store.verify(PresentedChain(OLD_LEAF.certificate))


def test_within_the_interval_nothing_is_looked_at_and_after_it_everything_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    store = TrustStore.from_file(path, reload_interval=5)
    rewrite(path, NEW.pem)
    assert admits(store, OLD_LEAF)
    clock[0] += 4.9
    assert admits(store, OLD_LEAF)
    clock[0] += 0.1
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


def test_reload_reads_the_files_at_once(path: Path) -> None:
    store = TrustStore.from_file(path, reload_interval=3600)
    rewrite(path, NEW.pem)
    assert admits(store, OLD_LEAF)
    store.reload()
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


def test_reload_of_a_store_without_files_does_nothing() -> None:
    store = TrustStore([OLD.certificate])
    store.reload()
    assert admits(store, OLD_LEAF)


def test_unchanged_files_are_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    monkeypatch.setattr(reload, "_read", _never)
    assert admits(store, OLD_LEAF)


def _never(*arguments: object) -> bytes:
    raise AssertionError(arguments)


# Failures: the old trust stays, and one error is logged

BROKEN = {
    "empty": "",
    "cut short": NEW.pem[:200],
    "a private key": NEW.key_pem,
    "garbage": "garbage",
    "a circle": pem_of(authority("A", authority("B"), key="P-384"), authority("B", authority("A", key="P-384"))),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_do_not_load_leave_the_old_trust_and_one_logged_error(
    name: str, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, BROKEN[name])
    for _ in range(5):
        assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    assert len(errors(caplog)) == 1
    assert str(path) in errors(caplog)[0]
    assert "stays as it was" in errors(caplog)[0]
    rewrite(path, NEW.pem)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)
    assert len(errors(caplog)) == 1


def test_a_file_that_is_gone_leaves_the_old_trust_and_one_logged_error(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    path.unlink()
    for _ in range(5):
        assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    assert len(errors(caplog)) == 1
    assert str(path) in errors(caplog)[0]
    rewrite(path, NEW.pem)
    assert admits(store, NEW_LEAF)


def test_each_new_failure_of_the_files_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    for round_ in range(1, 4):
        moved = path.rename(path.with_name("away"))
        assert admits(store, OLD_LEAF)
        assert admits(store, OLD_LEAF)
        assert len(errors(caplog)) == round_
        moved.rename(path)
        assert admits(store, OLD_LEAF)


def test_a_torn_file_is_not_used_and_the_whole_one_is(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    with path.open("w", encoding="ascii") as file:
        for piece in (NEW.pem[:100], NEW.pem[100:400], NEW.pem[400:-5]):
            file.write(piece)
            file.flush()
            assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
        file.write(NEW.pem[-5:])
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)
    assert errors(caplog)


CRL_BROKEN = {
    "garbage": "garbage",
    "of another kind": pem_of_crls(revocation_list(NEW))[:-40],
}


@pytest.mark.parametrize("name", CRL_BROKEN)
def test_a_list_that_does_not_load_keeps_the_old_pair(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = Secret(tmp_path)
    secret.update(ca_crt=OLD.pem, ca_crl=pem_of_crls(revocation_list(OLD)))
    store = TrustStore.from_file(secret.ca, secret.crl, reload_interval=0)
    secret.update(ca_crt=NEW.pem, ca_crl=CRL_BROKEN[name])
    for _ in range(3):
        assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    assert len(errors(caplog)) == 1
    assert str(secret.crl) in errors(caplog)[0]


def test_nothing_but_a_refusal_comes_out_of_a_verification_whatever_is_wrong_with_the_new_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle, crl = tmp_path / "ca.crt", tmp_path / "ca.crl"
    rewrite(bundle, OLD.pem)
    rewrite(crl, pem_of_crls(revocation_list(OLD)))
    store = TrustStore.from_file(bundle, crl, reload_interval=0)
    for content, _, _ in NO_BUNDLE.values():
        rewrite(bundle, content)
        assert admits(store, OLD_LEAF)
    rewrite(bundle, NEW.pem)
    for content, _, _ in NO_CRL.values():
        rewrite(crl, content)
        assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    assert errors(caplog)


def test_reload_raises_what_is_wrong_and_keeps_the_old_trust(path: Path) -> None:
    store = TrustStore.from_file(path)
    rewrite(path, "garbage")
    with pytest.raises(ValueError, match="holds no certificate"):
        store.reload()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        store.reload()
    assert admits(store, OLD_LEAF)


# One consistent pair


def test_a_swap_while_the_files_are_read_gives_the_new_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret(tmp_path)
    secret.update(ca_crt=OLD.pem, ca_crl=pem_of_crls(revocation_list(OLD)))
    store = TrustStore.from_file(secret.ca, secret.crl, reload_interval=0)
    secret.update(ca_crt=OLD.pem, ca_crl=pem_of_crls(revocation_list(OLD)))
    read, reads = reload._read, []

    def read_and_swap(name: str) -> bytes:
        content = read(name)
        reads.append(name)
        if len(reads) == 1:
            secret.update(ca_crt=NEW.pem, ca_crl=pem_of_crls(revocation_list(NEW)))
        return content

    monkeypatch.setattr(reload, "_read", read_and_swap)
    # A mixed pair, the old bundle next to the new list, would refuse both: no list covers the old root's leaf.
    assert admits(store, NEW_LEAF)
    assert len(reads) == 4


def test_files_that_keep_changing_while_they_are_read_leave_the_old_trust(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, NEW.pem)
    read = reload._read

    def read_and_change(name: str) -> bytes:
        content = read(name)
        with path.open("a", encoding="ascii") as file:
            file.write("# again\n")
        return content

    monkeypatch.setattr(reload, "_read", read_and_change)
    assert admits(store, OLD_LEAF)
    assert "keeps changing" in errors(caplog)[0]
    monkeypatch.setattr(reload, "_read", read)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


# Several files


def test_several_files_are_one_bundle_and_each_change_of_one_is_seen(tmp_path: Path) -> None:
    first, second = tmp_path / "old.crt", tmp_path / "new.crt"
    rewrite(first, OLD.pem)
    rewrite(second, NEW.pem)
    store = TrustStore.from_file([first, second], reload_interval=0)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, True)
    assert store.status().files == (str(first), str(second))
    rewrite(first, NEW.pem)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


def test_several_files_of_lists_are_all_asked(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("old.crt", "new.crt", "old.crl", "new.crl")]
    for path, content in zip(paths, (OLD.pem, NEW.pem, *map(pem_of_crls, LISTS)), strict=True):
        rewrite(path, content)
    store = TrustStore.from_file(paths[:2], paths[2:], reload_interval=0)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, True)
    rewrite(paths[3], pem_of_crls(revocation_list(NEW, NEW_LEAF.certificate.serial_number)))
    assert admits(store, OLD_LEAF)
    with pytest.raises(CertificateRevoked):
        store.verify(PresentedChain(NEW_LEAF.certificate))


LISTS = (revocation_list(OLD), revocation_list(NEW))


def test_several_files_change_together_or_not_at_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = tmp_path / "old.crt", tmp_path / "new.crt"
    rewrite(first, OLD.pem)
    rewrite(second, OLD.pem)
    store = TrustStore.from_file([first, second], reload_interval=0)
    rewrite(first, NEW.pem)
    rewrite(second, "garbage")
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    assert str(second) in errors(caplog)[0]


def test_an_issuer_may_be_in_another_file_than_what_it_issued(tmp_path: Path) -> None:
    lower = authority("Lower", OLD, key=private_key("P-256", 5))
    paths = [tmp_path / "lower.crt", tmp_path / "root.crt"]
    for path, party in zip(paths, (lower, OLD), strict=True):
        rewrite(path, party.pem)
    status = TrustStore.from_file(paths).status()
    assert (status.anchors, status.intermediates) == (1, 1)


# What is not a file


@pytest.mark.parametrize("option", ["ca", "crl"])
def test_a_file_that_is_missing_is_named_with_its_option_and_what_its_folder_holds(path: Path, option: str) -> None:
    missing = path.with_name("tls.pem")
    arguments = (missing,) if option == "ca" else (path, missing)
    with pytest.raises(FileNotFoundError) as refused:
        TrustStore.from_file(*arguments)
    said = str(refused.value)
    for expected in (f"the option {option}", str(missing), f"folder {path.parent} holds ca.crt"):
        assert expected in said
    assert refused.value.filename == str(missing)


def test_a_folder_that_is_missing_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no folder {tmp_path}/secret.*ca.crt"):
        TrustStore.from_file(tmp_path / "secret" / "ca.crt")


def test_a_relative_path_is_told_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} holds nothing.*'ca.crt'"):
        TrustStore.from_file("ca.crt")


def test_a_folder_in_the_place_of_a_file_is_named_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=rf"the option ca.*{tmp_path}"):
        TrustStore.from_file(tmp_path)


def test_a_file_that_may_not_be_read_is_named_with_its_option(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)

    monkeypatch.setattr(reload, "_read", refuse)  # to root nothing is forbidden
    with pytest.raises(PermissionError, match=rf"the option ca.*{path}"):
        TrustStore.from_file(path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(OLD.pem, id="text"),
        pytest.param(OLD.pem.encode(), id="bytes"),
        pytest.param(OLD.key_pem, id="a key"),
        pytest.param(base64.b64encode(OLD.pem.encode()).decode(), id="base64"),
        pytest.param(base64.b64encode(OLD.key_pem.encode()).decode(), id="base64 of a key"),
    ],
)
@pytest.mark.parametrize("option", ["ca", "crl"])
def test_the_text_of_a_file_in_the_place_of_its_path_is_recognised_and_not_quoted(
    path: Path, text: str, option: str
) -> None:
    arguments: tuple[Any, ...] = (text,) if option == "ca" else (path, text)
    with pytest.raises(ValueError, match=rf"^{option} is the text.*from_pem") as refused:
        TrustStore.from_file(*arguments)
    assert "BEGIN" not in str(refused.value)
    assert "LS0t" not in str(refused.value)


# Passing reasons, and what is lost


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(OSError(errno.EMFILE, os.strerror(errno.EMFILE)), id="EMFILE"),
        pytest.param(OSError(errno.EIO, os.strerror(errno.EIO)), id="EIO"),
        pytest.param(MemoryError(), id="MemoryError"),
    ],
)
def test_what_failed_for_a_passing_reason_is_tried_again_at_every_look(
    path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, NEW.pem)
    read = reload._read
    failing = mock.Mock(side_effect=error)
    monkeypatch.setattr(reload, "_read", failing)
    for _ in range(3):
        assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    assert failing.call_count == 6
    assert len(errors(caplog)) == 1
    monkeypatch.setattr(reload, "_read", read)
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)
    assert store.status().error is None


def test_without_a_file_descriptor_left_a_change_is_seen_as_soon_as_there_is_one_again(path: Path) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, NEW.pem)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


def test_what_failed_by_its_content_is_read_again_when_a_file_changes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, "garbage")
    reading = mock.Mock(side_effect=reload._read)
    monkeypatch.setattr(reload, "_read", reading)
    for _ in range(3):
        assert admits(store, OLD_LEAF)
    assert reading.call_count == 1


def unreadable(party: Party) -> str:
    return labelled("CERTIFICATE", broken(party))


def test_a_change_by_which_a_ca_in_use_would_be_left_out_is_refused(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rewrite(path, pem_of(OLD, NEW))
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, OLD.pem + unreadable(NEW))
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, True)
    assert "certificate 2 of" in errors(caplog)[0]
    assert "is in use" in errors(caplog)[0]
    rewrite(path, OLD.pem)  # taken out on purpose
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (True, False)


def test_a_change_by_which_a_ca_in_use_would_be_unusable_is_refused(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lower = authority("Lower", OLD, key=private_key("P-256", 5))
    leaf = client("below", lower)
    rewrite(path, pem_of(OLD, lower))
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, pem_of(authority("Old Root", key=private_key("P-256", 6)), lower))
    assert admits(store, leaf)
    assert "'CN=Lower'" in errors(caplog)[0]
    assert "is in use" in errors(caplog)[0]


def test_a_new_ca_that_cannot_be_used_stops_no_reload(path: Path) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    rewrite(path, OLD.pem + unreadable(NEW))
    assert admits(store, OLD_LEAF)
    assert store.status().left_out == 1


def test_a_change_by_which_a_list_in_use_would_be_unusable_is_refused(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crl = path.with_name("ca.crl")
    rewrite(crl, pem_of_crls(revocation_list(OLD, OLD_LEAF.certificate.serial_number)))
    store = TrustStore.from_file(path, crl, reload_interval=0)
    rewrite(crl, pem_of_crls(revocation_list(OLD, extensions=[(unknown(), True)])))
    with pytest.raises(CertificateRevoked):
        store.verify(PresentedChain(OLD_LEAF.certificate))
    assert "is in use" in errors(caplog)[0]


# The authenticator's cache


def header(leaf: Party) -> dict[str, str]:
    return {"ssl-client-cert": quote(leaf.pem, safe="")}


def test_no_cached_identity_outlives_the_swap_of_a_bundle(tmp_path: Path) -> None:
    secret = Secret(tmp_path)
    secret.update(ca_crt=OLD.pem)
    authenticator = ClientCertAuthenticator(secret.ca, reload_interval=0)
    first = authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1")
    assert first is authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1")  # from the cache
    secret.update(ca_crt=NEW.pem)
    with pytest.raises(CertificateUntrusted):
        authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1")
    secret.update(ca_crt=OLD.pem)
    again = authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1")
    assert again == first
    assert again is not first


def test_no_cached_identity_outlives_the_swap_of_a_list(tmp_path: Path) -> None:
    secret = Secret(tmp_path)
    secret.update(ca_crt=OLD.pem, ca_crl=pem_of_crls(revocation_list(OLD)))
    authenticator = ClientCertAuthenticator(secret.ca, crl=secret.crl, reload_interval=0)
    assert authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1") is not None
    revoked = revocation_list(OLD, OLD_LEAF.certificate.serial_number)
    secret.update(ca_crt=OLD.pem, ca_crl=pem_of_crls(revoked))
    with pytest.raises(CertificateRevoked):
        authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1")


def test_no_cached_identity_outlives_a_reload_on_demand(path: Path) -> None:
    store = TrustStore.from_file(path, reload_interval=3600)
    authenticator = ClientCertAuthenticator(store)
    assert authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1") is not None
    rewrite(path, NEW.pem)
    store.reload()
    with pytest.raises(CertificateUntrusted):
        authenticator.authenticate(header(OLD_LEAF), peer="127.0.0.1")


# Threads and forks


def test_eight_threads_verify_while_the_files_are_swapped_and_reloaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="sslclientcert")
    secret = Secret(tmp_path)
    files = [{"ca_crt": ca.pem, "ca_crl": pem_of_crls(revocation_list(ca))} for ca in (OLD, NEW)]
    secret.update(**files[0])
    store = TrustStore.from_file(secret.ca, secret.crl, reload_interval=0)
    authenticator = ClientCertAuthenticator(store)
    done = threading.Event()
    surprises: list[BaseException] = []
    answers: set[tuple[str, bool]] = set()

    def work(leaf: Party) -> None:
        value, name = header(leaf), leaf.certificate.subject.rfc4514_string()
        try:
            while not done.is_set():
                try:
                    identity = authenticator.authenticate(value, peer="127.0.0.1")
                    answers.add((name, identity is not None and identity.certificate == leaf.certificate))
                except CertificateUntrusted:
                    answers.add((name, False))
        except BaseException as error:  # noqa: BLE001  # whatever comes out of the thread is what the test is for
            surprises.append(error)

    threads = [threading.Thread(target=work, args=(leaf,)) for leaf in (OLD_LEAF, NEW_LEAF) * 4]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 50)  # threads take turns more often, so they meet in more places, and sooner
    for thread in threads:
        thread.start()
    try:
        for round_ in range(20):
            secret.update(**files[round_ % 2])
            store.reload()
    finally:
        done.set()
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert surprises == []
    assert {name for name, _ in answers} == {"CN=old", "CN=new"}
    store.reload()
    assert (admits(store, OLD_LEAF), admits(store, NEW_LEAF)) == (False, True)


FORKING = """
import os, signal, sys, threading, warnings
from cryptography import x509
from sslclientcert import ClientCertAuthenticator, PresentedChain, TrustStore
from urllib.parse import quote

warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: a process of several threads forks
path, old_leaf, new_leaf, old_bundle, new_bundle = sys.argv[1:]
store = TrustStore.from_file(path, reload_interval=0)
authenticator = ClientCertAuthenticator(store)
stop = threading.Event()

def reload():
    while not stop.is_set():
        store.reload()
        authenticator.authenticate({"ssl-client-cert": quote(old_leaf, safe="")}, peer="127.0.0.1")

threads = [threading.Thread(target=reload, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if not child:
        signal.alarm(20)  # a lock that is held for ever ends the child
        copy = path + str(os.getpid())
        # The files of this store are the child's own from here on: nothing else changes them.
        store._files._ca = (copy,)
        for bundle, leaf in ((new_bundle, new_leaf), (old_bundle, old_leaf)):
            with open(copy, "w") as file:
                file.write(bundle)
            assert authenticator.authenticate({"ssl-client-cert": quote(leaf, safe="")}, peer="127.0.0.1") is not None
            store.verify(PresentedChain(x509.load_pem_x509_certificate(leaf.encode())))
            store.reload()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_child_that_was_forked_while_other_threads_reload_and_verify_reloads_by_itself(path: Path) -> None:
    arguments = (str(path), OLD_LEAF.pem, NEW_LEAF.pem, OLD.pem, NEW.pem)
    done = subprocess.run(
        [sys.executable, "-c", FORKING, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


FORKING_WITH_THE_CACHE_LOCKED = """
import os, signal, sys, threading, warnings
from sslclientcert import ClientCertAuthenticator
from urllib.parse import quote

warnings.simplefilter("ignore", DeprecationWarning)
path, leaf = sys.argv[1:]
authenticator = ClientCertAuthenticator(path)
held, go_on = threading.Event(), threading.Event()

def put():
    with authenticator._cache._guard.lock:
        held.set()
        go_on.wait(30)

thread = threading.Thread(target=put)
thread.start()
held.wait(30)
child = os.fork()
if not child:
    signal.alarm(5)
    authenticator.authenticate({"ssl-client-cert": quote(leaf, safe="")}, peer="127.0.0.1")
    sys.exit()  # so that its coverage counts
status = os.waitpid(child, 0)[1]
go_on.set()
thread.join()
sys.exit(f"the child ended with status {status}" if status else 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_child_that_was_forked_while_another_thread_wrote_to_the_cache_authenticates(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING_WITH_THE_CACHE_LOCKED, str(path), OLD_LEAF.pem],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_verification_does_not_wait_for_a_reload(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TrustStore.from_file(path, reload_interval=0)
    started, go_on = threading.Event(), threading.Event()
    read = reload._read

    def slow(name: str) -> bytes:
        started.set()
        assert go_on.wait(30)
        return read(name)

    monkeypatch.setattr(reload, "_read", slow)
    thread = threading.Thread(target=store.reload)
    thread.start()
    try:
        assert started.wait(30)
        assert admits(store, OLD_LEAF)
    finally:
        go_on.set()
        thread.join(30)
