"""The course of a search, and its result."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

__all__ = ["REJECTED", "REPRODUCED", "UNDECIDED", "Found", "SearchRecord"]

#: Outcomes.
REPRODUCED, REJECTED, UNDECIDED = "reproduced", "rejected", "undecided"


@dataclass
class SearchRecord:
    """The course of the search of one sample.

    `latents`, shape (n_features,), `condition` and `distance`, the root mean square residual, are
    the best so far. `n_iter` counts trials and Jacobians of all starts; of the `n_starts` used,
    `n_given_up` were given up, and `n_in_vain` of these came hardly nearer than the rounds before.
    `is_confirmed` if another start came back to the best latents, which are a minimum then. `path`
    holds the distances from the first start, at the checkpoints that it reached and where its
    trials ended.
    """

    latents: torch.Tensor
    condition: int
    distance: float = np.inf
    outcome: str = UNDECIDED
    n_iter: int = 0
    n_starts: int = 0
    n_given_up: int = 0
    n_in_vain: int = 0
    is_confirmed: bool = False
    path: list = field(default_factory=list)


class Found(NamedTuple):
    """Latents (n, n_features), conditions, distances, outcomes and numbers of trials (n,)."""

    latents: torch.Tensor
    conditions: torch.Tensor
    distances: np.ndarray
    outcomes: np.ndarray
    n_iter: np.ndarray

    @classmethod
    def of(cls, records, device):
        """The results of searches of which these are the records."""
        return cls(
            torch.stack([record.latents for record in records]),
            torch.tensor([record.condition for record in records], device=device),
            np.array([record.distance for record in records]),
            np.array([record.outcome for record in records]),
            np.array([record.n_iter for record in records]),
        )
