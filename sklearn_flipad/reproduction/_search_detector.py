"""The base of detectors by the distance to the best reconstruction."""

from abc import ABC, abstractmethod
from numbers import Integral, Real
from os import PathLike

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from sklearn_flipad.base.estimators import check_takes_sizes
from sklearn_flipad.base.labels import own_samples
from sklearn_flipad.base.lanes import LANES
from sklearn_flipad.base.mixins import OffsetMixin, SharingMixin
from sklearn_flipad.base.parallel import in_batches
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.sample_lists import as_objects, is_ragged
from sklearn_flipad.base.samples import as_array, check_samples, record_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration.rules import Quantile
from sklearn_flipad.generators.process.generative_process import GenerativeProcess
from sklearn_flipad.generators.process.processing import takes_lists
from sklearn_flipad.reproduction._inception import inception_distance
from sklearn_flipad.reproduction._latent_functions import latent_function_of
from sklearn_flipad.reproduction.result import ReconstructionResult
from sklearn_flipad.reproduction.search.judging import judged

#: Samples that are searched before the next are looked at: memory stays flat.
_N_TOGETHER = 256


def _has_threshold(detector):
    if detector.fnr is None:
        raise AttributeError(
            f"This {type(detector).__name__} has no threshold. Fit it with fnr=..., or put it into "
            "an FNRThresholdCalibrator."
        )
    return True


class _SearchDetector(SharingMixin, OffsetMixin, BaseEstimator, ABC):
    """Minus the distance of a sample to the best reconstruction that a search finds for it."""

    _stored = Stored.stateless("offset_")
    #: Whether the search also finds the noise that a generator draws.
    _searches_noise = False
    #: Attributes that fit may set.
    _fitted_names = ("offset_",)

    _parameter_constraints: dict = {
        "generator": [torch.nn.Module],
        "latent_shape": [tuple, list, Integral, None],
        "sampler": [callable, None],
        "distance": [StrOptions({"l2", "inception"}), callable],
        "inception_weights": [str, PathLike, None],
        "output_range": [tuple, list, None],
        "fnr": [Interval(Real, 0, 1, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    @property
    def _takes_lists(self):
        """Whether samples may come as a list, of several sizes or files."""
        return takes_lists(getattr(self, "processing", None))

    @abstractmethod
    def _searching(self, process):
        """The search for the latents of a process's samples, with a method ``find(X)``."""

    @abstractmethod
    def _learned(self, process, own):
        """Fitted attributes but ``offset_``, and the search that uses them."""

    def _judging_distance(self):
        """The distance, a function, by which results are judged; None for that of the search."""
        return

    def _distance_function(self):
        """The parameter `distance` as a function; None for the root mean square difference."""
        if self.distance == "inception":
            return inception_distance(self.inception_weights)
        return None if self.distance == "l2" else self.distance

    def _fit(self, X, y):
        self._validate_params()
        array, process = self._prepared(X, reset=True)
        own = own_samples(array, y)
        fitted, search = self._learned(process, own)
        if self.fnr is not None:
            distances = [found.distances for found in self._results(own, process, search)]
            fitted["offset_"] = -Quantile().threshold(np.concatenate(distances), self.fnr)
        for name in self._fitted_names:
            vars(self).pop(name, None)
        vars(self).update(fitted)
        if array.dtype == object:
            # Whatever their sizes and files are, they show what the generator makes.
            record_samples(self, X, np.empty((1, *process.sample_shape), np.uint8))
        else:
            record_samples(self, X, array)
        return self

    def score_samples(self, X):
        """Minus the distance to the best reconstruction; larger is more normal.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        ndarray of float64, shape (n,)
            In gray levels, or in the unit of floats.

        Raises
        ------
        ValueError
            If X is not valid or has not as many elements as the generator's samples.
        NotFittedError
            If the search needs an encoder and it is not trained.
        """
        return -np.concatenate([found.distances for found in self._found(X)])

    def reconstruct(self, X):
        """The best reconstructions, and what they are made of.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        ReconstructionResult

        Raises
        ------
        ValueError, NotFittedError
            As in :meth:`score_samples`.
        """
        parts = list(self._found(X))
        names = ReconstructionResult.__dataclass_fields__
        return ReconstructionResult(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        )

    def _found(self, X):
        """Yield the results of parts of the samples."""
        self._validate_params()
        X, process = self._prepared(X)
        search, end = self._searching(process), 0
        for found in self._results(X, process, search):
            begin, end = end, end + len(found.distances)
            self._look_at(found, X[begin:end], search)
            yield found

    def _look_at(self, found, X, search):
        """Warn of what the results of samples tell about them."""

    def _results(self, X, process, search):
        distance = self._judging_distance()

        def judge(rows):
            return judged(X[rows], search.find(X[rows]), process, distance)

        with (
            process.running(),
            progress(len(X), "searching", verbose=self.verbose) as bar,
        ):
            batches = in_batches(
                judge, len(X), batch_size=_N_TOGETHER, lanes=LANES, device=process.device
            )
            for found in batches:
                bar.update(len(found.distances))
                yield found

    def _prepared(self, X, *, reset=False):
        """Samples on the generator's scale, and the process that makes such samples."""
        if self._takes_lists:
            return self._prepared_list(X)
        if is_ragged(X):
            check_takes_sizes(self, X)
        in_levels = np.asarray(as_array(X)).dtype.kind != "f"
        # Floats are checked first: nothing of the generator is needed for that.
        if not in_levels:
            X = check_samples(self, X, reset=reset, output_range=self.output_range)
        function = latent_function_of(self)
        function.warn_if_random(searches_noise=self._searches_noise)
        if in_levels:
            output_range = self.output_range
            if output_range is None:
                output_range = function.output_range
            X = check_samples(self, X, reset=reset, output_range=output_range)
        process = GenerativeProcess(
            function,
            dtype="uint8" if X.dtype == np.uint8 else "float32",
            output_range=self.output_range,
            processing=getattr(self, "processing", None),
        )
        process.processing.check_known()
        if np.prod(X.shape[1:]) != np.prod(process.sample_shape):
            raise ValueError(
                f"X has samples of shape {X.shape[1:]}, but the generator makes "
                f"{process.sample_shape}."
            )
        return X, process

    def _prepared_list(self, X):
        """Gray levels of several sizes or files, an array of objects, and their process."""
        function = latent_function_of(self)
        function.warn_if_random(searches_noise=self._searches_noise)
        process = GenerativeProcess(
            function, dtype="uint8", output_range=self.output_range, processing=self.processing
        )
        process.processing.check_known()
        return as_objects(process.checked_list(X)), process

    @available_if(_has_threshold)
    def decision_function(self, X):
        """Signed distance to the threshold: ``score_samples(X) - offset_``.

        Only with `fnr`.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        ndarray of float64, shape (n,)
            Negative for outliers.

        Raises
        ------
        NotFittedError
            If the threshold has not been placed yet.
        """
        if not hasattr(self, "offset_"):
            raise NotFittedError("The threshold is placed by fit, with samples of the model.")
        return super().decision_function(X)

    predict = available_if(_has_threshold)(OffsetMixin.predict)
    fit_predict = available_if(_has_threshold)(OffsetMixin.fit_predict)

    def _shared_by_clones(self):
        return {"generator", "distance", "sampler"}

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags
