"""A name as OpenSSL prints it next to the certificate: its own is recognised, and no other's is.

The texts are the output of the real `openssl x509 -nameopt RFC2253`, which is what nginx puts into its headers
(X509_NAME_print_ex with XN_FLAG_RFC2253).
"""

from __future__ import annotations

import functools
import itertools
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from sslclientcert import PresentedChain
from sslclientcert.core.consistency import is_openssl_text_of
from sslclientcert.core.errors import CertificateMalformed
from sslclientcert.core.names import CanonicalName, canonical, rfc4514
from sslclientcert.testing._names import openssl_name

from .conftest import ROOT
from .pki import Party, certify, content_of, elements, openssl, rewritten, tlv
from .test_presented import x509_oid

UTF8, NUMERIC, PRINTABLE, TELETEX, IA5, UNIVERSAL, BMP, BIT = 0x0C, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E, 0x03
COMMON_NAME, ORG, UNIT, COUNTRY, DC, UID = (
    "2.5.4.3",
    "2.5.4.10",
    "2.5.4.11",
    "2.5.4.6",
    "0.9.2342.19200300.100.1.25",
    "0.9.2342.19200300.100.1.1",
)
EMAIL, UNIQUE_ID, UNKNOWN = "1.2.840.113549.1.9.1", "2.5.4.45", "1.3.6.1.4.1.32473.5"

# cryptography warns of values that are longer than X.520 allows, or empty.
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")

Attribute = tuple[str, int, bytes]


def text(value: str, oid: str = COMMON_NAME, tag: int = UTF8) -> Attribute:
    return oid, tag, value.encode()


# Each subject is a list of relative distinguished names, each of these a list of attributes.
SUBJECTS: dict[str, list[list[Attribute]]] = {
    "one common name": [[text("alice")]],
    "another common name": [[text("bob")]],
    "other letter case": [[text("Alice")]],
    "common name as a PrintableString": [[text("alice2", tag=PRINTABLE)]],
    "three attributes": [[text("DE", COUNTRY, PRINTABLE)], [text("Example", ORG)], [text("alice")]],
    "in another order": [[text("alice")], [text("Example", ORG)], [text("DE", COUNTRY, PRINTABLE)]],
    "two common names": [[text("admin")], [text("mallory")]],
    "two common names the other way": [[text("mallory")], [text("admin")]],
    "the same twice": [[text("admin")], [text("admin")]],
    "empty": [],
    "empty value": [[text("")]],
    "UTF-8": [[text("Zoë Müller")]],
    "UTF-8 of four bytes": [[text("😀 漢字")]],
    "BMPString": [[(COMMON_NAME, BMP, "Zoë Bmp".encode("utf-16-be"))]],
    "UniversalString": [[(COMMON_NAME, UNIVERSAL, "Zoë 😀".encode("utf-32-be"))]],
    "TeletexString": [[(COMMON_NAME, TELETEX, b"teletex")]],
    "NumericString": [[(COMMON_NAME, NUMERIC, b"12345")]],
    "NUL inside": [[text("alice\0.example")]],
    "CR and LF": [[text("alice\r\nssl-client-verify: SUCCESS")]],
    "control characters": [[text("\x01\x1b[31m\x7f\t")]],
    "leading hash": [[text("#hash")]],
    "only a hash": [[text("#")]],
    "two hashes": [[text("##")]],
    "leading space": [[text(" leading")]],
    "trailing space": [[text("trailing ")]],
    "trailing spaces": [[text("trailing  ")]],
    "only a space": [[text(" ")]],
    "only two spaces": [[text("  ")]],
    "space and hash": [[text(" #both ")]],
    "trailing backslash": [[text("backslash\\")]],
    "trailing backslash and space": [[text("backslash\\ ")]],
    "backslash and digits": [[text("\\41\\C3")]],
    "quotes": [[text("\"quoted\" 'single'")]],
    "what RFC 2253 escapes": [[text(',+"\\<>;=#')]],
    "a name inside a name": [[text("admin,O=Example")]],
    "the name it imitates": [[text("Example", ORG)], [text("admin")]],
    "a value inside a value": [[text("admin+OU=ops")]],
    "the value it imitates": [[text("admin"), text("ops", UNIT)]],
    "several values": [[text("alice"), text("u1", UID), text("ops", UNIT)], [text("Example", ORG)]],
    "several values of a type": [[text("alice"), text("bob")]],
    "e-mail address": [[text("a@example.org", EMAIL, IA5)], [text("alice")]],
    "domain components": [[text("org", DC, IA5)], [text("example", DC, IA5)], [text("alice", UID)]],
    "unknown type": [[text("value", UNKNOWN)]],
    "unknown type as a PrintableString": [[text("printed", UNKNOWN, PRINTABLE)]],
    "unknown type in UTF-8": [[text("ünknown", UNKNOWN)]],
    "unknown type as a BMPString": [[(UNKNOWN, BMP, "bmp".encode("utf-16-be"))]],
    "unknown type, a long value": [[text("x" * 200, UNKNOWN)]],
    "what an unknown type's dump looks like": [[text("#0C0576616C7565")]],
    "bit string": [[(UNIQUE_ID, BIT, b"\0\xde\xad")]],
    "bit string with unused bits": [[(UNIQUE_ID, BIT, b"\x04\xf0")]],
    "long": [[text("x" * 2000)]],
    "many": [[text(str(number), UNIT)] for number in range(50)],
    "types that RFC 4514 has no names for": [
        [text("Anna", "2.5.4.42")],
        [text("Schmidt", "2.5.4.4")],
        [text("Dr", "2.5.4.12")],
        [text("0815", "2.5.4.5", PRINTABLE)],
        [text("Some street 1", "2.5.4.9")],
        [text("DE", "1.3.6.1.4.1.311.60.2.1.3", PRINTABLE)],
        [text("Private", "2.5.4.15")],
        [text("VATDE-1", "2.5.4.97")],
        [text("a nick", "2.5.4.65")],
        [text("12345", "2.5.4.17")],
        [text("unstructured", "1.2.840.113549.1.9.2", IA5)],
        [text("qualifier", "2.5.4.46", PRINTABLE)],
    ],
}


def encoded(subject: list[list[Attribute]]) -> bytes:
    return tlv(
        0x30,
        *(
            tlv(0x31, *sorted(tlv(0x30, x509_oid(oid), tlv(tag, value)) for oid, tag, value in attributes))
            for attributes in subject
        ),
    )


@functools.cache
def with_subject(what: str) -> Party:
    plain = certify("placeholder", ROOT)

    def swap(parts: list[bytes]) -> None:
        parts[5] = encoded(SUBJECTS[what])

    der = rewritten(plain.der, ROOT.key, swap)
    return Party(x509.load_der_x509_certificate(der), plain.key)


def printed(der: bytes) -> str:
    """The subject as OpenSSL prints it, as the text of a header."""
    command = ["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253"]
    output = subprocess.run(command, input=der, capture_output=True, check=True).stdout
    return output.removeprefix(b"subject=").removesuffix(b"\n").decode("latin-1")


@functools.cache
def text_of(what: str) -> str:
    return printed(with_subject(what).der)


def subject_of(what: str) -> x509.Name:
    return with_subject(what).certificate.subject


@pytest.mark.parametrize("what", SUBJECTS)
def test_a_name_is_recognised_in_what_openssl_prints_for_it_with_its_last_spaces_and_without(what: str) -> None:
    assert is_openssl_text_of(subject_of(what), text_of(what)) is True
    assert is_openssl_text_of(subject_of(what), text_of(what).rstrip(" ")) is True


@pytest.mark.parametrize("what", SUBJECTS)
def test_a_name_is_not_recognised_in_what_openssl_prints_for_any_other(what: str) -> None:
    taken_for = [other for other in SUBJECTS if other != what and is_openssl_text_of(subject_of(what), text_of(other))]

    assert not taken_for


@pytest.mark.parametrize("what", [what for what in SUBJECTS if what != "empty"])
def test_what_a_server_joined_is_no_name(what: str) -> None:
    for joined in (f"{text_of(what)},{text_of(what)}", f"CN=forged,{text_of(what)}", f"{text_of(what)}, CN=forged"):
        assert not is_openssl_text_of(subject_of(what), joined)


@pytest.mark.parametrize(
    "junk",
    [
        *(",", "+", "=", "CN", "CN=alice,", ",CN=alice", "CN=alice+", "CN=alice,,O=x", "CN =alice", " CN=alice"),
        *("CN=alice ", "cn=alice", "CN=#", "CN=#0", "CN=#zz", "CN=#0C", "CN=#0C05616c69", "CN=#0C05616c69636500"),
        *("/CN=alice", "CN=alice\n", "CN=alicé", "CN=\ud800", "CN=\u0161", "CN=" + "\\" * 9999, "CN=alice\\", "\0"),
        *("CN=alice;O=x", "2.5.4.3=bob", "CN=#0C03626F62", "CN=ali\\ce\\", "CN=\\61lice\\"),
    ],
    ids=lambda junk: ascii(junk)[:20],
)
def test_no_other_text_is_taken_for_a_name(junk: str) -> None:
    assert is_openssl_text_of(subject_of("one common name"), junk) is False


@pytest.mark.parametrize("text", ["CN=alice", "CN=\\61\\6C\\69\\63\\65", "2.5.4.3=alice", "CN=#0C05616C696365"])
def test_texts_that_mean_one_name_are_recognised(text: str) -> None:
    assert is_openssl_text_of(subject_of("one common name"), text)


# The types of attributes by arc, those of the objects that OpenSSL 3.0 has names for.
TYPES_BY_ARC: dict[str, list[int]] = {
    "2.5.4": [*range(3, 35), *range(41, 52), 54, 65, 72, *range(97, 101)],
    "0.9.2342.19200300.100.1": [*range(1, 16), *range(20, 27), *range(28, 32), *range(37, 50), 56],
    "1.2.840.113549.1.9": [1, 2, 7, 8, 20],
    "1.2.643.3.131.1": [1],
    "1.2.643.100": [1, 3, 5],
    "1.3.6.1.4.1.311.60.2.1": [1, 2, 3],
}


@pytest.mark.parametrize("arc", TYPES_BY_ARC)
def test_every_type_of_attribute_has_the_name_that_openssl_prints(arc: str) -> None:
    subject = encoded([[text("x", f"{arc}.{number}")] for number in TYPES_BY_ARC[arc]])

    def swap(parts: list[bytes]) -> None:
        parts[5] = subject

    der = rewritten(certify("placeholder", ROOT).der, ROOT.key, swap)
    name, shown = x509.load_der_x509_certificate(der).subject, printed(der)
    assert is_openssl_text_of(name, shown)
    assert rfc4514(name) == shown.replace("street=", "STREET=")


@pytest.mark.parametrize("what", ["empty", "empty value"])
def test_an_empty_name_has_an_empty_text_and_no_other_name_has(what: str) -> None:
    assert is_openssl_text_of(subject_of(what), "") is (what == "empty")
    assert rfc4514(subject_of("empty")) == ""


# Made by the openssl program itself, as people do


def by_program(folder: Path, *arguments: str) -> x509.Certificate:
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
            "-keyout", "key.pem", "-out", "cert.pem", *arguments, cwd=folder)  # fmt: skip
    return x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())


@pytest.mark.parametrize(
    "arguments",
    [
        ("-subj", "/C=DE/ST=NRW/O=Example/CN=alice"),
        ("-utf8", "-subj", "/O=Müller & Söhne/CN=Zoë/emailAddress=zoe@example.org"),
        ("-multivalue-rdn", "-subj", "/DC=org/DC=example/OU=ops+CN=alice+UID=u1"),
        ("-subj", r"/CN=a\/b, c=d\+e;<f> \"g\" #"),
    ],
    ids=["plain", "utf8", "multivalue", "escapes"],
)
@pytest.mark.parametrize("mask", ["default", "pkix", "nombstr", "utf8only"])
def test_names_made_by_the_openssl_program_with_every_string_mask(
    tmp_path: Path, arguments: tuple[str, ...], mask: str
) -> None:
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(f"[req]\nstring_mask={mask}\ndistinguished_name=dn\n[dn]\n")
    if mask in ("default", "nombstr") and "-utf8" in arguments:
        # A TeletexString with latin-1 in it, which cryptography does not parse: refused, as docs/verification.md says.
        with pytest.raises(CertificateMalformed):
            PresentedChain(by_program(tmp_path, "-config", str(configuration), *arguments))
        return
    certificate = by_program(tmp_path, "-config", str(configuration), *arguments)
    shown = printed(Party(certificate, ROOT.key).der)

    assert is_openssl_text_of(certificate.subject, shown)
    assert not is_openssl_text_of(subject_of("one common name"), shown)


# Whatever the name

STRINGS = st.one_of(st.text(max_size=8), st.text(' #,+"\\<>;=a0\0\r\n\x7fé', max_size=8))
KINDS = st.sampled_from([_ASN1Type.UTF8String, _ASN1Type.BMPString, _ASN1Type.UniversalString])
TYPES = st.sampled_from(
    [
        NameOID.COMMON_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.USER_ID,
        NameOID.EMAIL_ADDRESS,
        x509.ObjectIdentifier(UNKNOWN),
    ]
)


@st.composite
def names(draw: st.DrawFn) -> x509.Name:
    rdns = []
    for _ in range(draw(st.integers(0, 3))):
        types = draw(st.lists(TYPES, min_size=1, max_size=2, unique=True))
        rdns.append(
            x509.RelativeDistinguishedName(
                x509.NameAttribute(oid, draw(STRINGS), draw(KINDS), _validate=False) for oid in types
            )
        )
    made = x509.Name(rdns)
    return with_name(made)


def with_name(name: x509.Name) -> x509.Name:
    """The name as a certificate gives it back: with its sets in DER's order."""
    der = name.public_bytes()

    def swap(parts: list[bytes]) -> None:
        parts[5] = tlv(0x30, *(tlv(0x31, *sorted(elements(content_of(rdn)))) for rdn in elements(content_of(der))))

    plain = certify("placeholder", ROOT)
    return x509.load_der_x509_certificate(rewritten(plain.der, ROOT.key, swap)).subject


@settings(max_examples=150, deadline=None)
@given(names(), names())
def test_a_name_is_recognised_and_told_from_any_other(one: x509.Name, other: x509.Name) -> None:
    shown = openssl_name(one)

    assert is_openssl_text_of(one, shown)
    assert is_openssl_text_of(one, shown.rstrip(" "))
    same = [[{(a.oid, a.value) for a in rdn} for rdn in name.rdns] for name in (one, other)]
    if same[0] != same[1]:
        assert not is_openssl_text_of(other, shown)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20) | st.text('CN=alice,+#\\ \0é"0C', max_size=20))
def test_no_text_whatever_makes_it_raise(text: str) -> None:
    assert is_openssl_text_of(subject_of("one common name"), text) in (True, False)


def test_the_independent_encoder_prints_what_the_openssl_program_prints() -> None:
    # What the properties above rest on.
    for what in SUBJECTS:
        if what != "only a hash":
            assert openssl_name(subject_of(what)) == text_of(what), what


# Our own form


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("three attributes", "CN=alice,O=Example,C=DE"),
        ("UTF-8", "CN=Zoë Müller"),
        ("e-mail address", "CN=alice,emailAddress=a@example.org"),
        ("domain components", "UID=alice,DC=example,DC=org"),
        ("several values of a type", "CN=bob+CN=alice"),
        ("a name inside a name", "CN=admin\\,O=Example"),
        ("the name it imitates", "CN=admin,O=Example"),
        ("unknown type", f"{UNKNOWN}=value"),
    ],
)
def test_our_own_text_is_rfc_4514_with_the_names_that_openssl_gives_to_types(what: str, expected: str) -> None:
    assert rfc4514(subject_of(what)) == expected


@pytest.mark.parametrize("char", ["a", "é", "\uffff", "\U0001f600"])
def test_the_longest_text_that_a_name_may_have_is_read(char: str) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, char * 16)])
    text = "CN=" + "".join(f"\\{byte:02X}" for byte in (char * 16).encode())
    assert is_openssl_text_of(name, text)
    assert not is_openssl_text_of(name, text + "," + text)


def test_no_two_names_have_one_text() -> None:
    texts = {what: rfc4514(subject_of(what)) for what in SUBJECTS}

    assert len(set(texts.values())) == len(texts)


# The canonical form, in which names are compared. `openssl x509 -subject_hash` is a hash of OpenSSL's own.

# What is alike, and what only looks alike: of each list every name means the same, and no two lists do.
ALIKE: dict[str, list[list[list[Attribute]]]] = {
    "letter case and string types": [
        [[text("Test CA")]],
        [[text("test ca")]],
        [[text("TEST CA", tag=PRINTABLE)]],
        [[text("Test CA", tag=IA5)]],
        [[text("Test CA", tag=TELETEX)]],
        [[(COMMON_NAME, BMP, "Test CA".encode("utf-16-be"))]],
        [[(COMMON_NAME, UNIVERSAL, "tEST cA".encode("utf-32-be"))]],
        [[text(" Test CA")]],
        [[text("Test CA  ")]],
        [[text("Test   CA")]],
        [[text("\tTest\n\r\v\fCA ")]],
    ],
    "no space": [[[text("TestCA")]]],
    "a space that is not ASCII": [[[text("Test\u00a0CA")]]],
    "a control character that is not a space": [[[text("Test\x1cCA")]]],
    "a NumericString": [[[(COMMON_NAME, NUMERIC, b"12 3")]]],
    "its digits as text": [[[text("12 3")]]],
    "letters beyond ASCII": [
        [[text("M\u00fcller")]],
        [[text("m\u00fcLLER")]],
        [[(COMMON_NAME, TELETEX, b"M\xfcller")]],
    ],
    "their upper case": [[[text("M\u00dcLLER")]]],
    "their decomposition": [[[text("Mu\u0308ller")]]],
    "another type": [[[text("Test CA", ORG)]]],
    "a set in any order": [[[text("a"), text("b", ORG)]], [[text("B", ORG), text("A")]]],
    "a set whose order in DER is that of the string types": [
        [[text("c"), text("b", tag=PRINTABLE)]],
        [[text("b"), text("c")]],
    ],
    "a sequence": [[[text("a")], [text("b", ORG)]]],
    "the other sequence": [[[text("b", ORG)], [text("a")]]],
    "an attribute twice in a set": [[[text("a"), text("a")]]],
    "once": [[[text("a")]]],
    "twice in a sequence": [[[text("a")], [text("a")]]],
    "empty": [[]],
    "an empty value, or one of spaces alone": [[[text("")]], [[text("  ")]]],
    "an empty PrintableString": [[[text("x")], [text("", tag=PRINTABLE)]], [[text("x")], [text("")]]],
    "a NUL": [[[text("a\0")]]],
    "a bit string": [[[(UNIQUE_ID, BIT, b"\0\xde\xad")]]],
    "a bit string in other letters": [[[(UNIQUE_ID, BIT, b"\0\xde\xae")]]],
}


@functools.cache
def hash_by_openssl(subject: bytes) -> str:
    """The hash of a name's canonical form. OpenSSL reads the certificate; cryptography need not."""
    der = certify("placeholder", ROOT).der

    def swap(parts: list[bytes]) -> None:
        parts[5] = subject

    command = ["openssl", "x509", "-inform", "DER", "-noout", "-subject_hash"]
    done = subprocess.run(command, input=rewritten(der, ROOT.key, swap), capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.mark.parametrize("what", ALIKE)
def test_names_that_openssl_takes_for_one_have_one_canonical_form(what: str) -> None:
    ders = [encoded(subject) for subject in ALIKE[what]]
    assert len({hash_by_openssl(der) for der in ders}) == 1
    assert len({canonical(der) for der in ders}) == 1


def test_names_that_openssl_tells_apart_have_different_canonical_forms() -> None:
    firsts = [encoded(subjects[0]) for subjects in ALIKE.values()]
    assert len({hash_by_openssl(der) for der in firsts}) == len(firsts)
    assert len({canonical(der) for der in firsts}) == len(firsts)


def test_of_all_subjects_of_this_page_the_same_are_alike_here_and_for_openssl() -> None:
    ders = [encoded(subject) for subject in SUBJECTS.values()]
    for one, other in itertools.combinations(ders, 2):
        assert (canonical(one) == canonical(other)) is (hash_by_openssl(one) == hash_by_openssl(other))


def test_a_canonical_name_begins_with_those_of_its_subtrees() -> None:
    def form(*rdns: list[Attribute]) -> CanonicalName:
        return canonical(encoded(list(rdns)))

    whole = form([text("DE", COUNTRY)], [text("Example", ORG)], [text("alice")])
    assert whole[:2] == form([text("de", COUNTRY)], [text(" EXAMPLE ", ORG)])
    assert whole[:1] != form([text("Example", ORG)])


def test_a_value_is_folded_compared_as_it_is_or_refused_by_its_type_as_with_openssl() -> None:
    oid = x509_oid(COMMON_NAME)
    for tag in range(1, 0x40):
        value = tlv(tag, b"\0\0\0A\0\0\0b")
        name = tlv(0x30, tlv(0x31, tlv(0x30, oid, value)))
        if tag in (0x03, 0x12, 0x30):
            assert canonical(name) == ((oid + value,),)
        elif tag in (0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E):
            assert canonical(name) != ((oid + value,),)
        else:
            with pytest.raises(ValueError, match=f"of type {tag} "):
                canonical(name)


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(tlv(0x30, tlv(0x31, tlv(0x30, x509_oid(COMMON_NAME)))), id="an attribute without a value"),
        pytest.param(encoded([[text("a")]]) + b"\0", id="a byte behind it"),
        pytest.param(encoded([[(COMMON_NAME, UTF8, b"\xff")]]), id="UTF-8 that is not"),
        pytest.param(encoded([[(COMMON_NAME, BMP, b"a")]]), id="half a BMP character"),
        pytest.param(encoded([[(COMMON_NAME, UNIVERSAL, b"\0\x11\0\0")]]), id="a character beyond Unicode"),
        *(
            pytest.param(encoded([[(COMMON_NAME, tag, b"a")]]), id=f"a value of the type {tag}")
            for tag in (2, 4, 26, 27)
        ),
    ],
)
def test_what_is_not_a_name_has_no_canonical_form(der: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # UnicodeDecodeError is one, and nobody reads the message
        canonical(der)
