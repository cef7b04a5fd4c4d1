"""The store's own options, and where its certificates come from. Who is accepted is in test_validation.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from sslclientcert import PresentedChain, TrustStore, decode
from sslclientcert.core.errors import CertificateUntrusted

from .pki import authority, client, pem_of, private_key

ROOT = authority("Root")
LOWER = authority("Lower", ROOT, key=private_key("P-256", 2))


def test_a_store_needs_a_certificate_and_options_in_their_ranges() -> None:
    for problem, arguments in (
        ("at least one CA certificate", {"certificates": ()}),
        ("max_depth must be from 0 to 10", {"max_depth": -1}),
        ("max_depth must be from 0 to 10", {"max_depth": 11}),
        ("revocation must be one of require, if-available, off", {"revocation": "maybe"}),
    ):
        with pytest.raises(ValueError, match=problem):
            TrustStore(**{"certificates": [ROOT.certificate], **arguments})  # type: ignore[arg-type]


def test_options_are_the_same_from_objects_from_pem_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(pem_of(ROOT, LOWER), encoding="ascii")
    presented = PresentedChain(client("alice", LOWER).certificate)
    for store in (
        TrustStore([ROOT.certificate, LOWER.certificate], max_depth=0),
        TrustStore.from_pem(pem_of(ROOT, LOWER), max_depth=0),
        TrustStore.from_file(tmp_path / "ca.crt", max_depth=0),
    ):
        with pytest.raises(CertificateUntrusted, match="more than 0 intermediate"):
            store.verify(presented)
    for interval in (-1, float("nan")):
        with pytest.raises(ValueError, match="reload_interval"):
            TrustStore.from_file(tmp_path / "ca.crt", reload_interval=interval)


def test_a_store_says_what_it_holds() -> None:
    assert "1 anchors, 1 other certificates" in repr(TrustStore.from_pem(pem_of(ROOT, LOWER)))


def test_certificates_may_come_from_an_iterator_and_more_than_once() -> None:
    store = TrustStore(iter([ROOT.certificate, ROOT.certificate]))
    assert store.verify(PresentedChain(client("alice", ROOT).certificate)).common_name == "alice"


def test_a_decoded_header_verifies() -> None:
    header = client("alice", ROOT).pem.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")
    assert TrustStore.from_pem(ROOT.pem).verify(decode(header)).common_name == "alice"
