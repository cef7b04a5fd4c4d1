"""What `auth-tls-verify-client` really does: the table of docs/proxies/verify-client.md, held to a real nginx.

Each client of the table connects to nginx in each mode. A cell is nginx's own 400, or else what the application behind
it answered. The last column is what the library says of the same certificate alone.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from examples.demo.nginx import Ingress, nginx

from .conftest import MODES
from .pki import CLIENT, Pki
from .servers import Application, Reply, application, https, plain, tls_context

PAGE = Path(__file__).parents[2] / "docs" / "proxies" / "verify-client.md"
CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n"
CRL_CONFIGURATION = "[ca]\ndefault_ca=lists\n[lists]\ndatabase=revoked.txt\ndefault_md=sha256\ncrlnumber=crlnumber\n"

P_256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")

Client = tuple[Path, Path]  # a certificate, or a chain from the leaf, and its key
Bundle = tuple[Path, Path | None]  # `ca.crt` and `ca.crl`


class Clients:
    """The clients of the table: what each shows in the handshake, and the bundle and list that it is judged by."""

    def __init__(self, pki: Pki) -> None:
        self.folder = pki.folder
        self._issue("outer", "root", CA)
        self._issue("inner", "outer", CA)
        self._issue("deep", "inner", CLIENT)
        self._issue("weak-key", "root", CLIENT, kind=("rsa:1024",))
        self._issue("sha-1", "root", CLIENT, digest="sha1")
        self._issue("revoked", "root", CLIENT)
        self._key("self-signed", P_256, "-x509", "-days", "30", "-out", "self-signed.crt")
        self._join("leaf-and-intermediate", "via-intermediate", "intermediate")
        self._join("stranger-and-root", "stranger", "stranger-root")
        self._join("only-root", "root")
        self._join("deep-bundle", "root", "outer", "inner")
        self._lists()

        def shows(chain: str, key: str | None = None) -> Client:
            return self.folder / f"{chain}.crt", self.folder / f"{key or chain}.key"

        everything = pki.bundle, None
        root = self.folder / "only-root.crt"
        self.rows: dict[str, tuple[Client | None, Bundle]] = {
            "no certificate": (None, everything),
            "a good one": (shows("good"), everything),
            "what the commands of the ingress-nginx documentation make": (shows("client"), everything),
            "one by an intermediate, which is in the bundle": (shows("via-intermediate"), everything),
            "the same, and the intermediate is not in the bundle": (shows("via-intermediate"), (root, None)),
            "the same, and the client sends it along": (
                shows("leaf-and-intermediate", "via-intermediate"),
                (root, None),
            ),
            "two intermediates, both in the bundle; depth 1": (shows("deep"), (self.folder / "deep-bundle.crt", None)),
            "a stranger's CA": (shows("stranger"), everything),
            "a stranger's CA, which the client sends along": (shows("stranger-and-root", "stranger"), everything),
            "a CA of the right name with another key": (shows("impostor"), everything),
            "self-signed": (shows("self-signed"), everything),
            "expired": (shows("expired"), everything),
            "not yet valid": (shows("not-yet-valid"), everything),
            "for servers only": (shows("server-auth-only"), everything),
            "revoked by `ca.crl`": (shows("revoked"), (root, self.folder / "current.crl")),
            "a good one; `ca.crl` is out of date": (shows("good"), (root, self.folder / "stale.crl")),
            "RSA key of 1024 bits": (shows("weak-key"), everything),
            "SHA-1 signature": (shows("sha-1"), everything),
        }

    @property
    def bundles(self) -> set[Bundle]:
        return {bundle for _, bundle in self.rows.values()}

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, timeout=120, check=True)

    def _key(self, name: str, kind: tuple[str, ...], *arguments: str) -> None:
        self._run("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", *arguments)

    def _issue(
        self, name: str, issuer: str, extensions: str, *, kind: tuple[str, ...] = P_256, digest: str = "sha256"
    ) -> None:
        (self.folder / f"{name}.ext").write_text(extensions, encoding="ascii")
        self._key(name, kind, "-new", "-out", f"{name}.csr")
        signer = ("-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key", "-CAcreateserial", "-days", "30", f"-{digest}")
        self._run("x509", "-req", "-in", f"{name}.csr", "-extfile", f"{name}.ext", "-out", f"{name}.crt", *signer)

    def _join(self, name: str, *members: str) -> None:
        text = "".join((self.folder / f"{member}.crt").read_text(encoding="ascii") for member in members)
        (self.folder / f"{name}.crt").write_text(text, encoding="ascii")

    def _lists(self) -> None:
        (self.folder / "revoked.txt").touch()
        (self.folder / "crlnumber").write_text("01\n", encoding="ascii")
        (self.folder / "lists.cnf").write_text(CRL_CONFIGURATION, encoding="ascii")
        by = ("-config", "lists.cnf", "-cert", "root.crt", "-keyfile", "root.key")
        stale = ("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
        self._run("ca", "-gencrl", *by, *stale, "-out", "stale.crl")
        self._run("ca", *by, "-revoke", "revoked.crt")
        self._run("ca", "-gencrl", *by, "-crldays", "30", "-out", "current.crl")


class Rig:
    """One nginx in front of an application for each bundle, and a host for each of them in each mode."""

    def __init__(
        self, server_ca: Path, applications: dict[Bundle, Application], ports: dict[tuple[Bundle, str], int]
    ) -> None:
        self._server_ca = server_ca
        self._applications = applications
        self._ports = ports

    def through_nginx(self, client: Client | None, bundle: Bundle, mode: str, *headers: tuple[str, str]) -> Reply:
        context = tls_context(self._server_ca, None)
        context.set_ciphers("DEFAULT@SECLEVEL=0")  # above it, a client refuses to show its own weak key
        if client is not None:
            context.load_cert_chain(*client)
        return https(self._ports[bundle, mode], context, headers=headers)

    def past_nginx(self, client: Client | None, bundle: Bundle) -> Reply:
        headers = [] if client is None else [header(client)]
        return plain(self._applications[bundle].port, headers=headers)


def header(client: Client) -> tuple[str, str]:
    return "ssl-client-cert", quote(leaf(client[0]), safe="")


def leaf(chain: Path) -> str:
    """The leaf of a chain, which is all that nginx forwards."""
    end = "-----END CERTIFICATE-----\n"
    return chain.read_text(encoding="ascii").partition(end)[0] + end


@pytest.fixture(scope="module")
def clients(pki: Pki) -> Clients:
    return Clients(pki)


@pytest.fixture(scope="module")
def rig(pki: Pki, clients: Clients) -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="table-") as name, ExitStack() as stack:
        applications: dict[Bundle, Application] = {}
        hosts: dict[tuple[Bundle, str], Ingress] = {}
        for number, bundle in enumerate(clients.bundles):
            ca, crl = bundle
            folder = Path(name) / str(number)
            folder.mkdir()
            with pytest.MonkeyPatch.context() as environment:
                if crl is not None:
                    environment.setenv("SSLCLIENTCERT_CRL", str(crl))
                running = stack.enter_context(application(folder, "uvicorn-h11", ca))
            applications[bundle] = running
            for mode in (*MODES, "off"):
                hosts[bundle, mode] = Ingress(upstream=running.upstream, ca=ca, crl=crl, verify_client=mode)
        server = pki.server
        ports = stack.enter_context(
            nginx(Path(name), [*hosts.values()], certificate=server.certificate, key=server.key)
        )
        yield Rig(pki.server_ca, applications, dict(zip(hosts, ports, strict=True)))


def answer(reply: Reply) -> str:
    """A cell: the library's code, or 200, or the refusal of nginx itself."""
    if reply.code is not None:
        return f"`{reply.code}`"
    return "200" if reply.status == 200 else f"{reply.status} by nginx"


def row(rig: Rig, clients: Clients, name: str) -> str:
    client, bundle = clients.rows[name]
    replies = [rig.through_nginx(client, bundle, mode) for mode in MODES]
    (verdict,) = {reply.verdict for reply in replies}
    cells = [name, f"`{verdict}`", *map(answer, replies), answer(rig.past_nginx(client, bundle))]
    return f"| {' | '.join(cells)} |"


def test_the_table_of_the_page_is_what_nginx_and_the_library_do(rig: Rig, clients: Clients) -> None:
    real = "\n".join(row(rig, clients, name) for name in clients.rows)
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| the client shows |")
    assert table.partition("\n\n")[0].split("\n", 2)[2] == real, real


@pytest.mark.parametrize(
    ("client", "said"),
    [("no certificate", "No required SSL certificate was sent"), ("a stranger's CA", "The SSL certificate error")],
)
def test_what_nginx_refuses_itself_it_says_on_a_page_of_its_own(
    rig: Rig, clients: Clients, client: str, said: str
) -> None:
    reply = rig.through_nginx(*clients.rows[client], "on")
    assert reply.status == 400
    assert said in reply.body.decode()
    assert said in PAGE.read_text(encoding="utf-8")


def test_under_off_nobody_has_a_certificate_and_nobody_can_claim_one(rig: Rig, clients: Clients) -> None:
    client, bundle = clients.rows["a good one"]
    assert client is not None
    for headers in ([], [header(client)]):
        reply = rig.through_nginx(client, bundle, "off", *headers)
        assert (reply.verdict, reply.code) == ("NONE", "certificate_missing")
