"""Count lines of code: without docstrings, comments and blank lines.

    python tools/count_code.py [FOLDER]

A line counts if a token of the program stands on it. A docstring is the string that stands first in a module, class or
function, and an attribute's after an assignment.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

IGNORED = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}


def strings_alone(tree: ast.AST) -> Iterator[range]:
    """Yield the lines of each string that is a statement of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


def code(source: str) -> int:
    """Return how many lines of code a module has."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in IGNORED:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines.difference(*strings_alone(ast.parse(source))))


def code_of(path: Path) -> int:
    """Return how many lines of code a file or a folder has."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return sum(code(file.read_text(encoding="utf-8")) for file in files)


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each function and how many lines it has, its docstring, comments and decorators included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "src/sslclientcert")
    for each in sorted(folder.rglob("*.py")):
        print(f"{code_of(each):6} {each.relative_to(folder)}")
    print(f"{code_of(folder):6} in all")
