"""Attribution to one of several super-resolution networks that are siblings.

The owner magnifies by 2. Judged against it are its siblings, which magnify by 3, 4 and 8, bicubic
magnification and photographs, all of 64x64 pixels with the same content: parts of photographs of
which nothing was seen before. Negatives are photographs, or magnified by the sibling that magnifies
by 3. One line of JSON for each method goes to ``super_resolution.jsonl`` in the folder ``--out``;
what is there already is left out.
"""

from math import ceil

import numpy as np
import torch
from attribution import FNRS, Setting, fill_table, judge_attributor, one_layer_detector
from super_resolution_data import SCALES, SIDE, network, resized, tiles

from sklearn_flipad import (
    FinalLayer,
    InlierWhitener,
    make_dctpad,
    make_flipad,
    make_rawpad,
    make_reproduction,
    make_residual,
    make_smf,
    make_whitened,
)
from sklearn_flipad.base.gray_levels import to_gray_levels

OWNER, *SIBLINGS = SCALES
RANGE = (0, 255)
#: Penalty for gray levels; were they, and so the activations, in [-1, 1], it would be 1e-3.
LAM = 0.1
SETTING = Setting(n_own=1200, n_real=300, n_test=200)
#: Of the search, whose latents are images.
SEARCHED = Setting(n_own=80, n_test=25)
#: After the name of a method: its negatives.
OF_SIBLING = f", negatives of {SIBLINGS[0]}"
WITHOUT_NEGATIVES = ("SM-F", "reproduction")
METHODS_WITH_NEGATIVES = ("RawPAD", "DCTPAD", "FLIPAD", "whitened", "residual")
METHODS = (
    *WITHOUT_NEGATIVES,
    *(n + s for n in METHODS_WITH_NEGATIVES for s in ("", OF_SIBLING)),
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


def make_attributor(method, low, folder):
    """An attributor by the name of its method; `low` is what the owner is run on."""
    method = method.removesuffix(OF_SIBLING)
    common = {"output_range": RANGE, "fnr": FNRS[0], "cv": 0.5, "random_state": 0}
    if method == "reproduction":
        made = network(OWNER, folder, low)
        options = {"n_restarts": 0, "n_newton": 0, "n_calibration": 0}
        attributor = make_reproduction(
            made, encoder=Shrunken(), output_range=RANGE, fnr=FNRS[1], random_state=0
        )
        return attributor.set_params(
            **{f"detect__estimator__{name}": value for name, value in options.items()}
        )
    if method == "SM-F":
        return make_smf(n_jobs=1, **common)
    common["detector"] = one_layer_detector(SETTING, 0)
    if method == "whitened":
        return make_whitened("identity", whitener=InlierWhitener(block=256), **common)
    if method == "residual":
        scaler = InlierWhitener(block=256)
        common["detector"].set_params(center="inliers")
        return make_residual(Again(network(OWNER, folder, low)), scaler=scaler, **common)
    if method in ("RawPAD", "DCTPAD"):
        return {"RawPAD": make_rawpad, "DCTPAD": make_dctpad}[method](**common)
    del common["output_range"]
    layer = FinalLayer.from_generator(
        network(OWNER, folder, low), n_samples=1000, output_range=RANGE, random_state=0
    )
    return make_flipad(layer, lam=LAM, pool_size=4, **common)


def judge_method(method, work):
    """Setting and rows of a method."""
    is_searched = method == "reproduction"
    setting, fnrs = (SEARCHED, FNRS[1:]) if is_searched else (SETTING, FNRS)
    n_own, n_test = setting.n_own, setting.n_test
    n_negatives = 0 if method in WITHOUT_NEGATIVES else setting.n_real
    sources = [*map(str, SCALES), "bicubic", "real"]
    side = max(scale * reduced_side(scale) for scale in SCALES)
    seen = tiles(n_own + n_negatives, work, side=side)
    own = images(sources[0], seen[:n_own], work)
    negatives = images(str(SIBLINGS[0]) if OF_SIBLING in method else "real", seen[n_own:], work)
    X, y = np.concatenate([own, negatives]), np.repeat([1, -1], [n_own, n_negatives])
    unseen = np.split(tiles(n_test * len(sources), work, side=side, test=True), len(sources))
    tests = {name: images(name, part, work) for name, part in zip(sources, unseen, strict=True)}
    low = resized(seen[:n_own, :, :SIDE, :SIDE], SIDE // OWNER)
    attributor = make_attributor(method, low, work)
    return setting, judge_attributor(
        attributor, X, y, tests, owner=sources[0], method=method, fnrs=fnrs
    )


def main():
    """Measure, print and write."""
    fill_table(__doc__, "super_resolution", METHODS, judge_method)


if __name__ == "__main__":
    main()
