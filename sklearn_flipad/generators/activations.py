"""Invertible output activations."""

from dataclasses import asdict, dataclass
from math import inf
from numbers import Real

import torch
from torch.nn import functional as F

from sklearn_flipad.base.numbers import plain_numbers

__all__ = ["ACTIVATION_NAMES", "OutputActivation"]


#: Beyond, values and their inverses leave single precision.
_LARGEST = 1e12


@dataclass(frozen=True)
class OutputActivation:
    """An invertible elementwise function ``x = scale * f(o) + shift``.

    Parameters
    ----------
    name : {"identity", "tanh", "sigmoid", "leaky_relu", "softplus"}
        The function f.
    scale, shift : float, default=1, 0
        The affine map behind it; `scale` is not 0.
    slope : float, default=0.01
        Slope of ``"leaky_relu"`` for negative arguments, > 0.

    Raises
    ------
    ValueError
        If `name` is unknown, a parameter is not a finite number, or `scale` or `slope` makes
        the function not invertible.

    References
    ----------
    Section 4.3 of Laszkiewicz et al., ICML 2024: the output activation is assumed to be
    invertible.
    """

    name: str
    scale: float = 1.0
    shift: float = 0.0
    slope: float = 0.01

    def __post_init__(self):
        if self.name not in _FORWARD:
            raise ValueError(
                f"Unknown output activation {self.name!r}. An invertible one is needed: "
                f"{', '.join(_FORWARD)}. ReLU and clamp are not invertible."
            )
        values = {n: plain_numbers(getattr(self, n)) for n in ("scale", "shift", "slope")}
        for name, value in values.items():
            if not isinstance(value, Real) or not abs(value) <= _LARGEST:
                raise ValueError(
                    f"{name} must be a number of at most {_LARGEST:g} in size, got {value!r}."
                )
            object.__setattr__(self, name, value)
        if not abs(self.scale) >= 1 / _LARGEST or not self.slope >= 1 / _LARGEST:
            raise ValueError(
                f"scale must not be 0 and slope must be > 0, got {self.scale} and {self.slope}."
            )

    @property
    def range(self):
        """Smallest and largest output, possibly infinite."""
        ends = [self.scale * end + self.shift if end else self.shift for end in _RANGES[self.name]]
        return min(ends), max(ends)

    def forward(self, o):
        """Apply the activation to a tensor."""
        return _FORWARD[self.name](o, self) * self.scale + self.shift

    def inverse(self, x, clip_eps):
        """Undo the activation.

        Parameters
        ----------
        x : torch.Tensor
            Outputs within `range`.
        clip_eps : float
            Saturated outputs, which have no finite preimage, are first moved into the
            range by this much, in units of half the width of f's range (of one, where
            the range is unbounded).

        Returns
        -------
        torch.Tensor
        """
        value = (x - self.shift) / self.scale
        low, high = _RANGES[self.name]
        if low > -inf:
            margin = clip_eps * (high - low) / 2 if high < inf else clip_eps
            value = value.clamp(low + margin, high - margin)
        return _INVERSE[self.name](value, self)

    def to_dict(self):
        """The parameters, as plain values."""
        return asdict(self)


_FORWARD = {
    "identity": lambda o, _: o,
    "tanh": lambda o, _: torch.tanh(o),
    "sigmoid": lambda o, _: torch.sigmoid(o),
    "leaky_relu": lambda o, activation: F.leaky_relu(o, activation.slope),
    "softplus": lambda o, _: F.softplus(o),
}
_INVERSE = {
    "identity": lambda x, _: x,
    "tanh": lambda x, _: torch.atanh(x),
    "sigmoid": lambda x, _: torch.logit(x),
    "leaky_relu": lambda x, activation: torch.where(x < 0, x / activation.slope, x),
    "softplus": lambda x, _: x + torch.log(-torch.expm1(-x)),
}
_RANGES = {
    "identity": (-inf, inf),
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "leaky_relu": (-inf, inf),
    "softplus": (0.0, inf),
}

#: Names of functions that :class:`OutputActivation` knows.
ACTIVATION_NAMES = tuple(_FORWARD)
