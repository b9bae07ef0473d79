"""The search for the seed of a sample, confirmed by running the model again."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from sklearn_flipad.base.conditions import rows_of
from sklearn_flipad.generators import TorchNoise
from sklearn_flipad.reproduction.seeds._checks import FOUND
from sklearn_flipad.reproduction.seeds._correlation import bonferroni, log_p_values
from sklearn_flipad.reproduction.seeds._suspects import files_of, warn_of_files
from sklearn_flipad.reproduction.seeds._targets import target_of
from sklearn_flipad.reproduction.seeds.candidates import SeedCandidates
from sklearn_flipad.reproduction.seeds.matching import SeedMatches, match_seeds

__all__ = ["SeedSearch", "SeedSearchResult"]


@dataclass(frozen=True, eq=False)
class SeedSearchResult:
    """Seeds of samples, and what the model makes of them, from :meth:`SeedSearch.search`.

    Attributes
    ----------
    matches : SeedMatches
        The best candidates by the correlation of their noise, and p-values.
    inversion : NoiseInversionResult or ReconstructionResult
        The noise of the samples, with the settings of `seeds`.
    best : ndarray of int64, shape (n,)
        Which of the candidates of a row of `matches` makes the sample that comes nearest.
    seeds : ndarray of int64 or uint64, shape (n,)
        The seeds of those.
    rows : ndarray of int64, shape (n,)
        Their rows in the table of requests, or places among the seeds, counted from 0.
    settings : tuple of dict, length n
        Their settings; empty where candidates have none.
    log_p_values : ndarray of float64, shape (n,)
        Natural logarithms of the p-values of their correlations, times the numbers of candidates
        and of inversions that may be tried, 2 for gray levels and 3 for floats (Bonferroni).
    samples : ndarray, shape (n, *sample_shape)
        What the model makes of them, processed: gray levels for gray levels, else floats.
    distances : ndarray of float64, shape (n, n_run)
        Largest absolute difference between the suspect and what the model makes of each candidate
        that is run again, in gray levels for gray levels.
    equal : ndarray of float64, shape (n, n_run)
        Share of equal values.
    """

    matches: SeedMatches
    inversion: Any
    best: np.ndarray
    seeds: np.ndarray
    rows: np.ndarray
    settings: tuple
    log_p_values: np.ndarray
    samples: np.ndarray
    distances: np.ndarray
    equal: np.ndarray

    @property
    def identical(self):
        """Whether a seed makes the suspect in every value, ndarray of bool of shape (n,)."""
        return (self.equal == 1).any(axis=1)


@dataclass(frozen=True, eq=False)
class SeedSearch:
    """Which seed, of many, a model made a sample with.

    The noise of the sample is found: a diffusion sampler is run backward, and latents of other
    generators are found by reproduction. It is compared with the noise of all candidates; and the
    model is run again with the best ones. If what it makes is equal to the sample in every value,
    the model made the sample, or one that makes the same samples did. With a copy of the model, or
    another model of the same data, the seed may be found too, but the sample is another one.

    Parameters
    ----------
    sampler : DiffusionSampler or ReproductionDetector
        The target model; of a generator that is no diffusion model, the detector that finds its
        latents.
    seeds : range, array-like of int, DataFrame, path-like or SeedCandidates
        Candidates: seeds; a table of requests, see
        :meth:`~sklearn_flipad.reproduction.SeedCandidates.from_requests`; or seeds with settings.
    draw : callable, default=None
        ``draw(seed)`` returns the noise of a seed, shape ``(n_batch, *latent_shape)``, see
        :func:`~sklearn_flipad.reproduction.match_seeds`. By default
        :class:`~sklearn_flipad.generators.TorchNoise` of one sample.
    n_best : int, default=3
        Candidates of each sample with which the model is run again; where there are settings, the
        best one of each at least.
    tol : float, default=1e-5
        See :meth:`~sklearn_flipad.generators.DiffusionSampler.invert`.
    max_iter : int, default=100
        Largest number of runs of the network in a step of the inversion.
    decoding : ReproductionDetector, default=None
        Finds the latents of images, for a sampler with a decoder. By default it searches from the
        guess of ``sampler.encoder``.
    processing : transformer or sequence of transformer, default=None
        Known processing of suspects after they were generated, in this order, see
        :class:`~sklearn_flipad.ReproductionDetector`, whose own is the default. What the model
        makes of a seed is processed too before it is compared; noise is refused. With
        :class:`~sklearn_flipad.evaluation.FileFormat` as the last step, it is compressed as each
        suspect's own file, and suspects come in a list of images that know their files.
    n_jobs : int, default=None
        Processes that compare seeds, see :func:`~sklearn_flipad.reproduction.match_seeds`.
    verbose : int, default=0
        Whether to show progress.

    See Also
    --------
    sklearn_flipad.SeedDetector : The search as a detector.
    sklearn_flipad.ReproductionDetector : The same for generators with few latents.

    Notes
    -----
    Samples are inverted with each combination of settings, and the noise of a block of seeds is
    drawn once for all of its settings. Gray levels that are not made again in every value are
    inverted once more, by copies with four times as much noise, which suit processed samples, and
    their seeds are searched again. Floats are first inverted exactly, then as gray levels are.

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

    sampler: Any
    seeds: Any
    draw: Callable | None = None
    n_best: int = 3
    tol: float = 1e-5
    max_iter: int = 100
    decoding: Any = None
    processing: Any = None
    n_jobs: int | None = None
    verbose: int = 0

    def search(self, X, **condition):
        """Search the seeds of samples.

        Parameters
        ----------
        X : array-like, shape (n, *sample_shape) or (n, n_features), or list of ndarray
            Suspects: uint8 gray levels, or floats as the model returns them; with ``FileFormat()``,
            a list of gray levels that know their files.
        **condition
            What else the network of a diffusion model is called with, such as ``class_labels``, a
            tensor with a row for each sample, or a sequence of numbers.

        Returns
        -------
        SeedSearchResult

        Raises
        ------
        ValueError
            If X does not fit the model or holds gray levels that were scaled to floats, the file of
            a sample does not tell its compression, a condition has not a row for each sample or is
            a setting too, the sampler cannot be run backward, seeds, settings or `draw` are not
            valid, or processing is not known, draws noise, or is not of gray levels of this size.
        TypeError
            If `sampler` is something else, or a step of processing is no perturbation.
        """
        target = target_of(self.sampler, self.processing)
        array = target.checked(X)
        files = files_of(X, array, target.processing)
        condition = rows_of(condition, len(array))
        candidates = SeedCandidates.of(self.seeds).of_size(target.sample_shape)
        if both := {*candidates.names} & {*condition}:
            raise ValueError(
                f"{', '.join(sorted(both))} is both a setting of the candidates and an argument: "
                "leave out one of them."
            )
        states = target.states(array, self.decoding)
        deviations = target.deviations(array)
        found, rows = None, np.arange(len(array))
        for deviation in deviations:
            own = {name: value[rows] for name, value in condition.items()}
            parts = array[rows], states[rows], deviation, own, files[rows]
            more = self._found(target, candidates, *parts)
            more = _tried(more, len(deviations))
            if found is None:
                found = more
            else:
                is_less = more.log_p_values < found.log_p_values[rows]
                before = found.identical[rows]
                better = (more.identical > before) | (more.identical == before) & is_less
                found = _with_rows(found, rows[better], more, better)
            settled = found.identical & (found.log_p_values <= np.log(FOUND))
            rows = np.flatnonzero(~settled)
            if not len(rows):
                break
        warn_of_files(found, files, target.processing)
        return found

    def _found(self, target, candidates, array, states, deviation, condition, files):
        """The result by one inversion."""
        draw = TorchNoise(target.latent_shape) if self.draw is None else self.draw
        inverted, parts = [], []
        for block in zip(candidates.seeds, candidates.settings, candidates.rows, strict=True):
            more, found = self._of_block(target, states, deviation, draw, block, condition)
            parts += [(*part, len(inverted) + k) for k, part in enumerate(found)]
            inverted += more
        n_values = inverted[0].noise[0].size
        matches, source = _merged(parts, candidates, n_values, self.n_best)
        in_levels = array.dtype == np.uint8

        def made(i, k):
            own = inverted[source[i, k]]
            noise = draw(int(matches.seeds[i, k]))
            of_sample = {name: value[i : i + 1] for name, value in own.condition.items()}
            again = own.target.made(noise, of_sample, in_levels, files[i])
            return again[matches.positions[i, k]]

        n, n_best = matches.seeds.shape
        again = np.array([[made(i, k) for k in range(n_best)] for i in range(n)])
        differences = np.abs(again.astype(np.float64) - array[:, None]).reshape(n, n_best, -1)
        best, rows = differences.mean(axis=2).argmin(axis=1), np.arange(n)
        chosen = [inverted[k] for k in source[rows, best]]
        log_p = log_p_values(matches.correlations[rows, best], n_values)
        return SeedSearchResult(
            matches,
            _rows_of([own.result for own in chosen]),
            best,
            matches.seeds[rows, best],
            matches.rows[rows, best],
            tuple(own.settings for own in chosen),
            bonferroni(log_p, matches.n_candidates),
            again[rows, best],
            differences.max(axis=2),
            (differences == 0).mean(axis=2),
        )

    def _of_block(self, target, states, deviation, draw, block, condition):
        """Inversions of samples by setting, and their matches in a block of candidates."""
        seeds, settings, rows = block
        options = {"tol": self.tol, "max_iter": self.max_iter}
        inverted = []
        for own in settings:
            of_own = target.with_settings(own)
            found = of_own.inverted(states, deviation, condition, **options)
            inverted.append(_Inverted(of_own, own, *found))
        matches = match_seeds(
            _usable(np.concatenate([part.noise for part in inverted])),
            seeds=seeds,
            draw=draw,
            n_best=self.n_best,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
        )
        rows = matches.rows if isinstance(rows, range) else rows[matches.rows]
        parts = matches.correlations, matches.seeds, rows, matches.positions
        n_batch = matches.n_candidates // len(seeds)
        n = len(states)
        slices = [slice(k * n, (k + 1) * n) for k in range(len(settings))]
        return inverted, [(*(part[at] for part in parts), n_batch) for at in slices]


@dataclass(frozen=True, eq=False)
class _Inverted:
    """Samples that were inverted with some settings."""

    target: Any
    settings: dict
    result: Any
    noise: np.ndarray
    #: Arguments of the model, tensors with a row for each sample.
    condition: dict


def _usable(noise):
    """Noise, in place of which a fixed one stands where the inversion diverged.

    P-values hold for any given noise, and that of no seed is like the fixed one.
    """
    flat = noise.reshape(len(noise), -1)
    lost = ~np.isfinite(flat).all(axis=1) | (np.ptp(flat, axis=1) == 0)
    if not lost.any():
        return noise
    return np.where(lost[:, None], np.eye(1, flat.shape[1]), flat).reshape(noise.shape)


def _merged(parts, candidates, n_values, n_best):
    """The best match of each setting, then the best others, and the setting that each is of.

    Noise by settings that are nearly the true ones is like that of the true seed, too.
    """
    *columns, n_batches, sources = zip(*parts, strict=True)
    if len(set(n_batches)) > 1:
        raise ValueError("draw(seed) must return batches of one size.")
    correlations, seeds, rows, positions = map(np.hstack, columns)
    is_first = np.concatenate([np.arange(part[0].shape[1]) == 0 for part in parts])
    places = np.where(is_first, -correlations, 2 - correlations)
    order = np.argsort(places, axis=1, kind="stable")[:, : max(n_best, len(parts))]
    sources = np.repeat(sources, [part[0].shape[1] for part in parts])[order]
    correlations, seeds, rows, positions = (
        np.take_along_axis(column, order, 1) for column in (correlations, seeds, rows, positions)
    )
    n_candidates = candidates.n_candidates * n_batches[0]
    log_p = bonferroni(log_p_values(correlations[:, 0], n_values), n_candidates)
    matches = SeedMatches(seeds, rows, positions, correlations, log_p, n_candidates)
    return matches, sources


def _tried(found, n):
    """A result whose p-values take into account that one of n inversions was chosen."""
    log_p = bonferroni(found.matches.log_p_values, n)
    return replace(
        found,
        matches=replace(found.matches, log_p_values=log_p),
        log_p_values=bonferroni(found.log_p_values, n),
    )


def _with_rows(result, rows, other, chosen):
    """A result with other rows, those of another result that are chosen."""
    changed = {}
    for field in fields(result):
        own, more = getattr(result, field.name), getattr(other, field.name)
        if is_dataclass(own):
            changed[field.name] = _with_rows(own, rows, more, chosen)
        elif isinstance(own, np.ndarray):
            changed[field.name] = own.copy()
            changed[field.name][rows] = more[chosen]
        elif isinstance(own, tuple):
            new = dict(zip(rows, np.flatnonzero(chosen), strict=True))
            changed[field.name] = tuple(
                more[new[k]] if k in new else value for k, value in enumerate(own)
            )
    return replace(result, **changed)


def _rows_of(results):
    """A result whose row i is that of the result i."""
    names = [field.name for field in fields(results[0])]
    columns = {name: [getattr(part, name)[i] for i, part in enumerate(results)] for name in names}
    return type(results[0])(**{name: np.stack(column) for name, column in columns.items()})
