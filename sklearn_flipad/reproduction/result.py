"""What a search for reconstructions returns."""

from dataclasses import dataclass

import numpy as np

__all__ = ["ReconstructionResult"]


@dataclass(frozen=True)
class ReconstructionResult:
    """The best reconstructions of samples, and how close they are.

    Attributes
    ----------
    latents : ndarray of float32, shape (n, *latent_shape)
        The latents.
    conditions : ndarray of int64, shape (n,)
        Numbers of the conditions, such as classes, in ascending order of what the generator
        takes; 0 where it takes none.
    reconstructions : ndarray, shape (n, *sample_shape)
        What the generator makes of them: gray levels for samples in gray levels, processed as
        they were; else floats.
    distances : ndarray of float64, shape (n,)
        Root mean square differences to the samples, in gray levels or in the unit of floats;
        with a distance of its own, those.
    reproduced : ndarray of bool, shape (n,)
        Whether the distance is no more than the rounding of the sample explains.
    outcomes : ndarray of str, shape (n,)
        ``"reproduced"``; ``"rejected"``, far from the sample from all starts, where the
        search hardly moved; or ``"undecided"``.
    equal : ndarray of float64, shape (n,)
        Share of the elements that are equal in sample and reconstruction; NaN for floats.
    n_iter : ndarray of int64, shape (n,)
        Evaluations of the gradient, and Jacobians.
    """

    latents: np.ndarray
    conditions: np.ndarray
    reconstructions: np.ndarray
    distances: np.ndarray
    reproduced: np.ndarray
    outcomes: np.ndarray
    equal: np.ndarray
    n_iter: np.ndarray
