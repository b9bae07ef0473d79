"""The part of a convolutional final layer that a window of its output depends on."""

from numbers import Integral

import numpy as np

from sklearn_flipad.final_layer._positions import TOL, image_of, middle, size_for
from sklearn_flipad.final_layer.windows import window_geometry
from sklearn_flipad.operators.links.link import Link, build_chain

__all__ = ["window_layer"]


def window_layer(final_layer, size):
    """The final layer of a window inside of a sample; see :meth:`FinalLayer.window`."""
    operator = image_of(final_layer)
    size = _checked_size(size, len(operator.period))
    maps = operator.resized(size_for(operator, size)).axis_maps()
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
    return type(final_layer)(
        links,
        input_shape=input_shape,
        bias=_bias_inside(final_layer, operator, size),
        mean_activation=np.broadcast_to(mean.reshape(-1, *[1] * len(spatial)), input_shape),
        activation=final_layer.activation,
        output_range=final_layer.output_range,
    )


def _checked_size(size, n_axes):
    sides = tuple(size) if isinstance(size, tuple | list) else (size,) * n_axes
    ints = all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
    if len(sides) != n_axes or not ints or min(sides) < 1:
        raise ValueError(
            f"The size of a window must be a positive int, or one for each of {n_axes} axes, "
            f"got {size!r}."
        )
    return tuple(map(int, sides))


def _inner_rows(matrix, size, period, input_period):
    """Rows of a window in the middle, and the inputs, whole periods, that they depend on."""
    start = middle(matrix.shape[0], size, period)
    rows = matrix[start : start + size].tocsc()
    used = np.flatnonzero(np.diff(rows.indptr))
    first = used[0] // input_period * input_period
    stop = -(-(used[-1] + 1) // input_period) * input_period
    return rows, int(first), int(stop), input_period


def _without_borders(links):
    """Links without paddings, None if there are none that fit."""
    kept = []
    for link in links:
        inner = link.row.inner(link)
        if inner is None:
            return None
        kept.extend(inner)
    return kept


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
    """Number of rows of a matrix before and after those given; None if they are not in it."""
    rows, matrix = rows.tocsr(), matrix.tocsr()
    n_more = matrix.shape[0] - rows.shape[0]
    for before in range(n_more + 1):
        part = matrix[before : before + rows.shape[0]]
        # A padding that was left out scaled all rows alike.
        difference = part * (rows.sum() / max(part.sum(), TOL)) - rows
        if not difference.nnz or abs(difference).max() <= TOL:
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
