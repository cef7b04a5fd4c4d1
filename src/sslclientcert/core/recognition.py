"""What a header looks like that the configured proxy does not send, so that messages can say what to change.

Nothing here decides: a value that is not of its encoding is refused all the same, and a header of another proxy is not
read. The encodings start so differently that one look tells them apart.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Sequence
from typing import Any

from .errors import ClientCertError, HeaderMalformed, ProxyUntrusted
from .headers import HeaderReader, folded
from .peers import TrustedProxies
from .proxies import PROXIES, Proxy

__all__ = ["OtherProxies", "explained"]

_log = logging.getLogger("sslclientcert")

_BETWEEN_WARNINGS = 60.0  # seconds

_PEM = re.compile(
    r"(?:-|%2[dD]){5}BEGIN(?P<gap> |%20|\+)CERTIFICATE(?:-|%2[dD]){5}(?P<end>%0[dD]%0[aA]|%0[aA]|%20|%09|\s|.|\Z)",
    re.DOTALL,
)
_XFCC = re.compile(r"(?:by|hash|cert|chain|subject|uri|dns)=", re.IGNORECASE)

# What ends the label's line of percent-encoded PEM, if it is not one line feed.
_LINE_ENDS = {
    "%0d%0a": "The lines of the PEM end with CRLF (%0D%0A): send them with LF (%0A) alone",
    "%20": "The PEM has spaces where its line ends were: send each line end as %0A",
    "%09": "The PEM has tabs where its line ends were: send each line end as %0A",
}
_ESCAPE_IT = "nginx sends this as $ssl_client_cert or $ssl_client_raw_cert: configure $ssl_client_escaped_cert"


def _recognised(text: str) -> tuple[str, str]:
    """Return the encoding that a value looks like, or nothing, and what else there is to say of it, or nothing."""
    pem = _PEM.match(text)
    if text.startswith('"'):
        return "", "The value is in quotes, which HAProxy's %{+Q}[...] writes: configure %[...] without +Q"
    if pem is None:
        return _without_label(text)
    if pem["gap"] == " ":
        return "folded-pem", _ESCAPE_IT
    if pem["gap"] == "+":
        return "", "The value has '+' for a space, as quote_plus writes it: percent-encode it, with %20 for a space"
    end = pem["end"].lower()
    if end == "%0a":
        return "url-pem", ""
    return "", _LINE_ENDS.get(end, "The PEM has no line ends: send each as %0A")


def _without_label(text: str) -> tuple[str, str]:
    if text.startswith(("LS0tLS1CRUdJTi", ":LS0tLS1CRUdJTi")):  # -----BEGIN
        return "base64-pem", ""
    if text.startswith("MI") and "%" in text:
        return "", "The value is percent-encoded base64, which Traefik before 2.9.4 sends: update Traefik"
    if text.startswith("MI"):  # a DER sequence of 128 octets or more
        return "base64-der-list" if "," in text else "base64-der", ""
    if text.startswith(":"):
        return "byte-sequence", ""
    return ("xfcc" if _XFCC.match(text) else ""), ""


def explained(error: HeaderMalformed, text: str, encoding: str, header: str | None) -> HeaderMalformed:
    """Return the same error, which also says what the value looks like and which proxies send that.

    Parameters:
        error: why the value is not of its encoding.
        text: the value.
        encoding: what it should be.
        header: the header it came in. If a proxy sends what it looks like in just this header, that one is named alone.
    """
    found, remark = _recognised(text)
    if found and encoding.startswith(found):
        return error
    if found:
        rows = [row for row in PROXIES.values() if row.certificate_encoding == found]
        here = [row for row in rows if header is not None and folded(row.certificate_header) == folded(header)]
        own = f"a row of your own with certificate_encoding={found!r}"
        sent = f", {_sent_by(here or rows)}. Set proxy= to that name, or to {own}" if rows else f". Set proxy= to {own}"
        what = f"It looks like {found}{sent}"
        remark = f"{what}. {remark}" if remark and encoding.startswith("url-pem") else what
    return HeaderMalformed(f"{error.detail}. {remark}") if remark else error


def _sent_by(rows: Sequence[Proxy]) -> str:
    names = [row.name for row in rows]
    if len(names) == 1:
        return f"which {names[0]} sends"
    return f"which {', '.join(names[:-1])} and {names[-1]} send"


class OtherProxies:
    """Looks for the certificate header of another proxy of the table, in requests without one of the configured proxy.

    Parameters:
        own: the names of the headers that the configured proxy sends, as `HeaderReader.folded_names` has them.
    """

    def __init__(self, own: frozenset[str]) -> None:
        self._silent_until = 0.0
        headers = {row.certificate_header for row in PROXIES.values()}
        self._reader = HeaderReader(sorted(header for header in headers if folded(header) not in own))

    def warn_of(self, request: Any, proxy: Proxy, peer: str | None, peers: TrustedProxies, *, is_environ: bool) -> None:
        """Warn, at most once a minute, if a trusted peer sends the certificate header of another proxy than `proxy`."""
        found = "" if time.monotonic() < self._silent_until else self.found_in(request, is_environ=is_environ)
        if not found:
            return
        with contextlib.suppress(ProxyUntrusted):
            peers.require(peer)
            self._silent_until = time.monotonic() + _BETWEEN_WARNINGS
            _log.warning(
                "a request has no %s, by which %s forwards a certificate, and %s. If that is your proxy, set proxy= to "
                "its name. A client can send this header, too",
                proxy.certificate_header,
                proxy.name,
                found,
            )

    def found_in(self, request: Any, *, is_environ: bool = False) -> str:
        """Return words on the header and who sends it; nothing if there is none."""
        try:
            values, size = (self._reader.read_environ if is_environ else self._reader.read)(request)
        except ClientCertError:
            return ""
        if not size:
            return ""
        header = next(name for name, value in zip(self._reader.names, values, strict=True) if value)
        return f"{header} is there, {_sent_by([row for row in PROXIES.values() if row.certificate_header == header])}"
