"""Fuzz with atheris: python -m tests.core.fuzz [--seconds N] [TARGET...], in the repository. `make fuzz` does it.

One process a target, guided by the coverage of the library's Python code. Ends with status 1 at the first input that
breaks a promise; its bytes are then in a file crash-... in the folder where it ran.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any


def run(name: str, arguments: list[str]) -> None:
    """Fuzz one target in this process, which libFuzzer then ends."""
    atheris: Any = importlib.import_module("atheris")  # an extra of its own, and without types
    warnings.simplefilter("ignore")  # cryptography's, for names and numbers that are odd on purpose
    logging.disable()  # of every refusal
    with atheris.instrument_imports(include=["sslclientcert"]):
        from .targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def run_at_random(name: str, count: int, seed: int) -> None:
    """Ask one target about random bytes, without atheris. The seed of the first that fails is in the traceback."""
    warnings.simplefilter("ignore")
    logging.disable()
    from .targets import TARGETS

    for number in range(seed, seed + count):
        dice = random.Random(number)  # noqa: S311
        try:
            TARGETS[name](dice.randbytes(dice.choice((4, 8, 16, 40, 80))))
        except Exception as error:
            error.add_note(f"target {name}, seed {number}")
            raise


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.core.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: %(default)s")
    parser.add_argument("--in-process", metavar="CORPUS", help=argparse.SUPPRESS)
    parser.add_argument("--random", type=int, metavar="COUNT", help="ask about so many random inputs, without atheris")
    parser.add_argument("--seed", type=int, default=0, help="of --random; default: %(default)s")
    options = parser.parse_args()
    if options.in_process:
        run(options.targets[0], [f"-max_total_time={options.seconds}", "-max_len=400", options.in_process])
    from .targets import TARGETS

    for name in options.targets or TARGETS:
        if options.random:
            run_at_random(name, options.random, options.seed)
            continue
        sys.stderr.write(f"== {name}\n")  # where libFuzzer writes
        with tempfile.TemporaryDirectory(prefix="corpus-") as corpus:
            Path(corpus, "empty").touch()
            command = [
                sys.executable,
                "-m",
                "tests.core.fuzz",
                name,
                f"--seconds={options.seconds}",
                f"--in-process={corpus}",
            ]
            done = subprocess.run(command, check=False)
        if done.returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
