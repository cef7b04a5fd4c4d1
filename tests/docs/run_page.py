"""Run the examples of one Markdown page, in order, in the current folder. The convention is in CONTRIBUTING.md.

    python tests/docs/run_page.py PAGE.md

A process of its own for each page: Django can be configured only once, and nothing one page does reaches another.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from markdown_it import MarkdownIt

FILE = re.compile(r"# (?P<name>[\w/]+\.py)\n")
COMMAND = re.compile(r"^\$ (?P<command>.*)\n(?P<shown>(?:(?!\$ ).*\n)*)", re.MULTILINE)
PROBE = "probe"  # it asks a deployment of your own, and has tests of its own
TIMEOUT_SECONDS = 120


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield each fenced block: its first line's number, from 0, its language, and its text."""
    tokens = [token for token in MarkdownIt().parse(text) if token.type == "fence" and token.map]
    found = [(token.map[0] + 1, token.info.strip(), token.content) for token in tokens if token.map]
    languages = [language for _, language, _ in found]
    if len(re.findall(r"^ *(?:```|~~~)+ *(?:py|\{code)", text, re.MULTILINE)) != languages.count("python"):
        raise SyntaxError("an example is fenced as ```python, not inside another fence: otherwise nothing runs it")
    yield from found


def files(page: Path) -> dict[str, str]:
    """Return the files that a page's examples are written to, by name."""
    python = [text for _, language, text in blocks(page.read_text(encoding="utf-8")) if language == "python"]
    return {file["name"]: text for text in python if (file := FILE.match(text))}


def run_python(page: ModuleType, line: int, code: str) -> None:
    """Run a block in the namespace of its page, or as the file that its first line names."""
    if not (file := FILE.match(code)):
        exec(compile("\n" * line + code, str(page.__file__), "exec"), page.__dict__)  # noqa: S102
        return
    path = Path(file["name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    if path.name.startswith("test_"):
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-W", "error", path], check=True, timeout=TIMEOUT_SECONDS)
        return
    if path.name == "settings.py":
        os.environ["DJANGO_SETTINGS_MODULE"] = ".".join(path.with_suffix("").parts)
    importlib.invalidate_caches()
    name = ".".join(path.with_suffix("").parts)
    sys.modules.pop(name, None)
    importlib.import_module(name)


def run_console(text: str) -> None:
    """Run the library's own commands in a block; each must say what the page shows, where `...` stands for anything."""
    for each in COMMAND.finditer(text):
        command, shown = each["command"], each["shown"]
        program, *arguments = command.split()
        if program != "sslclientcert" or arguments[0] == PROBE:
            continue
        done = subprocess.run(  # noqa: S602  (a pipe is a pipe)
            command, shell=True, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        said = done.stdout + done.stderr
        pattern = ".*".join(re.escape(part) for part in shown.strip().split("..."))
        if done.returncode > bool(shown) or not re.search(pattern, said, re.DOTALL):
            raise ValueError(
                f"$ {command}\nended with status {done.returncode} and said\n{said}\nwhere the page shows\n{shown}"
            )


def run(path: Path) -> None:
    """Run a page; whatever an example raises ends it."""
    page = ModuleType("page")
    page.__file__ = str(path)
    value = Path("header.txt").read_text().strip()
    page.__dict__.update(header_value=value, headers={"ssl-client-cert": value})
    sys.modules["page"] = page
    for line, language, text in blocks(path.read_text(encoding="utf-8")):
        if language == "python":
            run_python(page, line, text)
        elif language == "console":
            run_console(text)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run(Path(sys.argv[1]))
