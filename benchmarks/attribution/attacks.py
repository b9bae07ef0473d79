"""Attacks on each method: own samples that pass for foreign, and foreign ones that pass for own.

No pixel changes by more than a budget of gray levels. Attacked are own samples that an attributor
accepts, and photographs and samples of another model that it rejects. An adversary who knows scores
alone makes a square attack. One who knows the attributor takes gradient steps first, where the
method is a network on simple features, or moves to the reconstruction, where it searches for one.
Methods that take long for a score allow fewer queries: a failure says less there.
"""

import numpy as np
import pandas as pd

from benchmarks.attribution.attack_gradients import GRADIENTS, gradient_for
from benchmarks.attributors import QUICK, one_layer_detector, trained_encoder
from benchmarks.data.generators import SHIPPED
from benchmarks.judging import interval
from benchmarks.machine import timed
from benchmarks.options import Option, selection
from sklearn_flipad.datasets import load_fashion_sample
from sklearn_flipad.evaluation import forgery_attack, removal_attack
from sklearn_flipad.generators import sample
from sklearn_flipad.pipelines import METHODS as REGISTRY
from sklearn_flipad.pipelines import TargetModel, make_combined
from sklearn_flipad.zoo import load_pretrained

#: At most so many queries of a sample, and samples of each source, where a score takes long.
LIMITS = {"flipad": (60, 30), "reproduction": (20, 30), "sminv": (4, 8)}
#: Methods that search for a reconstruction, and are fitted to own samples alone.
SEARCHES = ("reproduction", "sminv")
#: Arguments of the searches: SM-Inv far below the paper's ten restarts of 1,000 steps.
_SMINV = {"n_restarts": 2, "max_iter": 60, "optimizer": "lbfgs"}
_QUICK = {"max_iter": 3, "n_newton": 0, "n_restarts": 0}
#: Attributors that the combination is made of.
PARTS = ("rawpad", "whitened")
#: All methods for images whose parts a generator has, and that need no list of seeds.
METHODS = tuple(
    name
    for name, method in REGISTRY.items()
    if "images" in method.judges and (name == "combined" or method.arguments is not None)
    if method.needs != "autoencoder" and name != "seeded"
)
OTHER = "fashion/lsgan-0"
#: Attacks and the sources of the samples that are changed.
ATTACKS = {
    "removal": (removal_attack, "own"),
    "forgery, photographs": (forgery_attack, "photographs"),
    "forgery, another model": (forgery_attack, "another model"),
}
KEYS = ("owner", "method", "knows", "attack", "budget")
OPTIONS = (
    selection("owners", [name for name in SHIPPED if name != OTHER], ("fashion/dcgan-0",)),
    selection("methods", METHODS, small=("reproduction", "rawpad", "sminv")),
    selection("budgets", (1, 2, 4, 8), small=(4,)),
    Option("fnr", 0.05, 0.2, "false-negative rate"),
    Option("n_own", 4000, 60, "own samples, a quarter of which calibrates"),
    Option("n_searched", 200, 10, "own samples for methods that search"),
    Option("n_real", 1000, 16, "photographs that train"),
    Option("n_attacked", 30, 2, "samples of each source"),
    Option("max_queries", 300, 4, "queries of a sample"),
    Option("max_epochs", 20, 2, "epochs of the detector"),
    Option("max_steps", 1000, 1, "training steps of the encoder"),
    QUICK,
    Option("seed", 0, help="of samples, detectors and attacks"),
)


def run(options, results):
    """Attack each method of each owner."""
    for owner in options.owners:
        generator = load_pretrained(owner)
        for method in options.methods:
            n_queries, n = LIMITS.get(method, (options.max_queries, options.n_attacked))
            n_queries, n = min(n_queries, options.max_queries), min(n, options.n_attacked)
            attributor = targets = None
            for cell in cells(owner, method, options):
                if results.has(*cell.values()):
                    continue
                if attributor is None:
                    attributor = fitted(owner, generator, method, options)
                    targets = attacked(attributor, generator, n, options)
                results.add(row_of(cell, attributor, targets, n_queries, options))


def cells(owner, method, options):
    """Keys and values of the rows of a method."""
    knowledge = ["scores"]
    if method in GRADIENTS:
        knowledge.append("weights")
    for knows in knowledge:
        for attack in ATTACKS:
            for budget in options.budgets:
                yield dict(zip(KEYS, (owner, method, knows, attack, budget), strict=True))
    if method in SEARCHES:
        for attack in list(ATTACKS)[1:]:
            for budget in options.budgets:
                values = (owner, method, "reconstruction", attack, budget)
                yield dict(zip(KEYS, values, strict=True))


def fitted(owner, generator, method, options):
    """A fitted attributor of a method."""
    own = sample(generator, options.n_own, random_state=2 * options.seed)
    if method in SEARCHES:
        return _made(owner, generator, method, options).fit(own[: options.n_searched])
    real = load_fashion_sample(options.n_real)
    y = np.repeat([1, -1], [len(own), len(real)])
    return _made(owner, generator, method, options).fit(np.concatenate([own, real]), y)


def _made(owner, generator, method, options):
    common = {"fnr": options.fnr, "random_state": options.seed}
    if method == "combined":
        parts = {name: _made(owner, generator, name, options) for name in PARTS}
        return make_combined(parts, cv=0.25, **common)
    common["detector"] = one_layer_detector(options.max_epochs, options.seed)
    if method == "sminv":
        common |= {**_SMINV, **({"max_iter": 2} if options.quick else {})}
    elif method == "reproduction":
        common["encoder"], _ = trained_encoder(generator, owner, options.work, options.max_steps)
    else:
        common["cv"] = 0.25
    model = TargetModel(generator, random_state=options.seed)
    attributor = REGISTRY[method].attributor(model, **common)
    if method == "reproduction" and options.quick:
        attributor.set_params(**{f"detect__estimator__{k}": v for k, v in _QUICK.items()})
    return attributor


def attacked(attributor, generator, n, options):
    """Samples by source that are judged rightly before the attack, at most `n` of each."""
    seed = 2 * options.seed + 1
    n_drawn = 2 * n + 10
    drawn = {
        "own": sample(generator, n_drawn, random_state=seed),
        "photographs": load_fashion_sample()[options.n_real :][:n_drawn],
        "another model": sample(load_pretrained(OTHER), n_drawn, random_state=seed),
    }
    return {
        source: X[(attributor.decision_function(X) >= 0) == (source == "own")][:n]
        for source, X in drawn.items()
    }


def row_of(cell, attributor, targets, n_queries, options):
    """Row of an attack on the samples of a source."""
    attack, source = ATTACKS[cell["attack"]]
    X = targets[source]
    row = {**cell, "n": len(X), "max_queries": n_queries}
    if not len(X):
        return {**row, "succeeded": 0, "interval": None, "queries": None, "psnr": None}
    known = {}
    if cell["knows"] == "weights":
        known["gradient"] = gradient_for(cell["method"], attributor)
    elif cell["knows"] == "reconstruction":
        found = attributor["detect"].estimator_.reconstruct(X).reconstructions
        known["toward"] = found.reshape(X.shape)
    found, seconds = timed(
        attack,
        attributor,
        X,
        budget=cell["budget"],
        max_queries=n_queries,
        random_state=options.seed,
        **known,
    )
    n_succeeded = int(found.success.sum())
    row |= {"succeeded": n_succeeded, "interval": interval(n_succeeded, len(X))[1:]}
    row["queries"] = float(np.median(found.queries[found.success])) if n_succeeded else None
    row["psnr"] = float(np.mean(found.psnr[found.success])) if n_succeeded else None
    return {**row, "ms_per_query": 1e3 * seconds / int(found.queries.sum())}


def table(rows):
    """Shares that succeed by budget (columns), and queries and PSNR at the largest budget."""
    lines = {}
    for row in sorted(rows, key=lambda row: METHODS.index(row["method"])):
        names = {key: row[key] for key in KEYS[1:-1]}
        line = lines.setdefault(tuple(names.values()), {**names, "samples": row["n"]})
        line[f"{row['budget']}"] = f"{row['succeeded'] / row['n']:.2f}" if row["n"] else ""
        # Overwritten by the largest budget, the last one.
        line["queries"] = "" if row["queries"] is None else f"{row['queries']:.0f}"
        line["allowed"] = row["max_queries"]
        line["PSNR"] = "" if row["psnr"] is None else f"{row['psnr']:.1f}"
    frame = pd.DataFrame(lines.values())
    budgets = [name for name in frame if name.isdigit()]
    columns = [*KEYS[1:-1], "samples", *budgets, "queries", "allowed", "PSNR"]
    return frame[columns].fillna("")


TABLES = {"attacks": table}
