"""Rows to fit the detector to, and rows to hold out."""

from numbers import Real
from typing import NamedTuple

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv, train_test_split
from sklearn.utils.validation import _num_samples

from sklearn_flipad.base.labels import check_labels
from sklearn_flipad.base.messages import Message, Term

__all__ = ["WITHOUT_COPIES", "HoldOut", "check_name", "check_size", "hold_out", "labels_of"]

#: Advice to those whose generator makes equal samples.
WITHOUT_COPIES = Message(
    " If equal samples are independent draws of the model, which then makes few different ones "
    "(mode collapse), ",
    Term("pass groups=np.arange(len(X)) to fit", "groups"),
    ": they are held out one by one then.",
)


class HoldOut(NamedTuple):
    """Indices of the rows to train on, None for a fitted detector, and of held-out samples.

    Held-out samples are of different draws. ``divided`` is the number of rows left out of training
    because `cv` holds out others of their draw.
    """

    training: np.ndarray | None
    calibration: np.ndarray
    reference: np.ndarray
    divided: int = 0


def hold_out(X, labels, draws, *, estimator, cv, reference, params, random_state):
    """Split of the rows by their `draws`, int of shape (n,), which are held out as a whole.

    Negatives are held out too if `reference` names their population.
    """
    inliers, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == -1)
    if not len(inliers):
        raise ValueError(
            "y holds no sample labeled +1, of the one class that the threshold is calibrated on."
        )
    if reference is not None:
        check_name(reference)
        if len(negatives) < 2:
            raise ValueError(
                f"reference={reference!r} names the population of the negatives, of which some "
                f"are held out: y must hold at least 2 samples labeled -1, got {len(negatives)}."
            )
    divided = 0
    if isinstance(estimator, FrozenEstimator):
        training, held = None, np.ones(len(labels), dtype=bool)
    elif isinstance(cv, Real):
        held = _fraction(labels, draws, cv, reference is not None, random_state)
        training = np.flatnonzero(~held)
    else:
        training, held = _split(X, labels, cv, params)
        apart = ~np.isin(draws[training], draws[held])
        divided = int((~apart).sum())
        training = training[apart]
        _check_training(training, labels, divided, cv)
    found = held & (labels == -1)
    if reference is not None and not found.any():
        raise ValueError(
            f"reference={reference!r} names the population of the negatives, but cv={cv!r} holds "
            "out none of them."
        )
    calibration = _one_of_each(np.flatnonzero(held & (labels == 1)), draws, random_state)
    kept = np.flatnonzero(found) if reference is not None else negatives[:0]
    return HoldOut(training, calibration, _one_of_each(kept, draws, random_state), divided)


def _fraction(labels, draws, cv, with_negatives, random_state):
    """Whether each row is held out, bool of shape (n,): a fraction of the draws of each class."""
    inliers, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == -1)
    firsts = _firsts(inliers, draws)
    if len(firsts) < 2:
        raise ValueError(
            "Holding out inliers needs at least 2 of them, got n_samples=1 labeled +1."
            if len(inliers) < 2
            else "Holding out inliers needs at least 2 that are no copies of each other, but all "
            f"{len(inliers)} samples labeled +1 are copies of one, or in one group."
        )
    # Each class is split apart, inliers first: those held out do not depend on the negatives.
    chosen = [train_test_split(firsts, test_size=cv, random_state=random_state)[1]]
    others = _firsts(negatives[~np.isin(draws[negatives], draws[inliers])], draws)
    if with_negatives and len(others) > 1:
        chosen.append(train_test_split(others, test_size=cv, random_state=random_state)[1])
    return np.isin(draws, draws[np.concatenate(chosen)])


def _split(X, labels, cv, params):
    """Rows to train on, and whether each row is held out, by the one split of `cv`."""
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
    return training, np.isin(np.arange(len(labels)), tested)


def _check_training(training, labels, divided, cv):
    """Raise ValueError if all inliers to train on are of draws that are held out."""
    if divided and not (labels[training] != -1).any():
        raise ValueError(
            f"cv={cv!r} holds out a part of every group, so that none is new to the detector. "
            "Pass a fraction as cv, which holds out whole groups, or a splitter that does, such as "
            "GroupShuffleSplit(n_splits=1)."
        )


def _firsts(rows, draws):
    """The first of the rows of each draw, ascending."""
    return np.sort(rows[np.unique(draws[rows], return_index=True)[1]])


def _one_of_each(rows, draws, random_state):
    """One of the rows of each draw, at random, ascending; all if no two are of one draw."""
    if len(np.unique(draws[rows])) == len(rows):
        return rows
    return _firsts(random_state.permutation(rows), draws)


def check_size(rows, rule, *, fnr, estimator, cv, labels, draws):
    """Raise ValueError if too few inliers are held out for the false-negative rate."""
    needed = rule.min_size(fnr)
    if len(rows.calibration) >= needed:
        return
    n_inliers, n_draws = int((labels == 1).sum()), len(np.unique(draws[labels == 1]))
    frozen = isinstance(estimator, FrozenEstimator)
    held_out = "" if frozen else f", of which cv={cv!r} holds out {len(rows.calibration)}"
    what, different = "inliers", ""
    if n_draws < n_inliers:
        what = "different inliers"
        different = f", which count as {n_draws}: copies of a sample and a group are one each"
    advice = f"Provide more {what}"
    if isinstance(cv, Real) and not frozen:
        advice = f"Provide at least {int(np.ceil(needed / cv))} {what}, raise cv"
    alone = WITHOUT_COPIES if n_draws < n_inliers else ""
    raise ValueError(
        Message(
            f"fnr={fnr:g} with {rule!r} needs at least {needed} held-out inliers of the class +1, "
            f"but there are n_samples={n_inliers}{different}{held_out}. {advice}, or ask for a "
            "larger fnr.",
            alone,
        )
    )


def labels_of(X, y):
    """Labels +1, -1 and 0, int of shape (n,); all +1 if y is None."""
    n = _num_samples(X)
    return np.ones(n, dtype=np.int64) if y is None else check_labels(y, n)


def check_name(name):
    """Raise TypeError or ValueError if a reference population has no name."""
    if not isinstance(name, str):
        raise TypeError(f"A reference population needs a name that says what it is, got {name!r}.")
    if not name.strip():
        raise ValueError("A reference population needs a name that says what it is; it is blank.")
