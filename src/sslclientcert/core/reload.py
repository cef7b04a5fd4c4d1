"""Where a trust store comes from: its files, their changes, and the options by which they are used.

Kubernetes swaps a mounted secret through a symlink. There is no thread: a verification looks at the files' `stat` when
the interval has passed. Bundle and CRLs are read as one consistent set. What does not load leaves the trust as it was:
tried again at every look if the reason may pass (no file descriptors left), else when a file changes.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from .bundle import ParsedBundle, parse_certificates, parse_crls
from .crl import RevocationList
from .links import Bundle
from .locks import ForkSafe
from .revocation import AnyList, RevocationLists
from .status import odd_certificates
from .validation import Snapshot

__all__ = ["Files", "Policy", "StrPaths", "paths_of"]

_log = logging.getLogger("sslclientcert")

StrPath: TypeAlias = "str | os.PathLike[str]"
StrPaths: TypeAlias = "StrPath | Sequence[StrPath]"

_BASE64_OF_PEM = "LS0tLS1CRUdJTi"  # as a Kubernetes secret shows it

_MOST_NAMES = 8

_T = TypeVar("_T")
_Stat: TypeAlias = "tuple[int, ...]"

MAX_CLOCK_SKEW = 600.0
"""The most, in seconds: a clock that is wrong by more than ten minutes is to be set, not allowed for."""


class Policy(NamedTuple):
    """How a trust store uses its CAs and CRLs: the options of `TrustStore` by the same names."""

    max_depth: int
    revocation: str | None
    clock_skew: float

    def snapshot(
        self, parsed: ParsedBundle, crls: Iterable[AnyList], source: str = "the trust store", crl_source: str = ""
    ) -> Snapshot:
        """Make a snapshot of what was read.

        Raises:
            ValueError: an option is out of its range, or the bundle has no anchor.
        """
        if not 0 <= self.max_depth <= 10:
            raise ValueError(f"max_depth must be from 0 to 10, not {self.max_depth}")
        if not 0 <= self.clock_skew <= MAX_CLOCK_SKEW:
            raise ValueError(
                f"clock_skew is in seconds, from 0 to {MAX_CLOCK_SKEW:.0f}, not {self.clock_skew}; a clock that is "
                "wrong by more has to be set"
            )
        if not parsed.certificates and not parsed.left_out:
            raise ValueError("a trust store needs at least one CA certificate")
        bundle, lists = Bundle(*parsed), list(crls)
        if not bundle.anchors:
            raise ValueError(
                f"{source} has no anchor; put the root CA into it. "
                + ". ".join(odd_certificates(bundle, has_crls=False))
            )
        skew = dt.timedelta(seconds=self.clock_skew)
        mode = self.revocation or ("require" if lists else "off")
        revocation = RevocationLists(lists, mode, crl_source or source, skew)
        return Snapshot(bundle, revocation, self.max_depth, skew, source, dt.datetime.now(dt.UTC))


def paths_of(paths: StrPaths | None, option: str) -> tuple[str, ...]:
    """Return one path or several as a tuple.

    Raises:
        ValueError: the text of a certificate stands where a path is wanted. It is not quoted: it may be a key.
    """
    several = () if paths is None else (paths,) if isinstance(paths, (str, bytes, os.PathLike)) else tuple(paths)
    found = tuple(os.fsdecode(path) for path in several)
    if any("-----BEGIN" in path or path.startswith(_BASE64_OF_PEM) for path in found):
        raise ValueError(
            f"{option} is the text of a PEM file, and has to be its path. TrustStore.from_pem takes the text"
        )
    return found


class Files:
    """Where a store comes from, and what is known of the files there.

    Parameters:
        ca: the paths of the CA bundle's files.
        crl: the paths of the CRLs' files.
        interval: the longest time, in seconds, for which a change may go unseen.
        policy: how what is read there is used.
    """

    def __init__(self, ca: tuple[str, ...], crl: tuple[str, ...], interval: float, policy: Policy) -> None:
        self._ca = ca
        self._crl = crl
        self._interval = interval
        self._policy = policy
        self.next_look: float = 0.0
        self.guard: ForkSafe = ForkSafe()
        self._seen: tuple[_Stat, ...] | None = None
        self._failed: tuple[_Stat, ...] | None = None
        self.failure: tuple[str | None, dt.datetime | None] = (None, None)

    @property
    def paths(self) -> tuple[str, ...]:
        """All files."""
        return self._ca + self._crl

    def look(self, now: Snapshot) -> Snapshot:
        """Return new trust if the files changed and load, else the trust of now. Called under the lock."""
        self.next_look = time.monotonic() + self._interval
        stats = None
        try:
            stats = self._stats()
            if stats in (self._seen, self._failed):
                return now
            trust = self.load(now)
        except ValueError as error:
            self._failed = stats
            self.failed_with(error)
        except Exception as error:  # noqa: BLE001  # on a request's path nothing but trust comes out of here
            self.failed_with(error)
        else:
            _log.info("the trust store was reloaded from %s", trust.source)
            return trust
        return now

    def failed_with(self, error: Exception) -> None:
        """Keep what went wrong for the status, and log it if it is news."""
        said, since = self.failure
        if str(error) != said:
            self.failure = (str(error), since or dt.datetime.now(dt.UTC))
            _log.error(
                "the trust store stays as it was, its changed files do not load: %s",
                error,
                extra={"code": "trust_store_unavailable"},
            )

    def load(self, now: Snapshot | None = None) -> Snapshot:
        """Read all files as one consistent set: no file changed between the first and the last look.

        Parameters:
            now: the trust in force. What is usable in it must not be unusable in what is read.

        Raises:
            OSError: a file cannot be read.
            ValueError: the content is not what it should be.
        """
        self.next_look = time.monotonic() + self._interval
        for _ in range(3):
            stats = self._stats()
            contents = [self._of(path, _read) for path in self.paths]
            if stats == self._stats():
                break
        else:
            raise OSError(f"{self.paths[0]} keeps changing while it is read")
        # Out of the list, so that a long CRL's text is not kept while its numbers are read.
        crls: list[RevocationList] = []
        for path in reversed(self._crl):
            crls += parse_crls(contents.pop(), path)
        bundle = sum(map(parse_certificates, contents, self._ca), ParsedBundle())
        source, crl_source = " and ".join(self._ca), " and ".join(self._crl or self._ca)
        trust = self._policy.snapshot(bundle, crls, source, crl_source)
        if now is not None:
            _require_no_loss(now, trust)
        self._seen, self._failed, self.failure = stats, None, (None, None)
        return trust

    def _of(self, path: str, ask: Callable[[str], _T]) -> _T:
        """Return what a function says of a file; an error names the option, the path and what its folder holds."""
        try:
            return ask(path)
        except OSError as error:
            option = "ca" if path in self._ca else "crl"
            said = f"{error.strerror} (the option {option}). {_folder(path)}"
            raise type(error)(error.errno, said, path) from error

    def _stats(self) -> tuple[_Stat, ...]:
        # Through the symlinks: Kubernetes swaps ..data, which shows as another inode.
        found = [self._of(path, os.stat) for path in self.paths]
        return tuple((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found)


def _require_no_loss(now: Snapshot, new: Snapshot) -> None:
    """Refuse a change by which a CA or CRL that is in use would be there and unusable."""
    usable = {(one.subject, one.spki) for one in now.bundle.certificates if one not in now.bundle.unusable}
    lost = [one.what for one in new.bundle.left_out if (one.subject, one.spki) in usable]
    lost += [str(one) for one in new.bundle.unusable if (one.subject, one.spki) in usable]
    had = {crl.issuer for crl in now.revocation.crls if crl.fault is None}
    lost += [crl.name for crl in new.revocation.crls if crl.fault is not None and crl.issuer in had]
    if lost:
        raise ValueError(f"{lost[0]} is in use, and it is unusable in the changed files")


def _folder(path: str) -> str:
    """Say what a file's folder holds: Kubernetes mounts the keys of a secret under their own names."""
    from pathlib import Path  # for messages alone

    folder = Path(path).absolute().parent
    try:
        names = sorted(one.name for one in folder.iterdir() if not one.name.startswith(".."))
    except FileNotFoundError:
        return f"There is no folder {folder}"
    except OSError:
        return f"Its folder is {folder}"
    some = ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )
    return f"Its folder {folder} holds {some or 'nothing'}"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
