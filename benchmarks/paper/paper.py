"""The tables, figures, examples and theorem of the paper, by their names.

``python -m benchmarks paper list`` says what there is, ``paper NAME ...`` measures what one or
several of them show, all by default, and ``paper render`` makes their tables and figures from
committed results. The scale ``paper`` has the sizes of the paper and trains its generators on
CelebA and LSUN, whose folders are ``--celeba`` and ``--lsun``.
"""

import time

from benchmarks.options import Option
from benchmarks.paper import attribution, rendering
from benchmarks.paper.entries import ENTRIES
from benchmarks.paper.experiments import EXPERIMENTS, KEYS, Cell, cells_of
from benchmarks.paper.listing import list_entries
from benchmarks.paper.scales import SCALES
from benchmarks.paper.sources import samples_of

__all__ = ["COMMANDS", "KEYS", "OPTIONS", "TABLES", "run"]

OPTIONS = (
    Option("names", (), help="entries, all by default", selects=True, positional=True),
    Option("scale", "laptop", "tiny", "sizes", tuple(SCALES), selects=True),
    Option("celeba", None, help="folder of CelebA, for the scale paper", selects=True),
    Option("lsun", None, help="folder of LSUN bedrooms, for the scale paper", selects=True),
)
COMMANDS = {"list": list_entries, "render": rendering.main}
TABLES = rendering.TABLES


def chosen(names):
    """Entries by their names, all if there are none."""
    known = {entry.name: entry for entry in ENTRIES}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"There is no entry {unknown[0]!r}: see python -m benchmarks paper list.")
    return [known[name] for name in names] or list(ENTRIES)


def run(options, results):
    """Measure the cells of entries that are missing."""
    entries, scale = chosen(options.names), SCALES[options.scale]
    for entry in entries if options.names else ():
        if entry.benchmark:
            print(f"{entry.name} is measured by python -m benchmarks {entry.benchmark}.")
    missing = [cell for cell in cells_of(entries, scale) if not results.has(options.scale, *cell)]
    clock, samples, changed = _Clock(results.rows, options.scale), {}, {}
    for index, cell in enumerate(missing):
        if cell.owner and cell.owner not in samples:
            samples[cell.owner] = samples_of(cell.owner, scale, options)
        given = samples.get(cell.owner)
        name = cell.setting.rpartition(", ")[2]
        if name in attribution.PERTURBATIONS:
            if (cell.owner, name) not in changed:
                change = attribution.PERTURBATIONS[name](given.own.shape[-1]).fit_transform
                changed = {(cell.owner, name): given.changed(change)}
            given = changed[cell.owner, name]
        start = time.perf_counter()
        found = EXPERIMENTS[cell.experiment][1](cell, given, scale, options)
        found["seconds"] = round(time.perf_counter() - start, 2)
        row = {"scale": options.scale, **cell._asdict(), **found}
        shown = {"seconds": found["seconds"]}
        if "sources" in found:
            shown |= {name: x["accuracy"][0] for name, x in found["sources"].items()}
        results.add(row, shown=shown)
        clock.count(cell, found["seconds"])
        print(f"  {index + 1} of {len(missing)}, {clock.left(missing[index + 1 :])}", flush=True)


class _Clock:
    """Estimates from the seconds of cells that are alike."""

    def __init__(self, rows, scale):
        self.seconds = {}
        for row in rows:
            if row["scale"] == scale:
                self.count(Cell(*(row[key] for key in KEYS[1:])), row["seconds"])

    def count(self, cell, seconds):
        """Take the seconds of a cell into account."""
        self.seconds.setdefault(self._alike(cell), []).append(seconds)

    def left(self, cells):
        """Time that cells will take, in words."""
        known = {key: sum(values) / len(values) for key, values in self.seconds.items()}
        mean = sum(known.values()) / len(known)
        minutes = sum(known.get(self._alike(cell), mean) for cell in cells) / 60
        return f"about {minutes:.0f} min left"

    @staticmethod
    def _alike(cell):
        # The first run computes the features, which the others take from the store.
        return cell.experiment, cell.method, cell.run > 0
