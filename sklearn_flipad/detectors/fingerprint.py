"""SM-F: the PRNU fingerprint of a model (Appendix E)."""

from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.digests import row_digests
from sklearn_flipad.base.labels import own_samples
from sklearn_flipad.base.mixins import OffsetMixin
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.samples import check_samples, record_samples, shape_of
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration.rules import Quantile
from sklearn_flipad.detectors._prnu import noise_residual

__all__ = ["FingerprintDetector"]


class FingerprintDetector(OffsetMixin, BaseEstimator):
    """Correlate the noise residual of an image with the mean residual of a model.

    Only the model's own samples, labeled +1, contribute to the fingerprint.

    Parameters
    ----------
    sigma : float, default=5
        Standard deviation of the noise in gray levels of 0..255, > 0.
    levels : int, default=4
        Levels of the wavelet decomposition; fewer if the images are too small.
    fnr : float, default=0.005
        Fraction of the training inliers that the detector's own threshold calls
        outliers; see :class:`~sklearn_flipad.FNRThresholdCalibrator` for one that holds
        on new samples.
    output_range : pair of float, default=(-1, 1)
        Values of float images that stand for the gray levels 0 and 255.
    image_shape : tuple of int, default=None
        Shape ``(channels, height, width)`` of images that come flattened.
    batch_size : int, default=256
        Images whose residuals are computed together.
    n_jobs : int, default=None
        Threads; 1 by default, -1 for all cores.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    fingerprint_ : ndarray of float64, shape (height, width)
        Mean noise residual of the model's samples.
    n_samples_seen_ : int
        Number of the model's samples seen.
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers. 0 after
        :meth:`partial_fit`, which keeps no samples to choose a threshold.
    n_features_in_ : int
        Number of elements of one image.

    See Also
    --------
    SMInvDetector : The other baseline, SM-Inv.
    FNRThresholdCalibrator : Places the threshold on held-out inliers.

    References
    ----------
    Appendix E of Laszkiewicz et al., ICML 2024; Marra et al., "Do GANs leave artificial
    fingerprints?", MIPR 2019.

    Examples
    --------
    >>> from sklearn_flipad import FingerprintDetector
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> from sklearn_flipad.generators import sample
    >>> X = sample(load_pretrained("fashion/dcgan-0"), 50, random_state=0)
    >>> detector = FingerprintDetector().fit(X)
    >>> detector.fingerprint_.shape
    (32, 32)
    """

    _parameter_constraints: dict = {
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "levels": [Interval(Integral, 1, None, closed="left")],
        "fnr": [Interval(Real, 0, 1, closed="neither")],
        "output_range": [tuple, list],
        "image_shape": [tuple, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }
    _stored = Stored.with_samples("fingerprint_", "n_samples_seen_", "offset_", "_image_shape")

    def __init__(
        self,
        *,
        sigma=5.0,
        levels=4,
        fnr=0.005,
        output_range=(-1.0, 1.0),
        image_shape=None,
        batch_size=256,
        n_jobs=None,
        verbose=0,
    ):
        self.sigma = sigma
        self.levels = levels
        self.fnr = fnr
        self.output_range = output_range
        self.image_shape = image_shape
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None):
        """Compute the fingerprint and the threshold.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width) or (n, n_features)
            Images: uint8 gray levels, or floats in `output_range`.
        y : array-like of shape (n,), default=None
            +1 for the model's samples; others are ignored. None means that all are the
            model's.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X or y is not valid, or no sample is the model's.
        ImportError
            If PyWavelets is missing.
        """
        self._validate_params()
        images = self._checked(X, reset=True)
        own = own_samples(images, y)
        fingerprint = self._sum_of_residuals(own) / len(own)
        # Residuals are computed again, so that those of all images are never in memory at once.
        scores = self._correlations(own, fingerprint)
        self.fingerprint_, self.n_samples_seen_ = fingerprint, len(own)
        self.offset_ = -Quantile().threshold(-scores, self.fnr)
        self._record(X, images)
        return self

    def partial_fit(self, X, y=None):
        """Add images to the fingerprint.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width) or (n, n_features)
            Images, as in :meth:`fit`.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in :meth:`fit`, or if the images have another shape than those before.
        """
        self._validate_params()
        first = not hasattr(self, "n_samples_seen_")
        images = self._checked(X, reset=first)
        own = own_samples(images, y)
        seen = 0 if first else self.n_samples_seen_
        before = 0 if first else seen * self.fingerprint_
        total = before + self._sum_of_residuals(own)
        self.n_samples_seen_ = seen + len(own)
        self.fingerprint_ = total / self.n_samples_seen_
        self.offset_ = 0.0
        if first:
            self._record(X, images)
        else:
            self._seen = np.union1d(self._seen, row_digests(images))
        return self

    def score_samples(self, X):
        """Correlation of the noise residual with the fingerprint, from -1 to 1.

        Parameters
        ----------
        X : array-like, shape of the training samples
            Images.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If X is not valid or of another shape than in fit.
        """
        check_is_fitted(self)
        return self._correlations(self._checked(X, reset=False), self.fingerprint_)

    def _correlations(self, images, fingerprint):
        """Correlation of each image's residual with a fingerprint, shape (n,)."""
        fingerprint = _standardized(fingerprint[None])[0] / fingerprint.size
        # Summed row by row: a matrix product rounds differently for other numbers of rows.
        scores = [
            (_standardized(batch) * fingerprint).sum(axis=1) for batch in self._residuals(images)
        ]
        return np.concatenate(scores)

    def _checked(self, X, *, reset):
        """Images of shape (n, channels, height, width)."""
        given = shape_of(X)
        shape = self.image_shape if reset else self._image_shape
        if shape is None and len(given) == 2:
            raise ValueError(
                "X is 2-D: rows do not tell the shape of the images, and images one pixel high "
                "have no residual. Pass image_shape=(channels, height, width)."
            )
        X = check_samples(
            self, X, reset=reset, output_range=self.output_range, sample_shape=shape, images=True
        )
        images = X.reshape(len(X), *(shape or X.shape[1:]))
        if images.shape[1] not in (1, 3):
            raise ValueError(f"Images must have 1 or 3 channels, got {images.shape[1]}.")
        return images

    def _record(self, X, images):
        self._image_shape = images.shape[1:]
        record_samples(self, X, images.reshape(shape_of(X)))

    def _sum_of_residuals(self, images):
        return sum(batch.sum(axis=0) for batch in self._residuals(images))

    def _residuals(self, X):
        """Yield the residuals of each batch in order."""
        low, high = self.output_range

        def residual(rows):
            images = X[rows].astype(np.float64)
            levels = images if X.dtype == np.uint8 else (images - low) * (255 / (high - low))
            return noise_residual(levels, sigma=self.sigma, levels=self.levels)

        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")
        batches = parallel(delayed(residual)(rows) for rows in gen_batches(len(X), self.batch_size))
        bar = progress(len(X), "computing residuals", verbose=self.verbose)
        with bar:
            for batch in batches:
                bar.update(len(batch))
                yield batch

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _standardized(images):
    """Images as rows with mean 0 and standard deviation 1; constant ones as 0."""
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    deviation = flat.std(axis=1, keepdims=True)
    return np.divide(flat, deviation, out=np.zeros_like(flat), where=deviation > 0)
