"""Why no CA of a bundle has issued a certificate, in words for the log. Nothing here can say yes.

The reader is awake at two in the morning: what is wrong, with which certificate, and what to do.
"""

from __future__ import annotations

from .certificate import ParsedCertificate
from .errors import CertificateUntrusted, ClientCertError, quoted
from .links import MOST_CHECKS, Bundle, Links, by_age
from .names import rfc4514
from .policy import require_ca, weak_signature

__all__ = ["why_unlinked"]


def why_unlinked(leaf: ParsedCertificate, links: Links, bundle: Bundle, source: str) -> ClientCertError:
    """Return why no linked CA has issued a leaf, or the forwarded CA that it names, for the log.

    Parameters:
        leaf: a leaf without an issuer.
        links: those of the bundle and of what was forwarded with the leaf.
        bundle: the bundle.
        source: how messages name it.
    """
    child, seen = leaf, [leaf]
    while child.scheme is not None and not links.is_exhausted and not bundle.holds(child.issuer):
        above = [one for one in by_age(links.unlinked) if one.subject == child.issuer and one not in seen]
        if not above:
            return _stranger(child, leaf, bundle, source)
        child = above[0]
        seen.append(child)
    if child.scheme is None:
        return weak_signature(child)
    named = f"{child} names {quoted(rfc4514(child.certificate.issuer))} as its issuer"
    if links.is_exhausted:
        return CertificateUntrusted(
            f"{named}, and the forwarded chain needs more than {MOST_CHECKS} signature checks. The client has to send "
            "its own chain and nothing else"
        )
    return _why_not_used(child, bundle, named, source)


def _why_not_used(child: ParsedCertificate, bundle: Bundle, named: str, source: str) -> ClientCertError:
    """Return why a CA of the issuer's name, which the bundle has, is not the issuer."""
    for one in bundle.left_out:
        if one.subject == child.issuer:
            return CertificateUntrusted(f"{named}, and {source} has it as {one.what}, which {one.why}")
    for ca in by_age(bundle.named(child.issuer)):
        if ca.scheme is None and ca in bundle.unusable:
            return weak_signature(ca)
        if ca in bundle.unusable:
            return CertificateUntrusted(f"{named}, and {ca} in {source} is unusable: {bundle.unusable[ca]}")
        try:
            require_ca(ca)
        except ClientCertError as error:
            return error
    return CertificateUntrusted(
        f"{named}. {source} has a certificate of that name, and its key did not sign this, or the authority key "
        "identifier means another key. The certificate comes from another CA, or from before that CA got a new key. If "
        "both CAs are yours, put both into the bundle"
    )


def _stranger(child: ParsedCertificate, leaf: ParsedCertificate, bundle: Bundle, source: str) -> ClientCertError:
    described = str(child)
    if child.is_self_issued:
        return CertificateUntrusted(
            f"{described} is self-signed, and {source} does not hold it. The client uses a certificate that it made "
            "itself, or the bundle lacks that CA"
        )
    names = sorted({quoted(rfc4514(anchor.certificate.subject), 80) for anchor in bundle.anchors})
    some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    remedy = (
        "If that is an intermediate CA of yours, add its certificate to the bundle: nginx and Caddy forward the leaf "
        "alone"
        if child is leaf
        else "The client sent that intermediate CA. If it is yours, add the CA above it to the bundle"
    )
    return CertificateUntrusted(
        f"{source} has no certificate named {quoted(rfc4514(child.certificate.issuer))}, the issuer of {described}. "
        f"Its anchors are {some}. {remedy}. If you do not know that CA, the client uses a certificate that is not "
        "meant for you"
    )
