from __future__ import annotations

import re
import textwrap

import pytest

from sslclientcert import PROXIES
from sslclientcert.cli.proxies import configuration_of

from .conftest import Command


def test_every_proxy_has_a_line_with_its_headers_and_encoding(command: Command) -> None:
    said = command("proxies")
    assert (said.status, said.err) == (0, "")
    table, _, _ = said.out.partition("\n\n")
    _, *lines = table.splitlines()
    assert [line.split()[:3] for line in lines] == [
        [row.name, row.certificate_header, row.certificate_encoding] for row in PROXIES.values()
    ]
    for line, row in zip(lines, PROXIES.values(), strict=True):
        assert all(header in line for header in row.headers if header)


def test_the_configuration_of_each_follows_the_table(command: Command) -> None:
    _, *snippets = command("proxies").out.rstrip("\n").split("\n\n")
    assert [snippet.partition("\n")[0] for snippet in snippets] == list(PROXIES)
    for snippet, row in zip(snippets, PROXIES.values(), strict=True):
        assert textwrap.dedent(snippet.partition("\n")[2]) == configuration_of(row).rstrip()


@pytest.mark.parametrize("name", PROXIES)
def test_one_proxy_is_shown_with_its_configuration_to_copy(command: Command, name: str) -> None:
    said = command("proxies", name)
    assert said.status == 0
    assert all(header in said.out for header in PROXIES[name].headers if header)
    assert said.out.rstrip().endswith(configuration_of(PROXIES[name]).rstrip())


def test_json_has_the_fields_of_the_rows(command: Command) -> None:
    rows = command("proxies", "--json").json
    assert [row["name"] for row in rows] == list(PROXIES)
    row = command("proxies", "--json", "haproxy").json
    assert row == rows[list(PROXIES).index("haproxy")]
    assert row["chain_header"] == "x-ssl-client-chain"
    assert row["verdict_none"] == [""]


def test_an_unknown_proxy_is_met_with_those_there_are(command: Command) -> None:
    said = command("proxies", "ngnix")
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(
        "sslclientcert: unknown proxy 'ngnix'; did you mean 'nginx'?; the table has nginx-ingress, nginx, envoy, "
    )


# These name the header themselves.
OWN_NAME = {
    *("nginx-ingress", "envoy", "traefik", "traefik-ingress-nginx", "openshift", "cloud-foundry"),
    *("aws-alb", "aws-alb-verify", "azure-app-service", "cloudflare-forwarding"),
}


@pytest.mark.parametrize("name", PROXIES.keys() - OWN_NAME)
def test_a_configuration_to_copy_sets_the_certificate_header_of_its_row(name: str) -> None:
    assert PROXIES[name].certificate_header in configuration_of(PROXIES[name]).lower()


@pytest.mark.parametrize("name", PROXIES)
def test_no_recipe_to_copy_is_conditional_since_those_let_forgeries_pass(name: str) -> None:
    assert not re.search(r"(?<!deny )\bif\b|\bexpr=-n\b", configuration_of(PROXIES[name]))
