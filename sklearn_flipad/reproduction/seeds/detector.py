"""The search for seeds as a detector."""

import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.labels import own_samples
from sklearn_flipad.base.mixins import OffsetMixin, SharingMixin
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.samples import as_array, check_samples, record_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.generators import DiffusionSampler, TorchNoise
from sklearn_flipad.generators.process.processing import takes_lists
from sklearn_flipad.reproduction._cloning import is_untrained
from sklearn_flipad.reproduction.detector import ReproductionDetector
from sklearn_flipad.reproduction.encoder import LatentEncoder
from sklearn_flipad.reproduction.seeds._suspects import LOSSLESS, check_one_shape, files_of
from sklearn_flipad.reproduction.seeds._targets import target_of
from sklearn_flipad.reproduction.seeds.candidates import SeedCandidates
from sklearn_flipad.reproduction.seeds.search import SeedSearch

__all__ = ["SeedDetector"]


class SeedDetector(SharingMixin, OffsetMixin, BaseEstimator):
    """Distance of a sample to what the model makes of the seed that explains it.

    Of all candidates, those are found whose noise correlates most with that of the sample, and the
    model is run with them again. A model's own sample, whose seed is among the candidates, comes
    back identical: its distance is 0.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model: a :class:`~sklearn_flipad.generators.DiffusionSampler`, or another
        generator, whose latents are found by reproduction. Clones share it.
    seeds : range, array-like of int, DataFrame, path-like or SeedCandidates
        Candidates, see :class:`~sklearn_flipad.reproduction.SeedSearch`.
    draw : callable, default=None
        ``draw(seed)`` returns the noise of a seed, shape ``(n_batch, *latent_shape)``. By default
        :class:`~sklearn_flipad.generators.TorchNoise` of one sample.
    encoder : LatentEncoder or torch.nn.Module, default=None
        For a generator that is no ``DiffusionSampler``: guesses where the search for its latents
        starts, see :class:`~sklearn_flipad.ReproductionDetector`. One that is not fitted is
        trained in ``fit``.
    latent_shape, sampler, output_range
        See :class:`~sklearn_flipad.ReproductionDetector`; a ``DiffusionSampler`` needs none.
    processing : transformer or sequence of transformer, default=None
        Known processing of suspects, see :class:`~sklearn_flipad.reproduction.SeedSearch`. With
        :class:`~sklearn_flipad.evaluation.FileFormat` as the last step, samples come in a list of
        images that know their files.
    level : float, default=1e-6
        Largest p-value, Bonferroni's, of a seed that counts as found. One that makes the sample
        again in every value always does.
    n_best, tol, max_iter, n_jobs
        See :class:`~sklearn_flipad.reproduction.SeedSearch`.
    device, random_state
        See :class:`~sklearn_flipad.ReproductionDetector`; a ``DiffusionSampler`` runs where it is.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    far_ : float
        Distance of samples whose seed is not found: that of black and white, 255 for gray levels.
    offset_ : float
        0: samples are called inliers if a seed is found that makes them again in every value.
    reproduction_ : ReproductionDetector
        Finds the latents. Only with `encoder`.
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    sklearn_flipad.make_seeded : The detector with a calibrated threshold.
    ReproductionDetector : For generators with few latents, whatever their seeds.

    Notes
    -----
    A sample of the model whose seed is not among the candidates is as far as any other. A rate of
    false negatives that is calibrated with samples of candidates, as :meth:`sample` draws them, is
    that of samples of candidates.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_flipad import SeedDetector
    >>> from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule
    >>> class Network(torch.nn.Module):
    ...     def forward(self, x, t):
    ...         return torch.tanh(x)
    >>> t = np.linspace(1, 0, 11)
    >>> flow = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
    >>> model = DiffusionSampler(Network(), flow, latent_shape=(1, 8, 8))
    >>> detector = SeedDetector(model, seeds=range(100))
    >>> own = detector.sample(3)
    >>> detector.fit(own).predict(np.concatenate([own, 255 - own]))
    array([ 1,  1,  1, -1, -1, -1])
    """

    _stored = Stored(
        Stored.with_samples("far_", "offset_").fitted,
        (*Stored.with_samples().optional, "reproduction_"),
    )

    _parameter_constraints: dict = {
        "generator": [torch.nn.Module],
        "seeds": "no_validation",
        "draw": [callable, None],
        "encoder": [LatentEncoder, torch.nn.Module, None],
        "latent_shape": [tuple, list, Integral, None],
        "sampler": [callable, None],
        "output_range": [tuple, list, None],
        "processing": "no_validation",
        "level": [Interval(Real, 0, 1, closed="right")],
        "n_best": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "device": [str, torch.device, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        generator,
        *,
        seeds,
        draw=None,
        encoder=None,
        latent_shape=None,
        sampler=None,
        output_range=None,
        processing=None,
        level=1e-6,
        n_best=3,
        tol=1e-5,
        max_iter=100,
        n_jobs=None,
        device=None,
        random_state=0,
        verbose=0,
    ):
        self.generator = generator
        self.seeds = seeds
        self.draw = draw
        self.encoder = encoder
        self.latent_shape = latent_shape
        self.sampler = sampler
        self.output_range = output_range
        self.processing = processing
        self.level = level
        self.n_best = n_best
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _takes_lists(self):
        """Whether samples come as a list of images that know their files."""
        return takes_lists(self.processing)

    def fit(self, X, y=None):
        """Train the encoder if there is one to train; nothing else is learned.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats as the generator makes them.
        y : array-like of shape (n,), default=None
            +1 for the model's samples; others are ignored. None means that all are the
            model's.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, X or y is not valid, no sample is the model's, or the range of the
            model's floats is not known.
        """
        self._validate_params()
        model = self._new_model()
        target = target_of(model, self.processing)
        SeedCandidates.of(self.seeds).of_size(target.sample_shape)
        array = self._checked(X, target, reset=True)
        own = own_samples(array, y)
        in_levels = array.dtype == np.uint8
        low, high = (0, 255) if in_levels else target.output_range
        fitted = {"far_": float(high - low), "offset_": 0.0}
        if isinstance(model, ReproductionDetector):
            fitted["reproduction_"] = model.fit(own)
        vars(self).pop("reproduction_", None)
        vars(self).update(fitted)
        record_samples(self, X, array)
        return self

    def score_samples(self, X):
        """Minus the distance to what the model makes of the seed; larger is more normal.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        ndarray of float64, shape (n,)
            Minus the root mean square difference in gray levels, or in the unit of floats; minus
            ``far_`` where no seed has a p-value of at most `level`, and none makes the sample again
            in every value.

        Raises
        ------
        ValueError
            If X does not fit the model.
        NotFittedError
            If the detector is not fitted.
        """
        found = self.search(X)
        made = found.samples.astype(np.float64)
        X = np.asarray(as_array(X)).reshape(made.shape)
        distances = np.sqrt(np.square(made - X).reshape(len(X), -1).mean(axis=1))
        is_found = (found.log_p_values <= np.log(self.level)) | found.identical
        return -np.where(is_found, distances, self.far_)

    def search(self, X):
        """Seeds of samples, what the model makes of them, and p-values.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features), or list of ndarray
            Samples.

        Returns
        -------
        SeedSearchResult

        Raises
        ------
        ValueError, NotFittedError
            As in :meth:`score_samples`.
        """
        check_is_fitted(self)
        self._validate_params()
        model = self._model()
        array = self._checked(X, target_of(model))
        search = SeedSearch(
            model,
            self.seeds,
            self.draw,
            n_best=self.n_best,
            tol=self.tol,
            max_iter=self.max_iter,
            processing=self.processing,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        return search.search(X if self._takes_lists else array)

    def check_files(self, X):
        """Raise ValueError for samples that cannot be searched.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features), or list of ndarray
            Samples.

        Raises
        ------
        ValueError
            If X does not fit the model; or with ``FileFormat()``, if the file of a sample does not
            tell its compression, or is compressed more strongly than its `qualities`.
        """
        target = target_of(self._model(), self.processing)
        files_of(X, target.checked(self._checked(X, target)), target.processing)

    def sample(self, n_samples, *, dtype="uint8", random_state=0):
        """Draw samples of the model: those of different candidates, chosen at random.

        Gray levels are processed as suspects are.

        Parameters
        ----------
        n_samples : int
            How many.
        dtype : {"uint8", "float32"}, default="uint8"
            Gray levels, as an image file would store them, or the model's own values.
        random_state : int, RandomState instance or None, default=0
            Seed of the choice.

        Returns
        -------
        ndarray, shape (n_samples, *sample_shape)
            With ``FileFormat()`` as the last step of `processing`, a list of images in formats that
            it draws.

        Raises
        ------
        ValueError
            If `dtype` is unknown, or there are fewer candidates.
        """
        if dtype not in ("uint8", "float32"):
            raise ValueError(f"dtype must be 'uint8' or 'float32', got {dtype!r}.")
        target, rng = target_of(self._model(), self.processing), check_random_state(random_state)
        draw = TorchNoise(target.latent_shape) if self.draw is None else self.draw
        candidates = SeedCandidates.of(self.seeds).of_size(target.sample_shape)
        made, ready = [], {}
        with progress(n_samples, "sampling", verbose=self.verbose) as bar:
            for seed, settings in candidates.drawn(n_samples, rng):
                key = tuple(settings.values())
                if key not in ready:
                    ready[key] = target.with_settings(settings)
                x = ready[key].made(draw(seed), {}, dtype == "uint8", LOSSLESS)
                made.append(x[rng.randint(len(x))])
                bar.update()
        file_format = target.processing.file_format
        if file_format is not None and dtype == "uint8":
            return file_format.transform(made)
        return np.stack(made)

    def check_threshold(self, distances, threshold):
        """Raise ValueError for a threshold that accepts samples without a seed, or warn of others.

        :class:`~sklearn_flipad.FNRThresholdCalibrator` calls it in ``fit``.

        Parameters
        ----------
        distances : ndarray of shape (n,)
            Distances of the calibration samples.
        threshold : float
            Largest distance that is accepted.

        Raises
        ------
        ValueError
            If the threshold is ``far_`` or more.

        Warns
        -----
        UserWarning
            If samples are accepted that are not made again in every value.
        """
        n, n_lost = len(distances), int((distances >= self.far_).sum())
        if threshold < self.far_:
            if threshold > 0:
                warnings.warn(
                    f"{(distances > 0).sum()} of {n} calibration samples are not made again in "
                    f"every value, and what is up to {threshold:.3g} away is accepted, samples of "
                    "copies of the model too. Calibrate with samples as the model makes them, not "
                    "processed and of this machine and precision.",
                    UserWarning,
                    stacklevel=2,
                )
            return
        least = np.ceil(1e4 * (n_lost + 1) / (n + 1)) / 1e4
        advice = f"Choose a larger fnr: with the conformal rule at least {least:g}"
        if n_lost == n:
            advice = "Pass samples of candidates, as SeedDetector.sample draws them"
        raise ValueError(
            f"No seed with a p-value of at most {self.level:g} was found for {n_lost} of {n} "
            "calibration samples of the model: at this fnr, every sample would be accepted. "
            f"{advice}; or check steps, conditions and draw, on which the noise depends."
        )

    def _model(self):
        """The diffusion sampler, or the detector that finds latents, fitted if it is."""
        return self.reproduction_ if hasattr(self, "reproduction_") else self._new_model()

    def _new_model(self):
        if isinstance(self.generator, DiffusionSampler):
            return self.generator
        if self.encoder is None:
            raise ValueError(
                f"A {type(self.generator).__name__} is no DiffusionSampler, so that its latents "
                "must be found by reproduction: pass encoder=LatentEncoder()."
            )
        return ReproductionDetector(
            self.generator,
            encoder=self.encoder,
            latent_shape=self.latent_shape,
            sampler=self.sampler,
            output_range=self.output_range,
            processing=self.processing,
            device=self.device,
            random_state=self.random_state,
            verbose=self.verbose,
        )

    def _checked(self, X, target, reset=False):
        check_one_shape(X, target.sample_shape)
        array = check_samples(
            self,
            X,
            reset=reset,
            output_range=target.output_range,
            sample_shape=target.sample_shape,
        )
        if target.output_range is None:
            raise ValueError(
                "The range of the model's values is not known, so nothing says how far a sample is "
                "whose seed is not found. Pass a sampler of pixels, or search with SeedSearch."
            )
        if not reset and (array.dtype == np.uint8) != self._saw_levels:
            raise ValueError("X and the samples of fit must be both gray levels or both floats.")
        return array

    def _shared_by_clones(self):
        shared = {"generator", "seeds", "draw", "sampler"}
        return shared if is_untrained(self.encoder) else shared | {"encoder"}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
