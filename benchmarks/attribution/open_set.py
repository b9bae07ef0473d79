"""Which of twelve models made a sample, or none of them.

All shipped generators as models of one ``OpenSetAttributor``. Fresh samples of each and real images
are judged at two false-negative rates. Methods:

- ``whitened``: each attributor is fitted to its model's samples and real images alone, as owners
  would who know nothing of each other. So a model can be left out of the list, and its samples are
  those of a model that no attributor has seen.
- ``one-vs-rest``: the same, fitted together, each with the samples of the other models as negatives
  too.
- ``reproduction``: searches of the latents, no negatives; fewer samples.

There is a row for each method, rate and source. Fitted attributors and encoders are kept.
"""

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from benchmarks.attributors import QUICK, make_reproduction, one_layer_detector, trained_encoder
from benchmarks.data.generators import SHIPPED
from benchmarks.judging import interval
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad import OpenSetAttributor, load_attributor, make_whitened, save_attributor
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

METHODS = ("whitened", "one-vs-rest", "reproduction")
#: Methods whose attributors have never seen a sample of another model.
APART = ("whitened", "reproduction")
REAL = "real"
KEYS = ("method",)
OPTIONS = (
    Option("models", SHIPPED, ("fashion/dcgan-0", "fashion/dcgan-1"), choices=SHIPPED),
    selection("methods", METHODS),
    Option("fnrs", (0.005, 0.05), (0.1,), "false-negative rates; attributors have the first"),
    Option("n_own", 4000, 40, "samples of each model to fit to"),
    Option("n_real", 1000, 20, "real images to fit to"),
    Option("n_test", 1000, 4, "fresh samples of each source"),
    Option("n_searched", 1000, 20, "samples of each model to fit to, for reproduction"),
    Option("n_searched_test", 100, 1, "of each source, for reproduction"),
    Option("max_epochs", 20, 2, "epochs of the detectors"),
    Option("max_steps", 1000, 1, "training steps of the encoders"),
    QUICK,
)


def attributor_of(method, name, options):
    """An attributor of one model, not fitted."""
    common = {"fnr": options.fnrs[0], "random_state": 0}
    if method != "reproduction":
        return make_whitened(detector=one_layer_detector(options.max_epochs), cv=0.25, **common)
    generator = load_pretrained(name)
    encoder, _ = trained_encoder(generator, name, options.work, options.max_steps)
    return make_reproduction(generator, encoder, quick=options.quick, **common)


def own_samples(name, n):
    """Samples of a model to fit to."""
    return sample(load_pretrained(name), n, random_state=0)


def attributor_of_all(method, options):
    """The fitted attributor of all models; its parts are kept in files."""
    names, n, folder = options.models, options.n_own, options.work / "open_set"
    folder.mkdir(exist_ok=True)
    paths = {name: folder / f"{method}-{name.replace('/', '-')}" for name in names}
    missing = [name for name, path in paths.items() if not path.exists()]
    real = load_fashion_sample()[: options.n_real]
    if missing and method == "one-vs-rest":
        X = np.concatenate([*(own_samples(name, n) for name in names), real])
        y = np.repeat([*names, "other"], [n] * len(names) + [len(real)])
        parts = [(name, attributor_of(method, name, options)) for name in names]
        fitted = OpenSetAttributor(parts).fit(X, y).named_estimators_
    for name in missing:
        if method == "one-vs-rest":
            part = fitted[name]
        elif method == "reproduction":
            part = attributor_of(method, name, options)
            part.fit(own_samples(name, options.n_searched))
        else:
            X = np.concatenate([own_samples(name, n), real])
            y = np.repeat([1, -1], [n, len(real)])
            part = attributor_of(method, name, options).fit(X, y)
        save_attributor(part, paths[name])
        print(f"{method}, {name}: fitted", flush=True)
    parts = [(name, FrozenEstimator(load_attributor(path))) for name, path in paths.items()]
    return OpenSetAttributor(parts).fit()


def row_of(method, fnr, source, evidence):
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


def run(options, results):
    """Judge all sources by each method."""
    for method in options.methods:
        if results.has(method):
            continue
        attributor = attributor_of_all(method, options)
        n = options.n_searched_test if method == "reproduction" else options.n_test
        tests = {name: sample(load_pretrained(name), n, random_state=1) for name in options.models}
        tests[REAL] = load_fashion_sample()[options.n_real :][:n]
        rows = []
        for source, X in tests.items():
            evidence, seconds = timed(attributor.evidence, X)
            for fnr in options.fnrs:
                row = row_of(
                    method, fnr, source, attributor.weigh(evidence.anomaly_scores, fnr=fnr)
                )
                rows.append({**row, "ms": round(1e3 * seconds / len(X), 2)})
        results.add(*rows, shown={row["source"]: row["right"] for row in rows})


def shown(count, n):
    """A rate with its exact interval of 95 %."""
    rate, low, high = interval(count, n)
    return f"{rate:.4f} ({low:.4f} to {high:.4f})"


def table(rows):
    """A line for each method and rate, over all models."""
    lines = []
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
        lines.append(line)
    return pd.DataFrame(lines)


def table_of_models(rows):
    """Share of sets with the true model at the smallest rate: a line for each model."""
    lines, fnr = {}, min(row["fnr"] for row in rows)
    for row in rows:
        if row["fnr"] == fnr and row["source"] != REAL:
            line = lines.setdefault(row["source"], {"model": row["source"]})
            line[row["method"]] = shown(row["covered"], row["n"])
    return pd.DataFrame(lines.values()).sort_values("model")


TABLES = {"open_set": table, "open_set_models": table_of_models}
