"""Scorers for partly labeled data, and of likelihood ratios."""

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils import _safe_indexing

from sklearn_flipad.base.labels import check_labels
from sklearn_flipad.base.samples import as_array
from sklearn_flipad.evaluation.likelihood_ratios import cllr

__all__ = ["labeled_scorer", "neg_cllr"]


def labeled_scorer(scoring):
    """Make a scorer that ignores unlabeled samples, whose label is 0.

    scikit-learn's scorers take 0 for a class, so that unlabeled samples, which serve only for
    training, would count as errors. ``score`` of an
    :class:`~sklearn_flipad.FNRThresholdCalibrator` ignores them by itself.

    Parameters
    ----------
    scoring : str or callable
        One of :func:`sklearn.metrics.get_scorer_names`, or a callable
        ``scorer(estimator, X, y)``.

    Returns
    -------
    callable
        ``scorer(estimator, X, y)`` for ``scoring=`` of scikit-learn's searches and
        cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.covariance import EllipticEnvelope
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_flipad import FNRThresholdCalibrator
    >>> from sklearn_flipad.evaluation import labeled_scorer
    >>> X = np.random.default_rng(0).normal(size=(300, 2))
    >>> y = np.repeat([1, -1, 0], 100)
    >>> X[y == -1] += 9
    >>> calibrator = FNRThresholdCalibrator(EllipticEnvelope(random_state=0), fnr=0.1)
    >>> scores = cross_val_score(calibrator, X, y, scoring=labeled_scorer("roc_auc"), cv=3)
    >>> bool((scores > 0.99).all())
    True
    """
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    return _LabeledScorer(scorer)


class _LabeledScorer:
    """The scorer; unlike a closure it can be pickled for other processes."""

    def __init__(self, scorer):
        self.scorer = scorer

    def __call__(self, estimator, X, y):
        y = as_array(y)
        check_labels(y, len(y))
        labeled = np.flatnonzero(y != 0)
        return self.scorer(estimator, _safe_indexing(X, labeled), _safe_indexing(y, labeled))

    def __repr__(self):
        return f"labeled_scorer({self.scorer!r})"


def neg_cllr(estimator, X, y):
    """Score an attributor by minus the log-likelihood-ratio cost of its evidence.

    A scorer for ``scoring=`` of scikit-learn's searches and cross-validation. Unlabeled samples
    are ignored.

    Parameters
    ----------
    estimator : FNRThresholdCalibrator or AttributionPipeline
        Attributor fitted with ``reference`` and ``lr``.
    X : array-like, shape (n, ...)
        Samples that calibrated nothing.
    y : array-like of int, shape (n,)
        +1 for samples of the model, -1 for samples of the reference population.

    Returns
    -------
    float
        Minus :func:`cllr`, in bits, at most 0: -1 for ratios that say nothing.

    Raises
    ------
    ValueError
        If the evidence has no likelihood ratios, or as :func:`cllr`.
    """
    log10_lr = estimator.evidence(X).log10_lr
    if log10_lr is None:
        raise ValueError(
            "The evidence has no likelihood ratios: fit the attributor with reference='...' and "
            "lr='logistic', or another calibrator."
        )
    return -cllr(y, log10_lr)
