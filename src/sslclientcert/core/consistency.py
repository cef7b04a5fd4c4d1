"""What else the proxy says, held against the certificate: its verdict, whether there was one, its subject and issuer.

The facts. With `auth-tls-pass-certificate-to-upstream` off, nginx passes on any certificate header that a client sends,
next to its own genuine verdict and names of the certificate that it saw. So a contradiction is a forgery, or the proxy
does not forward what it should.

What we decide. What contradicts the certificate, or its absence, is refused. A companion header that is absent proves
nothing and does not refuse, unless `require_proxy_success` demands the verdict.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from .der import element
from .errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUntrusted,
    ForwardingInconsistent,
    HeaderMalformed,
    quoted,
)
from .headers import HeaderValues
from .names import OPENSSL_NAMES, rfc4514
from .presented import PresentedChain, presented_by
from .proxies import Proxy

__all__ = ["Companions", "is_openssl_text_of"]

# An attribute: a type, then a value in which a backslash escapes one character or two hexadecimal digits. A value may
# end in a lone backslash: the escaped space behind it is lost where header values are trimmed.
_ATTRIBUTE = re.compile(r"([A-Za-z0-9.-]+)=((?:[^\\,+]|\\[0-9A-Fa-f]{2}|\\.)*+\\?)([,+]|\Z)", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2}|.|\Z)", re.DOTALL)
_STRING_TAGS = {0x0C: "utf-8", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}

_FORWARD_IT = (
    "have the proxy forward it (ingress-nginx: the annotation "
    'nginx.ingress.kubernetes.io/auth-tls-pass-certificate-to-upstream: "true")'
)


class Companions:
    """The headers that a proxy sends next to the certificate header, and what they may say.

    Parameters:
        proxy: which headers, and their grammar.
        require_success: whether the proxy's verdict must be there and say success.

    Attributes:
        require_success: the same.

    Raises:
        ValueError: success is required, and the proxy has no verdict header.
    """

    def __init__(self, proxy: Proxy, *, require_success: bool) -> None:
        if require_success and proxy.verdict_header is None:
            raise ValueError(
                f"require_proxy_success: the proxy {proxy.name!r} has no verdict header; name the one that your proxy "
                "sends with dataclasses.replace(PROXIES[...], verdict_header=...)"
            )
        self._proxy = proxy
        self.require_success = require_success
        self._verdict_grammar = re.compile(proxy.verdict_grammar)

    def presented_in(self, values: HeaderValues) -> PresentedChain | None:
        """Return what the proxy forwarded, which nothing else that it says contradicts; None if there was nothing.

        Does not check: the certificates. Only a trust store verifies them.

        Raises:
            ClientCertError: as the three methods below, and as `decode`.
        """
        self.require_grammar(values)
        presented = presented_by(self._proxy, certificate=values[0], chain=values[1])
        if presented is None:
            self.require_no_trace_of_a_certificate(values)
        else:
            self.require_of(presented, values)
        return presented

    def require_grammar(self, values: HeaderValues) -> None:
        """Refuse a verdict or a presence that the proxy never sends, such as two that a server has joined.

        Raises:
            HeaderMalformed: the message quotes it.
        """
        proxy, (_, _, verdict, presence, *_) = self._proxy, values
        if verdict is not None and not self._verdict_grammar.fullmatch(verdict):
            raise HeaderMalformed(f"{proxy.verdict_header} is not what {proxy.name} sends: {quoted(verdict)}")
        if presence is not None and presence not in (proxy.presence_yes, proxy.presence_no, ""):
            raise HeaderMalformed(f"{proxy.presence_header} is not what {proxy.name} sends: {quoted(presence)}")

    def require_no_trace_of_a_certificate(self, values: HeaderValues) -> None:
        """Refuse what else the proxy says of a certificate where there is none.

        Raises:
            ForwardingInconsistent: the proxy says that there was one.
            CertificateUntrusted: the proxy says that it did not accept it.
        """
        proxy, (_, _, verdict, presence, subject, issuer, fingerprint, *_) = self._proxy, values
        if presence == proxy.presence_yes and verdict and verdict not in (proxy.verdict_success, *proxy.verdict_none):
            raise CertificateUntrusted(
                f"{proxy.presence_header} says there was a certificate, {proxy.verdict_header} says {quoted(verdict)}, "
                f"and {proxy.certificate_header} holds none: the proxy did not accept the certificate, and did not "
                "forward it"
            )
        if presence == proxy.presence_yes:
            raise ForwardingInconsistent(
                f"{proxy.presence_header} says there was a certificate, and {proxy.certificate_header} holds none: "
                "it was too large for the proxy, or the proxy is not configured to forward it"
            )
        if verdict and verdict not in proxy.verdict_none | proxy.verdict_either:
            raise ForwardingInconsistent(
                f"{proxy.verdict_header} says {quoted(verdict)}, so there was a certificate, but "
                f"{proxy.certificate_header} is not there: {_FORWARD_IT}"
            )
        named = subject or issuer or fingerprint
        if named:
            raise ForwardingInconsistent(
                f"the proxy names a certificate ({quoted(named)}), but {proxy.certificate_header} is not "
                f"there: {_FORWARD_IT}"
            )

    def require_of(self, presented: PresentedChain, values: HeaderValues) -> None:
        """Refuse what the proxy says of another certificate than the one presented, or of none.

        Raises:
            ForwardingInconsistent: it contradicts the certificate, or the verdict that is required is absent.
            CertificateUntrusted: success is required, and the verdict is another.
        """
        proxy, (_, _, verdict, presence, subject, issuer, fingerprint, *_) = self._proxy, values
        if presence not in (None, proxy.presence_yes) or verdict in proxy.verdict_none:
            raise ForwardingInconsistent(
                f"{proxy.certificate_header} holds a certificate, and "
                f"{proxy.verdict_header if presence is None else proxy.presence_header} says that the client presented "
                "none: the header is forged, and the proxy lets it pass. Have the proxy set it on every request"
            )
        if proxy.compares_names:
            self._require_names_of(presented, subject, issuer)
        if fingerprint and fingerprint.lower() != presented.leaf.fingerprint(SHA256()).hex():
            raise ForwardingInconsistent(
                f"{proxy.fingerprint_header} is {quoted(fingerprint)}, which is not the SHA-256 of the certificate in "
                f"{proxy.certificate_header}: they are of two certificates. Have the proxy set both on every request"
            )
        if self.require_success and verdict != proxy.verdict_success:
            if verdict is None:
                raise ForwardingInconsistent(f"require_proxy_success is set, and {proxy.verdict_header} is not there")
            raise CertificateUntrusted(
                f"require_proxy_success is set, and {proxy.verdict_header} says {quoted(verdict)}"
            )

    @contextlib.contextmanager
    def suspecting_the_clock(self, values: HeaderValues) -> Iterator[None]:
        """Within the block, add to an expired certificate's refusal that the proxy found the certificate valid."""
        try:
            yield
        except (CertificateExpired, CertificateNotYetValid) as error:
            verdict = values[2] if len(values) > 2 else None  # a PEM alone has no companions
            if verdict is None or verdict != self._proxy.verdict_success:
                raise
            raise type(error)(
                f"{error.detail}. {self._proxy.verdict_header} says {quoted(verdict)}, so the proxy found it valid: "
                "compare the clocks of this host and of the proxy. If they agree, the client has kept a TLS session "
                "from before"
            ) from error

    def _require_names_of(self, presented: PresentedChain, subject: str | None, issuer: str | None) -> None:
        proxy, leaf = self._proxy, presented.leaf
        # nginx sends the names of a certificate together, and of an empty one no header.
        if issuer and not subject and proxy.subject_header is not None and list(leaf.subject):
            raise ForwardingInconsistent(
                f"{proxy.issuer_header} is there and {proxy.subject_header} is not, so the proxy saw a certificate "
                f"without a subject, and the one in {proxy.certificate_header} has {quoted(rfc4514(leaf.subject))}: "
                "they are of two certificates"
            )
        for header, text, whose in (
            (proxy.subject_header, subject, "subject"),
            (proxy.issuer_header, issuer, "issuer"),
        ):
            if not text:
                continue
            name = getattr(leaf, whose)
            if not is_openssl_text_of(name, text):
                raise ForwardingInconsistent(
                    f"{header} is {quoted(text)}, and the certificate in {proxy.certificate_header} has "
                    f"{quoted(rfc4514(name))}: they are of two certificates. One may be forged next to the client's "
                    f"own genuine verdict; {_FORWARD_IT}"
                )


# nginx writes names by X509_NAME_print_ex with XN_FLAG_RFC2253: it escapes every byte above ASCII,
# names attribute types by OpenSSL's short names, and writes the value of a type that it does not know as '#' and DER.
# Two texts may differ and mean one name, so attributes are compared.


def is_openssl_text_of(name: x509.Name, text: str) -> bool:
    """Say whether `text` is what OpenSSL prints for `name` with XN_FLAG_RFC2253. What cannot be read is not."""
    ours = rfc4514(name)
    # OpenSSL writes a character as four escapes of three at most: what is longer need not be read.
    if text == ours or len(text) > 12 * len(ours):
        return text == ours
    try:
        return list(_read(text)) == [
            frozenset((attribute.oid.dotted_string, _bytes(attribute.value)) for attribute in rdn)
            for rdn in reversed(name.rdns)
        ]
    except ValueError:
        return False


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def _read(text: str) -> Iterator[frozenset[tuple[str, bytes]]]:
    rdn: set[tuple[str, bytes]] = set()
    position, separator = 0, ","
    while separator:
        attribute = _ATTRIBUTE.match(text, position)
        if attribute is None:
            raise ValueError("not a name in RFC 2253 form")
        if separator == "," and rdn:
            yield frozenset(rdn)
            rdn = set()
        oid = OPENSSL_NAMES.get(attribute[1], attribute[1])
        rdn.add((oid, _value(attribute[2])))
        position, separator = attribute.end(), attribute[3]
    yield frozenset(rdn)


def _value(text: str) -> bytes:
    if text.startswith("#") and text != "#":
        return _der_value(bytes.fromhex(text[1:]))
    return _ESCAPE.sub(_unescaped, text.encode("latin-1"))


def _unescaped(escape: re.Match[bytes]) -> bytes:
    escaped = escape[1]
    return bytes.fromhex(escaped.decode()) if len(escaped) == 2 else escaped or b" "


def _der_value(der: bytes) -> bytes:
    tag, start, end = element(der)
    if end != len(der):
        raise ValueError("bytes behind the value")
    charset = _STRING_TAGS.get(tag)
    return der[start:].decode(charset).encode() if charset else der[start:]
