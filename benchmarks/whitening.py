"""Whitening against other seeds of one architecture.

    python benchmarks/whitening.py

For one owner of each architecture: pixels and FLIPAD as they are, and whitened pixels,
preactivations and activations, each with the same detector. Unlike in ``tables.py seeds``,
three quarters of the 4,000 own samples train and a quarter calibrates, for all methods alike:
the covariance takes more samples than a sample has elements. ``both`` accepts what whitened
preactivation and whitened FLIPAD both accept, each at half of the false-negative rate, and
shows what the second adds to the first.

The rows are written to ``whitening.json`` in the folder ``--out`` as they come out, and their
mean accuracies at the smaller rate to ``whitening.csv``. What is there already is kept with
``--resume``. It takes tens of minutes, ``--small`` a few.
"""

import argparse
import json
import tempfile
from pathlib import Path

import attribution
import numpy as np
import tables
from output import add_out

from sklearn_flipad import (
    FinalLayer,
    InlierWhitener,
    make_flipad,
    make_rawpad,
    make_whitened,
)
from sklearn_flipad.zoo import list_pretrained, load_pretrained

OWNERS = ("fashion/dcgan-0", "fashion/ebgan-0", "fashion/lsgan-1", "fashion/wgan-gp-0")
PIXELS, PREACTIVATION, FLIPAD = "whitened pixels", "whitened preactivation", "whitened FLIPAD"
METHODS = ("RawPAD", PIXELS, PREACTIVATION, "FLIPAD", FLIPAD, "both")
#: Pixels and preactivations are whitened as they are by default. Activations are more than the
#: samples that train: of six settings, the best for EBGAN.
WHITENERS = {
    PIXELS: InlierWhitener(),
    PREACTIVATION: InlierWhitener(),
    FLIPAD: InlierWhitener(block=256, ridge=1e-2, exponent=0.5),
}


def make_attributor(method, owner, *, setting, seed=0, cache_dir=None):
    """An attributor by the name of its method."""
    detector = attribution.one_layer_detector(setting, seed)
    common = {"fnr": attribution.FNRS[0], "cv": 0.25, "random_state": seed, "detector": detector}
    scaler = WHITENERS.get(method)
    if method == PREACTIVATION:
        return make_whitened(whitener=scaler, **common)
    if method in ("RawPAD", PIXELS):
        return make_rawpad(scaler=scaler, **common)
    layer = FinalLayer.from_generator(load_pretrained(owner), random_state=0)
    flipad = make_flipad(layer, scaler=scaler, **common)
    return flipad.set_params(invert__cache_dir=cache_dir)


def p_values(attributor, scores):
    """Conformal p-values of new samples."""
    calibration = np.sort(attributor["detect"].calibration_scores_)
    n_larger = len(calibration) - np.searchsorted(calibration, -scores)
    return (1 + n_larger) / (len(calibration) + 1)


def rows_of_both(owner, seed, p_values_by_method, tests):
    """Rows of the joint decision: twice the smaller p-value is a p-value."""
    splits = np.cumsum([len(images) for images in tests.values()])[:-1]
    smaller = np.minimum(*(p_values_by_method[method] for method in (PREACTIVATION, FLIPAD)))
    by_source = dict(zip(tests, np.split(2 * smaller, splits), strict=True))
    rows = []
    for fnr in attribution.FNRS:
        least = np.nextafter(fnr, 1)  # a p-value of `fnr` is foreign
        for source in tests:
            if source == owner:
                continue
            row = {"owner": owner, "method": "both", "seed": seed, "fnr": fnr, "source": source}
            row |= attribution.row_of_pair(by_source[owner], by_source[source], least)
            rows.append(row | {"fit_min": 0.0, "score_min": 0.0})
    return rows


def run(owner, methods, rows, *, setting, cache_dir, seed=0):
    """Yield the rows of each method that has none yet."""
    done = {row["method"] for row in rows if row["owner"] == owner}
    missing = [method for method in methods if method not in done]
    parts = (PREACTIVATION, FLIPAD) if "both" in missing else ()
    if not missing:
        return
    others = tables.sources("seeds", owner)
    X, y, tests = attribution.load_data(owner, others, setting=setting, seed=seed)
    images, found = np.concatenate(list(tests.values())), {}
    for method in METHODS[:-1]:
        if method not in missing and method not in parts:
            continue
        attributor = make_attributor(method, owner, setting=setting, seed=seed, cache_dir=cache_dir)
        judged = attribution.judge_attributor(
            attributor, X, y, tests, owner=owner, method=method, seed=seed
        )
        if method in parts:
            found[method] = p_values(attributor, attributor.score_samples(images))
        if method in missing:
            yield judged
    if parts:
        yield rows_of_both(owner, seed, found, tests)


def report(rows):
    """Print the accuracies at the smaller rate."""
    strict = [row for row in rows if row["fnr"] == attribution.FNRS[0]]
    shown = ", ".join(f"{row['source']} {row['accuracy']:.4f}" for row in strict)
    print(f"{rows[0]['owner']}, {rows[0]['method']}: {shown}", flush=True)


def write(target, rows):
    """The rows as JSON, and their means as CSV beside it."""
    target.write_text(json.dumps(rows, indent=1) + "\n")
    tables.summary("seeds", rows).to_csv(target.with_suffix(".csv"), index=False)


def main():
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--owners", nargs="+", choices=list_pretrained("fashion"), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--resume", action="store_true", help="keep the rows that are there")
    parser.add_argument("--small", action="store_true", help="see that it runs, in minutes")
    parser.add_argument(
        "--store", type=Path, help="folder that keeps inverted samples; a temporary one by default"
    )
    add_out(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    target = args.out / f"{'small-' if args.small else ''}whitening.json"
    rows = json.loads(target.read_text()) if args.resume and target.exists() else []
    setting = attribution.SMALL if args.small else attribution.FULL
    with tempfile.TemporaryDirectory() as temporary:
        for owner in args.owners or (OWNERS[:1] if args.small else OWNERS):
            cache_dir = args.store or temporary
            for found in run(owner, args.methods, rows, setting=setting, cache_dir=cache_dir):
                report(found)
                rows += found
                write(target, rows)


if __name__ == "__main__":
    main()
