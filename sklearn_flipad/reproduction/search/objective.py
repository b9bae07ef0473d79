"""Residuals between given samples and those that a generator makes of latents."""

from copy import copy

import numpy as np
import torch

__all__ = ["Objective"]

#: Variance of the squared error of rounding to the nearest integer, uniform in [-1/2, 1/2].
_SPREAD = 1 / 180
#: Deviations of the mean squared rounding error that a reproduced sample may have.
_N_DEVIATIONS = 4
#: Error of single precision, relative to the deviation of a sample's values.
_PRECISION = 1e-3
#: Resizings that are ranked by the fit of a filter: all would take longer than the search itself.
_N_SHORTLISTED = 12
#: Pixels by which all of them are ranked, about, so that large images do not take longer.
_N_PIXELS = 1024


class Objective:
    """Residuals between targets and what a generator makes, in the unit of the samples.

    `generate` maps latents and conditions to samples, and `process` these to what is compared;
    both can be differentiated. `unknown`, a :class:`FilterAndTone` if given, is then fitted to the
    target, and the ridge of the fit adds residuals of its own. A condition is then one of the
    `n_conditions` of the generator, plus a multiple of that number for the resizing before the fit.
    Residuals are divided by `unit`, the generator's values for one gray level. Beyond `ends`, the
    values that a file can hold, they are 0 where the target lies at the same end. `rounded` targets
    were rounded to whole units and hold `noise` beside that, a variance in squared units. If
    latents have columns beyond `n_features`, these are standard normal noise of the generator:
    residuals of their own, which weigh as much as their probability. With a `framing`, what is made
    is cut to the boxes that `split` takes off the latents, and the number beside the condition is
    that of a way to resize it; the unknown step is fitted thereafter.
    """

    def __init__(
        self,
        generate,
        *,
        unit=1.0,
        ends=None,
        rounded=True,
        process=None,
        unknown=None,
        noise=0.0,
        n_features=None,
        n_conditions=1,
        framing=None,
        split=None,
    ):
        self.generate = generate
        self.unit = unit
        self.ends = ends
        self.rounded = rounded
        self.process = process
        self.unknown = unknown
        self.noise = noise
        self.n_features = n_features
        self.n_conditions = n_conditions
        self.framing, self._split_latents = framing, split

    @classmethod
    def of(cls, process, *, searches_noise=False):
        """The residuals between samples and what a :class:`GenerativeProcess` makes.

        `searches_noise` if latents come with the noise that the generator draws, if any. Suspects
        of several sizes need :meth:`framed_as` as well.
        """
        has_levels = process.output_range is not None
        n_features = process.n_features if searches_noise and process.noise else None
        # Another draw than the sample's makes twice the variance of one.
        drawn = 0.0 if n_features is not None else 2 * process.noise_variance / process.unit**2
        return cls(
            process.generate,
            unit=process.unit,
            ends=process.output_range,
            rounded=has_levels,
            process=process.processing.differentiable(),
            unknown=process.processing.fitted(process.output_range),
            noise=drawn + (process.processing.variance if has_levels else 0.0),
            n_features=n_features,
            n_conditions=len(process.space.conditions),
            framing=process.processing.framing([process.sample_shape[1:]]),
            split=process.split,
        )

    def framed_as(self, framing):
        """The same for samples of other sizes; None leaves it as it is."""
        if framing is None:
            return self
        other = copy(self)
        other.framing = framing
        return other

    def make(self, latents, conditions, targets=None):
        """Generated and processed samples, shape (n, *sample_shape).

        Unknown processing is fitted to targets; without them, it is left out.
        """
        x = self._made(latents, conditions)
        if self.unknown is None or targets is None:
            return x
        return self.unknown.apply(x, self.unknown.fit(x, targets))

    def _made(self, latents, conditions):
        boxes = numbers = None
        if self.unknown is not None:
            conditions, numbers = self.split(conditions)
        if self.framing is not None:
            latents, boxes = self._split_latents(latents)
        return self.resized(self._before(latents, conditions), boxes, numbers)

    def _before(self, latents, conditions):
        x = self.generate(latents, conditions)
        return x if self.process is None else self.process(x)

    def resized(self, x, boxes, numbers):
        """Images as they are before the filter, for numbers (n,) of resizings or ways."""
        if numbers is None:
            return x
        if self.framing is not None:
            return self.framing.apply(x, boxes, numbers)
        return self.unknown.resized(x, numbers)

    def split(self, conditions):
        """Conditions of the generator, and numbers of resizings."""
        return conditions % self.n_conditions, conditions // self.n_conditions

    def n_resizings(self, conditions):
        """Numbers (n,) of the resizings that samples of these conditions may have had."""
        if self.framing is None:
            return np.full(len(conditions), self.unknown.n_resizings)
        return self.framing.ranges(self.split(conditions)[1])[1]

    @torch.no_grad()
    def likely_resizings(self, latents, conditions, targets, n):
        """Conditions (n_samples, n) with the resizings that bring samples nearest to targets.

        All are ranked by the fit of a tone, to a part of the pixels of large images, and the first
        of them by that of a filter, too. The samples have equally many.
        """
        conditions, numbers = self.split(conditions)
        n_all, boxes, first = self.n_resizings(conditions), None, torch.zeros_like(numbers)
        if self.framing is not None:
            latents, boxes = self._split_latents(latents)
            first, n_all = self.framing.ranges(numbers)
        x = self._before(latents, conditions)
        ranking = first[:, None] + torch.arange(int(n_all[0]), device=x.device)
        stride = max(int((targets[0, 0].numel() / _N_PIXELS) ** 0.5), 1)
        for unknown, n_kept in ((self.unknown.of_tone(), _N_SHORTLISTED), (self.unknown, n)):
            squares = [
                unknown.squares(self.resized(x, boxes, column), targets, stride)
                for column in ranking.T
            ]
            order = torch.stack(squares, dim=1).argsort(dim=1, stable=True)
            ranking = ranking.gather(1, order[:, :n_kept])
        return conditions[:, None] + self.n_conditions * ranking

    def residuals(self, latents, conditions, targets):
        """Targets, shape (n or 1, *sample_shape), minus what is made, shape (n, n_residuals)."""
        made, others = self._made(latents, conditions), []
        if self.unknown is not None:
            numbers = self.unknown.fit(made, targets)
            made = self.unknown.apply(made, numbers)
            others.append(self.unknown.penalties(numbers).to(made))
        if self.framing is not None:
            others.append(self.excess(latents, targets))
        if self.n_features is not None:
            others.append(self._deviation(targets) * latents[:, self.n_features :])
        found = self.differences(made, targets)
        if not others:
            return found
        # Their mean square is the sum of all squares over the number of a sample's values.
        others, n_values = torch.cat(others, dim=1), found.shape[1]
        return torch.cat([found, others], dim=1) * (1 + others.shape[1] / n_values) ** 0.5

    def excess(self, latents, targets):
        """Residuals of boxes beyond their limits, shape (n, n_residuals)."""
        boxes = self._split_latents(latents)[1]
        return self.framing.excess(boxes) * targets[0].numel() ** 0.5

    def differences(self, made, targets):
        """Targets, shape (n or 1, *sample_shape), minus processed samples, shape (n, n_values)."""
        if self.ends is not None:
            low, high = self.ends
            beyond = ((targets <= low) & (made < low)) | ((targets >= high) & (made > high))
            made = torch.where(beyond, targets, made)
        return ((targets - made) / self.unit).flatten(1)

    def _deviation(self, targets):
        """Deviation of the errors of a sample made with the right latents, shape (n or 1, 1)."""
        variance = (_PRECISION * targets.flatten(1).std(dim=1, keepdim=True) / self.unit).square()
        return (variance + self.noise + (1 / 12 if self.rounded else 0)).sqrt()

    def penalty(self, latents, targets):
        """Share of improbable noise in the mean squared residual, shape (n,)."""
        if self.n_features is None:
            return latents.new_zeros(len(latents))
        noise = self._deviation(targets) * latents[:, self.n_features :]
        return noise.square().sum(dim=1) / targets[0].numel()

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
        if self.n_features is not None:  # noise that takes up a part of the errors is normal
            variance = 2 * square.square()
        square = square + _N_DEVIATIONS * (variance / flat.shape[1]).sqrt()
        return (square + (_PRECISION * flat.std(dim=1)).square()).sqrt()
