"""Likelihood ratios of each calibrator: of scores with known densities, and of shipped generators.

Simulated cases draw calibration scores of two known densities many times, and fresh scores for
each draw: how near the ratios come to the true ones, whether their mean under the reference is 1,
and how often evidence beyond the empirical bounds misleads.

The other cases are methods, fitted to the samples of one shipped generator. Each other source is a
reference population: some of its samples calibrate, others test. Anomaly scores are distances, so
that their logarithms are calibrated. A cell has a row for each calibrator. Fitted attributors and
scores are kept.
"""

import numpy as np
import pandas as pd
from scipy.stats import gamma, norm

from benchmarks.attribution import shipped
from benchmarks.attributors import QUICK, make_reproduction, trained_encoder
from benchmarks.data.generators import SHIPPED
from benchmarks.judging import interval
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad import load_attributor, save_attributor
from sklearn_flipad.calibration.likelihood_ratios import (
    ELUB,
    GaussianLR,
    IsotonicLR,
    KernelDensityLR,
    LogisticLR,
)
from sklearn_flipad.datasets import load_fashion_mnist, load_fashion_sample
from sklearn_flipad.evaluation import cllr, cllr_min
from sklearn_flipad.generators import sample
from sklearn_flipad.zoo import load_pretrained

OWNER = "fashion/dcgan-0"
CALIBRATORS = {
    "logistic": LogisticLR(),
    "isotonic": IsotonicLR(),
    "kernel density": KernelDensityLR(),
    "Gaussian": GaussianLR(),
}
#: Calibrators of the methods, and what is calibrated of their distances.
OF_METHODS = {name: (calibrator, np.log) for name, calibrator in CALIBRATORS.items()}
OF_METHODS["logistic, no logarithm"] = (LogisticLR(), np.asarray)
OF_METHODS["logistic, C=1"] = (LogisticLR(C=1.0), np.log)
#: Densities of anomaly scores of the model and of the reference population. The logarithm of their
#: ratio is linear for the first two, and the scores are normal for the first and the last.
DENSITIES = {
    "normal": (norm(0, 1), norm(2, 1)),
    "gamma": (gamma(3), gamma(3, scale=3)),
    "wider": (norm(0, 1), norm(2, 2)),
}
#: Calibration scores of both kinds in the simulations.
N_OWN, N_REFERENCE = 150, 300
METHODS = ("reproduction", "FLIPAD")
SOURCES = ("real", *(name for name in SHIPPED if name != OWNER))
#: Those of other seeds and of other architectures.
NEAR = (*shipped.other_seeds(OWNER), *shipped.other_architectures(OWNER))
KEYS = ("case", "source", "n_reference")
OPTIONS = (
    selection("cases", (*DENSITIES, *METHODS)),
    selection("sources", SOURCES, ("real", *NEAR), ("real",), "of the methods"),
    Option("n_references", (500, 5000), (20,), "reference samples for FLIPAD", selects=True),
    Option("n_references_searched", (500,), (20,), "and for reproduction", selects=True),
    Option("n_sets", 1000, 3, "calibrations of each simulation"),
    Option("n_fresh", 500, 50, "fresh scores of each kind for each calibration"),
    Option("n_test", 500, 8, "test samples of each source, for the methods"),
    Option("n_own", 4000, 40, "own samples to fit to, for FLIPAD"),
    Option("n_searched", 1000, 40, "own samples to fit to, for reproduction"),
    Option("n_real", 1000, 16, "real images that train FLIPAD"),
    Option("max_epochs", 20, 2, "epochs of FLIPAD's detector"),
    Option("n_mean", 5000, 100, "samples of the mean activation"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    Option("fnrs", (0.005,), (0.1,), "false-negative rate of the attributors"),
    Option("seed", 0, help="of samples and detectors"),
    QUICK,
)


def run(options, results):
    """Run the simulations, then the methods."""
    for case in options.cases:
        if case not in DENSITIES:
            run_method(case, options, results)
        elif not results.has(case, "drawn", N_REFERENCE):
            rows, seconds = timed(simulate, case, options)
            results.add(*(row | {"seconds": round(seconds, 1)} for row in rows), shown=rows[0])


def calibrated(calibrator, own, reference, *fresh):
    """Logarithms of the ratios of each array of fresh scores, and the empirical bounds."""
    parts = (own, reference, *fresh)
    logs = calibrator.log10_lr(own, reference, np.concatenate(parts))
    logs = np.split(logs, np.cumsum([len(part) for part in parts])[:-1])
    return logs[2:], ELUB().bounds(*logs[:2])


def labeled(own, others):
    """Labels of both kinds, and all logarithms."""
    return np.repeat([1, -1], [len(own), len(others)]), np.concatenate([own, others])


def simulate(case, options):
    """Rows of all calibrators for scores of known densities."""
    densities = DENSITIES[case]
    rng = np.random.default_rng(options.seed)
    found, true_costs = {name: [] for name in CALIBRATORS}, []
    for _ in range(options.n_sets):
        sizes = zip(densities, (N_OWN, N_REFERENCE), strict=True)
        known = [density.rvs(n, random_state=rng) for density, n in sizes]
        fresh = [d.rvs(options.n_fresh, random_state=rng) for d in densities]
        logs = [densities[0].logpdf(x) - densities[1].logpdf(x) for x in fresh]
        true_costs.append(cllr(*labeled(*(x / np.log(10) for x in logs))))
        for name, calibrator in CALIBRATORS.items():
            found[name].append(quality_of_set(*calibrated(calibrator, *known, *fresh)))
    return [
        {
            "case": case,
            "source": "drawn",
            "n_reference": N_REFERENCE,
            "calibrator": name,
            "n_sets": options.n_sets,
            "true_cllr": float(np.mean(true_costs)),
            "mean_lr_of_95": np.quantile([q["mean_lr"] for q in of_sets], [0.025, 0.975]).tolist(),
            **{key: mean_and_interval([q[key] for q in of_sets]) for key in of_sets[0]},
        }
        for name, of_sets in found.items()
    ]


def quality_of_set(logs, bounds):
    """Quality of the ratios of fresh scores, own and others, of one calibration."""
    (own, others), (low, high) = logs, bounds
    with np.errstate(over="ignore"):
        mean_lr = (10.0**others).mean()
    return {
        "mean_lr": (10 ** others.clip(low, high)).mean(),
        "mean_lr_unbounded": mean_lr,
        "cllr": cllr(*labeled(own.clip(low, high), others.clip(low, high))),
        "cllr_unbounded": cllr(*labeled(own, others)),
        # A true ratio of the bound or more misleads at most once in as many samples.
        "misleading_high": (others >= high).mean() * 10**high,
        "misleading_low": (own <= low).mean() * 10**-low,
    }


def mean_and_interval(values):
    """Mean of the sets with the ends of its interval of 95 %; None if one is infinite."""
    values = np.array(values)
    if not np.isfinite(values).all():
        return None
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return [float(values.mean()), float(values.mean() - half), float(values.mean() + half)]


def run_method(method, options, results):
    """Measure each source as the reference population of a method."""
    sizes = options.n_references
    if method == "reproduction":
        sizes = options.n_references_searched
    for source in options.sources:
        missing = [n for n in sizes if not results.has(method, source, n)]
        if not missing:
            continue
        own = scores_of(method, OWNER, 0, options)
        others = scores_of(method, source, max(missing), options)
        for n in missing:
            parts = (own["calibration"], others["reference"][:n], own["test"], others["test"])
            rows = [
                {"calibrator": name, **quality_of_method(calibrator, *map(change, parts))}
                for name, (calibrator, change) in OF_METHODS.items()
            ]
            names = {"case": method, "source": source, "n_reference": n}
            cost = {"score_ms": float(others["score_ms"])}
            results.add(*(names | row | cost for row in rows), shown=rows[0])


def scores_of(method, source, n_reference, options):
    """Anomaly scores of a source, test and reference, and of calibration; kept in a file."""
    path = options.work / f"likelihood_ratios-{method}-{source.replace('/', '-')}.npz"
    if path.exists():
        with np.load(path) as file:
            known = dict(file)
        if len(known["reference"]) >= n_reference:
            return known
    attributor = fitted(method, options)
    images = np.concatenate(images_of(source, options.n_test, n_reference, options))
    scores, seconds = timed(attributor.score_samples, images)
    test, reference = np.split(-scores, [options.n_test])
    known = {
        "test": test,
        "reference": reference,
        "calibration": attributor["detect"].calibration_scores_,
        "score_ms": round(1e3 * seconds / len(images), 2),
    }
    np.savez(path, **known)
    return known


def fitted(method, options):
    """The attributor of a method, fitted to the owner's samples; it is kept in a file."""
    path = options.work / f"likelihood_ratios-{method}"
    if path.exists():
        return load_attributor(path)
    generator = load_pretrained(OWNER)
    if method == "reproduction":
        encoder, _ = trained_encoder(generator, OWNER, options.work, options.max_steps)
        attributor = make_reproduction(
            generator, encoder, quick=options.quick, fnr=options.fnrs[0], random_state=options.seed
        )
        attributor.fit(sample(generator, options.n_searched, random_state=options.seed))
    else:
        attributor = shipped.make_attributor(method, OWNER, options)
        X_own = sample(generator, options.n_own, random_state=options.seed)
        X = np.concatenate([X_own, load_fashion_sample(options.n_real)])
        attributor.fit(X, np.repeat([1, -1], [options.n_own, options.n_real]))
    save_attributor(attributor, path)
    return attributor


def images_of(source, n_test, n_reference, options):
    """Test and reference images of a source, none of which trained an attributor."""
    if source != "real":
        generator, seed = load_pretrained(source), options.seed
        test = sample(generator, n_test, random_state=seed + 2)
        # The owner itself is no reference.
        reference = sample(generator, max(n_reference, 1), random_state=seed + 3)[:n_reference]
        return test, reference
    real = load_fashion_sample()[options.n_real :]
    if len(real) < n_test + n_reference:
        # The shipped ones are its first images.
        real = load_fashion_mnist("test")[options.n_real :]
    return real[:n_test], real[n_test:][:n_reference]


def quality_of_method(calibrator, own, reference, own_test, others_test):
    """Quality of the ratios of test samples, within the bounds, for one reference population."""
    logs, bounds = calibrated(calibrator, own, reference, own_test, others_test)
    logs = [x.clip(*bounds) for x in logs]
    return {
        "n_own": len(own),
        "n_test": len(others_test),
        "cllr": cllr(*labeled(*logs)),
        "cllr_min": cllr_min(*labeled(-own_test, -others_test)),
        "log10_bounds": list(bounds),
        "own_misleading": interval((logs[0] < 0).sum(), len(own_test)),
        "others_misleading": interval((logs[1] > 0).sum(), len(others_test)),
    }


def simulated_table(rows):
    """A line for each pair of densities and calibrator."""
    return pd.DataFrame(
        {
            "densities": row["case"],
            "calibrator": row["calibrator"],
            "mean ratio, reference": _with_interval(row["mean_lr"]),
            "95 % of calibrations": "{:.2f} to {:.2f}".format(*row["mean_lr_of_95"]),
            "without bounds": _with_interval(row["mean_lr_unbounded"]),
            "Cllr": f"{row['cllr'][0]:.3f}",
            "Cllr, true ratios": f"{row['true_cllr']:.3f}",
            "misleading, high": f"{row['misleading_high'][0]:.2f}",
            "misleading, low": f"{row['misleading_low'][0]:.2f}",
        }
        for row in rows
        if row["case"] in DENSITIES
    )


def shipped_table(rows, calibrator="logistic"):
    """A line for each method and source, with columns for the numbers of reference samples."""
    lines = {}
    for row in rows:
        if row["case"] in METHODS and row["calibrator"] == calibrator:
            line = lines.setdefault(
                (row["case"], row["source"]),
                {
                    "method": row["case"],
                    "reference": row["source"],
                    "Cllr min": f"{row['cllr_min']:.4f}",
                },
            )
            n, bounds = f"{row['n_reference']:,}", row["log10_bounds"]
            line[f"Cllr, {n}"] = f"{row['cllr']:.4f}"
            line[f"bounds, {n}"] = "{:.2f} to {:.2f}".format(*bounds)
    return pd.DataFrame(lines.values()).fillna("")


def _with_interval(found):
    """A mean with its interval as text."""
    if found is None:
        return "infinite"
    return "{:.3g} ({:.3g} to {:.3g})".format(*found)


TABLES = {
    "likelihood_ratios_simulated": simulated_table,
    "likelihood_ratios_shipped": shipped_table,
}
