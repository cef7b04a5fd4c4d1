"""One situation for each code of the library, made for real: what its pages promise is held against these."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

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


def _does_not_load(folder: Path) -> None:
    store = TrustStore.from_file(CA.write(folder / "ca.crt"), reload_interval=0)
    (folder / "ca.crt").write_text(CA.pem[:300], encoding="ascii")
    store.current()


def _unusable_crl() -> str:
    """A CRL without nextUpdate, by hand: the builder makes none."""
    raise NotImplementedError


WARNINGS: dict[str, Callable[[Path], object]] = {
    "does not load": _does_not_load,
    "ends soon": lambda folder: TrustStore.from_pem(ENDS_SOON_CA.pem),
    "ended": lambda folder: TrustStore.from_pem(CA.pem + EXPIRED_CA.pem),
    "left out": lambda folder: TrustStore.from_pem(CA.pem + ssl.DER_cert_to_PEM_cert(bytes.fromhex("3003020101"))),
    "covers nothing": lambda folder: TrustStore.from_pem(CA.pem, ClientCA("Another CA").crl()),
}
"""What is wrong with the trust store, and logged though nobody was refused."""


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """Collect the records of the library's logger."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
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


def warning(what: str, folder: Path) -> logging.LogRecord:
    """Make a trust store of which something is wrong, and return its record."""
    with logged() as records:
        WARNINGS[what](folder)
    (record,) = records
    return record
