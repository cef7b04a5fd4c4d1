"""Asks `openssl verify`, in a folder of its own."""

from __future__ import annotations

import datetime as dt
import functools
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .making import Case, Crl, Made, pem
from .model import Path as Chain
from .model import counts_as_self_signed, is_of

LISTS = {3, 8, 11, 12, 23, 33, 35, 36, 44, 54}
"""The errors that are about a CRL or what it says."""


def verify(
    folder: Path,
    leaf: str,
    trusted: str,
    untrusted: str = "",
    crls: str | None = None,
    *,
    at: dt.datetime,
    depth: int = 10,
    partial: bool = False,
) -> str:
    """What `openssl verify` says against a leaf, each part given as PEM; nothing if it accepts it."""
    (folder / "leaf").write_text(leaf, encoding="ascii")
    (folder / "trusted").write_text(trusted, encoding="ascii")
    command = ["openssl", "verify", "-purpose", "sslclient", "-auth_level", "2", "-no-CApath", "-no-CAstore"]
    command += ["-attime", str(int(at.timestamp())), "-verify_depth", str(depth), "-CAfile", "trusted"]
    if untrusted:
        (folder / "untrusted").write_text(untrusted, encoding="ascii")
        command += ["-untrusted", "untrusted"]
    if crls is not None:
        (folder / "crls").write_text(crls, encoding="ascii")
        command += ["-crl_check_all", *(("-CRLfile", "crls") if crls else ())]
    if partial:
        command.append("-partial_chain")
    done = subprocess.run(
        [*command, "leaf"], cwd=folder, capture_output=True, text=True, errors="replace", timeout=60, check=False
    )
    return " ".join((done.stderr or done.stdout).split()) if done.returncode else ""


class OpenSsl:
    """The judge: `openssl verify -purpose sslclient -auth_level 2`, which is what nginx asks with Debian's settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        self.spared = False

    def accepts(
        self,
        case: Case,
        *,
        trusted: Iterable[Made],
        untrusted: Iterable[Made],
        crls: Iterable[Crl] | None,
        partial: bool = False,
        junk: tuple[bytes, ...] = (),
    ) -> bool:
        self.said = verify(
            self.folder,
            case.leaf.pem,
            "".join([one.pem for one in trusted] + [pem(one, "CERTIFICATE") for one in junk]),
            "".join(one.pem for one in untrusted),
            None if crls is None else "".join(one.pem for one in crls),
            at=case.at,
            depth=case.max_depth,
            partial=partial,
        )
        return not self.said

    def accepts_bundle(self, case: Case, *, partial: bool = False) -> bool:
        """Whether the leaf is accepted with everything there is, as nginx has it; OpenSSL does not search."""
        return self.accepts(
            case, trusted=case.bundle, untrusted=case.forwarded, crls=lists_of(case), partial=partial, junk=case.junk
        )

    def accepts_path(self, case: Case, path: Chain, *, every_list: bool = False) -> bool:
        """Whether exactly this path will do, with the lists of its CAs or with every list, whatever else there is.

        OpenSSL asks for a list about an anchor as well. About one that is not self-signed there is none, so for those
        the lists are left to the model; for the others `spared` says whether that list alone was missing.
        """
        self.spared = False
        top = path[-1]
        partial = not counts_as_self_signed(top)
        crls = None
        if case.crls is not None and len(path) > 1 and not partial:
            crls = [crl for crl in lists_of(case) or () if every_list or any(is_of(crl, ca) for ca in path[1:])]
        ask = functools.partial(self.accepts, case, trusted=[top], untrusted=path[1:-1], partial=partial)
        if ask(crls=crls):
            return True
        # OpenSSL asks for lists from the leaf upwards, and looks at signatures and names only then.
        anchor = len(path) - 1
        if crls is None or any(number not in LISTS or depth != anchor for number, depth in self.errors):
            return False
        self.spared = ask(crls=None)
        return self.spared

    @property
    def errors(self) -> list[tuple[int, int]]:
        """What OpenSSL found wrong, as X509_STORE_CTX_get_error(3) numbers it, and at which depth."""
        return [(int(number), int(depth)) for number, depth in re.findall(r"error (\d+) at (\d+) depth", self.said)]


def lists_of(case: Case) -> list[Crl] | None:
    """The lists without the deltas: without -use_deltas, OpenSSL takes a newer delta for the complete list."""
    return None if case.crls is None else [crl for crl in case.crls if crl.delta is None]
