"""The search for samples that were resized back and forth in an unknown way."""

from dataclasses import replace

import numpy as np
import torch

from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.reproduction.search.latent_search import search_latents
from sklearn_flipad.reproduction.search.records import UNDECIDED

__all__ = ["best_of", "nearer_of", "search_resizings"]

#: Resizings that are tried for each sample, and times that they are chosen. After
#: UnknownProcessing, all 48 own samples of dcgan-0 were reproduced in one round, and 10 without
#: any; the areas under the curve of copies with noise of 10 % rose from 0.75 and 0.67 to 1.00. With
#: one resizing 46 were reproduced. In unknown boxes, 43 of 48 own samples of lsgan-0 were, and 34
#: in one round (``python -m benchmarks constants``).
_N_LIKELY = 3
_N_ROUNDS = 2


def search_resizings(objective, metric, targets, records, plan, moves=()):
    """Go on with the search of undecided samples, before whose filter they are resized.

    A filter of 3x3 pixels is not quite what resizing does. The latents that it led to show which
    resizings are likely, and with the right one, the sample is reproduced. `records` of the search
    so far are replaced where latents are found that are nearer. A sample that came hardly nearer
    ends there. `moves` are changes of latents from which those that are still not reproduced are
    searched, too, with the resizing that is the best.
    """
    plan = replace(plan, bounds=(), has_floor=True)
    before = [np.inf] * len(records)
    for _ in range(_N_ROUNDS):
        rows = [
            k
            for k, record in enumerate(records)
            if record.outcome == UNDECIDED and record.distance < plan.options.nearer * before[k]
        ]
        before = [record.distance for record in records]
        latents, conditions = best_of(records, rows, targets)
        likely = _likely(objective, latents, conditions, targets[rows], plan.batch_size)
        starts = [(latents, column) for column in likely.T]
        _search_again(objective, metric, targets, records, rows, starts, plan)
        if len(moves):
            rows = [k for k in rows if records[k].outcome == UNDECIDED]
            latents, conditions = best_of(records, rows, targets)
            starts = [(latents + move, conditions) for move in moves] if rows else []
            _search_again(objective, metric, targets, records, rows, starts, plan)


def best_of(records, rows, targets):
    """Latents and conditions of some records."""
    latents = [records[k].latents for k in rows]
    conditions = torch.tensor(
        [records[k].condition for k in rows], dtype=torch.int64, device=targets.device
    )
    return torch.stack(latents) if rows else targets.new_zeros(0, 1), conditions


def _search_again(objective, metric, targets, records, rows, starts, plan):
    if not rows:
        return
    plan = replace(plan, n_restarts=len(starts) - 1, n_conditions=len(starts))
    found = search_latents(objective, metric, targets[rows], starts, plan)
    for k, record in zip(rows, found, strict=True):
        records[k] = nearer_of(records[k], record)


def _likely(objective, latents, conditions, targets, batch_size):
    """Conditions (n, n_likely) of samples, those with equally many resizings side by side."""
    counts = objective.n_resizings(conditions)
    found = conditions.new_empty(len(conditions), _N_LIKELY)
    for count in np.unique(counts):
        for rows in torch.from_numpy(np.flatnonzero(counts == count)).split(batch_size):
            parts = latents[rows], conditions[rows], targets[rows]
            found[rows] = in_lanes(
                lambda *parts: objective.likely_resizings(*parts, _N_LIKELY), len(rows), *parts
            )
    return found


def nearer_of(before, after):
    """The nearer of two records of a sample, with the trials of both."""
    best = after if after.distance < before.distance else before
    return replace(
        best,
        n_iter=before.n_iter + after.n_iter,
        n_starts=before.n_starts + after.n_starts,
        n_given_up=before.n_given_up + after.n_given_up,
    )
