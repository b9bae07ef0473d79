"""Systems of likelihood ratios: a calibrator, its bounds and its uncertainty."""

from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Integral

import numpy as np

from sklearn_flipad.calibration._scores import check_probability, check_scores
from sklearn_flipad.calibration.likelihood_ratios.base import LRCalibrator
from sklearn_flipad.calibration.likelihood_ratios.bounds import ELUB, LRBounds
from sklearn_flipad.calibration.likelihood_ratios.gaussian import GaussianLR
from sklearn_flipad.calibration.likelihood_ratios.isotonic import IsotonicLR
from sklearn_flipad.calibration.likelihood_ratios.kernel_density import KernelDensityLR
from sklearn_flipad.calibration.likelihood_ratios.logistic import LogisticLR

__all__ = ["LR_CALIBRATORS", "LRSystem", "LikelihoodRatios", "as_lr_system"]

#: Calibrators by name, with their default settings.
LR_CALIBRATORS = {
    "logistic": LogisticLR(),
    "isotonic": IsotonicLR(),
    "kernel_density": KernelDensityLR(),
    "gaussian": GaussianLR(),
}


@dataclass(frozen=True, eq=False)
class LikelihoodRatios:
    """Likelihood ratios of suspects, within the bounds of what the calibration samples support.

    Attributes
    ----------
    log10_lr : ndarray of float64, shape (n,)
        Logarithms to base 10: positive for the model, negative for the reference population. A
        single number for suspects that were weighed together.
    interval : ndarray of float64, shape (n, 2)
        Confidence interval of each, by a bootstrap over both sets of calibration samples.
    bounds : tuple of float
        Smallest and largest logarithm that is reported.
    at_bound : ndarray of bool, shape (n,)
        Whether each ratio is a bound: the calibration samples support no stronger one. Of suspects
        that were weighed together, whether any of theirs is.
    confidence : float
        Confidence of each interval.
    """

    log10_lr: np.ndarray
    interval: np.ndarray
    bounds: tuple
    at_bound: np.ndarray
    confidence: float


@dataclass(frozen=True)
class LRSystem:
    """Likelihood ratios with bounds, and intervals for the chance of the calibration samples.

    Parameters
    ----------
    calibrator : LRCalibrator, default=LogisticLR()
        From scores to ratios.
    bounds : LRBounds or None, default=ELUB()
        What the calibration samples support; ratios beyond are reported as the bound. None for no
        bounds.
    confidence : float, default=0.95
        Confidence of the intervals, in (0, 1).
    n_bootstrap : int, default=200
        Number of pairs of calibration sets, each drawn with replacement from the two, to which
        calibrator and bounds are fitted anew. They are the same for the same scores.

    See Also
    --------
    sklearn_flipad.FNRThresholdCalibrator : Takes one as ``lr``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.calibration.likelihood_ratios import LRSystem
    >>> rng = np.random.default_rng(0)
    >>> own, reference = rng.normal(0, 1, 200), rng.normal(3, 1, 500)
    >>> found = LRSystem().weigh(own, reference, [-3.0, 1.0, 5.0])
    >>> found.log10_lr.round(1)
    array([ 1.7,  0.7, -2. ])
    >>> found.at_bound
    array([ True, False,  True])
    """

    calibrator: LRCalibrator = field(default_factory=LogisticLR)
    bounds: LRBounds | None = field(default_factory=ELUB)
    confidence: float = 0.95
    n_bootstrap: int = 200

    def __post_init__(self):
        if not isinstance(self.calibrator, LRCalibrator):
            raise TypeError(f"calibrator must be an LRCalibrator, got {self.calibrator!r}.")
        if not isinstance(self.bounds, LRBounds | None):
            raise TypeError(f"bounds must be an LRBounds or None, got {self.bounds!r}.")
        check_probability("confidence", self.confidence)
        if not isinstance(self.n_bootstrap, Integral) or self.n_bootstrap < 2:
            raise ValueError(f"n_bootstrap must be at least 2, got {self.n_bootstrap!r}.")

    def weigh(self, own_scores, reference_scores, scores):
        """Weigh each suspect.

        Parameters
        ----------
        own_scores, reference_scores : array-like of shape (n,), (m,)
            Anomaly scores of samples of the model and of the reference population that the
            detector was not fitted to.
        scores : array-like of shape (n_suspects,)
            Anomaly scores of suspects.

        Returns
        -------
        LikelihoodRatios

        Raises
        ------
        ValueError
            As :meth:`LRCalibrator.log10_lr`.
        """
        return self._weighed(own_scores, reference_scores, scores, together=False)

    def weigh_together(self, own_scores, reference_scores, scores):
        """Weigh suspects of one source, whose scores are independent given the source.

        The ratio is the product of those of the suspects, and so are its bounds. The interval is
        that of the product: the calibration samples are the same for all, so that their chance
        does not average out. Copies, frames of a clip and variants of a sample are not
        independent, and the product overstates what they show.

        Parameters
        ----------
        own_scores, reference_scores : array-like of shape (n,), (m,)
            As in :meth:`weigh`.
        scores : array-like of shape (n_suspects,)
            Anomaly scores of the suspects.

        Returns
        -------
        LikelihoodRatios
            Of shape ().

        Raises
        ------
        ValueError
            If infinite ratios contradict each other, which bounds avoid, or as :meth:`weigh`.

        Notes
        -----
        Bounds limit each factor, not the product: no validation covers products of many.
        """
        return self._weighed(own_scores, reference_scores, scores, together=True)

    def cross_validated(self, own_scores, reference_scores, *, n_folds=5):
        """Ratios of the calibration samples, each by a system fitted to others.

        Parameters
        ----------
        own_scores, reference_scores : array-like of shape (n,), (m,)
            As in :meth:`weigh`.
        n_folds : int, default=5
            Parts that each set of samples is divided into, always in the same way for the same
            scores.

        Returns
        -------
        own_log10_lr, reference_log10_lr : ndarray of float64, shape (n,), (m,)
            Logarithms of the ratios of the sorted scores, for
            :func:`~sklearn_flipad.evaluation.cllr` and the other metrics.

        Raises
        ------
        ValueError
            If there are fewer samples of a kind than folds, or as :meth:`weigh`.
        """
        kinds = [
            np.sort(check_scores("own_scores", own_scores)),
            np.sort(check_scores("reference_scores", reference_scores)),
        ]
        if n_folds < 2:
            raise ValueError(f"n_folds must be at least 2, got {n_folds!r}.")
        if min(map(len, kinds)) < n_folds:
            raise ValueError(
                f"{n_folds} folds need as many samples of each kind, got {len(kinds[0])} and "
                f"{len(kinds[1])}."
            )
        rng = np.random.default_rng(0)
        folds = [rng.permutation(len(scores)) % n_folds for scores in kinds]
        found = [np.empty(len(scores)) for scores in kinds]
        for fold in range(n_folds):
            others = [scores[of != fold] for scores, of in zip(kinds, folds, strict=True)]
            fit = _Fit(self, *others)
            for logs, scores, of in zip(found, kinds, folds, strict=True):
                logs[of == fold] = fit.log10_lr(scores[of == fold])
        return tuple(found)

    def _weighed(self, own, reference, scores, together):
        own = np.sort(check_scores("own_scores", own))
        reference = np.sort(check_scores("reference_scores", reference))
        scores = check_scores("scores", scores)
        point, *draws = _fits(self, own.tobytes(), reference.tobytes())
        log10_lr = point.log10_lr(scores)
        drawn = np.array([fit.log10_lr(scores) for fit in draws if fit is not None])
        drawn = drawn.reshape(-1, len(scores))
        low, high = point.bounds
        at_bound = ((log10_lr <= low) & (low < 0)) | ((log10_lr >= high) & (high > 0))
        # Where a draw cannot be fitted, everything within the bounds is possible.
        n_failed = len(draws) - len(drawn)
        if together:
            n, at_bound = len(scores), at_bound.any()
            low, high = n * low, n * high
            if np.isinf(log10_lr).any() and len({*log10_lr[np.isinf(log10_lr)]}) > 1:
                raise ValueError(
                    "Some ratios are infinite and some are 0, which contradict each other: pass an "
                    "LRSystem with bounds, such as ELUB()."
                )
            with np.errstate(invalid="ignore"):  # draws may contradict each other
                log10_lr, drawn = log10_lr.sum(), _without_nan(drawn.sum(axis=1))
        tail = (1 - self.confidence) / 2
        ends = []
        for share, end, widest in ((tail, low, np.minimum), (1 - tail, high, np.maximum)):
            failed = np.full((n_failed, *np.shape(log10_lr)), end)
            every = np.concatenate([drawn, failed])
            # Lower and higher avoid the difference of infinite ratios.
            method = "lower" if share < 0.5 else "higher"
            ends.append(widest(np.quantile(every, share, axis=0, method=method), log10_lr))
        return LikelihoodRatios(
            log10_lr=log10_lr,
            interval=np.stack(ends, axis=-1),
            bounds=(low, high),
            at_bound=at_bound,
            confidence=self.confidence,
        )


def as_lr_system(lr):
    """Get a system of likelihood ratios by the name of its calibrator.

    Parameters
    ----------
    lr : {"logistic", "isotonic", "kernel_density", "gaussian"}, LRCalibrator or LRSystem
        A calibrator or the name of one, for a system with default bounds; a system is returned as
        it is.

    Returns
    -------
    LRSystem

    Raises
    ------
    ValueError
        If there is no calibrator of that name.

    Examples
    --------
    >>> from sklearn_flipad.calibration.likelihood_ratios import as_lr_system
    >>> as_lr_system("isotonic").calibrator
    IsotonicLR()
    """
    if isinstance(lr, LRSystem):
        return lr
    if isinstance(lr, LRCalibrator):
        return LRSystem(lr)
    if not isinstance(lr, str) or lr not in LR_CALIBRATORS:
        names = ", ".join(LR_CALIBRATORS)
        raise ValueError(f"lr must be one of {names}, a calibrator or an LRSystem, got {lr!r}.")
    return LRSystem(LR_CALIBRATORS[lr])


def _without_nan(logs):
    """Logarithms with 0, which says nothing, in place of NaN."""
    return np.where(np.isnan(logs), 0.0, logs)


class _Fit:
    """A calibrator that is fitted to scores of both kinds, and the bounds of its ratios."""

    def __init__(self, system, own, reference):
        self._ratio = system.calibrator._fitted(own, reference)
        self.bounds = (-np.inf, np.inf)
        if system.bounds is not None:
            self.bounds = system.bounds.bounds(self._ratio(own), self._ratio(reference))

    def log10_lr(self, scores):
        return np.clip(self._ratio(scores), *self.bounds)


@lru_cache(maxsize=4)
def _fits(system, own, reference):
    """Fits to sorted scores, as bytes, and to bootstrap draws of them; None if there is none."""
    own, reference = np.frombuffer(own), np.frombuffer(reference)
    fits, rng = [_Fit(system, own, reference)], np.random.default_rng(0)
    for _ in range(system.n_bootstrap):
        drawn = [np.sort(rng.choice(scores, len(scores))) for scores in (own, reference)]
        try:
            fits.append(_Fit(system, *drawn))
        except ValueError:  # all scores of a kind are equal in this draw
            fits.append(None)
    return fits
