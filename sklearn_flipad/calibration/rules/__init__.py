"""Threshold rules: from the anomaly scores of inliers to a threshold."""

from sklearn_flipad.calibration.rules.base import ThresholdRule
from sklearn_flipad.calibration.rules.conformal import Conformal
from sklearn_flipad.calibration.rules.pac import PAC
from sklearn_flipad.calibration.rules.quantile import Quantile

__all__ = ["PAC", "RULES", "Conformal", "Quantile", "ThresholdRule", "as_rule"]

#: Rules by name, with their default settings.
RULES = {"conformal": Conformal(), "quantile": Quantile(), "pac": PAC()}


def as_rule(rule):
    """Get a threshold rule by its name; a rule is returned as it is.

    Parameters
    ----------
    rule : {"conformal", "quantile", "pac"} or ThresholdRule
        A rule, or the name of one with its default settings.

    Returns
    -------
    ThresholdRule

    Raises
    ------
    ValueError
        If there is no rule of that name.

    Examples
    --------
    >>> from sklearn_flipad.calibration import as_rule
    >>> as_rule("pac")
    PAC(confidence=0.95)
    """
    if isinstance(rule, ThresholdRule):
        return rule
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)} or a rule, got {rule!r}.")
    return RULES[rule]
