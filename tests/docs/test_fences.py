"""No block of the documentation escapes: each is run, loaded by a test, validated, or plain text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

RUN = {"python", "console"}  # by run_page.py
PLAIN = {"text", "http"}  # for the eye: a drawing, an answer
DIRECTIVE = re.compile(r"\{[a-z:-]+\}")  # of the site, built with warnings as errors
# On the pages that tests/real loads into a proxy; a diff is a change to the page's configuration, loaded with it.
CONFIGURATION = {"nginx", "apache", "caddyfile", "yaml", "diff"}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_block_is_of_a_kind_that_something_checks(page: Path) -> None:
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type != "fence":
            assert token.type != "code_block", f"{page.name}: an indented block has no kind: {token.content!r}"
            continue
        kind = token.info.split()[0] if token.info.strip() else ""
        is_manifest = kind == "yaml" and "apiVersion:" in token.content  # tests/docs/test_manifests.py
        of_a_proxy = kind in CONFIGURATION and page.parent.name == "proxies"
        known = kind in RUN | PLAIN or is_manifest or of_a_proxy or DIRECTIVE.match(kind)
        assert known, f"{page.name}, line {(token.map or [0])[0] + 1}: nothing checks a block of {kind!r}"
