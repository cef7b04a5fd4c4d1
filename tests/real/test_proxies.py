"""The configurations of docs/proxies/ behind the real proxies: who is let in as whom, and that no forgery is."""

from __future__ import annotations

import base64
import dataclasses
import ssl
import tempfile
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

import httpx2
import pytest
from markdown_it import MarkdownIt

from sslclientcert import PROXIES as ROWS
from sslclientcert.cli.proxies import configuration_of

from .apps import PRODUCTS as ROWS_OF_PRODUCTS
from .configurations import PAGES, PRODUCTS, PROXIES, blocks, unsafe
from .fronts import FORGERIES, Front, front
from .pki import Pki
from .products import product
from .servers import Application, Reply, application

CONTROLLERS = ("openshift", "haproxy-ingress", "f5-nginx")  # the proxy inside, with the lines of the template
RUN = ("nginx-ingress", "traefik-ingress-nginx", *CONTROLLERS, "apache-base64", *PROXIES, *PRODUCTS)
COLUMNS = {
    "nginx-ingress": "ingress-nginx",
    "traefik-ingress-nginx": "traefik",
    "openshift": "haproxy",
    "haproxy-ingress": "haproxy",
    "f5-nginx": "nginx",
    "apache-base64": "apache",
    "rfc9440": "haproxy",
    "traffic-server": "traffic server",
}
# These refuse a stranger's certificate themselves, also if a client may have none.
REFUSE_STRANGERS = ("haproxy-ingress", "traffic-server")
FORWARDS_THE_CHAIN = ("envoy", "haproxy", "traefik")
# What becomes of a request that has one of the other spellings, where the proxy does not take it away.
OTHER_SPELLINGS = ("underscores", "one underscore", "both spellings")
AT_OTHER_SPELLINGS = {
    "envoy": (400, None),  # Envoy refuses every request with such a name
    "openshift": (400, "header_ambiguous"),
}


@pytest.fixture(scope="module")
def upstream(pki: Pki) -> Iterator[Application]:
    with (
        tempfile.TemporaryDirectory(prefix="proxies-") as name,
        application(Path(name), "uvicorn-httptools", pki.bundle, "asgi_of_every_proxy") as started,
    ):
        yield started


@pytest.fixture(scope="module", params=RUN)
def open_front(
    request: pytest.FixtureRequest, pki: Pki, upstream: Application, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """Each proxy, asking for a certificate and leaving it to the application to judge."""
    folder = tmp_path_factory.mktemp("open") / request.param
    with front(request.param, pki, upstream, folder, verifies=False) as started:
        yield started


@pytest.fixture(scope="module", params=RUN)
def strict_front(
    request: pytest.FixtureRequest, pki: Pki, upstream: Application, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """Each proxy as its page has it: it refuses clients without a good certificate itself."""
    folder = tmp_path_factory.mktemp("strict") / request.param
    with front(request.param, pki, upstream, folder, verifies=True) as started:
        yield started


def leaf(reply: Reply) -> bytes:
    assert reply.status == 200, reply
    return base64.b64decode(reply.json["leaf"])


SEEN = (
    "documentation",
    "good",
    "common-name-only",
    "via-intermediate",
    "ed25519-root",
    "utf-8",
    "hostile",
    "large",
    "xfcc-injection",
)


def sees(front_: Front, client: str, reply: Reply) -> None:
    if (front_.name, client) == ("traefik-ingress-nginx", "hostile"):
        assert (reply.status, reply.code) == (
            500,
            None,
        )  # Go refuses to send a header with a line break, as in its name
    else:
        assert leaf(reply) == front_.pki.client[client].der


@pytest.mark.parametrize("client", SEEN)
def test_the_application_sees_the_very_certificate_of_the_handshake(open_front: Front, client: str) -> None:
    sees(open_front, client, open_front.get(client))


@pytest.mark.parametrize("client", SEEN)
def test_the_configuration_of_the_page_as_it_stands_shows_the_same(strict_front: Front, client: str) -> None:
    sees(strict_front, client, strict_front.get(client))


def test_a_request_without_certificate_is_refused_as_that(open_front: Front) -> None:
    assert open_front.get(None).code == "certificate_missing"


def refused(ask: Callable[..., Reply], client: str | None, *headers: list[tuple[str, str]]) -> str | None:
    """The code with which the library refuses; None if the proxy answers itself, or ends the connection."""
    try:
        reply = ask(client, *headers)
    except (OSError, HTTPException, httpx2.TransportError):
        return None
    assert reply.status >= 400, reply
    return reply.code


def refusal(front_: Front, client: str | None) -> str | None:
    """What `refused` has to be for a client without a certificate, or with a stranger's."""
    if client is None:
        return "certificate_missing"
    return None if front_.name in REFUSE_STRANGERS else "certificate_untrusted"


@pytest.mark.parametrize("client", ["stranger", "impostor"])
def test_a_strangers_certificate_is_refused(open_front: Front, client: str) -> None:
    assert refused(open_front.get, client) == refusal(open_front, client)


def test_an_intermediate_that_the_bundle_lacks_is_seen_where_the_proxy_forwards_the_chain(open_front: Front) -> None:
    reply = open_front.get("via-forwarded")
    if open_front.name in FORWARDS_THE_CHAIN:
        assert leaf(reply) == open_front.pki.client["via-forwarded"].der
    else:
        assert reply.code == "certificate_untrusted"


def test_a_certificate_of_14_kilobytes_is_seen_whole_or_refused(open_front: Front) -> None:
    reply = open_front.get("huge")
    # HAProxy sends an empty header for what does not fit into its buffer of 16 KB.
    refused = {
        "haproxy": "forwarding_inconsistent",
        "rfc9440": "certificate_missing",
        "openshift": "certificate_missing",
        "haproxy-ingress": "certificate_missing",
    }.get(open_front.name)
    if refused:
        assert reply.code == refused
    else:
        assert leaf(reply) == open_front.pki.client["huge"].der


@pytest.mark.parametrize("way", FORGERIES)
@pytest.mark.parametrize("client", [None, "common-name-only", "stranger"])
def test_a_forged_header_never_makes_anybody_its_holder(open_front: Front, client: str | None, way: str) -> None:
    forged = open_front.forged(way)
    if open_front.name in AT_OTHER_SPELLINGS and way in OTHER_SPELLINGS:
        reply = open_front.get(client, forged)
        assert (reply.status, reply.code) == AT_OTHER_SPELLINGS[open_front.name]
    elif client == "common-name-only":
        assert leaf(open_front.get(client, forged)) == open_front.pki.client[client].der
    else:
        assert refused(open_front.get, client, forged) == refusal(open_front, client)


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forged_header_never_makes_anybody_its_holder_behind_the_page_as_it_stands(
    strict_front: Front, way: str
) -> None:
    reply = strict_front.get("common-name-only", strict_front.forged(way))
    if strict_front.name in AT_OTHER_SPELLINGS and way in OTHER_SPELLINGS:
        assert (reply.status, reply.code) == AT_OTHER_SPELLINGS[strict_front.name]
    else:
        assert leaf(reply) == strict_front.pki.client["common-name-only"].der


@pytest.mark.parametrize("client", ["good", "hostile", "large"])
def test_the_certificate_of_an_http2_client_is_seen(open_front: Front, client: str) -> None:
    sees(open_front, client, open_front.get_over_http2(client))


@pytest.mark.parametrize("way", ["exact", "underscores", "twice"])
@pytest.mark.parametrize("client", [None, "common-name-only", "stranger"])
def test_a_header_forged_over_http2_makes_nobody_its_holder(open_front: Front, client: str | None, way: str) -> None:
    if open_front.name == "envoy" and way == "underscores":
        with pytest.raises(httpx2.RemoteProtocolError, match="StreamReset"):
            open_front.get_over_http2(client, open_front.forged(way))
        return
    forged = open_front.forged(way)
    if open_front.name in AT_OTHER_SPELLINGS and way in OTHER_SPELLINGS:
        reply = open_front.get_over_http2(client, forged)
        assert (reply.status, reply.code) == AT_OTHER_SPELLINGS[open_front.name]
    elif client == "common-name-only":
        assert leaf(open_front.get_over_http2(client, forged)) == open_front.pki.client[client].der
    else:
        assert refused(open_front.get_over_http2, client, forged) == refusal(open_front, client)


def table(heading: str, column: str) -> dict[str, str]:
    """The column of a table of docs/proxies/index.md that has a proxy's name at its head, by the first column."""
    tokens = MarkdownIt().enable("table").parse((PAGES / "index.md").read_text(encoding="utf-8"))
    start = next(number for number, token in enumerate(tokens) if token.content == heading)
    end = next(number for number, token in enumerate(tokens) if number > start and token.type == "table_close")
    cells = [token.content for token in tokens[start + 1 : end] if token.type == "inline" and token.level == 4]
    columns = cells.index("Envoy") + 1
    rows = [cells[first : first + columns] for first in range(0, len(cells), columns)]
    at = next(number for number, cell in enumerate(rows[0]) if column in cell.lower().split(", "))
    return {row[0]: row[at] for row in rows[1:]}


def column_of(front_: Front) -> str:
    return COLUMNS.get(front_.name, front_.name)


SHOWN = {
    "a good certificate": "good",
    "none": None,
    "one by a stranger's CA": "stranger",
    "one that has expired": "expired",
    "one for servers only": "server-auth-only",
    "one for any purpose, and none by name": "any-purpose",
    "one whose key may only encipher": "key-encipherment",
    "an RSA key of 1024 bits": "rsa-1024",
    "a SHA-1 signature": "sha-1-signature",
    "a key on the curve P-521": "p-521",
    "an Ed25519 key": "ed25519",
}


def became(strict_front: Front, client: str | None) -> str:
    """What became of a client: rejected by the proxy itself, or by the library, or accepted."""
    strict_front.context(client)  # what the client itself has against its certificate is raised here
    try:
        reply = strict_front.get(client)
    except (OSError, HTTPException):
        return "rejected"
    if reply.status == 200:
        assert client is not None
        assert leaf(reply) == strict_front.pki.client[client].der
        return "accepted"
    return "rejected" if reply.code is None else f"`{reply.code}`"


def test_who_is_accepted_is_what_the_table_says(strict_front: Front) -> None:
    real = {what: became(strict_front, client) for what, client in SHOWN.items()}
    assert table("Who is accepted", column_of(strict_front)) == real


def test_what_a_resumed_session_keeps_is_what_the_table_says(strict_front: Front) -> None:
    real = {}
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        replies, resumed = strict_front.get_twice("good", version)
        assert [leaf(reply) for reply in replies] == [strict_front.pki.client["good"].der] * 2
        real[f"a session of {version.name.replace('v', ' ').replace('_', '.')} is resumed"] = "yes" if resumed else "no"
        (first, second), _ = strict_front.get_twice("via-forwarded", version)
        if first.status == 200:
            intermediates = "kept" if second.status == 200 else "lost"
            assert leaf(first) == strict_front.pki.client["via-forwarded"].der
        else:
            intermediates = "never sent"
        assert {first.code, second.code} <= {None, "certificate_untrusted"}
        assert real.setdefault("the client's intermediates are then", intermediates) == intermediates
    said = table("Resumed sessions", column_of(strict_front))
    if strict_front.name not in FORWARDS_THE_CHAIN:  # those without the line that sends the chain
        said["the client's intermediates are then"] = "never sent"
    assert said == real


def test_a_forged_header_on_a_resumed_session_makes_nobody_its_holder(open_front: Front) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        forged = open_front.forged("exact")
        replies, _ = open_front.get_twice("common-name-only", version, forged)
        assert [leaf(reply) for reply in replies] == [open_front.pki.client["common-name-only"].der] * 2
        replies, _ = open_front.get_twice(None, version, forged)
        assert [reply.code for reply in replies] == ["certificate_missing"] * 2


TRIED = {  # on docs/proxies/others.md, and what is run for it
    "Apache Traffic Server": ("traffic-server", "the product"),
    "HAProxy Ingress": ("haproxy-ingress", "its lines"),
    "F5 NGINX Ingress Controller": ("f5-nginx", "its lines"),
    "Emissary": ("envoy", "its lines"),
    "Istio, Kyma": ("istio", "its lines"),
}
SAID_OF_A_CLIENTS_OWN = {"removed", "replaced by nothing", "**left in place**"}


def rows_of_others() -> dict[str, list[str]]:
    """The table of docs/proxies/others.md: product, then the other cells."""
    lines = (PAGES / "others.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| [")]
    return {product_[1:].split("]")[0]: cells for product_, *cells in rows}


def test_the_page_on_other_products_says_of_each_whether_it_was_tried() -> None:
    said = {product_: cells[0].split(", ")[0] for product_, cells in rows_of_others().items() if cells[0] != "no"}
    assert said == {product_: how for product_, (_, how) in TRIED.items()}


@pytest.mark.parametrize("product_", TRIED)
def test_what_the_page_on_other_products_names_is_what_is_run(product_: str, pki: Pki) -> None:
    _, configure, proxy, header, own = rows_of_others()[product_]
    name, _ = TRIED[product_]
    assert own.split(":")[0].split(",")[0] in SAID_OF_A_CLIENTS_OWN
    if name == "istio":  # tests/real/test_unsafe.py
        assert configure.split("`")[1] in unsafe("envoy")["Your own header"]
        return
    row = ROWS[proxy.strip("`")]
    if header:
        row = dataclasses.replace(row, certificate_header=header.strip("`"))
    assert row == ROWS_OF_PRODUCTS.get(name, ROWS["envoy"])
    made = product(name, pki, "127.0.0.1:8000", verifies=True)
    run = made[1] if made else "".join(blocks(name).values())
    lines = [code for code in configure.split("`")[1::2] if code.startswith(("http-", "proxy_", "forward_", "set_"))]
    assert [line for line in lines if line not in run] == []
    assert bool(lines) == (name != "traffic-server")


PAGE_OF = {
    "nginx-ingress": "nginx-ingress",
    "traefik-ingress-nginx": "traefik-ingress-nginx",
    "openshift": "haproxy",
}


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.md")))
def test_no_configuration_stands_on_a_page_that_is_not_loaded(page: str) -> None:
    tokens = MarkdownIt().parse((PAGES / f"{page}.md").read_text(encoding="utf-8"))
    fences = [token for token in tokens if token.type == "fence"]
    shown = [token.content for token in fences if token.info in ("nginx", "apache", "caddyfile", "yaml")]
    loaded = list(blocks(page).values()) if page in (*RUN, "environ") else []  # the latter by test_environ.py
    assert set(shown) <= set(loaded)
    assert page in (*PROXIES, *PRODUCTS) or "diff" not in [
        token.info for token in fences
    ]  # the changes are tests/real/test_unsafe.py's


@pytest.mark.parametrize("page", PROXIES)
def test_the_snippet_to_copy_is_in_the_configuration_that_is_tested(page: str) -> None:
    said = " ".join(" ".join(blocks(page).values()).split())
    for line in configuration_of(ROWS[page]).splitlines():
        assert " ".join(line.split()).removesuffix(" {") in said, line


@pytest.mark.parametrize("name", sorted(ROWS.keys() - set(PROXIES)))
def test_the_snippet_of_a_row_that_is_not_tested_like_that_is_on_its_page(name: str) -> None:
    page = PAGE_OF.get(name, "cloud")
    assert f"```text\n{configuration_of(ROWS[name])}```\n" in (PAGES / f"{page}.md").read_text(encoding="utf-8")
