"""Tables 5 and 15 of the paper: which synthesizer made a row, and which a table.

The owner has a KL-WGAN; TVAE, CTGAN and CopulaGAN of SDV, fitted to the same table with their
defaults, are the others. As in the paper, the negatives that train are rows of TVAE. All rows are
rounded as the real table is. Needs ``pip install "sklearn-flipad[tabular]"``.

There is a row for each table, seed and method. Synthesizers and their rows are kept. The tables
have the mean and the standard deviation over the seeds beside the paper's, and how often sets of
rows are told from the owner's.
"""

import time

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from benchmarks.attributors import QUICK, final_layer, reproduction_detector
from benchmarks.data import tabular as data
from benchmarks.judging import judge_pair
from benchmarks.options import Option, selection
from sklearn_flipad import (
    ChannelSelector,
    DeepSADDetector,
    InlierScaler,
    InlierWhitener,
    LatentEncoder,
    SMInvDetector,
    make_flipad,
    make_rawpad,
    make_whitened,
)
from sklearn_flipad.calibration import (
    Conformal,
    conformal_p_values,
    rank_sum_p_value,
    simes_p_value,
)
from sklearn_flipad.reproduction import LatentPosteriorDetector

OWNER = "KL-WGAN"
TRAINED = ("RawPAD", "FLIPAD", "whitened")
SEARCHED = ("SM-Inv", "reproduction", "posterior")
#: What was tried for FLIPAD, by the names of methods that can be asked for: the steps between
#: activations and detector, and parameters of the inversion.
SELECTION = make_pipeline(ChannelSelector(k=100), InlierScaler())
VARIANTS = {
    "FLIPAD": (SELECTION, {}),
    "FLIPAD unselected": (InlierScaler(), {}),
    "FLIPAD whitened": (InlierWhitener(ridge=1e-2, exponent=0.5), {}),
    "FLIPAD lam 0.1": (InlierScaler(), {"lam": 1e-1}),
    "FLIPAD lam 1e-5": (InlierScaler(), {"lam": 1e-5}),
    "FLIPAD tol 1e-6": (InlierScaler(), {"tol": 1e-6, "max_iter": 10_000}),
}
#: What is judged in the searches: the smallest distance, the largest posterior density, and the
#: density of the row.
SCORES = {"posterior": ("distance", "posterior", "evidence")}
#: Accuracies of Tables 5 and 15, and their standard deviations of Table 16.
PAPER = {
    ("redwine", "SM-Inv"): ("0.880 (0.017)", "0.957 (0.013)", "0.945 (0.015)"),
    ("redwine", "RawPAD"): ("0.906 (0.015)", "0.966 (0.008)", "0.949 (0.021)"),
    ("redwine", "FLIPAD"): ("0.912 (0.013)", "0.981 (0.006)", "0.967 (0.018)"),
    ("white", "SM-Inv"): ("0.957 (0.019)", "0.964 (0.016)", "0.962 (0.014)"),
    ("white", "RawPAD"): ("0.842 (0.013)", "0.809 (0.015)", "0.814 (0.013)"),
    ("white", "FLIPAD"): ("0.842 (0.013)", "0.806 (0.016)", "0.808 (0.011)"),
}
#: Level of the test of "all of these are the owner's".
SET_LEVEL = 0.005
SET_TESTS = {
    "Simes": lambda own, rows: simes_p_value(conformal_p_values(own, rows)),
    "rank sum": rank_sum_p_value,
}


KEYS = ("table", "seed", "method")
OPTIONS = (
    selection("tables", ("redwine", "white"), ("redwine",)),
    Option("seeds", (0, 1, 2, 3, 4), (0,), selects=True),
    selection("methods", (*TRAINED, *SEARCHED, *VARIANTS), (*TRAINED, *SEARCHED)),
    Option("fnr", 0.005, 0.1, "false-negative rate"),
    Option("n_train", 8000, 40, "rows of the owner, and of TVAE, that train"),
    Option("n_calibration", 1000, 20, "rows of the owner that calibrate"),
    Option("n_pool", 4000, 16, "rows of each source that are judged by trained methods"),
    Option("n_searched", 250, 4, "rows of each source that are judged by searches"),
    Option("n_searched_calibration", 500, 12, "rows that calibrate searches"),
    Option("set_sizes", (1, 2, 5, 10, 20, 50, 100), (1, 2), "rows of a set"),
    Option("n_sets", 1000, 2, "sets of each size that are drawn"),
    Option("max_epochs", 20, 2, "epochs of DeepSAD"),
    Option("epochs", 300, 1, "epochs of SDV's synthesizers"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    QUICK,
    Option("max_iter", 300, 2, "steps of SM-Inv"),
    Option("n_starts", 16, 1, "starts of the posterior"),
    Option("n_drawn", 100_000, 500, "latents that the posterior starts from"),
)


def make_trained(method, owner, seed, options):
    """An attributor of rows by name."""
    detector = DeepSADDetector(
        max_epochs=options.max_epochs, milestones=(options.max_epochs // 2,), random_state=seed
    )
    cv = options.n_calibration / (options.n_train + options.n_calibration)
    common = {"detector": detector, "fnr": options.fnr, "cv": cv, "random_state": seed}
    if method == "RawPAD":
        return make_rawpad(**common)
    if method == "whitened":
        return make_whitened("identity", **common)
    scaler, params = VARIANTS[method]
    params = {f"invert__{name}": value for name, value in params.items()}
    return make_flipad(final_layer(owner), scaler=scaler, **common).set_params(**params)


def make_searched(method, owner, preparer, options):
    """A detector that searches latents, by name."""
    if method == "posterior":
        sizes = {"n_starts": options.n_starts, "n_drawn": options.n_drawn}
        return LatentPosteriorDetector(owner, noise=preparer.rounding(), **sizes)
    if method == "reproduction":
        encoder = LatentEncoder(max_steps=options.max_steps, dtype="float32").fit(owner)
        return reproduction_detector(owner, encoder, quick=options.quick, n_calibration=0)
    # A part of the paper's ten restarts of 1,000 steps.
    return SMInvDetector(owner, n_restarts=3, max_iter=options.max_iter, batch_size=512)


def scores_of(detector, X):
    """Scores of a search by the names of what is judged; larger is more normal."""
    if not isinstance(detector, LatentPosteriorDetector):
        return {"distance": detector.score_samples(X.astype(np.float32))}
    found = detector.reconstruct(X)
    return {
        "distance": -found.distances,
        "posterior": found.log_posterior,
        "evidence": found.log_evidence,
    }


def judge_trained(method, name, seed, rows, owner, options):
    """The row of the results of a trained method, in a list."""
    start = time.process_time()
    n_own = options.n_train + options.n_calibration
    X = np.concatenate([rows(OWNER, n_own, 0), rows("TVAE", options.n_train, 0)])
    attributor = make_trained(method, owner, seed, options)
    attributor.fit(X, np.repeat([1, -1], [n_own, options.n_train]))
    fitted = time.process_time()
    scores = {
        source: attributor.score_samples(rows(source, options.n_pool, 1))
        for source in (OWNER, *data.OTHERS)
    }
    names = {"table": name, "seed": seed, "method": method, "score": ""}
    seconds = {"fit_s": fitted - start, "score_s": time.process_time() - fitted}
    return [row_of(names, scores, attributor["detect"].offset_, seconds, options)]


def judge_searched(method, name, seed, rows, owner, options):
    """The rows of the results of a search, one for each of its scores."""
    start = time.process_time()
    preparer = data.make_preparer(data.load_table(name, options.work))
    detector = make_searched(method, owner, preparer, options)
    fitted = time.process_time()
    calibration = scores_of(detector, rows(OWNER, options.n_searched_calibration, 0))
    found = {
        source: scores_of(detector, rows(source, options.n_searched, 1))
        for source in (OWNER, *data.OTHERS)
    }
    seconds = {"fit_s": fitted - start, "score_s": time.process_time() - fitted}
    lines = []
    for score in SCORES.get(method, ("distance",)):
        names = {"table": name, "seed": seed, "method": method, "score": score}
        threshold = -Conformal().threshold(-calibration[score], options.fnr)
        scores = {source: values[score] for source, values in found.items()}
        more = calibration[score]
        lines.append(row_of(names, scores, threshold, seconds, options, more))
    return lines


def row_of(names, scores, threshold, seconds, options, more=()):
    """One row of the results."""
    row = names | {key: round(value, 1) for key, value in seconds.items()}
    row["sources"] = {
        source: judge_pair(scores[OWNER], scores[source], threshold) for source in data.OTHERS
    }
    return row | {"sets": simulate_sets(scores, options.set_sizes, options.n_sets, more)}


def simulate_sets(scores, sizes, n_sets, more=(), n_calibration=1000):
    """Share of sets of which tests reject that all rows are the owner's, by source and size.

    Each set has a calibration set of its own, drawn from rows of the owner that the method has
    not seen in training, `more` among them.
    """
    rng = np.random.default_rng(0)
    scores = {**scores, OWNER: np.concatenate([scores[OWNER], more])}
    n_calibration = min(n_calibration, len(scores[OWNER]) - max(sizes))
    found = {test: {source: dict.fromkeys(sizes, 0) for source in scores} for test in SET_TESTS}
    for _ in range(n_sets):
        own = rng.permutation(scores[OWNER])
        calibration, left = own[:n_calibration], own[n_calibration:]
        for source, values in scores.items():
            pool = left if source == OWNER else rng.permutation(values)
            for test, p_value in SET_TESTS.items():
                for size in sizes:
                    rejected = p_value(-calibration, -pool[:size]) <= SET_LEVEL
                    found[test][source][size] += int(rejected) / n_sets
    return found


def run(options, results):
    """Judge each method for each table and seed."""
    for name in options.tables:
        for seed in options.seeds:
            missing = [method for method in options.methods if not results.has(name, seed, method)]
            if missing:
                run_seed(name, seed, missing, options, results)


def run_seed(name, seed, methods, options, results):
    """Judge methods for one table and seed."""
    owner = data.load_owner(name, seed, options.work)

    def rows(source, n, draw):
        # As many are drawn for all methods, so that they judge the same.
        n_drawn = options.n_pool if draw else options.n_train + options.n_calibration
        more = {} if source == OWNER else {"epochs": options.epochs}
        return data.rows_of(source, name, seed, n_drawn, options.work, draw=draw, **more)[:n]

    for method in methods:
        judge = judge_searched if method in SEARCHED else judge_trained
        found = judge(method, name, seed, rows, owner, options)
        shown = {
            row["score"]: {s: round(r["accuracy"], 3) for s, r in row["sources"].items()}
            for row in found
        }
        results.add(*found, shown=shown)


def groups(rows):
    """Yield names of table and method, and the rows of all seeds."""
    for key in dict.fromkeys((row["table"], row["method"], row["score"]) for row in rows):
        yield key, [row for row in rows if (row["table"], row["method"], row["score"]) == key]


def table(rows):
    """Accuracies over the seeds, beside the paper's."""
    lines = []
    for key, same in groups(rows):
        line = {"table": key[0], "method": " ".join(key[1:]).strip(), "seeds": len(same)}
        for index, source in enumerate(data.OTHERS):
            values = [row["sources"][source]["accuracy"] for row in same]
            spread = f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else ""
            line[source] = f"{np.mean(values):.3f}{spread}"
            line[f"{source} in the paper"] = PAPER.get(key[:2], ("",) * 3)[index]
        line["FNR"] = f"{np.mean([x['sources']['TVAE']['found_fnr'][0] for x in same]):.4f}"
        lines.append(line)
    return pd.DataFrame(lines)


def table_of_sets(rows):
    """Shares of rejected sets over the seeds, by test, source and size."""
    lines = []
    for key, same in groups(rows):
        names = {"table": key[0], "method": " ".join(key[1:]).strip()}
        for test in SET_TESTS:
            for source in (OWNER, *data.OTHERS):
                found = [row["sets"][test][source] for row in same]
                rates = {size: f"{np.mean([x[size] for x in found]):.4f}" for size in found[0]}
                lines.append({**names, "test": test, "rows of": source, **rates})
    return pd.DataFrame(lines)


TABLES = {"tabular": table, "tabular_sets": table_of_sets}
