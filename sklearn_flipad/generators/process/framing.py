"""Crops and resizings of images, as linear maps that can be differentiated by the box of the crop.

Suspects of any size are brought to the generator's, and what a generator makes goes the same way:
cut to a box, resized to the suspect's size, and brought to the generator's. So all images of a
search have one size, and the steps are exact.
"""

from math import ceil
from typing import NamedTuple

import numpy as np
import torch

from sklearn_flipad.base.lanes import in_lanes

__all__ = ["N_BOX", "Framing", "Way", "boxes_of"]

#: Numbers of a box: the middle of the rows and their share, then those of the columns.
N_BOX = 4
#: Images up to this multiple of the generator's sides are resized in a frame of that size, since
#: many sizes make many lanes that are half empty. The search of 48 samples takes 1.8 and 2.0 ms a
#: trial in two runs, and 2.2 ms with a frame for each multiple (``python -m benchmarks
#: constants``).
_MULTIPLE = 4
#: Part of a side by which a found box may reach beyond the limits at the cost of one gray level. It
#: hardly matters: with 0.003, 0.01 and 0.03, 44 of 48 own samples of dcgan-0 were reproduced; the
#: others ended at 0.65 gray levels at most, and those of a copy with noise of 10 % on its earlier
#: weights at 1.51 at least (``python -m benchmarks constants``).
_SLACK = 0.01


def _bilinear(d):
    return (1 - d.abs()).clamp_min(0)


def _bicubic(d):
    d = d.abs()
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return torch.where(d < 1, near, torch.where(d < 2, far, 0.0))


def _lanczos(d):
    return torch.where(d.abs() < 3, torch.sinc(d) * torch.sinc(d / 3), 0.0)


#: Kernels by the names that Pillow has for them, and the distances beyond which they are 0.
_KERNELS = {"bilinear": (_bilinear, 1), "bicubic": (_bicubic, 2), "lanczos": (_lanczos, 3)}


class Way(NamedTuple):
    """One way from a box to an image of a size.

    `between` is the size to which the box is resized by a kernel, after or before it was cut out
    (`is_cut`); an image of another size is then resized to its own by the same kernel. Where `size`
    is the generator's, an image of another one is taken as if it had that.
    """

    size: tuple
    between: tuple
    kernel: str
    is_cut: bool


def _resampling(
    n_inputs, n_outputs, begin, end, kernel, *, is_cut=False, n_seen=None, length=None, largest=None
):
    """Matrices (n, length, n_inputs) that resize parts of rows of pixels, as Pillow does.

    Each takes pixels from `begin` to `end`, tensors (n,), to `n_outputs`, shape (n,); rows beyond
    these are 0. Pixels outside of a part that `is_cut`, shape (n,) or a bool, are not seen, nor
    those after the first `n_seen`, shape (n,). No part is made smaller than by the factor
    `largest`.
    """
    length = int(n_outputs.max()) if length is None else length
    function, support = _KERNELS[kernel]
    begin, end = begin[:, None], end[:, None]
    n_outputs = n_outputs.to(begin)[:, None]
    scale = (end - begin) / n_outputs
    # Kernels grow where an image shrinks, against aliasing.
    width = scale.clamp_min(1)
    largest = ceil(float(width.max())) if largest is None else largest
    rows = torch.arange(length, dtype=begin.dtype, device=begin.device)
    centers = begin + (rows + 0.5) * scale
    taps = torch.arange(2 * support * largest + 2, device=begin.device)
    columns = (centers.detach() - support * width.detach()).floor()[..., None] + taps
    weights = function((columns + 0.5 - centers[..., None]) / width[..., None])
    n_seen = n_inputs if n_seen is None else n_seen[:, None, None]
    kept = (columns >= 0) & (columns < n_seen) & (rows < n_outputs)[..., None]
    is_cut = torch.as_tensor(is_cut, device=begin.device).reshape(-1, 1, 1)
    inside = (columns >= begin.round()[..., None]) & (columns < end.round()[..., None])
    weights = torch.where(kept & (inside | ~is_cut), weights, 0.0)
    sums = weights.sum(dim=2, keepdim=True)
    weights = weights / torch.where(sums.abs() > 1e-3, sums, 1.0)
    matrices = weights.new_zeros(len(begin), length, n_inputs)
    return matrices.scatter_add(2, columns.clamp(0, n_inputs - 1).long(), weights)


def boxes_of(begins, ends, sides):
    """The numbers of boxes (n, 4), from arrays (n, 2) of pixels and the sides of the image."""
    sides = np.asarray(sides, dtype=float)
    begins, ends = np.asarray(begins) / sides, np.asarray(ends) / sides
    return np.stack([(begins + ends - 1) / 2, ends - begins - 1], axis=2).reshape(-1, N_BOX)


class Framing:
    """Images of several sizes that were cut out of a generator's and resized, in its size.

    `ways` maps sizes (height, width) to lists of :class:`Way`, of which the first is the likeliest.
    All ways have numbers, in the order of the sizes. `smallest` is the least share of each side
    that is cut out.
    """

    def __init__(self, sample_shape, ways, *, smallest):
        self.sides, self.smallest = tuple(sample_shape[1:]), smallest
        self.ways = [way for of_size in ways.values() for way in of_size]
        counts = np.array([len(of_size) for of_size in ways.values()])
        firsts = np.cumsum(counts) - counts
        self._first_of = dict(zip(ways, firsts.tolist(), strict=True))
        self._ranges = torch.from_numpy(np.repeat(np.stack([firsts, counts], axis=1), counts, 0))
        self._after = {}

    def numbers(self, images):
        """Numbers (n,) of the likeliest ways of images."""
        return torch.tensor([self._first_of[image.shape[1:]] for image in images], device="cpu")

    def ranges(self, numbers):
        """First number and number of the ways of the sizes that have these numbers, each (n,)."""
        return self._ranges.to(numbers.device)[numbers].T

    def framed(self, images, like):
        """Images (channels, height, width) in the generator's size, in the values that they have.

        A tensor of the type and on the device of `like`.
        """
        return torch.stack([self._framed(torch.from_numpy(image).to(like)) for image in images])

    def _framed(self, image):
        rows, columns = (
            self._to_frame(size, side, image)
            for size, side in zip(image.shape[1:], self.sides, strict=True)
        )
        return rows @ image @ columns.T

    def _to_frame(self, size, side, like):
        """The matrix (side, size) that brings pixels of a suspect to the generator's."""
        if (size, side) not in self._after:
            self._after[size, side] = _whole(size, side, "bicubic")
        return self._after[size, side].to(like)

    def apply(self, x, boxes, numbers):
        """Images (n, channels, height, width), of boxes (n, 4) and numbers of ways (n,), framed."""
        ways = [self.ways[number] for number in numbers.tolist()]
        # Each group is computed in a length of its own, whatever the others are.
        keys = [(way.kernel, *self._lengths(way)) for way in ways]
        parts, places = [], []
        for key in sorted(set(keys)):
            chosen = [k for k, other in enumerate(keys) if other == key]
            rows = torch.tensor(chosen, device=x.device)
            parts.append(self._apply_group(x[rows], boxes[rows], [ways[k] for k in chosen], *key))
            places += chosen
        order = torch.tensor(np.argsort(places), device=x.device)
        return torch.cat(parts)[order]

    def _lengths(self, way):
        """Multiple of the sides that holds the first resizing, and by which it shrinks, at most.

        Boxes may reach a little beyond the image.
        """
        pairs = list(zip(way.between, self.sides, strict=True))
        multiple = max(ceil(between / side) for between, side in pairs)
        # There are few of both, since samples that differ in one take lanes of their own.
        largest = max(ceil(1.1 * side / min(between, side)) for between, side in pairs)
        return multiple if multiple == 1 else max(multiple, _MULTIPLE), largest

    def _apply_group(self, x, boxes, ways, kernel, multiple, largest):
        sides, n_inputs = self.sides, max(self.sides)
        length = multiple * n_inputs
        after = [
            torch.stack([self._matrix_after(way, axis, length, x) for way in ways])
            for axis in (0, 1)
        ]
        between = torch.tensor([way.between for way in ways], device=x.device)
        is_cut = torch.tensor([way.is_cut for way in ways], device=x.device)
        limits = {"length": length, "largest": largest}

        def compose(x, boxes, between, is_cut, *after):
            ends = zip(*(self._ends(boxes, axis) for axis in (0, 1)), strict=True)
            begin, end = (torch.cat(both) for both in ends)
            # Of rows and columns at once, as pixels beyond the shorter side are not taken.
            of_axis = torch.tensor(sides, device=x.device).repeat_interleave(len(x))
            before = _resampling(
                n_inputs,
                between.T.flatten(),
                begin,
                end,
                kernel,
                is_cut=is_cut.repeat(2),
                n_seen=of_axis,
                **limits,
            )
            halves = zip(after, before.split(len(x)), sides, strict=True)
            rows, columns = (a @ b[..., :side] for a, b, side in halves)
            return rows[:, None] @ x @ columns[:, None].transpose(2, 3)

        return in_lanes(compose, len(x), x, boxes, between, is_cut, *after)

    def _matrix_after(self, way, axis, length, like):
        """The matrix of all that follows the first resizing of a way, shape (side, length)."""
        size, between, side = way.size[axis], way.between[axis], self.sides[axis]
        key = size, between, side, way.kernel, length
        if key not in self._after:
            matrix = self._to_frame(size, side, torch.zeros((), dtype=torch.float64, device="cpu"))
            if between != size:
                matrix = matrix @ _whole(between, size, way.kernel)
            padded = matrix.new_zeros(side, length)
            padded[:, :between] = matrix
            self._after[key] = padded
        return self._after[key].to(like)

    def _ends(self, boxes, axis):
        middle, share = boxes[:, 2 * axis], boxes[:, 2 * axis + 1]
        side = self.sides[axis]
        half = (1 + share) / 2
        return (0.5 + middle - half) * side, (0.5 + middle + half) * side

    def images(self, x, boxes, numbers, sizes):
        """Images as the suspects are, each of its own size: a list of tensors."""
        found = []
        for image, box, number, size in zip(x, boxes, numbers.tolist(), sizes, strict=True):
            way, parts = self.ways[number], []
            way = way if way.size == size else way._replace(size=size, between=size)
            for axis, side in enumerate(self.sides):
                begin, end = self._ends(box[None], axis)
                between = torch.tensor([way.between[axis]], device=x.device)
                (matrix,) = _resampling(side, between, begin, end, way.kernel, is_cut=way.is_cut)
                if way.between[axis] != way.size[axis]:
                    matrix = _whole(way.between[axis], way.size[axis], way.kernel).to(x) @ matrix
                parts.append(matrix)
            found.append(parts[0] @ image @ parts[1].T)
        return found

    def pixels(self, boxes):
        """First row, first column, and those behind the last, in pixels, of an array (n, 4)."""
        middles, lengths = 0.5 + boxes[:, 0::2], 1 + boxes[:, 1::2]
        ends = [middles - lengths / 2, middles + lengths / 2]
        return np.concatenate([end * self.sides for end in ends], axis=1)

    def excess(self, boxes):
        """Residuals (n, 4) of boxes beyond the limits, in gray levels of all pixels."""
        found = []
        for axis in (0, 1):
            middle, share = boxes[:, 2 * axis], boxes[:, 2 * axis + 1]
            # Boxes of whole pixels may be smaller by half a one.
            smallest = round(self.smallest * self.sides[axis]) / self.sides[axis]
            found += [
                middle.abs() + share / 2,  # beyond an edge
                smallest - 1 - share,
            ]
        return torch.stack(found, dim=1).clamp_min(0) / _SLACK


def _whole(n_inputs, n_outputs, kernel):
    """The matrix (n_outputs, n_inputs) that resizes whole rows of pixels, float64."""
    ends = torch.tensor([[0.0], [float(n_inputs)]], dtype=torch.float64, device="cpu")
    return _resampling(n_inputs, torch.tensor([n_outputs], device="cpu"), *ends, kernel)[0]
