"""Evidence against each of several models."""

from dataclasses import dataclass

import numpy as np

__all__ = ["OpenSetEvidence"]


@dataclass(frozen=True, eq=False)
class OpenSetEvidence:
    """Scores of suspects, weighed against own samples of each of several models.

    Attributes
    ----------
    by_model : dict of str to Evidence
        The :class:`~sklearn_flipad.calibration.Evidence` against each model, without reference
        populations.
    other : str
        Label of suspects for which every model is excluded.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad import FNRThresholdCalibrator, OpenSetAttributor
    >>> X = np.random.default_rng(0).normal(size=(900, 2)) + np.repeat([0, 2, 9], 300)[:, None]
    >>> y = np.repeat(["a", "b", "other"], 300)
    >>> part = FNRThresholdCalibrator(OneClassSVM(), fnr=0.05, random_state=0)
    >>> attributor = OpenSetAttributor([("a", part), ("b", part)]).fit(X, y)
    >>> evidence = attributor.evidence([[-1.0, -1.0], [1.0, 1.0], [9.0, 9.0]])
    >>> evidence.sets
    array([[ True, False],
           [ True,  True],
           [False, False]])
    >>> evidence.p_any.round(3)
    array([0.426, 0.443, 0.016])
    """

    by_model: dict
    other: str

    @property
    def models(self):
        """Names of the models, an ndarray of str of shape (n_models,)."""
        return np.array(list(self.by_model))

    @property
    def anomaly_scores(self):
        """Minus ``score_samples`` of each model's attributor, shape (n, n_models)."""
        return np.stack([evidence.anomaly_scores for evidence in self.by_model.values()], axis=1)

    @property
    def p_values(self):
        """Share of the samples of each model that score at least as badly, shape (n, n_models).

        ``p_own`` of each model's attributor.
        """
        return np.stack([evidence.p_own for evidence in self.by_model.values()], axis=1)

    @property
    def sets(self):
        """Sets of models that cannot be excluded at their levels, bool of shape (n, n_models)."""
        rejected = [evidence.own_rejected for evidence in self.by_model.values()]
        return ~np.stack(rejected, axis=1)

    @property
    def p_any(self):
        """P-value of "one of these models made it", shape (n,).

        The largest of the p-values: a sample of any of the models gets one of at most a with
        probability at most a, whichever of them it is, and however many they are.
        """
        return self.p_values.max(axis=1)

    @property
    def log10_lr(self):
        """Logarithms of the likelihood ratios of each model against its reference population.

        float64 of shape (n, n_models), NaN for models whose attributor has no such population or
        was fitted without ``lr``. That of one model against another is their difference only if
        both judge by the same scores and have the same population.
        """
        nothing = np.full(len(self.anomaly_scores), np.nan)
        columns = [evidence.log10_lr for evidence in self.by_model.values()]
        return np.stack([nothing if logs is None else logs for logs in columns], axis=1)

    @property
    def predictions(self):
        """The most plausible model of each set, `other` for empty sets; shape (n,).

        The one with the largest p-value, the first of those that tie.
        """
        sets = self.sets
        best = np.where(sets, self.p_values, -1.0).argmax(axis=1)
        return np.where(sets.any(axis=1), self.models[best], self.other)

    def to_frame(self, index=None):
        """The evidence as a table, a row for each suspect.

        Parameters
        ----------
        index : array-like of shape (n,), default=None
            Names of the rows, for example of files.

        Returns
        -------
        pandas.DataFrame
            With the columns ``prediction``, ``set`` (the names of the models that cannot be
            excluded, joined by commas), ``p(<name>)`` for each model, and ``log10_lr(<name>)`` for
            those that have likelihood ratios.
        """
        import pandas as pd

        models, sets, p_values = self.models, self.sets, self.p_values
        columns = {
            "prediction": self.predictions,
            "set": [", ".join(models[row]) for row in sets],
            **{f"p({name})": p_values[:, i] for i, name in enumerate(models)},
        }
        for name, evidence in self.by_model.items():
            if evidence.log10_lr is not None:
                columns[f"log10_lr({name})"] = evidence.log10_lr
        return pd.DataFrame(columns, index=index)
