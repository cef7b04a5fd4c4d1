"""The table of proxies: what each row says, and what no row may say."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any, get_args

import pytest

from sslclientcert import PROXIES, Proxy
from sslclientcert.core.decoding import ENCODINGS
from sslclientcert.core.proxies import ProxyName, proxy_named

from .conftest import ALICE, ROWS, certificate_header, headers_of

# What the proxies were seen to send, or what the vendors' manuals say they do.
FACTS = {
    "nginx-ingress": ("ssl-client-cert", "url-pem", None, None),
    "nginx": ("x-ssl-client-cert", "url-pem", None, None),
    "envoy": ("x-forwarded-client-cert", "xfcc", None, None),
    "traefik": ("x-forwarded-tls-client-cert", "base64-der-list", None, None),
    "haproxy": ("x-ssl-client-cert", "base64-der", "x-ssl-client-chain", "base64-der-concatenation"),
    "apache": ("x-ssl-cert", "folded-pem", None, None),
    "caddy": ("client-cert", "byte-sequence", None, None),
    "rfc9440": ("client-cert", "byte-sequence", "client-cert-chain", "byte-sequence-list"),
    "aws-alb": ("x-amzn-mtls-clientcert", "url-pem-chain", None, None),
    "aws-alb-verify": ("x-amzn-mtls-clientcert-leaf", "url-pem", None, None),
    "gcp": ("x-client-cert-leaf", "byte-sequence", "x-client-cert-chain", "byte-sequence-list"),
    "cloudflare": ("client-cert", "byte-sequence", "client-cert-chain", "byte-sequence-list"),
    "azure-app-service": ("x-arr-clientcert", "base64-der", None, None),
    "traefik-ingress-nginx": ("ssl-client-cert", "url-pem", None, None),
    "openshift": ("x-ssl-client-der", "base64-der", None, None),
    "aws-cloudfront": ("cloudfront-viewer-cert-pem", "url-pem", None, None),
    "cloudflare-forwarding": ("cf-client-cert-der-base64", "base64-der", None, None),
    "azure-application-gateway": ("x-client-cert", "url-pem", None, None),
    "cloud-foundry": ("x-forwarded-client-cert", "base64-der", None, None),
}


def row(**changes: Any) -> Proxy:
    return Proxy(**{"name": "mine", "certificate_header": "x-cert", "certificate_encoding": "url-pem", **changes})


def test_type_checkers_know_the_names_of_all_proxies() -> None:
    assert get_args(ProxyName) == (*PROXIES, "environ")


def test_the_table_has_the_rows_of_the_contract() -> None:
    assert {
        name: (one.certificate_header, one.certificate_encoding, one.chain_header, one.chain_encoding)
        for name, one in PROXIES.items()
    } == FACTS


def test_the_ingress_row_reads_the_four_headers_of_its_template() -> None:
    ingress = PROXIES["nginx-ingress"]

    assert [name for name in ingress.headers if name is not None] == [
        *("ssl-client-cert", "ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn")
    ]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_known_by_its_own_name_in_lower_case(name: str) -> None:
    assert PROXIES[name].name == name == name.lower()
    assert proxy_named(name) is PROXIES[name]


@pytest.mark.parametrize("name", ROWS)
def test_what_a_row_says_of_no_certificate_is_not_what_it_says_of_one(name: str) -> None:
    one = PROXIES[name]

    assert certificate_header(ALICE, name) not in ENCODINGS[one.certificate_encoding].absent
    assert one.verdict_success not in one.verdict_none
    for value in (one.verdict_success, *one.verdict_none):
        assert re.fullmatch(one.verdict_grammar, value)


@pytest.mark.parametrize("name", [name for name in ROWS if PROXIES[name].verdict_header])
@pytest.mark.parametrize("separator", [",", ", ", ",,"])
def test_no_verdict_that_a_server_joined_from_two_matches_its_grammar(name: str, separator: str) -> None:
    grammar = PROXIES[name].verdict_grammar
    words = ["SUCCESS", "NONE", "FAILED:certificate has expired", "FAILED:no, not this", "FAILED:"]
    words += ["GENEROUS", "(null)", "0", "10", "true", "false", ""]
    said = [word for word in words if re.fullmatch(grammar, word)]
    for first in said:
        for second in said:
            assert not re.fullmatch(grammar, f"{first}{separator}{second}")


@pytest.mark.parametrize("name", ["nginx-ingress", "nginx", "traefik-ingress-nginx", "apache"])
def test_what_a_verdict_says_of_a_failure_may_hold_commas(name: str) -> None:
    said = "FAILED:x509: certificate signed by unknown authority (possibly because of a, b, or c)"
    assert re.fullmatch(PROXIES[name].verdict_grammar, said)


@pytest.mark.parametrize("name", [name for name in ROWS if PROXIES[name].verdict_header])
def test_a_long_verdict_is_read_in_linear_time(name: str) -> None:
    grammar = re.compile(PROXIES[name].verdict_grammar)
    started = time.perf_counter()
    for unit in (", ", "x,", "x", ",SUCCES"):
        grammar.fullmatch("FAILED:" + unit * 200_000)
    assert time.perf_counter() - started < 20  # seconds; of quadratic time it would be hours


@pytest.mark.parametrize("name", ROWS)
def test_a_row_reads_nothing_but_what_its_proxy_sends(name: str) -> None:
    read = {header for header in PROXIES[name].headers if header is not None}

    assert read <= set(headers_of(ALICE, name, ALICE))


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PROXIES["mine"] = row()  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROXIES["nginx"].certificate_header = "x-other"  # type: ignore[misc]


def test_rows_are_made_with_keywords_only() -> None:
    with pytest.raises(TypeError):
        Proxy("mine", "x-cert", "url-pem")  # type: ignore[call-arg]


def test_a_row_is_derived_from_another() -> None:
    mine = dataclasses.replace(PROXIES["nginx"], certificate_header="X-Client-Cert")

    assert mine.certificate_header == "X-Client-Cert"
    assert mine.verdict_header == PROXIES["nginx"].verdict_header
    assert proxy_named(mine) is mine


@pytest.mark.parametrize("unknown", ["nginx_ingress", "NGINX", "", None, 5, ["nginx"], {}])
def test_an_unknown_proxy_is_a_configuration_fault_that_names_the_known_ones(unknown: Any) -> None:
    with pytest.raises(ValueError, match="unknown proxy .*nginx-ingress.*azure-app-service"):
        proxy_named(unknown)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"certificate_encoding": "pem"}, "unknown encoding 'pem'; there are base64-der"),
        ({"chain_header": "x-chain", "chain_encoding": "pem"}, "unknown encoding 'pem'"),
        ({"chain_header": "x-chain"}, "go together"),
        ({"chain_encoding": "url-pem"}, "go together"),
        ({"certificate_header": ""}, "not a header name"),
        ({"certificate_header": "x cert"}, "not a header name"),
        ({"certificate_header": "x-cert:"}, "not a header name"),
        ({"certificate_header": "x-cert\n"}, "not a header name"),
        ({"certificate_header": "x-zertifikät"}, "not a header name"),
        ({"verdict_header": "a,b"}, "not a header name"),
        ({"verdict_header": "X-Cert"}, "the same name"),
        ({"verdict_header": "x_cert"}, "the same name"),
        ({"subject_header": "x-dn", "issuer_header": "X_DN"}, "the same name"),
        ({"verdict_grammar": "("}, "not a regular expression"),
        ({"verdict_success": "OK"}, "does not match"),
    ],
)
def test_a_row_that_contradicts_itself_cannot_be_made(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        row(**changes)
