"""Tables 5 and 15 of the paper: which synthesizer made a row, and which a table.

    python benchmarks/tabular.py [--tables redwine white] [--seeds 0 1 2 3 4] [--small]
    python benchmarks/tabular.py --seeds 0 --n-train 2000 --methods RawPAD FLIPAD "FLIPAD whitened"

The owner has a KL-WGAN; TVAE, CTGAN and CopulaGAN of SDV, fitted to the same table with their
defaults, are the others. As in the paper, the negatives that train are rows of TVAE. All rows
are rounded as the real table is. Needs ``pip install "sklearn-flipad[tabular]"``.

One line of JSON for each table, seed and method is appended to ``tabular.jsonl`` in the folder
``--out``; what is there already is left out. Synthesizers and their rows are kept in ``--store``.
In the end ``tabular.csv`` has the mean and the standard deviation over the seeds beside the
paper's, and ``tabular_sets.csv`` how often sets of rows are told from the owner's.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import tabular_data as data
from attribution import row_of_pair
from output import add_out
from sklearn.pipeline import make_pipeline

from sklearn_flipad import (
    ChannelSelector,
    DeepSADDetector,
    FinalLayer,
    InlierScaler,
    InlierWhitener,
    LatentEncoder,
    ReproductionDetector,
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
FNR = 0.005
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
SET_SIZES = (1, 2, 5, 10, 20, 50, 100)
#: Level of the test of "all of these are the owner's", and sets that are drawn.
SET_LEVEL, N_SETS = 0.005, 1000
SET_TESTS = {
    "Simes": lambda own, rows: simes_p_value(conformal_p_values(own, rows)),
    "rank sum": rank_sum_p_value,
}


@dataclass(frozen=True)
class Setting:
    """How large the experiment is.

    Attributes
    ----------
    n_train, n_calibration, n_pool : int
        Rows of the owner, and as many of TVAE, that train; rows of the owner that calibrate;
        rows of each source that are judged by trained methods.
    n_searched, n_searched_calibration : int
        Rows of each source that are judged by searches, and rows that calibrate those.
    max_epochs : int
        Passes of DeepSAD.
    epochs : int
        Passes of SDV's synthesizers.
    """

    n_train: int = 8000
    n_calibration: int = 1000
    n_pool: int = 4000
    n_searched: int = 250
    n_searched_calibration: int = 500
    max_epochs: int = 20
    epochs: int = 300


SMALL = Setting(300, 250, 400, 16, 250, 2, 2)


def make_trained(method, owner, setting, seed):
    """An attributor of rows by name."""
    detector = DeepSADDetector(
        max_epochs=setting.max_epochs, milestones=(setting.max_epochs // 2,), random_state=seed
    )
    cv = setting.n_calibration / (setting.n_train + setting.n_calibration)
    common = {"detector": detector, "fnr": FNR, "cv": cv, "random_state": seed}
    if method == "RawPAD":
        return make_rawpad(**common)
    if method == "whitened":
        return make_whitened("identity", **common)
    layer = FinalLayer.from_generator(owner, n_samples=5000, random_state=0)
    scaler, params = VARIANTS[method]
    params = {f"invert__{name}": value for name, value in params.items()}
    return make_flipad(layer, scaler=scaler, **common).set_params(**params)


def make_searched(method, owner, preparer, setting):
    """A detector that searches latents, by name."""
    if method == "posterior":
        return LatentPosteriorDetector(owner, noise=preparer.rounding())
    if method == "reproduction":
        encoder = LatentEncoder(max_steps=1000, dtype="float32").fit(owner)
        return ReproductionDetector(owner, encoder=encoder, n_calibration=0)
    # A part of the paper's ten restarts of 1,000 steps.
    return SMInvDetector(owner, n_restarts=3, max_iter=300, batch_size=512)


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


def run_trained(method, name, seed, rows, owner, setting):
    """Yield the rows of the result of a trained method."""
    start = time.process_time()
    n_own = setting.n_train + setting.n_calibration
    X = np.concatenate([rows(OWNER, n_own, 0), rows("TVAE", setting.n_train, 0)])
    attributor = make_trained(method, owner, setting, seed)
    attributor.fit(X, np.repeat([1, -1], [n_own, setting.n_train]))
    fitted = time.process_time()
    scores = {
        source: attributor.score_samples(rows(source, setting.n_pool, 1))
        for source in (OWNER, *data.OTHERS)
    }
    seconds = {"fit_s": fitted - start, "score_s": time.process_time() - fitted}
    yield result(name, seed, method, "", scores, attributor["detect"].offset_, seconds)


def run_searched(method, name, seed, rows, owner, setting):
    """Yield the rows of the result of a search, for each of its scores."""
    start = time.process_time()
    preparer = data.make_preparer(data.load_table(name))
    detector = make_searched(method, owner, preparer, setting)
    fitted = time.process_time()
    calibration = scores_of(detector, rows(OWNER, setting.n_searched_calibration, 0))
    found = {
        source: scores_of(detector, rows(source, setting.n_searched, 1))
        for source in (OWNER, *data.OTHERS)
    }
    seconds = {"fit_s": fitted - start, "score_s": time.process_time() - fitted}
    for score in SCORES.get(method, ("distance",)):
        threshold = -Conformal().threshold(-calibration[score], FNR)
        scores = {source: values[score] for source, values in found.items()}
        yield result(name, seed, method, score, scores, threshold, seconds, calibration[score])


def result(name, seed, method, score, scores, threshold, seconds, calibration=()):
    """One line of the results."""
    line = {"table": name, "seed": seed, "method": method, "score": score}
    line |= {key: round(value, 1) for key, value in seconds.items()}
    line["sources"] = {
        source: row_of_pair(scores[OWNER], scores[source], threshold) for source in data.OTHERS
    }
    line["sets"] = simulate_sets(scores, calibration)
    return line


def simulate_sets(scores, more=(), n_calibration=1000, n_sets=N_SETS):
    """How often tests reject that all rows of a set are the owner's, by source and size.

    Each set has a calibration set of its own, drawn from rows of the owner that the method has
    not seen in training, `more` among them.
    """
    rng = np.random.default_rng(0)
    scores = {**scores, OWNER: np.concatenate([scores[OWNER], more])}
    n_calibration = min(n_calibration, len(scores[OWNER]) - SET_SIZES[-1])
    found = {test: {source: dict.fromkeys(SET_SIZES, 0) for source in scores} for test in SET_TESTS}
    for _ in range(n_sets):
        own = rng.permutation(scores[OWNER])
        calibration, left = own[:n_calibration], own[n_calibration:]
        for source, values in scores.items():
            pool = left if source == OWNER else rng.permutation(values)
            for test, p_value in SET_TESTS.items():
                for size in SET_SIZES:
                    rejected = p_value(-calibration, -pool[:size]) <= SET_LEVEL
                    found[test][source][size] += int(rejected) / n_sets
    return found


def summaries(lines):
    """Accuracies and rejected sets, over the seeds."""
    rows, sets = [], []
    for key in dict.fromkeys((line["table"], line["method"], line["score"]) for line in lines):
        same = [x for x in lines if (x["table"], x["method"], x["score"]) == key]
        row = {"table": key[0], "method": " ".join(key[1:]).strip(), "seeds": len(same)}
        for index, source in enumerate(data.OTHERS):
            values = [line["sources"][source]["accuracy"] for line in same]
            spread = f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else ""
            row[source] = f"{np.mean(values):.3f}{spread}"
            row[f"{source} in the paper"] = PAPER.get(key[:2], ("",) * 3)[index]
        row["FNR"] = f"{np.mean([x['sources']['TVAE']['found_fnr'][0] for x in same]):.4f}"
        rows.append(row)
        for test in SET_TESTS:
            for source in (OWNER, *data.OTHERS):
                rates = {
                    str(size): f"{np.mean([x['sets'][test][source][str(size)] for x in same]):.4f}"
                    for size in SET_SIZES
                }
                names = {"table": key[0], "method": row["method"], "test": test}
                sets.append({**names, "rows of": source, **rates})
    return pd.DataFrame(rows), pd.DataFrame(sets)


def main():
    """Run what is asked for, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", nargs="+", default=["redwine"], choices=["redwine", "white"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    known = [*TRAINED, *SEARCHED, *VARIANTS]
    parser.add_argument("--methods", nargs="+", default=known[:6], choices=known, metavar="NAME")
    parser.add_argument("--n-train", type=int, help="rows of the owner, and of TVAE, that train")
    parser.add_argument("--small", action="store_true", help="see that it runs, in minutes")
    parser.add_argument("--store", type=Path, default=Path("output/tabular"))
    add_out(parser)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    prefix, setting = ("small-", SMALL) if args.small else ("", Setting())
    target = args.out / f"{prefix}tabular.jsonl"
    if args.n_train:
        setting = replace(setting, n_train=args.n_train)
        prefix = f"{prefix}{args.n_train}-"
        target = args.out / f"{prefix}tabular.jsonl"
    store = args.store / ("small-synthesizers" if args.small else "synthesizers")
    for name in args.tables:
        for seed in args.seeds:
            run_seed(name, seed, args.methods, setting, store, target)
    if target.exists():
        for summary, stem in zip(summaries(read(target)), ("tabular", "tabular_sets"), strict=True):
            summary.to_csv(args.out / f"{prefix}{stem}.csv", index=False)
            print(summary.to_string(index=False))


def read(target):
    """The lines of a result."""
    return [json.loads(line) for line in target.read_text().splitlines()]


def run_seed(name, seed, methods, setting, store, target):
    """Append the lines of the methods that have none yet."""
    done = {(x["table"], x["seed"], x["method"]) for x in read(target)} if target.exists() else ()
    missing = [method for method in methods if (name, seed, method) not in done]
    if not missing:
        return
    owner = data.load_owner(name, seed, store)

    def rows(source, n, draw):
        # As many are drawn for all methods, so that they judge the same.
        n_drawn = setting.n_pool if draw else setting.n_train + setting.n_calibration
        options = {} if source == OWNER else {"epochs": setting.epochs}
        return data.rows_of(source, name, seed, n_drawn, store, draw=draw, **options)[:n]

    for method in missing:
        run = run_searched if method in SEARCHED else run_trained
        lines = list(run(method, name, seed, rows, owner, setting))
        # All lines of a method at once: what is interrupted is done again as a whole.
        with target.open("a") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))
        for line in lines:
            shown = {s: round(r["accuracy"], 3) for s, r in line["sources"].items()}
            print(name, seed, method, line["score"], shown, flush=True)


if __name__ == "__main__":
    main()
