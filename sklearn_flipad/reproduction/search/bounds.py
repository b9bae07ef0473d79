"""Distances that starts from which own samples are reproduced stay below."""

import warnings

import numpy as np

from sklearn_flipad.base.messages import Message
from sklearn_flipad.reproduction.search.records import REPRODUCED

__all__ = ["learn_bounds", "warn_if_not_reproduced"]

#: Share of own samples that should be reproduced.
_EXPECTED = 0.9


def learn_bounds(records, plan):
    """Largest distances at the plan's checkpoints and at the end of the trials, of own samples.

    Empty if too few of them are reproduced from their first start.
    """
    options = plan.options
    if plan.has_floor:
        paths = [r.path for r in records if r.n_starts == 1 and r.outcome == REPRODUCED]
    else:
        limit = options.typical * np.median([record.distance for record in records])
        paths = [record.path for record in records if record.distance <= limit]
    n = len(plan.checkpoints)
    if not n or len(paths) < options.min_successful:
        return ()
    # A start that ends before a checkpoint would be no farther there.
    filled = [path[:-1] + path[-1:] * (n - len(path[:-1])) for path in paths]
    usual = np.quantile(filled, options.quantile, axis=0)
    return (*(options.margin * usual).tolist(), float(options.end_margin * usual[-1]))


def warn_if_not_reproduced(records, plan, find_reason):
    """Warn if many of the model's own samples are not reproduced, and say why.

    `find_reason` is called without arguments for the reason, or the usual ones.
    """
    share = np.mean([record.outcome == REPRODUCED for record in records])
    if not plan.max_iter or not plan.has_floor or share >= _EXPECTED:
        return
    typical = np.median([record.distance for record in records])
    warnings.warn(
        Message(
            f"Only {share:.0%} of the model's own samples are reproduced, the median distance "
            f"is {typical:.3g}. ",
            find_reason(),
            " The verdicts hold, but say less.",
        ),
        UserWarning,
        stacklevel=6,
    )
