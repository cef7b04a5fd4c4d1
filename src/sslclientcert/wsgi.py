"""WSGI middleware: the client identity, and mod_ssl's variables, in the environ.

Does not check: the TLS handshake, which only the proxy saw. The authenticator's `trusted_proxies` guards the headers.

Before this middleware runs, a WSGI server has folded `ssl-client-cert` and `ssl_client_cert` into one key. It has
joined a header that came twice, or kept the last. A joined value does not decode. Behind a server that keeps the last,
the proxy must drop the other spelling.

Sources: PEP 3333; mod_ssl's documentation, "Environment Variables", and the values that Apache 2.4 gives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from http import HTTPStatus
from time import time
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cryptography import x509
from cryptography.x509.oid import NameOID

from ._gateway import DECIDED, Exempt, OnRefusal, PerIdentity, exemption, refusal, require_arguments
from .core.authenticator import ClientCertAuthenticator
from .core.errors import ClientCertError, serial_text
from .core.identity import ClientIdentity

__all__ = ["ClientCertMiddleware"]

_IDENTITY = "sslclientcert.identity"
_PREFIX = "SSL_CLIENT_"
_SECONDS_A_DAY = 86400

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in every locale
_DN_SUFFIXES = {
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COMMON_NAME: "CN",
    NameOID.TITLE: "T",
    NameOID.INITIALS: "I",
    NameOID.GIVEN_NAME: "G",
    NameOID.SURNAME: "S",
    x509.ObjectIdentifier("2.5.4.13"): "D",
    NameOID.USER_ID: "UID",
    NameOID.EMAIL_ADDRESS: "Email",
}
# OpenSSL's ASN1_STRFLGS_ESC_CTRL: control characters as a backslash and two digits, and so the backslash too.
_CONTROLS = {code: f"\\{code:02X}" for code in (*range(0x20), 0x7F)}
_ESCAPES = {**_CONTROLS, ord("\\"): "\\\\"}


class ClientCertMiddleware:
    """WSGI middleware that passes only verified clients to `app`.

    Does not check: that only the proxy can reach the application, beyond the authenticator's `trusted_proxies`.

    The application gets in its environ:

    - `sslclientcert.identity`: the `ClientIdentity`. None if the client is anonymous: with `required=False`, and on
      exempt paths.
    - mod_ssl's variables of the verified certificate: `SSL_CLIENT_VERIFY` (`SUCCESS`, or `NONE` for an anonymous
      client), `SSL_CLIENT_CERT`, `SSL_CLIENT_S_DN`, `SSL_CLIENT_I_DN`, `SSL_CLIENT_M_SERIAL`, `SSL_CLIENT_M_VERSION`,
      `SSL_CLIENT_V_START`, `SSL_CLIENT_V_END`, `SSL_CLIENT_V_REMAIN` (whole days), and by number, from 0,
      `SSL_CLIENT_SAN_DNS_0`, `SSL_CLIENT_SAN_Email_0` and `SSL_CLIENT_SAN_OTHER_msUPN_0`.
    - `SSL_CLIENT_S_DN_CN` and `SSL_CLIENT_I_DN_CN`, and the same for the attributes C, ST, L, O, OU, T, I, G, S, D, UID
      and Email. A second attribute of one type ends in `_1`.

    The variables are native strings: UTF-8 read as latin-1. The middleware changes the environ in place. It removes
    every other `SSL_CLIENT_*` variable, and the raw headers that the authenticator reads.

    `answer_to` answers a rejected request, with the error's status, code and title. The detail is for logs.

    Parameters:
        app: the WSGI application.
        authenticator: verifies each request.
        required: whether a certificate is required. If False, a request without one is anonymous. A bad certificate is
            still rejected.
        exempt: requests that need no identity, such as the kubelet's probes. A list of exact values of PATH_INFO (the
            path below SCRIPT_NAME, percent-decoded), or a function of the environ that returns exactly True. There the
            middleware ignores certificates, and the identity is None.
        keep_headers: whether to keep the raw headers in the environ. Your application should not need them.
        on_refusal: returns another answer. It gets the error and the environ, and returns the status (from 300), the
            headers, and the body as bytes, such as `answer_to(error)._replace(status=403)`. The request stays rejected.
            If the function fails, the middleware logs that and sends its own answer.

    Raises:
        TypeError: an argument has the wrong type, `exempt` is a single string, or a function would have to be awaited.
        ValueError: an exempt path does not start with "/".
    """

    def __init__(
        self,
        app: WSGIApplication,
        authenticator: ClientCertAuthenticator,
        *,
        required: bool = True,
        exempt: Exempt = (),
        keep_headers: bool = False,
        on_refusal: OnRefusal | None = None,
    ) -> None:
        require_arguments(app, authenticator, required=required, keep_headers=keep_headers, on_refusal=on_refusal)
        self._app = app
        self._authenticator = authenticator
        self._raw = tuple(authenticator.guarded_environ)
        self._required = required
        self._exempt = exemption(exempt, _path)
        self._keep_headers = keep_headers
        self._on_refusal = on_refusal
        self._variables = PerIdentity(_mod_ssl)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Judge one request; pass it on, or answer it."""
        exempt = self._exempt is not None and environ.get("REQUEST_METHOD") != "CONNECT" and self._exempt(environ)
        try:
            identity = None if exempt else self._authenticator.authenticate_environ(environ, required=self._required)
        except ClientCertError as error:
            return self._refuse(error, environ, start_response)
        if exempt or not self._keep_headers:
            for key in self._raw:
                environ.pop(key, None)
        if _PREFIX in "".join(environ):  # takes a sixth of the time of a look at each key
            for key in [key for key in environ if key.startswith(_PREFIX)]:
                del environ[key]
        environ[_IDENTITY] = identity
        environ[DECIDED] = {**environ.get(DECIDED, {}), self._authenticator: identity}
        if identity is None:
            environ["SSL_CLIENT_VERIFY"] = "NONE"
        else:
            variables, expiry = self._variables(identity)
            environ.update(variables)
            environ["SSL_CLIENT_V_REMAIN"] = str(int((expiry - time()) / _SECONDS_A_DAY))
        return self._app(environ, start_response)

    def _refuse(
        self, error: ClientCertError, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        answer = refusal(error, environ.get("HTTP_ACCEPT"), self._on_refusal, environ)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]


def _path(environ: WSGIEnvironment) -> str:
    path: str = environ.get("PATH_INFO", "")
    try:
        return path.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a server that does not keep to PEP 3333 has decoded it
        return path


def _mod_ssl(identity: ClientIdentity) -> tuple[dict[str, str], float]:
    """Return mod_ssl's variables, and when the certificate ends."""
    certificate, sans = identity.certificate, identity.sans
    variables = {
        "VERIFY": "SUCCESS",
        "CERT": identity.pem,
        "M_VERSION": str(certificate.version.value + 1),
        "M_SERIAL": serial_text(identity.serial_number),
        "V_START": _time(identity.not_before),
        "V_END": _time(identity.not_after),
        "S_DN": identity.subject.translate(_CONTROLS),
        "I_DN": identity.issuer.translate(_CONTROLS),
        **dict(_attributes("S_DN", certificate.subject)),
        **dict(_attributes("I_DN", certificate.issuer)),
    }
    for kind, names in (("DNS", sans.dns_names), ("Email", sans.emails), ("OTHER_msUPN", sans.upns)):
        variables |= {f"SAN_{kind}_{number}": name.translate(_ESCAPES) for number, name in enumerate(names)}
    native = {_PREFIX + name: value.encode().decode("latin-1") for name, value in variables.items()}
    return native, identity.not_after.timestamp()


def _attributes(prefix: str, name: x509.Name) -> Iterator[tuple[str, str]]:
    """Yield the attributes that mod_ssl exports; the second of a type ends in _1."""
    seen: Counter[str] = Counter()
    for attribute in name:
        suffix = _DN_SUFFIXES.get(attribute.oid)
        if suffix is not None and isinstance(attribute.value, str):
            number = f"_{seen[suffix]}" if seen[suffix] else ""
            seen[suffix] += 1
            yield f"{prefix}_{suffix}{number}", attribute.value.translate(_ESCAPES)


def _time(moment: datetime) -> str:
    """Write it as OpenSSL's ASN1_TIME_print: `Nov  1 05:06:07 2026 GMT`."""
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"
