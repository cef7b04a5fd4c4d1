"""What other people's code may rely on: held by name, by signature, and under `python -O`."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sslclientcert
from sslclientcert import ClientCertAuthenticator, ClientIdentity, PresentedChain, Proxy, TrustStore
from sslclientcert.testing import ClientCA

EXPORTED = {
    *(
        "ClientCertAuthenticator",
        "ClientCertError",
        "ClientIdentity",
        "PresentedChain",
        "PROXIES",
        "Proxy",
        "TrustStore",
    ),
    *("answer_to", "decode", "rules"),
}
IDENTITY = {
    *("certificate", "chain", "subject", "issuer", "common_name", "organizations", "organizational_units"),
    *("serial_number", "fingerprint_sha256", "thumbprint_s256", "not_before", "not_after", "sans", "spiffe_id", "pem"),
    "as_dict",
}
SANS = {"dns_names", "emails", "uris", "ip_addresses", "upns", "directory_names"}
RULES = {
    "policy",
    *(
        "common_name",
        "subject",
        "issuer",
        "organization",
        "organizational_unit",
        "email",
        "dns_name",
        "uri",
        "spiffe_id",
    ),
    *("spiffe_trust_domain", "upn", "ip_address", "fingerprint", "serial_number", "spki_sha256", "predicate", "Rule"),
}
EMPTY = inspect.Parameter.empty
# Name to default, in the order of the signature; what stands before None may be given by position.
SIGNATURES: dict[Callable[..., Any], list[tuple[str, Any] | None]] = {
    ClientCertAuthenticator: [
        ("trust", EMPTY),
        None,
        ("crl", None),
        ("proxy", "nginx-ingress"),
        ("header", None),
        ("trusted_proxies", ("127.0.0.1", "::1", "unix")),
        ("authorize", None),
        ("require_proxy_success", False),
        ("shared_secret", None),
        ("max_header_bytes", 65536),
    ],
    ClientCertAuthenticator.from_env: [("prefix", "SSLCLIENTCERT_")],
    ClientCertAuthenticator.authenticate: [("self", EMPTY), ("headers", EMPTY), None, ("peer", ...)],
    sslclientcert.answer_to: [("error", EMPTY), ("accept", None)],
    sslclientcert.decode: [("value", EMPTY), ("proxy", "nginx-ingress")],
    PresentedChain: [("leaf", EMPTY), ("intermediates", ())],
    TrustStore.from_file: [("ca", EMPTY), ("crl", None)],
    TrustStore.from_pem: [("data", EMPTY), ("crl", None)],
    TrustStore: [("certificates", EMPTY)],
    TrustStore.verify: [("self", EMPTY), ("presented", EMPTY), None, ("at", None)],
    Proxy: [None, ("name", EMPTY), ("certificate_header", EMPTY), ("certificate_encoding", EMPTY)],
}


def test_the_top_level_exports_what_the_contract_names() -> None:
    assert set(sslclientcert.__all__) == EXPORTED
    for name in EXPORTED:
        assert getattr(sslclientcert, name) is not None
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", sslclientcert.__version__)


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_parameters_have_the_names_the_order_and_the_defaults_of_the_contract(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters
    contract = SIGNATURES[function]
    star = contract.index(None) if None in contract else len(contract)
    positional = [one for one in contract[:star] if one is not None]
    keyword_only = [one for one in contract[star:] if one is not None]

    by_position = [one for one in parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert [(one.name, one.default) for one in by_position][: len(positional)] == positional
    for name, default in keyword_only:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == default
    # Whatever came later is optional.
    known = {name for name, _ in (*positional, *keyword_only)}
    assert [one for one in parameters.values() if one.name not in known and one.default is EMPTY] == []


def test_from_env_says_the_options_of_the_constructor() -> None:
    constructor = inspect.signature(ClientCertAuthenticator).parameters
    documented = inspect.getdoc(ClientCertAuthenticator.from_env) or ""

    for option in ("crl", "proxy", "header", "trusted_proxies", "require_proxy_success", "shared_secret"):
        assert option in constructor
        assert f"`{option.upper()}`" in documented


def test_an_identity_has_the_attributes_of_the_contract() -> None:
    ca = ClientCA()
    identity = TrustStore(ca.certificates).verify(PresentedChain(ca.issue("alice").certificate))

    for name in IDENTITY:
        assert hasattr(identity, name), name
    assert {name for name in dir(identity.sans) if not name.startswith("_")} == SANS


def test_the_rules_are_those_of_the_contract() -> None:
    assert set(sslclientcert.rules.__all__) == RULES


def test_everything_public_says_what_it_does() -> None:
    for name in EXPORTED - {"PROXIES"}:
        assert inspect.getdoc(getattr(sslclientcert, name)), name
    for owner in (ClientCertAuthenticator, TrustStore, ClientIdentity, Proxy, PresentedChain):
        for name, member in vars(owner).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, (property, classmethod))):
                assert inspect.getdoc(member), f"{owner.__name__}.{name}"


# python -O removes every assert: what was refused must still be

UNDER_O = """
import sys
from sslclientcert import ClientCertAuthenticator, ClientCertError, ClientIdentity, TrustStore, rules, decode
from sslclientcert.testing import ClientCA, encode

if __debug__:
    sys.exit("python -O was meant")
ca, other = ClientCA("CA"), ClientCA("CA")
alice, mallory, stranger = ca.issue("alice"), ca.issue("mallory"), other.issue("alice")
store = TrustStore(ca.certificates)
plain = ClientCertAuthenticator(store)
strict = ClientCertAuthenticator(store, require_proxy_success=True)
ruled = ClientCertAuthenticator(store, authorize=rules.common_name("bob"))
secret = ClientCertAuthenticator(store, shared_secret=("x-secret", "correct horse battery"))
cert = {"ssl-client-cert": alice.headers()["ssl-client-cert"]}
refusals = [
    ("header_ambiguous", plain, [*cert.items(), *cert.items()], "127.0.0.1"),
    ("header_ambiguous", plain, {"ssl_client_cert": "x"}, "127.0.0.1"),
    ("header_malformed", plain, {"ssl-client-cert": "x"}, "127.0.0.1"),
    ("header_malformed", plain, {**cert, "ssl-client-verify": "SUCCESS,SUCCESS"}, "127.0.0.1"),
    ("header_too_large", plain, {"ssl-client-cert": "x" * 100000}, "127.0.0.1"),
    ("certificate_malformed", plain, encode(b"0"), "127.0.0.1"),
    ("forwarding_inconsistent", plain, {**cert, "ssl-client-verify": "NONE"}, "127.0.0.1"),
    ("forwarding_inconsistent", plain, {**cert, "ssl-client-subject-dn": "CN=mallory"}, "127.0.0.1"),
    ("forwarding_inconsistent", strict, cert, "127.0.0.1"),
    ("proxy_untrusted", plain, cert, "203.0.113.9"),
    ("proxy_untrusted", secret, cert, "127.0.0.1"),
    ("certificate_untrusted", plain, stranger.headers(), "127.0.0.1"),
    ("certificate_expired", plain, ca.expired().headers(), "127.0.0.1"),
    ("certificate_not_yet_valid", plain, ca.not_yet_valid().headers(), "127.0.0.1"),
    ("not_authorized", ruled, cert, "127.0.0.1"),
]
for code, authenticator, headers, peer in refusals:
    try:
        identity = authenticator.authenticate(headers, peer=peer)
    except ClientCertError as error:
        if error.code != code:
            sys.exit(f"{error.code} where {code} was meant")
    else:
        sys.exit(f"{identity} where {code} was meant")
for wrong in (
    lambda: ClientIdentity(),
    lambda: rules.fingerprint("00"),
    lambda: ClientCertAuthenticator(store, proxy="nginxx"),
    lambda: ClientCertAuthenticator(store, trusted_proxies=""),
    lambda: TrustStore([]),
    lambda: bool(rules.common_name("x")),
):
    try:
        wrong()
    except (TypeError, ValueError):
        continue
    sys.exit("a configuration fault went unnoticed")
if plain.authenticate(cert, peer="::1").common_name != "alice" or plain.authenticate({}, peer="::1") is not None:
    sys.exit("what is right is refused")
print("as without -O")
"""


@pytest.mark.parametrize("flags", [["-O"], ["-OO"], ["-O", "-bb"]], ids=" ".join)
def test_python_without_asserts_refuses_all_that_it_refuses_with_them(flags: list[str], tmp_path: Path) -> None:
    script = tmp_path / "under_o.py"
    script.write_text(UNDER_O)
    ran = subprocess.run(
        [sys.executable, *flags, "-W", "error", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert ran.stdout == "as without -O\n", ran.stderr
    assert ran.returncode == 0


def test_nothing_in_the_library_asserts() -> None:
    library = Path(sslclientcert.__file__).parent
    asserting = [
        path.relative_to(library)
        for path in library.rglob("*.py")
        if re.search(r"^\s*assert\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not asserting
