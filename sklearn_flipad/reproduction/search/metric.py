"""Coordinates for the search of latents."""

import numpy as np
import torch

from sklearn_flipad.base.lanes import in_lanes
from sklearn_flipad.reproduction.search.gauss_newton import jacobian
from sklearn_flipad.reproduction.search.objective import Objective

__all__ = ["MAX_DENSE", "LatentMetric", "deviations"]

#: Added to the mean metric, as a part of its mean diagonal: single samples differ from it.
_RIDGE = 0.1
#: Latents from which their deviations are taken, and samples over which the metric is averaged.
_N_LATENTS, _N_SAMPLES = 512, 32
#: Largest number of latents for methods that need a matrix of them.
MAX_DENSE = 512


def deviations(latents):
    """Standard deviations of latents, shape (n_features,); of a constant one, its absolute mean."""
    scale = latents.std(dim=0)
    return torch.where(scale > 0, scale, latents.abs().mean(dim=0).clamp_min(1e-6))


class LatentMetric:
    """Coordinates in which a generator changes its samples about equally in all directions.

    `matrix`, shape (n_features, n_features), is the mean of J J^T over samples, with J the
    derivatives of the residuals by the latents; None leaves the latents as they are. `scale`,
    shape (n_features,), holds the deviations of the latents.
    """

    def __init__(self, matrix, scale):
        self.matrix = matrix
        self.scale = scale
        self._forward = self._backward = None
        if matrix is not None:
            ridge = _RIDGE * matrix.diagonal().mean()
            self._forward = np.linalg.cholesky(matrix + ridge * np.eye(len(matrix)))
            self._backward = np.linalg.inv(self._forward)

    @classmethod
    def estimate(cls, process, latents, conditions, targets, scale):
        """The metric, averaged over the first of the samples that a process made of latents."""
        n_features = latents.shape[1]
        if n_features > MAX_DENSE:
            return cls(None, scale.double().cpu().numpy())
        total = torch.zeros(n_features, n_features, dtype=torch.float64, device="cpu")
        n, objective = min(len(latents), _N_SAMPLES), Objective.of(process)
        with process.running():
            for row in range(n):
                rows = slice(row, row + 1)
                _, derivatives = jacobian(
                    objective, latents[rows], conditions[rows], targets[rows], scale
                )
                total += (derivatives @ derivatives.T).double().cpu() / derivatives.shape[1]
        matrix = (total / n).numpy()
        if not (np.isfinite(matrix).all() and matrix.diagonal().mean() > 0):
            matrix = None
        return cls(matrix, scale.double().cpu().numpy())

    @classmethod
    def from_draws(cls, process, random_state, *, searched=True):
        """The metric of newly drawn latents; deviations alone if nothing is `searched`."""
        parts = process.draw_latents(_N_LATENTS, random_state)
        latents, conditions = (torch.cat(column) for column in zip(*parts, strict=True))
        scale = deviations(latents)
        if not searched or latents.shape[1] > MAX_DENSE:  # no sample has to be generated
            return cls(None, scale.double().cpu().numpy())
        latents, conditions = latents[:_N_SAMPLES], conditions[:_N_SAMPLES]
        targets = process.targets(process.processed(latents, conditions))
        return cls.estimate(process, latents, conditions, targets, scale)

    def to_coordinates(self, latents):
        """Coordinates of latents, shape (n, n_features)."""
        return self._times(latents, self._forward)

    def to_latents(self, coordinates):
        """Latents of coordinates, shape (n, n_features)."""
        return self._times(coordinates, self._backward)

    def gradients(self, gradients):
        """Gradients by coordinates, of gradients by latents, shape (n, n_features)."""
        return self._times(gradients, None if self._backward is None else self._backward.T)

    @staticmethod
    def _times(rows, matrix):
        if matrix is None:
            return rows
        matrix = torch.from_numpy(matrix).to(rows)
        return in_lanes(lambda rows: rows @ matrix, len(rows), rows)
