"""Rows to fit the detector to, and rows to hold out."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv, train_test_split

__all__ = ["HoldOut", "check_name", "check_size", "hold_out"]


class HoldOut(NamedTuple):
    """Indices of the rows to train on, None for a fitted detector, and of held-out samples."""

    training: np.ndarray | None
    calibration: np.ndarray
    reference: np.ndarray


def hold_out(X, labels, *, estimator, cv, reference, params, random_state):
    """Split of the rows; negatives are held out too if `reference` names their population."""
    inliers, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == -1)
    if not len(inliers):
        raise ValueError(
            "y holds no sample labeled +1, of the one class that the threshold is calibrated on."
        )
    if reference is None:
        negatives = negatives[:0]
    else:
        check_name(reference)
        if len(negatives) < 2:
            raise ValueError(
                f"reference={reference!r} names the population of the negatives, of which some "
                f"are held out: y must hold at least 2 samples labeled -1, got {len(negatives)}."
            )
    if isinstance(estimator, FrozenEstimator):
        return HoldOut(None, inliers, negatives)
    if isinstance(cv, Real):
        if len(inliers) < 2:
            raise ValueError(
                "Holding out inliers needs at least 2 of them, got n_samples=1 labeled +1."
            )
        # Each class is split apart, inliers first: those held out do not depend on `reference`.
        held_out = [
            train_test_split(rows, test_size=cv, random_state=random_state)[1]
            if len(rows)
            else rows
            for rows in (inliers, negatives)
        ]
        training = np.setdiff1d(np.arange(len(labels)), np.concatenate(held_out))
        return HoldOut(training, *held_out)
    splits = list(check_cv(cv, labels, classifier=True).split(X, labels, **params))
    if len(splits) != 1:
        raise ValueError(
            f"cv must yield one split, got {len(splits)}: the scores of detectors that were "
            "fitted apart cannot be pooled. Pass a fraction, or for example "
            "ShuffleSplit(n_splits=1)."
        )
    training, tested = (np.arange(len(labels))[rows] for rows in splits[0])
    overlap = np.intersect1d(training, tested)
    if len(overlap):
        raise ValueError(
            f"cv holds out {len(overlap)} rows that it also trains on, the first is row "
            f"{overlap[0]}: held-out samples must be as new to the detector as suspects are."
        )
    negatives = np.intersect1d(tested, negatives)
    if reference is not None and not len(negatives):
        raise ValueError(
            f"reference={reference!r} names the population of the negatives, but cv={cv!r} holds "
            "out none of them."
        )
    return HoldOut(training, tested[labels[tested] == 1], negatives)


def check_size(rows, rule, *, fnr, estimator, cv, n_inliers):
    """Raise ValueError if too few inliers are held out for the false-negative rate."""
    needed = rule.min_size(fnr)
    if len(rows.calibration) >= needed:
        return
    frozen = isinstance(estimator, FrozenEstimator)
    held_out = "" if frozen else f", of which cv={cv!r} holds out {len(rows.calibration)}"
    advice = "Provide more inliers"
    if isinstance(cv, Real) and not frozen:
        advice = f"Provide at least {int(np.ceil(needed / cv))} inliers, raise cv"
    raise ValueError(
        f"fnr={fnr:g} with {rule!r} needs at least {needed} held-out inliers of the class +1, but "
        f"there are n_samples={n_inliers}{held_out}. {advice}, or ask for a larger fnr."
    )


def check_name(name):
    """Raise TypeError or ValueError if a reference population has no name."""
    if not isinstance(name, str):
        raise TypeError(f"A reference population needs a name that says what it is, got {name!r}.")
    if not name.strip():
        raise ValueError("A reference population needs a name that says what it is; it is blank.")
