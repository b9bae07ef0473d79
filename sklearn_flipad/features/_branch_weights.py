"""Weights of the branches of a final layer in the penalty."""

from functools import lru_cache
from math import prod

import numpy as np
import torch

__all__ = ["branch_weights"]

#: Random outputs whose adjoints the sizes of columns are estimated from.
_N_PROBES = 32


def branch_weights(layer, rule):
    """One positive factor of the penalty per branch, by a rule's name or as given.

    ValueError if there is not one positive, finite number per branch.
    """
    n_branches = len(layer.branch_shapes)
    if isinstance(rule, str):
        if rule == "equal" or n_branches == 1:
            return (1.0,) * n_branches
        return _column_sizes(layer)
    weights = np.asarray(rule, dtype=np.float64)
    if weights.shape != (n_branches,) or not ((weights > 0) & np.isfinite(weights)).all():
        raise ValueError(
            f"branch_weights must be one positive, finite number for each of the {n_branches} "
            f"branches of the final layer, whose activations have the shapes "
            f"{', '.join(map(str, layer.branch_shapes))}; got {rule}."
        )
    return tuple(map(float, weights))


@lru_cache(maxsize=8)
def _column_sizes(layer):
    """Root mean square norms of the branches' columns, relative to the branch of most inputs."""
    operator, shapes = layer.operator(dtype=torch.float64), layer.branch_shapes
    sizes = np.array([prod(shape) for shape in shapes])
    n = operator.n_outputs
    if n <= _N_PROBES:
        probes = torch.eye(n, dtype=torch.float64, device="cpu")
    else:
        # Random signs: the mean of ||G^T r||² is the sum of the squared norms of the columns.
        signs = torch.randint(
            2, (_N_PROBES, n), generator=torch.Generator("cpu").manual_seed(0), device="cpu"
        )
        probes = (2 * signs - 1).double() / _N_PROBES**0.5
    squares = np.zeros(len(shapes))
    for probe in probes:
        columns = operator.adjoint(probe.reshape(1, *operator.output_shape))
        squares += [float(part.square().sum()) for part in layer.split(columns)]
    norms = np.sqrt(squares / sizes)
    # Few digits, so that they are the same on any machine.
    return tuple(float(f"{norm:.2g}") for norm in norms / norms[sizes.argmax()])
