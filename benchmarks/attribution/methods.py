"""Six methods against unseen architectures, as in Tables 1 and 6 of the paper."""

from benchmarks.attribution import shipped
from benchmarks.options import selection

KEYS = shipped.KEYS
OPTIONS = (
    selection("owners", shipped.OWNERS, shipped.FIRST_SEEDS, shipped.FIRST_SEEDS[:1]),
    selection("methods", shipped.METHODS, shipped.METHODS[:-2]),
    *shipped.ALL_SIZES,
)


def run(options, results):
    """Judge each method of each owner."""
    shipped.judge_methods(options, results, shipped.other_architectures)


def table(rows):
    """Mean rates at the smallest false-negative rate, and the accuracy against real images."""
    keys = ["owner", "method"]
    frame = shipped.at_strictest(rows)
    frame["FNR"] = frame["found_fnr"].map(lambda rate: rate[0])
    frame["FPR"] = frame["found_fpr"].map(lambda rate: rate[0])
    frame["minutes"] = frame["fit_min"] + frame["score_min"]
    real = frame["source"] == "real"
    columns = ["accuracy", "FNR", "FPR", "auc", "minutes"]
    shown = frame[~real].groupby(keys, sort=False)[columns].mean()
    shown.insert(4, "accuracy, real", frame[real].groupby(keys)["accuracy"].mean())
    shown = shown.round({"minutes": 2}).round(4).reset_index()
    # In the order of the paper.
    order = shown["method"].map(shipped.METHODS.index)
    return shown.assign(order=order).sort_values(["owner", "order"]).drop(columns="order")


TABLES = {"methods": table}
