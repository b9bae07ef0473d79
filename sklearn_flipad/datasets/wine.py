"""Redwine (Cortez et al., 2009), the table of the paper's tabular experiments."""

from importlib.resources import files

import pandas as pd

__all__ = ["load_redwine"]


def load_redwine():
    """Load the 1,599 red wines of the wine quality data without their grades.

    The table is part of the package. Its columns have scales from 0.002 (density) to 33 (total
    sulfur dioxide), and are rounded to 1 to 5 decimals. 240 rows occur more than once.

    Returns
    -------
    DataFrame of float64, shape (1599, 11)
        Physicochemical measurements.

    References
    ----------
    Cortez, Cerdeira, Almeida, Matos and Reis, "Modeling wine preferences by data mining from
    physicochemical properties", Decision Support Systems 2009. The data are those of the UCI
    Machine Learning Repository (CC BY 4.0), in the copy of the KEEL repository.

    Examples
    --------
    >>> from sklearn_flipad.datasets import load_redwine
    >>> round(float(load_redwine()["pH"].mean()), 2)
    3.31
    """
    with (files(__package__) / "redwine.csv").open("rb") as file:
        return pd.read_csv(file)
