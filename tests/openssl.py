"""Certificates made by the `openssl` command line, as people make them: nothing here is shared with the library."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
from pathlib import Path

from examples.demo.certificates import DOCUMENTATION

__all__ = ["DOCUMENTATION", "OpenSSL", "version"]

# For `openssl ca`, which sets dates: `openssl x509` has no -not_before before 3.4.
_DATABASE = """\
[ca]
default_ca = dated
[dated]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
"""


@functools.cache
def version() -> tuple[int, ...]:
    """Return the version of `openssl`, such as (3, 0, 19)."""
    said = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"[0-9]+", said.split()[1])))


class OpenSSL:
    """A folder in which `openssl` works. A certificate NAME.crt has the key NAME.key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run openssl and return what it printed."""
        command = ["openssl", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.folder, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise AssertionError(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def documentation(self) -> None:
        """Make ca.crt and client.crt by the commands of the ingress-nginx documentation, word for word.

        client.crt is X.509 v1 with OpenSSL 3.0, and v3 since 3.2.
        """
        for command in DOCUMENTATION.splitlines():
            self(*shlex.split(command)[1:])

    def root(self, name: str, common_name: str, key: str = "P-256") -> None:
        """Make a self-signed CA."""
        files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
        self("req", "-x509", *_new_key(key), "-subj", f"/CN={common_name}", "-days", "30", *files)

    def issue(
        self,
        name: str,
        common_name: str,
        issuer: str,
        extensions: str = "",
        *,
        dates: tuple[str, str] | None = None,
        key: str = "P-256",
        digest: str = "sha256",
        subject: str = "",
    ) -> None:
        """Issue a certificate with these extensions, as lines of a configuration file.

        Parameters:
            name: of the files.
            common_name: of the subject; it may hold any character.
            issuer: the name of the issuer's files.
            extensions: lines of a configuration file; without any, the certificate is X.509 v1 before OpenSSL 3.2.
            dates: start and end, such as "20200101000000Z"; the next 30 days if None.
            key: a curve, `ed25519`, or `rsa:` and a number of bits.
            digest: of the signature.
            subject: the whole subject, as the option -subj has it; the common name alone if empty.
        """
        holder = ("-utf8", "-subj", subject or "/CN=" + common_name.replace("\\", "\\\\").replace("/", "\\/"))
        self("req", "-new", *_new_key(key), *holder, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        what = ["-in", f"{name}.csr", "-out", f"{name}.crt"]
        if extensions:
            (self.folder / f"{name}.ext").write_text(extensions, encoding="utf-8")
            what += ["-extfile", f"{name}.ext"]
        if dates is None:
            signer = ("-CA", f"{issuer}.crt", "-CAkey", f"{issuer}.key", "-CAcreateserial")
            self("x509", "-req", "-days", "30", f"-{digest}", *signer, *what)
        else:
            (self.folder / "index.txt").touch()
            (self.folder / "ca.cnf").write_text(_DATABASE, encoding="ascii")
            validity = ("-startdate", dates[0], "-enddate", dates[1])
            database = ("-config", "ca.cnf", "-cert", f"{issuer}.crt", "-keyfile", f"{issuer}.key")
            self("ca", "-batch", "-notext", *validity, *database, *what)


def _new_key(kind: str) -> tuple[str, ...]:
    if kind.startswith("P-"):
        return ("-newkey", "ec", "-pkeyopt", f"ec_paramgen_curve:{kind}", "-nodes")
    return ("-newkey", kind, "-nodes")
