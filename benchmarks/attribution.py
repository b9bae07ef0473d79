"""Data, attributors and judgement that the tables of attribution share."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from output import add_out, read_rows

from benchmarks.zoo.quality import load_fashion_classifier
from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    make_combined,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_smf,
    make_sminv,
)
from sklearn_flipad.calibration import Conformal
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import attribution_scores
from sklearn_flipad.generators import sample
from sklearn_flipad.reproduction import FeatureDistance
from sklearn_flipad.zoo import load_pretrained

#: Restarts and steps of the latent searches, far below the paper's 10 and 1,000.
SMINV = {"SM-Inv l2": (2, 100), "SM-Inv features": (1, 50)}


@dataclass(frozen=True)
class Setting:
    """How many samples, epochs and steps.

    Attributes
    ----------
    n_own, n_real, n_test : int
        Samples of the model, of which a quarter trains and the rest calibrates; real images;
        test images of each source.
    n_inverted : int
        SM-Inv calibrates on this many of the model's samples; nothing is trained.
    max_epochs : int
        Epochs of the detector.
    max_steps : int
        Most steps of a latent search.
    """

    n_own: int = 4000
    n_real: int = 1000
    n_test: int = 1000
    n_inverted: int = 500
    max_epochs: int = 20
    max_steps: int = 100


FULL = Setting()
#: Just enough samples for the thresholds; the numbers say nothing.
SMALL = Setting(n_own=800, n_real=200, n_test=50, n_inverted=200, max_epochs=2, max_steps=5)
FNRS = (0.005, 0.05)
COMBINED = ("RawPAD", "DCTPAD", "FLIPAD")


def load_data(owner, others, *, setting=FULL, seed=0):
    """Training samples and labels, and test images by source: own, real, others."""
    n_own, n_real, n_test = setting.n_own, setting.n_real, setting.n_test
    generator = load_pretrained(owner)
    real = load_fashion_sample()
    X = np.concatenate([sample(generator, n_own, random_state=2 * seed), real[:n_real]])
    y = np.repeat([1, -1], [n_own, n_real])
    tests = {owner: sample(generator, n_test, random_state=2 * seed + 1)}
    tests["real"] = real[n_real:][:n_test]
    for name in others:
        tests[name] = sample(load_pretrained(name), n_test, random_state=2 * seed + 1)
    return X, y, tests


def one_layer_detector(setting, seed):
    """DeepSAD with one hidden layer, the detector of all methods."""
    return DeepSADDetector(
        module=MLP,
        module_params={"hidden": (256,)},
        max_epochs=setting.max_epochs,
        milestones=(int(0.7 * setting.max_epochs),),
        random_state=seed,
    )


def make_attributor(method, owner, *, setting=FULL, seed=0, cache_dir=None):
    """An attributor by the name of its method; the detector of all is one and the same."""
    common = {"fnr": FNRS[0], "cv": 0.75, "random_state": seed}
    if method.startswith("combined"):
        options = {"setting": setting, "seed": seed, "cache_dir": cache_dir}
        parts = {name: make_attributor(name, owner, **options) for name in COMBINED}
        for part in parts.values():
            part.set_params(detect__cv=0.5)
        rule = method.partition(" ")[2] or "max"
        return make_combined(parts, combine=rule, **common | {"cv": 0.5})
    if method == "SM-F":
        return make_smf(n_jobs=-1, **common)
    if method in SMINV:
        extractor = load_fashion_classifier().features
        distance = "l2" if method == "SM-Inv l2" else FeatureDistance(extractor)
        n_restarts, steps = SMINV[method]
        return make_sminv(
            load_pretrained(owner),
            distance=distance,
            fnr=FNRS[0],
            n_restarts=n_restarts,
            optimizer="lbfgs",
            max_iter=min(steps, setting.max_steps),
        )
    common["detector"] = one_layer_detector(setting, seed)
    if method == "RawPAD":
        return make_rawpad(**common)
    if method == "DCTPAD":
        return make_dctpad(**common)
    if method != "FLIPAD":
        raise ValueError(f"Unknown method {method!r}.")
    layer = FinalLayer.from_generator(load_pretrained(owner), random_state=0)
    return make_flipad(layer, **common).set_params(invert__cache_dir=cache_dir)


def judge(method, owner, X, y, tests, *, setting=FULL, seed=0, cache_dir=None):
    """Fit one attributor and judge each foreign source against the model's own.

    Returns
    -------
    list of dict
        A row for each source and false-negative rate, with what it took in minutes.
    """
    attributor = make_attributor(method, owner, setting=setting, seed=seed, cache_dir=cache_dir)
    if method in SMINV:
        X, y = X[: setting.n_inverted], y[: setting.n_inverted]
    return judge_attributor(attributor, X, y, tests, owner=owner, method=method, seed=seed)


def judge_attributor(attributor, X, y, tests, *, owner, method, seed=0, fnrs=FNRS):
    """Fit a given attributor; the rows of :func:`judge`, for the rates `fnrs`."""
    start = time.perf_counter()
    attributor.fit(X, y)
    fitted = time.perf_counter()
    scores = {source: attributor.score_samples(images) for source, images in tests.items()}
    scored = time.perf_counter()
    minutes = {"fit_min": (fitted - start) / 60, "score_min": (scored - fitted) / 60}
    rows = []
    for fnr in fnrs:
        threshold = Conformal().threshold(attributor["detect"].calibration_scores_, fnr)
        for source in tests:
            if source == owner:
                continue
            row = {"owner": owner, "method": method, "seed": seed, "fnr": fnr, "source": source}
            row |= row_of_pair(scores[owner], scores[source], -threshold)
            medians = {name: float(np.median(scores[name])) for name in (owner, source)}
            rows.append(row | {"median_scores": medians} | minutes)
    return rows


def row_of_pair(own, foreign, least):
    """Accuracy, AUC and rates, where samples with a score of `least` or more are accepted."""
    both = np.concatenate([own, foreign])
    truth = np.repeat([1, -1], [len(own), len(foreign)])
    found = attribution_scores(truth, np.where(both >= least, 1, -1), both)
    row = {"accuracy": found.accuracy, "auc": found.auc}
    for name in ("fnr", "fpr"):
        rate = getattr(found, name)
        row[f"found_{name}"] = [rate.value, rate.low, rate.high]
    return row


def fill_table(description, name, methods, judge_method):
    """Run a script: judge each method, unless its row is in the file already.

    Parameters
    ----------
    description : str
        What the script says of itself.
    name : str
        Of the file of JSON lines in the folder ``--out``, and of the folder ``--work``.
    methods : sequence of str
        By default all are run.
    judge_method : callable
        ``judge_method(method, work)`` returns the setting and the rows of a method.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    add_out(parser)
    parser.add_argument("--work", type=Path, default=Path("output", name))
    parser.add_argument("--methods", nargs="*", default=methods)
    args = parser.parse_args()
    for folder in (args.out, args.work):
        folder.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{name}.jsonl"
    done = {row["method"] for row in read_rows(path)}
    for method in args.methods:
        if method in done:
            continue
        setting, rows = judge_method(method, args.work)
        row = {"method": method, "n_own": setting.n_own, "n_test": setting.n_test, "rows": rows}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        fnr = rows[0]["fnr"]
        shown = {r["source"]: round(r["accuracy"], 3) for r in rows if r["fnr"] == fnr}
        print(method, shown, flush=True)
