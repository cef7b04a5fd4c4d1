"""What is shipped: the version, the public names, the types, the extras, and what is in a built wheel and sdist."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import sslclientcert

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "sslclientcert"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build(source: Path, out: Path) -> tuple[Path, Path]:
    """Build with the backend of this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


def test_the_version_is_that_of_the_newest_entry_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)\b", changelog, re.MULTILINE)
    assert released[0] == sslclientcert.__version__


def test_the_version_is_written_in_one_place() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "pyproject.toml", *SOURCE.rglob("*.py")])
    assert PROJECT["dynamic"] == ["readme", "version"]
    assert text.count(f'"{sslclientcert.__version__}"') == 1


def test_type_checkers_are_told_that_the_library_is_typed() -> None:
    assert importlib.resources.files(sslclientcert).joinpath("py.typed").is_file()


def test_the_library_needs_only_cryptography_and_typing_extensions() -> None:
    assert [re.split(r"[^\w-]", each)[0] for each in PROJECT["dependencies"]] == ["cryptography", "typing-extensions"]


def test_the_extras_are_the_frameworks() -> None:
    assert PROJECT["optional-dependencies"].keys() == {"flask", "django", "drf", "starlette", "fastapi"}


def test_the_oldest_dependencies_tested_are_the_lower_bounds_stated() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "tools" / "oldest.txt").read_text(), re.MULTILINE))
    extras = [PROJECT["optional-dependencies"][name] for name in ("flask", "django", "drf", "starlette", "fastapi")]
    for requirement in [*PROJECT["dependencies"], *(each for extra in extras for each in extra)]:
        name, bound = requirement.split(">=")
        assert (pinned[name] + ".0.0").startswith(bound + ".0"), requirement


@pytest.mark.parametrize(
    ("group", "name"), [("console_scripts", "sslclientcert"), ("pytest11", "sslclientcert")], ids=["command", "plugin"]
)
def test_an_entry_point_leads_to_something(group: str, name: str) -> None:
    (entry_point,) = importlib.metadata.entry_points(group=group, name=name)
    assert entry_point.load() is not None


def test_the_wheel_holds_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = [path for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert names == {path.relative_to(SOURCE.parent).as_posix() for path in package}


def test_the_page_of_the_package_has_no_link_into_a_folder_that_is_not_there(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        readme = wheel.read(metadata).decode()
    links = re.findall(r"\]\(([^)]*)\)", readme)
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_sdist_holds_what_is_needed_to_build_and_to_test(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    needed = ["pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "Makefile", "docs/conf.py"]
    needed += [
        "tests/test_packaging.py",
        "docs/path.svg",
        "examples/flask_app/nginx.conf",
        ".github/workflows/ci.yml",
        "noxfile.py",
    ]
    assert set(needed) <= names
    assert [name for name in names if ".venv" in name or name.endswith(".pyc") or name.startswith(".ci")] == []


def test_a_build_from_the_sdist_elsewhere_with_other_dates_and_rights_gives_the_same_bytes(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    with tarfile.open(built[1]) as sdist:
        # The argument `filter` is missing before Python 3.11.4, and its absence is a warning since 3.12.
        sdist.extraction_filter = getattr(tarfile, "data_filter", None)
        sdist.extractall(tmp_path)  # noqa: S202  # our own
    (source,) = tmp_path.iterdir()
    for path in source.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)  # a folder or a program stays one
        os.utime(path, (1_700_000_000, 1_700_000_000))
    again = build(source, tmp_path / "dist")
    assert [path.name for path in again] == [path.name for path in built]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in built]
