"""A certification authority for tests: good and bad client certificates, in well under 5 ms.

Do not trust anything made here. The keys are not protected, and anybody who runs the test has them.

Elliptic curve keys (P-256) are the default because they take 0.1 ms. An RSA key takes 50 ms and more.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..core.authenticator import ClientCertAuthenticator
from ..core.peers import TrustedProxies
from ..core.proxies import Proxy, ProxyName, proxy_named
from ..core.trust import TrustStore
from . import _der
from .encoders import encode

__all__ = ["CertificateOptions", "ClientCA", "IssuedCertificate", "KeyKind", "PrivateKey"]

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KeyKind: TypeAlias = Literal["ec", "rsa", "ed25519"]

_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
# RFC 5758 section 3.2 and RFC 8017 appendix A.2.4: an identifier alone, and one with a NULL.
_ECDSA_WITH_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
_RSA_WITH_SHA1 = bytes.fromhex("300d06092a864886f70d0101050500")


class CertificateOptions(TypedDict, total=False):
    """What a certificate may be issued with; see `ClientCA.issue`."""

    dns_names: Sequence[str]
    emails: Sequence[str]
    uris: Sequence[str]
    ip_addresses: Sequence[str]
    upns: Sequence[str]
    organization: str | Sequence[str]
    organizational_unit: str | Sequence[str]
    not_before: datetime
    not_after: datetime
    key: KeyKind | PrivateKey
    serial_number: int
    extensions: Sequence[x509.ExtensionType]


@dataclasses.dataclass(frozen=True, eq=False)
class IssuedCertificate:
    """A client certificate with its key, and the headers that each proxy would send for it.

    It may be a bad one: see the method of `ClientCA` that made it.

    Attributes:
        name: the common name that it was requested with.
        der: the certificate. For `ClientCA.not_a_certificate`, other bytes.
        private_key: the client's key.
        intermediates: the certificates between it and the root, which a client sends in the handshake.
        verdict: OpenSSL's result for it, as a number (0: it is good), which proxies put into their headers.
    """

    name: str
    der: bytes = dataclasses.field(repr=False)
    private_key: PrivateKey = dataclasses.field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = dataclasses.field(default=(), repr=False)
    verdict: int = 0

    def headers(self, proxy: str | Proxy = "nginx-ingress", *, verdict: int | str | None = None) -> dict[str, str]:
        """Return the request headers that `proxy` sends for this certificate.

        Parameters:
            proxy: a name in `PROXIES`, or a `Proxy`.
            verdict: the proxy's verdict, if it is not OpenSSL's. See `encode`.

        Returns:
            A new dict of names in lower case to values, for httpx, requests, and the test clients of Flask, Django and
            Starlette.

        Raises:
            ValueError: there is no such proxy.
        """
        verdict = self.verdict if verdict is None else verdict
        return encode(self.der, proxy, intermediates=self.intermediates, verdict=verdict)

    def environ(self, proxy: str | Proxy = "nginx-ingress", *, verdict: int | str | None = None) -> dict[str, str]:
        """Return the same as a WSGI server puts it into the environ: `HTTP_SSL_CLIENT_CERT` and so on (PEP 3333).

        For `proxy="environ"` these are `SSL_CLIENT_CERT` and `SSL_CLIENT_VERIFY`, as the server itself sets them.
        """
        headers = self.headers(proxy, verdict=verdict)
        if proxy_named(proxy).is_environ:
            return headers
        return {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}

    def scope_headers(
        self, proxy: str | Proxy = "nginx-ingress", *, verdict: int | str | None = None
    ) -> list[tuple[bytes, bytes]]:
        """Return the same as an ASGI server puts it into `scope["headers"]`."""
        headers = self.headers(proxy, verdict=verdict)
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    @functools.cached_property
    def certificate(self) -> x509.Certificate:
        """The certificate, parsed.

        Raises:
            ValueError: it is not a certificate.
        """
        return x509.load_der_x509_certificate(self.der)

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """The certificate and its intermediates, as the client sends them, without the root."""
        return (self.certificate, *self.intermediates)

    @property
    def pem(self) -> str:
        """The certificate as PEM, without its intermediates."""
        return ssl.DER_cert_to_PEM_cert(self.der)

    @property
    def chain_pem(self) -> str:
        """The certificate and its intermediates as PEM, for a client's configuration."""
        return self.pem + _pem(self.intermediates)

    @property
    def private_key_pem(self) -> str:
        """The private key as PEM (PKCS #8), not encrypted."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")

    def write(self, directory: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write `client.crt` (with the intermediates) and `client.key`, for curl and other TLS clients.

        Parameters:
            directory: an existing directory. Files of these names are overwritten.

        Returns:
            The paths of the certificate and of the key, as httpx and requests take them for `cert=`.
        """
        certificate, key = Path(directory, "client.crt"), Path(directory, "client.key")
        certificate.write_text(self.chain_pem, encoding="ascii")
        key.touch(mode=0o600)
        key.write_text(self.private_key_pem, encoding="ascii")
        return certificate, key

    def ssl_context(self, *, server_ca: str | None = None) -> ssl.SSLContext:
        """Return the context of a TLS client that presents this certificate.

        Parameters:
            server_ca: PEM of the CAs that the *server's* certificate may come from. None means the system's.
        """
        context = ssl.create_default_context(cadata=server_ca)
        with tempfile.TemporaryDirectory() as directory:  # load_cert_chain reads files, and nothing else
            context.load_cert_chain(*self.write(directory))
        return context


class ClientCA:
    """A certification authority that issues client certificates to tests.

    Does not protect its keys. Each process makes new ones. Trust it only in tests.

    Parameters:
        name: the common name of the root.
        intermediates: the number of CAs between the root and the clients' certificates.
        key: the kind of the CAs' keys: "ec" (P-256), "rsa" (2048 bits) or "ed25519".
        now: an aware datetime that replaces the clock, for tests that do not depend on the day. Verify such
            certificates with `store.verify(..., at=now)`.

    Attributes:
        name: the common name of the root.
        certificates: what an application has in its bundle: the root, then the intermediates. Most proxies forward only
            the client's own certificate.

    Raises:
        ValueError: `now` is naive, or `intermediates` is negative.
    """

    def __init__(
        self,
        name: str = "Test Client CA",
        *,
        intermediates: int = 0,
        key: KeyKind = "ec",
        now: datetime | None = None,
    ) -> None:
        if now is not None and now.tzinfo is None:
            raise ValueError("now must be an aware datetime, such as datetime(2026, 1, 1, tzinfo=UTC)")
        if intermediates < 0:
            raise ValueError("intermediates must not be negative")
        self.name = name
        self._key_kind: KeyKind = key
        self._fixed_now = now
        self._keys = [_private_key(key) for _ in range(intermediates + 1)]
        self.certificates: tuple[x509.Certificate, ...] = ()
        for depth in range(intermediates + 1):
            self.certificates += (self._authority(depth),)

    def _authority(self, depth: int) -> x509.Certificate:
        subject = _name(f"{self.name} {depth}" if depth else self.name)
        issuer_key = self._keys[max(depth - 1, 0)]
        return _signed(
            subject,
            self._keys[depth],
            self.certificates[-1].subject if depth else subject,
            issuer_key,
            validity=(self._now - timedelta(days=365), self._now + timedelta(days=3650)),
            extensions=[
                x509.BasicConstraints(ca=True, path_length=None),
                _key_usage("key_cert_sign", "crl_sign"),
                x509.SubjectKeyIdentifier.from_public_key(self._keys[depth].public_key()),
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            ],
        )

    def __repr__(self) -> str:
        return f"<ClientCA {self.name!r}>"

    @property
    def _now(self) -> datetime:
        return self._fixed_now or datetime.now(UTC)

    @property
    def certificate(self) -> x509.Certificate:
        """The root."""
        return self.certificates[0]

    @property
    def pem(self) -> str:
        """The root and the intermediates as PEM, the `ca.crt` of an application."""
        return _pem(self.certificates)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the bundle as PEM to a file, and return its path."""
        path = Path(path)
        path.write_text(self.pem, encoding="ascii")
        return path

    def crl(self, revoked: Iterable[IssuedCertificate | x509.Certificate] = ()) -> str:
        """Return the certificate revocation lists of all the CAs as PEM, the `ca.crl` of an application.

        Parameters:
            revoked: certificates to list, also intermediates. What `revoked()` makes is always listed.
        """
        return _pem(self._crls(revoked))

    def _crls(self, revoked: Iterable[IssuedCertificate | x509.Certificate]) -> list[x509.CertificateRevocationList]:
        certificates = [one.certificate if isinstance(one, IssuedCertificate) else one for one in revoked]
        lists = []
        for authority, key in zip(self.certificates, self._keys, strict=True):
            serial_numbers = {one.serial_number for one in certificates if one.issuer == authority.subject}
            builder = (
                x509.CertificateRevocationListBuilder()
                .issuer_name(authority.subject)
                .last_update(self._now - timedelta(days=1))
                .next_update(self._now + timedelta(days=3650))
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
                .add_extension(x509.CRLNumber(1), critical=False)
            )
            for serial_number in sorted(serial_numbers | {_REVOKED_SERIAL_NUMBER}):
                entry = x509.RevokedCertificateBuilder().serial_number(serial_number)
                builder = builder.add_revoked_certificate(entry.revocation_date(self._now - timedelta(days=1)).build())
            lists.append(builder.sign(key, _digest(key)))
        return lists

    def trust_store(
        self, *, revoked: Iterable[IssuedCertificate | x509.Certificate] = (), **options: Any
    ) -> TrustStore:
        """Return a trust store of this CA and its CRLs.

        Parameters:
            revoked: certificates to revoke, in addition to those that `revoked()` makes.
            options: passed on to `TrustStore`, such as `max_depth=1`.
        """
        return TrustStore(self.certificates, crls=self._crls(revoked), **options)

    def authenticator(
        self,
        proxy: ProxyName | Proxy = "nginx-ingress",
        *,
        revoked: Iterable[IssuedCertificate | x509.Certificate] = (),
        **options: Any,
    ) -> ClientCertAuthenticator:
        """Return an authenticator that trusts this CA and, unlike one for production, headers from any peer.

        Parameters:
            proxy: a name in `PROXIES`, or a `Proxy`.
            revoked: certificates to revoke, in addition to those that `revoked()` makes.
            options: passed on to `ClientCertAuthenticator`, such as `authorize=...` or `trusted_proxies=...`, and to
                `TrustStore`, such as `max_depth=...`.
        """
        of_store = {name: options.pop(name) for name in ("max_depth", "revocation") if name in options}
        options.setdefault("trusted_proxies", TrustedProxies("*"))
        return ClientCertAuthenticator(self.trust_store(revoked=revoked, **of_store), proxy=proxy, **options)

    def issue(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a good client certificate.

        It has only the alternative names that you give.

        Parameters:
            name: the subject's common name. If it is empty, there is no common name.
            dns_names: DNS names, such as "cart.example.org".
            emails: mail addresses.
            uris: URIs, such as SPIFFE IDs.
            ip_addresses: IP addresses.
            upns: user principal names, as Microsoft's CAs issue them.
            organization: the subject's organization, or several.
            organizational_unit: the subject's organizational unit, or several.
            not_before: aware datetime of the start of validity. Default: an hour ago.
            not_after: aware datetime of its end. Default: in a year.
            key: the kind of the client's key, or a key.
            serial_number: a positive integer of at most 20 octets. Default: random.
            extensions: further extensions, or other values for the usual ones.

        Raises:
            ValueError: a name or an address is malformed.
        """
        return self._issue(name, self._keys[-1], self.certificates[-1].subject, options)

    def _issue(
        self, name: str, issuer_key: PrivateKey | None, issuer: x509.Name | None, options: CertificateOptions
    ) -> IssuedCertificate:
        key = _private_key(options.get("key", "ec"))
        subject = _name(name, options.get("organization", ()), options.get("organizational_unit", ()))
        certificate = _signed(
            subject,
            key,
            issuer or subject,
            issuer_key or key,
            validity=(
                options.get("not_before", self._now - timedelta(hours=1)),
                options.get("not_after", self._now + timedelta(days=365)),
            ),
            serial_number=options.get("serial_number"),
            extensions=[
                _key_usage("digital_signature"),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()),
                *_alternative_names(options),
                *options.get("extensions", ()),
            ],
        )
        der = certificate.public_bytes(Encoding.DER)
        return IssuedCertificate(name, der, key, intermediates=self.certificates[:0:-1] if issuer_key else ())

    # The ways to be wrong, one word each; `REFUSALS` says which error each ends in. They take what `issue` takes, but
    # what makes them wrong is not to be chosen.

    def expired(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate that was good until a day ago."""
        options["not_before"] = self._now - timedelta(days=2)
        options["not_after"] = self._now - timedelta(days=1)
        return dataclasses.replace(self.issue(name, **options), verdict=10)

    def not_yet_valid(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate that is valid from tomorrow."""
        options["not_before"] = self._now + timedelta(days=1)
        return dataclasses.replace(self.issue(name, **options), verdict=9)

    def server_only(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate for TLS servers, not for clients. A test's own TLS server may use it."""
        for_servers = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        options["extensions"] = [*options.get("extensions", ()), for_servers]
        return dataclasses.replace(self.issue(name, **options), verdict=26)

    def self_signed(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Make a certificate that only the client itself has signed."""
        return dataclasses.replace(self._issue(name, None, None, options), verdict=18)

    def stranger(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate from another CA, which has the same names but other keys."""
        verdict = 20 if len(self.certificates) > 1 else 21  # the latter is OpenSSL's word for a leaf all alone
        return dataclasses.replace(self._impostor.issue(name, **options), verdict=verdict)

    @functools.cached_property
    def _impostor(self) -> ClientCA:
        intermediates = len(self.certificates) - 1
        return ClientCA(self.name, intermediates=intermediates, key=self._key_kind, now=self._fixed_now)

    def tampered(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate and then change the last bit of its signature."""
        good = self.issue(name, **options)
        return dataclasses.replace(good, der=good.der[:-1] + bytes([good.der[-1] ^ 1]), verdict=7)

    def revoked(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate that every CRL of this CA lists, also those made earlier.

        All of them have the same serial number.
        """
        options["serial_number"] = _REVOKED_SERIAL_NUMBER
        return dataclasses.replace(self.issue(name, **options), verdict=23)

    def weak(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate for an RSA key of 1024 bits."""
        options["key"] = _weak_key()
        return dataclasses.replace(self.issue(name, **options), verdict=66)

    def sha1(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue a certificate whose signature is over SHA-1.

        Raises:
            ValueError: the CA's key is Ed25519, which has its own digest.
        """
        algorithm = {"ec": _ECDSA_WITH_SHA1, "rsa": _RSA_WITH_SHA1}.get(self._key_kind)
        if algorithm is None:
            raise ValueError(f"a CA with a key of kind {self._key_kind!r} cannot sign with SHA-1")
        good = self.issue(name, **options)
        version, serial_number, _, *rest = _der.members(good.certificate.tbs_certificate_bytes)
        fields = (version, serial_number, algorithm, *rest)
        digest = hashes.SHA1()  # noqa: S303 - the point of it
        return dataclasses.replace(good, der=_certificate(fields, algorithm, self._keys[-1], digest), verdict=68)

    def v1(self, name: str = "client", **options: Unpack[CertificateOptions]) -> IssuedCertificate:
        """Issue an X.509 version 1 certificate: no extensions, so no alternative names and no purpose.

        The commands in the ingress-nginx documentation make such certificates with OpenSSL 3.0. The library accepts
        them from a CA of the bundle.
        """
        good = self.issue(name, **options)
        # RFC 5280 section 4.1: version and extensions, the first and the last field, are optional.
        _, *fields, _ = _der.members(good.certificate.tbs_certificate_bytes)
        digest = _digest(self._keys[-1])
        return dataclasses.replace(good, der=_certificate(fields, fields[1], self._keys[-1], digest))

    def without_san(self, name: str = "client") -> IssuedCertificate:
        """Issue a certificate without alternative names. The library accepts it."""
        return self.issue(name)

    def not_a_certificate(self, name: str = "client") -> IssuedCertificate:
        """Make bytes that are not a certificate, but are encoded by the proxies' rules."""
        return IssuedCertificate(name, b"This is not a certificate.", _private_key("ec"))


_REVOKED_SERIAL_NUMBER = 0x0BAD


def _name(
    common_name: str, organization: str | Sequence[str] = (), organizational_unit: str | Sequence[str] = ()
) -> x509.Name:
    attributes = (
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, organizational_unit),
        (NameOID.COMMON_NAME, common_name or ()),
    )
    return x509.Name(
        x509.NameAttribute(oid, value)
        for oid, values in attributes
        for value in ([values] if isinstance(values, str) else values)
    )


def _alternative_names(options: CertificateOptions) -> list[x509.ExtensionType]:
    for option in ("dns_names", "emails", "uris", "ip_addresses", "upns"):
        if isinstance(text := options.get(option), str):  # of which each character would become a name
            raise ValueError(f"{option} is a list: write {option}=[{text!r}]")  # noqa: TRY004  # as for a bad name
    names: list[x509.GeneralName] = [
        *map(x509.DNSName, options.get("dns_names", ())),
        *map(x509.RFC822Name, options.get("emails", ())),
        *map(x509.UniformResourceIdentifier, options.get("uris", ())),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in options.get("ip_addresses", ())),
        *(x509.OtherName(_UPN, _der.element(_der.UTF8_STRING, upn.encode())) for upn in options.get("upns", ())),
    ]
    return [x509.SubjectAlternativeName(names)] if names else []


def _key_usage(*usages: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in usages for usage in signature(x509.KeyUsage).parameters})


_KEY_MAKERS: Mapping[str, Callable[[], PrivateKey]] = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}


def _private_key(key: KeyKind | PrivateKey) -> PrivateKey:
    if not isinstance(key, str):
        return key
    try:
        return _KEY_MAKERS[key]()
    except KeyError:
        raise ValueError(f"unknown kind of key {key!r}; there are {', '.join(_KEY_MAKERS)}") from None


@functools.cache
def _weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the point of it


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _signed(
    subject: x509.Name,
    key: PrivateKey,
    issuer: x509.Name,
    issuer_key: PrivateKey,
    *,
    validity: tuple[datetime, datetime],
    extensions: Iterable[x509.ExtensionType],
    serial_number: int | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial_number is None else serial_number)
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )
    for value in {value.oid: value for value in extensions}.values():
        critical = isinstance(value, (x509.BasicConstraints, x509.KeyUsage, x509.NameConstraints))
        builder = builder.add_extension(value, critical)
    return builder.sign(issuer_key, _digest(issuer_key))


def _certificate(
    fields: Sequence[bytes], algorithm: bytes, key: PrivateKey, digest: hashes.HashAlgorithm | None
) -> bytes:
    """Sign the fields of a certificate that the builder refuses to make (RFC 5280 section 4.1)."""
    to_be_signed = _der.element(_der.SEQUENCE, *fields)
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(to_be_signed, padding.PKCS1v15(), digest or hashes.SHA256())
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(to_be_signed, ec.ECDSA(digest or hashes.SHA256()))
    else:
        signature = key.sign(to_be_signed)
    bits = _der.element(_der.BIT_STRING, b"\0", signature)  # no unused bits
    return _der.element(_der.SEQUENCE, to_be_signed, algorithm, bits)


def _pem(items: Iterable[x509.Certificate | x509.CertificateRevocationList]) -> str:
    return "".join(item.public_bytes(Encoding.PEM).decode("ascii") for item in items)
