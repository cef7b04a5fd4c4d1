from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sslclientcert import PROXIES
from sslclientcert.cli import main
from sslclientcert.testing import ClientCA, IssuedCertificate, encode

from ..core.pki import authority, client, pem_of_crls, revocation_list
from ..openssl import OpenSSL
from .conftest import Command


def block(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in headers.items())


# What is accepted


@pytest.mark.parametrize("file", ["leaf.crt", "client.crt", "header.txt"])
def test_a_certificate_a_chain_and_a_header_value_are_accepted(command: Command, file: str) -> None:
    said = command("verify", "--ca", "ca.crt", file)
    assert (said.status, said.err) == (0, "")
    assert "ACCEPTED  CN=alice,O=Example" in said.out
    assert "REFUSED" not in said.out
    assert "UNVERIFIED" not in said.out


def test_the_verified_path_is_shown_from_the_leaf_to_the_anchor(command: Command) -> None:
    said = command("verify", "--ca", "ca.crt", "leaf.crt").out
    places = [
        said.index(each)
        for each in ("1  CN=alice", "signed by 2", "2  CN=Example CA 1", "3  CN=Example CA  ", "as an anchor")
    ]
    assert places == sorted(places)


def test_the_answer_says_what_cannot_be_checked_offline(command: Command) -> None:
    assert "Not checked" in command("verify", "--ca", "ca.crt", "leaf.crt").out


def test_json_has_the_identity_and_null_for_what_is_absent(command: Command, alice: IssuedCertificate) -> None:
    said = command("verify", "--ca", "ca.crt", "--json", "header.txt")
    assert said.status == 0
    assert list(said.json) == ["accepted", "code", "detail", "identity", "warnings"]
    assert (said.json["accepted"], said.json["code"], said.json["detail"]) == (True, None, None)
    assert said.json["identity"]["subject"] == "CN=alice,O=Example"
    assert said.json["identity"]["serial_number"] == str(alice.certificate.serial_number)
    assert said.json["identity"]["chain"] == ["CN=alice,O=Example", "CN=Example CA 1", "CN=Example CA"]


def test_the_certificate_of_the_documentation_of_ingress_nginx_is_accepted(command: Command, openssl: OpenSSL) -> None:
    said = command("verify", "--ca", openssl.folder / "root.crt", openssl.folder / "plain.crt")
    assert said.status == 0
    assert "ACCEPTED  CN=My Client" in said.out


def test_a_certificate_with_its_text_before_it_is_accepted(command: Command, openssl: OpenSSL) -> None:
    openssl("x509", "-in", "plain.crt", "-text", "-out", "with-text.crt")
    assert command("verify", "--ca", openssl.folder / "root.crt", openssl.folder / "with-text.crt").status == 0


def test_a_certificate_in_der_is_accepted(command: Command, openssl: OpenSSL) -> None:
    openssl("x509", "-in", "plain.crt", "-outform", "DER", "-out", "plain.der")
    assert command("verify", "--ca", openssl.folder / "root.crt", openssl.folder / "plain.der").status == 0


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_request_headers_of_every_proxy_are_accepted(
    command: Command, alice: IssuedCertificate, proxy: str
) -> None:
    said = command("verify", "--ca", "ca.crt", "--proxy", proxy, "-", stdin=block(alice.headers(proxy)))
    assert said.status == 0
    assert "ACCEPTED  CN=alice,O=Example" in said.out
    assert "The sender counts as the proxy. To name another one, use --peer." in said.out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--peer", "127.0.0.1"], None),
        (["--peer", "unix"], None),
        (["--peer", "10.244.3.7", "--trusted-proxies", "10.244.3.0/28, unix"], None),
        (["--peer", "10.0.0.1", "--trusted-proxies", "10.244.3.0/28"], "proxy_untrusted"),
        (["--peer", "127.0.0.6"], "proxy_untrusted"),
        (["--peer", "203.0.113.9"], "proxy_untrusted"),
        (["--peer", ""], "proxy_untrusted"),
        (["--peer", "", "--trusted-proxies", "unaddressed"], None),
    ],
)
def test_a_replay_answers_as_the_application_would_to_that_peer(
    command: Command, alice: IssuedCertificate, options: list[str], code: str | None
) -> None:
    said = command("verify", "--ca", "ca.crt", "--json", *options, "-", stdin=block(alice.headers()))
    assert (said.json["code"], said.status) == (code, int(code is not None))
    assert not said.err
    shown = command("verify", "--ca", "ca.crt", *options, "-", stdin=block(alice.headers())).out
    assert "The sender counts as the proxy" not in shown
    assert f"sent by {options[1]}" in shown


def test_the_certificate_header_may_have_another_name(command: Command, alice: IssuedCertificate) -> None:
    headers = alice.headers()
    headers["x-client-cert"] = headers.pop("ssl-client-cert")
    assert command("verify", "--ca", "ca.crt", "-", stdin=block(headers)).status == 1
    assert command("verify", "--ca", "ca.crt", "--header", "X-Client-Cert", "-", stdin=block(headers)).status == 0


CURL = """\
*   Trying 127.0.0.1:8000...
* Connected to 127.0.0.1 (127.0.0.1) port 8000 (#0)
> GET / HTTP/1.1
> Host: 127.0.0.1:8000
> Accept: */*
{headers}>
* Request completely sent off
< HTTP/1.1 200 OK
< ssl-client-verify: NONE
<
{{ [5 bytes data]
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_curl_v_printed_is_read_as_the_request_that_curl_sent(
    command: Command, alice: IssuedCertificate, line_end: str
) -> None:
    sent = "".join(f"> {line}\n" for line in block(alice.headers()).splitlines())
    transcript = CURL.format(headers=sent).replace("\n", line_end)
    assert command("verify", "--ca", "ca.crt", "-", stdin=transcript).status == 0
    without = CURL.format(headers="").replace("\n", line_end)
    assert command("verify", "--ca", "ca.crt", "--json", "-", stdin=without).json["code"] == "certificate_missing"


@pytest.mark.parametrize(
    "form",
    [
        "GET / HTTP/1.1\r\nHost: app\r\n{headers}\r\n",
        ":method: GET\n:path: /\n{headers}",
        "    Host: app\n    {indented}",
        "\ufeff{headers}",
    ],
    ids=["request", "HTTP/2", "indented", "byte order mark"],
)
def test_a_block_of_headers_is_read_in_the_forms_that_tools_print(
    command: Command, alice: IssuedCertificate, form: str
) -> None:
    headers = block(alice.headers())
    text = form.format(headers=headers, indented=headers.replace("\n", "\n    "))
    assert command("verify", "--ca", "ca.crt", "-", stdin=text).status == 0


def test_a_header_that_nginx_folded_over_several_lines_is_one_header(
    command: Command, alice: IssuedCertificate
) -> None:
    folded = alice.pem.strip().replace("\n", "\n\t")
    stdin = f"Host: app\nX-SSL-Cert: {folded}\nX-SSL-Verify: SUCCESS\n"
    assert command("verify", "--ca", "ca.crt", "--proxy", "apache", "-", stdin=stdin).status == 0


# What is refused


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        ("expired", "certificate_expired"),
        ("not_yet_valid", "certificate_not_yet_valid"),
        ("server_only", "certificate_unsuitable"),
        ("self_signed", "certificate_untrusted"),
        ("stranger", "certificate_untrusted"),
        ("tampered", "certificate_untrusted"),
        ("revoked", "certificate_revoked"),
        ("not_a_certificate", "certificate_malformed"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_certificate_that_is_no_good_is_refused_by_its_code(
    command: Command, ca: ClientCA, certificate: str, code: str, as_json: bool
) -> None:
    presented: IssuedCertificate = getattr(ca, certificate)("mallory")
    options = ["--json"] if as_json else []
    for stdin in (presented.pem, block(presented.headers(verdict=0))):
        said = command("verify", "--ca", "ca.crt", "--crl", "ca.crl", *options, "-", stdin=stdin)
        assert (said.status, said.err) == (1, "")
        if as_json:
            assert list(said.json) == ["accepted", "code", "detail", "identity", "warnings"]
            assert (said.json["accepted"], said.json["code"], said.json["identity"]) == (False, code, None)
            assert said.json["detail"]
        else:
            assert f"REFUSED   {code}" in said.out
            assert "ACCEPTED" not in said.out
            assert ("UNVERIFIED" in said.out) == (certificate != "not_a_certificate")


def test_the_links_of_a_refused_chain_are_described_by_name_and_date_alone(command: Command, ca: ClientCA) -> None:
    bob = ca.expired("bob")
    said = command("verify", "--ca", "ca.crt", "-", stdin=bob.pem).out
    assert "(EXPIRED)" in said
    assert "claims the issuer CN=Example CA 1, a name in ca.crt" in said
    said = command("verify", "--ca", "ca.crt", "-", stdin=bob.chain_pem).out
    assert "claims the issuer CN=Example CA 1, the name of 2" in said
    said = command("verify", "--ca", "ca.crt", "-", stdin=ClientCA("Other").issue("eve").pem).out
    assert "claims the issuer CN=Other, a name that is neither next here nor in ca.crt" in said
    said = command("verify", "--ca", "ca.crt", "-", stdin=ca.self_signed("eve").pem).out
    assert "claims the issuer CN=eve, itself" in said
    assert "ok" not in said.split()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ssl-client-verify": "NONE"}, "forwarding_inconsistent"),
        ({"ssl-client-subject-dn": "CN=somebody else"}, "forwarding_inconsistent"),
        ({"ssl-client-cert": ""}, "forwarding_inconsistent"),
        ({"ssl_client_cert": "forged"}, "header_ambiguous"),
        ({"SSL-Client-Cert": "forged"}, "header_ambiguous"),
        ({"ssl-client-cert": "x" * 70_000}, "header_too_large"),
        ({"ssl-client-cert": "nonsense"}, "header_malformed"),
    ],
)
def test_a_block_of_headers_is_held_to_the_rules_of_the_authenticator(
    command: Command, alice: IssuedCertificate, change: dict[str, str], code: str
) -> None:
    said = command("verify", "--ca", "ca.crt", "--json", "-", stdin=block({**alice.headers(), **change}))
    assert (said.status, said.json["code"]) == (1, code)


@pytest.mark.parametrize("proxy", PROXIES)
def test_headers_without_a_certificate_are_refused_as_missing(command: Command, proxy: str) -> None:
    stdin = "Host: app\n" + block(encode(None, proxy))
    said = command("verify", "--ca", "ca.crt", "--proxy", proxy, "--json", "-", stdin=stdin)
    assert (said.status, said.json["code"]) == (1, "certificate_missing")


def test_headers_of_another_proxy_are_refused_and_that_proxy_is_named(
    command: Command, alice: IssuedCertificate
) -> None:
    said = command("verify", "--ca", "ca.crt", "-", stdin=block(alice.headers("traefik")))
    assert said.status == 1
    assert "which traefik sends: say which with --proxy" in " ".join(said.out.split())
    said = command("verify", "--ca", "ca.crt", "-", stdin=alice.headers("caddy")["client-cert"])
    assert said.status == 1
    assert "It looks like byte-sequence, which caddy, rfc9440, gcp and cloudflare send" in " ".join(said.out.split())


def test_a_chain_in_any_order_with_its_root_is_accepted(
    command: Command, ca: ClientCA, alice: IssuedCertificate
) -> None:
    said = command("verify", "--ca", "ca.crt", "--json", "-", stdin=alice.pem + ca.pem)
    assert (said.status, said.json["code"]) == (0, None)


# The time, the depth, revocation


@pytest.mark.parametrize("file", ["leaf.crt", "header.txt", "request.txt"])
def test_at_another_time_another_answer_is_given(command: Command, ca: ClientCA, file: str) -> None:
    carol = ca.expired("carol")
    Path("leaf.crt").write_text(carol.pem)
    Path("header.txt").write_text(carol.headers()["ssl-client-cert"])
    Path("request.txt").write_text(block(carol.headers(verdict=0)))
    then = carol.certificate.not_valid_after_utc - timedelta(hours=1)
    assert command("verify", "--ca", "ca.crt", file).status == 1
    for text in (then.isoformat(), f"{then:%Y-%m-%dT%H:%M:%SZ}", f"{then:%Y-%m-%dT%H:%M}"):
        said = command("verify", "--ca", "ca.crt", "--at", text, file)
        assert said.status == 0
        assert f"as of {then:%Y-%m-%d %H:%M}" in said.out
    said = command("verify", "--ca", "ca.crt", "--at", "2001-01-01", "--json", file)
    assert said.json["code"] == "certificate_not_yet_valid"


def test_a_time_without_a_zone_is_in_utc(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert (
        "as of 2030-01-02 03:04:05 UTC (--at)"
        in command("verify", "--ca", "ca.crt", "--at", "2030-01-02T03:04:05", "leaf.crt").out
    )
    assert (
        "as of 2030-01-02 01:04:05 UTC"
        in command("verify", "--ca", "ca.crt", "--at", "2030-01-02T03:04:05+02:00", "leaf.crt").out
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ssl-client-verify": "NONE"}, "forwarding_inconsistent"),
        ({"ssl_client_cert": "forged"}, "header_ambiguous"),
        ({"ssl-client-cert": "nonsense"}, "header_malformed"),
    ],
)
def test_another_time_does_not_suspend_the_rules_for_headers(
    command: Command, alice: IssuedCertificate, change: dict[str, str], code: str
) -> None:
    now = datetime.now(UTC).isoformat()
    stdin = block({**alice.headers(), **change})
    assert command("verify", "--ca", "ca.crt", "--at", now, "--json", "-", stdin=stdin).json["code"] == code
    assert command("verify", "--ca", "ca.crt", "--at", now, "-", stdin=block(alice.headers())).status == 0


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", ""])
def test_a_time_that_is_none_is_a_fault_of_usage(command: Command, time: str) -> None:
    said = command("verify", "--ca", "ca.crt", "--at", time, "leaf.crt")
    assert said.status == 2
    assert "ISO 8601" in said.err


@pytest.mark.parametrize("time", ["0001-01-01", "9999-12-31T23:59:59"])
def test_the_ends_of_time_are_refused_like_any_other(command: Command, time: str) -> None:
    said = command("verify", "--ca", "ca.crt", "--at", time, "header.txt")
    assert (said.status, said.err) == (1, "")


def test_the_depth_is_limited_when_asked(command: Command) -> None:
    assert command("verify", "--ca", "ca.crt", "--max-depth", "1", "leaf.crt").status == 0
    assert command("verify", "--ca", "ca.crt", "--max-depth", "0", "leaf.crt").status == 1
    assert command("verify", "--ca", "ca.crt", "--max-depth", "11", "leaf.crt").status == 2


def test_with_revocation_lists_the_revoked_are_refused(
    command: Command, ca: ClientCA, alice: IssuedCertificate
) -> None:
    assert command("verify", "--ca", "ca.crt", "--crl", "ca.crl", "leaf.crt").status == 0
    Path("new.crl").write_text(ca.crl([alice]))
    said = command("verify", "--ca", "ca.crt", "--crl", "new.crl", "--json", "leaf.crt")
    assert (said.status, said.json["code"]) == (1, "certificate_revoked")


# What ends soon


def test_what_ends_within_the_days_asked_for_is_warned_of_and_changes_no_answer(command: Command, ca: ClientCA) -> None:
    bob = ca.issue("bob", not_after=datetime.now(UTC) + timedelta(days=20, hours=1))
    for days, warned in (("19", False), ("21", True), ("30", True)):
        said = command("verify", "--ca", "ca.crt", "--warn-days", days, "-", stdin=bob.pem)
        assert (said.status, "WARNING" in said.out) == (0, warned)
    assert "WARNING" in command("verify", "--ca", "ca.crt", "-", stdin=bob.pem).out
    (warning,) = command("verify", "--ca", "ca.crt", "--json", "-", stdin=bob.pem).json["warnings"]
    assert "'CN=bob'" in warning
    assert f"ends soon, at {bob.certificate.not_valid_after_utc.isoformat()}" in warning


def test_the_cas_above_an_accepted_certificate_and_the_lists_are_warned_of(command: Command, ca: ClientCA) -> None:
    assert command("verify", "--ca", "ca.crt", "--crl", "ca.crl", "--json", "leaf.crt").json["warnings"] == []
    days = str((ca.certificates[0].not_valid_after_utc - datetime.now(UTC)).days + 1)
    options = ["--crl", "ca.crl", "--warn-days", days, "--json"]
    warnings = command("verify", "--ca", "ca.crt", *options, "leaf.crt").json["warnings"]
    assert [each.partition(" (serial")[0] for each in warnings] == [
        "'CN=alice,O=Example'",
        "'CN=Example CA 1'",
        "'CN=Example CA'",
    ]
    soon = datetime.now(UTC) + timedelta(days=3630)
    said = command("verify", "--ca", "ca.crt", "--crl", "ca.crl", "--at", soon.isoformat(), "--json", "leaf.crt")
    assert sum("the CRL of 'CN=Example CA" in each for each in said.json["warnings"]) == 2


def test_of_a_refused_certificate_only_the_lists_are_warned_of(command: Command, ca: ClientCA) -> None:
    Path("other.crl").write_text(ClientCA("Other").crl())
    said = command("verify", "--ca", "ca.crt", "--crl", "other.crl", "--json", "-", stdin=ca.expired("bob").pem)
    assert (said.status, said.json["code"]) == (1, "certificate_expired")
    (warning,) = said.json["warnings"]
    assert warning.startswith("the CRL of 'CN=Other'")
    assert "is of a CA that is not in the bundle" in warning


@pytest.mark.parametrize("days", ["-1", "soon", "1.5", "9999999999999"])
def test_a_number_of_days_that_is_none_is_a_fault_of_usage(command: Command, days: str) -> None:
    said = command("verify", "--ca", "ca.crt", "--warn-days", days, "leaf.crt")
    assert said.status == 2
    assert "is no number of days" in said.err


def test_the_bundle_may_come_through_a_pipe(command: Command, ca: ClientCA) -> None:
    assert command("verify", "--ca", "-", "leaf.crt", stdin=ca.pem).status == 0
    os.mkfifo("pipe")
    writer = subprocess.Popen(["cp", "ca.crt", "pipe"])
    assert command("verify", "--ca", "pipe", "leaf.crt").status == 0
    assert writer.wait(10) == 0


# What is not to be judged: exit status 2, one line, no traceback


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--ca", "nowhere.crt", "leaf.crt"], "nowhere.crt: there is no such file"),
        (["--ca", "ca.crt", "nowhere.crt"], "nowhere.crt: there is no such file"),
        (["--ca", ".", "leaf.crt"], ".: it is a folder"),
        (["--ca", "ca.crt", "."], ".: it is a folder"),
        (["--ca", "client.key", "leaf.crt"], "client.key: it holds a private key"),
        (["--ca", "ca.crt", "client.key"], "client.key: it holds a private key"),
        (["--ca", "ca.crl", "leaf.crt"], "ca.crl: PEM block 1 is an X509 CRL"),
        (["--ca", "header.txt", "leaf.crt"], "header.txt"),
        (["--ca", "ca.crt", "--crl", "ca.crt", "leaf.crt"], "ca.crt: PEM block 1 is a CERTIFICATE"),
        (["--ca", "ca.crt", "ca.crl"], "CRLs go into --crl"),
        (["--ca", "ca.crt", "--proxy", "nginxx", "leaf.crt"], "unknown proxy 'nginxx'; did you mean 'nginx'?"),
        (["--ca", "ca.crt", "--header", "not a name", "leaf.crt"], "'not a name' is not a header name"),
        (["leaf.crt"], "--ca"),
        (["--ca", "ca.crt", "--trusted-proxies", "unix", "header.txt"], "--trusted-proxies goes with --peer"),
        (["--ca", "ca.crt", "--peer", "127.0.0.1", "leaf.crt"], "--peer goes with headers"),
        (["--ca", "ca.crt", "--peer", "::1", "--trusted-proxies", "nginx", "header.txt"], "'nginx' is not an address"),
    ],
)  # fmt: skip
def test_a_fault_of_usage_is_said_in_a_line_that_names_the_file(
    command: Command, arguments: list[str], complaint: str
) -> None:
    said = command("verify", *arguments)
    assert (said.status, said.out) == (2, "")
    assert complaint in said.err
    assert "Traceback" not in said.err


def test_a_list_that_cannot_be_used_is_a_warning_and_refuses_what_its_issuer_issued(command: Command) -> None:
    root = authority("Root")
    point = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
    Path("root.crt").write_text(root.pem)
    Path("odd.crl").write_text(pem_of_crls(revocation_list(root, extensions=[(point, True)])))
    said = command("verify", "--ca", "root.crt", "--crl", "odd.crl", "--json", "-", stdin=client("bob", root).pem)
    assert (said.status, said.json["code"]) == (1, "revocation_unknown")
    assert "it is indirect" in said.json["detail"]
    assert any("cannot be used: it is indirect" in warning for warning in said.json["warnings"])


def test_nothing_is_logged_to_the_terminal(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sslclientcert", "verify", "--ca", "ca.crt", "-"],
        cwd=folder, input="ssl-client-cert: nonsense\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert "header_malformed" in done.stdout


# Hostile names


def test_a_hostile_name_cannot_command_the_terminal(command: Command, openssl: OpenSSL) -> None:
    root, hostile = openssl.folder / "root.crt", openssl.folder / "hostile.crt"
    Path("other.crt").write_text(ClientCA("Other").pem)
    for bundle, status in ((root, 0), ("other.crt", 1)):
        said = command("verify", "--ca", bundle, hostile)
        assert said.status == status
        assert all(char.isprintable() or char == "\n" for char in said.out)
        assert not any(line.startswith("ACCEPTED  CN=admin") for line in said.out.splitlines())
        assert r"\x1b[2J" in said.out
        assert r"\u202e" in said.out
        assert command("verify", "--ca", bundle, "--json", hostile).out.isascii()


def test_a_hostile_header_next_to_the_certificate_cannot_command_the_terminal(
    command: Command, alice: IssuedCertificate
) -> None:
    stdin = block({**alice.headers(), "ssl-client-verify": "\x1b[32mSUCCESS"})
    said = command("verify", "--ca", "ca.crt", "-", stdin=stdin)
    assert said.status == 1
    assert "\x1b" not in said.out


def test_the_name_of_a_file_cannot_command_the_terminal(command: Command) -> None:
    said = command("verify", "--ca", "ca.crt", "\x1b[2J.crt")
    assert (said.status, "\x1b" in said.err) == (2, False)


def test_a_name_that_the_terminal_cannot_print_is_escaped(
    folder: Path, ca: ClientCA, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", terminal)
    Path("zoe.crt").write_text(ca.issue("Zoë").pem)
    assert main(["verify", "--ca", "ca.crt", "zoe.crt"]) == 0
    assert isinstance(terminal.buffer, io.BytesIO)
    assert rb"CN=Zo\xeb" in terminal.buffer.getvalue()
