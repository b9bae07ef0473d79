"""Weights of samples by their content: how probable it is among suspects."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_array

from sklearn_flipad.calibration._content_features import content_features
from sklearn_flipad.calibration._weights import effective_sizes

__all__ = ["ContentWeights"]


class ContentWeights(BaseEstimator):
    """Estimate how much more probable contents are among suspects than among own samples.

    A classifier learns to tell the contents of suspects from those of calibration samples. The
    odds that it gives to a sample, times the ratio of their numbers, estimate the ratio of the
    densities of its content. Each sample is judged by a classifier that has seen neither it nor one
    of its kind with equal content.

    Parameters
    ----------
    features : callable, default=None
        Function of samples that returns features of their content, shape (n, n_features). They
        must not show what the method judges: else suspects that the model did not make look like
        other content, and are not rejected. By default, for images, the brightness of
        thumbnails, and how rough they are at each scale: 32x32 pixels, or half of an image's
        smaller side.
    classifier : estimator, default=None
        Classifier with ``predict_proba``, which should be calibrated. By default, logistic
        regression of standardized features.
    cv : int, default=5
        Number of parts that the samples are dealt into, of which all but one train each
        classifier.

    Attributes
    ----------
    calibration_weights_ : ndarray of float64, shape (n_own,)
        Weights of the calibration samples.
    weights_ : ndarray of float64, shape (n_suspects,)
        Weights of the suspects. In both, 1 is content that is as probable here as there.
    effective_sizes_ : ndarray of float64, shape (n_suspects,)
        Effective number of calibration samples for each suspect. It is the smaller one of
        ``sum(v)**2 / sum(v**2)``, Kish's number of equally weighted samples with the same variance,
        and ``sum(v) / w``, as many samples of the suspect's weight: the smallest p-value is one
        over that number and one.

    Notes
    -----
    A classifier extrapolates. So a suspect that is farther from the mean content of the own samples
    than each of these, by the Mahalanobis distance, gets at least the weight of all of them
    together: its p-value is at least 1/2.

    The weights do not depend on the order of the samples. They do depend on which suspects there
    are, since these are what the calibration samples are weighted for.

    Probabilities are moved inward by as much as one sample of each class would move those of a
    classifier of n samples, ``(n p + 1) / (n + 2)``: n samples support no larger odds than n + 1.

    References
    ----------
    Bickel, Brückner and Scheffer, "Discriminative learning for differing training and test
    distributions", ICML 2007.

    Tibshirani, Foygel Barber, Candès and Ramdas, "Conformal prediction under covariate shift",
    NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.calibration import ContentWeights
    >>> rng = np.random.default_rng(0)
    >>> own, suspects = rng.normal(0, 1, (800, 1)), rng.normal(1, 1, (400, 1))
    >>> content = ContentWeights(features=np.asarray).fit(own, suspects)
    >>> ratio = np.exp(own[:, 0] - 0.5)  # of the two densities
    >>> bool(np.corrcoef(ratio, content.calibration_weights_)[0, 1] > 0.9)
    True
    >>> bool(np.median(content.effective_sizes_) > 200)
    True
    """

    _parameter_constraints: dict = {
        "features": [callable, None],
        "classifier": [HasMethods(["fit", "predict_proba"]), None],
        "cv": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(self, *, features=None, classifier=None, cv=5):
        self.features = features
        self.classifier = classifier
        self.cv = cv

    def fit(self, X_own, X_suspects):
        """Estimate the weights of calibration samples and suspects.

        Parameters
        ----------
        X_own : array-like, shape (n_own, ...)
            Samples of the model, which calibrate.
        X_suspects : array-like, shape (n_suspects, ...)
            Suspects.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the features are not valid, or there are fewer different contents of
            either kind than `cv`.
        """
        self._validate_params()
        if self.features is None:
            own, suspects = content_features(X_own, X_suspects)
        else:
            own, suspects = self.features(X_own), self.features(X_suspects)
        own = check_array(own, dtype=np.float64, input_name="features of own samples")
        suspects = check_array(suspects, dtype=np.float64, input_name="features of suspects")
        if own.shape[1] != suspects.shape[1]:
            raise ValueError(
                f"Own samples have {own.shape[1]} features of their content, suspects "
                f"{suspects.shape[1]}: the function must return as many for each sample."
            )
        features = np.concatenate([own, suspects])
        is_suspect = np.repeat([False, True], [len(own), len(suspects)])
        # By content, so that neither parts nor fits depend on the order of the samples.
        order = np.lexsort((is_suspect, *features.T))
        weights = np.empty(len(order))
        weights[order] = self._cross_fitted(features[order], is_suspect[order])
        weights *= len(own) / len(suspects)
        self.calibration_weights_, self.weights_ = weights[: len(own)], weights[len(own) :]
        is_far = _farther_than_all(own[np.lexsort(own.T)], suspects)
        total = np.sort(self.calibration_weights_).sum()
        self.weights_[is_far] = np.maximum(self.weights_[is_far], total)
        self.effective_sizes_ = effective_sizes(self.calibration_weights_, self.weights_)
        return self

    def _cross_fitted(self, features, is_suspect):
        """Odds of each row, by a classifier that has not seen its content."""
        classifier = self.classifier
        if classifier is None:
            classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        parts = np.empty(len(features), dtype=int)
        for kind, name in ((False, "own samples"), (True, "suspects")):
            _, contents = np.unique(features[is_suspect == kind], axis=0, return_inverse=True)
            n_contents = int(contents.max()) + 1
            if n_contents < self.cv:
                raise ValueError(
                    f"{n_contents} {name} of different content are too few to estimate how their "
                    f"contents are distributed: it takes at least cv={self.cv}."
                )
            parts[is_suspect == kind] = contents.ravel() % self.cv
        odds = np.empty(len(features))
        for part in range(self.cv):
            rows, others = parts == part, parts != part
            fitted = clone(classifier).fit(features[others], is_suspect[others])
            p, n = fitted.predict_proba(features[rows])[:, 1], others.sum()
            odds[rows] = (n * p + 1) / (n * (1 - p) + 1)
        return odds


def _farther_than_all(own, suspects):
    """Whether suspects are farther from the mean of the own contents than each of these."""
    scaler = StandardScaler().fit(own)  # LedoitWolf shrinks toward equal variances
    own, suspects = scaler.transform(own), scaler.transform(suspects)
    found = LedoitWolf().fit(own)
    return found.mahalanobis(suspects) > found.mahalanobis(own).max()
