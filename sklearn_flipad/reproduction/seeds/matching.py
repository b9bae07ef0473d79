"""Seeds whose noise correlates most with given noise."""

from dataclasses import dataclass
from itertools import pairwise

import joblib
import numpy as np
import torch

from sklearn_flipad.base.parallel import in_batches
from sklearn_flipad.base.progress import progress
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.generators import TorchNoise
from sklearn_flipad.reproduction.seeds._checks import check_n_best, checked_seeds
from sklearn_flipad.reproduction.seeds._correlation import bonferroni, log_p_values

__all__ = ["SeedMatches", "match_seeds"]

#: Seeds whose noise is held in memory at once, by each thread. Blocks are the same whatever the
#: number of threads, so that results are. Of 4x64x64 noise, 5,000 seeds take 0.30, 0.30
#: and 0.33 s with 16, 64 and 256 (``python -m benchmarks constants``).
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class SeedMatches:
    """The best seeds of each noise, from :func:`match_seeds`, best first.

    Attributes
    ----------
    seeds : ndarray of int64 or uint64, shape (n, n_best)
        The seeds.
    rows : ndarray of int64, shape (n, n_best)
        Places of the seeds among the candidates, counted from 0.
    positions : ndarray of int64, shape (n, n_best)
        Positions in the batch that the seed draws; 0 where it draws the noise of one sample.
    correlations : ndarray of float64, shape (n, n_best)
        Correlations of the given noise with that of the seeds.
    log_p_values : ndarray of float64, shape (n,)
        Natural logarithms of the p-values of the largest correlations, times the number of
        candidates (Bonferroni): a bound of the probability that any of so many seeds correlates as
        much if none has made the sample.
    n_candidates : int
        Number of seeds times the size of their batches.
    """

    seeds: np.ndarray
    rows: np.ndarray
    positions: np.ndarray
    correlations: np.ndarray
    log_p_values: np.ndarray
    n_candidates: int


def match_seeds(noise, *, seeds, draw=None, n_best=3, n_jobs=None, verbose=0):
    """Seeds whose noise correlates most with given noise, and the p-value of the best one.

    Noise is drawn for each seed once, compared with that of all samples and dropped, in all of
    torch's threads: memory does not grow with the number of seeds, and drawing is most of the cost.
    The noise may be that of :meth:`~sklearn_flipad.generators.DiffusionSampler.invert`, or latents
    of a GAN as :meth:`~sklearn_flipad.ReproductionDetector.reconstruct` finds them.

    Parameters
    ----------
    noise : array-like, shape (n, *shape)
        Noise of unit scale; the correlation ignores its scale and its mean.
    seeds : range or array-like of int, shape (n_seeds,)
        Candidates. A range takes no memory.
    draw : callable, default=None
        ``draw(seed)`` returns the noise of a seed as a tensor or an array of shape
        ``(n_batch, *shape)``, unit normal for the p-value to hold. It is called in several
        threads. By default :class:`~sklearn_flipad.generators.TorchNoise` of this shape.
    n_best : int, default=3
        Seeds to return for each noise.
    n_jobs : int, default=None
        Processes that share the seeds, of joblib: 1 by default, -1 for all cores, or the workers of
        ``joblib.parallel_config``. The result is the same.
    verbose : int, default=0
        Whether to show progress, of one process.

    Returns
    -------
    SeedMatches

    Raises
    ------
    ValueError
        If there are no seeds or no integers, `n_best` is below 1, the noise has fewer than three
        values, is constant or not finite, or `draw` returns another shape.

    Notes
    -----
    The p-value of a correlation is exact for unit normal noise, whatever the given noise: with the
    d values of a wrong seed, ``r sqrt((d - 2) / (1 - r²))`` has Student's law with d - 2 degrees of
    freedom. Below 1e-280, a bound that is at most 0.2 % larger takes its place.

    Examples
    --------
    >>> from sklearn_flipad.generators import TorchNoise
    >>> from sklearn_flipad.reproduction import match_seeds
    >>> matches = match_seeds(TorchNoise((4, 8, 8))(seed=42), seeds=range(100))
    >>> int(matches.seeds[0, 0]), bool(matches.log_p_values[0] < -500)
    (42, True)
    """
    noise = np.asarray(as_array(noise))
    if noise.ndim < 2 or not len(noise) or noise[0].size < 3:
        raise ValueError(
            "noise must have shape (n, ...) with at least three values for each of at least one "
            f"sample, got {noise.shape}."
        )
    shape = noise.shape[1:]
    seeds = checked_seeds(seeds)
    check_n_best(n_best)
    draw = TorchNoise(shape) if draw is None else draw
    targets = _standardized(torch.from_numpy(noise.reshape(len(noise), -1)))
    if not bool(torch.isfinite(targets).all()):
        raise ValueError(
            "The noise of a sample is constant or not finite: nothing correlates with it."
        )
    n_batch = len(_drawn(draw, seeds[0], shape))
    n_candidates = len(seeds) * n_batch
    n_best = min(n_best, n_candidates)
    # Single precision finds the best, whose correlations are then computed in double precision.
    arguments = targets.float(), draw, shape, n_batch, n_best
    n_parts = min(joblib.effective_n_jobs(n_jobs), -(-len(seeds) // _BLOCK))
    if n_parts == 1:
        values = _best_of(seeds, 0, *arguments, verbose=verbose)
    else:
        # Whole blocks, so that parts have those of the whole.
        ends = _BLOCK * np.linspace(0, -(-len(seeds) // _BLOCK), n_parts + 1).astype(int)
        parts = joblib.Parallel(n_jobs)(
            joblib.delayed(_best_of)(seeds[begin:end], int(begin), *arguments)
            for begin, end in pairwise(ends)
        )
        values = _largest(*(np.hstack(both) for both in zip(*parts, strict=True)), n_best)

    def exact(row, candidate):
        drawn = _drawn(draw, seeds[candidate // n_batch], shape)[candidate % n_batch]
        return float(targets[row] @ _standardized(drawn[None])[0])

    found = [[exact(row, i) for i in candidates] for row, candidates in enumerate(values[1])]
    correlations, candidates = _largest(np.array(found), values[1], n_best)
    log_p = log_p_values(correlations[:, 0], noise[0].size)
    rows = candidates // n_batch
    return SeedMatches(
        np.array([[seeds[i] for i in row] for row in rows]),
        rows,
        candidates % n_batch,
        correlations,
        bonferroni(log_p, n_candidates),
        n_candidates,
    )


def _best_of(seeds, first, targets, draw, shape, n_batch, n_best, verbose=0):
    """Largest correlations with some of the seeds, and their candidates, counted from `first`."""

    def correlate(rows):
        block = torch.cat([_drawn(draw, seed, shape) for seed in seeds[rows]]).float()
        if len(block) != n_batch * (rows.stop - rows.start):
            raise ValueError("draw(seed) must return batches of one size.")
        # Up to the same factor for all; torch's standard deviation takes longer than drawing.
        squares = torch.linalg.vector_norm(block, dim=1).square() / block.shape[1]
        deviations = (squares - block.mean(dim=1).square()).clamp(min=0).sqrt()
        # NaN for constant noise. For 1,000 samples, sorting all is slower than drawing.
        correlations = torch.nan_to_num(targets @ block.T / deviations, nan=-2.0)
        top, places = correlations.topk(min(n_best, len(block)), dim=1)
        return top.numpy(), (first + rows.start) * n_batch + places.numpy()

    values = np.empty((len(targets), 0), np.float32), np.empty((len(targets), 0), np.int64)
    size = _BLOCK * torch.get_num_threads()
    with progress(len(seeds), "seeds", verbose=verbose) as bar:
        for more in in_batches(correlate, len(seeds), batch_size=size, lanes=_BLOCK, apart=True):
            values = _largest(*(np.hstack(both) for both in zip(values, more, strict=True)), n_best)
            bar.update(min(_BLOCK, len(seeds) - bar.n))
    return values


def _drawn(draw, seed, shape):
    """Noise of a seed, tensor of shape (n_batch, n_values) on the CPU."""
    drawn = torch.as_tensor(draw(int(seed)), device="cpu")
    if tuple(drawn.shape[1:]) != shape or not len(drawn):
        raise ValueError(
            f"draw(seed) must return noise of shape (n_batch, {', '.join(map(str, shape))}), got "
            f"{tuple(drawn.shape)}."
        )
    return drawn.reshape(len(drawn), -1)


def _standardized(rows):
    """Rows in double precision with mean 0 and norm 1; NaN if they are constant."""
    rows = rows.double()
    rows = rows - rows.mean(dim=1, keepdim=True)
    return rows.div_(torch.linalg.vector_norm(rows, dim=1, keepdim=True))


def _largest(correlations, candidates, n_best):
    """Largest correlations of each row, descending, and their candidates; of equals the first."""
    order = np.argsort(-correlations, axis=1, kind="stable")[:, :n_best]
    candidates = np.broadcast_to(candidates, correlations.shape)
    return np.take_along_axis(correlations, order, 1), np.take_along_axis(candidates, order, 1)
