"""Checks that the samples that calibrate are independent of those that train."""

import warnings

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing

from sklearn_flipad.base.messages import Message
from sklearn_flipad.base.sample_lists import is_ragged
from sklearn_flipad.base.samples import shape_of
from sklearn_flipad.calibration._hold_out import WITHOUT_COPIES
from sklearn_flipad.calibration._seen import seen_in_fit

__all__ = [
    "check_copies",
    "check_labels_agree",
    "check_new",
    "warn_of_copies",
    "warn_of_divided",
    "warn_of_labels",
    "warn_of_near_duplicates",
]

#: Part of the model's samples that may be copies of others, or known to a fitted detector.
_MAX_COPIES = 0.1


def check_copies(X, labels, draws):
    """Warn of samples that are copies or labeled both ways; ValueError if most are."""
    check_labels_agree(X, labels, draws)
    warn_of_copies(labels, draws)
    warn_of_near_duplicates(labels, draws)
    warn_of_labels(labels, draws)


def check_labels_agree(X, labels, draws):
    """Raise ValueError if most of the images or sounds of a class are labeled both ways.

    Rows of tables may be equal by chance: of those, :func:`warn_of_labels` warns.
    """
    found, row = _both_ways(labels, draws)
    sizes = [len(np.unique(draws.digests[labels == label])) for label in (1, -1)]
    if 2 * found > min(sizes) and (is_ragged(X) or len(shape_of(X)) > 2):
        raise ValueError(_labeled_both_ways(found, row))


def warn_of_labels(labels, draws):
    """Warn of samples labeled +1 that are equal to samples labeled -1."""
    found, row = _both_ways(labels, draws)
    if found:
        message = _labeled_both_ways(found, row, ", unless both sources make equal ones by chance")
        warnings.warn(message, UserWarning, stacklevel=3)


def _both_ways(labels, draws):
    """Number of different samples that are labeled +1 and -1, and the first such pair of rows."""
    own, others = (np.flatnonzero(labels == label) for label in (1, -1))
    rows = own[np.isin(draws.digests[own], draws.digests[others])]
    if not len(rows):
        return 0, None
    equal = others[draws.digests[others] == draws.digests[rows[0]]]
    return len(np.unique(draws.digests[rows])), (rows[0], equal[0])


def _labeled_both_ways(found, rows, unless=""):
    first, other = rows
    return (
        f"{found} different samples are labeled both +1 and -1: they are among the model's own "
        f"samples and among the negatives, such as samples {first} and {other}, which are equal. "
        f"The detector would learn to reject what the model makes. Leave them out of the "
        f"negatives{unless}."
    )


def warn_of_copies(labels, draws):
    """Warn if many of the model's samples are copies of others."""
    own = np.flatnonzero(labels == 1)
    equal = np.unique(draws.digests, return_inverse=True)[1]
    found = None if _are_stated(draws) else _copies(equal[own], own)
    if found is not None:
        n_different, n, first, other = found
        warnings.warn(
            Message(
                f"Only {n_different} of the {n} samples of the model are different: sample "
                f"{other}, for example, is equal to sample {first}. Equal ones were held out "
                "together, and one of each calibrates, since a sample that the detector was "
                "trained on scores lower than a new one. Leave copies out.",
                WITHOUT_COPIES,
            ),
            UserWarning,
            stacklevel=3,
        )


def warn_of_near_duplicates(labels, draws):
    """Warn if many of the model's samples are near-duplicates of others."""
    own = np.flatnonzero(labels == 1)
    found = _copies(draws.copies[own], own)
    if found is not None and len(np.unique(draws.digests[own])) > found[0]:
        n_different, n, first, other = found
        warnings.warn(
            Message(
                f"The {n} samples of the model are {n_different} and near-duplicates of these, as "
                "frames of a clip or copies of a picture in other qualities are: sample "
                f"{other}, for example, and sample {first}. "
                "One of each set calibrates if it is held out, and the others do not train then.",
                WITHOUT_COPIES,
            ),
            UserWarning,
            stacklevel=5,
        )


def _are_stated(draws):
    """Whether groups say that each row is a draw of its own."""
    return len(np.unique(draws.numbers)) == len(draws.numbers)


def _copies(copies, rows):
    """Number of different rows, of rows, and a row and its copy; None if copies are few."""
    numbers, counts = np.unique(copies, return_counts=True)
    if len(rows) - len(numbers) <= _MAX_COPIES * len(rows):
        return None
    first, other = rows[copies == numbers[counts.argmax()]][:2]
    return len(numbers), len(rows), first, other


def warn_of_divided(rows, cv):
    """Warn if a splitter holds out a part of a group."""
    if rows.divided:
        warnings.warn(
            f"cv={cv!r} divides samples of one group, or copies of one sample, between training "
            f"and calibration: {rows.divided} samples are left out of training, so that the "
            "held-out ones are new to the detector. Pass a fraction as cv, which holds out whole "
            "groups, or a splitter that does, such as GroupShuffleSplit(n_splits=1).",
            UserWarning,
            stacklevel=3,
        )


def _frozen_parts(estimator):
    """The fitted detectors that calibrate, or are a part of what does."""
    if isinstance(estimator, FrozenEstimator):
        return [estimator]
    parts = estimator.estimators if getattr(estimator, "_calibrates", False) else ()
    return [part for _, part in parts if isinstance(part, FrozenEstimator)]


def check_new(estimator, X, rows):
    """The rows without those that a fitted estimator was fitted to, of which it warns.

    ValueError if they are many: others may have been fitted to, too, without being known.
    """
    held_out = np.concatenate([rows.calibration, rows.reference])
    known = held_out[:0]
    for part in _frozen_parts(estimator):
        known = np.union1d(known, held_out[seen_in_fit(part, _safe_indexing(X, held_out))])
    seen = np.isin(rows.calibration, known)
    if not len(known):
        return rows
    n_seen, n = (int(seen.sum()), len(seen)) if seen.any() else (len(known), len(rows.reference))
    message = (
        f"The fitted detector was fitted to at least {n_seen} of the {n} samples that would "
        f"{'calibrate' if seen.any() else 'be the reference population'}, such as sample "
        f"{known[0]}. Such samples do not score as new ones do"
    )
    if n_seen > _MAX_COPIES * n:
        raise ValueError(
            f"{message}: new samples of the model would be rejected too often. Pass samples that "
            "it was not fitted to, or the detector itself instead of a FrozenEstimator, which is "
            "then fitted to a part of the samples."
        )
    warnings.warn(f"{message}, and are left out.", UserWarning, stacklevel=3)
    return rows._replace(
        calibration=rows.calibration[~seen],
        reference=rows.reference[~np.isin(rows.reference, known)],
    )
