"""Holds the library's answer against OpenSSL's, and against what is true of the case."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import ClientCertError, PresentedChain, TrustStore

from . import model
from .judges import path_by_cryptography, refusal_by_pyhanko
from .making import Case, pem
from .model import Path
from .openssl import OpenSsl
from .reasons import EXCUSES, REASONS, certain_reasons_of, reasons_of


class Disagreement(AssertionError):
    """An answer that has no reason."""


class Accepted(NamedTuple):
    """What is said of a leaf that is accepted."""

    path: Path
    policies: tuple[str, ...] = ()


def by_library(case: Case, *, is_leaf_bound: bool = True) -> Accepted | str:
    """The path and the policies, or the code of the refusal and its words."""
    bundle = "".join([made.pem for made in case.bundle] + [pem(one, "CERTIFICATE") for one in case.junk])
    crls = "".join(crl.pem for crl in case.crls or ()) or None
    try:
        store = TrustStore.from_pem(
            bundle, crl=crls, max_depth=case.max_depth, revocation="off" if case.crls is None else "require"
        )
    except ValueError as error:
        return f"configuration: {error}"
    try:
        chain = [case.leaf.der, *(made.der for made in case.forwarded)]
        presented = PresentedChain.from_der(chain, is_leaf_bound=is_leaf_bound)
        identity = store.verify(presented, at=case.at)
    except ClientCertError as error:
        return f"{error.code}: {error.detail}"
    json.dumps(identity.as_dict())  # every attribute can be read
    by_der = {made.der: made for made in reversed(case.members)}
    path = tuple(by_der[one.public_bytes(Encoding.DER)] for one in identity.chain)
    return Accepted(path, tuple(getattr(identity, "policies", ())))


def compare(case: Case, openssl: OpenSsl, library: Callable[[Case], Accepted | str] = by_library) -> str:
    """Say how the answers relate; raise where the library accepts or refuses what it should not."""
    answer = library(case)
    if isinstance(answer, str):
        return _of_refusal(case, openssl, answer)
    return _of_identity(case, openssl, answer)


def _of_identity(case: Case, openssl: OpenSsl, answer: Accepted) -> str:
    path = answer.path
    if not all(model.issued(issuer, child) for child, issuer in itertools.pairwise(path)):
        raise Disagreement("ACCEPTED WITH A LINK THAT NO CA SIGNED")
    if not model.is_anchor(path[-1], case):
        raise Disagreement("ACCEPTED WITH AN ANCHOR THAT IS NONE")
    if case.crls is not None and (found := model.statuses(path, case) - {"good"}):
        raise Disagreement(f"ACCEPTED WHAT IS {', '.join(found).upper()}")
    if reasons := certain_reasons_of(case, path):
        raise Disagreement(f"ACCEPTED IN SPITE OF: {', '.join(reasons)}")
    if unfounded := set(answer.policies) - model.policies(path):
        raise Disagreement(f"POLICIES THAT A CA DOES NOT ASSERT: {unfounded}")
    if openssl.accepts_path(case, path):
        if openssl.spared:
            return "accepted here alone: OpenSSL asks for a list about the anchor too"
        partial = not model.counts_as_self_signed(path[-1])
        if openssl.accepts_bundle(case, partial=partial):
            return "both accept, a partial anchor" if partial else "both accept"
        return "accepted here alone: OpenSSL does not search"
    said, errors = openssl.said, {number for number, _ in openssl.errors}
    for excuse, holds in EXCUSES.items():
        if holds(case, path, errors):
            if second := refusal_by_pyhanko(case, path):
                raise Disagreement(f"ACCEPTED WHAT BOTH JUDGES REFUSE ({excuse}): {said}; {second}")
            return f"accepted here alone: {excuse}"
    raise Disagreement(f"ACCEPTED WHAT OPENSSL REFUSES: {said}")


def _of_refusal(case: Case, openssl: OpenSsl, answer: str) -> str:
    paths = [path for path in model.paths(case) if len(path) - 2 <= case.max_depth]
    accepted = [path for path in paths if openssl.accepts_path(case, path)]
    if not accepted and case.crls is None:
        found = path_by_cryptography(case)
        accepted = [found] if found is not None and openssl.accepts_path(case, found) else []
    if not accepted and openssl.accepts_bundle(case):
        # With several CAs of one name, what a path alone comes to depends on the order, or on another one's list.
        accepted = [path for path in paths if openssl.accepts_path(case, path, every_list=True)] or [
            path for path in paths if reasons_of(case, path)
        ]
        if not accepted:
            raise Disagreement(f"OpenSSL found a path that nobody made; here {answer}")
    reasons = [(path, reasons_of(case, path)) for path in accepted]
    for path, found_reasons in reasons:
        if not found_reasons:
            shown = " < ".join(f"{made.key.kind} {made.serial:x}"[:16] for made in path)
            raise Disagreement(f"refused without a reason in the table: {answer}\npath: {shown}")
    names = [reason.name for reason in REASONS]
    return "refused here alone: " + min((some[0] for _, some in reasons), key=names.index) if reasons else "both refuse"
