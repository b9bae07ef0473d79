"""Invertible output activations, and how one is recognised by what it does."""

from dataclasses import asdict, dataclass
from math import inf

import torch
from torch.nn import functional as F

__all__ = ["OutputActivation", "identify_activation"]


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
        If `name` is unknown, or `scale` or `slope` makes the function not invertible.

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
        if not self.scale or not self.slope > 0:
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


def identify_activation(before, after, tol=1e-4):
    """Find the activation that maps the last layer's outputs to the generator's.

    Parameters
    ----------
    before : torch.Tensor
        Outputs of the last linear layer.
    after : torch.Tensor
        Outputs of the generator, as many elements in the same order.
    tol : float, default=1e-4
        Largest accepted error, relative to the largest absolute output.

    Returns
    -------
    OutputActivation

    Raises
    ------
    ValueError
        If no known activation, with or without an affine map behind it, fits, or if
        what fits is a ReLU or a clamp.
    """
    o, x = before.flatten().double(), after.flatten().double()
    accepted = tol * max(float(x.abs().max()), torch.finfo(torch.float32).tiny)
    candidates = [OutputActivation(name) for name in ("identity", "tanh", "sigmoid", "softplus")]
    negative = o < 0
    if negative.any():
        slope = float((o * x)[negative].sum() / o[negative].square().sum())
        if slope > tol:
            candidates.append(OutputActivation("leaky_relu", slope=slope))
    errors = [float((activation.forward(o) - x).abs().max()) for activation in candidates]
    if min(errors) <= accepted:
        return _simplest(candidates, errors, x)
    _refuse_clipped(o, x, accepted)
    rescaled, errors = [], []
    for activation in candidates:
        value = activation.forward(o)
        centred = value - value.mean()
        spread = centred.square().sum()
        scale = float((centred * (x - x.mean())).sum() / spread) if spread > 0 else 0.0
        if scale:
            shift = float(x.mean() - scale * value.mean())
            found = OutputActivation(activation.name, scale, shift, activation.slope)
            rescaled.append(found)
            errors.append(float((found.forward(o) - x).abs().max()))
    if errors and min(errors) <= accepted:
        return _simplest(rescaled, errors, x)
    raise ValueError(
        "The output activation was not recognised: the generator's output is none of "
        f"{', '.join(_FORWARD)} of its last linear layer, nor an affine rescaling of one. "
        "Pass activation= (a name or an OutputActivation), or wrap the generator so that "
        "its output is what the activation returns."
    )


def _simplest(activations, errors, x):
    """The first that fits as well as the best, but for rounding.

    Not the first that is accepted: near 0, where untrained generators stay, tanh is almost
    linear.
    """
    rounding = torch.finfo(torch.float32).eps * float(x.abs().max())
    good = [error <= min(errors) + rounding for error in errors]
    return activations[good.index(True)]


def _refuse_clipped(o, x, accepted):
    low, high = float(x.min()), float(x.max())
    clipped = o.clamp(low, high)
    if (clipped - x).abs().max() <= accepted and not torch.equal(clipped, o):
        what = "a ReLU" if low == 0 else f"a clamp to [{low:g}, {high:g}]"
        raise ValueError(
            f"The output activation is {what}, which is not invertible. If few values are "
            'clipped, pass activation="identity" to treat the output as the layer\'s own; '
            "otherwise use make_rawpad or make_dctpad, which do not invert the layer."
        )
