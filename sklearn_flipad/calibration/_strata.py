"""Strata of samples, which are known before they are scored, with a calibration each.

A stratum is calibrated by the held-out samples of its own. Strata of too few are merged to groups.
"""

import re
import warnings
from copy import copy
from typing import NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, column_or_1d

from sklearn_flipad.base.samples import as_array

__all__ = [
    "check_arguments",
    "check_groups",
    "check_strata",
    "check_unstratified",
    "grouping",
    "groups_of",
    "in_group",
    "merged",
    "numbers_of",
    "of_groups",
    "offsets_of",
    "parts_of",
    "sorted_out",
    "warn_of_merged",
]

#: Fitted attributes of calibrators with strata alone.
_OF_STRATA = ("strata_", "stratum_of_", "calibration_strata_", "reference_strata_")
#: Strata that a message lists.
_MAX_NAMED = 20


def check_strata(strata, n):
    """Strata as texts, shape (n,); ValueError if one is missing or they are not n."""
    strata = column_or_1d(as_array(strata), warn=True)
    if len(strata) != n:
        raise ValueError(f"strata has {len(strata)} entries for {n} samples in X.")
    strata = strata.tolist()
    missing = [k for k, label in enumerate(strata) if label is None or label != label]
    if missing:
        raise ValueError(
            f"strata has no entry for {len(missing)} samples, the first is sample {missing[0]}. "
            "Give samples of which nothing is known a stratum of their own, such as 'unknown'."
        )
    return np.array([str(label) for label in strata], dtype=str)


def check_arguments(strata_of_files, strata, lr):
    """Raise ValueError if arguments of a calibrator and of its fit do not go together."""
    if strata is None and strata_of_files is not None:
        raise ValueError(
            "strata= of the calibrator says how the stratum of a file is found. Pass the strata "
            "of the samples to fit too, fit(X, y, strata=...)."
        )
    if strata is not None and lr is not None:
        raise ValueError(
            "lr= and strata do not go together: ratios of few samples would say little. Leave lr "
            "out, or fit one attributor for each stratum."
        )


def merged(labels, needed):
    """Groups of strata, dict of str to str, each with as many of the labels as needed.

    While a group has too few, the smallest is merged with its neighbor in the natural order of
    the labels, with the smaller one of two.
    """
    names, counts = np.unique(labels, return_counts=True)
    pairs = zip(names.tolist(), counts.tolist(), strict=True)
    groups = [(n, [name]) for name, n in sorted(pairs, key=lambda pair: _natural(pair[0]))]
    while len(groups) > 1 and min(groups)[0] < needed:
        sizes = [n for n, _ in groups]
        k = sizes.index(min(sizes))
        first = k if k == 0 or (k + 1 < len(groups) and sizes[k + 1] < sizes[k - 1]) else k - 1
        (n, some), (m, others) = groups[first : first + 2]
        groups[first : first + 2] = [(n + m, some + others)]
    return {name: " or ".join(members) for _, members in groups for name in members}


def _natural(label):
    """Sort key by which numbers within labels are in the order of their size."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", label)]


class Grouping(NamedTuple):
    """Group of each stratum by name, and of each calibration and reference sample by number."""

    strata: dict
    own: np.ndarray
    reference: np.ndarray


def grouping(labels, rows, needed):
    """The rows that calibrate and their :class:`Grouping`, or None without labels.

    Reference samples of other strata than the own ones are left out. ValueError if a group has
    none, though there are some.
    """
    if labels is None:
        return rows, None
    strata = merged(labels[rows.calibration], needed)
    own, reference = (numbers_of(strata, labels[kept]) for kept in rows[1:3])
    if len(reference):
        check_groups(strata, reference)
    rows = rows._replace(reference=rows.reference[reference >= 0])
    return rows, Grouping(strata, own, reference[reference >= 0])


def warn_of_merged(strata, needed, labels):
    """Warn of strata that were merged, with the numbers of their calibration samples."""
    counts = {name: int((labels == name).sum()) for name in strata}
    groups = [group for name, group in strata.items() if name != group]
    if groups:
        listed = "; ".join(
            " and ".join(f"{name!r} ({counts[name]})" for name, g in strata.items() if g == group)
            for group in dict.fromkeys(groups)
        )
        warnings.warn(
            f"Each stratum needs {needed} held-out own samples, and some have fewer. They are "
            f"merged with their neighbors: {listed}. The false-negative rate holds for these "
            "together, not for each of them. Provide more own samples of the small ones, or ask "
            "for a larger fnr.",
            UserWarning,
            stacklevel=3,
        )


def of_groups(values, numbers):
    """Yield the values of each group, by the numbers of groups; all of them for None."""
    if numbers is None:
        yield values
        return
    for number in range(numbers.max() + 1):
        yield values[numbers == number]


def numbers_of(strata, labels):
    """Numbers of the groups of labels, int of shape (n,); -1 for strata that are not known."""
    names = groups_of(strata)
    numbers = {label: names.index(group) for label, group in strata.items()}
    return np.array([numbers.get(label, -1) for label in labels.tolist()], dtype=np.int64)


def groups_of(strata):
    """Names of the calibrated groups, in the order of their numbers."""
    return sorted(set(strata.values()), key=_natural)


def in_group(calibrator, name):
    """A calibrator without strata, with the scores and the threshold of one group.

    The calibrator itself for None.
    """
    if name is None:
        return calibrator
    number = groups_of(calibrator.strata_).index(name)
    part = copy(calibrator)
    own = calibrator.calibration_strata_ == number
    part.calibration_scores_ = calibrator.calibration_scores_[own]
    part.threshold_ = float(calibrator.threshold_[number])
    part.offset_ = -part.threshold_
    if hasattr(calibrator, "reference_scores_"):
        reference = calibrator.reference_strata_ == number
        part.reference_scores_ = calibrator.reference_scores_[reference]
    for attribute in _OF_STRATA:
        vars(part).pop(attribute, None)
    part.strata = None
    return part


def _numbers(calibrator, strata, n):
    """Numbers of the groups of suspects, int of shape (n,); None without strata.

    ValueError if strata are missing, not calibrated, or of no use.
    """
    known = getattr(calibrator, "strata_", None)
    if known is None:
        if strata is not None:
            raise ValueError(
                "The attributor was calibrated without strata: leave strata out, or pass those of "
                "the samples to fit as well."
            )
        return None
    shown = _shown(known)
    if strata is None:
        raise ValueError(
            "The attributor was calibrated by strata, and each has its own threshold: pass "
            f"strata=, the stratum of each sample, one of {shown}; or take the attributor of one, "
            "in_stratum(stratum)."
        )
    labels = check_strata(strata, n)
    numbers = numbers_of(known, labels)
    unknown = np.flatnonzero(numbers < 0)
    if len(unknown):
        raise ValueError(
            f"{len(unknown)} of {n} samples are of strata that were not calibrated, the first is "
            f"sample {unknown[0]}, of {str(labels[unknown[0]])!r}. The threshold of another "
            f"stratum does not hold for them; there are {shown}. Leave them out, or fit with own "
            "samples of their stratum."
        )
    return numbers


def _shown(known):
    more = ", ..." if len(known) > _MAX_NAMED else ""
    return ", ".join(map(repr, list(known)[:_MAX_NAMED])) + more


def parts_of(calibrator, strata, n):
    """Pairs of rows of suspects and the group that judges them; None without strata."""
    numbers = _numbers(calibrator, strata, n)
    if numbers is None:
        return [(slice(None), None)]
    names = groups_of(calibrator.strata_)
    return [(np.flatnonzero(numbers == k), names[k]) for k in np.unique(numbers)]


def sorted_out(calibrator, X, strata):
    """Samples of calibrated strata, and the numbers of their groups, or None without strata.

    ValueError if strata are missing, of no use, or a group has no sample.
    """
    if strata is None or not hasattr(calibrator, "strata_"):
        _numbers(calibrator, strata, _num_samples(X))
        return X, None
    known = calibrator.strata_
    numbers = numbers_of(known, check_strata(strata, _num_samples(X)))
    check_groups(known, numbers)
    return _safe_indexing(X, np.flatnonzero(numbers >= 0)), numbers[numbers >= 0]


def check_groups(strata, numbers):
    """Raise ValueError if there is no sample of the reference population of a group."""
    missing = [name for k, name in enumerate(groups_of(strata)) if not (numbers == k).any()]
    if missing:
        raise ValueError(
            f"The reference population has no sample of the strata {', '.join(map(repr, missing))}"
            ", and its p-values would not hold for them. Add some, processed as their own samples "
            "were, or fit without a reference population."
        )


def offsets_of(calibrator, strata, n):
    """The offset, or that of each suspect by its stratum, shape (n,)."""
    numbers = _numbers(calibrator, strata, n)
    return calibrator.offset_ if numbers is None else calibrator.offset_[numbers]


def check_unstratified(calibrator, name, advice):
    """Raise ValueError with advice if an attributor was calibrated by strata."""
    if hasattr(calibrator, "strata_"):
        raise ValueError(
            f"{name} was calibrated by strata, and has no one threshold. Pass that of one stratum, "
            f"{advice}."
        )
