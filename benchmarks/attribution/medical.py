"""Attribution to a generator of medical images: the columns of Table 4.

The owner is a DCGAN of 128x128 gray pixels, trained on slices of a head. Samples of the WGAN-GP are
the negatives, as in the paper, where the real images may not be passed on. Judged are fresh samples
of the WGAN-GP, of a C-DCGAN, and real images, which no method has seen. Needs nibabel.
"""

import numpy as np

from benchmarks.attributors import (
    QUICK,
    final_layer,
    make_baseline,
    make_reproduction,
    trained_encoder,
)
from benchmarks.data.medical import NAMES, SIZES, generator, slices
from benchmarks.judging import judge
from benchmarks.options import Option, selection
from benchmarks.tables import accuracy_table
from sklearn_flipad import DeepSADDetector, make_flipad, make_whitened
from sklearn_flipad.detectors import LeNet
from sklearn_flipad.generators import sample

OWNER, NEGATIVES, *_ = NAMES
#: The paper's penalty for these images, and the channels of its networks on activations.
LAM, PHI = 1e-3, (128, 256, 128)
METHODS = ("SM-F", "RawPAD", "DCTPAD", "FLIPAD", "whitened preactivation", "reproduction")
#: Of what the methods that know nothing of the generator look at.
SIDES = {"SM-F": {}, "RawPAD": {"size": 32}, "DCTPAD": {"crop_size": 32}}
WITHOUT_NEGATIVES = ("SM-F", "reproduction")
KEYS = ("method",)
OPTIONS = (
    selection("methods", METHODS, small=("SM-F", "RawPAD", "reproduction")),
    Option("fnrs", (0.005, 0.05), (0.1, 0.2), "false-negative rates; searches have the last"),
    Option("n_own", 900, 30, "own samples, which train and calibrate"),
    Option("n_real", 300, 10, "samples of the negatives"),
    Option("n_test", 200, 4, "samples of each source"),
    Option("n_searched", 80, 16, "own samples for the search, which takes seconds for each"),
    Option("n_searched_test", 25, 1, "samples of each source for the search"),
    Option("max_epochs", 10, 1, "epochs of the detector"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    QUICK,
    *SIZES,
)


def paper_detector(options, **params):
    """DeepSAD with the paper's network and its schedule, in fewer epochs."""
    return DeepSADDetector(
        module=LeNet,
        module_params=params,
        max_epochs=options.max_epochs,
        milestones=(max(options.max_epochs // 2, 1),),
        random_state=0,
    )


def make_attributor(method, model, options):
    """An attributor by the name of its method."""
    # A third of the own samples trains, as many as there are negatives.
    common = {"fnr": options.fnrs[0], "cv": 2 / 3, "random_state": 0}
    if method in SIDES:
        return make_baseline(method, paper_detector(options), **SIDES[method], **common)
    if method == "whitened preactivation":
        return make_whitened(**common)
    if method == "reproduction":
        encoder, _ = trained_encoder(model, "mri", options.work, options.max_steps)
        return make_reproduction(model, encoder, quick=options.quick, fnr=options.fnrs[-1])
    detector = paper_detector(options, channels=PHI)
    return make_flipad(final_layer(model), lam=LAM, pool_size=2, detector=detector, **common)


def run(options, results):
    """Judge each method."""
    missing = [method for method in options.methods if not results.has(method)]
    models = {name: generator(name, options.work, options) for name in NAMES if missing}
    for method in missing:
        is_searched = method == "reproduction"
        n_own = options.n_searched if is_searched else options.n_own
        n_test = options.n_searched_test if is_searched else options.n_test
        X, y = sample(models[OWNER], n_own, random_state=0), np.ones(n_own, dtype=int)
        if method not in WITHOUT_NEGATIVES:
            negatives = sample(models[NEGATIVES], options.n_real, random_state=0)
            X, y = np.concatenate([X, negatives]), np.append(y, np.full(options.n_real, -1))
        tests = {name: sample(models[name], n_test, random_state=1) for name in NAMES}
        tests["real"] = slices(n_test, options.work, seed=1)[0]
        attributor = make_attributor(method, models[OWNER], options)
        names = {"owner": OWNER, "method": method, "n_own": n_own, "n_test": n_test}
        fnrs = options.fnrs[1:] if is_searched else options.fnrs
        rows = judge(attributor, X, y, tests, fnrs=fnrs, **names)
        results.add(*rows)


def table(rows):
    """Accuracies: a line for each rate and method, a column for each source."""
    return accuracy_table(rows, "fnr")


TABLES = {"medical": table}
