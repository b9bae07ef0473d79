"""Likelihood ratios in words."""

from dataclasses import dataclass

import numpy as np

__all__ = ["ENFSI_SCALE", "VerbalScale"]


@dataclass(frozen=True)
class VerbalScale:
    """Verbal equivalents of likelihood ratios.

    Parameters
    ----------
    limits : tuple of float
        Ratios at which the next word begins, ascending and greater than 1.
    words : tuple of str
        Degrees of support, one more than limits; the first is for ratios from 1 to the first limit
        and may be None: that these support neither proposition.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import ENFSI_SCALE
    >>> ENFSI_SCALE.words_of([0.1, 2.5, -4.0])  # doctest: +NORMALIZE_WHITESPACE
    ['no support for either', 'moderately strong support for the first',
     'very strong support for the second']
    """

    limits: tuple
    words: tuple

    def __post_init__(self):
        limits = np.asarray(self.limits, dtype=float)
        if not (len(limits) and limits[0] > 1 and (np.diff(limits) > 0).all()):
            raise ValueError(f"limits must ascend and be greater than 1, got {self.limits!r}.")
        if len(self.words) != len(limits) + 1:
            raise ValueError(
                f"words must be one more than the {len(limits)} limits, got {len(self.words)}."
            )

    def degree(self, log10_lr):
        """Degree of support of a ratio for either proposition; None for neither.

        Parameters
        ----------
        log10_lr : float
            Logarithm to base 10.

        Returns
        -------
        str or None

        Raises
        ------
        ValueError
            If the ratio is NaN.
        """
        if np.isnan(log10_lr):
            raise ValueError("A ratio is NaN: there is none, and no words for it.")
        # Half a unit in the last place: 10 ** 2 is 100, not a little less.
        place = np.searchsorted(np.log10(self.limits), abs(log10_lr) + 1e-12, side="right")
        return self.words[place]

    def words_of(self, log10_lr):
        """Words for ratios of a first against a second proposition.

        Parameters
        ----------
        log10_lr : array-like of shape (n,)
            Logarithms to base 10.

        Returns
        -------
        list of str

        Raises
        ------
        ValueError
            If a ratio is NaN.
        """
        found = []
        for value in np.asarray(log10_lr, dtype=float):
            degree = self.degree(value)
            side = "first" if value > 0 else "second"
            found.append("no support for either" if degree is None else f"{degree} for the {side}")
        return found


#: Scale of the European Network of Forensic Science Institutes, "Guideline for evaluative
#: reporting in forensic science", 2015.
ENFSI_SCALE = VerbalScale(
    limits=(2, 10, 100, 1000, 10_000, 1_000_000),
    words=(
        None,
        "weak support",
        "moderate support",
        "moderately strong support",
        "strong support",
        "very strong support",
        "extremely strong support",
    ),
)
