"""Tables of attribution on the shipped generators, in the manner of the paper's.

    python benchmarks/tables.py methods     six methods against unseen architectures (1, 6)
    python benchmarks/tables.py seeds       other seeds of the same architecture (2)
    python benchmarks/tables.py perturbed   immunized, under perturbations (3, 13)

The rows are written to ``<table>.json`` in the folder ``--out`` as they come out, and their
means to ``<table>.csv``. What is there already is kept with ``--resume``. A table takes
hours; with ``--small`` it takes minutes, for one owner and few samples, and shows that all
runs. It is then called ``small-<table>``.
"""

import argparse
import json
import tempfile
import time

import attribution
import numpy as np
import pandas as pd
from output import add_out

from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
)
from sklearn_flipad.zoo import list_pretrained

METHODS = {
    "methods": ("SM-F", "SM-Inv l2", "SM-Inv features", "RawPAD", "DCTPAD", "FLIPAD"),
    "seeds": ("RawPAD", "DCTPAD", "FLIPAD"),
    "perturbed": ("SM-F", "RawPAD", "DCTPAD", "FLIPAD", "combined", "combined mean"),
}
#: In the order in which they are shown.
EVERY_METHOD = tuple(dict.fromkeys(method for methods in METHODS.values() for method in methods))
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
    others = [name for name in list_pretrained("fashion") if name != owner]
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
    rank = [(owner, EVERY_METHOD.index(method)) for owner, method in shown[keys].values]
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


def write(target, table, rows):
    """The rows as JSON into the file `target`, and what is shown of them as CSV beside it."""
    target.write_text(json.dumps(rows, indent=1) + "\n")
    summary(table, rows).to_csv(target.with_suffix(".csv"), index=False)
    if table == "seeds" and "FLIPAD" in {row["method"] for row in rows}:
        flipad = target.with_name(f"{target.stem}_flipad.csv")
        matrix(rows).to_csv(flipad, index=False, na_rep="own")


def run(target, args, rows):
    """Fill a table, case by case."""
    table, methods = args.table, args.methods
    setting = attribution.SMALL if args.small else attribution.FULL
    done = {
        (row["owner"], row["perturbation"], row["method"])
        for row in rows
        if {r["source"] for r in rows if r["owner"] == row["owner"]}
        >= set(sources(table, row["owner"]))
    }
    names = PERTURBATIONS if table == "perturbed" else ["none"]
    for owner in args.owners:
        X, y, tests = attribution.load_data(owner, sources(table, owner), setting=setting)
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
                    found = attribution.judge(
                        method, owner, *data, setting=setting, cache_dir=cache_dir
                    )
                    rows += [{"perturbation": name, **row} for row in found]
                    first = [r for r in found if r["fnr"] == 0.005 and r["source"] != "real"]
                    mean = np.mean([row["accuracy"] for row in first])
                    took = time.perf_counter() - start
                    print(f"{owner} {name} {method}: {mean:.4f}, {took:.0f} s", flush=True)
                    write(target, table, rows)


def parse_arguments(argv=None):
    """The arguments, with all owners and methods of the table where none are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=METHODS)
    parser.add_argument(
        "--owners",
        nargs="+",
        choices=list_pretrained("fashion"),
        metavar="NAME",
        help="by default all, or one of each architecture",
    )
    parser.add_argument("--methods", nargs="+", choices=EVERY_METHOD)
    parser.add_argument("--resume", action="store_true", help="keep the rows that are there")
    parser.add_argument("--small", action="store_true", help="see that it runs, in minutes")
    add_out(parser)
    args = parser.parse_args(argv)
    if args.owners is None:
        everyone = list_pretrained("fashion")
        if args.table != "seeds":
            everyone = [name for name in everyone if name.endswith("-0")]
        args.owners = everyone[:1] if args.small else everyone
    args.methods = args.methods or METHODS[args.table]
    return args


def main():
    """Fill the table that is asked for."""
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    target = args.out / f"{'small-' if args.small else ''}{args.table}.json"
    rows = json.loads(target.read_text()) if args.resume and target.exists() else []
    run(target, args, rows)
    write(target, args.table, rows)


if __name__ == "__main__":
    main()
