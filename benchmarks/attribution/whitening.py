"""Whitened features against other seeds of one architecture.

For one owner of each architecture: pixels and FLIPAD as they are, and whitened pixels,
preactivations and activations, each with the same detector. Unlike in ``seeds``, three quarters of
the own samples train and a quarter calibrates, for all methods alike: the covariance takes more
samples than a sample has elements. ``both`` accepts what whitened preactivation and whitened FLIPAD
both accept, each at half of the false-negative rate, and shows what the second adds to the first.
``Mahalanobis`` is the squared norm of whitened preactivations, and trains nothing.
"""

import tempfile

import numpy as np
from sklearn.mixture import GaussianMixture

from benchmarks.attribution import shipped
from benchmarks.attributors import final_layer, one_layer_detector
from benchmarks.judging import judge, judge_pair
from benchmarks.options import selection
from sklearn_flipad import InlierWhitener, make_flipad, make_rawpad, make_whitened
from sklearn_flipad.calibration import conformal_p_values
from sklearn_flipad.zoo import load_pretrained

OWNERS = ("fashion/dcgan-0", "fashion/ebgan-0", "fashion/lsgan-1", "fashion/wgan-gp-0")
PIXELS, PREACTIVATION, FLIPAD = "whitened pixels", "whitened preactivation", "whitened FLIPAD"
METHODS = ("RawPAD", PIXELS, PREACTIVATION, "Mahalanobis", "FLIPAD", FLIPAD, "both")
#: Pixels and preactivations are whitened as they are by default. Activations are more than the
#: samples that train: of six settings, the best for EBGAN.
WHITENERS = {
    PIXELS: InlierWhitener(),
    PREACTIVATION: InlierWhitener(),
    FLIPAD: InlierWhitener(block=256, ridge=1e-2, exponent=0.5),
}
KEYS = ("owner", "method", "seed")
OPTIONS = (
    selection("owners", shipped.OWNERS, OWNERS, OWNERS[:1]),
    selection("methods", METHODS),
    *shipped.SIZES,
)


def run(options, results):
    """Judge each method of each owner."""
    for owner in options.owners:
        missing = [x for x in options.methods if not results.has(owner, x, options.seed)]
        if missing:
            with tempfile.TemporaryDirectory() as cache_dir:
                run_owner(owner, missing, options, results, cache_dir)


def run_owner(owner, methods, options, results, cache_dir):
    """Judge methods of one owner."""
    X, y, tests = shipped.load_data(owner, shipped.other_seeds(owner), options)
    parts = {PREACTIVATION: None, FLIPAD: None} if "both" in methods else {}
    for method in dict.fromkeys([x for x in METHODS if x in methods or x in parts]):
        if method == "both":
            rows = rows_of_both(owner, options, parts, tests)
        else:
            attributor = make_attributor(method, owner, options, cache_dir)
            names = {"owner": owner, "method": method, "seed": options.seed}
            rows = judge(attributor, X, y, tests, fnrs=options.fnrs, **names)
        if method in parts:
            calibration = attributor["detect"].calibration_scores_
            parts[method] = {
                source: conformal_p_values(calibration, -attributor.score_samples(images))
                for source, images in tests.items()
            }
        if method in methods:
            results.add(*rows)


def make_attributor(method, owner, options, cache_dir=None):
    """An attributor by the name of its method."""
    detector = one_layer_detector(options.max_epochs, options.seed)
    common = {"fnr": options.fnrs[0], "cv": 0.25, "random_state": options.seed}
    common |= {"detector": detector}
    scaler = WHITENERS.get(method)
    if method == "Mahalanobis":
        return make_whitened(**common | {"detector": GaussianMixture(covariance_type="spherical")})
    if method == PREACTIVATION:
        return make_whitened(whitener=scaler, **common)
    if method in ("RawPAD", PIXELS):
        return make_rawpad(scaler=scaler, **common)
    layer = final_layer(load_pretrained(owner), options.n_mean)
    return make_flipad(layer, scaler=scaler, **common).set_params(invert__cache_dir=cache_dir)


def rows_of_both(owner, options, p_values, tests):
    """Rows of the joint decision: twice the smaller p-value is a p-value."""
    by_source = {
        source: 2 * np.minimum(p_values[PREACTIVATION][source], p_values[FLIPAD][source])
        for source in tests
    }
    rows = []
    for fnr in options.fnrs:
        least = np.nextafter(fnr, 1)  # a p-value of `fnr` is foreign
        for source in tests:
            if source != owner:
                row = {"owner": owner, "method": "both", "seed": options.seed}
                row |= {"fnr": fnr, "source": source}
                row |= judge_pair(by_source[owner], by_source[source], least)
                rows.append(row | {"fit_min": 0.0, "score_min": 0.0})
    return rows


TABLES = {"whitening": shipped.by_architecture}
