"""SM-Inv: how well a generator can reproduce a sample (Appendix E)."""

import warnings
from numbers import Integral, Real
from os import PathLike

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from tqdm.auto import tqdm

from sklearn_flipad._modules import evaluating, run_generator, unwrap
from sklearn_flipad.calibration.rules import Quantile
from sklearn_flipad.detectors._offset import OffsetMixin
from sklearn_flipad.devices import resolve_device
from sklearn_flipad.labels import own_samples
from sklearn_flipad.randomness import seeded, separate_stream
from sklearn_flipad.reproduction.distances import euclidean_distance, inception_distance
from sklearn_flipad.reproduction.lbfgs import BatchedLBFGS
from sklearn_flipad.samples import as_array, check_samples, from_gray_levels, record_samples
from sklearn_flipad.sampling import find_output_range, latent_batches
from sklearn_flipad.solvers.batch import column

__all__ = ["ReconstructionDetector"]

#: Relative improvement of the distance that counts as one.
_IMPROVEMENT = 1e-3


def _has_threshold(detector):
    if detector.fnr is None:
        raise AttributeError(
            "This ReconstructionDetector has no threshold. Fit it with fnr=..., or put it into "
            "an FNRThresholdCalibrator."
        )
    return True


class ReconstructionDetector(OffsetMixin, BaseEstimator):
    """Distance of a sample to the best reconstruction that a generator has for it.

    The latent is searched with gradients from several starting points, the same for each
    sample; the best iterate of all counts.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model. It runs in eval mode, and clones share it.
    latent_shape : int or tuple of int, default=None
        Shape of one latent; by default the generator's attribute ``latent_shape``, or
        what its method ``sampler`` draws.
    distance : {"l2", "inception"} or callable, default="l2"
        Euclidean distance over the number of elements; that of Inception-V3 features; or
        ``distance(x, reconstruction)`` that returns a differentiable tensor ``(n,)``, for
        example a :class:`~sklearn_flipad.reproduction.FeatureDistance`.
    inception_weights : path-like, default=None
        File with the weights for ``"inception"``.
    n_restarts : int, default=10
        Starting points.
    optimizer : {"adam", "lbfgs"}, default="adam"
        The paper's Adam, or L-BFGS on the squared distance, which comes closer with the
        same number of gradients on the shipped DCGAN (``benchmarks/latent_search.py``).
    max_iter : int, default=1000
        Largest number of steps; for ``"lbfgs"``, of trials of its line search.
    lr : float, default=0.1
        Learning rate of Adam.
    patience : int, default=200
        A sample is finished when no step of the last `patience` improved its distance by
        a thousandth.
    output_range : pair of float, default=None
        Values of the generator that stand for the gray levels 0 and 255; by default found as
        :func:`~sklearn_flipad.sampling.sample` finds them.
    fnr : float, default=None
        Fraction of the training inliers that the detector's own threshold calls
        outliers. By default it has no threshold, since fitting one inverts all of them;
        :class:`~sklearn_flipad.FNRThresholdCalibrator` places one.
    batch_size : int, default=64
        Samples inverted together.
    device : str or torch.device, default=None
        Where to compute; CUDA if there is one, else the CPU.
    random_state : int, default=0
        Seed of the starting points. They are not the latents that
        :func:`~sklearn_flipad.sampling.sample` draws with the same seed.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    offset_ : float
        Samples with ``score_samples(X) >= offset_`` are called inliers. Only with `fnr`.
    n_features_in_ : int
        Number of elements of one sample.

    See Also
    --------
    FingerprintDetector : The other baseline, SM-F.

    Notes
    -----
    ``score_samples`` works without fit.

    References
    ----------
    Appendices E and G.7 of Laszkiewicz et al., ICML 2024; Albright and McCloskey,
    "Source generator attribution via inversion", CVPR Workshops 2019.
    """

    _parameter_constraints: dict = {
        "generator": [torch.nn.Module],
        "latent_shape": [tuple, list, Integral, None],
        "distance": [StrOptions({"l2", "inception"}), callable],
        "inception_weights": [str, PathLike, None],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [StrOptions({"adam", "lbfgs"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "output_range": [tuple, list, None],
        "fnr": [Interval(Real, 0, 1, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str, torch.device, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        generator,
        *,
        latent_shape=None,
        distance="l2",
        inception_weights=None,
        n_restarts=10,
        optimizer="adam",
        max_iter=1000,
        lr=0.1,
        patience=200,
        output_range=None,
        fnr=None,
        batch_size=64,
        device=None,
        random_state=0,
        verbose=0,
    ):
        self.generator = generator
        self.latent_shape = latent_shape
        self.distance = distance
        self.inception_weights = inception_weights
        self.n_restarts = n_restarts
        self.optimizer = optimizer
        self.max_iter = max_iter
        self.lr = lr
        self.patience = patience
        self.output_range = output_range
        self.fnr = fnr
        self.batch_size = batch_size
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y=None):
        """Validate, and place a threshold if `fnr` is given.

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
            If a parameter, X or y is not valid, or no sample is the model's.
        FileNotFoundError
            With `fnr`, if the weights of ``"inception"`` are missing.
        """
        self._validate_params()
        array = self._checked(X, reset=True)
        own = own_samples(array, y)
        offset = None
        if self.fnr is not None:
            offset = -Quantile().threshold(-self.score_samples(own), self.fnr)
        vars(self).pop("offset_", None)
        if offset is not None:
            self.offset_ = offset
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

        Raises
        ------
        ValueError
            If X is not valid or has not as many elements as the generator's samples.
        """
        return -self.reconstruct(X)[1]

    def reconstruct(self, X):
        """The best reconstructions and their distances.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Samples.

        Returns
        -------
        reconstructions : ndarray of float32, shape (n, *sample_shape)
            What the generator makes of the best latents.
        distances : ndarray of float64, shape (n,)
            Their distances to the samples.

        Raises
        ------
        ValueError
            As in :meth:`score_samples`.
        """
        self._validate_params()
        X = self._checked(X)
        device = resolve_device(self.device)
        distance = self._distance()
        generator = unwrap(self.generator).to(device)
        starts = self._starts(generator, device)
        generate = self._deterministic(generator, starts)
        output_range = self._output_range() if X.dtype == np.uint8 else None
        parts = []
        with (
            # Gradients are needed even where the caller has switched them off.
            torch.inference_mode(False),
            evaluating(generator),
            tqdm(total=len(X), disable=not self.verbose, desc="inverting", unit="") as bar,
        ):
            shape = generate(starts[:1]).shape[1:]
            if np.prod(X.shape[1:]) != shape.numel():
                raise ValueError(
                    f"X has samples of shape {X.shape[1:]}, but the generator makes {tuple(shape)}."
                )
            for rows in gen_batches(len(X), self.batch_size):
                x = from_gray_levels(torch.from_numpy(X[rows]), output_range)
                x = x.float().to(device).reshape(-1, *shape)
                parts.append(self._invert(generate, distance, starts, x))
                bar.update(len(x))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def _checked(self, X, *, reset=False):
        """Samples on the generator's scale; floats where it is known must lie in it."""
        if as_array(X).dtype.kind == "f":
            return check_samples(self, X, reset=reset, output_range=self.output_range)
        return check_samples(self, X, reset=reset, output_range=self._output_range())

    def _output_range(self):
        if self.output_range is not None:
            return self.output_range
        return find_output_range(self.generator, latent_shape=self.latent_shape)

    def _deterministic(self, generator, starts):
        """The generator, with the same random numbers at each call if it draws any."""
        latents = (torch.cat([starts, starts]),)
        with seeded(self.random_state, starts.device), evaluating(generator):
            first, second = run_generator(generator, latents), run_generator(generator, latents)
        if torch.equal(first, second):
            return generator
        warnings.warn(
            "The generator draws random numbers while it runs. Samples are reconstructed with one "
            "draw of them, which depends on batch_size, so own samples will not be reproduced "
            "exactly. Fix the noise if the generator can.",
            UserWarning,
            stacklevel=4,
        )

        def generate(z):
            with seeded(self.random_state, z.device):
                return generator(z)

        return generate

    def _distance(self):
        if self.distance == "l2":
            return euclidean_distance
        if self.distance == "inception":
            return inception_distance(self.inception_weights)
        return self.distance

    def _starts(self, generator, device):
        batches = latent_batches(
            generator,
            self.n_restarts,
            latent_shape=self.latent_shape,
            batch_size=self.n_restarts,
            device=device,
            random_state=separate_stream(self.random_state, 2),
        )
        (inputs,) = batches
        if len(inputs) != 1:
            raise ValueError(
                f"The generator takes {len(inputs)} inputs, but only one latent can be searched. "
                "Wrap it in a module that holds the others fixed, such as its class."
            )
        return inputs[0]

    def _invert(self, generator, distance, starts, x):
        """Invert a batch; each sample has `n_restarts` consecutive rows."""
        n, n_restarts = len(x), len(starts)
        # Whole lanes of 8 samples: networks take other code paths for a few odd rows.
        x = torch.cat([x, x[-1:].repeat(-n % 8, *[1] * (x.ndim - 1))])
        n_lanes = len(x)
        x = x.repeat_interleave(n_restarts, dim=0)
        z = starts.repeat(n_lanes, *[1] * (starts.ndim - 1)).requires_grad_(True)
        optimizer = _Adam(z, self.lr) if self.optimizer == "adam" else BatchedLBFGS(z.detach())
        best = x.new_full((n_lanes,), torch.inf)
        best_z = z.detach()[::n_restarts].clone()
        reference, since = best.clone(), torch.zeros_like(best)
        first_rows = torch.arange(n_lanes, device=x.device) * n_restarts
        for _ in range(self.max_iter + 1):
            with torch.enable_grad():
                distances = distance(x, generator(z))
                total = distances.sum()
            least, restart = distances.detach().reshape(-1, n_restarts).min(dim=1)
            better = (since < self.patience) & (least < best)  # a finished sample stays
            best = torch.where(better, least, best)
            best_z[better] = z.detach()[(first_rows + restart)[better]]
            progress = best < reference * (1 - _IMPROVEMENT)
            reference = torch.where(progress, best, reference)
            since = torch.where(progress, 0, since + 1)
            if not (since < self.patience).any():
                break
            # With respect to z alone, so that no network gathers gradients.
            (gradients,) = torch.autograd.grad(total, z)
            if self.optimizer == "lbfgs":  # squared, the distance is smooth at 0
                distances = distances.detach()
                gradients = 2 * column(distances, gradients) * gradients
                distances = distances.square()
            optimizer.step(distances, gradients)
        found = generator(best_z)[:n].float().cpu().numpy()
        return found, best[:n].cpu().double().numpy()

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
        shared = ("generator", "distance")
        params = self.get_params(deep=False).items()
        return type(self)(**{k: v if k in shared else clone(v, safe=False) for k, v in params})

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags


class _Adam:
    """Adam with the interface of :class:`BatchedLBFGS`."""

    def __init__(self, z, lr):
        self.z = z
        self.adam = torch.optim.Adam([z], lr=lr)

    def step(self, values, gradients):
        self.z.grad = gradients
        self.adam.step()
