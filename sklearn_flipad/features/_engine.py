"""Inverting samples batch by batch, outside of any estimator."""

import threading
import time
from collections import OrderedDict
from math import prod

import numpy as np
import torch
from torch.nn import functional as F
from tqdm.auto import tqdm

from sklearn_flipad.base.lanes import lanes_for
from sklearn_flipad.base.parallel import in_batches
from sklearn_flipad.base.samples import from_gray_levels
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
#: Of rows, more: threads share a batch, and each operation must be worth the call.
_AUTO_ELEMENTS_OF_ROWS, _AUTO_ROWS = 2**23, 16_384
#: Layers whose solver states are kept; each takes up to some ten megabytes.
_MAX_STATES = 8
_STATES = OrderedDict()
_LOCK = threading.RLock()


def weighted_operator(layer, device, weights):
    """The linear map of a layer in activations that have all the same penalty.

    The penalty of each branch times its weight is that of activations which are so many times
    as large, and their columns so many times smaller.

    Parameters
    ----------
    layer : FinalLayer
        The final layer.
    device : torch.device
        Where to compute.
    weights : tuple of float
        One per branch, see :class:`~sklearn_flipad.FinalLayerInverter`.

    Returns
    -------
    operator : LinearOperator
    factors : torch.Tensor
        What its inputs are multiplied by; they broadcast over one activation.
    """
    operator = layer.operator(device)
    if set(weights) == {1.0}:
        return operator, torch.ones((), device=device)
    sizes = [prod(shape) for shape in layer.branch_shapes]
    factors = torch.tensor(weights, dtype=torch.float64).reciprocal()
    factors = factors.repeat_interleave(torch.tensor(sizes)).to(operator.weight)
    factors = factors.reshape(layer.input_shape)
    return ChainOperator([ScaleOperator(factors, layer.input_shape), operator]), factors


def prepared(solver, operator, layer, weights):
    """What a solver computes of a layer alone, once for both, the weights and the device.

    Parameters
    ----------
    solver : solver
        Solver; without a method ``prepare``, or where it is not hashable, nothing is kept.
    operator : LinearOperator
        The linear map, from :func:`weighted_operator`.
    layer : FinalLayer
        The final layer that it is of.
    weights : tuple of float
        The weights that it was made with.

    Returns
    -------
    dict
        ``{"state": state}`` for the solver's ``solve``, or nothing.
    """
    if not hasattr(solver, "prepare"):
        return {}
    # The solver itself, not its hash: an address can be another's once its owner is gone.
    key = (solver, layer.fingerprint, str(operator.device), weights)
    try:
        hash(key)
    except TypeError:
        return {"state": solver.prepare(operator)}
    # Held while a state is built, so that of two threads one builds it and one waits.
    with _LOCK:
        if key not in _STATES:
            _STATES[key] = solver.prepare(operator)
        _STATES.move_to_end(key)
        while len(_STATES) > _MAX_STATES:
            _STATES.popitem(last=False)
        return {"state": _STATES[key]}


def auto_batch_size(layer):
    """Samples that are solved together unless told otherwise."""
    n_elements = _AUTO_ELEMENTS_OF_ROWS if _is_of_rows(layer) else _AUTO_ELEMENTS
    n_inputs = int(np.prod(layer.input_shape))
    lanes = lanes_for(n_inputs)  # a part of one would cost as much as all of it
    return min(max(n_elements // n_inputs // lanes, 1) * lanes, _AUTO_ROWS)


def _is_of_rows(layer):
    return len(layer.output_shape) == 1


def invert_batches(
    layer, X, lams, *, weights, solver, tol, max_iter, clip_eps, batch_size, device, verbose=0
):
    """Yield the solutions of samples, batch by batch.

    Parameters
    ----------
    layer : FinalLayer
        The final layer.
    X : ndarray, shape (n, *output_shape)
        Checked samples.
    lams : sequence of float
        Penalties; each is warm-started from the one before.
    weights : tuple of float
        Of the penalty in each branch, see :func:`weighted_operator`.
    solver : solver
        Solves the batches.
    tol, max_iter, clip_eps, batch_size, device, verbose
        See :class:`~sklearn_flipad.FinalLayerInverter`.

    Yields
    ------
    rows : slice
        Rows of X.
    activations : torch.Tensor, shape (n_batch, *input_shape)
        The estimated activations.
    result : LassoResult
        Their certificates. For each batch, one triple for each of `lams`.
    """
    operator, factors = weighted_operator(layer, device, weights)
    state = prepared(solver, operator, layer, weights)
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

    began, n_seen = time.perf_counter(), 0
    with tqdm(total=len(X), disable=not verbose, desc="inverting", unit="") as bar:
        lanes = lanes_for(operator.n_inputs)
        options = {"batch_size": batch_size, "lanes": lanes, "device": device}
        batches = in_batches(solve, len(X), small=_is_of_rows(layer), **options)
        for solved in batches:
            yield from solved
            rows = solved[0][0]
            bar.update(rows.stop - rows.start)
            if verbose and not n_seen and rows.stop < len(X):
                n_seen = rows.stop
                seconds = (time.perf_counter() - began) / n_seen * len(X)
                bar.write(f"Inverting {len(X)} samples takes about {_duration(seconds)}.")


def pooled_shape(shape, pool_size):
    """Shape of activations after max-pooling.

    Parameters
    ----------
    shape : tuple of int
        Shape of one activation.
    pool_size : int or None
        Side of the windows.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If there are no spatial axes or they are shorter than a window.
    """
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
    """Max-pool a batch of activations, as an ndarray of float32."""
    if pool_size is not None:
        activations = _MAX_POOL[activations.ndim - 2](activations, pool_size)
    return activations.cpu().numpy()


def _duration(seconds):
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
