"""Evidence that grows with every sample and may be looked at after each."""

from bisect import bisect_left, insort
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.calibration._scores import check_probability, check_scores, count_at_least

__all__ = ["ConformalMartingale"]

#: Exponents k of the bets, which are proportional to p^(k - 1); 1 is not to bet.
_EXPONENTS = np.array([0.1, 0.3, 0.5, 0.7, 0.85, 1.0])


class ConformalMartingale(BaseEstimator):
    """Bet against the hypothesis that scores arrive as the calibration scores did.

    The hypothesis is that calibration scores and all later ones are exchangeable: own samples
    still look like those that calibrated the threshold, or all suspects so far are from one
    population. The martingale is the capital of a gambler who starts with 1 and bets against it.
    If the hypothesis holds, the capital ever reaches ``1 / level`` with probability at most
    `level` (Ville's inequality), however often one looks and whenever one stops. If it does not
    hold, the capital may grow without end.

    Parameters
    ----------
    alternative : {"two-sided", "larger", "smaller"}, default="two-sided"
        Which later scores speak against the hypothesis:

        - ``"two-sided"``: higher or lower ones, as after a change of what samples go through:
          another resize, another codec;
        - ``"larger"``: higher ones, against "all suspects so far are the model's", with the
          calibrator's ``calibration_scores_``;
        - ``"smaller"``: lower ones, against "no suspect so far is the model's, all are from the
          reference population", with the calibrator's ``reference_scores_``.
    jump : float, default=0.01
        Share of the capital that is spread evenly over all bets after each sample, in [0, 1). A
        larger one finds a late change faster; 0 is best if every sample differs.

    Attributes
    ----------
    log_martingale_ : float
        Natural logarithm of the capital.
    log_path_ : ndarray of float64, shape (n_seen,)
        The same after each score.
    p_value_ : float
        One over the largest capital so far, at most 1: a p-value that may be looked at after
        each sample.
    n_calibration_, n_scores_ : int
        Numbers of calibration scores and of scores since.

    Notes
    -----
    P-values against the calibration set alone are dependent, since they share it, and the product
    of bets on them is no martingale. Here each score is ranked among the N - 1 calibration scores
    and later scores before it. Such ranks are independent, and uniform on 1 to N (Vovk). A bet
    multiplies the capital by ``r^(k - 1)`` over its mean for r from 1 to N, where r is how many
    scores, this one included, are at least as extreme, and k <= 1. Ties count against the
    gambler, so nothing is drawn at random, and with ties the capital is at most that of a
    martingale. It is the average over several k, and over both sides if the alternative is
    two-sided.

    Scores must come in the order in which they arose, or in one that was fixed without looking
    at them. Samples that belong together, such as frames of one video, are not exchangeable with
    independent ones.

    References
    ----------
    Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.

    Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and Gammerman, "Retrain or not retrain: conformal
    test martingales for change-point detection", COPA 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_flipad.calibration import ConformalMartingale
    >>> rng = np.random.default_rng(0)
    >>> monitor = ConformalMartingale().fit(rng.normal(size=500))
    >>> monitor.update(rng.normal(size=200)).alarm(0.01)
    False
    >>> monitor.update(rng.normal(0.8, 1, size=200)).alarm(0.01)
    True
    """

    _parameter_constraints: dict = {
        "alternative": [StrOptions({"two-sided", "larger", "smaller"})],
        "jump": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(self, *, alternative="two-sided", jump=0.01):
        self.alternative = alternative
        self.jump = jump

    def fit(self, calibration_scores):
        """Start with the calibration scores and a capital of 1.

        Parameters
        ----------
        calibration_scores : array-like of shape (n,)
            Anomaly scores of samples that the detector was not fitted to: a calibrator's
            ``calibration_scores_`` or ``reference_scores_``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter is not valid, there are no scores, or one is not finite.
        """
        self._validate_params()
        self._sorted = np.sort(check_scores("calibration_scores", calibration_scores))
        self.n_calibration_, self.n_scores_ = len(self._sorted), 0
        n_bets = len(_EXPONENTS) * (2 if self.alternative == "two-sided" else 1)
        self._shares = np.full(n_bets, 1 / n_bets)
        ranks = np.arange(1.0, self.n_calibration_ + 1)
        self._weight = (ranks[:, None] ** (_EXPONENTS - 1)).sum(axis=0)
        self.log_martingale_ = 0.0
        self.log_path_ = np.empty(0)
        self.p_value_ = 1.0
        return self

    def update(self, scores):
        """Bet on scores, one after the other.

        Parameters
        ----------
        scores : array-like of shape (n,)
            Anomaly scores, minus ``score_samples``, in their order; ``anomaly_scores`` of
            :class:`~sklearn_flipad.calibration.Evidence`. Several calls with parts are the same
            as one call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are no scores, or one is not finite. The capital stays what it was.
        """
        check_is_fitted(self)
        scores = check_scores("scores", scores)
        counts = self._counts(scores)
        n_ranks = len(self._sorted) + np.arange(1, len(scores) + 1)
        weights = self._weight + np.cumsum(n_ranks[:, None] ** (_EXPONENTS - 1), axis=0)
        bets = counts[..., None] ** (_EXPONENTS - 1) * (n_ranks[:, None] / weights)[:, None]
        gains, shares = np.empty(len(scores)), self._shares
        for index, bet in enumerate(bets.reshape(len(scores), -1)):
            shares = ((1 - self.jump) * shares + self.jump / len(shares)) * bet
            gains[index] = shares.sum()
            shares /= gains[index]
        self._shares, self._weight = shares, weights[-1]
        path = self.log_martingale_ + np.cumsum(np.log(gains))
        self._sorted = np.sort(np.concatenate([self._sorted, scores]), kind="stable")
        self.n_scores_ += len(scores)
        self.log_path_ = np.concatenate([self.log_path_, path])
        self.log_martingale_ = float(path[-1])
        self.p_value_ = min(self.p_value_, float(np.exp(-max(0.0, path.max()))))
        return self

    def alarm(self, level=0.01):
        """Return whether the hypothesis is rejected.

        Parameters
        ----------
        level : float, default=0.01
            Probability of an alarm, now or ever, if the hypothesis holds; in (0, 1).

        Returns
        -------
        bool
            Whether the capital has reached ``1 / level`` at any time.

        Raises
        ------
        ValueError
            If `level` is not in (0, 1).
        """
        check_is_fitted(self)
        check_probability("level", level)
        return self.p_value_ <= level

    def _counts(self, scores):
        """Numbers of scores as extreme, this one included, shape (n, 1), or (n, 2) if two-sided."""
        signs = {"larger": (1,), "smaller": (-1,), "two-sided": (1, -1)}[self.alternative]
        sides = []
        for sign in signs:
            before = self._sorted if sign == 1 else -self._sorted[::-1]
            counts = 1 + count_at_least(before, sign * scores)
            batch = []
            for index, score in enumerate(sign * scores):
                counts[index] += len(batch) - bisect_left(batch, score)
                insort(batch, score)
            sides.append(counts)
        return np.stack(sides, axis=1).astype(np.float64)
