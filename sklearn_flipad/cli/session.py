"""Messages, results and exit codes of a command."""

import json
import warnings
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.table import Table

from sklearn_flipad.base.messages import translated
from sklearn_flipad.cli.options import without_layer
from sklearn_flipad.storage.files import printable

__all__ = ["FAILED", "INTERRUPTED", "NOTHING_SCORED", "Session", "session"]

#: Exit codes; 0 is success, and 2, of typer, wrong usage.
FAILED = 1
NOTHING_SCORED = 3
INTERRUPTED = 130

#: Errors by which the library refuses its input or its surroundings.
_EXPECTED = (ArithmeticError, ImportError, LookupError, MemoryError, OSError, RuntimeError)
_EXPECTED += (TypeError, ValueError)

#: Names of the command for the terms of the library's messages.
_TERMS = {
    "output_range": "--output-range=LOW,HIGH",
    "latent_shape": "--latent-shape 100,1,1",
    "n_jobs": "--jobs",
    "overwrite": "--overwrite",
    "resume": "--restart",
    "dct": "--method dctpad takes those",
    "without layer": f"--method {', '.join(without_layer())}",
    "groups": "call fit in Python with groups=np.arange(len(X))",
    "python": "in Python {}",
    "moved output_range": "--output-range with the two numbers of {}",
    "jpeg": "--jpeg and that quality",
    "files": "--processing files",
    "no jpeg": "PNG files, without --jpeg",
    "bits": "--bits and that number",
    "lr": "--lr logistic and --negatives",
    "settings": "--settings",
    "search": "Calibrate",
    "own files": "--own and files of own samples that were saved in the same way",
    "own resized": "--own, --size and files of own samples that are as large",
}


class Session:
    """Messages go to standard error, the result to standard output.

    With `as_json` the result is one JSON object; `quiet` leaves out steps and progress.
    """

    def __init__(self, as_json, quiet):
        self.as_json = as_json
        self.quiet = quiet
        self.warnings = []
        plain = {"highlight": False, "markup": False, "emoji": False}
        self._errors = Console(stderr=True, **plain)
        self._output = Console(**plain)

    @property
    def verbose(self):
        """Whether the library shows progress: bars, or lines where standard error is a file."""
        return int(not self.quiet)

    def step(self, text):
        """Say what is done next."""
        if not self.quiet:
            self._say(f"- {text}")

    def warn(self, text):
        """Say what should not go unnoticed."""
        text = printable(text)
        self.warnings.append(text)
        self._say(f"warning: {text}", style="yellow")

    def fail(self, error):
        """Say why there is no result."""
        # Of lists of files the lines stay.
        lines = translated(error, _TERMS).splitlines()
        text = "\n".join(map(printable, lines)) or type(error).__name__
        if isinstance(error, KeyError | MemoryError | IndexError):
            text = f"{type(error).__name__}: {text}"
        self._say(f"error: {text}", style="red")
        if self.as_json:
            print(json.dumps({"error": text, "warnings": self.warnings}))

    def finish(self, result, rows, title=None):
        """Give the result: all of it as JSON, or some rows for people."""
        if self.as_json:
            print(json.dumps({**result, "warnings": self.warnings}))
            return
        rows = [(printable(str(name)), printable(str(value))) for name, value in rows]
        if not self._output.is_terminal:  # whole lines, for other programs
            width = max(len(name) for name, _ in rows)
            lines = [f"{name:{width}}  {value}".rstrip() for name, value in rows]
            print("\n".join(lines if title is None else [title, *lines]))
            return
        table = Table(title=title, show_header=False, box=None, pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(name, value)
        self._output.print(table)

    def _say(self, text, **options):
        self._errors.print(text, soft_wrap=True, **options)


@contextmanager
def session(as_json, quiet=False, *, traceback=False):
    """A :class:`Session` whose errors become messages and exit codes, unless `traceback`."""
    found = Session(as_json, quiet)

    def show(message, category, *args, **kwargs):
        # Hide deprecation warnings and the like from the command's output.
        if issubclass(category, UserWarning):
            found.warn(translated(message, _TERMS))

    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            yield found
        except KeyboardInterrupt:
            found.fail(RuntimeError("interrupted. A table that score began is completed by score."))
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort):
            raise  # they are RuntimeErrors
        except _EXPECTED as error:
            if traceback:
                raise
            found.fail(error)
            raise typer.Exit(FAILED) from error
