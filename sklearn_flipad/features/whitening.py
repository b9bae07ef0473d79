"""Whitening of features by the covariance of the inliers."""

import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array, check_is_fitted

from sklearn_flipad.base.labels import check_labels, inlier_rows
from sklearn_flipad.base.products import aligned, product
from sklearn_flipad.base.samples import as_array, check_features, float_type, record_samples
from sklearn_flipad.base.stored import Stored

__all__ = ["InlierWhitener"]

#: Features in a block unless told otherwise: an eigendecomposition of about a minute.
_MAX_BLOCK = 4096
#: Rows of every product, so that a sample's result is always computed in the same way.
_N_ROWS = 64
#: Rows that fit copies to float64 at a time.
_N_ROWS_FIT = 256


class InlierWhitener(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Rotate features to the principal axes of the inliers and equalize the variances there.

    ``(x - mean) @ v_i * (lambda_i + ridge * mean(lambda)) ** (-exponent / 2)`` for each
    eigenvector ``v_i`` of the inliers' covariance and its eigenvalue ``lambda_i``. Inliers are
    the samples labeled +1; all samples, if none is labeled. It replaces
    :class:`~sklearn_flipad.InlierScaler`: directions in which the samples of a model hardly
    vary, and which tell it from similar models, are hidden in correlations that scaling each
    feature leaves unchanged.

    Parameters
    ----------
    ridge : float, default=1e-4
        Added to the variances, in units of their mean over all features, >= 0, so that
        directions that vary much less than that are not amplified: in samples rounded to gray
        levels they are noise.
    exponent : float, default=1.0
        Strength in [0, 1]: 1 gives each direction the same variance, 0 only rotates.
    block : int, default=None
        Number of contiguous features that are whitened together, in the order of flattened
        samples; correlations between blocks stay. Memory grows with the number of features
        times `block`, time with its square. By default the smallest number of blocks of at
        most 4,096 features, as equal as possible.

    Attributes
    ----------
    mean_ : ndarray, shape (n_features,)
        Means over the inliers.
    variances_ : ndarray of float64, shape (n_features,)
        Eigenvalues of the covariance, falling within each block.
    components_ : ndarray, shape (n_features, n_block_features)
        Eigenvectors as rows. A row has the entries of its own block, padded with zeros if
        that block is the last one and smaller.
    scale_ : ndarray of float64, shape (n_features,)
        Factors of the rotated features.
    block_size_ : int
        Number of features in a block.
    n_inliers_ : int
        Number of samples that the covariance is taken over.
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    InlierScaler : Scales each feature on its own.
    sklearn.decomposition.PCA : With ``whiten=True``, the same for one block, all samples and
        no ridge.

    Notes
    -----
    Rotated features have no spatial order, so images become rows. The covariance divides by the
    number of inliers minus 1. With no more inliers than features in a block it is singular: new
    samples of the model then stand out in the directions in which the inliers happen not to vary,
    as far as `ridge` allows, and detection fails. Two to three times as many inliers as features
    were enough on the shipped generators.

    The squared norm of fully whitened features is the squared Mahalanobis distance to the mean
    of the inliers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad import InlierWhitener
    >>> X = np.random.default_rng(0).normal(size=(500, 2)) @ [[1.0, 0.99], [0.0, 0.1]]
    >>> np.cov(InlierWhitener(ridge=0).fit_transform(X).T).round(6) + 0.0
    array([[1., 0.],
           [0., 1.]])
    """

    _parameter_constraints: dict = {
        "ridge": [Interval(Real, 0, None, closed="left")],
        "exponent": [Interval(Real, 0, 1, closed="both")],
        "block": [Interval(Integral, 1, None, closed="left"), None],
    }
    _stored = Stored.with_samples(
        *("mean_", "variances_", "components_", "scale_", "block_size_", "n_inliers_")
    )

    def __init__(self, *, ridge=1e-4, exponent=1.0, block=None):
        self.ridge = ridge
        self.exponent = exponent
        self.block = block

    def fit(self, X, y=None):
        """Compute the mean and the covariance of the inliers, and its eigenvectors.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Features of any shape.
        y : array-like of shape (n,), default=None
            Labels +1, -1 and 0.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X or y is not valid, labels are given but none is +1, or the covariance is
            singular and `ridge` is 0.

        Warns
        -----
        UserWarning
            If there are no more inliers than features in a block.
        """
        self._validate_params()
        given, X = X, check_features(self, X, reset=True)
        rows = inlier_rows(check_labels(y, len(X)))
        flat, size = X.reshape(len(X), -1), _block_size(X, self.block)
        mean = _mean(flat, rows)
        variances, n_flat = np.empty(flat.shape[1]), 0
        dtype = float_type(X)
        components = np.zeros((flat.shape[1], size), dtype)
        for columns in gen_batches(flat.shape[1], size):
            covariance = _covariance(flat[:, columns], rows, mean[columns])
            variances[columns], vectors = _falling_eigh(covariance)
            components[columns, : len(vectors)] = vectors
            n_flat += _n_flat(variances[columns])
        if n_flat and self.exponent and not self.ridge:
            raise ValueError(
                f"The covariance of {len(rows)} inliers is singular in blocks of {size} features: "
                f"inliers do not vary in {n_flat} directions, and ridge=0 would divide by 0. Pass "
                "ridge > 0, more inliers than there are features in a block, or leave out "
                "features that are constant or follow from others."
            )
        if len(rows) <= size and self.exponent:
            _warn_of_few(len(rows), size)
        self.mean_ = mean.astype(dtype)
        self.variances_ = variances
        self.components_ = components
        self.scale_ = self._scale(variances)
        self.block_size_ = size
        self.n_inliers_ = len(rows)
        record_samples(self, given, X)
        return self

    def transform(self, X):
        """Whiten samples.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Features.

        Returns
        -------
        ndarray, shape (n, n_features)
            float64 for float64 input, else float32.

        Raises
        ------
        ValueError
            If X is not finite or of another shape than in fit.
        """
        check_is_fitted(self)
        X = check_features(self, X)
        dtype = float_type(X)
        X = X.reshape(len(X), -1)
        whitened = np.empty(X.shape, dtype)
        for columns, vectors in self._blocks(dtype):
            matrix = aligned(torch.from_numpy(vectors))
            for rows in gen_batches(len(X), _N_ROWS):
                centered = X[rows, columns] - self.mean_[columns]
                rotated = _product(centered.astype(dtype, copy=False), matrix)
                whitened[rows, columns] = rotated * self.scale_[columns]
        return whitened

    def inverse_transform(self, X):
        """Undo the whitening.

        Parameters
        ----------
        X : array-like, shape (n, n_features)
            Whitened features.

        Returns
        -------
        ndarray, shape (n, ...)
            Features in the shape of the samples that fit has seen.

        Raises
        ------
        ValueError
            If X is not finite or has another number of columns.
        """
        check_is_fitted(self)
        X = check_array(as_array(X), dtype=[np.float64, np.float32], input_name="X")
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} gives "
                f"{self.n_features_in_}."
            )
        restored = np.empty_like(X)
        for columns, vectors in self._blocks(X.dtype):
            matrix = aligned(torch.from_numpy(vectors).T)
            for rows in gen_batches(len(X), _N_ROWS):
                rotated = (X[rows, columns] / self.scale_[columns]).astype(X.dtype, copy=False)
                restored[rows, columns] = _product(rotated, matrix) + self.mean_[columns]
        return restored.reshape(len(X), *getattr(self, "_sample_shape", X.shape[1:]))

    def _blocks(self, dtype):
        """Yield the columns of each block and its eigenvectors, shape (n_columns, n_columns)."""
        for columns in gen_batches(len(self.components_), self.block_size_):
            width = columns.stop - columns.start
            yield columns, self.components_[columns, :width].astype(dtype, copy=False)

    def _scale(self, variances):
        if not variances.any():
            return np.ones_like(variances)
        return (variances + self.ridge * variances.mean()) ** (-self.exponent / 2)

    @property
    def _n_features_out(self):
        return self.n_features_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _block_size(X, block):
    n_features = X[0].size
    if block is not None:
        return min(int(block), n_features)
    return -(-n_features // -(-n_features // _MAX_BLOCK))


def _mean(X, rows):
    total = np.zeros(X.shape[1])
    for batch in gen_batches(len(rows), _N_ROWS_FIT):
        total += X[rows[batch]].sum(axis=0, dtype=np.float64)
    return total / len(rows)


def _covariance(X, rows, mean):
    """Covariance in float64, shape (n_features, n_features), without a second copy of X."""
    total = np.zeros((X.shape[1], X.shape[1]))
    with np.errstate(over="ignore", invalid="ignore"):
        for batch in gen_batches(len(rows), _N_ROWS_FIT):
            centered = X[rows[batch]] - mean
            total += centered.T @ centered
    total /= max(len(rows) - 1, 1)
    if not np.isfinite(total).all():
        raise ValueError("X holds values too large for their covariance to be finite.")
    return total


def _warn_of_few(n_inliers, size):
    warnings.warn(
        f"{n_inliers} inliers are too few to whiten {size} features together: new samples of the "
        "same kind will stand out in directions in which these happen not to vary. Pass more "
        "inliers, a smaller block or a larger ridge.",
        UserWarning,
        stacklevel=3,
    )


def _n_flat(variances):
    """Number of directions whose variance is rounding noise."""
    noise = len(variances) * np.finfo(np.float64).eps * variances.max()
    return int((variances <= noise).sum())


def _falling_eigh(covariance):
    """Eigenvalues in falling order and eigenvectors as rows, each with a defined sign."""
    values, vectors = np.linalg.eigh(covariance)
    vectors = vectors.T[::-1]
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return values[::-1].clip(min=0), vectors * signs[:, None]


def _product(rows, matrix):
    """Rows times a matrix, always as a product of :data:`_N_ROWS` rows."""
    padded = np.zeros((_N_ROWS, rows.shape[1]), rows.dtype)
    padded[: len(rows)] = rows
    with torch.no_grad():
        return product(torch.from_numpy(padded), matrix)[: len(rows)].numpy()
