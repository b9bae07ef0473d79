"""Several attributors as one."""

from collections.abc import Mapping

from sklearn_flipad.detectors import CombinedDetector
from sklearn_flipad.pipelines._assembly import calibrated

__all__ = ["make_combined"]


def make_combined(
    attributors,
    *,
    combine="max",
    fnr=0.005,
    rule="conformal",
    cv=0.2,
    reference=None,
    lr=None,
    strata=None,
    random_state=None,
):
    """Several attributors, one calibrated decision.

    Of the model's samples, a part is held out to calibrate the joint threshold; the
    attributors are given the rest, and hold out a part of that to calibrate their own. With
    the defaults of all, a false-negative rate of 0.5 % takes 1,244 samples of the model.

    Parameters
    ----------
    attributors : dict of str to estimator
        Names and attributors, for example of :func:`make_flipad` and :func:`make_rawpad`.
        Their own thresholds serve as units of their scores.
    combine : {"max", "mean"}, default="max"
        See :class:`~sklearn_flipad.CombinedDetector`.
    fnr, rule, cv, reference, lr, strata
        Of the joint decision, see :class:`~sklearn_flipad.FNRThresholdCalibrator`.
    random_state : int, RandomState instance or None, default=None
        Seed of the joint hold-out.

    Returns
    -------
    AttributionPipeline
        With the one step ``detect``.

    Raises
    ------
    TypeError
        If `attributors` is no dict.

    Examples
    --------
    >>> from sklearn_flipad import make_combined, make_dctpad, make_rawpad
    >>> combined = make_combined({"raw": make_rawpad(), "dct": make_dctpad()}, fnr=0.05)
    >>> combined.get_params()["detect__estimator__raw__detect__fnr"]
    0.005
    """
    if not isinstance(attributors, Mapping):
        raise TypeError(
            "attributors must be a dict of names and attributors, "
            f"got {type(attributors).__name__}."
        )
    detector = CombinedDetector(list(attributors.items()), combine=combine)
    return calibrated(
        detector,
        fnr=fnr,
        rule=rule,
        cv=cv,
        reference=reference,
        lr=lr,
        strata=strata,
        random_state=random_state,
    )
