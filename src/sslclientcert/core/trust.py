"""The trust store: which CAs and CRLs are in force, and the policy by which they are used.

What is trusted is a snapshot: anchors, intermediates, CRLs and the policy, loaded together and never changed. A reload
makes a new snapshot and swaps it in one assignment; no lock is held while verifying, and a result is kept with
the snapshot that it came from, to know when it is void. The decision itself is in `validation`.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography import x509

from .bundle import parse_certificates, parse_crls, parsed_certificates
from .identity import ClientIdentity
from .locks import ForkSafe
from .presented import PresentedChain
from .reload import Files, Policy, StrPaths, paths_of
from .revocation import AnyList
from .status import DEFAULT_WITHIN, TrustStatus, WarningLog, expiries, warnings_of
from .validation import Snapshot, validate

__all__ = ["DEFAULT_MAX_DEPTH", "DEFAULT_RELOAD_INTERVAL", "TrustStore", "moment_of", "store_of"]

DEFAULT_MAX_DEPTH = 3
"""The most intermediates of a path. nginx's ssl_verify_depth is 1 by default; three-tier PKIs have two."""

DEFAULT_RELOAD_INTERVAL = 5.0
"""The longest time, in seconds, for which a change of the files may go unseen."""


class TrustStore:
    """The CAs whose client certificates are accepted, their CRLs, and the policy by which they are used.

    Does not check: that the client holds the certificate's key. Only the proxy saw the handshake.

    A store made from files re-reads them when they change. It is safe to share between threads, and to fork.

    Parameters:
        certificates: the CA bundle. What is self-signed is an anchor, and so is a certificate whose issuer's name no
            other certificate of the bundle bears. The others are intermediates and hold only through their issuers. A
            leaf that is an anchor is trusted as itself. What cannot be used is left out, with a warning.
        crls: certificate revocation lists of these CAs.
        max_depth: the most intermediates between leaf and anchor, as nginx's `ssl_verify_depth` counts.
        revocation: `"require"` (a certificate without a current CRL is refused), `"if-available"`, or `"off"`; by
            default `"require"` if there are CRLs, else `"off"`.
        clock_skew: by how many seconds this host's clock may differ from the CA's, from 0 to 600: a certificate or CRL
            that begins or ended by less than that is taken as current. What is revoked stays revoked.

    Raises:
        ValueError: no certificate, no anchor, a CRL of a kind that is not processed, or an option out of its range.

    Source: RFC 5280 section 6; nginx `ssl_client_certificate`, `ssl_crl`, `ssl_verify_depth`.
    """

    def __init__(
        self,
        certificates: Iterable[x509.Certificate],
        *,
        crls: Iterable[AnyList] = (),
        max_depth: int = DEFAULT_MAX_DEPTH,
        revocation: str | None = None,
        clock_skew: float = 0.0,
    ) -> None:
        policy = Policy(max_depth, revocation, clock_skew)
        self._hold(policy.snapshot(parsed_certificates(certificates), crls), None)

    def _hold(self, trust: Snapshot, files: Files | None) -> None:
        self._trust = trust
        self._files = files
        self._guard = ForkSafe() if files is None else files.guard
        self._warnings = WarningLog()
        self._warnings.look(trust)

    @classmethod
    def from_pem(
        cls,
        data: str | bytes,
        crl: str | bytes | None = None,
        *,
        max_depth: int = DEFAULT_MAX_DEPTH,
        revocation: str | None = None,
        clock_skew: float = 0.0,
        source: str = "the CA bundle",
        crl_source: str = "the CRL",
    ) -> TrustStore:
        """Make a store from the content of a CA bundle, and of a CRL file.

        Parameters:
            data: certificates, PEM (one or several, text around them is ignored) or DER.
            crl: CRLs, PEM (one or several) or DER.
            max_depth, revocation, clock_skew: see the class.
            source, crl_source: how messages name where the content came from.

        Raises:
            ValueError: see the class; or the content is not what it should be (the message says what was found).
        """
        policy = Policy(max_depth, revocation, clock_skew)
        parsed = parse_certificates(_content(data), source)
        crls = () if crl is None else parse_crls(_content(crl), crl_source)
        store = cls.__new__(cls)
        store._hold(policy.snapshot(parsed, crls, source, crl_source), None)
        return store

    @classmethod
    def from_file(
        cls,
        ca: StrPaths,
        crl: StrPaths | None = None,
        *,
        max_depth: int = DEFAULT_MAX_DEPTH,
        revocation: str | None = None,
        clock_skew: float = 0.0,
        reload_interval: float = DEFAULT_RELOAD_INTERVAL,
    ) -> TrustStore:
        """Make a store from files, which it re-reads when they change (as Kubernetes does with a mounted secret).

        Parameters:
            ca: path of the CA bundle, such as the `ca.crt` that the proxy uses, PEM or DER; or several, such as two
                Secrets during a rotation.
            crl: path of the CRLs, PEM or DER; or several.
            max_depth, revocation, clock_skew: see the class.
            reload_interval: the longest time, in seconds, for which a change of the files may go unseen. There is no
                thread; a verification looks at the files' `stat` when that time has passed.

        Raises:
            OSError: a file cannot be read.
            ValueError: see `from_pem`; the message names the file.
        """
        if not reload_interval >= 0:
            raise ValueError(f"reload_interval is in seconds and not negative, not {reload_interval}")
        policy = Policy(max_depth, revocation, clock_skew)
        files = Files(paths_of(ca, "ca"), paths_of(crl, "crl"), reload_interval, policy)
        store = cls.__new__(cls)
        store._hold(files.load(), files)
        return store

    def verify(self, presented: PresentedChain, *, at: dt.datetime | None = None) -> ClientIdentity:
        """Verify a presented chain.

        Checks: a path of valid signatures from the leaf to an anchor, the validity of every certificate on it, what
        each may be used for, and revocation where CRLs are configured. Does not check: possession of the key.

        Parameters:
            presented: what the proxy forwarded.
            at: the time of validation, aware; now, if not given. For tests and forensics.

        Raises:
            ClientCertError: `certificate_untrusted`, `certificate_expired`, `certificate_not_yet_valid`,
                `certificate_unsuitable`, `certificate_revoked`, `revocation_unknown`, `certificate_malformed`,
                `forwarding_inconsistent`, `ca_expired`, `trust_store_unavailable`. The detail names the certificate,
                the rule and the remedy.
            ValueError: `at` has no time zone.
        """
        return validate(self.current(), presented, moment_of(at)).identity

    def reload(self) -> None:
        """Read the files again now, changed or not. A store that was not made from files has nothing to do.

        Raises:
            OSError: a file cannot be read. The store keeps what it has.
            ValueError: the content is not what it should be. The store keeps what it has.
        """
        if self._files is not None:
            with self._guard.lock:
                try:
                    self._trust = self._files.load(self._trust)
                except Exception as error:
                    self._files.failed_with(error)
                    raise
                self._warnings.look(self._trust)

    def status(self, *, within: dt.timedelta = DEFAULT_WITHIN) -> TrustStatus:
        """Say what is trusted at the moment, since when, and what needs attention; for a health check or metrics.

        It looks at the files if a look is due, as a verification does, and never waits for another thread. Not checked:
        that any client's certificate would be accepted.

        Parameters:
            within: how long before its end a certificate is worth a warning; a CRL is in the last quarter of its time.
        """
        trust, now = self.current(), dt.datetime.now(dt.UTC)
        error, error_since = (None, None) if self._files is None else self._files.failure
        bundle, crls = trust.bundle, trust.revocation.crls
        ends = [expiry for expiry in expiries(bundle.certificates, crls) if expiry.at >= now]
        return TrustStatus(
            since=trust.since,
            files=() if self._files is None else self._files.paths,
            anchors=len(bundle.anchors),
            intermediates=len(bundle.certificates) - len(bundle.anchors) - len(bundle.unusable),
            crls=len(crls),
            left_out=len(bundle.left_out) + len(bundle.unusable),
            revoked=sum(len(crl.serial_numbers) for crl in crls),
            next_expiry=min(ends, key=lambda expiry: expiry.at, default=None),
            error=error,
            error_since=error_since,
            warnings=tuple(warnings_of(trust, now, within)),
        )

    def current(self) -> Snapshot:
        """Return the snapshot to use now, after a look at the files if one is due. It never waits for another thread.

        For what keeps results: an answer holds as long as the snapshot that gave it is this one.
        """
        files, warnings = self._files, self._warnings
        due = warnings.next_look if files is None else min(files.next_look, warnings.next_look)
        now = time.monotonic()
        if now >= due and self._guard.lock.acquire(blocking=False):
            try:
                before = self._trust
                if files is not None and now >= files.next_look:
                    self._trust = files.look(before)
                if self._trust is not before or now >= warnings.next_look:
                    warnings.look(self._trust)
            finally:
                self._guard.lock.release()
        return self._trust

    def __repr__(self) -> str:
        bundle = self._trust.bundle
        others = len(bundle.certificates) - len(bundle.anchors)
        return f"<TrustStore of {self._trust.source}: {len(bundle.anchors)} anchors, {others} other certificates>"


def _content(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def moment_of(at: dt.datetime | None) -> dt.datetime:
    """Return a time of validation in UTC: now, if none is given.

    Raises:
        ValueError: it has no time zone.
    """
    if at is None:
        return dt.datetime.fromtimestamp(time.time(), dt.UTC)
    if at.utcoffset() is None:
        raise ValueError("at needs a time zone, such as datetime.now(timezone.utc)")
    return at.astimezone(dt.UTC)


def store_of(trust: StrPaths | TrustStore, of_path: Mapping[str, Any]) -> TrustStore:
    """Return a trust store as it is, or that of a path with these options, of which those that are None are not given.

    Raises:
        ValueError: there are options for a trust store, which has its own.
    """
    given = {name: option for name, option in of_path.items() if option is not None}
    if not isinstance(trust, TrustStore):
        return TrustStore.from_file(trust, **given)
    if given:
        raise ValueError(f"{next(iter(given))} goes with a path; a TrustStore has its own")
    return trust
