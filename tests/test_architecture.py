"""The house of docs/architecture.md: who may import what. Trust rises one way, and one place alone can raise it."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tools.count_code import code, code_of, functions

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "sslclientcert"
FRAMEWORKS = ("aiohttp", "django", "drf_spectacular", "fastapi", "flask", "litestar", "rest_framework", "starlette")

# What an adapter may import of the package besides the doors of the core: the adapters it stands on.
ADAPTERS = {
    "_gateway": (),
    "wsgi": ("_gateway",),
    "asgi": ("_gateway",),
    "flask": ("_gateway", "wsgi"),
    "starlette": ("_gateway", "asgi"),
    "fastapi": ("_gateway", "asgi", "starlette"),
    "django": ("_gateway", "wsgi", "asgi"),
    "drf": ("_gateway", "django"),
}
DOORS = ("answers", "rules", "core.authenticator", "core.errors", "core.identity", "core.options", "core.peers")
OWN_FRAMEWORKS = {
    "flask": ("flask",),
    "starlette": ("starlette",),
    "fastapi": ("fastapi", "starlette"),
    "django": ("django",),
    "drf": ("django", "drf_spectacular", "rest_framework"),
}


def name_of(path: Path) -> str:
    """The module's name inside the package; the package's own is the empty one."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield the dotted name of everything a module imports; a name inside the package begins with "sslclientcert"."""
    here = ["sslclientcert", *filter(None, module.split("."))]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = len(here) + is_package - node.level
            base = [*here[:up], *filter(None, [node.module])] if node.level else [node.module or ""]
            yield from (".".join([*base, alias.name]) for alias in node.names)


def within(name: str, places: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{place}.") for place in places)


def violations(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Return what a module imports against the rules, as readable sentences."""
    found = []
    top, _, _ = module.partition(".")
    for name in imports(source, module, is_package=is_package):
        package, _, inner = name.partition(".")
        if within(name, FRAMEWORKS) and not within(name, OWN_FRAMEWORKS.get(top, ())):
            found.append(f"{module} imports the framework {name}")
        if within(name, ("cryptography.x509.verification",)):
            found.append(f"{module} verifies in a second way: {name}")
        if package != "sslclientcert":
            continue
        if top == "core" and not within(inner, ("core",)):
            found.append(f"{module} reaches up to {name}")
        if top in ADAPTERS and not within(inner, [top, *DOORS, *ADAPTERS[top]]):
            found.append(f"{module} goes past the core's doors to {name}")
        if top == "testing" and within(inner, ("core.decoding",)):
            found.append(f"{module} shares code with the decoders it tests: {name}")
        if inner.endswith(".read_identity") and module != "core.validation" and top != "testing":
            found.append(f"{module} makes identities: {name}")
    return found


# Public, for all that their names say: of a NamedTuple, and of frameworks that have no other way.
NOT_PRIVATE = {"_replace", "_default_manager", "_meta", "_request", "_get_current_object"}
OWED = {("cli.facts", "_name")}


def private_accesses(source: str) -> set[str]:
    """Return the private attributes that a module reads and that nothing in it defines."""
    nodes = [*ast.walk(ast.parse(source))]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    defined = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    defined |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    defined |= {
        node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    defined |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # slots
    return {name for name in read - defined if name.startswith("_") and not name.startswith("__")}


def read(module: str) -> tuple[str, bool]:
    return MODULES[module].read_text(encoding="utf-8"), MODULES[module].name == "__init__.py"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module or "__init__")
def test_a_module_imports_only_what_the_house_allows(module: str) -> None:
    source, is_package = read(module)
    assert violations(module, source, is_package=is_package) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module or "__init__")
def test_a_module_reads_no_private_attribute_of_another(module: str) -> None:
    source, _ = read(module)
    assert {name for name in private_accesses(source) - NOT_PRIVATE if (module, name) not in OWED} == set()


def test_private_attributes_of_another_are_found() -> None:
    assert private_accesses("def f(store):\n    return store._current()") == {"_current"}
    assert private_accesses("class C:\n    def f(self):\n        self._a = 1\n        return self._a") == set()


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.headers", "from ..wsgi import ClientCertMiddleware"),
        ("core.headers", "from .. import rules"),
        ("core.headers", "import sslclientcert.testing"),
        ("core.peers", "def late():\n    from starlette.requests import Request"),
        ("", "import flask"),
        ("rules", "import django.http"),
        ("wsgi", "from .core.trust import TrustStore"),
        ("wsgi", "from .core import decoding"),
        ("wsgi", "from . import ClientIdentity"),
        ("wsgi", "from .asgi import ClientCertMiddleware"),
        ("asgi", "from starlette.types import ASGIApp"),
        ("flask", "from .django import middleware"),
        ("flask", "import django"),
        ("django.middleware", "from ..core.decoding import ENCODINGS"),
        ("core.presented", "from cryptography.x509.verification import Store"),
        ("core.validation", "from cryptography.x509 import verification"),
        ("core.trust", "import cryptography.x509.verification as verifier"),
        ("cli.verify", "import cryptography.x509.verification"),
        ("testing.encoders", "from ..core.decoding import url_decode"),
        ("rules", "from .core.identity import read_identity"),
        ("core.trust", "from .identity import ClientIdentity, read_identity"),
        ("core.authenticator", "from sslclientcert.core.identity import read_identity"),
    ],
)
def test_a_module_that_breaks_a_rule_is_found(module: str, source: str) -> None:
    assert violations(module, source) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.validation", "from cryptography import x509\nfrom .identity import ClientIdentity, read_identity"),
        ("testing.overrides", "from ..core.identity import read_identity"),
        ("wsgi", "from .answers import answer_to\nfrom .core.authenticator import ClientCertAuthenticator"),
        ("flask", "from flask import g\nfrom .wsgi import ClientCertMiddleware"),
        ("django.middleware", "from django.http import HttpRequest\nfrom .apps import authenticator"),
        ("cli.inspect", "from ..core.decoding import ENCODINGS\nfrom .. import decode"),
    ],
)
def test_a_module_that_keeps_the_rules_is_not_accused(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_one_module_of_the_library_makes_identities_and_none_asks_cryptographys_verifier() -> None:
    makers = [module for module in MODULES if "read_identity" in read(module)[0]]
    assert [module for module in makers if not within(module, ["testing"])] == ["core.identity", "core.validation"]
    assert [module for module in MODULES if "x509.verification" in read(module)[0]] == []


def test_the_decision_has_at_most_250_lines() -> None:
    assert len(read("core.validation")[0].splitlines()) <= 250


def test_the_modules_of_the_core_do_not_import_in_circles() -> None:
    core = [module for module in MODULES if module.startswith("core.")]
    graph = {}
    for module in core:
        imported = [name.removeprefix("sslclientcert.") for name in imports(read(module)[0], module)]
        graph[module] = [each for each in core if any(within(name, [each]) for name in imported)]
    assert "core.errors" in graph["core.validation"]
    graphlib.TopologicalSorter(graph).prepare()


def test_importing_every_public_name_imports_no_framework_and_nothing_but_the_core() -> None:
    code = "from sslclientcert import *; import sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    others = [f"sslclientcert.{each}" for each in (*ADAPTERS, "cli", "testing")]
    assert "sslclientcert.core.trust" in loaded
    assert [name for name in loaded if within(name, [*FRAMEWORKS, "rich", "uvicorn", *others])] == []


def test_the_page_on_architecture_lists_every_module_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(\S+(?:\.py|/))  ", page, re.MULTILINE)
    modules = [path.relative_to(SOURCE).as_posix() for path in MODULES.values()]
    folders = tuple(entry for entry in listed if entry.endswith("/"))
    unlisted = [each for each in modules if each not in listed and not each.startswith(folders)]
    assert [entry for entry in listed if not any(each.startswith(entry) for each in modules)] == []
    assert unlisted == ["core/__init__.py"]


# The library stays small. tools/count_code.py counts lines of code. What is above its budget may not grow.

KERNEL = (
    *("validation", "links", "certificate", "policy", "constraints", "signatures", "names"),
    *("revocation", "crl"),
)
MOST_CODE = {"src": 7_345, "core": 3_731, "kernel": 1_237}  # the budgets: 6,700, 3,100 and 1,250
MOST_LINES_OF_A_CORE_MODULE = 330
MOST_LINES_OF_A_FUNCTION = 40


def test_the_library_stays_small() -> None:
    core = {module: path for module, path in MODULES.items() if module.startswith("core.")}
    parts = {
        "src": MODULES.values(),
        "core": core.values(),
        "kernel": [path for module, path in core.items() if module.removeprefix("core.") in KERNEL],
    }
    counted = {part: sum(map(code_of, paths)) for part, paths in parts.items()}
    assert [f"{part}: {lines}" for part, lines in counted.items() if lines > MOST_CODE[part]] == []


def test_a_module_of_the_core_can_be_read_in_one_sitting() -> None:
    lengths = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in (SOURCE / "core").glob("*.py")}
    assert [f"{name}: {lines}" for name, lines in lengths.items() if lines > MOST_LINES_OF_A_CORE_MODULE] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module or "__init__")
def test_a_function_fits_a_page(module: str) -> None:
    for name, lines in functions(read(module)[0]):
        assert lines <= MOST_LINES_OF_A_FUNCTION, name


def test_docstrings_comments_and_blank_lines_are_no_code() -> None:
    source = '''"""A module."""

# A comment.
LIMIT = 3
"""What the limit
is."""


def double(number: int) -> int:
    """Return twice
    the number.
    """
    text = """
    of two lines"""
    return number * len(  # of three
        text
    )
'''
    assert code(source) == 7
    assert dict(functions(source)) == {"double": 9}


def test_no_test_imports_a_private_name_of_another() -> None:
    tests = ROOT / "tests"
    for path in tests.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("tests")):
                assert [alias.name for alias in node.names if alias.name.startswith("_")] == [], path
