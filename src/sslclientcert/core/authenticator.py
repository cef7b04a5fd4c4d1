"""The whole pipeline in one readable function: headers and peer address in, a verified identity out, or None, or an
error. Everything that a framework adapter needs to know of the library is here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hmac
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.hashes import SHA256

from .cache import Cache
from .errors import (
    CertificateMissing,
    CertificateUntrusted,
    ClientCertError,
    ForwardingInconsistent,
    HeaderMalformed,
    HeaderTooLarge,
    NotAuthorized,
    ProxyUntrusted,
    quoted,
)
from .headers import HeaderReader, HeaderValues, RequestHeaders
from .identity import ClientIdentity
from .names import is_openssl_text_of, rfc4514
from .peers import DEFAULT_TRUSTED_PROXIES, TrustedProxies, peer_of_environ, peer_of_scope
from .presented import PresentedChain, presented_by
from .proxies import TOKEN, Proxy, proxy_named
from .recognition import OtherProxies
from .reload import StrPath
from .trust import DEFAULT_MAX_DEPTH, DEFAULT_RELOAD_INTERVAL, TrustStore
from .validation import validate

__all__ = ["DEFAULT_MAX_HEADER_BYTES", "OPTIONS_FROM_TEXT", "ClientCertAuthenticator", "Decision", "flag"]

_log = logging.getLogger("sslclientcert")

DEFAULT_MAX_HEADER_BYTES = 65536
"""Larger than any header that gunicorn (8190), Envoy (60 KB) or hypercorn (64 KB) let through by default; a leaf with a
post-quantum key is 11 KB, a chain of four RSA certificates 8 KB."""

_BETWEEN_WARNINGS = 60.0  # seconds
_CACHE_ENTRIES = 4096
_CACHE_BYTES = 16 * 1024 * 1024
_ENTRY_OVERHEAD = 3072  # the identity, its certificates and their place in the dictionaries

_UNSAID: Any = ...

Rule: TypeAlias = "Callable[[ClientIdentity], object]"


class Decision(NamedTuple):
    """What an authenticator decided on one request; what an audit hook is called with.

    Attributes:
        identity: who was let in, or None.
        error: why nobody was, or None.
        peer: the address of the other end of the connection, as the server told it.
    """

    identity: ClientIdentity | None
    error: ClientCertError | None
    peer: str | None


# Who it is, from when until when, and the snapshot of the trust store that said so; a reload makes another.
_Remembered: TypeAlias = "tuple[ClientIdentity, float, float, object]"


class ClientCertAuthenticator:
    """Turns the headers of a request, and the address they came from, into a verified client identity.

    Not verified, since it cannot be from here: that the client holds the private key of its certificate, and that
    nobody but the proxy can reach the application. Certificates are public. The proxy must set the header on every
    request, and `trusted_proxies` must name the proxy and nobody else.

    Refusals are logged to the logger `sslclientcert` as warnings (a missing certificate as information, who was let in
    for debugging only), with `code`, `peer` and `detail` as extra, and of who was verified `subject` and `fingerprint`,
    quoted and escaped.

    Safe to share between threads and to fork. Make one for the process, when the application starts.

    Parameters:
        trust: the CA bundle: the path of a file (re-read when it changes), or a TrustStore.
        crl: path of a CRL file, when `trust` is a path.
        proxy: a row of `PROXIES` by name, or a row.
        header: another name for the row's certificate header.
        trusted_proxies: the peers that may send these headers: the proxy's own addresses, as few as you can. Also
            networks, `"unix"` for unix sockets, `"loopback"` for 127.0.0.0/8 and ::1, `"unaddressed"` for a peer of
            which the server tells no address, and `"*"` for any peer. A list, or a string with commas. By default
            127.0.0.1, ::1 and unix sockets. What lets every peer through is logged as a warning.
        authorize: a rule that every identity must pass: called with it, must return exactly True. See `rules`.
        require_proxy_success: refuse unless the proxy's own verdict came along exactly once and says success.
        shared_secret: name and value of a header that the proxy must send along, compared in constant time.
        max_header_bytes: the most that all headers of the row together may hold, in characters.
        max_depth: the most intermediates, when `trust` is a path. See `TrustStore`.
        reload_interval: in seconds, when `trust` is a path. See `TrustStore.from_file`.
        clock_skew: in seconds, when `trust` is a path. See `TrustStore`.
        audit: called with a `Decision` for every identity and every refusal, in the request's thread; not for anonymous
            requests. What it raises is not caught.
        cache_entries: how many verified results to keep; 0 for none.

    Raises:
        ValueError: an option is out of its range or contradicts another, or a file's content is not what it should be.
        OSError: a file cannot be read.
    """

    def __init__(
        self,
        trust: StrPath | TrustStore,
        *,
        crl: StrPath | None = None,
        proxy: str | Proxy = "nginx-ingress",
        header: str | None = None,
        trusted_proxies: str | Iterable[str] = DEFAULT_TRUSTED_PROXIES,
        authorize: Rule | None = None,
        require_proxy_success: bool = False,
        shared_secret: tuple[str, str] | None = None,
        max_header_bytes: int = DEFAULT_MAX_HEADER_BYTES,
        max_depth: int | None = None,
        reload_interval: float | None = None,
        clock_skew: float | None = None,
        cache_entries: int = _CACHE_ENTRIES,
        audit: Callable[[Decision], None] | None = None,
    ) -> None:
        row = proxy_named(proxy)
        self.proxy: Proxy = row if header is None else dataclasses.replace(row, certificate_header=header)
        if require_proxy_success and self.proxy.verdict_header is None:
            raise ValueError(
                f"require_proxy_success: the proxy {row.name!r} has no verdict header; name the one that your proxy "
                "sends with dataclasses.replace(PROXIES[...], verdict_header=...)"
            )
        if authorize is not None and not callable(authorize):
            raise ValueError(f"authorize must be a rule, called with the identity, not {authorize!r}")
        if audit is not None and not callable(audit):
            raise ValueError(f"audit must be a function, called with a Decision, not {audit!r}")
        if max_header_bytes < 1 or cache_entries < 0:
            raise ValueError("max_header_bytes must be positive and cache_entries not negative")
        if isinstance(trust, TrustStore):
            for name, option in (
                ("crl", crl),
                ("max_depth", max_depth),
                ("reload_interval", reload_interval),
                ("clock_skew", clock_skew),
            ):
                if option is not None:
                    raise ValueError(f"{name} goes with a path; a TrustStore has its own")
            self._store = trust
        else:
            self._store = TrustStore.from_file(
                trust,
                crl,
                max_depth=DEFAULT_MAX_DEPTH if max_depth is None else max_depth,
                reload_interval=DEFAULT_RELOAD_INTERVAL if reload_interval is None else reload_interval,
                clock_skew=0.0 if clock_skew is None else clock_skew,
            )
        if shared_secret is not None:
            _require_secret_that_can_arrive(shared_secret)
        self._authorize = authorize
        self._audit = audit
        self._require_proxy_success = require_proxy_success
        self._max_header_bytes = max_header_bytes
        self._peers = TrustedProxies(trusted_proxies)
        if self._peers.everybody:
            _log.warning(
                "trusted_proxies lets every peer send certificate headers (%r): a client that reaches the application "
                "can act as anybody. Name the proxy's own addresses",
                self._peers,
            )
        self._secret = None if shared_secret is None else shared_secret[1].encode()
        self._reader = HeaderReader(
            [*self.proxy.headers, None if shared_secret is None else shared_secret[0]], self.proxy.lists
        )
        self._others = OtherProxies(self._reader.folded_names)
        self._silent_until = 0.0  # of the warning about another proxy
        self._verdict_grammar = re.compile(self.proxy.verdict_grammar)
        self._cache: Cache[HeaderValues, _Remembered] = Cache(cache_entries, _CACHE_BYTES, _weight)

    @classmethod
    def from_env(
        cls, prefix: str = "SSLCLIENTCERT_", environ: Mapping[str, str] | None = None
    ) -> ClientCertAuthenticator:
        """Make an authenticator from environment variables.

        Parameters:
            prefix: what the variables' names start with. `CA` is required; `CRL`, `PROXY`, `HEADER`,
                `TRUSTED_PROXIES` (with commas), `REQUIRE_PROXY_SUCCESS`, `SHARED_SECRET` (`header: value`),
                `MAX_HEADER_BYTES`, `MAX_DEPTH`, `RELOAD_INTERVAL` and `CLOCK_SKEW` (seconds), and `CACHE_ENTRIES` are
                as in the class.
            environ: where to look; `os.environ` if not given.

        Raises:
            ValueError: `CA` is missing, a variable with the prefix is not an option (a typing error would otherwise
                loosen the configuration in silence), or a value is out of its range.
            OSError: a file cannot be read.
        """
        values = {
            name.removeprefix(prefix).lower(): value
            for name, value in (os.environ if environ is None else environ).items()
            if name.startswith(prefix)
        }
        unknown = sorted(values.keys() - {"ca"} - OPTIONS_FROM_TEXT.keys())
        if unknown:
            known = ", ".join(prefix + name.upper() for name in ("ca", *OPTIONS_FROM_TEXT))
            raise ValueError(f"{prefix}{unknown[0].upper()} is not an option; there are {known}")
        if not values.get("ca"):
            raise ValueError(f"{prefix}CA is not set; it is the path of the CA bundle, such as /etc/client-ca/ca.crt")
        options: dict[str, Any] = {}
        for name, text in values.items():
            if name == "ca":
                continue
            shown = prefix + name.upper() + ("" if name == "shared_secret" else f"={text!r}")
            if not text.strip():
                raise ValueError(f"{shown} is empty: give it a value, or unset it")
            try:
                options[name] = OPTIONS_FROM_TEXT[name](text)
            except ValueError as error:
                raise ValueError(f"{shown}: {error}") from error
        return cls(values["ca"], **options)

    @property
    def trust_store(self) -> TrustStore:
        """The trust store, such as for its `status()`."""
        return self._store

    @property
    def trusts_every_peer(self) -> bool:
        """Whether `trusted_proxies` is `"*"`, or networks that together are all of IPv4 or of IPv6."""
        return self._peers.everybody

    @property
    def guarded_headers(self) -> frozenset[str]:
        """The names of the headers that it reads, lower case and with hyphens.

        Adapters remove these, in every spelling that folds to them, from what the application sees.
        """
        return self._reader.folded_names

    @property
    def guarded_environ(self) -> frozenset[str]:
        """The same names as keys of a WSGI environ."""
        return frozenset(self._reader.environ_keys)

    def authenticate(
        self,
        headers: RequestHeaders,
        *,
        peer: str | None = _UNSAID,
        required: bool = False,
        at: dt.datetime | None = None,
    ) -> ClientIdentity | None:
        """Return the verified identity of who sent a request, or None if no certificate was presented.

        Parameters:
            headers: a mapping, or (name, value) pairs, of str or latin-1 bytes; all headers of the request, with
                duplicates if there were any.
            peer: the address of the other end of the connection, as the server tells it; "unix" for a unix socket.
                None and "" are a peer without an address, which is not trusted. May be left out only with
                `trusted_proxies="*"`.
            required: refuse with `certificate_missing` instead of returning None.
            at: the time of validation, aware; now, if not given. For tests and forensics; the cache is left alone.

        Raises:
            ClientCertError: everything else. No other exception comes out, whatever the headers are.
            ValueError: `at` has no time zone.
            TypeError: `peer` is left out.
        """
        if peer is _UNSAID:
            if not self._peers.any:
                raise TypeError(
                    "authenticate() needs peer=, the address of the other end of the connection as your server tells "
                    'it, such as peer="10.0.0.7"; peer="unix" for a unix socket; None if the server tells no address'
                )
            peer = None
        if at is not None and at.utcoffset() is None:
            raise ValueError("at needs a time zone, such as datetime.now(timezone.utc)")
        return self._judge(self._reader.read, headers, peer, required, at)

    def authenticate_environ(self, environ: Mapping[str, Any], *, required: bool = False) -> ClientIdentity | None:
        """The same for the environ of a WSGI request.

        Not seen from here: which of two spellings a header had, and, with some servers, that it came twice.
        """
        return self._judge(self._reader.read_environ, environ, peer_of_environ(environ), required)

    def authenticate_scope(self, scope: Mapping[str, Any], *, required: bool = False) -> ClientIdentity | None:
        """The same for the scope of an ASGI request."""
        return self._judge(self._reader.read, scope.get("headers", ()), peer_of_scope(scope), required)

    def _judge(
        self,
        read: Callable[[Any], tuple[HeaderValues, int]],
        request: Any,
        peer: str | None,
        required: bool,
        at: dt.datetime | None = None,
    ) -> ClientIdentity | None:
        identity = None
        try:
            values, size = read(request)
            identity = self._decide(values, size, peer, at)
            if not size:
                self._warn_of_another_proxy(request, peer, is_environ=read == self._reader.read_environ)
            if identity is not None and self._authorize is not None:
                self._require_authorized(identity, self._authorize)
            elif identity is None and required:
                raise CertificateMissing("the request has no client certificate, and one is required")
        except ClientCertError as error:
            self._report(error, peer, identity)
            raise
        if identity is not None:
            if self._audit is not None:
                self._audit(Decision(identity, None, peer))
            if _log.isEnabledFor(logging.DEBUG):
                extra = {"code": "accepted", "peer": quoted(peer), **_named(identity)}
                _log.debug("accepted %s", quoted(identity.subject), extra=extra)
        return identity

    def _warn_of_another_proxy(self, request: Any, peer: str | None, *, is_environ: bool) -> None:
        """Warn, at most once a minute, if a trusted peer sends the certificate header of another proxy."""
        found = "" if time.monotonic() < self._silent_until else self._others.found_in(request, is_environ=is_environ)
        if not found:
            return
        with contextlib.suppress(ProxyUntrusted):
            self._peers.require(peer)
            self._silent_until = time.monotonic() + _BETWEEN_WARNINGS
            _log.warning(
                "a request has no %s, by which %s forwards a certificate, and %s. If that is your proxy, set proxy= to "
                "its name. A client can send this header, too",
                self.proxy.certificate_header,
                self.proxy.name,
                found,
            )

    def _report(self, error: ClientCertError, peer: str | None, identity: ClientIdentity | None = None) -> None:
        """Log and audit a refusal; `identity` is of a client that was verified and is not authorized."""
        level = logging.INFO if isinstance(error, CertificateMissing) else logging.WARNING
        if _log.isEnabledFor(level):
            extra = {"code": error.code, "peer": quoted(peer), "detail": error.detail, **_named(identity)}
            _log.log(level, "refused a request: %s", error, extra=extra)
        if self._audit is not None:
            self._audit(Decision(None, error, peer))

    def _decide(
        self, values: HeaderValues, size: int, peer: str | None, at: dt.datetime | None
    ) -> ClientIdentity | None:
        # Nothing of what the row reads is there: a health probe, a request past the proxy. Anonymous, whoever it is.
        if not size:
            return None
        self._peers.require(peer)
        if self._secret is not None:
            self._require_secret(values)
        if size > self._max_header_bytes:
            raise HeaderTooLarge(
                f"the headers that {self.proxy.name} sends hold {size} characters here, and max_header_bytes is "
                f"{self._max_header_bytes}"
            )

        trust = self._store.current()
        now = time.time()
        remembered = self._cache.get(values) if at is None else None
        if remembered is not None:
            identity, since, until, said_by = remembered
            if said_by is trust and since <= now < until:
                return identity
        presented = self._present(values)
        if presented is None:
            return None
        moment = dt.datetime.fromtimestamp(now, dt.UTC) if at is None else at.astimezone(dt.UTC)
        valid = validate(trust, presented, moment)
        if at is None:
            self._cache.put(_key(values), (valid.identity, valid.since.timestamp(), valid.until.timestamp(), trust))
        return valid.identity

    def require_rule(self, identity: ClientIdentity, rule: Rule, *, peer: str | None = None) -> None:
        """Ask a rule about an identity that this authenticator has given: what a route demands beyond `authorize`.

        Parameters:
            identity: who it is.
            rule: called with the identity, must return exactly True.
            peer: as for `authenticate`, for the log and the audit.

        Raises:
            ClientCertError: `not_authorized`, logged and audited like any refusal.
        """
        try:
            self._require_authorized(identity, rule)
        except ClientCertError as error:
            self._report(error, peer, identity)
            raise

    def missing(self, detail: str, *, peer: str | None = None) -> CertificateMissing:
        """Return the refusal of a client that this authenticator let pass as anonymous, where a route needs one.

        Parameters:
            detail: what needs it, for the log.
            peer: as for `authenticate`, for the log and the audit.
        """
        error = CertificateMissing(detail)
        self._report(error, peer)
        return error

    def _require_authorized(self, identity: ClientIdentity, rule: Rule) -> None:
        try:
            answer = rule(identity)
        except Exception as error:
            _log.exception("the rule %r failed on %s, so it refuses", rule, quoted(identity.subject))
            raise NotAuthorized(f"the rule {rule!r} failed on {quoted(identity.subject)}: {quoted(error)}") from error
        # Exactly True: a coroutine that nobody awaited, or the string "no", is true enough for an if.
        if answer is not True:
            raise NotAuthorized(f"{quoted(identity.subject)} does not pass the rule {rule!r}")

    def _require_secret(self, values: HeaderValues) -> None:
        sent = values[-1]
        # compare_digest wants ASCII text or bytes; a header's text is latin-1, a broken one is no match.
        if (
            self._secret is None
            or sent is None
            or not hmac.compare_digest(sent.encode("utf-8", "replace"), self._secret)
        ):
            raise ProxyUntrusted(
                "the request has certificate headers and not the shared secret that the proxy adds to them: either it "
                "came past the proxy, or proxy and application do not have the same secret"
            )

    def _present(self, values: HeaderValues) -> PresentedChain | None:
        """Decode what the proxy forwarded, and hold it against what else the proxy says. None: no certificate."""
        row = self.proxy
        certificate, chain, verdict, presence, subject, issuer, fingerprint, _ = values
        if verdict is not None and not self._verdict_grammar.fullmatch(verdict):
            raise HeaderMalformed(f"{row.verdict_header} is not what {row.name} sends: {quoted(verdict)}")
        if presence is not None and presence not in (row.presence_yes, row.presence_no, ""):
            raise HeaderMalformed(f"{row.presence_header} is not what {row.name} sends: {quoted(presence)}")
        presented = presented_by(row, certificate, chain)

        if presented is None:
            self._require_nobody(verdict, presence, subject or issuer or fingerprint)
            return None
        if presence not in (None, row.presence_yes) or verdict in row.verdict_none:
            raise ForwardingInconsistent(
                f"{row.certificate_header} holds a certificate, and "
                f"{row.verdict_header if presence is None else row.presence_header} says that the client presented "
                "none: the header is forged, and the proxy lets it pass. Have the proxy set it on every request"
            )
        if row.compares_names:
            self._require_same_names(presented, subject, issuer)
        if fingerprint and fingerprint.lower() != presented.leaf.fingerprint(SHA256()).hex():
            raise ForwardingInconsistent(
                f"{row.fingerprint_header} is {quoted(fingerprint)}, which is not the SHA-256 of the certificate in "
                f"{row.certificate_header}: they are of two certificates. Have the proxy set both on every request"
            )
        if self._require_proxy_success and verdict != row.verdict_success:
            if verdict is None:
                raise ForwardingInconsistent(f"require_proxy_success is set, and {row.verdict_header} is not there")
            raise CertificateUntrusted(f"require_proxy_success is set, and {row.verdict_header} says {quoted(verdict)}")
        return presented

    def _require_nobody(self, verdict: str | None, presence: str | None, named: str | None) -> None:
        """Refuse what else the proxy says of a certificate, where there is none."""
        row = self.proxy
        refused = verdict and verdict not in (row.verdict_success, *row.verdict_none)
        if presence == row.presence_yes and refused:
            raise CertificateUntrusted(
                f"{row.presence_header} says there was a certificate, {row.verdict_header} says {quoted(verdict)}, and "
                f"{row.certificate_header} holds none: the proxy did not accept the certificate, and did not forward it"
            )
        if presence == row.presence_yes:
            raise ForwardingInconsistent(
                f"{row.presence_header} says there was a certificate, and {row.certificate_header} holds none: "
                "it was too large for the proxy, or the proxy is not configured to forward it"
            )
        if verdict and verdict not in row.verdict_none | row.verdict_either:
            raise ForwardingInconsistent(
                f"{row.verdict_header} says {quoted(verdict)}, so there was a certificate, but "
                f"{row.certificate_header} is not there: have the proxy forward it (ingress-nginx: the annotation "
                'nginx.ingress.kubernetes.io/auth-tls-pass-certificate-to-upstream: "true")'
            )
        if named:
            raise ForwardingInconsistent(
                f"the proxy names a certificate ({quoted(named)}), but {row.certificate_header} is not "
                "there: have the proxy forward it (ingress-nginx: the annotation "
                'nginx.ingress.kubernetes.io/auth-tls-pass-certificate-to-upstream: "true")'
            )

    def _require_same_names(self, presented: PresentedChain, subject: str | None, issuer: str | None) -> None:
        """Refuse names that are another certificate's than the one presented."""
        row = self.proxy
        # nginx sends the names of a certificate together, and of an empty one no header.
        if issuer and not subject and row.subject_header is not None and list(presented.leaf.subject):
            raise ForwardingInconsistent(
                f"{row.issuer_header} is there and {row.subject_header} is not, so the proxy saw a certificate without "
                f"a subject, and the one in {row.certificate_header} has {quoted(rfc4514(presented.leaf.subject))}: "
                "they are of two certificates"
            )
        for name, text, whose in ((row.subject_header, subject, "subject"), (row.issuer_header, issuer, "issuer")):
            if not text:
                continue
            shown = getattr(presented.leaf, whose)
            if not is_openssl_text_of(shown, text):
                raise ForwardingInconsistent(
                    f"{name} is {quoted(text)}, and the certificate in {row.certificate_header} has "
                    f"{quoted(rfc4514(shown))}: they are of two certificates. One may be forged beside the client's "
                    "own genuine verdict; have the proxy set the header (ingress-nginx: the annotation "
                    'auth-tls-pass-certificate-to-upstream: "true")'
                )

    def _trust_every_peer(self) -> None:
        """For `sslclientcert.testing`: let any peer through, without the warning."""
        self._peers = TrustedProxies("*")

    @contextlib.contextmanager
    def _overridden(self, store: TrustStore) -> Iterator[None]:
        """For `sslclientcert.testing`: trust another store and let any peer through, then put everything back."""
        before = self._store, self._peers, self._secret
        self._store, self._peers, self._secret = store, TrustedProxies("*"), None
        self._cache.clear()
        try:
            yield
        finally:
            self._store, self._peers, self._secret = before
            self._cache.clear()


def _named(identity: ClientIdentity | None) -> dict[str, str]:
    """Return what a log record says of a verified client."""
    if identity is None:
        return {}
    return {"subject": quoted(identity.subject), "fingerprint": identity.fingerprint_sha256}


def _key(values: HeaderValues) -> HeaderValues:
    """Return the same values, of which those that are many clients' are in memory once: verdict and issuer."""
    certificate, chain, verdict, presence, subject, issuer, *others = values
    shared = verdict and sys.intern(verdict), presence, subject, issuer and sys.intern(issuer)
    return certificate, chain, *shared, *others


def _weight(values: HeaderValues) -> int:
    return sum(map(len, filter(None, values))) + _ENTRY_OVERHEAD


def flag(text: str) -> bool:
    """Read a yes or no as people write it in an environment.

    Raises:
        ValueError: it is neither.
    """
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return words[text.strip().lower()]
    except KeyError:
        raise ValueError("say true or false") from None


def _require_secret_that_can_arrive(secret: object) -> None:
    if not isinstance(secret, tuple) or len(secret) != 2 or not all(isinstance(part, str) for part in secret):
        raise ValueError(
            'shared_secret is a tuple of a header\'s name and its value, such as ("x-proxy-secret", "...")'
        )
    name, value = secret
    if not TOKEN.fullmatch(name):
        raise ValueError(f"shared_secret: {name!r} is not the name of a header")
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        raise ValueError("shared_secret: the value must be printable ASCII, and not start or end with a space")


def _header_and_value(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not value.strip():
        raise ValueError("say the header's name, a colon, and its value")
    return name.strip(), value.strip()


# The options that can be said as text: the environment's, and those of the frameworks' configuration.
OPTIONS_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "crl": str,
    "proxy": str,
    "header": str,
    "trusted_proxies": str,
    "require_proxy_success": flag,
    "shared_secret": _header_and_value,
    "max_header_bytes": int,
    "max_depth": int,
    "reload_interval": float,
    "clock_skew": float,
    "cache_entries": int,
}
