"""Grids of samples (Figure 7 of the paper) and of perturbed samples (Figure 16)."""

from functools import partial

from sklearn.base import clone

from sklearn_flipad.evaluation.perturbations import named
from sklearn_flipad.generators.sampling import sample
from sklearn_flipad.plotting._figures import draw_image, figure_or_new, to_pixels
from sklearn_flipad.plotting._spectrograms import draw_spectrogram, to_spectrograms

__all__ = ["PerturbationDisplay", "SampleGridDisplay"]


class _SampleDisplay:
    """A display of images or signals by name."""

    def __init__(self, images, *, output_range=(-1, 1), kind="image"):
        self.images = images
        self.output_range = output_range
        self.kind = kind

    def _pictures(self):
        """Arrays to draw by name, and a function that draws one of them into axes."""
        if self.kind == "image":
            images = self.images.items()
            return {name: to_pixels(x, self.output_range) for name, x in images}, draw_image
        if self.kind != "spectrogram":
            raise ValueError(f"kind must be 'image' or 'spectrogram', got {self.kind!r}.")
        pictures = {name: to_spectrograms(signals) for name, signals in self.images.items()}
        loudest = max(picture.max() for picture in pictures.values())
        return pictures, partial(draw_spectrogram, loudest=loudest)


class SampleGridDisplay(_SampleDisplay):
    """Samples side by side, a row for each source.

    It is recommended to use :meth:`from_samples` or :meth:`from_generators`.

    Parameters
    ----------
    images : dict of str to array-like, shape (n, channels, height, width) or (n, 1, length)
        Images or signals of each source, in the order of the rows.
    output_range : pair of float, default=(-1, 1)
        Values of black and white, for images that are not uint8.
    kind : {"image", "spectrogram"}, default="image"
        Draw samples as images, or signals as spectrograms. Spectrograms share one color scale,
        from the loudest value down to black at 80 dB less.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_sources, n_columns)
        The axes.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.

    References
    ----------
    Figure 7 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> from sklearn_flipad.datasets import load_fashion_sample
    >>> from sklearn_flipad.plotting import SampleGridDisplay
    >>> display = SampleGridDisplay.from_samples({"real": load_fashion_sample(4)})
    >>> display.axes_.shape
    (1, 4)
    """

    @classmethod
    def from_samples(cls, images, *, output_range=(-1, 1), kind="image", figure=None):
        """Draw given samples.

        Parameters
        ----------
        images : dict of str to array-like, shape (n, channels, height, width) or (n, 1, length)
            Images or signals of each source.
        output_range : pair of float, default=(-1, 1)
            Values of black and white, for images that are not uint8.
        kind : {"image", "spectrogram"}, default="image"
            See the class.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        SampleGridDisplay
        """
        return cls(images, output_range=output_range, kind=kind).plot(figure=figure)

    @classmethod
    def from_generators(cls, generators, *, n_samples=8, random_state=0, figure=None):
        """Draw samples of generators.

        Parameters
        ----------
        generators : dict of str to torch.nn.Module
            Image generators with an attribute ``latent_shape`` or a method ``sampler``.
        n_samples : int, default=8
            Images per generator.
        random_state : int, default=0
            Seed of the latents, the same for all generators.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        SampleGridDisplay
        """
        images = {
            name: sample(generator, n_samples, random_state=random_state)
            for name, generator in generators.items()
        }
        return cls.from_samples(images, figure=figure)

    def plot(self, figure=None):
        """Draw the grid.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        SampleGridDisplay

        Raises
        ------
        ValueError
            If images do not have 1 or 3 channels, or signals more than one.
        """
        rows, draw = self._pictures()
        n_columns = max(len(images) for images in rows.values())
        figure = figure_or_new(figure, n_columns + 0.8, len(rows) + 0.2)
        axes = figure.subplots(len(rows), n_columns, squeeze=False)
        for line, (name, images) in zip(axes, rows.items(), strict=True):
            for ax in line[len(images) :]:
                ax.set_axis_off()
            for ax, image in zip(line, images, strict=False):
                draw(ax, image)
            line[0].set_ylabel(name, fontsize="small")
        self.axes_, self.figure_ = axes, figure
        return self


class PerturbationDisplay(_SampleDisplay):
    """A few samples under several perturbations, a row for each sample.

    It is recommended to use :meth:`from_perturbations`.

    Parameters
    ----------
    images : dict of str to array-like, shape (n, channels, height, width) or (n, 1, length)
        The samples under each perturbation, in the order of the columns.
    output_range : pair of float, default=(-1, 1)
        Values of black and white, for images that are not uint8.
    kind : {"image", "spectrogram"}, default="image"
        See :class:`SampleGridDisplay`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (n_samples, n_perturbations + 1)
        The axes.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.

    References
    ----------
    Figure 16 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> from sklearn_flipad.datasets import load_fashion_sample
    >>> from sklearn_flipad.evaluation.perturbations import GaussianBlur, JPEGCompression
    >>> from sklearn_flipad.plotting import PerturbationDisplay
    >>> display = PerturbationDisplay.from_perturbations(
    ...     [GaussianBlur(3, sigma=1.0), JPEGCompression(50)], load_fashion_sample(2)
    ... )
    >>> display.axes_.shape
    (2, 3)
    """

    @classmethod
    def from_perturbations(
        cls, perturbations, X, *, output_range=(-1, 1), kind="image", figure=None
    ):
        """Perturb samples and draw them beside the originals.

        Parameters
        ----------
        perturbations : sequence of transformer, or dict of str to transformer
            Perturbations. The keys of a dict are the titles of the columns; by default titles
            are class and parameters.
        X : array-like, shape (n, channels, height, width) or (n, 1, length)
            A few samples.
        output_range : pair of float, default=(-1, 1)
            Values of black and white, for images that are not uint8.
        kind : {"image", "spectrogram"}, default="image"
            See :class:`SampleGridDisplay`.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        PerturbationDisplay
        """
        images = {"original": X}
        for name, perturbation in named(perturbations).items():
            images[name] = clone(perturbation).fit_transform(X)
        return cls(images, output_range=output_range, kind=kind).plot(figure=figure)

    def plot(self, figure=None):
        """Draw the grid.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        PerturbationDisplay

        Raises
        ------
        ValueError
            If images do not have 1 or 3 channels, or signals more than one.
        """
        columns, draw = self._pictures()
        n_samples = len(columns["original"])
        figure = figure_or_new(figure, 1.5 * len(columns), 1.4 * n_samples + 0.4)
        axes = figure.subplots(n_samples, len(columns), squeeze=False)
        for line, (name, images) in zip(axes.T, columns.items(), strict=True):
            for ax, image in zip(line, images, strict=True):
                draw(ax, image)
            line[0].set_title(name.replace("(", "\n("), fontsize="x-small")
        self.axes_, self.figure_ = axes, figure
        return self
