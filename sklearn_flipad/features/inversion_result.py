"""Result of a final-layer inversion."""

from dataclasses import dataclass

import numpy as np

__all__ = ["InversionResult"]


@dataclass(frozen=True, eq=False)
class InversionResult:
    """Activations of samples with their certificates, from :meth:`FinalLayerInverter.invert`.

    Attributes
    ----------
    activations : ndarray of float32, shape (n, *input_shape)
        The estimated activations before the final layer.
    objective : ndarray of float64, shape (n,)
        Value of the lasso problem (8).
    gap : ndarray of float64, shape (n,)
        Relative duality gap: the objective exceeds the minimum by at most this fraction.
    n_iter : ndarray of int64, shape (n,)
        Iterations.
    converged : ndarray of bool, shape (n,)
        Whether the gap reached ``tol``.
    """

    activations: np.ndarray
    objective: np.ndarray
    gap: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray
