"""Figures and axes to draw into, and pictures of arrays."""

from math import inf

import numpy as np

from sklearn_flipad.base.optional import import_pyplot
from sklearn_flipad.base.samples import check_samples

__all__ = ["axes_or_new", "draw_image", "draw_signed", "figure_or_new", "to_pixels"]


def axes_or_new(ax, **options):
    """The given axes, or those of a new figure."""
    plt = import_pyplot()
    return plt.subplots(**options)[1] if ax is None else ax


def figure_or_new(figure, width, height):
    """The given figure, or a new one of that size in inches."""
    plt = import_pyplot()
    if figure is None:
        return plt.figure(figsize=(width, height), layout="constrained")
    return figure


def to_pixels(images, output_range, *, clip=False):
    """Images, shape (n, height, width) or (n, height, width, 3), as uint8 or floats in [0, 1]."""
    value_range = (-inf, inf) if clip else None
    images = check_samples(
        None, images, output_range=output_range, value_range=value_range, images=True
    )
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(
            f"Images must have shape (n, 1 or 3 channels, height, width), got {images.shape}."
        )
    if images.dtype != np.uint8:
        low, high = output_range
        images = ((images - low) / (high - low)).clip(0, 1)
    images = np.moveaxis(images, 1, 3)
    return images[..., 0] if images.shape[3] == 1 else images


def draw_image(ax, pixels):
    """Draw one image of :func:`to_pixels`."""
    high = 255 if pixels.dtype == np.uint8 else 1
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=high, interpolation="nearest")
    ax.set(xticks=[], yticks=[])


def draw_signed(ax, values, limit, cmap):
    """Draw a map, shape (height, width), with colors from -`limit` to `limit`; for a color bar."""
    image = ax.imshow(values, cmap=cmap, vmin=-limit, vmax=limit, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    return image
