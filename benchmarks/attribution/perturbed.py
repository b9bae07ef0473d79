"""Immunized methods under perturbations, as in Tables 3 and 13 of the paper."""

import pandas as pd

from benchmarks.attribution import shipped
from benchmarks.options import selection
from sklearn_flipad.evaluation import RandomProcessing
from sklearn_flipad.evaluation.perturbations import (
    CenterCropResize,
    GaussianBlur,
    GaussianNoise,
    JPEGCompression,
)

#: The strengths of Table 3, the crops scaled from 64x64 to 32x32 images, and random processing.
PERTURBATIONS = {
    "none": None,
    "blur 3": GaussianBlur(3, sigma=3.0),
    "crop 30": CenterCropResize(30),
    "crop 28": CenterCropResize(28),
    "noise 0.05": GaussianNoise(0.05, random_state=0),
    "noise 0.1": GaussianNoise(0.1, random_state=0),
    "JPEG 90": JPEGCompression(90),
    "JPEG 80": JPEGCompression(80),
    "platform": RandomProcessing("platform", random_state=0),
}
SHOWN = ("SM-F", *shipped.COMBINED, "combined", "combined mean")
KEYS = shipped.KEYS
OPTIONS = (
    selection("owners", shipped.OWNERS, shipped.FIRST_SEEDS[:1]),
    selection("methods", shipped.METHODS, SHOWN),
    selection("perturbations", PERTURBATIONS, small=("blur 3",)),
    *shipped.ALL_SIZES,
)


def run(options, results):
    """Judge each method under each perturbation, of fitted samples and suspects alike."""
    perturbations = {name: PERTURBATIONS[name] for name in options.perturbations}
    shipped.judge_methods(options, results, shipped.other_architectures, perturbations)


def table(rows):
    """Mean accuracies against unseen generators, by rate and perturbation, of each method."""
    frame = pd.DataFrame(rows)
    unseen = frame[frame["source"] != "real"]
    return shipped.mean_accuracies(unseen, ["fnr", "perturbation"], "method")


TABLES = {"perturbed": table}
