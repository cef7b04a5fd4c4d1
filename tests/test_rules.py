"""Authorization rules: exact matches over a verified identity, and nothing but True or False."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from sslclientcert import ClientIdentity, PresentedChain, TrustStore, rules
from sslclientcert.rules import Rule
from sslclientcert.testing import ClientCA, forged_identity
from sslclientcert.testing._der import BIT_STRING, SEQUENCE, element

from .core.pki import authority, client

CA = ClientCA("Rules CA")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # SEC 2, section 2.4.2
POLICY, ANY_POLICY = "1.3.6.1.4.1.32473.1.1", "2.5.29.32.0"

# RFC 5280 section 4.2.1.5: one mapping, from 1.2.3 to 1.2.4.
MAPPINGS = bytes.fromhex("300a300806022a0306022a04")


def policies(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids])


@functools.cache
def identity() -> ClientIdentity:
    alice = CA.issue(
        "alice",
        organization=["Example", "Shop"],
        organizational_unit="ops",
        dns_names=["alice.example.org", "*.wild.example.org"],
        emails=["alice@example.org"],
        uris=["spiffe://example.org/ns/shop/sa/cart"],
        ip_addresses=["10.1.2.3", "2001:db8::7"],
        upns=["alice@corp.example.org"],
        serial_number=4660,
        extensions=[policies(POLICY, ANY_POLICY)],
    )
    return TrustStore(CA.certificates).verify(PresentedChain(alice.certificate))


def fingerprint() -> str:
    return identity().fingerprint_sha256


HOLDS: dict[str, Callable[[], Rule]] = {
    "common name": lambda: rules.common_name("alice"),
    "one of several common names": lambda: rules.common_name("bob", "alice"),
    "organization": lambda: rules.organization("Shop"),
    "organizational unit": lambda: rules.organizational_unit("ops"),
    "subject": lambda: rules.subject(identity().subject),
    "issuer": lambda: rules.issuer("CN=Rules CA"),
    "e-mail": lambda: rules.email("alice@example.org"),
    "DNS name": lambda: rules.dns_name("alice.example.org"),
    "a wildcard by its own name": lambda: rules.dns_name("*.wild.example.org"),
    "URI": lambda: rules.uri("spiffe://example.org/ns/shop/sa/cart"),
    "SPIFFE ID": lambda: rules.spiffe_id("spiffe://example.org/ns/shop/sa/cart"),
    "SPIFFE trust domain": lambda: rules.spiffe_trust_domain("example.org"),
    "user principal name": lambda: rules.upn("alice@corp.example.org"),
    "policy": lambda: rules.policy("1.3.6.1.4.1.32473.9", POLICY),
    "IP address": lambda: rules.ip_address("10.1.2.3"),
    "IP network": lambda: rules.ip_address("10.0.0.0/8"),
    "IPv6 network": lambda: rules.ip_address("192.0.2.0/24", "2001:db8::/32"),
    "fingerprint": lambda: rules.fingerprint(fingerprint()),
    "fingerprint in upper case": lambda: rules.fingerprint(fingerprint().upper()),
    "fingerprint with colons": lambda: rules.fingerprint(":".join(fingerprint()[i : i + 2] for i in range(0, 64, 2))),
    "public key": lambda: rules.spki_sha256(identity().spki_sha256),
    "public key in upper case": lambda: rules.spki_sha256("00" * 32, identity().spki_sha256.upper()),
    "serial number": lambda: rules.serial_number(0x1234, issuer="CN=Rules CA"),
    "predicate": lambda: rules.predicate(lambda one: one.common_name == "alice"),
}
FAILS: dict[str, Callable[[], Rule]] = {
    "another common name": lambda: rules.common_name("bob"),
    "other letter case": lambda: rules.common_name("Alice"),
    "a part of it": lambda: rules.common_name("alic"),
    "more than it": lambda: rules.common_name("alice "),
    "an organization as a common name": lambda: rules.common_name("Shop"),
    "another organization": lambda: rules.organization("Sho", "example"),
    "both organizations in one text": lambda: rules.organization("Example,Shop"),
    "another unit": lambda: rules.organizational_unit("OPS"),
    "a part of the subject": lambda: rules.subject("CN=alice"),
    "the subject for the issuer": lambda: rules.issuer(identity().subject),
    "the issuer for the subject": lambda: rules.subject("CN=Rules CA"),
    "an e-mail of other case": lambda: rules.email("Alice@example.org"),
    "an e-mail's domain": lambda: rules.email("@example.org", "example.org"),
    "what a wildcard would match": lambda: rules.dns_name("x.wild.example.org"),
    "a wildcard that would match": lambda: rules.dns_name("*.example.org"),
    "a DNS name in the common name": lambda: rules.dns_name("alice"),
    "a prefix of the URI": lambda: rules.uri("spiffe://example.org/ns/shop"),
    "a prefix of the SPIFFE ID": lambda: rules.spiffe_id("spiffe://example.org/ns/shop/sa/car"),
    "a SPIFFE ID of other case": lambda: rules.spiffe_id("spiffe://Example.org/ns/shop/sa/cart"),
    "a parent of the trust domain": lambda: rules.spiffe_trust_domain("org"),
    "a child of the trust domain": lambda: rules.spiffe_trust_domain("a.example.org"),
    "a trust domain with its scheme": lambda: rules.spiffe_trust_domain("spiffe://example.org"),
    "an e-mail as a UPN": lambda: rules.upn("alice@example.org"),
    "another policy": lambda: rules.policy("1.3.6.1.4.1.32473.1.2"),
    "a policy above it": lambda: rules.policy("1.3.6.1.4.1.32473.1"),
    "another address": lambda: rules.ip_address("10.1.2.4"),
    "another network": lambda: rules.ip_address("192.0.2.0/24", "10.2.0.0/16", "2001:db9::/32"),
    "another fingerprint": lambda: rules.fingerprint("00" * 32),
    "another public key": lambda: rules.spki_sha256("00" * 32),
    "the fingerprint as a public key": lambda: rules.spki_sha256(fingerprint()),
    "another serial number": lambda: rules.serial_number(0x1235, issuer="CN=Rules CA"),
    "another issuer's serial number": lambda: rules.serial_number(0x1234, issuer="CN=Other CA"),
    "predicate": lambda: rules.predicate(lambda one: one.common_name == "bob"),
}


@pytest.mark.parametrize("what", HOLDS)
def test_a_rule_that_holds_answers_exactly_true(what: str) -> None:
    rule = HOLDS[what]()

    assert rule(identity()) is True
    assert (~rule)(identity()) is False


@pytest.mark.parametrize("what", FAILS)
def test_a_rule_that_does_not_hold_answers_exactly_false(what: str) -> None:
    rule = FAILS[what]()

    assert rule(identity()) is False
    assert (~rule)(identity()) is True


@pytest.mark.parametrize("what", [what for what in HOLDS if what not in ("issuer", "serial number", "predicate")])
def test_no_rule_holds_for_a_certificate_without_what_it_asks_for(what: str) -> None:
    bare = forged_identity("dave")

    assert HOLDS[what]()(bare) is False


@pytest.mark.parametrize(
    ("of_the_ca", "holds"), [([POLICY], True), ([ANY_POLICY], True), (["1.3.6.1.4.1.32473.1.2"], False), ([], False)]
)
def test_a_policy_counts_only_if_the_ca_below_the_anchor_may_issue_under_it(of_the_ca: list[str], holds: bool) -> None:
    root = authority("Root")
    lower = authority("Lower", root, extra=[(policies(*of_the_ca), False)] if of_the_ca else [])
    leaf = client("alice", lower, extra=[(policies(POLICY), True)])
    alice = TrustStore([root.certificate, lower.certificate]).verify(PresentedChain(leaf.certificate))

    assert rules.policy(POLICY)(alice) is holds


def test_below_a_ca_with_policy_mappings_a_policy_counts_only_if_that_ca_is_the_anchor() -> None:
    root = authority("Root")
    mappings = x509.UnrecognizedExtension(x509.oid.ExtensionOID.POLICY_MAPPINGS, MAPPINGS)
    lower = authority("Lower", root, extra=[(policies(POLICY), False), (mappings, True)])
    leaf = PresentedChain(client("alice", lower, extra=[(policies(POLICY), False)]).certificate)

    assert rules.policy(POLICY)(TrustStore([root.certificate, lower.certificate]).verify(leaf)) is False
    assert rules.policy(POLICY)(TrustStore([lower.certificate]).verify(leaf)) is True


@pytest.mark.parametrize(
    "oid", ["", "id-fpki-common-authentication", "1", "1.", "1..2", "1.02", "3.1", " 1.2", ANY_POLICY]
)
def test_a_policy_that_no_identity_can_have_is_refused(oid: str) -> None:
    with pytest.raises(ValueError, match="policy"):
        rules.policy(oid)


def test_two_common_names_satisfy_no_rule_on_the_common_name() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value) for value in ("admin", "mallory")])
    root = authority("Root")
    both = TrustStore([root.certificate]).verify(PresentedChain(client(name, root).certificate))

    assert rules.common_name("admin", "mallory")(both) is False
    assert rules.subject("CN=mallory,CN=admin")(both) is True


def test_two_uris_are_no_spiffe_identity() -> None:
    both = forged_identity("x", uris=["spiffe://example.org/a", "spiffe://example.org/b"])

    assert rules.spiffe_id("spiffe://example.org/a", "spiffe://example.org/b")(both) is False
    assert rules.spiffe_trust_domain("example.org")(both) is False
    assert rules.uri("spiffe://example.org/a")(both) is True


@pytest.mark.parametrize(
    "uri", ["https://example.org/a", "spiffe://EXAMPLE.org/a", "spiffe://example.org:80/a", "spiffe:///a"]
)
def test_what_is_no_spiffe_id_is_in_no_trust_domain(uri: str) -> None:
    one = forged_identity("x", uris=[uri])

    assert rules.spiffe_trust_domain("example.org", "EXAMPLE.org", "example.org:80")(one) is False
    assert rules.spiffe_id(uri)(one) is False


def test_a_text_inside_a_subject_is_not_what_a_rule_looks_at() -> None:
    liar = forged_identity("admin,O=Example")

    for rule in (rules.common_name("admin"), rules.organization("Example"), rules.subject("CN=admin,O=Example")):
        assert rule(liar) is False


# Combination

TRUTH = {True: rules.predicate(lambda _: True), False: rules.predicate(lambda _: False)}


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("right", [True, False])
def test_and_or_and_not_are_those_of_logic(left: bool, right: bool) -> None:
    assert (TRUTH[left] & TRUTH[right])(identity()) is (left and right)
    assert (TRUTH[left] | TRUTH[right])(identity()) is (left or right)
    assert (~TRUTH[left])(identity()) is (not left)
    assert (~~TRUTH[left])(identity()) is left


Expression = tuple[Rule, bool]


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.booleans().map(lambda value: (TRUTH[value], value)),
        lambda inner: st.one_of(
            inner.map(lambda one: (~one[0], not one[1])),
            st.tuples(inner, inner).map(lambda two: (two[0][0] & two[1][0], two[0][1] and two[1][1])),
            st.tuples(inner, inner).map(lambda two: (two[0][0] | two[1][0], two[0][1] or two[1][1])),
        ),
        max_leaves=12,
    )
)
def test_any_combination_answers_as_logic_does(expression: Expression) -> None:
    assert expression[0](identity()) is expression[1]


def test_a_rules_repr_reads_like_its_source() -> None:
    rule = rules.organization("Example") & ~(rules.common_name("a'b", "é\n") | rules.ip_address("10.0.0.0/8"))

    assert repr(rule) == ("(organization('Example') & ~(common_name(\"a'b\", '\\xe9\\n') | ip_address('10.0.0.0/8')))")
    assert repr(rules.serial_number(5, issuer="CN=é")) == "serial_number(5, issuer='CN=\\xe9')"


def test_a_rule_is_neither_true_nor_false() -> None:
    for careless in (
        lambda: bool(TRUTH[True]),
        lambda: TRUTH[True] and TRUTH[False],
        lambda: TRUTH[True] or TRUTH[False],
        lambda: not TRUTH[True],
    ):
        with pytest.raises(TypeError, match="& | ~"):
            careless()


@pytest.mark.parametrize("other", [True, None, "x", lambda _: True, 1])
def test_a_rule_combines_with_rules_only(other: Any) -> None:
    with pytest.raises(TypeError):
        _ = TRUTH[True] & other
    with pytest.raises(TypeError):
        _ = TRUTH[True] | other
    with pytest.raises(TypeError):
        _ = other | TRUTH[True]


# Answers that are neither True nor False


@pytest.mark.parametrize("answer", [None, 0, 1, "", "no", [], object(), NotImplemented, ipaddress.ip_address("::1")])
@pytest.mark.parametrize("combined", [lambda rule: rule, lambda rule: ~rule, lambda rule: TRUTH[True] & rule])
def test_a_predicate_that_answers_anything_else_refuses_also_under_not(answer: Any, combined: Any) -> None:
    with pytest.raises(TypeError, match="neither True nor False"):
        combined(rules.predicate(lambda _: answer))(identity())


def test_a_predicates_own_exception_comes_through_also_under_not() -> None:
    def fails(_: ClientIdentity) -> bool:
        raise LookupError("no database")

    for rule in (rules.predicate(fails), ~rules.predicate(fails), TRUTH[True] & rules.predicate(fails)):
        with pytest.raises(LookupError):
            rule(identity())


# Configuration faults


@pytest.mark.parametrize(
    "make",
    [
        *(rules.common_name, rules.subject, rules.issuer, rules.organization, rules.organizational_unit, rules.email),
        *(rules.dns_name, rules.uri, rules.spiffe_id, rules.spiffe_trust_domain, rules.upn, rules.ip_address),
        rules.fingerprint,
    ],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("values", [(), ("",), ("a", ""), (None,)])
def test_a_rule_without_values_or_with_an_empty_one_is_a_configuration_fault(
    make: Callable[..., Rule], values: tuple[Any, ...]
) -> None:
    with pytest.raises((ValueError, AttributeError, TypeError)):
        make(*values)


@pytest.mark.parametrize("digest", ["00" * 20, "00" * 31, "0" * 65, "zz" * 32, "00 " * 32, "sha256:" + "00" * 32])
def test_a_fingerprint_that_is_no_sha_256_is_a_configuration_fault(digest: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        rules.fingerprint("11" * 32, digest)
    with pytest.raises(ValueError, match=r"spki_sha256\(\) takes SHA-256"):
        rules.spki_sha256(digest)


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0", "example.org", "10.0.0.0/33", " 10.0.0.1"])
def test_a_network_that_is_none_is_a_configuration_fault(network: str) -> None:
    with pytest.raises(ValueError, match="."):
        rules.ip_address("10.0.0.0/8", network)


def test_a_second_signature_form_changes_the_fingerprint_and_neither_the_serial_number_nor_the_public_key() -> None:
    """Of an ECDSA signature (r, s), (r, n - s) is valid too, and anybody can compute it."""
    ca = ClientCA("Twins")
    certificate = ca.issue("alice").certificate
    r, s = decode_dss_signature(certificate.signature)
    der, tbs = certificate.public_bytes(Encoding.DER), certificate.tbs_certificate_bytes
    algorithm = der[der.index(tbs) + len(tbs) :][:12]  # ecdsa-with-SHA256, without parameters
    signature = b"\0" + encode_dss_signature(r, P256_ORDER - s)
    content = element(SEQUENCE, tbs, algorithm, element(BIT_STRING, signature))
    twin = x509.load_der_x509_certificate(content)
    store = TrustStore(ca.certificates)
    one, other = (store.verify(PresentedChain(each)) for each in (certificate, twin))
    assert one.fingerprint_sha256 != other.fingerprint_sha256
    assert not rules.fingerprint(one.fingerprint_sha256)(other)
    assert rules.spki_sha256(one.spki_sha256)(other)
    assert rules.serial_number(one.serial_number, issuer=one.issuer)(other)
