"""Detectors and classifiers of other libraries, for samples of any shape."""

from numbers import Real

from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_flipad.base.estimators import (
    check_detector,
    detector_parameters,
    metadata_of,
    normality,
    router_to_detector,
    rows_of,
    training_rows,
)
from sklearn_flipad.base.labels import check_labels
from sklearn_flipad.base.mixins import OffsetMixin
from sklearn_flipad.base.samples import check_features, record_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration.rules import Quantile

__all__ = ["ExternalDetector"]


class ExternalDetector(OffsetMixin, MetaEstimatorMixin, BaseEstimator):
    """Wrap a detector or classifier of scikit-learn, PyOD or another library.

    Samples with more than two axes are flattened for estimators that take only rows. Detectors of
    scikit-learn and PyOD that ignore labels are fitted only to the model's samples, classifiers
    to the labeled ones. Scores are those of ``score_samples``, ``decision_function`` or
    ``predict_proba``, the first that exists; the sign of PyOD's scores is flipped.

    The ``make_*`` functions wrap other detectors by themselves, and
    :class:`~sklearn_flipad.FNRThresholdCalibrator` takes them as they are; custom pipelines need
    the wrapper.

    Parameters
    ----------
    estimator : estimator
        The detector or classifier.
    fnr : float, default=0.005
        Fraction of the training inliers that the detector's own threshold calls outliers;
        see :class:`~sklearn_flipad.FNRThresholdCalibrator` for one that holds on new
        samples.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector.
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers.
    n_features_in_ : int
        Number of elements of one sample.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad.detectors import ExternalDetector
    >>> images = np.random.default_rng(0).normal(size=(50, 1, 4, 4))
    >>> ExternalDetector(OneClassSVM()).fit(images).score_samples(images[:3]).shape
    (3,)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit"])],
        "fnr": [Interval(Real, 0, 1, closed="neither")],
    }
    _stored = Stored.with_samples("estimator_", "offset_")

    def __init__(self, estimator, *, fnr=0.005):
        self.estimator = estimator
        self.fnr = fnr

    def fit(self, X, y=None, **params):
        """Fit the detector.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Features.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabeled. None means that all
            are the model's.
        **params : dict
            Parameters of the estimator's ``fit``, such as ``sample_weight``, restricted to the
            rows that it is fitted to; by metadata routing if that is enabled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y is not valid, or the estimator gives no scores.
        """
        self.check_fit(X, y)
        array = check_features(self, X, reset=True)
        labels = None if y is None else check_labels(y, len(array))
        rows, targets = training_rows(self.estimator, labels)
        samples = rows_of(self.estimator, array)
        options = metadata_of(X, detector_parameters(self, params), rows)
        estimator = clone(self.estimator).fit(_safe_indexing(samples, rows), targets, **options)
        own = slice(None) if labels is None or not (labels == 1).any() else labels == 1
        scores = normality(estimator, _safe_indexing(samples, own))
        self.estimator_ = estimator
        self.offset_ = -Quantile().threshold(-scores, self.fnr)
        record_samples(self, X, array)
        return self

    def check_fit(self, X, y=None):
        """Check the estimator and the labels before features are computed.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Samples; only their number counts.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.

        Raises
        ------
        ValueError
            If y is not valid, or the estimator gives no scores.
        """
        self._validate_params()
        check_detector(self.estimator)
        check_labels(y, _num_samples(X))

    def get_metadata_routing(self):
        """Get the metadata routing: parameters go to the ``fit`` of the estimator.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        return router_to_detector(self)

    def score_samples(self, X):
        """Score samples; larger is more normal.

        Parameters
        ----------
        X : array-like, shape of the training samples
            Features.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If X is not valid or of another shape than in fit, or a score is not finite.
        """
        check_is_fitted(self)
        return normality(self.estimator_, rows_of(self.estimator_, check_features(self, X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
