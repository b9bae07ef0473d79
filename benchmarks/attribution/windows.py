"""Images of any size in windows: error rates by size, and what more windows are worth.

The shipped DCGAN without its flattening is fully convolutional: latents of more cells give larger
images. Own images of sizes from 32 to 64 pixels calibrate, with mosaics of real images as
negatives; images of each size from 32 to 96 are judged, of the owner, of two other seeds, of a
copy with noise of 20 % on its last layer, and new mosaics. Every method judges windows of 16
pixels, at most 1, 4 or all of each image, by linear discriminant analysis. FLIPAD with DeepSAD, and
without pooling, then judges suspects of 64 pixels by a threshold of that size, whole and without
their first row and column, without and with ``phases``.
"""

import warnings

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from benchmarks.attributors import final_layer
from benchmarks.judging import interval
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad import DeepSADDetector, make_dctpad, make_flipad, make_rawpad
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import noisy_copy
from sklearn_flipad.zoo import load_pretrained

SIDES = (32, 64, 96)
#: The method whose suspects are cropped too.
CROPPED = "FLIPAD, DeepSAD"
METHODS = ("RawPAD", "DCTPAD", "FLIPAD", CROPPED)
COUNTS = (1, 4, None)
KEYS = ("method", "max_windows", "phases")
OPTIONS = (
    selection("methods", METHODS, small=("RawPAD", CROPPED)),
    Option("fnr", 0.05, 0.25, "false-negative rate"),
    Option("n_own", 300, 12, "own images to fit to; a third as many others"),
    Option("n_suspects", 50, 1, "of each source and size"),
    Option("epochs", 50, 1, "of DeepSAD"),
)


def tapestries(generator, sides, seed):
    """Gray levels of images of a generator, each of its own height and width."""
    rng = torch.Generator().manual_seed(seed)
    images = []
    with torch.no_grad():
        for side in sides:
            cells = [pixels // 8 - 3 for pixels in side]
            x = generator.main(torch.randn(1, *generator.latent_shape[:1], *cells, generator=rng))
            images.append(((x[0].numpy() + 1) * 127.5).round().astype(np.uint8))
    return images


def mosaics(real, sides, seed):
    """Real images side by side."""
    rng = np.random.default_rng(seed)
    images = []
    for height, width in sides:
        tiles = real[rng.integers(0, len(real), (-(-height // 32), -(-width // 32)))]
        whole = np.concatenate([np.concatenate(list(row), axis=2) for row in tiles], axis=1)
        images.append(whole[:, :height, :width])
    return images


def sides_of(n, seed):
    """Heights and widths of 32 to 64 pixels."""
    return 8 * np.random.default_rng(seed).integers(4, 9, (n, 2))


def attributor(layer, method, count, phases, fnr, epochs):
    """An attributor of windows."""
    if method == CROPPED:
        detector = DeepSADDetector(max_epochs=epochs, random_state=0)
    else:
        detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    options = {
        "detector": detector,
        "windows": {"size": 16, "max_windows": count, "phases": phases},
        "fnr": fnr,
        "cv": 0.3,
        "random_state": 0,
    }
    if method == CROPPED:  # pooling over a period hides what a crop does
        return make_flipad(layer, **options)
    if method == "FLIPAD":
        return make_flipad(layer, pool_size=2, **options)
    return {"RawPAD": make_rawpad, "DCTPAD": make_dctpad}[method](**options)


def measure(method, count, phases, suspects, X, layer, y, fnr, epochs):
    """Rates of one method."""
    fitted, fit_s = timed(attributor(layer, method, count, phases, fnr, epochs).fit, X, y)
    row = {"method": method, "max_windows": count, "phases": phases, "fit_s": fit_s}
    row["calibration_windows"] = fitted["detect"].calibration_windows_.tolist()
    for (source, side), images in suspects.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            verdicts, seconds = timed(fitted.predict, images)
        wrong = verdicts == (-1 if source == "own" else 1)
        rate, low, high = interval(int(wrong.sum()), len(wrong))
        row[f"{source} {side}"] = {
            "errors": rate,
            "low": low,
            "high": high,
            "n": len(wrong),
            "warned": any("windows" in str(found.message) for found in caught),
            "ms": 1e3 * seconds / len(wrong),
        }
    return row


def suspects_of(owner, real, n):
    """Suspects by source and side."""
    sources = {
        "own": owner,
        "seed 1": load_pretrained("fashion/dcgan-1"),
        "seed 2": load_pretrained("fashion/dcgan-2"),
        "copy": noisy_copy(owner, 0.2, random_state=0),
    }
    suspects = {}
    for side in SIDES:
        sides = [(side, side)] * n
        for number, (name, generator) in enumerate(sources.items()):
            suspects[name, side] = tapestries(generator, sides, 100 * side + number)
        suspects["real", side] = mosaics(real, sides, side)
    return suspects


def run(options, results):
    """Judge suspects of all sizes by each method, and cropped ones by one."""
    owner = load_pretrained("fashion/dcgan-0")
    layer, real = final_layer(owner, 1000), load_fashion_sample(1000)
    n, n_negatives = options.n_own, options.n_own // 3
    y = np.repeat([1, -1], [n, n_negatives])
    sides = sides_of(n, 0), sides_of(n_negatives, 1)
    mixed, alike = (
        tapestries(owner, of_own, 0) + mosaics(real[:500], of_others, 0)
        for of_own, of_others in (sides, (0 * sides[0] + 64, 0 * sides[1] + 64))
    )
    suspects = suspects_of(owner, real[500:], options.n_suspects)
    cropped = {(name, side): x for (name, side), x in suspects.items() if side == 64}
    for name, _ in list(cropped):
        cropped[name, "63, cropped"] = [image[:, 1:, 1:] for image in cropped[name, 64]]
    settings = [(method, count, False) for method in METHODS[:-1] for count in COUNTS]
    settings += [(CROPPED, None, phases) for phases in (False, True)]
    for setting in settings:
        if setting[0] in options.methods and not results.has(*setting):
            data = (cropped, alike) if setting[0] == CROPPED else (suspects, mixed)
            results.add(measure(*setting, *data, layer, y, options.fnr, options.epochs))
