"""What a change of a case may not do to the answer, whatever the answer is.

The order of bundle, chain and lists changes nothing. Leaving a certificate out of the bundle, asking for revocation, an
exclusion in a CA and a forwarded stranger never turn no into yes. There is one exception: a certificate whose issuer is
left out is an anchor (`model.is_partial_anchor`), so what its issuer would have refused may be accepted.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Callable

from . import names
from .compare import Accepted, by_library
from .keys import key_of
from .making import CONSTRAINTS, Case, Crl, General, Made, Subtree
from .model import is_partial_anchor

Change = Callable[[Case, random.Random], "Case | None"]
LIMITS = ("are tried", "signature checks")
"""Words of the refusals for too much work: less to search may then be enough."""


def in_another_order(case: Case, dice: random.Random) -> Case:
    def shuffled(given: list) -> list:  # type: ignore[type-arg]
        return dice.sample(given, len(given))

    crls = None if case.crls is None else shuffled(case.crls)
    return dataclasses.replace(case, bundle=shuffled(case.bundle), forwarded=shuffled(case.forwarded), crls=crls)


def without_a_certificate(case: Case, dice: random.Random) -> Case | None:
    if len(case.bundle) < 2:
        return None
    gone = dice.randrange(len(case.bundle))
    return dataclasses.replace(case, bundle=case.bundle[:gone] + case.bundle[gone + 1 :])


def with_lists(case: Case, dice: random.Random) -> Case | None:
    """Ask for revocation, with a list of some of the CAs."""
    if case.crls is not None:
        return None
    cas = [one for one in case.members if one.is_ca and dice.random() < 0.8]
    revoked = {one.serial: None for one in case.members if dice.random() < 0.1}
    return dataclasses.replace(case, crls=[Crl(ca, dict(revoked)) for ca in cas])


def with_an_entry(case: Case, dice: random.Random) -> Case | None:
    """Put one more certificate on one of the lists."""
    if not case.crls:
        return None
    number = dice.randrange(len(case.crls))
    crl = case.crls[number]
    longer = dataclasses.replace(crl, revoked={**crl.revoked, dice.choice(case.members).serial: 1})
    return dataclasses.replace(case, crls=[*case.crls[:number], longer, *case.crls[number + 1 :]])


EXCLUSIONS = (
    *(General("DNS", "example.org"), General("email", "example.org"), General("IP", bytes(8)), General("URI", ".org")),
    *(General("directory", names.name((names.O, "Example"))), General("UPN", "alice"), General("RID", b"\x2a\x03")),
)


def with_an_exclusion(case: Case, dice: random.Random) -> Case | None:
    """Reissue a CA with one more name excluded."""
    cas = [one for one in case.members if one.is_ca and one is not case.leaf]
    if not cas:
        return None
    old = dice.choice(cas)
    subtrees = (*old.subtrees, Subtree(dice.choice(EXCLUSIONS), permitted=False))
    new = dataclasses.replace(old, subtrees=subtrees, critical=old.critical | {CONSTRAINTS})

    def exchanged(given: list[Made]) -> list[Made]:
        return [new if one is old else one for one in given]

    crls = None
    if case.crls is not None:
        crls = [dataclasses.replace(crl, issuer=new) if crl.issuer is old else crl for crl in case.crls]
    return dataclasses.replace(case, bundle=exchanged(case.bundle), forwarded=exchanged(case.forwarded), crls=crls)


def with_a_stranger(case: Case, dice: random.Random) -> Case:
    """Forward a CA of the client's own, of a name that is known here or not."""
    name = dice.choice([one.subject for one in case.members])
    key = key_of("P-256", 80)
    mine = Made(name, key, None, serial=dice.getrandbits(60), basic=(True, None), ski=key.identifier)
    if dice.random() < 0.5:
        mine.parent, mine.signer = dice.choice(case.members), key_of("P-256", 81)
    return dataclasses.replace(case, forwarded=[*case.forwarded, mine])


CHANGES: dict[str, Change] = {
    "another order": in_another_order,
    "without a certificate": without_a_certificate,
    "with lists": with_lists,
    "with an entry on a list": with_an_entry,
    "with an exclusion": with_an_exclusion,
    "with a stranger": with_a_stranger,
}


@functools.lru_cache(maxsize=1024)
def answer_of(case: Case) -> Accepted | str:
    """The library's answer, for all changes of a case."""
    return by_library(case)


def code_of(answer: Accepted | str) -> object:
    """What may not change with the order: the path, or the kind of refusal."""
    return answer if isinstance(answer, Accepted) else answer.partition(":")[0]


def wrong_after(name: str, case: Case, dice: random.Random) -> str | None:
    """Say what was wrong with the answer after a change: nothing, if it is ''; None, if the change does not apply."""
    changed = CHANGES[name](case, dice)
    if changed is None:
        return None
    before, after = answer_of(case), by_library(changed)
    if name == "another order":
        return "" if code_of(before) == code_of(after) else f"{code_of(before)} became {code_of(after)}"
    if isinstance(after, str) or isinstance(before, Accepted) or any(words in before for words in LIMITS):
        return ""
    if name == "without a certificate" and is_partial_anchor(after.path[-1], changed):
        return ""
    return f"'{before}' became yes, {name}\n{changed}"
