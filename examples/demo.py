"""
Which of these images did my generator make?
============================================

The target model is ``fashion/dcgan-0``. Three attributors (RawPAD, DCTPAD and FLIPAD)
are fitted to its samples and only 200 real images; a fourth, reproduction, learns to invert the
model from its samples alone. Then they judge samples of five generators that they have never
seen: three of other architectures, one of the same architecture with another seed, and a copy
whose earlier weights were changed by 5 % and whose final layer is that of the target. The script
prints a table, and writes it and one picture; ``make demo`` runs it in a few minutes on two cores.

.. image:: /demo.png
    :alt: Suspects, their reproductions and the differences; histograms with thresholds
"""

# sphinx_gallery_thumbnail_path = "demo.png"

# %%
# All images are 8-bit gray levels, as in image files: the float outputs of a generator
# would give it away.

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_flipad import (
    DeepSADDetector,
    FinalLayer,
    LatentEncoder,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
)
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.detectors import MLP
from sklearn_flipad.evaluation import attribution_scores, noisy_copy
from sklearn_flipad.generators import sample
from sklearn_flipad.plotting import (
    DistanceHistogramDisplay,
    ReproductionDisplay,
    ScoreHistogramDisplay,
)
from sklearn_flipad.zoo import load_pretrained

OWN = "fashion/dcgan-0"
UNSEEN = ("fashion/ebgan-0", "fashion/lsgan-0", "fashion/wgan-gp-0", "fashion/dcgan-1")
COPY = "changed copy"
FNR = 0.005
#: Test images of the target, and of each other source.
N_OWN, N_TEST = 1000, 500


def load_sources(n_own, n_real):
    """Training data, and test images by source: own, real, and the unseen generators."""
    generator = load_pretrained(OWN)
    real = load_fashion_sample()
    X = np.concatenate([sample(generator, n_own, random_state=0), real[:n_real]])
    y = np.repeat([1, -1], [n_own, n_real])
    tests = {OWN: sample(generator, N_OWN, random_state=1), "real": real[n_real:][-N_TEST:]}
    for name in UNSEEN:
        tests[name] = sample(load_pretrained(name), N_TEST, random_state=1)
    copy = noisy_copy(generator, 0.05, where="earlier", random_state=0)
    tests[COPY] = sample(copy, N_TEST, random_state=1)
    return generator, X, y, tests


def make_attributors(generator, network="mlp", random_state=0):
    """The pipelines, with the same false-negative rate; the first three with the same detector.

    Samples of one's own model cost nothing, so three quarters of them calibrate the threshold;
    for reproduction, which has to search for each sample, an eighth.
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
        "Reproduction": make_reproduction(
            generator,
            encoder=LatentEncoder(max_steps=500),
            fnr=FNR,
            cv=0.125,
            random_state=random_state,
            verbose=1,
        ),
    }


def tabulated(table):
    """Rates by method and source, with exact 95 % intervals."""
    rows = [
        {
            "method": method,
            "source": source,
            "accuracy": round(scores.accuracy, 4),
            "FNR": str(scores.fnr),
            "FPR": str(scores.fpr),
            "AUC": round(scores.auc, 4),
        }
        for method, by_source in table.items()
        for source, scores in by_source.items()
    ]
    return pd.DataFrame(rows)


def draw(attributors, tests, scores, path):
    """Suspects beside their reproductions, and histograms with the thresholds."""
    names = {OWN: "the model's own", COPY: COPY, UNSEEN[3]: "another seed"}
    suspects = np.stack([tests[source][7] for source in names])
    figure = plt.figure(figsize=(11, 6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.15])
    reproduction = attributors["Reproduction"].set_params(detect__estimator__verbose=0)
    ReproductionDisplay.from_estimator(
        reproduction, suspects, names=list(names.values()), figure=left
    )
    above, below = right.subplots(2, 1)
    source = np.repeat(list(tests), [len(X) for X in tests.values()])
    ScoreHistogramDisplay.from_predictions(
        np.concatenate(list(scores["FLIPAD"].values())),
        source,
        offset=attributors["FLIPAD"]["detect"].offset_,
        own=OWN,
        ax=above,
    )
    above.set(title="FLIPAD")
    above.legend(frameon=False, fontsize="x-small")
    DistanceHistogramDisplay.from_predictions(
        -np.concatenate(list(scores["Reproduction"].values())),
        source,
        threshold=-reproduction["detect"].offset_,
        floor=1 / np.sqrt(12),
        own=OWN,
        ax=below,
    )
    below.set(title="Reproduction")
    below.get_legend().remove()
    figure.savefig(path, dpi=120)


def main():
    """Fit, test, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--out", type=Path, default=Path("output"), help="folder of both")
    parser.add_argument("--own", type=int, default=4000, help="training samples of the model")
    parser.add_argument("--real", type=int, default=200, help="real training images, up to 1500")
    parser.add_argument("--network", choices=["mlp", "lenet"], default="mlp")
    parser.add_argument("--seed", type=int, default=0, help="seed of detector and hold-out")
    args = parser.parse_args()
    out = args.out
    generator, X, y, tests = load_sources(args.own, args.real)
    attributors = make_attributors(generator, args.network, args.seed)
    table, scores = {}, {}
    for method, pipeline in attributors.items():
        start = time.perf_counter()
        print(f"\n{method}: fitting to {args.own:,} own and {args.real:,} real images", flush=True)
        pipeline.fit(X, y)
        found = {}
        for source, images in tests.items():
            print(f"{method}: scoring {len(images):,} images, {source}", flush=True)
            found[source] = pipeline.score_samples(images)
        offset = pipeline["detect"].offset_
        table[method], scores[method] = {}, found
        for source in ("real", *UNSEEN, COPY):
            both = np.concatenate([found[OWN], found[source]])
            truth = np.repeat([1, -1], [len(found[OWN]), len(found[source])])
            decision = np.where(both >= offset, 1, -1)
            table[method][source] = attribution_scores(truth, decision, both)
        print(f"{method}: {time.perf_counter() - start:.0f} s", flush=True)
    frame = tabulated(table)
    print(f"\nNominal false-negative rate {FNR:.3f}; exact 95 % intervals in brackets.")
    print(frame.to_string(index=False))
    out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out / "demo.csv", index=False)
    draw(attributors, tests, scores, out / "demo.png")
    print(f"Table and picture: {out / 'demo.csv'}, {out / 'demo.png'}")


if __name__ == "__main__":
    main()
