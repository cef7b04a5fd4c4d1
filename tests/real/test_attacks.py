"""The attacks that this field has seen, each with the real server or proxy in which it was seen.

What the library refuses is asserted as its refusal. What it cannot tell from an honest request is asserted as well, as
what it is: the attacker is let in as somebody else. Such a test or line says that only the deployment can stop it, and
what it lacks. Of the tests elsewhere, the beginning of the name is given.

| attack | tests, here where no file is named |
| --- | --- |
| underscore twins | test_an_underscore_twin, test_a_verdict_of_the_client, test_a_name_without_a_hyphen |
| | test_where_the_last; test_protocols: test_an_underscore_twin; test_nginx: test_a_forged_header |
| other spellings | test_spellings_that_cheroot |
| a header that comes twice | test_a_header_that_comes_twice; test_nginx: test_a_forged_header |
| a joined list, a stranger's first | test_a_certificate_slid; core/test_properties: test_no_join_of_two_headers |
| hop-by-hop removal | test_a_verdict_that_apache, test_without_its_verdict, test_with_every_header_removed |
| a tunnel through the proxy | test_a_tunnel_by_connect, test_a_tunnel_by_h2c |
| | adapters/test_wsgi: test_nobody_opens; adapters/test_asgi: test_nobody_opens |
| a body taken for a request | test_a_body_that_bjoern |
| chunked trailers | test_trailers_that_haproxy, test_trailers_that_traffic_server |
| | test_protocols: test_a_trailer; test_probe: test_a_trailer |
| trailers that a server joins to an empty header | test_trailers_that_a_server_joins, test_trailers_never_win |
| XFCC elements through a URI name | test_an_element_smuggled; core/test_decoding: test_an_element_injected |
| XFCC elements of the client's own | test_an_element_that_a_client_sends |
| two Envoys, no certificate | test_through_two_envoys, test_a_second_envoy |
| a connection that is reset, so that the server tells no peer | test_peers: test_a_stranger_who_resets |
| a Host that looks like the path of a unix socket | test_peers: test_a_stranger_who_stays |
| a peer rewritten twice, by ProxyFix | adapters/test_flask: test_behind_two_proxy_fixes |
| a peer rewritten | test_no_claim_of_a_request, test_where_uvicorn_rewrites; test_nginx: test_a_request_past_nginx |
| a genuine verdict beside another's certificate | test_beside_a_certificate_of_the_victims_names |
| | test_nginx: test_a_forged_certificate_contradicts |
| HAProxy's 0 for none, and for too large | test_proxies: test_a_request_without_certificate, test_a_certificate_of_14 |
| foreign schemes | test_the_headers_of_every_other_proxy |
| raw headers read downstream | test_nginx: test_the_application_sees_the_identity |
"""

from __future__ import annotations

import functools
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from h2.config import H2Configuration
from h2.connection import H2Connection

from sslclientcert import PROXIES
from sslclientcert.cli.proxies import configuration_of
from sslclientcert.testing import encode

from .apps import SERVED
from .conftest import Stage
from .fronts import Front, front
from .many_servers import OF_ASGI, OF_WSGI, application
from .pki import Pki
from .rigs import RunningProxy, running
from .servers import DEADLINE_SECONDS, PROXY_ADDRESS, Application, Reply, https, plain, raw, tls_context

ATTACKER, VICTIM = "common-name-only", "good"
NAMES = {"bob": ATTACKER, "alice": VICTIM}

Servers = Callable[[str], Application]


@pytest.fixture(scope="module")
def servers(pki: Pki) -> Iterator[Servers]:
    """Returns a function: the server of a name, started once for all tests."""
    with ExitStack() as stack:
        yield functools.cache(lambda name: stack.enter_context(application(name, pki.bundle)))


def became(reply: Reply) -> str:
    """Whom the application saw, or why nobody."""
    return reply.code or str(reply.json["common_name"] if reply.status == 200 else reply.status)


def header(pki: Pki, client: str, name: str = "ssl-client-cert") -> tuple[str, str]:
    return name, quote(pki.client[client].pem, safe="")


def sent_for(pki: Pki, client: str, proxy: str) -> list[tuple[str, str]]:
    """What a proxy sends for a client, in the order in which it reads them."""
    return list(encode(x509.load_der_x509_certificate(pki.client[client].der), proxy).items())


def test_the_table_above_names_tests_that_there_are() -> None:
    here = Path(__file__)
    groups = re.findall(r"(?:([a-z/_]+): )?(test_\w+(?:, test_\w+)*)(?=;| \||$)", __doc__ or "", re.MULTILINE)
    assert len(groups) > 15
    for file, names in groups:
        folder = here.parents[1] if "/" in file else here.parent
        text = (folder / f"{file}.py" if file else here).read_text(encoding="utf-8")
        for name in names.split(", "):
            assert f"\ndef {name}" in text, (file, name)


# What servers make of two spellings, and of a header that comes twice: the proxy's own and a client's

DROP = ("gunicorn", "gunicorn asgi", "waitress", "bjoern")  # names with an underscore
JOIN = ("gunicorn header_map=dangerous", "hypercorn wsgi", "uvicorn wsgi", "uvicorn a2wsgi", "wsgiref")
LAST_WINS = ("cheroot", "granian wsgi", "aiohttp-wsgi", "tornado")


@pytest.mark.parametrize("name", [*OF_WSGI, *OF_ASGI])
def test_an_underscore_twin_beside_the_header_of_the_proxy(name: str, servers: Servers, pki: Pki) -> None:
    own, twin = header(pki, ATTACKER), header(pki, VICTIM, "Ssl_Client_Cert")
    outcomes = [became(plain(servers(name).port, headers=pair)) for pair in ((twin, own), (own, twin))]
    if name in DROP:
        assert outcomes == ["bob", "bob"]
    elif name in LAST_WINS:  # test_where_the_last_header_wins_only_the_deployment_can_stop_an_underscore_twin
        assert outcomes == ["bob", "alice"]
    else:
        assert outcomes == ["header_ambiguous", "header_ambiguous"]


@pytest.mark.parametrize("name", [*OF_WSGI, *OF_ASGI])
def test_an_underscore_twin_where_the_proxy_sends_nothing(name: str, servers: Servers, pki: Pki) -> None:
    outcome = became(plain(servers(name).port, headers=[header(pki, VICTIM, "ssl_client_cert")]))
    if name in DROP:
        assert outcome == "certificate_missing"
    elif name in (*JOIN, *LAST_WINS):  # WSGI has one key for both: only the deployment can drop or overwrite it
        assert outcome == "alice"
    else:
        assert outcome == "header_ambiguous"


@pytest.mark.parametrize("name", [*OF_WSGI, *OF_ASGI])
def test_a_header_that_comes_twice(name: str, servers: Servers, pki: Pki) -> None:
    own, forged = header(pki, ATTACKER), header(pki, VICTIM)
    outcomes = [became(plain(servers(name).port, headers=pair)) for pair in ((forged, own), (own, forged))]
    if name == "cheroot":  # shows the application the last alone: only a proxy that replaces the header stops it
        assert outcomes == ["bob", "alice"]
    else:
        assert outcomes == ["header_ambiguous", "header_ambiguous"]


@pytest.mark.parametrize("name", [*OF_WSGI, *OF_ASGI])
def test_a_verdict_of_the_client_beside_that_of_the_proxy(name: str, servers: Servers, pki: Pki) -> None:
    """As of an nginx that does not pass the certificate on, so that the client can send one."""
    own, twin = ("ssl-client-verify", "NONE"), ("ssl_client_verify", "SUCCESS")
    forged = header(pki, VICTIM)
    outcomes = [became(plain(servers(name).port, headers=[forged, *pair])) for pair in ((twin, own), (own, twin))]
    if name in DROP:
        assert outcomes == ["forwarding_inconsistent"] * 2
    elif name in JOIN:
        assert outcomes == ["header_malformed"] * 2
    elif name in LAST_WINS:  # as with the certificate: only the deployment can stop it
        assert outcomes == ["forwarding_inconsistent", "alice"]
    else:
        assert outcomes == ["header_ambiguous"] * 2


@pytest.mark.parametrize("name", LAST_WINS)
def test_a_name_without_a_hyphen_has_no_underscore_twin(name: str, pki: Pki) -> None:
    with application(name, pki.bundle, {"SSLCLIENTCERT_HEADER": "clientcert"}) as server:
        own = header(pki, ATTACKER, "clientcert")
        for spelling in ("client_cert", "client-cert", "ssl_client_cert"):
            for pair in ([own, header(pki, VICTIM, spelling)], [header(pki, VICTIM, spelling), own]):
                assert became(plain(server.port, headers=pair)) == "bob"


# Real proxies in front of them


def tls(port: int, pki: Pki, client: str | None, path: str, headers: list[tuple[str, str]]) -> Reply:
    context = tls_context(pki.server_ca, None if client is None else pki.client[client])
    return https(port, context, headers=headers, path=path)


NGINX = """
server {{
  listen 127.0.0.1:@PORT@ ssl;
  underscores_in_headers {underscores};
  ssl_certificate {site}/tls.crt;
  ssl_certificate_key {site}/tls.key;
  ssl_client_certificate {ca};
  ssl_verify_client optional_no_ca;
  location / {{
    {lines}
    proxy_pass http://{upstream};
  }}
}}
"""
SET_CERTIFICATE = "proxy_set_header x-ssl-client-cert $ssl_client_escaped_cert;"
SET_ALL_BUT_THE_CERTIFICATE = """
    proxy_set_header ssl-client-verify $ssl_client_verify;
    proxy_set_header ssl-client-subject-dn $ssl_client_s_dn;
    proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;"""


@contextmanager
def nginx(
    lines: str, pki: Pki, upstream: Application, folder: Path, *, underscores: str = "off"
) -> Iterator[RunningProxy]:
    text = NGINX.format(site=pki.site, ca=pki.bundle, lines=lines, upstream=upstream.upstream, underscores=underscores)
    with running("nginx", text, folder / "nginx") as proxy:
        yield proxy


@pytest.mark.parametrize("name", LAST_WINS)
@pytest.mark.parametrize("underscores", ["off", "on"])
def test_where_the_last_header_wins_only_the_deployment_can_stop_an_underscore_twin(
    name: str, underscores: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """nginx drops such names, unless it is told to keep them; then they come behind its own headers."""
    with nginx(SET_CERTIFICATE, pki, servers(name), tmp_path, underscores=underscores) as proxy:
        reply = tls(proxy.port, pki, ATTACKER, "/nginx", [header(pki, VICTIM, "x_ssl_client_cert")])
    assert became(reply) == ("alice" if underscores == "on" else "bob")


@pytest.mark.parametrize(
    ("client", "path", "whom"),
    [
        (ATTACKER, "/nginx-ingress", "forwarding_inconsistent"),
        ("stranger", "/nginx-ingress", "forwarding_inconsistent"),
        ("impostor", "/nginx-ingress", "alice"),
        ("impostor", "/nginx-ingress+verdict", "certificate_untrusted"),
    ],
)
def test_beside_a_certificate_of_the_victims_names_only_the_verdict_or_the_deployment_stops_a_forgery(
    client: str, path: str, whom: str, *, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """Under optional_no_ca anybody may show a certificate of any names, and here nginx passes on its names alone."""
    with nginx(SET_ALL_BUT_THE_CERTIFICATE, pki, servers("gunicorn"), tmp_path) as proxy:
        reply = tls(proxy.port, pki, client, path, [header(pki, VICTIM)])
    assert became(reply) == whom


HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen proxy
    bind 127.0.0.1:@PORT@ ssl crt {site}/tls.pem ca-file {ca} verify optional crt-ignore-err all ca-ignore-err all
    {lines}
    server app {upstream}
"""


@contextmanager
def haproxy(lines: str, pki: Pki, upstream: Application, folder: Path) -> Iterator[RunningProxy]:
    text = HAPROXY.format(site=pki.site, ca=pki.bundle, lines=lines, upstream=upstream.upstream)
    with running("haproxy", text, folder / "haproxy") as proxy:
        yield proxy


def with_trailers(
    pki: Pki, proxy: RunningProxy | Front, client: str | None, path: str, trailers: list[tuple[str, str]]
) -> Reply:
    """A request whose chunked body has trailers that nobody announced, all in one segment."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    tail = "4\r\nbody\r\n0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers) + "\r\n"
    context = tls_context(pki.server_ca, None if client is None else pki.client[client])
    return raw((PROXY_ADDRESS, proxy.port), [(head + tail).encode()], context)


SET_ALWAYS = configuration_of(PROXIES["haproxy"]).replace("\n", "\n    ")
SET_IF_USED = "".join(
    f"http-request del-header {line.split()[2]}\n    {line} if {{ ssl_c_used }}\n    "
    for line in configuration_of(PROXIES["haproxy"]).splitlines()[1:]  # the first denies tunnels
)


@pytest.mark.parametrize("name", ["uvicorn httptools", "uvicorn h11", "hypercorn asgi", "granian asgi", "gunicorn"])
@pytest.mark.parametrize("client", [None, ATTACKER])
def test_trailers_that_haproxy_forwards_never_win_where_it_sets_its_headers_always(
    name: str, client: str | None, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    with haproxy(SET_ALWAYS, pki, servers(name), tmp_path) as proxy:
        reply = with_trailers(pki, proxy, client, "/haproxy", sent_for(pki, VICTIM, "haproxy"))
    expected = "bob" if client else "certificate_missing"
    assert became(reply) in (expected, "header_ambiguous")
    if name != "uvicorn httptools":  # alone of these it adds trailers to the headers
        assert became(reply) == expected


@pytest.mark.parametrize(("name", "whom"), [("uvicorn httptools", "alice"), ("uvicorn h11", "certificate_missing")])
def test_trailers_that_haproxy_forwards_only_the_deployment_can_stop_where_it_deletes_its_headers(
    name: str, whom: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """The deletion comes before the trailers. What it lacks: set always, or `uvicorn --http h11`."""
    with haproxy(SET_IF_USED, pki, servers(name), tmp_path) as proxy:
        reply = with_trailers(pki, proxy, None, "/haproxy", sent_for(pki, VICTIM, "haproxy"))
    assert became(reply) == whom


HAPROXY_WITHOUT_TLS = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen proxy
    bind 127.0.0.1:@PORT@
    {lines}
    server app {upstream}
"""


def by_trailers_alone(recipe: str, upstream: Application, pki: Pki, folder: Path) -> str:
    """Who a client becomes that sends a victim's headers as trailers, through a HAProxy without TLS."""
    lines = configuration_of(PROXIES[recipe]).replace("\n", "\n    ")
    text = HAPROXY_WITHOUT_TLS.format(lines=lines, upstream=upstream.upstream)
    trailers = "".join(f"{name}: {value}\r\n" for name, value in sent_for(pki, VICTIM, recipe))
    head = f"POST /{recipe} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with running("haproxy", text, folder / "haproxy") as proxy:
        return became(raw((PROXY_ADDRESS, proxy.port), [f"{head}4\r\nbody\r\n0\r\n{trailers}\r\n".encode()]))


APPENDS_TRAILERS = ("bjoern", "uvicorn httptools", "uvicorn a2wsgi")


def test_trailers_that_a_server_joins_to_empty_headers_only_the_deployment_can_stop(
    servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """What it lacks: another server, or a proxy whose "no certificate" is not empty."""
    assert by_trailers_alone("haproxy", servers("bjoern"), pki, tmp_path) == "alice"


@pytest.mark.parametrize("name", APPENDS_TRAILERS)
def test_trailers_never_win_where_no_certificate_is_a_value_that_every_join_breaks(
    name: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    assert by_trailers_alone("rfc9440", servers(name), pki, tmp_path) in ("header_malformed", "header_ambiguous")


def test_a_body_that_bjoern_takes_for_a_request_never_wins_behind_the_recipe_of_traffic_server(
    pki: Pki, tmp_path: Path
) -> None:
    """Its parser ends a request with Upgrade at its head. Behind Traefik and Caddy the deployment has to stop that."""
    served = tmp_path / "served"
    forged = "".join(f"{header}: {value}\r\n" for header, value in sent_for(pki, VICTIM, "apache")[:1])
    body = f"GET /traffic-server HTTP/1.1\r\nHost: localhost\r\n{forged}\r\n"
    lines = ["GET /traffic-server HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
    lines += [
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        f"Content-Length: {len(body)}",
    ]
    request = "\r\n".join([*lines, "", body]).encode()
    with (
        application("bjoern", pki.bundle, {SERVED: str(served)}) as server,
        front("traffic-server", pki, server, tmp_path / "front", verifies=False) as proxy,
    ):
        for _ in range(20):
            raw((PROXY_ADDRESS, proxy.port), [request], tls_context(pki.server_ca, None))
    assert set(served.read_text().split()) == {"None"}


SENDS_NOTHING = """\
-cond %{SEND_REQUEST_HDR_HOOK} [AND]
-cond %{HEADER:X-SSL-CERT} =""
-set-header X-SSL-CERT "(null)"
"""


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("uvicorn httptools", "", id="uvicorn httptools"),
        pytest.param("bjoern", "", id="bjoern"),
        pytest.param("bjoern", SENDS_NOTHING, id="bjoern, without the last lines of the recipe"),
    ],
)
def test_trailers_that_traffic_server_forwards_never_win_where_it_says_that_there_is_no_certificate(
    name: str, change: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """uvicorn sees the trailers in time if they come in one segment with the head, which is up to Traffic Server."""
    trailers = sent_for(pki, VICTIM, "apache")[:1]
    with front("traffic-server", pki, servers(name), tmp_path / "front", verifies=False, change=change) as proxy:
        outcomes = {became(with_trailers(pki, proxy, None, "/traffic-server", trailers)) for _ in range(20)}
    if change:  # then only the deployment can stop it
        assert "alice" in outcomes
    else:
        assert outcomes <= {"certificate_missing", "header_ambiguous", "header_malformed"}


@pytest.mark.parametrize("name", ["gunicorn", "wsgiref", "uvicorn httptools"])
def test_a_certificate_slid_in_front_of_a_forwarded_list_is_refused(
    name: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """Two headers that a WSGI server joins with a comma are one list to Traefik's format, the forged one first."""
    lines = "http-request add-header X-Forwarded-Tls-Client-Cert %[ssl_c_der,base64]"
    with haproxy(lines, pki, servers(name), tmp_path) as proxy:
        assert became(tls(proxy.port, pki, ATTACKER, "/traefik", [])) == "bob"
        reply = tls(proxy.port, pki, ATTACKER, "/traefik", sent_for(pki, VICTIM, "traefik"))
    assert became(reply) == ("header_ambiguous" if name in OF_ASGI else "forwarding_inconsistent")


@pytest.mark.parametrize("spelling", ["x-\xdfl-client-cert", "x-ssl-client-cert ", "x-ssl-client-cert\t"], ids=ascii)
def test_spellings_that_cheroot_takes_for_the_header_come_through_no_proxy(
    spelling: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """It writes names in capitals as Python does, by which one octet of latin-1 is SS, and strips them."""

    def request(row: str) -> list[bytes]:
        (_, forged), *_ = sent_for(pki, VICTIM, row)
        lines = [f"GET /{row} HTTP/1.1", "Host: localhost", "Connection: close", f"{spelling}: {forged}", "", ""]
        return ["\r\n".join(lines).encode("latin-1")]

    server, context = servers("cheroot"), tls_context(pki.server_ca, pki.client[ATTACKER])
    assert became(raw(server.address, request("nginx"))) == "alice"
    with nginx(SET_CERTIFICATE, pki, server, tmp_path) as proxy:
        assert became(raw((PROXY_ADDRESS, proxy.port), request("nginx"), context)) in ("bob", "400")
    with haproxy(SET_ALWAYS, pki, server, tmp_path) as proxy:
        assert became(raw((PROXY_ADDRESS, proxy.port), request("haproxy"), context)) in ("bob", "400")


# Tunnels. What a client sends in one, the server takes for the proxy's requests.


def data_of(stream: ssl.SSLSocket, number: int) -> bytes:
    """What is in a stream's frames of data, up to its end. By hand: a tunnel holds more than was announced."""
    data = received = b""
    while more := stream.recv(65536):
        received += more
        while len(received) >= 9 and len(received) >= (end := 9 + int.from_bytes(received[:3])):
            kind, flags, of, payload = received[3], received[4], int.from_bytes(received[5:9]), received[9:end]
            received = received[end:]
            if of == number and kind == 0:
                data += payload
            if (
                of == number and (kind == 3 or (kind < 2 and flags & 1))
            ) or kind == 7:  # RST_STREAM, END_STREAM, GOAWAY
                return data
    return data


@contextmanager
def connected(proxy: RunningProxy, pki: Pki) -> Iterator[ssl.SSLSocket]:
    """A connection of a client without a certificate."""
    with (
        socket.create_connection((PROXY_ADDRESS, proxy.port), DEADLINE_SECONDS) as plain_stream,
        tls_context(pki.server_ca, None).wrap_socket(plain_stream, server_hostname=PROXY_ADDRESS) as stream,
    ):
        yield stream


def h2() -> H2Connection:
    return H2Connection(H2Configuration(validate_outbound_headers=False))


NO_TUNNELS, OTHER_LINES = SET_ALWAYS.split("\n    ", 1)


@pytest.mark.parametrize("name", ["uvicorn httptools", "waitress"])
@pytest.mark.parametrize("lines", [SET_ALWAYS, OTHER_LINES], ids=["recipe", "without its first line"])
def test_a_tunnel_by_connect_is_not_opened_by_an_exempt_path(
    name: str, lines: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """Over HTTP/2, HAProxy takes a path for the authority. It opens the tunnel if the application answers with 200."""
    forged = "".join(f"{header}: {value}\r\n" for header, value in sent_for(pki, VICTIM, "haproxy"))
    sent = h2()
    sent.initiate_connection()
    sent.send_headers(1, [(":method", "CONNECT"), (":authority", "/ready")])
    sent.send_data(1, f"GET /haproxy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forged}\r\n".encode())
    with haproxy(lines, pki, servers(name), tmp_path) as proxy, connected(proxy, pki) as stream:
        stream.sendall(sent.data_to_send())
        told = data_of(stream, 1)
    assert (b"proxy_untrusted" if lines is OTHER_LINES else b"403 Forbidden") in told
    assert b"alice" not in told


def through_an_upgrade(proxy: RunningProxy, pki: Pki, row: str) -> str:
    """Who a client without a certificate becomes by a second request, after an upgrade to HTTP/2."""
    sent = h2()
    settings = (sent.initiate_upgrade_connection() or b"").decode()
    lines = ["GET /ready HTTP/1.1", "Host: localhost", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"]
    with connected(proxy, pki) as stream:
        stream.sendall("\r\n".join([*lines, f"HTTP2-Settings: {settings}", "", ""]).encode())
        status = stream.recv(65536).partition(b"\r\n")[0]
        if b" 101" not in status:
            return status.decode()[9:12]
        request = [(":method", "GET"), (":path", f"/{row}"), (":scheme", "http"), (":authority", "localhost")]
        sent.send_headers(3, [*request, *sent_for(pki, VICTIM, row)], end_stream=True)
        stream.sendall(sent.data_to_send())
        return str(json.loads(data_of(stream, 3))["common_name"])


FOR_WEBSOCKETS = """
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";"""


@pytest.mark.parametrize("name", ["hypercorn asgi", "hypercorn wsgi"])
def test_a_tunnel_by_h2c_that_hypercorn_opens_only_the_deployment_can_stop(
    name: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    """What it lacks: another server, or a proxy that does not pass on `Upgrade: h2c`."""
    found = []
    for lines in (OTHER_LINES, SET_ALWAYS):
        with haproxy(lines, pki, servers(name), tmp_path) as proxy:
            found.append(through_an_upgrade(proxy, pki, "haproxy"))
    for lines in (FOR_WEBSOCKETS, ""):
        with nginx(SET_CERTIFICATE + lines, pki, servers(name), tmp_path) as proxy:
            found.append(through_an_upgrade(proxy, pki, "nginx"))
    assert found == ["alice", "403", "alice", "200"]


APACHE = """
<VirtualHost 127.0.0.1:@PORT@>
    SSLEngine on
    SSLCertificateFile {site}/tls.crt
    SSLCertificateKeyFile {site}/tls.key
    SSLCACertificateFile {ca}
    SSLVerifyClient optional_no_ca
    SSLVerifyDepth 3
    RequestHeader set X-SSL-CERT "%{{SSL_CLIENT_CERT}}s"
    RequestHeader set X-SSL-VERIFY "%{{SSL_CLIENT_VERIFY}}s"
    ProxyPass / http://{upstream}/
</VirtualHost>
"""


@pytest.fixture(scope="module")
def apache(servers: Servers, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    text = APACHE.format(site=pki.site, ca=pki.bundle, upstream=servers("uvicorn h11").upstream)
    with running("apache", text, tmp_path_factory.mktemp("apache")) as proxy:
        yield proxy


REMOVE_VERDICT = [("Connection", "close, X-SSL-VERIFY")]


def test_a_verdict_that_apache_removes_at_the_clients_word_is_no_success(apache: RunningProxy, pki: Pki) -> None:
    assert became(tls(apache.port, pki, ATTACKER, "/apache+verdict", [])) == "bob"
    assert became(tls(apache.port, pki, ATTACKER, "/apache+verdict", REMOVE_VERDICT)) == "forwarding_inconsistent"


@pytest.mark.parametrize("path", ["/apache", "/apache+verdict"])
def test_without_its_verdict_a_strangers_certificate_is_still_refused(
    apache: RunningProxy, pki: Pki, path: str
) -> None:
    refusals = ("certificate_untrusted", "forwarding_inconsistent")
    assert became(tls(apache.port, pki, "stranger", path, REMOVE_VERDICT)) in refusals


def test_with_every_header_removed_at_its_word_a_client_is_nobody(apache: RunningProxy, pki: Pki) -> None:
    removed = [("Connection", "close, X-SSL-CERT, X-SSL-VERIFY"), *sent_for(pki, VICTIM, "apache")]
    assert became(tls(apache.port, pki, ATTACKER, "/apache", removed)) == "certificate_missing"


# Envoy

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: @PORT@}}}}
    filter_chains:
    - transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            tls_certificates:
            - certificate_chain: {{filename: {site}/tls.crt}}
              private_key: {{filename: {site}/tls.key}}
            validation_context:
              trusted_ca: {{filename: {ca}}}
              trust_chain_verification: ACCEPT_UNTRUSTED
      filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: https
          forward_client_cert_details: {details}
          set_current_client_cert_details: {{cert: true, chain: true, uri: {uri}}}
          route_config:
            virtual_hosts:
            - name: app
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                route: {{cluster: app}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: app
    {upstream_tls}
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: {{address: 127.0.0.1, port_value: {port}}}
"""
ENVOY_TO_ENVOY = """transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context:
          tls_certificates:
          - certificate_chain: {{filename: {site}/tls.crt}}
            private_key: {{filename: {site}/tls.key}}"""


@contextmanager
def envoy(
    pki: Pki, port: int, folder: Path, *, details: str = "SANITIZE_SET", uri: bool = False, to_envoy: bool = False
) -> Iterator[RunningProxy]:
    upstream_tls = ENVOY_TO_ENVOY.format(site=pki.site) if to_envoy else ""
    text = ENVOY.format(
        site=pki.site, ca=pki.bundle, port=port, details=details, uri=str(uri).lower(), upstream_tls=upstream_tls
    )
    with running("envoy", text, folder) as proxy:
        yield proxy


@pytest.mark.parametrize(("uri", "whom"), [(False, "mallory"), (True, "header_ambiguous")])
def test_an_element_smuggled_in_through_a_uri_name_is_refused(
    uri: bool, whom: str, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    with envoy(pki, servers("uvicorn h11").port, tmp_path / "envoy", uri=uri) as proxy:
        assert became(tls(proxy.port, pki, "xfcc-injection", "/envoy", [])) == whom


@pytest.mark.parametrize("client", [None, ATTACKER, "stranger"])
def test_an_element_that_a_client_sends_in_front_of_its_own_is_refused(
    client: str | None, servers: Servers, pki: Pki, tmp_path: Path
) -> None:
    with envoy(pki, servers("uvicorn h11").port, tmp_path / "envoy", details="APPEND_FORWARD") as proxy:
        reply = tls(proxy.port, pki, client, "/envoy", sent_for(pki, VICTIM, "envoy"))
    assert became(reply) == ("certificate_missing" if client is None else "header_ambiguous")


@pytest.fixture(scope="module")
def two_envoys(
    servers: Servers, pki: Pki, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, RunningProxy]]:
    """By what the second does: an Envoy that sets, before one that appends to it or forwards it unchanged."""
    port = servers("uvicorn h11").port
    with ExitStack() as stack:
        fronts = {}
        for details in ("APPEND_FORWARD", "ALWAYS_FORWARD_ONLY"):
            folder = tmp_path_factory.mktemp("envoys")
            second = stack.enter_context(envoy(pki, port, folder / "second", details=details))
            fronts[details] = stack.enter_context(envoy(pki, second.port, folder / "first", to_envoy=True))
        yield fronts


def test_through_two_envoys_that_both_add_an_element_nobody_is_let_in_by_chance(
    two_envoys: dict[str, RunningProxy], pki: Pki
) -> None:
    reply = tls(two_envoys["APPEND_FORWARD"].port, pki, ATTACKER, "/envoy", sent_for(pki, VICTIM, "envoy"))
    assert became(reply) == "header_ambiguous"


def test_through_two_envoys_without_a_certificate_only_the_deployment_can_tell_the_first_envoy_from_a_client(
    two_envoys: dict[str, RunningProxy], pki: Pki
) -> None:
    """Its own certificate is the one element. What it lacks: a CA for proxies that is not in the bundle for clients."""
    assert became(tls(two_envoys["APPEND_FORWARD"].port, pki, None, "/envoy", [])) == "localhost"


@pytest.mark.parametrize(("client", "whom"), [(None, "certificate_missing"), (ATTACKER, "bob")])
def test_a_second_envoy_that_forwards_unchanged_shows_the_client_of_the_first(
    two_envoys: dict[str, RunningProxy], pki: Pki, client: str | None, whom: str
) -> None:
    reply = tls(two_envoys["ALWAYS_FORWARD_ONLY"].port, pki, client, "/envoy", sent_for(pki, VICTIM, "envoy"))
    assert became(reply) == whom


# The peer


@pytest.mark.parametrize("name", [*OF_WSGI, *OF_ASGI])
@pytest.mark.parametrize("claim", ["192.0.2.10", "unix", "localhost"])
def test_no_claim_of_a_request_makes_it_come_from_the_proxy(name: str, claim: str, servers: Servers, pki: Pki) -> None:
    claims = [("X-Forwarded-For", claim), ("X-Real-IP", claim), ("Forwarded", f"for={claim}"), ("X-Client-IP", claim)]
    reply = plain(servers(name).port, path="/elsewhere", headers=[header(pki, VICTIM), *claims])
    assert became(reply) == "proxy_untrusted"


def test_where_uvicorn_rewrites_the_peer_only_the_deployment_can_stop_a_claim_to_be_the_proxy(
    servers: Servers, pki: Pki
) -> None:
    """Its default for connections from loopback. What it lacks: --no-proxy-headers."""
    port, forged = servers("uvicorn rewriting").port, [header(pki, VICTIM)]
    claim = ("X-Forwarded-For", "192.0.2.10")
    assert became(plain(port, path="/elsewhere", headers=forged)) == "proxy_untrusted"
    assert became(plain(port, path="/elsewhere", headers=[*forged, claim])) == "alice"


# Foreign schemes


def test_the_headers_of_every_other_proxy_are_nobodys_behind_nginx(stage: Stage, gateway: str) -> None:
    foreign = [
        (name, value)
        for proxy in PROXIES
        for name, value in sent_for(stage.pki, VICTIM, proxy)
        if not name.startswith("ssl-client") and proxy not in ("aws-alb-verify", "rfc9440", "cloudflare")
    ]
    assert became(stage.get(gateway, None, headers=foreign)) == "certificate_missing"
    assert became(stage.get(gateway, ATTACKER, headers=foreign)) == "bob"
