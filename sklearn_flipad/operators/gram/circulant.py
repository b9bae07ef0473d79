"""Fourier transforms for the interior of an image, a small dense correction for its border."""

from dataclasses import dataclass
from math import prod

import torch

from sklearn_flipad.operators.gram.base import GramSolver, inverse

__all__ = ["CirculantGramSolver", "PeriodicExtension"]

#: Cells that an image is at most extended by, per axis.
_MAX_EXTRA = 3


@dataclass(frozen=True, eq=False)
class PeriodicExtension:
    """How the Gram matrix of an image layer is made periodic.

    Outputs come in cells of ``period`` pixels, all alike in the interior. On a grid of
    ``cells``, which may be larger than the image, the stencil of the interior is a
    circulant matrix. It differs from the Gram matrix in the border of the image alone.

    Parameters
    ----------
    channels : int
        Output channels.
    size, period, cells : tuple of int
        Pixels of the image, pixels of a cell and number of cells, along rows and columns.
    border : tuple of torch.Tensor of bool
        For rows and columns of the extended image: whether they are in the border or
        outside the image.
    """

    channels: int
    size: tuple
    period: tuple
    cells: tuple
    border: tuple

    @classmethod
    def smallest(cls, operator):
        """The extension with the smallest border, None where there is none.

        Parameters
        ----------
        operator : LinearOperator
            A layer with two spatial axes.

        Returns
        -------
        PeriodicExtension or None
        """
        maps = operator.axis_maps()
        if maps is None or len(maps) != 2:
            return None
        axes = []
        for matrix, period in zip(maps, operator.period, strict=True):
            found = [_extend(matrix, period, extra) for extra in range(_MAX_EXTRA + 1)]
            found = [border for border in found if border is not None]
            if not found:
                return None
            axes.append(min(found, key=lambda border: (int(border.sum()), len(border))))
        cells = tuple(len(b) // p for b, p in zip(axes, operator.period, strict=True))
        size = operator.output_shape[1:]
        return cls(operator.output_shape[0], size, operator.period, cells, tuple(axes))

    @property
    def extended(self):
        """Rows and columns of the extended image."""
        return tuple(len(border) for border in self.border)

    @property
    def groups(self):
        """Groups of two frequencies, along rows and columns."""
        return tuple((n + 1) // 2 for n in self.cells)

    @property
    def in_group(self):
        """Frequencies, phases and channels of a group."""
        return 4 * self.channels * prod(self.period)

    @property
    def n_multiplications(self):
        """Multiplications of one solve, about."""
        inner = prod(len(border) - int(border.sum()) for border in self.border)
        n_border = self.channels * (prod(self.extended) - inner)
        n_outputs = self.channels * prod(self.extended)
        return n_border**2 + 2 * n_outputs * (sum(self.extended) + self.in_group)


def _extend(matrix, period, extra):
    """Which outputs along an axis a periodic grid gets wrong, or None without a grid.

    The weights of `matrix` are in general position, so equal rows of its Gram matrix mean
    equal sums.
    """
    size = len(matrix)
    middle = size // period // 2 * period
    if size % period or size < 4 * period:
        return None
    gram = torch.zeros(size, size + extra * period, dtype=torch.float64)
    gram[:, :size] = matrix @ matrix.T
    rows = torch.arange(size)
    shifts = rows // period * period - middle
    periodic = torch.stack(
        [gram[middle + i % period].roll(int(s)) for i, s in zip(rows, shifts, strict=True)]
    )
    wrong = (periodic - gram)[:, :size].abs() > 1e-9 * gram.abs().max()
    border = torch.ones(size + extra * period, dtype=torch.bool)
    border[:size] = wrong.any(dim=1)
    # The stencil must be that of the interior.
    return None if border[middle - period : middle + 2 * period].any() else border


class CirculantGramSolver(GramSolver):
    """Block-diagonal solves in the frequency domain and a correction of the border.

    With C the circulant extension, the solution is ``x = C^-1 (r + P^T eta)``, P selecting
    the border and what lies outside the image. There, eta is such that x is 0 outside and
    that C x is ``(ridge I + G G^T) x`` in the border: a linear map of ``P C^-1 r``.

    The transforms are matrix products with real Fourier bases: at these sizes, of some
    ten to a hundred cells, they are faster than fast transforms.

    Parameters
    ----------
    operator : LinearOperator
        G, with outputs of shape ``(channels, rows, columns)``. If it has fewer inputs than
        outputs, digits are lost in single precision.
    ridge : float
        Added to the diagonal, > 0.
    extension : PeriodicExtension
        From :meth:`PeriodicExtension.smallest`.

    References
    ----------
    Buzbee, Dorr, George and Golub, "The direct solution of the discrete Poisson equation
    on irregular regions", SIAM J. Numer. Anal. 1971, for the capacitance matrix.
    """

    def __init__(self, operator, ridge, extension):
        super().__init__(operator, ridge)
        self.extension = extension
        double = operator.to(dtype=torch.float64)
        grid = zip(extension.cells, extension.period, strict=True)
        self._bases = [_fourier_basis(n, p).to(double.device) for n, p in grid]
        self._split_bases(extension.size)
        circulant = self._frequency_blocks(double)
        self.blocks = inverse(circulant + ridge * torch.eye(circulant.shape[1]).to(circulant))
        self.correction = self._border_correction(double, circulant)
        self.blocks = self.blocks.to(operator.dtype)
        self.correction = self.correction.to(operator.dtype)
        self._bases = [basis.to(operator.dtype) for basis in self._bases]
        self._split_bases(extension.size)

    def _split_bases(self, size):
        """The rows of the bases that belong to the image, its border and the rest."""
        self._image_bases = [basis[:n] for basis, n in zip(self._bases, size, strict=True)]
        masks = [border.to(self._bases[0].device) for border in self.extension.border]
        self._border_rows, self._border_columns = (
            basis[mask] for basis, mask in zip(self._bases, masks, strict=True)
        )
        self._other_rows = self._bases[0][~masks[0]]

    @property
    def n_multiplications(self):
        return self.extension.n_multiplications

    def solve(self, r):
        spectrum = self._to_groups(_transform(r, *self._image_bases))
        border = self._border_of(self._to_spectrum(self.blocks @ spectrum))
        spectrum += self._to_groups(self._from_border(border @ self.correction))
        solved = self._to_spectrum(self.blocks @ spectrum)
        return _inverse_transform(solved, *self._image_bases)

    def _to_groups(self, spectrum):
        """Shape ``(n, channels, *frequencies)`` to ``(groups, in a group, n)``.

        A group has the cosine and the sine of one frequency along each axis, for all
        phases and channels. C does not couple groups.
        """
        (height, width), n = self.extension.groups, len(spectrum)
        rows, columns = (2 * p for p in self.extension.period)
        split = spectrum.reshape(n, -1, height, rows, width, columns)
        return split.permute(2, 4, 1, 3, 5, 0).reshape(height * width, -1, n)

    def _to_spectrum(self, groups):
        (height, width), n = self.extension.groups, groups.shape[-1]
        rows, columns = (2 * p for p in self.extension.period)
        split = groups.reshape(height, width, -1, rows, columns, n)
        return split.permute(5, 2, 0, 3, 1, 4).reshape(n, -1, height * rows, width * columns)

    def _border_of(self, spectrum):
        """Values in the border: whole rows, then what is left of whole columns."""
        rows = torch.matmul(torch.matmul(self._border_rows, spectrum), self._bases[1].T)
        columns = torch.matmul(self._other_rows, torch.matmul(spectrum, self._border_columns.T))
        return torch.cat([rows.flatten(1), columns.flatten(1)], dim=1)

    def _from_border(self, values):
        """Spectrum of an image that has `values` in its border and is 0 elsewhere."""
        channels = self.extension.channels
        (n_rows, _), (n_columns, _) = self._border_rows.shape, self._border_columns.shape
        n_others, width = len(self._other_rows), len(self._bases[1])
        cut = channels * n_rows * width
        rows = values[:, :cut].reshape(len(values), channels, n_rows, width)
        columns = values[:, cut:].reshape(len(values), channels, n_others, n_columns)
        by_rows = torch.matmul(self._border_rows.T, torch.matmul(rows, self._bases[1]))
        by_columns = torch.matmul(self._other_rows.T, columns)
        return by_rows.add_(torch.matmul(by_columns, self._border_columns))

    def _stencil(self, operator):
        """Images under G G^T of the pixels of the middle cell, moved to the first cell.

        Shape ``(pixels of a cell, pixels of a cell, *cells)``, from where to where.
        """
        extension = self.extension
        pixels = extension.channels * prod(extension.period)
        eye = torch.eye(pixels, dtype=torch.float64, device=operator.device)
        middle = [s // p // 2 for s, p in zip(extension.size, extension.period, strict=True)]
        inside = [slice(m * p, (m + 1) * p) for m, p in zip(middle, extension.period, strict=True)]
        unit = eye.new_zeros(pixels, *operator.output_shape)
        unit[:, :, inside[0], inside[1]] = eye.reshape(
            pixels, extension.channels, *extension.period
        )
        cells = self._to_cells(self._extend(operator.forward(operator.adjoint(unit))))
        return cells.roll([-m for m in middle], dims=(2, 3))

    def _extend(self, image):
        extended = image.new_zeros(*image.shape[:2], *self.extension.extended)
        extended[:, :, : image.shape[2], : image.shape[3]] = image
        return extended

    def _to_cells(self, image):
        (height, width), (p, q) = self.extension.cells, self.extension.period
        split = image.reshape(len(image), -1, height, p, width, q)
        return split.permute(0, 1, 3, 5, 2, 4).reshape(len(image), -1, height, width)

    def _to_image(self, cells):
        (height, width), (p, q) = self.extension.cells, self.extension.period
        split = cells.reshape(len(cells), -1, p, q, height, width)
        return split.permute(0, 1, 4, 2, 5, 3).reshape(len(cells), -1, height * p, width * q)

    def _frequency_blocks(self, operator):
        """Diagonal blocks of the circulant, found with one probe for all groups at once."""
        n_groups, in_group = prod(self.extension.groups), self.extension.in_group
        eye = torch.eye(in_group, dtype=torch.float64, device=operator.device)
        probes = self._to_spectrum(eye.expand(n_groups, in_group, in_group))
        cells = self._to_cells(_inverse_transform(probes, *self._bases))
        images = torch.fft.irfft2(
            torch.einsum(
                "iohw,nihw->nohw",
                torch.fft.rfft2(self._stencil(operator)),
                torch.fft.rfft2(cells),
            ),
            s=self.extension.cells,
        )
        return self._to_groups(_transform(self._to_image(images), *self._bases))

    def _border_correction(self, operator, circulant, chunk=128):
        """The matrix from ``P C^-1 r`` to eta, transposed.

        In the border, ``eta = E x`` with E the difference of C and the Gram matrix and
        ``x = y + S eta``, where ``S = P C^-1 P^T``; outside, x is 0.
        """
        height, width = self.extension.size
        image = torch.zeros(1, *operator.output_shape, device=operator.device)
        inside = self._pick(self._extend(image + 1)).flatten() > 0
        eye = torch.eye(len(inside), dtype=torch.float64, device=operator.device)
        response, difference = torch.empty_like(eye), torch.zeros_like(eye)
        for start in range(0, len(eye), chunk):
            rows = slice(start, start + chunk)
            groups = self._to_groups(self._from_border(eye[rows]))
            response[rows] = self._border_of(self._to_spectrum(self.blocks @ groups))
        in_image = inside.nonzero().flatten()
        for start in range(0, len(in_image), chunk):
            rows = in_image[start : start + chunk]
            spectrum = self._from_border(eye[rows])
            image = _inverse_transform(spectrum, *self._bases)[:, :, :height, :width]
            gram = self._extend(operator.forward(operator.adjoint(image.contiguous())))
            periodic = self._to_spectrum(circulant @ self._to_groups(spectrum))
            difference[rows] = (self._border_of(periodic) - self._pick(gram)) * inside
        system = torch.where(inside[:, None], eye - difference @ response, response)
        right = difference - torch.diag((~inside).double())
        return torch.linalg.solve(system, right).T.contiguous()

    def _pick(self, image):
        """The border of images, in the order of :meth:`_border_of`."""
        rows, columns = (border.to(image.device) for border in self.extension.border)
        parts = image[:, :, rows], image[:, :, ~rows][..., columns]
        return torch.cat([part.flatten(1) for part in parts], dim=1)


def _transform(image, rows, columns):
    return torch.matmul(rows.T, torch.matmul(image, columns))


def _inverse_transform(spectrum, rows, columns):
    return torch.matmul(rows, torch.matmul(spectrum, columns.T))


def _fourier_basis(n, period):
    """Orthonormal real Fourier basis over `n` cells, repeated for each pixel of a cell.

    Rows are pixels. Columns come in pairs of cosine and sine; the constant is paired with
    the alternating sequence if `n` is even and with 0 otherwise.
    """
    cell = torch.arange(n, dtype=torch.float64)
    alternating = (1 - 2 * (cell % 2)) if n % 2 == 0 else torch.zeros(n, dtype=torch.float64)
    columns = [torch.ones(n, dtype=torch.float64) / n**0.5, alternating / n**0.5]
    for frequency in range(1, (n + 1) // 2):
        angle = 2 * torch.pi * frequency * cell / n
        columns += [angle.cos() * (2 / n) ** 0.5, angle.sin() * (2 / n) ** 0.5]
    return torch.kron(torch.stack(columns, dim=1), torch.eye(period, dtype=torch.float64))
