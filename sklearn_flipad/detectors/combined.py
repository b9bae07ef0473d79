"""Several attributors as one detector."""

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.estimators import adopt_features, last_step, window_counts
from sklearn_flipad.base.mixins import OffsetMixin
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration.attributors import NamedAttributors, calibrator_of

__all__ = ["CombinedDetector"]


def _judges_windows(combined):
    """Return whether all attributors take samples that differ in size."""
    parts = [last_step(calibrator_of(estimator).estimator) for _, estimator in combined.estimators]
    return all(hasattr(part, "n_windows") for part in parts)


class CombinedDetector(OffsetMixin, NamedAttributors):
    """Join the calibrated scores of several attributors.

    Each attributor's anomaly score s is brought to a common scale by the inliers that it
    was calibrated on: 1 + (s - t) / (t - m), where m is their median and t the attributor's
    threshold. It is 0 for a typical sample of the model and 1 at the threshold. The
    joint anomaly score is the largest of them, or their mean.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Attributors: each an :class:`~sklearn_flipad.FNRThresholdCalibrator`, a pipeline
        that ends with one, as :func:`~sklearn_flipad.make_flipad` returns, or a search over
        the parameters of such. All are given the same samples.
    combine : {"max", "mean"}, default="max"
        - ``"max"``: a single attributor that finds a sample anomalous is enough; one that
          sees no difference costs a little, because it raises the joint threshold;
        - ``"mean"``: several weak signs add up, but attributors that see no difference
          dilute them.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted attributors.
    named_estimators_ : dict of str to estimator
        The same by name.
    thresholds_, scales_ : ndarray of float64, shape (n_estimators,)
        The thresholds t, and their distances t - m from the medians.
    offset_ : float
        -1: with ``"max"``, samples that every attributor accepts are inliers. The
        joint false-negative rate is then up to the sum of theirs; calibrate it by
        :class:`~sklearn_flipad.FNRThresholdCalibrator`.

    See Also
    --------
    sklearn_flipad.make_combined : The combination with a calibrated threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad import FNRThresholdCalibrator
    >>> from sklearn_flipad.detectors import CombinedDetector
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> parts = {"forest": IsolationForest(random_state=0), "svm": OneClassSVM()}
    >>> combined = CombinedDetector(
    ...     [(name, FNRThresholdCalibrator(part, fnr=0.05)) for name, part in parts.items()]
    ... )
    >>> combined.fit(X).predict([[0.0, 0.0], [9.0, 9.0]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "estimators": [list, tuple],
        "combine": [StrOptions({"max", "mean"})],
    }
    _stored = Stored(
        ("estimators_", "named_estimators_", "thresholds_", "scales_", "offset_"),
        ("n_features_in_", "feature_names_in_"),
    )

    def __init__(self, estimators, *, combine="max"):
        self.estimators = estimators
        self.combine = combine

    def fit(self, X, y=None, **params):
        """Fit the attributors.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples, as the attributors take them.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabeled.
        **params : dict
            Metadata, such as ``groups``, for the ``fit`` of each attributor; by metadata routing
            if that is enabled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no attributor, one has no name or an invalid one, a part is not
            calibrated, or its false-negative rate is above one half.
        """
        self._check_estimators()
        names = [name for name, _ in self.estimators]
        routed = self._routed(params)
        fitted = [clone(part).fit(X, y, **routed[name].fit) for name, part in self.estimators]
        thresholds, scales = zip(*map(_scale, fitted), strict=True)
        self.estimators_ = fitted
        self.named_estimators_ = dict(zip(names, fitted, strict=True))
        self.thresholds_, self.scales_ = np.array(thresholds), np.array(scales)
        self.offset_ = -1.0
        adopt_features(self, fitted[0])
        return self

    def check_fit(self, X, y=None, **params):
        """Validate everything that can be before the attributors are fitted.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples, of which the equal ones and their number count.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.
        **params : dict
            As in :meth:`fit`.

        Raises
        ------
        ValueError
            As in :meth:`fit`, or if an attributor would have too few inliers.
        """
        self._check_estimators()
        routed = self._routed(params)
        for name, estimator in self.estimators:
            if hasattr(estimator, "check_fit"):
                estimator.check_fit(X, y, **routed[name].fit)

    def _check_estimators(self):
        self._validate_params()
        self._check_attributors()
        for name, estimator in self.estimators:
            fitted = isinstance(estimator, FrozenEstimator)
            _check_rate(name, calibrator_of(estimator), fitted)

    def calibrated_scores(self, X):
        """Anomaly scores of each attributor on the common scale.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.

        Returns
        -------
        ndarray of float64, shape (n, n_estimators)
            0 for a typical sample of the model, above 1 beyond an attributor's threshold.
        """
        check_is_fitted(self)
        scores = np.stack([-part.score_samples(X) for part in self.estimators_], axis=1)
        return 1 + (scores - self.thresholds_) / self.scales_

    @available_if(_judges_windows)
    def n_windows(self, X):
        """Count the windows of each sample, for the attributor that takes the most.

        Available if all of them judge windows.

        Parameters
        ----------
        X : array-like, shape (n, ...), or sequence of array-like
            Samples.

        Returns
        -------
        ndarray of int, shape (n,)
        """
        check_is_fitted(self)
        counts = [window_counts(calibrator_of(part).estimator_, X) for part in self.estimators_]
        return np.max(counts, axis=0)

    def score_samples(self, X):
        """Minus the joint anomaly score; larger is more normal.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        scores = self.calibrated_scores(X)
        return -(scores.max(axis=1) if self.combine == "max" else scores.mean(axis=1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _check_rate(name, calibrator, fitted):
    if hasattr(calibrator, "strata_"):
        raise ValueError(
            f"The attributor {name!r} was calibrated by strata, and has no one threshold. Combine "
            "attributors without strata, and pass strata to the fit of the combined one."
        )
    fnr = getattr(calibrator, "fnr_", calibrator.fnr) if fitted else calibrator.fnr
    if fnr > 0.5:
        raise ValueError(
            f"The attributor {name!r} has fnr={fnr:g}; a threshold below the median of "
            "the inliers cannot scale scores. Give it a rate of at most 0.5."
        )


def _scale(attributor):
    """Threshold of an attributor and its distance from the median of the calibration scores."""
    calibrator = calibrator_of(attributor)
    distance = calibrator.threshold_ - np.median(calibrator.calibration_scores_)
    # The distance is 0 if half of the inliers or more score the same.
    return calibrator.threshold_, distance or calibrator.calibration_scores_.std() or 1.0
