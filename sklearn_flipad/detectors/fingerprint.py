"""SM-F: a model's PRNU fingerprint (Appendix E)."""

from numbers import Integral, Real

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from sklearn_flipad.calibration.rules import quantile_threshold
from sklearn_flipad.detectors._offset import OffsetMixin
from sklearn_flipad.detectors.prnu import noise_residual
from sklearn_flipad.validation import check_samples, own_samples, shape_of

__all__ = ["FingerprintDetector"]


class FingerprintDetector(OffsetMixin, BaseEstimator):
    """Correlate the noise residual of an image with the mean residual of a model.

    Only the model's own samples, labelled +1, make the fingerprint; others are ignored.

    Parameters
    ----------
    sigma : float, default=5
        Standard deviation of the noise in grey levels of 0..255, > 0.
    levels : int, default=4
        Levels of the wavelet decomposition; fewer where the images are too small for it.
    fnr : float, default=0.005
        Fraction of the training inliers that the detector's own threshold calls
        outliers; see :class:`~sklearn_flipad.FNRThresholdCalibrator` for one that holds
        on new samples.
    image_shape : tuple of int, default=None
        Shape ``(channels, height, width)`` of images that come flattened. Without it,
        each row of a 2-D X is an image of one row.
    batch_size : int, default=256
        Images whose residuals are computed together.
    n_jobs : int, default=None
        Threads; 1 by default, -1 for all cores.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    fingerprint_ : ndarray of float64, shape (height, width)
        Mean noise residual of the model's samples.
    n_samples_seen_ : int
        How many there were.
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers. 0 after
        :meth:`partial_fit`, which keeps no samples to place a threshold by.
    n_features_in_ : int
        Number of elements of one image.

    See Also
    --------
    ReconstructionDetector : The other baseline, SM-Inv.
    FNRThresholdCalibrator : Places the threshold on held-out inliers.

    References
    ----------
    Appendix E of Laszkiewicz et al., ICML 2024; Marra et al., "Do GANs leave artificial
    fingerprints?", MIPR 2019.

    Examples
    --------
    >>> from sklearn_flipad import FingerprintDetector
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> from sklearn_flipad.sampling import sample
    >>> X = sample(load_pretrained("fashion/dcgan-0"), 50, random_state=0)
    >>> detector = FingerprintDetector().fit(X)
    >>> detector.fingerprint_.shape
    (32, 32)
    """

    _parameter_constraints: dict = {
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "levels": [Interval(Integral, 1, None, closed="left")],
        "fnr": [Interval(Real, 0, 1, closed="neither")],
        "image_shape": [tuple, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        sigma=5.0,
        levels=4,
        fnr=0.005,
        image_shape=None,
        batch_size=256,
        n_jobs=None,
        verbose=0,
    ):
        self.sigma = sigma
        self.levels = levels
        self.fnr = fnr
        self.image_shape = image_shape
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X, y=None):
        """Compute the fingerprint and the threshold.

        Parameters
        ----------
        X : array-like, shape (n, channels, height, width) or (n, n_features)
            Images: uint8 grey levels, or floats in [-1, 1].
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
        X, total = self._sum_of_residuals(X, y, reset=True)
        self.fingerprint_, self.n_samples_seen_ = total / len(X), len(X)
        # Computed anew, so that the residuals of all images are never in memory at once.
        self.offset_ = -quantile_threshold(-self.score_samples(X), self.fnr)
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
        X, total = self._sum_of_residuals(X, y, reset=first)
        seen = 0 if first else self.n_samples_seen_
        before = 0 if first else seen * self.fingerprint_
        self.n_samples_seen_ = seen + len(X)
        self.fingerprint_ = (before + total) / self.n_samples_seen_
        self.offset_ = 0.0
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
        X = self._checked(X, reset=False)
        fingerprint = _standardized(self.fingerprint_[None])[0] / self.fingerprint_.size
        scores = [_standardized(batch) @ fingerprint for batch in self._residuals(X)]
        return np.concatenate(scores)

    def _checked(self, X, *, reset):
        given = shape_of(X)
        if len(given) == 3 or len(given) > 4:
            raise ValueError(
                f"X must have shape (n, channels, height, width) or (n, n_features), got {given}."
            )
        shape = self.image_shape if reset else self._image_shape
        if shape is None:
            shape = given[1:] if len(given) == 4 else (1, 1, *given[1:])
        if shape[0] not in (1, 3):
            raise ValueError(f"Images must have 1 or 3 channels, got {shape[0]}.")
        X = check_samples(self, X, reset=reset, sample_shape=shape)
        return X.reshape(len(X), *shape)

    def _sum_of_residuals(self, X, y, *, reset):
        X = own_samples(self._checked(X, reset=reset), y)
        total = sum(batch.sum(axis=0) for batch in self._residuals(X))
        if reset:
            self._image_shape = X.shape[1:]
        return X, total

    def _residuals(self, X):
        """Residuals of one batch after another, in order."""

        def residual(rows):
            images = X[rows].astype(np.float64)
            levels = images if X.dtype == np.uint8 else (images + 1) * 127.5
            return noise_residual(levels, sigma=self.sigma, levels=self.levels)

        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")
        batches = parallel(delayed(residual)(rows) for rows in gen_batches(len(X), self.batch_size))
        bar = tqdm(total=len(X), disable=not self.verbose, desc="residuals", unit="")
        with bar:
            for batch in batches:
                bar.update(len(batch))
                yield batch

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _standardized(images):
    """Flattened, with mean 0 and standard deviation 1; constant images become 0."""
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    deviation = flat.std(axis=1, keepdims=True)
    return np.divide(flat, deviation, out=np.zeros_like(flat), where=deviation > 0)
