"""Options of benchmarks, each with a value for ``--small``, and their parser."""

import argparse
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Option", "add_out", "parse", "selection"]


@dataclass(frozen=True)
class Option:
    """An option of a benchmark; a tuple as default takes several values.

    An option that `selects` says which rows are measured; any other one is part of what they are
    measured with, and must not change within a file of results.
    """

    name: str
    default: object
    small: object = None
    help: str = ""
    choices: tuple | None = None
    selects: bool = False
    positional: bool = False

    def add_to(self, parser):
        """Add the option to a parser; whether it was given can be told by its default, None."""
        if self.positional:
            parser.add_argument(self.name, nargs="*", metavar="NAME", help=self.help)
            return
        flag = f"--{self.name.replace('_', '-')}"
        if isinstance(self.default, bool):
            parser.add_argument(flag, action="store_true", default=None, help=self.help)
            return
        several = isinstance(self.default, tuple)
        shown = ", ".join(map(str, self.default)) if several else self.default
        example = self.default[0] if several and self.default else self.default
        parser.add_argument(
            flag,
            nargs="+" if several else None,
            type=str if example is None else type(example),
            choices=self.choices,
            metavar=self.name.rpartition("_")[2].upper(),
            help=f"{self.help} (default: {shown})".replace("%", "%%"),
        )


def selection(name, choices, default=None, small=None, help=""):
    """Option that selects from `choices`, by default all of them."""
    default = tuple(choices if default is None else default)
    return Option(name, default, small, help, tuple(choices), selects=True)


def parse(prog, description, options, argv):
    """Values of the options, small ones with ``--small``, and of those that all benchmarks have."""
    parser = argparse.ArgumentParser(
        prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="show that it runs, in seconds")
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--threads", type=int, help="threads of torch")
    add_out(parser)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("output/work"),
        help="folder that keeps what is downloaded and trained, %(default)s by default",
    )
    for option in options:
        option.add_to(parser)
    found = parser.parse_args(argv)
    for option in options:
        if getattr(found, option.name) in (None, []):
            small = found.small and option.small is not None
            setattr(found, option.name, option.small if small else option.default)
        elif isinstance(option.default, tuple):
            setattr(found, option.name, tuple(getattr(found, option.name)))
    if found.small:
        found.out, found.work = found.out / "small", found.work / "small"
    return found


def add_out(parser):
    """Add the option ``--out``: not the committed results, unless that is asked for."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output/benchmarks"),
        help="folder of the results, %(default)s by default; those that the documentation "
        "shows are in benchmarks/results",
    )
