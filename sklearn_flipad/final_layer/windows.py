"""The part of a convolutional final layer that a window of its output depends on."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from sklearn_flipad.final_layer.links import Link, build_chain

__all__ = ["WindowGeometry", "window_geometry", "window_layer"]

#: Largest difference of two rows of an axis map that count as equal; they are sums of products.
_TOL = 1e-9


@dataclass(frozen=True)
class WindowGeometry:
    """Where in a sample the windows of a final layer can lie.

    Attributes
    ----------
    margin : tuple of int
        Elements at each end, along each spatial axis of a sample, that the borders of the
        activations reach: windows lie further inside.
    period : tuple of int
        Elements after which the layer repeats itself: windows start at multiples of it.
    """

    margin: tuple
    period: tuple


def window_geometry(final_layer):
    """Where in a sample the windows of a final layer can lie.

    Parameters
    ----------
    final_layer : FinalLayer
        A layer of images or signals.

    Returns
    -------
    WindowGeometry

    Raises
    ------
    ValueError
        If the layer does not treat all positions of a sample alike.

    Examples
    --------
    >>> import torch
    >>> from sklearn_flipad import FinalLayer
    >>> from sklearn_flipad.final_layer import window_geometry
    >>> module = torch.nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
    >>> layer = FinalLayer.from_module(module, input_shape=(8, 16, 16))
    >>> window_geometry(layer)
    WindowGeometry(margin=(1, 1), period=(2, 2))
    """
    operator = _image_of(final_layer)
    maps = operator.resized(_size_for(operator, operator.period)).axis_maps()
    axes = zip(maps, operator.period, operator.input_period, strict=True)
    return WindowGeometry(tuple(_margin(*axis) for axis in axes), tuple(operator.period))


def window_layer(final_layer, size):
    """The final layer of a window inside of a sample; see :meth:`FinalLayer.window`.

    Parameters
    ----------
    final_layer : FinalLayer
        A layer of images or signals.
    size : int or tuple of int
        Sides of the window.

    Returns
    -------
    FinalLayer

    Raises
    ------
    ValueError
        If the layer does not treat all positions of a sample alike, or `size` is not valid.
    """
    operator = _image_of(final_layer)
    size = _checked_size(size, len(operator.period))
    maps = operator.resized(_size_for(operator, size)).axis_maps()
    axes = zip(maps, size, operator.period, operator.input_period, strict=True)
    targets = [_inner_rows(*axis) for axis in axes]
    for links in (_without_borders(final_layer.links), final_layer.links):
        found = None if links is None else _fitted(links, operator, targets)
        if found is not None:
            break
    else:
        raise ValueError(f"No window of {size} of {final_layer} could be taken out.")
    links, spatial = found
    mean = final_layer.mean_activation
    mean = mean.reshape(len(mean), -1).mean(axis=1)
    input_shape = (len(mean), *spatial)
    return type(final_layer).from_links(
        links,
        input_shape=input_shape,
        bias=_bias_inside(final_layer, operator, size),
        mean_activation=np.broadcast_to(mean.reshape(-1, *[1] * len(spatial)), input_shape),
        activation=final_layer.activation,
        output_range=final_layer.output_range,
    )


def _image_of(layer):
    """The operator of a layer of which windows can be taken out."""
    operator = build_chain(layer.links, layer.input_shape)
    rearranged = layer.output_order is not None or layer.output_shape != operator.output_shape
    if operator.image is None or rearranged or len(operator.output_shape) < 2:
        raise ValueError(
            f"Windows are for layers that treat all positions of a sample alike, such as "
            f"convolutions; {layer!r} does not. Samples of its own size need no windows."
        )
    return operator.image


def _checked_size(size, n_axes):
    sides = tuple(size) if isinstance(size, tuple | list) else (size,) * n_axes
    ints = all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
    if len(sides) != n_axes or not ints or min(sides) < 1:
        raise ValueError(
            f"The size of a window must be a positive int, or one for each of {n_axes} axes, "
            f"got {size!r}."
        )
    return tuple(map(int, sides))


def _size_for(operator, size):
    """Inputs for which the middle of the output, of a given size, is far from the borders."""
    axes = zip(size, operator.period, operator.input_period, operator.reach, strict=True)
    # Reflections and intermediate paddings lie within the kernels' reach.
    return tuple(
        needed * (-(-side // period) + 4 * (-(-reach // needed) + 2))
        for side, period, needed, reach in axes
    )


def _middle(n_outputs, size, period):
    return period * ((n_outputs - size) // 2 // period)


def _margin(matrix, period, input_period):
    """Outputs at the ends whose rows are not those of the middle, shifted."""
    later, earlier = matrix[period:].tocsc(), matrix[:-period].tocsc()
    difference = abs(later[:, input_period:] - earlier[:, :-input_period]).sum(axis=1)
    # What a shift would push out of the axis, the borders have cut off.
    difference = difference + later[:, :input_period].sum(axis=1)
    difference = difference + earlier[:, -input_period:].sum(axis=1)
    odd = np.flatnonzero(np.asarray(difference).ravel() > _TOL)
    middle = _middle(matrix.shape[0], period, period)
    before = odd[odd < middle].max(initial=-1) + 1
    after = matrix.shape[0] - period - odd[odd >= middle].min(initial=matrix.shape[0] - period)
    return int(max(before, after))


def _inner_rows(matrix, size, period, input_period):
    """Rows of a window in the middle, and the inputs, whole periods, that they depend on."""
    start = _middle(matrix.shape[0], size, period)
    rows = matrix[start : start + size].tocsc()
    used = np.flatnonzero(np.diff(rows.indptr))
    first = used[0] // input_period * input_period
    stop = -(-(used[-1] + 1) // input_period) * input_period
    return rows, int(first), int(stop), input_period


def _without_borders(links):
    """The same kernels without paddings; None where terms of a sum would no longer match."""
    kept = []
    for link in links:
        arguments = link.arguments
        if link.kind == "sum":
            return None
        if link.kind == "conv":
            link = replace(link, arguments={**arguments, "padding": 0, "padding_mode": "zeros"})
        elif link.kind == "conv_transpose":
            taps = link.weight.shape[2:]
            steps = (_per_axis(arguments.get(name, 1), taps) for name in ("stride", "dilation"))
            axes = zip(taps, *steps, strict=True)
            # The full output but for what fewer taps reach than elsewhere.
            padding = tuple(max(d * (k - 1) + 1 - s, 0) for k, s, d in axes)
            link = replace(link, arguments={**arguments, "padding": padding, "output_padding": 0})
        elif link.kind == "pad" or (link.kind == "crop" and not any(arguments["margins"][0])):
            continue
        kept.append(link)
    return kept


def _per_axis(value, taps):
    return (value,) * len(taps) if isinstance(value, int) else value


def _fitted(links, operator, targets):
    """Links, perhaps with a crop, whose rows are the targets, and the size of their input."""
    channels, sizes, margins = operator.input_shape[0], [], []
    generous = [stop - first + 4 * period for _, first, stop, period in targets]
    for axis, (rows, first, stop, period) in enumerate(targets):
        found = None
        for more in range(4):
            low, high = first - more * period, stop + more * period
            size = [*generous]
            size[axis] = high - low
            try:
                matrix = build_chain(links, (channels, *size)).axis_maps()[axis]
            except ValueError:
                continue
            cut = _place_of(rows[:, low:high], matrix)
            if cut is not None:
                found = high - low, cut
                break
        if found is None:
            return None
        sizes.append(found[0])
        margins.append(found[1])
    if any(map(any, margins)):
        links = [*links, Link("crop", arguments={"margins": ((0, 0), *margins)})]
    return links, tuple(sizes)


def _place_of(rows, matrix):
    """How many rows of a matrix lie before and after those given; None if they are not in it."""
    rows, matrix = rows.tocsr(), matrix.tocsr()
    n_more = matrix.shape[0] - rows.shape[0]
    for before in range(n_more + 1):
        part = matrix[before : before + rows.shape[0]]
        # A padding that was left out had a factor of its own.
        difference = part * (rows.sum() / max(part.sum(), _TOL)) - rows
        if not difference.nnz or abs(difference).max() <= _TOL:
            return before, n_more - before
    return None


def _bias_inside(layer, operator, size):
    """The bias of a window; one that differs from place to place must repeat itself."""
    if layer.bias is None or layer.bias.ndim == 1:
        return layer.bias
    geometry = window_geometry(layer)
    margin, period = geometry.margin, geometry.period
    bias = layer.bias
    for axis, (m, p, side) in enumerate(zip(margin, period, size, strict=True), start=1):
        start, stop = -(-m // p) * p, bias.shape[axis] - m
        inner = np.moveaxis(bias, axis, 0)[start:stop]
        cell = inner[:p]
        again = np.resize(cell, inner.shape)
        if len(cell) < p or not np.allclose(again, inner, rtol=1e-5, atol=1e-6):
            raise ValueError(
                f"The bias of {layer!r} differs from place to place also inside of a sample, or "
                "the layer is too small to tell: trace the generator with larger outputs."
            )
        bias = np.moveaxis(np.resize(cell, (side, *cell.shape[1:])), 0, axis)
    return bias[(slice(None), *[0] * len(size))] if set(period) == {1} else bias
