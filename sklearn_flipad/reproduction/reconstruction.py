"""How well a generator can reproduce a sample, by the search for its latents (SM-Inv)."""

import warnings
from numbers import Integral, Real
from os import PathLike

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from tqdm.auto import tqdm

from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.labels import own_samples
from sklearn_flipad.base.lanes import LANES
from sklearn_flipad.base.mixins import OffsetMixin
from sklearn_flipad.base.parallel import in_batches
from sklearn_flipad.base.precision import full_precision
from sklearn_flipad.base.randomness import separate_stream
from sklearn_flipad.base.samples import as_array, check_samples, record_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.calibration.rules import Quantile
from sklearn_flipad.generators.output_range import find_output_range
from sklearn_flipad.generators.process.generative_process import GenerativeProcess
from sklearn_flipad.reproduction.encoder import LatentEncoder
from sklearn_flipad.reproduction.inversion import GuidedInversion, RestartedInversion
from sklearn_flipad.reproduction.metric import LatentMetric
from sklearn_flipad.reproduction.result import ReconstructionResult

__all__ = ["ReconstructionDetector"]

#: Purpose of the latents of the metric.
_METRIC = 3
#: Samples that are searched before the next are looked at: memory stays flat.
_N_TOGETHER = 256
#: A threshold so many times the median calibration distance lies at samples whose search failed.
_TYPICAL = 3.0


def _has_threshold(detector):
    if detector.fnr is None:
        raise AttributeError(
            "This ReconstructionDetector has no threshold. Fit it with fnr=..., or put it into "
            "an FNRThresholdCalibrator."
        )
    return True


class ReconstructionDetector(OffsetMixin, BaseEstimator):
    """Distance of a sample to the best reconstruction that a generator has for it.

    With an `encoder`, the search starts at its guess and ends where nothing more can be
    gained: a generator's own samples are *reproduced*, down to the rounding of their gray
    levels, and others are not. Without one, it starts at random, as in the paper.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model. It runs in eval mode, and clones share it.
    encoder : LatentEncoder or torch.nn.Module, default=None
        Guesses latents. A :class:`~sklearn_flipad.LatentEncoder` that is not fitted is trained
        in ``fit``; clones share one that is. A module maps samples to latents, as the encoder
        of an autoencoder does. None: random starts.
    latent_shape, sampler
        Inputs of the generator, see :meth:`sklearn_flipad.FinalLayer.from_generator`. Integer
        and one-hot inputs are conditions, such as classes, and are searched too.
    distance : {"l2", "inception"} or callable, default="l2"
        What a reconstruction is judged by: the root mean square difference; the Euclidean
        distance of Inception-V3 features; or ``distance(x, reconstruction)`` that returns a
        tensor ``(n,)``, for example a :class:`~sklearn_flipad.reproduction.FeatureDistance`
        or ``lpips.LPIPS()``. Without an encoder it is also what the search makes small.
    inception_weights : path-like, default=None
        File with the weights for ``"inception"``.
    processing : transformer or sequence of transformer, default=None
        What was done to suspects after they were generated, in this order: perturbations of
        :mod:`sklearn_flipad.evaluation.perturbations`. Blur and resizing become part of the
        search; file formats are applied to the reconstruction before it is compared; noise
        raises the floor. Needs an encoder.
    n_restarts : int or "auto", default="auto"
        Random starting points, all of which are used, 10 by default. With an encoder: further
        starts for samples that are not yet decided, 8 by default and one more for each further
        condition.
    optimizer : {"adam", "lbfgs"}, default="adam"
        Without an encoder: the paper's Adam, or L-BFGS on the squared distance.
    max_iter : int or "auto", default="auto"
        Largest number of gradients from a start: 1,000 by default, with an encoder 200. With
        an encoder, 0 means that only Gauss-Newton goes on from its guess, or with
        ``n_newton=0`` nothing.
    n_newton : int, default=12
        With an encoder: largest number of Gauss-Newton steps after the gradients, which
        settle what those leave open. Each takes as many runs of the generator as there are
        latents, so there are none for more than 512 latents.
    lr : float, default=0.1
        Learning rate of Adam.
    patience : int, default=200
        Without an encoder: a sample is finished when no step of the last `patience` improved
        its distance by a thousandth.
    n_calibration : int, default=256
        With an encoder: training inliers from which ``fit`` learns how far own samples are
        after some trials. A start three times as far as nearly all of them, whose distance hardly
        falls, is given up; a sample is rejected after two starts in vain, three where there
        are conditions. 0: no rejection.
    output_range : pair of float, default=None
        Values of the generator that stand for the gray levels 0 and 255; by default found as
        :func:`~sklearn_flipad.generators.sample` finds them.
    fnr : float, default=None
        Fraction of the training inliers that the detector's own threshold calls
        outliers. By default it has no threshold, since fitting one inverts all of them;
        :class:`~sklearn_flipad.FNRThresholdCalibrator` places one.
    batch_size : int, default=32
        Samples inverted side by side.
    device : str or torch.device, default=None
        Where to compute; CUDA if there is one, else the CPU.
    random_state : int, default=0
        Seed of the starting points. They are not the latents that
        :func:`~sklearn_flipad.generators.sample` draws with the same seed.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    encoder_ : LatentEncoder or torch.nn.Module
        What guesses latents. Only with an encoder.
    metric_ : LatentMetric
        Coordinates for the search. Only with an encoder.
    bounds_ : tuple of float
        Largest distances at the checkpoints, and at the end of the trials; empty without
        rejection. Only with an encoder.
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers. Only with `fnr`.
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    LatentEncoder : Guesses where to start.
    FingerprintDetector : The other baseline, SM-F.

    Notes
    -----
    ``score_samples`` works without ``fit``, unless an encoder has to be trained; then nothing is
    rejected before the end of its search.

    An autoencoder's own encoder and ``max_iter=0, n_newton=0`` is AEROBLADE's scheme; with a
    search from there it is LatentTracer's.

    A rejected own sample counts as any other with a low score, in the samples that calibrate a
    threshold as in those that are judged. So rejection does not change what a calibrated
    false-negative rate means.

    References
    ----------
    Appendices E and G.7 of Laszkiewicz et al., ICML 2024; Albright and McCloskey, "Source
    generator attribution via inversion", CVPR Workshops 2019; Zhu et al., "In-domain GAN
    inversion for real image editing", ECCV 2020; Ricker et al., "AEROBLADE", CVPR 2024; Wang
    et al., "How to trace latent generative model generated images without artificial
    watermark?" (LatentTracer), ICML 2024.
    """

    _parameter_constraints: dict = {
        "generator": [torch.nn.Module],
        "encoder": [LatentEncoder, torch.nn.Module, None],
        "latent_shape": [tuple, list, Integral, None],
        "sampler": [callable, None],
        "distance": [StrOptions({"l2", "inception"}), callable],
        "inception_weights": [str, PathLike, None],
        "processing": "no_validation",
        "n_restarts": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "optimizer": [StrOptions({"adam", "lbfgs"})],
        "max_iter": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "n_newton": [Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "n_calibration": [Interval(Integral, 0, None, closed="left")],
        "output_range": [tuple, list, None],
        "fnr": [Interval(Real, 0, 1, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }
    _stored = Stored.stateless("encoder_", "metric_", "bounds_", "offset_")

    def __init__(
        self,
        generator,
        *,
        encoder=None,
        latent_shape=None,
        sampler=None,
        distance="l2",
        inception_weights=None,
        processing=None,
        n_restarts="auto",
        optimizer="adam",
        max_iter="auto",
        n_newton=12,
        lr=0.1,
        patience=200,
        n_calibration=256,
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
        self.optimizer = optimizer
        self.max_iter = max_iter
        self.n_newton = n_newton
        self.lr = lr
        self.patience = patience
        self.n_calibration = n_calibration
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
        self._validate_params()
        array = self._checked(X, reset=True)
        own = own_samples(array, y)
        fitted = clone(self)
        fitted.encoder_ = self._fitted_encoder(array.dtype)
        fitted.bounds_ = ()
        if fitted.encoder_ is not None:
            process = fitted._process(array.dtype)
            with full_precision():
                fitted.metric_ = fitted._fitted_metric(process)
                if self.n_calibration:
                    inversion = fitted._inversion(process)
                    fitted.bounds_ = inversion.learn_bounds(own[: self.n_calibration])
        offset = None
        if self.fnr is not None:
            offset = -Quantile().threshold(-fitted.score_samples(own), self.fnr)
        for name in ("offset_", "encoder_", "metric_", "bounds_"):
            vars(self).pop(name, None)
        if fitted.encoder_ is not None:
            self.encoder_, self.metric_ = fitted.encoder_, fitted.metric_
            self.bounds_ = fitted.bounds_
        if offset is not None:
            self.offset_ = offset
        record_samples(self, X, array)
        return self

    def _fitted_encoder(self, dtype):
        encoder = self.encoder
        if not isinstance(encoder, LatentEncoder) or hasattr(encoder, "module_"):
            return encoder
        encoder = clone(encoder)
        unset = {
            name: getattr(self, name)
            for name in ("latent_shape", "sampler", "output_range", "processing", "device")
            if getattr(encoder, name) is None
        }
        encoder.set_params(**unset)
        if encoder.dtype == "auto":
            encoder.set_params(dtype="uint8" if dtype == np.uint8 else "float32")
        if self.verbose and not encoder.verbose:
            encoder.set_params(verbose=self.verbose)
        return encoder.fit(self.generator)

    def _fitted_metric(self, process):
        """The encoder's metric, or one of the processed samples where it saw no such."""
        encoder, steps = self.encoder_, repr(process.processing.steps)
        if isinstance(encoder, LatentEncoder) and encoder.processing_ == steps:
            return encoder.metric_
        rng = separate_stream(self.random_state, _METRIC)
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
            If an `encoder` is used and the threshold is more than three times the median
            distance.
        """
        typical = _TYPICAL * np.median(distances)
        if self.encoder is None or threshold <= typical:
            return
        n, n_failed = len(distances), int((distances > typical).sum())
        fnr = np.ceil(1e4 * (n_failed + 1) / (n + 1)) / 1e4
        warnings.warn(
            f"The search failed for {n_failed} of {n} calibration samples of the model, and one of "
            f"them sets the threshold: {threshold:.3g}, where the median distance is "
            f"{np.median(distances):.3g}. Near-copies of the model would be accepted. Train the "
            "encoder longer (max_steps), raise n_restarts, calibrate with more samples if a "
            "smaller part than fnr fails, or choose a larger fnr: with the conformal rule at "
            f"least {fnr:g}.",
            UserWarning,
            stacklevel=2,
        )

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
            If the encoder is not trained.
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
        X = self._checked(X)
        process = self._process(X.dtype)
        if np.prod(X.shape[1:]) != np.prod(process.sample_shape):
            raise ValueError(
                f"X has samples of shape {X.shape[1:]}, but the generator makes "
                f"{process.sample_shape}."
            )
        inversion = self._inversion(process)

        def invert(rows):
            return inversion.invert(X[rows])

        with (
            process.running(),
            tqdm(total=len(X), disable=not self.verbose, desc="inverting", unit="") as bar,
        ):
            batches = in_batches(
                invert, len(X), batch_size=_N_TOGETHER, lanes=LANES, device=process.device
            )
            for found in batches:
                bar.update(len(found.distances))
                yield found

    def _process(self, dtype):
        return GenerativeProcess(
            self.generator,
            device=resolve_device(self.device),
            dtype="uint8" if dtype == np.uint8 else "float32",
            latent_shape=self.latent_shape,
            sampler=self.sampler,
            output_range=self.output_range,
            processing=self.processing,
            random_state=self.random_state,
        )

    def _inversion(self, process):
        encoder = getattr(self, "encoder_", self.encoder)
        if encoder is None:
            return RestartedInversion(self, process)
        if isinstance(encoder, LatentEncoder) and not hasattr(encoder, "module_"):
            raise NotFittedError(
                "The encoder is not trained. Call fit with samples of the model, or pass "
                "encoder=LatentEncoder().fit(generator)."
            )
        plain = LatentMetric(None, np.ones(process.space.n_features))
        metric = getattr(self, "metric_", getattr(encoder, "metric_", plain))
        return GuidedInversion(self, process, encoder, getattr(self, "bounds_", ()), metric)

    def _checked(self, X, *, reset=False):
        """Samples on the generator's scale; floats where it is known must lie in it."""
        if as_array(X).dtype.kind == "f":
            return check_samples(self, X, reset=reset, output_range=self.output_range)
        output_range = self.output_range
        if output_range is None:
            output_range = find_output_range(
                self.generator, latent_shape=self.latent_shape, sampler=self.sampler
            )
        return check_samples(self, X, reset=reset, output_range=output_range)

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

    @available_if(_has_threshold)
    def predict(self, X):
        """Label samples. Only with `fnr`.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        ndarray of int, shape (n,)
            +1 for inliers, -1 for outliers.
        """
        return super().predict(X)

    @available_if(_has_threshold)
    def fit_predict(self, X, y=None):
        """Fit to the samples and label them. Only with `fnr`.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples.
        y : array-like of shape (n,), default=None
            Labels, as in :meth:`fit`.

        Returns
        -------
        ndarray of int, shape (n,)
            +1 for inliers, -1 for outliers.
        """
        return super().fit_predict(X, y)

    def __sklearn_clone__(self):
        shared = {"generator", "distance", "sampler"}
        if not isinstance(self.encoder, LatentEncoder) or hasattr(self.encoder, "module_"):
            shared.add("encoder")
        params = self.get_params(deep=False).items()
        return type(self)(**{k: v if k in shared else clone(v, safe=False) for k, v in params})

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags
