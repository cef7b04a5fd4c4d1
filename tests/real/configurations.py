"""The complete configurations on the pages of docs/proxies/, as the real proxies load them on loopback."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from markdown_it import MarkdownIt

PAGES = Path(__file__).parents[2] / "docs" / "proxies"

PROXIES = ("nginx", "haproxy", "apache", "caddy", "traefik", "envoy", "rfc9440")  # the pages of rows of the table
PRODUCTS = ("traffic-server",)  # and of others
_KINDS = {"rfc9440": "haproxy", "traffic-server": "trafficserver"}  # of the other pages it is their name

_CADDY_SITE = "{\n\tadmin off\n\tauto_https disable_redirects\n}\nlocalhost:@PORT@ {\n\tbind 127.0.0.1"
_FOR_LOOPBACK = {
    "nginx": {"listen 443 ssl": "listen 127.0.0.1:@PORT@ ssl"},
    "haproxy": {"bind :443": "bind 127.0.0.1:@PORT@"},
    "apache": {"<VirtualHost *:443>": "<VirtualHost 127.0.0.1:@PORT@>"},
    "caddy": {"SITE.example.org {": _CADDY_SITE},
    "traefik": {
        '":443"': '"127.0.0.1:@PORT@"',
        "/etc/traefik/dynamic.yaml\n": "@FOLDER@/dynamic.yaml\n",
    },
    "envoy": {"{address: 0.0.0.0, port_value: 443}": "{address: 127.0.0.1, port_value: @PORT@}"},
    "trafficserver": {
        "443:ssl": "@PORT@:ip-in=127.0.0.1:ssl",
        "/etc/trafficserver/headers.config\n": "@FOLDER@/headers.config\n",
    },
}
# What makes each forward whatever the client presents, for the application to judge.
_JUDGED_BY_THE_APPLICATION = {
    "nginx": {"ssl_verify_client       on;": "ssl_verify_client optional_no_ca;"},
    "haproxy": {"verify required": "verify optional crt-ignore-err all ca-ignore-err all"},
    "apache": {"SSLVerifyClient require": "SSLVerifyClient optional_no_ca"},
    "caddy": {"mode require_and_verify": "mode request"},
    "traefik": {"RequireAndVerifyClientCert": "RequestClientCert"},
    "envoy": {
        "require_client_certificate: true": "require_client_certificate: false",
        "VERIFY_TRUST_CHAIN": "ACCEPT_UNTRUSTED",
    },
    # It refuses a bad certificate all the same: nothing makes it forward one.
    "trafficserver": {"certification_level INT 2": "certification_level INT 1"},
}


class Site(Protocol):
    """Where a proxy finds its own certificate and key (`tls.crt`, `tls.key`, `tls.pem` with both) and the CA bundle."""

    site: Path
    bundle: Path


def blocks(page: str) -> dict[str, str]:
    """Return the complete configuration files of a page: the fenced blocks that begin with `# /etc/...`, by path."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    fences = [token.content for token in MarkdownIt().parse(text) if token.type == "fence"]
    return {each.split("\n")[0].removeprefix("# "): each for each in fences if each.startswith("# /etc/")}


def unsafe(page: str) -> dict[str, str]:
    """Return the changes to its configuration that a page warns of (its blocks of `diff`), by the heading over each."""
    heading, found = "", {}
    tokens = MarkdownIt().parse((PAGES / f"{page}.md").read_text(encoding="utf-8"))
    for token, following in itertools.pairwise(tokens):
        if token.type == "heading_open":
            heading = following.content
        elif token.type == "fence" and token.info == "diff":
            assert heading not in found, f"{page}.md: two changes under {heading!r}"
            found[heading] = token.content
    return found


def changed(texts: list[str], change: str) -> list[str]:
    """Apply a diff: each run of lines, of which those with `-` and ` ` stand in one of the files, once."""
    for run in change.split("@@\n"):
        old, new = ("".join(line[1:] for line in run.splitlines(True) if line[0] in marks) for marks in ("- ", "+ "))
        assert [text.count(old) for text in texts].count(1) == 1, f"not once in the page's configuration:\n{old}"
        texts = [text.replace(old, new) for text in texts]
    return texts


def replaced(texts: list[str], changes: Mapping[str, str], source: str) -> list[str]:
    """Replace texts in the files of a source, each of which has to be in one of them."""
    for old, new in changes.items():
        assert any(old in text for text in texts), f"{source} does not say {old!r}"
        texts = [text.replace(old, new) for text in texts]
    return texts


def for_loopback(kind: str, site: Site, upstream: str, *, verifies: bool, name: str = "app") -> dict[str, str]:
    """Return what to replace in a configuration to run it here.

    Parameters:
        kind: of the proxy.
        site: the files it gets.
        upstream: the application's `address:port`, or the path of its Unix socket.
        verifies: as the configuration says; or else the application alone judges the client's certificate.
        name: what the configuration calls the site.
    """
    if upstream.startswith("/"):
        where = {f"/run/{name}/app.sock": upstream}
    elif kind == "envoy":
        where = {"port_value: 8000": f"port_value: {upstream.rpartition(':')[2]}"}
    else:
        where = {"127.0.0.1:8000": upstream}
    return {
        f"/etc/ssl/{name}/": f"{site.site}/",
        "/etc/client-ca/ca.crt": str(site.bundle),
        **{old.replace("SITE", name): new for old, new in _FOR_LOOPBACK[kind].items()},
        **where,
        **({} if verifies else _JUDGED_BY_THE_APPLICATION[kind]),
    }


def configuration(
    proxy: str, site: Site, upstream: str, *, verifies: bool, change: str = ""
) -> tuple[str, str, dict[str, str]]:
    """Return kind, main file and other files of the page's configuration, for `rigs.running`.

    Parameters:
        proxy: the name of the page.
        site: the files it gets.
        upstream: the application's `address:port`.
        verifies: as on the page; or else the application alone judges the client's certificate.
        change: one of the page's `unsafe` changes to it.
    """
    kind = _KINDS.get(proxy, proxy)
    main, *others = blocks(proxy).items()
    texts = [main[1], *(text for _, text in others)]
    if change:
        texts = changed(texts, change)
    texts = replaced(texts, for_loopback(kind, site, upstream, verifies=verifies), f"{proxy}.md")
    return kind, texts[0], {Path(path).name: text for (path, _), text in zip(others, texts[1:], strict=True)}
