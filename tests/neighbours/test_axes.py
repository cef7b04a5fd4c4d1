"""django-axes counts failed logins, and locks out an address after three. Every request comes from the proxy's."""

# pyright: reportMissingImports=false
from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sslclientcert.testing import ClientCA, IssuedCertificate

from .django_project import AXES, JUDGE, SESSIONS, USER, configured, database

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.test import AsyncClient, Client, override_settings

MIDDLEWARE = (JUDGE, *SESSIONS, USER, AXES)


@pytest.fixture(autouse=True)
def _project(ca: ClientCA) -> Iterator[None]:
    with database(), configured({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *MIDDLEWARE):
        User.objects.create_superuser("root", password="correct")
        yield


def password(word: str) -> int:
    return Client().post("/login", {"username": "root", "password": word}).status_code


def ask(path: str, certificate: IssuedCertificate) -> Any:
    return Client().get(path, headers=certificate.headers())


def ask_async(path: str, certificate: IssuedCertificate) -> Any:
    return asyncio.run(AsyncClient().get(path, headers=certificate.headers()))


@pytest.mark.parametrize(
    ("visit", "path", "body"),
    [
        (ask, "/whoami", b"alice is AnonymousUser"),
        (ask_async, "/whoami", b"alice is AnonymousUser"),
        (ask, "/api", b'"alice is AnonymousUser"'),
    ],
    ids=["middleware", "middleware, asynchronous", "REST framework"],
)
def test_after_twelve_good_requests_of_a_client_that_is_no_user_the_superusers_password_works(
    visit: Any, path: str, body: bytes, alice: IssuedCertificate
) -> None:
    for _ in range(12):
        answer = visit(path, alice)
        assert (answer.status_code, answer.content) == (200, body)
    assert AccessAttempt.objects.count() == 0
    assert password("correct") == 200


def test_wrong_passwords_still_count_and_lock_out() -> None:
    assert [password("wrong") for _ in range(3)][:2] == [401, 401]
    assert password("correct") == 429


def test_rest_framework_sends_no_failure_where_no_backend_knows_certificates_either(alice: IssuedCertificate) -> None:
    failures: list[Any] = []

    def note(**signal: Any) -> None:
        failures.append(signal)

    user_login_failed.connect(note)
    try:
        with override_settings(AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"]):
            assert ask("/api", alice).content == b'"alice is AnonymousUser"'
    finally:
        user_login_failed.disconnect(note)
    assert failures == []


def test_the_log_says_by_which_name_a_user_was_looked_for(
    alice: IssuedCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "sslclientcert"):
        ask("/whoami", alice)
    (said,) = [record for record in caplog.records if record.name == "sslclientcert"]
    assert said.levelname == "INFO"
    assert said.getMessage() == "no user for the client certificate: looked for username 'alice': there is no such user"


def test_the_last_login_of_a_certificates_user_is_left_alone(alice: IssuedCertificate) -> None:
    User.objects.create_user("alice")
    assert ask("/whoami", alice).content == b"alice is alice"
    assert User.objects.get(username="alice").last_login is None


def test_a_backend_that_says_stop_is_obeyed(alice: IssuedCertificate) -> None:
    User.objects.create_user("alice")
    assert ask("/whoami", alice).content == b"alice is alice"
    for _ in range(3):
        password("wrong")
    assert ask("/whoami", alice).content == b"alice is AnonymousUser"  # axes has locked the address out


def test_by_the_clients_own_address_nobody_locks_another_out(alice: IssuedCertificate) -> None:
    User.objects.create_user("alice")
    with override_settings(AXES_CLIENT_IP_CALLABLE=lambda request: request.META.get("HTTP_X_REAL_IP", "")):
        for _ in range(3):
            Client().post("/login", {"username": "root", "password": "wrong"}, headers={"x-real-ip": "203.0.113.9"})
        assert password("correct") == 200
        assert ask("/whoami", alice).content == b"alice is alice"
