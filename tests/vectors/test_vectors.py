"""What real proxies were seen to send, and what manuals say that others do: each is read as its row reads it.

`clients.json` has the clients, their CA, and when they were captured. A file for each row of `PROXIES` has the header
lines as they arrived, byte for byte (latin-1), for each configuration: of a proxy that was run (`sent_by` and its
version), or from a vendor's page (`manual`). A vector with `forged` is of a client that sent the headers of the client
"name" itself. `unsafe` names the page and the heading that warn of the configuration. capture.py makes them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import PROXIES, ClientCertAuthenticator, ClientCertError, Proxy, TrustStore, decode
from sslclientcert.core.presented import presented_by

HERE = Path(__file__).parent
NOT_RUN = {
    *("aws-alb", "aws-alb-verify", "aws-cloudfront", "gcp", "cloudflare", "cloudflare-forwarding"),
    *("azure-app-service", "azure-application-gateway", "cloud-foundry"),
}


class Case(NamedTuple):
    """A vector, the configuration that it is of, and the clients and CA."""

    entry: dict[str, Any]
    vector: dict[str, Any]
    world: dict[str, Any]

    @property
    def row(self) -> Proxy:
        return PROXIES[self.entry["proxy"]]

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in self.vector["headers"]]

    def value(self, header: str | None) -> str | None:
        values = [value for name, value in self.lines if header is not None and name.lower() == header.lower()]
        assert len(values) < 2
        return values[0] if values else None

    def chain(self, client: str) -> list[str]:
        """The SHA-256 of each certificate that a client has shown in the handshake."""
        shown = self.world["clients"].get(client, {"chain": []})["chain"]
        return [fingerprint(x509.load_pem_x509_certificate(pem.encode())) for pem in shown]


def fingerprint(certificate: x509.Certificate) -> str:
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def load(name: str) -> Any:
    return json.loads((HERE / f"{name}.json").read_text(encoding="ascii"))


def cases() -> Iterator[Case]:
    world = load("clients")
    for row in PROXIES:
        for entry in load(row):
            yield from (Case(entry, vector, world) for vector in entry["vectors"])
    example = load("rfc9440-example")
    for entry in example["entries"]:
        yield from (Case(entry, vector, example) for vector in entry["vectors"])


def named(case: Case) -> str:
    entry, vector = case.entry, case.vector
    words = [entry["proxy"], entry.get("unsafe"), entry.get("sent_by", "manual"), vector["client"]]
    return "-".join([*filter(None, words), vector.get("forged", "")])


CASES = list(cases())
each_case = pytest.mark.parametrize("case", CASES, ids=map(named, CASES))


@each_case
def test_what_arrives_is_answered_as_it_was(case: Case) -> None:
    store = TrustStore.from_pem(case.world["ca"])
    authenticator = ClientCertAuthenticator(store, proxy=case.row, trusted_proxies="*")
    at = datetime.fromisoformat(case.world["at"])
    answer, leaf = case.vector["answer"], case.vector["certificates"][:1]
    try:
        identity = authenticator.authenticate(case.lines, peer="127.0.0.1", at=at)
    except ClientCertError as error:
        assert error.code == answer
    else:
        assert answer == ("no certificate" if identity is None else "accepted")
        assert leaf == ([] if identity is None else [identity.fingerprint_sha256])


@pytest.mark.parametrize("case", [case for case in CASES if case.vector["certificates"]], ids=named)
def test_the_certificates_in_the_headers_are_these_and_in_this_order(case: Case) -> None:
    certificate = case.value(case.row.certificate_header)
    assert certificate is not None
    presented = presented_by(case.row, certificate, case.value(case.row.chain_header))
    assert presented is not None
    found = [presented.leaf, *presented.intermediates]
    assert [fingerprint(each) for each in found] == case.vector["certificates"]
    assert decode(certificate, case.row).leaf == presented.leaf


@each_case
def test_the_certificates_are_the_clients_own_unless_the_configuration_is_unsafe(case: Case) -> None:
    arrived, own = case.vector["certificates"], case.chain(case.vector["client"])
    if "unsafe" in case.entry and case.vector["answer"] == "accepted":
        assert arrived[:1] == case.chain("name")[:1] != own[:1]  # let in as somebody else
    else:
        assert arrived == own[: len(arrived)]


def test_every_row_has_vectors_and_says_where_they_are_from() -> None:
    for row in PROXIES:
        entries = load(row)
        assert entries
        for entry in entries:
            assert entry["configuration"]
            if row in NOT_RUN:
                assert entry["manual"].startswith("https://")
            else:
                assert entry["sent_by"].split()[0] in ("nginx", "haproxy", "apache", "caddy", "traefik", "envoy")
        clients = {vector["client"] for entry in entries for vector in entry["vectors"]}
        assert {"everything", "name", "nameless", "nobody"} <= clients
