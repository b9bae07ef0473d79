"""Candidates of seeds, as ``--seeds`` or ``--log`` name them."""

from inspect import signature

from sklearn_flipad.cli.options import numbers
from sklearn_flipad.reproduction import SeedCandidates

__all__ = ["candidates_of", "check_seeds"]


def check_seeds(options, method):
    """Raise ValueError if candidates are missing, or are given to a method that has none."""
    given = [name for name in ("seeds", "log") if getattr(options, name) is not None]
    if "seeds" not in signature(method.make).parameters:
        if given:
            raise ValueError(f"--{given[0]} is for --method seeded: leave it out.")
    elif len(given) != 1:
        raise ValueError(
            f"--method {method.name} needs the seeds that may have been used: pass --seeds "
            "START:STOP, or --log and a table of requests, one of the two."
        )
    if options.settings is not None and options.log is None:
        raise ValueError("--settings names columns of a table of requests: pass --log.")


def candidates_of(options):
    """A range of seeds, or candidates of a table; None without either."""
    if options.log is not None:
        settings = () if options.settings == "" else numbers(options.settings, str, "--settings")
        return SeedCandidates.from_requests(options.log, settings=settings)
    if options.seeds is None:
        return None
    parts = options.seeds.split(":")
    try:
        start, stop = map(int, parts)
    except ValueError:
        start = stop = 0
    if start >= stop:
        raise ValueError(f"--seeds must be START:STOP, as 0:1000000, got {options.seeds!r}.")
    return range(start, stop)
