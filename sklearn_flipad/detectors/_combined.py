"""Several attributors as one detector."""

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.detectors._offset import OffsetMixin

__all__ = ["CombinedDetector"]


class CombinedDetector(OffsetMixin, _BaseComposition):
    """Join the calibrated scores of several attributors.

    Each attributor's anomaly score s is brought to a common scale by the inliers that it
    was calibrated on: (s - m) / (t - m), where m is their median and t the attributor's
    threshold. It is 0 for a typical sample of the model and 1 at the threshold. The
    joint anomaly score is the largest of them, or their mean.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Attributors: each an :class:`~sklearn_flipad.FNRThresholdCalibrator`, or a pipeline
        that ends with one, as :func:`~sklearn_flipad.make_flipad` returns. All are given the
        same samples.
    rule : {"max", "mean"}, default="max"
        - ``"max"``: one attributor that finds a sample strange is enough; one that
          cannot tell costs a little, because the joint threshold has to be higher;
        - ``"mean"``: several weak signs add up, but attributors that cannot tell
          dilute them.

    Attributes
    ----------
    estimators_ : list of estimator
        The fitted attributors.
    named_estimators_ : dict of str to estimator
        The same by name.
    centers_, scales_ : ndarray of float64, shape (n_estimators,)
        The medians m, and the distances t - m of the thresholds from them.
    offset_ : float
        -1: with ``"max"``, samples that every attributor accepts are inliers. The
        joint false-negative rate is then up to the sum of theirs;
        :class:`~sklearn_flipad.FNRThresholdCalibrator` makes it what it should be.

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
        "rule": [StrOptions({"max", "mean"})],
    }

    def __init__(self, estimators, *, rule="max"):
        self.estimators = estimators
        self.rule = rule

    def get_params(self, deep=True):
        """Parameters of this detector and of its attributors.

        Parameters
        ----------
        deep : bool, default=True
            Whether to give the attributors and their parameters too, as
            ``<name>__<parameter>``.

        Returns
        -------
        dict
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params):
        """Set parameters; attributors are replaced by name.

        Parameters
        ----------
        **params : dict
            Parameters.

        Returns
        -------
        self
        """
        self._set_params("estimators", **params)
        return self

    def fit(self, X, y=None):
        """Fit the attributors.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples, as the attributors take them.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabelled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no attributor, a name is invalid, or a part is not calibrated.
        """
        self._validate_params()
        if not self.estimators:
            raise ValueError("estimators is empty; pass a list of (name, attributor) pairs.")
        names, estimators = zip(*self.estimators, strict=True)
        self._validate_names(names)
        fitted = [clone(estimator).fit(X, y) for estimator in estimators]
        centers, scales = zip(*map(_scale, names, fitted), strict=True)
        self.estimators_ = fitted
        self.named_estimators_ = dict(zip(names, fitted, strict=True))
        self.centers_, self.scales_ = np.array(centers), np.array(scales)
        self.offset_ = -1.0
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted[0], name):
                setattr(self, name, getattr(fitted[0], name))
        return self

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
        return (scores - self.centers_) / self.scales_

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
        return -(scores.max(axis=1) if self.rule == "max" else scores.mean(axis=1))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _scale(name, attributor):
    """Median of the calibration scores and distance of the threshold from it."""
    last = attributor[-1] if isinstance(attributor, Pipeline) else attributor
    if not hasattr(last, "calibration_scores_"):
        raise ValueError(
            f"The attributor {name!r} is no FNRThresholdCalibrator and does not end with one, "
            f"but with {type(last).__name__}; only calibrated scores can be compared."
        )
    center = np.median(last.calibration_scores_)
    # All inliers may score the same; any scale serves then.
    return center, (last.threshold_ - center) or 1.0
