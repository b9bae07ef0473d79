"""Warnings about inversions that did not converge."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

__all__ = ["warn_unconverged"]

#: Ratio of the rows' norms beyond which a layer of a table is ill-scaled.
_UNEVEN = 1e3


def warn_unconverged(gap, tol, max_iter, layer):
    """Warn once of all inversions whose relative duality gap, of any shape, exceeds `tol`."""
    missed = ~(gap <= tol)
    if missed.any():
        warnings.warn(
            f"{missed.sum()} of {gap.size} inversions missed tol={tol:g} after "
            f"max_iter={max_iter} iterations; the largest relative duality gap is "
            f"{np.max(gap):.2g}. {_remedy(layer)}",
            ConvergenceWarning,
            stacklevel=3,
        )


def _remedy(layer):
    if layer.output_scale is None and [link.kind for link in layer.links] == ["linear"]:
        norms = np.linalg.norm(layer.links[0].weight.astype(np.float64), axis=1)
        norms = norms[norms > 0]
        if norms.max() > _UNEVEN * norms.min():
            return (
                f"The columns of the layer's output differ in size by a factor of "
                f"{norms.max() / norms.min():.1g}, so the smaller ones do not count: build "
                "the layer with output_scale=, the deviation of each column, as "
                "from_generator does."
            )
    return "Raise max_iter or tol."
