"""Data frames as rows of standardized numbers."""

import warnings
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted

from sklearn_flipad.base.stored import Stored
from sklearn_flipad.tabular._columns import CategoryColumn, NumberColumn, read_column
from sklearn_flipad.tabular._impossible import reasons_by_row, refuse_impossible

__all__ = ["TablePreparer"]


class TablePreparer(TransformerMixin, BaseEstimator):
    """Map a data frame to standardized numbers, and the output of a generator to a data frame.

    It is fitted to the table that the target model was trained on; every other table must have
    the same columns, in any order. Numbers are standardized, dates become standardized seconds,
    and strings and booleans are one-hot encoded. Errors name the column that cannot be used.

    Some synthesizers round as their training table does and others do not, which alone would tell
    them apart, until somebody rounds the output. So all tables are rounded alike, and own samples
    by :meth:`inverse_transform` too.

    Parameters
    ----------
    decimals : "auto", dict or None, default="auto"
        Decimals that numbers are rounded to: ``"auto"``, those of the table of fit; a dict,
        decimals by name of column, None for no rounding, ``"auto"`` for columns that it lacks;
        None, no rounding.
    missing : {"raise", "indicate"}, default="raise"
        Missing values raise an error, or are indicated by a further feature, with the mean of a
        number and no category in their place.
    drop : sequence of str, default=()
        Columns that are left out of every table that has them, such as labels and identifiers.
    max_categories : int, default=50
        Largest number of values of a column of strings.
    keep : sequence of str, default=()
        Columns that are used although each value occurs once, as those of running numbers and
        identifiers do, which are refused otherwise.

    Attributes
    ----------
    columns_ : tuple
        Encoding of each column: its kind, mean, scale, decimals or categories.
    feature_names_in_ : ndarray of str
        Names of the columns that are used, in the order of the table of fit.
    n_features_in_ : int
        Number of columns that are used.

    See Also
    --------
    sample_sdv : Samples of a synthesizer of SDV.

    Notes
    -----
    Verdicts do not depend on units, such as grams or kilograms, if the preparer is fitted to the
    table in the same units.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_flipad.tabular import TablePreparer
    >>> table = pd.DataFrame({"grams": [1200.0, 1400.0], "kind": ["red", "white"]})
    >>> preparer = TablePreparer().fit(table)
    >>> preparer.transform(table[["kind", "grams"]])
    array([[-1.,  1.,  0.],
           [ 1.,  0.,  1.]])
    >>> preparer.get_feature_names_out()
    array(['grams', 'kind_red', 'kind_white'], dtype=object)
    >>> preparer.inverse_transform([[0.2, 0.3, 0.9]])
       grams   kind
    0   1300  white
    """

    _parameter_constraints: dict = {
        "decimals": [StrOptions({"auto"}), dict, None],
        "missing": [StrOptions({"raise", "indicate"})],
        "drop": ["array-like"],
        "max_categories": [Interval(Integral, 2, None, closed="left")],
        "keep": ["array-like"],
    }
    _stored = Stored(("columns_", "n_features_in_", "feature_names_in_"))

    def __init__(self, *, decimals="auto", missing="raise", drop=(), max_categories=50, keep=()):
        self.decimals = decimals
        self.missing = missing
        self.drop = drop
        self.max_categories = max_categories
        self.keep = keep

    def fit(self, X, y=None):
        """Learn the columns of a table.

        Parameters
        ----------
        X : DataFrame, shape (n, n_columns)
            The table that the target model was trained on, or samples of the model.
        y : Ignored
            Not used.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If X is not a DataFrame.
        ValueError
            If a column is constant, of no usable kind, has missing values although
            ``missing="raise"``, or has no name of its own; the message names it.
        """
        self._validate_params()
        X = self._frame(X)
        names = [name for name in X.columns if name not in set(self.drop)]
        if not names or not len(X):
            raise ValueError(f"X has {len(names)} columns to use and {len(X)} rows.")
        decimals = self.decimals if isinstance(self.decimals, dict) else {}
        unknown = [name for name in decimals if name not in names]
        if unknown:
            raise ValueError(f"decimals names {unknown}, but X has the columns {names}.")
        default = "auto" if isinstance(self.decimals, dict) else self.decimals
        columns = []
        for name in names:
            is_missing = X[name].isna()
            if is_missing.any() and self.missing == "raise":
                raise ValueError(_missing(name, is_missing))
            known = X[name][~is_missing]
            kind = read_column(name, known)
            options = {"decimals": decimals.get(name, default)}
            options |= {"can_miss": bool(is_missing.any()), "keep": name in set(self.keep)}
            options |= {"max_categories": self.max_categories}
            columns.append(kind.fit(name, known, **options))
        self.columns_ = tuple(columns)
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        return self

    def transform(self, X):
        """Encode the rows of a table.

        Parameters
        ----------
        X : DataFrame, shape (n, n_columns)
            Rows with the columns of the table of fit, in any order.

        Returns
        -------
        ndarray of float64, shape (n, n_features_out)

        Raises
        ------
        TypeError
            If X is not a DataFrame.
        ValueError
            If a column is missing, unknown, of another kind than in fit, or holds values that
            cannot be used; the message names it.

        Warns
        -----
        UserWarning
            If numbers are rounded more coarsely than in the table of fit, or so far from it in
            every row that they may be in other units.
        """
        check_is_fitted(self)
        X = self._frame(X)
        self._check_names(X)
        if not len(X):
            raise ValueError("X has no rows.")
        refuse_impossible(self._reasons(X))
        blocks = [self._encoded(column, X[column.name]) for column in self.columns_]
        self._warn_of_rounding(X)
        self._warn_of_units(X)
        return np.concatenate(blocks, axis=1)

    def impossible(self, X):
        """Tell for each row why a synthesizer of the table of fit cannot have made it.

        Categories tell; which numbers are impossible depends on the synthesizer, see
        :func:`~sklearn_flipad.tabular.impossible_for_sdv`.

        Parameters
        ----------
        X : DataFrame, shape (n, n_columns)
            Rows, as for :meth:`transform`, which refuses the impossible ones.

        Returns
        -------
        Series of str, shape (n,)
            The column and the reason, with the index of `X`; empty for possible rows.

        Raises
        ------
        TypeError
            If X is not a DataFrame.
        ValueError
            If a column is missing or unknown.
        """
        check_is_fitted(self)
        X = self._frame(X)
        self._check_names(X)
        return reasons_by_row(self._reasons(X), X.index)

    def inverse_transform(self, X):
        """Map encoded rows, such as the output of a generator, to a table.

        Parameters
        ----------
        X : array-like, shape (n, n_features_out)
            Encoded rows.

        Returns
        -------
        DataFrame, shape (n, n_columns)
            In the units of the table of fit, rounded to `decimals`.

        Raises
        ------
        ValueError
            If X is not finite or has another number of columns.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=np.float64, input_name="X")
        n_features = len(self.get_feature_names_out())
        if X.shape[1] != n_features:
            raise ValueError(f"X has {X.shape[1]} features, but there are {n_features}.")
        table, start = {}, 0
        for column in self.columns_:
            stop = start + column.n_features
            values = column.decode(X[:, start:stop])
            if column.can_miss:
                values = values.mask(X[:, stop] > 0.5)
            table[column.name] = values
            start = stop + column.can_miss
        return pd.DataFrame(table)

    def get_feature_names_out(self, input_features=None):
        """Names of the encoded features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored unless given; then it must equal ``feature_names_in_``.

        Returns
        -------
        ndarray of str
            The name of the column; for categories with the category behind it.

        Raises
        ------
        ValueError
            If `input_features` are other names.
        """
        check_is_fitted(self)
        if input_features is not None and list(input_features) != list(self.feature_names_in_):
            raise ValueError("input_features is not equal to feature_names_in_")
        names = []
        for column in self.columns_:
            names += column.feature_names()
            names += [f"{column.name}_missing"] if column.can_miss else []
        return np.array(names, dtype=object)

    def rounding(self, least=1e-3):
        """Standard deviations of rounding errors, in units of the encoded features.

        Parameters
        ----------
        least : float, default=1e-3
            Least deviation, which features that are not rounded have.

        Returns
        -------
        ndarray of float64, shape (n_features_out,)
            At least `least`; see :class:`~sklearn_flipad.reproduction.LatentPosteriorDetector`.
        """
        check_is_fitted(self)
        steps = np.zeros(len(self.get_feature_names_out()))
        start = 0
        for column in self.columns_:
            steps[start] = column.step_of_rounding()
            start += column.n_features + column.can_miss
        return np.maximum(steps / np.sqrt(12), least)

    def _frame(self, X):
        if not isinstance(X, pd.DataFrame):
            raise TypeError(
                f"X must be a pandas DataFrame, whose columns have names, got {type(X).__name__}. "
                "Standardized rows need no TablePreparer."
            )
        unnamed = [name for name in X.columns if not isinstance(name, str) or not name]
        if unnamed:
            raise ValueError(f"Names of columns must be strings, got {unnamed[0]!r}: rename it.")
        repeated = list(X.columns[X.columns.duplicated()])
        if repeated:
            raise ValueError(f"Column {repeated[0]!r} occurs more than once: rename one of them.")
        return X

    def _check_names(self, X):
        expected = list(self.feature_names_in_)
        missing = [name for name in expected if name not in X.columns]
        extra = [name for name in X.columns if name not in {*expected, *self.drop}]
        if missing and extra:
            raise ValueError(
                f"X lacks the columns {missing} and has {extra}. If they are the same under other "
                f"names, pass X.rename(columns=...); otherwise it is another table."
            )
        if missing:
            raise ValueError(f"X lacks the columns {missing}.")
        if extra:
            raise ValueError(
                f"X has the columns {extra}, which the table of fit lacks: pass "
                f"X.drop(columns={extra}) if they are not the synthesizer's."
            )

    def _encoded(self, column, series):
        is_missing = series.isna().to_numpy()
        if is_missing.any() and not column.can_miss:
            raise ValueError(_missing(column.name, is_missing, column))
        known = series[~is_missing]
        block = np.zeros((len(series), column.n_features + column.can_miss))
        if len(known):
            block[~is_missing, : column.n_features] = column.encode(known)
        if column.can_miss:
            block[:, -1] = is_missing
        return block

    def _reasons(self, X):
        """Reasons for categories that are not in the table of fit, by column."""
        found = {}
        for column in self.columns_:
            if isinstance(column, CategoryColumn):
                series = X[column.name]
                texts = np.full(len(series), "", dtype=object)
                is_known = series.notna().to_numpy()
                texts[is_known] = column.impossible(series[is_known])
                found[column.name] = list(texts)
        return found

    def _warn_of_rounding(self, X):
        """Warn of numbers that are rounded more coarsely than in the table of fit."""
        coarser = {
            column.name: column.coarser(X[column.name].dropna())
            for column in self.columns_
            if isinstance(column, NumberColumn)
        }
        coarser = {name: decimals for name, decimals in coarser.items() if decimals is not None}
        if coarser:
            warnings.warn(
                f"Columns {list(coarser)} of X are rounded more coarsely than in the table of fit. "
                "Rounding alone may then decide a verdict. To avoid that, round all tables alike: "
                f"TablePreparer(decimals={coarser}).",
                UserWarning,
                stacklevel=3,
            )

    def _warn_of_units(self, X):
        """Warn of columns of numbers that are far from the table of fit in each row."""
        far = {
            column.name: column.distance(X[column.name].dropna())
            for column in self.columns_
            if isinstance(column, NumberColumn)
        }
        far = {name: f"{distance:.3g}" for name, distance in far.items() if distance is not None}
        if far:
            told = ", ".join(f"{name!r} at least {distance}" for name, distance in far.items())
            warnings.warn(
                f"All rows of X are far from the mean of the table of fit: {told} of its standard "
                "deviations. If the units differ, convert X to those of the table of fit; "
                "otherwise these rows are from elsewhere, whatever the verdict.",
                UserWarning,
                stacklevel=3,
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.missing == "indicate"
        return tags


def _missing(name, is_missing, column=None):
    where = f"Column {name!r} has {int(is_missing.sum())} missing values, the first in row "
    where += f"{int(np.argmax(is_missing))}"
    if column is None:
        return f"{where}. Remove those rows, fill them, or pass missing='indicate'."
    return f"{where}, but none in the table of fit. Remove those rows, or fill them."
