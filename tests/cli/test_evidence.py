"""What a file is, or why it is nothing to work with: the same for every command that reads one."""

from __future__ import annotations

import base64
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sslclientcert.testing import IssuedCertificate

from ..openssl import OpenSSL
from .conftest import Command

KEY = ec.generate_private_key(ec.SECP256R1())
DER = KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
SECRET = base64.b64encode(DER).decode()
LOCKED = BestAvailableEncryption(b"secret")


@pytest.mark.parametrize("command_line", [("verify", "--ca", "ca.crt"), ("inspect",), ("encode", "--proxy", "envoy")])
@pytest.mark.parametrize(
    "key",
    [
        KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, LOCKED),
        KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, LOCKED),
        KEY.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        DER,
        SECRET.encode(),
        f"-----BEGIN%20EC%20PRIVATE%20KEY-----%0A{SECRET}".encode(),
        f"-----BEGIN+PRIVATE+KEY-----\n{SECRET}".encode(),
        f"ssl-client-cert: -----BEGIN%20PRIVATE%20KEY-----{SECRET}\n".encode(),
    ],
    ids=["EC", "PKCS8", "encrypted", "DER", "encrypted DER", "OpenSSH", "SEC1", "base64", "escaped", "plus", "header"],
)
def test_a_private_key_is_said_in_whatever_form_and_never_echoed(
    command: Command, command_line: tuple[str, ...], key: bytes
) -> None:
    said = command(*command_line, "-", stdin=key)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("sslclientcert: standard input: it holds a private key")
    assert SECRET[:8] not in said.err


def test_a_certificate_with_its_key_in_the_file_is_not_read(command: Command, alice: IssuedCertificate) -> None:
    said = command("inspect", "-", stdin=alice.pem + alice.private_key_pem)
    assert said.status == 2
    assert "openssl x509 -in FILE -out client.crt" in said.err


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "it is empty"),
        (" \r\n\n", "it is empty"),
        ("x" * (4 * 1024 * 1024 + 1), "it is larger than 4 MiB"),
        ("\ufeffssl-client-cert: x".encode("utf-16-le"), "it is UTF-16"),
        (b"\x30\x82\x01\x00" + b"\0" * 256, "it is binary and no X.509 certificate"),
        ("-----BEGIN CERTIFICATE-----\nTWFu\n", "not closed by its END line"),
        (
            "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
            "certificate 1: it cannot be parsed, as it is not base64",
        ),
        ("-----BEGIN PUBLIC KEY-----\nTWFu\n-----END PUBLIC KEY-----\n", "PEM block 1 is a PUBLIC KEY"),
        ("-----BEGIN TRUSTED CERTIFICATE-----\nTWFu\n-----END TRUSTED CERTIFICATE-----\n", "openssl x509 -in FILE"),
        ("GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\nHost: b\n", "more than one request"),
        ("Host: a\n\nssl-client-verify: NONE\n", "'ssl-client-verify: NONE' stands behind the empty line"),
        ("Host: a\nhello\n", "'hello' is no header line"),
        ("> Host: a\n> ssl-client-cert: x\nssl-client-verify: NONE\n", "some of the headers are marked '> '"),
    ],
)
def test_what_is_nothing_to_work_with_is_refused_and_the_remedy_said(
    command: Command, content: str | bytes, complaint: str
) -> None:
    said = command("verify", "--ca", "ca.crt", "-", stdin=content)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("sslclientcert: standard input: ")
    assert complaint in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("mark", ["", "> "])
def test_certificates_and_headers_in_one_file_are_not_chosen_from(
    command: Command, alice: IssuedCertificate, mark: str
) -> None:
    said = command("verify", "--ca", "ca.crt", "-", stdin=f"{mark}ssl-client-verify: NONE\n{alice.pem}")
    assert said.status == 2
    assert "either of them alone" in said.err


def test_a_request_for_a_certificate_is_told_from_a_certificate(command: Command, openssl: OpenSSL) -> None:
    said = command("inspect", openssl.folder / "plain.csr")
    assert said.status == 2
    assert "a CA has yet to sign it" in said.err


def test_pkcs_12_is_met_with_the_command_that_takes_the_certificate_out(command: Command, openssl: OpenSSL) -> None:
    openssl("pkcs12", "-export", "-inkey", "plain.key", "-in", "plain.crt", "-passout", "pass:", "-out", "plain.p12")
    said = command("inspect", openssl.folder / "plain.p12")
    assert said.status == 2
    assert "openssl pkcs12 -in FILE -clcerts -nokeys" in said.err


def test_a_file_that_may_not_be_read_is_named(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, mode: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("builtins.open", refuse)  # the tests may run as root, who may read everything
    said = command("inspect", "leaf.crt")
    assert said.status == 2
    assert "leaf.crt: it may not be read by you" in said.err


def test_a_value_may_be_surrounded_by_blanks_and_a_line_end(command: Command) -> None:
    value = Path("header.txt").read_text()
    assert command("verify", "--ca", "ca.crt", "-", stdin=f"  {value}\r\n\r\n").status == 0


def test_a_person_at_a_terminal_is_told_how_to_end_the_input(folder: Path) -> None:
    master, slave = pty.openpty()
    try:
        os.write(master, b"nonsense\n\x04")  # Ctrl-D
        command = [sys.executable, "-m", "sslclientcert", "inspect", "-"]
        done = subprocess.run(command, stdin=slave, capture_output=True, text=True, timeout=60, check=False)
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 1
    assert done.stderr == "sslclientcert: reading from the terminal; end with Ctrl-D\n"


@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.builds(
            lambda before, lines, line_end, mark: line_end.join([before, *(mark + each for each in lines)]).encode(),
            st.text(max_size=20),
            st.lists(
                st.sampled_from(["ssl-client-cert: {value}", "ssl-client-verify: NONE", "", "> ", ":path: /", "{pem}"])
            ),
            st.sampled_from(["\n", "\r\n", "\r"]),
            st.sampled_from(["", "> ", "\t"]),
        ),
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_content_is_there_is_an_answer_that_can_be_printed(
    command: Command, alice: IssuedCertificate, content: bytes
) -> None:
    value = alice.headers()["ssl-client-cert"].encode()
    content = content.replace(b"{value}", value).replace(b"{pem}", alice.pem.encode())
    for command_line in (("verify", "--ca", "ca.crt", "-"), ("inspect", "-"), ("encode", "--proxy", "envoy", "-")):
        said = command(*command_line, stdin=content)
        assert said.status in (0, 1, 2)
        assert (said.status == 2) == bool(said.err)
        assert all(char.isprintable() or char == "\n" for char in said.out + said.err)
