"""What is refused here alone: for each reason a predicate over the path that OpenSSL accepts, and why."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable

from . import names
from .keys import Scheme
from .making import (
    AS_NUMBERS,
    IP_BLOCKS,
    NETSCAPE,
    Case,
    Made,
    Subtree,
)
from .model import Path, asked, counts_as_self_signed, is_meant, is_of, is_uncheckable, is_usable, status
from .openssl import LISTS


@dataclasses.dataclass(frozen=True)
class Reason:
    name: str
    why: str
    holds: Callable[[Case, Path], bool]
    always: bool = True
    """Whether every path of which it holds is refused; if not, some may be accepted, for which OpenSSL answers."""


def any_of(path: Iterable[Made], holds: Callable[[Made], bool]) -> bool:
    return any(map(holds, path))


# Certificates


def breaks_pss_key(path: Path) -> bool:
    exactly = Scheme("SHA-256", 32)
    return any(
        issuer.key.form == "PSS with parameters" and child.signed_with != exactly
        for child, issuer in (*itertools.pairwise(path), (path[-1], path[-1]))
    )


def is_dsa(made: Made) -> bool:
    return made.key.family == "DSA"


def is_costly(made: Made) -> bool:
    key = made.key
    if key.family in ("RSA", "RSA-PSS"):
        return key.bits > 4096 or key.exponent >= 2**17
    return key.kind not in ("P-256", "P-384", "P-521", "Ed25519", "Ed448")


def has_odd_serial(made: Made) -> bool:
    return made.serial < 0 or made.serial >= 2**160


def is_extended(made: Made, *kinds: str, critical: bool = False) -> bool:
    return made.version == 3 and any(one.oid in kinds and (one.critical or not critical) for one in made.extensions())


def namesakes(anchor: Made, case: Case) -> list[Made]:
    return [one for one in case.bundle if one.names[0] == anchor.names[0] and one.key.private is anchor.key.private]


def repeats_a_ca(path: Path) -> bool:
    seen = {(made.names[0], made.key.private) for made in path}
    return len(seen) < len(path)


# Names


def constraints_above(path: Path) -> list[tuple[Made, list[Subtree]]]:
    """Each certificate that constraints apply to, with all of them."""
    found = []
    for number, made in enumerate(path[:-1]):
        if number and made.is_self_issued:
            continue
        above = [subtree for ca in path[number + 1 :] if ca.version == 3 for subtree in ca.subtrees]
        if above:
            found.append((made, above))
    return found


def names_of(made: Made) -> list[tuple[str, bytes | str | names.Name, bool]]:
    return [(one.kind, one.value, one.odd) for one in made.sans] if made.version == 3 else []


def kind_of(kind: str) -> str:
    return "email" if kind == "SmtpUTF8Mailbox" else kind


def has_unreadable_name(_: Case, path: Path) -> bool:
    for made, subtrees in constraints_above(path):
        kinds = {kind_of(subtree.base.kind) for subtree in subtrees}
        if any(odd and kind_of(kind) in kinds for kind, _, odd in names_of(made)):
            return True
        emails = [one for rdn in made.subject for one in rdn if one.oid == names.EMAIL]
        if "email" in kinds and any(one.tag != names.IA5 or one.text.count("@") != 1 for one in emails):
            return True
    return False


def has_unreadable_constraint(_: Case, path: Path) -> bool:
    return any(subtree.base.odd for _, subtrees in constraints_above(path) for subtree in subtrees)


def has_bounds(_: Case, path: Path) -> bool:
    return any(
        subtree.minimum or subtree.maximum is not None
        for _, subtrees in constraints_above(path)
        for subtree in subtrees
    )


def has_wildcard_below_exclusion(_: Case, path: Path) -> bool:
    return any(
        any(not subtree.permitted and subtree.base.kind == "DNS" for subtree in subtrees)
        and any(
            kind == "DNS" and str(value).startswith("*") for kind, value, _ in names_of(made) if isinstance(value, str)
        )
        for made, subtrees in constraints_above(path)
    )


def has_host_beside_dns_name(_: Case, path: Path) -> bool:
    return any(
        any(subtree.base.kind == "DNS" for subtree in subtrees)
        and any(one.oid == names.CN and "." in one.text for rdn in made.subject for one in rdn)
        and any(kind == "DNS" for kind, _, _ in names_of(made))
        for made, subtrees in constraints_above(path)
    )


def has_mailbox_below_constraint(_: Case, path: Path) -> bool:
    return any(
        any(kind_of(subtree.base.kind) == "email" for subtree in subtrees)
        and any(kind == "SmtpUTF8Mailbox" for kind, _, _ in names_of(made))
        for made, subtrees in constraints_above(path)
    )


# Revocation


def links(path: Path) -> Iterable[tuple[Made, Made]]:
    return itertools.pairwise(path)


def is_listed_or_unknown(case: Case, path: Path) -> bool:
    return case.crls is not None and any(status(made, issuer, case) != "good" for made, issuer in links(path))


def has_unusable_list(case: Case, path: Path) -> bool:
    return any(is_of(crl, ca) and not is_usable(crl) for crl in case.crls or () for ca in path[1:])


def has_list_by_another_key(case: Case, path: Path) -> bool:
    """Whether no list of a CA covers what it issued, and one of its name, by another key, might."""
    return case.crls is not None and any(
        status(made, issuer, case) == "unknown"
        and any(crl.name == issuer.names[0] and not is_of(crl, issuer) for crl in case.crls)
        for made, issuer in links(path)
    )


def leaves_the_bundle(case: Case, path: Path) -> bool:
    return any(below in case.bundle and above not in case.bundle for below, above in itertools.pairwise(path[1:]))


def needs_many_checks(case: Case, _: Path) -> bool:
    """Whether names and key identifiers leave more than 16 pairs of a forwarded CA and another certificate."""
    children = dict.fromkeys((case.leaf, *case.forwarded))
    pairs = [
        (child, issuer)
        for child in children
        for issuer in case.members
        if {child, issuer} & set(case.forwarded) and child.names[1] == issuer.names[0] and is_meant(child, issuer)
    ]
    return len(pairs) > 16


def is_on_a_list(case: Case, path: Path, *, delta: bool) -> bool:
    return any(
        made.serial in crl.revoked and (crl.delta is not None) is delta
        for made, issuer in links(path)
        for crl in asked(made, issuer, case)
    )


REASONS = (
    Reason(
        "does not parse",
        "cryptography does not read it: malformed or doubled extensions, strings with characters that their type "
        "does not have, X.509 v2; what is forwarded parses in every part, and so does a CRL, and another certificate "
        "of a partial anchor's name and key",
        lambda case, path: (
            not all(one.parses for one in (*path, *case.forwarded, *(case.crls or ()), *namesakes(path[-1], case)))
        ),
        always=False,  # an issuer's name that cryptography does not read is read from the issuer
    ),
    Reason(
        "an anchor's own signature is wrong",
        "it was damaged or forged; OpenSSL does not look at it",
        lambda _, path: (
            counts_as_self_signed(path[-1])
            and not path[-1].was_signed_by(path[-1].key)
            and not is_uncheckable(path[-1])
        ),
    ),
    Reason(
        "CA without CA:TRUE",
        "OpenSSL takes an X.509 v1 root, or a certificate with keyCertSign and no basic constraints, for a CA",
        lambda _, path: any_of(path[1:], lambda made: not made.is_ca),
    ),
    Reason(
        "CA without a subject",
        "RFC 5280 section 4.1.2.6; OpenSSL asks that with -x509_strict only",
        lambda _, path: any_of(path[1:], lambda made: not made.subject),
    ),
    Reason(
        "serial number that is negative or longer than 20 octets",
        "RFC 5280 section 4.1.2.2",
        lambda _, path: any_of(path, has_odd_serial),
    ),
    Reason(
        "explicit EC parameters",
        "RFC 5480 section 2.1.1; the key's AlgorithmIdentifier is not one of a fixed list",
        lambda _, path: any_of(path, lambda made: made.key.form == "explicit"),
    ),
    Reason(
        "signature with other parameters than its RSASSA-PSS key's",
        "to OpenSSL a key's salt length is the least one; here it is the one",
        lambda _, path: breaks_pss_key(path),
        always=False,  # an anchor's own signature is not relied on
    ),
    Reason("DSA", "a scheme that FIPS 186-5 withdrew", lambda _, path: any_of(path, is_dsa)),
    Reason(
        "RSA key over 8192 bits",
        "it costs too much time",
        lambda _, path: any_of(path[1:], lambda made: made.key.family.startswith("RSA") and made.key.bits > 8192),
    ),
    Reason(
        "forwarded CA with a costly key",
        "RSA over 4096 bits or with a large exponent, curves other than P-256, P-384, P-521: a stranger may send them",
        lambda case, path: any_of(path[1:-1], lambda made: made not in case.bundle and is_costly(made)),
    ),
    Reason(
        "critical Netscape certificate type",
        "only the ones that admit clients are known here, not the extension's other meanings",
        lambda _, path: any_of(path, lambda made: is_extended(made, NETSCAPE, critical=True)),
    ),
    Reason(
        "RFC 3779",
        "IP address and AS number blocks are resources of the RPKI, which are not checked here",
        lambda _, path: any_of(path, lambda made: is_extended(made, IP_BLOCKS, AS_NUMBERS)),
    ),
    Reason(
        "a CA's name and key twice on the path",
        "a shorter path without the circle is the one to accept",
        lambda _, path: repeats_a_ca(path),
    ),
    Reason(
        "name that cannot be read below a constraint of its kind",
        "what it names is a guess",
        has_unreadable_name,
        always=False,
    ),
    Reason(
        "constraint that cannot be read",
        "what it permits or excludes is a guess",
        has_unreadable_constraint,
        always=False,
    ),
    Reason(
        "minimum or maximum in a constraint",
        "RFC 5280 section 4.2.1.10 has none; OpenSSL looks where a name of the kind is there",
        has_bounds,
        always=False,
    ),
    Reason(
        "wildcard below an excluded name",
        "*.example.org stands for every name below example.org; to OpenSSL it is a string",
        has_wildcard_below_exclusion,
        always=False,
    ),
    Reason(
        "common name that looks like a host name, next to a DNS name",
        "rules and identity.common_name read it, so it is constrained; OpenSSL looks at it where no DNS name is there",
        has_host_beside_dns_name,
        always=False,
    ),
    Reason(
        "SmtpUTF8Mailbox below a constraint of e-mail",
        "no constraint can hold its local part, so a mailbox that is excluded excludes its host",
        has_mailbox_below_constraint,
        always=False,
    ),
    Reason(
        "a list that cannot be used",
        "indirect, limited to reasons, with an unknown critical extension or a weak "
        "hash: what its issuer has issued is unknown",
        has_unusable_list,
        always=False,
    ),
    Reason(
        "a list by another key of the CA's name",
        "OpenSSL takes a list of any CA of that name on the path; here it is the issuer's own key that counts",
        has_list_by_another_key,
        always=False,
    ),
    Reason(
        "a CA of the bundle below a forwarded one",
        "a CA that the bundle has linked to an anchor is linked to forwarded CAs no more",
        leaves_the_bundle,
        always=False,
    ),
    Reason(
        "more than 16 signature checks for a forwarded chain",
        "a stranger's chain must not cost much",
        needs_many_checks,
        always=False,
    ),
    Reason(
        "revoked by a list that OpenSSL does not choose",
        "every current list that covers a certificate is asked, and any entry of a complete list revokes",
        lambda case, path: is_on_a_list(case, path, delta=False),
        always=False,
    ),
    Reason(
        "revoked by a delta",
        "without -use_deltas OpenSSL takes a delta for a complete list, so the judge is asked without deltas",
        lambda case, path: is_on_a_list(case, path, delta=True),
        always=False,
    ),
    Reason(
        "revocation of what OpenSSL was not asked",
        "an anchor without its issuer has no list, so the judge is asked without lists there",
        lambda case, path: not counts_as_self_signed(path[-1]) and is_listed_or_unknown(case, path),
    ),
)


def reasons_of(case: Case, path: Path) -> list[str]:
    return [reason.name for reason in REASONS if reason.holds(case, path)]


def certain_reasons_of(case: Case, path: Path) -> list[str]:
    """The reasons for which a path may not be accepted whatever OpenSSL says."""
    return [reason.name for reason in REASONS if reason.always and reason.holds(case, path)]


# Where the library accepts what OpenSSL refuses of the very same path


def ends_now(case: Case, path: Path, errors: set[int]) -> bool:
    """X509_cmp_time calls a time that is now past."""
    return errors <= {10, 12} and any(one.end == case.at for one in (*path, *(case.crls or ())))


def names_one_twice(_: Case, path: Path, errors: set[int]) -> bool:
    return not errors <= LISTS and len({made.names[0] for made in path}) < len(path)


def lets_openssl_choose(case: Case, path: Path, errors: set[int]) -> bool:
    """Whether several lists bear the name of one CA of the path: OpenSSL takes one, and says no if it is another's."""
    return bool(errors & LISTS) and any(sum(crl.name == ca.names[0] for crl in case.crls or ()) > 1 for ca in path[1:])


EXCUSES: dict[str, Callable[[Case, Path, set[int]], bool]] = {
    "the last second of validity": ends_now,
    "one name twice on the path": names_one_twice,
    "a CRL that OpenSSL chooses by name": lets_openssl_choose,
}
