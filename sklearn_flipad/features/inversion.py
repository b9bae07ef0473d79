"""Final-layer inversion as a transformer (Section 4.3)."""

from numbers import Integral, Real
from os import PathLike

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sklearn_flipad.base.devices import resolve_device
from sklearn_flipad.base.mixins import SampleTransformerMixin
from sklearn_flipad.base.samples import check_samples, record_samples
from sklearn_flipad.base.stored import Stored
from sklearn_flipad.features._branch_weights import branch_weights
from sklearn_flipad.features._convergence import warn_unconverged
from sklearn_flipad.features._engine import auto_batch_size, invert_batches, pool, pooled_shape
from sklearn_flipad.features._store import FeatureStore
from sklearn_flipad.features.inversion_result import InversionResult
from sklearn_flipad.final_layer import FinalLayer
from sklearn_flipad.solvers import FISTA, DouglasRachford

__all__ = ["FinalLayerInverter"]

#: Increase when a change of the code changes the features.
_STORE_FORMAT = 4


class FinalLayerInverter(ClassNamePrefixFeaturesOutMixin, SampleTransformerMixin, BaseEstimator):
    """Estimate the activations that a sample would have had before the final layer.

    The output activation is undone, ``o = sigma^-1(x)``, and the lasso problem around
    the mean activation is solved for each sample::

        minimize ||G z - o||² + lam ||z - z_mean||₁

    With skip connections into the sample (:attr:`FinalLayer.branch_shapes`), z concatenates the
    activations of all branches, and each branch has its own weight of the penalty.

    The features of a sample depend on no other sample, on no batch size and on no order.

    Parameters
    ----------
    final_layer : FinalLayer
        The final layer of the target model.
    lam : float, default=1e-3
        Penalty, from 1e-20 to 1e20. There is no factor 1/2 before the square, so this is twice the
        ``alpha`` of formulations that have one; the paper's 0.0005 is such an ``alpha``.
    solver : {"auto", "douglas-rachford", "fista"} or a solver, default="auto"
        Solver of the lasso problem; ``"auto"`` is ``"douglas-rachford"``. A solver is an
        object with the method ``solve`` of
        :class:`~sklearn_flipad.solvers.DouglasRachford`.
    tol : float, default=1e-2
        Relative duality gap at which a sample counts as solved.
    max_iter : int, default=2000
        Largest number of iterations.
    branch_weights : {"columns", "equal"} or sequence of float, default="columns"
        For layers with several branches: factors of `lam` in each. ``"columns"`` takes the root
        mean square norm of the branch's columns of G, relative to the branch with most
        activations, whose weight is 1: a unit of penalty may then change the sample by as much in
        all branches. ``"equal"`` is 1 everywhere.
    pool_size : int, default=None
        Side of the windows for max-pooling the activations, batch by batch so that the
        memory does not grow with n; no pooling by default.
    clip_eps : float, default=1e-4
        Saturated values of a bounded output activation, which have no finite preimage,
        are moved into its range by this much, in units of half its width.
    batch_size : int or "auto", default="auto"
        Samples solved together.
    device : str or torch.device, default=None
        Device to compute on; by default CUDA if available, else the CPU.
    cache_dir : path-like, default=None
        Folder of a store of features, so that a sample is never inverted twice with the
        same layer, penalty and solver: not for another fold or classifier of a grid
        search, not in another process, not after a restart. No store by default. The ``repr``
        of a custom solver must include its settings. Do not share the folder with untrusted
        users: cached features are not verified.
    cache_limit : int, default=8 * 2**30
        Size of that folder in bytes; the entries used least recently leave first.
    verbose : int, default=0
        Whether to show progress.

    Attributes
    ----------
    n_features_in_ : int
        Number of elements of one sample.
    feature_names_in_ : ndarray of str
        Names of the features seen in fit, if X was a data frame.

    See Also
    --------
    DCTTransformer : The features of DCTPAD.
    RawTransformer : The features of RawPAD.

    Notes
    -----
    The transformer is stateless: fit validates only, and transform works without it.
    2-D input gives 2-D output; input with the shape of the samples gives output with the
    shape of the activations.

    References
    ----------
    Equations (5) and (8) and Appendices C.1 and F of Laszkiewicz et al., "Single-Model
    Attribution of Generative Models Through Final-Layer Inversion", ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_flipad import FinalLayer, FinalLayerInverter
    >>> module = torch.nn.Linear(4, 2, bias=False)
    >>> _ = module.weight.data.copy_(torch.tensor([[1., 0, 1, 0], [0, 1, 1, 0]]))
    >>> layer = FinalLayer.from_module(module, input_shape=(4,))
    >>> FinalLayerInverter(layer, lam=1e-2).fit_transform(np.ones((1, 2))).round(2)
    array([[0., 0., 1., 0.]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "final_layer": [FinalLayer],
        "lam": [Interval(Real, 1e-20, 1e20, closed="both")],
        "solver": [StrOptions({"auto", "douglas-rachford", "fista"}), HasMethods("solve")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "branch_weights": [StrOptions({"columns", "equal"}), "array-like"],
        "pool_size": [Interval(Integral, 1, None, closed="left"), None],
        "clip_eps": [Interval(Real, 0, 1, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "device": [str, torch.device, None],
        "cache_dir": [str, PathLike, None],
        "cache_limit": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }
    _stored = Stored.stateless()

    def __init__(
        self,
        final_layer,
        *,
        lam=1e-3,
        solver="auto",
        tol=1e-2,
        max_iter=2000,
        branch_weights="columns",
        pool_size=None,
        clip_eps=1e-4,
        batch_size="auto",
        device=None,
        cache_dir=None,
        cache_limit=8 * 2**30,
        verbose=0,
    ):
        self.final_layer = final_layer
        self.lam = lam
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.branch_weights = branch_weights
        self.pool_size = pool_size
        self.clip_eps = clip_eps
        self.batch_size = batch_size
        self.device = device
        self.cache_dir = cache_dir
        self.cache_limit = cache_limit
        self.verbose = verbose

    def fit(self, X, y=None):
        """Validate the parameters and the samples; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, *output_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats in the range of the output activation.
        y : Ignored
            Not used.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or X is not valid.
        """
        self._validate_params()
        self._device()
        self._feature_shape()
        self._weights()
        record_samples(self, X, self._checked(X, reset=True))
        return self

    def transform(self, X):
        """Estimate the activations of samples.

        Parameters
        ----------
        X : array-like, shape (n, *output_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats in the range of the output activation.

        Returns
        -------
        ndarray of float32, shape (n, *pooled_input_shape) or (n, n_features_out)

        Raises
        ------
        ValueError
            If X is empty, not finite, out of range or of another shape.

        Warns
        -----
        ConvergenceWarning
            If samples miss `tol` after `max_iter` iterations.
        """
        X, flat = self._validated(X)
        features = np.empty((len(X), *self._feature_shape()), dtype=np.float32)
        gap = np.empty(len(X))
        if self.cache_dir is None:
            self._fill(features, gap, X, np.arange(len(X)))
        else:
            with self._store() as store:
                keys = store.keys(X)
                found = store.get(keys)
                for row, entry in enumerate(found):
                    if entry is not None:
                        features[row], gap[row] = entry
                missing = np.array([row for row, entry in enumerate(found) if entry is None], int)
                self._fill(features, gap, X, missing, store, keys)
        warn_unconverged(gap, self.tol, self.max_iter, self.final_layer)
        return features.reshape(len(X), -1) if flat else features

    def transform_path(self, X, lams):
        """Estimate the activations for several penalties, each warm-started.

        Parameters
        ----------
        X : array-like, shape (n, *output_shape) or (n, n_features)
            Samples, as in :meth:`transform`.
        lams : sequence of float
            Penalties, each > 0. They are solved from the largest to the smallest.

        Returns
        -------
        ndarray of float32, shape (n_lams, n, ...)
            Results of :meth:`transform` for each penalty, in the order of `lams`.

        Raises
        ------
        ValueError
            If a penalty is not positive, or as in :meth:`transform`.

        Warns
        -----
        ConvergenceWarning
            If samples miss `tol` after `max_iter` iterations.
        """
        lams = np.asarray(lams, dtype=np.float64)
        if lams.ndim != 1 or not len(lams) or not (lams > 0).all():
            raise ValueError(f"lams must be a sequence of positive numbers, got {lams}.")
        X, flat = self._validated(X)
        order = np.argsort(-lams)
        features = np.empty((len(lams), len(X), *self._feature_shape()), dtype=np.float32)
        gap = np.empty((len(lams), len(X)))
        batches = self._solve_batches(X, lams[order])
        for index, (rows, activations, result) in enumerate(batches):
            place = order[index % len(lams)]
            features[place, rows] = pool(activations, self.pool_size)
            gap[place, rows] = result.gap.cpu().numpy()
        warn_unconverged(gap, self.tol, self.max_iter, self.final_layer)
        return features.reshape(*gap.shape, -1) if flat else features

    def invert(self, X):
        """Estimate the activations of samples, with a certificate for each.

        Parameters
        ----------
        X : array-like, shape (n, *output_shape) or (n, n_features)
            Samples, as in :meth:`transform`.

        Returns
        -------
        InversionResult
            Activations in their full shape, without pooling.

        Raises
        ------
        ValueError
            As in :meth:`transform`.

        Warns
        -----
        ConvergenceWarning
            If samples miss `tol` after `max_iter` iterations.
        """
        X, _ = self._validated(X)
        parts = [
            (activations, result.objective, result.gap, result.n_iter, result.converged)
            for _, activations, result in self._solve_batches(X, [self.lam])
        ]
        columns = [torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)]
        result = InversionResult(*columns)
        warn_unconverged(result.gap, self.tol, self.max_iter, self.final_layer)
        return result

    def inverse_transform(self, activations):
        """Map activations back to samples.

        Parameters
        ----------
        activations : array-like, shape (n, *input_shape) or (n, n_activations)
            Activations before the final layer, not pooled.

        Returns
        -------
        ndarray of float32, shape (n, *output_shape) or (n, n_features)
            Samples in the range of the output activation.

        Raises
        ------
        ValueError
            If `activations` have another shape, for example because they were pooled.
        """
        self._validate_params()
        activations = np.asarray(activations, dtype=np.float32)
        shape = self.final_layer.input_shape
        flat = activations.ndim == 2 and activations.shape[1:] != shape
        if activations.shape[1:] not in (shape, (np.prod(shape),)):
            raise ValueError(
                f"activations must have shape (n, {', '.join(map(str, shape))}) or "
                f"(n, {np.prod(shape)}), got {activations.shape}. Pooled activations cannot "
                "be mapped back."
            )
        device = self._device()
        samples = np.empty((len(activations), *self.final_layer.output_shape), np.float32)
        for rows in gen_batches(len(activations), self._batch_size()):
            batch = torch.from_numpy(activations[rows].reshape(-1, *shape)).to(device)
            samples[rows] = self.final_layer.decode(batch).cpu().numpy()
        return samples.reshape(len(samples), -1) if flat else samples

    def _fill(self, features, gap, X, missing, store=None, keys=None):
        """Compute the features and gaps of the `missing` rows in place, and store each batch."""
        if not len(missing):
            return
        for rows, activations, result in self._solve_batches(X[missing], [self.lam]):
            rows = missing[rows]
            features[rows] = pool(activations, self.pool_size)
            gap[rows] = result.gap.cpu().numpy()
            if store is not None:
                store.put([keys[row] for row in rows], features[rows], gap[rows])

    def _store(self):
        solver = self._solver()
        if " at 0x" in repr(solver):
            raise ValueError(
                f"cache_dir needs a solver whose repr includes its settings, got {solver!r}: it "
                "could get the features of a solver with other settings. Make it a dataclass."
            )
        depends_on = (self.lam, solver, self.tol, self.max_iter, self.pool_size, self.clip_eps)
        depends_on += (self.final_layer.fingerprint, torch.__version__, self._device().type)
        depends_on += (self._weights(),) if len(self.final_layer.branch_shapes) > 1 else ()
        return FeatureStore(
            self.cache_dir,
            size_limit=self.cache_limit,
            context=repr((_STORE_FORMAT, *depends_on)),
            shape=self._feature_shape(),
        )

    def _checked(self, X, *, reset=False):
        layer = self.final_layer
        return check_samples(
            self,
            X,
            reset=reset,
            output_range=layer.output_range,
            value_range=layer.activation.range,
            sample_shape=layer.output_shape,
        )

    def _validated(self, X):
        """X of shape (n, *output_shape), and whether it came flattened."""
        self._validate_params()
        X = self._checked(X)
        shape = self.final_layer.output_shape
        flat = X.shape[1:] != shape or len(shape) == 1
        return X.reshape(len(X), *shape), flat

    def _device(self):
        device = resolve_device(self.device)
        if device.type == "mps":
            raise ValueError(
                "device='mps' has no float64, which the certificates need. Pass device='cpu'."
            )
        return device

    def _batch_size(self):
        return auto_batch_size(self.final_layer) if self.batch_size == "auto" else self.batch_size

    def _solve_batches(self, X, lams):
        """Yield rows, activations and LassoResult for each batch and each of `lams`."""
        return invert_batches(
            self.final_layer,
            X,
            lams,
            weights=self._weights(),
            solver=self._solver(),
            tol=self.tol,
            max_iter=self.max_iter,
            clip_eps=self.clip_eps,
            batch_size=self._batch_size(),
            device=self._device(),
            verbose=self.verbose,
        )

    def _solver(self):
        named = {"auto": DouglasRachford, "douglas-rachford": DouglasRachford, "fista": FISTA}
        return named[self.solver]() if isinstance(self.solver, str) else self.solver

    def _weights(self):
        return branch_weights(self.final_layer, self.branch_weights)

    def _feature_shape(self):
        return pooled_shape(self.final_layer.input_shape, self.pool_size)

    @property
    def _n_features_out(self):
        return int(np.prod(self._feature_shape()))

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
