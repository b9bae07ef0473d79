"""Tables of attribution on the shipped generators, in the manner of the paper's.

    python benchmarks/tables.py methods     six methods against unseen architectures (1, 6)
    python benchmarks/tables.py seeds       other seeds of the same architecture (2)
    python benchmarks/tables.py perturbed   immunised, under perturbations (3, 13)

The rows are written to ``benchmarks/results/<table>.json`` as they come out, and their means
to ``<table>.csv``. What is there already is kept with ``--resume``.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import attribution
import numpy as np
import pandas as pd

from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
)
from sklearn_flipad.zoo import list_pretrained

RESULTS = Path(__file__).parent / "results"
METHODS = {
    "methods": ("SM-F", "SM-Inv l2", "SM-Inv features", "RawPAD", "DCTPAD", "FLIPAD"),
    "seeds": ("RawPAD", "DCTPAD", "FLIPAD"),
    "perturbed": ("SM-F", "RawPAD", "DCTPAD", "FLIPAD", "combined", "combined mean"),
}
#: The strengths of Table 3, the crops scaled from 64x64 to 32x32 images.
PERTURBATIONS = {
    "none": None,
    "blur 3": GaussianBlur(3, sigma=3.0),
    "crop 30": CenterCropResize(30),
    "crop 28": CenterCropResize(28),
    "noise 0.05": GaussianNoise(0.05, random_state=0),
    "noise 0.1": GaussianNoise(0.1, random_state=0),
    "JPEG 90": JPEGCompression(90),
    "JPEG 80": JPEGCompression(80),
}


def architecture(name):
    """``"fashion/dcgan"`` of ``"fashion/dcgan-0"``."""
    return name.rpartition("-")[0]


def sources(table, owner):
    """The generators that the owner's attributor meets."""
    others = [name for name in list_pretrained() if name != owner]
    if table == "seeds":
        return [name for name in others if architecture(name) == architecture(owner)]
    return [name for name in others if name.endswith("-0")]


def summary(table, rows):
    """What is shown of a table: mean accuracies against unseen generators, and more.

    Returns
    -------
    DataFrame
        Table ``methods``: a row for each owner and method, with the mean rates at the
        smaller false-negative rate and the accuracy against real images. Otherwise accuracies
        alone: by architecture (columns) for ``seeds``, by method (columns), perturbation and
        false-negative rate for ``perturbed``.
    """
    frame = pd.DataFrame(rows)
    frame["FNR"] = frame["found_fnr"].map(lambda rate: rate[0])
    frame["FPR"] = frame["found_fpr"].map(lambda rate: rate[0])
    frame["minutes"] = frame["fit_min"] + frame["score_min"]
    frame["architecture"] = frame["owner"].map(architecture)
    unseen, real = frame[frame["source"] != "real"], frame[frame["source"] == "real"]
    strict = unseen["fnr"] == attribution.FNRS[0]
    if table == "perturbed":
        return _pivot(unseen, ["fnr", "perturbation"], "method")
    if table == "seeds":
        return _pivot(unseen[strict], ["method"], "architecture")
    keys = ["owner", "method"]
    columns = ["accuracy", "FNR", "FPR", "auc", "minutes"]
    shown = unseen[strict].groupby(keys, sort=False)[columns].mean()
    real = real[real["fnr"] == attribution.FNRS[0]].groupby(keys)["accuracy"].mean()
    shown.insert(4, "accuracy, real", real)
    shown = shown.round({"minutes": 2}).round(4).reset_index()
    rank = [(owner, METHODS[table].index(method)) for owner, method in shown[keys].values]
    return shown.iloc[sorted(range(len(rank)), key=rank.__getitem__)]


def _pivot(frame, index, columns):
    order = dict.fromkeys(frame[columns])
    table = frame.pivot_table("accuracy", index, columns, sort=False)
    return table[list(order)].round(4).reset_index()


def matrix(rows):
    """Accuracy of FLIPAD by owner (rows) and by the seed that it meets (columns)."""
    frame = pd.DataFrame(rows)
    frame = frame[(frame["method"] == "FLIPAD") & (frame["fnr"] == attribution.FNRS[0])]
    frame = frame[frame["source"] != "real"]
    frame["against"] = "seed " + frame["source"].str.rpartition("-")[2]
    return _pivot(frame.sort_values(["against", "owner"]), ["owner"], "against").sort_values(
        "owner"
    )


def write(table, rows):
    """The rows as JSON, and what is shown of them as CSV."""
    (RESULTS / f"{table}.json").write_text(json.dumps(rows, indent=1) + "\n")
    summary(table, rows).to_csv(RESULTS / f"{table}.csv", index=False)
    if table == "seeds" and "FLIPAD" in {row["method"] for row in rows}:
        matrix(rows).to_csv(RESULTS / "seeds_flipad.csv", index=False, na_rep="own")


def run(table, owners, methods, rows):
    """Fill a table, case by case."""
    done = {
        (row["owner"], row["perturbation"], row["method"])
        for row in rows
        if {r["source"] for r in rows if r["owner"] == row["owner"]}
        >= set(sources(table, row["owner"]))
    }
    names = PERTURBATIONS if table == "perturbed" else ["none"]
    for owner in owners:
        X, y, tests = attribution.load_data(owner, sources(table, owner))
        for name in names:
            if all((owner, name, method) in done for method in methods):
                continue
            data = X, y, tests
            if (perturbation := PERTURBATIONS[name]) is not None:
                change = perturbation.fit_transform
                data = change(X), y, {source: change(images) for source, images in tests.items()}
            with tempfile.TemporaryDirectory() as cache_dir:
                for method in methods:
                    if (owner, name, method) in done:
                        continue
                    start = time.perf_counter()
                    found = attribution.judge(method, owner, *data, cache_dir=cache_dir)
                    rows += [{"perturbation": name, **row} for row in found]
                    first = [r for r in found if r["fnr"] == 0.005 and r["source"] != "real"]
                    mean = np.mean([row["accuracy"] for row in first])
                    took = time.perf_counter() - start
                    print(f"{owner} {name} {method}: {mean:.4f}, {took:.0f} s", flush=True)
                    write(table, rows)


def main():
    """Fill the table that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=METHODS)
    parser.add_argument("--owners", nargs="+", help="by default all, or one of each architecture")
    every = sorted({method for methods in METHODS.values() for method in methods})
    parser.add_argument("--methods", nargs="+", choices=every)
    parser.add_argument("--resume", action="store_true", help="keep the rows that are there")
    args = parser.parse_args()
    everyone = list_pretrained()
    if args.table != "seeds":
        everyone = [name for name in everyone if name.endswith("-0")]
    target = RESULTS / f"{args.table}.json"
    rows = json.loads(target.read_text()) if args.resume and target.exists() else []
    run(args.table, args.owners or everyone, args.methods or METHODS[args.table], rows)
    write(args.table, rows)


if __name__ == "__main__":
    main()
