"""Which of twelve models made a sample, or none of them.

    python benchmarks/open_set.py

All shipped generators as models of one ``OpenSetAttributor``. Fresh samples of each and real
images are judged at false-negative rates of 0.5 and 5 %. Methods:

- ``whitened``: each attributor is fitted to its model's samples and real images alone, as
  owners would who know nothing of each other. So a model can be left out of the list, and its
  samples are those of a model that no attributor has seen.
- ``one-vs-rest``: the same, fitted together, each with the samples of the other models as
  negatives too.
- ``reproduction``: searches of the latents, no negatives; fewer samples.

One line of JSON for each method, rate and source is appended to ``open_set.jsonl`` in the folder
``--out``; methods that are there already are left out. Two tables are written beside it. Fitted
attributors are kept in the folder ``open_set`` there, encoders in ``encoders``.
"""

import argparse
import json
import time
from dataclasses import dataclass

import attribution
import numpy as np
import pandas as pd
from output import add_out, read_rows
from sklearn.frozen import FrozenEstimator

from sklearn_flipad import (
    LatentEncoder,
    OpenSetAttributor,
    load_attributor,
    make_reproduction,
    make_whitened,
    save_attributor,
)
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import clopper_pearson
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import list_pretrained, load_pretrained

FNRS = (0.005, 0.05)
METHODS = ("whitened", "one-vs-rest", "reproduction")
#: Methods whose attributors have never seen a sample of another model.
APART = ("whitened", "reproduction")
REAL = "real"


@dataclass(frozen=True)
class Setting:
    """How many samples, epochs and steps.

    Attributes
    ----------
    n_own, n_real : int
        Samples of each model and real images to fit to.
    n_test : int
        Fresh samples of each source.
    n_searched, n_searched_test : int
        Samples of each model to fit to, and of each source to judge, for reproduction.
    max_epochs, max_steps : int
        Epochs of the detectors, and training steps of the encoders.
    """

    n_own: int = 4000
    n_real: int = 1000
    n_test: int = 1000
    n_searched: int = 1000
    n_searched_test: int = 100
    max_epochs: int = 20
    max_steps: int = 1000


FULL = Setting()
#: Just enough samples for the thresholds; the numbers say nothing.
SMALL = Setting(1600, 100, 50, 400, 5, 2, 20)


def attributor_of(method, name, setting, folder):
    """An attributor of one model, not fitted."""
    options = {"fnr": FNRS[0], "random_state": 0}
    if method != "reproduction":
        detector = attribution.one_layer_detector(setting, 0)
        return make_whitened(detector=detector, cv=0.25, **options)
    path = folder / "encoders" / f"{name.replace('/', '-')}.encoder"
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = load_pretrained(name)
    if not path.exists():
        LatentEncoder(max_steps=setting.max_steps).fit(generator).save(path)
    return make_reproduction(generator, encoder=LatentEncoder.load(path), **options)


def own_samples(name, n):
    """Samples of a model to fit to."""
    return sample(load_pretrained(name), n, random_state=0)


def attributor_of_all(method, names, setting, folder):
    """The fitted attributor of all models; its parts are kept in files."""
    paths = {name: folder / "open_set" / f"{method}-{name.replace('/', '-')}" for name in names}
    missing = [name for name, path in paths.items() if not path.exists()]
    real = load_fashion_sample()[: setting.n_real]
    if missing and method == "one-vs-rest":
        X = np.concatenate([*(own_samples(name, setting.n_own) for name in names), real])
        y = np.repeat([*names, "other"], [setting.n_own] * len(names) + [len(real)])
        parts = [(name, attributor_of(method, name, setting, folder)) for name in names]
        fitted = OpenSetAttributor(parts).fit(X, y).named_estimators_
    for name in missing:
        start = time.perf_counter()
        if method == "whitened":
            X = np.concatenate([own_samples(name, setting.n_own), real])
            y = np.repeat([1, -1], [setting.n_own, len(real)])
            part = attributor_of(method, name, setting, folder).fit(X, y)
        elif method == "reproduction":
            part = attributor_of(method, name, setting, folder)
            part.fit(own_samples(name, setting.n_searched))
        else:
            part = fitted[name]
        paths[name].parent.mkdir(parents=True, exist_ok=True)
        save_attributor(part, paths[name])
        print(f"{method}, {name}: fitted in {time.perf_counter() - start:.0f} s", flush=True)
    parts = [(name, FrozenEstimator(load_attributor(path))) for name, path in paths.items()]
    return OpenSetAttributor(parts).fit()


def row(method, fnr, source, evidence):
    """Counts for the samples of one source."""
    sets, models = evidence.sets, evidence.models
    sizes = sets.sum(axis=1)
    found = {
        "method": method,
        "fnr": fnr,
        "source": source,
        "n": len(sets),
        "in_set": dict(zip(models.tolist(), sets.sum(axis=0).tolist(), strict=True)),
        "empty": int((sizes == 0).sum()),
        "one": int((sizes == 1).sum()),
        "several": int((sizes > 1).sum()),
        "right": int((evidence.predictions == (source if source in models else "other")).sum()),
    }
    if source in models:
        own = models == source
        others = sets[:, ~own].any(axis=1)
        found["covered"] = int(sets[:, own].sum())
        found["alone"] = int((sets[:, own][:, 0] & ~others).sum())
        if method in APART:  # a model that is not in the list, and that nothing was fitted to
            found["empty_without_it"] = int((~others).sum())
    return found


def judged(method, names, setting, folder):
    """Rows of one method."""
    attributor = attributor_of_all(method, names, setting, folder)
    n = setting.n_searched_test if method == "reproduction" else setting.n_test
    tests = {name: sample(load_pretrained(name), n, random_state=1) for name in names}
    tests[REAL] = load_fashion_sample()[setting.n_real :][:n]
    for source, X in tests.items():
        start = time.perf_counter()
        scores = attributor.evidence(X).anomaly_scores
        milliseconds = (time.perf_counter() - start) / len(X) * 1e3
        for fnr in FNRS:
            evidence = attributor.weigh(scores, fnr=fnr)
            yield row(method, fnr, source, evidence) | {"ms": round(milliseconds, 2)}


def shown(count, n):
    """A rate with its exact interval of 95 %."""
    rate = clopper_pearson(count, n)
    return f"{rate.value:.4f} ({rate.low:.4f} to {rate.high:.4f})"


def summary(rows):
    """A line for each method and rate, over all models."""
    table = []
    for (method, fnr), group in pd.DataFrame(rows).groupby(["method", "fnr"], sort=False):
        own, real = group[group["source"] != REAL], group[group["source"] == REAL].iloc[0]
        n = own["n"].sum()
        line = {
            "method": method,
            "models": len(own),
            "fnr": fnr,
            "true model in the set": shown(int(own["covered"].sum()), n),
            "it alone": f"{own['alone'].sum() / n:.4f}",
            "empty: real images": shown(int(real["empty"]), int(real["n"])),
            "empty: model not listed": "",
            "accuracy": f"{group['right'].sum() / group['n'].sum():.4f}",
        }
        if method in APART:
            line["empty: model not listed"] = f"{own['empty_without_it'].sum() / n:.4f}"
        table.append(line)
    return pd.DataFrame(table)


def by_model(rows):
    """How often the set has the true model at the smaller rate: a line for each model."""
    table = {}
    for found in rows:
        if found["fnr"] == FNRS[0] and found["source"] != REAL:
            rate = shown(found["covered"], found["n"])
            table.setdefault(found["source"], {"model": found["source"]})[found["method"]] = rate
    return pd.DataFrame(table.values()).sort_values("model")


def write_tables(path, rows):
    """Both tables beside the rows."""
    summary(rows).to_csv(path.with_suffix(".csv"), index=False)
    by_model(rows).to_csv(path.with_name(f"{path.stem}_models.csv"), index=False)


def main(argv=None):
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_out(parser)
    parser.add_argument("--models", nargs="+", choices=list_pretrained(), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--small", action="store_true", help="see that it runs, in minutes")
    args = parser.parse_args(argv)
    folder = args.out / "small" if args.small else args.out
    folder.mkdir(parents=True, exist_ok=True)
    path, setting = folder / "open_set.jsonl", SMALL if args.small else FULL
    for method in args.methods:
        if method in {found["method"] for found in read_rows(path)}:
            continue
        found = list(judged(method, args.models or list_pretrained(), setting, folder))
        with open(path, "a") as file:
            file.writelines(json.dumps(line) + "\n" for line in found)
    rows = read_rows(path)
    write_tables(path, rows)
    print(summary(rows).to_string(index=False), by_model(rows).to_string(index=False), sep="\n\n")


if __name__ == "__main__":
    main()
