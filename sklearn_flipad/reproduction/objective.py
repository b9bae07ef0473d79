"""How far the samples that a generator makes of latents are from given ones."""

import torch

__all__ = ["Objective"]

#: Variance of the squared error of rounding to the nearest integer, uniform in [-1/2, 1/2].
_SPREAD = 1 / 180
#: Deviations of the mean squared rounding error that a reproduced sample may have.
_N_DEVIATIONS = 4
#: What single precision allows, relative to the deviation of a sample's values.
_PRECISION = 1e-3


class Objective:
    """Residuals between targets and what a generator makes, in the unit of the samples.

    Parameters
    ----------
    generate : callable
        ``generate(latents, conditions)`` returns samples ``(n, *sample_shape)`` that can be
        differentiated with respect to the latents.
    unit : float, default=1.0
        What residuals are divided by: the generator's values for one gray level.
    ends : pair of float, default=None
        Values beyond which a file cannot go. Where a target lies at one of them and the
        generator beyond, the residual is 0.
    rounded : bool, default=True
        Whether targets were rounded to whole units.
    process : callable, default=None
        Differentiable map from what the generator makes to what is compared.
    noise : float, default=0.0
        Mean variance of the noise that targets hold beside their own rounding, in squared units.
    features : callable, default=None
        Differentiable map from samples to the features whose difference counts; the samples
        themselves by default.
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
        features=None,
    ):
        self.generate = generate
        self.unit = unit
        self.ends = ends
        self.rounded = rounded
        self.process = process
        self.noise = noise
        self.features = features

    @classmethod
    def of(cls, process, features=None):
        """The residuals between samples and what a process makes.

        Parameters
        ----------
        process : GenerativeProcess
            The generator and what is done to its samples.
        features : callable, default=None
            See above.

        Returns
        -------
        Objective
        """
        has_levels = process.output_range is not None
        return cls(
            process.generate,
            unit=process.unit,
            ends=process.output_range,
            rounded=has_levels,
            process=process.processing.differentiable(),
            noise=process.processing.variance if has_levels else 0.0,
            features=features,
        )

    def make(self, latents, conditions):
        """Generate and process.

        Parameters
        ----------
        latents, conditions
            As in :meth:`residuals`.

        Returns
        -------
        torch.Tensor, shape (n, *sample_shape)
        """
        x = self.generate(latents, conditions)
        return x if self.process is None else self.process(x)

    def residuals(self, latents, conditions, targets):
        """Target minus what is made, shape ``(n, n_residuals)``.

        Parameters
        ----------
        latents : torch.Tensor, shape (n, n_features)
            Latents.
        conditions : torch.Tensor of int64, shape (n,)
            Numbers of conditions.
        targets : torch.Tensor, shape (n or 1, *sample_shape)
            What they should become.

        Returns
        -------
        torch.Tensor
        """
        made = self.make(latents, conditions)
        if self.features is not None:
            return (self.features(targets) - self.features(made)).flatten(1)
        if self.ends is not None:
            low, high = self.ends
            beyond = ((targets <= low) & (made < low)) | ((targets >= high) & (made > high))
            made = torch.where(beyond, targets, made)
        return ((targets - made) / self.unit).flatten(1)

    def values_and_gradients(self, latents, conditions, targets):
        """Mean squared residuals, shape ``(n,)``, and their gradients.

        Parameters
        ----------
        latents, conditions, targets
            As in :meth:`residuals`; n is a multiple of the lanes.

        Returns
        -------
        values : torch.Tensor, shape (n,)
        gradients : torch.Tensor, shape (n, n_features)
        """
        with torch.enable_grad():
            latents = latents.detach().requires_grad_(True)
            values = self.residuals(latents, conditions, targets).square().mean(dim=1)
            # With respect to the latents alone, so that no network gathers gradients.
            (gradients,) = torch.autograd.grad(values.sum(), latents)
        return values.detach(), gradients

    def floor(self, targets):
        """Largest root mean square residual of a target that is reproduced.

        Rounding leaves an error that is uniform between minus a half and a half; its mean
        square over a sample stays within four deviations. Noise adds its own.

        Parameters
        ----------
        targets : torch.Tensor, shape (n, *sample_shape)
            The targets.

        Returns
        -------
        torch.Tensor of float64, shape (n,)
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
