"""Own samples of other content than the calibration's, with and without weights.

The owner is the super-resolution network that magnifies by 2, as in ``super_resolution``: eight
photographs train and calibrate, and suspects are parts of four others. Own samples of the
eight that no method has seen calibrate p-values, weighted by content or not. Suspects are own
samples alone, or half of them are of other sources, with the same content. Needs npm.
"""

import numpy as np
import pandas as pd

from benchmarks.attribution.super_resolution import (
    WITHOUT_NEGATIVES,
    images,
    make_attributor,
    reduced_side,
)
from benchmarks.data.super_resolution import SCALES, SIDE, resized, tiles
from benchmarks.judging import interval
from benchmarks.options import Option, selection
from sklearn_flipad.calibration import ContentWeights, conformal_p_values, weighted_p_values

METHODS = ("SM-F", "RawPAD", "DCTPAD", "whitened", "residual")
OWNER, *OTHERS = (*map(str, SCALES), "bicubic", "real")
KEYS = ("method", "n_calibration", "suspects")
OPTIONS = (
    selection("methods", METHODS, small=("SM-F", "residual")),
    Option("fnrs", (0.05,), (0.2,), "false-negative rates"),
    Option("n_own", 1200, 24, "own images, half of which train"),
    Option("n_real", 300, 10, "negatives"),
    Option("n_calibrations", (600, 2400), (30,), "own images that calibrate p-values"),
    Option("n_test", 1000, 20, "own suspects"),
    Option("max_epochs", 20, 1, "epochs of the detector"),
)


def run(options, results):
    """Weigh the suspects by each method, for each number of samples that calibrate."""
    work, n_test = options.work, options.n_test
    side = max(scale * reduced_side(scale) for scale in SCALES)
    seen = tiles(options.n_own + options.n_real, work, side=side)
    fresh = images(OWNER, tiles(max(options.n_calibrations), work, side=side, seed=1), work)
    unseen = tiles(2 * n_test, work, side=side, test=True)
    own = images(OWNER, unseen[:n_test], work)
    parts = np.array_split(unseen[n_test:], len(OTHERS))
    others = [images(name, part, work) for name, part in zip(OTHERS, parts, strict=True)]
    suspects = np.concatenate([own, *others])
    low = resized(seen[: options.n_own, :, :SIDE, :SIDE], SIDE // SCALES[0])
    for method in options.methods:
        if any(row["method"] == method for row in results.rows):
            continue
        X = images(OWNER, seen[: options.n_own], work)
        y = np.ones(len(X), dtype=int)
        if method not in WITHOUT_NEGATIVES:
            X = np.concatenate([X, images("real", seen[options.n_own :], work)])
            y = np.append(y, np.full(options.n_real, -1))
        attributor = make_attributor(method, low, options).fit(X, y)
        scores = -attributor.score_samples(fresh), -attributor.score_samples(suspects)
        results.add(*judge(method, fresh, suspects, *scores, options))


def judge(method, fresh, suspects, own_scores, scores, options):
    """Rows of a method: rates of own suspects that are rejected, with exact intervals."""
    n_test, (fnr,) = options.n_test, options.fnrs
    rows = []
    for n in options.n_calibrations:
        for kind, n_suspects in (("own", n_test), ("half own", len(suspects))):
            content = ContentWeights().fit(fresh[:n], suspects[:n_suspects])
            weights = content.calibration_weights_, content.weights_
            plain = conformal_p_values(own_scores[:n], scores[:n_suspects]) <= fnr
            weighted = weighted_p_values(own_scores[:n], scores[:n_suspects], *weights) <= fnr
            row = {"method": method, "n_calibration": n, "suspects": kind, "fnr": fnr}
            row |= {
                "n_test": n_test,
                "unweighted": interval(plain[:n_test].sum(), n_test),
                "weighted": interval(weighted[:n_test].sum(), n_test),
                "effective_size": float(np.median(content.effective_sizes_)),
                "too_small": float((content.effective_sizes_ < 1 / fnr - 1).mean()),
            }
            if kind != "own":
                row["others_rejected"] = [plain[n_test:].mean(), weighted[n_test:].mean()]
            rows.append(row)
    return rows


def table(rows):
    """A line for each method, number of calibration samples and kind of suspects."""

    def rate(found):
        value, low, high = found
        return f"{value:.3f} ({low:.3f} to {high:.3f})"

    lines = []
    for row in rows:
        before, after = row.get("others_rejected", (None, None))
        line = {"method": row["method"], "own samples": row["n_calibration"]}
        line |= {
            "suspects": row["suspects"],
            "missed": rate(row["unweighted"]),
            "missed, weighted": rate(row["weighted"]),
            "effective size": f"{row['effective_size']:.0f}",
            "too small": f"{row['too_small']:.3f}",
            "others rejected": "" if before is None else f"{before:.3f}",
            "others rejected, weighted": "" if after is None else f"{after:.3f}",
        }
        lines.append(line)
    return pd.DataFrame(lines)


TABLES = {"content": table}
