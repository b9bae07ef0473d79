"""Results of benchmarks: JSON lines, a header and the rows that were measured under it.

A header says which benchmark it was, with which arguments, versions and machine; null is what was
not noted. A run that goes on elsewhere, or with other arguments, adds a header of its own.
"""

import json
from pathlib import Path

from benchmarks.machine import describe_machine

__all__ = ["Results", "read_results", "read_rows"]

_HEADER = "benchmark"


def read_results(path):
    """Headers and rows of a file, in two lists; none where there is no file yet."""
    path = Path(path)
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines]
    headers = [line for line in found if _HEADER in line]
    return headers, [line for line in found if _HEADER not in line]


def read_rows(path):
    """The rows of a file."""
    return read_results(path)[1]


class Results:
    """A file of results that grows row by row, and is taken up where it was left.

    The values of `keys` identify a cell of the table. The rows of a cell are added at once, and
    `arguments` that neither select cells nor identify them must not change within a file.
    """

    def __init__(self, path, name, arguments, *, keys, selections=(), again=False):
        self.path, self.keys = Path(path), keys
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if again:
            self.path.unlink(missing_ok=True)
        self._mend()
        headers, self.rows = read_results(self.path)
        # As they are read again, tuples as lists for example.
        header = json.loads(
            json.dumps({_HEADER: name, "arguments": arguments, **describe_machine()}, default=str)
        )
        measured_with = [known["arguments"] for known in headers if known["arguments"]]
        for argument, value in header["arguments"].items() if measured_with else ():
            before = measured_with[-1].get(argument, value)
            if value != before and argument not in {*keys, *selections}:
                raise SystemExit(
                    f"{self.path} was measured with {argument}={before}, not {value}: choose "
                    "another folder with --out, or measure everything anew with --again."
                )
        self._header = None if header in headers[-1:] else header

    def has(self, *cell):
        """Whether there are rows whose keys have these values."""
        return any(self._cell(row) == cell for row in self.rows)

    def add(self, *rows, shown=None):
        """Write the rows of a cell, and print what is `shown` of it."""
        lines = [self._header] if self._header else []
        self._header = None
        text = "".join(f"{json.dumps(line)}\n" for line in (*lines, *rows))
        with self.path.open("ab", buffering=0) as file:
            file.write(text.encode())
        self.rows += [json.loads(json.dumps(row)) for row in rows]
        cell = ", ".join(str(value) for value in self._cell(rows[0]))
        print(f"{cell}: {json.dumps(shown or _summary(rows))}", flush=True)

    def _cell(self, row):
        return tuple(row.get(key) for key in self.keys)

    def _mend(self):
        """Drop a last line that was cut off, with all rows of the cell before it."""
        if not self.path.exists() or self.path.read_bytes().endswith(b"\n"):
            return
        lines = self.path.read_text().splitlines()[:-1]
        cells = [self._cell(json.loads(line)) for line in lines]
        while lines and cells[-1] == cells[len(lines) - 1]:
            lines.pop()
        print(f"{self.path}: its last rows are not whole, and are measured again.", flush=True)
        self.path.write_text("".join(f"{line}\n" for line in lines))


def _summary(rows):
    """Accuracies by source at the first rate, where rows have any; else all of them."""
    if "accuracy" in rows[0]:
        return {row["source"]: round(row["accuracy"], 4) for row in reversed(rows)}
    return rows
