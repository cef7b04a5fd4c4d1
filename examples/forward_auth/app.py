"""A forward-auth service: the proxy asks it about each request, for an application in any language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote

from sslclientcert import ClientCertAuthenticator, ClientCertError, answer_to
from sslclientcert.answers import Answer
from sslclientcert.wsgi import ClientCertMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def accepted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Say who the client is. The subject is percent-encoded, since it may hold any character."""
    identity = environ["sslclientcert.identity"]
    who = [("Client-Subject", quote(identity.subject)), ("Client-Fingerprint", identity.fingerprint_sha256)]
    start_response("204 No Content", who)
    return []


def refused(error: ClientCertError, environ: WSGIEnvironment) -> Answer:
    """Answer 403 to everything: nginx's `auth_request` knows 2xx, 401 and 403 alone, and makes the others a 500."""
    return answer_to(error, environ.get("HTTP_ACCEPT"))._replace(status=403)


app = ClientCertMiddleware(accepted, ClientCertAuthenticator.from_env(), on_refusal=refused)
