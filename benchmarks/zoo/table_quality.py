"""Distances of generated rows to the real table."""

import numpy as np
from scipy.stats import wasserstein_distance

__all__ = ["table_distances"]


def table_distances(X, real):
    """Distances of rows, shape (n, n_columns), to a real table, in its columns and correlations.

    ``"columns"`` is the mean over the columns of the Wasserstein distance in deviations of the
    real column; ``"correlations"``, the mean absolute difference of the correlations of two
    columns. As with FID, values of unequal numbers of rows do not compare: fewer come out further
    away.
    """
    X, real = np.asarray(X, np.float64), np.asarray(real, np.float64)
    shapes = X.shape, real.shape
    if any(len(s) != 2 or min(s) < 2 for s in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"Expected two tables with the same columns, at least two, got shapes {X.shape} and "
            f"{real.shape}."
        )
    columns = [
        wasserstein_distance(generated, column) / column.std()
        for generated, column in zip(X.T, real.T, strict=True)
    ]
    pairs = np.triu_indices(X.shape[1], 1)
    difference = np.corrcoef(X, rowvar=False)[pairs] - np.corrcoef(real, rowvar=False)[pairs]
    return {
        "columns": float(np.mean(columns)),
        "correlations": float(np.abs(difference).mean()),
    }
