"""What a sample is: the one place that decides what arrays, gray levels and shapes mean.

=====================  =====================================================================
Given                  Read as
=====================  =====================================================================
uint8                  gray levels 0..255; they stand for values in ``output_range``
other integers         gray levels where the samples are images or signals and all lie in
                       0..255, refused there otherwise; numbers in the rows of a table
floats                 values in ``output_range``; others are refused, but for rounding
tensors, lists, ...    what the array would be that holds the same values
flattened rows         samples whose shape is known; else the rows of a table
another axis order     refused, with the transposition that is missing
=====================  =====================================================================
"""

import warnings
from math import inf, prod

import numpy as np
import torch
from sklearn.utils.validation import check_array, validate_data

__all__ = [
    "as_array",
    "as_gray_levels",
    "check_features",
    "check_samples",
    "from_gray_levels",
    "record_samples",
    "shape_of",
    "to_gray_levels",
]

#: The first is what other types become.
_DTYPES = (np.float64, np.float32, np.uint8)
#: Sizes of the last axis that suggest that it holds the channels.
_CHANNELS = (1, 3, 4)


def as_array(X):
    """An array of the same values, for what is not one already.

    Parameters
    ----------
    X : array-like
        Array, tensor, data frame, or a sequence of any of them.

    Returns
    -------
    object
        A torch tensor, or a sequence of tensors, as an ndarray, with bfloat16 as float32.
        Anything else as :func:`numpy.asarray` has it, but a data frame or a sparse matrix
        as it is.

    Raises
    ------
    ValueError
        If X is a masked array with masked values.
    """
    if isinstance(X, list | tuple) and len(X) and isinstance(X[0], torch.Tensor):
        X = torch.stack([torch.as_tensor(x) for x in X])
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().resolve_conj().resolve_neg()
        return (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if isinstance(X, np.ma.MaskedArray):
        if np.ma.is_masked(X):
            raise ValueError("X is a masked array with masked values: remove or impute those.")
        return np.asarray(X)
    return X if hasattr(X, "shape") else np.asarray(X)


def shape_of(X):
    """The shape of an array, tensor, data frame or nested sequence.

    Parameters
    ----------
    X : array-like
        Samples.

    Returns
    -------
    tuple of int
    """
    return tuple(as_array(X).shape)


def check_samples(
    estimator,
    X,
    *,
    reset=False,
    output_range=None,
    value_range=None,
    sample_shape=None,
    images=False,
):
    """Validate raw samples, and give them one meaning.

    Nothing of the estimator is changed; :func:`record_samples` does that at the end of fit.

    Parameters
    ----------
    estimator : BaseEstimator
        Names itself in messages.
    X : array-like, shape (n, *sample_shape) or (n, n_features)
        Samples.
    reset : bool, default=False
        Whether X is what an estimator is being fitted to. Otherwise it must be laid out as the
        samples were that the estimator was fitted to, if it was.
    output_range : pair of float, default=None
        Values that the gray levels 0 and 255 stand for. None: there are no such values, so
        gray levels are refused.
    value_range : pair of float, default=None
        Smallest and largest value that floats may have, possibly infinite; `output_range`
        by default.
    sample_shape : tuple of int, default=None
        The shape that one sample must have; any if None.
    images : bool, default=False
        Whether samples are images ``(channels, height, width)``, unless they come as rows.

    Returns
    -------
    ndarray of uint8, float32 or float64
        X in its own layout.

    Raises
    ------
    ValueError
        If X is empty, holds NaN or infinity, is out of range, or has another shape or axis
        order than expected.
    """
    array, precision = _checked_array(estimator, X)
    shape = sample_shape or (None if reset else getattr(estimator, "_sample_shape", None))
    if not reset:
        _check_layout(estimator, X, array)
    if sample_shape is not None:
        _check_shape(array.shape, sample_shape)
    elif images:
        _check_image_axes(array.shape)
    is_table = array.ndim == 2 and (shape is None or len(shape) == 1)
    if not is_table:
        array = as_gray_levels(array, _dtype_of(X))
    _check_finite(array)
    if array.dtype == np.uint8:
        if output_range is None:
            raise ValueError(
                "X holds gray levels (uint8), but the output of the model is unbounded, so "
                "nothing says which values 0 and 255 stand for. Pass "
                "output_range=(low, high) where the layer or the estimator is made, or floats."
            )
    elif array.ndim > 2 or shape is not None:
        low, high = value_range or output_range or (-inf, inf)
        _check_range(array, low, high, precision, hasattr(estimator, "output_range"))
        _warn_of_unit_range(array, output_range)
    return array


def check_features(estimator, X, *, reset=False, dtype=None, same_scale=True):
    """Validate features: numbers whose scale is no concern of the estimator.

    Parameters
    ----------
    estimator : BaseEstimator
        Names itself in messages.
    X : array-like, shape (n, ...)
        Features. uint8 counts as numbers here, but a model that was fitted to them meets no
        other floats than whole ones, and the other way round.
    reset : bool, default=False
        As in :func:`check_samples`.
    dtype : numpy.dtype, default=None
        Type to convert to; by default uint8, float32 and float64 stay and others become
        float64.
    same_scale : bool, default=True
        Whether X has to be on the scale of the samples seen in fit, as what is to be
        transformed back is not.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If X is empty, not finite in `dtype`, laid out in another way than in fit, or on
        another scale.
    """
    array, _ = _checked_array(estimator, X)
    if not reset:
        _check_layout(estimator, X, array)
    _check_finite(array)
    if same_scale and not reset:
        _check_same_scale(estimator, array)
    if dtype is not None and array.dtype != dtype:
        with np.errstate(over="ignore"):
            cast = array.astype(dtype)
        _check_finite(cast, f"has values too large for {np.dtype(dtype)}")
        return cast
    return array


def record_samples(estimator, X, array):
    """Let an estimator remember the layout of the samples that it was fitted to.

    Called at the end of fit, so that what is refused leaves no trace.

    Parameters
    ----------
    estimator : BaseEstimator
        Gets ``n_features_in_``, the number of elements of one sample, and, for data frames,
        ``feature_names_in_``.
    X : array-like
        What was passed to fit.
    array : ndarray
        What :func:`check_samples` or :func:`check_features` made of it.
    """
    vars(estimator).pop("feature_names_in_", None)
    if array.ndim <= 2:
        validate_data(estimator, X, reset=True, skip_check_array=True)
        vars(estimator).pop("_sample_shape", None)
    else:
        estimator.n_features_in_ = prod(array.shape[1:])
        estimator._sample_shape = array.shape[1:]
    estimator._saw_levels = np.uint8 in (array.dtype, _dtype_of(X))
    estimator._saw_whole_numbers = bool(estimator._saw_levels or _whole_numbers(array))


def as_gray_levels(array, given):
    """Integers that are no table's numbers as the gray levels that they are.

    Parameters
    ----------
    array : ndarray
        Their values, in any type.
    given : numpy.dtype
        The type in which they were given.

    Returns
    -------
    ndarray
        uint8, if `given` is a type of integers.

    Raises
    ------
    ValueError
        If they are none from 0 to 255, or only 0 and 1.
    """
    if array.dtype == np.uint8 or given.kind not in "biu":
        return array
    low, high = array.min(), array.max()
    if given.kind == "b" or (low >= 0 and high == 1):
        raise ValueError(
            f"X holds only 0 and 1 ({given}), which could be black and white or the gray levels "
            "0 and 1. Pass uint8 gray levels (0 is black, 255 is white), or floats."
        )
    if low < 0 or high > 255:
        raise ValueError(
            f"X holds integers from {low:g} to {high:g} ({given}). Integers are gray levels "
            "from 0 to 255; scale others to floats in the range of the model's output."
        )
    return array.astype(np.uint8)


def from_gray_levels(x, output_range):
    """Gray levels as the values that they stand for; other types as they are.

    Linear and exact: 0 and 255 are the ends of `output_range`.

    Parameters
    ----------
    x : ndarray or torch.Tensor
        Samples.
    output_range : pair of float
        Values of the gray levels 0 and 255.

    Returns
    -------
    ndarray or torch.Tensor
        float64 for uint8 samples, else `x`.
    """
    if x.dtype not in (np.uint8, torch.uint8):
        return x
    low, high = output_range
    levels = x.double() if isinstance(x, torch.Tensor) else x.astype(np.float64)
    return levels * ((high - low) / 255) + low


def to_gray_levels(x, output_range):
    """Values as the nearest gray levels; what is outside of the range is clipped.

    Parameters
    ----------
    x : ndarray of float
        Samples.
    output_range : pair of float
        Values that become the gray levels 0 and 255.

    Returns
    -------
    ndarray of uint8
    """
    low, high = output_range
    levels = np.rint((x.astype(np.float64) - low) * (255 / (high - low)))
    return np.clip(levels, 0, 255).astype(np.uint8)


def _checked_array(estimator, X):
    """X as an array that torch can use, and the precision that its floats came in."""
    given = as_array(X)
    dtype = getattr(X, "dtype", getattr(given, "dtype", None))
    half = {torch.bfloat16: 2.0**-7, torch.float16: 2.0**-10, np.dtype(np.float16): 2.0**-10}
    array = check_array(
        given,
        allow_nd=len(given.shape) > 2,
        dtype=_DTYPES,
        ensure_all_finite=False,
        estimator=estimator,
        input_name="X",
    )
    if not array.flags.writeable or min(array.strides) < 0:
        array = array.copy()
    precision = half.get(dtype) if isinstance(dtype, torch.dtype | np.dtype) else None
    if precision is None:
        precision = np.finfo(array.dtype).eps if array.dtype.kind == "f" else 0.0
    return array, precision


def _dtype_of(X):
    X = as_array(X)
    return X.iloc[:0].to_numpy().dtype if hasattr(X, "iloc") else X.dtype


def _check_shape(shape, sample_shape):
    if shape[1:] in (sample_shape, (prod(sample_shape),)):
        return
    wanted = f"(n, {', '.join(map(str, sample_shape))})"
    raise ValueError(
        f"X must have shape {wanted} or (n, {prod(sample_shape)}), got {shape}."
        f"{_missing_step(shape, sample_shape)}"
    )


def _missing_step(shape, sample_shape):
    """Advice on how to bring an array into the right shape, where that can be told."""
    if shape[1:] == (*sample_shape[1:], sample_shape[0]):
        return " The channels come last: pass np.moveaxis(X, -1, 1)."
    if shape == sample_shape:
        return " For a single sample pass X[None]."
    if sample_shape[0] == 1 and shape[1:] == sample_shape[1:]:
        return " The axis of the channel is missing: pass X[:, None]."
    return ""


def _check_image_axes(shape):
    if len(shape) == 4:
        if shape[3] in _CHANNELS and shape[1] > _CHANNELS[-1]:
            raise ValueError(
                f"X has shape {shape}: its channels seem to come last, and they must come "
                "first. Pass np.moveaxis(X, -1, 1); or, if they do come first, "
                f"image_shape={shape[1:]}."
            )
    elif len(shape) != 2:
        hint = " For images of one channel pass X[:, None]." if len(shape) == 3 else ""
        raise ValueError(
            f"X must have shape (n, channels, height, width) or (n, n_features), got {shape}.{hint}"
        )


def _check_layout(estimator, X, array):
    """Compare with the samples that were seen in fit."""
    expected = getattr(estimator, "n_features_in_", None)
    if expected is None:
        return
    if array.ndim <= 2:
        validate_data(estimator, X, reset=False, skip_check_array=True)
        return
    name, n_features = type(estimator).__name__, prod(array.shape[1:])
    seen = getattr(estimator, "_sample_shape", None)
    if n_features != expected:
        shapes = "" if seen is None else f" Its samples have shape {array.shape[1:]}, not {seen}."
        raise ValueError(
            f"X has {n_features} features, but {name} is expecting {expected} features as input."
            f"{shapes}"
        )
    seen = array.shape[1:] if seen is None else seen
    if array.shape[1:] != seen:
        raise ValueError(
            f"X has samples of shape {array.shape[1:]}, but {name} was fitted to samples of shape "
            f"{seen}.{_missing_step(array.shape, seen)}"
        )


def _check_finite(array, problem="contains NaN or infinity"):
    if array.dtype.kind != "f" or np.isfinite(array.sum(dtype=np.float64)):
        return
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if bad.any():
        raise ValueError(
            f"Input X {problem}: {bad.sum()} of {len(array)} samples, the first is sample "
            f"{bad.argmax()}. Remove them or repair their values."
        )


def _check_range(array, low, high, precision, is_parameter):
    """Refuse floats outside the range, but for rounding in the type they came in."""
    if low == -inf and high == inf:
        return
    slack = 4 * precision * max(abs(end) for end in (low, high) if abs(end) < inf)
    flat = array.reshape(len(array), -1)
    bad = (flat.min(axis=1) < low - slack) | (flat.max(axis=1) > high + slack)
    if bad.any():
        first = int(bad.argmax())
        advice = "Rescale the samples to the range"
        if low > -inf and high < inf:
            advice = "Pass gray levels as uint8, or rescale the samples to the range"
        if is_parameter:
            advice += "; or pass output_range=(low, high), the values that 0 and 255 stand for"
        raise ValueError(
            f"{bad.sum()} of {len(array)} samples have values outside the range "
            f"[{low:g}, {high:g}]; the first is sample {first}, with values "
            f"from {flat[first].min():g} to {flat[first].max():g}. {advice}."
        )


def _warn_of_unit_range(array, output_range):
    """Images scaled to [0, 1] also lie in [-1, 1], where they mean something else."""
    if output_range is None or not (output_range[0] < 0 and output_range[1] >= 1):
        return
    least, largest = array.min(), array.max()
    if 0 <= least < largest <= 1 and largest > 0.5:
        low, high = output_range
        warnings.warn(
            f"All values of X lie in [{least:g}, {largest:g}], but samples are expected in "
            f"[{low:g}, {high:g}]. Images that were scaled to [0, 1] have to be scaled to that "
            "range, or passed as uint8.",
            UserWarning,
            stacklevel=4,
        )


def _whole_numbers(array):
    """Whether floats could be gray levels: whole numbers from 0 to 255."""
    return array.min() >= 0 and array.max() <= 255 and bool((array == np.rint(array)).all())


def _check_same_scale(estimator, array):
    """Refuse gray levels after floats and floats after gray levels."""
    levels = getattr(estimator, "_saw_levels", None)
    is_levels = array.dtype == np.uint8
    if levels is None or levels == is_levels:
        return
    same = estimator._saw_whole_numbers if is_levels else _whole_numbers(array)
    if not same:
        kinds = "uint8 gray levels", "floats"
        seen, given = kinds if levels else reversed(kinds)
        raise ValueError(
            f"X holds {given}, but {type(estimator).__name__} was fitted to {seen}: they are on "
            f"different scales. Pass {seen}."
        )
