"""Where the benchmarks write: not over the committed results, unless that is asked for."""

import json
from pathlib import Path

__all__ = ["add_out", "read_rows"]


def add_out(parser):
    """Add the option ``--out`` to a parser of arguments."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output/benchmarks"),
        help="folder of the results, %(default)s by default; those that the documentation "
        "shows are in benchmarks/results",
    )


def read_rows(path):
    """The rows of a file of JSON lines; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
