"""The certificates of the tests with real proxies, all made by the `openssl` command line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..openssl import OpenSSL

LOWEST_CA = "basicConstraints=critical,CA:TRUE,pathlen:0\n"
CLIENT = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n"
SANS = "subjectAltName=DNS:alice.example.org,email:alice@example.org,URI:spiffe://example.org/alice,IP:192.0.2.7\n"

# A subject that quotes, escapes, breaks lines and imitates other attributes and header lines.
HOSTILE_NAME = 'mallory",CN=admin\\, O=x\r\nssl-client-verify: SUCCESS\n\t<b>%0A;'

# As the option -subj of openssl has them: what Go writes otherwise than OpenSSL, and what one has to quote.
SUBJECTS = {
    "serial-number": "/O=Example/serialNumber=4711/CN=alice",
    "e-mail": "/O=Example/CN=alice/emailAddress=alice@example.org",
    "two-units": "/O=Example/OU=one/OU=two/CN=alice",
    "street": "/C=DE/postalCode=12345/street=Main Street 1/CN=alice",
    "common-name-first": "/CN=alice/OU=one/O=Example/C=DE",
    "multi-valued": "/O=Example/CN=alice+UID=a1",
    "user-id": "/DC=org/DC=example/UID=alice",
    "two-common-names": "/CN=alice/CN=bob",
    "not-ascii": "/O=Müller & Söhne/CN=Zoë",
    "quotes": '/O=Ex"am,p+le; <Inc>/CN= alice \\#1 ',
    "none": "/",
}


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a client shows in the handshake."""

    certificate: Path
    key: Path

    @property
    def pem(self) -> str:
        return self.certificate.read_text(encoding="ascii")

    @property
    def der(self) -> bytes:
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).public_bytes(Encoding.DER)


def _many_sans(count: int) -> str:
    return "subjectAltName=" + ",".join(f"DNS:{number:04}.clients.example.org" for number in range(count)) + "\n"


def injected_san(victim: Credentials) -> str:
    """A URI that ends the XFCC element which it stands in, and adds a whole one with the victim's certificate."""
    element = f"Hash={hashlib.sha256(victim.der).hexdigest()};Cert='{quote(victim.pem, safe='')}'".replace("'", '\\"')
    uri = f"spiffe://example.org/mallory,{element};URI=spiffe://example.org/alice"
    return f"subjectAltName=@names\n[names]\nURI.1={uri}\n"


class Pki:
    """Every certificate of the tests, in one folder; `client[name]` are those that clients show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl = OpenSSL(folder)
        self._openssl.documentation()
        self.client = {"documentation": Credentials(certificate=folder / "client.crt", key=folder / "client.key")}
        self._openssl.root("root", "Tests Root")
        self._openssl.root("edwards", "Tests Ed25519 Root", "ed25519")
        self._openssl.root("stranger-root", "Stranger Root")
        self._openssl.root("impostor-root", "Tests Root")
        self._openssl.issue("intermediate", "Tests Intermediate", "root", LOWEST_CA)

        self._client("good", "alice", "root", CLIENT + SANS)
        self._client("common-name-only", "bob", "root", "basicConstraints=CA:FALSE\n")
        self._client("via-intermediate", "carol", "intermediate", CLIENT + SANS)
        self._client("ed25519-root", "dave", "edwards", CLIENT)
        self._client("utf-8", "Zoë Müller", "root", CLIENT)
        self._client("hostile", HOSTILE_NAME, "root", CLIENT)
        self._client("server-auth-only", "www.example.org", "root", CLIENT.replace("clientAuth", "serverAuth"))
        self._client("stranger", "alice", "stranger-root", CLIENT + SANS)
        self._client("impostor", "alice", "impostor-root", CLIENT + SANS)
        self._openssl.issue("unbundled", "Unbundled Intermediate", "root", LOWEST_CA)
        self._client("via-forwarded", "erin", "unbundled", CLIENT + SANS)
        with self.client["via-forwarded"].certificate.open("a", encoding="ascii") as chain:
            chain.write((folder / "unbundled.crt").read_text(encoding="ascii"))
        self._client("large", "frank", "root", CLIENT + _many_sans(240))  # 6 KB
        self._client("huge", "grace", "root", CLIENT + _many_sans(540))  # 13 KB
        for name, subject in SUBJECTS.items():
            self._client(f"subject-{name}", "", "root", CLIENT + SANS, subject=subject)
        self._client("xfcc-injection", "mallory", "root", CLIENT + injected_san(self.client["good"]))
        self._client("any-purpose", "alice", "root", CLIENT.replace("clientAuth", "anyExtendedKeyUsage"))
        self._client("key-encipherment", "alice", "root", CLIENT.replace("digitalSignature", "keyEncipherment"))
        self._client("sha-1-signature", "alice", "root", CLIENT, digest="sha1")
        self._client("rsa-1024", "alice", "root", CLIENT, key="rsa:1024")
        self._client("p-521", "alice", "root", CLIENT, key="P-521")
        self._client("ed25519", "alice", "root", CLIENT, key="ed25519")
        self._client("expired", "alice", "root", CLIENT + SANS, dates=("20200101000000Z", "20210101000000Z"))
        self._client("not-yet-valid", "alice", "root", CLIENT + SANS, dates=("20990101000000Z", "20991231000000Z"))

        self._openssl.issue("server", "localhost", "root", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self.server = Credentials(certificate=folder / "server.crt", key=folder / "server.key")
        self.server_ca = folder / "root.crt"
        # Under the names that the documentation's configurations use. HAProxy wants both in one file.
        self.site = folder / "site"
        self.site.mkdir()
        certificate, private = self.server.pem, self.server.key.read_text(encoding="ascii")
        for name, text in (("crt", certificate), ("key", private), ("pem", certificate + private)):
            (self.site / f"tls.{name}").write_text(text, encoding="ascii")
        self.bundle = folder / "bundle.crt"
        members = ("ca", "root", "edwards", "intermediate")
        self.bundle.write_text(
            "\n".join(f"# {name}\n" + (folder / f"{name}.crt").read_text(encoding="ascii") for name in members),
            encoding="ascii",
        )

    def _client(
        self,
        name: str,
        common_name: str,
        issuer: str,
        extensions: str,
        *,
        dates: tuple[str, str] | None = None,
        key: str = "P-256",
        digest: str = "sha256",
        subject: str = "",
    ) -> None:
        self._openssl.issue(name, common_name, issuer, extensions, dates=dates, key=key, digest=digest, subject=subject)
        self.client[name] = Credentials(certificate=self.folder / f"{name}.crt", key=self.folder / f"{name}.key")
