"""Sets of models that cannot be excluded, by source."""

import numpy as np

from sklearn_flipad.plotting._figures import figure_or_new

__all__ = ["PredictionSetDisplay"]


class PredictionSetDisplay:
    """Models in the prediction sets of each source, and the sizes of the sets.

    Each row is a source. The matrix shows the share of its samples whose set contains the model.
    For a source that is one of the models, its own column should be at least one minus the
    false-negative rate, and the other cells small. The bars beside it show the shares of sets that
    are empty, or contain one model, or several. Pass file names as the source to get a row for
    each file.

    It is recommended to use :meth:`from_estimator` or :meth:`from_evidence`.

    Parameters
    ----------
    shares : ndarray, shape (n_sources, n_models)
        Shares of the samples of each source whose set contains the model, in [0, 1].
    sizes : ndarray, shape (n_sources, 3)
        Shares of the samples of each source whose set is empty, contains one model, or several.
    sources : sequence of str, shape (n_sources,)
        Names of the sources.
    models : sequence of str, shape (n_models,)
        Names of the models.

    Attributes
    ----------
    axes_ : ndarray of matplotlib.axes.Axes, shape (2,)
        The axes of the matrix and of the sizes.
    figure_ : matplotlib.figure.Figure or matplotlib.figure.SubFigure
        The figure.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.plotting import PredictionSetDisplay
    >>> shares = np.array([[0.99, 0.2], [0.0, 0.1]])
    >>> sizes = np.array([[0.0, 0.81, 0.19], [0.9, 0.1, 0.0]])
    >>> display = PredictionSetDisplay(shares, sizes, ["a", "photographs"], ["a", "b"]).plot()
    """

    def __init__(self, shares, sizes, sources, models):
        self.shares = shares
        self.sizes = sizes
        self.sources = sources
        self.models = models

    @classmethod
    def from_estimator(cls, attributor, X, source, *, fnr=None, figure=None):
        """Predict the sets of suspects and draw them.

        Parameters
        ----------
        attributor : OpenSetAttributor
            Fitted attributor.
        X : array-like, shape (n, ...)
            Suspects.
        source : array-like of str, shape (n,)
            Source or name of each suspect.
        fnr : float, default=None
            Level, see :meth:`sklearn_flipad.OpenSetAttributor.evidence`.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        PredictionSetDisplay

        Raises
        ------
        ValueError
            If `source` has another length than X, or as in ``evidence``.
        """
        return cls.from_evidence(attributor.evidence(X, fnr=fnr), source, figure=figure)

    @classmethod
    def from_evidence(cls, evidence, source, *, figure=None):
        """Draw the sets of evidence.

        Parameters
        ----------
        evidence : OpenSetEvidence
            Result of :meth:`sklearn_flipad.OpenSetAttributor.evidence`.
        source : array-like of str, shape (n,)
            Source or name of each suspect.
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        PredictionSetDisplay
            Sources are in the order in which they first occur.

        Raises
        ------
        ValueError
            If `source` has another length than the evidence.
        """
        sets, source = evidence.sets, np.asarray(source)
        if source.shape != (len(sets),):
            raise ValueError(
                f"source must name each of the {len(sets)} suspects, got shape {source.shape}."
            )
        n_models = sets.sum(axis=1)
        sizes = np.stack([n_models == 0, n_models == 1, n_models > 1], axis=1)
        names = list(dict.fromkeys(source.tolist()))
        groups = [source == name for name in names]
        display = cls(
            np.stack([sets[rows].mean(axis=0) for rows in groups]),
            np.stack([sizes[rows].mean(axis=0) for rows in groups]),
            [str(name) for name in names],
            evidence.models.tolist(),
        )
        return display.plot(figure=figure)

    def plot(self, figure=None):
        """Draw the matrix and the sizes.

        Parameters
        ----------
        figure : matplotlib.figure.Figure or SubFigure, default=None
            Where to draw; a new figure by default.

        Returns
        -------
        PredictionSetDisplay
        """
        n_sources, n_models = np.shape(self.shares)
        figure = figure_or_new(figure, 0.55 * n_models + 5, 0.36 * n_sources + 1.8)
        axes = figure.subplots(1, 2, sharey=True, width_ratios=[max(n_models, 3), 4])
        axes[0].imshow(self.shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(self.shares):
            if share > 0:
                color = "white" if share > 0.5 else "black"
                text = f"{share:.2f}" if share >= 0.005 else "<.01"
                axes[0].text(
                    column, row, text, ha="center", va="center", color=color, fontsize="small"
                )
        axes[0].set_xticks(
            range(n_models), self.models, rotation=45, ha="right", rotation_mode="anchor"
        )
        axes[0].set_yticks(range(n_sources), self.sources)
        axes[0].set(xlabel="model that cannot be excluded", ylabel="source")
        left = np.zeros(n_sources)
        for share, label, color in zip(
            np.transpose(self.sizes), ("none", "one", "several"), ("0.8", "C0", "C1"), strict=True
        ):
            axes[1].barh(range(n_sources), share, left=left, height=0.7, color=color, label=label)
            left = left + share
        axes[1].set(xlim=(0, 1), xlabel="share of the samples")
        axes[1].legend(
            title="models in the set",
            ncols=3,
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            fontsize="small",
            title_fontsize="small",
            frameon=False,
        )
        self.axes_, self.figure_ = axes, figure
        return self
