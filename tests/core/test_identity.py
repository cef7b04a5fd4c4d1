"""The verified result: only a trust store makes one, it is frozen, and it says what `openssl x509` says."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import gc
import hashlib
import ipaddress
import json
import pickle
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from sslclientcert import ClientIdentity, PresentedChain, TrustStore
from sslclientcert.core.certificate import ParsedCertificate
from sslclientcert.core.identity import SubjectAlternativeNames, read_identity
from sslclientcert.core.names import rfc4514

from .pki import (
    DAY,
    NOW,
    Extension,
    Party,
    authority,
    basic,
    client,
    openssl,
    permitted,
    private_key,
    sans,
    tlv,
    unknown,
    usage,
    with_change,
)
from .test_presented import x509_oid

ROOT = authority("CN=Root,O=Example")
UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")

# RFC 8705 appendix A: a certificate, and the thumbprint in the example of a "cnf" claim.
RFC_8705 = """\
-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
"""
RFC_8705_THUMBPRINT = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"


def identity_of(leaf: Party, *above: Party) -> ClientIdentity:
    return TrustStore([(above or (ROOT,))[-1].certificate]).verify(
        PresentedChain(leaf.certificate, tuple(one.certificate for one in above[:-1]))
    )


def named(*attributes: tuple[ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


def with_sans(*names: x509.GeneralName) -> ClientIdentity:
    return identity_of(client("alice", ROOT, extra=[(sans(*names), False)]))


FULL = identity_of(
    client(
        named(
            (NameOID.COUNTRY_NAME, "DE"),
            (NameOID.ORGANIZATION_NAME, "Example, Inc."),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "Sales"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "Süd"),
            (NameOID.COMMON_NAME, "alice"),
            (NameOID.EMAIL_ADDRESS, "alice@example.org"),
        ),
        ROOT,
        serial=0xFEDCBA9876543210,
        extra=[
            (
                sans(
                    x509.DNSName("a.example.org"),
                    x509.RFC822Name("alice@example.org"),
                    x509.UniformResourceIdentifier("spiffe://example.org/ns/shop/sa/cart"),
                    x509.IPAddress(ipaddress.ip_address("192.0.2.7")),
                    x509.IPAddress(ipaddress.ip_address("2001:db8::7")),
                    x509.DNSName("b.example.org"),
                    x509.OtherName(UPN, tlv(0x0C, b"alice@ad.example")),
                    x509.DirectoryName(named((NameOID.ORGANIZATION_NAME, "Example"), (NameOID.COMMON_NAME, "a,b"))),
                    x509.RegisteredID(ObjectIdentifier("1.2.3")),
                    x509.OtherName(ObjectIdentifier("1.2.3.4"), tlv(0x0C, b"unknown")),
                ),
                False,
            )
        ],
    )
)


# It cannot be made or changed


def test_there_is_no_constructor() -> None:
    with pytest.raises(TypeError, match=r"TrustStore\.verify"):
        ClientIdentity()
    with pytest.raises(TypeError):
        ClientIdentity(FULL.certificate)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["certificate", "chain", "common_name", "subject", "sans", "serial_number", "new"])
def test_it_is_frozen(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        setattr(FULL, name, "mallory")
    with pytest.raises(AttributeError, match=name):
        delattr(FULL, name)
    assert FULL.common_name == "alice"


def test_its_collections_are_frozen_too() -> None:
    assert isinstance(FULL.chain, tuple)
    with pytest.raises(AttributeError):
        FULL.sans.emails = ("mallory@example.org",)  # type: ignore[misc]
    assert all(isinstance(value, tuple) for value in vars(FULL.sans).values())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(FULL, protocol)


def test_a_copy_is_the_same() -> None:
    assert copy.copy(FULL) is FULL
    assert copy.deepcopy({"identity": FULL})["identity"] is FULL


def test_identities_are_equal_by_their_certificate() -> None:
    again = read_identity([ParsedCertificate(FULL.certificate), ParsedCertificate(ROOT.certificate)])
    other = identity_of(client("alice", ROOT))
    assert (again, hash(again)) == (FULL, hash(FULL))
    assert other != FULL
    assert FULL.certificate != FULL
    assert len({FULL, again, other}) == 2


def test_its_repr_is_one_line_of_ascii() -> None:
    hostile = identity_of(client(named((NameOID.COMMON_NAME, "x\r\n\x1b[2J\u202e")), ROOT))
    for identity in (FULL, hostile):
        assert repr(identity).isascii()
        assert repr(identity).isprintable()
    assert FULL.fingerprint_sha256[:16] in repr(FULL)


# What it says


def test_it_says_what_the_certificate_says() -> None:
    assert FULL.subject == r"emailAddress=alice@example.org,CN=alice,OU=Süd,OU=Sales,O=Example\, Inc.,C=DE"
    assert FULL.issuer == "CN=Root,O=Example"
    assert FULL.common_name == "alice"
    assert FULL.organizations == ("Example, Inc.",)
    assert FULL.organizational_units == ("Sales", "Süd")
    assert FULL.serial_number == 0xFEDCBA9876543210
    assert (FULL.not_before, FULL.not_after) == (NOW - DAY, NOW + 30 * DAY)
    assert FULL.not_before.utcoffset() == dt.timedelta(0)
    assert FULL.chain == (FULL.certificate, ROOT.certificate)
    assert x509.load_pem_x509_certificate(FULL.pem.encode()) == FULL.certificate
    assert FULL.spiffe_id == "spiffe://example.org/ns/shop/sa/cart"
    assert FULL.sans == SubjectAlternativeNames(
        dns_names=("a.example.org", "b.example.org"),
        emails=("alice@example.org",),
        uris=("spiffe://example.org/ns/shop/sa/cart",),
        ip_addresses=("192.0.2.7", "2001:db8::7"),
        upns=("alice@ad.example",),
        directory_names=(r"CN=a\,b,O=Example",),
    )


def test_it_agrees_with_openssl_x509(tmp_path: Path) -> None:
    def printed(*options: str) -> str:
        return openssl("x509", "-noout", *options, cwd=tmp_path, stdin=FULL.pem).strip()

    # esc_msb and the hexadecimal escapes off: the library writes UTF-8 (RFC 4514), OpenSSL's RFC 2253 does not.
    form = "RFC2253,-esc_msb,-esc_ctrl,utf8"
    assert printed("-subject", "-nameopt", form) == f"subject={FULL.subject}"
    assert printed("-issuer", "-nameopt", form) == f"issuer={FULL.issuer}"
    assert printed("-serial") == f"serial={FULL.serial_number:X}"
    fingerprint = printed("-fingerprint", "-sha256").partition("=")[2].replace(":", "").lower()
    assert fingerprint == FULL.fingerprint_sha256
    dates = dict(line.split("=") for line in printed("-dates").splitlines())
    for name, time in (("notBefore", FULL.not_before), ("notAfter", FULL.not_after)):
        assert dt.datetime.strptime(dates[name], "%b %d %H:%M:%S %Y GMT").replace(tzinfo=dt.UTC) == time
    names = printed("-ext", "subjectAltName")
    for kind, values in (
        ("DNS", FULL.sans.dns_names),
        ("email", FULL.sans.emails),
        ("URI", FULL.sans.uris),
        ("IP Address", ("192.0.2.7", "2001:DB8:0:0:0:0:0:7")),
        ("othername: UPN", ("alice@ad.example",)),
    ):
        assert re.findall(rf"{kind}:?:([^\s,]+)", names) == list(values)
    digest = hashlib.sha256(openssl_der(tmp_path, FULL.pem)).digest()
    assert FULL.thumbprint_s256 == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    (tmp_path / "key").write_text(printed("-pubkey"), encoding="ascii")
    openssl("pkey", "-pubin", "-in", "key", "-outform", "DER", "-out", "spki", cwd=tmp_path)
    assert FULL.spki_sha256 == hashlib.sha256((tmp_path / "spki").read_bytes()).hexdigest()


def openssl_der(folder: Path, pem: str) -> bytes:
    (folder / "pem").write_text(pem, encoding="ascii")
    openssl("x509", "-in", "pem", "-outform", "DER", "-out", "der", cwd=folder)
    return (folder / "der").read_bytes()


def test_a_common_name_is_told_only_where_there_is_one() -> None:
    one, none, two = (
        identity_of(client(named(*attributes), ROOT))
        for attributes in (
            [(NameOID.COMMON_NAME, "alice")],
            [(NameOID.ORGANIZATION_NAME, "Example")],
            [(NameOID.COMMON_NAME, "alice"), (NameOID.COMMON_NAME, "root")],
        )
    )
    assert (one.common_name, none.common_name, two.common_name) == ("alice", None, None)
    multi = x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(NameOID.COMMON_NAME, value) for value in ("alice", "root")]
            )
        ]
    )
    assert identity_of(client(multi, ROOT)).common_name is None


def test_an_empty_subject_and_no_alternative_names_are_empty() -> None:
    identity = identity_of(client(x509.Name([]), ROOT))
    assert (identity.subject, identity.common_name, identity.spiffe_id) == ("", None, None)
    assert identity.organizations == identity.organizational_units == ()
    assert identity.sans == SubjectAlternativeNames()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(tlv(0x16, b"alice@ad.example"), id="another string type"),
        pytest.param(tlv(0x0C, b"\xff\xfe"), id="no UTF-8"),
    ],
)
def test_a_principal_name_that_is_no_utf8_string_is_left_out(value: bytes) -> None:
    identity = with_sans(x509.OtherName(UPN, value), x509.DNSName("a.example"))
    assert identity.sans.upns == ()
    assert identity.sans.dns_names == ("a.example",)


# SPIFFE


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://example.org/a",
        "spiffe://example.org/ns/prod/sa/api-gateway_2",
        "spiffe://10.2.3.4/x",
        "spiffe://a-b_c.d/..x/x../...",
        "spiffe://example.org/" + "a" * (2048 - 21),
    ],
)
def test_a_spiffe_id_is_told(uri: str) -> None:
    assert with_sans(x509.UniformResourceIdentifier(uri), x509.DNSName("a.example")).spiffe_id == uri


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.org/a",
        "SPIFFE://example.org/a",
        "spiffe://Example.org/a",
        "spiffe:///a",
        "spiffe://example.org/",
        "spiffe://example.org//a",
        "spiffe://example.org/a/",
        "spiffe://example.org/a/../b",
        "spiffe://example.org/.",
        "spiffe://example.org/a?x=y",
        "spiffe://example.org/a#x",
        "spiffe://example.org:443/a",
        "spiffe://user@example.org/a",
        "spiffe://example.org/%61",
        "spiffe://example.org/a\n",
        "spiffe://" + "a" * 256 + "/a",
        "spiffe://example.org/" + "a" * (2048 - 20),
    ],
)
def test_what_is_no_spiffe_id_is_not_told_as_one(uri: str) -> None:
    identity = with_sans(x509.UniformResourceIdentifier(uri))
    assert identity.spiffe_id is None
    assert identity.sans.uris == (uri,)


def test_two_uris_make_no_spiffe_id() -> None:
    first, second = (x509.UniformResourceIdentifier(f"spiffe://example.org/{name}") for name in "ab")
    assert with_sans(first, second).spiffe_id is None
    assert with_sans(first, x509.UniformResourceIdentifier("https://example.org/")).spiffe_id is None


def test_a_trust_domain_alone_identifies_no_client() -> None:
    # X509-SVID section 5.2: a validator must see that the SPIFFE ID has a path.
    assert with_sans(x509.UniformResourceIdentifier("spiffe://example.org")).spiffe_id is None


def test_a_signing_certificate_has_no_spiffe_id() -> None:
    # X509-SVID section 5.2: nor may the leaf be a CA, or its key usage have keyCertSign or cRLSign.
    uri = x509.UniformResourceIdentifier("spiffe://example.org/a")
    for broken in (
        (basic(ca=True), True),
        (usage("digital_signature", "key_cert_sign"), True),
        (usage("digital_signature", "crl_sign"), True),
    ):
        assert identity_of(client("alice", ROOT, extra=[(sans(uri), False), broken])).spiffe_id is None


# As data


def test_as_dict_is_ready_for_json() -> None:
    data = json.loads(json.dumps(FULL.as_dict()))
    assert data == FULL.as_dict()
    assert data["common_name"] == "alice"
    assert data["serial_number"] == str(0xFEDCBA9876543210)  # JavaScript's numbers end at 2**53
    assert dt.datetime.fromisoformat(data["not_after"]) == FULL.not_after
    assert data["sans"]["emails"] == ["alice@example.org"]
    assert data["chain"] == [FULL.subject, "CN=Root,O=Example"]
    assert "certificate" not in data


def test_as_dict_holds_every_attribute_of_the_contract() -> None:
    assert set(FULL.as_dict()) == {
        *("subject", "issuer", "common_name", "organizations", "organizational_units", "serial_number"),
        *("fingerprint_sha256", "thumbprint_s256", "not_before", "not_after", "sans", "spiffe_id", "policies"),
        *("spki_sha256", "chain"),
    }


def test_as_dict_gives_new_collections_each_time() -> None:
    organizations = FULL.as_dict()["organizations"]
    assert isinstance(organizations, list)
    organizations.append("Mallory")
    assert FULL.as_dict()["organizations"] == ["Example, Inc."]


# Tokens bound to a certificate


def test_the_example_of_rfc_8705_matches() -> None:
    certificate = x509.load_pem_x509_certificate(RFC_8705.encode())
    at = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    identity = TrustStore([certificate]).verify(PresentedChain(certificate), at=at)
    assert identity.thumbprint_s256 == RFC_8705_THUMBPRINT
    assert identity.matches_confirmation({"x5t#S256": RFC_8705_THUMBPRINT}) is True
    assert identity.matches_confirmation({"x5t#S256": RFC_8705_THUMBPRINT, "jkt": "other"}) is True


@pytest.mark.parametrize(
    "confirmation",
    [
        {},
        {"jkt": "x"},
        {"x5t#S256": None},
        {"x5t#S256": ""},
        {"x5t#S256": 5},
        {"x5t#S256": ["x"]},
        {"x5t#S256": FULL.thumbprint_s256 + "="},
        {"x5t#S256": FULL.thumbprint_s256[:-1]},
        {"x5t#S256": FULL.thumbprint_s256.swapcase()},
        {"x5t#S256": FULL.thumbprint_s256.encode()},
        {"x5t#S256": "\u00fc\ud800"},
        {"x5t#s256": FULL.thumbprint_s256},
        {"x5t": FULL.thumbprint_s256},
        {"x5t#S256": FULL.fingerprint_sha256},
    ],
)
def test_any_other_confirmation_does_not_match(confirmation: dict[str, object]) -> None:
    assert FULL.matches_confirmation(confirmation) is False


def test_the_identity_below_constraints_keeps_its_names() -> None:
    ca = authority("Constrained", ROOT, key=private_key("P-256", 3), extra=[(permitted(x509.DNSName("a.b")), True)])
    identity = identity_of(client("alice", ca, extra=[(sans(x509.DNSName("x.a.b")), True)]), ca, ROOT)
    assert identity.sans.dns_names == ("x.a.b",)


# What is kept, and what can still go wrong with it


def read_all(identity: ClientIdentity) -> dict[str, object]:
    """Every public attribute and what every method returns."""
    found = {name: getattr(identity, name) for name in dir(identity) if not name.startswith("_")}
    return {
        **{name: value for name, value in found.items() if not callable(value)},
        "as_dict()": identity.as_dict(),
        "telemetry_attributes()": identity.telemetry_attributes(),
        "repr": repr(identity),
        "hash": hash(identity),
    }


# In it a search for the bytes of an attribute finds one: a SET, a SEQUENCE, the OID of the common name, a UTF8String.
LOOKS_LIKE_AN_ATTRIBUTE = b"1\xff0\xff\x06\x03\x55\x04\x03\x0c\xffx"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([("2.5.4.45", tlv(0x03, b"\0", LOOKS_LIKE_AN_ATTRIBUTE))], id="in a bit string"),
        pytest.param([("2.5.4.10", tlv(0x1E, LOOKS_LIKE_AN_ATTRIBUTE))], id="in an organization"),
        pytest.param(
            [("2.5.4.10", tlv(0x1E, LOOKS_LIKE_AN_ATTRIBUTE)), ("2.5.4.3", tlv(0x0C, b"alice"))], id="before a name"
        ),
    ],
)
def test_a_value_that_looks_like_an_attribute_is_not_taken_for_one_and_makes_nothing_raise(
    values: list[tuple[str, bytes]],
) -> None:
    subject = tlv(0x30, *(tlv(0x31, tlv(0x30, x509_oid(oid), value)) for oid, value in values))

    def swap(parts: list[bytes]) -> None:
        parts[5] = subject

    identity = identity_of(with_change(client("x", ROOT), swap, ROOT))
    assert identity.common_name == ("alice" if len(values) == 2 else None)
    assert identity.organizations == (
        (LOOKS_LIKE_AN_ATTRIBUTE.decode("utf-16-be"),) if values[0][0] == "2.5.4.10" else ()
    )
    assert read_all(identity)["subject"] == rfc4514(identity.certificate.subject)


def test_no_attribute_of_an_identity_raises() -> None:
    for identity in (FULL, identity_of(client(x509.Name([]), ROOT))):
        assert set(read_all(identity)) >= {*vars(identity), "pem", "thumbprint_s256"}


def extensions_in_memory() -> int:
    gc.collect()
    return sum(type(one) is x509.Extensions for one in gc.get_objects())


def test_the_certificate_that_an_identity_keeps_holds_nothing_parsed() -> None:
    leaf = client("alice", ROOT)
    store = TrustStore([ROOT.certificate])
    before = extensions_in_memory()
    identity = store.verify(PresentedChain.from_der([leaf.der]))
    assert extensions_in_memory() == before
    assert len(identity.certificate.extensions) == 5
    assert extensions_in_memory() == before + 1  # once they are read, cryptography keeps them


# Policies: only what every CA below the anchor asserts too

ANY = "2.5.29.32.0"


def policies(*oids: str) -> Extension:
    return x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier(oid), None) for oid in oids]), False


def policies_below(leaf: list[str], *above: list[Extension], anchor: list[Extension] | None = None) -> tuple[str, ...]:
    """What an identity says of a leaf with these policies below CAs with these extensions, the highest first."""
    path = [authority("Root", extra=anchor or ())]
    for number, extra in enumerate(above):
        path.append(authority(f"CA {number}", path[-1], key=private_key("P-256", 3 + number), extra=extra))
    alice = client("alice", path[-1], extra=[policies(*leaf)] if leaf else ())
    return identity_of(alice, *reversed(path)).policies


@pytest.mark.parametrize(
    ("leaf", "above", "expected"),
    [
        pytest.param([], [], (), id="no policy"),
        pytest.param(["1.2.3", "1.2.4"], [], ("1.2.3", "1.2.4"), id="directly below the anchor"),
        pytest.param(["1.2.4", "1.2.3"], [[policies("1.2.3", "1.2.5")]], ("1.2.3",), id="what the CA asserts too"),
        pytest.param(["1.2.3"], [[policies("1.2.4")]], (), id="another policy than the CA's"),
        pytest.param(["1.2.3"], [[]], (), id="a CA without policies"),
        pytest.param(["1.2.3"], [[policies(ANY)]], ("1.2.3",), id="a CA with anyPolicy"),
        pytest.param(["1.2.3"], [[policies(ANY)], [policies("1.2.3")]], ("1.2.3",), id="two CAs that assert it"),
        pytest.param(["1.2.3"], [[policies("1.2.3")], []], (), id="the lower CA without policies"),
        pytest.param(["1.2.3"], [[], [policies("1.2.3")]], (), id="the upper CA without policies"),
        pytest.param([ANY], [], (), id="anyPolicy in a leaf"),
        pytest.param([ANY, "1.2.3"], [[policies(ANY)]], ("1.2.3",), id="anyPolicy next to another"),
        pytest.param([ANY], [[policies("1.2.3")]], (), id="anyPolicy in a leaf below a CA of one policy"),
    ],
)
def test_a_policy_is_told_only_where_the_leaf_and_every_ca_below_the_anchor_assert_it(
    leaf: list[str], above: list[list[Extension]], expected: tuple[str, ...]
) -> None:
    assert policies_below(leaf, *above) == expected


def test_any_policy_of_a_ca_counts_only_where_nothing_above_inhibits_it() -> None:
    inhibit: Extension = (x509.InhibitAnyPolicy(0), True)
    assert policies_below(["1.2.3"], [policies(ANY)], anchor=[inhibit]) == ()
    assert policies_below(["1.2.3"], [policies(ANY), inhibit], [policies(ANY)]) == ()
    assert policies_below(["1.2.3"], [policies("1.2.3"), inhibit], [policies("1.2.3")]) == ("1.2.3",)


def test_policy_mappings_are_not_followed() -> None:
    mappings = unknown("2.5.29.33", tlv(0x30, tlv(0x30, x509_oid("1.2.3"), x509_oid("1.2.4"))))
    for leaf in ("1.2.3", "1.2.4"):
        assert policies_below([leaf], [policies("1.2.3"), (mappings, True)]) == ()


def test_the_anchors_own_policies_restrict_nothing() -> None:
    assert policies_below(["1.2.3"], anchor=[policies("1.2.4")]) == ("1.2.3",)


def test_critical_policy_constraints_are_not_enforced_as_nginx_does_not_ask_for_policies() -> None:
    constraints: Extension = (x509.PolicyConstraints(0, 0), True)
    assert policies_below([], [constraints], anchor=[constraints]) == ()
    assert policies_below(["1.2.3"], [constraints, policies("1.2.3")]) == ("1.2.3",)
