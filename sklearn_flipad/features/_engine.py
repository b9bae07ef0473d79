"""Final-layer inversion batch by batch, independent of the estimator."""

import threading
from collections import OrderedDict
from math import prod

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.lanes import lanes_for
from sklearn_flipad.base.parallel import in_batches
from sklearn_flipad.base.progress import progress
from sklearn_flipad.operators import ChainOperator, ScaleOperator
from sklearn_flipad.solvers import LassoProblem

__all__ = [
    "auto_batch_size",
    "invert_batches",
    "pool",
    "pooled_shape",
    "prepared",
    "weighted_operator",
]

_MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
#: Activations in one batch for ``batch_size="auto"``: a few buffers of this size fit
#: into the cache of a CPU core and keep a GPU busy.
_AUTO_ELEMENTS = 2**21
#: More for rows: threads share a batch, and operations must be large enough to be worth a call.
_AUTO_ELEMENTS_OF_ROWS, _AUTO_ROWS = 2**23, 16_384
#: Layers whose solver states are kept; each takes up to some ten megabytes.
_MAX_STATES = 8
_STATES = OrderedDict()
_LOCK = threading.RLock()


def weighted_operator(layer, device, weights):
    """Linear map of a layer in activations that all have the same penalty, and their factors.

    A penalty times a branch's weight is the penalty of activations that are so many times larger,
    with columns so many times smaller. The factors turn them into the layer's activations.
    """
    operator = layer.operator(device)
    if set(weights) == {1.0}:
        return operator, torch.ones((), device=device)
    sizes = [prod(shape) for shape in layer.branch_shapes]
    factors = torch.tensor(weights, dtype=torch.float64, device="cpu").reciprocal()
    factors = factors.repeat_interleave(torch.tensor(sizes, device="cpu")).to(operator.weight)
    factors = factors.reshape(layer.input_shape)
    return ChainOperator([ScaleOperator(factors, layer.input_shape), operator]), factors


def prepared(solver, operator, layer, weights, *, verbose=0):
    """Keyword ``state`` for the solver's ``solve``, computed once per layer, weights and device.

    Empty for solvers without ``prepare``; not kept for solvers that are not hashable.
    """
    if not hasattr(solver, "prepare"):
        return {}
    # The solver itself, not its hash or id, which another solver may have once it is gone.
    key = (solver, layer.fingerprint, str(operator.device), weights)
    try:
        hash(key)
    except TypeError:
        return {"state": _prepare(solver, operator, verbose)}
    # Held while a state is built, so that two threads do not build the same one.
    with _LOCK:
        if key not in _STATES:
            _STATES[key] = _prepare(solver, operator, verbose)
        _STATES.move_to_end(key)
        while len(_STATES) > _MAX_STATES:
            _STATES.popitem(last=False)
        return {"state": _STATES[key]}


def _prepare(solver, operator, verbose):
    with progress(1, "preparing the inversion", verbose=verbose) as bar:
        state = solver.prepare(operator)
        bar.update()
    return state


def auto_batch_size(layer):
    """Number of samples that are solved together by default."""
    n_elements = _AUTO_ELEMENTS_OF_ROWS if _is_of_rows(layer) else _AUTO_ELEMENTS
    n_inputs = int(np.prod(layer.input_shape))
    lanes = lanes_for(n_inputs)  # a part of one would cost as much as all of it
    return min(max(n_elements // n_inputs // lanes, 1) * lanes, _AUTO_ROWS)


def _is_of_rows(layer):
    return len(layer.output_shape) == 1


def invert_batches(
    layer, X, lams, *, weights, solver, tol, max_iter, clip_eps, batch_size, device, verbose=0
):
    """Yield rows, activations (n_batch, *input_shape) and LassoResult by batch and penalty.

    Each penalty of `lams` starts from the solution of the one before.
    """
    operator, factors = weighted_operator(layer, device, weights)
    state = prepared(solver, operator, layer, weights, verbose=verbose)
    mean = torch.from_numpy(layer.mean_activation.astype(np.float32)).to(device)

    def solve(rows):
        x = from_gray_levels(torch.from_numpy(X[rows]), layer.output_range).to(device)
        b = layer.shifted_target(x, clip_eps=clip_eps).float()
        solved, start = [], None
        for lam in lams:
            problem = LassoProblem(operator, b, float(lam))
            problem.check_targets(rows.start)
            result = solver.solve(problem, start=start, tol=tol, max_iter=max_iter, **state)
            start = result.z
            solved.append((rows, result.z * factors + mean, result))
        return solved

    with progress(len(X), "inverting", verbose=verbose) as bar:
        lanes = lanes_for(operator.n_inputs)
        options = {"batch_size": batch_size, "lanes": lanes, "device": device}
        # Threads that wait passively lose a quarter of the time where they share operations.
        batches = in_batches(solve, len(X), apart=True, **options)
        for solved in batches:
            yield from solved
            rows = solved[0][0]
            bar.update(rows.stop - rows.start)


def pooled_shape(shape, pool_size):
    """Shape of activations after max-pooling; unchanged for a `pool_size` of None."""
    if pool_size is None:
        return shape
    if len(shape) - 1 not in _MAX_POOL:
        raise ValueError(
            f"pool_size={pool_size} needs activations with spatial axes, but those "
            f"of this layer have shape {shape}. Pass pool_size=None."
        )
    pooled = tuple(side // pool_size for side in shape[1:])
    if min(pooled) < 1:
        raise ValueError(f"pool_size={pool_size} is larger than the activations of shape {shape}.")
    return (shape[0], *pooled)


def pool(activations, pool_size):
    """Max-pooled activations as an ndarray of float32."""
    if pool_size is not None:
        activations = _MAX_POOL[activations.ndim - 2](activations, pool_size)
    return activations.cpu().numpy()
