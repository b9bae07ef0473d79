"""The ladder: which attributors tell a generator from ever nearer copies of it.

    python benchmarks/ladder.py --owners fashion/dcgan-1 --methods RawPAD FLIPAD

The rungs lead from other architectures over other seeds, a distilled student, a fine-tuned,
pruned and rounded copy to copies with noise of 1 % on their weights. For each owner, method and
rung, one JSON line goes to ``ladder.jsonl`` in the folder ``--out``: ``tnr``, the share of
suspects that is called foreign at a nominal false-negative rate of 0.5 %, and ``fnr``, the share
of fresh own samples that is, each with its exact interval; the AUC; milliseconds per sample on
``device``; and ``rms``, the distance in gray levels of what owner and copy make of the same
latents. A cell that is there is not computed again, and what was trained is kept in ``networks``.
With ``--near-copies-as-negatives``, half of the negatives are samples of near-copies: with 10 and
20 % of noise, of other seeds than the rungs', and the one that is pruned by half, which is no
unseen rung then. The tables, means over the seeds, are printed at the end.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cards import device_name
from ladder_methods import METHODS, WITHOUT_NEGATIVES
from ladder_suspects import DEFAULT_OWNERS, FRESH, OWN, OWNERS, RUNGS, SUSPECTS, Owner
from output import add_out

from sklearn_flipad.evaluation import attribution_scores, clopper_pearson

FNR = 0.005
#: What identifies a cell.
SETTING = ("n_own", "n_negatives", "n_suspects", "n_steps")
KEYS = ("owner", "method", "rung", "negatives", "seed", *SETTING)
_RELATIVES = ("other architectures", "other seeds")


def read(path):
    """The rows of a file of JSON lines; a last line that was cut off is dropped."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            print(f"{path}: a line is not whole, its cell is computed again.", flush=True)
    return rows


def append(path, row):
    """Add a row to a file of JSON lines."""
    cut_off = path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n")
    with path.open("a") as file:
        file.write("\n" * bool(cut_off) + json.dumps(row) + "\n")


def judge(attributor, own, suspects):
    """The measures of one cell.

    Parameters
    ----------
    attributor : estimator
        Fitted and calibrated.
    own : ndarray
        Signed distances of fresh own samples to the threshold.
    suspects : ndarray
        Samples of other generators.

    Returns
    -------
    dict
    """
    start = time.perf_counter()
    scores = np.concatenate([own, attributor.decision_function(suspects)])
    took = time.perf_counter() - start
    truth = np.repeat([1, -1], [len(own), len(suspects)])
    found = attribution_scores(truth, np.where(scores >= 0, 1, -1), scores)
    tnr = clopper_pearson(found.fpr.n - found.fpr.count, found.fpr.n)
    return {
        "tnr": [tnr.value, tnr.low, tnr.high],
        "auc": found.auc,
        "fnr": [found.fnr.value, found.fnr.low, found.fnr.high],
        "ms": 1000 * took / len(suspects),
    }


def rms(owner, copy):
    """Distance in gray levels of what the owner's generator and a copy make of the same latents."""
    first, second = (owner.samples(g, 64, SUSPECTS).astype(float) for g in (owner.generator, copy))
    return float(np.sqrt(np.mean(np.square(first - second))))


def run_method(owner, method, rungs, args, target):
    """Fit one attributor of an owner, and judge the rungs that are missing."""
    negatives = "real and copies" if args.near_copies_as_negatives else "real"
    if method in WITHOUT_NEGATIVES:
        negatives = "none"
    cell = {"owner": owner.name, "method": method, "negatives": negatives, "seed": owner.seed}
    cell |= {name: getattr(args, name) for name in SETTING}
    done = {tuple(row[key] for key in KEYS) for row in read(target)}
    rungs = [rung for rung in rungs if tuple({**cell, "rung": rung}[k] for k in KEYS) not in done]
    if not rungs:
        return
    X_own = owner.samples(owner.generator, args.n_own, OWN)
    n_copies = args.n_negatives // 2 if negatives == "real and copies" else 0
    X_negatives = owner.negatives(args.n_negatives - n_copies)
    if n_copies:
        X_negatives = np.concatenate([X_negatives, owner.negative_copies(n_copies)])
    start = time.perf_counter()
    attributor = METHODS[method](owner, X_own, X_negatives, FNR)
    fit_s = time.perf_counter() - start
    X_fresh = owner.samples(owner.generator, args.n_suspects, FRESH)
    own = attributor.decision_function(X_fresh)
    for rung in rungs:
        generators = owner.suspects(rung)
        if not generators:
            continue
        X = owner.mixture(generators, args.n_suspects, SUSPECTS)
        row = {**cell, "rung": rung, "device": device_name(), **judge(attributor, own, X)}
        row["fit_s"] = fit_s
        if rung not in _RELATIVES:
            row["rms"] = rms(owner, generators[0])
        append(target, row)
        print(f"{owner.name} {method} {rung}: TNR {row['tnr'][0]:.3f}", flush=True)


def tables(rows):
    """The true-negative rates of each owner: rungs by methods, means over the seeds.

    Parameters
    ----------
    rows : list of dict
        Cells of one setting.

    Returns
    -------
    dict of str to DataFrame
        By owner. Columns are ``rms`` and the methods, ``+ copies`` where near-copies were among
        the negatives.
    """
    frame = pd.DataFrame(rows, columns=[*KEYS, "tnr", "rms"])
    frame["tnr"] = [rate[0] for rate in frame["tnr"]]
    copies = frame["negatives"] == "real and copies"
    frame["column"] = frame["method"] + np.where(copies, " + copies", "")
    found = {}
    for owner, cells in frame.groupby("owner", sort=False):
        table = cells.pivot_table("tnr", "rung", "column")
        table = table[sorted(table, key=_rank)]
        table.insert(0, "rms", cells.groupby("rung")["rms"].mean())
        table = table.loc[[rung for rung in RUNGS if rung in table.index]]
        found[owner] = table.rename_axis(index=None, columns=None)
    return found


def _rank(column):
    names = list(METHODS)
    name = column.removesuffix(" + copies")
    return names.index(name) if name in names else len(names), column


def parse_arguments(argv=None):
    """The arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--owners", nargs="+", choices=OWNERS, default=DEFAULT_OWNERS, metavar="NAME"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--rungs", nargs="+", choices=RUNGS, default=RUNGS, metavar="RUNG")
    parser.add_argument("--n-own", type=int, default=4000, help="own samples of the training")
    parser.add_argument("--n-negatives", type=int, default=1000)
    parser.add_argument("--n-suspects", type=int, default=1000, help="of each rung; own ones too")
    parser.add_argument("--n-steps", type=int, default=2000, help="of each distillation")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--near-copies-as-negatives", action="store_true")
    parser.add_argument("--threads", type=int, help="of torch")
    add_out(parser)
    return parser.parse_args(argv)


def main(argv=None):
    """Fill the cells that are missing, and print the tables."""
    args = parse_arguments(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    target = Path(args.out) / "ladder.jsonl"
    for name, seed in product(args.owners, args.seeds):
        owner = Owner(name, args.out / "networks", args.n_steps, seed)
        for method in args.methods:
            run_method(owner, method, args.rungs, args, target)
    rows = [row for row in read(target) if all(row[k] == getattr(args, k) for k in SETTING)]
    for owner, table in tables(rows).items():
        print(f"\n{owner}\n{table.round(3).to_string()}")


if __name__ == "__main__":
    main()
