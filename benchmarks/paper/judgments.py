"""Rows of results as frames, a line for each judged source."""

import numpy as np
import pandas as pd

from benchmarks.paper.scales import SCALES
from benchmarks.paper.sources import architecture

__all__ = ["beside", "fit_s", "judgments", "rows_of", "timed_rows", "unseen"]


def rows_of(rows, experiment):
    """Rows of an experiment at the largest scale of which there are any."""
    scales = {row["scale"] for row in rows}
    largest = [name for name in SCALES if name in scales][-1:]
    return [row for row in rows if [row["scale"]] == largest and row["experiment"] == experiment]


def judgments(rows, *experiments):
    """Frame with a line for each judged source and rate of some experiments."""
    lines = []
    for row in (row for name in experiments for row in rows_of(rows, name)):
        kind = architecture(row["owner"])
        for source, found in row["sources"].items():
            relation = "real" if source == "real" else "architecture"
            relation = "seed" if architecture(source) == kind else relation
            for fnr, accuracy in zip(row["fnrs"], found["accuracy"], strict=True):
                lines.append(
                    {
                        **{name: row[name] for name in ("owner", "method", "setting", "run")},
                        **{"kind": kind, "source": source, "relation": relation, "fnr": fnr},
                        **{"accuracy": 100 * accuracy, "auc": 100 * found["auc"]},
                        "strict": fnr == row["fnrs"][0],
                    }
                )
    columns = ("owner", "method", "setting", "run", "kind", "source", "relation", "fnr")
    frame = pd.DataFrame(lines, columns=[*columns, "accuracy", "auc", "strict"])
    return frame.astype({"strict": bool})


def unseen(frame):
    """Judgments of real images and other architectures, as in Table 1."""
    return frame[frame["relation"] != "seed"]


def timed_rows(rows):
    """Rows whose features were not kept yet."""
    first = [row for row in rows_of(rows, "attribution") if row["run"] == 0]
    return first + rows_of(rows, "searched")


def fit_s(row):
    """Seconds of fitting; of 1,000 searches, where there were fewer."""
    n_searched = row["sizes"][1] if row["experiment"] == "searched" else 1000
    return row["fit_s"] * 1000 / n_searched


def beside(rows, experiment):
    """Judgments of FLIPAD in an experiment, and in Table 1 of the same owners and runs."""
    pairs = {(row["owner"], row["run"]) for row in rows_of(rows, experiment)}
    frame = judgments(rows, "attribution", experiment)
    same = [pair in pairs for pair in zip(frame["owner"], frame["run"], strict=True)]
    return frame[np.array(same, dtype=bool) & (frame["method"] == "FLIPAD")]
