"""The result of a search for reconstructions."""

from dataclasses import dataclass

import numpy as np

__all__ = ["ReconstructionResult"]


@dataclass(frozen=True)
class ReconstructionResult:
    """The best reconstructions of samples, and their distances.

    Attributes
    ----------
    latents : ndarray of float32, shape (n, *latent_shape)
        The latents.
    conditions : ndarray of int64, shape (n,)
        Numbers of the conditions, such as classes, in ascending order of what the generator
        takes; 0 where it takes none.
    reconstructions : ndarray, shape (n, *sample_shape)
        Samples that the generator makes of them: gray levels for samples in gray levels,
        processed as they were; else floats. An array of objects (n,) if they differ in size.
    distances : ndarray of float64, shape (n,)
        Distances to the samples: root mean square differences in gray levels or in the unit of
        floats, or those of the detector's ``distance``. If a file format follows unknown
        processing, they are in units of the error that it makes of the reconstruction.
    reproduced : ndarray of bool, shape (n,)
        Whether the distance is small enough to be explained by the rounding of the sample.
    outcomes : ndarray of str, shape (n,)
        ``"reproduced"``; ``"rejected"``, far from the sample from all starts, where the
        search hardly moved; or ``"undecided"``.
    equal : ndarray of float64, shape (n,)
        Share of the elements that are equal in sample and reconstruction; NaN for floats.
    n_iter : ndarray of int64, shape (n,)
        Evaluations of the gradient, and Jacobians.
    boxes : ndarray of float64, shape (n, 4)
        First row, first column, and those behind the last one, of the part of the generator's
        image that a suspect shows, in its pixels; NaN unless the processing is an
        :class:`~sklearn_flipad.evaluation.UnknownGeometry`.
    """

    latents: np.ndarray
    conditions: np.ndarray
    reconstructions: np.ndarray
    distances: np.ndarray
    reproduced: np.ndarray
    outcomes: np.ndarray
    equal: np.ndarray
    n_iter: np.ndarray
    boxes: np.ndarray
