"""One situation for each code of the library, made for real: what its pages promise is held against these."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert import ClientCertAuthenticator, ClientCertError, TrustStore, rules
from sslclientcert.testing import ClientCA

NOW = datetime.now(UTC)
EXPIRED_CA = ClientCA("Old CA", now=datetime(2001, 1, 1, tzinfo=UTC))
CA = ClientCA("Example CA")
ENDS_SOON_CA = ClientCA("Example CA", now=NOW - timedelta(days=3640))
PEER = "127.0.0.1"


def _ask(ca: ClientCA, headers: dict[str, str], peer: str = PEER, **options: object) -> None:
    ClientCertAuthenticator(ca.trust_store(), **options).authenticate(headers, peer=peer, required=True)  # type: ignore[arg-type]


def _good() -> dict[str, str]:
    return CA.issue("alice").headers()


def _of_an_expired_ca() -> dict[str, str]:
    return EXPIRED_CA.issue("alice", not_after=NOW + timedelta(days=1)).headers()


def _ask_pem(bundle: str, headers: dict[str, str], crl: str | None = None) -> None:
    ClientCertAuthenticator(TrustStore.from_pem(bundle, crl)).authenticate(headers, peer=PEER)


REFUSALS: dict[str, Callable[[], None]] = {
    "certificate_missing": lambda: _ask(CA, {}),
    "header_malformed": lambda: _ask(CA, {"ssl-client-cert": "garbage"}),
    "header_ambiguous": lambda: _ask(CA, {**_good(), "SSL_CLIENT_CERT": "another"}),
    "header_too_large": lambda: _ask(CA, _good(), max_header_bytes=500),
    "certificate_malformed": lambda: _ask(CA, CA.not_a_certificate().headers()),
    "forwarding_inconsistent": lambda: _ask(CA, {"ssl-client-verify": "SUCCESS"}),
    "proxy_untrusted": lambda: _ask(CA, _good(), peer="203.0.113.9"),
    "certificate_untrusted": lambda: _ask(CA, ClientCA("Another CA").issue("alice").headers()),
    "certificate_expired": lambda: _ask(CA, CA.expired("alice").headers()),
    "certificate_not_yet_valid": lambda: _ask(CA, CA.not_yet_valid("alice").headers()),
    "certificate_unsuitable": lambda: _ask(CA, CA.server_only("alice").headers()),
    "certificate_revoked": lambda: _ask(CA, CA.revoked("alice").headers()),
    "revocation_unknown": lambda: _ask_pem(CA.pem, _good(), ClientCA("Another CA").crl()),
    "not_authorized": lambda: _ask(CA, _good(), authorize=rules.organization("Example")),
    "ca_expired": lambda: _ask_pem(CA.pem + EXPIRED_CA.pem, _of_an_expired_ca()),
    "trust_store_unavailable": lambda: _ask_pem(EXPIRED_CA.pem, _of_an_expired_ca()),
}
"""What is refused with each code, and logged."""


def _crl_with_an_unknown_critical_extension() -> str:
    builder = x509.CertificateRevocationListBuilder().issuer_name(CA.certificate.subject)
    builder = builder.last_update(NOW - timedelta(days=1)).next_update(NOW + timedelta(days=1))
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\x05\x00")
    signed = builder.add_extension(unknown, critical=True).sign(CA._keys[0], hashes.SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def _intermediate_below_another_key() -> str:
    root, other = ClientCA("Two Tiers", intermediates=1), ClientCA("Two Tiers")
    return CA.pem + other.pem + ssl.DER_cert_to_PEM_cert(root.certificates[1].public_bytes(Encoding.DER))


WARNINGS: dict[str, Callable[[], object]] = {
    "ends soon": lambda: TrustStore.from_pem(ENDS_SOON_CA.pem),
    "ended at": lambda: TrustStore.from_pem(CA.pem + EXPIRED_CA.pem),
    "is left out": lambda: TrustStore.from_pem(CA.pem + ssl.DER_cert_to_PEM_cert(bytes.fromhex("3003020101"))),
    "is unusable": lambda: TrustStore.from_pem(_intermediate_below_another_key()),
    "It is a pin": lambda: TrustStore.from_pem(CA.pem + ClientCA("Another CA").issue("alice").pem),
    "cannot be used": lambda: TrustStore.from_pem(CA.pem, _crl_with_an_unknown_critical_extension()),
    "covers nothing": lambda: TrustStore.from_pem(CA.pem, ClientCA("Another CA").crl()),
}
"""What may be wrong with a trust store, by the words of its warning."""


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """Collect the records of the library's logger."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    logger = logging.getLogger("sslclientcert")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield records
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def refusal(code: str) -> tuple[ClientCertError, logging.LogRecord]:
    """Have a request refused with this code, and return the error and its record."""
    with logged() as records:
        try:
            REFUSALS[code]()
        except ClientCertError as error:
            (record,) = [one for one in records if one.getMessage().startswith("refused a request")]
            return error, record
    raise AssertionError(f"{code}: the request was accepted")


def warning(words: str) -> logging.LogRecord:
    """Make a trust store of which something is wrong, and return its record."""
    with logged() as records:
        WARNINGS[words]()
    (record,) = records
    return record


def failed_reload(folder: Path) -> logging.LogRecord:
    """Change the files of a trust store into some that do not load, and return the record of it."""
    store = TrustStore.from_file(CA.write(folder / "ca.crt"), reload_interval=0)
    with logged() as records:
        (folder / "ca.crt").write_text(CA.pem[:300], encoding="ascii")
        store.current()
    (record,) = records
    return record
