from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from sslclientcert import ClientIdentity, rules
from sslclientcert.testing import ClientCA, IssuedCertificate

from . import wsgi_applications
from .contract import AdapterContract, Note, Outcome, Request, Seen, Visit, joined
from .django_project import JUDGE, SESSIONS, USER, configured, database
from .django_project.servers import example

# isort: split
# The import of django_project has configured Django; what follows needs it configured.

from django.contrib.auth.models import AnonymousUser, User
from django.test import override_settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request as DRFRequest
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView, exception_handler

from sslclientcert.drf import ClientCertAuthentication, ClientCertAuthenticationFailed, HasClientCert

from .django_project.urls import SEEN


def auth_of(request: DRFRequest) -> Any:
    return request.auth


class Look(APIView):
    authentication_classes = (ClientCertAuthentication,)
    permission_classes = ()

    @extend_schema(responses={200: str})
    def get(self, request: DRFRequest) -> Response:
        """Note what the view sees."""
        SEEN.note(request)
        SEEN.user = request.user
        SEEN.identity = auth_of(request)
        return Response("hello")


class Derived(ClientCertAuthentication):
    """A project's own."""


class Nobody(TokenAuthentication):
    """Knows nobody, and asks for a token."""

    def authenticate(self, request: DRFRequest) -> None:
        return None


class Anybody(BasePermission):
    def has_permission(self, request: DRFRequest, view: APIView) -> bool:
        return request.method == "GET"


def schema_of(route: str, view: Any, version: str) -> Any:
    return SpectacularAPIView.as_view(
        authentication_classes=[],
        permission_classes=[],
        urlconf=[path(route, view)],
        custom_settings={"OAS_VERSION": version},
    )


ALICE = rules.common_name("alice")
urlpatterns = [
    path("", Look.as_view()),
    path("users", Look.as_view(permission_classes=[IsAuthenticated])),
    path("clients", Look.as_view(permission_classes=[HasClientCert])),
    path("alice", Look.as_view(permission_classes=[HasClientCert.passing(ALICE)])),
    path("alice/or/anybody", Look.as_view(permission_classes=[HasClientCert.passing(ALICE) | Anybody])),
    path("tokens", Look.as_view(authentication_classes=[Nobody, ClientCertAuthentication])),
    path("others", Look.as_view(authentication_classes=[ClientCertAuthentication, Nobody])),
    path("schema", schema_of("users", Look.as_view(), "3.1.0")),
    path("schema/of/3.0", schema_of("users", Look.as_view(), "3.0.3")),
    path("schema/of/derived", schema_of("users", Look.as_view(authentication_classes=[Derived]), "3.1.0")),
]

alone = pytest.mark.parametrize(
    "middleware", [(), (JUDGE,), (JUDGE, *SESSIONS, USER)], ids=["alone", "judged", "users"]
)
NONE = "django.middleware.common.CommonMiddleware"  # one that does not matter here


def settings(client_cert: dict[str, Any], *middleware: str, **others: Any) -> Any:
    return configured(client_cert, *(middleware or (NONE,)), ROOT_URLCONF=__name__, **others)


class TestContract(AdapterContract):
    @pytest.fixture
    def visit(self) -> Visit:
        def visit(request: Request) -> Outcome:
            seen = Seen()
            with self.application(request, seen.note):
                answer = APIClient(REMOTE_ADDR=request.peer).get("/", headers=joined(request.headers))
            return seen.outcome(answer.status_code, answer.content)

        return visit

    def application(self, request: Request, note: Note) -> AbstractContextManager[Any]:
        return wsgi_applications.drf(request, note)


class TestContractBehindTheMiddleware(TestContract):
    def application(self, request: Request, note: Note) -> AbstractContextManager[Any]:
        return wsgi_applications.drf(request, note, JUDGE)


def nobody(identity: ClientIdentity) -> None:
    """No user is looked up, so no table is needed."""


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA()


@pytest.fixture(scope="module")
def alice(ca: ClientCA) -> IssuedCertificate:
    return ca.issue("alice")


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


@pytest.fixture
def _users() -> Iterator[None]:
    with database():
        User.objects.create_user("alice")
        yield


def get(path: str, certificate: IssuedCertificate | None = None) -> Any:
    return APIClient().get(path, headers=certificate.headers() if certificate else {})


@pytest.mark.usefixtures("_users")
@alone
def test_the_user_is_the_certificates_and_the_credentials_are_the_identity(
    middleware: tuple[str, ...], ca: ClientCA, alice: IssuedCertificate
) -> None:
    with settings({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}, *middleware):
        assert get("/users", alice).status_code == 200
        assert (SEEN.user.get_username(), SEEN.identity and SEEN.identity.common_name) == ("alice", "alice")
        assert get("/users", ca.issue("bob")).status_code == 403
        assert get("/users").status_code == 403


@pytest.mark.usefixtures("_users")
def test_a_client_may_come_in_without_being_a_user(ca: ClientCA) -> None:
    with settings({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}):
        assert get("/clients", ca.issue("bob")).status_code == 200
        assert isinstance(SEEN.user, AnonymousUser)
        assert isinstance(SEEN.identity, ClientIdentity)
        assert get("/clients").status_code == 403


def test_users_are_not_looked_for_where_there_are_none(ca: ClientCA, alice: IssuedCertificate) -> None:
    with (
        settings({"AUTHENTICATOR": ca.authenticator()}, INSTALLED_APPS=["rest_framework", "sslclientcert.django"]),
        override_settings(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}),
    ):
        assert get("/clients", alice).status_code == 200
    assert SEEN.user is None


@pytest.mark.usefixtures("_users")
def test_a_rule_lets_in_who_passes_it(ca: ClientCA, alice: IssuedCertificate) -> None:
    told: list[Any] = []
    with settings({"AUTHENTICATOR": ca.authenticator(audit=told.append)}):
        assert get("/alice", alice).status_code == 200
        refused = get("/alice", ca.issue("bob"))
    assert (refused.status_code, refused.json()) == (403, {"detail": "The client is not authorized."})
    assert refused.data["detail"].code == "not_authorized"
    assert told[-1].error.code == "not_authorized"


@pytest.mark.usefixtures("_users")
def test_permissions_combine(ca: ClientCA) -> None:
    with settings({"AUTHENTICATOR": ca.authenticator()}):
        assert get("/alice/or/anybody", ca.issue("bob")).status_code == 200


async def later(identity: ClientIdentity) -> bool:
    return True


@pytest.mark.parametrize("rule", ["alice", later])
def test_a_permission_is_not_made_of_what_is_no_rule(rule: Any) -> None:
    with pytest.raises(TypeError, match="not awaited"):
        HasClientCert.passing(rule)


# Refusals


@pytest.mark.usefixtures("_users")
def test_a_refusal_is_the_problem_with_its_own_status(ca: ClientCA) -> None:
    with settings({"AUTHENTICATOR": ca.authenticator()}):
        answer = get("/", ca.not_a_certificate())
    title = "The forwarded client certificate cannot be parsed."
    assert answer.json() == {"title": title, "status": 400, "code": "certificate_malformed"}
    assert answer.status_code == 400
    assert not answer.has_header("www-authenticate")


def test_another_authentication_in_front_asks_for_its_own_credentials_next_to_the_refusal(ca: ClientCA) -> None:
    with settings({"AUTHENTICATOR": ca.authenticator()}):
        answer = get("/tokens", ca.expired())
    assert (answer.status_code, answer.json()["code"]) == (403, "certificate_expired")
    assert answer["www-authenticate"] == "Token"


def test_without_a_certificate_the_next_authentication_has_its_turn_where_none_is_required(ca: ClientCA) -> None:
    with settings({"AUTHENTICATOR": ca.authenticator(), "REQUIRED": False}):
        assert get("/others").status_code == 200
    with settings({"AUTHENTICATOR": ca.authenticator()}):
        assert get("/others").json()["code"] == "certificate_missing"


def own_handler(error: Exception, context: Any) -> Response | None:
    if isinstance(error, ClientCertAuthenticationFailed):
        return Response({"codes": error.get_codes(), "details": error.get_full_details()}, status=error.status_code)
    return exception_handler(error, context)


def test_a_projects_own_handler_learns_the_code(ca: ClientCA) -> None:
    with settings(
        {"AUTHENTICATOR": ca.authenticator()}, REST_FRAMEWORK={"EXCEPTION_HANDLER": f"{__name__}.own_handler"}
    ):
        answer = get("/", ca.expired())
    details = {"message": "The client certificate has expired.", "code": "certificate_expired"}
    assert answer.json() == {"codes": "certificate_expired", "details": details}


# OpenAPI


@pytest.mark.parametrize(
    ("url", "version", "scheme"),
    [
        ("/schema", "3.1.0", {"type": "mutualTLS"}),
        ("/schema/of/3.0", "3.0.3", {"type": "apiKey", "in": "header", "name": "ssl-client-cert"}),
        ("/schema/of/derived", "3.1.0", {"type": "mutualTLS"}),
    ],
)
def test_the_schema_names_the_scheme(url: str, version: str, scheme: dict[str, str], ca: ClientCA) -> None:
    with settings({"AUTHENTICATOR": ca.authenticator()}):
        schema = json.loads(APIClient().get(f"{url}?format=json").content)
    assert schema["openapi"] == version
    assert schema["components"]["securitySchemes"] == {"MutualTLS": scheme}
    assert schema["paths"]["/users"]["get"]["security"] == [{"MutualTLS": []}]
    validate(schema)


def test_without_drf_spectacular_the_classes_are_there() -> None:
    code = """
import sys
sys.modules["drf_spectacular"] = sys.modules["drf_spectacular.extensions"] = None
from django.conf import settings
settings.configure()
import sslclientcert.drf
print(sslclientcert.drf.HasClientCert.__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "HasClientCert", done.stderr


def test_without_rest_framework_the_import_names_the_extra() -> None:
    code = "import sys; sys.modules['rest_framework'] = None; import sslclientcert.drf"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "sslclientcert[drf]"' in done.stderr


def test_rest_framework_may_import_the_class_while_it_imports_itself() -> None:
    code = """
import django
from django.conf import settings
authentication = ["sslclientcert.drf.ClientCertAuthentication"]
settings.configure(
    INSTALLED_APPS=["rest_framework", "drf_spectacular", "sslclientcert.django"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": authentication},
)
django.setup()
from rest_framework.views import APIView
print(APIView.authentication_classes[0].__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "ClientCertAuthentication", done.stderr


def test_the_example_runs_under_gunicorn(ca: ClientCA, alice: IssuedCertificate, tmp_path: Path) -> None:
    with example("drf_app", "gunicorn", ca, tmp_path) as served:
        assert served.get("/healthz").body == b"ok", (tmp_path / "log").read_text()
        assert served.get("/me").json["code"] == "certificate_missing"
        assert served.get("/me", alice.headers().items()).json["common_name"] == "alice"
        twice = [("ssl-client-cert", alice.headers()["ssl-client-cert"])] * 2
        assert served.get("/me", twice).json["code"] == "header_ambiguous"
