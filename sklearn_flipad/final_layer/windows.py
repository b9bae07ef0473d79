"""Positions of the windows of a convolutional final layer."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.final_layer._positions import TOL, image_of, middle, size_for

__all__ = ["WindowGeometry", "window_geometry"]


@dataclass(frozen=True)
class WindowGeometry:
    """Positions that the windows of a final layer can have in a sample.

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
    """Find the positions that the windows of a final layer can have in a sample.

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
    operator = image_of(final_layer)
    maps = operator.resized(size_for(operator, operator.period)).axis_maps()
    axes = zip(maps, operator.period, operator.input_period, strict=True)
    return WindowGeometry(tuple(_margin(*axis) for axis in axes), tuple(operator.period))


def _margin(matrix, period, input_period):
    """Number of outputs at the ends whose rows are not those of the middle, shifted."""
    later, earlier = matrix[period:].tocsc(), matrix[:-period].tocsc()
    difference = abs(later[:, input_period:] - earlier[:, :-input_period]).sum(axis=1)
    # Entries that a shift would push out of the axis were cut off by the borders.
    difference = difference + later[:, :input_period].sum(axis=1)
    difference = difference + earlier[:, -input_period:].sum(axis=1)
    odd = np.flatnonzero(np.asarray(difference).ravel() > TOL)
    center = middle(matrix.shape[0], period, period)
    before = odd[odd < center].max(initial=-1) + 1
    after = matrix.shape[0] - period - odd[odd >= center].min(initial=matrix.shape[0] - period)
    return int(max(before, after))
