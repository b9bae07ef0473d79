"""A pipeline that is checked before it computes."""

from sklearn.pipeline import Pipeline

from sklearn_flipad.calibration.mixin import EvidenceMixin

__all__ = ["AttributionPipeline"]


class AttributionPipeline(EvidenceMixin, Pipeline):
    """A pipeline whose last step is a calibrator, which is asked before the others run.

    Labels, and whether there are enough samples for the false-negative rate, are checked before
    the first feature is computed. P-values, verdicts and the reference population are those of
    the calibrator. Everything else is as in :class:`sklearn.pipeline.Pipeline`.

    Parameters
    ----------
    steps : list of (str, estimator)
        Names and estimators; the last is an :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    transform_input : list of str, default=None
        Metadata that the transformers also transform.
    memory : str or joblib.Memory, default=None
        Cache of the fitted transformers.
    verbose : bool, default=False
        Whether to print how long each step takes.
    """

    def check_fit(self, X, y=None, **params):
        """Check what can be known before anything is fitted.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.
        y : array-like of shape (n,), default=None
            Labels, as in ``fit``.
        **params : dict
            As in ``fit``.

        Raises
        ------
        ValueError
            As in :meth:`FNRThresholdCalibrator.check_fit`.
        """
        name, last = self.steps[-1]
        if hasattr(last, "check_fit"):
            groups = params.get(f"{name}__groups", params.get("groups"))
            last.check_fit(X, y, **({} if groups is None else {"groups": groups}))

    def fit(self, X, y=None, **params):
        """Check, fit the transformers one after the other, and fit the calibrator.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabeled.
        **params : dict
            Parameters of the steps, see :class:`sklearn.pipeline.Pipeline`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If something is not valid; what can be known before the transformers run is
            checked before.
        """
        self.check_fit(X, y, **params)
        return super().fit(X, y, **params)

    def _calibrator(self):
        return self.steps[-1][1]

    def _features(self, X):
        return self[:-1].transform(X) if len(self.steps) > 1 else X
