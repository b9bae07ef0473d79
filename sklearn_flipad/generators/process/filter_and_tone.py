"""The filter and the tone that bring images nearest to given ones, in closed form."""

import numpy as np
import torch
from torch.nn.functional import pad

__all__ = ["N_FITTED", "N_PIXELS", "FilterAndTone"]

#: Numbers that are fitted for each channel: 3x3 taps, the square of the pixel, an offset.
N_FITTED = 11
#: Least number of pixels. Of errors that have nothing to do with the picture the fit takes up one
#: sixteenth of the squares then, and 1.1 % in an image of 32x32.
N_PIXELS = 16 * N_FITTED
#: Deviations of taps, square and offset from those of an image to which nothing was done, for
#: pixels in [-1, 1]. The processing that UnknownProcessing draws stays within two of them.
_DEVIATIONS = 0.3, 0.1, 0.15
#: Smallest and largest sum of the taps, square and offset, for pixels in [-1, 1]: contrast between
#: half and twice, a tone curve that rises everywhere, and at most 32 gray levels more or less.
#: Otherwise a gray or black image would fit anything.
_BOUNDS = ((0.5, 2.0), (-0.2, 0.2), (-0.25, 0.25))
#: Solutions for one image. After each, pixels that are clipped in both images are left out, or
#: taken in again.
_N_SOLUTIONS = 3


class FilterAndTone:
    """A 3x3 filter, the square of the pixel and an offset for each channel, by least squares.

    Of images x with pixels in [-1, 1], each channel becomes ``sum_k t_k shift_k(x) + a x² + c``,
    seen through the linear maps `after`, pairs of matrices of rows and columns. `resizings` are
    such pairs, too, one of which comes before the filter; the first changes nothing. `ridge`, a
    variance in squared gray levels, weighs the squared distance of the eleven numbers from an
    image to which nothing was done, in their usual deviations. `ends` are the values of the gray
    levels 0 and 255; with `clips`, values beyond them are cut off, as before a file format. Targets
    may have one row for all images. With ``side=1`` the filter is a gain.

    The solution is held fixed in derivatives. Those of the least sum of squared errors and ridge
    with respect to the image are exact all the same (Golub and Pereyra, "The differentiation of
    pseudo-inverses and nonlinear least squares problems whose variables separate", 1973): the sum
    does not change with the numbers at its minimum.
    """

    def __init__(self, ridge, ends, after=(), resizings=(), side=3, *, clips=False):
        self.ridge, self.after, self.side, self.clips = ridge, after, side, clips
        self.n_resizings = len(resizings)
        self._resizings = [
            torch.from_numpy(np.stack(matrices)) for matrices in zip(*resizings, strict=True)
        ]
        self.low, self.high = ends
        n_taps = side**2
        deviations = (*_DEVIATIONS[:1] * n_taps, *_DEVIATIONS[1:])
        self._deviations = torch.tensor(deviations, dtype=torch.float64, device="cpu")
        self._nothing = torch.zeros(n_taps + 2, dtype=torch.float64, device="cpu")
        self._nothing[n_taps // 2] = 1.0
        # The sum of the taps, the square, the offset.
        self._constraints = torch.zeros(3, n_taps + 2, dtype=torch.float64, device="cpu")
        self._constraints[0, :n_taps] = 1.0
        self._constraints[1, n_taps] = self._constraints[2, n_taps + 1] = 1.0
        self._least, self._most = torch.tensor(_BOUNDS, dtype=torch.float64, device="cpu").T

    @staticmethod
    def check_n_pixels(sample_shape):
        """Raise ValueError if images have too few pixels for the fit."""
        _, height, width = sample_shape
        if height * width < N_PIXELS:
            raise ValueError(
                f"UnknownProcessing fits {N_FITTED} numbers to each channel, and the images have "
                f"{height}x{width} pixels, with at least {N_PIXELS} needed: the fit would take up "
                "what tells them apart. Name the processing, if it is known."
            )

    def resized(self, x, numbers):
        """Images, each resized back and forth as numbers (n,) of `resizings` say."""
        rows, columns = (matrices.to(x)[numbers] for matrices in self._resizings)
        made = rows[:, None] @ x @ columns[:, None].transpose(2, 3)
        return made.clamp(self.low, self.high)

    def of_tone(self):
        """The same without a filter, of three numbers."""
        ends = self.low, self.high
        return FilterAndTone(self.ridge, ends, self.after, side=1, clips=self.clips)

    def fit(self, x, targets):
        """Numbers, float64 of shape (n, channels, 11), that bring images nearest to targets."""
        with torch.no_grad():
            return self._fit(*self._system(x, targets))[0]

    def squares(self, x, targets, stride):
        """Mean squared errors (n,) of the fit to each `stride`-th row and column, for ranking."""
        with torch.no_grad():
            basis, wanted = self._system(x, targets, stride)
            numbers, beyond = self._fit(basis, wanted)
            made = _made(numbers, basis)
            made = made.clamp(-1, 1) if self.clips else torch.where(beyond, wanted, made)
            errors = wanted - made
        return errors.square().mean(dim=(1, 2))

    def _system(self, x, targets, stride=1):
        """Basis (n, channels, 11, n_pixels) and targets (n, channels, n_pixels), float64."""
        thin = (..., slice(None, None, stride), slice(None, None, stride))
        wanted = self._unit(targets)[thin].double().flatten(2)
        return self._through(self._basis(self._unit(x)))[thin].double().flatten(3), wanted

    def _fit(self, basis, wanted):
        """The numbers, and the pixels that are clipped in both images."""
        at_low, at_high = (wanted <= -1) | self.clips, (wanted >= 1) | self.clips
        numbers, some = self._solution(basis, wanted, basis), bool((at_low | at_high).any())
        beyond = torch.zeros_like(wanted, dtype=bool)
        for _ in range(_N_SOLUTIONS - 1 if some else 0):
            made = _made(numbers, basis)
            beyond = (at_low & (made < -1)) | (at_high & (made > 1))
            numbers = self._solution(basis, wanted, basis * ~beyond[:, :, None])
        return numbers, beyond

    def apply(self, x, numbers, *, through=True):
        """Images of the numbers; `through` the maps that follow, or before them."""
        basis = self._basis(self._unit(x))
        basis = self._through(basis) if through else basis
        made = (numbers.to(x)[..., None, None] * basis).sum(dim=2)
        made = made.clamp(-1, 1) if self.clips else made
        return (made + 1) * ((self.high - self.low) / 2) + self.low

    def penalties(self, numbers):
        """Distances of the numbers from no processing, shape (n, channels * 11).

        Their sum of squares adds to that of the errors in gray levels.
        """
        moved = (numbers - self._nothing.to(numbers)) / self._deviations.to(numbers)
        return (moved * self.ridge**0.5).flatten(1)

    def _unit(self, x):
        return (x - self.low) * (2 / (self.high - self.low)) - 1

    def _basis(self, x):
        """Shifts, square and ones of images, shape (n, channels, 11, height, width)."""
        height, width = x.shape[2:]
        sides = range(self.side)
        padded = pad(x, (self.side // 2,) * 4, mode="replicate")
        shifts = [padded[:, :, i : i + height, j : j + width] for i in sides for j in sides]
        return torch.stack([*shifts, x.square(), torch.ones_like(x)], dim=2)

    def _through(self, basis):
        for rows, columns in self.after:
            rows, columns = (torch.from_numpy(matrix).to(basis) for matrix in (rows, columns))
            basis = rows @ basis @ columns.T
        return basis

    def _solution(self, basis, wanted, weighted):
        """The least squares solution within the bounds, from normal equations."""
        n_pixels = basis.shape[3]
        ridge = self.ridge / (127.5**2 * n_pixels) / self._deviations.to(basis).square()
        nothing, constraints = self._nothing.to(basis), self._constraints.to(basis)
        normal = weighted @ basis.transpose(2, 3) / n_pixels + torch.diag(ridge)
        right = (weighted @ wanted[..., None])[..., 0] / n_pixels + ridge * nothing
        columns = torch.cat(
            [right[..., None], constraints.T.expand(*right.shape[:2], -1, -1)], dim=3
        )
        # No error is raised where the generator returned NaN.
        solved, _ = torch.linalg.solve_ex(normal, columns)
        free, moves = solved[..., 0], solved[..., 1:]
        numbers, active = free, torch.zeros_like(free[..., : len(_BOUNDS)], dtype=bool)
        for _ in range(len(_BOUNDS)):  # at each bound that was crossed so far
            values = numbers @ constraints.T
            active = active | (values < self._least.to(basis)) | (values > self._most.to(basis))
            numbers = self._at_bounds(free, moves, active, constraints)
        return numbers

    def _at_bounds(self, free, moves, active, constraints):
        """The solution with equality at the bounds that are active."""
        values = free @ constraints.T
        bounds = values.clamp(self._least.to(free), self._most.to(free))
        both = active[..., :, None] & active[..., None, :]
        identity = torch.eye(len(_BOUNDS), dtype=free.dtype, device=free.device)
        system = torch.where(both, constraints @ moves, identity)
        excess = torch.where(active, values - bounds, 0.0)
        factors, _ = torch.linalg.solve_ex(system, excess[..., None])
        return free - (moves @ factors)[..., 0]


def _made(numbers, basis):
    """Pixels (n, channels, n_pixels) of numbers."""
    return (numbers[:, :, None] @ basis)[:, :, 0]
