"""What docs/proxies/ warns of, in the real proxies: what each such configuration lets in, and that probe finds it."""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from examples.demo.nginx import Ingress, nginx
from sslclientcert import PROXIES as ROWS
from sslclientcert import ClientCertAuthenticator
from sslclientcert.cli import main
from sslclientcert.wsgi import ClientCertMiddleware

from .apps import PRODUCTS
from .configurations import PAGES, PROXIES, configuration, unsafe
from .configurations import PRODUCTS as PAGES_OF_PRODUCTS
from .fronts import Front, front
from .pki import Pki
from .products import product
from .rigs import running
from .servers import Application, Reply, application
from .test_probe import served

VICTIM = "let in as somebody else"
NOBODY, ANYBODY = None, "common-name-only"  # a client without a certificate, and one with a good one of its own


class Hole(NamedTuple):
    """A way by which a forgery arrives: what the client shows, how it forges, and what the application makes of it."""

    client: str | None
    way: str
    becomes: str
    probed_as: tuple[str, str]
    """The way by which `probe` finds it, and whether with its certificate or without."""
    row: str = ""


SET_CONDITIONALLY = Hole(NOBODY, "exact", VICTIM, ("exact", "without"))
UNDERSCORES = Hole(ANYBODY, "underscores", "header_ambiguous", ("underscore", "with"))
HOLES = {
    "nginx": {
        "Underscores passed on": UNDERSCORES,
        "The certificate left to the client": Hole(ANYBODY, "exact", VICTIM, ("exact", "with")),
        "A line of the location's own": Hole(NOBODY, "exact", VICTIM, ("exact", "without")),
    },
    "haproxy": {"Set where there is a certificate": SET_CONDITIONALLY, "Underscores passed on": UNDERSCORES},
    "apache": {
        "Set where there is a certificate": SET_CONDITIONALLY,
        "Underscores passed on": UNDERSCORES,
        "Removed by the client": Hole(ANYBODY, "hidden by Connection", "certificate_missing", ("hop-by-hop", "with")),
    },
    "caddy": {
        "Set where there is a certificate": SET_CONDITIONALLY,
        "Added instead of set": Hole(ANYBODY, "exact", "header_ambiguous", ("exact", "with")),
    },
    "traefik": {
        "Every client trusted": SET_CONDITIONALLY,
        "Every client trusted, one spelling dropped": Hole(
            NOBODY, "underscores", "header_ambiguous", ("underscore", "without")
        ),
    },
    "envoy": {
        "Forwarding what clients send": SET_CONDITIONALLY,
        "Appending in front of clients": Hole(ANYBODY, "exact", "header_ambiguous", ("exact", "with")),
        "Your own header": Hole(NOBODY, "exact", VICTIM, ("exact", "without"), row="nginx"),
        "Underscores passed on": UNDERSCORES,
    },
    "rfc9440": {"Set where there is a certificate": SET_CONDITIONALLY, "Underscores passed on": UNDERSCORES},
    "traffic-server": {"Underscores passed on": UNDERSCORES},
}
# Changes that are no hole for the probe: another format, and one that takes a certificate made for the purpose.
OTHERS = {
    "nginx": {"The older variable"},
    "haproxy": {"The recipe of Tomcat's SSLValve"},
    "envoy": {"URI and DNS names forwarded"},
    "apache": {"The text of the PEM in base64"},  # tests/real/test_proxies.py
    "traffic-server": {"The cache left on"},
}
# What docs/proxies/others.md warns of, in the templates of controllers.
OF_CONTROLLERS = {
    ("haproxy-ingress", "-    http-request del-header _ -m sub\n"): UNDERSCORES,
    (
        "f5-nginx",
        """\
-        proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
-        proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
@@
     server_tokens "on";
+    proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
+    proxy_set_header X-SSL-Client-Verify $ssl_client_verify;
""",
    ): SET_CONDITIONALLY,
}
OF_THE_INGRESS = {
    "The certificate not passed": Hole(ANYBODY, "exact", "forwarding_inconsistent", ("exact", "without")),
    "A host without auth-tls-secret": Hole(NOBODY, "exact", VICTIM, ("exact", "without")),
}


class PlainFront(Front):
    """One that answers plain HTTP alone."""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/{self.name}"


Stand = Callable[..., AbstractContextManager[Front]]
Probe = Callable[[Front], tuple[int, set[tuple[str, str]]]]


@pytest.fixture
def probe(capsys: pytest.CaptureFixture[str]) -> Probe:
    """Run `sslclientcert probe`: its exit status, and the ways by which a forgery arrived."""

    def call(probed: Front) -> tuple[int, set[tuple[str, str]]]:
        client = probed.pki.client["good"]
        row = PRODUCTS.get(probed.name) or ROWS[probed.name]
        options = ["--proxy", row.name, "--header", row.certificate_header, "--cacert", str(probed.pki.server_ca)]
        if probed.url.startswith("https:"):
            options += ["--cert", str(client.certificate), "--key", str(client.key)]
        status = main(["probe", probed.url, "--json", *options])
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
        arrived = ("accepted", "refused by the application")
        return status, {(each["way"], each["client_certificate"]) for each in found if each["outcome"] in arrived}

    return call


@pytest.fixture(scope="module")
def upstreams(pki: Pki) -> Iterator[dict[str, Application]]:
    with tempfile.TemporaryDirectory(prefix="unsafe-") as name, ExitStack() as stack:
        yield {
            server: stack.enter_context(application(Path(name), server, pki.bundle, "asgi_of_every_proxy"))
            for server in ("uvicorn-h11", "uvicorn-httptools")
        }


@pytest.fixture
def stand(pki: Pki, upstreams: dict[str, Application], tmp_path: Path) -> Stand:
    """Run the proxy of a page, with one of the changes that it warns of, by its heading.

    The application is on a server that knows no trailers: HAProxy passes them on, in every configuration.
    """

    def start(
        page: str, change: str = "", *, verifies: bool = False, row: str = "", server: str = "uvicorn-h11"
    ) -> AbstractContextManager[Front]:
        diff = unsafe(page)[change] if change else ""
        return front(page, pki, upstreams[server], tmp_path / page, verifies=verifies, change=diff, row=row)

    return start


def outcome(reply: Reply, victim: bytes) -> str:
    if reply.status == 200 and base64.b64decode(reply.json["leaf"]) == victim:
        return VICTIM
    return reply.code or str(reply.status)


def hold(hole: Hole, open_: Front, probe: Probe) -> None:
    forged = open_.forged(hole.way)
    assert outcome(open_.get(hole.client, forged), open_.pki.client["good"].der) == hole.becomes
    status, arrived = probe(open_)
    assert status == 1
    assert hole.probed_as in arrived


@pytest.mark.parametrize("case", [(page, heading) for page, holes in HOLES.items() for heading in holes], ids=": ".join)
def test_what_the_page_warns_of_lets_a_forgery_through_and_probe_finds_it(
    case: tuple[str, str], stand: Stand, probe: Probe
) -> None:
    page, heading = case
    hole = HOLES[page][heading]
    with stand(page, heading, row=hole.row) as opened:
        hold(hole, opened, probe)


@pytest.mark.parametrize("case", OF_CONTROLLERS, ids=[name for name, _ in OF_CONTROLLERS])
def test_what_a_controllers_template_lets_through_probe_finds(
    case: tuple[str, str], pki: Pki, upstreams: dict[str, Application], tmp_path: Path, probe: Probe
) -> None:
    name, change = case
    with front(name, pki, upstreams["uvicorn-h11"], tmp_path / name, verifies=False, change=change) as opened:
        hold(OF_CONTROLLERS[case], opened, probe)


@pytest.mark.parametrize("ssl_redirect", ["false", "true"])
def test_behind_the_fronting_port_of_haproxy_ingress_a_client_that_says_https_keeps_its_own_header(
    ssl_redirect: str, pki: Pki, upstreams: dict[str, Application], tmp_path: Path, probe: Probe
) -> None:
    """Unless `ssl-redirect` is on, as by default: then the header is set on every request."""
    made = product("haproxy-ingress over plain HTTP", pki, upstreams["uvicorn-h11"].upstream, verifies=True)
    assert made is not None
    kind, text, files = made
    assert " if local-offload" in text
    if ssl_redirect == "true":
        text = text.replace(" if local-offload", "")
    with running(kind, text, tmp_path / "haproxy", files=files) as started:
        plain = PlainFront(name="haproxy-ingress", pki=pki, port=started.port)
        forged = plain.forged("exact")
        assert plain.get_over_plain_http(forged).status == 302
        reply = plain.get_over_plain_http([*forged, ("X-Forwarded-Proto", "https")])
        is_victim = ssl_redirect == "false"
        assert outcome(reply, pki.client["good"].der) == (VICTIM if is_victim else "certificate_missing")
        assert probe(plain)[0] == is_victim


@pytest.mark.parametrize("heading", ["The cache left on", ""])
def test_a_cache_that_is_left_on_gives_one_clients_page_to_another(heading: str, pki: Pki, tmp_path: Path) -> None:
    calls = 0

    def page(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        nonlocal calls
        calls += 1
        start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "max-age=60")])
        return [environ["sslclientcert.identity"].common_name.encode()]

    guard = ClientCertMiddleware(page, ClientCertAuthenticator(pki.bundle, proxy="apache"))
    with served(guard) as port:
        diff = unsafe("traffic-server")[heading] if heading else ""
        kind, text, files = configuration("traffic-server", pki, f"127.0.0.1:{port}", verifies=False, change=diff)
        text += "CONFIG proxy.config.http.wait_for_cache INT 1\n"
        files["storage.config"] = "@FOLDER@ 64M\n"
        with running(kind, text, tmp_path / "proxy", files=files) as started:
            opened = Front(name="traffic-server", pki=pki, port=started.port)
            asked = 0
            while calls == asked < 20:  # until it answers by itself, if it ever does
                assert opened.get("good").body == b"alice"
                asked += 1
                time.sleep(0.05)
            nobody = opened.get(None)
    if heading:
        assert (calls, nobody.status, nobody.body) == (asked - 1, 200, b"alice")
    else:
        assert (calls, nobody.status, nobody.code) == (20, 403, "certificate_missing")


@pytest.mark.parametrize("heading", OF_THE_INGRESS)
def test_what_the_page_of_the_ingress_warns_of_lets_a_forgery_through_and_probe_finds_it(
    heading: str, pki: Pki, upstreams: dict[str, Application], tmp_path: Path, probe: Probe
) -> None:
    server, upstream = pki.server, upstreams["uvicorn-h11"].upstream
    with ExitStack() as stack:
        if heading == "The certificate not passed":
            ingress = Ingress(upstream=upstream, ca=pki.bundle, pass_certificate=False)
            (port,) = stack.enter_context(nginx(tmp_path, [ingress], certificate=server.certificate, key=server.key))
        else:
            text = (
                f"server {{ listen 127.0.0.1:@PORT@ ssl; ssl_certificate {server.certificate};"
                f" ssl_certificate_key {server.key}; location / {{ proxy_pass http://{upstream}; }} }}"
            )
            port = stack.enter_context(running("nginx", text, tmp_path / "nginx")).port
        hold(OF_THE_INGRESS[heading], Front(name="nginx-ingress", pki=pki, port=port), probe)


@pytest.mark.parametrize("verifies", [True, False])
@pytest.mark.parametrize("page", ["nginx-ingress", "haproxy-ingress", "f5-nginx", *PROXIES, *PAGES_OF_PRODUCTS])
def test_the_configuration_of_the_page_itself_lets_nothing_through(
    page: str, verifies: bool, stand: Stand, probe: Probe
) -> None:
    with stand(page, verifies=verifies) as started:
        assert probe(started) == (0, set())


def test_every_change_that_a_page_warns_of_is_tried() -> None:
    for page in (*PROXIES, *PAGES_OF_PRODUCTS):
        assert unsafe(page).keys() == HOLES[page].keys() | OTHERS.get(page, set()), page
    for heading in OF_THE_INGRESS:
        assert f"### {heading}\n" in (PAGES / "nginx-ingress.md").read_text(encoding="utf-8")


def test_an_element_smuggled_in_by_a_uri_name_is_refused(stand: Stand, probe: Probe) -> None:
    with stand("envoy", "URI and DNS names forwarded") as opened:
        assert opened.get("xfcc-injection").code == "header_ambiguous"
        assert opened.get("common-name-only").status == 200
        assert probe(opened) == (0, set())  # it has no such certificate


@pytest.mark.parametrize(("server", "status"), [("uvicorn-h11", 200), ("uvicorn-httptools", 400)])
def test_the_older_variable_of_nginx_is_read_where_the_server_joins_folded_lines(
    stand: Stand, server: str, status: int
) -> None:
    with stand("nginx", "The older variable", row="apache", server=server) as old:
        reply = old.get("good")
        assert (reply.status, reply.code) == (status, None)
        if status == 200:
            assert base64.b64decode(reply.json["leaf"]) == old.pki.client["good"].der
        assert old.get(None).code == "certificate_missing"


def test_the_recipe_of_tomcats_ssl_valve_is_read(stand: Stand) -> None:
    with stand("haproxy", "The recipe of Tomcat's SSLValve", row="apache") as valve:
        assert base64.b64decode(valve.get("good").json["leaf"]) == valve.pki.client["good"].der
        assert valve.get(None).code == "header_malformed"
        forger = valve.get("common-name-only", valve.forged("exact"))
        assert base64.b64decode(forger.json["leaf"]) == valve.pki.client["common-name-only"].der
