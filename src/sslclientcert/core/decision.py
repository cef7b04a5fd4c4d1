"""What was decided on a request: the rule that is asked about an identity, the log, and the audit hook."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from .errors import CertificateMissing, ClientCertError, NotAuthorized, escaped, quoted
from .identity import ClientIdentity

__all__ = ["Decision", "Reporter", "Rule", "require_authorized"]

_log = logging.getLogger("sslclientcert")

Rule: TypeAlias = "Callable[[ClientIdentity], object]"


class Decision(NamedTuple):
    """What an authenticator decided on one request; what an audit hook is called with.

    Attributes:
        identity: who was accepted, or None.
        error: why the request was refused, or None.
        peer: the address of the other end of the connection, as the server told it; "unix" for a unix socket.
    """

    identity: ClientIdentity | None
    error: ClientCertError | None
    peer: str | None


def require_authorized(identity: ClientIdentity, rule: Rule) -> None:
    """Refuse an identity that a rule does not let through. A rule that raises refuses, and is logged.

    Raises:
        NotAuthorized: the message names the rule.
    """
    try:
        answer = rule(identity)
    except Exception as error:
        _log.exception("the rule %r failed on %s, so it refuses", rule, quoted(identity.subject))
        raise NotAuthorized(f"the rule {rule!r} failed on {quoted(identity.subject)}: {quoted(error)}") from error
    # Exactly True: a coroutine that was not awaited, or the string "no", is true enough for an if.
    if answer is not True:
        raise NotAuthorized(f"{quoted(identity.subject)} does not pass the rule {rule!r}")


class Reporter:
    """Tells the log and the audit hook of each decision.

    Parameters:
        audit: called with each `Decision`; None for no hook.

    Raises:
        ValueError: `audit` is not a function.
    """

    def __init__(self, audit: Callable[[Decision], None] | None) -> None:
        if audit is not None and not callable(audit):
            raise ValueError(f"audit must be a function, called with a Decision, not {audit!r}")
        self._audit = audit

    def accepted(self, identity: ClientIdentity, peer: str | None, path: str | None) -> None:
        """Tell of a client that was verified and is authorized."""
        if self._audit is not None:
            self._audit(Decision(identity, None, peer))
        if _log.isEnabledFor(logging.DEBUG):
            extra = _fields("accepted", peer, path, identity)
            _log.debug("accepted %s from %s", quoted(identity.subject), _shown(peer), extra=extra)

    def refused(
        self, error: ClientCertError, peer: str | None, path: str | None, identity: ClientIdentity | None = None
    ) -> None:
        """Tell of a refusal; `identity` is of a client that was verified and is not authorized."""
        level = logging.INFO if isinstance(error, CertificateMissing) else logging.WARNING
        if _log.isEnabledFor(level):
            extra = {**_fields(error.code, peer, path, identity), "detail": error.detail}
            _log.log(level, "refused a request from %s: %s", _shown(peer), error, extra=extra)
        if self._audit is not None:
            self._audit(Decision(None, error, peer))

    def missing(self, detail: str, *, peer: str | None, path: str | None) -> CertificateMissing:
        """Return the refusal of a client that may be anonymous, where a route needs a certificate, and tell of it.

        Parameters:
            detail, peer, path: what needs it, and of which request, for the log; the peer also for the audit.
        """
        error = CertificateMissing(detail)
        self.refused(error, peer, path)
        return error


def _shown(peer: str | None) -> str:
    return "a peer without an address" if peer is None else quoted(peer)


def _fields(code: str, peer: str | None, path: str | None, identity: ClientIdentity | None) -> dict[str, str | None]:
    """Return the fields of a log record. Nothing in them can break a line; what is not known is None."""
    named: dict[str, str | None] = dict.fromkeys(("subject", "issuer", "serial", "fingerprint"))
    if identity is not None:
        named = {
            "subject": escaped(identity.subject),
            "issuer": escaped(identity.issuer),
            "serial": f"{identity.serial_number:X}",
            "fingerprint": identity.fingerprint_sha256,
        }
    return {"code": code, "peer": peer and escaped(peer), "path": path and escaped(path), **named}
