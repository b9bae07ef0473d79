"""Lines of the package by folder: code, docstrings, comments and blank lines."""

import argparse
import ast
import io
import tokenize
from collections import Counter
from pathlib import Path

__all__ = ["count_lines", "lines_by_folder"]

KINDS = ("lines", "code", "docstrings", "comments", "blank")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def count_lines(path):
    """Counter of the `KINDS` of lines of a Python file."""
    source = path.read_text()
    lines = source.splitlines()
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstrings.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    comments = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
    } - docstrings
    blank = {n for n, line in enumerate(lines, 1) if not line.strip()} - docstrings
    found = Counter(docstrings=len(docstrings), comments=len(comments), blank=len(blank))
    found["code"] = len(lines) - found.total()
    found["lines"] = len(lines)
    return found


def lines_by_folder(root):
    """Counters by folder of a package, ``"."`` for files in none, and ``"total"``."""
    found = {}
    for path in sorted(Path(root).rglob("*.py")):
        parts = path.relative_to(root).parts
        folder = parts[0] if len(parts) > 1 else "."
        found.setdefault(folder, Counter()).update(count_lines(path))
    return {**found, "total": sum(found.values(), Counter())}


def main(argv=()):
    """Print the lines of the package, or of another folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks size", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path("sklearn_flipad"))
    found = lines_by_folder(parser.parse_args(argv).root)
    width = max(map(len, found))
    print(" " * width, *(f"{kind:>10}" for kind in KINDS))
    for folder, counts in found.items():
        print(f"{folder:{width}}", *(f"{counts[kind]:10,}" for kind in KINDS))
