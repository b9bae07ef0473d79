"""Reproduction: own samples, all other shipped generators, and what a verdict costs.

For each owner an encoder is trained and an attributor fitted to its samples. Fresh samples of the
owner and of every other generator are judged; a row has all that was measured of an owner. ``--adam
N`` adds the paper's search, ten random starts of 1,000 steps of Adam, for N own samples of each
owner.
"""

import numpy as np
import pandas as pd

from benchmarks.attributors import QUICK, make_reproduction, trained_encoder
from benchmarks.data.generators import SHIPPED, generator_by_name
from benchmarks.judging import judge_reproduction
from benchmarks.machine import device_name, timed
from benchmarks.options import Option, selection
from sklearn_flipad import SMInvDetector
from sklearn_flipad.generators import sample

OWNERS = (*SHIPPED, "public")
KEYS = ("owner",)
OPTIONS = (
    selection("owners", OWNERS, small=("fashion/wgan-gp-0",)),
    Option("fnr", 0.005, 0.05, "false-negative rate"),
    Option("n_own", 1000, 100, "own samples to fit, and as many fresh ones"),
    Option("n_others", 250, 10, "samples of each other generator"),
    Option("max_steps", 1000, help="training steps of the encoder"),
    Option("adam", 0, help="own samples for the paper's search"),
    Option("adam_steps", 1000),
    Option("quick", False, help=QUICK.help),
)


def suspects(name, owner, n):
    """Samples of another generator, in the size of the owner's."""
    X = sample(generator_by_name(name, None), n, random_state=3)
    if owner == "public":  # 64x64 pixels in color, all others 32x32 in gray
        X = X.repeat(3, axis=1).repeat(2, axis=2).repeat(2, axis=3)
    return X


def adam(generator, X, n_steps):
    """The paper's search: share of own samples that it reproduces, and what it costs."""
    found, seconds = timed(SMInvDetector(generator, max_iter=n_steps).reconstruct, X)
    return {
        "n": len(X),
        "reproduced": int(found.reproduced.sum()),
        "median_distance": round(float(np.median(found.distances)), 3),
        "ms": round(seconds / len(X) * 1e3, 1),
    }


def measure(name, others, options):
    """All that is measured of one owner."""
    generator = generator_by_name(name, options.work)
    encoder, seconds = trained_encoder(generator, name, options.work, options.max_steps)
    attributor = make_reproduction(generator, encoder, quick=options.quick, fnr=options.fnr)
    n = options.n_own
    _, fit_seconds = timed(attributor.fit, sample(generator, n, random_state=1))
    row = {
        "owner": name,
        "device": device_name(),
        "encoder_seconds": seconds,
        "encoder": encoder.history_,
        "fit_seconds": round(fit_seconds, 1),
        "threshold": round(float(-attributor["detect"].offset_), 4),
        "bounds": attributor["detect"].estimator_.bounds_,
        "own": judge_reproduction(attributor, sample(generator, n, random_state=2)),
        "others": {
            other: judge_reproduction(attributor, suspects(other, name, options.n_others))
            for other in others
        },
    }
    if options.adam:
        X = sample(generator, options.adam, random_state=2)
        row["adam"] = adam(generator, X, options.adam_steps)
    return row


def run(options, results):
    """Measure each owner."""
    for name in options.owners:
        if results.has(name):
            continue
        others = [x for x in SHIPPED if x != name and (name != "public" or x.endswith("-0"))]
        row = measure(name, others, options)
        own, rest = row["own"], row["others"].values()
        shown = {"reproduced": own["outcomes"].get("reproduced", 0), "of": own["n"]}
        shown |= {"others accepted": sum(r["accepted"] for r in rest), "ms": own["ms"]}
        results.add(row, shown=shown)


def table(rows):
    """A line for each owner."""
    lines = []
    for row in sorted(rows, key=lambda row: OWNERS.index(row["owner"])):
        own, others = row["own"], list(row["others"].values())
        n, accepted = (sum(r[k] for r in others) for k in ("n", "accepted"))
        lines.append(
            {
                "owner": row["owner"],
                "own samples reproduced": f"{own['outcomes'].get('reproduced', 0)} of {own['n']}",
                "own samples accepted": f"{own['accepted']} of {own['n']}",
                "others accepted": f"{accepted} of {n}",
                "largest own distance": own["distances"][-1],
                "smallest other distance": min(r["distances"][0] for r in others),
                "threshold": row["threshold"],
            }
        )
    return pd.DataFrame(lines)


TABLES = {"reproduction": table}
