"""Noise that the network of a sampler sees in noised samples."""

import numpy as np

from sklearn_flipad.base.modules import evaluating
from sklearn_flipad.base.samples import check_samples


class Denoising:
    """The part of a DiffusionSampler that asks its network for noise."""

    def noise_errors(self, X, noise, *, step, **condition):
        """Differences between the noise that the network sees in noised samples and their noise.

        The state of a step is made of sample and noise by its level, the network runs once, and
        its output is solved for the noise.

        Parameters
        ----------
        X : array-like, shape (n, *latent_shape) or (n, n_features)
            Samples as :meth:`invert` takes them.
        noise : array-like, shape (n, *latent_shape)
            Noise, of unit deviation where it is to be that of the level.
        step : int
            Step of the schedule, from 0 to ``n_steps - 2``: the one after it is needed, too.
        **condition
            See :meth:`forward`.

        Returns
        -------
        ndarray of float32, shape (n, *latent_shape)
            Their last digits may depend on n.

        Raises
        ------
        ValueError
            If X or the noise do not fit the model, the schedule knows no levels of this step or
            looks back at earlier ones.
        """
        schedule = self.schedule
        if schedule.levels is None or schedule.is_multistep:
            raise ValueError(
                "Noise errors need a schedule of the first order that knows its levels: pass a "
                "DDIMScheduler, an EulerDiscreteScheduler or a FlowMatchEulerDiscreteScheduler, "
                "with as many steps as you like, or DiffusionSchedule.first_order(...)."
            )
        if not 0 <= step < schedule.n_steps - 1:
            raise ValueError(f"step must be between 0 and {schedule.n_steps - 2}, got {step}.")
        states, noise = self._as_states(self._as_last_states(self._checked(X))), np.asarray(noise)
        if noise.shape != tuple(states.shape):
            raise ValueError(
                f"noise must have the shape of the samples, {tuple(states.shape)}, got "
                f"{noise.shape}."
            )
        noise = self._as_states(noise)
        (alpha, next_alpha), (sigma, next_sigma) = schedule.levels[:, step : step + 2]
        with evaluating(self, full=False):
            x = alpha * states + sigma * noise
            output = self._predictor(x, condition)(step, x)
            following = schedule.states[step, step] * x + schedule.outputs[step, step] * output
            # Both states are made of the same estimates, by the levels of the two steps.
            seen = (next_alpha * x - alpha * following) / (next_alpha * sigma - alpha * next_sigma)
        return (seen - noise).float().cpu().numpy()

    def _checked(self, X):
        """Samples of shape (n, *latent_shape); ValueError if they do not fit."""
        return check_samples(
            self,
            X,
            output_range=self.output_range if self.pixels else None,
            sample_shape=self.latent_shape,
        ).reshape(-1, *self.latent_shape)

    def _as_last_states(self, array):
        """Samples on the scale of the process; of gray levels as float64."""
        pixels = array / np.float64(255) if array.dtype == np.uint8 else array
        return 2 * pixels - 1 if self.pixels else pixels
