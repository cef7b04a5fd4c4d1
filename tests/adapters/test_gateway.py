from __future__ import annotations

from typing import Any

import pytest

from sslclientcert import ClientCertAuthenticator, ClientIdentity, asgi, wsgi
from sslclientcert._gateway import PerIdentity, answer_to
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


def test_an_answer_holds_the_title_and_the_code_and_not_the_detail() -> None:
    answer = answer_to(HeaderMalformed("a detail"))
    assert answer.status == 400
    assert b"header_malformed" in answer.body
    assert b"The forwarded client certificate header is malformed." in answer.body
    assert b"a detail" not in answer.body


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
        for name in ClientIdentity.__slots__:
            object.__setattr__(copy, name, getattr(alice, name))
        assert length(copy) == len(alice.pem)
    assert len(length._values) * len(alice.pem) < 2_000_000


def test_what_is_remembered_of_an_identity_does_not_show_on_it() -> None:
    alice = forged_identity("alice")
    before = alice.as_dict(), repr(alice), dir(alice)
    PerIdentity(lambda identity: identity.subject)(alice)
    assert [each for each in dir(alice) if each.isidentifier()] == [each for each in before[2] if each.isidentifier()]
    assert (alice.as_dict(), repr(alice)) == before[:2]
