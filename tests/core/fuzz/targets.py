"""What is fuzzed: functions of bytes that fail where the library breaks a promise, each with its seeds.

Each starts from something good and changes it, so that the code behind the first check is reached as well.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import ipaddress
import json
import ssl
import urllib.parse
from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import (
    PROXIES,
    ClientCertAuthenticator,
    ClientCertError,
    ClientIdentity,
    PresentedChain,
    TrustStore,
)
from sslclientcert.core.bundle import parse_certificates, parse_crls
from sslclientcert.core.consistency import is_openssl_text_of
from sslclientcert.core.decoding import ENCODINGS, MAX_FORWARDED
from sslclientcert.testing import encode

from ..conftest import ALICE, CAROL, ENCODERS, INTERMEDIATE, MALLORY, ROOT, STRANGER
from ..pki import (
    Extension,
    aki,
    authority,
    client,
    content_of,
    elements,
    name_of,
    pem_of,
    pem_of_crls,
    private_key,
    purposes,
    revocation_list,
    revoked_entry,
    rewritten,
    sans,
    usage,
)
from .edits import Choices, edited_bytes, edited_der, edited_text

__all__ = ["TARGETS"]

_NAMES = sans(
    x509.DNSName("alice.example.org"),
    x509.RFC822Name("alice@example.org"),
    x509.UniformResourceIdentifier("spiffe://example.org/alice"),
    x509.DirectoryName(name_of("CN=alice,O=Example")),
    x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9"), b"\x0c\x07a@b.org"),
)
_FULL_NAME = "CN=alice,OU=Shop,OU=Cart,O=Example\\, Inc.,L=Oslo,ST=Oslo,C=NO,DC=example,emailAddress=a@example.org"


@functools.cache
def leaves() -> tuple[bytes, ...]:
    """Certificates whose parts are exchanged."""
    issuer = [x509.DirectoryName(ROOT.certificate.subject)]
    by_name = x509.AuthorityKeyIdentifier(None, issuer, ROOT.certificate.serial_number)
    point = x509.DistributionPoint(issuer, None, None, issuer)
    keys = [private_key(kind, 1) for kind in ("P-256", "P-384", "P-521", "RSA-2048", "RSA-3072", "Ed25519")]
    parties = [client("alice", ROOT, key=key) for key in keys]
    parties += [
        client(_FULL_NAME, ROOT, extra=[(_NAMES, True), (usage("digital_signature", "key_agreement"), True)]),
        client("alice", ROOT, extra=[(purposes("CLIENT_AUTH", "SERVER_AUTH"), True), (_NAMES, False)]),
        client("alice", ROOT, extra=[(purposes("SERVER_AUTH"), False)], digest=hashes.SHA384()),
        client("alice", ROOT, extra=[(usage("key_encipherment"), True)], digest=hashes.SHA512()),
        client("alice", ROOT, without=[x509.ExtendedKeyUsage, x509.KeyUsage]),
        client("alice", ROOT, extra=[(by_name, False), (x509.CRLDistributionPoints([point]), False)]),
    ]
    return tuple(party.der for party in (ALICE, MALLORY, CAROL, STRANGER, ROOT, INTERMEDIATE, *parties))


@functools.cache
def authenticator(proxy: str) -> ClientCertAuthenticator:
    return ClientCertAuthenticator(
        TrustStore([ROOT.certificate, INTERMEDIATE.certificate]), proxy=PROXIES[proxy], trusted_proxies="*"
    )


@functools.cache
def sent(proxy: str) -> tuple[dict[str, str], ...]:
    """What a proxy sends for a good client, one below an intermediate, a stranger, and nobody."""
    chains = ((ALICE,), (CAROL, INTERMEDIATE), (STRANGER,))
    certificates = [[party.certificate for party in chain] for chain in chains]
    return (*[encode(leaf, proxy, intermediates=rest) for leaf, *rest in certificates], encode(None, proxy))


_PIECES = (
    *(
        "%",
        "%0A",
        "%0a",
        "%25",
        "%2",
        "%2B",
        "+",
        "=",
        "==",
        "/",
        ":",
        "::",
        ",",
        ", ",
        ";",
        '"',
        '\\"',
        "\\",
        " ",
        "\t",
    ),
    *(
        "\n",
        "\r\n ",
        "\0",
        "\xff",
        "-----BEGIN CERTIFICATE-----",
        "-----END CERTIFICATE-----",
        "-----END%20CERTIFICATE",
    ),
    *(
        "SUCCESS",
        "NONE",
        "FAILED:",
        "(null)",
        "0",
        "1",
        "true",
        "CN=alice",
        "Hash=",
        'Cert="',
        "Chain=",
        "URI=",
        "DNS=",
    ),
)


def decoding(data: bytes) -> None:
    """A value is decoded to bytes that stand in it, or refused."""
    choices = Choices(data)
    encoding = choices.one_of(sorted(ENCODINGS))
    chain = (ALICE.der,) if choices.below(2) else (CAROL.der, INTERMEDIATE.der)
    text = edited_text(choices, ENCODERS[encoding](*chain), _PIECES)
    try:
        certificates = ENCODINGS[encoding].decode(text)
    except ClientCertError as error:
        assert error.detail.isascii()
        assert error.detail.isprintable()
        return
    assert 0 < len(certificates) <= MAX_FORWARDED
    assert all(certificates)
    if encoding == "base64-pem":
        text = base64.b64decode(text).decode()
    seen = "".join(urllib.parse.unquote(text).split())
    if encoding == "base64-der-concatenation":
        assert base64.b64encode(b"".join(certificates)).decode() == text
    else:
        assert all(base64.b64encode(each).decode() in seen for each in certificates)


def headers(data: bytes) -> None:
    """Headers give an identity that somebody here was issued, None, or a ClientCertError."""
    choices = Choices(data)
    proxy = choices.one_of(list(PROXIES))
    judge = authenticator(proxy)
    own = sorted(judge.guarded_headers)
    values = [value for one in sent(proxy) for value in one.values()]
    pairs: list[tuple[str | bytes, str | bytes]] = []
    for name, value in choices.one_of(sent(proxy)).items():
        pairs.append((name, edited_text(Choices(choices.take(choices.below(12))), value, _PIECES)))
    while choices.more() and len(pairs) < 12:
        name = choices.one_of((*own, *(each.replace("-", "_") for each in own), "Trailer", "x"))
        value = choices.one_of((*values, *own, *_PIECES))
        pairs.insert(
            choices.below(len(pairs) + 1),
            (name.encode(), value.encode("latin-1")) if choices.below(2) else (name.title(), value),
        )
    peer = choices.one_of(("127.0.0.1", "", None, "10.0.0.7"))
    environ = {"HTTP_" + str(name).upper().replace("-", "_"): value for name, value in pairs if isinstance(name, str)}
    for call in (
        functools.partial(judge.authenticate, pairs, peer=peer),
        functools.partial(judge.authenticate_environ, {**environ, "REMOTE_ADDR": peer}),
    ):
        try:
            identity = call()
        except ClientCertError:
            continue
        assert identity is None or identity.certificate in (ALICE.certificate, CAROL.certificate)


def bundles(data: bytes) -> None:
    """A file gives certificates, of which some may be left out, or a ValueError."""
    choices = Choices(data)
    content = choices.one_of((pem_of(ROOT, INTERMEDIATE).encode(), ROOT.der, ALICE.pem.encode(), b""))
    if choices.below(2):
        content = edited_der(choices, choices.one_of(leaves()), leaves())
    else:
        content = edited_bytes(choices, content)
    try:
        found = parse_certificates(content, "bundle")
    except ValueError:
        return
    assert found.certificates or found.left_out
    with contextlib.suppress(ValueError):
        TrustStore.from_pem(content)


@functools.cache
def lists() -> tuple[bytes, ...]:
    made = (revocation_list(ROOT, 1, 2**150, 127, 128), revocation_list(ROOT), revocation_list(INTERMEDIATE, 5))
    return tuple(each.public_bytes(Encoding.DER) for each in made)


def revocation(data: bytes) -> None:
    """A file gives lists with the serial numbers that cryptography finds in them, or a ValueError."""
    choices = Choices(data)
    if choices.below(4):
        content = edited_der(choices, choices.one_of(lists()), (*lists(), *leaves()))
    else:
        pem = pem_of_crls(*map(x509.load_der_x509_crl, lists())).encode()
        content = edited_bytes(choices, choices.one_of((*lists(), pem)))
    try:
        found = parse_crls(content, "list")
    except ValueError:
        return
    try:
        expected = [x509.load_der_x509_crl(content)]
    except ValueError:
        return  # PEM of several
    for ours, theirs in zip(found, expected, strict=True):
        if ours.fault is None and not ours.scope.is_delta:
            assert all(entry.serial_number in ours.serial_numbers for entry in theirs)


@functools.cache
def cas() -> tuple[bytes, ...]:
    """CAs with everything that a CA may have, all with INTERMEDIATE's key."""
    policies = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)])
    subtrees = [
        *(x509.DNSName("example.org"), x509.RFC822Name("example.org"), x509.UniformResourceIdentifier(".example.org")),
        *(x509.DirectoryName(name_of("O=Example")), x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))),
    ]
    point = x509.DistributionPoint([x509.UniformResourceIdentifier("http://example.org/ca.crl")], None, None, None)
    extras: list[list[Extension]] = [
        [],
        [(x509.NameConstraints(subtrees, None), True)],
        [(x509.NameConstraints(None, subtrees), False)],
        [(policies, True), (x509.InhibitAnyPolicy(0), True), (x509.PolicyConstraints(0, 0), True)],
        [(purposes("CLIENT_AUTH"), True), (x509.CRLDistributionPoints([point]), False), (_NAMES, False)],
    ]
    key = INTERMEDIATE.key
    return tuple(authority("Test Intermediate", ROOT, key=key, extra=extra, pathlen=1).der for extra in extras)


def resigned(choices: Choices, original: bytes, seeds: Sequence[bytes], *, key: bytes | None = None) -> bytes:
    """A certificate or list with parts of it changed, or taken from others, and signed again by ROOT.

    Parameters:
        choices: what to change.
        original: what has the algorithm of ROOT's signature.
        seeds: what to begin with, and where to take parts from.
        key: the SubjectPublicKeyInfo to put back.
    """
    donor = edited_der(choices, choices.one_of(seeds), seeds)

    def swap(parts: list[bytes]) -> None:
        try:
            parts[:] = elements(content_of(elements(content_of(donor))[0]))
        except IndexError:
            parts[:] = [donor]
        if key is not None and len(parts) > 6:
            parts[6] = key

    return rewritten(original, ROOT.key, swap)


def require_readable(identity: ClientIdentity) -> None:
    """Fail if an attribute of an identity raises."""
    for name in dir(identity):
        if not name.startswith("_"):
            getattr(identity, name)
    assert json.loads(json.dumps(identity.as_dict()))
    assert json.loads(json.dumps(identity.telemetry_attributes()))
    assert repr(identity).isprintable()
    assert {identity: 1}[identity]


def signed(data: bytes) -> None:
    """Whatever a CA signs gives an identity that can be read in full, or a ClientCertError."""
    der = resigned(Choices(data), ALICE.der, leaves())
    try:
        identity = authenticator("haproxy").authenticate(
            {"x-ssl-client-cert": base64.b64encode(der).decode()}, peer="127.0.0.1"
        )
    except ClientCertError as error:
        assert error.detail.isprintable()
        return
    assert identity is not None
    assert identity.certificate.public_bytes(Encoding.DER) == der
    require_readable(identity)


_CAROLS_KEY = elements(content_of(elements(content_of(INTERMEDIATE.der))[0]))[6]


def issuers(data: bytes) -> None:
    """Whatever CA stands above a client, in the bundle or forwarded, it gets an identity or a ClientCertError.

    A bundle may be refused as a whole, with a ValueError that says what to do.
    """
    choices = Choices(data)
    der = resigned(choices, INTERMEDIATE.der, (*cas(), *leaves()), key=_CAROLS_KEY if choices.below(4) else None)
    pem = ssl.DER_cert_to_PEM_cert(der)
    bundle = choices.one_of((pem_of(ROOT), pem_of(ROOT) + pem, pem + pem_of(INTERMEDIATE, ROOT), pem))
    try:
        store = TrustStore.from_pem(bundle)
        assert store.status().as_dict()
        identity = store.verify(PresentedChain.from_der([CAROL.der, *([der] if choices.below(2) else [])]))
    except ClientCertError as error:
        assert error.detail.isprintable()
    except ValueError as error:
        assert "the CA bundle" in str(error)
    else:
        require_readable(identity)


@functools.cache
def scoped_lists() -> tuple[bytes, ...]:
    point = [x509.UniformResourceIdentifier("http://example.org/ca.crl")]
    scopes = ((None, False, False), (point, False, False), (None, True, False), (None, False, True))
    extras: list[list[Extension]] = [
        [(x509.IssuingDistributionPoint(name, None, users, cas, None, False, False), True)]
        for name, users, cas in scopes[1:]
    ]
    extras += [[], [(x509.CRLNumber(5), False), (aki(ROOT.key), False)], [(x509.DeltaCRLIndicator(4), True)]]
    revoked = revoked_entry(9, (x509.CRLReason(x509.ReasonFlags.key_compromise), False))
    made = [revocation_list(ROOT, 1, 2**150, revoked, extensions=extra) for extra in extras]
    return tuple(each.public_bytes(Encoding.DER) for each in made)


def revoking(data: bytes) -> None:
    """Whatever list a CA signs, its client gets an identity or a ClientCertError, or the file is refused."""
    original, *others = scoped_lists()
    crl = resigned(Choices(data), original, (original, *others))
    try:
        store = TrustStore.from_pem(pem_of(ROOT), crl=crl)
        assert store.status().as_dict()
        require_readable(store.verify(PresentedChain.from_der([ALICE.der])))
    except ClientCertError as error:
        assert error.detail.isprintable()
    except ValueError as error:
        assert "the CRL" in str(error)


def names(data: bytes) -> None:
    """A text is a name's or is not; it raises nothing, and a name's own text is its own."""
    choices = Choices(data)
    name = name_of(_FULL_NAME)
    text = edited_text(choices, name.rfc4514_string(), (*_PIECES, "\\", "\\2C", "\\,", "+", "CN=", "#0c0161", "1.2.3="))
    assert is_openssl_text_of(name, text) in (True, False)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (decoding, headers, bundles, revocation, signed, issuers, revoking, names)
}
