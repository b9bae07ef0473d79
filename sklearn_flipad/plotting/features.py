"""Average features by source and channel (Figures 4 and 8 to 15 of the paper)."""

import numpy as np

from sklearn_flipad.plotting._figures import figure_or_new

__all__ = ["FeatureMapDisplay"]


class FeatureMapDisplay:
    """Average feature maps, a row for each channel and a column for each source.

    It is recommended to use :meth:`from_estimator` or :meth:`from_features`.

    Parameters
    ----------
    maps : ndarray, shape (n_sources, n_channels, height, width)
        Average features.
    sources : sequence of str
        Names of the columns.
    channels : sequence of int
        Names of the rows.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_channels, n_sources)
        The axes.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.

    References
    ----------
    Figures 4 and 13 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.plotting import FeatureMapDisplay
    >>> features = np.random.default_rng(0).normal(size=(6, 4, 8, 8))
    >>> display = FeatureMapDisplay.from_features(features, ["a", "b"] * 3, channels=2)
    >>> display.maps.shape
    (2, 2, 8, 8)
    """

    def __init__(self, maps, *, sources, channels):
        self.maps = maps
        self.sources = sources
        self.channels = channels

    @classmethod
    def from_estimator(cls, transformer, X, source, *, channels=3, figure=None, **kwargs):
        """Compute the features of samples and draw their averages.

        Parameters
        ----------
        transformer : transformer
            Transformer to features of shape ``(n, n_channels, height, width)``.
        X : array-like, shape (n, ...)
            Samples.
        source : array-like of str, shape (n,)
            Source of each sample.
        channels : int or sequence of int, default=3
            See :meth:`from_features`.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        FeatureMapDisplay
        """
        features = transformer.transform(X)
        return cls.from_features(features, source, channels=channels, figure=figure, **kwargs)

    @classmethod
    def from_features(cls, features, source, *, channels=3, figure=None, **kwargs):
        """Draw the averages of given features.

        Parameters
        ----------
        features : array-like, shape (n, n_channels, height, width)
            Features.
        source : array-like of str, shape (n,)
            Source of each sample.
        channels : int or sequence of int, default=3
            Channels to draw, or the number of channels: those whose averages differ most between
            the sources, relative to their variation within the sources.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        FeatureMapDisplay

        Raises
        ------
        ValueError
            If `features` are not four-dimensional.
        """
        features, source = np.asarray(features), np.asarray(source)
        if features.ndim != 4:
            raise ValueError(
                f"features must have shape (n, n_channels, height, width), got {features.shape}."
            )
        names = list(dict.fromkeys(source))
        maps = np.stack([features[source == name].mean(axis=0) for name in names])
        if isinstance(channels, int):
            within = np.mean([features[source == name].std(axis=0) for name in names], axis=0)
            spread = maps.std(axis=0).mean(axis=(1, 2)) / (within.mean(axis=(1, 2)) + 1e-12)
            channels = np.sort(np.argsort(-spread, kind="stable")[:channels])
        channels = [int(channel) for channel in channels]
        display = cls(maps[:, channels], sources=[str(n) for n in names], channels=channels)
        return display.plot(figure=figure, **kwargs)

    def plot(self, figure=None, *, cmap="viridis", **kwargs):
        """Draw the maps, with one color scale for each row.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.
        cmap : str or Colormap, default="viridis"
            Colors.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        FeatureMapDisplay
        """
        n_sources, n_channels = self.maps.shape[:2]
        figure = figure_or_new(figure, 1.4 * n_sources + 0.6, 1.4 * n_channels + 0.4)
        axes = figure.subplots(n_channels, n_sources, squeeze=False)
        for row, channel in enumerate(self.channels):
            low, high = np.quantile(self.maps[:, row], [0.01, 0.99])
            for column, source in enumerate(self.sources):
                ax = axes[row, column]
                ax.imshow(self.maps[column, row], cmap=cmap, vmin=low, vmax=high, **kwargs)
                ax.set(xticks=[], yticks=[])
                if row == 0:
                    ax.set_title(source, fontsize="small")
                if column == 0:
                    ax.set_ylabel(f"channel {channel}", fontsize="small")
        self.axes_, self.figure_ = axes, figure
        return self
