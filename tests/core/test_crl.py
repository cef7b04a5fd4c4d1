"""A CRL revokes what OpenSSL and cryptography read in it, or it is refused. PEM may be cut in any way."""

from __future__ import annotations

import base64
import functools
import itertools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import CRLEntryExtensionOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sslclientcert.core import forms
from sslclientcert.core.bundle import parse_crls
from sslclientcert.core.certificate import ParsedCertificate
from sslclientcert.core.crl import RevocationList

from .pki import authority, revocation_list, rewritten, tlv

ROOT = authority("Root")
EMPTY = revocation_list(ROOT).public_bytes(Encoding.DER)
UNDERSTOOD = {CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE}


def with_entries(entries: bytes) -> bytes:
    """A list with these entries, signed."""

    def change(parts: list[bytes]) -> None:
        parts.insert([part[0] in (0x17, 0x18) for part in parts].index(True) + 2, tlv(0x30, entries))

    return rewritten(EMPTY, ROOT.key, change)


def by_cryptography(der: bytes) -> set[int] | None:
    """What is on a list, entry by entry through cryptography; None where it must be refused."""
    try:
        found = set()
        for entry in x509.load_der_x509_crl(der):
            if any(one.critical and one.oid not in UNDERSTOOD for one in entry.extensions):
                return None
            found.add(entry.serial_number)
    except Exception:  # noqa: BLE001  # cryptography has several for what it cannot read
        return None
    return found


def by_us(der: bytes) -> set[int] | None:
    try:
        found = RevocationList(der)
    except ValueError:
        return None
    return None if found.fault is not None else found.serial_numbers


def extension(oid: bytes, value: bytes, *, critical: bool = False) -> bytes:
    return tlv(0x30, tlv(0x06, oid), tlv(0x01, b"\xff") if critical else b"", tlv(0x04, value))


REASON, INVALIDITY, ISSUER, OTHER = (bytes.fromhex(each) for each in ("551d15", "551d18", "551d1d", "2a0304"))

serials = st.one_of(
    st.integers(-(1 << 170), 1 << 170),
    st.integers(-300, 300),
    st.integers(0, 1 << 1200),  # a length of more than one octet
).map(lambda number: tlv(0x02, number.to_bytes((number + (number < 0)).bit_length() // 8 + 1, signed=True)))
times = st.sampled_from(
    [tlv(0x17, b"260101000000Z"), tlv(0x18, b"20600101000000Z"), tlv(0x18, b"20260101000000Z"), tlv(0x17, b"nonsense")]
)
extensions = st.lists(
    st.one_of(
        st.integers(0, 12).map(lambda reason: extension(REASON, tlv(0x0A, bytes([reason])))),
        st.booleans().map(lambda critical: extension(REASON, tlv(0x0A, b"\x01"), critical=critical)),
        st.booleans().map(lambda critical: extension(INVALIDITY, tlv(0x18, b"20260101000000Z"), critical=critical)),
        st.tuples(st.binary(max_size=200), st.booleans()).map(lambda it: extension(OTHER, it[0], critical=it[1])),
        st.just(extension(ISSUER, b"\x05\x00", critical=True)),
    ),
    max_size=2,
).map(lambda found: tlv(0x30, *found) if found else b"")
entries = st.lists(st.tuples(serials, times, extensions).map(lambda parts: tlv(0x30, *parts)), max_size=12).map(
    b"".join
)
good_entries = st.lists(
    st.tuples(serials, st.just(tlv(0x17, b"260101000000Z"))).map(lambda parts: tlv(0x30, *parts)), max_size=40
).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(entries)
def test_any_list_says_what_cryptography_reads_in_it_or_is_refused_like_there(listed: bytes) -> None:
    der = with_entries(listed)
    assert by_us(der) == by_cryptography(der)


@settings(max_examples=200, deadline=None)
@given(good_entries)
def test_every_good_list_is_read(listed: bytes) -> None:
    der = with_entries(listed)
    assert by_us(der) == by_cryptography(der) is not None


@settings(max_examples=600, deadline=None)
@given(good_entries, st.integers(0, 1 << 16), st.binary(max_size=3), st.integers(0, 3))
@example(b"", 1, b"", 1)
def test_a_list_with_octets_changed_says_no_more_than_cryptography_reads_in_it(
    listed: bytes, where: int, put: bytes, dropped: int
) -> None:
    der = with_entries(listed)
    at = where % len(der)
    der = der[:at] + put + der[at + dropped :]
    found = by_us(der)
    assert found is None or found == by_cryptography(der)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_the_octets_a_list_is_read_or_refused(data: bytes) -> None:
    assert by_us(data) == by_cryptography(data)


def test_one_entry_of_many_with_an_unknown_critical_extension_makes_the_list_unusable() -> None:
    def entry(number: int, *, critical: bool) -> bytes:
        one = extension(OTHER, b"", critical=critical)
        return tlv(
            0x30, tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1)), tlv(0x17, b"260101000000Z"), tlv(0x30, one)
        )

    listed = [entry(number, critical=False) for number in range(1, 1001)]
    assert by_us(with_entries(b"".join(listed))) == set(range(1, 1001))
    assert by_us(with_entries(b"".join([*listed, entry(1001, critical=True)]))) is None
    assert by_us(with_entries(b"".join([*listed, *listed]))) == set(range(1, 1001))


# PEM


def pem(der: bytes, width: int = 64, end: str = "\n") -> bytes:
    text = base64.b64encode(der).decode()
    lines = end.join(text[at : at + width] for at in range(0, len(text), width))
    return f"-----BEGIN X509 CRL-----{end}{lines}{end}-----END X509 CRL-----{end}".encode()


@functools.cache
def of_every_padding() -> dict[int, bytes]:
    """A list for each padding of its base64, by how many entries it has. Signatures differ in size from run to run."""
    found: dict[int, tuple[int, bytes]] = {}
    for count in itertools.count():
        der = revocation_list(ROOT, *range(5, 5 + count)).public_bytes(Encoding.DER)
        found.setdefault(len(der) % 3, (count, der))
        if len(found) == 3:
            break
    return dict(found.values())


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize(("width", "end"), [(64, "\n"), (76, "\r\n"), (61, "\n"), (10**6, "\n")])
def test_a_list_in_pem_is_the_same_however_it_is_cut(
    piece: int, width: int, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_PIECE", piece)
    for count, der in of_every_padding().items():
        (found,) = parse_crls(pem(der, width, end), "ca.crl")
        assert found.serial_numbers == set(range(5, 5 + count))
        assert found.is_by(ParsedCertificate(ROOT.certificate))


@pytest.mark.parametrize("piece", [1, 64, 1 << 20])
@pytest.mark.parametrize("change", ["AA=", "====", "=AAA", "A", "é", "-", "Proc-Type: 4\n\n", "\0"])
def test_what_is_not_base64_is_refused(change: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "_PIECE", piece)
    for text in (pem(der).decode() for der in of_every_padding().values()):
        for spoilt in (text.replace("\n", f"\n{change}", 1), text.replace("\n-----END", f"{change}\n-----END")):
            with pytest.raises(ValueError, match="ca.crl: CRL 1: it cannot be parsed"):
                parse_crls(spoilt.encode(), "ca.crl")


@pytest.mark.parametrize("der", [EMPTY[:-1], EMPTY + b"\0", b"\x30\x03\x02\x01\x05"])
def test_der_that_is_no_list_is_refused(der: bytes) -> None:
    with pytest.raises(ValueError, match="ca.crl"):
        parse_crls(der, "ca.crl")
