"""Samples, their inversions through the final layer, and their reconstructions."""

from numbers import Integral

import numpy as np

from sklearn_flipad.base.gray_levels import from_gray_levels
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.plotting._figures import draw_image, draw_signed, figure_or_new, to_pixels

__all__ = ["InversionDisplay"]


class InversionDisplay:
    """Inversions of a few samples, a row for each.

    The columns are the sample, its reconstruction from the estimated activations, the
    residual (the sample minus its reconstruction), and some channels of the activation change
    (the estimated minus the mean activation). All residuals share one color scale, and so do all
    activation changes.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    samples : ndarray, shape (n, 1 or 3, height, width)
        Samples, as values of the final layer's output.
    reconstructions : ndarray, shape (n, 1 or 3, height, width)
        Their reconstructions.
    changes : ndarray, shape (n, n_channels, height, width)
        Activation changes of the channels to draw.
    channels : sequence of int, shape (n_channels,)
        Indices of these channels.
    source : sequence of str, shape (n,), default=None
        Names of the rows.
    output_range : pair of float, default=(-1, 1)
        Values of black and white.

    Attributes
    ----------
    residuals : ndarray, shape (n, 1 or 3, height, width)
        Samples minus reconstructions. In color images, the largest residual by magnitude of the
        three colors is drawn for each pixel.
    axes_ : ndarray of matplotlib.axes.Axes, shape (n, 3 + n_channels)
        The axes.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.

    See Also
    --------
    FeatureMapDisplay : Averages over the samples of each source.

    References
    ----------
    Section 4.3 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> from sklearn_flipad import FinalLayer, FinalLayerInverter
    >>> from sklearn_flipad.datasets import load_fashion_sample
    >>> from sklearn_flipad.zoo import load_pretrained
    >>> from sklearn_flipad.plotting import InversionDisplay
    >>> generator = load_pretrained("fashion/dcgan-0")
    >>> layer = FinalLayer.from_generator(generator, n_samples=100, random_state=0)
    >>> display = InversionDisplay.from_estimator(
    ...     FinalLayerInverter(layer), load_fashion_sample(2), channels=[0, 5]
    ... )
    >>> display.changes.shape
    (2, 2, 16, 16)
    """

    def __init__(
        self, samples, reconstructions, changes, *, channels, source=None, output_range=(-1, 1)
    ):
        self.samples = samples
        self.reconstructions = reconstructions
        self.changes = changes
        self.channels = channels
        self.source = source
        self.output_range = output_range

    @property
    def residuals(self):
        """Samples minus reconstructions."""
        return self.samples - self.reconstructions

    @classmethod
    def from_estimator(cls, inverter, X, source=None, *, channels=3, figure=None):
        """Invert samples and draw the result.

        Parameters
        ----------
        inverter : FinalLayerInverter
            Inverter whose final layer maps feature maps to images. Activations are drawn in their
            full shape, whatever its `pool_size`.
        X : array-like, shape (n, *output_shape) or (n, n_features)
            A few samples, as :meth:`FinalLayerInverter.invert` takes them.
        source : array-like of str, shape (n,), default=None
            Names of the rows, such as the source of each sample.
        channels : int or sequence of int, default=3
            Channels to draw, or the number of channels: those whose activations change most, by
            the mean absolute value over X.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        InversionDisplay

        Raises
        ------
        ValueError
            If the layer's samples are not images, or its activations not feature maps, if
            `channels` is out of range, if `source` has another length than X, or as in
            :meth:`FinalLayerInverter.invert`.
        """
        layer = inverter.final_layer
        _check_image_layer(layer)
        _check_channels(channels, layer.input_shape[0])
        activations = inverter.invert(X).activations
        samples = as_array(X).reshape(len(activations), *layer.output_shape)
        samples = from_gray_levels(samples, layer.output_range)
        changes = activations - layer.mean_activation
        if isinstance(channels, Integral):
            size = np.abs(changes).mean(axis=(0, 2, 3))
            channels = np.sort(np.argsort(-size, kind="stable")[:channels])
        channels = [int(channel) for channel in channels]
        display = cls(
            samples,
            inverter.inverse_transform(activations),
            changes[:, channels],
            channels=channels,
            source=None if source is None else [str(name) for name in source],
            output_range=layer.output_range or (samples.min(), samples.max()),
        )
        return display.plot(figure=figure)

    def plot(self, figure=None, *, cmap="RdBu_r"):
        """Draw the rows.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.
        cmap : str or Colormap, default="RdBu_r"
            Diverging colors of the residuals and of the activation changes.

        Returns
        -------
        InversionDisplay

        Raises
        ------
        ValueError
            If the samples do not have 1 or 3 channels, or `source` has another length.
        """
        n_samples, n_channels = self.changes.shape[:2]
        if self.source is not None and len(self.source) != n_samples:
            raise ValueError(
                f"source must name each of the {n_samples} samples, got {len(self.source)} names."
            )
        images = [
            to_pixels(x, self.output_range, clip=True) for x in (self.samples, self.reconstructions)
        ]
        residuals = self.residuals
        largest = np.abs(residuals).argmax(axis=1, keepdims=True)
        residuals = np.take_along_axis(residuals, largest, axis=1)
        figure = figure_or_new(figure, 1.4 * (3 + n_channels) + 0.3, 1.4 * n_samples + 0.8)
        axes = figure.subplots(n_samples, 3 + n_channels, squeeze=False)
        for column, shown in zip(axes.T, images, strict=False):
            for ax, image in zip(column, shown, strict=True):
                draw_image(ax, image)
        _draw_on_one_scale(axes[:, 2:3], residuals, cmap, "sample - reconstruction")
        _draw_on_one_scale(axes[:, 3:], self.changes, cmap, "estimated - mean activation")
        titles = ["sample", "reconstruction", "residual"]
        titles += [f"channel {channel}" for channel in self.channels]
        for ax, title in zip(axes[0], titles, strict=True):
            ax.set_title(title, fontsize="small")
        for ax, name in zip(axes[:, 0], self.source or [], strict=False):
            ax.set_ylabel(name, fontsize="small")
        self.axes_, self.figure_ = axes, figure
        return self


def _check_image_layer(layer):
    samples, activations = layer.output_shape, layer.input_shape
    if len(samples) != 3 or samples[0] not in (1, 3) or len(activations) != 3:
        raise ValueError(
            "InversionDisplay needs a final layer from activations of shape (channels, height, "
            "width) to images of shape (1 or 3 channels, height, width), got one from "
            f"{activations} to {samples}."
        )


def _check_channels(channels, n_channels):
    if isinstance(channels, Integral):
        valid = 1 <= channels <= n_channels
    else:
        valid = len(channels) > 0 and all(0 <= channel < n_channels for channel in channels)
    if not valid:
        raise ValueError(
            f"channels must be a number from 1 to {n_channels}, or a sequence of indices from 0 "
            f"to {n_channels - 1}, got {channels!r}."
        )


def _draw_on_one_scale(axes, maps, cmap, label):
    """Draw maps on one color scale, symmetric about 0, with a color bar below."""
    limit = np.abs(maps).max() or 1.0
    for line, row in zip(axes, maps, strict=True):
        for ax, values in zip(line, row, strict=True):
            image = draw_signed(ax, values, limit, cmap)
    options = {"location": "bottom", "pad": 0.02, "aspect": 10 * axes.shape[1]}
    bar = axes[0, 0].figure.colorbar(image, ax=axes, ticks=[-limit, 0, limit], **options)
    bar.ax.set_xticklabels([f"{-limit:.2g}", "0", f"{limit:.2g}"], fontsize="x-small")
    bar.set_label(label, fontsize="x-small")
