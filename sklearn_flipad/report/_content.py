"""The parts of a report on single files: verdicts, outcomes and suspects."""

import os
import warnings
from collections import Counter

import numpy as np

from sklearn_flipad.base.estimators import as_taken, last_step
from sklearn_flipad.base.progress import progress
from sklearn_flipad.report._calibration import CalibrationPlot
from sklearn_flipad.report._methods import views
from sklearn_flipad.report._suspects import read_suspect
from sklearn_flipad.report._together import words
from sklearn_flipad.report._views import sample_view
from sklearn_flipad.scoring.runs.stability import stability_column

__all__ = ["common_folder", "listed", "outcomes", "suspects"]

#: Verdicts in the order in which they are counted.
_ORDER = ("own", "undecided", "not own")
#: Largest difference from the score in the table that rounding on another machine explains,
#: relative to the range of the scores or to the score.
_ROUNDING = 1e-3


def common_folder(run):
    """The folder that the names of all shown files begin with, with its slash."""
    paths = [entry[-1]["path"] for entry in [*run.listed, *run.strongest]]
    # Character by character, since commonpath would normalize the paths.
    return "".join(os.path.commonprefix(paths).rpartition("/")[:2])  # noqa: RUF071


def outcomes(run, evidence):
    """Outcomes that occur, as triples of verdict, meaning and number of files."""
    found = Counter(
        (verdict, _words(verdict, evidence, index))
        for index, verdict in enumerate(run.verdicts.tolist())
    )
    return sorted(
        ((*outcome, n) for outcome, n in found.items()), key=lambda row: (_ORDER.index(row[0]), row)
    )


def listed(run, evidence):
    """Entries of the list of verdicts; the ``words`` of a file without a verdict are None.

    ``index`` is that among the scored files, ``copy_of`` the number of an earlier file of the same
    content.
    """
    found, numbers = [], {}
    for number, (index, row) in enumerate(run.listed, 1):
        scored = index >= 0
        first = numbers.setdefault(row["sha256"], number) if scored else number
        found.append(
            {
                "number": number,
                "index": index,
                "row": row,
                "words": _words(row["verdict"], evidence, index) if scored else None,
                "copy_of": None if first == number else first,
            }
        )
    return found


def suspects(run, evidence, *, stability=False, with_thresholds=True, verbose=0):
    """The strongest suspects, with everything that is shown of them.

    With `stability`, slight changes are tried on those of which the table does not say it.
    """
    plots, found, groups = {}, [], {}
    for place, index, row in run.strongest:
        suspect = read_suspect(place + 1, row, run.decoder)
        suspect.index = index
        suspect.words = _words(row["verdict"], evidence, index)
        if row["stratum"] not in plots:
            plots[row["stratum"]] = _plot(run, evidence, row["stratum"], with_thresholds)
        suspect.position, suspect.is_beyond = plots[row["stratum"]].picture(row["score"])
        found.append(suspect)
        if suspect.sample is not None:
            suspect.views.append(sample_view(suspect.sample))
            key = suspect.sample.shape, suspect.sample.dtype
            groups.setdefault(key, []).append(suspect)
    with progress(len(found), "looking at suspects", verbose=verbose) as bar:
        for group in groups.values():
            _look(run.attributor, group, np.ptp(run.scores))
            if stability:
                _try_changes(run, group)
            bar.update(len(group))
    return found


def _plot(run, evidence, stratum, with_thresholds):
    """Plot of the calibration scores, of one stratum if there are some."""
    attributor = run.attributor
    if stratum is not None:
        attributor = attributor.in_stratum(stratum)
        evidence = None if evidence is None else attributor.weigh([0.0], **run.levels)
    return CalibrationPlot(attributor, evidence, with_thresholds=with_thresholds)


def _try_changes(run, group):
    """Write into rows of one shape that lack it which slight changes flip their verdicts."""
    rows = [suspect.row for suspect in group]
    if all(row["stability"] is not None for row in rows):
        return
    found = stability_column(
        run.attributor,
        as_taken(run.attributor, [suspect.sample for suspect in group]),
        run.levels,
        verdicts=[row["verdict"] for row in rows],
        strata=None if run.strata is None else [row["stratum"] for row in rows],
        decodings=[row["decoding"] for row in rows],
    )
    for row, text in zip(rows, found, strict=True):
        row["stability"] = text


def _scores_of(attributor, seen):
    """Scores that come with the views of an attributor's only detector, or None."""
    is_alone = hasattr(getattr(last_step(attributor), "estimator_", None), "reconstruct")
    scores = [view.score for view in seen[0]] if is_alone and len(seen) == 1 else [None]
    return None if None in scores else scores


def _look(attributor, group, spread):
    """Score suspects of one shape again, and add the views of the methods."""
    X = as_taken(attributor, [suspect.sample for suspect in group])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the table has them
        seen = views(attributor, X)
        scores = _scores_of(attributor, seen)
        scores = attributor.score_samples(X) if scores is None else scores
    for k, suspect in enumerate(group):
        suspect.score, known = float(scores[k]), suspect.row["score"]
        suspect.differs = abs(suspect.score - known) > _ROUNDING * max(spread, abs(known))
        suspect.views += [view[k] for view in seen]


def _words(verdict, evidence, index):
    """Meaning of the verdict on the scored file of that index."""
    own = reference = None
    if evidence is not None:
        own = bool(evidence.own_rejected[index])
        if evidence.p_reference is not None:
            reference = bool(evidence.reference_rejected[index])
    return words(verdict, own, reference)
