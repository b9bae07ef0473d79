"""The search for the seed of a diffusion model's sample, confirmed by running the model again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_flipad.base.samples import check_samples
from sklearn_flipad.generators import DiffusionSampler, NoiseInversionResult, TorchNoise
from sklearn_flipad.reproduction.seeds._latents import last_states
from sklearn_flipad.reproduction.seeds.matching import SeedMatches, match_seeds

__all__ = ["SeedSearch", "SeedSearchResult"]


@dataclass(frozen=True, eq=False)
class SeedSearchResult:
    """Seeds of samples, and what the model makes of them, from :meth:`SeedSearch.search`.

    Attributes
    ----------
    matches : SeedMatches
        The best seeds by the correlation of their noise, and p-values.
    inversion : NoiseInversionResult
        The noise of the samples.
    best : ndarray of int64, shape (n,)
        Which of the seeds of a row of `matches` makes the sample that comes nearest.
    seeds : ndarray of int64 or uint64, shape (n,)
        Those seeds.
    samples : ndarray, shape (n, *sample_shape)
        What the model makes of them: gray levels for gray levels, else floats.
    distances : ndarray of float64, shape (n, n_best)
        Largest absolute difference between the suspect and what the model makes of each seed, in
        gray levels for gray levels.
    equal : ndarray of float64, shape (n, n_best)
        Share of equal values.
    """

    matches: SeedMatches
    inversion: NoiseInversionResult
    best: np.ndarray
    seeds: np.ndarray
    samples: np.ndarray
    distances: np.ndarray
    equal: np.ndarray

    @property
    def log_p_values(self):
        """Natural logarithms of the p-values, Bonferroni's, ndarray of shape (n,)."""
        return self.matches.log_p_values

    @property
    def identical(self):
        """Whether a seed makes the suspect in every value, ndarray of bool of shape (n,)."""
        return (self.equal == 1).any(axis=1)


@dataclass(frozen=True, eq=False)
class SeedSearch:
    """Which seed, of many, a diffusion model made a sample with.

    The sampler is run backward; the noise that it gives is compared with that of all seeds; and the
    model is run again with the best ones. If what it makes is equal to the sample in every value,
    the model made the sample, or one that makes the same samples did. With a copy of the model
    whose weights differ slightly the seed may be found too, but the sample is another one.

    Parameters
    ----------
    sampler : DiffusionSampler
        The target model.
    seeds : range or array-like of int, shape (n_seeds,)
        Candidates.
    draw : callable, default=None
        ``draw(seed)`` returns the noise of a seed, shape ``(n_batch, *latent_shape)``, see
        :func:`~sklearn_flipad.reproduction.match_seeds`. By default
        :class:`~sklearn_flipad.generators.TorchNoise` of one image.
    n_best : int, default=3
        Seeds of each sample with which the model is run again.
    tol : float, default=1e-5
        See :meth:`~sklearn_flipad.generators.DiffusionSampler.invert`.
    max_iter : int, default=100
        Largest number of runs of the network in a step of the inversion.
    decoding : ReproductionDetector, default=None
        Finds the latents of images, for a sampler with a decoder. By default it searches from the
        guess of ``sampler.encoder``.
    verbose : int, default=0
        Whether to show progress.

    See Also
    --------
    sklearn_flipad.ReproductionDetector : The same for generators with few latents.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn_flipad.generators import DiffusionSampler, DiffusionSchedule, TorchNoise
    >>> from sklearn_flipad.reproduction import SeedSearch
    >>> class Network(torch.nn.Module):
    ...     def forward(self, x, t):
    ...         return torch.tanh(x)
    >>> t = np.linspace(1, 0, 11)
    >>> flow = DiffusionSchedule.first_order(1 - t, t, t[:-1], prediction="flow")
    >>> sampler = DiffusionSampler(Network(), flow, latent_shape=(1, 8, 8))
    >>> suspects = sampler.images(TorchNoise((1, 8, 8))(seed=42))
    >>> result = SeedSearch(sampler, seeds=range(100)).search(suspects)
    >>> result.seeds, result.identical
    (array([42]), array([ True]))
    """

    sampler: DiffusionSampler
    seeds: Any
    draw: Callable | None = None
    n_best: int = 3
    tol: float = 1e-5
    max_iter: int = 100
    decoding: Any = None
    verbose: int = 0

    def search(self, X, **condition):
        """Search the seeds of samples.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features)
            Suspects: uint8 gray levels, or floats as the sampler returns them.
        **condition
            What else the network is called with, such as ``class_labels``, a tensor with a row for
            each sample.

        Returns
        -------
        SeedSearchResult

        Raises
        ------
        ValueError
            If X does not fit the model, the sampler cannot be run backward, or seeds or `draw` are
            not valid.
        """
        sampler = self.sampler
        array = check_samples(
            sampler, X, output_range=sampler.output_range, sample_shape=sampler.sample_shape
        ).reshape(-1, *sampler.sample_shape)
        draw = TorchNoise(sampler.latent_shape) if self.draw is None else self.draw
        states = last_states(sampler, array, self.decoding)
        inversion = sampler.invert(states, tol=self.tol, max_iter=self.max_iter, **condition)
        matches = match_seeds(
            inversion.noise, seeds=self.seeds, draw=draw, n_best=self.n_best, verbose=self.verbose
        )
        made = []
        for index in range(len(array)):
            own = {name: value[index : index + 1] for name, value in condition.items()}
            candidates = zip(matches.seeds[index], matches.positions[index], strict=True)
            made.append(
                [self._made(draw, *candidate, own, array.dtype) for candidate in candidates]
            )
        made = np.array(made)
        differences = np.abs(made.astype(np.float64) - array[:, None])
        differences = differences.reshape(*made.shape[:2], -1)
        best = differences.mean(axis=2).argmin(axis=1)
        rows = np.arange(len(array))
        return SeedSearchResult(
            matches,
            inversion,
            best,
            matches.seeds[rows, best],
            made[rows, best],
            differences.max(axis=2),
            (differences == 0).mean(axis=2),
        )

    def _made(self, draw, seed, position, condition, dtype):
        """Sample of a seed, in the batch that it draws."""
        noise = draw(int(seed))
        condition = {
            name: value.expand(len(noise), *value.shape[1:]) for name, value in condition.items()
        }
        run = self.sampler.images if dtype == np.uint8 else self.sampler.run
        return run(noise, **condition)[position]
