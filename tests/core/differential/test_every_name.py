"""Each name of `traps` below each constraint of its kind: the library's answer and OpenSSL's."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import names
from .compare import Accepted, by_library
from .examples import alice, constrained
from .making import Case, General, Made, Subtree
from .reasons import reasons_of
from .traps import ALTERNATIVES, BASES

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # cryptography's

HOSTS = (
    *("a.example.org", "a.example.com", "victim.other.net", "alice", "alice.smith", "A.EXAMPLE.ORG", "example.org."),
    *("*.example.org", "a_b.example.com", "a..b", "-a.example.com", "a-.example.com", "10.0.0.1", "urn:dev:1.2"),
)
MAILBOXES = ("alice@example.org", "alice@example.com", "ALICE@EXAMPLE.ORG", "alice", "a@b@example.org", "")
OTHERS = {"email": ("SmtpUTF8Mailbox",), "SmtpUTF8Mailbox": ("email",)}


def leaves(kind: str, root: Made) -> Iterator[Made]:
    """A client for each name that constraints of a kind apply to."""
    for each in (kind, *OTHERS.get(kind, ())):
        yield from (alice(root, name) for name in ALTERNATIVES[each])
    if kind == "DNS":
        for text in HOSTS:
            for tag in (names.UTF8, names.IA5, names.BMP):
                for sans in ((), (General("DNS", "a.example.org"),), (General("email", "a@b.org"),)):
                    leaf = alice(root, *sans)
                    leaf.subject = names.name(names.attribute(names.CN, text, tag))
                    yield leaf
    if kind == "email":
        for text in MAILBOXES:
            for tag in (names.IA5, names.UTF8):
                leaf = alice(root)
                leaf.subject = names.name(names.attribute(names.EMAIL, text, tag))
                yield leaf
    if kind == "directory":
        for subject in ((), names.name((names.O, "example"), (names.CN, "x")), names.name((names.O, "Else"))):
            leaf = alice(root, General("DNS", "a.example.org"))
            leaf.subject = subject
            yield leaf


def accepted_by_openssl(root: Made, clients: list[Made], folder: Path) -> list[bool]:
    """What `openssl verify` says of each, asked at once."""
    (folder / "root").write_text(root.pem, encoding="ascii")
    for number, leaf in enumerate(clients):
        (folder / f"leaf{number}").write_text(leaf.pem, encoding="ascii")
    command = [
        "openssl",
        "verify",
        "-purpose",
        "sslclient",
        "-auth_level",
        "2",
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
        "root",
    ]
    files = [f"leaf{number}" for number in range(len(clients))]
    done = subprocess.run([*command, *files], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    good = set(re.findall(r"^leaf(\d+): OK$", done.stdout, re.MULTILINE))
    return [str(number) in good for number in range(len(clients))]


@pytest.mark.parametrize("permitted", [True, False])
@pytest.mark.parametrize("kind", BASES)
def test_a_name_is_admitted_where_openssl_admits_it_unless_it_cannot_be_read(
    kind: str,
    permitted: bool,
    tmp_path: Path,
) -> None:
    both = 0
    for base in BASES[kind]:
        root = constrained(Subtree(base, permitted))
        clients = list(leaves(kind, root))
        for leaf, openssl in zip(clients, accepted_by_openssl(root, clients, tmp_path), strict=True):
            case = Case(leaf, [root])
            answer = by_library(case)
            if isinstance(answer, Accepted):
                assert openssl, f"OpenSSL refuses {base}\n{case}"
                assert not any(one.odd for one in leaf.sans), f"{base}\n{case}"
                both += 1
            elif openssl:
                assert reasons_of(case, (leaf, root)), f"{answer}\n{base}\n{case}"
    assert both or kind in ("RID", "UPN", "SmtpUTF8Mailbox")
