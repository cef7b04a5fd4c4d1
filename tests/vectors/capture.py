"""Ask the real proxies what they send for a few clients, and write it to the vectors next to this file.

Run by hand, with everything on loopback, where the proxies are installed. Look at what changed before you commit it.
The clouds' vectors are written from the vendors' manuals, `rfc9440-example.json` by hand from the RFC's appendix A.

    make venv && apt-get install haproxy apache2-bin
    .venv/bin/python -m tests.vectors.capture
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import logging
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from cryptography.hazmat.primitives.serialization import Encoding

from examples.demo.nginx import Ingress, nginx
from sslclientcert import PROXIES, ClientCertAuthenticator, ClientCertError, TrustStore
from sslclientcert.cli.proxies import configuration_of
from sslclientcert.core.headers import HeaderReader, folded
from sslclientcert.core.presented import presented_by
from sslclientcert.testing import ClientCA, IssuedCertificate
from tests.real import rigs
from tests.real.configurations import PROXIES as PAGES
from tests.real.configurations import configuration, unsafe
from tests.real.fronts import traefik_ingress_nginx
from tests.real.products import openshift
from tests.real.test_unsafe import HOLES

HERE = Path(__file__).parent

Lines: TypeAlias = "list[list[str]]"
Entry: TypeAlias = "dict[str, Any]"


def clients(ca: ClientCA) -> dict[str, IssuedCertificate | None]:
    return {
        "everything": ca.issue(
            "Zoë, Müller <zm+1>",
            dns_names=["one.example.org", "two.example.org"],
            emails=["zm@example.org"],
            uris=["spiffe://example.org/zm", "urn:example:zm"],
            organization='#1 "Quoted" \\ Inc; ',
            organizational_unit=[" one", "two"],
        ),
        "name": ca.issue("alice"),
        "other": ca.issue("bob"),
        "v1": ca.v1("alice"),
        "nameless": ca.issue("", emails=["alice@example.org"]),
        "stranger": ca.stranger("alice"),
        "expired": ca.expired("alice"),
        "nobody": None,
    }


class Upstream(socketserver.StreamRequestHandler):
    """The application behind the proxy: it tells the client which header lines came, byte for byte."""

    def handle(self) -> None:
        self.rfile.readline()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.rfile.readline()
        lines = [line.partition(":") for line in head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")]
        body = json.dumps([[name, value.removeprefix(" ")] for name, _, value in lines]).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@dataclass
class Stage:
    """What the proxies stand between: the CA and its clients, and the application. A `configurations.Site` too."""

    ca: ClientCA
    clients: dict[str, IssuedCertificate | None]
    upstream: str
    folder: Path
    site: Path
    bundle: Path

    def ask(self, port: int, client: str, headers: Lines, row: str) -> Lines | None:
        """The lines that the row reads, in whatever spelling; None if the proxy did not let the client through."""
        shown = self.clients[client]
        context = shown.ssl_context(server_ca=self.ca.pem) if shown else ssl.create_default_context(cadata=self.ca.pem)
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
        try:
            connection.putrequest("GET", "/", skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
        except OSError:
            return None
        finally:
            connection.close()
        read = {folded(name) for name in PROXIES[row].headers if name is not None}
        return [each for each in json.loads(body) if folded(each[0]) in read] if response.status == 200 else None

    def answer(self, row: str, headers: Lines) -> Entry:
        """What the library makes of it: the certificates that it finds, and what it answers."""
        authenticator = ClientCertAuthenticator(
            TrustStore.from_pem(self.ca.pem), proxy=PROXIES[row], trusted_proxies="*"
        )
        lines = [(name, value) for name, value in headers]
        try:
            identity = authenticator.authenticate(lines, peer="127.0.0.1")
        except ClientCertError as error:
            said = str(error.code)
        else:
            said = "accepted" if identity else "no certificate"
        try:
            values, _ = HeaderReader([PROXIES[row].certificate_header, PROXIES[row].chain_header]).read(lines)
            presented = presented_by(PROXIES[row], *values)
        except ClientCertError:
            presented = None
        found = [presented.leaf, *presented.intermediates] if presented else []
        return {"certificates": [sha256(each.public_bytes(Encoding.DER)).hexdigest() for each in found], "answer": said}

    def vectors(self, port: int, row: str) -> list[Entry]:
        sent = {client: self.ask(port, client, [], row) for client in self.clients}
        return [
            {"client": client, "headers": headers, **self.answer(row, headers)}
            for client, headers in sent.items()
            if headers is not None
        ]

    def forged(self, port: int, row: str, client: str, way: str, genuine: Lines) -> Entry:
        """A client that sends what the proxy would send for "name"."""
        twins = [[name.replace("-", "_"), value] for name, value in genuine]
        names = ", ".join(["close", *(name for name, _ in genuine)])
        sends = {
            "exact": genuine,
            "underscores": twins,
            "twice": genuine * 2,
            "hidden by Connection": [*genuine, ["Connection", names]],
        }
        headers = self.ask(port, client, sends[way], row) or []
        return {"client": client, "forged": way, "headers": headers, **self.answer(row, headers)}

    @contextlib.contextmanager
    def page(self, name: str, change: str = "") -> Iterator[tuple[int, Entry]]:
        """Run the proxy of a page; its port, and what to say of it in a vector."""
        kind, text, files = configuration(name, self, self.upstream, verifies=False, change=change)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        folder.chmod(0o755)
        said = "".join([*files.values(), text]) if files else text
        with rigs.running(kind, text, folder, files=files) as proxy:
            yield proxy.port, {"sent_by": f"{kind} {rigs.version(kind)}", "configuration": self.neutral(said)}

    def neutral(self, text: str) -> str:
        """A configuration without the paths and ports of this run."""
        for ours, public in ((self.site, "/etc/ssl/app"), (self.bundle, "/etc/client-ca/ca.crt")):
            text = text.replace(str(ours), public)
        port = self.upstream.rpartition(":")[2]
        return text.replace(self.upstream, "127.0.0.1:8000").replace(f"port_value: {port}", "port_value: 8000")


ALL_DETAILS = """\
-          set_current_client_cert_details: {cert: true, chain: true}
+          set_current_client_cert_details: {subject: true, cert: true, chain: true, dns: true, uri: true}
"""
CHAIN_ALONE = """\
-          set_current_client_cert_details: {cert: true, chain: true}
+          set_current_client_cert_details: {chain: true}
"""


def capture(stage: Stage) -> Iterator[Entry]:
    ingress = Ingress(upstream=stage.upstream, ca=stage.bundle, verify_depth=2)
    folder = Path(tempfile.mkdtemp(dir=stage.folder))
    with nginx(folder, [ingress], certificate=stage.site / "tls.crt", key=stage.site / "tls.key") as (port,):
        lines = [line.strip() for line in (folder / "nginx.conf").read_text().splitlines()]
        said = [line for line in lines if line.startswith(("ssl_verify", "proxy_set_header ssl-client"))]
        about = {"sent_by": f"nginx {rigs.version('nginx')}", "configuration": "\n".join(said) + "\n"}
        yield {"proxy": "nginx-ingress", **about, "imitated": True, "vectors": stage.vectors(port, "nginx-ingress")}

    row = "traefik-ingress-nginx"
    for mode in ("on", "optional_no_ca"):
        own = {"auth-tls-verify-client": mode, "auth-tls-verify-depth": "2"}
        with traefik_ingress_nginx(stage, stage.upstream, Path(tempfile.mkdtemp(dir=stage.folder)), own) as traefik:
            annotations = "".join(f"nginx.ingress.kubernetes.io/{name}: {value}\n" for name, value in own.items())
            about = {"sent_by": f"traefik {rigs.version('traefik')}", "configuration": annotations}
            yield {"proxy": row, **about, "imitated": mode == "on", "vectors": stage.vectors(traefik.port, row)}
    text = openshift(stage, stage.upstream, verifies=False)
    with rigs.running("haproxy", text, Path(tempfile.mkdtemp(dir=stage.folder))) as router:
        about = {"sent_by": f"haproxy {rigs.version('haproxy')}", "configuration": stage.neutral(text)}
        yield {"proxy": "openshift", **about, "imitated": True, "vectors": stage.vectors(router.port, "openshift")}

    for page in PAGES:
        with stage.page(page) as (port, about):
            genuine = stage.ask(port, "name", [], page) or []
            tried = [("nobody", "exact"), ("other", "exact"), ("other", "twice"), ("other", "underscores")]
            forged = [stage.forged(port, page, *each, genuine) for each in tried if page != "envoy"]
            imitated = page not in ("envoy", "rfc9440")
            yield {"proxy": page, **about, "imitated": imitated, "vectors": stage.vectors(port, page) + forged}
        for heading, hole in HOLES[page].items():
            with stage.page(page, unsafe(page)[heading]) as (port, about):
                row = hole.row or page
                sent = (
                    genuine if row == page else [["x-ssl-client-cert", value] for _, value in genuine_of_nginx(stage)]
                )
                forged = [stage.forged(port, row, "other" if hole.client else "nobody", hole.way, sent)]
                yield {"proxy": row, "unsafe": f"{page}: {heading}", **about, "imitated": False, "vectors": forged}
    with stage.page("envoy", CHAIN_ALONE) as (port, about):
        yield {"proxy": "envoy", **about, "imitated": False, "vectors": stage.vectors(port, "envoy")}
    with stage.page("envoy", ALL_DETAILS) as (port, about):
        yield {"proxy": "envoy", **about, "imitated": True, "vectors": stage.vectors(port, "envoy")}
    for page, heading in (("nginx", "The older variable"), ("haproxy", "The recipe of Tomcat's SSLValve")):
        with stage.page(page, unsafe(page)[heading]) as (port, about):
            yield {"proxy": "apache", **about, "imitated": False, "vectors": stage.vectors(port, "apache")}


def genuine_of_nginx(stage: Stage) -> Lines:
    with stage.page("nginx") as (port, _):
        lines = stage.ask(port, "name", [], "nginx") or []
    return [line for line in lines if line[0].lower() == "x-ssl-client-cert"]


AWS = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/mutual-authentication.html"
GOOGLE = "https://cloud.google.com/load-balancing/docs/https/custom-headers"
CLOUDFLARE = "https://developers.cloudflare.com/ssl/client-certificates/forward-a-client-certificate/"
CLOUDFRONT = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/viewer-mtls-headers.html"
GATEWAY = "https://learn.microsoft.com/azure/application-gateway/rewrite-http-headers-url"
CLOUD_FOUNDRY = "https://docs.cloudfoundry.org/concepts/http-routing.html#forward-client-cert"
AZURE = "https://learn.microsoft.com/azure/app-service/app-service-web-configure-tls-mutual-auth"


def documented(stage: Stage) -> Iterator[Entry]:
    """What the manuals of those say that cannot be run here. No code of the library's own encoders is in it."""
    chains = {
        name: [each.public_bytes(Encoding.DER) for each in client.chain] if client else []
        for name, client in stage.clients.items()
    }
    good = [name for name, client in stage.clients.items() if client and not client.verdict and name != "v1"]

    def base64_of(der: bytes) -> str:
        return base64.b64encode(der).decode()

    def pem(der: bytes) -> str:  # "URL-encoded PEM ... with +=/ as safe characters"
        return ssl.DER_cert_to_PEM_cert(der).replace("\n", "%0A").replace(" ", "%20")

    def item(der: bytes) -> str:  # RFC 9440 section 2.1
        return f":{base64_of(der)}:"

    def entry(row: str, manual: str, send: Callable[[str], Lines], clients: Iterable[str]) -> Entry:
        sent = {client: send(client) for client in clients}
        vectors = [{"client": client, "headers": lines, **stage.answer(row, lines)} for client, lines in sent.items()]
        about = {"manual": manual, "configuration": configuration_of(PROXIES[row]), "imitated": True}
        return {"proxy": row, **about, "vectors": vectors}

    def passthrough(client: str) -> Lines:
        return [["X-Amzn-Mtls-Clientcert", "".join(map(pem, chains[client]))]] if chains[client] else []

    def verified(client: str) -> Lines:
        return [["X-Amzn-Mtls-Clientcert-Leaf", pem(chains[client][0])]] if chains[client] else []

    def google(client: str) -> Lines:
        return [
            ["X-Client-Cert-Leaf", ", ".join(map(item, chains[client][:1]))],
            ["X-Client-Cert-Chain", ", ".join(map(item, chains[client][1:]))],
            ["X-Client-Cert-Present", "true" if chains[client] else "false"],
            ["X-Client-Cert-Chain-Verified", "true" if client in (*good, "v1") else "false"],
        ]

    def cloudflare(client: str) -> Lines:
        if not chains[client]:
            return []
        leaf, *rest = chains[client]
        return [["Client-Cert", item(leaf)], ["Client-Cert-Chain", ", ".join(map(item, rest))]]

    def azure(client: str) -> Lines:
        return [["X-ARR-ClientCert", base64_of(chains[client][0])]] if chains[client] else []

    def cloudfront(client: str) -> Lines:
        if not chains[client]:
            return [["CloudFront-Viewer-Cert-Present", "0"]]
        return [
            ["CloudFront-Viewer-Cert-Present", "1"],
            ["CloudFront-Viewer-Cert-Sha256", sha256(chains[client][0]).hexdigest()],
            ["CloudFront-Viewer-Cert-Pem", pem(chains[client][0])],
        ]

    def forwarding(client: str) -> Lines:
        if not chains[client]:
            return []
        leaf = chains[client][0]
        return [["Cf-Client-Cert-Der-Base64", base64_of(leaf)], ["Cf-Client-Cert-Sha256", sha256(leaf).hexdigest()]]

    def gateway(client: str) -> Lines:
        if not chains[client]:
            return [["X-Client-Cert", ""], ["X-Client-Cert-Verify", "NONE"]]
        escaped = quote(ssl.DER_cert_to_PEM_cert(chains[client][0]), safe="")
        return [["X-Client-Cert", escaped], ["X-Client-Cert-Verify", "SUCCESS"]]

    def gorouter(client: str) -> Lines:
        return [["X-Forwarded-Client-Cert", base64_of(chains[client][0])]] if chains[client] else []

    # "X.509v1 client certificates are not supported"; what verify mode refuses ends the handshake.
    yield entry("aws-alb", AWS, passthrough, [client for client in chains if client != "v1"])
    yield entry("aws-alb-verify", AWS, verified, [*good, "nobody"])
    yield entry("gcp", GOOGLE, google, chains)
    yield entry("cloudflare", CLOUDFLARE, cloudflare, chains)
    yield entry("azure-app-service", AZURE, azure, chains)
    yield entry("aws-cloudfront", CLOUDFRONT, cloudfront, [*good, "v1", "nobody"])
    yield entry("cloudflare-forwarding", CLOUDFLARE, forwarding, chains)
    yield entry("azure-application-gateway", GATEWAY, gateway, [*good, "v1", "nobody"])
    yield entry("cloud-foundry", CLOUD_FOUNDRY, gorouter, chains)


def main() -> None:
    logging.disable()  # what is refused is in the vectors
    ca = ClientCA(intermediates=1)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        site = folder / "site"
        site.mkdir()
        certificate, key = ca.server_only("localhost", dns_names=["localhost"]).write(folder)
        texts = certificate.read_text(), key.read_text()
        for suffix, text in (("crt", texts[0]), ("key", texts[1]), ("pem", "".join(texts))):
            (site / f"tls.{suffix}").write_text(text)
        upstream = f"127.0.0.1:{server.server_address[1]}"
        bundle = ca.write(folder / "ca.crt")
        stage = Stage(ca, clients(ca), upstream, folder, site, bundle)
        entries = [*capture(stage), *documented(stage)]
    server.shutdown()
    for row in PROXIES:
        write(row, [each for each in entries if each["proxy"] == row])
    shown = {
        client: {
            "chain": [ssl.DER_cert_to_PEM_cert(each.public_bytes(Encoding.DER)) for each in issued.chain],
            "verdict": issued.verdict,
        }
        for client, issued in stage.clients.items()
        if issued is not None
    }
    at = datetime.now(UTC).isoformat(timespec="seconds")
    write("clients", {"ca": ca.pem, "at": at, "clients": shown})


def write(name: str, what: object) -> None:
    (HERE / f"{name}.json").write_text(json.dumps(what, indent=1, ensure_ascii=True) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
