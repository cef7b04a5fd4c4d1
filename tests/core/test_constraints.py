"""Name constraints: each kind within, outside and unreadable, with OpenSSL's answer on the same certificates."""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from sslclientcert.core import constraints
from sslclientcert.core.errors import CertificateUnsuitable, CertificateUntrusted

from ..openssl import version
from .judge import answers, openssl_accepts, refusal, verify
from .pki import Extension, Party, as_v1, authority, client, name_of, private_key, sans, tlv, unknown, with_change
from .test_presented import x509_oid

KEY = private_key("P-256", 3)
UPN, SMTP_UTF8 = "1.3.6.1.4.1.311.20.2.3", "1.3.6.1.5.5.7.8.9"

Raw: TypeAlias = bytes
"""A GeneralName, or the base of a subtree, as DER: some are made that cryptography would not make."""


def dns(text: str) -> Raw:
    return tlv(0x82, text.encode())


def email(text: str) -> Raw:
    return tlv(0x81, text.encode())


def uri(text: str) -> Raw:
    return tlv(0x86, text.encode("latin-1"))


def ip(text: str) -> Raw:
    if "/" not in text:
        return tlv(0x87, ipaddress.ip_address(text).packed)
    network = ipaddress.ip_network(text)
    return tlv(0x87, network.network_address.packed, network.netmask.packed)


def directory(text: str) -> Raw:
    return tlv(0xA4, name_of(text).public_bytes())


def other(oid: str, value: bytes) -> Raw:
    return tlv(0xA0, x509_oid(oid), tlv(0xA0, value))


def smtp(text: str) -> Raw:
    return other(SMTP_UTF8, tlv(0x0C, text.encode()))


def subtrees(permitted: tuple[Raw, ...] = (), excluded: tuple[Raw, ...] = (), *, limits: bytes = b"") -> Extension:
    lists = (
        tlv(tag, *(tlv(0x30, base, limits) for base in bases))
        for tag, bases in ((0xA0, permitted), (0xA1, excluded))
        if bases
    )
    return unknown("2.5.29.30", tlv(0x30, *lists)), True


def only(*bases: Raw) -> Extension:
    return subtrees(permitted=bases)


def never(*bases: Raw) -> Extension:
    return subtrees(excluded=bases)


Case: TypeAlias = tuple[Extension, str, list[Raw]]
"""The constraint, the leaf's subject, and its alternative names."""

MAIL_SUBJECT = "emailAddress=alice@example.org,CN=alice"
URL = "https://www.example.org"

WITHIN: dict[str, Case] = {
    "DNS": (only(dns("example.org")), "alice", [dns("a.example.org"), dns("EXAMPLE.org")]),
    "DNS, an upper-case constraint": (only(dns("Example.ORG")), "alice", [dns("a.example.org")]),
    "DNS, one of two constraints": (only(dns("example.com"), dns("example.org")), "alice", [dns("a.example.org")]),
    "DNS, none there": (only(dns("example.org")), "alice", []),
    "DNS, not excluded": (never(dns("example.org")), "alice", [dns("a.example.com")]),
    "DNS, everything permitted": (only(dns("")), "alice", [dns("a.example.com")]),
    "DNS, a leading dot": (only(dns(".example.org")), "alice", [dns("a.example.org")]),
    "DNS, a wildcard within": (only(dns("example.org")), "alice", [dns("*.example.org")]),
    "DNS, a wildcard next to what is excluded": (never(dns("example.org")), "alice", [dns("*.example.com")]),
    "DNS, a label of one letter next to what is excluded": (
        never(dns("b.example.org")),
        "alice",
        [dns("a.example.org")],
    ),
    "DNS, common name within": (only(dns("example.org")), "a.example.org", [dns("a.example.org")]),
    "DNS, common name within and no name": (only(dns("example.org")), "a.example.org", []),
    "DNS, common name in upper case": (only(dns("example.org")), "A.EXAMPLE.ORG", []),
    "DNS, a common name of one label": (only(dns("example.org")), "localhost", []),
    "DNS, a common name with a space": (only(dns("example.org")), "CN=a.example.com or so", []),
    "e-mail host": (only(email("example.org")), "alice", [email("a@example.org")]),
    "e-mail host in upper case": (only(email("Example.Org")), "alice", [email("a@eXample.org")]),
    "e-mail domain": (only(email(".example.org")), "alice", [email("a@mail.example.org")]),
    "e-mail address": (only(email("a@example.org")), "alice", [email("a@EXAMPLE.org")]),
    "e-mail, any mailbox of a host": (only(email("@example.org")), "alice", [email("a@example.org")]),
    "e-mail in the subject": (only(email("example.org")), MAIL_SUBJECT, [email("alice@example.org")]),
    "e-mail, local part of another case excluded": (never(email("A@example.org")), "alice", [email("a@example.org")]),
    "URI host": (only(uri("www.example.org")), "alice", [uri(URL), uri(URL + "/a?b#c"), uri(URL + ":443/")]),
    "URI host in upper case": (only(uri("www.example.org")), "alice", [uri("HTTPS://WWW.Example.ORG/")]),
    "URI domain": (only(uri(".example.org")), "alice", [uri(URL + "/a")]),
    "URI, not excluded": (never(uri("example.com")), "alice", [uri(URL)]),
    "URI, a SPIFFE ID": (only(uri("example.org")), "alice", [uri("spiffe://example.org/ns/a")]),
    "IPv4": (only(ip("10.0.0.0/8")), "alice", [ip("10.1.2.3")]),
    "IPv6": (only(ip("2001:db8::/32")), "alice", [ip("2001:db8::1")]),
    "IPv4 and IPv6, not excluded": (never(ip("10.0.0.0/8")), "alice", [ip("11.0.0.1"), ip("::1")]),
    "IPv4, not excluded by all of IPv6": (never(ip("::/0")), "alice", [ip("10.0.0.1")]),
    "directory name": (only(directory("O=Example")), "CN=alice,O=Example", []),
    "directory name in another case": (only(directory("O=EXAMPLE")), "CN=alice,O=example", []),
    "directory name, the same": (only(directory("CN=alice,O=Example")), "CN=alice,O=Example", []),
    "directory name, not excluded": (never(directory("O=Other")), "CN=alice,O=Example", []),
    "directory name among the alternatives": (
        only(directory("O=Example")),
        "CN=alice,O=Example",
        [directory("CN=b,O=Example")],
    ),
    "another kind": (only(dns("example.org")), "alice", [uri("https://example.com/"), ip("10.0.0.1")]),
    "a user principal name below DNS": (only(dns("example.org")), "alice", [other(UPN, tlv(0x0C, b"a@example.com"))]),
    "a user principal name below e-mail": (
        only(email("example.org")),
        "alice",
        [other(UPN, tlv(0x0C, b"a@example.com"))],
    ),
    "internationalized e-mail as a constraint, none there": (
        only(smtp("example.org")),
        "alice",
        [dns("a.example.org")],
    ),
    "internationalized e-mail below DNS": (only(dns("example.org")), "alice", [smtp("ä@example.com")]),
}

VIOLATED: dict[str, Case] = {
    "DNS": (only(dns("example.org")), "alice", [dns("a.example.com")]),
    "DNS, one of two": (only(dns("example.org")), "alice", [dns("a.example.org"), dns("a.example.com")]),
    "DNS, a suffix without its dot": (only(dns("example.org")), "alice", [dns("badexample.org")]),
    "DNS, the parent": (only(dns("a.example.org")), "alice", [dns("example.org")]),
    "DNS, excluded": (never(dns("example.org")), "alice", [dns("A.Example.org")]),
    "DNS, all excluded": (never(dns("")), "alice", [dns("a.example.org")]),
    "DNS, a leading dot excluded": (never(dns(".example.org")), "alice", [dns("a.example.org")]),
    "DNS, a wildcard above": (only(dns("a.example.org")), "alice", [dns("*.example.org")]),
    "DNS, permitted and excluded": (
        subtrees((dns("example.org"),), (dns("a.example.org"),)),
        "alice",
        [dns("x.a.example.org")],
    ),
    "DNS, common name": (only(dns("example.org")), "a.example.com", []),
    "DNS, common name, excluded": (never(dns("example.org")), "a_b.example.org", []),
    "DNS, common name in upper case, excluded": (never(dns("example.org")), "A.EXAMPLE.ORG", []),
    "DNS, one of two common names": (never(dns("example.org")), "CN=a+CN=a.example.org", []),
    "DNS, a constraint that cannot be read": (only(dns("example.org.")), "alice", [dns("a.example.com")]),
    "DNS, one constraint of two that cannot be read": (only(dns("a b"), dns("c.d")), "alice", [dns("a.example.com")]),
    "e-mail, a constraint that cannot be read": (only(email("a@b@example.org")), "alice", [email("a@example.org")]),
    "URI, a constraint with a scheme": (only(uri("https://www.example.org")), "alice", [uri(URL)]),
    "e-mail host": (only(email("example.org")), "alice", [email("a@mail.example.org")]),
    "e-mail domain": (only(email(".example.org")), "alice", [email("a@example.org")]),
    "e-mail address": (only(email("a@example.org")), "alice", [email("A@example.org")]),
    "e-mail, excluded": (never(email("example.org")), "alice", [email("a@example.org")]),
    "e-mail, any mailbox of a host": (only(email("@example.org")), "alice", [email("a@mail.example.org")]),
    "e-mail, any mailbox of a host, excluded": (never(email("@example.org")), "alice", [email("a@example.org")]),
    "e-mail in the subject": (only(email("example.com")), MAIL_SUBJECT, []),
    "e-mail in the subject next to another": (only(email("example.com")), MAIL_SUBJECT, [email("a@example.com")]),
    "internationalized e-mail": (only(email("example.org")), "alice", [smtp("ä@example.com")]),
    "internationalized e-mail below any mailbox of a host": (
        only(email("@example.org")),
        "alice",
        [smtp("ä@example.org")],
    ),
    "internationalized e-mail, excluded": (never(email("example.com")), "alice", [smtp("ä@example.com")]),
    "URI host": (only(uri("example.org")), "alice", [uri(URL)]),
    "URI domain": (only(uri(".example.org")), "alice", [uri("https://example.org/")]),
    "URI, excluded": (never(uri(".example.org")), "alice", [uri(URL)]),
    "URI in upper case, excluded": (never(uri("www.example.org")), "alice", [uri("HTTPS://WWW.Example.ORG/")]),
    "URI without a host": (only(uri("example.org")), "alice", [uri("urn:example:a")]),
    "URI that is relative": (only(uri("example.org")), "alice", [uri("/example.org")]),
    "URI with an IPv6 address": (only(uri("example.org")), "alice", [uri("https://[::1]/")]),
    "IPv4": (only(ip("10.0.0.0/8")), "alice", [ip("11.1.2.3")]),
    "IPv4, excluded": (never(ip("0.0.0.0/0")), "alice", [ip("11.1.2.3")]),
    "IPv4, a network in place of an address": (only(ip("10.0.0.0/8")), "alice", [ip("10.0.0.0/8")]),
    "IPv4 under all of IPv6": (only(ip("::/0")), "alice", [ip("10.0.0.1")]),
    "IPv6 under IPv4": (only(ip("10.0.0.0/8")), "alice", [ip("::1")]),
    "IPv4 under IPv6": (only(ip("fe80::/10")), "alice", [ip("10.0.0.1")]),
    "directory name": (only(directory("O=Example")), "CN=alice,O=Other", []),
    "directory name, attributes in another order": (only(directory("O=Example")), "O=Example,CN=alice", []),
    "directory name, above the subtree": (only(directory("CN=alice,O=Example")), "O=Example", []),
    "directory name, letters beyond ASCII of another case": (only(directory("O=MÜLLER")), "CN=alice,O=Müller", []),
    "directory name, excluded": (never(directory("O=example")), "CN=alice,O=Example", []),
    "directory name, everything excluded": (never(tlv(0xA4, b"\x30\x00")), "alice", []),
    "directory name among the alternatives": (
        only(directory("O=Example")),
        "CN=alice,O=Example",
        [directory("CN=b,O=Other")],
    ),
    "other name, one of its kind there": (
        only(other(UPN, tlv(0x0C, b"@example.org"))),
        "alice",
        [other(UPN, tlv(0x0C, b"a@example.org"))],
    ),
    "registered ID, one there": (
        only(tlv(0x88, x509_oid("1.2.3")[2:])),
        "alice",
        [tlv(0x88, x509_oid("1.2.3")[2:])],
    ),
    "other name, one of its kind there, excluded": (
        never(other(UPN, tlv(0x0C, b"@example.org"))),
        "alice",
        [other(UPN, tlv(0x0C, b"a@example.com"))],
    ),
    "registered ID, one there, excluded": (
        never(tlv(0x88, x509_oid("1.2.3")[2:])),
        "alice",
        [tlv(0x88, x509_oid("1.2.4")[2:])],
    ),
    "a minimum": (subtrees((dns("example.org"),), limits=tlv(0x80, b"\x01")), "alice", [dns("a.example.org")]),
    "a maximum": (subtrees((dns("example.org"),), limits=tlv(0x81, b"\x05")), "alice", [dns("a.example.org")]),
}

# Each refuses more than OpenSSL, and the name says for what reason.
STRICTER: dict[str, Case] = {
    "DNS, a trailing dot": (never(dns("example.com")), "alice", [dns("a.example.com.")]),
    "DNS, a trailing dot in the constraint": (only(dns("example.org.")), "alice", [dns("a.example.org.")]),
    "DNS, an excluded constraint that cannot be read": (never(dns("example.org.")), "alice", [dns("a.example.com")]),
    "DNS, one constraint of two that cannot be read": (only(dns("a b"), dns("c.d")), "alice", [dns("a.c.d")]),
    "DNS, permitted next to an excluded constraint that cannot be read": (
        subtrees((dns("example.org"),), (dns("a b"),)),
        "alice",
        [dns("a.example.org")],
    ),
    "internationalized e-mail as a constraint": (only(smtp("example.org")), "alice", [email("a@example.org")]),
    "DNS, an empty name": (never(dns("example.org")), "alice", [dns("")]),
    "DNS, a space": (never(dns("example.org")), "alice", [dns("a.example.org ")]),
    "DNS, a NUL": (never(dns("example.org")), "alice", [dns("a.example.com\0.example.org\0")]),
    "DNS, a wildcard that overlaps an excluded name": (never(dns("a.example.org")), "alice", [dns("*.example.org")]),
    "DNS, a common name next to a DNS name": (only(dns("example.org")), "victim.example.net", [dns("a.example.org")]),
    "DNS, an excluded common name next to a DNS name": (
        never(dns("example.net")),
        "victim.example.net",
        [dns("a.example.org")],
    ),
    "e-mail, two @": (only(email("example.org")), "alice", [email("a@b@example.org")]),
    "e-mail, an excluded constraint that cannot be read": (
        never(email("a@b@example.org")),
        "alice",
        [email("a@example.com")],
    ),
    "e-mail, a space": (only(email("example.org")), "alice", [email("a b@example.org")]),
    "URI with userinfo": (only(uri("www.example.org")), "alice", [uri("https://www.example.org:x@evil.example/")]),
    "URI with a percent sign in its host": (never(uri("example.org")), "alice", [uri("https://example%2eorg/")]),
    "URI with a backslash": (never(uri("evil.example")), "alice", [uri("https://www.example.org\\@evil.example/")]),
    "URI with a tab": (never(uri(".example.org")), "alice", [uri("https://www.exam\tple.org/")]),
    "URI with an IPv4 address": (never(uri("example.org")), "alice", [uri("https://10.0.0.1/")]),
    "a minimum of another kind": (subtrees((dns("example.org"),), limits=tlv(0x80, b"\x01")), "alice", []),
}
BEFORE_3_5 = {"URI with userinfo", "URI with a backslash"}
"""What OpenSSL accepts no more since 3.5.0, which looks for the host name behind an "@"."""


def constrained(case: Case, place: str) -> tuple[Party, ...]:
    """A leaf, and the bundle above it in which the root or the intermediate is constrained."""
    constraint, subject, alternatives = case
    bundle = [authority("O=Example", extra=[constraint] if place == "direct" else ())]
    if place == "low":
        bundle.append(authority("CN=Intermediate,O=Example", bundle[0], key=KEY, extra=[constraint]))
    return named(subject, bundle[-1], *alternatives), *bundle


def named(subject: str, issuer: Party, *alternatives: Raw) -> Party:
    names = unknown("2.5.29.17", tlv(0x30, *alternatives))
    return client(subject, issuer, extra=[(names, False)] if alternatives else ())


@pytest.mark.parametrize("place", ["direct", "low"])
@pytest.mark.parametrize("name", WITHIN)
def test_names_within_the_constraints_of_a_ca_are_accepted(name: str, place: str) -> None:
    leaf, *bundle = constrained(WITHIN[name], place)
    assert verify(leaf, *bundle).certificate == leaf.certificate
    assert openssl_accepts(leaf, *bundle)


@pytest.mark.parametrize("place", ["direct", "low"])
@pytest.mark.parametrize("name", VIOLATED)
def test_names_outside_the_constraints_of_a_ca_are_refused(name: str, place: str) -> None:
    leaf, *bundle = constrained(VIOLATED[name], place)
    detail = refusal(CertificateUnsuitable, leaf, *bundle)
    assert "constraints" in detail
    assert "O=Example'" in detail
    assert not openssl_accepts(leaf, *bundle)


@pytest.mark.parametrize("name", STRICTER)
def test_names_are_refused_here_that_openssl_accepts(name: str) -> None:
    leaf, *bundle = constrained(STRICTER[name], "low")
    assert "constraints" in refusal(CertificateUnsuitable, leaf, *bundle)
    assert openssl_accepts(leaf, *bundle) is (name not in BEFORE_3_5 or version() < (3, 5))


# Where constraints stand, and whom they bind


def test_constraints_hold_whether_they_are_critical_or_not() -> None:
    extension, _ = only(dns("example.org"))
    root = authority("Root", extra=[(extension, False)])
    assert answers(named("alice", root, dns("a.example.org")), root) == (True, True)
    assert answers(named("alice", root, dns("a.example.com")), root) == (False, False)


def test_certificates_of_an_intermediate_outside_the_constraints_do_not_hide_one_of_it_within_them() -> None:
    root = authority("Root", extra=[only(dns("example.org"))])
    inside, *outside = (
        authority("CA", root, key=KEY, extra=[(sans(x509.DNSName(name)), False)])
        for name in ("ca.example.org", "ca.example.com", "ca.example.net")
    )
    leaf = named("alice", inside, dns("a.example.org"))
    assert verify(leaf, root, inside, *outside).certificate == leaf.certificate
    assert "ca.example" in refusal(CertificateUnsuitable, leaf, root, *outside)


def test_an_anchors_constraints_bind_everything_below_an_intermediate_that_has_none() -> None:
    root = authority("Root", extra=[only(dns("example.org"))])
    intermediate = authority("Intermediate", root, key=KEY)
    assert answers(named("alice", intermediate, dns("a.example.org")), root, intermediate) == (True, True)
    assert answers(named("alice", intermediate, dns("a.example.com")), root, intermediate) == (False, False)


def test_an_intermediate_cannot_widen_the_constraints_above_it() -> None:
    root = authority("Root", extra=[only(dns("example.org"))])
    intermediate = authority("Intermediate", root, key=KEY, extra=[only(dns("example.com"))])
    for name in ("a.example.org", "a.example.com"):
        assert answers(named("alice", intermediate, dns(name)), root, intermediate) == (False, False)


def test_a_violation_is_told_by_leaf_and_ca_and_name() -> None:
    leaf, *bundle = constrained(VIOLATED["DNS"], "low")
    detail = refusal(CertificateUnsuitable, leaf, *bundle)
    for word in ("'CN=alice'", "'CN=Intermediate,O=Example'", "'a.example.com'", "not permitted"):
        assert word in detail


@pytest.mark.parametrize(
    ("constraint", "subject"),
    [(only(email("example.com")), MAIL_SUBJECT), (only(directory("O=Example")), "CN=Intermediate,O=Other")],
)
def test_constraints_bind_the_subject_of_an_intermediate_too(constraint: Extension, subject: str) -> None:
    root = authority("O=Example", extra=[constraint])
    intermediate = authority(subject, root, key=KEY)
    leaf = client("CN=bob,O=Example", intermediate)
    assert "do not admit" in refusal(CertificateUnsuitable, leaf, root, intermediate)
    assert not openssl_accepts(leaf, root, intermediate)


def test_constraints_bind_the_alternative_names_of_an_intermediate_too() -> None:
    root = authority("Root", extra=[only(dns("example.org"))])
    intermediate = authority("Intermediate", root, key=KEY, extra=[(sans(x509.DNSName("a.example.com")), False)])
    assert answers(client("alice", intermediate), root, intermediate) == (False, False)


def test_the_common_name_of_a_ca_is_not_a_host_name() -> None:
    root = authority("Root", extra=[only(dns("example.org"))])
    intermediate = authority("ca.example.com", root, key=KEY)
    assert answers(client("alice", intermediate), root, intermediate) == (True, True)


def test_a_ca_that_only_renews_the_key_of_the_one_above_is_not_bound_itself() -> None:
    root = authority("O=CA", extra=[only(directory("O=Clients"))])
    renewed, beside = authority("O=CA", root, key=KEY), authority("O=CB", root, key=KEY)
    for intermediate, expected in ((renewed, True), (beside, False)):
        leaf = client("CN=alice,O=Clients", intermediate)
        assert answers(leaf, root, intermediate) == (expected, expected)


def test_above_a_ca_that_only_renews_a_key_the_other_cas_are_still_bound() -> None:
    root = authority("Root", extra=[only(dns("example.org"))])
    for host, expected in (("ca.example.org", True), ("ca.example.com", False)):
        middle = authority("Middle", root, key=KEY, extra=[(sans(x509.DNSName(host)), False)])
        renewed = authority("Middle", middle, key=private_key("P-256", 4))
        assert answers(client("alice", renewed), root, middle, renewed) == (expected, expected)


def test_a_leaf_that_bears_the_name_of_its_issuer_is_bound() -> None:
    root = authority("O=CA", extra=[only(directory("O=Clients"))])
    leaf = client("O=CA", root)
    assert answers(leaf, root) == (False, False)


@pytest.mark.parametrize("constraint", [only(directory("O=Example")), never(tlv(0xA4, b"\x30\x00"))])
def test_an_empty_subject_is_no_directory_name_that_constraints_bind(constraint: Extension) -> None:
    root = authority("Root", extra=[constraint])
    leaf = client(x509.Name([]), root, extra=[(sans(x509.DNSName("a.example.org")), True)])
    assert answers(leaf, root) == (True, True)


def test_a_v1_leaf_is_bound_by_its_subject() -> None:
    root = authority("Root", extra=[only(dns("example.org"), directory("O=Clients"))])
    for subject, expected in (("CN=alice,O=Clients", True), ("CN=alice", False), ("CN=a.example.com,O=Clients", False)):
        leaf = as_v1(client(subject, root), root)
        assert answers(leaf, root) == (expected, expected)


# What cannot be read


def with_attribute(oid: str, value: bytes, issuer: Party) -> Party:
    subject = tlv(0x30, tlv(0x31, tlv(0x30, x509_oid(oid), value)))

    def swap(parts: list[bytes]) -> None:
        parts[5] = subject

    return with_change(client("placeholder", issuer), swap, issuer)


def test_an_email_in_the_subject_that_is_not_an_ia5string_refuses_below_any_constraint() -> None:
    # OpenSSL: X509_V_ERR_UNSUPPORTED_NAME_SYNTAX. Such a value escapes a comparison that expects ASCII.
    oid = NameOID.EMAIL_ADDRESS.dotted_string
    root = authority("Root", extra=[only(dns("example.org"))])
    for tag, expected in ((0x16, True), (0x0C, False)):
        assert answers(with_attribute(oid, tlv(tag, b"a@example.com"), root), root) == (expected, expected)


def test_a_nul_in_a_common_name_refuses_below_any_constraint_and_one_at_its_end_hides_nothing() -> None:
    for constraint in (only(dns("example.org")), only(email("example.org"))):
        root = authority("Root", extra=[constraint])
        leaf = with_attribute("2.5.4.3", tlv(0x0C, b"a.example.org\0.example.com"), root)
        assert "to which name constraints cannot be applied" in refusal(CertificateUnsuitable, leaf, root)
    root = authority("Root", extra=[only(dns("example.org"))])
    assert answers(with_attribute("2.5.4.3", tlv(0x0C, b"a.example.com\0"), root), root) == (False, False)
    assert answers(with_attribute("2.5.4.3", tlv(0x0C, b"a.example.org\0"), root), root) == (True, True)


def test_a_common_name_in_any_string_type_is_held_to_dns_constraints() -> None:
    root = authority("Root", extra=[only(dns("example.org"))])
    for tag, charset in ((0x0C, "utf-8"), (0x13, "ascii"), (0x14, "latin-1"), (0x1E, "utf-16-be"), (0x1C, "utf-32-be")):
        for name, expected in (("a.example.org", True), ("a.example.com", False)):
            leaf = with_attribute("2.5.4.3", tlv(tag, name.encode(charset)), root)
            assert answers(leaf, root) == (expected, expected)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(tlv(0x16, b"a@example.org"), id="not a UTF8String"),
        pytest.param(tlv(0x0C, b"\xff@example.org"), id="not UTF-8"),
        pytest.param(tlv(0x0C, "a@exämple.org".encode()), id="a host beyond ASCII"),
        pytest.param(tlv(0x0C, b"@example.org"), id="no local part"),
        pytest.param(tlv(0x0C, b"a@b@example.org"), id="two @"),
        pytest.param(bytes.fromhex("1f8f7f0161"), id="a tag of several octets"),
        pytest.param(tlv(0x0C, b"a@" + b"a." * 125 + b"example.org"), id="a host longer than DNS allows"),
    ],
)
def test_an_internationalized_mailbox_that_cannot_be_read_refuses_below_an_email_constraint(value: bytes) -> None:
    for constraint in (only(email("example.org")), never(email("example.com"))):
        root = authority("Root", extra=[constraint])
        refusal(CertificateUnsuitable, named("alice", root, other(SMTP_UTF8, value)), root)


def test_an_internationalized_mailbox_within_a_host_is_accepted_and_one_that_may_be_an_excluded_address_is_not() -> (
    None
):
    within = authority("Root", extra=[only(email("example.org"))])
    assert answers(named("alice", within, smtp("ä@EXAMPLE.org")), within) == (True, True)
    without = authority("Root", extra=[never(email("a@example.org"))])
    refusal(CertificateUnsuitable, named("alice", without, smtp("a@example.org")), without)


# How much is compared


def test_more_names_times_constraints_than_the_most_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert constraints.MAX_COMPARISONS == 1 << 16
    monkeypatch.setattr(constraints, "MAX_COMPARISONS", 12)
    bases = [dns(f"{number}.example.com") for number in range(3)]
    root = authority("Root", extra=[never(*bases)])
    for count, expected in ((3, True), (4, False)):  # the subject is a name too
        leaf = named("alice", root, *(dns(f"a{number}.example.org") for number in range(count)))
        if expected:
            assert verify(leaf, root).certificate == leaf.certificate
        else:
            assert "more than are compared" in refusal(CertificateUnsuitable, leaf, root)


def test_an_ip_constraint_that_is_not_an_address_and_a_mask_makes_a_ca_that_is_left_out() -> None:
    odd = authority("Root", extra=[only(tlv(0x87, bytes(5)))])
    leaf = client("alice", odd)
    detail = refusal(CertificateUntrusted, leaf, odd, authority("Other"))
    assert "does not parse" in detail


@pytest.mark.parametrize(("length", "is_read"), [(253, True), (254, False)])
def test_a_host_name_longer_than_dns_allows_cannot_be_read(length: int, is_read: bool) -> None:
    constraints_on_dns = x509.NameConstraints([x509.DNSName("example.org")], None)
    root = authority("Root", extra=[(constraints_on_dns, True)])
    name = f"{'a' * (length - 100 - len('.example.org'))}{'.b' * 50}.example.org"
    assert len(name) == length
    leaf = client("alice", root, extra=[(sans(x509.DNSName(name)), False)])
    if is_read:
        verify(leaf, root)
    else:
        assert "not of a form" in refusal(CertificateUnsuitable, leaf, root)
