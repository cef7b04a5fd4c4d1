"""One view over the headers of a request: a mapping, (name, value) pairs, a WSGI environ, or an ASGI scope.

The facts this module answers to:

- Servers and frameworks disagree about a header that comes twice: some keep both, some join with "," or ", ", some
  keep the first or the last. Where both are still visible, this view refuses; where they were joined, the grammar
  of the encoding has to catch it.
- CGI and WSGI turn `ssl-client-cert` and `ssl_client_cert` into one key, and most proxies let a client's
  underscore spelling pass next to their own header. So two spellings of one name are refused too
  (CVE-2025-64484 in oauth2-proxy, CVE-2026-3902 in Django).
- Header values are bytes; both gateways read them as latin-1 (PEP 3333, ASGI specification).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from .errors import ClientCertError, HeaderAmbiguous, HeaderMalformed, quoted

__all__ = ["HeaderReader", "HeaderValues", "RequestHeaders", "read_pem"]

Text: TypeAlias = "str | bytes"
RequestHeaders: TypeAlias = "Mapping[str, Text] | Mapping[bytes, Text] | Iterable[tuple[Text, Text]]"
HeaderValues: TypeAlias = "tuple[str | None, ...]"

_TRAILER = -1  # the place of the header that is read only to refuse; those that are not read have None
_MOST_PLACES = 2048  # far more names than servers let through
_LONGEST_NAME = 64


def folded(name: str) -> str:
    """Return the one form that all spellings share which a CGI or WSGI server cannot tell apart."""
    return name.lower().replace("_", "-")


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return "".join(value)  # of a class of its own; the cache is keyed by plain text
    raise TypeError(f"the value of a header is {type(value).__name__}")


class HeaderReader:
    """Reads a fixed list of headers, each of which may come at most once, apart from those that are lists.

    The lines of a list are joined by ", " (RFC 9110 section 5.3), as many a server does itself.

    The result is a tuple of values in the order of `names`, None where the header is absent or there is no name; and
    how many characters they hold together. Tuples of the exact text are what the authenticator keys its cache by.

    Parameters:
        names: of the headers.
        lists: those of them that are lists.
        is_environ: whether the names are keys of the WSGI environ, and not headers. Then only `read_environ` finds
            them, and a client's header of that name is not read.
    """

    def __init__(
        self, names: Iterable[str | None], lists: frozenset[str] = frozenset(), *, is_environ: bool = False
    ) -> None:
        given = tuple(names)
        self.names: tuple[str | None, ...] = tuple(None if name is None else name.lower() for name in given)
        read = [name for name in self.names if name is not None]
        self._index = {folded(name): position for position, name in enumerate(self.names) if name is not None}
        if len(self._index) != len(read):
            raise ValueError(f"two of the headers {', '.join(read)} differ only in case or in '-' and '_'")
        self._lists = {self._index[folded(name)] for name in lists}
        self.folded_names: frozenset[str] = frozenset(self._index)
        headers = tuple("" if name is None else "HTTP_" + name.upper().replace("-", "_") for name in self.names)
        self._keys = tuple(name or "" for name in given) if is_environ else headers
        self.environ_keys: tuple[str, ...] = tuple(filter(None, dict.fromkeys((*headers, *self._keys))))
        names_here = "|".join(map(re.escape, self._index))
        self._announcement = re.compile(rf"(?:\A|,)\s*(?:{names_here})\s*(?:,|\Z)")
        # Where each name belongs, once it was seen: a request repeats the names of the one before. One for bytes, one
        # for str, which never equal each other, and under `python -bb` may not even be compared.
        self._wire_places: dict[bytes, int | None] = {}
        self._text_places: dict[str, int | None] = {}

    def read_environ(self, environ: Mapping[str, Any]) -> tuple[HeaderValues, int]:
        """Read from a WSGI environ. Both spellings of a name are one key here; the encodings' grammars catch a join.

        Raises:
            HeaderAmbiguous: one of the headers is announced as a trailer.
            HeaderMalformed: a value is not a str.
        """
        get = environ.get
        trailer = get("HTTP_TRAILER")
        if type(trailer) is str:
            self._refuse_announced(trailer)
        values = tuple(map(get, self._keys))
        size = 0
        for value in values:
            if value is None:
                continue
            if type(value) is not str:
                name = next(name for name, one in zip(self.names, values, strict=True) if one is value)
                raise HeaderMalformed(f"the value of {name} is {type(value).__name__}, not a string")
            size += len(value)
        return values, size

    def read(self, headers: RequestHeaders) -> tuple[HeaderValues, int]:
        """Read from a mapping or from (name, value) pairs, names and values str or latin-1 bytes.

        Raises:
            HeaderAmbiguous: a header that is not a list came twice, or one came in two spellings.
            HeaderMalformed: something is not a pair of str or bytes.
        """
        values: list[str | None] = [None] * len(self.names)
        wire, texts, size = self._wire_places, self._text_places, 0
        try:
            # Not every class of headers is a Mapping (http.client's is none), but items() gives pairs in all of them.
            items: Callable[[], Iterable[tuple[Any, Any]]] | None = getattr(headers, "items", None)
            pairs: Iterable[tuple[Any, Any]] = cast("Any", headers) if items is None else items()
            for name, value in pairs:
                try:
                    place = wire[name] if type(name) is bytes else texts[name]
                except KeyError:
                    place = self._place(name)
                if place is None:
                    continue
                if type(value) is not str:
                    value = _text(value)  # noqa: PLW2901  # this loop is most of the time of many a request
                if place == _TRAILER:
                    self._refuse_announced(value)
                elif values[place] is None:
                    values[place] = value
                    size += len(value)
                elif place in self._lists:
                    values[place] = f"{values[place]}, {value}"
                    size += len(value)
                else:
                    raise HeaderAmbiguous(f"the header {self.names[place]} came more than once")
        except ClientCertError:
            raise
        except Exception as error:  # a foreign class of headers may raise anything
            raise HeaderMalformed(
                f"headers must be a mapping or (name, value) pairs of str or bytes: {quoted(error)}"
            ) from error
        return tuple(values), size

    def _place(self, name: str | bytes) -> int | None:
        spelled = (name.decode("latin-1") if isinstance(name, bytes) else name).lower()
        place = _TRAILER if spelled == "trailer" else self._index.get(folded(spelled))
        if place is not None and place != _TRAILER and spelled != self.names[place]:
            raise HeaderAmbiguous(
                f"the request has a header {quoted(spelled)}, another spelling of {self.names[place]}: "
                "the proxy does not send it, so a client did; drop such names at the proxy"
            )
        if len(self._wire_places) + len(self._text_places) < _MOST_PLACES and len(name) < _LONGEST_NAME:
            if isinstance(name, bytes):
                self._wire_places[name] = place
            else:
                self._text_places[name] = place
        return place

    def _refuse_announced(self, trailer: str) -> None:
        # uvicorn's httptools parser appends a chunked body's trailers to the headers, where they look like any other;
        # RFC 9110 section 6.5.1 forbids such fields there, and no proxy sends its own that way.
        if self._announcement.search(folded(trailer)) is not None:
            raise HeaderAmbiguous(f"the request announces a certificate header as a trailer: {quoted(trailer)}")


def read_pem(pem: object) -> tuple[HeaderValues, int]:
    """Read a certificate that came by no header, as a `HeaderReader` reads headers: one value, and how long it is.

    Raises:
        HeaderMalformed: it is not str, bytes or None.
    """
    if pem is not None and not isinstance(pem, (str, bytes)):
        raise HeaderMalformed(f"the certificate is {type(pem).__name__}, and not PEM as str or bytes")
    text = _text(pem or "")
    return (text,), len(text)
