"""Why no path was found, in words that help at two in the morning.

The path builder tries all candidates and reports the last thing that went wrong, or that it ran out of them. This
walks from the leaf upwards as far as names and signatures hold, and asks the rules of `policy` what stands in the way.
It runs after a refusal only, and can only refuse: it returns the error to raise.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterable, Mapping

from cryptography import x509

from .bundle import is_signed_by
from .errors import CertificateUntrusted, ClientCertError, TrustStoreUnavailable, quoted
from .names import rfc4514
from .policy import describe, require_ca, require_strong_signature, require_validity

__all__ = ["why_untrusted"]

_MOST_CANDIDATES = 8  # a signature check each; more CAs of one name than this are told apart by nobody


def why_untrusted(
    leaf: x509.Certificate,
    *,
    anchors: Collection[x509.Certificate],
    by_subject: Mapping[x509.Name, Iterable[x509.Certificate]],
    forwarded: Iterable[x509.Certificate],
    at: dt.datetime,
    max_depth: int,
    source: str,
    verifier_said: str,
) -> ClientCertError:
    """Return the error that says which certificate broke which rule, and the remedy.

    Parameters:
        leaf: the certificate that was refused.
        anchors: the anchors of the trust store.
        by_subject: all certificates of the bundle by their subject.
        forwarded: the intermediates that came with the leaf.
        at: the time of validation.
        max_depth: the most intermediates allowed.
        source: what to call the bundle.
        verifier_said: the path builder's own message, for what this does not find.
    """
    extra = tuple(forwarded)
    child = leaf
    for below in itertools.count():
        candidates = [*by_subject.get(child.issuer, ()), *(ca for ca in extra if ca.subject == child.issuer)]
        candidates = list(dict.fromkeys(candidates))[:_MOST_CANDIDATES]
        if not candidates:
            return _no_issuer(child, leaf, anchors, at, source)
        signers = [ca for ca in candidates if is_signed_by(child, ca)]
        if not signers:
            return CertificateUntrusted(
                f"{describe(child)} names {quoted(rfc4514(child.issuer))} as its issuer and {source} has a certificate "
                "of that name, but its key did not sign this: the client's certificate comes from another CA, or from "
                "before that CA was made anew; if both are yours, put both CA certificates into the bundle"
            )
        # An anchor that suits, then any that suits, then the anchor, to say what is wrong with it.
        faults = {ca: _fault(child, ca, at, below) for ca in signers}
        issuer = min(signers, key=lambda ca: (faults[ca] is not None, ca not in anchors))
        fault = faults[issuer]
        if fault is not None:
            return fault
        if issuer in anchors or issuer == child:
            return CertificateUntrusted(f"{describe(leaf)} was refused by the path builder: {verifier_said}")
        if below >= max_depth:
            return CertificateUntrusted(
                f"the path from {describe(leaf)} has more than {max_depth} intermediate CAs; "
                "raise max_depth if that is right"
            )
        child = issuer
    raise AssertionError("unreachable: the path is at most max_depth long")  # pragma: no cover


def _fault(child: x509.Certificate, issuer: x509.Certificate, at: dt.datetime, below: int) -> ClientCertError | None:
    try:
        require_strong_signature(child)
        require_ca(issuer, at, below)
    except ClientCertError as error:
        return error
    return None


def _no_issuer(
    child: x509.Certificate,
    leaf: x509.Certificate,
    anchors: Collection[x509.Certificate],
    at: dt.datetime,
    source: str,
) -> ClientCertError:
    if not any(_valid(anchor, at) for anchor in anchors):
        return TrustStoreUnavailable(
            f"no CA certificate of {source} is valid at {at.isoformat(timespec='seconds')}; the first is "
            f"{describe(next(iter(anchors)))}: renew the bundle, or check this host's clock"
        )
    if child.subject == child.issuer:
        return CertificateUntrusted(
            f"{describe(child)} is self-signed and {source} does not hold it: the client uses a certificate of its own "
            "making, or the bundle lacks that CA"
        )
    names = sorted(rfc4514(anchor.subject) for anchor in anchors)
    some = ", ".join(quoted(name, 80) for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return CertificateUntrusted(
        f"no certificate named {quoted(rfc4514(child.issuer))}, the issuer of {describe(child)}, is in {source} "
        f"(its anchors are {some}). "
        + (
            "If that is an intermediate CA, add its certificate to the bundle: nginx and Caddy forward the leaf alone. "
            if child is leaf
            else "The intermediate CA itself was found; the bundle lacks the root above it. "
        )
        + "If it is a CA that you do not know, the client uses a certificate that is not meant for you"
    )


def _valid(certificate: x509.Certificate, at: dt.datetime) -> bool:
    try:
        require_validity(certificate, at)
    except ClientCertError:
        return False
    return True
