from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sslclientcert.core.der import children, element

from .pki import tlv


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535, 65536])
def test_an_element_is_read_with_every_form_of_its_length(length: int) -> None:
    der = tlv(0x30, bytes(length))

    tag, content, end = element(der)

    assert (tag, end - content, end) == (0x30, length, len(der))


def test_an_element_is_read_where_it_starts_and_may_be_followed_by_others() -> None:
    data = tlv(0x04, b"ab") + tlv(0x02, b"c") + b"rest"

    assert element(data) == (0x04, 2, 4)
    assert element(data, 4) == (0x02, 6, 7)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x30", b"\x30\x01", b"\x30\x81", b"\x30\x81\x02\x00", b"\x30\x82\x01", b"\x30\x83\x00\x00"),
        *(
            b"\x30\x80",
            b"\x30\x80\x00\x00",
            pytest.param(b"\x30\x80" + bytes(128), id="3080 and 128 octets"),
            b"\x30\x84\x00\x00\x00\x01",
            b"\x30\x85\x00\x00\x00\x00\x00",
            *(b"\x30\xff", b"\x30\x83\xff\xff\xff"),
        ),
    ],
    ids=bytes.hex,
)
def test_what_is_cut_short_indefinite_or_absurdly_long_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="DER element"):
        element(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=12), st.integers(0, 14))
def test_whatever_the_bytes_an_element_lies_within_them_or_is_refused(data: bytes, start: int) -> None:
    try:
        tag, content, end = element(data, start)
    except ValueError:
        return
    assert tag == data[start]
    assert start + 2 <= content <= end <= len(data)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=5))
def test_elements_laid_end_to_end_come_back_one_by_one(parts: list[tuple[int, bytes]]) -> None:
    data = b"".join(tlv(tag, content) for tag, content in parts)
    found, start = [], 0
    while start < len(data):
        tag, content, end = element(data, start)
        found.append((tag, data[content:end]))
        start = end
    assert found == parts


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=5))
def test_the_children_of_an_element_are_what_it_was_made_of(parts: list[tuple[int, bytes]]) -> None:
    made = [tlv(tag, content) for tag, content in parts]
    assert children(tlv(0x30, *made)) == made


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(tlv(0x30, tlv(0x02, b"a")) + b"\0", id="a byte behind the element"),
        pytest.param(tlv(0x30, tlv(0x02, b"a"), b"\x02"), id="a tag without a length at its end"),
        pytest.param(tlv(0x30, b"\x02\x05ab"), id="a short child that ends outside"),
        pytest.param(tlv(0x30, b"\x02\x05ab") + b"cde", id="a short child that ends outside, with bytes there"),
        pytest.param(tlv(0x30, b"\x02\x81\xff" + bytes(9)), id="a long child that ends outside"),
        pytest.param(tlv(0x30, b"\x02\x80" + bytes(9)), id="an indefinite length inside"),
    ],
)
def test_children_that_do_not_fill_their_element_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="DER element"):
        children(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_whatever_the_bytes_children_lie_end_to_end_in_their_element_or_are_refused(content: bytes) -> None:
    data = tlv(0x30, content)
    try:
        found = children(data)
    except ValueError:
        return
    assert b"".join(found) == content
    assert all(element(one).end == len(one) for one in found)
