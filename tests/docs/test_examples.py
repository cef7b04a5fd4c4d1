"""Every example of README.md and of the pages in docs/ runs as it is written."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from urllib.parse import quote

import pytest

from sslclientcert.testing import ClientCA

ROOT = Path(__file__).parents[2]
# What these need is not installed here; tests/neighbours runs them.
NEIGHBOURS = [ROOT / "docs" / f"{page}.md" for page in ("channels", "other-frameworks", "recipes")]
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {*NEIGHBOURS})]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page's folder, with the files that CONTRIBUTING.md promises to the examples."""
    now = datetime.now(UTC)
    # A CA of this age, its list and the client's certificate end in a day, which some pages show.
    ca = ClientCA("Example CA", now=now - timedelta(days=3649))
    alice = ca.issue(
        "alice",
        not_before=now - timedelta(hours=1),
        not_after=now + timedelta(days=1),
        organization="Example",
        dns_names=["cart.shop.example.org"],
        emails=["alice@example.org"],
        uris=["spiffe://example.org/ns/shop/sa/cart"],
    )
    ca.write(tmp_path / "ca.crt")
    alice.write(tmp_path)
    (tmp_path / "ca.crl").write_text(ca.crl())
    (tmp_path / "header.txt").write_text(quote(alice.pem, safe="") + "\n")
    return tmp_path


def run(page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *options, str(Path(__file__).with_name("run_page.py")), str(page)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_examples_of_a_page_run_as_they_are_written(page: Path, folder: Path) -> None:
    done = run(page, folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("mistake", "complaint"),
    [
        ("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", 'page.md", line 6'),
        ("```python\n# app.py\nimport no_such_module\n```\n", "ModuleNotFoundError"),
        ("```python\n# test_app.py\ndef test_it():\n    assert False\n```\n", "1 failed"),
        ("```console\n$ sslclientcert no-such-command\n```\n", "status"),
        ("```console\n$ sslclientcert --version\nsslclientcert 0.0.0\n```\n", "where the page shows"),
        ("```py\nassert True\n```\n", "nothing runs it"),
        ("````{tab-item} WSGI\n```python\nassert True\n```\n````\n", "nothing runs it"),
    ],
    ids=["python", "file", "test", "command", "output", "language", "nesting"],
)
def test_an_example_that_is_wrong_fails_its_page(mistake: str, complaint: str, folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(mistake)
    done = run(page, folder)
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


def test_a_page_may_build_up_an_application_and_its_test(folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(
        dedent("""
        ```python
        from pathlib import Path
        assert Path("ca.crt").read_text().startswith("-----BEGIN") and headers["ssl-client-cert"] == header_value
        ```
        1. In a list:
           ```python
           # shop/app.py
           answer = 42
           ```
        ```python
        # test_app.py
        from shop.app import answer

        def test_the_answer():
            assert answer == 42
        ```
        ```yaml
        not: {python
        ```
        ```console
        $ curl https://never-called.example
        ```
        """)
    )
    assert run(page, folder).stdout.count("1 passed") == 1
