"""From DER to a presented chain: every element parses, or there is no chain."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable

import pytest
from cryptography import x509

from sslclientcert import PROXIES, ClientCertError, PresentedChain, TrustStore, decode
from sslclientcert.core.decoding import MAX_FORWARDED
from sslclientcert.core.presented import presented_by

from .conftest import (
    ALICE,
    CAROL,
    CHAIN_ROWS,
    ENCODERS,
    INTERMEDIATE,
    MALLORY,
    ROOT,
    ROWS,
    STRANGER,
    b64,
    certificate_header,
    ders_of,
    headers_of,
    refused,
)
from .pki import Party, authority, client, content_of, elements, private_key, rewritten, tlv, unknown

INGRESS = PROXIES["nginx-ingress"]


def with_extension(oid: str, value: bytes) -> bytes:
    """A certificate with an extension that its library would not make."""
    made = client("alice", ROOT, extra=[(unknown("1.3.6.1.4.1.32473.77", b"\x05\x00"), False)])
    placeholder = unknown("1.3.6.1.4.1.32473.77", b"\x05\x00")
    ours = tlv(0x30, x509_oid(placeholder.oid.dotted_string), tlv(0x04, b"\x05\x00"))
    theirs = tlv(0x30, x509_oid(oid), tlv(0x04, value))

    def swap(parts: list[bytes]) -> None:
        listed = elements(content_of(content_of(parts[-1])))
        parts[-1] = tlv(0xA3, tlv(0x30, *[theirs if one == ours else one for one in listed]))

    return rewritten(made.der, ROOT.key, swap)


def x509_oid(dotted: str) -> bytes:
    numbers = [int(number) for number in dotted.split(".")]
    content = b""
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.insert(0, number & 0x7F | 0x80)
        content += bytes(septets)
    return tlv(0x06, content)


# The chain


def test_a_chain_keeps_its_certificates_byte_for_byte_and_in_their_order() -> None:
    chain = [CAROL.der, INTERMEDIATE.der, ROOT.der]

    assert ders_of(PresentedChain.from_der(chain)) == chain


@pytest.mark.parametrize(
    "name", ["subject", "issuer", "common_name", "fingerprint_sha256", "serial_number", "sans", "pem"]
)
def test_a_presented_chain_has_no_name_to_read_by_accident(name: str) -> None:
    assert not hasattr(PresentedChain(ALICE.certificate), name)


def test_a_presented_chain_is_frozen_and_keeps_no_list_that_could_change() -> None:
    intermediates = [INTERMEDIATE.certificate]
    presented = PresentedChain(CAROL.certificate, intermediates)  # type: ignore[arg-type]
    intermediates.append(ROOT.certificate)

    assert presented.intermediates == (INTERMEDIATE.certificate,)
    with pytest.raises(dataclasses.FrozenInstanceError):
        presented.leaf = ALICE.certificate  # type: ignore[misc]


@pytest.mark.parametrize(
    "chain",
    [
        (CAROL, ROOT, INTERMEDIATE),
        (CAROL, INTERMEDIATE, INTERMEDIATE),
        (CAROL, CAROL, INTERMEDIATE),
        (ALICE, MALLORY),
        (ALICE, STRANGER),
        (INTERMEDIATE, CAROL),
    ],
    ids=lambda chain: " ".join(one.certificate.subject.rfc4514_string() for one in chain),
)
def test_a_chain_may_come_in_any_order_with_copies_and_with_what_is_not_needed(chain: tuple[Party, ...]) -> None:
    # Parsing does not judge. What may follow the leaf where nothing else binds it, test_validation.py says.
    assert ders_of(PresentedChain.from_der([one.der for one in chain])) == [one.der for one in chain]


def long_chain(length: int) -> list[bytes]:
    parties = [ROOT]
    while len(parties) < length:
        parties.append(authority(f"CA {len(parties)}", parties[-1]))
    return [one.der for one in reversed(parties)]


def test_there_is_a_most_of_certificates_and_no_more_are_even_parsed() -> None:
    assert len(ders_of(PresentedChain.from_der(long_chain(MAX_FORWARDED)))) == MAX_FORWARDED
    for chain in (long_chain(MAX_FORWARDED + 1), long_chain(MAX_FORWARDED + 1) + [b"junk"] * 100_000):
        with refused("forwarding_inconsistent"):
            PresentedChain.from_der(chain)


def test_no_certificate_at_all_is_missing() -> None:
    with refused("certificate_missing"):
        PresentedChain.from_der([])


# Parsing

SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "one byte": lambda der: der[:1],
    "cut short": lambda der: der[:-1],
    "a byte behind it": lambda der: der + b"\0",
    "another behind it": lambda der: der + der,
    "text": lambda _: b"-----BEGIN CERTIFICATE-----",
    "its base64": lambda der: b64(der).encode(),
    "what is signed alone": lambda der: elements(content_of(der))[0],
    "no signature": lambda der: tlv(0x30, *elements(content_of(der))[:2]),
    "an indefinite length": lambda der: b"\x30\x80" + content_of(der) + b"\0\0",
    "a length in more octets than it needs": lambda der: b"\x30\x83\0" + der[2:],
    "a set instead of a sequence": lambda der: b"\x31" + der[1:],
    "zeros": lambda der: bytes(len(der)),
    "an empty sequence": lambda _: b"\x30\x00",
    "many empty sequences": lambda _: tlv(0x30, b"\x30\x00" * 10_000),
    "deep nesting": lambda _: b"\x30\x80" * 10_000,
}


@pytest.mark.parametrize("how", SPOILED)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_element_that_is_no_certificate_fails_the_whole_chain(how: str, position: int) -> None:
    chain = [CAROL.der, INTERMEDIATE.der, ROOT.der]
    chain[position] = SPOILED[how](chain[position])

    with refused("certificate_malformed") as caught:
        PresentedChain.from_der(chain)
    assert f"certificate {position + 1} " in caught.value.detail


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048", "Ed25519"])
def test_a_signature_of_anything_but_whole_bytes_is_malformed_since_it_would_make_two_of_one_certificate(
    kind: str,
) -> None:
    """A BIT STRING says how many of its last bits are unused; nobody signed that number (X.690 section 8.6.2)."""
    root = authority("Even Root", key=private_key(kind, 20))
    der = b""
    for serial in range(1, 100):
        der = client("alice", root, serial=serial, key=private_key("P-256", 12)).der
        if der[-1] % 2 == 0:  # an unused bit has to be zero
            break
    assert ders_of(PresentedChain.from_der([der])) == [der]
    signature = x509.load_der_x509_certificate(der).signature
    head = der[: -len(signature) - 1]

    assert head + b"\0" + signature == der
    store = TrustStore([root.certificate])
    for chain in ([head + b"\1" + signature], [der, head + b"\1" + signature]):
        with refused("certificate_malformed"):
            store.verify(PresentedChain.from_der(chain))


UNREADABLE = {
    "a TLS feature nobody knows": ("1.3.6.1.5.5.7.1.24", bytes.fromhex("3003020146")),
    "a key usage that is no bit string": ("2.5.29.15", b"\x05\x00"),
    "an alternative name of an unknown kind": ("2.5.29.17", bytes.fromhex("3002a000")),
    "an alternative name with an address of three bytes": ("2.5.29.17", bytes.fromhex("30058703010203")),
    "alternative names that are not ASCII": ("2.5.29.17", b"\x30\x03\x82\x01\xff"),
    "two bytes of nothing": ("2.5.29.19", b"\x00\x00"),
    "a reason nobody knows": ("2.5.29.31", bytes.fromhex("30073005810302" + "0701")),
    "policies that are empty": ("2.5.29.32", b"\x05\x00"),
    "a negative path length": ("2.5.29.19", bytes.fromhex("30060101ff0201ff")),
    "a path length of a thousand bits": ("2.5.29.19", bytes.fromhex("3081850101ff02" + "8180" + "7f" * 128)),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_extension_that_does_not_parse_is_found_before_anything_is_verified(what: str) -> None:
    der = with_extension(*UNREADABLE[what])

    for chain, position in (([der, MALLORY.der], 1), ([MALLORY.der, der], 2)):
        with refused("certificate_malformed") as caught:
            PresentedChain.from_der(chain)
        assert f"certificate {position} " in caught.value.detail


def test_two_extensions_of_a_kind_do_not_parse() -> None:
    with refused("certificate_malformed"):
        PresentedChain.from_der([with_extension("2.5.29.15", bytes.fromhex("03020780"))])


def test_where_warnings_are_errors_a_certificate_that_warns_is_refused_like_any_other() -> None:
    def negative(parts: list[bytes]) -> None:
        parts[1] = b"\x02\x01\xfb"

    der = rewritten(ALICE.der, ROOT.key, negative)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            assert ders_of(PresentedChain.from_der([der])) == [der]
        except ClientCertError as error:
            assert error.code == "certificate_malformed"


def test_a_certificate_object_with_a_field_that_does_not_parse_is_refused_too() -> None:
    certificate = x509.load_der_x509_certificate(with_extension("2.5.29.15", b"\x05\x00"))

    with refused("certificate_malformed"):
        PresentedChain(certificate)


# decode


@pytest.mark.parametrize("proxy", ROWS)
def test_decode_gives_the_leaf_of_every_row_byte_for_byte_from_text_and_from_bytes(proxy: str) -> None:
    value = certificate_header(ALICE, proxy)

    for one in (decode(value, proxy), decode(value.encode("latin-1"), proxy), decode(value, PROXIES[proxy])):
        assert ders_of(one) == [ALICE.der]


@pytest.mark.parametrize("proxy", ROWS)
def test_a_rows_headers_decode_to_the_chain_that_the_proxy_was_shown(proxy: str) -> None:
    headers = headers_of(CAROL, proxy, INTERMEDIATE)
    row = PROXIES[proxy]
    presented = presented_by(
        row, headers[row.certificate_header], headers.get(row.chain_header) if row.chain_header else None
    )

    assert presented is not None
    assert ders_of(presented) == [CAROL.der, *([INTERMEDIATE.der] if proxy in CHAIN_ROWS else [])]


def test_ingress_nginx_is_the_proxy_if_none_is_named() -> None:
    assert ders_of(decode(ENCODERS["url-pem"](ALICE.der))) == [ALICE.der]


@pytest.mark.parametrize("proxy", ROWS)
@pytest.mark.parametrize("value", ["", b""])
def test_an_empty_value_says_that_there_was_no_certificate(proxy: str, value: str | bytes) -> None:
    with refused("certificate_missing"):
        decode(value, proxy)


@pytest.mark.parametrize(
    ("proxy", "value"), [("apache", "(null)"), ("caddy", "::"), ("rfc9440", "::"), ("gcp", "::"), ("cloudflare", "::")]
)
def test_a_proxys_own_word_for_no_certificate_says_so(proxy: str, value: str) -> None:
    with refused("certificate_missing"):
        decode(value, proxy)


@pytest.mark.parametrize("value", [None, 5, [], ["x"], bytearray(b"x"), ALICE.certificate])
def test_a_value_that_is_no_text_is_malformed(value: object) -> None:
    with refused("header_malformed"):
        decode(value)  # type: ignore[arg-type]


def test_an_unknown_proxy_is_a_configuration_fault() -> None:
    with pytest.raises(ValueError, match="unknown proxy 'nginxx'"):
        decode("", "nginxx")


@pytest.mark.parametrize("proxy", ROWS)
def test_what_is_encoded_right_and_is_no_certificate_is_malformed(proxy: str) -> None:
    value = ENCODERS[PROXIES[proxy].certificate_encoding](b"\x30\x00")

    with refused("certificate_malformed"):
        decode(value, proxy)


@pytest.mark.parametrize("proxy", [name for name in ROWS if PROXIES[name].chain_header])
@pytest.mark.parametrize("absent", [None, ""])
def test_a_chain_without_a_certificate_contradicts_itself(proxy: str, absent: str | None) -> None:
    row = PROXIES[proxy]
    assert row.chain_encoding is not None
    chain = ENCODERS[row.chain_encoding](INTERMEDIATE.der)

    with refused("forwarding_inconsistent"):
        presented_by(row, absent, chain)
    assert presented_by(row, absent, absent) is None


def presented_as(proxy: str, leaf: Party, *intermediates: Party) -> PresentedChain:
    row, headers = PROXIES[proxy], headers_of(leaf, proxy, *intermediates)
    chain = headers.get(row.chain_header) if row.chain_header else None
    presented = presented_by(row, headers[row.certificate_header], chain)
    assert presented is not None
    return presented


@pytest.mark.parametrize("proxy", CHAIN_ROWS)
def test_a_leaf_is_bound_where_it_has_a_header_or_a_hash_of_its_own(proxy: str) -> None:
    is_bound = proxy not in ("traefik", "aws-alb")
    assert presented_as(proxy, CAROL, INTERMEDIATE).is_leaf_bound is is_bound
    assert PresentedChain.from_der([CAROL.der, INTERMEDIATE.der], is_leaf_bound=is_bound).is_leaf_bound is is_bound


@pytest.mark.parametrize("proxy", ROWS)
def test_a_leaf_that_comes_alone_is_bound(proxy: str) -> None:
    assert presented_as(proxy, ALICE).is_leaf_bound
