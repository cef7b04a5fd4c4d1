"""The forms in which people have bundles and CRLs, made by the tools that make them: read, or refused with the remedy.

The command of each message is run as it stands, and what it writes is read.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sslclientcert.core.bundle import parse_certificates, parse_crls

from .pki import authority, pem_of, pem_of_crls, revocation_list

ROOT = authority("Root")
OTHER = authority("Other")
CRL = revocation_list(ROOT, 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "root.pem").write_text(ROOT.pem, encoding="ascii")
    (tmp_path / "both.pem").write_text(pem_of(ROOT, OTHER), encoding="ascii")
    (tmp_path / "root.der").write_bytes(ROOT.der)
    (tmp_path / "crl.pem").write_text(pem_of_crls(CRL), encoding="ascii")
    (tmp_path / "crl.der").write_bytes(CRL.public_bytes(Encoding.DER))
    return tmp_path


QUICKLY = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}
"""For keytool, whose Java would spend half of its time on compiling better what runs once."""


def shell(command: str, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, **QUICKLY},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def made(command: str, folder: Path) -> bytes:
    """What a command writes to FILE."""
    shell(command, folder)
    return (folder / "FILE").read_bytes()


def names(data: bytes) -> list[str]:
    return [one.certificate.subject.rfc4514_string() for one in parse_certificates(data, "ca.crt").certificates]


# Read


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("openssl crl2pkcs7 -nocrl -certfile both.pem -out FILE", id="PEM"),
        pytest.param("openssl crl2pkcs7 -nocrl -certfile both.pem -outform DER -out FILE", id="DER"),
        pytest.param(
            "openssl crl2pkcs7 -nocrl -certfile both.pem | sed 's/PKCS7/CERTIFICATE/' > FILE", id="under CERTIFICATE"
        ),
        pytest.param("openssl crl2pkcs7 -nocrl -certfile both.pem | sed 's/PKCS7/CMS/' > FILE", id="under CMS"),
    ],
)
def test_the_certificates_of_pkcs_7_are_read(command: str, folder: Path) -> None:
    assert sorted(names(made(command, folder))) == ["CN=Other", "CN=Root"]


def test_pkcs_7_and_certificates_may_stand_in_one_file(folder: Path) -> None:
    data = made("openssl crl2pkcs7 -nocrl -certfile root.pem > FILE; cat both.pem >> FILE", folder)
    assert names(data) == ["CN=Root", "CN=Root", "CN=Other"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_end_behind_der_is_passed_over(end: bytes) -> None:
    assert names(ROOT.der + end) == ["CN=Root"]
    (crl,) = parse_crls(CRL.public_bytes(Encoding.DER) + end, "ca.crl")
    assert 5 in crl.serial_numbers


@pytest.mark.parametrize("more", [b"\n\n\n", b"\0", b" \n", b"x\n"])
def test_anything_else_behind_der_refuses_the_file(more: bytes) -> None:
    with pytest.raises(ValueError, match=r"ca\.crl holds no CRL"):
        parse_crls(CRL.public_bytes(Encoding.DER) + more, "ca.crl")


def test_what_keytool_lists_is_read(folder: Path) -> None:
    command = (
        "keytool -importcert -noprompt -alias ca -file root.pem -keystore store -storepass changeit && "
        "keytool -list -rfc -keystore store -storepass changeit > FILE"
    )
    assert names(made(command, folder)) == ["CN=Root"]


# Refused, with the command that mends it: how to make the file, the command, and where that asks for a password.

BUNDLES = {
    "base64 of PEM": ("base64 -w0 root.pem > FILE", "base64 -d FILE > mended.pem"),
    "base64 of DER": ("base64 root.der > FILE", "base64 -d FILE > mended.der"),
    "base64 of DER in one line": ("base64 -w0 root.der > FILE", "base64 -d FILE > mended.der"),
    r"the characters \n": (
        r"""awk '{printf "%s\\n", $0}' root.pem > FILE""",
        """printf '%b' "$(cat FILE)" > mended.pem""",
    ),
    "JSON": ("jq -Rs '{NAME: .}' root.pem > FILE", "jq -r .NAME FILE > mended.pem"),
    "UTF-16": ("iconv -f ASCII -t UTF-16 root.pem > FILE", "iconv -f UTF-16 -t ASCII FILE > mended.pem"),
    "PKCS #12": (
        "openssl pkcs12 -export -nokeys -in root.pem -passout pass:changeit -out FILE",
        "openssl pkcs12 -in FILE -nokeys -out ca.crt",
    ),
    "PKCS #12 of keytool": (
        "keytool -importcert -noprompt -alias ca -file root.pem -keystore FILE -storetype PKCS12 -storepass changeit",
        "openssl pkcs12 -in FILE -nokeys -out ca.crt",
    ),
    "JKS": (
        "keytool -importcert -noprompt -alias ca -file root.pem -keystore FILE -storetype JKS -storepass changeit",
        "keytool -list -rfc -keystore FILE > ca.crt",
    ),
    "JCEKS": (
        "keytool -importcert -noprompt -alias ca -file root.pem -keystore FILE -storetype JCEKS -storepass changeit",
        "keytool -list -rfc -keystore FILE > ca.crt",
    ),
    "TRUSTED CERTIFICATE": (
        "openssl x509 -in root.pem -trustout -addtrust clientAuth -out FILE",
        "openssl x509 -in FILE -out ca.crt",
    ),
}
PASSWORDS = {"openssl pkcs12": " -passin pass:changeit", "keytool -list": " -storepass changeit"}


def mended(command: str, folder: Path) -> bytes:
    """What the command of a message writes, with the password that it asks for."""
    for start, password in PASSWORDS.items():
        if command.startswith(start):
            command = command.replace(" FILE", f" FILE{password}", 1)
    before = set(folder.iterdir())
    shell(command, folder)
    (written,) = set(folder.iterdir()) - before
    return written.read_bytes()


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_in_another_form_is_refused_with_the_command_that_mends_it(name: str, folder: Path) -> None:
    command, remedy = BUNDLES[name]
    data = made(command, folder)
    with pytest.raises(ValueError, match=r"ca\.crt") as refused:
        parse_certificates(data, "ca.crt")
    assert remedy in str(refused.value)
    assert names(mended(remedy, folder)) == ["CN=Root"]


LISTS = {
    "the label CRL": (
        "sed 's/X509 CRL/CRL/' crl.pem > FILE",
        r"sed -E 's/(BEGIN|END) [A-Z ]+/\1 X509 CRL/' FILE > ca.crl",
    ),
    "the label CERTIFICATE": (
        "sed 's/X509 CRL/CERTIFICATE/' crl.pem > FILE",
        r"sed -E 's/(BEGIN|END) [A-Z ]+/\1 X509 CRL/' FILE > ca.crl",
    ),
    "PKCS #7": ("openssl crl2pkcs7 -in crl.pem -out FILE", "openssl pkcs7 -in FILE -print_certs -out ca.crl"),
    "base64 of DER": ("base64 crl.der > FILE", "base64 -d FILE > mended.der"),
    "base64 of PEM": ("base64 crl.pem > FILE", "base64 -d FILE > mended.pem"),
    r"the characters \n": (
        r"""awk '{printf "%s\\n", $0}' crl.pem > FILE""",
        """printf '%b' "$(cat FILE)" > mended.pem""",
    ),
    "JSON": ("jq -Rs '{NAME: .}' crl.pem > FILE", "jq -r .NAME FILE > mended.pem"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_in_another_form_is_refused_with_the_command_that_mends_it(name: str, folder: Path) -> None:
    command, remedy = LISTS[name]
    data = made(command, folder)
    with pytest.raises(ValueError, match=r"ca\.crl") as refused:
        parse_crls(data, "ca.crl")
    assert remedy in str(refused.value)
    (crl,) = parse_crls(mended(remedy, folder), "ca.crl")
    assert 5 in crl.serial_numbers


@pytest.mark.parametrize("form", ["cat crl.pem > FILE", "cat crl.der > FILE", "cat crl.pem root.pem > FILE"])
def test_a_list_in_the_bundle_is_refused_with_the_command_that_takes_it_out(form: str, folder: Path) -> None:
    data = made(form, folder)
    with pytest.raises(ValueError, match=r"ca\.crt.*an X509 CRL.*the crl option") as refused:
        parse_certificates(data, "ca.crt")
    command = "openssl crl -in FILE -out ca.crl"
    assert command in str(refused.value)
    (crl,) = parse_crls(mended(command, folder), "ca.crl")
    assert 5 in crl.serial_numbers


@pytest.mark.parametrize("inform", ["PEM", "DER"])
def test_pkcs_7_with_lists_is_refused_as_a_bundle_rather_than_read_without_them(inform: str, folder: Path) -> None:
    data = made(f"openssl crl2pkcs7 -in crl.pem -certfile root.pem -outform {inform} -out FILE", folder)
    with pytest.raises(ValueError, match=r"ca\.crt.*CRLs.*the crl option.*openssl pkcs7 -in FILE -print_certs"):
        parse_certificates(data, "ca.crt")


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_pkcs_7_that_is_cut_short_is_refused(cut: int, folder: Path) -> None:
    data = made("openssl crl2pkcs7 -nocrl -certfile both.pem -outform DER -out FILE", folder)
    with pytest.raises(ValueError, match=r"ca\.crt"):
        parse_certificates(data[:-cut], "ca.crt")


def test_pkcs_7_without_a_certificate_is_refused(folder: Path) -> None:
    data = made("openssl crl2pkcs7 -in crl.pem -out FILE", folder)
    with pytest.raises(ValueError, match=r"ca\.crt.*PKCS #7"):
        parse_certificates(data, "ca.crt")


def test_a_certificate_in_der_where_a_list_belongs_is_named() -> None:
    with pytest.raises(ValueError, match=r"ca\.crl.*a CERTIFICATE.*the CA bundle"):
        parse_crls(ROOT.der, "ca.crl")


@pytest.mark.parametrize("dash", ["\N{EN DASH}", "\N{EM DASH}", "\N{MINUS SIGN}"])
def test_dashes_of_a_word_processor_are_named(dash: str) -> None:
    with pytest.raises(ValueError, match=r"ca\.crt holds no certificate.*hyphens"):
        parse_certificates(ROOT.pem.replace("-----", dash * 5).encode(), "ca.crt")


@pytest.mark.parametrize("page", ["<!DOCTYPE html><title>404 Not Found</title>", "\n<html>", "<!doctype HTML>"])
def test_an_error_page_is_named(page: str) -> None:
    with pytest.raises(ValueError, match=r"ca\.crl holds no CRL.*HTML.*--fail"):
        parse_crls(page.encode(), "ca.crl")
