"""A pipeline that is checked before it computes."""

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import _routing_enabled, process_routing

from sklearn_flipad.base.estimators import step_parameters
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
        last = self.steps[-1][1]
        if hasattr(last, "check_fit"):
            last.check_fit(X, y, **self._of_last(params))

    def fit(self, X, y=None, **params):
        """Check, fit the transformers one after the other, and fit the calibrator.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabeled.
        **params : dict
            Parameters of the steps, see :class:`sklearn.pipeline.Pipeline`. Those without the
            name of a step go to the calibrator: ``groups``, ``strata``, ``sample_weight``. With
            metadata routing, they go to whatever requests them, as ``groups`` and ``strata`` are
            by the calibrator.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If something is not valid; what can be known before the transformers run is
            checked before.

        Warns
        -----
        UserWarning
            As in :meth:`FNRThresholdCalibrator.fit`.
        """
        self.check_fit(X, y, **params)
        params = self._with_draws(X, y, params)
        self.check_fit(X, y, **params)  # near-duplicates count once
        named = params if _routing_enabled() else step_parameters(self, params)
        return super().fit(X, y, **named)

    def decision_function(self, X, *, strata=None, **params):
        """Signed distance to the threshold, as :meth:`FNRThresholdCalibrator.decision_function`.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.
        strata : array-like of shape (n,), default=None
            Stratum of each sample, if the attributor was fitted with strata.
        **params : dict
            Further metadata, if metadata routing is enabled.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If strata are missing or one was not calibrated, or as ``score_samples``.
        """
        if strata is None:
            return super().decision_function(X, **params)
        if _routing_enabled():
            return super().decision_function(X, strata=strata, **params)
        return self._calibrator().decision_function(self._features(X), strata=strata)

    def score(self, X, y=None, sample_weight=None, *, strata=None, **params):
        """Accuracy on the labeled samples, as :meth:`FNRThresholdCalibrator.score`.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), default=None
            Weights of the samples.
        strata : array-like of shape (n,), default=None
            Stratum of each sample, if the attributor was fitted with strata.
        **params : dict
            Further metadata, if metadata routing is enabled.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If no sample is labeled, or as :meth:`decision_function`.
        """
        if strata is None:
            return super().score(X, y, sample_weight, **params)
        if _routing_enabled():
            return super().score(X, y, sample_weight, strata=strata, **params)
        return self._calibrator().score(self._features(X), y, sample_weight, strata=strata)

    def _of_last(self, params):
        """Parameters of fit that the last step gets."""
        name = self.steps[-1][0]
        if not params:
            return {}
        if _routing_enabled():
            return process_routing(self, "fit", **params)[name].fit
        prefix = f"{name}__"
        named = step_parameters(self, params).items()
        return {key.removeprefix(prefix): value for key, value in named if key.startswith(prefix)}

    def _with_draws(self, X, y, params):
        """Parameters of fit with the draws of the samples as groups.

        Only the samples show which of them are copies: features of copies may differ, and those
        of different samples be equal.
        """
        if not isinstance(self._calibrator(), EvidenceMixin):
            return params
        draws = self._draws(X, y, self._of_last(params).get("groups"))
        key = f"{self.steps[-1][0]}__groups"
        others = {k: v for k, v in params.items() if k not in ("groups", key)}
        return {**others, "groups" if _routing_enabled() else key: draws}

    def _calibrator(self):
        return self.steps[-1][1]

    def _features(self, X):
        return self[:-1].transform(X) if len(self.steps) > 1 else X
