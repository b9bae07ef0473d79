"""Three methods against other seeds of the same architecture, as in Table 2 of the paper."""

from benchmarks.attribution import shipped
from benchmarks.options import selection

KEYS = shipped.KEYS
OPTIONS = (
    selection("owners", shipped.OWNERS, small=shipped.OWNERS[:1]),
    selection("methods", shipped.METHODS, shipped.COMBINED),
    *shipped.ALL_SIZES,
)


def run(options, results):
    """Judge each method of each owner."""
    shipped.judge_methods(options, results, shipped.other_seeds)


def flipad_by_seed(rows):
    """Accuracy of FLIPAD by owner (lines) and by the seed that it meets (columns)."""
    frame = shipped.at_strictest(rows)
    frame = frame[(frame["method"] == "FLIPAD") & (frame["source"] != "real")]
    frame["against"] = "seed " + frame["source"].str.rsplit("-", n=1).str[-1]
    table = shipped.mean_accuracies(frame.sort_values(["against", "owner"]), ["owner"], "against")
    return table.sort_values("owner").astype(object).fillna("own")


TABLES = {"seeds": shipped.by_architecture, "seeds_flipad": flipad_by_seed}
