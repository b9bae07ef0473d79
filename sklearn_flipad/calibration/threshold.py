"""Place a detector's threshold where a chosen false-negative rate is met."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv, train_test_split
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_flipad.calibration.rules import (
    conformal_threshold,
    min_calibration_size,
    pac_threshold,
    quantile_threshold,
)
from sklearn_flipad.validation import check_labels

__all__ = ["FNRThresholdCalibrator"]


class FNRThresholdCalibrator(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit an outlier detector and calibrate its threshold on held-out inliers.

    Some inliers are held out, the detector is fitted on the rest, and the threshold is
    placed by the anomaly scores of the held-out inliers so that the false-negative rate,
    the fraction of the model's samples that are called foreign, is `fnr`.

    Parameters
    ----------
    estimator : estimator
        Outlier detector with ``fit(X, y)`` and ``score_samples(X)``, larger for more
        normal samples. It is given the labels; one that ignores them, as
        :class:`sklearn.svm.OneClassSVM` does, should be given samples of the model alone,
        with ``y=None``. An already fitted one is passed as
        :class:`sklearn.frozen.FrozenEstimator`; then all inliers calibrate.
        Transformers that learn from samples, as :class:`~sklearn_flipad.InlierScaler`,
        belong in here, in a pipeline with the detector: before the calibrator they would
        see the held-out inliers, which would then score lower than new ones.
    fnr : float, default=0.005
        False-negative rate, in (0, 1).
    method : {"conformal", "quantile", "pac"}, default="conformal"
        - ``"conformal"``: the rate is at most `fnr` on average over calibration sets, for
          any number of inliers;
        - ``"quantile"``: the interpolated quantile of the paper, whose true rate is
          larger for few inliers;
        - ``"pac"``: the rate is at most `fnr` with probability `confidence`.
    confidence : float, default=0.95
        Confidence of ``"pac"``, in (0, 1).
    cv : float, cross-validation splitter or iterable, default=0.2
        Fraction of the inliers to hold out, or what yields one pair of training and test
        rows; of the test rows, the inliers calibrate. Scores of detectors that were
        fitted apart cannot be pooled, so more than one split is refused.
    random_state : int, RandomState instance or None, default=None
        Seed of the split, where `cv` is a fraction.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector.
    calibration_scores_ : ndarray of float64, shape (n_calibration,)
        Anomaly scores of the held-out inliers, sorted.
    threshold_ : float
        Largest anomaly score that counts as an inlier.
    offset_ : float
        Minus the threshold: samples with ``score_samples(X) >= offset_`` are inliers.
    classes_ : ndarray of int
        ``[-1, 1]``.
    n_features_in_ : int
        Number of features seen in fit, where the detector says so.

    See Also
    --------
    sklearn_flipad.calibration.conformal_threshold : The default rule.
    sklearn.model_selection.TunedThresholdClassifierCV : Its model in scikit-learn.

    References
    ----------
    Equation (7) and Appendix G.1 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn_flipad import FNRThresholdCalibrator
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> detector = FNRThresholdCalibrator(
    ...     IsolationForest(random_state=0), fnr=0.05, random_state=0
    ... ).fit(X)
    >>> detector.predict([[0.0, 0.0], [9.0, 9.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "score_samples"])],
        "fnr": [Interval(Real, 0, 1, closed="neither")],
        "method": [StrOptions({"conformal", "quantile", "pac"})],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "cv": [Interval(Real, 0, 1, closed="neither"), HasMethods("split"), "array-like"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        *,
        fnr=0.005,
        method="conformal",
        confidence=0.95,
        cv=0.2,
        random_state=None,
    ):
        self.estimator = estimator
        self.fnr = fnr
        self.method = method
        self.confidence = confidence
        self.cv = cv
        self.random_state = random_state

    def fit(self, X, y=None):
        """Fit the detector and place its threshold.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features, as the detector takes them.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabelled ones, which are
            only trained on. None means that all are the model's.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or y is not valid, or `fnr` needs more held-out inliers than
            there are; the message says how many. Nothing is fitted then.
        """
        self._validate_params()
        X, y = indexable(X, y)
        n = _num_samples(X)
        labels = np.ones(n, dtype=np.int64) if y is None else check_labels(y, n)
        frozen = isinstance(self.estimator, FrozenEstimator)
        training, calibration = self._split(X, labels, frozen)
        self._check_size(len(calibration), int((labels == 1).sum()), frozen)
        if frozen:
            estimator = self.estimator
        else:
            # None, not all ones, so that the detector knows there are no labels.
            y = None if y is None else labels[training]
            estimator = clone(self.estimator).fit(_safe_indexing(X, training), y)
        scores = -np.asarray(estimator.score_samples(_safe_indexing(X, calibration)))
        threshold = self._threshold(scores)
        self.estimator_ = estimator
        self.calibration_scores_ = np.sort(scores)
        self.threshold_ = threshold
        self.offset_ = -threshold
        self.classes_ = np.array([-1, 1])
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(self, name, getattr(estimator, name))
        return self

    def _split(self, X, labels, frozen):
        inliers = np.flatnonzero(labels == 1)
        if not len(inliers):
            raise ValueError(
                "y holds no sample labelled +1, of the one class that the threshold is "
                "calibrated on."
            )
        if frozen:
            return None, inliers
        if isinstance(self.cv, Real):
            if len(inliers) < 2:
                raise ValueError(
                    "Holding out inliers needs at least 2 of them, got n_samples=1 labelled +1."
                )
            _, calibration = train_test_split(
                inliers, test_size=self.cv, random_state=check_random_state(self.random_state)
            )
            training = np.setdiff1d(np.arange(len(labels)), calibration)
            return training, calibration
        splits = list(check_cv(self.cv, labels, classifier=True).split(X, labels))
        if len(splits) != 1:
            raise ValueError(
                f"cv must yield one split, got {len(splits)}: the scores of detectors that "
                "were fitted apart cannot be pooled. Pass a fraction, or for example "
                "ShuffleSplit(n_splits=1)."
            )
        training, held_out = (np.arange(len(labels))[rows] for rows in splits[0])
        return training, held_out[labels[held_out] == 1]

    def _check_size(self, n_calibration, n_inliers, frozen):
        needed = min_calibration_size(self.method, self.fnr, self.confidence)
        if n_calibration >= needed:
            return
        held_out = "" if frozen else f", of which cv={self.cv!r} holds out {n_calibration}"
        advice = "Provide more inliers"
        if isinstance(self.cv, Real) and not frozen:
            advice = f"Provide at least {int(np.ceil(needed / self.cv))} inliers, raise cv"
        raise ValueError(
            f"fnr={self.fnr:g} with method={self.method!r} needs at least {needed} held-out "
            f"inliers of the class +1, but there are n_samples={n_inliers}{held_out}. "
            f"{advice}, or ask for a larger fnr."
        )

    def _threshold(self, scores):
        if self.method == "pac":
            return pac_threshold(scores, self.fnr, self.confidence)
        rules = {"conformal": conformal_threshold, "quantile": quantile_threshold}
        return rules[self.method](scores, self.fnr)

    def score_samples(self, X):
        """Minus the anomaly score, as the detector gives it; larger is more normal.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        check_is_fitted(self)
        return self.estimator_.score_samples(X)

    def decision_function(self, X):
        """Signed distance to the threshold: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features.

        Returns
        -------
        ndarray of float64, shape (n,)
            Negative for samples that are not the model's.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Decide which samples were made by the model.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples or features.

        Returns
        -------
        ndarray of int, shape (n,)
            +1 for the model's samples, -1 for others.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.target_tags.required = False
        tags.input_tags.three_d_array = True
        return tags
