"""Output activations that differ between the columns of a table."""

from dataclasses import dataclass
from numbers import Integral

import torch

__all__ = ["ColumnActivations"]

_NAMES = ("identity", "tanh", "softmax")


@dataclass(frozen=True)
class ColumnActivations:
    """Activations of groups of columns, as the generators of mixed tables have them.

    Parameters
    ----------
    parts : sequence of pair
        Name and number of columns of each group, in order: ``"identity"`` and ``"tanh"`` act on
        each column, ``"softmax"`` on the group as a whole.

    Raises
    ------
    ValueError
        If a name is unknown or a group has no columns.

    Notes
    -----
    Softmax forgets what all columns of its group share. Its inverse is the one with mean 0, so
    the layer's rows and biases of such a group must be centered too, see :meth:`centered`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_flipad.final_layer import ColumnActivations
    >>> activation = ColumnActivations((("tanh", 1), ("softmax", 2)))
    >>> x = activation.forward(torch.tensor([[0.5, 1.0, -1.0]]))
    >>> activation.inverse(x, 1e-4)
    tensor([[ 0.5000,  1.0000, -1.0000]])
    """

    parts: tuple

    name = "columns"

    def __post_init__(self):
        parts = tuple((str(name), width) for name, width in self.parts)
        for name, width in parts:
            if name not in _NAMES:
                raise ValueError(
                    f"Unknown activation {name!r} of columns; there are {', '.join(_NAMES)}."
                )
            if not isinstance(width, Integral) or width < 1:
                raise ValueError(f"A group of columns must have at least one, got {width!r}.")
        if not parts:
            raise ValueError("parts must name at least one group of columns.")
        object.__setattr__(self, "parts", tuple((name, int(width)) for name, width in parts))

    @property
    def n_columns(self):
        """Number of columns of all groups."""
        return sum(width for _, width in self.parts)

    @property
    def range(self):
        """Smallest and largest output, possibly infinite."""
        names = {name for name, _ in self.parts}
        if "identity" in names:
            return -torch.inf, torch.inf
        return (-1.0, 1.0) if "tanh" in names else (0.0, 1.0)

    def forward(self, o):
        """Apply the activations to a tensor of shape ``(n, n_columns)``."""
        return self._by_parts(o, _FORWARD)

    def inverse(self, x, clip_eps):
        """Undo the activations.

        Parameters
        ----------
        x : torch.Tensor, shape (n, n_columns)
            Outputs within `range`.
        clip_eps : float
            Saturated outputs are first moved into the range by this much, in units of half its
            width; so are the zeros and ones of a category.

        Returns
        -------
        torch.Tensor, shape (n, n_columns)
        """
        inverses = {
            "identity": lambda part: part,
            "tanh": lambda part: torch.atanh(part.clamp(clip_eps - 1, 1 - clip_eps)),
            "softmax": lambda part: _center(part.clamp(clip_eps / 2, 1 - clip_eps / 2).log()),
        }
        return self._by_parts(x, inverses)

    def centered(self, values):
        """Values of a layer's outputs with mean 0 in each group that softmax follows.

        Parameters
        ----------
        values : torch.Tensor, shape (..., n_columns)
            For example its biases, or its weights transposed.

        Returns
        -------
        torch.Tensor, shape (..., n_columns)
        """
        return self._by_parts(values, {**_FORWARD, "tanh": _same, "softmax": _center})

    def to_dict(self):
        """The parameters, as plain values."""
        return {"name": self.name, "parts": self.parts}

    def _by_parts(self, values, functions):
        if values.shape[-1] != self.n_columns:
            raise ValueError(
                f"Expected {self.n_columns} columns, got values of shape {tuple(values.shape)}."
            )
        widths = [width for _, width in self.parts]
        pieces = torch.split(values, widths, dim=-1)
        names = (name for name, _ in self.parts)
        done = [functions[name](part) for name, part in zip(names, pieces, strict=True)]
        return torch.cat(done, dim=-1)


def _same(part):
    return part


def _center(part):
    return part - part.mean(dim=-1, keepdim=True)


_FORWARD = {
    "identity": _same,
    "tanh": torch.tanh,
    "softmax": lambda part: torch.softmax(part, dim=-1),
}
