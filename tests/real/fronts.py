"""Real proxies in front of the application, by the configurations of docs/proxies/, and what a client can ask them."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from cryptography import x509

from examples.demo.nginx import Ingress, nginx
from sslclientcert.testing import encode

from . import cluster
from .apps import PRODUCTS
from .configurations import Site, blocks, changed, configuration, unsafe
from .kubernetes_api import kubernetes_api
from .pki import Pki
from .products import product
from .rigs import RunningProxy, running
from .servers import DEADLINE_SECONDS, PROXY_ADDRESS, Application, Headers, Reply, exchange, tls_context

FORGERIES = ("exact", "underscores", "one underscore", "twice", "both spellings", "hidden by Connection")


@dataclass(frozen=True, kw_only=True)
class Front:
    """A proxy in front of the application, on a port of its own.

    Attributes:
        name: the row by which the application reads it, or one of `apps.PRODUCTS`.
        pki: whose certificates the clients show.
        port: where it listens. Caddy answers to the name localhost alone.
    """

    name: str
    pki: Pki
    port: int

    @property
    def url(self) -> str:
        """A page of the application that needs a certificate."""
        return f"https://localhost:{self.port}/{self.name}"

    def get_over_plain_http(self, headers: Headers = ()) -> Reply:
        """The same without TLS, where the proxy answers that too."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=DEADLINE_SECONDS)
        return exchange(connection, headers, f"/{self.name}", "GET")

    def context(self, client: str | None) -> ssl.SSLContext:
        context = tls_context(self.pki.server_ca, None)
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # above it, a client refuses to show its own weak key
        if client is not None:
            context.load_cert_chain(self.pki.client[client].certificate, self.pki.client[client].key)
        return context

    def get(self, client: str | None, headers: Headers = ()) -> Reply:
        """Ask with this client's certificate, or none; over HTTP/1.1, header names as they are.

        Raises:
            OSError: the proxy ended the connection.
        """
        context = self.context(client)
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=DEADLINE_SECONDS, context=context)
        return exchange(connection, headers, f"/{self.name}", "GET")

    def get_over_http2(self, client: str | None, headers: Headers = ()) -> Reply:
        """The same over HTTP/2, in which names are in lower case."""
        with httpx2.Client(
            verify=self.context(client), http1=False, http2=True, trust_env=False, timeout=DEADLINE_SECONDS
        ) as session:
            said = session.get(self.url, headers=list(headers))
        assert said.http_version == "HTTP/2"
        return Reply(said.status_code, dict(said.headers), said.content)

    def get_twice(self, client: str | None, tls: ssl.TLSVersion, headers: Headers = ()) -> tuple[list[Reply], bool]:
        """Ask on two connections, of which the second offers the TLS session of the first.

        Returns:
            Both answers, and whether the proxy resumed the session.
        """
        context = self.context(client)
        context.minimum_version = context.maximum_version = tls
        replies: list[Reply] = []
        session, resumed = None, None
        for _ in range(2):
            with (
                socket.create_connection((PROXY_ADDRESS, self.port), DEADLINE_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as stream,
            ):
                lines = [f"GET /{self.name} HTTP/1.1", f"Host: localhost:{self.port}"]
                lines += [f"{name}: {value}" for name, value in headers]
                stream.sendall("\r\n".join([*lines, "", ""]).encode())
                response = http.client.HTTPResponse(stream)
                response.begin()
                said = {name.lower(): value for name, value in response.getheaders()}
                replies.append(Reply(response.status, said, response.read()))
                session, resumed = stream.session, stream.session_reused
        return replies, bool(resumed)

    def forged(self, way: str, whose: str = "good") -> list[tuple[str, str]]:
        """What the proxy would send for a client; its holder is whom the forger poses as."""
        row = PRODUCTS.get(self.name, self.name)
        genuine = list(encode(x509.load_der_x509_certificate(self.pki.client[whose].der), row).items())
        twins = [(name.replace("-", "_"), value) for name, value in genuine]
        return {
            "exact": genuine,
            "underscores": twins,
            "one underscore": [(name.replace("-", "_", 1), value) for name, value in genuine],
            "twice": genuine + genuine,
            "both spellings": twins + genuine,
            "hidden by Connection": [*genuine, ("Connection", ", ".join(["close", *(name for name, _ in genuine)]))],
        }[way]


@contextmanager
def traefik_ingress_nginx(
    site: Site,
    upstream: str,
    folder: Path,
    annotations: Mapping[str, str | None],
    *,
    main: str = "traefik.yaml",
    classes: Mapping[str, str] | None = None,
) -> Iterator[RunningProxy]:
    """Run Traefik by docs/proxies/traefik-ingress-nginx.md, with a cluster that is not there, until the block ends.

    Its entry point answers plain HTTP as well.

    Parameters:
        site: the files that its Secrets hold.
        upstream: the application's `address:port`.
        folder: to make, for this proxy alone.
        annotations: what to change in the Ingress of docs/kubernetes.md; see `cluster.objects`.
        main: the one of the page's static files to use.
        classes: the classes of Ingresses by host, each as the page's; instead of the one for localhost.
    """
    objects = list(cluster.objects(site, upstream, annotations))
    if classes is not None:
        objects = [*cluster.of_classes(objects, classes)]
    with kubernetes_api(objects) as api:
        changes = {
            '":443"': '"127.0.0.1:@PORT@"',
            "kubernetesIngressNGINX: {}": f'kubernetesIngressNGINX: {{endpoint: "{api}"}}',
            "controllerClass:": f'endpoint: "{api}"\n    controllerClass:',
            "filename: /etc/traefik/": "filename: @FOLDER@/",
        }
        files = {Path(path).name: text for path, text in blocks("traefik-ingress-nginx").items()}
        static = files[main]
        for old, new in changes.items():
            static = static.replace(old, new)
        with running("traefik", static, folder, files=files) as started:
            yield started


@contextmanager
def front(
    name: str, pki: Pki, upstream: Application, folder: Path, *, verifies: bool, change: str = "", row: str = ""
) -> Iterator[Front]:
    """Run the proxy of a page, or the one inside a controller, in front of the application, until the block ends.

    Parameters:
        name: of the page, or of the controller.
        pki: whose server certificate and client CA it gets.
        upstream: the application.
        folder: to make, for this proxy alone.
        verifies: whether the proxy refuses bad certificates itself, as on the page; or leaves that to the application.
        change: a change to the configuration, as a diff.
        row: the row by which the application reads it, if it is not that of the page.
    """
    mode = "on" if verifies else "optional_no_ca"
    if name == "traefik-ingress-nginx":
        with traefik_ingress_nginx(pki, upstream.upstream, folder, {"auth-tls-verify-client": mode}) as started:
            yield Front(name=name, pki=pki, port=started.port)
        return
    if name == "nginx-ingress":
        folder.mkdir()
        ingress = Ingress(upstream=upstream.upstream, ca=pki.bundle, verify_client=mode)
        with nginx(folder, [ingress], certificate=pki.server.certificate, key=pki.server.key) as (port,):
            yield Front(name=name, pki=pki, port=port)
        return
    if (of_controller := product(name, pki, upstream.upstream, verifies=verifies)) is not None:
        kind, text, files = of_controller
        (text,) = changed([text], change) if change else (text,)
    elif name == "apache-base64":
        change = unsafe("apache")["The text of the PEM in base64"]
        kind, text, files = configuration("apache", pki, upstream.upstream, verifies=verifies, change=change)
    else:
        kind, text, files = configuration(name, pki, upstream.upstream, verifies=verifies, change=change)
    with running(kind, text, folder, files=files) as started:
        yield Front(name=row or name, pki=pki, port=started.port)
