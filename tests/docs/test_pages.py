"""What the pages say of the code is what the code says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from sslclientcert import ClientCertError
from sslclientcert.core.authenticator import DEFAULT_MAX_HEADER_BYTES
from sslclientcert.core.decoding import ENCODINGS
from sslclientcert.core.options import OPTIONS
from sslclientcert.testing import plugin

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ERRORS = {kind.code: kind for kind in ClientCertError.__subclasses__()}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_code_has_an_entry_and_its_status_is_right() -> None:
    rows = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \| (\d+) \|", page("errors.md"), re.MULTILINE)
    assert [(code, int(status)) for code, _, status in rows] == [(code, kind.status) for code, kind in ERRORS.items()]
    assert all(code == anchor for code, anchor, _ in rows)


@pytest.mark.parametrize("code", ERRORS)
def test_an_entry_says_what_the_log_has_the_likely_cause_and_the_remedy(code: str) -> None:
    words = re.findall(r"^- \*\*(.+?)\*\*: \S", sections(page("errors.md"))[code], re.MULTILINE)
    assert words == ["Log", "Likely cause", "Remedy"]


def test_no_page_speaks_of_a_code_that_does_not_exist() -> None:
    words = r"`((?:ca|certificate|forwarding|header|proxy|revocation|trust_store)_[a-z_]+)`"
    others = {"certificate_encoding", "certificate_header", "certificate_pem", "trust_store_warning"}
    others |= {"header_map", "header_up", "proxy_pass", "proxy_set_header"}  # of servers and proxies
    for path in PAGES:
        assert set(re.findall(words, path.read_text(encoding="utf-8"))) - others <= set(ERRORS), path.name


def test_the_limit_that_the_pages_name_is_that_of_the_library() -> None:
    kib = f"{DEFAULT_MAX_HEADER_BYTES // 1024} KiB"
    assert f"| the library | {kib} | 431 `header_too_large` | `max_header_bytes` |" in page("proxies/header-limits.md")
    assert f"`max_header_bytes` ({kib})" in page("errors.md")


def test_the_reference_lists_every_encoding() -> None:
    assert re.findall(r"^\| `([a-z\d-]+)` \|", page("api.md"), re.MULTILINE) == list(ENCODINGS)


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]*\btest_\w+)`", page("threat-model.md")))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / "tests" / f"{name}.py").is_file()] == []


def test_every_attack_of_the_threat_model_says_who_stops_it_how_probe_finds_it_and_what_shows_that() -> None:
    rows = [line.strip("| ").split(" | ") for line in page("threat-model.md").splitlines() if line.startswith("| ")]
    attacks = [row for row in rows if row[0] not in ("attack", "---")]
    assert len(attacks) > 20
    for attack, stops, probe, shown in attacks:
        assert re.match(r"(Library|Deployment|Proxy|Application): ", stops), attack
        assert probe, attack
        assert re.fullmatch(r"`[\w/]*\btest_\w+`(, `[\w/]*\btest_\w+`)*", shown), attack


def test_the_variables_of_the_environment_are_options() -> None:
    known = {each.upper() for each in OPTIONS}
    for name in ("kubernetes.md", "leaving-ingress-nginx.md", "troubleshooting.md", "verification.md"):
        assert set(re.findall(r"\bSSLCLIENTCERT_([A-Z_]+)\b", page(name))) <= known, name


def names_in(part: str) -> list[str]:
    """The names that the page on stability lists for a part."""
    (row,) = re.findall(rf"^\| {part} \| (.+) \|$", page("api-stability.md"), re.MULTILINE)
    return re.findall(r"`([^`]+)`", row)


def test_the_settings_fixtures_and_fields_that_may_be_relied_on_are_those_of_the_code() -> None:
    fixtures = [name for name in vars(plugin) if name.startswith("sslclientcert_")]
    fields = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.+?) \|", page("logging.md"), re.MULTILINE)))
    assert [name.lower() for name in names_in("settings")[:-2]] == list(OPTIONS)
    assert names_in("pytest") == fixtures
    assert names_in("log")[1:] == fields


def test_the_versions_that_are_supported_are_those_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert f"now {pythons[0]} to {pythons[-1]}" in page("api-stability.md")
    (least,) = re.findall(r"cryptography>=(\d+)", "\n".join(project["dependencies"]))
    assert f"| cryptography | {least} and newer |" in page("api-stability.md")
