"""How people's own code uses the library itself, for the type checkers to read. Nothing here runs."""

from __future__ import annotations

import datetime as dt
import email.message
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import assert_type

import starlette.datastructures
import werkzeug.datastructures
from cryptography import x509

from sslclientcert import (
    PROXIES,
    ClientCertAuthenticator,
    ClientCertError,
    ClientIdentity,
    PresentedChain,
    Proxy,
    TrustStore,
    decode,
    rules,
)
from sslclientcert.core.errors import ErrorCode
from sslclientcert.rules import Rule

# A trust store, and a header's value


def verified(value: str | bytes, certificates: list[x509.Certificate]) -> ClientIdentity:
    store = TrustStore.from_file("ca.crt")
    store = TrustStore.from_file(Path("ca.crt"), Path("ca.crl"), max_depth=1, revocation="require", reload_interval=1)
    store = TrustStore.from_file(["old/ca.crt", Path("new/ca.crt")], ("root.crl", "issuing.crl"))
    store = TrustStore.from_pem(b"...", "...", clock_skew=60)
    store = TrustStore(certificates, crls=(), max_depth=0)
    presented = assert_type(decode(value), PresentedChain)
    presented = decode(value, "traefik")
    presented = decode(value, proxy=PROXIES["envoy"])
    presented = PresentedChain(certificates[0], (certificates[1],))
    assert_type(presented.leaf, x509.Certificate)
    assert_type(presented.intermediates, tuple[x509.Certificate, ...])
    store.verify(presented, at=dt.datetime.now(dt.UTC))
    return assert_type(store.verify(presented), ClientIdentity)


def read(identity: ClientIdentity) -> None:
    assert_type(identity.certificate, x509.Certificate)
    assert_type(identity.chain, tuple[x509.Certificate, ...])
    assert_type(identity.subject, str)
    assert_type(identity.issuer, str)
    assert_type(identity.common_name, str | None)
    assert_type(identity.organizations, tuple[str, ...])
    assert_type(identity.organizational_units, tuple[str, ...])
    assert_type(identity.serial_number, int)
    assert_type(identity.fingerprint_sha256, str)
    assert_type(identity.thumbprint_s256, str)
    assert_type(identity.not_before, dt.datetime)
    assert_type(identity.not_after, dt.datetime)
    assert_type(identity.sans.dns_names, tuple[str, ...])
    assert_type(identity.sans.emails, tuple[str, ...])
    assert_type(identity.sans.uris, tuple[str, ...])
    assert_type(identity.sans.ip_addresses, tuple[str, ...])
    assert_type(identity.sans.upns, tuple[str, ...])
    assert_type(identity.sans.directory_names, tuple[str, ...])
    assert_type(identity.spiffe_id, str | None)
    assert_type(identity.pem, str)
    assert_type(identity.as_dict(), dict[str, object])


# An authenticator


def is_cart(identity: ClientIdentity) -> bool:
    return identity.spiffe_id == "spiffe://example.org/ns/shop/sa/cart"


def authenticators(store: TrustStore, path: os.PathLike[str]) -> Iterable[ClientCertAuthenticator]:
    yield ClientCertAuthenticator("ca.crt")
    yield ClientCertAuthenticator(path, crl=path, proxy="nginx-ingress", header=None, trusted_proxies=["10.0.0.0/8"])
    yield ClientCertAuthenticator(
        store, proxy=PROXIES["haproxy"], trusted_proxies="10.0.0.0/8, unix", authorize=is_cart
    )
    yield ClientCertAuthenticator(store, authorize=rules.common_name("a") & ~rules.organization("b", "c"))
    yield ClientCertAuthenticator(
        store,
        proxy=Proxy(name="mine", certificate_header="x-client-cert", certificate_encoding="url-pem"),
        require_proxy_success=False,
        shared_secret=("x-proxy-secret", os.environ["SECRET"]),
        max_header_bytes=16384,
        max_depth=1,
        reload_interval=1.5,
        cache_entries=0,
        audit=lambda decision: print(decision.identity, decision.error, decision.peer),  # noqa: T201
    )
    yield ClientCertAuthenticator.from_env()
    yield ClientCertAuthenticator.from_env("MTLS_")
    yield ClientCertAuthenticator.from_env(prefix="MTLS_", environ={"MTLS_CA": "ca.crt"})


def requests(
    authenticator: ClientCertAuthenticator,
    mapping: Mapping[str, str],
    pairs: list[tuple[str, str]],
    raw: Iterable[tuple[bytes, bytes]],
) -> None:
    assert_type(authenticator.authenticate(mapping, peer="10.0.0.7"), ClientIdentity | None)
    authenticator.authenticate(pairs, peer=None)
    assert_type(authenticator.authenticate(raw, peer="unix", required=True), ClientIdentity)
    assert_type(authenticator.authenticate(raw, peer="unix", required=bool(pairs)), ClientIdentity | None)
    assert_type(authenticator.authenticate_environ({"REMOTE_ADDR": ""}), ClientIdentity | None)
    assert_type(authenticator.authenticate_scope({"type": "http", "headers": []}), ClientIdentity | None)
    assert_type(authenticator.guarded_headers, frozenset[str])
    assert_type(authenticator.guarded_environ, frozenset[str])
    assert_type(authenticator.proxy, Proxy)


def proxies(name: str) -> None:
    ClientCertAuthenticator("ca.crt", proxy="traefik")
    ClientCertAuthenticator(["old/ca.crt", Path("new/ca.crt")], crl=["root.crl", "issuing.crl"])
    ClientCertAuthenticator("ca.crt", proxy=PROXIES[name])
    ClientCertAuthenticator("ca.crt", proxy="traefic")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def headers_of_frameworks(
    authenticator: ClientCertAuthenticator,
    starlette_headers: starlette.datastructures.Headers,
    werkzeug_headers: werkzeug.datastructures.Headers,
    message: email.message.Message,
) -> None:
    authenticator.authenticate(starlette_headers, peer="10.0.0.7")
    authenticator.authenticate(werkzeug_headers, peer="10.0.0.7")
    authenticator.authenticate(message.items(), peer="10.0.0.7")


def answer(authenticator: ClientCertAuthenticator, headers: Mapping[str, str]) -> tuple[int, object]:
    try:
        identity = authenticator.authenticate(headers, peer="10.0.0.7")
    except ClientCertError as error:
        assert_type(error.code, ErrorCode)
        assert_type(error.detail, str)
        assert_type(error.title, str)
        return assert_type(error.status, int), assert_type(error.problem(), dict[str, object])
    return 200, identity.as_dict() if identity else None


# Rules


def combined(identity: ClientIdentity) -> bool:
    rule = rules.spiffe_trust_domain("example.org") | rules.email("a@example.org") & ~rules.upn("x")
    assert_type(rule, Rule)
    more = rule & rules.predicate(is_cart) & rules.serial_number(5, issuer="CN=CA") & rules.ip_address("10.0.0.0/8")
    return assert_type(more(identity), bool)
