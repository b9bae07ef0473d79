"""
Which of these images did my generator make?
============================================

The target model is ``fashion/dcgan-0``. Three attributors (RawPAD, DCTPAD and FLIPAD)
are fitted on its samples and on no more than 200 real images. Then they meet the samples
of three other generators, of which they have never seen anything. The script prints a
table and writes one picture; ``make demo`` runs it in a few minutes on two cores.

.. image:: /demo.png
    :alt: Average activations by source, and histograms of scores with the threshold
"""

# sphinx_gallery_thumbnail_path = "demo.png"

# %%
# All images are 8-bit gray levels, as image files hold them: the generator's float
# outputs would give it away.

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    make_dctpad,
    make_flipad,
    make_rawpad,
)
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import attribution_scores
from sklearn_flipad.plotting import FeatureMapDisplay, ScoreHistogramDisplay
from sklearn_flipad.sampling import sample
from sklearn_flipad.zoo import list_pretrained, load_pretrained

OWN = "fashion/dcgan-0"
FNR = 0.005
N_TEST = 1000


def load_sources(n_own, n_real):
    """Training data, and test images by source: own, real, and the unseen generators."""
    generator = load_pretrained(OWN)
    real = load_fashion_sample()
    X = np.concatenate([sample(generator, n_own, random_state=0), real[:n_real]])
    y = np.repeat([1, -1], [n_own, n_real])
    tests = {OWN: sample(generator, N_TEST, random_state=1), "real": real[n_real:][-N_TEST:]}
    for name in list_pretrained():
        if name != OWN and name.endswith("-0"):
            tests[name] = sample(load_pretrained(name), N_TEST, random_state=1)
    return generator, X, y, tests


def make_attributors(generator, network="mlp", random_state=0):
    """The three pipelines, with the same detector and the same false-negative rate.

    Samples of one's own model cost nothing, so three quarters of them calibrate the threshold.
    """
    layer = FinalLayer.from_generator(generator, random_state=0)
    detector = DeepSADDetector(max_epochs=20, milestones=(14,), random_state=random_state)
    if network == "mlp":
        detector.set_params(module=MLP, module_params={"hidden": (256,)})
    else:
        detector.set_params(module_params={"channels": (16, 32, 64)})
    detector.set_params(verbose=1)
    common = {"detector": detector, "fnr": FNR, "cv": 0.75, "random_state": random_state}
    return {
        "RawPAD": make_rawpad(**common),
        "DCTPAD": make_dctpad(**common),
        "FLIPAD": make_flipad(layer, verbose=1, **common),
    }


def print_table(table, unseen):
    """Rates by method and source, with exact 95 % intervals."""
    print(f"\nNominal false-negative rate {FNR:.3f}; exact 95 % intervals in brackets.")
    print(f"{'':8} {'source':18} {'accuracy':>8}  {'FNR':24} {'FPR':24} {'AUC':>6}")
    for method, rows in table.items():
        for source, scores in rows.items():
            print(
                f"{method:8} {source:18} {scores.accuracy:8.4f}  {scores.fnr!s:24} "
                f"{scores.fpr!s:24} {scores.auc:6.4f}"
            )
        mean = np.mean([rows[source].accuracy for source in unseen])
        print(f"{method:8} {'mean over unseen':18} {mean:8.4f}\n")


def draw(flipad, tests, scores, path):
    """Average features by source, and score histograms with the threshold."""
    figure = plt.figure(figsize=(9, 8), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.2, 1])
    few = {source: X[:300] for source, X in tests.items()}
    FeatureMapDisplay.from_estimator(
        flipad["invert"].set_params(verbose=0),
        np.concatenate(list(few.values())),
        np.repeat(list(few), [len(X) for X in few.values()]),
        figure=above,
    )
    above.suptitle("Average estimated activations")
    ScoreHistogramDisplay.from_predictions(
        np.concatenate(list(scores.values())),
        np.repeat(list(scores), [len(s) for s in scores.values()]),
        offset=flipad["detect"].offset_,
        own=OWN,
        ax=below.subplots(),
    )
    below.suptitle("FLIPAD scores")
    figure.savefig(path, dpi=120)


def main():
    """Fit, test, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--out", type=Path, default=Path("output"), help="folder of the picture")
    parser.add_argument("--own", type=int, default=4000, help="training samples of the model")
    parser.add_argument("--real", type=int, default=200, help="real training images, up to 1500")
    parser.add_argument("--network", choices=["mlp", "lenet"], default="mlp")
    parser.add_argument("--seed", type=int, default=0, help="seed of detector and hold-out")
    args = parser.parse_args()
    out = args.out
    generator, X, y, tests = load_sources(args.own, args.real)
    unseen = [source for source in tests if source not in (OWN, "real")]
    table = {}
    for method, pipeline in make_attributors(generator, args.network, args.seed).items():
        start = time.perf_counter()
        print(f"\n{method}", flush=True)
        pipeline.fit(X, y)
        scores = {source: pipeline.score_samples(images) for source, images in tests.items()}
        offset = pipeline["detect"].offset_
        table[method] = {}
        for source in ("real", *unseen):
            both = np.concatenate([scores[OWN], scores[source]])
            truth = np.repeat([1, -1], [len(scores[OWN]), len(scores[source])])
            decision = np.where(both >= offset, 1, -1)
            table[method][source] = attribution_scores(truth, decision, both)
        print(f"{time.perf_counter() - start:.0f} s")
    print_table(table, unseen)
    out.mkdir(parents=True, exist_ok=True)
    draw(pipeline, tests, scores, out / "demo.png")
    print(f"Picture: {out / 'demo.png'}")


if __name__ == "__main__":
    main()
