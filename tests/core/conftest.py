"""What the tests of the core share: one small PKI, and encoders of their own, which know nothing of the library's."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import get_args

import pytest

from sslclientcert import PROXIES, ClientCertAuthenticator, ClientCertError, PresentedChain, TrustStore
from sslclientcert.core.proxies import ProxyName
from sslclientcert.testing import encode

from .pki import Party, authority, client, private_key

ROOT = authority("Test Root", key=private_key("P-256", 10))
INTERMEDIATE = authority("Test Intermediate", ROOT, key=private_key("P-256", 11))
ALICE = client("alice", ROOT, key=private_key("P-256", 12))
MALLORY = client("mallory", ROOT, key=private_key("P-256", 13))
CAROL = client("carol", INTERMEDIATE, key=private_key("P-256", 14))
# The same names as Alice's, and another CA's key.
STRANGE_ROOT = authority("Test Root", key=private_key("P-256", 15))
STRANGER = client("alice", STRANGE_ROOT, key=private_key("P-256", 16))

ROWS: tuple[ProxyName, ...] = tuple(name for name in get_args(ProxyName) if name in PROXIES)  # without "environ"
CHAIN_ROWS: tuple[ProxyName, ...] = ("envoy", "traefik", "haproxy", "rfc9440", "aws-alb", "gcp", "cloudflare")


@pytest.fixture(scope="session")
def store() -> TrustStore:
    return TrustStore([ROOT.certificate])


@pytest.fixture
def ingress(store: TrustStore) -> ClientCertAuthenticator:
    return ClientCertAuthenticator(store)


def headers_of(party: Party, proxy: str = "nginx-ingress", *intermediates: Party) -> dict[str, str]:
    """What the proxy sends for a certificate that it accepts."""
    return encode(party.certificate, proxy, intermediates=[one.certificate for one in intermediates])


def certificate_header(party: Party, proxy: str = "nginx-ingress") -> str:
    return headers_of(party, proxy)[PROXIES[proxy].certificate_header]


@contextmanager
def refused(*codes: str) -> Iterator[pytest.ExceptionInfo[ClientCertError]]:
    """Expect a ClientCertError of one of these codes, with a detail that is safe to log."""
    with pytest.raises(ClientCertError) as caught:
        yield caught
    assert caught.value.code in codes
    assert caught.value.detail.isascii()
    assert caught.value.detail.isprintable()


# Encoders: each a line of the standard library, one for each of the library's encodings


def b64(der: bytes) -> str:
    return base64.b64encode(der).decode()


def pem(der: bytes) -> str:
    text = b64(der)
    lines = (text[start : start + 64] for start in range(0, len(text), 64))
    return "-----BEGIN CERTIFICATE-----\n" + "".join(line + "\n" for line in lines) + "-----END CERTIFICATE-----\n"


def escaped(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def element_of_xfcc(*chain: bytes, extra: str = "") -> str:
    """One element of x-forwarded-client-cert as Envoy writes it with cert and chain."""
    joined = "".join(map(pem, chain))
    digest = hashlib.sha256(chain[0]).hexdigest()
    return f'Hash={digest};Cert="{escaped(pem(chain[0]))}";Chain="{escaped(joined)}"{extra}'


ENCODERS: dict[str, Callable[..., str]] = {
    "url-pem": lambda *chain: escaped("".join(map(pem, chain))),
    "url-pem-chain": lambda *chain: escaped("".join(map(pem, chain))),
    "folded-pem": lambda *chain: "".join(map(pem, chain)).replace("\n", " "),
    "base64-der": lambda *chain: b64(b"".join(chain)),
    "base64-der-list": lambda *chain: ",".join(map(b64, chain)),
    "base64-der-concatenation": lambda *chain: b64(b"".join(chain)),
    "base64-pem": lambda *chain: b64("".join(map(pem, chain)).encode()),
    "byte-sequence": lambda *chain: ", ".join(f":{b64(der)}:" for der in chain),
    "byte-sequence-list": lambda *chain: ", ".join(f":{b64(der)}:" for der in chain),
    "xfcc": element_of_xfcc,
    "xfcc-first": element_of_xfcc,
    "xfcc-last": element_of_xfcc,
}


def ders_of(presented: PresentedChain) -> list[bytes]:
    return [Party(one, ROOT.key).der for one in (presented.leaf, *presented.intermediates)]
