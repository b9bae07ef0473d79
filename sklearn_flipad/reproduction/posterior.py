"""The probability of the best reconstruction of a row, with its latents counted in."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from torch.func import jacrev, vmap

from sklearn_flipad.base.modules import run_generator, unwrap
from sklearn_flipad.base.plain_copies import plain_copy
from sklearn_flipad.base.randomness import Purpose, seeded, separate_stream
from sklearn_flipad.base.samples import check_samples, record_samples
from sklearn_flipad.generators.latents import latent_batches

__all__ = ["LatentPosteriorDetector", "LatentPosteriorResult"]

#: Rows that are searched together, always this many, so that none depends on its neighbors.
_N_ROWS = 64
#: Damping of the first step, and its factors after a step that helped and one that did not.
_DAMPING, _LESS, _MORE = 1e-2, 0.2, 10.0


@dataclass(frozen=True, eq=False)
class LatentPosteriorResult:
    """Results of :meth:`LatentPosteriorDetector.reconstruct`.

    Attributes
    ----------
    latents : ndarray of float64, shape (n, *latent_shape)
        The most probable latents that were found.
    distances : ndarray of float64, shape (n,)
        Root mean square residual, in units of the noise.
    log_posterior : ndarray of float64, shape (n,)
        Logarithm of the posterior density there, up to a constant.
    log_evidence : ndarray of float64, shape (n,)
        Logarithm of the density of the row, up to a constant.
    """

    latents: np.ndarray
    distances: np.ndarray
    log_posterior: np.ndarray
    log_evidence: np.ndarray


class LatentPosteriorDetector(BaseEstimator):
    """Density of the most probable latents of a row, given the row.

    A row x of a table is ``G(z) + noise`` with z from N(0, I). The search makes

        ``||(x - G(z)) / noise||² / 2 + ||z||² / 2``

    small, minus the logarithm of the posterior density of z up to a constant. Where there are
    more latents than columns, almost every row can be reproduced, and its distance says nothing;
    what the latents must be for it, and how much of the latent space leads there, does.

    Parameters
    ----------
    generator : torch.nn.Module
        The target model, with latents ``(n, *generator.latent_shape)`` from N(0, I) and rows
        ``(n, n_columns)``. It runs in eval mode on a copy in double precision.
    noise : float or array-like of shape (n_columns,), default=0.01
        Standard deviation of the noise added to the generator's values, > 0: rounding to steps
        of d adds ``d / sqrt(12)``, see :meth:`~sklearn_flipad.tabular.TablePreparer.rounding`.
    score : {"evidence", "posterior", "distance"}, default="evidence"
        Score of a row: the logarithm of its probability density, by Laplace's
        approximation around the most probable latents; the logarithm of the largest posterior
        density; or minus the root mean square residual there, in units of `noise`.
    n_starts : int, default=16
        Starts of the search, from the latents of the nearest of `n_drawn` samples. Own rows
        whose search fails decide the threshold, so there should be enough.
    n_drawn : int, default=100000
        Samples of the generator that starts are taken from.
    max_iter : int, default=20
        Steps from each start.
    random_state : int, default=0
        Seed of the starts.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.

    See Also
    --------
    ReproductionDetector : Distance alone, for any sample.

    Notes
    -----
    Each step solves the damped normal equations of Gauss-Newton for all rows. Laplace's
    approximation adds ``-log det(I + J^T J) / 2``, with J the derivatives of
    ``G(z) / noise``, to the logarithm of the posterior density. ``score_samples`` works
    without fit.

    References
    ----------
    Nocedal and Wright, "Numerical Optimization", 2nd edition, Section 10.3; MacKay,
    "Information Theory, Inference, and Learning Algorithms", Chapter 27, for Laplace's method.

    Examples
    --------
    >>> from sklearn_flipad.reproduction import LatentPosteriorDetector
    >>> from sklearn_flipad.generators import sample
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> generator = load_pretrained("redwine/kl-wgan-0")
    >>> detector = LatentPosteriorDetector(generator, noise=0.02, n_starts=4, n_drawn=1000)
    >>> own = sample(generator, 8, dtype="float32", random_state=1)
    >>> bool((detector.score_samples(own) > detector.score_samples(own[:, ::-1])).all())
    True
    """

    _parameter_constraints: dict = {
        "generator": [torch.nn.Module],
        "noise": [Interval(Real, 0, None, closed="neither"), "array-like"],
        "score": [StrOptions({"evidence", "posterior", "distance"})],
        "n_starts": [Interval(Integral, 1, None, closed="left")],
        "n_drawn": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        generator,
        *,
        noise=0.01,
        score="evidence",
        n_starts=16,
        n_drawn=100_000,
        max_iter=20,
        random_state=0,
    ):
        self.generator = generator
        self.noise = noise
        self.score = score
        self.n_starts = n_starts
        self.n_drawn = n_drawn
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y=None):
        """Validate the parameters and the rows; nothing is learned.

        Parameters
        ----------
        X : array-like, shape (n, n_columns)
            Rows on the generator's scale.
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
        array = check_samples(self, X, reset=True)
        _Rows(self.generator, self.noise, array)
        record_samples(self, X, array)
        return self

    def score_samples(self, X):
        """Score of each row, as `score` says; larger is more normal.

        Parameters
        ----------
        X : array-like, shape (n, n_columns)
            Rows on the generator's scale.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If X is not valid or has not as many columns as the generator's rows.
        """
        found = self.reconstruct(X)
        scores = {
            "evidence": found.log_evidence,
            "posterior": found.log_posterior,
            "distance": -found.distances,
        }
        return scores[self.score]

    def reconstruct(self, X):
        """The most probable latents of rows, and how probable they are.

        Parameters
        ----------
        X : array-like, shape (n, n_columns)
            Rows on the generator's scale.

        Returns
        -------
        LatentPosteriorResult

        Raises
        ------
        ValueError
            As in :meth:`score_samples`.
        """
        self._validate_params()
        X = check_samples(self, X)
        rows = _Rows(self.generator, self.noise, X)
        with torch.no_grad():
            rows.draw(self.n_drawn, self.random_state)
            parts = [
                rows.search(X[part], self.n_starts, self.max_iter)
                for part in gen_batches(len(X), _N_ROWS)
            ]
        latents, *values = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
        return LatentPosteriorResult(latents.reshape(-1, *rows.shape), *values)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class _Rows:
    """The generator as a function of flat latents, and the samples that starts are taken from."""

    def __init__(self, generator, noise, X):
        generator = unwrap(generator)
        shape = getattr(generator, "latent_shape", None)
        if shape is None:
            raise ValueError(
                "The generator has no attribute latent_shape. Set it to the shape of one latent, "
                "as generator.latent_shape = (10,)."
            )
        self.generator = plain_copy(generator).double().cpu()
        self.shape = tuple(shape)
        zeros = torch.zeros(1, *self.shape, dtype=torch.float64, device="cpu")
        with torch.no_grad(), seeded(0):
            x, again = (run_generator(self.generator, (zeros,)) for _ in range(2))
        if not torch.equal(x, again):
            raise ValueError(
                "The generator draws random numbers while it runs. Switch them off in a module "
                "around it, and let noise= have their deviation, column by column."
            )
        sample_shape = tuple(x.shape[1:])
        if len(sample_shape) != 1:
            raise ValueError(
                f"The generator makes samples of shape {sample_shape}, but this detector is for "
                "rows of a table. ReproductionDetector takes any sample."
            )
        if X.shape[1:] != sample_shape:
            raise ValueError(
                f"X has {X.shape[1]} columns, but the generator makes {sample_shape[0]}."
            )
        noise = np.broadcast_to(np.asarray(noise, np.float64), X.shape[1:])
        if not (np.isfinite(noise) & (noise > 0)).all():
            raise ValueError("noise must be positive and finite for each column.")
        self.noise = torch.from_numpy(noise.copy())

    def draw(self, n_drawn, random_state):
        """Draw the samples that starts are taken from."""
        rng = separate_stream(random_state, Purpose.POSTERIOR_STARTS)
        batches = latent_batches(
            self.generator,
            n_drawn,
            latent_shape=self.shape,
            batch_size=1024,
            random_state=rng,
        )
        latents = torch.cat([latents for (latents,) in batches])
        self.samples = torch.cat([self.generator(part) for part in latents.split(1024)])
        self.latents = latents.flatten(1)

    def search(self, X, n_starts, max_iter):
        """Latents, distances, and logarithms of posterior and evidence of up to _N_ROWS rows."""
        x = torch.from_numpy(np.resize(X.astype(np.float64), (_N_ROWS, X.shape[1])))
        distances = torch.cdist(x, self.samples)
        n_starts = min(n_starts, len(self.samples))
        nearest = distances.topk(n_starts, largest=False).indices
        found = [self._searched(x, self.latents[nearest[:, k]], max_iter) for k in range(n_starts)]
        energies = torch.stack([energy for energy, _ in found])
        best, rows = energies.argmin(dim=0), torch.arange(_N_ROWS, device="cpu")
        z = torch.stack([latents for _, latents in found])[best, rows]
        log_posterior = -energies[best, rows]
        residuals, jacobian = self._residuals(z, x), self._jacobian(z)
        # det(I + J^T J) = det(I + J J^T), of the size of the columns.
        gram = jacobian @ jacobian.mT + torch.eye(jacobian.shape[1], dtype=z.dtype, device="cpu")
        log_evidence = log_posterior - torch.linalg.slogdet(gram).logabsdet / 2
        values = residuals.square().mean(dim=1).sqrt(), log_posterior, log_evidence
        return tuple(value[: len(X)] for value in (z, *values))

    def _searched(self, x, z, max_iter):
        """Energies and latents, after Levenberg-Marquardt with one damping per row."""
        energy = self._energy(z, x)
        damping = torch.full_like(energy, _DAMPING)
        eye = torch.eye(z.shape[1], dtype=z.dtype, device="cpu")
        for _ in range(max_iter):
            residuals, jacobian = self._residuals(z, x), self._jacobian(z)
            hessian = jacobian.mT @ jacobian + eye
            gradient = (jacobian.mT @ residuals[:, :, None])[:, :, 0] - z
            ridge = damping[:, None] * hessian.diagonal(dim1=1, dim2=2)
            step = torch.linalg.solve(hessian + torch.diag_embed(ridge), gradient)
            tried = z + step
            value = self._energy(tried, x)
            better = value < energy
            z = torch.where(better[:, None], tried, z)
            energy = torch.where(better, value, energy)
            damping = (damping * torch.where(better, _LESS, _MORE)).clamp(1e-9, 1e9)
        return energy, z

    def _residuals(self, z, x):
        return (x - self.generator(z.reshape(-1, *self.shape))) / self.noise

    def _energy(self, z, x):
        residuals = self._residuals(z, x)
        return (residuals.square().sum(dim=1) + z.square().sum(dim=1)) / 2

    def _jacobian(self, z):
        """Derivatives of the generator over the noise, shape (n, n_columns, n_latents)."""

        def row(z):
            return self.generator(z.reshape(1, *self.shape))[0] / self.noise

        return vmap(jacrev(row))(z)
