"""Tables of the documentation from the results of other benchmarks.

Reads the files of `TABLES` in the folder ``--out``, as far as they are there, and writes a CSV
file of each beside it.
"""

import argparse
from itertools import product

import pandas as pd
from attribution import FNRS
from ladder_suspects import RUNGS
from output import add_out, read_rows

#: The negatives where near-copies are among them.
COPIES = "real and copies"
LARGE = "Conv2d(128 -> 3, k3), 512x512"


def reproduction(rows):
    """A line for each owner."""
    table = []
    for row in rows:
        own, others = row["own"], list(row["others"].values())
        n, accepted = (sum(r[k] for r in others) for k in ("n", "accepted"))
        table.append(
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
    return pd.DataFrame(table)


def ladder(rows):
    """True-negative rates: a line for each owner and rung, a column for each method."""
    frame = pd.DataFrame(rows).query("negatives != @COPIES")
    frame["tnr"] = [f"{rate[0]:.3f}" for rate in frame["tnr"]]
    frame["rung"] = pd.Categorical(frame["rung"], RUNGS)
    columns = list(dict.fromkeys(frame["method"]))
    keys = ["owner", "rung"]
    table = frame.pivot_table("tnr", keys, "method", aggfunc="first", observed=True)[columns]
    apart = frame.groupby(keys, observed=True)["rms"].first().round(2)
    table.insert(0, "gray levels apart", apart)
    return table.reset_index()


def ladder_copies(rows):
    """Mean true-negative rates without and with near-copies among the negatives."""
    frame = pd.DataFrame(rows)
    frame["tnr"] = [rate[0] for rate in frame["tnr"]]
    frame["rung"] = pd.Categorical(frame["rung"], RUNGS)
    with_copies = frame["negatives"] == COPIES
    methods = list(dict.fromkeys(frame["method"][with_copies]))
    frame = frame[frame["method"].isin(methods) & frame["owner"].isin(frame["owner"][with_copies])]
    means = frame.pivot_table("tnr", "rung", ["method", "negatives"], observed=True)
    table = {
        method: [
            f"{without:.3f}, {with_them:.3f}"
            for with_them, without in means[method][[COPIES, "real"]].itertuples(index=False)
        ]
        for method in methods
    }
    return pd.DataFrame({"rung": means.index, **table})


def processed(rows):
    """Accepted shares: a line for each processing and method, a column for each source."""
    table = []
    for row in rows:
        rates = {
            source: f"{found['accepted'] / found['n']:.3f}"
            for source, found in row.items()
            if isinstance(found, dict)
        }
        names = {key: row[key] for key in ("owner", "processing", "method")}
        table.append(names | rates)
    return pd.DataFrame(table)


def latent_diffusion(rows):
    """Accuracies: a line for each owner and method, a column for each source."""
    table = []
    for row in rows:
        own = f"{1 - row['rows'][0]['found_fnr'][0]:.3f}"
        line = {"owner": row["owner"], "method": row["method"], "own accepted": own}
        table.append(line | {found["source"]: f"{found['accuracy']:.3f}" for found in row["rows"]})
    sources = {found["source"] for row in rows for found in row["rows"]}
    columns = ["owner", "method", "own accepted", *sorted(sources)]
    return pd.DataFrame(table, columns=columns).fillna("").sort_values("owner", kind="stable")


def by_rate(rows):
    """Accuracies: a line for each method and false-negative rate."""
    lines = []
    for row, fnr in product(rows, FNRS):
        if found := [r for r in row["rows"] if r["fnr"] == fnr]:
            lines.append({"owner": fnr, "method": row["method"], "rows": found})
    return latent_diffusion(lines).rename(columns={"owner": "fnr"})


#: What took the seconds that the rows of ``gpu.jsonl`` have under a key.
GPU_TASKS = {
    ("inversion", "seconds"): "inversion, 256 images of 64x64",
    (LARGE, "set_up_s"): f"{LARGE}, set-up",
    (LARGE, "seconds"): f"{LARGE}, one image",
    ("DeepSAD", "seconds"): "DeepSAD, training, 8,000 samples",
    ("DeepSAD", "score_s"): "DeepSAD, scores, 8,000 samples",
    ("encoder", "seconds"): "encoder, training",
    ("reproduction", "fit_s"): "reproduction, calibration, 400 samples",
}


def gpu(rows):
    """Seconds on a CPU and on a CUDA device: a line for each task."""
    tasks = {}
    for row in rows:
        column = {"cpu": "CPU", "cuda": "CUDA"}[row["device"]]
        if row.get("batch_size", 32) != 32:
            column += f", {row['batch_size']} side by side"
        seconds = {
            label: row.get(key) for (part, key), label in GPU_TASKS.items() if part == row["part"]
        }
        if row["part"] == "reproduction":
            for source in ("own", "other"):
                n, ms = row[source]["n"], row[source]["ms"]
                seconds[f"reproduction, {n} samples, {source}"] = n * ms / 1000
        for label, value in seconds.items():
            tasks.setdefault(label, {})[column] = f"{value:.2f}"
    return pd.DataFrame([{"seconds": task, **times} for task, times in tasks.items()]).fillna("")


TABLES = {
    "gpu": gpu,
    "reproduction": reproduction,
    "ladder": ladder,
    "ladder_copies": ladder_copies,
    "processed": processed,
    "latent_diffusion": latent_diffusion,
    "medical": by_rate,
    "super_resolution": by_rate,
}


#: The files of rows that are not named as their table is.
SOURCES = {"ladder_copies": "ladder"}


def main():
    """Read and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_out(parser)
    args = parser.parse_args()
    for name, make in TABLES.items():
        rows = read_rows(args.out / f"{SOURCES.get(name, name)}.jsonl")
        if rows:
            make(rows).to_csv(args.out / f"{name}.csv", index=False)
            print(name, len(rows), "rows")


if __name__ == "__main__":
    main()
