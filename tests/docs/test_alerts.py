"""What the pages promise to the people who keep CAs and CRLs: the log's lines, its codes, and the alerts."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from sslclientcert import ClientCertError

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "examples/monitoring/prometheusrule.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
]


def _situations() -> ModuleType:
    # tests/docs is no package: its other modules are run as scripts.
    spec = importlib.util.spec_from_file_location("situations", Path(__file__).with_name("situations.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


situations = _situations()
CODES = [kind.code for kind in ClientCertError.__subclasses__()]


def section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return text.partition(f"\n{heading}\n")[2].partition("\n## ")[0]


def rows(page: str, heading: str) -> list[list[str]]:
    """The rows of the table of a section, without its head."""
    lines = [line for line in section(page, heading).splitlines() if line.startswith("| ")]
    return [[cell.strip(" `") for cell in line.strip("| ").split(" | ")] for line in lines[2:]]


ALERTED = {(level, code): why for level, code, why, _ in rows("logging.md", "## What to alert on")}


def test_there_is_a_situation_for_every_code() -> None:
    assert list(situations.REFUSALS) == CODES


@pytest.mark.parametrize("code", CODES)
def test_a_refusals_line_in_the_log_is_as_the_page_on_errors_shows_it(code: str) -> None:
    error, record = situations.refusal(code)
    assert (error.code, record.code) == (code, code)
    (shown,) = re.findall(
        r"^- \*\*Log\*\*: `(.+)`(?: \(level INFO\))?$", section("errors.md", f"## {code}"), re.MULTILINE
    )
    assert record.levelname == ("INFO" if code == "certificate_missing" else "WARNING")
    pattern = ".*".join(re.escape(part) for part in shown.split("..."))
    assert re.fullmatch(pattern, record.detail)
    assert record.getMessage().endswith(f": {code}: {record.detail}")


@pytest.mark.parametrize("code", ["ca_expired", "trust_store_unavailable"])
def test_an_expired_ca_is_told_as_the_operators_fault_and_is_alerted_on(code: str) -> None:
    error, record = situations.refusal(code)
    assert error.status == 503
    assert (record.levelname, record.code) in ALERTED
    (rule,) = [rule for rule in RULES if rule["alert"] == "ClientCAExpired"]
    (outcomes,) = re.findall(r'outcome=~"(.+?)"', rule["expr"])
    assert re.fullmatch(outcomes, record.code)


def test_every_code_that_is_to_be_alerted_on_is_one_that_the_log_has_at_that_level(tmp_path: Path) -> None:
    records = [situations.refusal(code)[1] for code in CODES]
    records += [situations.warning("ends soon"), situations.failed_reload(tmp_path)]
    assert ALERTED.keys() <= {(record.levelname, record.code) for record in records}


def test_files_that_do_not_load_are_an_error_that_is_alerted_on(tmp_path: Path) -> None:
    record = situations.failed_reload(tmp_path)
    assert "do not load" in record.getMessage()
    assert "do not load" in ALERTED[record.levelname, record.code]


def test_the_page_on_logging_lists_every_warning_of_a_trust_store() -> None:
    assert [words for words, *_ in rows("logging.md", "## The log warns of the trust store")] == [*situations.WARNINGS]


@pytest.mark.parametrize("words", situations.WARNINGS)
def test_a_warning_of_a_trust_store_has_the_words_that_the_page_lists_and_a_code_to_alert_on(words: str) -> None:
    record = situations.warning(words)
    assert words in record.getMessage()
    assert (record.levelname, record.code) == ("WARNING", "trust_store_warning")
    assert (record.levelname, record.code) in ALERTED


def test_the_page_on_trust_stores_says_of_every_alert_what_to_do() -> None:
    assert [alert for alert, *_ in rows("trust-stores.md", "## Alerts")] == [rule["alert"] for rule in RULES]


def test_the_codes_in_the_alerts_are_the_librarys() -> None:
    named = {
        code for rule in RULES for found in re.findall(r'outcome=~?"(.+?)"', rule["expr"]) for code in found.split("|")
    }
    assert named <= set(CODES)
    assert {code for level, code in ALERTED if code in CODES} >= {
        "ca_expired",
        "trust_store_unavailable",
        "revocation_unknown",
    }
