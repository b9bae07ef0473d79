"""Chains, sums and branches of linear maps, and linear maps from any torch function."""

from itertools import pairwise
from math import ceil, lcm

import torch

from sklearn_flipad.operators.base import LinearOperator
from sklearn_flipad.operators.image import ImageOperator

__all__ = ["BranchesOperator", "ChainOperator", "FunctionOperator", "SumOperator"]


class _Composed(ImageOperator):
    """A chain or a sum; subclasses define ``_periods``."""

    def __init__(self, parts, output_shape):
        self.parts = tuple(parts)
        # Parts without weights have an empty one, which tells nothing.
        weights = [part.weight for part in self.parts]
        weight = max(weights, key=torch.Tensor.numel)
        super().__init__(weight, self.parts[0].input_shape, output_shape)

    def to(self, device=None, dtype=None):
        return type(self)([part.to(device=device, dtype=dtype) for part in self.parts])

    @property
    def n_multiplications(self):
        return sum(part.n_multiplications for part in self.parts)

    @property
    def image(self):
        whole = all(part.image is not None for part in self.parts)
        return self if whole and self._periods() is not None else None

    @property
    def period(self):
        return tuple(after for _, after in self._periods())

    @property
    def input_period(self):
        return tuple(before for before, _ in self._periods())


def _both(part):
    return list(zip(part.input_period, part.period, strict=True))


class ChainOperator(_Composed):
    """Linear maps one after the other.

    Parameters
    ----------
    parts : sequence of LinearOperator
        The maps, in the order in which they are applied.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """

    def __init__(self, parts):
        for first, second in pairwise(parts):
            if first.output_shape != second.input_shape:
                raise ValueError(
                    f"A map to {first.output_shape} cannot be followed by one from "
                    f"{second.input_shape}."
                )
        super().__init__(parts, parts[-1].output_shape)

    @property
    def is_branched(self):
        return any(part.is_branched for part in self.parts)

    def forward(self, z):
        for part in self.parts:
            z = part.forward(z)
        return z

    def adjoint(self, r):
        for part in reversed(self.parts):
            r = part.adjoint(r)
        return r

    def _periods(self):
        found = _both(self.parts[0])
        for part in self.parts[1:]:
            pairs = []
            for (before, middle), (needed, after) in zip(found, _both(part), strict=True):
                common = lcm(middle, needed)
                pairs.append((before * (common // middle), after * (common // needed)))
            found = pairs
        return found

    @property
    def reach(self):
        n_axes = len(self.input_shape) - 1
        total, ratio = [0.0] * n_axes, [1.0] * n_axes
        for part in self.parts:
            for axis, (before, after) in enumerate(_both(part)):
                total[axis] += (part.reach[axis] - 1) * ratio[axis]
                ratio[axis] *= before / after
        return tuple(ceil(width) + 1 for width in total)

    def axis_maps(self):
        maps = self.parts[0].axis_maps()
        for part in self.parts[1:]:
            pairs = zip(part.axis_maps(), maps, strict=True)
            maps = tuple((after @ before).tocsr() for after, before in pairs)
        return maps

    def resized(self, size):
        parts = []
        for part in self.parts:
            parts.append(part.resized(size))
            size = parts[-1].output_shape[1:]
        return ChainOperator(parts)

    def weighted(self, factors):
        for index, part in enumerate(self.parts):
            # The factors pass through parts that keep channels apart.
            if not getattr(part, "channelwise", False) or index + 1 == len(self.parts):
                return ChainOperator(
                    [*self.parts[:index], part.weighted(factors), *self.parts[index + 1 :]]
                )
        raise AssertionError


class SumOperator(_Composed):
    """The sum of linear maps of the same input.

    Parameters
    ----------
    parts : sequence of LinearOperator
        The maps.

    Raises
    ------
    ValueError
        If their shapes differ.
    """

    def __init__(self, parts):
        shapes = {(part.input_shape, part.output_shape) for part in parts}
        if len(shapes) != 1:
            raise ValueError(f"Maps that are added must have the same shapes, got {shapes}.")
        super().__init__(parts, parts[0].output_shape)

    def forward(self, z):
        total = self.parts[0].forward(z)
        for part in self.parts[1:]:
            total = total + part.forward(z)
        return total

    def adjoint(self, r):
        total = self.parts[0].adjoint(r)
        for part in self.parts[1:]:
            total = total + part.adjoint(r)
        return total

    def _periods(self):
        pairs = []
        for axis in zip(*map(_both, self.parts), strict=True):
            before = lcm(*(pair[0] for pair in axis))
            after = {pair[1] * (before // pair[0]) for pair in axis}
            if len(after) != 1:
                return None
            pairs.append((before, after.pop()))
        return pairs

    @property
    def reach(self):
        return tuple(map(max, zip(*(part.reach for part in self.parts), strict=True)))

    def axis_maps(self):
        # Other multiples, so that no two terms of the same geometry look like one.
        maps = [
            [matrix * (1 + index / 7) for matrix in part.axis_maps()]
            for index, part in enumerate(self.parts)
        ]
        return tuple(sum(axis[1:], axis[0]).tocsr() for axis in zip(*maps, strict=True))

    def resized(self, size):
        return SumOperator([part.resized(size) for part in self.parts])

    def weighted(self, factors):
        return SumOperator([part.weighted(factors) for part in self.parts])


class BranchesOperator(LinearOperator):
    """The sum of linear maps of different inputs, as one map of all of them concatenated.

    Parameters
    ----------
    parts : sequence of LinearOperator
        The maps, one per branch. An input is a row: the elements of the first map's input, then
        those of the second, and so on.

    Raises
    ------
    ValueError
        If the shapes of their outputs differ.
    """

    def __init__(self, parts):
        shapes = {part.output_shape for part in parts}
        if len(shapes) != 1:
            raise ValueError(f"Branches must have outputs of the same shape, got {shapes}.")
        self.parts = tuple(parts)
        weight = max((part.weight for part in parts), key=torch.Tensor.numel)
        n_inputs = sum(part.n_inputs for part in parts)
        super().__init__(weight, (n_inputs,), self.parts[0].output_shape)

    def forward(self, z):
        pieces = z.split([part.n_inputs for part in self.parts], dim=1)
        total = 0.0
        for part, piece in zip(self.parts, pieces, strict=True):
            total = total + part.forward(piece.reshape(len(z), *part.input_shape).contiguous())
        return total

    def adjoint(self, r):
        return torch.cat([part.adjoint(r).flatten(1) for part in self.parts], dim=1)

    @property
    def is_branched(self):
        return True

    def to(self, device=None, dtype=None):
        return BranchesOperator([part.to(device=device, dtype=dtype) for part in self.parts])

    @property
    def n_multiplications(self):
        return sum(part.n_multiplications for part in self.parts)


class FunctionOperator(LinearOperator):
    """A linear map from any torch function that is linear.

    Only its values are known, so its Gram systems are solved by plain conjugate gradients, or
    densely.

    Parameters
    ----------
    function : callable
        Maps a batch ``(n, *input_shape)`` to a batch ``(n, *output_shape)``.
    input_shape : tuple of int
        Shape of one input.
    like : torch.Tensor, default=None
        Has the device and the type in which the function works; float32 on the CPU by
        default.
    """

    def __init__(self, function, input_shape, like=None):
        if like is None:
            like = torch.empty(0, dtype=torch.float32, device="cpu")
        like = like.new_empty(0)
        self._function = function
        with torch.no_grad():
            output = function(like.new_zeros(1, *input_shape))
        super().__init__(like, input_shape, output.shape[1:])

    def forward(self, z):
        return self._function(z)

    def adjoint(self, r):
        zeros = r.new_zeros(len(r), *self.input_shape)
        with torch.enable_grad():
            return torch.func.vjp(self._function, zeros)[1](r)[0]

    @property
    def n_multiplications(self):
        return self.n_inputs + self.n_outputs

    def to(self, device=None, dtype=None):
        like = self.weight.to(device=device, dtype=dtype)
        if (like.dtype, like.device) == (self.weight.dtype, self.weight.device):
            return self

        def function(z):
            z = z.to(device=self.weight.device, dtype=self.weight.dtype)
            return self._function(z).to(device=like.device, dtype=like.dtype)

        return FunctionOperator(function, self.input_shape, like)
