"""Samples: the one place that defines the meaning of arrays, types and shapes.

=====================  =====================================================================
Given                  Read as
=====================  =====================================================================
uint8                  gray levels 0..255, which stand for values in ``output_range``
other integers         of images and signals: gray levels, or an error outside 0..255; in rows
                       of a table: numbers
floats                 values in ``output_range``; an error outside, except for rounding
tensors, lists, ...    an array of the same values
flattened rows         samples if their shape is known, else rows of a table
another axis order     an error that names the missing transposition
=====================  =====================================================================
"""

import warnings
from math import inf, prod

import numpy as np
import torch
from sklearn.utils.validation import check_array, validate_data

from sklearn_flipad.base.digests import row_digests
from sklearn_flipad.base.gray_levels import as_gray_levels
from sklearn_flipad.base.messages import Message, Term

__all__ = [
    "as_array",
    "channels_last",
    "check_features",
    "check_samples",
    "float_type",
    "record_samples",
    "shape_of",
    "shapes_of",
]

#: Types that are kept; others become the first.
_DTYPES = (np.float64, np.float32, np.uint8)
#: Sizes of the last axis that suggest that it holds the channels.
_CHANNELS = (1, 3, 4)
_OF_GRAY = " The model's images are gray: if the three channels are equal, pass"


def as_array(X):
    """Tensors and sequences as an ndarray, bfloat16 as float32; data frames as they are."""
    if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1 and shapes_of(X):
        X = np.stack([as_array(x) for x in X]) if len(shapes_of(X)) == 1 else X
    if isinstance(X, list | tuple) and len(X) and isinstance(X[0], torch.Tensor):
        X = torch.stack([torch.as_tensor(x, device="cpu") for x in X])
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().resolve_conj().resolve_neg()
        return (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if isinstance(X, np.ma.MaskedArray):
        if np.ma.is_masked(X):
            raise ValueError("X is a masked array with masked values: remove or impute those.")
        return np.asarray(X)
    return X if hasattr(X, "shape") else np.asarray(X)


def shapes_of(samples):
    """Set of the shapes of samples in a sequence, None if one of them has none."""
    has_shapes = all(hasattr(x, "shape") for x in samples)
    return {tuple(x.shape) for x in samples} if has_shapes else None


def shape_of(X):
    """Shape of an array, tensor, data frame or nested sequence."""
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
    rows_are_samples=False,
):
    """Check samples, and return them as an array in the layout of X.

    The estimator is not changed; :func:`record_samples` does that at the end of fit.

    Parameters
    ----------
    estimator : estimator
        The one whose samples they are.
    X : array-like, shape (n, ...)
        Samples: uint8 gray levels, or floats.
    reset : bool, default=False
        Whether this is fit. Otherwise X must have the layout seen in fit.
    output_range : pair of float, default=None
        What the gray levels 0 and 255 stand for; without it they are refused.
    value_range : pair of float, default=None
        Range of floats, by default `output_range`.
    sample_shape : tuple of int, default=None
        Shape of each sample, if it is known.
    images : bool, default=False
        Whether samples have the shape (channels, height, width), unless they come as rows.
    rows_are_samples : bool, default=False
        Whether floats in rows of unknown shape must lie in the range, too.

    Returns
    -------
    ndarray of uint8, float32 or float64, shape of X

    Raises
    ------
    ValueError
        If the samples are invalid.
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
                Message(
                    "X holds gray levels (uint8), but the output of the model is unbounded, so "
                    "nothing says which values 0 and 255 stand for. Pass ",
                    Term("output_range=(low, high)", "output_range"),
                    " to the layer or the estimator, or pass floats.",
                )
            )
    elif array.ndim > 2 or shape is not None or rows_are_samples:
        low, high = value_range or output_range or (-inf, inf)
        is_signal = array.ndim == 3 or (shape is not None and len(shape) == 2)
        is_parameter = "output_range" in _parameters(estimator)
        _check_range(array, low, high, precision, is_parameter, is_signal)
        _warn_of_unit_range(array, output_range)
    return array


def float_type(array):
    """Type of features of an array: float64 if it is float64, else float32."""
    return np.float64 if array.dtype == np.float64 else np.float32


def check_features(estimator, X, *, reset=False, dtype=None, same_scale=True):
    """Features of any scale as a finite ndarray, of type `dtype` if given.

    uint8 counts as numbers here. With `same_scale`, X must not hold gray levels if fit saw other
    floats, nor other floats if fit saw gray levels.
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
    """Record the layout of the samples seen in fit.

    Called at the end of fit, so that a fit that fails leaves no trace. Estimators that learn from
    samples also keep digests of them.

    Parameters
    ----------
    estimator : estimator
        The one that is being fitted.
    X : array-like, shape (n, ...)
        Samples as given.
    array : ndarray, shape (n, ...)
        The same as :func:`check_samples` returns them.
    """
    is_list = isinstance(X, list | tuple) and len(shapes_of(X) or ()) > 1
    stored = getattr(estimator, "_stored", None)  # a detector outside of the package may lack it
    if stored is not None and "_seen" in stored.optional:
        estimator._seen = row_digests(X if is_list else as_array(X))
    vars(estimator).pop("feature_names_in_", None)
    if array.ndim <= 2:
        validate_data(estimator, X, reset=True, skip_check_array=True)
        vars(estimator).pop("_sample_shape", None)
    else:
        estimator.n_features_in_ = prod(array.shape[1:])
        estimator._sample_shape = array.shape[1:]
    given = array.dtype if is_list else _dtype_of(X)
    estimator._saw_levels = np.uint8 in (array.dtype, given)
    estimator._saw_whole_numbers = bool(estimator._saw_levels or _whole_numbers(array))


def _checked_array(estimator, X):
    """X as an array that torch can use, and the precision of the floats it was given in."""
    given = as_array(X)
    dtype = getattr(X, "dtype", getattr(given, "dtype", None))
    half = {torch.bfloat16: 2.0**-7, torch.float16: 2.0**-10, np.dtype(np.float16): 2.0**-10}
    if isinstance(given, np.ndarray) and given.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported: X holds {given.dtype}. Pass real numbers, such as the "
            "real and the imaginary parts as channels."
        )
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
    """Advice on how to bring an array into the right shape, if that is clear."""
    if shape[1:] == (*sample_shape[1:], sample_shape[0]):
        return " The channels come last: pass np.moveaxis(X, -1, 1)."
    if shape == sample_shape:
        return " For a single sample pass X[None]."
    if sample_shape[0] == 1 and shape[1:] == sample_shape[1:]:
        return " The axis of the channel is missing: pass X[:, None]."
    if sample_shape[0] == 1 and shape[1:] == (3, *sample_shape[1:]):
        return f"{_OF_GRAY} [x[:1] for x in X]."
    if sample_shape[0] == 1 and shape[1:] == (*sample_shape[1:], 3):
        return f"{_OF_GRAY} [np.moveaxis(x, -1, 0)[:1] for x in X]."
    if len(shape) == 4 and len(sample_shape) == 3 and shape[1] == sample_shape[0]:
        return (
            " Images of another size are judged as they are by reproduction with unknown processing"
            " (make_reproduction(..., processing=[UnknownGeometry(), FileFormat()]), or flipad fit"
            " --method reproduction --processing platform). With size= or --size they are resized,"
            " and own ones may be called foreign."
        )
    return ""


def channels_last(shape):
    """Whether the last axis of a batch's shape seems to hold the channels, and not the second."""
    several = _CHANNELS if len(shape) == 4 else range(1, _CHANNELS[-1] + 1)
    return shape[-1] in several and shape[1] > _CHANNELS[-1]


def _check_image_axes(shape):
    if len(shape) == 4:
        if channels_last(shape):
            raise ValueError(
                Message(
                    f"X has shape {shape}: its channels seem to come last, and they must come "
                    "first. Pass np.moveaxis(X, -1, 1); or, if they do come first, ",
                    Term(f"pass image_shape={shape[1:]}", "python"),
                    ".",
                )
            )
    elif len(shape) != 2:
        hint = " For images of one channel pass X[:, None]." if len(shape) == 3 else ""
        raise ValueError(
            f"X must have shape (n, channels, height, width) or (n, n_features), got {shape}.{hint}"
        )


def _check_layout(estimator, X, array):
    """Raise ValueError if the layout is not that of the samples seen in fit."""
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


def _parameters(estimator):
    return estimator.get_params(deep=False) if hasattr(estimator, "get_params") else ()


def _check_range(array, low, high, precision, is_parameter, is_signal):
    """Raise ValueError for floats outside the range by more than the rounding of their type."""
    if low == -inf and high == inf:
        return
    slack = 4 * precision * max(abs(end) for end in (low, high) if abs(end) < inf)
    flat = array.reshape(len(array), -1)
    bad = (flat.min(axis=1) < low - slack) | (flat.max(axis=1) > high + slack)
    if bad.any():
        first = int(bad.argmax())
        advice, meaning = (
            ["Rescale the samples to the range"],
            "the values that 0 and 255 stand for",
        )
        if is_signal:
            advice = ["Scale the sounds as the program that writes the generator's does"]
            meaning = "the range of the generator's output"
        elif low > -inf and high < inf:
            advice = ["Pass gray levels as uint8, or rescale the samples to the range"]
        if is_parameter:
            term = Term("output_range=(low, high)", "output_range")
            advice += ["; or pass ", term, f", {meaning}"]
        raise ValueError(
            Message(
                f"{bad.sum()} of {len(array)} samples have values outside the range "
                f"[{low:g}, {high:g}]; the first is sample {first}, with values "
                f"from {flat[first].min():g} to {flat[first].max():g}. ",
                *advice,
                ".",
            )
        )


def _warn_of_unit_range(array, output_range):
    """Warn of samples scaled to [0, 1], where the expected range [-1, 1] has another meaning."""
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
    """Return whether all values are whole numbers from 0 to 255, as gray levels are."""
    return array.min() >= 0 and array.max() <= 255 and bool((array == np.rint(array)).all())


def _check_same_scale(estimator, array):
    """Raise ValueError for gray levels after floats, or floats after gray levels."""
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
