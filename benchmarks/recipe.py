"""What people write by hand, on cryptography alone: the yardstick of every ratio.

What it does not do: it refuses certificates without subject alternative names, X.509 v1, and Ed25519 CAs, which nginx
accepts; it trusts every certificate of the bundle as a root; it knows no revocation, no reload, and not who sent the
header.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

__all__ = ["attributes", "recipe", "recipe_with_attributes"]


def recipe(bundle: bytes) -> Callable[[str], x509.Certificate]:
    """Return a function from the header to the verified certificate."""
    store = Store(x509.load_pem_x509_certificates(bundle))

    def verified(value: str) -> x509.Certificate:
        leaf = x509.load_pem_x509_certificate(unquote(value).encode())
        PolicyBuilder().store(store).time(datetime.now(UTC)).build_client_verifier().verify(leaf, [])
        return leaf

    return verified


def attributes(leaf: x509.Certificate) -> tuple[str | bytes, list[str], str, int]:
    """Read what applications ask for: common name, alternative names, fingerprint, serial number."""
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value,
        [*names.get_values_for_type(x509.DNSName), *names.get_values_for_type(x509.UniformResourceIdentifier)],
        leaf.fingerprint(hashes.SHA256()).hex(),
        leaf.serial_number,
    )


def recipe_with_attributes(bundle: bytes) -> Callable[[str], object]:
    """Return a function from the header to what is read of the verified certificate."""
    verified = recipe(bundle)
    return lambda value: attributes(verified(value))
