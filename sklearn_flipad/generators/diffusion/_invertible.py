"""The inverse of a sampler, sample by sample."""

import numpy as np

from sklearn_flipad.base.conditions import rows_of
from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.generators.diffusion._inverse import inverted
from sklearn_flipad.generators.diffusion._smoothing import N_COPIES, averaged
from sklearn_flipad.generators.diffusion.inversion import ROUND_TRIP, NoiseInversionResult


class Invertible:
    """The part of a DiffusionSampler that runs it backward."""

    def invert(
        self,
        X,
        *,
        tol=1e-5,
        max_iter=100,
        max_corrections=20,
        n_copies="auto",
        deviation=0.05,
        **condition,
    ):
        """Noise that the sampler makes samples of.

        From the sample back, each step is solved for the state before it, by a fixed-point
        iteration with Anderson acceleration. That needs the last digits of the sample, which gray
        levels lack. Of them the mean noise is found: that of copies of the sample with a little
        noise, each run backward with one run of the network in each step. Values that the sample
        does not tell average to zero.

        Samples are inverted one by one, so that the noise of one does not depend on the others.

        Parameters
        ----------
        X : array-like, shape (n, *latent_shape) or (n, n_features)
            Samples: uint8 gray levels, or floats as :meth:`forward` returns them. With a decoder,
            latents, the last states of the process: ``reconstruct(images).latents`` of a
            :class:`~sklearn_flipad.ReproductionDetector` of the decoder with this encoder and
            ``latent_shape``. :class:`~sklearn_flipad.reproduction.SeedSearch` finds them itself.
        tol : float, default=1e-5
            Largest relative residual. In float32, rounding alone is about 1e-6. What reaches it
            has converged if its round trip is at most 1e-4, too.
        max_iter : int, default=100
            Largest number of runs of the network in a step.
        max_corrections : int, default=20
            Largest number of runs over all steps of a multistep method.
        n_copies : int, default="auto"
            Copies of a sample with noise, an even number; by default 2 of gray levels and of
            latents of a decoder. With 0, each step is solved, to which `tol`, `max_iter` and
            `max_corrections` belong.
        deviation : float, default=0.05
            Standard deviation of the noise of copies in the unit of the states, where gray levels
            are 1 / 127.5. A larger one loses more, and forgives more processing.
        **condition
            See :meth:`forward`: a tensor with a row for each sample, or a sequence of numbers.

        Returns
        -------
        NoiseInversionResult

        Raises
        ------
        ValueError
            If X does not fit the model, a condition has not a row for each sample, `n_copies` is
            odd or negative, `deviation` is negative, or a step does not depend on its own state, so
            that it has no inverse of this kind.
        """
        self._check_invertible()
        if n_copies != "auto" and (n_copies < 0 or n_copies % 2):
            raise ValueError(f"n_copies must be even and not negative, got {n_copies}.")
        if not deviation >= 0:
            raise ValueError(f"deviation must not be negative, got {deviation}.")
        array = self._checked(X)
        if n_copies == "auto":
            n_copies = N_COPIES if self.decoder is not None or array.dtype == np.uint8 else 0
        condition = rows_of(condition, len(array))
        copies = n_copies, deviation
        limits = {"tol": tol, "max_iter": max_iter, "max_corrections": max_corrections}
        rows = []
        for index, sample in enumerate(array):
            own = {name: value[index : index + 1] for name, value in condition.items()}
            rows.append(self._invert_one(sample, own, copies, limits))
        noise, *columns = zip(*rows, strict=True)
        return NoiseInversionResult(np.stack(noise), *map(np.array, columns))

    def _invert_one(self, sample, condition, copies, limits):
        pixels = sample / np.float64(255) if sample.dtype == np.uint8 else sample
        x = self._as_states(self._as_last_states(sample[None]))
        with evaluating(self, full=False):
            if copies[0]:
                found = averaged(self._predictor, self.schedule, x, condition, *copies)
            else:
                found = inverted(self._predictor(x, condition), self.schedule, x, **limits)
            state = found.state / self.schedule.noise_scale
            noise, round_trip = state[0].float().cpu().numpy(), np.nan
            converged = np.isfinite(noise).all()
            if not copies[0]:
                made = self._last_state(state, condition)[0]
                made = (made / 2 + 0.5).clamp(0, 1) if self.pixels else made
                error = made.double().cpu().numpy() - pixels
                round_trip = np.sqrt(np.square(error).mean())
                converged = found.residual <= limits["tol"] and round_trip <= ROUND_TRIP
                round_trip *= 255 if sample.dtype == np.uint8 else 1
        at_bounds = np.isin(pixels, self.output_range or ()).mean()
        return noise, found.residual, round_trip, at_bounds, converged, found.n_calls

    def _check_invertible(self):
        without = np.flatnonzero(self.schedule.states.diagonal() == 0)
        if len(without) or (self.schedule.is_multistep and self.schedule.first_guess is None):
            reason = (
                f"step {without[0]} does not use its own state"
                if len(without)
                else "it is a multistep method without a first guess"
            )
            raise ValueError(f"The schedule cannot be run backward: {reason}.")
