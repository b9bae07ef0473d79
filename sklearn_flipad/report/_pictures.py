"""Arrays as pictures inside the page: PNG files of their very pixels, and small plots."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sklearn_flipad.base.optional import import_pyplot

__all__ = ["Picture", "figure_picture", "gray_picture", "line_plot", "signed_picture"]

#: Longer side of a picture on the page, in CSS pixels: to enlarge small ones to, whole pixels at a
#: time, and to reduce large ones to. The file in the page has all pixels.
_ENLARGED, _REDUCED = 128, 256
#: What elements of figures are named by, so that the same figure is the same file.
_SALT = "sklearn_flipad"


@dataclass(frozen=True)
class Picture:
    """A picture, and what stands under it.

    Attributes
    ----------
    uri : str
        ``data:`` URI.
    caption : str
        Plain text.
    width, height : int
        Size on the page, in CSS pixels.
    is_tile : bool
        Whether others may stand beside it.
    """

    uri: str
    caption: str
    width: int
    height: int
    is_tile: bool = False


def gray_picture(image, caption):
    """A picture of gray levels, pixel by pixel, as a PNG file without loss.

    Parameters
    ----------
    image : ndarray of uint8, shape (1 or 3, height, width)
        The image.
    caption : str
        What it is.

    Returns
    -------
    Picture
    """
    pixels = image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)
    return _png(pixels, caption)


def signed_picture(values, limit, caption):
    """A picture of numbers of either sign: blue below zero, red above, white at it.

    Parameters
    ----------
    values : ndarray of float, shape (height, width)
        The numbers.
    limit : float
        Absolute value of full color, > 0.
    caption : str
        What they are.

    Returns
    -------
    Picture
    """
    import_pyplot()
    from matplotlib import colormaps

    colors = colormaps["RdBu_r"](values / (2 * limit) + 0.5, bytes=True)
    return _png(np.ascontiguousarray(colors[..., :3]), caption)


def line_plot(lines, caption, *, ylabel):
    """Signals over the number of the sample, a row for each channel.

    Parameters
    ----------
    lines : dict of str to ndarray of shape (n_channels, length)
        The signals by what they are called.
    caption : str
        What is shown.
    ylabel : str
        Name of the vertical axis.

    Returns
    -------
    Picture
    """
    from matplotlib.figure import Figure

    n_channels = len(next(iter(lines.values())))
    figure = Figure(figsize=(6.6, 0.6 + 1.0 * n_channels), layout="constrained")
    axes = figure.subplots(n_channels, squeeze=False, sharex=True)[:, 0]
    for index, ax in enumerate(axes):
        for name, values in lines.items():
            ax.plot(values[index], linewidth=0.7, label=name)
        ax.tick_params(labelsize="x-small")
        ax.set_ylabel(ylabel, fontsize="x-small")
    axes[-1].set_xlabel("time, in samples", fontsize="x-small")
    if len(lines) > 1:
        axes[0].legend(fontsize="x-small", loc="upper right")
    return figure_picture(figure, caption)


def figure_picture(figure, caption):
    """A figure of matplotlib as an SVG image.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    caption : str
        What it shows.

    Returns
    -------
    Picture
    """
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": _SALT}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    width, height = figure.get_size_inches() * 96
    return Picture(_uri("svg+xml", file.getvalue()), caption, round(width), round(height))


def _png(pixels, caption):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    height, width = pixels.shape[:2]
    side = max(height, width)
    scale = max(1, _ENLARGED // side) if side <= _REDUCED else _REDUCED / side
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Picture(_uri("png", file.getvalue()), caption, *size, is_tile=True)


def _uri(kind, content):
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
