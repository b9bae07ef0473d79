"""Suspects, their reproductions, and the differences."""

import numpy as np

from sklearn_flipad.plotting._figures import draw_image, draw_signed, figure_or_new, to_pixels

__all__ = ["ReproductionDisplay"]


class ReproductionDisplay:
    """Suspects beside their reproductions and the differences, a row for each.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    suspects : array-like of uint8, shape (n, channels, height, width)
        The samples.
    result : ReconstructionResult
        Their reconstructions, as a detector's ``reconstruct`` returns them.
    names : sequence of str, default=None
        Names of the rows.
    limit : float, default=4
        End of the color scale of the differences, in gray levels; larger differences have the
        same color.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (n, 3)
        The axes.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.
    """

    def __init__(self, suspects, result, *, names=None, limit=4):
        self.suspects = suspects
        self.result = result
        self.names = names
        self.limit = limit

    @classmethod
    def from_estimator(cls, detector, X, *, names=None, limit=4, figure=None):
        """Reconstruct samples and draw them.

        Parameters
        ----------
        detector : estimator
            Fitted detector with a method ``reconstruct``, or a fitted attributor that has one as
            its detector.
        X : array-like of uint8, shape (n, channels, height, width)
            A few samples.
        names : sequence of str, default=None
            Names of the rows.
        limit : float, default=4
            End of the color scale of the differences, in gray levels.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        ReproductionDisplay
        """
        while not hasattr(detector, "reconstruct"):
            detector = detector[-1] if hasattr(detector, "steps") else detector.estimator_
        return cls(X, detector.reconstruct(X), names=names, limit=limit).plot(figure=figure)

    def plot(self, figure=None):
        """Draw the rows.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        ReproductionDisplay

        Raises
        ------
        ValueError
            If the samples are not uint8 images with 1 or 3 channels.
        """
        X = np.asarray(self.suspects)
        made = np.asarray(self.result.reconstructions)
        if X.dtype != np.uint8 or made.dtype != np.uint8:
            raise ValueError("Differences can be drawn of gray levels (uint8) only.")
        difference = (X.astype(int) - made).mean(axis=1)
        n = len(X)
        figure = figure_or_new(figure, 5, 1.5 * n + 0.5)
        axes = figure.subplots(n, 3, squeeze=False)
        shown, shown_made = (to_pixels(part, (-1, 1)) for part in (X, made))
        for row, (suspect, reproduction, rest) in enumerate(axes):
            draw_image(suspect, shown[row])
            draw_image(reproduction, shown_made[row])
            picture = draw_signed(rest, difference[row], self.limit, "RdBu_r")
            rest.set_xlabel(
                f"RMS {self.result.distances[row]:.2f}, {self.result.equal[row]:.0%} equal",
                fontsize="small",
            )
            if self.names is not None:
                suspect.set_ylabel(self.names[row], fontsize="small")
        for ax, title in zip(axes[0], ("suspect", "reproduction", "difference"), strict=True):
            ax.set_title(title, fontsize="small")
        figure.colorbar(
            picture, ax=axes[:, 2], shrink=min(1, 2 / n + 0.2), label="gray levels", extend="both"
        )
        self.axes_, self.figure_ = axes, figure
        return self
