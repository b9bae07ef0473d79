"""How far generated rows are from the real table."""

import numpy as np
from scipy.stats import wasserstein_distance

__all__ = ["table_distances"]


def table_distances(X, real):
    """Distances of the columns and of the correlations of rows to those of a real table.

    As with FID, values of unequal numbers of rows do not compare: fewer come out further away.

    Parameters
    ----------
    X : array-like, shape (n, n_columns)
        Generated rows.
    real : array-like, shape (n_real, n_columns)
        Rows of the real table.

    Returns
    -------
    dict of str to float
        ``"columns"``, the mean over the columns of the Wasserstein distance in deviations of
        the real column; ``"correlations"``, the mean absolute difference of the correlations of
        two columns.

    Raises
    ------
    ValueError
        If there are fewer than two rows or columns, or the columns do not correspond.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.zoo import table_distances
    >>> real = np.random.default_rng(0).normal(size=(100, 3))
    >>> round(table_distances(real + 0.1, real)["columns"], 1)
    0.1
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
