from __future__ import annotations

import base64
import dataclasses
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from sslclientcert import PROXIES, ClientCertAuthenticator, ClientCertError, Proxy, TrustStore
from sslclientcert.core.decoding import ENCODINGS
from sslclientcert.testing import ClientCA, IssuedCertificate, encode
from sslclientcert.testing._names import openssl_name
from sslclientcert.testing.encoders import _WIRES

from ..core.pki import certify

VECTORS = Path(__file__).parents[1] / "vectors"


class Imitated(NamedTuple):
    """A vector that an encoder has to equal, and what the client showed."""

    proxy: str
    client: str
    headers: list[list[str]]
    chain: list[str]
    verdict: int


def imitated(entries: list[dict[str, Any]], clients: dict[str, Any]) -> Iterator[Imitated]:
    for entry in entries:
        for vector in entry["vectors"] if entry["imitated"] else ():
            if "forged" not in vector:
                shown = clients.get(vector["client"], {"chain": [], "verdict": 0})
                yield Imitated(entry["proxy"], vector["client"], vector["headers"], shown["chain"], shown["verdict"])


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="ascii"))


EXAMPLE = load("rfc9440-example")
IMITATED = [
    *(each for row in PROXIES for each in imitated(load(row), load("clients")["clients"])),
    *imitated(EXAMPLE["entries"], EXAMPLE["clients"]),
]


@pytest.mark.parametrize("case", IMITATED, ids=[f"{case.proxy}-{case.client}" for case in IMITATED])
def test_the_headers_are_what_the_real_proxy_sent_or_its_manual_says(case: Imitated) -> None:
    chain = [x509.load_pem_x509_certificate(pem.encode()) for pem in case.chain]
    leaf = chain[0] if chain else None
    encoded = encode(leaf, case.proxy, intermediates=chain[1:], verdict=case.verdict)
    read = {name: value for name, value in encoded.items() if name in PROXIES[case.proxy].headers}
    assert read == {name.lower(): value for name, value in case.headers}


def test_every_row_is_compared_with_a_vector() -> None:
    assert {case.proxy for case in IMITATED} == PROXIES.keys()


@pytest.fixture(scope="module")
def ca() -> ClientCA:
    return ClientCA()


def test_every_row_of_the_table_has_an_encoder_of_its_own() -> None:
    assert _WIRES.keys() == PROXIES.keys() | {"environ"}


@pytest.mark.parametrize("encoding", sorted({row.certificate_encoding for row in PROXIES.values()} | {"xfcc-first"}))
def test_your_own_row_is_encoded_as_its_encoding_says(ca: ClientCA, encoding: str) -> None:
    row = Proxy(
        name="ours",
        certificate_header="X-Cert",
        certificate_encoding=encoding,
        verdict_header="x-verdict",
        verdict_grammar="yes|no|FAILED:.*",
        verdict_success="yes",
        verdict_none=frozenset({"no"}),
        presence_header="x-presence",
    )
    alice = ca.issue("alice")
    authenticator = ca.authenticator(row, require_proxy_success=True)
    assert authenticator.authenticate(alice.headers(row), peer="testclient") is not None
    assert alice.headers(row)["x-presence"] == "1"
    assert encode(None, row)["x-verdict"] == "no"
    assert authenticator.authenticate(encode(None, row), peer="testclient") is None


@pytest.mark.parametrize("encoding", ["base64-der-concatenation", "base64-der-list", "byte-sequence-list"])
def test_your_own_row_may_have_a_chain_header(encoding: str) -> None:
    ca = ClientCA(intermediates=1)
    row = Proxy(
        name="ours",
        certificate_header="x-cert",
        certificate_encoding="base64-der",
        chain_header="x-chain",
        chain_encoding=encoding,
    )
    alice = ca.issue("alice")
    root_alone = ClientCertAuthenticator(TrustStore([ca.certificate]), proxy=row, trusted_proxies="*")
    assert root_alone.authenticate(alice.headers(row)) is not None
    without_the_chain = alice.headers(row) | {"x-chain": ""}
    with pytest.raises(ClientCertError):
        root_alone.authenticate(without_the_chain)


def test_an_encoding_that_only_chains_have_is_no_way_to_send_a_leaf() -> None:
    row = Proxy(name="ours", certificate_header="x-cert", certificate_encoding="byte-sequence-list")
    with pytest.raises(ValueError, match="byte-sequence-list"):
        encode(None, row)


def test_every_encoding_that_can_hold_a_leaf_can_be_written() -> None:
    of_chains = {"base64-der-concatenation", "byte-sequence-list"}
    alice = ClientCA().issue("alice")
    for encoding in ENCODINGS.keys() - of_chains:
        row = Proxy(name="ours", certificate_header="x-cert", certificate_encoding=encoding)
        assert ENCODINGS[encoding].decode(alice.headers(row)["x-cert"]) == (alice.der,)


def test_a_row_derived_from_the_table_keeps_the_proxys_ways_under_its_own_names(ca: ClientCA) -> None:
    row = dataclasses.replace(PROXIES["haproxy"], certificate_header="X-Cert", verdict_header="X-Verdict")
    assert encode(None, row) == {"x-cert": "", "x-ssl-client-chain": "", "x-verdict": "0", "x-ssl-client-used": "0"}
    assert ca.expired().headers(row)["x-verdict"] == "10"


@pytest.mark.parametrize(
    ("proxy", "headers"),
    {
        "nginx-ingress": {"ssl-client-verify": "NONE"},
        "nginx": {"x-ssl-client-verify": "NONE"},
        "envoy": {},
        "traefik": {},
        "haproxy": {
            "x-ssl-client-cert": "",
            "x-ssl-client-chain": "",
            "x-ssl-client-verify": "0",
            "x-ssl-client-used": "0",
        },
        "apache": {"x-ssl-cert": "(null)", "x-ssl-verify": "NONE"},
        "caddy": {"client-cert": "::"},
        "rfc9440": {},
        "aws-alb": {},
        "aws-alb-verify": {},
        "gcp": {
            "x-client-cert-leaf": "",
            "x-client-cert-chain": "",
            "x-client-cert-present": "false",
            "x-client-cert-chain-verified": "false",
        },
        "cloudflare": {},
        "azure-app-service": {},
        "traefik-ingress-nginx": {"ssl-client-verify": "NONE"},
        "openshift": {"x-ssl-client-der": "", "x-ssl-client-verify": "0"},
        "aws-cloudfront": {"cloudfront-viewer-cert-present": "0"},
        "cloudflare-forwarding": {},
        "azure-application-gateway": {"x-client-cert": "", "x-client-cert-verify": "NONE"},
        "cloud-foundry": {},
    }.items(),
)
def test_no_certificate_looks_as_the_manuals_say(proxy: str, headers: dict[str, str]) -> None:
    assert encode(None, proxy) == headers


@pytest.fixture(scope="module")
def deep() -> tuple[ClientCA, IssuedCertificate, list[str]]:
    """A certificate under two intermediates, and the base64 of the DER of all three."""
    ca = ClientCA(intermediates=2, now=datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC))
    alice = ca.issue("alice", organization="Ex+ample", serial_number=0x0A1B)
    return ca, alice, [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in alice.chain]


def test_rfc_9440_puts_the_leaf_apart_from_a_list_of_the_others(
    deep: tuple[ClientCA, IssuedCertificate, list[str]],
) -> None:
    _, alice, (leaf, first, second) = deep
    chain = f":{first}:, :{second}:"
    assert alice.headers("rfc9440") == {"client-cert": f":{leaf}:", "client-cert-chain": chain}
    assert alice.headers("cloudflare") == {"client-cert": f":{leaf}:", "client-cert-chain": chain}
    assert alice.headers("gcp") == {
        "x-client-cert-leaf": f":{leaf}:",
        "x-client-cert-chain": chain,
        "x-client-cert-present": "true",
        "x-client-cert-chain-verified": "true",
    }
    assert alice.headers("gcp", verdict=10)["x-client-cert-chain-verified"] == "false"


def test_without_intermediates_rfc_9440_has_no_chain_header(ca: ClientCA) -> None:
    assert "client-cert-chain" not in ca.issue("alice").headers("rfc9440")


def test_azure_sends_the_leaf_as_base64(deep: tuple[ClientCA, IssuedCertificate, list[str]]) -> None:
    assert deep[1].headers("azure-app-service") == {"x-arr-clientcert": deep[2][0]}


def test_aws_passes_the_whole_chain_on_and_leaves_the_signs_of_base64_as_they_are(
    deep: tuple[ClientCA, IssuedCertificate, list[str]],
) -> None:
    (value,) = deep[1].headers("aws-alb").values()
    assert value.count("-----BEGIN%20CERTIFICATE-----%0A") == 3
    assert value.replace("%0A", "\n").replace("%20", " ") == deep[1].chain_pem


def test_aws_tells_what_it_read_in_a_certificate_that_it_verified(
    deep: tuple[ClientCA, IssuedCertificate, list[str]],
) -> None:
    headers = deep[1].headers("aws-alb-verify")
    assert headers.pop("x-amzn-mtls-clientcert-leaf").replace("%0A", "\n").replace("%20", " ") == deep[1].pem
    assert headers == {
        "x-amzn-mtls-clientcert-serial-number": "A1B",
        "x-amzn-mtls-clientcert-issuer": "CN=Test Client CA 2",
        "x-amzn-mtls-clientcert-subject": "CN=alice,O=Ex\\+ample",
        "x-amzn-mtls-clientcert-validity": "NotBefore=2026-05-06T06:08:09Z;NotAfter=2027-05-06T07:08:09Z",
    }


@pytest.mark.parametrize("proxy", PROXIES)
def test_bytes_that_are_no_certificate_are_sent_without_the_names_that_nobody_could_read(proxy: str) -> None:
    headers = encode(b"no certificate", proxy)
    names = {"ssl-client-subject-dn", "ssl-client-issuer-dn", "x-amzn-mtls-clientcert-subject"}
    assert headers[PROXIES[proxy].certificate_header]
    assert not names & headers.keys()


def test_a_verdict_that_openssl_has_no_number_for_is_unknown(ca: ClientCA) -> None:
    assert ca.issue("alice").headers("nginx", verdict=999)["x-ssl-client-verify"].startswith("FAILED:unknown")


def test_an_unknown_proxy_is_a_value_error(ca: ClientCA) -> None:
    with pytest.raises(ValueError, match="unknown proxy 'squid'"):
        ca.issue("alice").headers("squid")


UID = x509.ObjectIdentifier("0.9.2342.19200300.100.1.1")
UNKNOWN = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")


def common_name(text: str, tag: _ASN1Type = _ASN1Type.UTF8String) -> x509.NameAttribute[str]:
    return x509.NameAttribute(NameOID.COMMON_NAME, text, tag)


NAMES: dict[str, list[list[x509.NameAttribute[str] | x509.NameAttribute[bytes]]]] = {
    "usual": [[common_name("alice")]],
    "escaped": [[common_name('a,b+c"d\\e<f>g;h=i#j/k')]],
    "spaces": [[common_name(" alice ")], [x509.NameAttribute(NameOID.ORGANIZATION_NAME, " ")]],
    "hash": [[common_name("#alice")]],
    "control": [[common_name("a\r\nb\0c\x7fd")]],
    "utf8": [[common_name("Zoë Müller 名")]],
    "printable": [[common_name("alice", _ASN1Type.PrintableString)]],
    "bmp": [[common_name("Zoë", _ASN1Type.BMPString)]],
    "universal": [[common_name("Zoë", _ASN1Type.UniversalString)]],
    "together": [
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")],
        [
            common_name("alice"),
            x509.NameAttribute(UID, "a1"),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@example.org"),
        ],
    ],
    "unknown type": [[x509.NameAttribute(UNKNOWN, "secret")], [common_name("alice")]],
    "bits": [[x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\1\2", _ASN1Type.BitString)]],
    "empty": [],
    "many": [
        [x509.NameAttribute(oid, f"x {number}")]
        for number, oid in enumerate(
            [
                NameOID.SURNAME,
                NameOID.GIVEN_NAME,
                NameOID.TITLE,
                NameOID.STATE_OR_PROVINCE_NAME,
                NameOID.LOCALITY_NAME,
                NameOID.STREET_ADDRESS,
                NameOID.POSTAL_CODE,
                NameOID.SERIAL_NUMBER,
                NameOID.DN_QUALIFIER,
                NameOID.PSEUDONYM,
                NameOID.GENERATION_QUALIFIER,
                NameOID.INITIALS,
                NameOID.DOMAIN_COMPONENT,
                NameOID.BUSINESS_CATEGORY,
                NameOID.UNSTRUCTURED_NAME,
                NameOID.ORGANIZATION_IDENTIFIER,
                NameOID.JURISDICTION_LOCALITY_NAME,
                NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME,
                x509.ObjectIdentifier("2.5.4.13"),
            ]
        )
    ],
}


@pytest.mark.parametrize("case", NAMES)
def test_names_are_written_as_openssl_writes_them(case: str, tmp_path: Path) -> None:
    name = x509.Name(x509.RelativeDistinguishedName(rdn) for rdn in NAMES[case])
    certificate = certify(name).certificate
    path = tmp_path / "name.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    command = ["openssl", "x509", "-in", str(path), "-noout", "-subject", "-nameopt", "RFC2253"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert openssl_name(certificate.subject) == printed.removeprefix("subject=").removesuffix("\n")
