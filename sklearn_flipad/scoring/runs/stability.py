"""Whether verdicts stay the same under slight changes of the file."""

import warnings

from sklearn_flipad.datasets.files.facts import facts_of, jpeg_quality
from sklearn_flipad.evaluation import slight_changes
from sklearn_flipad.scoring.runs.columns import score_columns

__all__ = ["NO_IMAGE", "STABLE", "stability_column"]

#: Texts of the column.
STABLE, NO_IMAGE = "stable", "not tried, since it is no image"


def stability_column(attributor, X, levels, *, verdicts, strata, decodings):
    """Text for each sample: which slight changes flip its verdict to which other one."""
    shape = X[0].shape
    if len(shape) != 3 or shape[0] not in (1, 3) or min(shape[1:]) < 2:
        return [NO_IMAGE] * len(X)
    found = [jpeg_quality(facts_of(decoding).get("quality", "")) for decoding in decodings]
    changes = slight_changes(X, quality=[100 if q is None else q for q in found])
    flips = [[] for _ in X]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the samples themselves are shown
        for name, changed in changes.items():
            after = _verdicts(attributor, changed, levels, strata)
            for texts, before, verdict in zip(flips, verdicts, after, strict=True):
                if verdict not in (before, None):
                    texts.append(f"{name}: {verdict}")
    return ["; ".join(texts) or STABLE for texts in flips]


def _verdicts(attributor, X, levels, strata):
    """Verdicts of samples, None for those that are refused, as when compressed too strongly."""
    try:
        return score_columns(attributor, X, levels, strata)["verdict"]
    except ValueError:
        if len(X) == 1:
            return [None]
    rows = (slice(k, k + 1) for k in range(len(X)))
    of_rows = ((X[row], None if strata is None else strata[row]) for row in rows)
    return [_verdicts(attributor, x, levels, stratum)[0] for x, stratum in of_rows]
