"""Other libraries on the same problem, one image at a time.

Each runs with growing budgets from a cold start, until it is good enough or a time limit
is over; (seconds, budget, suboptimality) of every run make its trace.
"""

import importlib
import time
from functools import partial

import numpy as np
import torch
from scipy import sparse

__all__ = ["PEERS", "trace_peer"]

_TIME_LIMIT = 60.0


def _matrix(problem):
    """The layer as a sparse matrix in double precision."""
    operator = problem.operator
    blocks = []
    n, chunk = operator.n_outputs, 256
    eye = np.eye(min(n, chunk), n, dtype=np.float32)
    for start in range(0, n, chunk):
        rows = torch.from_numpy(np.roll(eye, start, axis=1)[: min(chunk, n - start)])
        images = operator.adjoint(rows.reshape(-1, *operator.output_shape))
        blocks.append(sparse.csr_matrix(images.flatten(1).numpy().astype(np.float64)))
    return sparse.vstack(blocks).tocsc()


def _lasso(package, matrix, b, lam, budget):
    """Celer and skglm, which share scikit-learn's interface."""
    model = importlib.import_module(package).Lasso(
        alpha=lam / (2 * len(b)), fit_intercept=False, max_iter=budget, max_epochs=1000, tol=1e-10
    )
    return model.fit(matrix, b).coef_


def _pyproximal(matrix, b, lam, budget):
    import pylops
    import pyproximal
    from scipy.sparse.linalg import eigsh

    largest = eigsh(matrix @ matrix.T, k=1, return_eigenvectors=False)[0]
    return pyproximal.optimization.primal.ProximalGradient(
        pyproximal.L2(Op=pylops.MatrixMult(matrix), b=b, sigma=2.0),
        pyproximal.L1(sigma=lam),
        x0=np.zeros(matrix.shape[1]),
        tau=1 / (2 * largest),
        niter=budget,
        acceleration="fista",
    )


#: The function that solves, and its first budget.
PEERS = {
    "celer": (partial(_lasso, "celer"), 1),
    "skglm": (partial(_lasso, "skglm"), 1),
    "pyproximal (FISTA)": (_pyproximal, 100),
}


def trace_peer(name, problem, best, level=1e-4):
    """Seconds, budgets and suboptimality of a peer, or None if it is not installed."""
    solve, budget = PEERS[name]
    matrix = _matrix(problem)
    b = problem.b[0].flatten().numpy().astype(np.float64)
    best = float(best[0])
    try:
        solve(matrix, b, problem.lam, 1)  # compiled code compiles now
    except ImportError:
        return None
    seconds, budgets, excess = [], [], []
    while True:
        start = time.perf_counter()
        z = np.asarray(solve(matrix, b, problem.lam, budget)).ravel()
        seconds.append(time.perf_counter() - start)
        objective = np.sum((matrix @ z - b) ** 2) + problem.lam * np.abs(z).sum()
        budgets.append(budget)
        excess.append([(objective - best) / best])
        if excess[-1][0] <= level or seconds[-1] * 3 > _TIME_LIMIT:
            return np.array(seconds), np.array(budgets), np.array(excess)
        budget *= 3
