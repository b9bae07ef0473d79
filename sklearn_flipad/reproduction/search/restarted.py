"""The paper's search: from several random starts, to the end (Appendix E)."""

import numpy as np
import torch

from sklearn_flipad.base.lanes import LANES, column
from sklearn_flipad.reproduction.search.distances import euclidean_distance
from sklearn_flipad.reproduction.search.lbfgs import BatchedLBFGS
from sklearn_flipad.reproduction.search.objective import Objective
from sklearn_flipad.reproduction.search.records import REPRODUCED, UNDECIDED, Found
from sklearn_flipad.reproduction.search.starts import draw_starts

__all__ = ["RestartedSearch"]

#: Relative improvement of the distance that counts as one.
_IMPROVEMENT = 1e-3


class RestartedSearch:
    """The search from random starts, the same for each sample, all of which are used.

    `distance`, a function of samples and reconstructions, is minimized; None is the Euclidean one.
    `descent` holds the optimizer, ``"adam"`` or ``"lbfgs"``, and `max_iter`, `lr` and `patience`.
    """

    def __init__(self, process, distance, *, n_starts, batch_size, random_state, **descent):
        if not process.has_gradients:
            raise ValueError(
                "The generator's samples have no gradients with respect to its latents: it runs "
                "without them, or rounds its output. Remove that from its forward; or use "
                "ReproductionDetector, whose search can do without gradients."
            )
        self.process, self.distance = process, distance
        self.batch_size, self.descent = batch_size, descent
        self.objective = Objective.of(process)
        self.starts = draw_starts(process, n_starts, random_state)

    def find(self, X):
        """The best latents of samples, as :class:`Found`."""
        targets = self.process.targets(X)
        parts = [
            _descend(
                self.process.generate,
                euclidean_distance if self.distance is None else self.distance,
                *self.starts,
                part,
                **self.descent,
            )
            for part in targets.split(self.batch_size)
        ]
        latents, conditions, distances, n_iter = (
            torch.cat(column) for column in zip(*parts, strict=True)
        )
        distances = distances.double().cpu().numpy()
        outcomes = np.full(len(X), UNDECIDED)
        if self.distance is None:
            # Over the number of elements, as in the paper, to a root mean square.
            distances = distances * np.sqrt(targets[0].numel()) / self.process.unit
            floors = self.objective.floor(targets).cpu().numpy()
            outcomes = np.where(distances <= floors, REPRODUCED, UNDECIDED)
        return Found(latents, conditions, distances, outcomes, n_iter.cpu().numpy())


def _descend(
    generate, distance, latents, conditions, targets, *, optimizer, max_iter, lr, patience
):
    """The best latents of each target, over all starts and iterates.

    Returns latents (n, n_features), and conditions, distances and numbers of gradients (n,). Starts
    are latents (n_starts, n_features) with conditions (n_starts,), the same for each target. Adam
    works on the distance, L-BFGS on its square. A sample is finished when `patience` steps did not
    improve its distance by a thousandth.
    """
    n, n_starts = len(targets), len(latents)
    # Whole lanes: networks take other code paths for a few odd rows.
    missing = -n % LANES
    targets = torch.cat([targets, targets[-1:].repeat(missing, *[1] * (targets.ndim - 1))])
    n_lanes = len(targets)
    x = targets.repeat_interleave(n_starts, dim=0)
    z = latents.repeat(n_lanes, 1).requires_grad_(True)
    all_conditions = conditions.repeat(n_lanes)
    steps = _Adam(z, lr) if optimizer == "adam" else BatchedLBFGS(z.detach())
    best = x.new_full((n_lanes,), torch.inf)
    best_z = z.detach()[::n_starts].clone()
    best_start = torch.zeros(n_lanes, dtype=torch.int64, device=x.device)
    reference, since = best.clone(), torch.zeros_like(best)
    n_iter = torch.zeros_like(best_start)
    first_rows = torch.arange(n_lanes, device=x.device) * n_starts
    for _ in range(max_iter + 1):
        with torch.enable_grad():
            distances = distance(x, generate(z, all_conditions))
            total = distances.sum()
        least, start = distances.detach().reshape(-1, n_starts).min(dim=1)
        better = (since < patience) & (least < best)  # a finished sample stays
        best = torch.where(better, least, best)
        best_z[better] = z.detach()[(first_rows + start)[better]]
        best_start = torch.where(better, start, best_start)
        progress = best < reference * (1 - _IMPROVEMENT)
        reference = torch.where(progress, best, reference)
        since = torch.where(progress, 0, since + 1)
        n_iter += since < patience
        if not (since < patience).any():
            break
        # With respect to z alone, so that no network gathers gradients.
        (gradients,) = torch.autograd.grad(total, z)
        if optimizer == "lbfgs":  # squared, the distance is smooth at 0
            distances = distances.detach()
            gradients = 2 * column(distances, gradients) * gradients
            distances = distances.square()
        steps.step(distances, gradients)
    return best_z[:n], conditions[best_start[:n]], best[:n], n_iter[:n]


class _Adam:
    """Adam with the interface of :class:`BatchedLBFGS`."""

    def __init__(self, z, lr):
        self.z = z
        self.adam = torch.optim.Adam([z], lr=lr)

    def step(self, values, gradients):
        self.z.grad = gradients
        self.adam.step()
