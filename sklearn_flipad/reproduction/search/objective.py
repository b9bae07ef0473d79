"""Residuals between given samples and those that a generator makes of latents."""

import torch

__all__ = ["Objective"]

#: Variance of the squared error of rounding to the nearest integer, uniform in [-1/2, 1/2].
_SPREAD = 1 / 180
#: Deviations of the mean squared rounding error that a reproduced sample may have.
_N_DEVIATIONS = 4
#: Error of single precision, relative to the deviation of a sample's values.
_PRECISION = 1e-3


class Objective:
    """Residuals between targets and what a generator makes, in the unit of the samples.

    `generate` maps latents and conditions to samples, and `process` these to what is compared;
    both can be differentiated. Residuals are divided by `unit`, the generator's values for one gray
    level. Beyond `ends`, the values that a file can hold, they are 0 where the target lies at the
    same end. `rounded` targets were rounded to whole units and hold `noise` beside that, a variance
    in squared units.
    """

    def __init__(
        self,
        generate,
        *,
        unit=1.0,
        ends=None,
        rounded=True,
        process=None,
        noise=0.0,
    ):
        self.generate = generate
        self.unit = unit
        self.ends = ends
        self.rounded = rounded
        self.process = process
        self.noise = noise

    @classmethod
    def of(cls, process):
        """The residuals between samples and what a :class:`GenerativeProcess` makes."""
        has_levels = process.output_range is not None
        return cls(
            process.generate,
            unit=process.unit,
            ends=process.output_range,
            rounded=has_levels,
            process=process.processing.differentiable(),
            noise=process.processing.variance if has_levels else 0.0,
        )

    def make(self, latents, conditions):
        """Generated and processed samples, shape (n, *sample_shape)."""
        x = self.generate(latents, conditions)
        return x if self.process is None else self.process(x)

    def residuals(self, latents, conditions, targets):
        """Targets, shape (n or 1, *sample_shape), minus what is made, shape (n, n_residuals)."""
        made = self.make(latents, conditions)
        if self.ends is not None:
            low, high = self.ends
            beyond = ((targets <= low) & (made < low)) | ((targets >= high) & (made > high))
            made = torch.where(beyond, targets, made)
        return ((targets - made) / self.unit).flatten(1)

    def values_and_gradients(self, latents, conditions, targets):
        """Mean squared residuals (n,) and their gradients (n, n_features), of whole lanes."""
        with torch.enable_grad():
            latents = latents.detach().requires_grad_(True)
            values = self.residuals(latents, conditions, targets).square().mean(dim=1)
            # With respect to the latents alone, so that no network gathers gradients.
            (gradients,) = torch.autograd.grad(values.sum(), latents)
        return values.detach(), gradients

    def floor(self, targets):
        """Largest root mean square residual, shape (n,), of targets that are reproduced.

        Rounding leaves an error that is uniform between minus a half and a half; its mean
        square over a sample stays within four deviations. Noise adds its own.
        """
        flat = targets.flatten(1).double() / self.unit
        if self.ends is not None:
            low, high = (end / self.unit for end in self.ends)
            at_ends = ((flat <= low) | (flat >= high)).double().mean(dim=1)
        else:
            at_ends = flat.new_zeros(len(flat))
        square, variance = flat.new_zeros(len(flat)), flat.new_zeros(len(flat))
        if self.rounded:
            square, variance = square + 1 / 12, variance + _SPREAD
        # The noise of a clipped value shows only half.
        noise = self.noise * (1 - at_ends / 2)
        square, variance = square + noise, variance + 2 * noise * max(self.noise, 1 / 12)
        square = square + _N_DEVIATIONS * (variance / flat.shape[1]).sqrt()
        return (square + (_PRECISION * flat.std(dim=1)).square()).sqrt()
