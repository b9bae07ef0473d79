"""Results of a search: reconstructions, distances and outcomes."""

import numpy as np
import torch

from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.reproduction.result import ReconstructionResult
from sklearn_flipad.reproduction.search.objective import Objective
from sklearn_flipad.reproduction.search.records import REPRODUCED, UNDECIDED

__all__ = ["judged"]


def judged(X, found, process, distance=None):
    """The :class:`ReconstructionResult` of samples and the latents found for them.

    `distance` judges a sample and its reconstruction; None is the root mean square difference.
    """
    latents, conditions, distances, outcomes, n_iter = found
    n_features = process.space.n_features
    has_noise = latents.shape[1] > n_features
    objective = Objective.of(process, searches_noise=has_noise)
    levels = X.dtype == np.uint8
    x = X.reshape(-1, *process.sample_shape)
    reconstructions = process.raw(latents, conditions)
    if levels:
        reconstructions = process.processing.apply(reconstructions)
    if distance is not None:
        distances = _distances(x, reconstructions, process, distance)
    elif not process.processing.exact:
        difference = x.astype(np.float64) - reconstructions
        squares = np.square(difference).reshape(len(x), -1).mean(axis=1)
        penalty = objective.penalty(latents, process.targets(X)).double().cpu().numpy()
        distances = np.sqrt(squares + penalty)
    if distance is not None:
        outcomes = np.where(outcomes == REPRODUCED, UNDECIDED, outcomes)
    elif not process.processing.exact:
        floors = objective.floor(process.targets(X)).cpu().numpy()
        outcomes = np.where(distances <= floors, REPRODUCED, outcomes)
    equal = np.full(len(x), np.nan)
    if levels:
        equal = (x == reconstructions).reshape(len(x), -1).mean(axis=1)
    return ReconstructionResult(
        latents=latents[:, :n_features].float().cpu().numpy().reshape(-1, *process.space.shape),
        conditions=conditions.cpu().numpy(),
        reconstructions=reconstructions,
        distances=distances,
        reproduced=outcomes == REPRODUCED,
        outcomes=outcomes,
        equal=equal,
        n_iter=n_iter,
    )


def _distances(x, reconstructions, process, distance):
    """The user's distances, shape (n,), on the generator's scale."""
    pairs = (process.targets(part) for part in (x, reconstructions))

    def judge(x, reconstruction):
        return distance(x, reconstruction).reshape(len(x))

    with torch.no_grad():
        return in_lanes(judge, len(x), *pairs).double().cpu().numpy()
