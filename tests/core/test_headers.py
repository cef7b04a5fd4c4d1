"""One view over headers of every kind: what it finds, and what it refuses to choose between."""

from __future__ import annotations

import email.message
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import httpx2
import pytest
import starlette.datastructures
import werkzeug.datastructures

from sslclientcert.core.headers import HeaderReader, HeaderValues

from .conftest import refused

READER = HeaderReader(["SSL-Client-Cert", "ssl-client-verify"])


def counted(found: tuple[HeaderValues, int]) -> HeaderValues:
    values, size = found
    assert size == sum(len(value) for value in values if value is not None)
    return values


def read(reader: HeaderReader, headers: Any) -> HeaderValues:
    return counted(reader.read(headers))


def read_environ(reader: HeaderReader, environ: Mapping[str, Any]) -> HeaderValues:
    return counted(reader.read_environ(environ))


class Multidict(Mapping[str, str]):
    """As multidict and its like: a mapping whose items() gives every duplicate."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)

    def __getitem__(self, name: str) -> str:
        return dict(self._pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def items(self) -> Any:
        return self._pairs


def message(pairs: Iterable[tuple[str, str]]) -> email.message.Message:
    """As http.client and http.server: no Mapping, yet with items()."""
    made = email.message.Message()
    for name, value in pairs:
        made[name] = value
    return made


def environ_headers(pairs: Iterable[tuple[str, str]]) -> werkzeug.datastructures.EnvironHeaders:
    return werkzeug.datastructures.EnvironHeaders(
        {"HTTP_" + name.upper().replace("-", "_"): value for name, value in pairs}
    )


def starlette_headers(pairs: Iterable[tuple[str, str]]) -> starlette.datastructures.Headers:
    return starlette.datastructures.Headers(raw=[(name.lower().encode(), value.encode()) for name, value in pairs])


SHAPES = {
    "dict": dict,
    "list of pairs": list,
    "tuple of pairs": tuple,
    "generator": iter,
    "list of lists": lambda pairs: [list(pair) for pair in pairs],
    "bytes pairs": lambda pairs: [(name.encode(), value.encode()) for name, value in pairs],
    "bytes names": lambda pairs: [(name.encode(), value) for name, value in pairs],
    "bytes values": lambda pairs: {name: value.encode() for name, value in pairs},
    "multidict": Multidict,
    "starlette": starlette_headers,
    "werkzeug": lambda pairs: werkzeug.datastructures.Headers(list(pairs)),
    "werkzeug environ": environ_headers,
    "httpx": lambda pairs: httpx2.Headers(list(pairs)),
    "email message": message,
}
KEEP_DUPLICATES = (
    *("list of pairs", "tuple of pairs", "generator", "list of lists", "bytes pairs", "bytes names"),
    *("multidict", "starlette", "werkzeug", "email message"),
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["ssl-client-cert", "Ssl-Client-Cert", "SSL-CLIENT-CERT"])
def test_a_header_is_found_in_any_case_and_in_whatever_holds_it(shape: str, name: str) -> None:
    headers = SHAPES[shape]([("host", "example.org"), (name, "value"), ("accept", "*/*")])  # type: ignore[operator]

    assert read(READER, headers) == ("value", None)


@pytest.mark.parametrize("shape", KEEP_DUPLICATES)
@pytest.mark.parametrize("second", ["ssl-client-cert", "SSL-Client-Cert"])
@pytest.mark.parametrize("values", [("a", "b"), ("a", "a"), ("", "b"), ("a", ""), ("", "")])
def test_a_header_that_came_twice_is_ambiguous_whatever_its_values(
    shape: str, second: str, values: tuple[str, str]
) -> None:
    headers = SHAPES[shape]([("ssl-client-cert", values[0]), (second, values[1])])  # type: ignore[operator]

    with refused("header_ambiguous"):
        read(READER, headers)


def test_two_cases_of_a_name_in_one_dict_are_a_duplicate() -> None:
    with refused("header_ambiguous"):
        read(READER, {"ssl-client-cert": "a", "SSL-Client-Cert": "b"})


def test_a_duplicate_that_is_once_text_and_once_bytes_is_a_duplicate() -> None:
    with refused("header_ambiguous"):
        read(READER, [("ssl-client-cert", "a"), (b"ssl-client-cert", b"b")])


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "werkzeug environ"])
@pytest.mark.parametrize(
    "twin", ["ssl_client_cert", "Ssl_Client_Cert", "ssl-client_cert", "SSL_CLIENT-CERT", "ssl_client_verify"]
)
@pytest.mark.parametrize("genuine", ["before", "after", "absent"])
def test_an_underscore_twin_is_refused_before_after_and_without_the_genuine_header(
    shape: str, twin: str, genuine: str
) -> None:
    pairs = [(twin, "forged")]
    if genuine != "absent":
        pairs.insert(0 if genuine == "before" else 1, ("ssl-client-cert", "genuine"))

    with refused("header_ambiguous"):
        read(READER, SHAPES[shape](pairs))  # type: ignore[operator]


@pytest.mark.parametrize("twin", ["ssl-client-cert", "Ssl-Client-Cert", "ssl_client-cert"])
def test_where_the_proxy_itself_sends_underscores_the_hyphens_are_the_twin(twin: str) -> None:
    reader = HeaderReader(["ssl_client_cert"])

    assert read(reader, {"SSL_Client_Cert": "genuine"}) == ("genuine",)
    for pairs in ([(twin, "forged")], [("ssl_client_cert", "genuine"), (twin, "forged")]):
        with refused("header_ambiguous"):
            read(reader, pairs)


def test_a_twin_is_refused_again_and_again_though_names_are_remembered() -> None:
    reader = HeaderReader(["ssl-client-cert"])
    for _ in range(3):
        assert read(reader, [("SSL-Client-Cert", "a"), ("X-Other", "b")]) == ("a",)
        assert read(reader, [(b"SSL-Client-Cert", b"a"), (b"X-Other", b"b")]) == ("a",)
        for twin in ("SSL_Client_Cert", b"SSL_Client_Cert"):
            with refused("header_ambiguous"):
                read(reader, [(twin, "forged")])


def test_more_names_than_are_remembered_are_still_read_right() -> None:
    reader = HeaderReader(["ssl-client-cert"])
    flood = [(f"x-{number}", "") for number in range(5000)]

    assert read(reader, [*flood, ("ssl-client-cert", "a")]) == ("a",)
    assert read(reader, [(b"Ssl-Client-Cert", b"a")]) == ("a",)
    with refused("header_ambiguous"):
        read(reader, [("ssl_client_cert", "forged")])


@pytest.mark.parametrize(
    "name", ["ssl-client-cert ", " ssl-client-cert", "ssl.client.cert", "sslclientcert", "ssl-client-certs", "", "\xdf"]
)
def test_a_name_that_merely_resembles_it_is_another_header(name: str) -> None:
    assert read(READER, {name: "x"}) == (None, None)
    assert read(READER, [(name.encode("latin-1"), b"x")]) == (None, None)


def test_headers_that_are_not_read_may_come_twice_and_hold_anything() -> None:
    pairs: list[Any] = [
        ("accept", "a"),
        ("accept", "b"),
        ("x_odd", "c"),
        ("x-odd", "d"),
        ("x-none", None),
        (b"x-int", 5),
    ]

    assert read(READER, [*pairs, ("ssl-client-verify", "NONE")]) == (None, "NONE")


def test_bytes_are_read_as_latin_1() -> None:
    assert read(READER, [(b"ssl-client-cert", bytes(range(256)))])[0] == bytes(range(256)).decode("latin-1")


def test_a_place_without_a_name_stays_empty() -> None:
    reader = HeaderReader([None, "ssl-client-cert", None])

    assert read(reader, {"ssl-client-cert": "a", "": "b"}) == (None, "a", None)
    assert read_environ(reader, {"HTTP_SSL_CLIENT_CERT": "a", "HTTP_": "b"}) == (None, "a", None)
    assert reader.environ_keys == ("HTTP_SSL_CLIENT_CERT",)


def test_text_of_a_class_of_its_own_is_read_as_plain_text() -> None:
    class Text(str):
        __slots__ = ()
        __hash__ = None  # type: ignore[assignment]

    (value,) = read(HeaderReader(["ssl-client-cert"]), {"ssl-client-cert": Text("a")})
    assert type(value) is str


def test_an_empty_value_is_not_an_absent_header() -> None:
    assert read(READER, {"ssl-client-cert": ""}) == ("", None)


class Unfriendly:
    def __repr__(self) -> str:
        return "unfriendly"


@pytest.mark.parametrize(
    "headers",
    [
        *(None, 5, Unfriendly(), [None], [5], ["ab cd"], [("a", "b", "c")], [("a",)], "ssl-client-cert", b"abc"),
        *([(None, "x")], [(5, "x")], [(("a",), "x")], [([], "x")], [(bytearray(b"ssl-client-cert"), "x")]),
        *({"ssl-client-cert": value} for value in (None, 5, ["a"], ("a",), bytearray(b"a"), Unfriendly())),
        [("ssl-client-cert", None), ("ssl-client-cert", "a")],
    ],
    ids=repr,
)
def test_what_is_neither_a_mapping_nor_pairs_of_text_is_malformed(headers: Any) -> None:
    with refused("header_malformed", "header_ambiguous"):
        read(READER, headers)


# Trailers: uvicorn's httptools parser appends them to the headers


@pytest.mark.parametrize(
    "announced",
    [
        "ssl-client-cert",
        "x-sum, SSL_Client_Cert",
        "Ssl-Client-Verify ,x",
        ",ssl-client-cert,",
        "x,\tSSL_CLIENT-CERT \t",
    ],
)
def test_a_request_that_announces_a_certificate_header_as_a_trailer_is_refused(announced: str) -> None:
    for pairs in ([("Trailer", announced)], [(b"trailer", announced.encode())]):
        with refused("header_ambiguous"):
            read(READER, pairs)
    with refused("header_ambiguous"):
        read_environ(READER, {"HTTP_TRAILER": announced})


def test_other_trailers_may_be_announced() -> None:
    for others in ("x-checksum, expires", "", ",", "x-ssl-client-cert", "ssl-client-cert-2", "ssl-client cert", "a.b"):
        assert read(READER, [("trailer", others), ("ssl-client-cert", "a")]) == ("a", None)
    assert read_environ(READER, {"HTTP_TRAILER": "x-checksum, expires", "HTTP_SSL_CLIENT_CERT": "a"}) == ("a", None)


# WSGI


def test_the_environ_is_read_by_the_keys_of_either_spelling() -> None:
    environ = {"HTTP_SSL_CLIENT_CERT": "a", "HTTP_HOST": "example.org", "wsgi.version": (1, 0)}

    assert READER.environ_keys == ("HTTP_SSL_CLIENT_CERT", "HTTP_SSL_CLIENT_VERIFY")
    assert read_environ(READER, environ) == ("a", None)
    assert read_environ(HeaderReader(["ssl_client_cert"]), environ) == ("a",)


@pytest.mark.parametrize("key", ["SSL_CLIENT_CERT", "HTTP_SSL_CLIENT_CERT ", "http_ssl_client_cert", "ssl-client-cert"])
def test_no_other_key_of_the_environ_is_read(key: str) -> None:
    assert read_environ(READER, {key: "x"}) == (None, None)


@pytest.mark.parametrize("value", [5, b"x", ["x"], object()])
def test_an_environ_value_that_is_no_text_is_malformed(value: object) -> None:
    with refused("header_malformed"):
        read_environ(READER, {"HTTP_SSL_CLIENT_CERT": value})


# Configuration


@pytest.mark.parametrize("names", [["a-b", "A-B"], ["a-b", "a_b"], ["x", "y", "X"]])
def test_two_headers_that_fold_to_one_name_are_a_configuration_fault(names: list[str]) -> None:
    with pytest.raises(ValueError, match="differ only in case"):
        HeaderReader(names)


def test_the_folded_names_are_those_that_adapters_have_to_remove() -> None:
    assert HeaderReader(["SSL_Client-Cert", "X-A"]).folded_names == {"ssl-client-cert", "x-a"}
