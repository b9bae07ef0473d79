"""The claims of the paper, and what the rows say about each."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.paper.judgments import beside, fit_s, judgments, rows_of, timed_rows, unseen
from benchmarks.paper.sources import ARCHITECTURES, architecture
from benchmarks.results import read_rows

__all__ = ["table"]

#: Results of the benchmarks that measure the other tables.
_COMMITTED = Path(__file__).parents[1] / "results"
#: Accuracies, in percent: the paper's least for FLIPAD; a loss, which in the paper is at most 8.2
#: for blur and crop, and 15.9 or more for noise and JPEG; and a gain.
_LEAST, _LOSS, _GAIN = 97.5, 10, 1


def _shown(values):
    return ", ".join(f"{name} {value:.1f}" for name, value in values.items())


def _table_1(rows):
    frame = unseen(judgments(rows, "attribution"))
    frame = frame[(frame["method"] == "FLIPAD") & frame["strict"]]
    if not len(frame):
        return None
    means = frame.groupby("kind")["accuracy"].mean().reindex(ARCHITECTURES).dropna()
    return f"{_shown(means)}; mean {means.mean():.1f}", [x > _LEAST for x in means]


def _best(is_seed):
    """Whether FLIPAD has the largest mean accuracy of all methods."""

    def check(rows):
        frame = judgments(rows, "attribution", "searched")
        frame = frame[frame["strict"] & ((frame["relation"] == "seed") == is_seed)]
        is_searched = frame["method"] == "SM-Inv l2"
        if is_searched.all():
            return None
        means = frame[~is_searched].groupby("method")["accuracy"].mean()
        shown, holds = _shown(means), [means.get("FLIPAD", 0) >= means.max()]
        if is_searched.any():
            searched = frame[is_searched]
            same = frame[(frame["method"] == "FLIPAD") & frame["owner"].isin(searched["owner"])]
            pair = {"SM-Inv": searched["accuracy"].mean(), "FLIPAD": same["accuracy"].mean()}
            shown += f"; of the first seeds: {_shown(pair)}"
            holds.append(pair["FLIPAD"] >= pair["SM-Inv"])
        return shown, holds

    return check


def _penalties(rows):
    frame = judgments(rows, "penalties")
    frame = unseen(frame[frame["strict"]])
    if not len(frame):
        return None
    means = frame.groupby("setting")["accuracy"].mean()
    means = means.reindex(sorted(means.index, key=lambda name: float(name.split()[1])))
    decade = means.drop("alpha 0.1", errors="ignore")
    # In the paper 3.4 points, on LSUN, and 12 to 14.
    holds = [decade.max() - decade.min() < 4]
    if "alpha 0.1" in means:
        holds.append(decade.max() - means["alpha 0.1"] > _LOSS)
    return _shown(means), holds


def _change(rows, names):
    """Mean accuracies of FLIPAD under perturbations, and without any."""
    frame = unseen(judgments(rows, "perturbed"))
    frame = frame[(frame["method"] == "FLIPAD") & frame["strict"]]
    means = frame.groupby("setting")["accuracy"].mean()
    if not {"blur 1", *names} <= set(means.index):
        return None
    return means["blur 1"], means[list(names)]


def _survived(rows):
    found = _change(rows, ("blur 3", "crop 60", "crop 55"))
    if found is None:
        return None
    plain, means = found
    return f"none {plain:.1f}, {_shown(means)}", [plain - x < _LOSS for x in means]


def _harmful(rows):
    found = _change(rows, ("noise 0.05", "noise 0.1", "JPEG 90", "JPEG 80"))
    if found is None:
        return None
    plain, means = found
    return f"none {plain:.1f}, {_shown(means)}", [plain - x > _LOSS for x in means]


def _liberal(rows):
    frame = unseen(judgments(rows, "perturbed"))
    frame = frame[(frame["method"] == "FLIPAD") & frame["setting"].str.match("noise|JPEG")]
    if not len(frame):
        return None
    means = frame.groupby(["setting", "strict"])["accuracy"].mean().unstack()
    shown = ", ".join(f"{name} {x[True]:.1f} to {x[False]:.1f}" for name, x in means.iterrows())
    return shown, [x[False] - x[True] > _GAIN for _, x in means.iterrows()]


def _fewer(rows):
    few = rows_of(rows, "fewer")
    if not few:
        return None
    least = min(int(row["setting"].split()[1]) for row in few)
    frame = unseen(beside(rows, "fewer"))
    frame = frame[frame["strict"]]
    n_tr = frame["setting"].str.split().str[1].astype(int)
    small = frame[n_tr == least].groupby("kind")["accuracy"].mean()
    full = frame[n_tr == n_tr.max()].groupby("kind")["accuracy"].mean()
    kinds = [kind for kind in ARCHITECTURES if kind in small.index and kind in full.index]
    shown = ", ".join(f"{kind} {full[kind]:.1f} to {small[kind]:.1f}" for kind in kinds)
    # The paper's largest loss but for LSGAN's is 5.8 points.
    holds = [full[kind] - small[kind] < 6 for kind in kinds if kind != "lsgan"]
    return f"n_tr {n_tr.max()} to {least}: {shown}", holds


def _order(rows):
    seconds = {}
    for row in timed_rows(rows):
        seconds.setdefault(row["method"], []).append(fit_s(row))
    if len(seconds) < 4:
        return None
    means = {name: np.mean(values) for name, values in seconds.items()}
    shown = ", ".join(f"{name} {mean:.1f} s" for name, mean in means.items())
    trained = sorted(means[name] for name in ("RawPAD", "DCTPAD"))
    holds = [means["SM-F"] < trained[0], trained[1] < means["FLIPAD"]]
    return shown, [*holds, means["FLIPAD"] < means.get("SM-Inv l2", np.inf)]


def _averages(rows):
    found = [row for row in rows_of(rows, "averages") if row["setting"] == "alpha 0.0005"]
    found = [row for row in found if architecture(row["owner"]) == "dcgan"]
    if not found:
        return None
    shown, holds = [], []
    for row in found:
        own = row["distances"][row["owner"]]
        nearest = min(x for name, x in row["distances"].items() if name != row["owner"])
        shown.append(f"{row['owner']}: own {own:.3f}, nearest other {nearest:.3f}")
        holds.append(own < nearest)
    return "; ".join(shown), holds


def _decoders(rows):
    found = rows_of(rows, "decoders")
    if not found:
        return None
    first, tuned, *others = found[0]["distances"].items()
    shown = ", ".join(f"{name}: {distance:.3f}" for name, distance in (tuned, *others))
    return f"distance from {first[0]} of {shown}", [tuned[1] < min(x for _, x in others)]


def _recovery(rows):
    found = rows_of(rows, "recovery")
    if not found:
        return None
    shares = [row["recovered"][0] for row in found]
    apart = max(row["apart"] for row in found)
    shown = ", ".join(
        f"{row['setting'].split()[1]}: {share:.2f}"
        for row, share in zip(found, shares, strict=True)
    )
    sparsity = found[0]["sparsities"][0]
    return (
        f"recovered at sparsity {sparsity:g} by channels: {shown}; solvers differ by {apart:.0e}",
        [share > 0.9 for share in shares] + [apart < 1e-2],
    )


def _examples(rows):
    found = {row["setting"]: row for row in rows_of(rows, "examples")}
    if len(found) < 3:
        return None
    log_p, nonzeros = found["4.2"]["log_p"], found["4.3"]["nonzeros"]
    possible, *impossible = found["4.1"]["distances"]
    return (
        f"distance {impossible[-1]:.1e} for epsilon {found['4.1']['epsilons'][-1]:g}; "
        f"{log_p[0]:.2f} and {log_p[1]:.2f}; {nonzeros[0]} and {nonzeros[1]} nonzero inputs",
        [
            possible < 1e-10 < impossible[-1],
            np.allclose(log_p, (-7.16, -6.06), atol=0.005),
            nonzeros == [found["4.3"]["d"], 1],
        ],
    )


def _accuracies(benchmark, **values):
    """Committed accuracies of a benchmark, in percent, by method and source."""
    rows = read_rows(_COMMITTED / f"{benchmark}.jsonl")
    found = {}
    for row in rows:
        if all(row[name] == value for name, value in values.items()):
            found.setdefault(row["method"], {})[row["source"]] = 100 * row["accuracy"]
    return found


def _diffusion(rows):
    found = _accuracies("latent_diffusion", owner="0")
    parts = {name: found[f"{name}, negatives of 1"] for name in ("RawPAD", "FLIPAD")}
    shown = "; ".join(f"{name} {x['1']:.1f} and {x['2']:.1f}" for name, x in parts.items())
    return f"against 1, whose samples train, and 2: {shown}", [
        x[source] > 90 for x in parts.values() for source in "12"
    ]


def _style(rows):
    owners = [_accuracies("stylegan2", fnr=0.005, owner=f"stylegan2-{seed}") for seed in (0, 1)]
    means = {
        name: np.mean([x for found in owners for x in found[name].values()])
        for name in ("SM-F", "DCTPAD", "RawPAD")
    }
    return _shown(means), [means["SM-F"] > _LEAST, means["DCTPAD"] > _LEAST]


def _medical(rows):
    found = _accuracies("medical", fnr=0.005)
    unseen_model = {name: found[name]["c-dcgan"] for name in ("SM-F", "RawPAD", "DCTPAD", "FLIPAD")}
    weak = min(unseen_model["SM-F"], unseen_model["FLIPAD"])
    holds = [weak - unseen_model[name] > _LOSS for name in ("RawPAD", "DCTPAD")]
    return f"against the C-DCGAN: {_shown(unseen_model)}", [weak > _LEAST, *holds]


def _synthesizers(table, best):
    """Whether a method is the most accurate of the paper's, for each synthesizer of a table."""

    def check(rows):
        means = {}
        for row in read_rows(_COMMITTED / "tabular.jsonl"):
            if row["table"] == table and row["method"] in ("SM-Inv", "RawPAD", "FLIPAD"):
                for source, judged in row["sources"].items():
                    found = means.setdefault(row["method"], {}).setdefault(source, [])
                    found.append(100 * judged["accuracy"])
        means = {
            name: {source: np.mean(values) for source, values in found.items()}
            for name, found in means.items()
        }
        holds = [
            means[best][source] >= max(x[source] for x in means.values()) for source in means[best]
        ]
        return "; ".join(f"{name}: {_shown(x)}" for name, x in means.items()), holds

    return check


#: Claim, entries, and a function of rows that returns what was found and whether each part holds,
#: or None where nothing is measured.
CLAIMS = (
    ("FLIPAD is above 97.5 % for each architecture", "table-1", _table_1),
    ("FLIPAD is the best method against other architectures", "table-1", _best(False)),
    ("FLIPAD is the best method against other seeds", "table-2", _best(True)),
    ("alpha hardly matters from 0.0001 to 0.001, and 0.1 harms", "figure-14", _penalties),
    ("FLIPAD survives blur and crop", "table-3", _survived),
    ("noise and JPEG cost FLIPAD more than ten points", "table-3", _harmful),
    ("fnr 0.05 improves FLIPAD under noise and JPEG", "table-13", _liberal),
    ("a tenth of the samples is enough except for LSGAN", "table-12", _fewer),
    ("SM-F is the cheapest to fit, then RawPAD and DCTPAD, FLIPAD, and SM-Inv", "table-6", _order),
    ("unseen autoencoders are told apart by pixels and FLIPAD", "table-4", _diffusion),
    ("SM-F and DCTPAD tell style-based generators apart", "table-4", _style),
    ("an unseen medical generator passes RawPAD and DCTPAD only", "table-4", _medical),
    ("FLIPAD is the most accurate on Redwine", "table-5", _synthesizers("redwine", "FLIPAD")),
    ("SM-Inv is the most accurate on Whitewine", "table-15", _synthesizers("white", "SM-Inv")),
    ("averages of own samples are nearest to the mean activation", "figure-4", _averages),
    ("decoders that share a training are alike", "figure-10", _decoders),
    ("sparse activations are recovered, and the solution is unique", "theorem-4.5", _recovery),
    ("the three examples", "example-4.1 to 4.3", _examples),
)


def table(rows):
    """Whether each claim holds at the scale that was measured, with the numbers."""
    lines = []
    for claim, entry, check in CLAIMS:
        found = check(rows)
        line = {"claim": claim, "entry": entry, "confirmed": "not measured", "here": ""}
        if found is not None:
            shown, holds = found
            some = "in part" if any(holds) else "no"
            line |= {"confirmed": "yes" if all(holds) else some, "here": shown}
        lines.append(line)
    return pd.DataFrame(lines)
