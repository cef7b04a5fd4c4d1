"""What `probe` refuses before it sends anything; what it finds is in tests/real, behind real proxies."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ftp://localhost/"], "write https://host[:port]/path"),
        (["https://alice@localhost/"], "write https://host[:port]/path"),
        (["https:///orders"], "write https://host[:port]/path"),
        (["https://localhost/a b"], "write https://host[:port]/path"),
        (["https://[::1"], "not a URL to probe"),
        (["https://localhost:99999/"], "not a URL to probe"),
        (["https://shop.example.org/"], "add --yes-i-own-this"),
        (["http://localhost/", "--cert", "client.crt"], "--cert needs https"),
        (["https://localhost/", "--key", "client.key"], "name the certificate too"),
        (["https://localhost/", "--proxy", "apche"], "did you mean 'apache'?"),
    ],
)
def test_options_that_are_wrong_are_told_in_a_line(command: Command, arguments: list[str], said: str) -> None:
    told = command("probe", *arguments)
    assert (told.status, told.out) == (2, "")
    assert said in told.err
    assert told.err.count("\n") == 1


def test_a_file_that_is_no_certificate_is_told(command: Command, folder: Path) -> None:
    (folder / "other.crt").write_text("hello", encoding="ascii")
    told = command("probe", "https://127.0.0.1:9/", "--cert", "other.crt", "--key", "client.key", "--json")
    assert told.status == 2
    assert "other.crt: not a certificate in PEM" in told.err
