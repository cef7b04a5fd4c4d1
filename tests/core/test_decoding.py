"""Each encoding by its own grammar: what a proxy sends is read exactly, and nothing else is read at all."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import re
import sys
import urllib.parse
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sslclientcert.core.decoding import ENCODINGS, _percent_decoded
from sslclientcert.core.errors import ClientCertError

from .conftest import ALICE, CAROL, ENCODERS, INTERMEDIATE, MALLORY, ROOT, b64, element_of_xfcc, escaped, pem, refused

LEAF, OTHER, CA = ALICE.der, MALLORY.der, ROOT.der
CHAIN = (CAROL.der, INTERMEDIATE.der, ROOT.der)
ONE = ("url-pem", "folded-pem", "base64-der", "base64-pem", "byte-sequence")  # of a single certificate
MANY = tuple(name for name in ENCODINGS if name not in ONE)
PEM = pem(LEAF)
BODY = b64(LEAF)
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
MALFORMED = ("header_malformed", "header_ambiguous")


def beginning(text: str) -> str:
    """What tests are called by whose text holds a certificate of this run: the same in every process."""
    return ascii(text[:4])


def decoded(encoding: str, text: str) -> tuple[bytes, ...]:
    return ENCODINGS[encoding].decode(text)


def is_no_pem(data: bytes) -> bool:
    return not data.startswith(b"-----BEGIN")  # base64 of which is refused as another encoding


# What is common to all


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_certificate_comes_back_byte_for_byte(encoding: str) -> None:
    assert decoded(encoding, ENCODERS[encoding](LEAF)) == (LEAF,)


@pytest.mark.parametrize("encoding", MANY)
@pytest.mark.parametrize("length", [2, 3])
def test_a_chain_comes_back_in_its_order(encoding: str, length: int) -> None:
    assert decoded(encoding, ENCODERS[encoding](*CHAIN[:length])) == CHAIN[:length]


@pytest.mark.parametrize("encoding", [name for name in ONE if name != "base64-der"])
def test_two_certificates_are_refused_where_the_proxy_sends_one(encoding: str) -> None:
    with refused(*MALFORMED):
        decoded(encoding, ENCODERS[encoding](LEAF, OTHER))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=200).filter(is_no_pem), min_size=1, max_size=4),
    st.sampled_from(sorted(ENCODINGS)),
)
def test_whatever_the_bytes_they_come_back(chain: list[bytes], encoding: str) -> None:
    if encoding == "base64-der-concatenation":  # only DER can be told apart where it is laid end to end
        chain = [b"\x04" + bytes([len(one)]) + one for one in chain if len(one) < 128]
    elif encoding in ONE:
        del chain[1:]
    if chain:
        assert decoded(encoding, ENCODERS[encoding](*chain)) == tuple(chain)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ", ", ";", " ", "\n", "\r\n", "\t"])
@pytest.mark.parametrize("pair", [(LEAF, OTHER), (LEAF, LEAF)], ids=["another", "the same"])
def test_two_headers_that_a_server_joined_are_never_read_as_one_certificate(
    encoding: str, separator: str, pair: tuple[bytes, bytes]
) -> None:
    try:
        certificates = decoded(encoding, separator.join(ENCODERS[encoding](der) for der in pair))
    except ClientCertError as error:
        assert error.code in MALFORMED
    else:
        # Lists by the format: both are seen, and the chain of links is what refuses them. Or an explicit choice.
        assert certificates == pair or encoding in ("xfcc-first", "xfcc-last")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "absent", ["(null)", "::", "", " ", "-", "nil", "<nil>", "n/a", "()", ":", ":::", "(null), (null)", "[]"]
)
def test_only_what_the_proxy_says_for_no_certificate_is_absent(encoding: str, absent: str) -> None:
    known = {"folded-pem": {"", "(null)"}, "byte-sequence": {"", "::"}, "byte-sequence-list": {"", "::"}}
    if absent in known.get(encoding, {""}):
        assert absent in ENCODINGS[encoding].absent
    else:
        assert absent not in ENCODINGS[encoding].absent
        with refused(*MALFORMED):
            decoded(encoding, absent)


GARBAGE = (
    *("%", "%41", "%4", "%%", "-----BEGIN", BEGIN, END, "=", ",", ":", '"', "\\", "A", "AAAA,", ":AAAA:,", " "),
    *("A=", 'A="";', "URI=,", 'DNS="\\"\\\\";', "\n", "\r\n", "\0", "\xff", "\ud800", "(null)", "::", "+", ";"),
    *(f"{BEGIN}%0AAAAA%0A{END}%0A", f"{BEGIN} AAAA {END} ", b64(bytes(3)), b64(b"\x30\x00" * 3)),
)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("start", "size"), [("", 1_000_000), ('Cert="', 250_000), (BEGIN + "%0A", 250_000)])
def test_a_megabyte_of_any_garbage_is_refused_or_read_as_many_certificates(
    encoding: str, start: str, size: int
) -> None:
    for unit in GARBAGE:
        text = start + unit * (size // len(unit))
        try:
            certificates = decoded(encoding, text)
        except ClientCertError as error:
            # More members than a chain may have certificates are refused before one of them is looked at.
            assert error.code in (MALFORMED if encoding in ONE else (*MALFORMED, "forwarding_inconsistent")), unit
            assert len(error.detail) < 1000, unit
        else:
            assert 0 < sum(map(len, certificates)) <= len(text), unit


def calls_made_by(function: Callable[[], object]) -> int:
    """How many functions it calls, those in C included."""
    count = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        with contextlib.suppress(ClientCertError):
            function()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("start", ["", 'Hash=a;Cert="', BEGIN + "%0A"])
def test_the_steps_that_it_takes_do_not_grow_with_a_value(encoding: str, start: str) -> None:
    """Each step is a search, a replacement or a decoding, which are linear; so whatever the value, the whole is."""
    for unit in GARBAGE:
        text = start + unit * (256_000 // len(unit))
        most = 15_000 if encoding.startswith("xfcc") else 1000  # an element may have many pairs
        assert calls_made_by(functools.partial(decoded, encoding, text)) < most, unit


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("stray", ["\0", "\n", "\r", "\x7f", "\xe9", "\u2028", "\ud800", "\x1b[31m"], ids=ascii)
def test_a_stray_character_anywhere_is_refused_and_does_not_reach_the_log(encoding: str, stray: str) -> None:
    if encoding == "folded-pem" and stray in "\r\n":
        return  # a folded line is what this encoding undoes
    text = ENCODERS[encoding](LEAF)
    for where in (0, 6, 40, 400, len(text)):
        with refused(*MALFORMED, "forwarding_inconsistent"):
            decoded(encoding, text[:where] + stray + text[where:])


# Base64


@pytest.mark.parametrize(
    "text",
    [
        *("", "Q", "QQ", "QQ=", "QQ===", "QQ====", "QUI", "QUI==", "QUJD=", "QUJD==", "QUJD====", "QUJDQ", "=QUJD"),
        *("====", "=", "QU=JD", "QU==JD", "QQ==QUJD", "QUI=QUJD", " QUJD", "QUJD ", "QU JD", "QU\tJD", "QU-D", "QU_D"),
        *("QU%2BD", "QU.D", "QU*D", "QÜJD", "QUJD\0", "QUJD;", "QUJD\x7f", "QR==", "QUJ=", "Qf==", "QUL="),
    ],
    ids=ascii,
)
def test_base64_has_its_alphabet_and_its_padding_and_nothing_else(text: str) -> None:
    values = {
        "base64-der": text,
        "base64-der-list": f"{BODY},{text}",
        "byte-sequence": f":{text}:",
        "byte-sequence-list": f":{BODY}:,:{text}:",
        "url-pem": escaped(f"{BEGIN}\n{text}\n{END}\n"),
        "xfcc": f'Hash={DIGEST};Cert="{escaped(f"{BEGIN}{chr(10)}{text}{chr(10)}{END}{chr(10)}")}"',
    }
    if not {" ", "\t"} & set(text):  # what lines were folded with, in folded PEM
        values["folded-pem"] = f"{BEGIN} {text} {END}"
    for encoding, value in values.items():
        with refused("header_malformed"):
            decoded(encoding, value)


@pytest.mark.parametrize("text", ["QQ==", "QUI=", "QUJD", "+/+/"])
def test_base64_of_every_length_is_read(text: str) -> None:
    assert b64(decoded("base64-der", text)[0]) == text


# Percent encoding


def strictly_unquoted(text: str) -> bytes | None:
    """The reference: RFC 3986 by the standard library, where the text is valid and free of line breaks; else None."""
    if not text.isascii() or re.search(r"%(?![0-9A-Fa-f]{2})|[\r\n]", text):
        return None
    return urllib.parse.unquote_to_bytes(text)


def agrees(text: str) -> None:
    expected = strictly_unquoted(text)
    if expected is None:
        with refused("header_malformed"):
            _percent_decoded(text)
    else:
        assert _percent_decoded(text) == expected


ESCAPES = st.one_of(
    st.sampled_from(
        ["%", "=", "%%", "==", "%=", "=%", "%3D", "%3d", "=41", "%41", "=\n", "%0A", "%0D%0A", "=0A", "%00"]
    ),
    st.sampled_from(
        ["%4", "%zz", "%z1", "%1z", "\n", "\r", "\r\n", "=\r\n", " ", "\t", " \n", "_", "\0", "\x7f", "\xe9"]
    ),
    st.text("%=0123456789abcdefABCDEFgG\r\n \t_+-", max_size=4),
    st.characters(),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(ESCAPES, max_size=12).map("".join))
@example("%")
@example("%4")
@example("%zz")
@example("%%41")
@example("=")
@example("%3D41")
@example("=41")
@example("%=3D")
@example("a_b")
@example("a%20 ")
@example("a \t")
@example("%0A")
@example("\ud800")
def test_percent_decoding_is_that_of_the_standard_library_and_refuses_what_is_not_valid(text: str) -> None:
    agrees(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.data())
def test_bytes_escaped_in_any_mixture_of_cases_come_back(plain: bytes, data: st.DataObject) -> None:
    forms = (lambda byte: f"%{byte:02X}", lambda byte: f"%{byte:02x}")
    bare = b"ABCabc019-._~+/= \t!\"#$&'()*,:;<>?@[]^`{|}\\"
    text = "".join(
        chr(byte) if byte in bare and data.draw(st.booleans()) else data.draw(st.sampled_from(forms))(byte)
        for byte in plain
    )

    assert _percent_decoded(text) == plain
    assert _percent_decoded(escaped(plain.decode("latin-1"))) == plain.decode("latin-1").encode()


def test_percent_decoding_agrees_on_every_short_combination_of_its_special_characters() -> None:
    for text in itertools.product(
        ("", "%", "=", "%4", "=4", "a"), "%=4dDz\n\r \t_\0", "%=4dDz\n\r \t_\0\x7f", ("", "%", "=", "1")
    ):
        agrees("".join(text))


def test_a_plus_sign_is_never_a_space() -> None:
    assert decoded("url-pem", urllib.parse.quote(PEM, safe="+/=")) == (LEAF,)
    with refused("header_malformed"):
        decoded("url-pem", urllib.parse.quote_plus(PEM))


@pytest.mark.parametrize("lower", [str, str.lower])
def test_escapes_are_read_in_either_case_as_apache_and_nginx_write_them(lower: Callable[[str], str]) -> None:
    text = re.sub("%[0-9A-F]{2}", lambda match: lower(match[0]), escaped(PEM))

    assert decoded("url-pem", text) == (LEAF,)


def test_a_value_that_is_escaped_twice_is_refused() -> None:
    with refused("header_malformed"):
        decoded("url-pem", escaped(escaped(PEM)))


def test_unescaped_pem_is_refused() -> None:
    for text in (PEM, PEM.replace("\n", "\n\t"), PEM.replace("\n", "\r\n")):
        with refused("header_malformed"):
            decoded("url-pem", text)


# PEM


@pytest.mark.parametrize("encoding", ["url-pem", "url-pem-chain"])
@pytest.mark.parametrize(
    "text",
    [
        "x" + PEM,
        "\n" + PEM,
        " " + PEM,
        PEM + "x",
        PEM + "\n",
        PEM + " ",
        PEM + ",",
        PEM + "subject=alice\n",
        PEM + "," + pem(OTHER),
        PEM + ", " + pem(OTHER),
        PEM + " " + pem(OTHER),
        PEM + "\n" + pem(OTHER),
        PEM + "subject=alice\n" + pem(OTHER),
        PEM + pem(OTHER).replace("\n", ""),
        f"{BEGIN}\n\n{BEGIN}\n{BODY}\n{END}\n",
        PEM.rstrip() + pem(OTHER),
        PEM.replace("\n", "\r\n"),
        PEM.replace("\n", " "),
        PEM.replace("\n", ""),
        PEM.replace("CERTIFICATE", "X509 CERTIFICATE"),
        PEM.replace("CERTIFICATE", "TRUSTED CERTIFICATE"),
        PEM.replace("CERTIFICATE", "PRIVATE KEY"),
        PEM.replace("CERTIFICATE", "certificate"),
        PEM.replace("-----BEGIN", "----BEGIN"),
        PEM.replace("END CERTIFICATE-----", "END CERTIFICATE----"),
        PEM.replace("END", "BEGIN"),
        PEM.replace(BEGIN, ""),
        PEM.replace(END, ""),
        f"{BEGIN}\n{END}\n",
        f"{BEGIN}\n\n{END}\n",
        f"{BEGIN}{END}",
        f"{BEGIN}\n{BODY}{END}\n",
        f"{BEGIN}\nProc-Type: 4,ENCRYPTED\n\n{BODY}\n{END}\n",
        f"{END}\n{BODY}\n{BEGIN}\n",
        f"{BEGIN}\n{BODY}\n{END}\n{END}\n",
        BODY,
        "",
    ],
)
def test_what_is_not_exactly_pem_certificates_is_refused(encoding: str, text: str) -> None:
    # As of two headers that a server joined.
    several = encoding == "url-pem" and text.startswith(f"{BEGIN}\n") and f"{BEGIN}\n" in text[1:]
    with refused("header_ambiguous" if several else "header_malformed"):
        decoded(encoding, escaped(text))


@pytest.mark.parametrize("encoding", MANY)
def test_a_chain_may_have_ten_certificates_and_no_more(encoding: str) -> None:
    certificates = (LEAF, *[CA] * 9)
    assert decoded(encoding, ENCODERS[encoding](*certificates)) == certificates
    with refused("forwarding_inconsistent"):
        decoded(encoding, ENCODERS[encoding](*certificates, CA))


@pytest.mark.parametrize("text", [PEM, PEM.removesuffix("\n"), f"{BEGIN}\n{BODY}\n{END}"])
def test_the_last_line_end_and_the_length_of_lines_do_not_matter(text: str) -> None:
    assert decoded("url-pem", escaped(text)) == (LEAF,)


@pytest.mark.parametrize("fold", [" ", "\t", "\n\t", "\n", "\r\n ", "  ", "\r\n\t"])
def test_folded_pem_is_read_with_every_fold_that_proxies_make(fold: str) -> None:
    text = PEM.replace("\n", fold)
    for value in (text, text.strip(), " " + text + " ", f"{BEGIN}{fold}{BODY}{fold}{END}", f"{BEGIN}{BODY}{END}"):
        assert decoded("folded-pem", value) == (LEAF,)


@pytest.mark.parametrize(
    "text",
    [
        *(f"{BEGIN} {BODY}", f"{BODY} {END}", f"{BEGIN}", f"{END}", f"{BEGIN[:-3]}{END}", "-----BEGIN CERTIFICATE----"),
        *(f"{BEGIN}  {END} ", f"{BEGIN}{END}", f"x{BEGIN} {BODY} {END}", f"{BEGIN} {BODY} {END} x", escaped(PEM)),
        *(f"{BEGIN} {BODY} {END},(null)", f"(null),{BEGIN} {BODY} {END}", "(NULL)", "(null) (null)"),
        *(f"{BEGIN} {BODY} {END} {BEGIN} {BODY} {END}", f"{BEGIN} {BODY} {END},{BEGIN} {BODY} {END}"),
        *(f"{BEGIN} {BODY} {END} {END}", f"{BEGIN} {BEGIN} {BODY} {END}", f"{BEGIN}\v{BODY}\v{END}"),
        f"{BEGIN}\xa0{BODY}\xa0{END}",
        PEM.replace("CERTIFICATE", "PRIVATE KEY").replace("\n", " "),
    ],
)
def test_what_is_not_one_folded_certificate_is_refused(text: str) -> None:
    with refused(*MALFORMED):
        decoded("folded-pem", text)


# Lists and concatenations


@pytest.mark.parametrize("text", [f"{BODY},", f",{BODY}", f"{BODY},,{BODY}", ",", f"{BODY}, {BODY}", f"{BODY};{BODY}"])
def test_the_list_of_traefik_has_no_empty_members_and_no_spaces(text: str) -> None:
    with refused("header_malformed"):
        decoded("base64-der-list", text)


@pytest.mark.parametrize(
    "text", ["30", "MA==", b64(CA[:-1]), b64(CA + b"\x30"), b64(CA + CA[:-1]), b64(b"\x30\x80\x00\x00")]
)
def test_a_concatenation_that_does_not_end_with_an_element_is_refused(text: str) -> None:
    with refused("header_malformed"):
        decoded("base64-der-concatenation", text)


@pytest.mark.parametrize(
    "text",
    [
        *(BODY, f":{BODY}", f"{BODY}:", f"::{BODY}:", f":{BODY}::", f":{BODY}:;a=1", f":{BODY}: ", f" :{BODY}:", ":"),
        *(f":{BODY}:, :{BODY}:", f"(:{BODY}:)", f'"{BODY}"', f":{BODY}:,", ":%3A:", ": :", f":{BODY[:-1]}:"),
    ],
)
def test_what_is_not_one_byte_sequence_is_refused(text: str) -> None:
    with refused("header_malformed"):
        decoded("byte-sequence", text)


@pytest.mark.parametrize("separator", [",", ", ", " ,\t", ",  "])
def test_a_list_of_byte_sequences_may_have_spaces_around_its_commas(separator: str) -> None:
    assert decoded("byte-sequence-list", separator.join(f":{b64(der)}:" for der in CHAIN)) == CHAIN


@pytest.mark.parametrize(
    "text", [f":{BODY}:,", f",:{BODY}:", f":{BODY}:,,:{BODY}:", f":{BODY}: :{BODY}:", ":,:", "::,::"]
)
def test_a_list_of_byte_sequences_has_no_empty_members(text: str) -> None:
    with refused("header_malformed"):
        decoded("byte-sequence-list", text)


# x-forwarded-client-cert

DIGEST = hashlib.sha256(LEAF).hexdigest()
CERT = f'Cert="{escaped(PEM)}"'
GENUINE = f"Hash={DIGEST};{CERT}"
SUBJECT = 'Subject="CN=a\\"b\\\\c,O=x;y=z"'


@pytest.mark.parametrize(
    "text",
    [
        GENUINE,
        f"{CERT};Hash={DIGEST}",
        f"Hash={DIGEST.upper()};{CERT}",
        f"hash={DIGEST};{CERT.replace('Cert', 'cert')}",
        f"By=spiffe://a/b;Hash={DIGEST};{CERT};{SUBJECT};URI=spiffe://a/c;DNS=a.example;DNS=b.example",
        f"By=x;By=y;Hash={DIGEST};{CERT};URI=;URI=b;DNS=",
        f'Hash={DIGEST};{CERT};Subject="";URI=',
        f"Hash={DIGEST};Cert={escaped(PEM)}",
        f'Hash="{DIGEST}";{CERT}',
        f'{element_of_xfcc(LEAF)};URI="a,b;c"',
        f'Hash={DIGEST};{CERT};Chain="{escaped(PEM + pem(CA))}"',
        f"Hash={DIGEST};{CERT};Later=new",
        f'Hash={DIGEST};Chain="{escaped(PEM)}"',
        f'Hash={DIGEST};Chain="{escaped(PEM + pem(CA))}"',
        f'Hash={DIGEST};Cert="";Chain="{escaped(PEM)}"',
        f"Hash={DIGEST};{CERT}" + ";DNS=a.example" * 1000,
    ],
    ids=beginning,
)
def test_one_element_is_read_whatever_else_is_in_it(text: str) -> None:
    assert decoded("xfcc", text)[0] == LEAF


@pytest.mark.parametrize(
    "text",
    [
        *(f"Hash={DIGEST}", f'Hash={DIGEST};Cert=""', f"Hash={DIGEST};Cert="),
        *(
            "Hash",
            "=",
            ";",
            f"{GENUINE};",
            f";{GENUINE}",
            f"{GENUINE};;URI=",
            f"{GENUINE} ",
            f" {GENUINE}",
            f"{GENUINE};URI",
            f"{GENUINE}x",
        ),
        *(CERT, f'{GENUINE};Chain=""', f"{GENUINE};Chain="),
        *(
            f'Hash={DIGEST};Cert="{escaped(PEM)}',
            f'{GENUINE};Subject="',
            f'{GENUINE};Subject="a\\',
            f'{GENUINE};Subject="a\\"',
        ),
        *(
            f'{GENUINE};Subject="a"b"',
            f'{GENUINE};URI=a"b',
            f'{GENUINE};URI="a"b',
            f"{GENUINE}; URI=a",
            f"{GENUINE};1=2",
            f"{GENUINE};é=2",
        ),
        *(b64(LEAF), escaped(PEM), PEM, f'{GENUINE};Subject="a\\\nb"', f"{GENUINE};URI=a\r\n b"),
    ],
    ids=beginning,
)
def test_what_breaks_off_the_grammar_or_has_no_certificate_is_refused(text: str) -> None:
    with refused("header_malformed"):
        decoded("xfcc", text)


@pytest.mark.parametrize("key", ["Hash", "Cert", "Chain", "Subject", "hash", "CERT", "Unknown"])
def test_what_stands_for_one_thing_may_not_come_twice_in_an_element(key: str) -> None:
    for first, second in (("a", "b"), ("", ""), ("a", "")):
        with refused("header_ambiguous"):
            decoded("xfcc", f"{key.upper()}={first};{key.lower()}={second};Foo=bar")


@pytest.mark.parametrize(
    "digest",
    [
        hashlib.sha256(OTHER).hexdigest(),
        hashlib.sha1(LEAF).hexdigest(),  # noqa: S324
        DIGEST[:-1],
        DIGEST + "0",
        "",
        "é",
        '"',
        "\ud800",
    ],
    ids=["of another", "SHA-1", "cut short", "too long", "empty", "not ASCII", "a quote", "a surrogate"],
)
def test_a_hash_that_is_not_that_of_the_certificate_is_refused(digest: str) -> None:
    with refused("forwarding_inconsistent", "header_malformed"):
        decoded("xfcc", f"Hash={digest};{CERT}")


@pytest.mark.parametrize("chain", [(OTHER, LEAF), (CA,), (CA, LEAF), (OTHER,)])
def test_a_chain_that_does_not_start_with_the_certificate_is_refused(chain: tuple[bytes, ...]) -> None:
    with refused("forwarding_inconsistent"):
        decoded("xfcc", f'Hash={DIGEST};{CERT};Chain="{escaped("".join(map(pem, chain)))}"')


def test_more_than_one_certificate_in_cert_is_refused() -> None:
    with refused("header_ambiguous"):
        decoded("xfcc", f'Hash={DIGEST};Cert="{escaped(PEM + pem(OTHER))}"')


INJECTED = f',Hash={hashlib.sha256(OTHER).hexdigest()};Cert="{escaped(pem(OTHER))}";Subject="CN=mallory";URI='


def test_an_element_injected_through_a_uri_name_is_refused_and_the_message_explains_the_hops() -> None:
    with refused("header_ambiguous") as caught:
        decoded("xfcc", element_of_xfcc(LEAF, extra=f";URI=spiffe://x{INJECTED}"))
    assert "2 elements" in caught.value.detail
    assert "each proxy on the way" in caught.value.detail


@pytest.mark.parametrize(
    "injected",
    [
        f'x;Cert="{escaped(pem(OTHER))}"',
        f'x;cert="{escaped(pem(OTHER))}"',
        f"x;Hash={hashlib.sha256(OTHER).hexdigest()}",
        f'x;Chain="{escaped(pem(OTHER))}"',
        'x";Cert="',
        'x"',
    ],
    ids=beginning,
)
def test_a_uri_name_cannot_put_anything_into_its_own_element(injected: str) -> None:
    with refused(*MALFORMED):
        decoded("xfcc", element_of_xfcc(LEAF, extra=f";URI={injected}"))


def test_where_the_proxy_does_not_send_the_certificate_a_uri_name_cannot_stand_in_for_it() -> None:
    with refused("forwarding_inconsistent"):
        decoded("xfcc", f'Hash={DIGEST};Subject="";URI=x;Cert="{escaped(pem(OTHER))}"')


def test_the_first_and_the_last_element_are_explicit_choices_that_an_attacker_may_have_written() -> None:
    text = element_of_xfcc(LEAF, extra=f";URI=spiffe://x{INJECTED}")

    assert decoded("xfcc-first", text) == (LEAF,)
    assert decoded("xfcc-last", text) == (OTHER,)  # as its documentation says


@pytest.mark.parametrize("encoding", ["xfcc", "xfcc-first", "xfcc-last"])
@pytest.mark.parametrize("element", ["", ";", "Cert", 'Cert="'])
@pytest.mark.parametrize("first", [True, False])
def test_every_element_must_keep_the_grammar_whichever_is_chosen(encoding: str, element: str, first: bool) -> None:
    good = element_of_xfcc(LEAF)
    with refused("header_malformed"):
        decoded(encoding, f"{element},{good}" if first else f"{good},{element}")


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('=;,"\\aA CertHashURI\n\0é'), max_size=30), st.sampled_from(["xfcc", "xfcc-last"]))
def test_no_text_put_behind_a_genuine_element_changes_whose_certificate_it_is(tail: str, encoding: str) -> None:
    try:
        certificates = decoded(encoding, element_of_xfcc(LEAF) + tail)
    except ClientCertError:
        return
    assert certificates == (LEAF,)
