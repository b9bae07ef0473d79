"""Fourier transforms for the interior of an image, a small dense correction for its border.

=====================  ==========================================  ========================
Buzbee et al.          Here                                        Attribute
=====================  ==========================================  ========================
A                      ``ridge I + G G^T``, the matrix to solve    ``operator``, ``ridge``
C (B in the paper)     its circulant extension, which is easy      ``blocks`` holds C^-1
P                      selection of the border and of the outside  ``_border_of``, and its
                       of the image                                transpose ``_from_border``
S = P C^-1 P^T         the capacitance matrix's response           in ``_border_correction``
E = P (C - A)          errors of the extension                     in ``_border_correction``
eta                    sources in the border that mend it          ``correction`` maps to it
r, x                   right-hand side and solution                arguments of ``solve``
=====================  ==========================================  ========================
"""

from math import prod

import numpy as np
import torch

from sklearn_flipad.operators.gram._cholesky import inverse
from sklearn_flipad.operators.gram._stencil import gram_product
from sklearn_flipad.operators.gram._superposition import Superposition
from sklearn_flipad.operators.gram.base import GramSolver

__all__ = ["CirculantGramSolver"]

#: Batches are filled up to this. For fewer samples, products of small matrices take other
#: code paths, which are no faster and round otherwise.
_LEAST_BATCH = 16


class CirculantGramSolver(GramSolver):
    """Block-diagonal solves in the frequency domain and a correction of the border.

    With C the circulant extension, the solution is ``x = C^-1 (r + P^T eta)``, where P selects
    the border and the outside of the image. There, eta is such that x is 0 outside and
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
        The periodic grid that the image is continued on.

    References
    ----------
    Buzbee, Dorr, George and Golub, "The direct solution of the discrete Poisson equation
    on irregular regions", SIAM J. Numer. Anal. 1971, for the capacitance matrix.
    """

    def __init__(self, operator, ridge, extension):
        super().__init__(operator, ridge)
        self.extension = extension
        double = operator.to(dtype=torch.float64)
        self._index_border(double.device)
        bases = [_fourier_basis(n).to(double.device) for n in extension.cells]
        self._set_bases(bases)
        gram = gram_product(double)
        circulant = self._frequency_blocks(gram)
        self.blocks = inverse(
            circulant + ridge * torch.eye(circulant.shape[1], device="cpu").to(circulant)
        )
        self.correction = self._border_correction(gram, circulant)
        self.blocks = self.blocks.to(operator.dtype)
        self.correction = self.correction.to(operator.dtype)
        self._set_bases([basis.to(operator.dtype) for basis in bases])

    def _index_border(self, device):
        """Set the places of the border in whole cells.

        Its values come in two parts: the cells with a row of the border over the whole
        width, and the cells with a column of it over the rest of the height.
        """
        extension = self.extension
        rows, columns = (
            border.reshape(-1, period)
            for border, period in zip(extension.border, extension.period, strict=True)
        )
        cells = [rows.any(1), columns.any(1), ~rows.all(1)]
        self._border_cells = tuple(mask.nonzero().flatten().to(device) for mask in cells)
        channels = torch.ones(extension.channels, dtype=torch.bool, device="cpu")
        # Axes: column cells, row cells, phases of columns, channels, phases of rows.
        whole = torch.einsum("vq,c,up->vuqcp", torch.ones_like(columns), channels, rows[cells[0]])
        left = torch.einsum("vq,c,up->vuqcp", columns[cells[1]], channels, ~rows[cells[2]])
        parts = torch.cat([whole.flatten(), left.flatten()])
        self._n_whole = whole.numel()
        self._picked = parts.nonzero().flatten().to(device)
        self._n_parts = len(parts)

    def _set_bases(self, bases):
        """Set the rows of the bases that belong to the image, its border and the rest."""
        self._bases = bases
        grid = zip(self.extension.size, self.extension.period, strict=True)
        self._image_bases = [
            basis[: n // p].contiguous() for basis, (n, p) in zip(bases, grid, strict=True)
        ]
        rows, columns, others = self._border_cells
        self._border_rows, self._border_columns = bases[0][rows], bases[1][columns]
        self._other_rows = bases[0][others]

    @property
    def n_multiplications(self):
        return self.extension.n_multiplications

    def solve(self, r):
        n_missing = _LEAST_BATCH - len(r)
        if n_missing > 0:
            filled = torch.cat([r, r.new_zeros(n_missing, *r.shape[1:])])
            return self.solve(filled)[: len(r)]
        spectrum = self._transform(r, self._image_bases)
        border = self._border_of(self._filtered(self.blocks, spectrum, len(r)), len(r))
        spectrum += self._from_border(self.correction @ border)
        filtered = self._filtered(self.blocks, spectrum, len(r))
        return self._inverse_transform(filtered, self._image_bases)

    def _transform(self, image, bases):
        """The spectrum of images.

        Its shape is ``(column groups, row frequencies, column frequencies of a group *
        phases of columns * channels * phases of rows * n)``. So matrices of all groups can
        be applied at once, and neither they nor the bases need another order of the
        elements. Phases do not mix until then.
        """
        (rows, columns), (p, q) = bases, self.extension.period
        split = image.reshape(*image.shape[:2], len(rows), p, len(columns), q)
        split = split.permute(5, 1, 3, 0, 2, 4).reshape(-1, len(columns))
        by_columns = (columns.T @ split.T).view(self.extension.groups[1], -1, len(rows))
        return _each(rows.T, by_columns.transpose(1, 2))

    def _inverse_transform(self, spectrum, bases):
        (rows, columns), (p, q) = bases, self.extension.period
        by_columns = torch.bmm(spectrum.transpose(1, 2), rows.T.expand(len(spectrum), -1, -1))
        split = by_columns.view(columns.shape[1], -1).T @ columns.T
        split = split.view(q, self.extension.channels, p, -1, len(rows), len(columns))
        return split.permute(3, 1, 4, 2, 5, 0).flatten(4).flatten(2, 3)

    def _filtered(self, blocks, spectrum, n):
        """Apply one matrix to each group of frequencies; C does not couple groups.

        A group has the cosine and the sine of one frequency along each axis, for all
        phases and channels.
        """
        return torch.bmm(blocks, spectrum.view(-1, blocks.shape[1], n)).view(spectrum.shape)

    def _border_of(self, spectrum, n):
        """Values in the border, shape ``(pixels and channels of the border, n)``."""
        pixel = prod(self.extension.period) * self.extension.channels * n
        whole = self._bases[1] @ _columns_first(_each(self._border_rows, spectrum), pixel)
        left = self._border_columns @ _columns_first(spectrum, pixel)
        left = _each(self._other_rows, left.view(len(left), spectrum.shape[1], pixel))
        return torch.cat([whole.view(-1, n), left.view(-1, n)])[self._picked]

    def _from_border(self, values):
        """Spectrum of images that have `values` in their border and are 0 elsewhere."""
        groups, n = self.extension.groups[1], values.shape[1]
        pixel = prod(self.extension.period) * self.extension.channels * n
        parts = values.new_zeros(self._n_parts, n).index_copy_(0, self._picked, values)
        whole, left = parts[: self._n_whole], parts[self._n_whole :]
        whole = self._bases[1].T @ whole.view(len(self._bases[1]), -1)
        spectrum = _each(self._border_rows.T, _columns_last(whole, groups, pixel))
        left = left.view(len(self._border_columns), len(self._other_rows), pixel)
        left = self._border_columns.T @ _each(self._other_rows.T, left).flatten(1)
        return spectrum.add_(_columns_last(left, groups, pixel))

    def _stencil(self, gram):
        """Images under G G^T of the pixels of the middle cell, moved to the first cell.

        Shape ``(pixels of a cell, pixels of a cell, *cells)``, from where to where.
        """
        extension = self.extension
        pixels = extension.channels * prod(extension.period)
        eye = torch.eye(pixels, dtype=torch.float64, device=self.operator.device)
        middle = [s // p // 2 for s, p in zip(extension.size, extension.period, strict=True)]
        inside = [slice(m * p, (m + 1) * p) for m, p in zip(middle, extension.period, strict=True)]
        unit = eye.new_zeros(pixels, *self.operator.output_shape)
        unit[:, :, inside[0], inside[1]] = eye.reshape(
            pixels, extension.channels, *extension.period
        )
        cells = self._to_cells(self._extend(gram.apply(unit)))
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

    def _frequency_blocks(self, gram):
        """Diagonal blocks of the circulant, found with one probe for all groups at once."""
        (height, width), in_group = self.extension.groups, self.extension.in_group
        eye = torch.eye(in_group, dtype=torch.float64, device=self.operator.device)
        probes = eye.expand(height * width, -1, -1).reshape(width, 2 * height, -1)
        cells = self._to_cells(self._inverse_transform(probes, self._bases))
        images = torch.fft.irfft2(
            torch.einsum(
                "iohw,nihw->nohw",
                torch.fft.rfft2(self._stencil(gram)),
                torch.fft.rfft2(cells),
            ),
            s=self.extension.cells,
        )
        spectrum = self._transform(self._to_image(images), self._bases)
        return spectrum.view(-1, in_group, in_group)

    def _border_correction(self, gram, circulant, chunk=128):
        """The matrix from ``P C^-1 r`` to eta.

        In the border, ``eta = E x`` with E the difference of C and the Gram matrix and
        ``x = y + S eta``, where ``S = P C^-1 P^T``; outside, x is 0.
        """
        operator = self.operator
        image = torch.zeros(1, *operator.output_shape, device=operator.device)
        inside = self._pick(self._extend(image + 1)).flatten() > 0
        eye = torch.eye(len(inside), dtype=torch.float64, device=operator.device)
        response, difference = torch.empty_like(eye), torch.zeros_like(eye)
        for start in range(0, len(eye), chunk):
            part = slice(start, start + chunk)
            n = len(eye[part])
            spectrum = self._from_border(eye[:, part])
            filtered = self._filtered(self.blocks, spectrum, n)
            response[:, part] = self._border_of(filtered, n)
        in_image = inside.nonzero().flatten()
        if len(in_image):
            wrong = self._difference(gram, circulant, in_image)
            difference[in_image[:, None], in_image] = wrong
        system = torch.where(inside[:, None], eye - difference @ response, response)
        right = difference - torch.diag((~inside).double())
        return torch.linalg.solve(system, right)

    def _difference(self, gram, circulant, elements, chunk=128):
        """E between elements of the border that are in the image."""
        height, width = self.extension.size
        apart, products = self._superposition(gram, elements), []
        for probes in apart.probes().to(circulant).split(chunk, dim=1):
            n = probes.shape[1]
            border = probes.new_zeros(len(self._picked), n).index_copy_(0, elements, probes)
            spectrum = self._from_border(border)
            image = self._inverse_transform(spectrum, self._bases)
            image = image[:, :, :height, :width].contiguous()
            product = self._pick(self._extend(gram.apply(image)))
            periodic = self._border_of(self._filtered(circulant, spectrum, n), n)
            products.append((periodic - product)[elements])
        return apart.columns(torch.cat(products, dim=1))

    def _superposition(self, gram, elements):
        """Elements of the border whose images under C and the Gram matrix do not overlap."""
        (height, width), (p, q) = self.extension.extended, self.extension.period
        shape = 1, self.extension.channels, height, width
        numbers = torch.arange(prod(shape), dtype=torch.float64, device=self.operator.device)
        places = self._pick(numbers.view(shape)).flatten()[elements].long().cpu().numpy()
        channel, row, column = np.unravel_index(places, shape[1:])
        pixel = np.ravel_multi_index((channel, row % p, column % q), (*shape[1:2], p, q))
        stencil = self._stencil(gram).abs().amax(dim=(0, 1))
        coupled = (stencil > 1e-12 * stencil.max()).cpu().numpy()
        reach = [
            int(np.minimum(k, n - k).max())
            for k, n in zip(coupled.nonzero(), coupled.shape, strict=True)
        ]
        return Superposition(row // p, column // q, pixel, self.extension.cells, reach)

    def _pick(self, image):
        """The border of extended images, as :meth:`_border_of` has it."""
        (height, width), (p, q) = self.extension.cells, self.extension.period
        split = image.view(len(image), -1, height, p, width, q).permute(4, 2, 5, 1, 3, 0)
        rows, columns, others = self._border_cells
        parts = split[:, rows], split[columns][:, others]
        return torch.cat([part.flatten(0, 4) for part in parts])[self._picked]


def _each(matrix, batch):
    return torch.bmm(matrix.expand(len(batch), -1, -1), batch)


def _columns_first(spectrum, pixel):
    """Shape ``(groups, k, frequencies * pixel)`` to ``(groups * frequencies, k * pixel)``."""
    groups, k, width = spectrum.shape
    split = spectrum.view(groups, k, width // pixel, pixel).transpose(1, 2)
    return split.reshape(groups * width // pixel, k * pixel)


def _columns_last(spectrum, groups, pixel):
    """The inverse of :func:`_columns_first`."""
    k, frequencies = spectrum.shape[1] // pixel, len(spectrum) // groups
    split = spectrum.view(groups, frequencies, k, pixel).transpose(1, 2)
    return split.reshape(groups, k, frequencies * pixel)


def _fourier_basis(n):
    """Orthonormal real Fourier basis over `n` cells.

    Columns come in pairs of cosine and sine; the constant is paired with the alternating
    sequence if `n` is even and with 0 otherwise.
    """
    cell = torch.arange(n, dtype=torch.float64, device="cpu")
    alternating = (
        (1 - 2 * (cell % 2)) if n % 2 == 0 else torch.zeros(n, dtype=torch.float64, device="cpu")
    )
    columns = [torch.ones(n, dtype=torch.float64, device="cpu") / n**0.5, alternating / n**0.5]
    for frequency in range(1, (n + 1) // 2):
        angle = 2 * torch.pi * frequency * cell / n
        columns += [angle.cos() * (2 / n) ** 0.5, angle.sin() * (2 / n) ** 0.5]
    return torch.stack(columns, dim=1)
