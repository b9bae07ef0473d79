"""Reproduction: the search for a sample's latents from an encoder's guess."""

import warnings
from numbers import Integral

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.base.randomness import Purpose, separate_stream
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.reproduction._cloning import is_untrained
from sklearn_flipad.reproduction._module_encoder import ModuleEncoder
from sklearn_flipad.reproduction._search_detector import _SearchDetector
from sklearn_flipad.reproduction.encoder import LatentEncoder
from sklearn_flipad.reproduction.options import SearchOptions
from sklearn_flipad.reproduction.search.guided import GuidedSearch
from sklearn_flipad.reproduction.search.metric import LatentMetric
from sklearn_flipad.reproduction.search.plan import SearchPlan
from sklearn_flipad.reproduction.search.reasons import (
    warn_if_written_otherwise,
    warn_of_earlier_compression,
)

__all__ = ["ReproductionDetector"]

#: A threshold so many times the median calibration distance lies at samples whose search failed.
_TYPICAL = 3.0


class ReproductionDetector(_SearchDetector):
    """Distance of a sample to the best reconstruction that a search from an encoder's guess finds.

    The search ends where nothing more can be gained: a generator's own samples are *reproduced*,
    down to the rounding of their gray levels, and others are not.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model. It runs in eval mode, and clones share it.
    encoder : LatentEncoder or torch.nn.Module
        Guesses latents. A :class:`~sklearn_flipad.LatentEncoder` that is not fitted is trained
        in ``fit``; clones share one that is. A module maps samples to latents, as the encoder
        of an autoencoder does.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`. Integer
        and one-hot inputs are conditions, such as classes, and are searched too.
    distance : {"l2", "inception"} or callable, default="l2"
        Distance by which a reconstruction is judged: the root mean square difference; the
        Euclidean distance of Inception-V3 features; or ``distance(x, reconstruction)`` that returns
        a tensor ``(n,)``, for example a :class:`~sklearn_flipad.reproduction.FeatureDistance`
        or ``lpips.LPIPS()``. The search itself minimizes the squared difference.
    inception_weights : path-like, default=None
        File with the weights for ``"inception"``.
    processing : transformer or sequence of transformer, default=None
        Processing of suspects after they were generated, in this order: perturbations of
        :mod:`sklearn_flipad.evaluation.perturbations`. Blur and resizing become part of the
        search; file formats are applied to the reconstruction before it is compared; noise
        raises the floor. :class:`~sklearn_flipad.evaluation.UnknownProcessing` stands for steps
        that are fitted to each suspect; where a file format follows it, such as
        :class:`~sklearn_flipad.evaluation.FileFormat` for that of each suspect's own file,
        distances are multiples of the error that it makes of the fitted reconstruction. With
        :class:`~sklearn_flipad.evaluation.UnknownGeometry`, samples may have any size, and are
        passed as a list.
    n_restarts : int or "auto", default="auto"
        Further starts for samples that are not yet decided, 8 by default and one more for each
        further condition.
    max_iter : int or "auto", default="auto"
        Largest number of gradients from a start, 200 by default. 0 means that only Gauss-Newton
        goes on from the guess, or with ``n_newton=0`` nothing.
    n_newton : int, default=12
        Largest number of Gauss-Newton steps after the gradients, which settle what those leave
        open. Each takes as many runs of the generator as there are latents, so there are none for
        more than 512 latents, nor for unknown processing.
    n_calibration : int, default=256
        Training inliers from which ``fit`` learns how far own samples are after some trials. A
        start three times as far as nearly all of them, whose distance hardly falls, is given up; a
        sample is rejected after two starts in vain, three where there are conditions. 0: no
        rejection.
    search : SearchOptions, default=None
        Constants of the search, by default those of
        :class:`~sklearn_flipad.reproduction.SearchOptions`.
    output_range : pair of float, default=None
        Values of the generator that stand for the gray levels 0 and 255; by default found as
        :func:`~sklearn_flipad.generators.sample` finds them.
    fnr : float, default=None
        Fraction of the training inliers that the detector's own threshold calls
        outliers. By default it has no threshold, since fitting one searches all of them;
        :class:`~sklearn_flipad.FNRThresholdCalibrator` places one.
    batch_size : int, default=32
        Samples searched side by side.
    device : str or torch.device, default=None
        Target device; CUDA if there is one, else the CPU.
    random_state : int, default=0
        Seed of the starting points. They are not the latents that
        :func:`~sklearn_flipad.generators.sample` draws with the same seed.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    encoder_ : LatentEncoder or torch.nn.Module
        The encoder.
    metric_ : LatentMetric
        Coordinates for the search.
    bounds_ : tuple of float
        Largest distances at the checkpoints, and at the end of the trials; empty without
        rejection.
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers. Only with `fnr`.
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    LatentEncoder : Guesses where to start.
    SMInvDetector : The paper's search from random starts.

    Notes
    -----
    ``score_samples`` works without ``fit``, unless an encoder has to be trained; then nothing is
    rejected before the end of its search.

    An autoencoder's own encoder and ``max_iter=0, n_newton=0`` is AEROBLADE's scheme; with a
    search from there it is LatentTracer's.

    Normal noise that the generator draws while it runs is searched along with the latents, and the
    distance then contains its logarithmic probability, in units of rounding.

    A rejected own sample counts as any other with a low score, in the samples that calibrate a
    threshold as in those that are judged. So rejection does not change what a calibrated
    false-negative rate means.

    References
    ----------
    Zhu et al., "In-domain GAN inversion for real image editing", ECCV 2020; Ricker et al.,
    "AEROBLADE", CVPR 2024; Wang et al., "How to trace latent generative model generated images
    without artificial watermark?" (LatentTracer), ICML 2024.
    """

    _stored = Stored.stateless("encoder_", "metric_", "bounds_", "offset_", "_seen")
    _searches_noise = True
    _fitted_names = ("offset_", "encoder_", "metric_", "bounds_")

    _parameter_constraints: dict = {
        **_SearchDetector._parameter_constraints,
        "encoder": [LatentEncoder, torch.nn.Module],
        "processing": "no_validation",
        "n_restarts": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "n_newton": [Interval(Integral, 0, None, closed="left")],
        "n_calibration": [Interval(Integral, 0, None, closed="left")],
        "search": [SearchOptions, None],
    }

    def __init__(
        self,
        generator,
        *,
        encoder,
        latent_shape=None,
        sampler=None,
        distance="l2",
        inception_weights=None,
        processing=None,
        n_restarts="auto",
        max_iter="auto",
        n_newton=12,
        n_calibration=256,
        search=None,
        output_range=None,
        fnr=None,
        batch_size=32,
        device=None,
        random_state=0,
        verbose=0,
    ):
        self.generator = generator
        self.encoder = encoder
        self.latent_shape = latent_shape
        self.sampler = sampler
        self.distance = distance
        self.inception_weights = inception_weights
        self.processing = processing
        self.n_restarts = n_restarts
        self.max_iter = max_iter
        self.n_newton = n_newton
        self.n_calibration = n_calibration
        self.search = search
        self.output_range = output_range
        self.fnr = fnr
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Train the encoder if need be, learn when to reject, and place a threshold if asked.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats as the generator makes them; processed as
            suspects will be.
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
        FileNotFoundError
            With `fnr`, if the weights of ``"inception"`` are missing.

        Warns
        -----
        UserWarning
            If many of the model's samples are not reproduced.
        """
        return self._fit(X, y)

    def _learned(self, process, own):
        encoder = self._fitted_encoder(process)
        guessing = self._guessing(encoder, process)
        with full_precision():
            metric = self._fitted_metric(guessing, process)
            search = self._guided(process, guessing, metric)
            bounds = ()
            if self.n_calibration:
                bounds = search.learned_bounds(own[: self.n_calibration])
                search = self._guided(process, guessing, metric, bounds)
        return {"encoder_": encoder, "metric_": metric, "bounds_": bounds}, search

    def _judging_distance(self):
        return self._distance_function()

    def _searching(self, process):
        encoder = self._guessing(getattr(self, "encoder_", self.encoder), process)
        metric = getattr(self, "metric_", encoder.metric_)
        return self._guided(process, encoder, metric, getattr(self, "bounds_", ()))

    def _look_at(self, found, X, search):
        if self.distance == "l2":
            warn_if_written_otherwise(search, X, found)
            warn_of_earlier_compression(search, X, found)

    def _guided(self, process, encoder, metric, bounds=()):
        plan = SearchPlan.of(
            process,
            self.search or SearchOptions(),
            max_iter=self.max_iter,
            n_newton=self.n_newton,
            n_restarts=self.n_restarts,
            bounds=bounds,
            batch_size=self.batch_size,
        )
        return GuidedSearch(process, encoder, metric, plan, self.random_state)

    @staticmethod
    def _guessing(encoder, process):
        """A trained LatentEncoder as it is, or a module with the same interface."""
        if not isinstance(encoder, LatentEncoder):
            return ModuleEncoder(encoder, process.space)
        if is_untrained(encoder):
            raise NotFittedError(
                "The encoder is not trained. Call fit with samples of the model, or pass "
                "encoder=LatentEncoder().fit(generator)."
            )
        n_guessed, n_searched = len(encoder.latent_mean), process.n_features
        if n_guessed != n_searched:
            raise ValueError(
                f"The encoder guesses {n_guessed} numbers, and {n_searched} are searched: it was "
                f"trained for another generator, or with another processing, {encoder.processing_} "
                "(UnknownGeometry adds the numbers of a box). Train it with the same ones."
            )
        return encoder

    def _fitted_encoder(self, process):
        if not is_untrained(self.encoder):
            return self.encoder
        encoder = clone(self.encoder)
        unset = {
            name: getattr(self, name)
            for name in ("latent_shape", "sampler", "output_range", "processing", "device")
            if getattr(encoder, name) is None
        }
        encoder.set_params(**unset)
        if encoder.dtype == "auto":
            encoder.set_params(dtype="float32" if process.output_range is None else "uint8")
        if self.verbose and not encoder.verbose:
            encoder.set_params(verbose=self.verbose)
        return encoder.fit(self.generator)

    def _fitted_metric(self, encoder, process):
        """The encoder's metric, or one of the processed samples where it saw no such."""
        if encoder.processing_ == repr(process.processing.steps):
            return encoder.metric_
        rng = separate_stream(self.random_state, Purpose.METRIC)
        searched = self.max_iter != 0 or self.n_newton > 0
        return LatentMetric.from_draws(process, rng, searched=searched)

    def check_threshold(self, distances, threshold):
        """Warn of a threshold that own samples have set whose search failed.

        :class:`~sklearn_flipad.FNRThresholdCalibrator` calls it in ``fit``.

        Parameters
        ----------
        distances : ndarray of shape (n,)
            Distances of the calibration samples.
        threshold : float
            Largest distance that is accepted.

        Warns
        -----
        UserWarning
            If the threshold is more than three times the median distance.
        """
        typical = _TYPICAL * np.median(distances)
        if threshold <= typical:
            return
        n, n_failed = len(distances), int((distances > typical).sum())
        fnr = np.ceil(1e4 * (n_failed + 1) / (n + 1)) / 1e4
        warnings.warn(
            Message(
                f"The search failed for {n_failed} of {n} calibration samples of the model, and "
                f"one of them sets the threshold: {threshold:.3g}, where the median distance is "
                f"{np.median(distances):.3g}. Near-copies of the model would be accepted. ",
                Term("Train the encoder longer (max_steps), raise n_restarts, calibrate", "search"),
                " with more samples if a smaller part than fnr fails, or choose a larger fnr: "
                f"with the conformal rule at least {fnr:g}.",
            ),
            UserWarning,
            stacklevel=2,
        )

    def _shared_by_clones(self):
        shared = super()._shared_by_clones()
        return shared if is_untrained(self.encoder) else shared | {"encoder"}
