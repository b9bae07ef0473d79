"""Pictures inside the page: arrays as lossless PNG files, and small plots."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sklearn_flipad.base.optional import import_pyplot

__all__ = ["Picture", "figure_picture", "gray_picture", "line_plot", "signed_picture"]

#: Longer side of a picture on the page, in CSS pixels: small pictures are enlarged by a whole
#: factor up to the first, large ones reduced to the second. The file in the page has all pixels.
_ENLARGED, _REDUCED = 128, 256
#: Salt of the names of SVG elements, so that equal figures give equal files.
_SALT = "sklearn_flipad"


@dataclass(frozen=True)
class Picture:
    """A picture with a caption in plain text."""

    #: ``data:`` URI.
    uri: str
    caption: str
    #: Size on the page, in CSS pixels.
    width: int
    height: int
    #: Whether other pictures may stand beside it.
    is_tile: bool = False


def gray_picture(image, caption):
    """Picture of a uint8 image, shape (1 or 3, height, width)."""
    pixels = image[0] if len(image) == 1 else np.moveaxis(image, 0, 2)
    return _png(pixels, caption)


def signed_picture(values, limit, caption):
    """Picture of values, shape (height, width), from blue at -`limit` over white to red."""
    import_pyplot()
    from matplotlib import colormaps

    colors = colormaps["RdBu_r"](values / (2 * limit) + 0.5, bytes=True)
    return _png(np.ascontiguousarray(colors[..., :3]), caption)


def line_plot(lines, caption, *, ylabel):
    """Plot of signals by name, each of shape (n_channels, length), with axes for each channel."""
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
    """Picture of a matplotlib figure, as SVG."""
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
