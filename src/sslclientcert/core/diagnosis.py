"""Why no path was found, in words that help at two in the morning.

The path builder tries all candidates and reports the last thing that went wrong, or that it ran out of them. This
walks from the leaf upwards as far as names and signatures hold, and asks the rules of `policy` what stands in the way.
It runs after a refusal only, and can only refuse: it returns the error to raise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Hashable, Mapping, Sequence

from cryptography import x509
from cryptography.x509.oid import SignatureAlgorithmOID

from .bundle import Signed, signed
from .errors import CertificateUnsuitable, CertificateUntrusted, ClientCertError, TrustStoreUnavailable, quoted
from .names import comparable, plain_text, rfc4514
from .plain import PlainLeaf
from .policy import (
    describe,
    is_eddsa,
    require_ca,
    require_key_identifiers,
    require_room,
    require_strong_signature,
    require_validity,
)

__all__ = ["why_untrusted"]

_MOST_CANDIDATES = 8  # a signature check each; more CAs of one name than this are told apart by nobody


def why_untrusted(
    leaf: x509.Certificate,
    *,
    anchors: Collection[x509.Certificate],
    anchor_names: Sequence[str],
    by_name: Mapping[Hashable, Sequence[x509.Certificate]],
    forwarded: Sequence[x509.Certificate],
    at: dt.datetime,
    max_depth: int,
    source: str,
    verifier_said: str,
    plain: PlainLeaf | None = None,
    issuer_name: Hashable = None,
) -> ClientCertError:
    """Return the error that says which certificate broke which rule, and the remedy.

    Parameters:
        leaf: the certificate that was refused.
        anchors: the anchors of the trust store.
        anchor_names: their names as text.
        by_name: all certificates of the bundle by the comparable form of their subject.
        forwarded: the intermediates that came with the leaf.
        at: the time of validation.
        max_depth: the most intermediates allowed.
        source: what to call the bundle.
        verifier_said: the path builder's own message, for what this does not find.
        plain: what the walk found in the leaf, which then need not be parsed to be named.
        issuer_name: the comparable form of its issuer, where that is known.
    """
    path = [leaf]
    while True:
        child = path[-1]
        if child is not leaf:
            plain = issuer_name = None
        try:
            if plain is None:
                require_strong_signature(child)  # first: a signature with SHA-1 is not even checked
        except ClientCertError as error:
            return error
        name = comparable(child.issuer) if issuer_name is None else issuer_name
        named = [*by_name.get(name, ()), *(ca for ca in forwarded if comparable(ca.subject) == name)]
        candidates = [ca for ca in dict.fromkeys(named) if ca not in path][:_MOST_CANDIDATES]
        if not candidates:
            return _no_issuer(path, plain, anchors=anchors, anchor_names=anchor_names, at=at, source=source)
        # Where the path builder had this one link to check, it has said so: to check it again would double the cost.
        is_known = len(path) == len(candidates) == 1 and verifier_said == "signature does not match"
        links = {ca: Signed.NO if is_known else signed(child, ca) for ca in candidates}
        issuers = [ca for ca in candidates if links[ca] is Signed.YES]
        if not issuers:
            return _not_signed(child, plain, source, unknown=Signed.UNKNOWN in links.values())
        # An anchor that suits, then any that suits, then the anchor, to say what is wrong with it.
        faults = {ca: _fault(path, ca, anchors, at) for ca in issuers}
        issuer = min(issuers, key=lambda ca: (faults[ca] is not None, ca not in anchors))
        fault = faults[issuer]
        if fault is not None:
            return fault
        path.append(issuer)
        if issuer in anchors:
            return _refused(path, verifier_said)
        if len(path) - 1 > max_depth:
            return CertificateUntrusted(
                f"the path from {describe(leaf)} has more than {max_depth} intermediate CAs; "
                "raise max_depth if that is right"
            )


def _fault(
    path: Sequence[x509.Certificate], issuer: x509.Certificate, anchors: Collection[x509.Certificate], at: dt.datetime
) -> ClientCertError | None:
    child, below = path[-1], len(path) - 1
    direct = below == 0 and issuer in anchors
    try:
        require_ca(issuer)
        require_room(issuer, at, below)
        require_key_identifiers((child, issuer))
    except ClientCertError as error:
        return error
    if is_eddsa(issuer) and not direct:
        return CertificateUnsuitable(
            f"{describe(child)} is signed by an Ed25519 or Ed448 key, that of {describe(issuer)}: such a certificate "
            "must be a leaf, issued directly by an anchor of the bundle. Use RSA or ECDSA for longer paths"
        )
    if child.version is x509.Version.v1 and not direct:
        return CertificateUnsuitable(
            f"{describe(child)} is an X.509 v1 certificate, which must be a leaf, issued directly by an anchor of the "
            f"bundle, and {describe(issuer)} is an intermediate: issue it as X.509 v3 (openssl x509 -req -extfile ...)"
        )
    return None


def _refused(path: Sequence[x509.Certificate], verifier_said: str) -> ClientCertError:
    """Say in plain words what the path builder said of a path in which everything else holds."""
    leaf = describe(path[0])
    if "name constraint" in verifier_said:
        cas = " and ".join(describe(ca) for ca in path[1:])
        return CertificateUnsuitable(
            f"an alternative name of {leaf} is outside the name constraints of a CA above it ({cas}): issue it with "
            "names within the constraints, or by another CA"
        )
    if "UtcTime" in verifier_said:
        return CertificateUnsuitable(
            f"{leaf}, or a CA above it, has a time before 2050 as GeneralizedTime, which RFC 5280 section 4.1.2.5 "
            "forbids: it has to be issued anew"
        )
    if "signature algorithm" in verifier_said:
        odd = [describe(one) for one in path if one.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS]
        kind = "RSASSA-PSS and a salt that is not as long as the hash" if odd else "an algorithm that is not supported"
        return CertificateUnsuitable(
            f"{odd[0] if odd else leaf} is signed with {kind}: issue it with a usual signature"
        )
    return CertificateUntrusted(f"{leaf} was refused: {quoted(verifier_said.partition(' (encountered')[0])}")


def _names(child: x509.Certificate, plain: PlainLeaf | None) -> tuple[str, str]:
    """Return a certificate's description and its issuer's name, quoted."""
    subject, issuer = (None, None) if plain is None else (plain_text(plain.subject), plain_text(plain.issuer))
    return describe(child, subject), quoted(rfc4514(child.issuer) if issuer is None else issuer)


def _not_signed(child: x509.Certificate, plain: PlainLeaf | None, source: str, *, unknown: bool) -> ClientCertError:
    described, issuer = _names(child, plain)
    if unknown:
        return CertificateUntrusted(
            f"{described} names {issuer} as its issuer. {source} has a certificate of "
            "nearly that name, spelled with other letter case, spaces or string types, and names are compared exactly "
            "here; or its signature is of a kind that is not supported. Issue the certificate with the CA's exact name"
        )
    return CertificateUntrusted(
        f"{described} names {issuer} as its issuer and {source} has a certificate "
        "of that name, but its key did not sign this: the client's certificate comes from another CA, or from "
        "before that CA was made anew; if both are yours, put both CA certificates into the bundle"
    )


def _no_issuer(
    path: Sequence[x509.Certificate],
    plain: PlainLeaf | None,
    *,
    anchors: Collection[x509.Certificate],
    anchor_names: Sequence[str],
    at: dt.datetime,
    source: str,
) -> ClientCertError:
    child = path[-1]
    if not any(_valid(anchor, at) for anchor in anchors):
        return TrustStoreUnavailable(
            f"no CA certificate of {source} is valid at {at.isoformat(timespec='seconds')}; one is "
            f"{describe(next(iter(anchors)))}: renew the bundle, or check this host's clock"
        )
    described, issuer = _names(child, plain)
    if child.subject == child.issuer if plain is None else plain.subject == plain.issuer:
        return CertificateUntrusted(
            f"{described} is self-signed and {source} does not hold it: the client uses a certificate of its own "
            "making, or the bundle lacks that CA"
        )
    more = len(anchor_names) - 5
    some = ", ".join(quoted(name, 80) for name in anchor_names[:5]) + (f" and {more} more" if more > 0 else "")
    return CertificateUntrusted(
        f"no certificate named {issuer}, the issuer of {described}, is in {source} "
        f"(its anchors are {some}). "
        + (
            "If that is an intermediate CA, add its certificate to the bundle: nginx and Caddy forward the leaf alone. "
            if len(path) == 1
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
