"""The kinds of bad client certificates, one word each, and the error that each has to end in.

A table without imports of `cryptography`, so that the pytest plugin can parametrize over it at no cost to suites that
do not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .ca import IssuedCertificate

__all__ = ["REFUSALS", "Refusal", "RefusedClient"]


class Refusal(NamedTuple):
    """A kind of bad certificate.

    Attributes:
        word: the name of the method of `ClientCA` that makes such a certificate.
        code: the `ClientCertError.code` that rejects it.
        status: the HTTP status that the adapters answer with.
    """

    word: str
    code: str
    status: int


class RefusedClient(NamedTuple):
    """A client that has to be rejected. The fixture `sslclientcert_refused` gives it.

    Attributes:
        certificate: what it presents.
        headers: what the proxy sends for that.
        code: the `ClientCertError.code` that rejects it.
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
"""What is wrong with a client's own certificate. `v1` and `without_san` are accepted.

An expired CA is no client's fault: `ClientCA(now=...)` of a time long ago makes one, for `ca_expired`.

Where a proxy forwards intermediates (of a `ClientCA` that has any), what they did not sign does not pass for a chain:
`tampered` and `sha1` then end in `forwarding_inconsistent`.
"""
