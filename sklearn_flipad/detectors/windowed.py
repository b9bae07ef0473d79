"""Detection in samples of any size, window by window."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.estimators import (
    check_detector,
    detector_parameters,
    last_step,
    metadata_of,
    normality,
    router_to_detector,
    rows_of,
    training_rows,
)
from sklearn_flipad.base.labels import check_labels
from sklearn_flipad.base.sample_lists import as_sample_list, sample_digests
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.detectors._window_grid import WindowGrid, check_geometry

__all__ = ["WindowScores", "WindowedDetector"]

#: Elements of the windows that are scored at a time.
_MAX_ELEMENTS = 2**22


@dataclass(frozen=True, eq=False)
class WindowScores:
    """Scores of the windows of one sample, from :meth:`WindowedDetector.score_windows`.

    Attributes
    ----------
    starts : ndarray of int, shape (n_windows, n_axes)
        First element of each window along the axes of the sample after the channels; with
        frames, preceded by the number of the frame.
    shape : tuple of int
        Shape ``(channels, *sides)`` of a window.
    scores : ndarray of float64, shape (n_windows,)
        Larger for more normal windows.
    """

    starts: np.ndarray
    shape: tuple
    scores: np.ndarray


class WindowedDetector(MetaEstimatorMixin, BaseEstimator):
    """Detect anomalies in samples of any size by a detector of windows of one size.

    Each sample is cut into windows, spread evenly from end to end, the detector is fitted to all
    windows with the labels of their samples, and the score of a sample is the mean, or another
    statistic, of the scores of its windows.

    Inside an :class:`~sklearn_flipad.FNRThresholdCalibrator`, whole samples are held out, never
    windows of a sample that is also trained on, and the threshold applies to samples. The
    ``make_*`` functions build that with ``windows=``.

    Parameters
    ----------
    estimator : estimator
        Features, scaler and detector of windows: a pipeline, or anything else that
        :class:`~sklearn_flipad.FNRThresholdCalibrator` takes.
    size : int, tuple of int or None
        Sides of a window, in elements along the axes after the channels. With None, a sample, or
        each of its frames, is one window.
    stride : int or tuple of int, default=None
        Largest distance between the starts of neighboring windows, at most `size`, so that all of
        a sample is covered; `size` by default.
    margin : int or tuple of int, default=0
        Elements at each end of a sample that no window covers. The operator of
        :meth:`FinalLayer.window <sklearn_flipad.FinalLayer.window>` needs those of
        :func:`~sklearn_flipad.final_layer.window_geometry`.
    unit : int or tuple of int, default=1
        Windows start at multiples of this, the period of a final layer.
    max_windows : int, default=None
        Largest number of windows per sample. Of a sample with more, some are drawn, the same ones
        for samples of the same size. All by default.
    frames : bool, default=False
        Whether the first axis of a sample holds frames, as of a video ``(frames, channels,
        height, width)``. Windows are cut from each frame.
    pool : {"mean", "min"} or float, default="mean"
        Score of a sample from those of its windows: their mean, the least normal one, or a
        quantile in (0, 1). The mean is best if all of a sample has one source; the least normal
        window and low quantiles find samples of which a part was replaced.
    phases : bool, default=False
        Whether to try each element of a period (`unit`) as the start of the windows, and to judge
        a sample by the phase with the best score: for suspects that may have been cropped by any
        number of elements. It multiplies the cost by the number of phases. `fit` uses only the
        first phase, since own samples are not cropped.

    Attributes
    ----------
    estimator_ : estimator
        The fitted detector of windows.
    window_shape_ : tuple of int
        Shape ``(channels, *sides)`` of a window.

    See Also
    --------
    FNRThresholdCalibrator : Places the threshold; warns of suspects with more or fewer windows
        than the samples that it was calibrated on.

    Notes
    -----
    Samples are passed as an array, or as a list or an array of objects if they differ in size:
    scikit-learn's splitters, searches and pipelines take lists of samples just like arrays. All
    samples must have one type, since gray levels and floats mean different things.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad.detectors import WindowedDetector
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(1, length)) for length in rng.integers(8, 40, 50)]
    >>> detector = WindowedDetector(OneClassSVM(), size=8).fit(X)
    >>> detector.n_windows([np.zeros((1, 8)), np.zeros((1, 20))])
    array([1, 3])
    >>> detector.score_windows([np.zeros((1, 20))])[0].starts.ravel()
    array([ 0,  6, 12])
    >>> detector.score_samples(X).shape
    (50,)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit"])],
        "size": [Integral, tuple, list, None],
        "stride": [Integral, tuple, list, None],
        "margin": [Integral, tuple, list],
        "unit": [Integral, tuple, list],
        "max_windows": [Interval(Integral, 1, None, closed="left"), None],
        "frames": ["boolean"],
        "pool": [StrOptions({"mean", "min"}), Interval(Real, 0, 1, closed="neither")],
        "phases": ["boolean"],
    }
    _stored = Stored(("estimator_", "window_shape_"), ("_seen",))

    def __init__(
        self,
        estimator,
        *,
        size,
        stride=None,
        margin=0,
        unit=1,
        max_windows=None,
        frames=False,
        pool="mean",
        phases=False,
    ):
        self.estimator = estimator
        self.size = size
        self.stride = stride
        self.margin = margin
        self.unit = unit
        self.max_windows = max_windows
        self.frames = frames
        self.pool = pool
        self.phases = phases

    def fit(self, X, y=None, **params):
        """Fit the detector to the windows of all samples.

        Parameters
        ----------
        X : array-like, shape (n, ...), or sequence of array-like
            Samples ``(channels, ...)``, or ``(frames, channels, ...)``.
        y : array-like of shape (n,), default=None
            +1 for the model's samples, -1 for others, 0 for unlabeled; windows get the label of
            their sample.
        **params : dict
            Parameters of the detector's ``fit``, such as ``sample_weight``; windows get those of
            their sample. By metadata routing if that is enabled.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or y is not valid, a sample is smaller than a window, or samples differ
            in type or in channels.
        """
        self._check_parameters()
        samples, grid = as_sample_list(X), self._grid()
        shape, starts = _located(samples, grid)
        counts, labels = [len(places) for places in starts], None
        if y is not None:
            labels = np.repeat(check_labels(y, len(samples)), counts)
        parts = zip(samples, starts, strict=True)
        windows = np.stack([w for sample, places in parts for w in grid.cut(sample, places, shape)])
        kept, labels = training_rows(self.estimator, labels)
        rows = rows_of(self.estimator, windows[kept])
        of_windows = np.repeat(np.arange(len(samples)), counts)[kept]
        options = metadata_of(samples, detector_parameters(self, params), of_windows)
        self.estimator_ = clone(self.estimator).fit(rows, labels, **options)
        self.window_shape_ = shape
        self._seen = sample_digests(samples)
        return self

    def check_fit(self, X, y=None):
        """Validate everything that can be before features are computed.

        Parameters
        ----------
        X : array-like, shape (n, ...), or sequence of array-like
            Samples.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.

        Raises
        ------
        ValueError
            As in :meth:`fit`.
        """
        self._check_parameters()
        _located(as_sample_list(X), self._grid())
        last = last_step(self.estimator)
        if hasattr(last, "check_fit"):
            last.check_fit(X, y)

    def get_metadata_routing(self):
        """Get the metadata routing: parameters go to the ``fit`` of the estimator.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
        """
        return router_to_detector(self)

    def n_windows(self, X):
        """Count the windows of each sample, on which the spread of its score depends.

        Parameters
        ----------
        X : array-like, shape (n, ...), or sequence of array-like
            Samples.

        Returns
        -------
        ndarray of int, shape (n,)

        Raises
        ------
        ValueError
            If a sample is smaller than a window.
        """
        self._check_parameters()
        shape = getattr(self, "window_shape_", None)
        _, starts = _located(as_sample_list(X), self._grid(), shape)
        return np.array([len(places) for places in starts])

    def score_windows(self, X):
        """Score each window; with `phases`, those of the phase with the best sample score.

        Parameters
        ----------
        X : array-like, shape (n, ...), or sequence of array-like
            Samples.

        Returns
        -------
        list of WindowScores
            One for each sample.

        Raises
        ------
        ValueError
            If a sample is smaller than a window or has other channels than in fit, or as raised
            by the detector.
        """
        check_is_fitted(self)
        samples, grid = as_sample_list(X), self._grid()
        shifts = grid.shifts(len(self.window_shape_) - 1)
        found = [self._score_windows(samples, grid, shift) for shift in shifts]
        return [max(of_one, key=self._pooled) for of_one in zip(*found, strict=True)]

    def _score_windows(self, samples, grid, shift):
        shape, starts = _located(samples, grid, self.window_shape_, shift)
        ends = np.cumsum([len(places) for places in starts])
        scores, waiting = [], []
        at_a_time = max(1, _MAX_ELEMENTS // int(np.prod(shape)))
        for sample, places in zip(samples, starts, strict=True):
            for window in grid.cut(sample, places, shape):
                waiting.append(window)
                if len(waiting) == at_a_time:
                    scores.append(normality(self.estimator_, np.stack(waiting)))
                    waiting = []
        if waiting:
            scores.append(normality(self.estimator_, np.stack(waiting)))
        parts = np.split(np.concatenate(scores), ends[:-1])
        pairs = zip(starts, parts, strict=True)
        return [WindowScores(places, shape, part) for places, part in pairs]

    def score_samples(self, X):
        """Score each sample; larger is more normal.

        Parameters
        ----------
        X : array-like, shape (n, ...), or sequence of array-like
            Samples.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            As :meth:`score_windows`.
        """
        return np.array([self._pooled(found) for found in self.score_windows(X)])

    def _pooled(self, found):
        if isinstance(self.pool, str):
            return {"mean": np.mean, "min": np.min}[self.pool](found.scores)
        return np.quantile(found.scores, self.pool)

    def _grid(self):
        geometry = self.size, self.stride, self.margin, self.unit
        return WindowGrid(*geometry, self.max_windows, self.frames, self.phases)

    def _check_parameters(self):
        self._validate_params()
        check_detector(self.estimator)
        check_geometry(self.size, self.stride, self.margin, self.unit, self.phases)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def _located(samples, grid, expected=None, shift=None):
    """Shape of all windows, and for each sample their starts, shape (n_windows, n_axes)."""
    starts = []
    for number, sample in enumerate(samples):
        name = f"Sample {number}"
        shape = grid.window_shape(sample, name)
        expected = shape if expected is None else expected
        if shape != tuple(expected):
            raise ValueError(
                f"{name} has windows of shape {shape}, but those of other samples or of fit have "
                f"shape {tuple(expected)}: samples may differ in size, but not in channels or axes."
            )
        starts.append(grid.starts(sample, name, shift))
    return tuple(expected), starts
