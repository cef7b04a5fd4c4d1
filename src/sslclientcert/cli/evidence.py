"""What a person hands to the command line, and what it is: a header's value, a block of request headers, certificates.

Nothing here verifies anything. What cannot be told apart with certainty is refused rather than guessed: two requests in
one file, text behind the empty line that ends a request's headers, a line that is no header. A private key is
recognised first and in every form, so that no later message can quote it.
"""

from __future__ import annotations

import binascii
import dataclasses
import re
import sys
import textwrap
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from ..core.forms import Kind, elements, kind_of
from ..core.headers import folded
from ..core.presented import decoded
from ..core.proxies import PROXIES, Proxy, proxy_named
from ..core.recognition import OtherProxies
from .terminal import Misuse, counted, shown

__all__ = ["Evidence", "forwarded", "hint_of_proxy", "read", "read_bytes", "row_of"]

_MOST_BYTES = 4 * 1024 * 1024

_GAP = rb"(?: |%20|\+)"
_PRIVATE_KEY = re.compile(rb"-----BEGIN" + _GAP + rb"(?:[A-Z0-9]+" + _GAP + rb"){0,3}PRIVATE" + _GAP + rb"KEY")
_PEM_LINE = re.compile(rb"^-----BEGIN [A-Z0-9 ]+-----[ \t\r]*$", re.MULTILINE)
_DER = (b"\x30\x80", b"\x30\x81", b"\x30\x82", b"\x30\x83")
_CERTIFICATES = Kind(
    "certificate",
    frozenset({"CERTIFICATE", "X509 CERTIFICATE"}),
    "Give certificates in PEM ('-----BEGIN CERTIFICATE-----') or one in DER",
    {
        "": "give the certificate alone ('-----BEGIN CERTIFICATE-----')",
        "CERTIFICATE REQUEST": "a CA has yet to sign it; give the certificate that the CA returned",
        "NEW CERTIFICATE REQUEST": "a CA has yet to sign it; give the certificate that the CA returned",
        "PKCS7": "take the certificates out with: openssl pkcs7 -print_certs -in FILE -out client.crt",
        "TRUSTED CERTIFICATE": "write it as a plain one with: openssl x509 -in FILE -out client.crt",
        "X509 CRL": "CRLs go into --crl",
    },
)

# RFC 9110 sections 5.1 and 5.5. `name;` is how curl is told to send a header without a value.
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?::[ \t]*(.*)|;)", re.DOTALL)
_REQUEST_LINE = re.compile(r"[A-Z]+ \S+ HTTP/[0-9.]+")
_HEADERS = {folded(name) for row in PROXIES.values() for name in row.headers if name is not None}
_PSEUDO_HEADER = re.compile(r":(?:method|scheme|authority|path|protocol): .*")  # RFC 9113 section 8.3.1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was found in a file. **Nothing about it has been verified.**

    Attributes:
        source: how messages name where it came from.
        certificates: DER of the certificates of a PEM or DER file, in their order.
        headers: a block of request headers, in their order and with duplicates.
        value: the value of a certificate header.
    """

    source: str
    certificates: tuple[bytes, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    value: str | None = None

    def sent_by(self, row: Proxy) -> tuple[tuple[str, str], ...]:
        """Return the request headers, if they are those of this proxy: a value alone is its certificate header's."""
        return self.headers if self.value is None else ((row.certificate_header, self.value),)

    def description(self, row: Proxy) -> str:
        """Say what was found, in a few words."""
        if self.certificates:
            return f"{counted(len(self.certificates), 'certificate')} in {shown(self.source)}"
        if self.value is None:
            found = counted(len(self.headers), "request header")
            return f"{found} in {shown(self.source)}, read as {row.name} sends them"
        return f"a header value in {shown(self.source)}, read as {row.certificate_header} of {row.name}"


def row_of(proxy: str, header: str | None = None) -> Proxy:
    """Return the row by that name, with another name for its certificate header if there is one.

    Raises:
        Misuse: there is no such proxy, it sends no headers, or the header's name is none.
    """
    try:
        row = proxy_named(proxy, header)
        row.require_headers()
    except ValueError as error:
        raise Misuse(str(error)) from error
    return row


def read_bytes(path: str, most: int = -1) -> bytes:
    """Return the content of a file, "-" being standard input, or its first `most` bytes.

    Raises:
        Misuse: it is empty, in UTF-16, or holds a private key.
        OSError: it cannot be read.
    """
    source = _source(path)
    if path == "-":
        if sys.stdin.isatty():
            print("sslclientcert: reading from the terminal; end with Ctrl-D", file=sys.stderr)
        data = sys.stdin.buffer.read(most)
    else:
        with open(path, "rb") as file:
            data = file.read(most)
    if not data.strip():
        raise Misuse(f"{source}: it is empty; did the command that wrote it fail?")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Misuse(f"{source}: it is UTF-16 text (written by PowerShell?); save it as ASCII or UTF-8")
    if _PRIVATE_KEY.search(data) or _is_private_key(data):
        raise Misuse(
            f"{source}: it holds a private key, which nothing here needs; give the certificate alone "
            "(openssl x509 -in FILE -out client.crt takes it out of a file that holds both)"
        )
    return data.removeprefix(b"\xef\xbb\xbf")


def _source(path: str) -> str:
    return "standard input" if path == "-" else path


def _is_private_key(data: bytes) -> bool:
    """Say whether it is a private key without PEM labels: DER, or base64 of DER."""
    if not data.startswith(b"0"):
        try:
            data = binascii.a2b_base64(b"".join(data.split()), strict_mode=True)
        except ValueError:
            return False
    try:
        load_der_private_key(data, None)
    except ValueError:
        return False
    except (TypeError, UnsupportedAlgorithm):  # a key that wants a password, or of a kind that is not known
        return True
    return True


def read(path: str) -> Evidence:
    """Read a file, "-" being standard input, and say what it is. Nothing is verified.

    Raises:
        Misuse: see `read_bytes`; or it is something else, or more than one thing.
        OSError: it cannot be read.
    """
    data, source = read_bytes(path, _MOST_BYTES + 1), _source(path)
    if len(data) > _MOST_BYTES:
        raise Misuse(f"{source}: it is larger than 4 MiB; give the headers of one request, or certificates")
    if data.startswith(_DER):
        return Evidence(source=source, certificates=_certificates(data, source))
    text = textwrap.dedent(data.decode("latin-1").replace("\r\n", "\n")).strip()
    lines = text.split("\n")
    sent = [line[2:] for line in lines if line == ">" or line.startswith("> ")]  # of a transcript by curl
    if _PEM_LINE.search(data):
        if _name_certificate_headers(lines) or _name_certificate_headers(sent):
            raise Misuse(f"{source}: it holds certificates and request headers; give either of them alone")
        return Evidence(source=source, certificates=_certificates(data, source))
    if sent and _name_certificate_headers(lines):
        raise Misuse(
            f"{source}: some of the headers are marked '> ', as curl does, and some are not; give one kind alone"
        )
    lines = sent or lines
    if _FIELD.fullmatch(lines[0]) or _REQUEST_LINE.fullmatch(lines[0]) or _PSEUDO_HEADER.fullmatch(lines[0]):
        return Evidence(source=source, headers=_headers(lines, source))
    return Evidence(source=source, value=text)


def _name_certificate_headers(lines: Sequence[str]) -> bool:
    fields = map(_FIELD.fullmatch, lines)
    return any(field is not None and folded(field[1]) in _HEADERS for field in fields)


def _certificates(data: bytes, source: str) -> tuple[bytes, ...]:
    if data.startswith(_DER) and kind_of(data) != "CERTIFICATE":
        raise Misuse(
            f"{source}: it is binary and no X.509 certificate. If it is PKCS #12 (.p12, .pfx), take the certificate "
            "out with: openssl pkcs12 -in FILE -clcerts -nokeys -out client.crt"
        )
    try:
        return tuple(elements(data, source, _CERTIFICATES))
    except ValueError as error:
        raise Misuse(str(error)) from error


def _headers(lines: Sequence[str], source: str) -> tuple[tuple[str, str], ...]:
    """Parse the head of a request (RFC 9112 section 2.1); a folded line (section 5.2) belongs to the one before it."""
    if sum(bool(_REQUEST_LINE.fullmatch(line)) for line in lines) > 1:
        raise Misuse(f"{source}: it holds more than one request; give the headers of one")
    headers: list[tuple[str, str]] = []
    ended = False
    for line in lines:
        field = _FIELD.fullmatch(line)
        if not line.strip():
            ended = True
        elif ended:
            raise Misuse(
                f"{source}: '{shown(line, 40)}' stands behind the empty line that ends the headers; leave out the "
                "empty line, or the request's body"
            )
        elif line[0] in " \t" and headers:
            name, value = headers[-1]
            headers[-1] = name, f"{value}\n{line}"
        elif field:
            headers.append((field[1], (field[2] or "").rstrip(" \t")))
        elif not (_REQUEST_LINE.fullmatch(line) or _PSEUDO_HEADER.fullmatch(line)):
            raise Misuse(f"{source}: '{shown(line, 40)}' is no header line; give lines of the form 'name: value'")
    return tuple(headers)


def forwarded(row: Proxy, headers: Sequence[tuple[str, str]]) -> tuple[bytes, ...]:
    """Decode every certificate that headers carry by a row, in any order and number. DER, unverified.

    Raises:
        ClientCertError: a value is not encoded as the row says.
    """
    certificates: list[bytes] = []
    places = ((row.certificate_header, row.certificate_encoding), (row.chain_header, row.chain_encoding))
    for header, encoding in places:
        if header is not None and encoding is not None:
            for name, value in headers:
                if folded(name) == folded(header):
                    certificates += decoded(header, value, encoding)
    return tuple(certificates)


def hint_of_proxy(evidence: Evidence, row: Proxy) -> str:
    """Return a sentence on the certificate header of another proxy, or nothing: for a person to decide on."""
    own = frozenset(folded(name) for name in row.headers if name is not None)
    found = OtherProxies(own).found_in(evidence.headers)
    return f". {found[0].upper()}{found[1:]}: say which with --proxy" if found else ""
