from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from sslclientcert import PROXIES
from sslclientcert.testing import ClientCA, IssuedCertificate, encode
from sslclientcert.testing.ca import KeyKind

from ..openssl import OpenSSL
from .conftest import Command

WARNING = "NOT VERIFIED. ANYBODY CAN MAKE A CERTIFICATE THAT SAYS THIS."


@pytest.mark.parametrize("file", ["leaf.crt", "client.crt", "header.txt", "ca.crt"])
def test_first_and_last_it_says_that_nothing_is_verified(command: Command, file: str) -> None:
    said = command("inspect", file)
    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert (lines[0], lines[-1]) == (WARNING, WARNING)


def test_json_says_first_and_last_that_nothing_is_verified(command: Command) -> None:
    said = command("inspect", "--json", "leaf.crt").json
    assert list(said) == ["verified", "detail", "certificates", "warning"]
    assert (said["verified"], said["warning"]) == (False, WARNING)


def test_a_certificate_that_nobody_trusts_is_shown_all_the_same(command: Command, ca: ClientCA) -> None:
    said = command("inspect", "-", stdin=ca.self_signed("eve").pem)
    assert said.status == 0
    assert "subject     CN=eve" in said.out


def test_everything_that_a_certificate_says_is_shown(command: Command, ca: ClientCA) -> None:
    issued = ca.issue(
        "alice",
        organization="Example",
        serial_number=0xABC,
        dns_names=["alice.example.org"],
        emails=["alice@example.org"],
        uris=["spiffe://example.org/alice"],
        ip_addresses=["192.0.2.7", "2001:db8::7"],
        upns=["alice@corp.example"],
    )
    said = command("inspect", "--json", "-", stdin=issued.pem)
    (certificate,) = said.json["certificates"]
    assert certificate == {
        "subject": "CN=alice,O=Example",
        "issuer": "CN=Example CA 1",
        "serial_number": str(0xABC),
        "version": "v3",
        "not_before": issued.certificate.not_valid_before_utc.isoformat(),
        "not_after": issued.certificate.not_valid_after_utc.isoformat(),
        "public_key": "EC secp256r1",
        "signature_algorithm": "ecdsa-with-SHA256",
        "subject_alternative_names": [
            "DNS:alice.example.org",
            "email:alice@example.org",
            "URI:spiffe://example.org/alice",
            "IP:192.0.2.7",
            "IP:2001:db8::7",
            "UPN:alice@corp.example",
        ],
        "key_usage": ["digitalSignature"],
        "extended_key_usage": ["clientAuth"],
        "extensions": [
            "keyUsage (critical)",
            "extendedKeyUsage",
            "subjectKeyIdentifier",
            "authorityKeyIdentifier",
            "subjectAltName",
        ],
        "fingerprint_sha256": certificate["fingerprint_sha256"],
        "fingerprint_sha1": certificate["fingerprint_sha1"],
        "thumbprint_s256": certificate["thumbprint_s256"],
        "detail": None,
        "hints": [],
    }
    text = command("inspect", "-", stdin=issued.pem).out
    for value in ("0ABC (2748)", "EC secp256r1", "keyUsage (critical), extendedKeyUsage"):
        assert value in text
    for name in certificate["subject_alternative_names"]:
        assert name in text


def test_the_fingerprints_are_those_of_openssl(command: Command, openssl: OpenSSL) -> None:
    (certificate,) = command("inspect", "--json", openssl.folder / "plain.crt").json["certificates"]
    der = x509.load_pem_x509_certificate((openssl.folder / "plain.crt").read_bytes())
    for digest, name in (("sha256", "fingerprint_sha256"), ("sha1", "fingerprint_sha1")):
        openssl("x509", "-in", "plain.crt", "-noout", "-fingerprint", f"-{digest}", "-out", "fingerprint.txt")
        printed = (openssl.folder / "fingerprint.txt").read_text().partition("=")[2]
        assert certificate[name] == printed.strip().replace(":", "").lower()
    assert certificate["serial_number"] == str(der.serial_number)


def test_names_of_rare_kinds_are_shown_too(command: Command, ca: ClientCA) -> None:
    names = x509.SubjectAlternativeName(
        [
            x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
            x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x05\x00"),
            x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01\xff"),
        ]
    )
    said = command("inspect", "--json", "-", stdin=ca.issue("x", extensions=[names]).pem)
    assert said.json["certificates"][0]["subject_alternative_names"] == [
        "directory:CN=x",
        "registered:1.2.3",
        "other 1.2.3.4:0500",
        "UPN:#0500",
        "UPN:#0c01ff",
    ]


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_the_kind_of_the_key_is_named(command: Command, ca: ClientCA, kind: KeyKind) -> None:
    issued = ca.issue("x", key=kind)
    shown = command("inspect", "--json", "-", stdin=issued.pem).json["certificates"][0]["public_key"]
    assert shown == {"ec": "EC secp256r1", "rsa": "RSA 2048 bits", "ed25519": "Ed25519"}[kind]


def test_a_key_that_is_not_supported_is_named_all_the_same(command: Command, openssl: OpenSSL) -> None:
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp112r1", "-nodes", "-subj", "/CN=weak",
            "-keyout", "odd.key", "-out", "odd.crt")  # fmt: skip
    said = command("inspect", "--json", openssl.folder / "odd.crt")
    assert said.status == 0
    assert said.json["certificates"][0]["public_key"].endswith(", not supported")
    assert any("a key of a kind that is not supported" in hint for hint in said.json["certificates"][0]["hints"])


# Hints


@pytest.mark.parametrize(
    ("certificate", "hint"),
    [
        ("expired", "expired at"),
        ("not_yet_valid", "is valid from"),
        ("server_only", "is not for client authentication"),
        ("weak", "has an RSA key of 1024 bits"),
        ("sha1", "is signed with SHA1"),
        ("self_signed", "names itself as its issuer"),
    ],
)
def test_why_a_certificate_could_not_act_as_the_clients_is_hinted(
    command: Command, ca: ClientCA, certificate: str, hint: str
) -> None:
    presented: IssuedCertificate = getattr(ca, certificate)("mallory")
    said = command("inspect", "--json", "-", stdin=presented.pem)
    assert said.status == 0
    assert any(hint in each for each in said.json["certificates"][0]["hints"])
    assert "hint" in command("inspect", "-", stdin=presented.pem).out


def test_dates_do_not_hide_what_else_is_wrong(command: Command, ca: ClientCA) -> None:
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    said = command("inspect", "--json", "-", stdin=ca.expired("x", extensions=[purpose]).pem)
    assert len(said.json["certificates"][0]["hints"]) == 2


def test_a_certificate_of_a_ca_in_the_clients_place_is_noticed(command: Command) -> None:
    said = command("inspect", "--json", "ca.crt")
    assert "it is the certificate of a CA; was the client's meant?" in said.json["certificates"][0]["hints"]


def test_certificates_that_are_no_chain_are_shown_and_noticed(command: Command, ca: ClientCA) -> None:
    two = [ca.issue("one").pem, ca.issue("two").pem]
    said = command("inspect", "--json", "-", stdin="".join(two))
    assert [each["subject"] for each in said.json["certificates"]] == ["CN=one", "CN=two"]
    assert "certificate 2 does not bear the name of its issuer" in said.json["certificates"][0]["hints"][-1]
    assert "is not a CA" in said.json["certificates"][1]["hints"][-1]


# Headers


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_headers_of_every_proxy_are_decoded(command: Command, alice: IssuedCertificate, proxy: str) -> None:
    headers = "".join(f"{name}: {value}\n" for name, value in alice.headers(proxy).items())
    said = command("inspect", "--proxy", proxy, "--json", "-", stdin=headers)
    assert said.status == 0
    assert said.json["certificates"][0]["subject"] == "CN=alice,O=Example"
    empty = "Host: app\n" + "".join(f"{name}: {value}\n" for name, value in encode(None, proxy).items())
    said = command("inspect", "--proxy", proxy, "--json", "-", stdin=empty)
    assert (said.status, said.json["certificates"]) == (1, [])


def test_of_a_header_that_came_twice_both_are_shown(command: Command, ca: ClientCA, alice: IssuedCertificate) -> None:
    values = [each.headers()["ssl-client-cert"] for each in (alice, ca.issue("mallory"))]
    stdin = f"ssl-client-cert: {values[0]}\nSSL_Client_Cert: {values[1]}\n"
    said = command("inspect", "--json", "-", stdin=stdin).json
    assert [each["subject"] for each in said["certificates"]] == ["CN=alice,O=Example", "CN=mallory"]


def test_what_does_not_decode_ends_with_status_1_and_the_warning(command: Command) -> None:
    said = command("inspect", "-", stdin="nonsense")
    assert said.status == 1
    assert "NOT DECODED" in said.out
    assert said.out.startswith(WARNING)
    assert said.out.rstrip().endswith(WARNING)


def test_what_another_proxy_would_send_is_hinted(command: Command, alice: IssuedCertificate) -> None:
    said = command("inspect", "-", stdin=alice.headers("traefik")["x-forwarded-tls-client-cert"])
    assert said.status == 1
    assert "traefik" in said.out


def test_a_certificate_that_does_not_parse_is_shown_as_broken_next_to_the_others(
    command: Command, ca: ClientCA, alice: IssuedCertificate
) -> None:
    said = command("inspect", "-", stdin=alice.pem + ca.not_a_certificate().pem)
    assert said.status == 1
    assert "subject     CN=alice" in said.out
    assert "broken      it does not parse" in said.out
    said = command("inspect", "--json", "-", stdin=alice.pem + ca.not_a_certificate().pem)
    assert "it does not parse" in said.json["certificates"][1]["detail"]


# Hostile names


def test_a_hostile_name_cannot_command_the_terminal(command: Command, openssl: OpenSSL) -> None:
    said = command("inspect", openssl.folder / "hostile.crt")
    assert said.status == 0
    assert all(char.isprintable() or char == "\n" for char in said.out)
    assert not any(line.startswith("ACCEPTED") for line in said.out.splitlines())
    assert r"\x1b[2J" in said.out
    assert command("inspect", "--json", openssl.folder / "hostile.crt").out.isascii()


def test_a_name_of_thousands_of_characters_is_clipped_for_people_and_whole_for_programs(
    command: Command, ca: ClientCA
) -> None:
    Path("long.crt").write_text(ca.issue("x", uris=["https://example.org/" + "a" * 5000]).pem)
    assert "(5024 characters)" in command("inspect", "long.crt").out
    (certificate,) = command("inspect", "--json", "long.crt").json["certificates"]
    assert len(certificate["subject_alternative_names"][0]) == 5024
