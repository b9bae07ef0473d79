"""The output stage of a generator, recognized by its values."""

import warnings
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.generators.activations import ACTIVATION_NAMES, OutputActivation

__all__ = ["OutputStage", "check_output_stage", "recognize_output_stage"]

#: Largest accepted error in single precision, relative to the largest absolute output.
_TOL = 1e-4
#: The same in units of the precision of coarser types.
_TOL_EPS = 4.0
#: Part of the values that a clamp may cut off without a warning.
_MUCH_CLIPPED = 0.25
#: Advice where there is no final layer to be had.
NO_LAYER = Message(
    Term("make_rawpad, make_dctpad and make_smf", "without layer"), " need no final layer."
)


@dataclass(frozen=True)
class OutputStage:
    """The operations of a generator after its last linear layer.

    The elementwise activation; for each element of a sample, the element of the layer's output
    that it comes from, int64, shape ``(n_outputs,)``, None if the order is the same; and the two
    ends of a clamp behind it, None if values are not cut off at both.
    """

    activation: OutputActivation
    order: np.ndarray | None = None
    clamp: tuple | None = None


def recognize_output_stage(before, after):
    """The output stage that maps a layer's outputs to the generator's, shapes ``(n, ...)``.

    ValueError if no known activation, with or without an affine map behind it, fits, in any known
    order of the elements. The message names what was found instead: a ReLU, a clamp, a rescaling
    that differs between channels.
    """
    x, accepted = _values(after), _accepted(before, after)
    for order in _orders(before.shape, after.shape):
        found = _fit(_reordered(before, order), x, accepted)
        if found is not None:
            return OutputStage(found, order)
    o = _reordered(before, None)
    _refuse_clipped(o, x, accepted)
    _refuse_channelwise(before, after, accepted)
    order = ""
    if _fit(o.sort(dim=1).values, x.sort(dim=1).values, accepted) is not None:
        order = (
            " They are the same values in another order, which is neither a known permutation of "
            "axes nor a PixelShuffle: let a wrapper undo that order, and samples alike."
        )
    raise ValueError(
        Message(
            "The output activation was not recognized: the generator's output is none of "
            f"{', '.join(ACTIVATION_NAMES)} of its last linear layer, nor an affine rescaling of "
            f"one.{order} Wrap the generator so that it returns an invertible function of its last "
            "linear layer alone, without what is added or resized after it. ",
            NO_LAYER,
        )
    )


def check_output_stage(activation, before, after):
    """The output stage with a given activation; a clamp behind it is accepted.

    ValueError if the generator's output is something else; UserWarning if a clamp cuts off more
    than a quarter of the values.
    """
    x, accepted = _values(after), _accepted(before, after)
    low, high = float(x.min()), float(x.max())
    for order in _orders(before.shape, after.shape):
        value = activation.forward(_reordered(before, order))
        if _error(value, x) <= accepted:
            return OutputStage(activation, order)
        if _error(value.clamp(low, high), x) <= accepted:
            below, above = value < low - accepted, value > high + accepted
            clipped = float((below | above).double().mean())
            if clipped > _MUCH_CLIPPED:
                warnings.warn(
                    Message(
                        f"{clipped:.0%} of the generator's values are cut off at {low:.6g} or "
                        f"{high:.6g}: the layer's output is not known there, so its inversion is "
                        "that of other values. ",
                        NO_LAYER,
                    ),
                    UserWarning,
                    stacklevel=5,
                )
            both = bool(below.any() and above.any())
            return OutputStage(activation, order, (_round(low), _round(high)) if both else None)
    raise ValueError(
        Message(
            f"activation={activation.name!r} does not give the generator's output from that of its "
            f"last linear layer: the largest difference is "
            f"{_error(activation.forward(_reordered(before, None)), x):.3g}. Leave "
            "activation='auto', or wrap the generator so that it returns an invertible function of "
            "its last linear layer alone. ",
            NO_LAYER,
        )
    )


def _values(x):
    return x.detach().cpu().double().flatten(1)


def _reordered(before, order):
    o = _values(before)
    return o if order is None else o[:, torch.from_numpy(order)]


def _error(found, x):
    return float((found - x).abs().max())


def _accepted(*tensors):
    """Largest accepted error, by the coarsest type among the values."""
    floats = [t.dtype for t in tensors if t.is_floating_point()]
    precision = max(torch.finfo(dtype).eps for dtype in floats)
    largest = float(tensors[-1].detach().abs().max())
    return max(_TOL, _TOL_EPS * precision) * max(largest, torch.finfo(torch.float32).tiny)


def _orders(layer_shape, sample_shape):
    """Yield orders in which a generator may return the outputs of its last layer, int64 or None."""
    layer_shape, sample_shape = tuple(layer_shape[1:]), tuple(sample_shape[1:])
    yield None
    index = torch.arange(int(np.prod(layer_shape)), device="cpu").reshape(1, *layer_shape)
    seen = {index.numpy().tobytes()}
    for moved in _rearranged(index, sample_shape):
        key = moved.contiguous().numpy().tobytes()
        if tuple(moved.shape[1:]) == sample_shape and key not in seen:
            seen.add(key)
            yield moved.flatten().numpy().copy()


def _rearranged(index, sample_shape):
    """Yield permutations of axes, and PixelShuffle with the channels first or last."""
    n_axes = index.ndim - 1
    if n_axes == len(sample_shape):
        for axes in permutations(range(1, n_axes + 1)):
            yield index.permute(0, *axes)
    if n_axes == 3:
        for factor in range(2, 17):
            if index.shape[1] % factor**2 == 0:
                shuffled = F.pixel_shuffle(index, factor)
                yield shuffled
                yield shuffled.permute(0, 2, 3, 1)


def _fit(o, x, accepted):
    """The activation that maps o to x, or None."""
    candidates = _candidates(o, x)
    errors = [_error(activation.forward(o), x) for activation in candidates]
    if min(errors) <= accepted:
        return _rounded(_simplest(candidates, errors, x), o, x)
    rescaled = [_rescaled(activation, o, x) for activation in candidates]
    rescaled = [activation for activation in rescaled if activation is not None]
    errors = [_error(activation.forward(o), x) for activation in rescaled]
    if errors and min(errors) <= accepted:
        return _rounded(_simplest(rescaled, errors, x), o, x)
    return None


def _candidates(o, x):
    candidates = [OutputActivation(name) for name in ("identity", "tanh", "sigmoid", "softplus")]
    negative = o < 0
    if negative.any():
        slope = float((o * x)[negative].sum() / o[negative].square().sum())
        if slope > _TOL:
            candidates.append(OutputActivation("leaky_relu", slope=slope))
    return candidates


def _rescaled(activation, o, x):
    """The activation with the affine map behind it that fits best in least squares, or None."""
    value = activation.forward(o)
    centered = value - value.mean()
    spread = float(centered.square().sum())
    scale = float((centered * (x - x.mean())).sum()) / spread if spread > 0 else 0.0
    if not scale:
        return None
    shift = float(x.mean() - scale * value.mean())
    return OutputActivation(activation.name, scale, shift, activation.slope)


def _simplest(activations, errors, x):
    """The first activation that fits as well as the best, but for rounding.

    Not the first that is accepted: near 0, where untrained generators stay, tanh is almost
    linear.
    """
    rounding = torch.finfo(torch.float32).eps * float(x.abs().max())
    good = [error <= min(errors) + rounding for error in errors]
    return activations[good.index(True)]


def _rounded(activation, o, x):
    """The activation with the roundest scale, shift and slope that fit as well.

    The fit is off by the rounding of the generator's type: of 0.4999998, 0.5 is meant.
    """
    rounding = torch.finfo(torch.float32).eps * float(x.abs().max())
    allowed = 2 * _error(activation.forward(o), x) + rounding
    for digits in range(1, 7):
        scale, shift, slope = (
            _round(value, digits)
            for value in (activation.scale, activation.shift, activation.slope)
        )
        shift = 0.0 if abs(shift) <= rounding else shift
        if scale and slope > 0:
            found = OutputActivation(activation.name, scale, shift, slope)
            if _error(found.forward(o), x) <= allowed:
                return found
    return activation


def _round(value, digits=6):
    """Round to significant digits."""
    return float(f"{value:.{digits - 1}e}")


def _refuse_clipped(o, x, accepted):
    """Raise ValueError if the stage is a ReLU, or a clamp of an affine map."""
    low, high = float(x.min()), float(x.max())
    inside = (x > low + accepted) & (x < high - accepted)
    if int(inside.sum()) < 2 or inside.all():
        return
    line = _rescaled(OutputActivation("identity"), o[inside], x[inside])
    if line is None:
        return
    line = _rounded(line, o[inside], x[inside])
    if _error(line.forward(o).clamp(low, high), x) > accepted:
        return
    clipped = 1 - float(inside.double().mean())
    bare = (line.scale, line.shift) == (1, 0)
    advice = '"identity"' if bare else f'OutputActivation("identity", {line.scale}, {line.shift})'
    what = f"a clamp to [{_round(low, 4):g}, {_round(high, 4):g}]"
    if low == 0 and float(line.forward(o).max()) <= high + accepted:
        what = "a ReLU"
    if not bare:
        what += f" of {line.scale:g} o {line.shift:+g}, o being the layer's output"
    raise ValueError(
        Message(
            f"The output activation is {what}, which is not invertible: it cuts off "
            f"{clipped:.1%} of the values. If that is little, ",
            Term(f"pass activation={advice}", "python"),
            ", which takes the output as if nothing had been cut off. ",
            NO_LAYER,
        )
    )


def _refuse_channelwise(before, after, accepted):
    """Raise ValueError if the stage is a rescaling that differs between the channels."""
    if before.shape != after.shape or before.ndim < 3:
        return
    channels = range(before.shape[1])
    o, x = (t.detach().cpu().double() for t in (before, after))
    if all(_fit(o[:, c].flatten(1), x[:, c].flatten(1), accepted) for c in channels):
        raise ValueError(
            "Each channel of the output is rescaled by numbers of its own. Wrap the generator so "
            "that it returns the values before that rescaling, and undo it in all samples."
        )
