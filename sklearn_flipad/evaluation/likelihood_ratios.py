"""Quality of likelihood ratios of samples whose source is known."""

import numpy as np
from scipy.special import expit
from sklearn.utils.validation import column_or_1d

from sklearn_flipad.base.labels import check_labels
from sklearn_flipad.calibration.likelihood_ratios import IsotonicLR
from sklearn_flipad.evaluation.metrics import clopper_pearson

__all__ = [
    "cllr",
    "cllr_cal",
    "cllr_min",
    "dev_pav",
    "empirical_cross_entropy",
    "misleading_rates",
    "pooled_log10_lr",
]


def _by_source(y_true, log10_lr):
    """Logarithms of the ratios of samples of the model, and of others."""
    log10_lr = column_or_1d(np.asarray(log10_lr, dtype=np.float64))
    y_true = check_labels(y_true, len(log10_lr))
    if np.isnan(log10_lr).any():
        raise ValueError(f"{np.isnan(log10_lr).sum()} of {len(log10_lr)} log10_lr are NaN.")
    own, others = log10_lr[y_true == 1], log10_lr[y_true == -1]
    if not len(own) or not len(others):
        raise ValueError(
            f"There must be samples of the model (+1) and others (-1), got {len(own)} and "
            f"{len(others)}."
        )
    return own, others


def cllr(y_true, log10_lr):
    """Log-likelihood-ratio cost.

    The mean information, in bits, that is lacking for the right decision, over both sources and
    all prior odds: 0 for perfect ratios, 1 for those that say nothing, more for
    misleading ones.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        +1 for samples of the model, -1 for others.
    log10_lr : array-like of shape (n,)
        Logarithms to base 10 of their likelihood ratios; they may be infinite.

    Returns
    -------
    float
        At least 0; infinite if an infinite ratio misleads.

    Raises
    ------
    ValueError
        If one of the sources is missing, a ratio is NaN, or the numbers differ.

    References
    ----------
    Brümmer and du Preez, "Application-independent evaluation of speaker detection", Computer
    Speech and Language 2006.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import cllr
    >>> cllr([1, 1, -1, -1], [0, 0, 0, 0])
    1.0
    """
    return _cost(*_by_source(y_true, log10_lr))


def _cost(own, others, log10_odds=0.0):
    """The cost of the logarithms of the ratios of both sources at prior odds, in bits."""
    bits, prior = np.log2(10), log10_odds * np.log(10)
    of_own = np.logaddexp2(0, -(own + log10_odds) * bits).mean()
    of_others = np.logaddexp2(0, (others + log10_odds) * bits).mean()
    return float(expit(prior) * of_own + expit(-prior) * of_others)


def empirical_cross_entropy(y_true, log10_lr, log10_prior_odds):
    """Mean information that the ratios leave lacking, by prior odds.

    Whoever has these prior odds for the model, and updates them by the ratio, lacks this much
    information for the right decision, on average over both sources with the weights of the
    prior. At odds of 1 it is :func:`cllr`. Ratios that say nothing, all 1, leave the entropy of
    the prior; above it, ratios do harm.

    Parameters
    ----------
    y_true, log10_lr
        As of :func:`cllr`.
    log10_prior_odds : array-like of shape (n_odds,)
        Logarithms to base 10 of the prior odds for the model, between -300 and 300.

    Returns
    -------
    ndarray of float64, shape (n_odds,)
        In bits, at least 0; infinite if an infinite ratio misleads.

    Raises
    ------
    ValueError
        As :func:`cllr`, or if prior odds are out of range.

    References
    ----------
    Ramos and Gonzalez-Rodriguez, "Reliable support: measuring calibration of likelihood ratios",
    Forensic Science International 2013.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import empirical_cross_entropy
    >>> empirical_cross_entropy([1, 1, -1, -1], [1, 2, -1, -1], [-1, 0, 1]).round(3)
    array([0.065, 0.107, 0.098])
    """
    own, others = _by_source(y_true, log10_lr)
    odds = column_or_1d(np.asarray(log10_prior_odds, dtype=np.float64))
    if not (np.abs(odds) <= 300).all():
        raise ValueError("log10_prior_odds must be numbers between -300 and 300.")
    return np.array([_cost(own, others, each) for each in odds])


def cllr_min(y_true, log10_lr):
    """The part of :func:`cllr` that is due to scores that do not tell the sources apart.

    The cost of the same samples after the best monotone calibration, by pooling adjacent
    violators.

    Parameters
    ----------
    y_true, log10_lr
        As of :func:`cllr`. Any score that grows with the evidence for the model does as well.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        As :func:`cllr`.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import cllr_min
    >>> cllr_min([1, 1, -1, -1], [9, 8, 7, 6])
    0.0
    """
    return _cost(*_pooled(*_by_source(y_true, log10_lr)))


def pooled_log10_lr(y_true, log10_lr):
    """Likelihood ratios after the best monotone calibration, by pooling adjacent violators.

    Ratios that are well calibrated hardly change.

    Parameters
    ----------
    y_true, log10_lr
        As of :func:`cllr_min`. Unlabeled samples, 0, are calibrated and calibrate nothing.

    Returns
    -------
    ndarray of float64, shape (n,)
        Logarithms to base 10 of the pooled ratios, as of
        :class:`~sklearn_flipad.calibration.likelihood_ratios.IsotonicLR`; infinite where one
        source is alone, at both ends.

    Raises
    ------
    ValueError
        As :func:`cllr`.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import pooled_log10_lr
    >>> pooled_log10_lr([1, 1, -1, 1, -1, -1], [3, 2, 1, 0, -1, -2])
    array([ inf,  inf,   0.,   0., -inf, -inf])
    """
    own, others = _by_source(y_true, log10_lr)
    return _pool(own, others, np.asarray(log10_lr, dtype=np.float64).ravel())


def _pooled(own, others):
    """Ratios of the best monotone calibration of each source's samples."""
    return tuple(_pool(own, others, logs) for logs in (own, others))


def _pool(own, others, logs):
    """Logarithms of ratios by the best monotone calibration of both sources."""
    both = np.concatenate([own, others])
    finite = both[np.isfinite(both)]
    # Infinite ratios keep their place in the order.
    ends = (finite.min() - 1, finite.max() + 1) if len(finite) else (-1, 1)
    return IsotonicLR().log10_lr(*(-np.clip(x, *ends) for x in (own, others, logs)))


def cllr_cal(y_true, log10_lr):
    """The part of :func:`cllr` that is due to ratios that are too large or too small.

    Parameters
    ----------
    y_true, log10_lr
        As of :func:`cllr`.

    Returns
    -------
    float
        ``cllr - cllr_min``, at least 0.

    Raises
    ------
    ValueError
        As :func:`cllr`.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import cllr_cal
    >>> round(cllr_cal([1, 1, -1, -1], [2, 2, -2, -2]), 4)
    0.0144
    """
    own, others = _by_source(y_true, log10_lr)
    return _cost(own, others) - _cost(*_pooled(own, others))


def dev_pav(y_true, log10_lr):
    """Mean distance of the ratios from the best monotone calibration, in powers of ten.

    The area between the pooled ratios and the ratios themselves, both logarithms to base 10,
    divided by the range of those whose pooled ratio is finite.

    Parameters
    ----------
    y_true, log10_lr
        As of :func:`cllr`.

    Returns
    -------
    float
        At least 0; NaN if the ratios tell the sources apart without a fault, which leaves no
        finite pooled ratio, and infinite if an infinite ratio has a finite pooled one.

    Raises
    ------
    ValueError
        As :func:`cllr`.

    References
    ----------
    Vergeer, Alberink, Sjerps and Ypma, "Why calibrating LR-systems is best practice", Science
    and Justice 2021.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import dev_pav
    >>> round(dev_pav([1, 1, -1, 1, -1, -1], [3, 2, 1, 0, -1, -2]), 2)
    0.5
    """
    own, others = _by_source(y_true, log10_lr)
    x, y = np.concatenate([own, others]), np.concatenate(_pooled(own, others))
    points = np.unique(np.stack([x, y])[:, np.isfinite(y)], axis=1)
    if not np.isfinite(points).all():
        return np.inf
    if not points.size:
        return np.nan
    (x, y), off = points, np.abs(points[1] - points[0])
    if len(x) == 1:
        return float(off[0])
    first, last = off[:-1], off[1:]
    crosses = (y - x)[:-1] * (y - x)[1:] < 0
    total = first + last
    mean = np.where(crosses, (first**2 + last**2) / np.where(crosses, total, 1), total) / 2
    return float((mean * np.diff(x)).sum() / (x[-1] - x[0]))


def misleading_rates(y_true, log10_lr):
    """Rates of misleading evidence.

    Parameters
    ----------
    y_true, log10_lr
        As of :func:`cllr`.

    Returns
    -------
    own : Rate
        How often a sample of the model has a ratio below 1.
    others : Rate
        How often another sample has a ratio above 1.

    Raises
    ------
    ValueError
        As :func:`cllr`.

    Examples
    --------
    >>> from sklearn_flipad.evaluation import misleading_rates
    >>> own, others = misleading_rates([1, 1, -1, -1], [2, -0.1, -3, -3])
    >>> own.value, others.value
    (0.5, 0.0)
    """
    own, others = _by_source(y_true, log10_lr)
    return _rate(own < 0), _rate(others > 0)


def _rate(events):
    """The rate of events among booleans, with its interval."""
    return clopper_pearson(int(events.sum()), len(events))
