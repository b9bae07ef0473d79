"""Examples 4.1 to 4.3, and Theorem 4.5 as recovery by sparsity and number of channels."""

import numpy as np
import torch
from scipy.stats import norm

from sklearn_flipad.operators import ConvOperator, ConvTransposeOperator
from sklearn_flipad.solvers import FISTA, DouglasRachford, LassoProblem

__all__ = ["measure_example", "measure_recovery"]

#: Relative error below which activations count as recovered.
_RECOVERED = 1e-2
#: The penalty of the recovery, whose bias is below that error, and its number of kernels.
_LAM, _N_KERNELS = 1e-3, 4
#: Gap to which two solvers are compared.
_CLOSE = 1e-6


def _impossible_output():
    """Example 4.1: distances of outputs from the range of a transposed convolution."""
    kernel = torch.tensor([[0.0, 1.0], [2.0, 3.0]], dtype=torch.float64)
    operator = ConvTransposeOperator(kernel[None, None], (1, 2, 2))
    G = operator.forward(torch.eye(4, dtype=torch.float64).reshape(4, 1, 2, 2)).flatten(1).T.numpy()
    x = np.array([[0, 0, 1], [0, 4, 6], [4, 12, 9]], dtype=float).ravel()
    row = {"epsilons": [0.0, 1.0, 0.1, 0.01], "distances": []}
    for epsilon in row["epsilons"]:
        changed = x + epsilon * np.eye(9)[4]
        z = np.linalg.lstsq(G, changed, rcond=None)[0]
        row["distances"].append(float(np.linalg.norm(G @ z - changed)))
        row.setdefault("z", [round(float(value), 12) + 0.0 for value in z])
    return row


def _unlikely_representation():
    """Example 4.2: log-probabilities of outputs within 0.1 of (1, 1)."""

    def log_probability(scales):
        ends = [(0.9 / scale, 1.1 / scale) for scale in scales]
        return float(sum(np.log(norm.cdf(high) - norm.cdf(low)) for low, high in ends))

    return {"log_p": [log_probability((2, 0.5)), log_probability((1, 1))]}


def _structured_representation(d=8):
    """Example 4.3: nonzero elements of the only inputs that give the vector of ones."""
    other = np.eye(d)
    other[:, 0] = 1
    inputs = [np.linalg.solve(G, np.ones(d)) for G in (np.eye(d), other)]
    return {"d": d, "nonzeros": [int((np.abs(z) > 1e-12).sum()) for z in inputs]}


_EXAMPLES = {
    "4.1": _impossible_output,
    "4.2": _unlikely_representation,
    "4.3": _structured_representation,
}


def measure_example(cell, samples, scale, options):
    """The number of an example, computed."""
    return _EXAMPLES[cell.setting]()


def measure_recovery(cell, samples, scale, options):
    """Share of sparse activations that the lasso recovers, for random 2D convolutions.

    The sparsity is the number of nonzero activations over the number of outputs. Kernels are of
    3x3 and Gaussian. ``apart`` is the relative distance of the solutions of two solvers from
    different starts, which are one by the theorem.
    """
    sizes = scale.recovery
    n_channels, side, n = int(cell.setting.split()[1]), sizes["side"], sizes["n_trials"]
    rng = np.random.default_rng(0)
    shape, n_z = (n_channels, side, side), n_channels * side * side
    row = {"sparsities": list(sizes["sparsities"]), "n_trials": n * _N_KERNELS}
    errors = np.empty((len(sizes["sparsities"]), _N_KERNELS, n))
    for kernel_errors in errors.transpose(1, 0, 2):
        kernel = rng.normal(size=(1, n_channels, 3, 3)) / np.sqrt(9 * n_channels)
        operator = ConvOperator(torch.from_numpy(kernel), shape, padding=1)
        for found, sparsity in zip(kernel_errors, sizes["sparsities"], strict=True):
            z = np.zeros((n, n_z))
            n_nonzero = min(max(round(sparsity * side * side), 1), n_z)
            for activations in z:
                rows = rng.choice(n_z, n_nonzero, replace=False)
                activations[rows] = rng.normal(size=n_nonzero)
            z = torch.from_numpy(z).reshape(n, *shape)
            problem = LassoProblem(operator, operator.forward(z), _LAM)
            solution = DouglasRachford().solve(problem, tol=1e-3, max_iter=2000).z
            found[:] = _distance(solution, z).numpy()
    row["recovered"] = [float(share) for share in (errors < _RECOVERED).mean(axis=(1, 2))]
    row["errors"] = [float(error) for error in np.median(errors, axis=(1, 2))]
    first = DouglasRachford().solve(problem.select([0]), tol=_CLOSE, max_iter=10_000).z
    start = torch.ones_like(first)
    second = FISTA().solve(problem.select([0]), start=start, tol=_CLOSE, max_iter=10_000).z
    return row | {"apart": float(_distance(second, first))}


def _distance(first, second):
    """Relative distance, by samples."""
    return (first - second).flatten(1).norm(dim=1) / second.flatten(1).norm(dim=1)
