"""Numbers of other subjects in the pages: phrases, and what fills them."""

import re

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from tests.benchmarks.stated.results import ROOT, row, rows, span, table, unseen


def readme():
    demo = pd.read_csv(ROOT / "docs" / "demo.csv")
    sources = [f"fashion/{name}" for name in ("ebgan-0", "lsgan-0", "wgan-gp-0", "dcgan-1")]
    for method, of_method in demo.groupby("method"):
        found = of_method.set_index("source")
        accuracies = found.loc[[*sources, "changed copy"], "accuracy"]
        best = "**" if method == "Reproduction" else ""
        cells = [f"{best}{accuracy + 1e-9:.3f}{best}" for accuracy in accuracies]
        fnr, low, high = (100 * float(x) for x in re.findall(r"[\d.]+", found["FNR"].iloc[0]))
        yield f"| {method} | {' | '.join(cells)} | {fnr:.1f} % ({low:.1f} to {high:.1f}) |", ()
    shown = table("methods").set_index(["owner", "method"])["accuracy"]
    owner = shown["fashion/dcgan-0"]
    yield (
        "With 1,000 negatives RawPAD has {:.3f} and FLIPAD {:.3f} on the three other architectures",
        (owner["RawPAD"], owner["FLIPAD"]),
    )


def method():
    found = unseen(rows("stylegan2", fnr=0.005))
    by_owner = {row["owner"]: round(row["frechet_distance"]) for row in found}
    yield "(Fréchet distances of {} and {} to real images)", by_owner.values()
    of = {
        (row["owner"], row["method"], row["source"]): row["accuracy"]
        for row in rows("stylegan2", fnr=0.005)
    }
    first, second = by_owner
    dctpad = [accuracy for (_, name, _), accuracy in of.items() if name == "DCTPAD"]
    yield (
        "RawPAD has {:.2f} and {:.3f} against the other seed, DCTPAD {:.2f} to {:.0f} against each",
        (of[second, "RawPAD", first], of[first, "RawPAD", second], min(dctpad), max(dctpad)),
    )
    named = ("FLIPAD", "FLIPAD, equal weights", "SM-F")
    assert {accuracy for (_, name, _), accuracy in of.items() if name in named} == {1}

    default, tight = (rows("tolerance", tol=tol) for tol in ("0.01", "0.001"))
    excess = 100 * max(row["excess objective, largest"] for row in default)
    off = [
        [100 * row["relative difference of the features"] for row in x] for x in (default, tight)
    ]
    yield (
        "objective is at most {:.2f} % above the minimum, and the activations are {} % off",
        (excess, span("{:.0f}", off[0])),
    )
    yield "At _ they are {:.0f} % off", (np.mean(off[1]),)

    case = row("solvers", case="DCGAN 64x64 RGB (public)")
    at = {
        name: {k: v for k, v in found.items() if k[0] in "01"}
        for name, found in case["solvers"].items()
    }
    ms = {name: found["0.001"]["ms"][0] for name, found in at.items()}
    steps = {name: found["0.001"]["iterations"][0] for name, found in at.items()}
    ours, fista = "Douglas-Rachford", "FISTA (1/L)"
    yield (
        "within 1e-3 of the optimum after {:.0f} ms and {:.0f} iterations; FISTA with step 1/L "
        "takes {:,.0f} ms and {:,.0f} iterations, {:.0f} times as long",
        (ms[ours], steps[ours], ms[fista], steps[fista], ms[fista] / ms[ours]),
    )
    published, torchs = "published (step 0.025)", "published, torch's convolutions"
    faster = {re.sub(r" to \S+$", "", k): v for k, v in case["times as fast"].items()}
    seconds = {name: case["solvers"][name]["seconds"] / case["n_images"] for name in at}
    yield (
        "ends after 10,000 iterations at {:.0f}e-5",
        (1e5 * case["solvers"][published]["final excess, median"],),
    )
    yield (
        "these take {:,.0f} ms, and the default reaches the same accuracy {:.0f} times sooner",
        (1e3 * seconds[torchs], faster["it with torch's convolutions"]),
    )
    yield (
        "they take {:,.0f} ms, {:.0f} times as long as the default",
        (1e3 * seconds[published], faster["published setting"]),
    )
    peers = [case["solvers"][name]["seconds"] for name in ("celer", "skglm")]
    yield "take {:.0f} and {:.0f} s for one image", peers
    small = [
        row("solvers", case=f"{name} 32x32 (shipped)")["solvers"] for name in ("dcgan", "lsgan")
    ]
    yield (
        "within 1e-3 after {:.1f} ms (DCGAN) and {:.0f} ms (LSGAN); FISTA takes {:.0f} and {:.0f} "
        "ms",
        [found[name]["0.001"]["ms"][0] for name in (ours, fista) for found in small],
    )
    well = row("solvers", case="LSGAN-like 64x64 RGB (untrained)")["solvers"]
    yield (
        "FISTA with step 1/L is as fast or faster ({:.0f} and {:.0f} ms)",
        [well[name]["0.001"]["ms"][0] for name in (fista, ours)],
    )
    of = {found["measured"]: found for found in rows("scaling")}
    yield "(10 times the images took {:.1f} times the time)", (of["time"]["ratio"],)
    memory = of["memory, 10,000 images"]
    yield (
        "need {:.1f} GB in all with _, of which the result and the images are {:.1f} GB",
        (memory["peak, GB"], memory["result, GB"] + memory["input, GB"]),
    )
    yield "costs {:.2f} times one inversion of each sample", (of["grid search"]["ratio"],)
    yield "is {:.2f} times as fast as separate solves", (of["path"]["ratio"],)

    whitened = [
        found["accuracy"]
        for found in unseen(rows("whitening", method="whitened preactivation", fnr=0.005))
    ]
    yield (
        "Fitted to 3,000 samples, for 1,024 features, the first line has an accuracy of {:.2f} or "
        "more",
        (min(whitened),),
    )
    demo = pd.read_csv(ROOT / "docs" / "demo.csv")
    means = (
        demo[~demo["source"].isin(["real", "changed copy"])].groupby("method")["accuracy"].mean()
    )
    shown = table("methods").set_index(["owner", "method"])["accuracy"]
    owner = shown["fashion/dcgan-0"]
    yield (
        "a mean accuracy on unseen generators of {:.3f} for FLIPAD and {:.3f} for RawPAD",
        (means["FLIPAD"], means["RawPAD"]),
    )
    yield (
        "with 1,000 real images and the same network, on three of them, these are {:.3f} and "
        "{:.3f}",
        (owner["FLIPAD"], owner["RawPAD"]),
    )


def evidence():
    drawn = [row for row in rows("likelihood_ratios") if row["source"] == "drawn"]
    of = {(row["case"], row["calibrator"]): row for row in drawn}
    unbounded = [of[case, "logistic"]["mean_lr_unbounded"][0] for case in ("gamma", "normal")]
    yield "that of logistic regression is {:.2f} and {:.2f} where its assumption holds", unbounded
    over = [100 * (row["mean_lr"][0] - 1) for row in drawn if row["calibrator"] == "isotonic"]
    gaussian = 100 * (of["gamma", "Gaussian"]["mean_lr"][0] - 1)
    yield "Isotonic regression overstates, by {} % here", (span("{:.0f}", over),)
    yield "where the scores are not normal ({:.0f} %)", (gaussian,)
    lost = {key: row["cllr"][0] - row["true_cllr"] for key, row in of.items()}
    wrong = [lost.pop(key) for key in (("gamma", "Gaussian"), ("wider", "logistic"))]
    (shown,) = {f"{value:.2f}" for value in wrong}
    yield (
        "Cllr is {} above that of the true ratios, and {} where the assumption",
        (span("{:.2f}", lost.values()), shown),
    )
    misleading = [row[f"misleading_{end}"][0] for row in drawn for end in ("high", "low")]
    yield "It is {:.2f} at most: the bounds hold", (max(misleading),)

    of = {
        (row["case"], row["source"], row["n_reference"], row["calibrator"]): row
        for row in rows("likelihood_ratios")
        if row["source"] != "drawn"
    }
    logistic = {key[:3]: row for key, row in of.items() if key[3] == "logistic"}
    sources = [source for case, source, n in logistic if (case, n) == ("FLIPAD", 500)]
    upper = [[logistic["FLIPAD", x, n]["log10_bounds"][1] for x in sources] for n in (500, 5000)]
    yield "raise the upper bound {} times", (span("{:.0f}", 10 ** np.subtract(*upper[::-1])),)
    searched = [row["cllr"] for key, row in logistic.items() if key[::2] == ("reproduction", 500)]
    (shown,) = {f"{value:.3f}" for value in searched}
    many = logistic["reproduction", "real", 5000]["cllr"]
    yield "{} with 500, and {:.3f} with 5,000 real images", (shown, many)
    penalized = {key[:3]: row["cllr"] for key, row in of.items() if key[3] == "logistic, C=1"}
    found = [cost for key, cost in penalized.items() if key[::2] == ("reproduction", 500)]
    (shown,) = {f"{value:.3f}" for value in found}
    worse = [c / logistic[key]["cllr"] for key, c in penalized.items() if key[0] == "FLIPAD"]
    yield "{} for reproduction, and up to {:.0f} times as much for FLIPAD", (shown, max(worse))


def command():
    found = rows("suspects", method="reproduction")
    yield (
        "{} own files are right",
        (_accepted([row for row in found if row["source"] == "own"]),),
    )
    others = [row for row in found if row["source"] == "other architectures"]
    assert _accepted(others) == "0 of 120"
    copies = [row for row in found if row["source"].startswith("copy")]
    hidden = [r for r in copies if r["frame"] == "whole" and r["quality"] in ("75", "85")]
    yield (
        "{} are _; as JPEG 75 and 85 of 32x32 pixels, {} are",
        (
            _accepted([row for row in copies if row not in hidden]),
            _accepted(hidden),
        ),
    )
    plain, jpeg = row("command", jpeg=None), row("command", jpeg="90")
    counts = {source: found.get("own", 0) for source, found in plain["verdicts"].items()}
    yield (
        "All {} own images in PNG files are _, and so are {} of the 50 in JPEG files",
        (counts.pop("own, png"), counts.pop("own, jpg")),
    )
    assert not any(counts.values())
    yield "took {:.0f} seconds on two idle cores", (plain["total_seconds"],)
    counts = {source: found.get("own", 0) for source, found in jpeg["verdicts"].items()}
    kinds = ("own", "other generator", "real")
    own, other, real = (sum(n for x, n in counts.items() if x.startswith(kind)) for kind in kinds)
    assert own == 100
    yield (
        "and so are {} of the 50 files of the other generator and {} of the 50 real",
        (other, real),
    )


def files():
    runs = {found["run"]: found["seconds"] for found in row("files")["runs"]}
    yield (
        "took FLIPAD {:.0f} seconds in one process and {:.0f} in two",
        (runs["1 process"], runs["2 processes"]),
    )


def paper():
    shown = table("paper_table_1").set_index("method")
    found = shown.loc["FLIPAD", ["dcgan", "wgan-gp", "lsgan", "ebgan"]].str.split().str[0]
    above = found.astype(float) > 97.5
    assert set(above.index[above]) == {"dcgan", "ebgan"}
    losses = table("paper_losses").set_index(["fnr", "model"])
    yield (
        "has {:.1f} % at 0.005, and at 0.05 it has {:.1f} %",
        [100 - losses.loc[fnr, "lost: own rejected"].mean() for fnr in (0.005, 0.05)],
    )
    counts = losses.loc[0.005, "pairs above 97.5"].str.split(" of ", expand=True).astype(int).sum()
    yield "{} of the {} pairs are above 97.5 %", counts
    ladder = {"owner": "fashion/wgan-gp-0", "rung": "other architectures"}
    accepted = {
        found["method"]: found["n_suspects"] * (1 - found["tnr"][0])
        for found in rows("ladder", **ladder)
        if found["negatives"] in ("real", "none")
    }
    assert accepted["whitened"] == accepted["reproduction"] == 0
    yield "Of {} samples of other architectures, FLIPAD accepted {:.0f}", (400, accepted["FLIPAD"])
    areas = table("paper_table_9").set_index("method").loc["FLIPAD", above.index]
    yield "The areas (Table 9) are above {:.0f} %", (np.floor(areas.astype(float).min()),)
    accuracies = losses["accuracy"].unstack()
    gains = accuracies.loc[0.05] - accuracies.loc[0.005]
    yield "gain {:.1f} and {:.1f} points", (gains["wgan-gp"], gains["lsgan"])
    runs = {}
    wanted = {"experiment": "attribution", "method": "FLIPAD", "owner": "fashion/lsgan-2"}
    for found in rows("paper", **wanted):
        judged = {k: v["accuracy"][0] for k, v in found["sources"].items() if "lsgan" not in k}
        runs[found["run"]] = 100 * np.mean(list(judged.values()))
    yield (
        "accuracies of the five runs for _ are {:.0f} to {:.0f} %",
        (min(runs.values()), max(runs.values())),
    )
    tried = table("paper_variants").set_index(["model", "variant"])["other architectures"]
    tried = tried.xs("fashion/wgan-gp-0").str.split().str[0].astype(float)
    yield "_ has {:.1f} instead of {:.1f} %", (tried["whitened"], tried["n_tr 1000"])
    seeds = [
        row
        for row in rows("whitening", fnr=0.005, method="whitened preactivation")
        if row["owner"] == "fashion/ebgan-0" and row["source"].startswith("fashion/")
    ]
    yield "an accuracy above {:.0f} %", (np.floor(100 * min(row["accuracy"] for row in seeds)),)
    (longest,) = rows("paper", setting="epochs x50", owner="fashion/wgan-gp-2", run=0)
    accuracies = {name: 100 * x["accuracy"][0] for name, x in longest["sources"].items()}
    of_ebgan = accuracies.pop("fashion/ebgan-2")
    assert {*accuracies} == {"real"} | {
        f"fashion/{name}" for name in ("dcgan-2", "lsgan-2", "wgan-gp-0", "wgan-gp-1")
    }
    assert min(accuracies.values()) >= 97.5
    yield "EBGAN's samples pass as before: the accuracy is {:.0f} %", (of_ebgan,)
    again = table("paper_again")["within two sd"].dropna()
    yield "{} of {} cells are within two", ((again == "yes").sum(), len(again))
    # A run and the mean of five others, in units of their deviation.
    yield "in {:.0f} % of cases", (200 * t.sf(2 / np.sqrt(1 + 1 / 5), df=4),)
    found = rows("medical", method="FLIPAD")[0]
    yield "FLIPAD takes {:.0f} minutes", (found["fit_min"] + found["score_min"],)
    recovered = table("paper_recovery").set_index("channels")
    assert (recovered.loc[8:, "0.02"] < 1).all()
    yield "not even a sparsity of {:.2f} is always recovered", (float(recovered.columns[0]),)


def diffusion():
    gan = row("gan_seeds", model="fashion/dcgan-0")
    assert gan["found"] == gan["identical"] == gan["n"]
    yield (
        "Of {:,} images of _ in 8 bits, with seeds among {:,}, the seeds of all {:,} were found, "
        "with p-values of at most 1e-{:.0f}",
        (gan["n"], gan["n_seeds"], gan["found"], np.floor(-gan["largest_log10_p"])),
    )
    of = {found["n_suspects"]: found for found in rows("seed_search")}
    few = [of[n]["seeds_per_processor_s"] for n in (1, 10)]
    drawn = [found["drawn_per_processor_s"] for found in of.values()]
    yield (
        "one core draws {:,.0f} a second, and compares {:,.0f} a second with that of 1 or 10 "
        "suspects, "
        "{:,.0f} with that of 100",
        (
            round(np.mean(drawn), -3),
            round(np.mean(few), -3),
            round(of[100]["seeds_per_processor_s"], -2),
        ),
    )
    per_second = round(np.mean(few), -3)
    yield (
        "10⁶ seeds take {:.0f} seconds of one core, and all 2³² of torch's generator on the CPU "
        "{:.1f} "
        "days",
        (1e6 / per_second, 2**32 / per_second / 86400),
    )
    own = {found["sampler"]: found for found in rows("diffusion", source="own")}
    assert all(found["identical"] == found["found"] for found in own.values())
    first = own.pop("DDIM 20")
    assert all(found["found"] == found["n"] for found in own.values())
    yield (
        "Of {:,} images by 20 steps of DDIM, {:,} lead to their seed",
        (first["n"], first["found"]),
    )
    copies, others = (
        [found["least distance"] for found in rows("diffusion", source=source)]
        for source in ("copy trained on", "other network")
    )
    yield "the nearest one is {:.0f} gray levels away", (min(copies),)
    yield "Its nearest image is {:.0f} gray levels away", (min(others),)
    assert not any(found["wrong"] for found in rows("diffusion"))
    untold = row("diffusion", source="own, class not told")
    assert untold["identical"] == untold["found"]
    yield "{} of {} seeds are found with their class", (untold["found"], untold["n"])
    files = row("diffusion", source="JPEG 60 to 95")
    assert files["identical"] == files["found"]
    yield "So do {} of {} files", (files["identical"], files["n"])
    assert not any(found["identical"] for found in rows("diffusion") if "copy" in found["source"])
    beyond = [found["beyond range"] for found in rows("diffusion_networks")]
    yield "At most a share of {:.4f} of their values", (max(beyond),)
    floats = rows("diffusion", source="own, floats")
    assert all(found["found"] == found["identical"] == found["n"] for found in floats)
    # The level 1e-6 of 10^6 candidates and two inversions, for the sizes of the page.
    needed = norm.isf(0.5e-12) / np.sqrt([1024, 4 * 64 * 64])
    yield "a correlation of {:.2f} of 1,024 values, of 4x64x64 values {:.3f}", needed


def _accepted(rows):
    """Files that are called own, of all of them."""
    return f"{sum(row['own'] for row in rows)} of {sum(row['n'] for row in rows)}"
