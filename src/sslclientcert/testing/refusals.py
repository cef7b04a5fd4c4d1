"""The ways a client certificate can be wrong, one word each, and the error that each has to end in.

A table without imports of `cryptography`, so that the pytest plugin can parametrize over it at no cost to suites that
do not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .ca import IssuedCertificate

__all__ = ["REFUSALS", "Refusal", "RefusedClient"]


class Refusal(NamedTuple):
    """A way to be wrong.

    Attributes:
        word: the name of the method of `ClientCA` that makes such a certificate.
        code: the `ClientCertError.code` it is refused with.
        status: the HTTP status that the adapters answer with.
    """

    word: str
    code: str
    status: int


class RefusedClient(NamedTuple):
    """A client that has to be refused; what the fixture `sslclientcert_refused` gives.

    Attributes:
        certificate: what it presents.
        headers: what the proxy sends for that.
        code: the `ClientCertError.code` it is refused with.
        status: the HTTP status that the adapters answer with.
    """

    certificate: IssuedCertificate
    headers: dict[str, str]
    code: str
    status: int


REFUSALS = (
    Refusal("expired", "certificate_expired", 403),
    Refusal("not_yet_valid", "certificate_not_yet_valid", 403),
    Refusal("server_only", "certificate_unsuitable", 403),
    Refusal("self_signed", "certificate_untrusted", 403),
    Refusal("stranger", "certificate_untrusted", 403),
    Refusal("tampered", "certificate_untrusted", 403),
    Refusal("revoked", "certificate_revoked", 403),
    Refusal("weak", "certificate_unsuitable", 403),
    Refusal("sha1", "certificate_unsuitable", 403),
    Refusal("not_a_certificate", "certificate_malformed", 400),
)
"""What the library refuses. It accepts `v1` and `without_san`.

Where a proxy forwards intermediates (of a `ClientCA` that has any), what they did not sign does not pass for a chain:
`tampered` and `sha1` then end in `forwarding_inconsistent`.
"""
