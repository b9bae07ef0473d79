"""What a report says of single files."""

import os
import warnings
from collections import Counter

import numpy as np

from sklearn_flipad.report._calibration import CalibrationPlot
from sklearn_flipad.report._suspects import read_suspect
from sklearn_flipad.report._together import words
from sklearn_flipad.report._views import methods_of, sample_view, views_of

__all__ = ["common_folder", "listed", "outcomes", "suspects"]

#: Verdicts in the order in which they are counted.
_ORDER = ("own", "undecided", "not own")
#: Difference of a score from that of the table, relative to the spread of the calibration scores
#: or to the score, which rounding on another machine explains.
_ROUNDING = 1e-3


def common_folder(run):
    """What the names of all files that are shown begin with, up to a slash.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    str
    """
    paths = [entry[-1]["path"] for entry in [*run.listed, *run.strongest]]
    # Character by character, since commonpath would write the paths in another way.
    return "".join(os.path.commonprefix(paths).rpartition("/")[:2])  # noqa: RUF071


def outcomes(run, evidence):
    """Count the outcomes that occur.

    Parameters
    ----------
    run : Run
        The run.
    evidence : Evidence or None
        Its evidence.

    Returns
    -------
    list of (str, str, int)
        Verdict, what it means, and number of files.
    """
    found = Counter(
        (verdict, _words(verdict, evidence, index))
        for index, verdict in enumerate(run.verdicts.tolist())
    )
    return sorted(
        ((*outcome, n) for outcome, n in found.items()), key=lambda row: (_ORDER.index(row[0]), row)
    )


def listed(run, evidence):
    """Rows of the list of verdicts.

    Parameters
    ----------
    run : Run
        The run.
    evidence : Evidence or None
        Its evidence.

    Returns
    -------
    list of dict
        With the ``number`` and the ``row`` of a file, and its verdict in ``words``; None if it
        has none.
    """
    return [
        {
            "number": number,
            "row": row,
            "words": _words(row["verdict"], evidence, index) if index >= 0 else None,
        }
        for number, (index, row) in enumerate(run.listed, 1)
    ]


def suspects(run, evidence):
    """The strongest suspects, with all that is shown of them.

    Parameters
    ----------
    run : Run
        The run.
    evidence : Evidence or None
        Its evidence.

    Returns
    -------
    list of Suspect
    """
    plot, found, groups = CalibrationPlot(run.attributor, evidence), [], {}
    for place, index, row in run.strongest:
        suspect = read_suspect(place + 1, row, run.decoder)
        suspect.words = _words(row["verdict"], evidence, index)
        suspect.position, suspect.is_beyond = plot.picture(row["score"])
        found.append(suspect)
        if suspect.sample is not None:
            suspect.views.append(sample_view(suspect.sample))
            key = suspect.sample.shape, suspect.sample.dtype
            groups.setdefault(key, []).append(suspect)
    for group in groups.values():
        _look(run.attributor, group, np.ptp(run.scores))
    return found


def _look(attributor, group, spread):
    """Score suspects of one shape again, and add what the method saw of them."""
    X = np.stack([suspect.sample for suspect in group])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they stand in the table
        scores = attributor.score_samples(X)
        views = [seen for method in methods_of(attributor) if (seen := views_of(method, X))]
    for k, suspect in enumerate(group):
        suspect.score, known = float(scores[k]), suspect.row["score"]
        suspect.differs = abs(suspect.score - known) > _ROUNDING * max(spread, abs(known))
        suspect.views += [view[k] for view in views]


def _words(verdict, evidence, index):
    """What the verdict for a scored file means."""
    own = reference = None
    if evidence is not None:
        own = bool(evidence.own_rejected[index])
        if evidence.p_reference is not None:
            reference = bool(evidence.reference_rejected[index])
    return words(verdict, own, reference)
