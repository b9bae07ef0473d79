"""The search from an encoder's guess."""

from dataclasses import replace

import numpy as np
import torch

from sklearn_flipad.reproduction.search.bounds import learn_bounds, warn_if_not_reproduced
from sklearn_flipad.reproduction.search.latent_search import search_latents
from sklearn_flipad.reproduction.search.objective import Objective
from sklearn_flipad.reproduction.search.reasons import found_reason
from sklearn_flipad.reproduction.search.records import REPRODUCED, Found
from sklearn_flipad.reproduction.search.starts import Starts

__all__ = ["GuidedSearch"]


class GuidedSearch:
    """A search from an encoder's guess, and from further starts where that does not decide."""

    def __init__(self, process, encoder, metric, plan, random_state):
        self.process, self.encoder, self.metric, self.plan = process, encoder, metric, plan
        self.random_state = random_state
        self.objective = Objective.of(process)
        self.starts = Starts(process, encoder, metric, plan, self.objective.make, random_state)

    def learned_bounds(self, X):
        """Bounds learned from the generator's own samples; a warning if many are not reproduced."""
        records = self._records(X)
        warn_if_not_reproduced(records, self.plan, lambda: self._reason(X, records))
        return learn_bounds(records, self.plan)

    def find(self, X):
        """The best latents of samples, as :class:`Found`."""
        records = self._records(X)
        return Found(
            torch.stack([record.latents for record in records]),
            torch.tensor([record.condition for record in records], device=self.process.device),
            np.array([record.distance for record in records]),
            np.array([record.outcome for record in records]),
            np.array([record.n_iter for record in records]),
        )

    def again(self, process, X, n_restarts):
        """The best latents of samples for another process, from so many further starts at most."""
        plan = replace(self.plan, bounds=(), n_restarts=min(self.plan.n_restarts, n_restarts))
        return GuidedSearch(process, self.encoder, self.metric, plan, self.random_state).find(X)

    def _reason(self, X, records):
        missed = [k for k, record in enumerate(records) if record.outcome != REPRODUCED]
        return found_reason(self, X[missed], np.array([records[k].distance for k in missed]))

    def _records(self, X):
        targets = self.process.targets(X)
        with self.process.running():
            starts = self.starts.of(targets)
            return search_latents(self.objective, self.metric, targets, starts, self.plan)
