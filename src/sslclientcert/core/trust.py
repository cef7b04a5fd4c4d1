"""The trust store: the only place that raises trust. A presented chain goes in, an identity comes out, or an error.

What is trusted is a snapshot (`_Trust`): anchors, intermediates, CRLs and the policy, loaded together and never
changed. A reload makes a new snapshot and swaps it in one assignment; no lock is held while verifying, and whoever
keeps a result keeps the snapshot that it came from, to know when it is void.

Path building and signatures are cryptography's (`cryptography.x509.verification`). Here is no cryptography.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from .bundle import Signed, anchors_of, by_comparable_name, parse_certificates, parse_crls, require_parsed, signed
from .diagnosis import why_untrusted
from .direct import JudgedCA, has_sound_key
from .errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUntrusted,
    ClientCertError,
    TrustStoreUnavailable,
)
from .identity import ClientIdentity, _identity_of
from .locks import ForkSafeLock
from .names import comparable, rfc4514
from .plain import PlainLeaf
from .policy import (
    PROFILES,
    describe,
    is_constraining,
    mistaken_issuer,
    needs_single_link,
    path_builder,
    require_ca,
    require_client_leaf,
    require_constrained_names,
    require_room,
    require_single_link,
    require_told_apart,
    require_validity,
)
from .presented import PresentedChain
from .revocation import AnyList, RevocationLists, shifted
from .status import DEFAULT_WITHIN, TrustStatus, endings, ends_soon, strange_lists

__all__ = ["DEFAULT_MAX_DEPTH", "DEFAULT_RELOAD_INTERVAL", "TrustStore"]

_log = logging.getLogger("sslclientcert")

StrPath: TypeAlias = "str | os.PathLike[str]"

DEFAULT_MAX_DEPTH = 3
"""The most intermediates of a path. nginx's ssl_verify_depth is 1 by default; three-tier PKIs have two."""

DEFAULT_RELOAD_INTERVAL = 5.0
"""The longest time, in seconds, for which a change of the files may go unseen."""

MAX_CLOCK_SKEW = 600.0
"""The most, in seconds: a clock that is wrong by more than ten minutes is to be set, not allowed for."""

_UTC = dt.UTC


class _Options(NamedTuple):
    profile: str
    max_depth: int
    revocation: str | None
    clock_skew: float = 0.0


_Chain: TypeAlias = "tuple[tuple[x509.Certificate, ...], dt.datetime]"
"""From the leaf to the anchor, and until when that holds."""


class _Trust:
    """One consistent state of a trust store. Immutable once made."""

    def __init__(
        self,
        certificates: Iterable[x509.Certificate],
        crls: Iterable[AnyList],
        options: _Options,
        source: str,
        crl_source: str,
    ) -> None:
        bundle = tuple(dict.fromkeys(certificates))
        if not bundle:
            raise ValueError("a trust store needs at least one CA certificate")
        if options.profile not in PROFILES:
            raise ValueError(f"profile must be one of {', '.join(PROFILES)}, not {options.profile!r}")
        if not 0 <= options.max_depth <= 10:
            raise ValueError(f"max_depth must be from 0 to 10, not {options.max_depth}")
        if not 0 <= options.clock_skew <= MAX_CLOCK_SKEW:
            raise ValueError(
                f"clock_skew is in seconds, from 0 to {MAX_CLOCK_SKEW:.0f}, not {options.clock_skew}; a clock that is "
                "wrong by more has to be set"
            )
        for certificate in bundle:
            require_parsed(certificate, source)
        lists = tuple(crls)
        self.source = source
        self.since = dt.datetime.now(_UTC)
        self.bundle = bundle
        self._clock_skew = dt.timedelta(seconds=options.clock_skew)
        self._profile = options.profile
        self.private_pki = options.profile == "private-pki"
        self.max_depth = options.max_depth
        self.anchors = anchors_of(bundle)
        if not self.anchors:
            raise ValueError(f"{source}: every certificate is issued by another one of it, in a circle; add a root")
        self._anchor_names = sorted({rfc4514(anchor.subject) for anchor in self.anchors})
        self.intermediates = [certificate for certificate in bundle if certificate not in self.anchors]
        self._by_name = by_comparable_name(bundle)
        self._suited = [ca for ca in self.intermediates if self._suits(ca)]
        self._roots = [ca for ca in bundle if ca in self.anchors and self._suits(ca)]
        self._builder = self._build(self._roots)
        mode = options.revocation or ("require" if lists else "off")
        self._revocation = RevocationLists(lists, mode, crl_source, self._clock_skew)
        self.lists = self._revocation.lists
        judged = {ca.path[0]: ca for ca in self._judged()} if self.private_pki else {}
        searched = [ca for ca in (*self._roots, *self._suited) if ca not in judged]
        self._is_searched = bool(searched)
        # Where lists are asked, it matters which of several paths is found, so the search shall find all of them.
        namesakes = set() if mode == "off" else {comparable(ca.subject) for ca in searched}
        self._judged_by_name: dict[bytes, list[JudgedCA]] = {}
        for ca in judged.values():
            if ca.comparable_name not in namesakes:
                self._judged_by_name.setdefault(ca.name, []).append(ca)

    def _suits(self, ca: x509.Certificate) -> bool:
        """Say whether a certificate may be a CA by the profile; web-pki leaves that to the path builder."""
        try:
            if self.private_pki:
                require_ca(ca)
        except ClientCertError:
            return False
        return True

    def verify(self, presented: PresentedChain, at: dt.datetime) -> tuple[ClientIdentity, dt.datetime]:
        """Verify, and say until when the answer holds. The one place where an identity is made."""
        chain, until = self._direct_chain(presented, at) or self._chain_about(presented, at)
        listed_until = self._revocation.require_unrevoked(chain, at)
        if listed_until is not None and listed_until < until:
            until = listed_until
        return _identity_of(chain, presented.der, is_plain=presented.plain is not None), until

    def _direct_chain(self, presented: PresentedChain, at: dt.datetime) -> _Chain | None:
        """Return the chain of a plain leaf that a judged CA has issued: one link to verify. None: search for it."""
        leaf, plain = presented.leaf, presented.plain
        if plain is None or not self._judged_by_name:
            return None
        cas = self._judged_by_name.get(plain.issuer, ())
        if len(cas) > 1:
            cas = [ca for ca in cas if ca.is_meant_by(plain)]
        since, until = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        if len(cas) > 1 or not since <= at <= until or not has_sound_key(plain):
            return None
        said, issuer_name = "it has no issuer in the bundle", None
        if cas:
            (ca,) = cas
            is_self_issued = ca.may_be_named_as(plain) and comparable(leaf.subject) == comparable(leaf.issuer)
            if is_self_issued or not ca.since <= at <= ca.until:
                return None
            if ca.has_signed(presented.der, plain):
                return ((leaf, *ca.path), min(until, ca.until)) if ca.is_meant_by(plain) else None
            said, issuer_name = "signature does not match", ca.comparable_name
        if presented.intermediates or self._is_searched or leaf in self.anchors:
            return None
        raise self._why(leaf, at, said, plain=plain, issuer_name=issuer_name)

    def _chain_about(self, presented: PresentedChain, at: dt.datetime) -> _Chain:
        """Return a chain that holds at `at`, or else at one end of the allowance for the clock."""
        try:
            chain, allowance = self._chain(presented, at), dt.timedelta()
        except (CertificateExpired, CertificateNotYetValid, TrustStoreUnavailable):
            for allowance in (self._clock_skew, -self._clock_skew) if self._clock_skew else ():
                try:
                    chain = self._chain(presented, shifted(at, -allowance))
                except ClientCertError:
                    continue
                break
            else:
                raise
        return chain, shifted(min([one.not_valid_after_utc for one in chain]), allowance)

    def _chain(self, presented: PresentedChain, at: dt.datetime) -> tuple[x509.Certificate, ...]:
        """Search for a chain that keeps every rule at a time, revocation apart."""
        require_validity(presented.leaf, at)
        if self.private_pki:
            require_client_leaf(presented.leaf)
        chain = self._path(presented, at)
        if self.private_pki:
            require_told_apart(chain)
            require_constrained_names(chain)
        return chain

    def path_above(self, ca: x509.Certificate, at: dt.datetime) -> tuple[x509.Certificate, ...]:
        """Return a path of a CA of the bundle up to an anchor, on which it could issue a leaf.

        Not looked at: revocation, and what name constraints would say of the leaf.

        Raises:
            ClientCertError: there is none, or the first that was found has no room for it.
        """
        path = (ca,) if ca in self.anchors else self._searched(ca, self._suited, at)
        for below, one in enumerate(path):
            require_room(one, at, below)
        if len(path) - 1 > self.max_depth:
            raise CertificateUntrusted(
                f"what {describe(ca)} issues has more than {self.max_depth} intermediate CAs above it; raise max_depth "
                "if that is right"
            )
        return path

    def _judged(self) -> Iterator[JudgedCA]:
        """Yield the CAs that need no search: all above them holds, and nothing of it concerns what stands below."""
        for ca in (*self._roots, *self._suited):
            try:
                path = (ca,) if ca in self.anchors else self.path_above(ca, self.since)
            except ClientCertError:
                continue
            has_namesakes = len({comparable(one.subject) for one in path}) < len(path)
            # The path builder refuses a leaf whose issuer has no name.
            if list(ca.subject) and not has_namesakes and not any(map(is_constraining, path)):
                yield JudgedCA(path)

    def warnings(self, at: dt.datetime, within: dt.timedelta) -> Iterator[str]:
        """Yield what has ended or ends soon, and lists that cover nothing."""
        yield from ends_soon(endings(self.bundle, self.lists), at, within)
        yield from strange_lists(self.bundle, self.lists)

    def _path(self, presented: PresentedChain, at: dt.datetime) -> tuple[x509.Certificate, ...]:
        """Return a valid path from the leaf to an anchor."""
        leaf = presented.leaf
        if self.private_pki and leaf in self.anchors:
            return (leaf,)  # pinned: trusted as itself
        if self.private_pki and needs_single_link(leaf):
            return self._single_link(presented, at)
        forwarded = [ca for ca in _links(presented.intermediates) if self._suits(ca)]
        # A forwarded chain that nowhere touches the bundle is a stranger's; no search, which could be made a long one.
        if forwarded and not any(comparable(one.issuer) in self._by_name for one in (leaf, *forwarded)):
            raise self._why(leaf, at, "it has no issuer in the bundle", presented.intermediates)
        return self._searched(leaf, [*self._suited, *forwarded], at, presented.intermediates)

    def _searched(
        self,
        leaf: x509.Certificate,
        pool: list[x509.Certificate],
        at: dt.datetime,
        forwarded: Sequence[x509.Certificate] = (),
    ) -> tuple[x509.Certificate, ...]:
        try:
            return self._search(leaf, pool, at)
        except (VerificationError, ValueError) as error:
            raise self._why(leaf, at, str(error), forwarded) from error

    def _search(
        self, leaf: x509.Certificate, pool: list[x509.Certificate], at: dt.datetime
    ) -> tuple[x509.Certificate, ...]:
        roots, builder = self._roots, self._builder
        while builder is not None:
            chain = tuple(builder.time(at).build_client_verifier().verify(leaf, pool).chain)
            mistaken = mistaken_issuer(chain) if self.private_pki else None
            if mistaken is None:
                return chain
            # A CA whose certificate was renewed with the same key: the path builder does not tell one from the other,
            # and the leaf may. Without the one that it does not mean there may be the one that it does.
            roots, pool = ([ca for ca in cas if ca != mistaken] for cas in (roots, pool))
            builder = self._build(roots)
        raise ValueError("it has no issuer in the bundle")

    def _build(self, roots: list[x509.Certificate]) -> PolicyBuilder | None:
        return path_builder(self._profile, Store(roots), self.max_depth) if roots else None

    def _single_link(self, presented: PresentedChain, at: dt.datetime) -> tuple[x509.Certificate, ...]:
        leaf = presented.leaf
        refusal: ClientCertError | None = None
        for anchor in self._by_name.get(comparable(leaf.issuer), ()):
            if anchor not in self.anchors:
                continue
            try:
                require_single_link(leaf, anchor, at)
            except ClientCertError as error:
                # Of several CAs of one name, the one that did sign has the better reason.
                refusal = error if refusal is None or isinstance(refusal, CertificateUntrusted) else refusal
            else:
                return (leaf, anchor)
        said = "it must be issued directly by an anchor of the bundle"
        raise refusal or self._why(leaf, at, said, presented.intermediates)

    def _why(
        self,
        leaf: x509.Certificate,
        at: dt.datetime,
        verifier_said: str,
        forwarded: Sequence[x509.Certificate] = (),
        *,
        plain: PlainLeaf | None = None,
        issuer_name: Hashable = None,
    ) -> ClientCertError:
        return why_untrusted(
            leaf,
            anchors=self.anchors,
            anchor_names=self._anchor_names,
            by_name=self._by_name,
            forwarded=forwarded,
            at=at,
            max_depth=self.max_depth,
            source=self.source,
            verifier_said=verifier_said.removeprefix("validation failed: ").removeprefix("candidates exhausted: "),
            plain=plain,
            issuer_name=issuer_name,
        )


def _links(forwarded: Iterable[x509.Certificate]) -> Iterator[x509.Certificate]:
    """Yield the forwarded certificates that can be links of a path: no self-signed one, and each CA once.

    A self-signed one ends a path, and only the bundle's may. And without a CA twice there is no loop to go round in,
    which a client could make long (cryptography 45 has no limit).
    """
    seen: set[tuple[Hashable, bytes]] = set()
    for ca in forwarded:
        try:
            key = ca.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        name = comparable(ca.subject)
        if (name, key) in seen or (name == comparable(ca.issuer) and signed(ca, ca) is not Signed.NO):
            continue
        seen.add((name, key))
        yield ca


class TrustStore:
    """The CAs whose client certificates are accepted, their CRLs, and the policy by which they are used.

    Not verified by it: that the client holds the certificate's key. Only the proxy saw the handshake.

    A store made from files re-reads them when they change. It is safe to share between threads, and to fork.

    Parameters:
        certificates: the CA bundle. Anchors are those that are self-signed or whose issuer is not in the bundle; the
            others are intermediates and hold only through their issuers. A leaf in it is trusted as itself.
        crls: certificate revocation lists of these CAs.
        profile: `"private-pki"`, or `"web-pki"` for cryptography's defaults untouched.
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
        profile: str = "private-pki",
        max_depth: int = DEFAULT_MAX_DEPTH,
        revocation: str | None = None,
        clock_skew: float = 0.0,
    ) -> None:
        self._options = _Options(profile, max_depth, revocation, clock_skew)
        self._files: _Files | None = None
        self._trust = _Trust(certificates, crls, self._options, "the trust store", "the trust store")

    @classmethod
    def from_pem(
        cls,
        data: str | bytes,
        crl: str | bytes | None = None,
        *,
        profile: str = "private-pki",
        max_depth: int = DEFAULT_MAX_DEPTH,
        revocation: str | None = None,
        clock_skew: float = 0.0,
    ) -> TrustStore:
        """Make a store from the content of a CA bundle, and of a CRL file.

        Parameters:
            data: certificates, PEM (one or several, text around them is ignored) or DER.
            crl: CRLs, PEM (one or several) or DER.
            profile, max_depth, revocation, clock_skew: see the class.

        Raises:
            ValueError: see the class; or the content is not what it should be (the message says what was found).
        """
        return cls(
            parse_certificates(_content(data), "the CA bundle"),
            crls=() if crl is None else parse_crls(_content(crl), "the CRL"),
            profile=profile,
            max_depth=max_depth,
            revocation=revocation,
            clock_skew=clock_skew,
        )

    @classmethod
    def from_file(
        cls,
        ca: StrPath,
        crl: StrPath | None = None,
        *,
        profile: str = "private-pki",
        max_depth: int = DEFAULT_MAX_DEPTH,
        revocation: str | None = None,
        clock_skew: float = 0.0,
        reload_interval: float = DEFAULT_RELOAD_INTERVAL,
    ) -> TrustStore:
        """Make a store from files, which it re-reads when they change (as Kubernetes does with a mounted secret).

        Parameters:
            ca: path of the CA bundle, such as the `ca.crt` that the proxy uses; PEM or DER.
            crl: path of the CRLs, PEM or DER.
            profile, max_depth, revocation, clock_skew: see the class.
            reload_interval: the longest time, in seconds, for which a change of the files may go unseen. There is no
                thread; a verification looks at the files' `stat` when that time has passed.

        Raises:
            OSError: a file cannot be read.
            ValueError: see `from_pem`; the message names the file.
        """
        if not reload_interval >= 0:
            raise ValueError(f"reload_interval is in seconds and not negative, not {reload_interval}")
        store = cls.__new__(cls)
        store._options = _Options(profile, max_depth, revocation, clock_skew)
        store._files = _Files(os.fspath(ca), None if crl is None else os.fspath(crl), reload_interval)
        store._trust = store._files.load(store._options)
        return store

    def verify(self, presented: PresentedChain, *, at: dt.datetime | None = None) -> ClientIdentity:
        """Verify a presented chain.

        Verified: a path of valid signatures from the leaf to an anchor, the validity of every certificate on it, what
        each may be used for, and revocation where CRLs are configured. Not verified: possession of the key.

        Parameters:
            presented: what the proxy forwarded.
            at: the time of validation, aware; now, if not given. For tests and forensics.

        Raises:
            ClientCertError: `certificate_untrusted`, `certificate_expired`, `certificate_not_yet_valid`,
                `certificate_unsuitable`, `certificate_revoked`, `revocation_unknown`, `trust_store_unavailable`. The
                detail names the certificate, the rule and the remedy.
            ValueError: `at` has no time zone.
        """
        if at is None:
            moment = dt.datetime.now(_UTC)
        elif at.utcoffset() is None:
            raise ValueError("at needs a time zone, such as datetime.now(timezone.utc)")
        else:
            moment = at.astimezone(_UTC)
        return self._current().verify(presented, moment)[0]

    def reload(self) -> None:
        """Read the files again now, changed or not. A store that was not made from files has nothing to do.

        Raises:
            OSError: a file cannot be read. The store keeps what it has.
            ValueError: the content is not what it should be. The store keeps what it has.
        """
        if self._files is not None:
            with self._files.lock:
                try:
                    self._trust = self._files.load(self._options)
                except Exception as error:
                    self._files._failed_with(error)
                    raise

    def status(self, *, within: dt.timedelta = DEFAULT_WITHIN) -> TrustStatus:
        """Say what is trusted at the moment, since when, and what needs attention; for a health check or metrics.

        It looks at the files if a look is due, as a verification does, and never waits for another thread. Not checked:
        that any client's certificate would be accepted.

        Parameters:
            within: how long before its end a certificate is worth a warning; a CRL is in the last quarter of its time.
        """
        trust, now = self._current(), dt.datetime.now(_UTC)
        error, error_since = (None, None) if self._files is None else self._files.failure
        return TrustStatus(
            since=trust.since,
            files=() if self._files is None else self._files.paths,
            anchors=len(trust.anchors),
            intermediates=len(trust.intermediates),
            crls=len(trust.lists),
            revoked=sum(len(one.serial_numbers) for one in trust.lists),
            next_expiry=min(
                (one for one in endings(trust.bundle, trust.lists) if one.at >= now),
                key=lambda one: one.at,
                default=None,
            ),
            error=error,
            error_since=error_since,
            warnings=tuple(trust.warnings(now, within)),
        )

    def _current(self) -> _Trust:
        """Return the snapshot to use now, after a look at the files if one is due."""
        files = self._files
        if files is not None and time.monotonic() >= files.next_look and files.lock.acquire(blocking=False):
            try:
                self._trust = files.look(self._options) or self._trust
            finally:
                files.lock.release()
        return self._trust

    def __repr__(self) -> str:
        trust = self._trust
        return f"<TrustStore of {trust.source}: {len(trust.anchors)} anchors, {len(trust.intermediates)} intermediates>"


def _content(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


_Stat: TypeAlias = "tuple[int, ...]"


class _Files:
    """Where a store comes from, and what is known of the files there."""

    def __init__(self, ca: str, crl: str | None, interval: float) -> None:
        self.ca = ca
        self.crl = crl
        self.interval = interval
        self.next_look = 0.0
        self.lock = ForkSafeLock()
        self._seen: tuple[_Stat, ...] | None = None
        self._failed: tuple[_Stat, ...] | None = None
        self.failure: tuple[str | None, dt.datetime | None] = (None, None)

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.ca,) if self.crl is None else (self.ca, self.crl)

    def look(self, options: _Options) -> _Trust | None:
        """Return new trust if the files changed and load; None if they did not, or do not. Called under the lock."""
        self.next_look = time.monotonic() + self.interval
        try:
            stats = self._stats()
            if stats in (self._seen, self._failed):
                return None
            self._failed = stats  # until it has loaded
            trust = self.load(options)
        except Exception as error:  # noqa: BLE001  # on a request's path nothing but trust comes out of here
            if self._failed_with(error):
                _log.error(
                    "the trust store stays as it was, its changed files do not load: %s",
                    error,
                    extra={"code": "trust_store_unavailable"},
                )
            return None
        _log.info("the trust store was reloaded from %s", trust.source)
        return trust

    def _failed_with(self, error: Exception) -> bool:
        """Keep what went wrong for the status, and say whether it is news."""
        said, since = self.failure
        news = str(error) != said
        if news:
            self.failure = (str(error), since or dt.datetime.now(_UTC))
        return news

    def load(self, options: _Options) -> _Trust:
        """Read bundle and CRLs as one consistent pair: no file changed between the first and the last look."""
        self.next_look = time.monotonic() + self.interval
        for _ in range(3):
            stats = self._stats()
            contents = [_read(path) for path in self.paths]
            if stats == self._stats():
                break
        else:
            raise OSError(f"{self.ca} keeps changing while it is read")
        # Out of the list, so that a long CRL's text is not kept while its numbers are read.
        crls = () if self.crl is None else parse_crls(contents.pop(), self.crl)
        trust = _Trust(parse_certificates(contents.pop(), self.ca), crls, options, self.ca, self.crl or self.ca)
        self._seen, self._failed, self.failure = stats, None, (None, None)
        for warning in trust.warnings(trust.since, DEFAULT_WITHIN):
            _log.warning("the trust store of %s: %s", trust.source, warning, extra={"code": "trust_store_warning"})
        return trust

    def _stats(self) -> tuple[_Stat, ...]:
        # Through the symlinks: Kubernetes swaps ..data, which shows as another inode.
        found = [os.stat(path) for path in (self.ca, self.crl) if path is not None]
        return tuple((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
