"""Statistics of other libraries beside those of this one, on the same scores.

Conformal p-values beside those of nonconform; likelihood ratios, their bounds and their quality
beside those of lir (Netherlands Forensic Institute). Packages that are not installed are left out
(``pip install lir nonconform``, the latter with Python 3.12).
"""

from importlib.metadata import version

import numpy as np
import pandas as pd

from benchmarks.machine import timed
from benchmarks.options import Option
from sklearn_flipad.calibration import conformal_p_values
from sklearn_flipad.calibration.likelihood_ratios import (
    ELUB,
    IsotonicLR,
    KernelDensityLR,
    LogisticLR,
)
from sklearn_flipad.evaluation import cllr, cllr_cal, cllr_min, dev_pav, empirical_cross_entropy

KEYS = ("package", "statistic", "scores")
OPTIONS = (
    Option("n_own", 1000, 40, "own scores"),
    Option("n_reference", 3000, 60, "scores of the reference population"),
    Option("n_suspects", 5000, 50, "scores that are judged"),
    Option("seed", 0, help="of the scores"),
)
#: The bounds of lir are on a grid of this step.
STEP = 1e-3
LOG10_PRIOR_ODDS = np.linspace(-3, 3, 13)


def draw(kind, options):
    """Anomaly scores of the model, of the reference population and of suspects."""
    rng = np.random.default_rng(options.seed)
    own, reference = rng.normal(0, 1, options.n_own), rng.normal(2, 1.5, options.n_reference)
    suspects = rng.normal(1, 2, options.n_suspects)
    if kind == "ties":
        own, reference, suspects = (
            np.round(2 * scores) / 2 for scores in (own, reference, suspects)
        )
    return own, reference, suspects


def nonconform_pairs(own, reference, suspects):
    """Yield a statistic, and how it is computed here and there."""
    from nonconform.scoring import calculate_p_val

    yield (
        "p-values",
        lambda: conformal_p_values(own, suspects),
        lambda: calculate_p_val(suspects, own),
    )


def lir_pairs(own, reference, suspects):
    """Yield a statistic, and how it is computed here and there.

    lir takes scores that rise with the evidence for the model: anomaly scores with another sign.
    """
    from lir import metrics
    from lir.algorithms.bayeserror import elub
    from lir.algorithms.isotonic_regression import IsotonicCalibrator
    from lir.algorithms.kde import KDECalibrator
    from lir.algorithms.logistic_regression import LogitCalibrator
    from lir.data.models import LLRData
    from lir.metrics.devpav import devpav
    from lir.plotting.expected_calibration_error import calculate_ece

    known = np.concatenate([own, reference])
    labels = np.repeat([1, 0], [len(own), len(reference)])
    center, scale = known.mean(), known.std()

    def there(calibrator, change=np.negative):
        fitted = calibrator.fit(change(known)[:, None], labels)
        return np.ravel(fitted.transform(change(suspects)[:, None]))

    def pooled_there():
        fitted = IsotonicCalibrator().fit(-known, labels)
        return fitted.transform(-known)  # between two scores lir interpolates probabilities

    yield (
        "logistic regression",
        lambda: LogisticLR(C=1.0).log10_lr(own, reference, suspects),
        lambda: there(LogitCalibrator(), lambda scores: (center - scores) / scale),
    )
    yield (
        "kernel densities",
        lambda: KernelDensityLR(bandwidth=0.3, monotone=False).log10_lr(own, reference, suspects),
        lambda: there(KDECalibrator(bandwidth=0.3)),
    )
    yield (
        "isotonic regression",
        lambda: IsotonicLR().log10_lr(own, reference, known),
        pooled_there,
    )

    logs = LogisticLR().log10_lr(own, reference, known)
    data = LLRData(features=logs[:, None], labels=labels)
    y, of_both = 2 * labels - 1, np.split(logs, [len(own)])
    odds = 10**LOG10_PRIOR_ODDS
    yield (
        f"empirical bounds, step {STEP:g}",
        lambda: ELUB().bounds(*of_both),
        lambda: elub(logs.copy(), labels, step_size=STEP),
    )
    for here, name in ((cllr, "cllr"), (cllr_min, "cllr_min"), (cllr_cal, "cllr_cal")):
        theirs = getattr(metrics, name)
        yield (
            name.replace("_", " ").capitalize(),
            lambda here=here: here(y, logs),
            lambda theirs=theirs: theirs(data),
        )
    yield "devPAV", lambda: dev_pav(y, logs), lambda: devpav(logs, labels)
    yield (
        "empirical cross-entropy",
        lambda: empirical_cross_entropy(y, logs, LOG10_PRIOR_ODDS),
        lambda: calculate_ece(10**logs, labels, odds / (1 + odds)),
    )


PAIRS = {"nonconform": nonconform_pairs, "lir": lir_pairs}


def run(options, results):
    """Compare the statistics of each package that is there."""
    for package, pairs in PAIRS.items():
        for kind in ("continuous", "ties"):
            try:
                compared = list(pairs(*draw(kind, options)))
            except ImportError as error:
                print(f"{package} is left out: {error}")
                break
            for statistic, here, there in compared:
                if not results.has(package, statistic, kind):
                    results.add(compare(package, statistic, kind, here, there))


def compare(package, statistic, kind, here, there):
    """The largest difference, where equal infinities do not differ, and milliseconds of both."""
    (ours, seconds), (theirs, seconds_there) = timed(here), timed(there)
    ours, theirs = (np.asarray(values, dtype=float) for values in (ours, theirs))
    with np.errstate(invalid="ignore"):
        difference = np.where(ours == theirs, 0.0, np.abs(ours - theirs))
    return {
        "package": package,
        "version": version(package),
        "statistic": statistic,
        "scores": kind,
        "n": ours.size,
        "difference": float(difference.max()),
        "ms": round(1e3 * seconds, 2),
        "ms there": round(1e3 * seconds_there, 2),
    }


def table(rows):
    """A line for each statistic, with the largest differences for both kinds of scores."""
    lines = {}
    for row in rows:
        names = {"package": f"{row['package']} {row['version']}", "statistic": row["statistic"]}
        line = lines.setdefault((row["package"], row["statistic"]), names)
        line[f"difference, {row['scores']}"] = (
            f"{row['difference']:.0e}" if row["difference"] else "0"
        )
    return pd.DataFrame(lines.values())


TABLES = {"peers": table}
