"""What is true of a case, known from having made it: paths, anchors, revocation, policies. Nobody is asked."""

from __future__ import annotations

import itertools
from typing import TypeAlias

from .keys import Key
from .making import ANY_POLICY, POLICY_MAPPINGS, Aki, Case, Crl, Made
from .names import canonical

Path: TypeAlias = "tuple[Made, ...]"
"""From the leaf to what is trusted."""

LONGEST, MOST_PATHS = 7, 24


def is_meant(child: Made, issuer: Made) -> bool:
    """Whether the authority key identifier of a certificate may mean that issuer (X509_check_akid)."""
    return child.version != 3 or aki_may_mean(child.aki, issuer)


def aki_may_mean(aki: Aki | None, issuer: Made) -> bool:
    if aki is None:
        return True
    ski = issuer.ski if issuer.version == 3 else None
    if aki.key is not None and ski is not None and aki.key != ski:
        return False
    if aki.serial is not None and aki.serial != issuer.serial:
        return False
    return aki.issuer is None or canonical(aki.issuer) == issuer.names[1]


def fits(made: Made, key: Key) -> bool:
    """Whether a key of that kind could have made the signature on a certificate, right or wrong."""
    signer, scheme = made.signed_by, made.signed_with
    if key.family in ("RSA", "RSA-PSS"):
        return signer.family in ("RSA", "RSA-PSS") and (key.family == "RSA" or scheme.salt is not None)
    return key.family == signer.family


def issued(issuer: Made, child: Made) -> bool:
    return child.names[1] == issuer.names[0] and child.was_signed_by(issuer.key) and fits(child, issuer.key)


# Anchors (DESIGN.md section 7, "Anchors")


def counts_as_self_signed(made: Made) -> bool:
    return made.is_self_issued and is_meant(made, made) and fits(made, made.key)


def has_readable_subject(made: Made) -> bool:
    return made.raw_subject is None and all(one.is_readable for rdn in made.subject for one in rdn)


def is_partial_anchor(made: Made, case: Case) -> bool:
    """Whether the issuer's name is missing in the bundle, for it and for any certificate of its name and key."""
    if case.junk or not all(has_readable_subject(one) for one in case.bundle):
        return False  # what cannot be read may be the issuer

    def is_complete(one: Made) -> bool:
        others = (other.names[0] for other in case.bundle if other is not one)
        return counts_as_self_signed(one) or one.names[1] in others

    namesakes = [one for one in case.bundle if one.names[0] == made.names[0] and one.key.private is made.key.private]
    return not any(is_complete(one) for one in (made, *namesakes))


def is_uncheckable(made: Made) -> bool:
    """Whether its signature is of a kind that is not checked, right or wrong."""
    has_two = made.outer_scheme is not None and made.outer_scheme != made.signed_with
    return has_two or made.signed_with.digest in ("SHA-1", "MD5") or made.signed_by.family == "DSA"


def is_anchor(made: Made, case: Case) -> bool:
    if made not in case.bundle:
        return False
    if counts_as_self_signed(made):
        return made.was_signed_by(made.key) or is_uncheckable(made)
    return is_partial_anchor(made, case)


# Paths


def paths(case: Case) -> list[Path]:
    """Every path of true signatures from the leaf to a certificate of the bundle that may end one."""
    found: list[Path] = []
    pool = [one for one in case.members if one is not case.leaf]
    ends = [one for one in case.bundle if counts_as_self_signed(one) or is_partial_anchor(one, case)]
    pending: list[Path] = [(case.leaf,)]
    while pending and len(found) < MOST_PATHS:
        path = pending.pop()
        last = path[-1]
        if last in ends:
            found.append(path)
            continue
        if len(path) < LONGEST:
            pending.extend((*path, ca) for ca in pool if ca not in path and issued(ca, last))
    return found


def strangers(case: Case) -> list[Made]:
    """What was forwarded and has issued no other certificate of the chain, up from the leaf."""
    reached, rest = [case.leaf], [one for one in dict.fromkeys(case.forwarded) if one is not case.leaf]
    while found := [one for one in rest if any(issued(one, child) and is_meant(child, one) for child in reached)]:
        reached += found
        rest = [one for one in rest if one not in found]
    return rest


# Revocation (RFC 5280 section 6.3, for lists that their own CA issues)


def is_current(crl: Crl, case: Case) -> bool:
    return crl.end is not None and crl.start <= case.at <= crl.end


def is_weak(crl: Crl) -> bool:
    return crl.signed_with.digest in ("SHA-1", "MD5")


def is_usable(crl: Crl) -> bool:
    """Whether it is a list as one is asked here: direct, for all reasons, with a sound signature."""
    is_odd = crl.indirect or crl.reasons
    return not (is_weak(crl) or is_odd or "unknown critical extension" in crl.traits)


def is_of(crl: Crl, issuer: Made) -> bool:
    """Whether a CA has issued a list, and may; a weak signature is nobody's, so only the name counts there."""
    may_sign = issuer.version != 3 or issuer.usage is None or "crl_sign" in issuer.usage
    by_key = crl.was_signed_by(issuer.key) or is_weak(crl)
    return crl.name == issuer.names[0] and by_key and aki_may_mean(crl.aki, issuer) and may_sign


def covers(crl: Crl, made: Made) -> bool:
    if crl.only == "attributes" or (crl.only == "users" and made.is_ca) or (crl.only == "CAs" and not made.is_ca):
        return False
    points = made.points if made.version == 3 else ()
    usable = {uri for point in points if not point.reasons and point.crl_issuer is None for uri in point.uris}
    return not crl.uris or bool(usable & set(crl.uris))


def scope(crl: Crl) -> tuple[object, ...]:
    return frozenset(crl.uris), crl.only


def is_superseded(crl: Crl, lists: list[Crl]) -> bool:
    """Whether there is a newer complete list of the same scope; CRL numbers decide between lists of one time."""

    def is_newer(other: Crl) -> bool:
        if other.start == crl.start and other.number is not None and crl.number is not None:
            return other.number > crl.number
        return other.start > crl.start

    return crl.delta is None and any(
        other.delta is None and scope(other) == scope(crl) and is_newer(other) for other in lists
    )


def asked(made: Made, issuer: Made, case: Case) -> list[Crl]:
    """The lists that say whether a CA has revoked a certificate."""
    lists = [crl for crl in case.crls or () if is_of(crl, issuer) and is_usable(crl) and is_current(crl, case)]
    return [crl for crl in lists if covers(crl, made) and not is_superseded(crl, lists)]


def status(made: Made, issuer: Made, case: Case) -> str:
    """What the lists of a case say of a certificate: "good", "revoked", "unknown"."""
    lists = asked(made, issuer, case)
    for crl in lists:
        if made.serial in crl.revoked and not (crl.delta is not None and crl.revoked[made.serial] == 8):
            return "revoked"
    if any(is_of(crl, issuer) and not is_usable(crl) for crl in case.crls or ()):
        return "unknown"
    return "good" if any(crl.delta is None for crl in lists) else "unknown"


def statuses(path: Path, case: Case) -> set[str]:
    return {status(made, issuer, case) for made, issuer in itertools.pairwise(path)}


# Policies (DESIGN.md section 7, "Policies")


def policies(path: Path) -> set[str]:
    """The most that a leaf may be taken to assert: each CA below the anchor asserts it too, or may say anyPolicy."""
    held = set(path[0].policies or ()) if path[0].version == 3 else set()
    held.discard(ANY_POLICY)
    skip = len(path)  # RFC 5280 section 6.1.2, inhibit_anyPolicy
    for ca in reversed(path[1:-1]):
        asserted = set(ca.policies or ()) if ca.version == 3 else set()
        if ca.version == 3 and any(one.oid == POLICY_MAPPINGS for one in ca.extra):
            return set()  # mappings are not followed
        if ANY_POLICY not in asserted or (skip <= 0 and not ca.is_self_issued):
            held &= asserted
        if not ca.is_self_issued:
            skip -= 1
        if ca.version == 3 and ca.inhibit_any is not None:
            skip = min(skip, ca.inhibit_any)
    return held
