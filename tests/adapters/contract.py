"""The contract of an adapter: one table of requests, and what each must come to, whatever the framework.

To hold another adapter to it, write the application under test behind it into `wsgi_applications.py` or
`asgi_applications.py`; `test_servers.py` sends it the table by real servers. For the framework's own test client,
subclass `AdapterContract` in a file `test_<adapter>.py` and override one fixture, `visit`: a function that sends one
request through the adapter under test and tells what became of it.

    class TestContract(AdapterContract):
        @pytest.fixture
        def visit(self) -> Visit:
            def visit(request: Request) -> Outcome:
                seen = Seen()
                with wsgi_applications.flask(request, seen.note) as app:
                    reply = app.test_client().get("/", headers=joined(request.headers), environ_base=...)
                return seen.outcome(reply.status_code, reply.data)

            return visit

What `visit` has to do:

- make a new application from `request.authenticator` and `request.required`; the application notes that it ran, the
  identity it was given, and which headers it can read, and answers with 200;
- send `request.headers` from `request.peer`. A header that comes twice stands there twice: give it to the framework as
  a server of its kind would (`joined` does it as WSGI servers do);
- return an `Outcome`, whose `body` is the answer as the client reads it, so that it can be searched for what must not
  be there.

An adapter that cannot do a thing says so by a class attribute, with the reason in a comment: `strips = False` where
the framework gives the application headers that the adapter cannot remove; `tells = False` where all it can do with a
WebSocket is to close it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeAlias

import pytest

from sslclientcert import ClientCertAuthenticator, ClientIdentity, TrustStore, rules
from sslclientcert.core.authenticator import DEFAULT_MAX_HEADER_BYTES
from sslclientcert.testing import ClientCA, encode

__all__ = ["Adapter", "AdapterContract", "Note", "Outcome", "Request", "Seen", "Visit", "code_in", "joined"]

Headers: TypeAlias = tuple[tuple[str, str], ...]

PROXY = "127.0.0.1"
STRANGER = "127.0.0.66"  # real servers are reached from there
CLIENT = "203.0.113.9"  # whom the proxy was reached from, as it says in X-Forwarded-For
MARK = "quoted-by-the-detail"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request to an application behind the adapter under test, and whom that trusts: data, for another process too.

    Attributes:
        bundle: the CA bundle, as PEM.
        crl: its CRLs, as PEM.
        headers: in their order; names may repeat.
        required: whether a certificate is.
        peer: the address that the request comes from.
        max_header_bytes: as for `ClientCertAuthenticator`.
        only: the common name that is let in; None if all are.
    """

    bundle: str
    crl: str
    headers: Headers
    required: bool = True
    peer: str = PROXY
    max_header_bytes: int = DEFAULT_MAX_HEADER_BYTES
    only: str | None = None

    @cached_property
    def authenticator(self) -> ClientCertAuthenticator:
        """What judges the request."""
        return ClientCertAuthenticator(
            TrustStore.from_pem(self.bundle, self.crl),
            trusted_proxies=PROXY,
            max_header_bytes=self.max_header_bytes,
            authorize=None if self.only is None else rules.common_name(self.only),
        )

    @property
    def django_settings(self) -> dict[str, Any]:
        """The same for Django."""
        return {"AUTHENTICATOR": self.authenticator, "REQUIRED": self.required}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a request: what the client was told, and what the application saw if it ran."""

    status: int
    body: str
    code: str | None = None
    reached: bool = False
    identity: Mapping[str, Any] | None = None
    header_names: tuple[str, ...] = ()


@dataclasses.dataclass
class Seen:
    """What the application saw of its request; nothing, if it did not run."""

    reached: bool = False
    identity: Mapping[str, Any] | None = None
    header_names: tuple[str, ...] = ()

    def note(self, identity: object, header_names: Iterable[str]) -> None:
        """For the application to call."""
        assert identity is None or isinstance(identity, ClientIdentity), identity
        self.reached = True
        self.identity = None if identity is None else identity.as_dict()
        self.header_names = tuple(header_names)

    def outcome(self, status: int, body: bytes) -> Outcome:
        """Return what became of the request, now that its answer is there."""
        return Outcome(status, body.decode(), code_in(body), self.reached, self.identity, self.header_names)


Visit: TypeAlias = Callable[[Request], Outcome]
Note: TypeAlias = Callable[[object, Iterable[str]], None]
Adapter: TypeAlias = Callable[[Request, Note], AbstractContextManager[Any]]


class Case(NamedTuple):
    """A row of the table. Without a code it is no refusal: the request passes, as its client or as nobody."""

    name: str
    headers: Callable[[ClientCA], Headers]
    status: int = 200
    code: str | None = None
    peer: str = PROXY
    options: Mapping[str, Any] = {}
    trusted: Callable[[ClientCA], Sequence[ClientCA]] = lambda ca: [ca]

    def request(self, ca: ClientCA, *, required: bool = True) -> Request:
        """Return the request of this row to an application that trusts the CA."""
        trusted = self.trusted(ca)
        bundle, crl = "".join(one.pem for one in trusted), "".join(one.crl() for one in trusted)
        return Request(bundle, crl, self.headers(ca), required, self.peer, **self.options)


EXPIRED_CA = ClientCA("Old CA", now=datetime(2001, 1, 1, tzinfo=UTC))


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers as most WSGI servers see them: what comes twice is joined with a comma."""
    seen: dict[str, str] = {}
    for name, value in headers:
        seen[name] = f"{seen[name]},{value}" if name in seen else value
    return seen


def _of(headers: Mapping[str, str], *more: tuple[str, str], client: str = CLIENT) -> Headers:
    return (("host", "app.example"), ("accept", "*/*"), ("x-forwarded-for", client), *headers.items(), *more)


def _good(ca: ClientCA) -> dict[str, str]:
    return ca.issue("alice", dns_names=["alice.example"]).headers()


def _twice(ca: ClientCA) -> Headers:
    good = _good(ca)
    return _of(good, ("ssl-client-cert", good["ssl-client-cert"]))


ABSENT = [
    Case("absent", lambda ca: _of({})),
    Case("absent, as the proxy says", lambda ca: _of(encode(None))),
]
ACCEPTED = [
    Case("valid", lambda ca: _of(_good(ca))),
    Case("valid, the certificate header alone", lambda ca: _of({"ssl-client-cert": _good(ca)["ssl-client-cert"]})),
]
REFUSED = [
    Case("wrong CA", lambda ca: _of(ca.stranger().headers()), 403, "certificate_untrusted"),
    Case("expired", lambda ca: _of(ca.expired().headers()), 403, "certificate_expired"),
    Case("not yet valid", lambda ca: _of(ca.not_yet_valid().headers()), 403, "certificate_not_yet_valid"),
    Case("for servers", lambda ca: _of(ca.server_only().headers()), 403, "certificate_unsuitable"),
    Case("revoked", lambda ca: _of(ca.revoked().headers()), 403, "certificate_revoked"),
    Case("malformed", lambda ca: _of({"ssl-client-cert": f"%{MARK}"}), 400, "header_malformed"),
    Case("not a certificate", lambda ca: _of(ca.not_a_certificate().headers()), 400, "certificate_malformed"),
    Case("duplicated", _twice, 400, "header_ambiguous"),
    Case(
        "verdict contradictory",
        lambda ca: _of({**_good(ca), "ssl-client-verify": "NONE"}),
        400,
        "forwarding_inconsistent",
    ),
    Case(
        "subject contradictory",
        lambda ca: _of({**_good(ca), "ssl-client-subject-dn": f"CN={MARK}"}),
        400,
        "forwarding_inconsistent",
    ),
    Case(
        "verdict without a certificate",
        lambda ca: _of({"ssl-client-verify": "SUCCESS"}),
        400,
        "forwarding_inconsistent",
    ),
    Case("untrusted peer", lambda ca: _of(_good(ca)), 403, "proxy_untrusted", peer=STRANGER),
    Case(
        "untrusted peer in the name of the proxy",
        lambda ca: _of(_good(ca), client=PROXY),
        403,
        "proxy_untrusted",
        peer=STRANGER,
    ),
    Case("too large", lambda ca: _of(_good(ca)), 431, "header_too_large", options={"max_header_bytes": 500}),
    Case("not authorized", lambda ca: _of(_good(ca)), 403, "not_authorized", options={"only": "bob"}),
    Case(
        "no trust store",
        lambda ca: _of(_good(ca)),
        503,
        "trust_store_unavailable",
        trusted=lambda ca: [EXPIRED_CA],
    ),
    Case(
        "the CA above it has expired",
        lambda ca: _of(EXPIRED_CA.issue("alice", not_after=datetime.now(UTC) + timedelta(days=1)).headers()),
        503,
        "ca_expired",
        trusted=lambda ca: [EXPIRED_CA, ca],
    ),
]


def _table(*cases: Case) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


both = pytest.mark.parametrize("required", [True, False], ids=["required", "optional"])


class AdapterContract:
    """What every adapter does. See the module for how to hold one to it."""

    strips: ClassVar[bool] = True
    tells: ClassVar[bool] = True
    passed: ClassVar[int] = 200

    @pytest.fixture
    def ca(self) -> ClientCA:
        return ClientCA()

    @pytest.fixture
    def visit(self) -> Visit:
        raise NotImplementedError("the tests of an adapter override this fixture")

    def require_refused(self, outcome: Outcome, status: int, code: str | None) -> None:
        """The client is told the status and the code; the application has not run."""
        assert (outcome.status, outcome.code) == ((status, code) if self.tells else (403, None))
        assert not outcome.reached

    @_table(*ABSENT)
    def test_a_request_without_a_certificate_is_refused_where_one_is_required(
        self, case: Case, ca: ClientCA, visit: Visit
    ) -> None:
        self.require_refused(visit(case.request(ca)), 403, "certificate_missing")

    @_table(*ABSENT)
    def test_a_request_without_a_certificate_is_anonymous_where_one_is_optional(
        self, case: Case, ca: ClientCA, visit: Visit
    ) -> None:
        outcome = visit(case.request(ca, required=False))
        assert (outcome.status, outcome.reached, outcome.identity) == (self.passed, True, None)

    @both
    @_table(*ACCEPTED)
    def test_a_valid_certificate_gives_the_application_its_identity(
        self, case: Case, required: bool, ca: ClientCA, visit: Visit
    ) -> None:
        outcome = visit(case.request(ca, required=required))
        assert (outcome.status, outcome.reached) == (self.passed, True)
        assert outcome.identity is not None
        assert outcome.identity["common_name"] == "alice"
        assert outcome.identity["sans"]["dns_names"] == ["alice.example"]

    @both
    @_table(*REFUSED)
    def test_a_bad_certificate_is_refused_also_where_none_is_required_and_the_client_learns_no_more_than_the_code(
        self, case: Case, required: bool, ca: ClientCA, visit: Visit
    ) -> None:
        outcome = visit(case.request(ca, required=required))
        self.require_refused(outcome, case.status, case.code)
        assert [word for word in (MARK, ca.name, STRANGER, "ca.crt", "Traceback") if word in outcome.body] == []

    @_table(*ABSENT, *ACCEPTED)
    def test_the_application_reads_the_other_headers_and_none_that_the_authenticator_judges(
        self, case: Case, ca: ClientCA, visit: Visit
    ) -> None:
        request = case.request(ca, required=False)
        names = {name.lower().replace("_", "-") for name in visit(request).header_names}
        assert "accept" in names
        assert not self.strips or names & request.authenticator.guarded_headers == set()


def code_in(body: bytes) -> str | None:
    """Return the code in the body of a problem (RFC 9457), or of FastAPI's way to say it; None if there is none."""
    try:
        problem = json.loads(body)
    except ValueError:
        return None
    return str(problem.get("detail", problem)["code"])
