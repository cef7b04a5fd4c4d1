"""Whatever comes in, an identity of exactly the presented certificate comes out, or None, or a ClientCertError.

Warnings are errors here too, so that not even one of these comes out instead.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sslclientcert import (
    PROXIES,
    ClientCertAuthenticator,
    ClientCertError,
    ClientIdentity,
    PresentedChain,
    TrustStore,
    decode,
)
from sslclientcert.core.proxies import ProxyName
from sslclientcert.testing import encode

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
    certificate_header,
    ders_of,
    headers_of,
)
from .pki import Party, authority, client, content_of, elements, private_key, rewritten, tlv
from .test_presented import x509_oid

CODES = {kind.code for kind in ClientCertError.__subclasses__()}
OURS = {party.der: party for party in (ALICE, MALLORY, CAROL, ROOT, INTERMEDIATE)}
ANYTHING = st.text(st.characters(), max_size=40)  # surrogates too
LATIN_1 = st.binary(max_size=40)


@functools.cache
def authenticator(proxy: ProxyName) -> ClientCertAuthenticator:
    return ClientCertAuthenticator(
        TrustStore([ROOT.certificate]), proxy=proxy, trusted_proxies="*", max_header_bytes=1_000_000
    )


def outcome(call: Any, *arguments: Any, **options: Any) -> ClientIdentity | None:
    """The identity, if there is one; and nothing else may happen but None and ClientCertError."""
    try:
        identity = call(*arguments, **options)
    except ClientCertError as error:
        assert error.code in CODES
        assert error.detail.isascii(), error.detail
        assert error.detail.isprintable(), error.detail
        return None
    assert identity is None or isinstance(identity, ClientIdentity)
    return identity


def der_of(identity: ClientIdentity) -> bytes:
    return Party(identity.certificate, ROOT.key).der


# Any headers whatever


def names_for(proxy: ProxyName) -> st.SearchStrategy[Any]:
    own = sorted(authenticator(proxy).guarded_headers)
    respelled = st.sampled_from(own).flatmap(
        lambda name: st.sampled_from([name, name.upper(), name.title(), name.replace("-", "_"), name + " "])
    )
    return st.one_of(
        st.sampled_from(own), respelled, respelled.map(str.encode), ANYTHING, LATIN_1, st.just("trailer"), st.integers()
    )


def values_for(proxy: ProxyName) -> st.SearchStrategy[Any]:
    good = [*headers_of(ALICE, proxy).values(), *headers_of(STRANGER, proxy).values(), *(encode(None, proxy).values())]
    said = ["SUCCESS", "NONE", "FAILED:x", "", "(null)", "::", "0", "1", "true", "false", "CN=alice", "CN=Test Root"]
    text = st.sampled_from([*good, *said])
    return st.one_of(
        text,
        text.map(str.encode),
        st.tuples(text, st.sampled_from([",", ", ", ";", ""]), text).map("".join),
        ANYTHING,
        LATIN_1,
        st.none(),
        st.integers(),
        st.lists(text, max_size=2),
    )


PEERS = st.one_of(
    st.none(),
    ANYTHING,
    st.sampled_from(["127.0.0.1", "", "::1", "10.0.0.7"]),
    st.integers(),
    LATIN_1,
    st.lists(st.none()),
)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_whatever_the_headers_and_the_peer_nothing_else_comes_out(data: st.DataObject) -> None:
    proxy = data.draw(st.sampled_from(ROWS))
    pairs = data.draw(st.lists(st.tuples(names_for(proxy), values_for(proxy)), max_size=6))
    as_mapping = data.draw(st.booleans())
    peer = data.draw(PEERS)

    identity = outcome(authenticator(proxy).authenticate, dict(pairs) if as_mapping else pairs, peer=peer)
    if identity is not None:
        assert der_of(identity) == ALICE.der


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_the_environ_nothing_else_comes_out(data: st.DataObject) -> None:
    proxy = data.draw(st.sampled_from(ROWS))
    keys = st.sampled_from(sorted(authenticator(proxy).guarded_environ))
    environ = data.draw(st.dictionaries(keys, values_for(proxy), max_size=6))
    environ["REMOTE_ADDR"] = data.draw(PEERS)

    identity = outcome(authenticator(proxy).authenticate_environ, environ)
    if identity is not None:
        assert der_of(identity) == ALICE.der


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_the_scope_nothing_else_comes_out(data: st.DataObject) -> None:
    proxy = data.draw(st.sampled_from(ROWS))
    pairs = st.lists(st.tuples(names_for(proxy), values_for(proxy)), max_size=6)
    addresses = st.one_of(st.none(), st.tuples(PEERS, st.integers()), st.lists(PEERS, min_size=1, max_size=2))
    scope = {"type": "http", "headers": data.draw(pairs | st.none() | st.integers()), "client": data.draw(addresses)}

    identity = outcome(authenticator(proxy).authenticate_scope, scope)
    if identity is not None:
        assert der_of(identity) == ALICE.der


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ROWS), st.one_of(ANYTHING, LATIN_1, st.none(), st.text('%=,:;"\\AaCert-\n ', max_size=60)))
@example("envoy", 'Hash=\ud800;Cert="' + ENCODERS["url-pem"](ALICE.der) + '"')
def test_whatever_is_decoded_a_chain_or_a_refusal_comes_out(proxy: ProxyName, value: Any) -> None:
    try:
        presented = decode(value, proxy)
    except ClientCertError as error:
        assert error.code in CODES
    else:
        assert isinstance(presented, PresentedChain)


# A good value with an edit


@st.composite
def edited(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 1, 2, 3, 64, 400])))
        piece = text[start:end]
        text = (
            text[:start]
            + draw(
                st.one_of(
                    st.just(""),
                    st.just(piece * 2),
                    st.just(piece.swapcase()),
                    st.just(piece[::-1]),
                    st.text('%=,:;"\\+/-\n\r\t 0AaZz&', max_size=3),
                    st.sampled_from(
                        [
                            "%0A",
                            "%25",
                            "%2",
                            "=\n",
                            ",",
                            ", ",
                            ";",
                            "\0",
                            "\xff",
                            "%00",
                            "==",
                            "-----END CERTIFICATE-----",
                        ]
                    ),
                    st.characters(),
                )
            )
            + text[end:]
        )
    return text


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_edit_of_a_header_makes_it_another_certificate(data: st.DataObject) -> None:
    proxy = data.draw(st.sampled_from(ROWS))
    party, more = data.draw(st.sampled_from([(ALICE, ()), (CAROL, (INTERMEDIATE,))]))
    headers = headers_of(party, proxy, *more)
    name = data.draw(st.sampled_from(sorted(authenticator(proxy).guarded_headers)))
    headers[name] = data.draw(edited(headers.get(name, "")))

    identity = outcome(authenticator(proxy).authenticate, headers)
    if identity is not None:
        assert der_of(identity) == party.der


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_join_of_two_headers_makes_it_the_other_certificate(data: st.DataObject) -> None:
    proxy = data.draw(st.sampled_from(ROWS))
    name = PROXIES[proxy].certificate_header
    values = [certificate_header(ALICE, proxy), certificate_header(MALLORY, proxy)]
    for _ in range(data.draw(st.integers(0, 2))):
        values.insert(data.draw(st.integers(0, len(values))), data.draw(st.sampled_from(["", "(null)", "::", *values])))
    joined = data.draw(st.sampled_from([",", ", ", ";", " ", "\n", "\t", "\r\n ", "%0A", "%2C"])).join(values)

    assert outcome(authenticator(proxy).authenticate, {**headers_of(MALLORY, proxy), name: joined}) is None


# Round trip


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ROWS), st.text(max_size=12), st.integers(0, 10**40))
@pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")
def test_what_is_encoded_is_decoded_byte_for_byte(proxy: ProxyName, name: str, serial: int) -> None:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name or "x")])
    party = client(subject, INTERMEDIATE, serial=serial % 2**158 + 1, key=private_key("P-256", 14))
    headers = encode(party.certificate, proxy, intermediates=[INTERMEDIATE.certificate])
    presented = decode(headers[PROXIES[proxy].certificate_header], proxy)

    together = [party.der, INTERMEDIATE.der] if proxy in ("envoy", "traefik", "aws-alb") else [party.der]
    assert ders_of(presented) == together
    identity = authenticator_with_intermediate(proxy).authenticate(headers, peer="127.0.0.1")
    assert identity is not None
    assert der_of(identity) == party.der


@functools.cache
def authenticator_with_intermediate(proxy: ProxyName) -> ClientCertAuthenticator:
    return ClientCertAuthenticator(TrustStore([ROOT.certificate, INTERMEDIATE.certificate]), proxy=proxy)


# A certificate with an edit


def presented_as(der: bytes) -> dict[str, str]:
    return {"ssl-client-cert": ENCODERS["url-pem"](der)}


@pytest.mark.parametrize("kind", ["P-256", "RSA-2048", "Ed25519"])
def test_no_flip_of_any_one_bit_of_a_certificate_gives_an_identity(kind: str) -> None:
    root = authority("Flip Root", key=private_key(kind, 20))
    der = client("alice", root, key=private_key("P-256", 12)).der
    judge = ClientCertAuthenticator(TrustStore([root.certificate]))
    assert judge.authenticate(presented_as(der), peer="127.0.0.1") is not None
    unused_bits = der.rindex(x509.load_der_x509_certificate(der).signature) - 1  # of the BIT STRING, mostly overlooked
    for position in range(len(der)):
        for bit in range(8) if kind == "P-256" or position == unused_bits else (position % 8,):
            flipped = bytearray(der)
            flipped[position] ^= 1 << bit
            assert outcome(judge.authenticate, presented_as(bytes(flipped)), peer="127.0.0.1") is None, (
                position - unused_bits,
                bit,
            )


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521"])
def test_a_certified_key_that_is_no_point_of_its_curve_is_refused(kind: str) -> None:
    certified = client("alice", ROOT, key=private_key(kind, 12))

    def flip(parts: list[bytes]) -> None:
        parts[6] = parts[6][:-1] + bytes([parts[6][-1] ^ 1])

    assert authenticator("nginx-ingress").authenticate(presented_as(certified.der), peer="127.0.0.1") is not None
    assert (
        outcome(
            authenticator("nginx-ingress").authenticate,
            presented_as(rewritten(certified.der, ROOT.key, flip)),
            peer="127.0.0.1",
        )
        is None
    )


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_no_edit_of_a_certificate_gives_an_identity(data: st.DataObject) -> None:
    proxy = data.draw(st.sampled_from(ROWS))
    der = ALICE.der
    for _ in range(data.draw(st.integers(1, 2))):
        start = data.draw(st.integers(0, len(der)))
        end = start + data.draw(st.sampled_from([0, 1, 1, 2, 20]))
        der = der[:start] + data.draw(st.binary(max_size=3) | st.just(der[start:end] * 2)) + der[end:]

    identity = outcome(authenticator(proxy).authenticate, headers_of_der(der, proxy))
    if identity is not None:
        assert der_of(identity) == der == ALICE.der


def headers_of_der(der: bytes, proxy: ProxyName) -> dict[str, str]:
    return {PROXIES[proxy].certificate_header: ENCODERS[PROXIES[proxy].certificate_encoding](der)}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CHAIN_ROWS), st.permutations([CAROL, INTERMEDIATE, ROOT, ALICE, STRANGER]), st.integers(1, 5))
def test_no_order_of_certificates_gives_anybody_but_the_first(
    proxy: ProxyName, parties: list[Party], length: int
) -> None:
    leaf, *others = parties[:length]

    identity = outcome(authenticator(proxy).authenticate, headers_of(leaf, proxy, *others))
    if identity is not None:
        assert der_of(identity) == leaf.der
        assert leaf is not STRANGER


# Certificates that a CA did sign, with anything in them

EXTENSIONS = (
    *(
        "2.5.29.14",
        "2.5.29.15",
        "2.5.29.17",
        "2.5.29.18",
        "2.5.29.19",
        "2.5.29.30",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.35",
    ),
    *(
        "2.5.29.36",
        "2.5.29.37",
        "2.5.29.46",
        "2.5.29.54",
        "1.3.6.1.5.5.7.1.1",
        "1.3.6.1.5.5.7.1.24",
        "1.3.6.1.5.5.7.48.1.5",
    ),
    *(
        "1.3.6.1.4.1.11129.2.4.2",
        "1.3.6.1.4.1.11129.2.4.3",
        "1.3.6.1.4.1.311.21.7",
        "2.16.840.1.113730.1.1",
        "2.5.29.16",
    ),
)
DER = st.recursive(
    st.builds(
        tlv, st.sampled_from([1, 2, 3, 4, 5, 6, 0x0C, 0x16, 0x80, 0x81, 0x82, 0x86, 0x87]), st.binary(max_size=6)
    ),
    lambda inner: st.builds(
        lambda tag, parts: tlv(tag, *parts),
        st.sampled_from([0x30, 0x31, 0xA0, 0xA1, 0xA3, 0xA4]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


def issued_with(*extensions: tuple[str, bytes]) -> bytes:
    listed = [tlv(0x30, x509_oid(oid), tlv(0x04, value)) for oid, value in extensions]

    def swap(parts: list[bytes]) -> None:
        parts[-1] = tlv(0xA3, tlv(0x30, *listed))

    return rewritten(ALICE.der, ROOT.key, swap)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(EXTENSIONS), DER | st.binary(max_size=8)), min_size=1, max_size=2),
)
@example([("1.3.6.1.5.5.7.1.24", bytes.fromhex("3003020146"))])
def test_whatever_extensions_a_ca_signed_the_identity_can_be_read_in_full_or_is_refused(
    extensions: list[tuple[str, bytes]],
) -> None:
    der = issued_with(*extensions)
    identity = outcome(authenticator("nginx-ingress").authenticate, presented_as(der))
    if identity is not None:
        assert der_of(identity) == der
        assert json.loads(json.dumps(identity.as_dict()))["subject"] == "CN=alice"
        assert identity.sans is not None
        assert repr(identity).isascii()


ALGORITHMS = st.sampled_from(
    [
        *("1.2.840.113549.1.1.10", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.5", "1.2.840.113549.1.1.4"),
        *("1.2.840.10045.4.3.2", "1.2.840.10045.4.1", "1.3.101.112", "1.3.101.113", "1.2.840.10040.4.3", "1.2.3.4"),
        "2.16.840.1.101.3.4.3.18",
    ]
)


@settings(max_examples=300, deadline=None)
@given(ALGORITHMS, DER | st.just(b""), st.binary(max_size=80), st.booleans())
@example("1.2.840.113549.1.1.10", b"\x05\x00", b"", True)
@example("1.2.840.113549.1.1.10", b"", b"", True)
def test_whatever_algorithm_a_certificate_names_for_its_signature_nothing_else_comes_out(
    oid: str, parameters: bytes, signature: bytes, both: bool
) -> None:
    """Nobody has to have signed these: anybody can make them."""
    algorithm = tlv(0x30, x509_oid(oid), parameters)
    signed, theirs, _ = elements(content_of(ALICE.der))
    parts = elements(content_of(signed))
    parts[2] = algorithm
    der = tlv(0x30, tlv(0x30, *parts), algorithm if both else theirs, tlv(0x03, b"\0", signature))

    assert outcome(authenticator("nginx-ingress").authenticate, presented_as(der)) is None


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["1.2.840.10045.2.1", "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.3.101.112", "1.2.3"]),
    DER,
    st.binary(max_size=70) | DER,
)
def test_whatever_key_a_ca_certified_nothing_else_comes_out(oid: str, parameters: bytes, key: bytes) -> None:
    def swap(parts: list[bytes]) -> None:
        parts[6] = tlv(0x30, tlv(0x30, x509_oid(oid), parameters), tlv(0x03, b"\0", key))

    der = rewritten(ALICE.der, ROOT.key, swap)
    identity = outcome(authenticator("nginx-ingress").authenticate, presented_as(der))
    assert identity is None or der_of(identity) == der
    # And as an issuer, whose key is asked to check a signature.
    outcome(authenticator("traefik").authenticate, headers_of_chain(ALICE.der, der))


def headers_of_chain(*chain: bytes) -> dict[str, str]:
    return {"x-forwarded-tls-client-cert": ENCODERS["base64-der-list"](*chain)}
