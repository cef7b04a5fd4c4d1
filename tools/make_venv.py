"""Make the virtual environment that the Makefile's targets run in, or say exactly what is missing.

    python3 tools/make_venv.py FOLDER

Written for any Python 3 still found on a machine, so that one which is too old is told so.
"""

from __future__ import annotations

import sys

OLDEST = (3, 11)


def missing() -> str:
    """Return what this interpreter lacks and how to get it, or nothing."""
    version = "{}.{}".format(*sys.version_info)
    if sys.version_info < OLDEST:
        return f"Python {version} is too old: 3.11 or later is needed. Name another: make PYTHON=python3.12 ..."
    try:
        import ensurepip  # noqa: F401  (Debian has it in a package of its own)
    except ImportError:
        return f"Python {version} lacks venv. On Debian and Ubuntu: apt-get install python{version}-venv"
    return ""


if __name__ == "__main__":
    if problem := missing():
        sys.exit(problem)
    from venv import create

    create(sys.argv[1], clear=True, symlinks=True, with_pip=True)
