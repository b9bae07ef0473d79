"""The noise of a generator as further unknowns of the search."""

import numpy as np
import torch

from sklearn_flipad.base.lanes import LANES
from sklearn_flipad.base.randomness import Purpose, separate_stream
from sklearn_flipad.reproduction.search.objective import Objective

__all__ = ["MetricWithNoise", "objective_and_metric", "with_noise"]

#: Step of the differences by which curvatures are measured, in deviations.
_STEP = 1e-2


class MetricWithNoise:
    """A metric of latents, and of noise in coordinates that change samples about as much.

    `scale` holds the deviations of latents and noise; `factors` are those of the coordinates of
    the noise, shape (n_values,). There is no `matrix` of so many unknowns.
    """

    matrix = None

    def __init__(self, metric, factors):
        self.metric, self.factors = metric, factors
        self.n_features = len(metric.scale)
        self.scale = np.concatenate([metric.scale, np.ones(len(factors))])

    @classmethod
    def estimate(cls, metric, process, objective, random_state):
        """The metric, with factors measured for each draw of the noise of random samples."""
        rng = separate_stream(random_state, Purpose.METRIC)
        ((latents, conditions),) = process.draw_latents(LANES, rng)
        rows = with_noise(latents, process, rng)
        targets = objective.make(rows, conditions).detach()

        def curvature(change):
            moved = objective.residuals(rows + change, conditions, targets)
            still = objective.residuals(rows, conditions, targets)
            # A sum over residuals that were divided by their number, for each unknown that moved.
            return float((moved - still).square().mean(dim=1).sum() / change.square().sum())

        def step(columns, scale):
            change = torch.zeros_like(rows)
            drawn = rng.standard_normal((len(rows), columns.stop - columns.start))
            change[:, columns] = _STEP * scale * torch.from_numpy(drawn).to(rows)
            return change

        with torch.no_grad():
            n_features = latents.shape[1]
            of_latents = 1.0
            if metric.matrix is None:
                scale = torch.from_numpy(metric.scale).to(rows)
                of_latents = curvature(step(slice(0, n_features), scale))
            factors, start = [], n_features
            for size in process.noise.sizes:
                found = curvature(step(slice(start, start + size), 1.0))
                factors.append(np.full(size, np.sqrt(max(found / of_latents, 1e-12))))
                start += size
        return cls(metric, np.concatenate(factors))

    def to_coordinates(self, latents):
        """Coordinates of latents and noise, shape (n, n_features + n_values)."""
        return self._parts(latents, self.metric.to_coordinates, self._factors(latents))

    def to_latents(self, coordinates):
        """Latents and noise of coordinates, shape (n, n_features + n_values)."""
        return self._parts(coordinates, self.metric.to_latents, 1 / self._factors(coordinates))

    def gradients(self, gradients):
        """Gradients by coordinates, of gradients by latents and noise."""
        return self._parts(gradients, self.metric.gradients, 1 / self._factors(gradients))

    def _factors(self, like):
        return torch.from_numpy(self.factors).to(like)

    def _parts(self, rows, of_latents, factors):
        latents, noise = rows[:, : self.n_features], rows[:, self.n_features :]
        return torch.cat([of_latents(latents), noise * factors], dim=1)


def objective_and_metric(process, metric, random_state):
    """The objective of latents that come :func:`with_noise`, and the metric for them."""
    objective = Objective.of(process, searches_noise=True)
    if process.noise is None:
        return objective, metric
    with process.running():
        return objective, MetricWithNoise.estimate(metric, process, objective, random_state)


def with_noise(latents, process, rng=None):
    """Latents with noise, drawn or 0, as further columns, if the process's generator draws it."""
    if process.noise is None:
        return latents
    shape = len(latents), process.noise.n_values
    if rng is None:
        return torch.cat([latents, latents.new_zeros(shape)], dim=1)
    return torch.cat([latents, torch.from_numpy(rng.standard_normal(shape)).to(latents)], dim=1)
