"""Robustness of decisions to perturbed samples (Tables 3 and 13 of the paper)."""

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklearn_flipad.evaluation.metrics import attribution_scores
from sklearn_flipad.evaluation.perturbations import named

__all__ = ["robustness_curve"]


def robustness_curve(
    attributor, perturbations, X, y, *, X_train=None, y_train=None, confidence=0.95
):
    """Evaluate an attributor on perturbed samples, as fitted and immunized.

    An immunized attributor is a clone that is fitted, and so calibrated, on training samples
    with the same perturbation as the test samples.

    Parameters
    ----------
    attributor : estimator
        Fitted attributor, which predicts +1 for samples of the model and -1 for others.
    perturbations : sequence of transformer, or dict of str to transformer
        Perturbations. The keys of a dict are their names; those of a sequence are named as by
        :func:`~sklearn_flipad.evaluation.perturbations.named`.
    X : array-like, shape (n, ...)
        Test samples, unperturbed.
    y : array-like of int, shape (n,)
        +1 for samples of the model, -1 for others.
    X_train, y_train : array-like, default=None
        Training samples, unperturbed, and their labels as `attributor` takes them. If they are
        given, a clone is fitted to them under each perturbation.
    confidence : float, default=0.95
        Confidence level of the exact intervals.

    Returns
    -------
    DataFrame
        A row for the unperturbed samples, named ``"none"``, and for each perturbation one with
        the attributor as fitted and, with training samples, one with an immunized attributor.
        Columns: ``perturbation``, ``immunized``, ``accuracy``, ``auc``, and ``fnr`` and ``fpr``,
        each with ``_low`` and ``_high``; see
        :class:`~sklearn_flipad.evaluation.AttributionScores`.

    Raises
    ------
    ValueError
        If two perturbations have the same name, or only one of `X_train` and `y_train` is given.

    References
    ----------
    Section 5.2 and Tables 3 and 13 of Laszkiewicz et al., ICML 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sklearn_flipad import FNRThresholdCalibrator
    >>> from sklearn_flipad.evaluation import robustness_curve
    >>> from sklearn_flipad.evaluation.perturbations import GaussianNoise
    >>> X = np.random.default_rng(0).uniform(-0.2, 0.2, size=(200, 1, 4, 4))
    >>> X[100:] += 0.5
    >>> y = np.repeat([1, -1], 100)
    >>> pixels = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    >>> calibrator = FNRThresholdCalibrator(IsolationForest(random_state=0), fnr=0.1)
    >>> attributor = make_pipeline(pixels, calibrator).fit(X, y)
    >>> noises = {"weak": GaussianNoise(0.01), "strong": GaussianNoise(0.5)}
    >>> curve = robustness_curve(attributor, noises, X, y, X_train=X, y_train=y)
    >>> list(curve["perturbation"])
    ['none', 'weak', 'weak', 'strong', 'strong']
    """
    if (X_train is None) != (y_train is None):
        raise ValueError("X_train and y_train go together: pass both or neither.")
    X, y = np.asarray(X), np.asarray(y)
    rows = [_row("none", False, attributor, X, y, confidence)]
    for name, perturbation in named(perturbations).items():
        perturbed = clone(perturbation).fit_transform(X)
        rows.append(_row(name, False, attributor, perturbed, y, confidence))
        if X_train is not None:
            training = clone(perturbation).fit_transform(np.asarray(X_train))
            immunized = clone(attributor).fit(training, y_train)
            rows.append(_row(name, True, immunized, perturbed, y, confidence))
    return pd.DataFrame(rows)


def _row(name, immunized, attributor, X, y, confidence):
    decisions = attributor.decision_function(X)
    scores = attribution_scores(
        y, np.where(decisions >= 0, 1, -1), decisions, confidence=confidence
    )
    row = {"perturbation": name, "immunized": immunized}
    row |= {"accuracy": scores.accuracy, "auc": scores.auc}
    for rate in ("fnr", "fpr"):
        found = getattr(scores, rate)
        row |= {rate: found.value, f"{rate}_low": found.low, f"{rate}_high": found.high}
    return row
