"""The result of running a diffusion sampler backward."""

from dataclasses import dataclass

import numpy as np

__all__ = ["NoiseInversionResult"]

#: Largest round trip of a sample that counts as inverted, in the unit of the samples.
ROUND_TRIP = 1e-4


@dataclass(frozen=True, eq=False)
class NoiseInversionResult:
    """Noise of samples, from :meth:`DiffusionSampler.invert`, with its certificates.

    Attributes
    ----------
    noise : ndarray of float32, shape (n, *latent_shape)
        The noise, of the scale of unit normal noise where the sample is the model's. Mean noise has
        a smaller deviation: about its correlation with the true noise.
    residuals : ndarray of float64, shape (n,)
        Largest error of a step: the root mean square of what the step from the state that was found
        misses the next one by, relative to that of the next one. For a multistep method the error
        of all steps together. NaN for mean noise, which solves no equation.
    round_trip : ndarray of float64, shape (n,)
        Root mean square difference between the sample and what the sampler makes of the noise, in
        gray levels for uint8 samples, else in the unit of the samples; with a decoder, in that of
        the latents. Small residuals do not make it small where small errors grow from step to step.
        NaN for mean noise, which makes another sample: what it lacks decides the sample too.
    at_bounds : ndarray of float64, shape (n,)
        Share of the values that are at an end of the range, which clipping may have put there.
        Their true values are lost, and the noise that is found is that of the clipped ones.
    converged : ndarray of bool, shape (n,)
        Whether the residual is at most ``tol`` and the round trip at most 1e-4 in the unit of the
        samples, 0.0255 gray levels; for mean noise, whether it is finite.
    n_calls : ndarray of int64, shape (n,)
        Runs of the network, for one sample or copy of it.
    """

    noise: np.ndarray
    residuals: np.ndarray
    round_trip: np.ndarray
    at_bounds: np.ndarray
    converged: np.ndarray
    n_calls: np.ndarray
