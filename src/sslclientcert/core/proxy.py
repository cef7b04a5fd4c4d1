"""What one proxy sends to the application: the headers' names, their encodings, and the words in them."""

from __future__ import annotations

import dataclasses
import re

from .decoding import ENCODINGS, LISTS
from .headers import folded

__all__ = ["TOKEN", "Proxy", "openssl_verdicts"]


def openssl_verdicts(*words: str) -> str:
    """Return the grammar of these words and of FAILED, whose text may hold commas, but no other verdict behind one."""
    others = "|".join(map(re.escape, filter(None, words)))
    # Not `*+`: Python 3.11.2, which Debian 12 has, passes over a lookahead inside of that.
    return rf"{'|'.join(map(re.escape, words))}|FAILED:(?:(?!,\s*(?:{others}|FAILED:)).)*(?<![,\s])"


TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proxy:
    """What one proxy, configured in one way, sends to the application.

    A row promises nothing about safety: the proxy must *set* (not merely add) each of these headers on every
    request, or a client's own would pass.

    Attributes:
        name: how the row is called in configuration and messages.
        certificate_header: the header that carries the leaf (or everything, where the encoding is a chain).
        certificate_encoding: a key of `sslclientcert.core.decoding.ENCODINGS`.
        chain_header: the header that carries the intermediates, if the proxy forwards them apart.
        chain_encoding: its encoding.
        verdict_header: the header with the proxy's own verdict on the certificate.
        verdict_grammar: a regular expression for the whole of that header's value.
        verdict_success: the value that says the proxy accepted the certificate.
        verdict_none: the values that say there was no certificate.
        verdict_either: the values that come with a certificate and without one, so that they say nothing of it.
        presence_header: a header that only says whether there was a certificate.
        presence_yes: its value when there was.
        presence_no: its value when there was none; an empty one says so too.
        subject_header: the certificate's subject as the proxy saw it.
        issuer_header: the same for the issuer.
        compares_names: whether these two are as OpenSSL writes them in RFC 2253 form, and are held against the
            certificate.
        fingerprint_header: the SHA-256 of the certificate in hexadecimal, which is held against it.
        is_environ: whether these are no headers, but variables of the WSGI environ, which the server itself sets.

    Raises:
        ValueError: the row is incomplete or contradicts itself.
    """

    name: str
    certificate_header: str
    certificate_encoding: str
    chain_header: str | None = None
    chain_encoding: str | None = None
    verdict_header: str | None = None
    verdict_grammar: str = openssl_verdicts("SUCCESS", "NONE")
    verdict_success: str = "SUCCESS"
    verdict_none: frozenset[str] = frozenset({"NONE"})
    verdict_either: frozenset[str] = frozenset()
    presence_header: str | None = None
    presence_yes: str = "1"
    presence_no: str = "0"
    subject_header: str | None = None
    issuer_header: str | None = None
    compares_names: bool = True
    fingerprint_header: str | None = None
    is_environ: bool = False

    def __post_init__(self) -> None:
        if (self.chain_header is None) != (self.chain_encoding is None):
            raise ValueError(f"proxy {self.name!r}: chain_header and chain_encoding go together")
        for encoding in (self.certificate_encoding, self.chain_encoding):
            if encoding is not None and encoding not in ENCODINGS:
                raise ValueError(
                    f"proxy {self.name!r}: unknown encoding {encoding!r}; there are {', '.join(sorted(ENCODINGS))}"
                )
        names = [name for name in self.headers if name is not None]
        for name in names:
            if not TOKEN.fullmatch(name):
                raise ValueError(f"proxy {self.name!r}: {name!r} is not a header name (without colon or spaces)")
            if self.is_environ and name.startswith("HTTP_"):
                raise ValueError(f"proxy {self.name!r}: {name!r} is a client's header, and not the server's own")
        if len({folded(name) for name in names}) != len(names):
            raise ValueError(f"proxy {self.name!r}: two of its headers have the same name: {', '.join(names)}")
        try:
            grammar = re.compile(self.verdict_grammar)
        except re.error as error:
            raise ValueError(f"proxy {self.name!r}: verdict_grammar is not a regular expression: {error}") from error
        if not grammar.fullmatch(self.verdict_success):
            raise ValueError(f"proxy {self.name!r}: verdict_success does not match verdict_grammar")

    def require_headers(self) -> None:
        """Refuse a proxy that is no proxy, but the WSGI environ, where there are headers alone.

        Raises:
            ValueError: the message says what to do.
        """
        if self.is_environ:
            raise ValueError(
                f"proxy={self.name!r} reads {self.certificate_header} of the WSGI environ, and never a header, which a "
                "client can write itself. It works under WSGI alone: here, name the proxy that forwards the certificate"
            )

    @property
    def headers(self) -> tuple[str | None, ...]:
        """Certificate, chain, verdict, presence, subject, issuer, fingerprint header; None where there is none."""
        return (
            self.certificate_header,
            self.chain_header,
            self.verdict_header,
            self.presence_header,
            self.subject_header,
            self.issuer_header,
            self.fingerprint_header,
        )

    @property
    def lists(self) -> frozenset[str]:
        """Those of its headers that may come on several lines, which are then one list."""
        return frozenset({self.chain_header} if self.chain_header and self.chain_encoding in LISTS else ())
