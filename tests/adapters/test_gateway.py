from __future__ import annotations

from typing import Any

import pytest

from sslclientcert import ClientCertAuthenticator, ClientIdentity, answer_to, asgi, wsgi
from sslclientcert._gateway import PerIdentity, refusal
from sslclientcert.answers import Answer
from sslclientcert.core.errors import HeaderMalformed
from sslclientcert.testing import ClientCA, forged_identity

both = pytest.mark.parametrize(
    "middleware", [wsgi.ClientCertMiddleware, asgi.ClientCertMiddleware], ids=["wsgi", "asgi"]
)


def application(*_: Any) -> Any:
    """Never called: these tests stop before a request."""


async def is_probe(_: Any) -> bool:
    return True


class IsProbe:
    async def __call__(self, _: Any) -> bool:
        return True


@pytest.fixture
def authenticator() -> ClientCertAuthenticator:
    return ClientCA().authenticator()


@both
@pytest.mark.parametrize(
    ("options", "error", "remedy"),
    [
        ({"exempt": "/healthz"}, TypeError, r"exempt=\['/healthz'\]"),
        ({"exempt": b"/healthz"}, TypeError, "a list of paths or a function"),
        ({"exempt": ["healthz"]}, ValueError, "start with '/'"),
        ({"exempt": ["/healthz", ""]}, ValueError, "start with '/'"),
        ({"exempt": [b"/healthz"]}, ValueError, "start with '/'"),
        ({"exempt": [None]}, ValueError, "start with '/'"),
        ({"exempt": is_probe}, TypeError, "ordinary function"),
        ({"exempt": IsProbe()}, TypeError, "ordinary function"),
        ({"required": "false"}, TypeError, "required must be True or False"),
        ({"keep_headers": 1}, TypeError, "keep_headers must be True or False"),
        ({"on_refusal": "/refused"}, TypeError, "on_refusal is called and not awaited"),
        ({"on_refusal": is_probe}, TypeError, "ordinary function"),
        ({"on_refusal": IsProbe()}, TypeError, "ordinary function"),
    ],
)
def test_an_option_that_is_not_what_it_should_be_is_an_error_when_the_application_starts(
    options: dict[str, Any],
    error: type[Exception],
    remedy: str,
    middleware: Any,
    authenticator: ClientCertAuthenticator,
) -> None:
    with pytest.raises(error, match=remedy):
        middleware(application, authenticator, **options)


@both
@pytest.mark.parametrize("wrong", ["ca.crt", None, ClientCertAuthenticator], ids=["path", "none", "class"])
def test_what_is_no_authenticator_is_an_error_when_the_application_starts(middleware: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match="authenticator must be a ClientCertAuthenticator"):
        middleware(application, wrong)


@both
def test_what_is_no_application_is_an_error_when_the_application_starts(
    middleware: Any, authenticator: ClientCertAuthenticator
) -> None:
    with pytest.raises(TypeError, match="app must be the application"):
        middleware(authenticator, authenticator)


@both
@pytest.mark.parametrize("exempt", [(), [], {"/healthz", "/readyz"}, iter(["/healthz"]), lambda _: True])
def test_paths_or_a_function_say_what_is_exempt(
    exempt: Any, middleware: Any, authenticator: ClientCertAuthenticator
) -> None:
    assert middleware(application, authenticator, exempt=exempt)


ERROR = HeaderMalformed("a detail")


def answer_of(on_refusal: Any) -> Answer:
    return refusal(ERROR, "text/html", on_refusal, "the request")


def test_the_applications_own_answer_stands_in_for_the_librarys() -> None:
    asked = []

    def on_refusal(*arguments: Any) -> Any:
        asked.append(arguments)
        return 302, [("Location", "/help"), ("content-LENGTH", "99")], b"see there"

    assert answer_of(on_refusal) == (302, [("Location", "/help"), ("Content-Length", "9")], b"see there")
    assert asked == [(ERROR, "the request")]


def test_the_librarys_answer_may_be_given_with_another_status() -> None:
    assert answer_of(lambda error, request: answer_to(error)._replace(status=403)).status == 403


@pytest.mark.parametrize(
    "given",
    [
        None,
        (403, []),
        (200, [], b"come in"),
        (204, [], b""),
        (101, [], b""),
        (520, [], b""),
        (999, [], b""),
        ("403", [], b""),
        (403, [], "text"),
        (403, [("X-Reason", "a\r\nSet-Cookie: b")], b""),
        (403, [("X-Reason", "Zo\u00eb")], b""),
        (403, [("X-Reason", 7)], b""),
        (403, None, b""),
    ],
    ids=repr,
)
def test_what_is_no_answer_to_a_refusal_is_logged_and_the_librarys_is_sent(
    given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert answer_of(lambda error, request: given) == answer_to(ERROR, "text/html")
    (record,) = caplog.records
    assert record.getMessage() == "on_refusal failed on header_malformed: the library's own answer is sent"
    assert record.exc_info is not None


def test_an_exception_in_on_refusal_does_not_let_the_request_pass(caplog: pytest.LogCaptureFixture) -> None:
    def on_refusal(*_: Any) -> Any:
        raise ZeroDivisionError

    assert answer_of(on_refusal) == answer_to(ERROR, "text/html")
    assert "ZeroDivisionError" in caplog.text


def test_a_value_is_computed_once_for_each_identity_and_each_function() -> None:
    alice, bob = forged_identity("alice"), forged_identity("bob")
    asked = []

    def name(identity: Any) -> str:
        asked.append(identity)
        return str(identity.common_name)

    names, subjects = PerIdentity(name), PerIdentity(lambda identity: identity.subject)
    assert [names(alice), names(bob), names(alice), subjects(alice)] == ["alice", "bob", "alice", "CN=alice"]
    assert asked == [alice, bob]


def test_what_is_remembered_is_bounded() -> None:
    length = PerIdentity(lambda identity: len(identity.pem))
    alice = forged_identity("alice", uris=[f"https://example.org/{number}" for number in range(1000)])
    for _ in range(40):
        copy = ClientIdentity.__new__(ClientIdentity)
        for name in vars(alice):
            object.__setattr__(copy, name, getattr(alice, name))
        assert length(copy) == len(alice.pem)
    assert len(length._values) * len(alice.pem) < 2_000_000


def test_what_is_remembered_of_an_identity_does_not_show_on_it() -> None:
    alice = forged_identity("alice")
    before = alice.as_dict(), repr(alice), dir(alice)
    PerIdentity(lambda identity: identity.subject)(alice)
    assert [each for each in dir(alice) if each.isidentifier()] == [each for each in before[2] if each.isidentifier()]
    assert (alice.as_dict(), repr(alice)) == before[:2]
