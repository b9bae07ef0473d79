"""Run a benchmark from the repository root: ``python -m benchmarks NAME [--small] [--out DIR]``."""

import argparse
import sys

import torch

from benchmarks import size, tables
from benchmarks.options import parse
from benchmarks.registry import BENCHMARKS
from benchmarks.results import Results

__all__ = ["main"]

_USAGE = """usage: python -m benchmarks NAME [--small] [--out DIR] [options of NAME]

A benchmark goes on where it was left: rows that are there are not measured again.

  list      the benchmarks, and how long each takes
  NAME -h   the options of a benchmark
  tables    make the tables of the documentation from results
  size      lines of the package by folder: code, docstrings, comments, blank lines"""


def list_benchmarks(argv=()):
    """Print name, duration and line of each benchmark."""
    argparse.ArgumentParser(prog="python -m benchmarks list").parse_args(argv)
    width = max(map(len, BENCHMARKS))
    longest = max(len(benchmark.duration) for benchmark in BENCHMARKS.values())
    for name, found in BENCHMARKS.items():
        print(f"{name:{width}}  {found.duration:{longest}}  {found.line}")


def run(name, argv=()):
    """Run a benchmark, write its tables and return its results, or run a command of its own."""
    module = BENCHMARKS[name].module
    commands = getattr(module, "COMMANDS", {})
    if argv and argv[0] in commands:
        return commands[argv[0]](argv[1:])
    declared = getattr(module, "OPTIONS", ())
    options = parse(f"python -m benchmarks {name}", module.__doc__, declared, argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    results = Results(
        options.out / f"{name}.jsonl",
        name,
        {option.name: getattr(options, option.name) for option in declared},
        keys=module.KEYS,
        selections=[option.name for option in declared if option.selects],
        again=options.again,
    )
    n_before = len(results.rows)
    options.work.mkdir(parents=True, exist_ok=True)
    module.run(options, results)
    tables.write(name, results.rows, options.out)
    kept = f", {n_before} of them from before" if n_before else ""
    print(f"{len(results.rows)} rows in {results.path}{kept}")
    return results


_COMMANDS = {"list": list_benchmarks, "tables": tables.main, "size": size.main}


def main(argv=None):
    """Run what the first argument names."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in _COMMANDS:
        _COMMANDS[name](rest)
    elif name in BENCHMARKS:
        run(name, rest)
    elif name in ("-h", "--help"):
        print(_USAGE)
    else:
        sys.exit(f"There is no benchmark {name!r}: see python -m benchmarks list.")


if __name__ == "__main__":
    main()
