"""False-negative rates by JPEG quality, with one threshold and with one for each quality.

Own samples and real images are compressed as JPEG of several qualities, in equal parts, and a
method is fitted to all of them. Its held-out samples place one threshold together, or one for each
quality. New own samples of each quality are judged by both, and so are samples of other
architectures.
"""

import numpy as np
import pandas as pd

from benchmarks.attribution.shipped import other_architectures
from benchmarks.attributors import make_baseline, one_layer_detector
from benchmarks.data.generators import SHIPPED
from benchmarks.judging import interval
from benchmarks.options import Option, selection
from sklearn_flipad.calibration import Conformal
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation.perturbations import JPEGCompression
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

METHODS = ("RawPAD", "DCTPAD")
QUALITIES = (60, 75, 90)
KEYS = ("owner", "method")
OPTIONS = (
    selection("owners", SHIPPED, ("fashion/dcgan-0", "fashion/lsgan-0"), ("fashion/dcgan-0",)),
    selection("methods", METHODS, small=METHODS[:1]),
    Option("fnr", 0.05, 0.2, "false-negative rate"),
    # So many calibrate that chance is nearly that of the suspects alone.
    Option("n_own", 10_000, 40, "own samples of each quality, four in five of which calibrate"),
    Option("n_real", 600, 20, "real images of each quality"),
    Option("n_suspects", 1000, 10, "new own samples of each quality"),
    Option("max_epochs", 20, 1, "epochs of the detector"),
)


def compressed(draw, n):
    """Samples of each quality in turn, all of them different, and their qualities."""
    parts = np.split(draw(n * len(QUALITIES)), len(QUALITIES))
    pairs = zip(QUALITIES, parts, strict=True)
    X = np.concatenate([JPEGCompression(quality).fit_transform(part) for quality, part in pairs])
    return X, np.repeat(QUALITIES, n)


def fitted(method, generator, options):
    """Attributor with a threshold for each quality."""
    own, of_own = compressed(lambda n: sample(generator, n, random_state=1), options.n_own)
    real, of_real = compressed(load_fashion_sample, options.n_real)
    detector = one_layer_detector(options.max_epochs)
    attributor = make_baseline(method, detector, fnr=options.fnr, cv=0.8, random_state=0)
    y = np.repeat([1, -1], [len(own), len(real)])
    strata = np.concatenate([of_own, of_real])
    return attributor.fit(np.concatenate([own, real]), y, strata=strata)


def run(options, results):
    """Judge new samples of each owner by each method."""
    for owner in options.owners:
        generator = load_pretrained(owner)
        others = [load_pretrained(name) for name in other_architectures(owner)]
        n_each = -(-options.n_suspects * len(QUALITIES) // len(others))

        def draw_others(n, others=others, n_each=n_each):
            return np.concatenate([sample(g, n_each, random_state=2) for g in others])[:n]

        for method in options.methods:
            if results.has(owner, method):
                continue
            attributor = fitted(method, generator, options)
            calibrator, rows = attributor["detect"], []
            one = Conformal().threshold(calibrator.calibration_scores_, options.fnr)
            own, qualities = compressed(
                lambda n, generator=generator: sample(generator, n, random_state=2),
                options.n_suspects,
            )
            foreign, _ = compressed(draw_others, options.n_suspects)
            scores, of_others = (-attributor.score_samples(X) for X in (own, foreign))
            for quality in QUALITIES:
                part = attributor.in_stratum(str(quality))
                here = qualities == quality
                for name, threshold in (("one", one), ("by quality", part["detect"].threshold_)):
                    missed = int((scores[here] > threshold).sum())
                    row = {"owner": owner, "method": method, "threshold": name, "quality": quality}
                    row |= {"fnr": options.fnr, "missed": missed, "n": int(here.sum())}
                    row["interval"] = interval(missed, row["n"], digits=4)[1:]
                    row["others_accepted"] = float((of_others[here] <= threshold).mean())
                    rows.append(row)
            results.add(
                *rows, shown={f"{r['threshold']} {r['quality']}": r["missed"] for r in rows}
            )


def table(rows):
    """Missed shares with their intervals: a line for each method and threshold."""
    lines = {}
    for row in rows:
        names = {key: row[key] for key in ("owner", "method", "threshold")}
        line = lines.setdefault(tuple(names.values()), names)
        low, high = row["interval"]
        line[f"JPEG {row['quality']}"] = f"{row['missed'] / row['n']:.3f} ({low:.3f} to {high:.3f})"
    return pd.DataFrame(lines.values())


TABLES = {"strata": table}
