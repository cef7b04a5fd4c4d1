"""The whole pipeline in one readable function: headers and a peer in; a verified identity, None, or an error out."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, overload

from .cache import Cache, interned, weight
from .consistency import Companions
from .decision import Decision, Reporter, Rule, require_authorized
from .errors import CertificateMissing, ClientCertError, HeaderTooLarge, ProxyUntrusted
from .headers import HeaderReader, HeaderValues, RequestHeaders, read_pem
from .identity import ClientIdentity
from .options import OPTIONS, PREFIX, from_environment, options_of, taken_ca
from .peers import DEFAULT_TRUSTED_PROXIES, TrustedProxies, peer_of_environ, peer_of_scope, peers_of
from .presented import presented_by
from .proxies import Proxy, ProxyName, proxy_named
from .recognition import OtherProxies
from .reload import StrPaths
from .secret import SharedSecret
from .trust import TrustStore, moment_of, store_of
from .validation import Snapshot, validate

__all__ = ["DEFAULT_MAX_HEADER_BYTES", "ClientCertAuthenticator", "Decision", "overridden"]

DEFAULT_MAX_HEADER_BYTES = 65536
"""Larger than any header that gunicorn (8190), Envoy (60 KB) or hypercorn (64 KB) let through by default."""

_UNSAID: Any = ...
_At: TypeAlias = dt.datetime | None
_Line: TypeAlias = tuple[str | None, str | None]  # the method and the path of a request
_Read: TypeAlias = Callable[[Any], tuple[HeaderValues, int]]
_PEM = Proxy(name="PEM", certificate_header="certificate", certificate_encoding="folded-pem")


class ClientCertAuthenticator:
    """Turns the headers of a request, and the address they came from, into a verified client identity.

    Does not check: that the client holds the private key of its certificate, and that only the proxy can reach the
    application. Certificates are public. The proxy must set the header on every request, and `trusted_proxies` must
    name the proxy alone.

    Make one for the process, when the application starts. It is safe to share between threads, and to fork. It logs
    its decisions to the logger `sslclientcert`.

    Parameters:
        trust: the CA bundle: a path or several (the files are read again when they change), or a TrustStore.
        crl: the path of a CRL file or several, where `trust` is a path.
        proxy: a proxy of `PROXIES` by name, or a `Proxy`.
        header: another name for the proxy's certificate header.
        trusted_proxies: the peers that may send these headers: the proxy's own addresses, as few as you can. Also
            networks, `"unix"` for unix sockets, `"loopback"` for 127.0.0.0/8 and ::1, `"unaddressed"` for a peer
            without an address, and `"*"` for any peer, which logs a warning. A list, or a string with commas.
        authorize: a rule that every identity must pass: called with it, must return exactly True. See `rules`.
        require_proxy_success: refuse unless the proxy's own verdict came along exactly once and says success.
        shared_secret: name and value of a header that the proxy must send along, or a list of values while it changes.
        max_header_bytes: the most that all headers of the proxy together may hold, in characters.
        max_depth, clock_skew, reload_interval: where `trust` is a path. See `TrustStore` and `TrustStore.from_file`.
        audit: called with a `Decision` for every identity and refusal, in the request's thread. It must not raise.
        cache_entries: how many verified results to keep; 0 for none.

    Raises:
        ValueError: an option is out of its range or contradicts another, or a file's content is not what it should be.
        OSError: a file cannot be read.
    """

    def __init__(
        self,
        trust: StrPaths | TrustStore,
        *,
        crl: StrPaths | None = None,
        proxy: ProxyName | Proxy = "nginx-ingress",
        header: str | None = None,
        trusted_proxies: str | Iterable[str] | TrustedProxies = DEFAULT_TRUSTED_PROXIES,
        authorize: Rule | None = None,
        require_proxy_success: bool = False,
        shared_secret: tuple[str, str | Sequence[str]] | None = None,
        max_header_bytes: int = DEFAULT_MAX_HEADER_BYTES,
        max_depth: int | None = None,
        reload_interval: float | None = None,
        clock_skew: float | None = None,
        cache_entries: int = 4096,
        audit: Callable[[Decision], None] | None = None,
    ) -> None:
        self.proxy: Proxy = proxy_named(proxy, header)
        self._companions = Companions(self.proxy, require_success=require_proxy_success)
        if authorize is not None and not callable(authorize):
            raise ValueError(f"authorize must be a rule, called with the identity, not {authorize!r}")
        self._authorize = authorize
        self.report: Reporter = Reporter(audit)
        if max_header_bytes < 1 or cache_entries < 0:
            raise ValueError("max_header_bytes must be positive and cache_entries not negative")
        self._max_header_bytes = max_header_bytes
        self._secret = None if shared_secret is None else SharedSecret(shared_secret)
        names = [*self.proxy.headers, getattr(self._secret, "header", None)]
        self._reader = HeaderReader(names, self.proxy.lists, is_environ=self.proxy.is_environ)
        self._others = OtherProxies(self._reader.folded_names)
        of_path = {"crl": crl, "max_depth": max_depth, "reload_interval": reload_interval, "clock_skew": clock_skew}
        self._store = store_of(trust, of_path)
        self._peers = peers_of(self.proxy, trusted_proxies, self._secret)
        # Who it is, from when until when, and by which snapshot of the trust store: a reload makes another.
        remembered = Cache[HeaderValues, tuple[ClientIdentity, float, float, Snapshot]]
        self._cache = remembered(cache_entries, lambda values, kept: weight(values, kept[0]))

    @classmethod
    def from_env(cls, prefix: str = PREFIX, environ: Mapping[str, str] | None = None) -> ClientCertAuthenticator:
        """Make an authenticator from environment variables.

        Parameters:
            prefix: what the variables' names start with. `CA` is required; `CRL`, `PROXY`, `HEADER`,
                `TRUSTED_PROXIES`, `REQUIRE_PROXY_SUCCESS`, `SHARED_SECRET` (`header: new, old`), `MAX_HEADER_BYTES`,
                `MAX_DEPTH`, `RELOAD_INTERVAL` and `CLOCK_SKEW` (seconds), and `CACHE_ENTRIES` are as in the class.
                `CA`, `CRL` and `TRUSTED_PROXIES` may be several, with commas.
            environ: where to look; `os.environ` if not given.

        Raises:
            ValueError: `CA` is missing, a variable with the prefix is not an option, or a value is out of its range.
            OSError: a file cannot be read.
        """
        options = options_of(from_environment(prefix, environ), OPTIONS, lambda name: prefix + name.upper())
        return cls(taken_ca(options, f"{prefix}CA"), **options)

    @property
    def trust_store(self) -> TrustStore:
        """The trust store, such as for its `status()`."""
        return self._store

    @property
    def trusts_every_peer(self) -> bool:
        """Whether `trusted_proxies` is `"*"`, or networks that together are all of IPv4 or of IPv6."""
        return self._peers.everybody and not self.proxy.is_environ

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

    @overload
    def authenticate(
        self, headers: RequestHeaders, *, peer: str | None = ..., required: Literal[True], at: _At = None
    ) -> ClientIdentity: ...
    @overload
    def authenticate(
        self, headers: RequestHeaders, *, peer: str | None = ..., required: bool = False, at: _At = None
    ) -> ClientIdentity | None: ...
    def authenticate(
        self, headers: RequestHeaders, *, peer: str | None = _UNSAID, required: bool = False, at: _At = None
    ) -> ClientIdentity | None:
        """Return the verified identity of who sent a request, or None if no certificate was presented.

        Parameters:
            headers: a mapping, or (name, value) pairs, of str or latin-1 bytes; all headers of the request, with
                duplicates if there were any.
            peer: the address of the other end of the connection, as the server tells it; "unix" for a unix socket.
                None and "" are a peer without an address. May be left out only with `trusted_proxies="*"`.
            required: refuse with `certificate_missing` instead of returning None.
            at: the time of validation, aware; now, if not given. For tests and forensics; the cache is left alone.

        Raises:
            ClientCertError: everything else. No headers raise any other exception.
            ValueError: `at` has no time zone, or the proxy is `"environ"`, which no header is read for.
            TypeError: `peer` is not given.
        """
        if peer is _UNSAID:
            self._peers.require_said()
            peer = None
        return self._authenticate(self._reader.read, headers, peer, required, at)

    @overload
    def authenticate_pem(
        self, pem: str | bytes | None, *, required: Literal[True], at: _At = None
    ) -> ClientIdentity: ...
    @overload
    def authenticate_pem(
        self, pem: str | bytes | None, *, required: bool = False, at: _At = None
    ) -> ClientIdentity | None: ...
    def authenticate_pem(
        self, pem: str | bytes | None, *, required: bool = False, at: _At = None
    ) -> ClientIdentity | None:
        """The same for a certificate that came by no header, such as in API Gateway's event.

        Does not check: where it came from. Never give it the value of a header, which a client can write itself.

        Parameters:
            pem: exactly one certificate in PEM; None or "" if there was none.
            required: as for `authenticate`, and so is `at`.

        Raises:
            ClientCertError: as `authenticate`; `header_malformed` and `header_ambiguous` are of the PEM.
            ValueError: `require_proxy_success` or `shared_secret` is set, of which nothing comes along.
        """
        if self._secret is not None or self._companions.require_success:
            raise ValueError("authenticate_pem gets a certificate alone: without require_proxy_success, shared_secret")
        return self._authenticate(read_pem, pem, None, required, at)

    def authenticate_environ(self, environ: Mapping[str, Any], *, required: bool = False) -> ClientIdentity | None:
        """The same for the environ of a WSGI request, which does not show which of two spellings a header had."""
        line = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")
        return self._authenticate(self._reader.read_environ, environ, peer_of_environ(environ), required, line=line)

    def authenticate_scope(self, scope: Mapping[str, Any], *, required: bool = False) -> ClientIdentity | None:
        """The same for the scope of an ASGI request."""
        headers, line = scope.get("headers", ()), (scope.get("method"), scope.get("path"))
        return self._authenticate(self._reader.read, headers, peer_of_scope(scope), required, line=line)

    def _authenticate(
        self, read: _Read, request: Any, peer: str | None, required: bool, at: _At = None, *, line: _Line = (None, None)
    ) -> ClientIdentity | None:
        """Read, verify, authorize, and report: every request goes this way."""
        at, identity, (method, path) = at and moment_of(at), None, line
        try:
            if method == "CONNECT":
                raise ProxyUntrusted("CONNECT may open a tunnel for a client's own headers: deny it in the proxy")
            if self.proxy.is_environ and read == self._reader.read:
                self.proxy.require_headers()
            values, size = read(request)
            # Without any of the headers it is a health probe, or a request that bypassed the proxy: anonymous.
            identity = self._verify(values, size, peer, at) if size else None
            if not size:
                is_environ = read == self._reader.read_environ
                self._others.warn_of(request, self.proxy, peer, self._peers, is_environ=is_environ)
            if identity is not None and self._authorize is not None:
                require_authorized(identity, self._authorize)
            elif identity is None and required:
                raise CertificateMissing("the request has no client certificate, and one is required")
        except ClientCertError as error:
            self.report.refused(error, peer, path, identity)
            raise
        if identity is not None:
            self.report.accepted(identity, peer, path)
        return identity

    def _verify(self, values: HeaderValues, size: int, peer: str | None, at: _At) -> ClientIdentity | None:
        """The pipeline: may the peer speak, what does it say, is that consistent, and is the certificate good."""
        if not (is_pem := len(values) == 1):
            self._peers.require(peer)
        if self._secret is not None:
            self._secret.require(values[-1])
        if size > self._max_header_bytes:
            limit = f"max_header_bytes is {self._max_header_bytes}"
            raise HeaderTooLarge(f"the headers of {self.proxy.name} hold {size} characters, and {limit}")

        trust = self._store.current()
        remembered = self._cache.get(values) if at is None else None
        if remembered is not None:
            identity, since, until, said_by = remembered
            if said_by is trust and since <= time.time() < until:
                return identity

        presented = presented_by(_PEM, values[0], None) if is_pem else self._companions.presented_in(values)
        if presented is None:
            return None
        with self._companions.suspecting_the_clock(values):
            identity, begins, ends = validate(trust, presented, moment_of(at))
        if at is None:
            key = values if is_pem else interned(values)
            self._cache.put(key, (identity, begins.timestamp(), ends.timestamp(), trust))
        return identity

    def require_rule(
        self, identity: ClientIdentity, rule: Rule, *, peer: str | None = None, path: str | None = None
    ) -> None:
        """Ask a rule about an identity that this authenticator has given: what a route demands beyond `authorize`.

        Parameters:
            identity, rule: who it is, and what is called with it and must return exactly True.
            peer, path: of the request, for the log; the peer also for the audit.

        Raises:
            ClientCertError: `not_authorized`, logged and audited like any refusal.
        """
        try:
            require_authorized(identity, rule)
        except ClientCertError as error:
            self.report.refused(error, peer, path, identity)
            raise


@contextlib.contextmanager
def overridden(authenticator: ClientCertAuthenticator, store: TrustStore) -> Iterator[None]:
    """For `sslclientcert.testing`: trust another store and every peer within the block, then put everything back."""
    before = authenticator._store, authenticator._peers, authenticator._secret
    authenticator._store, authenticator._peers, authenticator._secret = store, TrustedProxies("*"), None
    authenticator._cache.clear()
    try:
        yield
    finally:
        authenticator._store, authenticator._peers, authenticator._secret = before
        authenticator._cache.clear()
