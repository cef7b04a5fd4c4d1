"""The whole pipeline: headers and a peer in; an identity, None, or a ClientCertError out."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from sslclientcert import PROXIES, ClientCertAuthenticator, ClientCertError, ClientIdentity, TrustStore, rules
from sslclientcert.core.authenticator import Decision
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
    STRANGE_ROOT,
    STRANGER,
    b64,
    certificate_header,
    element_of_xfcc,
    headers_of,
    refused,
)
from .pki import NOW, Party, authority, client, pem_of, pem_of_crls, private_key, revocation_list, sans
from .test_names import SUBJECTS, text_of, with_subject

ADDRESS = "127.0.0.1"
SUCCESS = {"ssl-client-verify": "SUCCESS"}
CERT = "ssl-client-cert"
SUBJECT, ISSUER = "ssl-client-subject-dn", "ssl-client-issuer-dn"

Headers = Mapping[str, str]


def is_of(identity: ClientIdentity | None, party: Party) -> bool:
    return identity is not None and identity.certificate == party.certificate


def without(headers: Headers, *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


def environ_of(headers: Headers, **more: str) -> dict[str, str]:
    return {**{"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}, **more}


def scope_of(headers: Headers, peer: object = (ADDRESS, 1)) -> dict[str, Any]:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "headers": pairs, "client": peer}


# Every row


@pytest.mark.parametrize("proxy", ROWS)
def test_the_client_of_every_proxy_is_known_from_headers_environ_and_scope(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)
    headers = headers_of(ALICE, proxy)

    assert is_of(authenticator.authenticate(headers, peer=ADDRESS), ALICE)
    assert is_of(authenticator.authenticate_environ(environ_of(headers, REMOTE_ADDR=ADDRESS)), ALICE)
    assert is_of(authenticator.authenticate_scope(scope_of(headers)), ALICE)


@pytest.mark.parametrize("proxy", ROWS)
def test_a_client_without_a_certificate_is_nobody_behind_every_proxy(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)

    for headers in (encode(None, proxy), {}, {"host": "example.org"}):
        assert authenticator.authenticate(headers, peer=ADDRESS) is None
        assert authenticator.authenticate_environ(environ_of(headers, REMOTE_ADDR=ADDRESS)) is None
        assert authenticator.authenticate_scope(scope_of(headers)) is None


@pytest.mark.parametrize("proxy", ROWS)
def test_a_strangers_certificate_is_refused_behind_every_proxy_whatever_the_proxy_says(
    proxy: ProxyName, store: TrustStore
) -> None:
    with refused("certificate_untrusted"):
        ClientCertAuthenticator(store, proxy=proxy).authenticate(headers_of(STRANGER, proxy), peer=ADDRESS)


@pytest.mark.parametrize("proxy", CHAIN_ROWS)
def test_a_forwarded_intermediate_completes_the_path(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)

    assert is_of(authenticator.authenticate(headers_of(CAROL, proxy, INTERMEDIATE), peer=ADDRESS), CAROL)
    with refused("certificate_untrusted"):
        authenticator.authenticate(headers_of(CAROL, proxy), peer=ADDRESS)


@pytest.mark.parametrize("proxy", ROWS)
def test_a_leaf_that_a_client_issued_with_its_own_key_is_refused(proxy: ProxyName, store: TrustStore) -> None:
    forged = client("admin", ALICE)
    with refused("certificate_untrusted", "certificate_unsuitable"):
        ClientCertAuthenticator(store, proxy=proxy).authenticate(headers_of(forged, proxy, ALICE), peer=ADDRESS)


@pytest.mark.parametrize("proxy", ROWS)
@pytest.mark.parametrize("separator", [",", ", "])
@pytest.mark.parametrize("order", ["forged first", "forged last"])
def test_a_header_that_a_wsgi_server_joined_with_a_forged_one_gives_nobody(
    proxy: ProxyName, separator: str, order: str, store: TrustStore
) -> None:
    """gunicorn, werkzeug and others join with "," and waitress, uWSGI and mod_wsgi with ", "."""
    headers = headers_of(MALLORY, proxy)
    name = PROXIES[proxy].certificate_header
    values = [certificate_header(ALICE, proxy), headers[name]]
    headers[name] = separator.join(values if order == "forged first" else reversed(values))

    with refused("header_malformed", "header_ambiguous", "forwarding_inconsistent"):
        ClientCertAuthenticator(store, proxy=proxy).authenticate_environ(environ_of(headers, REMOTE_ADDR=ADDRESS))


@pytest.mark.parametrize("proxy", ROWS)
@pytest.mark.parametrize("absent", ["", "(null)", "::"])
def test_a_genuine_no_certificate_that_was_joined_with_a_forged_header_gives_nobody(
    proxy: ProxyName, absent: str, store: TrustStore
) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)
    name, forged = PROXIES[proxy].certificate_header, certificate_header(ALICE, proxy)
    for joined in (f"{absent},{forged}", f"{forged},{absent}", f"{absent}, {forged}", f"{forged}, {absent}"):
        headers = {**encode(None, proxy), name: joined}
        with refused("header_malformed", "header_ambiguous", "forwarding_inconsistent"):
            authenticator.authenticate_environ(environ_of(headers, REMOTE_ADDR=ADDRESS))


@pytest.mark.parametrize("proxy", ROWS)
@pytest.mark.parametrize("forge", [str, str.title, lambda name: name.replace("-", "_"), str.upper])
def test_a_forged_header_next_to_a_genuine_one_gives_nobody_in_either_order(
    proxy: ProxyName, forge: Callable[[str], str], store: TrustStore
) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)
    genuine = list(headers_of(MALLORY, proxy).items())
    for name, value in headers_of(ALICE, proxy).items():
        if name in authenticator.guarded_headers and ("-" in name or forge(name) != name.replace("-", "_")):
            for pairs in ([(forge(name), value), *genuine], [*genuine, (forge(name), value)]):
                if name in PROXIES[proxy].lists and "_" not in forge(name):  # two lines are one list, here of nothing
                    with refused("header_malformed"):
                        authenticator.authenticate(pairs, peer=ADDRESS)
                    continue
                with refused("header_ambiguous"):
                    authenticator.authenticate(pairs, peer=ADDRESS)
                scope = {"headers": [(name.encode(), value.encode()) for name, value in pairs], "client": None}
                with refused("header_ambiguous"):
                    authenticator.authenticate_scope(scope)


@pytest.mark.parametrize("proxy", ROWS)
def test_the_headers_of_other_proxies_are_never_looked_at(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)
    foreign: dict[str, str] = {}
    for other in ROWS:
        foreign |= headers_of(ALICE, other)
    foreign = without(foreign, *authenticator.guarded_headers)

    assert authenticator.authenticate(foreign, peer="203.0.113.9") is None
    assert is_of(authenticator.authenticate({**foreign, **headers_of(MALLORY, proxy)}, peer=ADDRESS), MALLORY)


@pytest.mark.parametrize("proxy", ROWS)
def test_the_guarded_names_are_those_of_the_row_in_every_spelling(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy, shared_secret=("X_Secret", "correct horse battery"))
    read = {name for name in PROXIES[proxy].headers if name is not None}

    assert authenticator.guarded_headers == {*read, "x-secret"}
    assert authenticator.guarded_environ == {"HTTP_" + name.upper().replace("-", "_") for name in (*read, "x-secret")}


# The rules of nginx's companion headers


def test_the_certificate_header_alone_verifies(ingress: ClientCertAuthenticator) -> None:
    assert is_of(ingress.authenticate({CERT: certificate_header(ALICE)}, peer=ADDRESS), ALICE)


@pytest.mark.parametrize("names", [("ssl-client-verify",), (SUBJECT, ISSUER), ("ssl-client-verify", SUBJECT, ISSUER)])
def test_companion_headers_that_are_simply_absent_do_not_refuse(
    names: tuple[str, ...], ingress: ClientCertAuthenticator
) -> None:
    assert is_of(ingress.authenticate(without(headers_of(ALICE), *names), peer=ADDRESS), ALICE)


@pytest.mark.parametrize("verdict", ["SUCCESS", "FAILED:unable to verify the first certificate", "FAILED:"])
def test_the_application_is_the_judge_of_what_the_proxy_merely_doubts(
    verdict: str, ingress: ClientCertAuthenticator
) -> None:
    assert is_of(ingress.authenticate({**headers_of(ALICE), "ssl-client-verify": verdict}, peer=ADDRESS), ALICE)


def test_a_certificate_next_to_the_verdict_none_is_a_forgery(ingress: ClientCertAuthenticator) -> None:
    with refused("forwarding_inconsistent") as caught:
        ingress.authenticate({CERT: certificate_header(ALICE), "ssl-client-verify": "NONE"}, peer=ADDRESS)
    assert "forged" in caught.value.detail


@pytest.mark.parametrize("verdict", ["SUCCESS", "FAILED:certificate has expired"])
@pytest.mark.parametrize("certificate", [{}, {CERT: ""}])
def test_a_verdict_on_a_certificate_that_is_not_there_names_the_missing_annotation(
    verdict: str, certificate: Headers, ingress: ClientCertAuthenticator
) -> None:
    with refused("forwarding_inconsistent") as caught:
        ingress.authenticate({**certificate, "ssl-client-verify": verdict}, peer=ADDRESS)
    assert "auth-tls-pass-certificate-to-upstream" in caught.value.detail


@pytest.mark.parametrize("name", [SUBJECT, ISSUER])
@pytest.mark.parametrize("verdict", [{}, {"ssl-client-verify": "NONE"}])
def test_a_name_without_a_certificate_names_the_missing_annotation(
    name: str, verdict: Headers, ingress: ClientCertAuthenticator
) -> None:
    with refused("forwarding_inconsistent") as caught:
        ingress.authenticate({**verdict, name: "CN=alice"}, peer=ADDRESS)
    assert "auth-tls-pass-certificate-to-upstream" in caught.value.detail


@pytest.mark.parametrize(
    "verdict",
    [
        *(
            "",
            " ",
            "success",
            "SUCCESS ",
            " SUCCESS",
            "OK",
            "GENEROUS",
            "(null)",
            "0",
            "true",
            "FAILED",
            "NONE:",
            "none",
        ),
        *(
            "SUCCESS,SUCCESS",
            "SUCCESS, SUCCESS",
            "NONE,SUCCESS",
            "SUCCESS,NONE",
            "FAILED:x,SUCCESS",
            "FAILED:x, SUCCESS",
        ),
        *("SUCCESS\n", "SUCCESS\0", "SUCCESSNONE", "S\xdcCCESS", "FAILED:" + "x," * 9, "\ud800"),
    ],
    ids=ascii,
)
def test_a_verdict_that_the_proxy_does_not_send_is_malformed(verdict: str, ingress: ClientCertAuthenticator) -> None:
    for headers in (headers_of(ALICE), {CERT: ""}):
        if verdict or headers[CERT]:
            with refused("header_malformed"):
                ingress.authenticate({**headers, "ssl-client-verify": verdict}, peer=ADDRESS)


@pytest.mark.parametrize("verdict", ["SUCCESS", "FAILED:unable to verify the first certificate"])
@pytest.mark.parametrize("names", [(SUBJECT,), (ISSUER,), (SUBJECT, ISSUER)])
def test_a_genuine_verdict_and_names_next_to_somebody_elses_certificate_are_refused(
    verdict: str, names: tuple[str, ...], ingress: ClientCertAuthenticator
) -> None:
    """With pass-certificate-to-upstream off, nginx sends these of the client's own certificate next to a forged one."""
    own = client("mallory", INTERMEDIATE, key=private_key("P-256", 17))
    genuine = {name: headers_of(own)[name] for name in names}

    with refused("forwarding_inconsistent") as caught:
        ingress.authenticate({CERT: certificate_header(ALICE), "ssl-client-verify": verdict, **genuine}, peer=ADDRESS)
    assert "two certificates" in caught.value.detail


def test_where_the_proxy_sends_no_names_the_certificates_are_not_parsed(ingress: ClientCertAuthenticator) -> None:
    without_a_leaf: Any = SimpleNamespace(leaf=None)
    for absent in (None, ""):
        ingress._companions.require_of(without_a_leaf, ("pem", None, None, None, absent, absent, None))


@pytest.mark.parametrize("whose", [SUBJECT, ISSUER])
def test_one_name_of_the_certificate_next_to_one_of_another_is_refused(
    whose: str, ingress: ClientCertAuthenticator
) -> None:
    ingress.authenticate(headers_of(ALICE), peer=ADDRESS)
    with refused("forwarding_inconsistent") as caught:
        ingress.authenticate({**headers_of(ALICE), whose: "CN=somebody else"}, peer=ADDRESS)
    assert "two certificates" in caught.value.detail


@pytest.mark.parametrize("what", SUBJECTS)
@pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")
def test_what_openssl_prints_of_any_subject_is_accepted_next_to_its_own_certificate_only(
    what: str, ingress: ClientCertAuthenticator
) -> None:
    party = with_subject(what)
    own = {CERT: ENCODERS["url-pem"](party.der), **SUCCESS, ISSUER: "CN=Test Root"}
    text = text_of(what)
    genuine = {**own, SUBJECT: text} if text else own  # nginx sends no header without a value

    assert is_of(ingress.authenticate(genuine, peer=ADDRESS), party)
    assert is_of(ingress.authenticate({**genuine, SUBJECT: text.rstrip(" ")}, peer=ADDRESS), party)
    with refused("forwarding_inconsistent"):
        ingress.authenticate({**own, SUBJECT: "CN=somebody else"}, peer=ADDRESS)
    with refused("forwarding_inconsistent"):
        ingress.authenticate({**genuine, ISSUER: "CN=Test Root,O=Other"}, peer=ADDRESS)


def test_a_subject_that_is_absent_next_to_an_issuer_is_that_of_a_certificate_without_one(
    ingress: ClientCertAuthenticator,
) -> None:
    """nginx sends both or, of an empty one, no header: then the certificate in question is not Alice's."""
    nameless = with_subject("empty")
    genuine = {ISSUER: "CN=Test Root", **SUCCESS}

    assert is_of(ingress.authenticate({CERT: ENCODERS["url-pem"](nameless.der), **genuine}, peer=ADDRESS), nameless)
    with refused("forwarding_inconsistent"):
        ingress.authenticate({CERT: certificate_header(ALICE), **genuine}, peer=ADDRESS)


# The companion headers of the others


def test_haproxy_says_used_for_a_certificate_that_was_too_large_to_forward(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy="haproxy")
    anonymous = encode(None, "haproxy")

    assert anonymous["x-ssl-client-verify"] == "0"  # for "verified" and for "no certificate"
    with refused("forwarding_inconsistent") as caught:
        authenticator.authenticate({**anonymous, "x-ssl-client-used": "1"}, peer=ADDRESS)
    assert "too large" in caught.value.detail


@pytest.mark.parametrize("used", ["0", "", "2", "true", "1,1", "0,1", "1, 0", " 1"])
def test_haproxy_not_saying_used_makes_a_certificate_a_forgery(used: str, store: TrustStore) -> None:
    with refused("forwarding_inconsistent", "header_malformed"):
        ClientCertAuthenticator(store, proxy="haproxy").authenticate(
            {**headers_of(ALICE, "haproxy"), "x-ssl-client-used": used}, peer=ADDRESS
        )


@pytest.mark.parametrize("used", ["1,0", "0,1", "0, 0", "2", "yes"])
def test_haproxy_saying_used_in_no_way_it_knows_is_refused_without_a_certificate_too(
    used: str, store: TrustStore
) -> None:
    with refused("forwarding_inconsistent", "header_malformed"):
        ClientCertAuthenticator(store, proxy="haproxy").authenticate(
            {**encode(None, "haproxy"), "x-ssl-client-used": used}, peer=ADDRESS
        )


def test_haproxy_without_the_header_used_has_anonymous_clients_like_any_proxy(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy="haproxy")

    assert authenticator.authenticate(without(encode(None, "haproxy"), "x-ssl-client-used"), peer=ADDRESS) is None
    assert is_of(
        authenticator.authenticate(without(headers_of(ALICE, "haproxy"), "x-ssl-client-used"), peer=ADDRESS), ALICE
    )


@pytest.mark.parametrize("verdict", ["0", "10", "18", "19", "20", "21", "26"])
def test_haproxys_numbers_are_verdicts(verdict: str, store: TrustStore) -> None:
    headers = {**headers_of(ALICE, "haproxy"), "x-ssl-client-verify": verdict}

    assert is_of(ClientCertAuthenticator(store, proxy="haproxy").authenticate(headers, peer=ADDRESS), ALICE)


@pytest.mark.parametrize("verdict", ["SUCCESS", "0,0", "0, 20", "-1", "0x0", "00000000", "\u0660"])
def test_what_is_no_number_of_haproxy_is_malformed(verdict: str, store: TrustStore) -> None:
    with refused("header_malformed"):
        ClientCertAuthenticator(store, proxy="haproxy").authenticate(
            {**headers_of(ALICE, "haproxy"), "x-ssl-client-verify": verdict}, peer=ADDRESS
        )


def test_haproxys_chain_without_a_certificate_is_refused(store: TrustStore) -> None:
    headers = {**encode(None, "haproxy"), "x-ssl-client-chain": b64(INTERMEDIATE.der)}
    with refused("forwarding_inconsistent"):
        ClientCertAuthenticator(store, proxy="haproxy").authenticate(headers, peer=ADDRESS)


def test_haproxy_on_a_plain_listener_sends_everything_empty(store: TrustStore) -> None:
    empty = dict.fromkeys(encode(None, "haproxy"), "")

    assert ClientCertAuthenticator(store, proxy="haproxy").authenticate(empty, peer=ADDRESS) is None


def test_apaches_null_is_nobody_also_on_a_plain_listener(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy="apache")

    for verdict in ("NONE", "(null)"):
        assert authenticator.authenticate({"x-ssl-cert": "(null)", "x-ssl-verify": verdict}, peer=ADDRESS) is None


@pytest.mark.parametrize("verdict", ["NONE", "(null)"])
def test_a_certificate_next_to_apaches_word_for_none_is_a_forgery(verdict: str, store: TrustStore) -> None:
    with refused("forwarding_inconsistent"):
        ClientCertAuthenticator(store, proxy="apache").authenticate(
            {**headers_of(ALICE, "apache"), "x-ssl-verify": verdict}, peer=ADDRESS
        )


@pytest.mark.parametrize("verdict", ["SUCCESS", "GENEROUS", "FAILED:unable to get local issuer certificate"])
def test_apaches_verdicts_are_known(verdict: str, store: TrustStore) -> None:
    headers = {**headers_of(ALICE, "apache"), "x-ssl-verify": verdict}

    assert is_of(ClientCertAuthenticator(store, proxy="apache").authenticate(headers, peer=ADDRESS), ALICE)


def test_caddys_colons_around_nothing_are_nobody(store: TrustStore) -> None:
    assert ClientCertAuthenticator(store, proxy="caddy").authenticate({"Client-Cert": "::"}, peer=ADDRESS) is None


def test_google_saying_present_and_not_verified_is_a_client_that_google_refused(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy="gcp")

    with refused("certificate_untrusted"):
        authenticator.authenticate({**encode(None, "gcp"), "x-client-cert-present": "true"}, peer=ADDRESS)


def test_google_saying_present_and_verified_without_a_certificate_is_a_proxy_that_does_not_forward_it(
    store: TrustStore,
) -> None:
    said = {"x-client-cert-present": "true", "x-client-cert-chain-verified": "true"}
    with refused("forwarding_inconsistent"):
        ClientCertAuthenticator(store, proxy="gcp").authenticate({**encode(None, "gcp"), **said}, peer=ADDRESS)


def test_google_saying_that_there_was_no_certificate_makes_one_a_forgery(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy="gcp")
    with refused("forwarding_inconsistent"):
        authenticator.authenticate({**headers_of(ALICE, "gcp"), "x-client-cert-present": "false"}, peer=ADDRESS)


@pytest.mark.parametrize("proxy", [name for name, row in PROXIES.items() if row.fingerprint_header])
def test_a_fingerprint_that_is_another_certificates_is_refused(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)
    header = PROXIES[proxy].fingerprint_header
    assert header is not None
    mallorys = headers_of(MALLORY, proxy)

    assert is_of(authenticator.authenticate({**mallorys, header: mallorys[header].upper()}, peer=ADDRESS), MALLORY)
    assert is_of(
        authenticator.authenticate(without(mallorys, header), peer=ADDRESS), MALLORY
    )  # what is absent proves nothing
    with refused("forwarding_inconsistent"):
        authenticator.authenticate({**headers_of(ALICE, proxy), header: mallorys[header]}, peer=ADDRESS)
    with refused("forwarding_inconsistent"):
        authenticator.authenticate({header: mallorys[header]}, peer=ADDRESS)


def test_openshifts_success_says_nothing_of_whether_there_was_a_certificate(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy="openshift", require_proxy_success=True)

    assert authenticator.authenticate({"x-ssl-client-der": "", "x-ssl-client-verify": "0"}, peer=ADDRESS) is None
    assert is_of(authenticator.authenticate(headers_of(ALICE, "openshift"), peer=ADDRESS), ALICE)
    with refused("forwarding_inconsistent"):
        authenticator.authenticate({"x-ssl-client-der": "", "x-ssl-client-verify": "10"}, peer=ADDRESS)


def test_traefiks_names_of_the_old_ingress_objects_are_not_held_against_the_certificate(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy="traefik-ingress-nginx")
    gos = {**headers_of(ALICE, "nginx-ingress"), "ssl-client-subject-dn": "SERIALNUMBER=7,CN=alice,OU=a+OU=b"}

    assert is_of(authenticator.authenticate(gos, peer=ADDRESS), ALICE)
    with refused("forwarding_inconsistent"):  # a certificate that it names, and does not forward
        authenticator.authenticate(without(gos, "ssl-client-cert"), peer=ADDRESS)


@pytest.mark.parametrize("proxy", [name for name, row in PROXIES.items() if row.lists])
def test_a_chain_on_several_lines_is_one_list(proxy: ProxyName) -> None:
    root_alone = ClientCertAuthenticator(TrustStore([ROOT.certificate]), proxy=proxy)
    (chain,) = PROXIES[proxy].lists
    headers = headers_of(CAROL, proxy, INTERMEDIATE, ROOT)
    one, two = headers.pop(chain).split(", ")

    assert is_of(root_alone.authenticate([*headers.items(), (chain, one), (chain, two)], peer=ADDRESS), CAROL)
    assert is_of(
        root_alone.authenticate([*headers.items(), (chain.encode(), one.encode()), (chain, two)], peer=ADDRESS), CAROL
    )
    with refused("header_ambiguous"):
        root_alone.authenticate([*headers.items(), (chain, one), (chain.replace("-", "_"), two)], peer=ADDRESS)
    with refused("header_ambiguous"):
        leaf = PROXIES[proxy].certificate_header
        root_alone.authenticate([*headers.items(), (leaf, headers[leaf]), (chain, one)], peer=ADDRESS)


def test_envoys_two_hops_give_nobody_unless_one_element_is_chosen_on_purpose(store: TrustStore) -> None:
    headers = {"x-forwarded-client-cert": f"{element_of_xfcc(ALICE.der)},{element_of_xfcc(MALLORY.der)}"}
    first = replace(PROXIES["envoy"], certificate_encoding="xfcc-first")
    last = replace(PROXIES["envoy"], certificate_encoding="xfcc-last")

    with refused("header_ambiguous"):
        ClientCertAuthenticator(store, proxy="envoy").authenticate(headers, peer=ADDRESS)
    assert is_of(ClientCertAuthenticator(store, proxy=first).authenticate(headers, peer=ADDRESS), ALICE)
    assert is_of(ClientCertAuthenticator(store, proxy=last).authenticate(headers, peer=ADDRESS), MALLORY)


# require_proxy_success


@pytest.mark.parametrize("proxy", [name for name in ROWS if PROXIES[name].verdict_header])
def test_the_proxys_success_can_be_required(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy, require_proxy_success=True)
    verdict = PROXIES[proxy].verdict_header
    assert verdict is not None

    assert is_of(authenticator.authenticate(headers_of(ALICE, proxy), peer=ADDRESS), ALICE)
    assert authenticator.authenticate(encode(None, proxy), peer=ADDRESS) is None
    with refused("forwarding_inconsistent"):
        authenticator.authenticate(without(headers_of(ALICE, proxy), verdict), peer=ADDRESS)
    with refused("certificate_untrusted", "forwarding_inconsistent"):
        authenticator.authenticate(encode(ALICE.certificate, proxy, verdict=21), peer=ADDRESS)


@pytest.mark.parametrize("verdict", ["FAILED:certificate has expired", "SUCCESS,SUCCESS", "SUCCESS, NONE", "NONE", ""])
def test_anything_but_exactly_one_success_refuses_where_it_is_required(verdict: str, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, require_proxy_success=True)
    with refused("certificate_untrusted", "header_malformed", "forwarding_inconsistent"):
        authenticator.authenticate({**headers_of(ALICE), "ssl-client-verify": verdict}, peer=ADDRESS)
    with refused("header_ambiguous"):
        authenticator.authenticate([*headers_of(ALICE).items(), ("ssl-client-verify", "SUCCESS")], peer=ADDRESS)


def test_the_proxys_success_does_not_stand_in_for_our_own_verification(store: TrustStore) -> None:
    with refused("certificate_untrusted"):
        ClientCertAuthenticator(store, require_proxy_success=True).authenticate(headers_of(STRANGER), peer=ADDRESS)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (NOW + dt.timedelta(days=400), "certificate_expired"),
        (NOW - dt.timedelta(days=400), "certificate_not_yet_valid"),
    ],
)
def test_where_the_proxy_found_a_certificate_valid_that_is_not_the_log_suspects_the_clock(
    at: dt.datetime, code: str, ingress: ClientCertAuthenticator
) -> None:
    headers = headers_of(ALICE)
    with refused(code) as caught:
        ingress.authenticate(headers, peer=ADDRESS, at=at)
    assert "ssl-client-verify says 'SUCCESS', so the proxy found it valid: compare the clocks" in caught.value.detail
    for verdict in ({"ssl-client-verify": "FAILED:certificate has expired"}, {}):
        without_success = {**without(headers, "ssl-client-verify"), **verdict}
        with refused(code) as caught:
            ingress.authenticate(without_success, peer=ADDRESS, at=at)
        assert "compare the clocks" not in caught.value.detail


def test_only_a_required_success_tells_a_minted_twin_of_the_names_from_the_certificate(store: TrustStore) -> None:
    """The proxy forwards no certificates; its client minted one of her names: docs/concepts.md, what remains."""
    twin = client("alice", authority("Test Root", key=private_key("P-256", 7)))
    of_twin = encode(twin.certificate, verdict=21)
    forged = {**of_twin, CERT: certificate_header(ALICE)}

    assert of_twin["ssl-client-verify"].startswith("FAILED:")
    assert is_of(ClientCertAuthenticator(store).authenticate(forged, peer=ADDRESS), ALICE)
    with refused("certificate_untrusted"):
        ClientCertAuthenticator(store, require_proxy_success=True).authenticate(forged, peer=ADDRESS)


def test_a_success_is_not_remembered_for_a_request_without_it(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, require_proxy_success=True)

    assert is_of(authenticator.authenticate(headers_of(ALICE), peer=ADDRESS), ALICE)
    with refused("forwarding_inconsistent"):
        authenticator.authenticate(without(headers_of(ALICE), "ssl-client-verify"), peer=ADDRESS)


# Peers and the shared secret


@pytest.mark.parametrize(
    "headers", [headers_of(ALICE), {"ssl-client-verify": "NONE"}, {CERT: "garbage"}, {CERT: "x" * 10**6}]
)
def test_a_stranger_may_not_speak_any_of_the_headers(headers: Headers, ingress: ClientCertAuthenticator) -> None:
    with refused("proxy_untrusted"):
        ingress.authenticate(headers, peer="203.0.113.9")
    with refused("proxy_untrusted"):
        ingress.authenticate_environ(environ_of(headers, REMOTE_ADDR="203.0.113.9"))
    with refused("proxy_untrusted"):
        ingress.authenticate_scope(scope_of(headers, ("203.0.113.9", 5)))


def test_a_stranger_without_such_headers_is_nobody(ingress: ClientCertAuthenticator) -> None:
    for headers in ({}, {CERT: ""}, {"host": "example.org"}):
        assert ingress.authenticate(headers, peer="203.0.113.9") is None


def test_a_remembered_success_does_not_let_a_stranger_in(ingress: ClientCertAuthenticator) -> None:
    assert is_of(ingress.authenticate(headers_of(ALICE), peer=ADDRESS), ALICE)
    with refused("proxy_untrusted"):
        ingress.authenticate(headers_of(ALICE), peer="203.0.113.9")


@pytest.mark.parametrize("client_member", [(ADDRESS, "35880"), [ADDRESS, 0], ["::1", 1, 0, 0]])
def test_the_peer_of_a_scope_is_read_as_servers_write_it(client_member: Any, ingress: ClientCertAuthenticator) -> None:
    assert is_of(ingress.authenticate_scope(scope_of(headers_of(ALICE), client_member)), ALICE)


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_peer_without_an_address_is_not_the_unix_socket(nobody: str | None, ingress: ClientCertAuthenticator) -> None:
    headers = headers_of(ALICE)
    scope = scope_of(headers, None if nobody is None else [nobody, "0"])
    with refused("proxy_untrusted"):
        ingress.authenticate(headers, peer=nobody)
    with refused("proxy_untrusted"):
        ingress.authenticate_environ(environ_of(headers, **({} if nobody is None else {"REMOTE_ADDR": nobody})))
    for server in (None, ("127.0.0.1", 8000)):
        with refused("proxy_untrusted"):
            ingress.authenticate_scope({**scope, "server": server})
    with refused("proxy_untrusted"):
        ingress.authenticate_scope(without(scope, "client"))


def test_a_unix_socket_is_said_or_shown(ingress: ClientCertAuthenticator) -> None:
    headers = headers_of(ALICE)
    assert is_of(ingress.authenticate(headers, peer="unix"), ALICE)
    assert is_of(ingress.authenticate_scope({**scope_of(headers, None), "server": ("/run/app.sock", None)}), ALICE)
    assert is_of(ingress.authenticate_environ(environ_of(headers, REMOTE_ADDR="localhost")), ALICE)


def test_several_files_of_cas_and_crls_are_one_trust_also_from_the_environment(tmp_path: Path) -> None:
    paths, new_root = {}, authority("New Root")
    for name, party in (("old", ROOT), ("new", new_root)):
        (tmp_path / f"{name}.crt").write_text(party.pem, encoding="ascii")
        (tmp_path / f"{name}.crl").write_text(pem_of_crls(revocation_list(party)), encoding="ascii")
        paths[name] = tmp_path / name
    environ = {
        "SSLCLIENTCERT_CA": f"{paths['old']}.crt,{paths['new']}.crt",
        "SSLCLIENTCERT_CRL": f"{paths['old']}.crl, {paths['new']}.crl",
    }
    authenticator = ClientCertAuthenticator.from_env(environ=environ)
    for party in (ALICE, client("bob", new_root)):
        assert is_of(authenticator.authenticate(headers_of(party), peer=ADDRESS), party)


def test_a_peer_that_nobody_said_is_a_fault_of_the_caller_unless_any_peer_is_trusted(store: TrustStore) -> None:
    headers = headers_of(ALICE)
    for trusted in ("127.0.0.1", "unix", "unaddressed", "0.0.0.0/0, ::/0"):
        authenticator = ClientCertAuthenticator(store, trusted_proxies=trusted)
        for request in (headers, {}):
            with pytest.raises(TypeError, match=r'peer=.*such as peer="10\.0\.0\.7"; peer="unix"'):
                authenticator.authenticate(request)
    assert is_of(ClientCertAuthenticator(store, trusted_proxies="*").authenticate(headers), ALICE)


def test_the_sidecar_of_a_mesh_is_not_trusted_by_default(ingress: ClientCertAuthenticator) -> None:
    with refused("proxy_untrusted"):
        ingress.authenticate(headers_of(ALICE), peer="127.0.0.6")


@pytest.mark.parametrize(("trusted", "warns"), [(["*"], True), ("10.0.0.7, ::/0", True), (None, False)])
def test_what_lets_every_peer_through_is_warned_of_once_when_the_application_starts(
    trusted: Any, warns: bool, store: TrustStore, caplog: pytest.LogCaptureFixture
) -> None:
    options = {} if trusted is None else {"trusted_proxies": trusted}
    authenticator = ClientCertAuthenticator(store, **options)
    for _ in range(3):
        authenticator.authenticate({}, peer=ADDRESS)

    assert authenticator.trusts_every_peer is warns
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == warns
    assert all("trusted_proxies lets every peer" in text for text in warnings)


@pytest.mark.parametrize(
    "client_member", [5, {"host": ADDRESS}, "nonsense", object(), [[ADDRESS]], [5, 5], (b"127.0.0.1", 1)]
)
def test_a_scope_whose_client_is_no_address_is_refused(client_member: Any, ingress: ClientCertAuthenticator) -> None:
    with refused("proxy_untrusted"):
        ingress.authenticate_scope(scope_of(headers_of(ALICE), client_member))


SECRET, OLD_SECRET = "correct horse battery", "Tr0ub4dor&3-and-more"


def test_a_shared_secret_must_come_along(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, shared_secret=("X-Proxy-Secret", SECRET), trusted_proxies="*")
    headers = headers_of(ALICE)

    assert is_of(authenticator.authenticate({**headers, "x-proxy-secret": SECRET}, peer=ADDRESS), ALICE)
    wrong = ["", SECRET[:-1], SECRET + "2", SECRET.upper(), f" {SECRET}", f"{SECRET} ", f"{SECRET},{SECRET}"]
    for value in (*wrong, OLD_SECRET, "h\xfcnter2", "\ud800"):
        with refused("proxy_untrusted"):
            authenticator.authenticate({**headers, "x-proxy-secret": value}, peer=ADDRESS)
    with refused("proxy_untrusted"):
        authenticator.authenticate(headers, peer=ADDRESS)
    with refused("header_ambiguous"):
        authenticator.authenticate(
            [*headers.items(), ("x-proxy-secret", SECRET), ("x-proxy-secret", SECRET)], peer=ADDRESS
        )
    with refused("header_ambiguous"):
        authenticator.authenticate({**headers, "x_proxy_secret": SECRET}, peer=ADDRESS)


@pytest.mark.parametrize("values", [[SECRET, OLD_SECRET], (OLD_SECRET, SECRET)])
def test_while_a_secret_changes_both_values_hold_and_no_others(values: Any, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, shared_secret=("x-proxy-secret", values))
    headers = headers_of(ALICE)
    for value in values:
        assert is_of(authenticator.authenticate({**headers, "x-proxy-secret": value}, peer=ADDRESS), ALICE)
    for value in (f"{SECRET}, {OLD_SECRET}", f"{SECRET},{OLD_SECRET}", SECRET + OLD_SECRET, ""):
        with refused("proxy_untrusted"):
            authenticator.authenticate({**headers, "x-proxy-secret": value}, peer=ADDRESS)


def test_a_shared_secret_alone_is_nobody(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, shared_secret=("x-proxy-secret", SECRET))

    assert authenticator.authenticate({"x-proxy-secret": SECRET}, peer=ADDRESS) is None
    assert authenticator.authenticate({}, peer=ADDRESS) is None


def test_neither_the_secret_nor_what_was_sent_for_it_is_told(
    store: TrustStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    authenticator = ClientCertAuthenticator(store, shared_secret=("x-proxy-secret", [SECRET, OLD_SECRET]))
    with refused("proxy_untrusted") as caught:
        authenticator.authenticate({**headers_of(ALICE), "x-proxy-secret": "wrong horse battery"}, peer=ADDRESS)

    told = [str(caught.value), caplog.text, repr(authenticator), repr(authenticator._secret), str(vars(authenticator))]
    for text in (*told, str(caught.value.problem()), *(str(vars(record)) for record in caplog.records)):
        assert "horse" not in text
        assert "dor&3" not in text


@pytest.mark.parametrize(
    "secret",
    [
        *(("", SECRET), ("x", ""), ("x",), ("x", SECRET, "z"), (), f"x-secret: {SECRET}", ("x", 5), (5, SECRET)),
        *((None, None), ("ssl-client-cert", SECRET), ("SSL_CLIENT_VERIFY", SECRET), ("x secret", SECRET)),
        *(("x-secret:", SECRET), ("x-secret", SECRET + "\n"), ("x-secret", f" {SECRET}"), ("x-secret", SECRET + "ü")),
        *(("x-secret", "horse battery 1"), ("x-secret", f"{SECRET},{OLD_SECRET}"), ("x-secret", [])),
        *(("x-secret", [SECRET, ""]), ("x-secret", [SECRET, "short"]), ("x-secret", [SECRET, None])),
        *(("x-secret", {SECRET: 1}), ("x-secret", SECRET.encode())),
    ],
    ids=ascii,
)
def test_a_shared_secret_that_could_never_arrive_or_be_guessed_is_a_configuration_fault_that_does_not_tell_it(
    secret: Any, store: TrustStore
) -> None:
    with pytest.raises(ValueError, match=".") as caught:
        ClientCertAuthenticator(store, shared_secret=secret)
    assert "horse" not in str(caught.value)


# Sizes


@pytest.mark.parametrize("proxy", ROWS)
def test_what_is_over_the_limit_is_too_large_before_it_is_decoded(proxy: ProxyName, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy)
    headers = {**headers_of(ALICE, proxy), PROXIES[proxy].certificate_header: "%" * 1_000_000}

    with refused("header_too_large") as caught:
        authenticator.authenticate(headers, peer=ADDRESS)
    assert "65536" in caught.value.detail


@pytest.mark.parametrize("proxy", ROWS)
@pytest.mark.parametrize(
    "unit", ["%41", "%", "A", "AAAA,", "=", ":", '"', "\\", "URI=,", "MAAwADAA", "-----BEGIN", " "]
)
def test_a_megabyte_of_garbage_is_refused_under_a_raised_limit_too(
    proxy: ProxyName, unit: str, store: TrustStore
) -> None:
    authenticator = ClientCertAuthenticator(store, proxy=proxy, max_header_bytes=2_000_000)
    with pytest.raises(ClientCertError) as caught:
        authenticator.authenticate({PROXIES[proxy].certificate_header: unit * (1_000_000 // len(unit))}, peer=ADDRESS)
    assert caught.value.status == 400


def test_the_limit_is_on_all_headers_of_the_row_together(store: TrustStore) -> None:
    headers = headers_of(ALICE)
    size = sum(map(len, headers.values()))

    assert is_of(ClientCertAuthenticator(store, max_header_bytes=size).authenticate(headers, peer=ADDRESS), ALICE)
    with refused("header_too_large"):
        ClientCertAuthenticator(store, max_header_bytes=size - 1).authenticate(headers, peer=ADDRESS)
    other = {**headers, "cookie": "x" * 100_000}
    assert is_of(ClientCertAuthenticator(store, max_header_bytes=size).authenticate(other, peer=ADDRESS), ALICE)


# Authorization


def test_a_rule_that_holds_lets_in_and_one_that_does_not_refuses(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, authorize=rules.common_name("alice"))

    assert is_of(authenticator.authenticate(headers_of(ALICE), peer=ADDRESS), ALICE)
    with refused("not_authorized") as caught:
        authenticator.authenticate(headers_of(MALLORY), peer=ADDRESS)
    assert "common_name('alice')" in caught.value.detail
    assert "mallory" in caught.value.detail


@pytest.mark.parametrize("answer", [1, "yes", "no", [1], object(), None, 0, False, "", NotImplemented])
def test_a_rule_must_answer_exactly_true(answer: object, store: TrustStore) -> None:
    for rule in (lambda _: answer, rules.predicate(lambda _: answer)):  # type: ignore[arg-type,return-value]
        with refused("not_authorized"):
            ClientCertAuthenticator(store, authorize=rule).authenticate(headers_of(ALICE), peer=ADDRESS)


def test_a_rule_that_fails_refuses_and_is_logged(store: TrustStore, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: ClientIdentity) -> bool:
        raise LookupError("no database\r\nforged line")

    with refused("not_authorized"):
        ClientCertAuthenticator(store, authorize=fails).authenticate(headers_of(ALICE), peer=ADDRESS)
    assert "fails" in caplog.text


def test_a_rule_is_asked_again_for_a_remembered_identity(store: TrustStore) -> None:
    allowed, asked = [True], []

    def rule(identity: ClientIdentity) -> bool:
        asked.append(identity)
        return allowed[0]

    authenticator = ClientCertAuthenticator(store, authorize=rule)
    for _ in range(2):
        assert is_of(authenticator.authenticate(headers_of(ALICE), peer=ADDRESS), ALICE)
    allowed[0] = False
    with refused("not_authorized"):
        authenticator.authenticate(headers_of(ALICE), peer=ADDRESS)
    assert len(asked) == 3


def test_a_rule_is_not_asked_about_an_anonymous_client(store: TrustStore) -> None:
    def rule(_: ClientIdentity) -> bool:
        raise AssertionError("asked")

    assert ClientCertAuthenticator(store, authorize=rule).authenticate({}, peer=ADDRESS) is None


def test_a_rule_of_a_route_refuses_is_logged_and_audited(store: TrustStore, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Decision] = []
    authenticator = ClientCertAuthenticator(store, audit=seen.append)
    identity = authenticator.authenticate(headers_of(ALICE), peer=ADDRESS)
    assert identity is not None

    authenticator.require_rule(identity, rules.common_name("alice"))
    with refused("not_authorized") as caught:
        authenticator.require_rule(identity, rules.common_name("bob"), peer=ADDRESS)
    assert seen[1:] == [Decision(None, caught.value, ADDRESS)]
    assert "common_name('bob')" in caplog.text


def test_the_log_says_who_was_verified_and_is_not_authorized(
    store: TrustStore, caplog: pytest.LogCaptureFixture
) -> None:
    bob = rules.common_name("bob")
    with refused("not_authorized"):
        ClientCertAuthenticator(store, authorize=bob).authenticate(headers_of(ALICE), peer=ADDRESS)
    with refused("not_authorized"):
        identity = ClientCertAuthenticator(store).authenticate(headers_of(ALICE), peer=ADDRESS)
        assert identity is not None
        ClientCertAuthenticator(store).require_rule(identity, bob)
    fields = ("subject", "issuer", "serial", "fingerprint")
    said = [tuple(record.__dict__[field] for field in fields) for record in caplog.records]
    serial = f"{identity.serial_number:X}"
    assert said == [(identity.subject, identity.issuer, serial, identity.fingerprint_sha256)] * 2


def test_the_log_names_nobody_who_was_not_verified(store: TrustStore, caplog: pytest.LogCaptureFixture) -> None:
    with refused("forwarding_inconsistent"):
        ClientCertAuthenticator(store).authenticate({**headers_of(ALICE), "ssl-client-verify": "NONE"}, peer=ADDRESS)
    fields = ("subject", "issuer", "serial", "fingerprint")
    assert [[vars(record)[field] for field in fields] for record in caplog.records] == [[None] * 4]


def test_the_log_says_which_peer_and_which_path_a_refusal_is_of(
    store: TrustStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    authenticator = ClientCertAuthenticator(store)
    with refused("certificate_untrusted"):
        authenticator.authenticate_scope({**scope_of(headers_of(STRANGER)), "path": "/ord\u00e9rs\n"})
    with refused("certificate_missing"):
        authenticator.authenticate_environ({"REMOTE_ADDR": ADDRESS, "PATH_INFO": "/orders"}, required=True)
    authenticator.authenticate_scope({**scope_of(headers_of(ALICE)), "path": "/orders"})
    with refused("proxy_untrusted"):
        authenticator.authenticate(headers_of(ALICE), peer=None)
    records = [record for record in caplog.records if record.levelno != logging.ERROR]
    assert [(vars(record)["peer"], vars(record)["path"]) for record in records] == [
        (ADDRESS, "/ord\\xe9rs\\n"),
        (ADDRESS, "/orders"),
        (ADDRESS, "/orders"),
        (None, None),
    ]
    messages = [record.getMessage() for record in records]
    assert messages[0].startswith(f"refused a request from '{ADDRESS}': certificate_untrusted: ")
    assert messages[1].startswith(f"refused a request from '{ADDRESS}': certificate_missing: ")
    assert messages[2] == f"accepted 'CN=alice' from '{ADDRESS}'"
    assert messages[3].startswith("refused a request from a peer without an address: proxy_untrusted: ")


def test_what_is_quoted_in_a_message_is_not_in_a_field(store: TrustStore, caplog: pytest.LogCaptureFixture) -> None:
    with refused("proxy_untrusted"):
        ClientCertAuthenticator(store).authenticate(headers_of(ALICE), peer='it\'s "me"')
    assert [vars(record)["peer"] for record in caplog.records] == ['it\'s "me"']


# required


def test_a_required_certificate_that_is_missing_is_an_error_of_its_own(ingress: ClientCertAuthenticator) -> None:
    with refused("certificate_missing"):
        ingress.authenticate({}, peer=ADDRESS, required=True)
    with refused("certificate_missing"):
        ingress.authenticate({"ssl-client-verify": "NONE"}, peer=ADDRESS, required=True)
    with refused("certificate_missing"):
        ingress.authenticate_environ({}, required=True)
    with refused("certificate_missing"):
        ingress.authenticate_scope({"headers": []}, required=True)
    assert is_of(ingress.authenticate(headers_of(ALICE), peer=ADDRESS, required=True), ALICE)


# Audit and log


def test_the_audit_sees_every_identity_and_every_refusal_and_no_anonymous_request(store: TrustStore) -> None:
    seen: list[Decision] = []
    authenticator = ClientCertAuthenticator(store, audit=seen.append)

    for _ in range(2):  # the second time from the cache
        authenticator.authenticate(headers_of(ALICE), peer=ADDRESS)
    authenticator.authenticate({}, peer=ADDRESS)
    with refused("certificate_untrusted") as caught:
        authenticator.authenticate(headers_of(STRANGER), peer="::1")
    with refused("header_ambiguous") as ambiguous:
        authenticator.authenticate([(CERT, "a"), (CERT, "b")], peer=ADDRESS)

    assert [is_of(one.identity, ALICE) for one in seen] == [True, True, False, False]
    assert seen[0].error is None
    assert seen[2:] == [Decision(None, caught.value, "::1"), Decision(None, ambiguous.value, ADDRESS)]


HOSTILE = "x\r\nWARNING:sslclientcert:accepted admin\x1b[2J\x00\u2028é"


@pytest.mark.parametrize(
    "headers",
    [
        {CERT: HOSTILE},
        {CERT: "", "ssl-client-verify": HOSTILE},
        {CERT: certificate_header(ALICE), SUBJECT: HOSTILE},
        {CERT: "", ISSUER: HOSTILE},
        {HOSTILE: "", "ssl_client_cert": HOSTILE},
        {"trailer": f"{CERT}, {HOSTILE}"},
        headers_of(client(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOSTILE)]), ROOT)),
        headers_of(
            client(
                x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOSTILE)]),
                ROOT,
                without=[x509.AuthorityKeyIdentifier],
                extra=[(sans(x509.DNSName("bad_.example")), False)],
            )
        ),
        headers_of(client(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOSTILE)]), STRANGE_ROOT)),
    ],
    ids=["certificate", "verdict", "subject", "issuer", "name", "trailer", "trusted", "an odd name", "untrusted"],
)
def test_no_input_can_forge_a_line_of_the_log(headers: Headers, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    authenticator = ClientCertAuthenticator(
        TrustStore([ROOT.certificate]), trusted_proxies="*", authorize=rules.common_name("nobody")
    )
    with refused(*{one.code for one in ClientCertError.__subclasses__()}):
        authenticator.authenticate(headers, peer=HOSTILE)

    for record in caplog.records:
        fields = ("peer", "path", "detail", "subject", "issuer", "serial")
        said = [record.getMessage(), *(str(vars(record).get(field)) for field in fields)]
        assert all(text.isprintable() and text.isascii() for text in said), said


def test_a_refusal_is_a_warning_and_a_missing_certificate_is_not(
    ingress: ClientCertAuthenticator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sslclientcert")
    with refused("certificate_untrusted"):
        ingress.authenticate(headers_of(STRANGER), peer=ADDRESS)
    with refused("certificate_missing"):
        ingress.authenticate({}, peer=ADDRESS, required=True)
    ingress.authenticate(headers_of(ALICE), peer=ADDRESS)

    assert [(record.name, record.levelname, record.__dict__["code"]) for record in caplog.records] == [
        ("sslclientcert", "WARNING", "certificate_untrusted"),
        ("sslclientcert", "INFO", "certificate_missing"),
    ]


# The cache


def counted(authenticator: ClientCertAuthenticator, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Count how often something is decoded rather than remembered."""
    decoded: list[None] = []
    original = authenticator._companions.require_grammar

    def counting(values: Any) -> None:
        decoded.append(None)
        original(values)

    monkeypatch.setattr(authenticator._companions, "require_grammar", counting)
    return decoded


def test_the_same_headers_are_verified_once(ingress: ClientCertAuthenticator, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counted(ingress, monkeypatch)
    identities = {id(ingress.authenticate(headers_of(ALICE), peer=ADDRESS)) for _ in range(5)}

    assert len(decoded) == 1
    assert len(identities) == 1


def test_other_headers_of_the_row_are_another_request(
    ingress: ClientCertAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = counted(ingress, monkeypatch)
    for headers in (headers_of(ALICE), without(headers_of(ALICE), SUBJECT, ISSUER), {CERT: certificate_header(ALICE)}):
        assert is_of(ingress.authenticate(headers, peer=ADDRESS), ALICE)
    with refused("forwarding_inconsistent"):
        ingress.authenticate({**headers_of(ALICE), SUBJECT: "CN=mallory"}, peer=ADDRESS)
    assert len(decoded) == 4


def test_only_successes_are_remembered(ingress: ClientCertAuthenticator, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counted(ingress, monkeypatch)
    for _ in range(2):
        with refused("certificate_untrusted"):
            ingress.authenticate(headers_of(STRANGER), peer=ADDRESS)
        assert ingress.authenticate({"ssl-client-verify": "NONE"}, peer=ADDRESS) is None
    assert len(decoded) == 4
    assert len(ingress._cache) == 0


def test_nobody_without_a_valid_certificate_can_push_an_entry_out(
    store: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator = ClientCertAuthenticator(store, cache_entries=4)
    authenticator.authenticate(headers_of(ALICE), peer=ADDRESS)
    for number in range(50):
        with refused("header_malformed", "certificate_untrusted"):
            authenticator.authenticate({CERT: f"%{number:02}"} if number % 2 else headers_of(STRANGER), peer=ADDRESS)
    decoded = counted(authenticator, monkeypatch)

    assert is_of(authenticator.authenticate(headers_of(ALICE), peer=ADDRESS), ALICE)
    assert not decoded


@pytest.mark.parametrize("entries", [0, 1, 2, 10])
def test_any_number_of_entries_gives_the_same_answers(entries: int, store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, cache_entries=entries)
    for _ in range(3):
        for party in (ALICE, MALLORY):
            assert is_of(authenticator.authenticate(headers_of(party), peer=ADDRESS), party)
    assert len(authenticator._cache) <= entries


def test_a_remembered_identity_ends_with_its_certificate(store: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    short = client("short", ROOT, end=NOW + dt.timedelta(hours=1))
    authenticator = ClientCertAuthenticator(store)
    assert is_of(authenticator.authenticate(headers_of(short), peer=ADDRESS), short)

    end = short.certificate.not_valid_after_utc.timestamp()
    monkeypatch.setattr(time, "time", lambda: end - 0.5)
    assert is_of(authenticator.authenticate(headers_of(short), peer=ADDRESS), short)
    monkeypatch.setattr(time, "time", lambda: end + 1.5)
    with refused("certificate_expired"):
        authenticator.authenticate(headers_of(short), peer=ADDRESS)


def test_a_remembered_identity_holds_from_the_start_of_its_certificate_where_a_clock_was_ahead_and_is_set_right(
    store: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = client("future", ROOT, start=NOW + dt.timedelta(hours=1), end=NOW + dt.timedelta(days=1))
    authenticator = ClientCertAuthenticator(store)
    monkeypatch.setattr(time, "time", (NOW + dt.timedelta(hours=2)).timestamp)
    assert is_of(authenticator.authenticate(headers_of(future), peer=ADDRESS), future)
    monkeypatch.setattr(time, "time", NOW.timestamp)
    with refused("certificate_not_yet_valid"):
        authenticator.authenticate(headers_of(future), peer=ADDRESS)


def test_a_remembered_identity_ends_with_a_ca_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    root = authority("Short Root", key=private_key("P-256", 18), end=NOW + dt.timedelta(hours=1))
    leaf = client("long", root, end=NOW + dt.timedelta(days=9))
    authenticator = ClientCertAuthenticator(TrustStore([root.certificate]))
    assert is_of(authenticator.authenticate(headers_of(leaf), peer=ADDRESS), leaf)

    monkeypatch.setattr(time, "time", (NOW + dt.timedelta(hours=2)).timestamp)
    with refused("certificate_expired", "certificate_untrusted", "trust_store_unavailable"):
        authenticator.authenticate(headers_of(leaf), peer=ADDRESS)


def test_a_remembered_identity_ends_with_the_crl(monkeypatch: pytest.MonkeyPatch) -> None:
    crl = revocation_list(ROOT, end=NOW + dt.timedelta(hours=1))
    authenticator = ClientCertAuthenticator(TrustStore([ROOT.certificate], crls=[crl]))
    assert is_of(authenticator.authenticate(headers_of(ALICE), peer=ADDRESS), ALICE)

    monkeypatch.setattr(time, "time", (NOW + dt.timedelta(hours=2)).timestamp)
    with refused("revocation_unknown"):
        authenticator.authenticate(headers_of(ALICE), peer=ADDRESS)


def test_a_time_of_validation_of_its_own_leaves_the_cache_alone(ingress: ClientCertAuthenticator) -> None:
    assert is_of(ingress.authenticate(headers_of(ALICE), peer=ADDRESS), ALICE)
    with refused("certificate_expired"):
        ingress.authenticate(headers_of(ALICE), peer=ADDRESS, at=NOW + dt.timedelta(days=3650))
    with refused("certificate_not_yet_valid"):
        ingress.authenticate(headers_of(ALICE), peer=ADDRESS, at=NOW - dt.timedelta(days=3650))
    assert is_of(ingress.authenticate(headers_of(MALLORY), peer=ADDRESS, at=NOW), MALLORY)
    assert len(ingress._cache) == 1
    with pytest.raises(ValueError, match="time zone"):
        ingress.authenticate(headers_of(ALICE), peer=ADDRESS, at=dt.datetime(2026, 1, 1))  # noqa: DTZ001


def test_threads_get_their_own_answers_while_the_trust_is_reloaded(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.write_text(pem_of(ROOT))
    store = TrustStore.from_file(bundle, reload_interval=0)
    authenticator = ClientCertAuthenticator(store, cache_entries=4)
    parties = [ALICE, MALLORY, *(client(f"client {number}", ROOT) for number in range(4))]
    wrong: list[object] = []
    done = threading.Event()

    def ask(party: Party) -> None:
        headers, forged = headers_of(party), headers_of(STRANGER)
        try:
            for _ in range(60):
                if not is_of(authenticator.authenticate(headers, peer=ADDRESS), party):
                    wrong.append(party)
                try:
                    wrong.append(authenticator.authenticate(forged, peer=ADDRESS))
                except ClientCertError as error:
                    if error.code != "certificate_untrusted":
                        wrong.append(error)
        except Exception as error:  # noqa: BLE001  # reported below
            wrong.append(error)

    def reload() -> None:
        while not done.is_set():
            store.reload()

    threads = [threading.Thread(target=ask, args=(party,)) for party in parties]
    reloader = threading.Thread(target=reload)
    for thread in (*threads, reloader):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reloader.join()
    assert not wrong


# Configuration


def test_the_header_may_have_another_name(store: TrustStore) -> None:
    authenticator = ClientCertAuthenticator(store, header="X-Client-Cert")

    assert authenticator.proxy.certificate_header == "X-Client-Cert"
    assert is_of(authenticator.authenticate({"x-client-cert": certificate_header(ALICE)}, peer=ADDRESS), ALICE)
    assert authenticator.authenticate({CERT: certificate_header(ALICE)}, peer=ADDRESS) is None
    assert "x-client-cert" in authenticator.guarded_headers


def test_your_own_row_is_used_like_any_other(store: TrustStore) -> None:
    mine = replace(PROXIES["haproxy"], certificate_header="ssl_client_cert", chain_header=None, chain_encoding=None)
    authenticator = ClientCertAuthenticator(store, proxy=mine)

    assert is_of(authenticator.authenticate({"ssl_client_cert": b64(ALICE.der)}, peer=ADDRESS), ALICE)
    with refused("header_ambiguous"):
        authenticator.authenticate({"ssl-client-cert": b64(ALICE.der)}, peer=ADDRESS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proxy": "nginxx"}, "unknown proxy"),
        ({"proxy": None}, "unknown proxy"),
        ({"header": "not a header"}, "not a header name"),
        ({"header": "ssl-client-verify"}, "same name"),
        ({"trusted_proxies": []}, "trusted_proxies"),
        ({"trusted_proxies": "10.0.0.0/33"}, "trusted_proxies"),
        ({"authorize": True}, "authorize"),
        ({"authorize": "CN=alice"}, "authorize"),
        ({"proxy": "envoy", "require_proxy_success": True}, "no verdict header"),
        ({"max_header_bytes": 0}, "max_header_bytes"),
        ({"cache_entries": -1}, "cache_entries"),
        ({"crl": "ca.crl"}, "crl goes with a path"),
    ],
)
def test_a_wrong_option_is_an_error_at_the_start(options: dict[str, Any], message: str, store: TrustStore) -> None:
    with pytest.raises(ValueError, match=message):
        ClientCertAuthenticator(store, **options)


def test_a_bundle_that_cannot_be_read_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="ca.crt"):
        ClientCertAuthenticator(tmp_path / "ca.crt")
    (tmp_path / "ca.crt").write_text("")
    with pytest.raises(ValueError, match="ca.crt"):
        ClientCertAuthenticator(tmp_path / "ca.crt")
    (tmp_path / "ca.crt").write_text(pem_of(ROOT))
    with pytest.raises(OSError, match="ca.crl"):
        ClientCertAuthenticator(tmp_path / "ca.crt", crl=tmp_path / "ca.crl")


# The environment


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    path = tmp_path / "ca.crt"
    path.write_text(pem_of(ROOT))
    return str(path)


def test_the_environment_says_every_option_that_can_be_said_as_text(bundle: str, tmp_path: Path) -> None:
    crl = tmp_path / "ca.crl"
    crl.write_text(pem_of_crls(revocation_list(ROOT)))
    authenticator = ClientCertAuthenticator.from_env(
        environ={
            "SSLCLIENTCERT_CA": bundle,
            "SSLCLIENTCERT_CRL": str(crl),
            "SSLCLIENTCERT_PROXY": "nginx",
            "SSLCLIENTCERT_HEADER": "X-Mine",
            "SSLCLIENTCERT_TRUSTED_PROXIES": "10.0.0.0/8, unix",
            "SSLCLIENTCERT_REQUIRE_PROXY_SUCCESS": "true",
            "SSLCLIENTCERT_SHARED_SECRET": f"X-Secret: {OLD_SECRET}, {SECRET}",
            "SSLCLIENTCERT_MAX_HEADER_BYTES": "10000",
            "SSLCLIENTCERT_MAX_DEPTH": "1",
            "SSLCLIENTCERT_RELOAD_INTERVAL": "0.5",
            "SSLCLIENTCERT_CACHE_ENTRIES": "0",
            "PATH": "/bin",
        }
    )
    headers = {"x-mine": certificate_header(ALICE), "x-ssl-client-verify": "SUCCESS", "x-secret": SECRET}

    assert is_of(authenticator.authenticate(headers, peer="10.0.0.7"), ALICE)
    for name in headers:
        with refused("forwarding_inconsistent", "proxy_untrusted"):
            authenticator.authenticate(without(headers, name), peer="10.0.0.7")
    with refused("proxy_untrusted"):
        authenticator.authenticate(headers, peer=ADDRESS)
    with refused("header_too_large"):
        authenticator.authenticate({**headers, "x-mine": "x" * 10_000}, peer="unix")


def test_the_process_environment_is_where_it_looks_by_default(bundle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLCLIENTCERT_CA", bundle)
    monkeypatch.setenv("MTLS_CA", bundle)
    monkeypatch.setenv("MTLS_PROXY", "traefik")

    assert ClientCertAuthenticator.from_env().proxy is PROXIES["nginx-ingress"]
    assert ClientCertAuthenticator.from_env("MTLS_").proxy is PROXIES["traefik"]


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "SSLCLIENTCERT_CA is not set"),
        ({"SSLCLIENTCERT_CA": ""}, "SSLCLIENTCERT_CA='' is empty"),
        (
            {"SSLCLIENTCERT_TRUSTED_PROXY": "10.0.0.0/8"},
            "TRUSTED_PROXY is not an option; did you mean SSLCLIENTCERT_TRUSTED_PROXIES",
        ),
        ({"SSLCLIENTCERT_MAX_HEADER_BYTES": "0"}, "max_header_bytes"),
        ({"SSLCLIENTCERT_RELOAD_INTERVAL": "nan"}, "reload_interval"),
        ({"SSLCLIENTCERT_PROXY": "nginxx"}, "unknown proxy"),
        ({"SSLCLIENTCERT_TRUSTED_PROXIES": ","}, "trusted_proxies"),
        ({"SSLCLIENTCERT_SHARED_SECRET": ": hunter2"}, "SSLCLIENTCERT_SHARED_SECRET"),
    ],
)
def test_a_variable_that_is_wrong_or_would_loosen_in_silence_is_an_error_that_names_it(
    environ: dict[str, str], message: str, bundle: str
) -> None:
    if environ and "SSLCLIENTCERT_CA" not in environ:
        environ = {"SSLCLIENTCERT_CA": bundle, **environ}
    with pytest.raises(ValueError, match=message):
        ClientCertAuthenticator.from_env(environ=environ)


def test_an_audit_that_is_no_function_is_an_error_at_the_start(store: TrustStore) -> None:
    with pytest.raises(ValueError, match="audit must be a function"):
        ClientCertAuthenticator(store, audit="audit.log")  # type: ignore[arg-type]
