"""Attribution to one of several super-resolution networks that are siblings.

The owner magnifies by 2. Judged against it are its siblings, which magnify by 3, 4 and 8, bicubic
magnification and photographs, all of 64x64 pixels with the same content: parts of photographs of
which nothing was seen before. Negatives are photographs, or magnified by the sibling that magnifies
by 3. Needs npm.
"""

from math import ceil

import numpy as np
import torch

from benchmarks.attributors import (
    BASELINES,
    make_baseline,
    make_reproduction,
    one_layer_detector,
)
from benchmarks.data.super_resolution import SCALES, SIDE, network, resized, tiles
from benchmarks.judging import judge
from benchmarks.options import Option, selection
from benchmarks.tables import accuracy_table
from sklearn_flipad import (
    FinalLayer,
    InlierWhitener,
    make_flipad,
    make_residual,
    make_whitened,
)
from sklearn_flipad.base.gray_levels import to_gray_levels

OWNER, *SIBLINGS = SCALES
RANGE = (0, 255)
#: Penalty for gray levels; were they, and so the activations, in [-1, 1], it would be 1e-3.
LAM = 0.1
#: After the name of a method: its negatives.
OF_SIBLING = f", negatives of {SIBLINGS[0]}"
WITHOUT_NEGATIVES = ("SM-F", "reproduction")
METHODS_WITH_NEGATIVES = ("RawPAD", "DCTPAD", "FLIPAD", "whitened", "residual")
METHODS = (
    *WITHOUT_NEGATIVES,
    *(n + s for n in METHODS_WITH_NEGATIVES for s in ("", OF_SIBLING)),
)
KEYS = ("method",)
OPTIONS = (
    selection("methods", METHODS, small=("RawPAD" + OF_SIBLING, "residual", "reproduction")),
    Option("fnrs", (0.005, 0.05), (0.1, 0.2), "false-negative rates; searches have the last"),
    Option("n_own", 1200, 24, "own images, which train and calibrate"),
    Option("n_real", 300, 10, "negatives"),
    Option("n_test", 200, 4, "images of each source"),
    Option("n_searched", 80, 12, "own images for the search, whose latents are images"),
    Option("n_searched_test", 25, 1, "images of each source for the search"),
    Option("max_epochs", 20, 1, "epochs of the detector"),
)


class Shrunken(torch.nn.Module):
    """The guess of the search: the suspect, reduced to the size that the owner magnifies."""

    def forward(self, x):
        """Means of the pixels that belong to one."""
        return torch.nn.functional.avg_pool2d(x, OWNER)


class Again(torch.nn.Module):
    """The owner, of the reduced suspect."""

    def __init__(self, made):
        super().__init__()
        self.made, self.shrunken = made, Shrunken()

    def forward(self, x):
        """Magnified again."""
        return self.made(self.shrunken(x))


def reduced_side(scale):
    """Pixels of a side of what becomes `SIDE` of them, or a few more, magnified by `scale`."""
    return ceil(SIDE / scale)


def images(source, photographs, folder):
    """Gray levels of a source: photographs, or what becomes of them once reduced."""
    if source == "real":
        return photographs[..., :SIDE, :SIDE]
    scale = OWNER if source == "bicubic" else int(source)
    side = reduced_side(scale)
    # Where the scale does not divide the size, reduced from what it would have been.
    low = resized(photographs[..., : scale * side, : scale * side], side)
    if source == "bicubic":
        return resized(low, SIDE)
    made = network(scale, folder, low)
    with torch.no_grad():
        parts = [made(x) for x in torch.from_numpy(low).float().split(50)]
    return to_gray_levels(torch.cat(parts)[..., :SIDE, :SIDE].numpy(), RANGE)


def make_attributor(method, low, options):
    """An attributor by the name of its method; `low` is what the owner is run on."""
    method, owner = method.removesuffix(OF_SIBLING), network(OWNER, options.work, low)
    common = {"output_range": RANGE, "fnr": options.fnrs[0], "cv": 0.5, "random_state": 0}
    if method == "reproduction":
        search = {"n_restarts": 0, "n_newton": 0, "n_calibration": 0}
        common["fnr"] = options.fnrs[-1]
        return make_reproduction(owner, Shrunken(), search=search, **common)
    common["detector"] = one_layer_detector(options.max_epochs)
    if method == "whitened":
        return make_whitened("identity", whitener=InlierWhitener(block=256), **common)
    if method == "residual":
        common["detector"].set_params(center="inliers")
        return make_residual(Again(owner), scaler=InlierWhitener(block=256), **common)
    if method in BASELINES:
        return make_baseline(method, **common)
    del common["output_range"]
    layer = FinalLayer.from_generator(owner, n_samples=1000, output_range=RANGE, random_state=0)
    return make_flipad(layer, lam=LAM, pool_size=4, **common)


def run(options, results):
    """Judge each method."""
    for method in options.methods:
        if not results.has(method):
            rows = judge_method(method, options)
            results.add(*rows)


def judge_method(method, options):
    """Rows of a method."""
    work, is_searched = options.work, method == "reproduction"
    n_own = options.n_searched if is_searched else options.n_own
    n_test = options.n_searched_test if is_searched else options.n_test
    n_negatives = 0 if method in WITHOUT_NEGATIVES else options.n_real
    sources = [*map(str, SCALES), "bicubic", "real"]
    side = max(scale * reduced_side(scale) for scale in SCALES)
    seen = tiles(n_own + n_negatives, work, side=side)
    own = images(sources[0], seen[:n_own], work)
    negatives = images(str(SIBLINGS[0]) if OF_SIBLING in method else "real", seen[n_own:], work)
    X, y = np.concatenate([own, negatives]), np.repeat([1, -1], [n_own, n_negatives])
    unseen = np.split(tiles(n_test * len(sources), work, side=side, test=True), len(sources))
    tests = {name: images(name, part, work) for name, part in zip(sources, unseen, strict=True)}
    low = resized(seen[:n_own, :, :SIDE, :SIDE], SIDE // OWNER)
    names = {"owner": sources[0], "method": method, "n_own": n_own, "n_test": n_test}
    fnrs = options.fnrs[1:] if is_searched else options.fnrs
    return judge(make_attributor(method, low, options), X, y, tests, fnrs=fnrs, **names)


def table(rows):
    """Accuracies: a line for each rate and method, a column for each source."""
    return accuracy_table(rows, "fnr")


TABLES = {"super_resolution": table}
