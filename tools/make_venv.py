"""Make the virtual environment that holds nox and uv, or say exactly what is missing.

    python3 tools/make_venv.py FOLDER

The pip of Debian 12 does not know dependency groups, so the group `nox` of pyproject.toml is read here. The program
must start on any Python 3, to tell one that is too old.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)


def missing() -> str:
    """Return what this interpreter lacks and how to get it, or an empty string."""
    version = "{}.{}".format(*sys.version_info)
    if sys.version_info < OLDEST:
        return f"Python {version} is too old: 3.11 or later is needed. Name another: make PYTHON=python3.12 ..."
    try:
        import ensurepip  # noqa: F401  (Debian has it in a package of its own)
    except ImportError:
        return f"Python {version} lacks venv. On Debian and Ubuntu: apt-get install python{version}-venv"
    return ""


def make(folder: Path) -> None:
    """Make the environment and install the group `nox`."""
    import tomllib
    from venv import create

    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    create(folder, clear=True, symlinks=True, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *project["dependency-groups"]["nox"]], check=True)


if __name__ == "__main__":
    if problem := missing():
        sys.exit(problem)
    make(Path(sys.argv[1]))
