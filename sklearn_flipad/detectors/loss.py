"""The DeepSAD loss, equation (6) of the paper."""

import torch
from torch import nn

from sklearn_flipad.detectors._distance import squared_distance

__all__ = ["DeepSADLoss"]


class DeepSADLoss(nn.Module):
    """Mean over a batch of ``d`` (unlabeled) and ``eta * d ** y`` (labeled).

    ``d`` is the squared distance of a representation to the center. The weight decay of
    equation (6) is the optimizer's.

    Parameters
    ----------
    eta : float, default=1
        Weight of labeled samples.
    eps : float, default=1e-6
        Added to ``d`` before it is raised to the power -1.

    Attributes
    ----------
    center : torch.Tensor, shape (rep_dim,)
        The center; set before training.

    References
    ----------
    Ruff et al., "Deep Semi-Supervised Anomaly Detection", ICLR 2020.
    """

    def __init__(self, eta=1.0, eps=1e-6):
        super().__init__()
        self.eta = eta
        self.eps = eps
        self.register_buffer("center", torch.zeros((), device="cpu"))

    def forward(self, representation, y):
        d = squared_distance(representation, self.center)
        labeled = self.eta * (d + self.eps) ** y
        return torch.where(y == 0, d, labeled).mean()
