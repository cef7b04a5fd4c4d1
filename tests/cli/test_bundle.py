"""What a bundle holds: what each certificate can be used for, as the trust store says, and what needs attention."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from sslclientcert.testing import ClientCA

from ..core.pki import Party, basic, certify, pem_of_crls, private_key, revocation_list, with_change
from .conftest import HOSTILE, Command

NOW = datetime.now(UTC)
NUMBERS = itertools.count(100)


def certificate(
    subject: str,
    *,
    issuer: Party | None = None,
    key: str = "P-256",
    ca: bool = True,
    pathlen: int | None = None,
    start: datetime = NOW - timedelta(days=2),
    end: datetime = NOW + timedelta(days=400),
) -> Party:
    """A certificate with basic constraints alone, and a key of its own; self-signed without an issuer."""
    constraints = (basic(ca=ca, pathlen=pathlen), True)
    own = private_key(key, next(NUMBERS))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    return certify(name, issuer, key=own, extensions=[constraints], start=start, end=end)


def listed(command: Command, *pems: str, options: tuple[str, ...] = ()) -> list[tuple[str | None, int | None, str]]:
    """Role, number of the issuer, and reason of each certificate of a bundle."""
    said = command("bundle", "-", "--json", *options, stdin="".join(pems))
    return [(one["role"], one["through"], one["why_no_anchor"] or "") for one in said.json["certificates"]]


# A bundle that needs no attention


def test_a_bundle_is_listed_with_names_numbers_dates_keys_and_roles(command: Command, ca: ClientCA) -> None:
    said = command("bundle", "ca.crt")
    assert (said.status, said.err) == (0, "")
    assert "found: 2 certificates in ca.crt, as of " in said.out
    for expected in (
        "CN=Example CA   serial ",
        "CN=Example CA 1   serial ",
        "EC secp256r1",
        "anchor\n",
        "intermediate: ",
    ):
        assert expected in said.out
    assert f"to {ca.certificate.not_valid_after_utc:%Y-%m-%d}" in said.out
    assert "WARNING" not in said.out


def test_json_has_what_text_says(command: Command, ca: ClientCA) -> None:
    said = command("bundle", "ca.crt", "--crl", "ca.crl", "--json")
    assert said.status == 0
    assert list(said.json) == ["certificates", "left_out", "crls", "ends", "warnings"]
    by_subject = {one["subject"]: one for one in said.json["certificates"]}
    root, lower = by_subject["CN=Example CA"], by_subject["CN=Example CA 1"]
    assert (root["role"], root["through"], root["why_no_anchor"]) == ("anchor", None, None)
    assert (lower["role"], lower["through"]) == ("intermediate", said.json["certificates"].index(root) + 1)
    assert "so it holds only through" in lower["why_no_anchor"]
    assert root["not_after"] == ca.certificates[0].not_valid_after_utc.isoformat()
    assert len(root["fingerprint_sha256"]) == 64
    assert [one["revoked"] for one in said.json["crls"]] == [1, 1]
    assert [len(one["signed_by"]) for one in said.json["crls"]] == [1, 1]
    assert said.json["warnings"] == said.json["left_out"] == []
    assert len(said.json["ends"]) == 4


def test_a_bundle_may_come_from_standard_input(command: Command, ca: ClientCA) -> None:
    assert command("bundle", "-", stdin=ca.pem).status == 0


# What each can be used for


def test_an_intermediate_whose_issuer_is_not_there_is_an_anchor(command: Command) -> None:
    root = certificate("Root")
    lower = certificate("Lower", issuer=root)
    assert listed(command, lower.pem) == [("anchor", None, "")]
    assert [role for role, _, _ in listed(command, lower.pem, root.pem)] == ["intermediate", "anchor"]


def test_a_clients_own_certificate_is_a_pin_where_its_issuer_is_not_there(command: Command) -> None:
    root = certificate("Root")
    alice = certificate("alice", issuer=root, ca=False)
    ((role, _, why),) = listed(command, alice.pem)
    assert role == "pin"
    assert "not a CA" in why
    (warning,) = command("bundle", "-", "--json", stdin=alice.pem).json["warnings"]
    assert "It is a pin" in warning
    (role, _, why), _ = listed(command, alice.pem, root.pem)
    assert role is None
    assert "not a CA" in why


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: certificate("Old", start=NOW - timedelta(days=9), end=NOW - timedelta(days=1)), "expired at"),
        (lambda: certificate("Early", start=NOW + timedelta(days=1)), "is valid from"),
        (lambda: certificate("Weak", key="RSA-1024"), "1024 bits"),
    ],
    ids=["expired", "not yet valid", "weak"],
)
def test_a_root_that_cannot_act_is_told_with_the_rule(command: Command, made: Callable[[], Party], why: str) -> None:
    pem = made().pem
    ((role, _, said),) = listed(command, pem)
    assert role is None
    assert why in said
    assert "UNUSABLE" in command("bundle", "-", stdin=pem).out


def test_an_intermediate_below_a_root_that_cannot_act_is_unusable_and_so_is_the_root(command: Command) -> None:
    old = certificate("Old", start=NOW - timedelta(days=9), end=NOW - timedelta(days=1))
    lower = certificate("Lower", issuer=old)
    (role, _, why), (above, _, reason) = listed(command, lower.pem, old.pem)
    assert (role, above) == (None, None)
    assert "leads from it to a usable anchor" in why
    assert "expired" in reason


def test_an_intermediate_that_a_path_length_does_not_allow_is_unusable(command: Command) -> None:
    short = certificate("Short", pathlen=0)
    lower = certificate("Lower", issuer=short)
    (role, _, why), _ = listed(command, lower.pem, short.pem)
    assert role is None
    assert "leads from it to a usable anchor" in why


def test_another_time_and_another_depth_give_other_roles(command: Command) -> None:
    root = certificate("Root", end=NOW + timedelta(days=100))
    lower = certificate("Lower", issuer=root)
    later = (NOW + timedelta(days=200)).isoformat()
    assert [role for role, _, _ in listed(command, root.pem, lower.pem, options=("--at", later))] == [None, None]
    lowest = certificate("Lowest", issuer=lower)
    for depth, roles in (("1", ["anchor", "intermediate", None]), ("2", ["anchor", "intermediate", "intermediate"])):
        found = listed(command, root.pem, lower.pem, lowest.pem, options=("--max-depth", depth))
        assert [role for role, _, _ in found] == roles


def test_a_root_of_x509_v1_is_no_anchor(command: Command, ca: ClientCA) -> None:
    ((role, _, why), *_) = listed(command, ca.v1("My Client").pem)
    assert (role, "X.509 v1" in why) == ("pin", True)


# What is left out, cross-certificates, partitions, what ends when


def test_a_certificate_that_does_not_parse_is_shown_with_its_place_and_the_reason(
    command: Command, ca: ClientCA
) -> None:
    odd = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n"
    Path("odd.crt").write_text(odd + ca.pem)
    said = command("bundle", "odd.crt")
    assert (said.status, said.err) == (1, "")
    assert "found: 3 certificates in odd.crt" in said.out
    assert "certificate 1 of odd.crt\n     UNUSABLE: it does not parse" in said.out
    (left_out,) = command("bundle", "odd.crt", "--json").json["left_out"]
    assert left_out["what"] == "certificate 1 of odd.crt"
    assert "does not parse" in left_out["why"]


def test_an_intermediate_whose_issuers_key_is_not_there_is_unusable(command: Command) -> None:
    lower = certificate("Lower", issuer=certificate("Root"))
    another = certificate("Root")
    assert [role for role, _, _ in listed(command, lower.pem, another.pem)] == [None, "anchor"]
    said = command("bundle", "-", stdin=lower.pem + another.pem)
    assert said.status == 1
    assert "UNUSABLE: the bundle has a certificate named 'CN=Root'" in said.out


def test_a_cross_certificate_is_shown_with_its_twin(command: Command) -> None:
    root, other = certificate("Root"), certificate("Other")
    cross = certify("Other", root, key=other.key, extensions=[(basic(ca=True), True)], end=NOW + timedelta(days=400))
    bundle = root.pem + other.pem + cross.pem
    said = command("bundle", "-", "--json", stdin=bundle).json["certificates"]
    assert [one["role"] for one in said] == ["anchor", "anchor", "intermediate"]
    assert [one["same_name_and_key"] for one in said] == [[], [3], [2]]
    assert "cross-certified: 2 has the same name and key" in command("bundle", "-", stdin=bundle).out


def issuing(url: str | None = None, *, users: bool = False, indirect: bool = False) -> x509.IssuingDistributionPoint:
    names = None if url is None else [x509.UniformResourceIdentifier(url)]
    return x509.IssuingDistributionPoint(names, None, users, False, None, indirect, False)


def test_partitions_and_deltas_are_shown_with_what_they_are_about(command: Command) -> None:
    root = certificate("Root")
    Path("root.crt").write_text(root.pem)
    kinds = (issuing("http://ca.example/1.crl", users=True), issuing(users=True), x509.DeltaCRLIndicator(1))
    lists = [revocation_list(root, extensions=[(kind, True)]) for kind in kinds]
    Path("root.crl").write_text(pem_of_crls(revocation_list(root), *lists))
    said = command("bundle", "root.crt", "--crl", "root.crl")
    assert said.status == 0
    for scope in (
        "all end-entity certificates of the distribution point 'http://ca.example/1.crl'\n",
        "all end-entity certificates\n",
        "all certificates\n",
        "all certificates, as a delta\n",
    ):
        assert f"signed by 1, about {scope}" in said.out


def test_a_list_that_cannot_be_used_is_shown_with_its_fault(command: Command) -> None:
    root = certificate("Root")
    Path("root.crt").write_text(root.pem)
    Path("root.crl").write_text(pem_of_crls(revocation_list(root, extensions=[(issuing(indirect=True), True)])))
    said = command("bundle", "root.crt", "--crl", "root.crl")
    assert said.status == 1
    assert "UNUSABLE: it is indirect" in said.out
    (crl,) = command("bundle", "root.crt", "--crl", "root.crl", "--json").json["crls"]
    assert "indirect" in crl["fault"]


def test_a_ca_whose_key_cannot_be_read_is_unusable_next_to_its_list(command: Command) -> None:
    root = certificate("Root")

    def off_the_curve(parts: list[bytes]) -> None:
        parts[6] = parts[6][:-1] + bytes([parts[6][-1] ^ 1])

    Path("root.crt").write_text(certificate("Other").pem + with_change(root, off_the_curve).pem)
    Path("root.crl").write_text(pem_of_crls(revocation_list(root)))
    said = command("bundle", "root.crt", "--crl", "root.crl")
    assert said.status == 1
    assert said.out.count("UNUSABLE") == 2


def test_what_ends_when_is_listed_the_first_end_first(command: Command) -> None:
    ends = [NOW + timedelta(days=days) for days in (300, 100, 200)]
    roots = [certificate(f"R{number}", end=end) for number, end in enumerate(ends)]
    Path("root.crt").write_text("".join(root.pem for root in roots))
    Path("root.crl").write_text(pem_of_crls(revocation_list(roots[0])))
    said = command("bundle", "root.crt", "--crl", "root.crl", "--json").json["ends"]
    assert [one["at"] for one in said] == sorted(one["at"] for one in said)
    text = command("bundle", "root.crt", "--crl", "root.crl").out.partition("\nends\n")[2]
    places = [text.index(name) for name in ("the CRL of 'CN=R0'", "'CN=R1'", "'CN=R2'", "'CN=R0' (serial")]
    assert places == sorted(places)


def test_what_has_ended_is_said_to_have_ended(command: Command) -> None:
    old = certificate("Old", start=NOW - timedelta(days=9), end=NOW - timedelta(days=1))
    assert "(ENDED)" in command("bundle", "-", stdin=old.pem).out


# What needs attention: exit status 1


def test_what_ends_within_the_days_asked_for_is_a_warning(command: Command) -> None:
    pem = certificate("Root", end=NOW + timedelta(days=20, hours=1)).pem
    for days, warned in (("19", False), ("21", True), ("30", True)):
        said = command("bundle", "-", "--warn-days", days, stdin=pem)
        assert (said.status, "WARNING" in said.out) == (int(warned), warned)


def test_a_ca_without_a_current_list_is_a_warning_where_there_are_lists(command: Command, ca: ClientCA) -> None:
    roots = ca.crl().split("-----END X509 CRL-----\n", 1)[0] + "-----END X509 CRL-----\n"
    Path("one.crl").write_text(roots)
    said = command("bundle", "ca.crt", "--crl", "one.crl")
    assert said.status == 1
    assert "there is no current CRL of" in said.out
    assert "CN=Example CA 1" in said.out.partition("there is no current CRL of")[2]
    later = (NOW + timedelta(days=3700)).isoformat()
    said = command("bundle", "ca.crt", "--crl", "ca.crl", "--at", later, "--json")
    assert any("ended at" in each for each in said.json["warnings"])


def test_a_list_that_no_ca_of_the_bundle_signed_is_a_warning(command: Command) -> None:
    Path("other.crl").write_text(ClientCA("Example CA", intermediates=0).crl())
    said = command("bundle", "ca.crt", "--crl", "other.crl")
    assert said.status == 1
    assert "UNUSABLE: no CA of the bundle signed it" in said.out
    Path("other.crl").write_text(ClientCA("Other").crl())
    said = command("bundle", "ca.crt", "--crl", "other.crl", "--json")
    assert any("is of a CA that is not in the bundle" in each for each in said.json["warnings"])


def test_an_unusable_entry_is_status_1(command: Command, ca: ClientCA) -> None:
    weak = certificate("Weak", key="RSA-1024").pem
    assert command("bundle", "-", stdin=ca.pem + weak).status == 1


# What is no bundle: exit status 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.crt"], "nowhere.crt: there is no such file"),
        (["client.key"], "client.key: it holds a private key"),
        (["ca.crl"], "ca.crl: PEM block 1 is an X509 CRL"),
        (["header.txt"], "header.txt"),
        (["ca.crt", "--crl", "ca.crt"], "ca.crt: PEM block 1 is a CERTIFICATE"),
        (["ca.crt", "--warn-days", "soon"], "is no number of days"),
        ([], "CA"),
    ],
)
def test_a_fault_of_usage_is_said_in_a_line(command: Command, arguments: list[str], complaint: str) -> None:
    said = command("bundle", *arguments)
    assert (said.status, said.out) == (2, "")
    assert complaint in said.err
    assert "Traceback" not in said.err


def test_a_hostile_name_cannot_command_the_terminal(command: Command) -> None:
    pem = certificate(HOSTILE.replace("\r\n", "")).pem
    said = command("bundle", "-", stdin=pem)
    assert said.status == 0
    assert all(char.isprintable() or char == "\n" for char in said.out)
    assert r"\x1b[2J" in said.out
