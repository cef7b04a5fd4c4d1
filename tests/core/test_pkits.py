"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1), its certificates and CRLs.

What the suite calls invalid is refused. What it calls valid is accepted if `openssl verify -crl_check_all` accepts it,
except for `REFUSED`. A certificate's file name says what the suite expects. The sections on policies (4.8 to 4.12) are
left out: policies are not asked here, as nginx does not ask.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import ClientCertError, PresentedChain, TrustStore

from .differential.openssl import verify

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ON_POLICIES = re.compile("Polic(y|ies)|Qualifier")
EXPECTED = {
    path.name.removesuffix("EE.crt"): path.name.startswith("Valid")
    for path in sorted((DATA / "certs").glob("*alid*EE.crt"))
    # cryptography does not read a DSA key without its parameters.
    if not ON_POLICIES.search(path.name) and "DSAParameterInheritance" not in path.name
}

_OTHER_KEY = "the CA's list is signed by another key of its name"
_RELATIVE = "the name of a distribution point is relative to its issuer's"
REFUSED = {
    "ValidBasicSelfIssuedOldWithNewTest1": _OTHER_KEY,
    "ValidDNnameConstraintsTest19": _OTHER_KEY,
    "ValidSelfIssuedpathLenConstraintTest15": _OTHER_KEY,
    "ValidSelfIssuedpathLenConstraintTest17": _OTHER_KEY,
    "ValiddeltaCRLTest5": "removeFromCRL in a delta takes nothing off the complete list",
    "ValiddistributionPointTest4": _RELATIVE,
    "ValiddistributionPointTest5": _RELATIVE,
    "ValiddistributionPointTest7": _RELATIVE,
}
"""What the suite and OpenSSL accept and the library refuses, with the reason. (OpenSSL does not accept the valid ones
with indirect CRLs, lists for some reasons or DSA either.)"""

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # cryptography's


def folded(name: x509.Name) -> str:
    return "".join(name.rfc4514_string().casefold().split()).replace("\\", "")


@functools.cache
def certificates() -> dict[str, list[x509.Certificate]]:
    """The CAs of the suite by their names."""
    found: dict[str, list[x509.Certificate]] = {}
    for path in sorted((DATA / "certs").glob("*.crt")):
        if not path.name.endswith(("EE.crt", "DSAParametersInheritedCACert.crt")):
            certificate = x509.load_der_x509_certificate(path.read_bytes())
            found.setdefault(folded(certificate.subject), []).append(certificate)
    return found


@functools.cache
def crls() -> dict[str, list[x509.CertificateRevocationList]]:
    found: dict[str, list[x509.CertificateRevocationList]] = {}
    for path in sorted((DATA / "crls").glob("*.crl")):
        crl = x509.load_der_x509_crl(path.read_bytes())
        found.setdefault(folded(crl.issuer), []).append(crl)
    return found


def above(leaf: x509.Certificate) -> list[x509.Certificate]:
    """Every CA that may stand above a leaf, by its name."""
    found: list[x509.Certificate] = []
    pending = [folded(leaf.issuer)]
    for name in pending:
        for ca in certificates().get(name, ()):
            if ca not in found:
                found.append(ca)
                if folded(ca.issuer) not in pending:
                    pending.append(folded(ca.issuer))
    return found


def pem(*values: x509.Certificate | x509.CertificateRevocationList) -> str:
    return "".join(value.public_bytes(Encoding.PEM).decode() for value in values)


def test_the_suite_is_there() -> None:
    assert len(EXPECTED) == 160
    assert all(EXPECTED[name] for name in REFUSED)


@pytest.mark.parametrize("name", EXPECTED)
def test_pkits(name: str, tmp_path: Path) -> None:
    leaf = x509.load_der_x509_certificate((DATA / "certs" / f"{name}EE.crt").read_bytes())
    bundle = above(leaf)
    lists = [crl for issuer in dict.fromkeys(folded(ca.subject) for ca in bundle) for crl in crls().get(issuer, ())]
    try:
        store = TrustStore.from_pem(pem(*bundle), crl=pem(*lists), max_depth=10, revocation="require")
        store.verify(PresentedChain(leaf), at=AT)
        said = "accepted"
    except (ClientCertError, ValueError) as error:
        said = str(error)
    if not EXPECTED[name]:
        assert said != "accepted"
        return
    roots = [ca for ca in bundle if ca.issuer == ca.subject and "Trust Anchor" in ca.subject.rfc4514_string()]
    by_openssl = verify(
        tmp_path, pem(leaf), pem(*roots), pem(*(ca for ca in bundle if ca not in roots)), pem(*lists), at=AT
    )
    if name in REFUSED:
        assert by_openssl == ""
        assert said != "accepted"
    elif by_openssl == "":
        assert said == "accepted"
