"""The environments of people and of CI, a session each. The Makefile has a target for those that people use.

uv makes the environments, in `.nox/`, and installs into them. It never downloads a Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "docs", "build", "coverage", "once"]

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
FRAMEWORKS = "[django,drf,fastapi,flask,starlette]"

# What does not depend on the Python or on a dependency's age, or takes a real proxy or server, is tested once.
ONCE = [
    "tests/real",
    "tests/docs",
    "tests/core/differential",
    "tests/core/test_pkits.py",
    "tests/core/test_real_bundles.py",
    "tests/adapters/test_examples.py",
    "tests/adapters/test_servers.py",
    "tests/test_architecture.py",
    "tests/test_packaging.py",
    "tests/test_workflows.py",
]
PORTABLE = ["tests", *(f"--ignore={path}" for path in ONCE)]
# What `coverage` tests too, on one Python and with new dependencies: with fewer random examples, and a failure
# shows less. Name the test that failed, and it shows all.
AGAIN = ["--quiet", "--few-examples", "--assert=plain", *PORTABLE]
# What these reach of the library, and the portable tests do not. The others of ONCE reach no more of it.
MEASURED = [
    "tests/real/test_probe.py",
    "tests/real/test_unsafe.py",
    "tests/core/test_pkits.py",
    "tests/core/test_real_bundles.py",
]

# What bjoern is built with.
BJOERN = ["gcc", "libev", "headers"]
# Debian's, for the portable tests; and those that take real proxies.
PROGRAMS = ["openssl", "curl", "jq", "keytool"]
SERVERS = ["haproxy", "apache2", "mod_wsgi", "traffic_server", "sslheaders", "node", "prometheus", *BJOERN]

# pip's settings for a mirror of the package index, and uv's variables of the same meaning.
PIP_TO_UV = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "default-timeout": "UV_HTTP_TIMEOUT"}


def prepare_environment() -> None:
    """Let uv find pyenv's interpreters and the package index that pip is set to, and Python write bytecode."""
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    # Without bytecode, each of the hundreds of processes that the tests start would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PATH"] += f"{os.pathsep}{Path(sys.executable).parent}"  # uv's place
    if shutil.which("pyenv"):
        # Without it, pyenv's `python3.13` on the PATH is there and does not run.
        listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=True).stdout
        usable = [version for version in reversed(listed.split()) if version.rpartition(".")[0] in PYTHONS]
        os.environ["PYENV_VERSION"] = ":".join(usable)
    pip = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    for line in pip.stdout.splitlines():
        name, _, value = line.partition("=")
        if variable := PIP_TO_UV.get(name.rpartition(".")[2]):
            os.environ.setdefault(variable, value.strip("'\""))


def runs(version: str) -> bool:
    """Say whether this Python is here."""
    try:
        return subprocess.run([f"python{version}", "-c", ""], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


prepare_environment()
OLDEST = next(filter(runs, PYTHONS), PYTHONS[0])


def programs(session: nox.Session, *names: str) -> None:
    """Install what is missing of Debian's programs, or stop with the command that does."""
    session.run("tools/install_packages.sh", *names, external=True)


def editable(session: nox.Session, *groups: str) -> None:
    """Install the library from this folder with all frameworks, and groups."""
    session.install(f"--editable=.{FRAMEWORKS}", *(f"--group={group}" for group in groups))


def wheel(session: nox.Session, extras: str, *arguments: str) -> None:
    """Install the built wheel with these extras."""
    built = sorted(Path("dist").glob("*.whl"))
    if len(built) != 1:
        session.error("there must be one wheel in dist/: make build")
    # --reinstall-package: the wheel of an earlier build has the same version.
    again = "--reinstall-package=sslclientcert"
    session.install(f"sslclientcert{extras} @ {built[0].resolve().as_uri()}", again, *arguments)
    where = "import sslclientcert as it; assert 'site-packages' in it.__file__, it.__file__"
    session.run("python", "-c", where)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demo."""
    session.install("--editable=.", "--group=demo")
    # It ends its servers by itself after Ctrl-C.
    session.run("python", "-m", "examples.demo", *session.posargs, interrupt_timeout=60)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the portable tests, and what else counts for it, with branch coverage of the library."""
    # Measuring makes a test half as slow again, and each server that it starts. Therefore not all are measured.
    programs(session, *PROGRAMS, *SERVERS)
    editable(session, "once")
    session.run("coverage", "erase")
    for tests in (PORTABLE, MEASURED):
        session.run("coverage", "run", "-m", "pytest", "--quiet", "--durations=25", *tests)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def once(session: nox.Session) -> None:
    """Run the tests that neither `coverage` nor `portable` runs, or any that are named."""
    programs(session, *PROGRAMS, *SERVERS)
    editable(session, "once")
    rest = [*ONCE, *(f"--deselect={path}" for path in MEASURED)]
    session.run("pytest", *(session.posargs or ["--quiet", "--durations=25", *rest]))


@nox.session
def portable(session: nox.Session) -> None:
    """Run the portable tests, without coverage."""
    programs(session, *PROGRAMS)
    editable(session, "test")
    session.run("pytest", "--quiet", *(session.posargs or PORTABLE))


@nox.session
def neighbours(session: nox.Session) -> None:
    """Run the tests with what people install next to the library, without coverage."""
    programs(session, "openssl", "chromium", "chromedriver")
    editable(session, "neighbours")
    session.run("pytest", *(session.posargs or ["tests/neighbours"]))


@nox.session(python=PYTHONS)
def wheels(session: nox.Session) -> None:
    """Run the portable tests on the built wheel, on each Python."""
    programs(session, *PROGRAMS)
    wheel(session, FRAMEWORKS, "--group=test")
    session.run("pytest", *(session.posargs or AGAIN))


@nox.session(python=OLDEST)
def oldest(session: nox.Session) -> None:
    """Run the portable tests on the built wheel with the oldest dependencies."""
    programs(session, *PROGRAMS)
    wheel(session, FRAMEWORKS, "--group=test", "--requirement=tools/oldest.txt")
    session.run("pytest", *(session.posargs or AGAIN))


@nox.session
def canary(session: nox.Session) -> None:
    """Run the portable tests with cryptography's newest pre-release, or with what `-- REQUIREMENT` names."""
    editable(session, "test")
    session.install("--prerelease=allow", "--upgrade", *(session.posargs or ["cryptography"]))
    session.run("python", "-c", "import cryptography; print('cryptography', cryptography.__version__)")
    session.run("pytest", "--quiet", *PORTABLE)


@nox.session
def audit(session: nox.Session) -> None:
    """Look for known vulnerabilities in what the library and its extras install."""
    editable(session, "audit")
    session.run("pip-audit", "--local", "--skip-editable")


@nox.session
def sbom(session: nox.Session) -> None:
    """Write build/sbom.cdx.json: the wheel, and what it needs at run time (CycloneDX)."""
    wheel(session, "")
    Path("build").mkdir(exist_ok=True)
    tool = ("uv", "tool", "run", "--from=cyclonedx-bom>=7", "cyclonedx-py", "environment")
    python = str(Path(session.bin) / "python")
    session.run(*tool, "--output-reproducible", "--output-file=build/sbom.cdx.json", python, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Look for mistakes, and for what the formatter would change."""
    session.install("--group=lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(name="format")
def format_(session: nox.Session) -> None:
    """Mend what a machine can mend."""
    session.install("--group=lint")
    session.run("ruff", "check", "--fix")
    session.run("ruff", "format")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy and pyright, and that every public name has one."""
    editable(session, "types")
    session.run("mypy")
    session.run("pyright", "--pythonpath", str(Path(session.bin) / "python"))
    session.run("pyright", "--ignoreexternal", "--verifytypes", "sslclientcert")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into build/docs; a warning is an error."""
    editable(session, "docs")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--quiet", "docs", "build/docs")


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and sdist into dist/ and check them."""
    session.install("--group=build")
    shutil.rmtree("dist", ignore_errors=True)
    session.run("uv", "build", "--quiet", "--out-dir=dist", external=True)
    session.run("twine", "check", "--strict", *map(str, Path("dist").glob("sslclientcert-*")))


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz what reads headers, certificates and lists: `-- --seconds 600` for each target."""
    editable(session, "test", "fuzz")
    session.run("python", "-m", "tests.core.fuzz", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the library and its alternatives."""
    editable(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(venv_backend="none")
def venv(session: nox.Session) -> None:
    """Make `.venv`, with everything, for an editor and for single commands."""
    session.run("uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, ".venv", external=True)
    install = ("uv", "pip", "install", "--quiet", "--python", ".venv")
    session.run(*install, f"--editable=.{FRAMEWORKS}", "--group=types", "--group=lint", external=True)
