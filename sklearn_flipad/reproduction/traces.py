"""How long a search of latents may take, and what becomes of it."""

from dataclasses import dataclass, field

import numpy as np
import torch

__all__ = ["REJECTED", "REPRODUCED", "UNDECIDED", "SearchOptions", "Trace"]

#: Ways to end.
REPRODUCED, REJECTED, UNDECIDED = "reproduced", "rejected", "undecided"


@dataclass(frozen=True)
class SearchOptions:
    """How long to search.

    Parameters
    ----------
    max_iter : int
        Trials of the quasi-Newton method from each start.
    n_newton : int
        Jacobians of the Gauss-Newton method in the end.
    checkpoints : tuple of int
        Numbers of trials after which a start may be given up.
    bounds : tuple of float, default=()
        Largest distances at the checkpoints, and at the end of the trials; no start is given up
        if empty.
    n_chances : int, default=2
        Starts that must be given up in vain before a sample is rejected.
    has_floor : bool, default=True
        Whether the distance of a sample that is reproduced is known. Otherwise the first round
        with a start that is not given up is the last one.
    batch_size : int, default=32
        Samples side by side.
    """

    max_iter: int
    n_newton: int
    checkpoints: tuple = ()
    bounds: tuple = ()
    n_chances: int = 2
    has_floor: bool = True
    batch_size: int = 32


@dataclass
class Trace:
    """The search of one sample, and how it ended.

    Attributes
    ----------
    latents : torch.Tensor, shape (n_features,)
        The best that were found.
    condition : int
        Number of their condition.
    distance : float
        Root mean square residual there.
    outcome : str
        ``"reproduced"``, ``"rejected"`` or ``"undecided"``.
    n_iter : int
        Trials and Jacobians, of all starts.
    n_starts : int
        Starts that were used.
    n_given_up : int
        Starts that were given up.
    n_in_vain : int
        Those of them that came hardly nearer than the rounds before.
    is_confirmed : bool
        Whether another start came back to the best latents, which are a minimum then.
    path : list of float
        Distances from the first start, at the checkpoints that it reached and where its trials
        ended.
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
