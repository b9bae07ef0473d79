"""Where the benchmarks write: not over the committed results, unless that is asked for."""

from pathlib import Path

__all__ = ["add_out"]


def add_out(parser):
    """Add the option ``--out`` to a parser of arguments."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output/benchmarks"),
        help="folder of the results, %(default)s by default; those that the documentation "
        "shows are in benchmarks/results",
    )
