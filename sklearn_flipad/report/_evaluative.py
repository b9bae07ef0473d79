"""The parts of an evaluative report: ratios in words, and how well they held."""

from dataclasses import dataclass

import numpy as np

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.evaluation import Rate, cllr, cllr_min, misleading_rates
from sklearn_flipad.plotting import ECEDisplay, TippettDisplay
from sklearn_flipad.report._pictures import Picture, figure_picture

__all__ = ["Ratio", "Validation", "quality_of", "ratio_text", "ratios_of", "validation_of"]

#: Parts for cross-validation.
_N_FOLDS = 5


@dataclass(frozen=True)
class Ratio:
    """The likelihood ratio of a file, as a number and in words."""

    #: Logarithm to base 10.
    log10: float
    #: How many times as probable under the proposition that it favors, and the interval of that.
    times: str
    low: str
    high: str
    #: The proposition that it favors, H1 or H2, and the other one; None for neither.
    side: str | None
    other: str | None
    #: Degree of support, None for neither proposition.
    degree: str | None
    #: Whether calibration samples support no stronger ratio.
    at_bound: bool
    #: What makes the comparison doubtful: that neither proposition fits, or no score is like it.
    doubt: str | None


@dataclass(frozen=True)
class Validation:
    """Quality of ratios of samples whose source is known."""

    cllr: float
    cllr_min: float
    #: Rates of ratios that point to the wrong source.
    own: Rate
    others: Rate
    #: Tippett plot, and empirical cross-entropy by the prior odds.
    tippett: Picture
    cross_entropy: Picture


def ratios_of(run, evidence, scale):
    """Values of the template about likelihood ratios, by name; ValueError if there are none."""
    if evidence is None or evidence.ratios is None:
        raise ValueError(
            Message(
                "An evaluative report states likelihood ratios, and this attributor has none. Fit "
                "it with ",
                Term("lr='logistic' and a reference population", "lr"),
                ", and score the files again.",
            )
        )
    calibrator, ratios = last_step(run.attributor), evidence.ratios
    low, high = ratios.bounds
    if np.isinf([low, high]).any():
        raise ValueError(
            "An evaluative report states no ratios beyond what the calibration samples support: "
            "fit with an LRSystem that has bounds, such as ELUB()."
        )
    found = [
        _ratio(*values, scale)
        for values in zip(
            ratios.log10_lr,
            ratios.interval,
            ratios.at_bound,
            _doubts(calibrator, evidence),
            strict=True,
        )
    ]
    return {
        "ratios": found if len(run.scores) else [],
        "bounds": None if low == high == 0 else (ratio_text(-low), ratio_text(high)),
        "interval_confidence": ratios.confidence,
        "system": calibrator.lr_,
        "scale": _described(scale),
        "validation": validation_of(calibrator),
    }


def ratio_text(log10_lr):
    """A ratio of at least 1 with two significant digits, from its logarithm."""
    if log10_lr >= 9:
        return "more than 1,000,000,000"
    value = 10**log10_lr
    digits = max(0, 1 - int(np.floor(log10_lr)))
    rounded = round(value, 1 - int(np.floor(log10_lr)))
    return f"{rounded:,.{digits}f}" if value < 10 else f"{rounded:,.0f}"


def _doubts(calibrator, evidence):
    """For each file, what makes the comparison doubtful, or None."""
    both = np.concatenate([calibrator.calibration_scores_, calibrator.reference_scores_])
    scores = evidence.anomaly_scores
    neither = evidence.own_rejected & evidence.reference_rejected
    beyond = (scores < both.min()) | (scores > both.max())
    return [
        "The score fits neither population: the file may come from a third source."
        if fits_neither
        else "The score lies beyond those of all calibration samples: the file may come from a "
        "third source, or have been processed in another way."
        if is_beyond
        else None
        for fits_neither, is_beyond in zip(neither, beyond, strict=True)
    ]


def _ratio(log10_lr, interval, at_bound, doubt, scale):
    sign = -1 if log10_lr < 0 else 1
    low, high = sorted(sign * interval)
    side, other = (None, None) if log10_lr == 0 else ("H1", "H2")[::sign]
    return Ratio(
        log10=float(log10_lr),
        times=ratio_text(sign * log10_lr),
        low=_signed(low),
        high=_signed(high),
        side=side,
        other=other,
        degree=scale.degree(log10_lr),
        at_bound=bool(at_bound),
        doubt=doubt,
    )


def _signed(log10_lr):
    """A ratio that may be below 1."""
    return ratio_text(log10_lr) if log10_lr >= 0 else f"1/{ratio_text(-log10_lr)}"


def _described(scale):
    """Rows of a scale: from, to and words."""
    ends = [1, *scale.limits, None]
    return [
        (_limit(low), None if high is None else _limit(high), word)
        for low, high, word in zip(ends[:-1], ends[1:], scale.words, strict=True)
    ]


def _limit(ratio):
    return f"{ratio:,.0f}" if ratio == round(ratio) else f"{ratio:,g}"


def validation_of(calibrator):
    """Validation on the calibration samples, each by the others; None if that is impossible."""
    scores = calibrator.calibration_scores_, calibrator.reference_scores_
    try:
        logs = calibrator.lr_.cross_validated(*scores, n_folds=_N_FOLDS)
    except ValueError:  # too few, or the scores of a part are all equal
        return None
    return quality_of(*logs)


def quality_of(own, others, name="reference population"):
    """The :class:`Validation` of the logarithms of ratios of own samples, and of named others."""
    y, logs = np.repeat([1, -1], [len(own), len(others)]), np.concatenate([own, others])
    tippett = TippettDisplay.from_predictions(own, others, reference_name=name)
    entropy = ECEDisplay.from_predictions(own, others)
    return Validation(
        cllr(y, logs),
        cllr_min(y, logs),
        *misleading_rates(y, logs),
        _plot(tippett, "share of samples of each source with at least a certain ratio"),
        _plot(entropy, "missing information by the odds before"),
    )


def _plot(display, caption):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    display.plot(figure.subplots())
    return figure_picture(figure, caption)
