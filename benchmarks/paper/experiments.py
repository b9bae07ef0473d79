"""The experiments: their cells at a scale, in the order of importance, and who measures one."""

from typing import NamedTuple

import numpy as np

from benchmarks.paper import attribution, averages, elsewhere, theory
from benchmarks.paper.attribution import AGAIN, ALPHA, LONGEST
from benchmarks.paper.sources import ARCHITECTURES, owners

__all__ = ["EXPERIMENTS", "KEYS", "METHODS", "Cell", "cells_of"]

#: Columns that identify a cell.
KEYS = ("scale", "experiment", "owner", "setting", "method", "run")
METHODS = ("SM-F", "RawPAD", "DCTPAD", "FLIPAD")


class Cell(NamedTuple):
    """One measurement."""

    experiment: str
    owner: str = ""
    setting: str = ""
    method: str = ""
    run: int = 0


def _attribution(scale):
    for run in range(scale.n_runs):
        for owner in owners(scale):
            for method in METHODS:
                yield Cell("attribution", owner, f"n_tr {scale.n_tr}", method, run)


def _fewer(scale):
    for run in _runs(scale, "fewer"):
        for owner in owners(scale):
            for n_tr in scale.fewer:
                yield Cell("fewer", owner, f"n_tr {n_tr}", "FLIPAD", run)


def _searched(scale):
    for owner in _first(scale):
        yield Cell("searched", owner, f"n_val {scale.searched[0]}", "SM-Inv l2")


def _penalties(scale):
    for run in range(scale.n_runs):
        for pictured in scale.pictured:
            for alpha in scale.alphas:
                yield Cell("penalties", pictured.format("dcgan"), f"alpha {alpha}", "FLIPAD", run)


def _perturbed(scale):
    for run in _runs(scale, "perturbed"):
        for owner in _first(scale):
            for perturbation in scale.perturbations:
                for method in METHODS[1:]:
                    yield Cell("perturbed", owner, perturbation, method, run)


def _averages(scale):
    alphas = [f"alpha {alpha}" for alpha in scale.alphas]
    for pictured in scale.pictured:
        for kind in ARCHITECTURES:
            settings = ("pixels", "DCT", *alphas) if kind == "dcgan" else (f"alpha {ALPHA}",)
            for setting in settings:
                yield Cell("averages", pictured.format(kind), setting)


def _variants(scale):
    for run in _runs(scale, "variants"):
        for owner in _first(scale):
            for variant in ("LeNet", "epochs x5", "whitened"):
                if "/wgan-gp" in owner or "/ebgan" in owner:
                    yield Cell("variants", owner, variant, "FLIPAD", run)
    for owner in scale.trained_longer:
        yield Cell("variants", owner, LONGEST, "FLIPAD")


def _again(scale):
    """Cells drawn from each table, of FLIPAD and of others, with other hold-outs and seeds."""
    rng = np.random.default_rng(0)
    for table, experiment in AGAIN.items():
        cells = [cell for cell in EXPERIMENTS[experiment][0](scale) if cell.setting != LONGEST]
        last = max((cell.run for cell in cells), default=0)
        for methods in (("FLIPAD",), METHODS[1:3] if table == "table-2" else METHODS[:3]):
            drawn = [cell for cell in cells if cell.run == last and cell.method in methods]
            if drawn:
                cell = drawn[rng.integers(len(drawn))]
                setting = f"{table}, {cell.setting}"
                yield cell._replace(experiment="again", setting=setting, run=scale.n_runs)
    # The other benchmarks have the sizes of a laptop.
    for setting, method in elsewhere.CELLS if "fashion" in scale.data_sets else ():
        yield Cell("again", setting=setting, method=method, run=scale.n_runs)


def _measure_again(cell, *given):
    is_elsewhere = (cell.setting, cell.method) in elsewhere.CELLS
    measure = elsewhere.measure if is_elsewhere else attribution.measure_again
    return measure(cell, *given)


def _examples(scale):
    return [Cell("examples", setting=number) for number in ("4.1", "4.2", "4.3")]


def _recovery(scale):
    return [Cell("recovery", setting=f"channels {n}") for n in scale.recovery["channels"]]


def _decoders(scale):
    return [Cell("decoders")] if scale.decoders else []


def _runs(scale, experiment):
    return range(scale.fewer_runs.get(experiment, scale.n_runs))


def _first(scale):
    """Owners of the first seed."""
    return [name for name in owners(scale) if name.endswith(f"-{scale.owner_seeds[0]}")]


#: Cells of the experiments by scale, and functions that measure one, in the order of importance.
EXPERIMENTS = {
    "examples": (_examples, theory.measure_example),
    "attribution": (_attribution, attribution.measure),
    "searched": (_searched, attribution.measure),
    "averages": (_averages, averages.measure),
    "penalties": (_penalties, attribution.measure),
    "recovery": (_recovery, theory.measure_recovery),
    "fewer": (_fewer, attribution.measure),
    "decoders": (_decoders, averages.measure_decoders),
    "variants": (_variants, attribution.measure),
    "perturbed": (_perturbed, attribution.measure),
    "again": (_again, _measure_again),
}


def cells_of(entries, scale):
    """Cells of entries at a scale; the first run of all comes before the second of any."""
    names = {name for entry in entries for name in entry.experiment.split()}
    cells = [
        cell for name, (make, _) in EXPERIMENTS.items() if name in names for cell in make(scale)
    ]
    return sorted(cells, key=lambda cell: cell.run)
