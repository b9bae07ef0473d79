"""The ladder: which attributors tell a generator from ever nearer copies of it.

The rungs lead from other architectures over other seeds, a distilled student, a fine-tuned, pruned
and rounded copy to copies with noise of 1 % on their weights. Each row of owner, method and rung
has ``tnr``, the share of suspects that is called foreign at a nominal false-negative rate, and
``fnr``, the share of fresh own samples that is, each with its exact interval; the AUC; milliseconds
per sample on ``device``; and ``rms``, the distance in gray levels of what owner and copy make of
the same latents.

With ``--near-copies-as-negatives``, half of the negatives are samples of near-copies: with 10 and
20 % of noise, of other seeds than the rungs', and the one that is pruned by half, which is no
unseen rung then.
"""

from itertools import product

import numpy as np
import pandas as pd

from benchmarks.attribution.ladder_methods import METHODS, WITHOUT_NEGATIVES
from benchmarks.attributors import QUICK
from benchmarks.data.near_copies import (
    DEFAULT_OWNERS,
    FRESH,
    OWN,
    OWNERS,
    RUNGS,
    SUSPECTS,
    Owner,
)
from benchmarks.judging import interval, judge_pair
from benchmarks.machine import device_name, timed
from benchmarks.options import Option, selection

#: What is measured with, and identifies a cell too.
SETTING = ("n_own", "n_negatives", "n_suspects", "n_steps")
KEYS = ("owner", "method", "rung", "negatives", "seed", *SETTING)
COPIES = "real and copies"
OPTIONS = (
    selection("owners", OWNERS, DEFAULT_OWNERS, DEFAULT_OWNERS[:1]),
    selection("methods", METHODS),
    selection("rungs", RUNGS, small=("other seeds", "int8", "noise 0.2 last")),
    Option("n_own", 4000, 40, "own samples that train and calibrate"),
    Option("n_negatives", 1000, 20),
    Option("n_suspects", 1000, 10, "of each rung, and fresh own ones"),
    Option("n_steps", 2000, 2, "steps of each distillation"),
    Option("max_epochs", 20, 2, "epochs of the detector"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    QUICK,
    Option("n_mean", 5000, 100, "samples of the mean activation"),
    Option("fnr", 0.005, 0.1, "false-negative rate"),
    Option("seeds", (0,), selects=True),
    Option("near_copies_as_negatives", False, selects=True),
)
_RELATIVES = ("other architectures", "other seeds")


def run(options, results):
    """Measure the cells that are missing, and print the rates of each owner."""
    for name, seed in product(options.owners, options.seeds):
        owner = Owner(name, options.work / "networks", options.n_steps, seed)
        for method in options.methods:
            run_method(owner, method, options, results)
    for owner, table in rates(results.rows).items():
        print(f"\n{owner}\n{table.round(3).to_string()}")


def run_method(owner, method, options, results):
    """Fit one attributor of an owner, and judge the rungs that are missing."""
    negatives = COPIES if options.near_copies_as_negatives else "real"
    if method in WITHOUT_NEGATIVES:
        negatives = "none"
    cell = {"owner": owner.name, "method": method, "negatives": negatives, "seed": owner.seed}
    cell |= {name: getattr(options, name) for name in SETTING}
    missing = [
        (rung, generators)
        for rung in options.rungs
        if not results.has(*({**cell, "rung": rung}[key] for key in KEYS))
        and (generators := owner.suspects(rung))
    ]
    if not missing:
        return
    X_own = owner.samples(owner.generator, options.n_own, OWN)
    n_copies = options.n_negatives // 2 if negatives == COPIES else 0
    X_negatives = owner.negatives(options.n_negatives - n_copies)
    if n_copies:
        X_negatives = np.concatenate([X_negatives, owner.negative_copies(n_copies)])
    attributor, fit_s = timed(METHODS[method], owner, X_own, X_negatives, options)
    fresh = owner.samples(owner.generator, options.n_suspects, FRESH)
    own = attributor.decision_function(fresh)
    for rung, generators in missing:
        X = owner.mixture(generators, options.n_suspects, SUSPECTS)
        row = {**cell, "rung": rung, "device": device_name(), **judge(attributor, own, X)}
        row["fit_s"] = fit_s
        if rung not in _RELATIVES:
            row["rms"] = rms(owner, generators[0])
        results.add(row, shown=f"TNR {row['tnr'][0]:.3f}")


def judge(attributor, own, suspects):
    """Measures of one cell; `own` are signed distances of fresh own samples to the threshold."""
    scores, seconds = timed(attributor.decision_function, suspects)
    found = judge_pair(own, scores, 0)
    return {
        "tnr": interval((scores < 0).sum(), len(suspects)),
        "auc": found["auc"],
        "fnr": found["found_fnr"],
        "ms": 1000 * seconds / len(suspects),
    }


def rms(owner, copy):
    """Distance in gray levels of what the owner's generator and a copy make of the same latents."""
    first, second = (owner.samples(g, 64, SUSPECTS).astype(float) for g in (owner.generator, copy))
    return float(np.sqrt(np.mean(np.square(first - second))))


def rates(rows):
    """True-negative rates by owner: rungs by methods, means over seeds and settings.

    Columns are ``rms`` and the methods, ``+ copies`` where near-copies were among the negatives.
    """
    frame = _frame(rows)
    frame["column"] = frame["method"] + np.where(frame["negatives"] == COPIES, " + copies", "")
    found = {}
    for owner, cells in frame.groupby("owner", sort=False):
        table = cells.pivot_table("tnr", "rung", "column", observed=True)
        table = table[sorted(table, key=_rank)]
        table.insert(0, "rms", cells.groupby("rung", observed=True)["rms"].mean())
        found[owner] = table.rename_axis(index=None, columns=None)
    return found


def _frame(rows):
    """Frame of rows, with rates without intervals, and rungs in their order."""
    frame = pd.DataFrame(rows, columns=[*KEYS, "tnr", "rms"])
    frame["tnr"] = [rate[0] for rate in frame["tnr"]]
    frame["rung"] = pd.Categorical(frame["rung"], RUNGS)
    return frame


def _rank(column):
    return list(METHODS).index(column.removesuffix(" + copies")), column


def table(rows):
    """True-negative rates: a line for each owner and rung, a column for each method."""
    frame = _frame(rows).query("negatives != @COPIES")
    frame["tnr"] = [f"{rate:.3f}" for rate in frame["tnr"]]
    columns = list(dict.fromkeys(frame["method"]))
    keys = ["owner", "rung"]
    shown = frame.pivot_table("tnr", keys, "method", aggfunc="first", observed=True)[columns]
    apart = frame.groupby(keys, observed=True)["rms"].first().round(2)
    shown.insert(0, "gray levels apart", apart)
    return shown.reset_index()


def table_of_copies(rows):
    """Mean true-negative rates without and with near-copies among the negatives."""
    frame = _frame(rows)
    with_copies = frame["negatives"] == COPIES
    compared = frame["method"].isin(frame["method"][frame["negatives"] == "real"])
    methods = list(dict.fromkeys(frame["method"][with_copies & compared]))
    if not methods:
        return pd.DataFrame()
    frame = frame[frame["method"].isin(methods) & frame["owner"].isin(frame["owner"][with_copies])]
    means = frame.pivot_table("tnr", "rung", ["method", "negatives"], observed=True)
    shown = {
        method: [
            f"{without:.3f}, {with_them:.3f}"
            for with_them, without in means[method][[COPIES, "real"]].itertuples(index=False)
        ]
        for method in methods
    }
    return pd.DataFrame({"rung": means.index, **shown})


TABLES = {"ladder": table, "ladder_copies": table_of_copies}
