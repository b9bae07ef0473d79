"""Tables of the documentation, made from rows of results in the layout of the paper.

Accuracies are in percent, means over sources and runs, with standard deviations over both in
parentheses. Columns "in the paper" have its numbers for CelebA and LSUN.
"""

import argparse

import numpy as np
import pandas as pd

from benchmarks import tables
from benchmarks.options import add_out
from benchmarks.paper import claims, elsewhere, figures
from benchmarks.paper.attribution import AGAIN
from benchmarks.paper.entries import ENTRIES, numbers
from benchmarks.paper.experiments import METHODS
from benchmarks.paper.judgments import beside, fit_s, judgments, rows_of, timed_rows, unseen
from benchmarks.paper.listing import add_results, progress
from benchmarks.paper.sources import ARCHITECTURES, architecture
from benchmarks.results import read_rows

__all__ = ["TABLES", "main"]

_DATA = ("CelebA", "LSUN")
_SHOWN = ("SM-F", "SM-Inv l2", *METHODS[1:])


def _mean(values):
    """Mean and standard deviation, as text."""
    return f"{values.mean():.2f} ({values.std():.2f})" if len(values) else ""


def _deviation(values):
    return f"{values.std():.2f}" if len(values) > 1 else ""


def _mean_alone(values):
    return f"{values.mean():.2f}" if len(values) else ""


def _in_the_paper(entry, row, column):
    """The paper's values for CelebA and LSUN, as text."""
    found = numbers()
    found = found[(found["entry"] == entry) & (found["row"] == row)].set_index("column")["value"]
    values = [found.get(f"{data} {column}") for data in _DATA]
    return " / ".join(f"{value:.2f}" for value in values if value is not None)


def _by_kind(entry, frame, lines, show):
    """A line for each of `lines`, pairs of a name and a frame, with a column by architecture."""
    table = []
    for names, part in lines:
        if not len(part):
            continue
        line = dict(names)
        for kind in ARCHITECTURES:
            line[kind] = show(part[part["kind"] == kind])
            line[f"{kind} in the paper"] = _in_the_paper(entry, next(iter(names.values())), kind)
        table.append(line)
    return pd.DataFrame(table)


def _by_method(entry, select, show, value="accuracy"):
    """Table with a line for each method, of the judgments that ``select`` leaves."""

    def table(rows):
        frame = judgments(rows, "attribution", "searched")
        frame = select(frame[frame["strict"]])
        lines = [({"method": name}, frame[frame["method"] == name]) for name in _SHOWN]
        return _by_kind(entry, frame, lines, lambda part: show(part[value]))

    return table


def _seeds(frame):
    return frame[(frame["relation"] == "seed") & (frame["method"] != "SM-F")]


def table_6(rows):
    """Minutes of fitting, where no features were kept yet, and those of the paper."""
    table, first, known = [], timed_rows(rows), numbers()
    known = known[known["entry"] == "table-6"]
    for method in dict.fromkeys(known["row"]):
        line = {"method": method}
        for kind in ARCHITECTURES:
            found = [
                fit_s(row) / 60
                for row in first
                if row["method"] == method and architecture(row["owner"]) == kind
            ]
            line[kind] = f"{np.mean(found):.2f}" if found else ""
        paper = known[known["row"] == method].set_index("column")["value"]
        table.append(line | {f"{name} in the paper": f"{x:.2f}" for name, x in paper.items()})
    return pd.DataFrame(table if first else [])


def table_8(rows):
    """Accuracies against each source, by method and owner's architecture."""
    frame = judgments(rows, "attribution", "searched")
    frame = unseen(frame[frame["strict"]]).copy()
    frame["against"] = frame["source"].map(lambda name: architecture(name) or "real")
    table = []
    for method in _SHOWN:
        for kind in ARCHITECTURES:
            part = frame[(frame["method"] == method) & (frame["kind"] == kind)]
            if not len(part):
                continue
            line = {"method": method, "model": kind}
            for source in ("real", *ARCHITECTURES):
                line[source] = _mean_alone(part[part["against"] == source]["accuracy"])
                paper = _in_the_paper("table-8", f"{method} {kind}", source)
                line[f"{source} in the paper"] = paper
            table.append(line)
    return pd.DataFrame(table)


def losses(rows):
    """Losses of FLIPAD: half of the own samples rejected, half of the others accepted."""
    frame = unseen(judgments(rows, "attribution"))
    frame = frame[frame["method"] == "FLIPAD"]
    found = [row for row in rows_of(rows, "attribution") if row["method"] == "FLIPAD"]
    table = []
    for index, (fnr, same) in enumerate(frame.groupby("fnr")):
        for kind in ARCHITECTURES:
            part = same[same["kind"] == kind]
            own = [x["found_fnrs"][index] for x in found if architecture(x["owner"]) == kind]
            if not len(part):
                continue
            own, pairs = 50 * np.mean(own), part.groupby(["owner", "source"])["accuracy"].mean()
            line = {"fnr": fnr, "model": kind, "accuracy": _mean_alone(part["accuracy"])}
            line["lost: own rejected"] = f"{own:.2f}"
            line["lost: others accepted"] = f"{100 - part['accuracy'].mean() - own:.2f}"
            line["pairs above 97.5"] = f"{(pairs > 97.5).sum()} of {len(pairs)}"
            table.append(line | {"area under the curve": _mean_alone(part["auc"])})
    return pd.DataFrame(table)


def pairs(rows):
    """Accuracies of FLIPAD, owners in the lines and sources in the columns."""
    frame = unseen(judgments(rows, "attribution"))
    frame = frame[(frame["method"] == "FLIPAD") & frame["strict"]]
    table = []
    for owner, same in frame.groupby("owner", sort=False):
        kinds = same["source"].map(lambda name: architecture(name) or "real")
        line = {"model": owner}
        for source in ("real", *ARCHITECTURES):
            line[source] = _mean_alone(same[kinds == source]["accuracy"])
        table.append(line)
    return pd.DataFrame(table)


def table_12(rows):
    """Accuracies of FLIPAD by the number of training samples, at both rates."""
    frame = unseen(beside(rows, "fewer"))
    settings = sorted(set(frame["setting"]), key=lambda name: int(name.split()[1]))
    table = []
    for (fnr, same), strict in zip(frame.groupby("fnr"), (True, False), strict=False):
        for setting in settings:
            line = {"fnr": fnr, "n_tr": setting.split()[1]}
            # Ten times fewer than in the paper, by the order of the settings.
            in_paper = f"n_tr {(1000, 5000, 10_000)[settings.index(setting) - len(settings)]}"
            for kind in ARCHITECTURES:
                part = same[(same["kind"] == kind) & (same["setting"] == setting)]
                line[kind] = _mean(part["accuracy"])
                paper = _in_the_paper("table-12", in_paper, kind) if strict else ""
                line[f"{kind} in the paper"] = paper
            table.append(line)
    return pd.DataFrame(table)


def _perturbed(entry, is_strict):
    """Table with a line for each perturbation, at the strict rate or the other one."""

    def table(rows):
        frame = unseen(judgments(rows, "perturbed"))
        frame = frame[frame["strict"] == is_strict]
        lines = []
        for perturbation in dict.fromkeys(frame["setting"]):
            same = frame[frame["setting"] == perturbation]
            line = {"perturbation": perturbation, "models": same["owner"].nunique()}
            for method in METHODS[1:]:
                line[method] = _mean(same[same["method"] == method]["accuracy"])
                line[f"{method} in the paper"] = _in_the_paper(entry, method, perturbation)
            lines.append(line)
        return pd.DataFrame(lines)

    return table


def penalties(rows):
    """Accuracies of FLIPAD by the penalty, and those of the paper."""
    frame = judgments(rows, "penalties")
    frame = frame[frame["strict"]]
    table = []
    for name in sorted(set(frame["setting"]), key=lambda name: float(name.split()[1])):
        same, line = frame[frame["setting"] == name], {"alpha": name.split()[1]}
        line["other architectures"] = _mean(unseen(same)["accuracy"])
        line["other seeds"] = _mean(same[same["relation"] == "seed"]["accuracy"])
        for figure, data in (("figure-14", "CelebA"), ("figure-15", "LSUN")):
            known = numbers()[lambda f, figure=figure: f["entry"] == figure]
            known = known.set_index("column")["value"]
            line[f"{data} in the paper"] = f"{known[name]:.2f}" if name in known else ""
        table.append(line)
    return pd.DataFrame(table)


def averages(rows):
    """Relative distances of average features from the mean activation, or the owner's average."""
    table = []
    for row in rows_of(rows, "averages"):
        line = {"model": row["owner"], "features": row["setting"], "own": ""}
        for source, distance in row["distances"].items():
            name = "own" if source == row["owner"] else architecture(source) or "real"
            line[name] = f"{distance:.3f}"
        table.append(line)
    columns = ["model", "features", "own", "real", *ARCHITECTURES]
    return pd.DataFrame(table, columns=columns).fillna("")


def decoders(rows):
    """Relative distances of mean activations from those of the first decoder."""
    found = rows_of(rows, "decoders")
    distances = [(name, f"{x:.3f}") for row in found for name, x in row["distances"].items()]
    return pd.DataFrame(distances, columns=["decoder", "distance from 0"])


def variants(rows):
    """Accuracies of FLIPAD where it is weak, as it is and with what was tried."""
    frame = beside(rows, "variants")
    table = []
    for (owner, setting), same in frame[frame["strict"]].groupby(["owner", "setting"], sort=False):
        line = {"model": owner, "variant": setting, "runs": same["run"].nunique()}
        line["other architectures"] = _mean(unseen(same)["accuracy"])
        line["other seeds"] = _mean(same[same["relation"] == "seed"]["accuracy"])
        table.append(line)
    return pd.DataFrame(table)


def again(rows):
    """Cells that were measured once more, and means and deviations of the runs of their tables."""
    table = []
    for row in rows_of(rows, "again"):
        name, _, setting = row["setting"].partition(", ")
        values, value = _compared(rows, row)
        if not values:
            continue
        cell = (part for part in (row["method"], row["owner"], setting) if part)
        line = {"table": name, "cell": ", ".join(cell)}
        line |= {"of": len(values), "mean": f"{np.mean(values):.2f}", "sd": ""}
        line |= {"again": f"{value:.2f}", "within two sd": ""}
        if len(values) > 1:
            deviation = np.std(values, ddof=1)
            is_inside = abs(value - np.mean(values)) <= 2 * deviation
            line |= {"sd": f"{deviation:.2f}", "within two sd": "yes" if is_inside else "no"}
        table.append(line)
    return pd.DataFrame(table)


def _compared(rows, row):
    """Figures of the runs of a cell, and the one that was measured again."""
    if (cell := (row["setting"], row["method"])) in elsewhere.CELLS:
        return elsewhere.known_accuracies(*cell), 100 * row["accuracy"]
    name, _, setting = row["setting"].partition(", ")
    same = [
        known
        for known in rows_of(rows, AGAIN[name])
        if (known["method"], known["setting"]) == (row["method"], setting)
        # Only the first run computes the features; its times are those of three models.
        and (_alike_in_time if name == "table-6" else _same_owner)(known, row)
    ]
    return [_shown_value(name, known) for known in same], _shown_value(name, row)


def _same_owner(known, row):
    return known["owner"] == row["owner"]


def _alike_in_time(known, row):
    return known["run"] == 0 and architecture(known["owner"]) == architecture(row["owner"])


def _shown_value(name, row):
    """Figure that a table shows of a row: mean accuracy over sources, area or minutes."""
    if name == "table-6":
        return row["fit_s"] / 60
    frame = judgments([row], row["experiment"])
    frame = frame[frame["strict"] != (name == "table-13")]
    if name == "table-8":
        frame = frame[frame["relation"] == "real"]
    else:
        frame = frame[(frame["relation"] == "seed") == (name == "table-2")]
    return frame["auc" if name == "table-9" else "accuracy"].mean()


def examples(rows):
    """Numbers of the examples of Section 4.2, the paper's and those computed here."""
    found = {row["setting"]: row for row in rows_of(rows, "examples")}
    if len(found) < 3:
        return pd.DataFrame()
    distances = found["4.1"]["distances"]
    lines = [("4.1", "input of x", "0 1 2 3", " ".join(f"{z:g}" for z in found["4.1"]["z"]))]
    for epsilon, distance in zip(found["4.1"]["epsilons"], distances, strict=True):
        says = "none" if epsilon == 0 else "some"
        lines.append(("4.1", f"distance from the range, epsilon {epsilon:g}", says, distance))
    for name, paper, here in zip(
        ("G", "G'"), ("-7.16", "-6.06"), found["4.2"]["log_p"], strict=True
    ):
        lines.append(("4.2", f"log-probability of {name}", paper, here))
    nonzeros = found["4.3"]["nonzeros"]
    for name, paper, here in zip(("G", "G'"), ("d", "1"), nonzeros, strict=True):
        lines.append(("4.3", f"nonzero inputs of {name}, d = {found['4.3']['d']}", paper, here))
    table = pd.DataFrame(lines, columns=["example", "quantity", "paper", "here"])
    table["here"] = [f"{x:.4f}" if isinstance(x, float) else x for x in table["here"]]
    return table


def recovery(rows):
    """Share of recovered activations, by channels (lines) and sparsity (columns)."""
    table = []
    for row in rows_of(rows, "recovery"):
        line = {"channels": row["setting"].split()[1]}
        shares = zip(row["sparsities"], row["recovered"], strict=True)
        line |= {f"{sparsity:g}": f"{share:.2f}" for sparsity, share in shares}
        table.append(line | {"solvers apart": f"{row['apart']:.0e}"})
    return pd.DataFrame(table)


TABLES = {
    "paper_entries": progress,
    "paper_claims": claims.table,
    "paper_table_1": _by_method("table-1", unseen, _mean),
    "paper_table_2": _by_method("table-2", _seeds, _mean),
    "paper_table_3": _perturbed("table-3", True),
    "paper_table_6": table_6,
    "paper_table_8": table_8,
    "paper_table_9": _by_method("table-9", unseen, _mean_alone, "auc"),
    "paper_table_10": _by_method("table-10", unseen, _deviation),
    "paper_table_11": _by_method("table-11", _seeds, _deviation),
    "paper_table_12": table_12,
    "paper_table_13": _perturbed("table-13", False),
    "paper_penalties": penalties,
    "paper_averages": averages,
    "paper_decoders": decoders,
    "paper_variants": variants,
    "paper_losses": losses,
    "paper_pairs": pairs,
    "paper_again": again,
    "paper_examples": examples,
    "paper_recovery": recovery,
}


def main(argv=()):
    """Make the table or figure of each entry from results, and print where it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks paper render", description=__doc__)
    add_results(parser)
    add_out(parser)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = read_rows(args.results / "paper.jsonl")
    names = dict.fromkeys(name for entry in ENTRIES for name in ("paper", *entry.benchmark.split()))
    written = {
        path.stem: path
        for name in names
        for path in tables.write(name, read_rows(args.results / f"{name}.jsonl"), args.out)
    }
    for entry in ENTRIES:
        paths = [written.get(name) for name in entry.tables]
        if entry.figure:
            paths.append(figures.draw(entry.name, rows, args.out))
        shown = ", ".join(str(path) for path in paths if path)
        print(f"{entry.name}: {shown or 'nothing is measured yet'}")
