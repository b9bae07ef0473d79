"""The search of SM-Inv in the paper: from several random starts, to the end (Appendix E)."""

import torch

from sklearn_flipad.base.lanes import LANES, column
from sklearn_flipad.reproduction.lbfgs import BatchedLBFGS

__all__ = ["search_from_starts"]

#: Relative improvement of the distance that counts as one.
_IMPROVEMENT = 1e-3


def search_from_starts(
    generate, distance, latents, conditions, targets, *, optimizer, max_iter, lr, patience
):
    """The best latents of each sample, over all starts and all iterates.

    Parameters
    ----------
    generate : callable
        ``generate(latents, conditions)``.
    distance : callable
        ``distance(x, reconstruction)``, a tensor of shape ``(n,)``.
    latents : torch.Tensor, shape (n_starts, n_features)
        Starting points, the same for each sample.
    conditions : torch.Tensor of int64, shape (n_starts,)
        Their conditions.
    targets : torch.Tensor, shape (n, *sample_shape)
        The samples.
    optimizer : {"adam", "lbfgs"}
        Adam on the distance, or L-BFGS on its square.
    max_iter : int
        Largest number of gradients.
    lr : float
        Learning rate of Adam.
    patience : int
        A sample is finished when so many steps did not improve its distance by a thousandth.

    Returns
    -------
    latents : torch.Tensor, shape (n, n_features)
    conditions : torch.Tensor of int64, shape (n,)
    distances : torch.Tensor, shape (n,)
    n_iter : torch.Tensor of int64, shape (n,)
        Gradients until the sample was finished.
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
