"""Attribution to one of several models, or to none of them."""

from dataclasses import replace

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import indexable
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sklearn_flipad.base.estimators import adopt_features
from sklearn_flipad.base.labels import check_model_names
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration._shared_layers import warn_of_shared_layers
from sklearn_flipad.calibration._strata import check_unstratified
from sklearn_flipad.calibration._weighing import Calibration
from sklearn_flipad.calibration.attributors import NamedAttributors, calibrator_of
from sklearn_flipad.calibration.open_set_evidence import OpenSetEvidence
from sklearn_flipad.calibration.rules import as_rule

__all__ = ["OpenSetAttributor"]


class OpenSetAttributor(ClassifierMixin, MetaEstimatorMixin, NamedAttributors):
    """Find the models that cannot be excluded, with one attributor for each model.

    Each suspect gets a set of models: those that its attributors do not reject. An empty set
    means that none of the models made it; a set of several, that these attributors cannot tell
    which of them did.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Names of the models and their attributors: each an
        :class:`~sklearn_flipad.FNRThresholdCalibrator`, a pipeline that ends with one, as the
        ``make_*`` functions return, or a search over the parameters of such. All are given the
        same suspects. Fitted attributors are passed as :class:`sklearn.frozen.FrozenEstimator`;
        all others are fitted anew.
    other : str, default="other"
        Label of samples that none of the models made: in y, and as a prediction.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted attributors.
    named_estimators_ : dict of str to estimator
        The same by name of the model.
    models_ : ndarray of str, shape (n_models,)
        Names of the models, in the order of the columns of :meth:`predict_set` and
        :meth:`p_values`.
    classes_ : ndarray of str, shape (n_models + 1,)
        Names of the models and `other`, sorted.
    n_features_in_ : int
        Number of features seen in fit, if the attributors have it.

    See Also
    --------
    CombinedDetector : Several attributors of one model.
    sklearn.multiclass.OneVsRestClassifier : Always decides for one class.

    Notes
    -----
    Of the samples of a model, at most a fraction ``fnr``, that of its attributor, have a set
    without the model: on average over calibration sets with the rule "conformal", with a
    confidence with "pac". That holds for each model, whichever and however many the others are,
    and needs no correction for their number, since only the attributor of the true model can be
    wrong. For the same reason at most ``fnr`` of them have an empty set. The sets of samples of
    models that are not listed may hold any model: how often depends on the attributors.

    References
    ----------
    Guan and Tibshirani, "Prediction and outlier detection in classification problems", Journal of
    the Royal Statistical Society B 84, 2022: sets that cover each class, and may be empty.

    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005: label-conditional
    conformal predictors.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad import FNRThresholdCalibrator, OpenSetAttributor
    >>> X = np.random.default_rng(0).normal(size=(900, 2)) + np.repeat([0, 2, 9], 300)[:, None]
    >>> y = np.repeat(["a", "b", "other"], 300)
    >>> part = FNRThresholdCalibrator(OneClassSVM(), fnr=0.05, random_state=0)
    >>> attributor = OpenSetAttributor([("a", part), ("b", part)]).fit(X, y)
    >>> suspects = [[-1.0, -1.0], [1.0, 1.0], [9.0, 9.0]]
    >>> attributor.predict_set(suspects)
    array([[ True, False],
           [ True,  True],
           [False, False]])
    >>> attributor.predict(suspects)
    array(['a', 'b', 'other'], dtype='<U5')
    """

    _parameter_constraints: dict = {"estimators": [list, tuple], "other": [str]}
    _stored = Stored(
        ("estimators_", "named_estimators_", "models_", "classes_"),
        ("n_features_in_", "feature_names_in_"),
    )

    def __init__(self, estimators, *, other="other"):
        self.estimators = estimators
        self.other = other

    def check_fit(self, X=None, y=None, **params):
        """Validate everything that can be before anything is fitted.

        Parameters
        ----------
        X : array-like, shape (n, ...), default=None
            Samples; only their number counts.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.
        **params : dict
            As in :meth:`fit`.

        Raises
        ------
        ValueError
            As in :meth:`fit`, or if an attributor cannot be fitted to these labels.
        NotFittedError
            If a frozen attributor is not fitted.
        """
        self._check_estimators()
        routed = self._routed(params)
        y = self._checked_labels(X, y)
        for name, estimator in self.estimators:
            if _is_frozen(estimator):
                check_is_fitted(estimator)
            elif hasattr(estimator, "check_fit"):
                labels = _one_vs_rest(y, name)
                _naming(name, estimator.check_fit, X, labels, **routed[name].fit)
        warn_of_shared_layers(self.estimators)

    def fit(self, X=None, y=None, **params):
        """Fit each attributor to the samples of its model against all others.

        Parameters
        ----------
        X : array-like, shape (n, ...), default=None
            Samples, as the attributors take them. Not needed if all are frozen.
        y : array-like of str, shape (n,), default=None
            The name of the model that made each sample, or `other`. Samples of the other models
            are negatives of a model, as are those labeled `other`.
        **params : dict
            Metadata, such as ``groups`` and ``sample_weight``, for the ``fit`` of each attributor
            that is not frozen; by metadata routing if that is enabled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `estimators` is not a list of names and attributors, a rule has no p-values, an
            attributor that is to be fitted names a reference population, y has a label that is
            neither a name nor `other`, there are no samples of a model whose attributor is to be
            fitted, or as the attributors raise. Everything that can be is checked before the
            first is fitted.
        NotFittedError
            If a frozen attributor is not fitted.

        Warns
        -----
        UserWarning
            If models have the same final layer, and their attributors invert it.
        """
        X, y = indexable(X, y)
        self.check_fit(X, y, **params)
        routed = self._routed(params)
        y = self._checked_labels(X, y)
        fitted = []
        for name, estimator in self.estimators:
            if not _is_frozen(estimator):
                labels = _one_vs_rest(y, name)
                estimator = clone(estimator)
                _naming(name, estimator.fit, X, labels, **routed[name].fit)
                _check_unstratified(name, calibrator_of(estimator))
            fitted.append(estimator)
        names = [name for name, _ in self.estimators]
        self.estimators_ = fitted
        self.named_estimators_ = dict(zip(names, fitted, strict=True))
        self.models_ = np.array(names)
        self.classes_ = np.unique([*names, self.other])
        adopt_features(self, fitted[0])
        return self

    def evidence(self, X, *, fnr=None):
        """Weigh each suspect against each model.

        Suspects are scored once; the other methods return parts of the evidence.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.
        fnr : float, default=None
            Level at which each model is excluded, in (0, 1); that of its attributor by default.

        Returns
        -------
        OpenSetEvidence

        Raises
        ------
        ValueError
            If `fnr` is not in (0, 1) or needs more calibration samples of a model than there
            are; the message says which and how many. Or as the attributors raise.
        """
        calibrations = self._calibrations(fnr)
        scores = [
            -_naming(name, attributor.score_samples, X)
            for name, attributor in self.named_estimators_.items()
        ]
        return self._weighed(scores, calibrations)

    def weigh(self, anomaly_scores, *, fnr=None):
        """Evidence from scores that were computed before.

        Parameters
        ----------
        anomaly_scores : array-like of shape (n, n_models)
            Minus ``score_samples`` of each attributor, as ``anomaly_scores`` of
            :class:`~sklearn_flipad.calibration.OpenSetEvidence`.
        fnr : float, default=None
            As in :meth:`evidence`.

        Returns
        -------
        OpenSetEvidence

        Raises
        ------
        ValueError
            If the shape is wrong, or as in :meth:`evidence`.
        """
        calibrations = self._calibrations(fnr)
        scores = np.asarray(anomaly_scores, dtype=np.float64)
        if scores.ndim != 2 or scores.shape[1] != len(self.models_):
            raise ValueError(
                f"anomaly_scores must have shape (n, {len(self.models_)}), a column for each "
                f"model, got {scores.shape}."
            )
        return self._weighed(scores.T, calibrations)

    def _calibrations(self, fnr):
        check_is_fitted(self)
        return {
            name: _naming(name, _calibration, attributor, fnr)
            for name, attributor in self.named_estimators_.items()
        }

    def _weighed(self, scores, calibrations):
        by_model = {}
        for column, (name, calibration) in zip(scores, calibrations.items(), strict=True):
            ratios = _ratios(self.named_estimators_[name], column)
            by_model[name] = replace(calibration.weigh(column), ratios=ratios)
        return OpenSetEvidence(by_model, self.other)

    def p_values(self, X):
        """Share of the samples of each model that score at least as badly as each suspect.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.

        Returns
        -------
        ndarray of float64, shape (n, n_models)
            ``p_own`` of each attributor. The largest of a row is a p-value of "one of these
            models made it".

        Raises
        ------
        ValueError
            As the attributors raise.
        """
        return self.evidence(X).p_values

    def predict_set(self, X, *, fnr=None):
        """The models that cannot be excluded.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.
        fnr : float, default=None
            Level at which each model is excluded, in (0, 1); that of its attributor by default.

        Returns
        -------
        ndarray of bool, shape (n, n_models)
            Rows without any True stand for none of the models.

        Raises
        ------
        ValueError
            As in :meth:`evidence`.
        """
        return self.evidence(X, fnr=fnr).sets

    def predict(self, X):
        """One label for each suspect.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Suspects.

        Returns
        -------
        ndarray of str, shape (n,)
            `other` if the set is empty, the name of the model if it holds one. If it holds
            several, the one with the largest p-value, the first of those that tie: a guess among
            models that the attributors cannot tell apart, without an error rate. Use
            :meth:`predict_set` for claims that have one.

        Raises
        ------
        ValueError
            As the attributors raise.
        """
        return self.evidence(X).predictions

    def _check_estimators(self):
        self._validate_params()
        self._check_attributors()
        if self.other in [name for name, _ in self.estimators]:
            raise ValueError(f"{self.other!r} is the label of other sources and of a model.")
        for name, estimator in self.estimators:
            calibrator = calibrator_of(estimator)
            _check_unstratified(name, calibrator)
            try:
                _rule(calibrator, _is_frozen(estimator)).p_values([0.0], [0.0])
            except NotImplementedError as error:
                raise ValueError(f"The attributor {name!r}: {error}") from error
            if calibrator.reference is not None and not _is_frozen(estimator):
                raise ValueError(
                    f"The attributor {name!r} has reference={calibrator.reference!r}, but its "
                    "negatives here are samples of the other models too. Set reference=None, and "
                    "call calibrate_reference of the fitted attributor, in named_estimators_."
                )

    def _checked_labels(self, X, y):
        """Labels of shape (n,), for attributors that are to be fitted; None if there are none."""
        unfitted = [name for name, part in self.estimators if not _is_frozen(part)]
        if not unfitted:
            return None
        if X is None or y is None:
            what = "X to be passed, but X" if X is None else "y to be passed, but the target y"
            raise ValueError(
                f"The attributor {unfitted[0]!r} is to be fitted, which requires {what} is None: "
                "pass samples, and the name of the model that made each. Attributors that are "
                "fitted already are passed as FrozenEstimator(attributor)."
            )
        y = check_model_names(y, [name for name, _ in self.estimators], self.other)
        check_consistent_length(X, y)
        missing = [repr(name) for name in unfitted if not (y == name).any()]
        if missing:
            raise ValueError(
                f"y holds no sample of {', '.join(missing)}, whose attributors are to be fitted. "
                "Draw some, or pass FrozenEstimator(attributor)."
            )
        return y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _is_frozen(estimator):
    return isinstance(estimator, FrozenEstimator)


def _rule(calibrator, fitted):
    """The rule of a fitted calibrator, or of one that is to be fitted."""
    # A frozen attributor that is not fitted is refused later.
    return calibrator.rule_ if fitted and hasattr(calibrator, "rule_") else as_rule(calibrator.rule)


def _one_vs_rest(y, name):
    """Labels +1 for samples of a model and -1 for others; None if all are the model's."""
    own = y == name
    return None if own.all() else np.where(own, 1, -1)


def _calibration(attributor, fnr):
    """Own samples that calibrate an attributor, at the level `fnr`, by default its own."""
    calibrator = calibrator_of(attributor)
    level = calibrator.fnr_ if fnr is None else fnr
    return Calibration(calibrator.rule_, calibrator.calibration_scores_, level)


def _ratios(attributor, anomaly_scores):
    """Likelihood ratios of a model against its reference population; None if there are none."""
    calibrator = calibrator_of(attributor)
    reference = getattr(calibrator, "reference_scores_", None)
    if reference is None or not hasattr(calibrator, "lr_"):
        return None
    return calibrator.lr_.weigh(calibrator.calibration_scores_, reference, anomaly_scores)


def _naming(name, function, *args, **kwargs):
    """Result of a function of one attributor, whose name is added to errors."""
    try:
        return function(*args, **kwargs)
    except ValueError as error:
        raise ValueError(f"The attributor {name!r}: {error}") from error


def _check_unstratified(name, calibrator):
    """Raise ValueError if an attributor was calibrated by strata."""
    advice = "FrozenEstimator(attributor.in_stratum(name))"
    check_unstratified(calibrator, f"The attributor {name!r}", advice)
