"""Fixed points by Anderson acceleration."""

import numpy as np
import torch

#: Differences of iterates that are combined. With DDIM of 20 steps, 3 of 13 images converged, and
#: all took 216 runs of the network on average; with 0, plain iteration, none, in 310 runs; with 2
#: and 10, 3 in 223 and 232 (``python -m benchmarks constants``).
_MEMORY = 5
#: Directions of differences with a smaller share of the largest one are left out.
_RCOND = 1e-10


class AndersonAcceleration:
    """Iterates of a fixed-point equation ``x = x + f(x)`` of one sample.

    Each new one is the map's value at that combination of the last iterates whose increment is
    smallest, to first order; see Walker and Ni, SIAM Journal on Numerical Analysis 2011.
    """

    def __init__(self):
        self._states, self._increments = [], []

    def advance(self, state, increment):
        """Next iterate, by a state and the increment that the map adds to it."""
        moved = state + increment
        self._states.append(moved)
        self._increments.append(increment)
        self._states = self._states[-_MEMORY - 1 :]
        self._increments = self._increments[-_MEMORY - 1 :]
        if len(self._states) == 1:
            return moved
        weights = self._weights()
        older = zip(weights, self._states, self._states[1:], strict=False)
        return moved - sum(w * (after - before) for w, before, after in older)

    def _weights(self):
        f = torch.stack([part.double().flatten() for part in self._increments])
        differences = f[1:] - f[:-1]
        gram = (differences @ differences.T).cpu().numpy()
        correlations = (differences @ f[-1]).cpu().numpy()
        return np.linalg.lstsq(gram, correlations, rcond=_RCOND)[0].tolist()
