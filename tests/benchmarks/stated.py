"""What the pages state of committed results: phrases, and the numbers that fill them.

A function for each page yields its phrases in order. What is left out of a phrase, such as literals
and roles, is ``_`` in it.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.results import read_rows
from sklearn_flipad.evaluation import clopper_pearson

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


@cache
def read(name):
    """The rows of a benchmark."""
    return read_rows(RESULTS / f"{name}.jsonl")


def rows(name, **wanted):
    """Rows of a benchmark with the wanted values; a row must be there."""
    found = [row for row in read(name) if all(row.get(k) == v for k, v in wanted.items())]
    assert found, (name, wanted)
    return found


def row(name, **wanted):
    """The one row with the wanted values."""
    (found,) = rows(name, **wanted)
    return found


def span(form, values):
    """The smallest and the largest value as text."""
    return f"{form.format(min(values))} to {form.format(max(values))}"


def unseen(found):
    """Rows whose source is no real image."""
    return [row for row in found if row["source"] != "real"]


def rate(row, kind="fpr"):
    """An error rate in percent."""
    return 100 * row[f"found_{kind}"][0]


def readme():
    demo = pd.read_csv(ROOT / "docs" / "demo.csv")
    sources = [f"fashion/{name}" for name in ("ebgan-0", "lsgan-0", "wgan-gp-0", "dcgan-1")]
    for method, of_method in demo.groupby("method"):
        found = of_method.set_index("source")
        accuracies = found.loc[[*sources, "changed copy"], "accuracy"]
        best = "**" if method == "Reproduction" else ""
        cells = [f"{best}{accuracy:.3f}{best}" for accuracy in accuracies]
        fnr, low, high = (100 * float(x) for x in re.findall(r"[\d.]+", found["FNR"].iloc[0]))
        yield f"| {method} | {' | '.join(cells)} | {fnr:.1f} % ({low:.1f} to {high:.1f}) |", ()
    table = pd.read_csv(RESULTS / "methods.csv").set_index(["owner", "method"])["accuracy"]
    owner = table["fashion/dcgan-0"]
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
        "ends after 10,000 iterations at {:.0e}",
        (case["solvers"][published]["final excess, median"],),
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
        "within 1e-3 after {:.1f} ms (DCGAN) and {:.0f} ms (LSGAN); FISTA takes {:.0f} and {:.0f} ms",
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
        "Fitted to 3,000 samples, for 1,024 features, the first line has an accuracy of {:.2f} or more",
        (min(whitened),),
    )
    demo = pd.read_csv(ROOT / "docs" / "demo.csv")
    means = (
        demo[~demo["source"].isin(["real", "changed copy"])].groupby("method")["accuracy"].mean()
    )
    table = pd.read_csv(RESULTS / "methods.csv").set_index(["owner", "method"])["accuracy"]
    owner = table["fashion/dcgan-0"]
    yield (
        "a mean accuracy on unseen generators of {:.3f} for FLIPAD and {:.3f} for RawPAD",
        (means["FLIPAD"], means["RawPAD"]),
    )
    yield (
        "with 1,000 real images and the same network, on three of them, these are {:.3f} and {:.3f}",
        (owner["FLIPAD"], owner["RawPAD"]),
    )


def experiments():
    owner = rows("methods", owner="fashion/dcgan-0", method="SM-Inv l2", fnr=0.005)
    medians = {source: -m for row in owner for source, m in row["median_scores"].items()}
    yield (
        "the median distance to them is {:.5f}, and to those of any other source {}",
        (medians.pop("fashion/dcgan-0"), span("{:.4f}", medians.values())),
    )
    minutes = pd.read_csv(RESULTS / "methods.csv").set_index(["owner", "method"])["minutes"]
    minutes = minutes["fashion/dcgan-0"]
    yield "at {:.1f} times the cost of FLIPAD", (minutes["SM-Inv l2"] / minutes["FLIPAD"],)

    def seeds(architecture, method="FLIPAD", fnr=0.005):
        found = unseen(rows("seeds", method=method, fnr=fnr))
        return [row for row in found if row["owner"].startswith(f"fashion/{architecture}-")]

    passed = {x: [rate(row) for row in seeds(x)] for x in ("dcgan", "lsgan", "wgan-gp", "ebgan")}
    yield (
        "(at most {:.0f} % of the other seeds' samples pass); {} % of the other seeds' samples pass "
        "for LSGAN, {} % for WGAN-GP, and {} % for EBGAN",
        (max(passed.pop("dcgan")), *(span("{:.0f}", values) for values in passed.values())),
    )
    real = [row for row in rows("seeds", method="FLIPAD", fnr=0.005) if row["source"] == "real"]
    of_ebgan = [row["accuracy"] for row in real if "ebgan" in row["owner"]]
    yield "against real images its accuracy is {:.3f} or more", (min(of_ebgan),)
    ranks = [[row["auc"] for row in seeds("ebgan", name)] for name in ("FLIPAD", "RawPAD")]
    yield "(AUC {}, RawPAD {})", [span("{:.2f}", values) for values in ranks]
    loose = [row["accuracy"] for row in seeds("ebgan", fnr=0.05)]
    yield "at 0.05 FLIPAD's accuracy for EBGAN is {}", (span("{:.2f}", loose),)

    found = unseen(rows("whitening", fnr=0.005))
    worst = [row["accuracy"] for row in found if row["method"] == "whitened preactivation"]
    yield "the worst pair has an accuracy of {:.3f}", (min(worst),)
    table = pd.read_csv(RESULTS / "whitening.csv").set_index("method")
    off = (table.loc["both"] - table.loc["whitened preactivation"]).abs().max()
    yield "_ is within {:.3f} of whitened preactivations in each column", (off,)
    of = table.loc["Mahalanobis"]
    yield (
        "the Mahalanobis distance alone has an accuracy of {:.2f} for _, {:.2f} for _, {:.2f} for _ "
        "and {:.2f} for _",
        [of[f"fashion/{name}"] for name in ("dcgan", "ebgan", "wgan-gp", "lsgan")],
    )

    of = {fnr: [rate(row, "fnr") for row in rows("perturbed", fnr=fnr)] for fnr in (0.005, 0.05)}
    yield (
        "({} % for nominal 0.5 %, {} % for nominal 5 %, on 1,000 samples)",
        [span("{:.1f}", values) for values in of.values()],
    )
    table = pd.read_csv(RESULTS / "perturbed.csv").set_index(["fnr", "perturbation"])
    at = table.loc[0.05]
    best = at[["SM-F", "RawPAD", "DCTPAD", "FLIPAD"]].max(axis=1) > 0.95
    yield "is above {:.2f} wherever a single method is", (0.95,)
    assert (at.loc[best, "combined"] > 0.95).all()
    yield "weakness under blur ({:.2f} to {:.2f})", at.loc["blur 3", ["FLIPAD", "combined"]]
    hard = at.loc[["noise 0.1", "platform"]]
    (combined,) = set(hard["combined"].round(2))
    yield "({:.2f} against {:.2f} and {:.2f})", (combined, *hard["RawPAD"])
    of_dct = unseen(rows("perturbed", method="DCTPAD", fnr=0.005))
    auc = pd.DataFrame(of_dct).groupby("perturbation")["auc"].mean()
    yield "its scores have a mean AUC of {}", (span("{:.2f}", auc),)

    auc = [row["auc"] for row in rows("super_resolution", method="FLIPAD")]
    auc += [row["auc"] for row in rows("super_resolution", method="FLIPAD, negatives of 3")]
    yield "(its AUC is {})", (span("{:.2f}", auc),)
    residual = {
        fnr: [
            rows("super_resolution", method=name, fnr=fnr)
            for name in ("residual", "residual, negatives of 3")
        ]
        for fnr in (0.005, 0.05)
    }
    every = [row for found in residual.values() for part in found for row in part]
    assert all(rate(row) == 0 for row in every)
    (n,) = {sum(row["n_test"] for row in part) for found in residual.values() for part in found}
    yield "none of the {:,} samples of other sources passes", (n,)
    strict = [rate(part[0], "fnr") for part in residual[0.005]]
    yield (
        "at _ 0.05 a fifth of the owner's are missed here too ({:.1f} and {:.0f} % at 0.005)",
        strict,
    )
    assert all(18 < rate(part[0], "fnr") < 23 for part in residual[0.05])

    bfloat = row("gpu", part="arithmetic", variant="autocast bfloat16")
    copies = pd.read_csv(RESULTS / "ladder.csv")
    copies = copies[copies["rung"].str.startswith("noise 0.01")]["gray levels apart"]
    yield (
        "differ from the model's own by {:.2f} of a gray level, about as much as those of copies with "
        "1 % of noise ({}, see _)",
        (bfloat["rms"], span("{:.2f}", copies)),
    )
    of = {(r["device"], r["variant"]): r for r in rows("gpu", part="reproduction")}
    cpu, card, wide = (of[key]["own"]["ms"] for key in (("cpu", 32), ("cuda", 32), ("cuda", 128)))
    yield "a factor of {:.0f} with its default of 32 samples in parallel", (cpu / card,)
    assert 8 <= of["cpu", 32]["other"]["ms"] / of["cuda", 128]["other"]["ms"] < cpu / wide <= 10.5


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


def latent_diffusion():
    table = pd.read_csv(RESULTS / "latent_diffusion.csv", dtype={"owner": str})
    table = table.set_index(["owner", "method"])
    first, second = table.loc["0"], table.loc["1"]
    yield (
        "it rejects that autoencoder ({:.2f} and {:.2f}; {:.2f} with the paper's three channels; the "
        "paper has 0.92) and an unseen third one ({:.2f} and {:.2f})",
        (
            first.loc["FLIPAD, negatives of 1", "1"],
            second.loc["FLIPAD, negatives of 0", "0"],
            first.loc["FLIPAD, 3 channels, negatives of 1", "1"],
            first.loc["FLIPAD, negatives of 1", "2"],
            second.loc["FLIPAD, negatives of 0", "2"],
        ),
    )
    other = row("latent_diffusion", owner="0", method="residual", source="0, other latents")
    yield (
        "{:.0f} % of what the model's own decoder makes of other latents is rejected",
        (100 - rate(other),),
    )
    last = row("sizes", case="Conv2d(128 -> 3, k3), 512x512")
    yield (
        "takes {:.1f} s to set up on two cores, {:.0f} s per image to the default tolerance, and "
        "{:.1f} GB",
        (last["set-up, seconds"], last["default, seconds"], last["memory, GB"]),
    )
    above = 100 * last["FISTA, objective above the default's"]
    yield "which take {:.0f} s, FISTA is {:.0f} % above that", (last["FISTA, seconds"], above)


def reproduction():
    found = rows("reproduction")
    shipped = [row for row in found if row["owner"] != "public"]
    public = row("reproduction", owner="public")
    own = [row["own"] for row in shipped]
    assert all(row["own"]["outcomes"] == {"reproduced": row["own"]["n"]} for row in found)
    n = sum(row["n"] for row in own)
    n_others = sum(part["n"] for row in shipped for part in row["others"].values())
    rejected = 100 * (1 - sum(row["accepted"] for row in own) / n)
    yield (
        "all {:,} fresh own samples were reproduced, after {} trials on average; {:.2f} % of them "
        'were called "not own" (0.5 % was chosen), and none of {:,} others was accepted',
        (n, span("{:.0f}", [row["n_iter"] for row in own]), rejected, n_others),
    )
    assert not any(part["accepted"] for row in found for part in row["others"].values())
    missed = [100 * (1 - x) for x in public["own"]["interval"]]
    yield (
        'All of its {:,} own samples were reproduced, after {:.0f} trials; one was called "not own" '
        "(exact interval of the rate {:.3f} to {:.2f} %)",
        (public["own"]["n"], public["own"]["n_iter"], missed[1], missed[0]),
    )
    assert public["own"]["accepted"] == public["own"]["n"] - 1
    ladder = (
        pd.read_csv(RESULTS / "ladder.csv").set_index(["owner", "rung"])["reproduction"].dropna()
    )
    bf16 = ladder.xs("bf16", level="rung").min()
    yield "{:.0f} % or more of one whose weights were rounded to bfloat16", (100 * bf16,)
    copies = pd.read_csv(RESULTS / "ladder_copies.csv").set_index("rung")
    near = copies.loc[["other architectures", "other seeds"], ["RawPAD", "FLIPAD"]]
    lost = [
        100 * float(np.subtract(*map(float, cell.split(", ")))) for cell in near.to_numpy().flat
    ]
    yield "RawPAD and FLIPAD lose {} points", (span("{:.0f}", lost),)
    trials = [part["n_iter"] for part in public["others"].values()]
    yield (
        "takes {:.0f} trials, which are runs of the generator and its gradient, and one that is "
        "rejected {}",
        (public["own"]["n_iter"], span("{:.0f}", trials)),
    )
    adam = row("reproduction_speed")["adam"]
    assert (adam["n"], adam["reproduced"]) == (4, 0)
    seconds = adam["ms"] / 1e3
    yield (
        "took {:.0f} s a sample on two cores for four own samples (_, _), which run in a batch of 16, "
        "so about {:.0f} s in a full one",
        (seconds, seconds * 4 / 16),
    )
    yield "the median distance was {:.2f} of a gray level", (adam["median_distance"],)

    def processed(processing, source, method="reproduction", **wanted):
        return row("processed", processing=processing, source=source, method=method, **wanted)

    known, unknown = (
        processed("Downscale(size=24)", "own", method)["ms"]
        for method in ("reproduction", "reproduction, unknown processing")
    )
    yield "{:.0f} ms where a resizing was known and {:.0f} ms where it was not", (known, unknown)
    noise = "GaussianNoise(random_state=0, std=0.1)"
    last, earlier = "copy, 10 % last", "copy, 10 % earlier"
    shares = [
        100 * found["accepted"] / found["n"]
        for found in (
            processed(noise, last),
            processed("JPEGCompression(quality=80)", last),
            processed("JPEGCompression(quality=90)", last),
            processed(noise, earlier),
        )
    ]
    yield (
        "nearly all samples ({:.0f} %) are accepted under noise of 0.1, half of them ({:.0f} %) after "
        "JPEG of quality 80, and {:.0f} % after quality 90; of the copy with other earlier weights "
        "{:.0f} % under that noise",
        shares,
    )


def tabular():
    speed = row("tabular_speed")
    yield "{:,} rows take {:.1f} s on two cores", (speed["rows"], speed["wall_s"])
    sets = pd.read_csv(RESULTS / "tabular_sets.csv")
    sets = sets[sets["test"] == "rank sum"].set_index(["table", "method", "rows of"])["100"]
    own = sets.xs("KL-WGAN", level="rows of")
    others = sets.drop("KL-WGAN", level="rows of")
    assert own.max() < 0.01
    weak = others[others < 1]
    assert {key[1:] for key in weak.index} == {("FLIPAD", "CopulaGAN")}
    yield "except for FLIPAD and CopulaGAN (at least {:.1f} %)", (100 * weak.min(),)


def sound():
    series = next(row for row in read("sound") if row["task"] == "ECG")
    (low, _, high), (recorded, *_) = (series["residuals"][kind] for kind in ("own", "recorded"))
    yield (
        "is {:.4f} to {:.4f} for {} generated ECGs, and {:.3f} for a recorded one",
        (low, high, series["n_test"], recorded),
    )
    whitened = [
        row("sound", task="one second", method="DCTPAD whitened", source=source)["auc"]
        for source in ("LJSpeech", "universal")
    ]
    yield "with an area of {}", (span("{:.2f}", whitened),)
    of = {
        (task, method): [
            row("sound", task=task, method=method, source=source)
            for source in ("LJSpeech", "universal")
        ]
        for task in ("one second", "quarter")
        for method in ("residual", "residual, Gaussian")
    }
    passed = {key: [round(r["found_fpr"][0] * r["n_test"]) for r in x] for key, x in of.items()}
    assert passed["one second", "residual"][1] == 0
    yield "by residuals, {} of the 60 clips of one sibling", (passed["one second", "residual"][0],)
    yield (
        "By residuals, {} of 60 and {} of 60 of the sibling's clips are still accepted; with a "
        "Gaussian, {} and {}",
        (*passed["quarter", "residual"], *passed["quarter", "residual, Gaussian"]),
    )


def windows():
    def errors(found, source):
        return round(found[source]["errors"] * found[source]["n"])

    plain, phases = (row("windows", method="FLIPAD, DeepSAD", phases=x) for x in (False, True))
    cropped, seeds = "own 63, cropped", ("seed 1 64", "seed 2 64")
    yield (
        "{} of {} own images without their first row and column are missed without phases and one",
        (errors(plain, cropped), plain[cropped]["n"]),
    )
    assert errors(phases, cropped) == 1
    yield (
        '{} and {} of 30 images of two other seeds are called "own" without phases, and {} and {} '
        "with them",
        [errors(found, source) for found in (plain, phases) for source in seeds],
    )
    of = {name: row("windows", method=name, max_windows=None) for name in METHODS_OF_WINDOWS}
    assert [errors(of[name], "own 64") for name in METHODS_OF_WINDOWS] == [0, 1, 0]
    small = [errors(found, "own 32") for found in of.values()]
    yield (
        "DCTPAD missed {} of 50 own images of 32 pixels and none of 64, FLIPAD {} and one, RawPAD {} "
        "and none",
        small,
    )
    one = row("windows", method="FLIPAD", max_windows=1)
    assert errors(of["FLIPAD"], "real 96") == 0
    yield (
        '{} of 50 real mosaics of 96 pixels "own" by one window of 16 pixels and none by all 36; of '
        'two other seeds of the architecture, {} and {} of 50 are called "own" by one window and '
        "{} and {} by all",
        (
            errors(one, "real 96"),
            *(errors(found, f"seed {k} 96") for found in (one, of["FLIPAD"]) for k in (1, 2)),
        ),
    )


METHODS_OF_WINDOWS = ("DCTPAD", "FLIPAD", "RawPAD")


def several_models():
    mixed = row("open_set", method="whitened", fnr=0.005, source="fashion/ebgan-1")
    yield (
        "for {} of {:,} samples of _: at a rate of 0.5 %",
        (mixed["in_set"]["fashion/lsgan-2"], mixed["n"]),
    )
    shipped = [found for found in rows("reproduction") if found["owner"] != "public"]
    accepted = sum(found["own"]["accepted"] for found in shipped)
    others = sum(part["n"] for found in shipped for part in found["others"].values())
    yield (
        "{:,} in total are accepted by the attributor of their model at _, and none of the {:,} samples "
        "of other models by any",
        (accepted, others),
    )


def command():
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


def adversaries():
    table = pd.read_csv(RESULTS / "attacks.csv")
    forged = table[table["attack"].str.startswith("forgery")]
    weights = forged[forged["knows"] == "weights"]
    assert (weights["8"] == 1).all()
    scores = forged[(forged["knows"] == "scores")].groupby("method")["8"].max()
    scores = scores[["whitened", "combined", "flipad"]]
    yield "({:.2f} at most)", (scores.max(),)
    for_weights = weights["4"].min()
    yield "forges {:.2f} and more at four gray levels and everything at eight", (for_weights,)
    for n, phrase in ((30, "ends at {:.2f} for 30 samples"), (8, "at {:.2f} for 8")):
        yield phrase, (clopper_pearson(0, n).high,)


def diffusion():
    of = {found["n_suspects"]: found for found in rows("seed_search")}
    few = [of[n]["seeds_per_processor_s"] for n in (1, 10)]
    drawn = [found["drawn_per_processor_s"] for found in of.values()]
    yield (
        "one core draws {:,.0f} a second, and compares {:,.0f} a second with that of 1 or 10 suspects, "
        "{:,.0f} with that of 100",
        (
            round(np.mean(drawn), -3),
            round(np.mean(few), -3),
            round(of[100]["seeds_per_processor_s"], -2),
        ),
    )
    per_second = round(np.mean(few), -3)
    yield (
        "10⁶ seeds take {:.0f} seconds of one core, and all 2³² of torch's generator on the CPU {:.1f} "
        "days",
        (1e6 / per_second, 2**32 / per_second / 86400),
    )


PAGES = {
    "README.md": readme,
    "docs/method.rst": method,
    "docs/experiments.rst": experiments,
    "docs/evidence.rst": evidence,
    "docs/latent_diffusion.rst": latent_diffusion,
    "docs/reproduction.rst": reproduction,
    "docs/tabular.rst": tabular,
    "docs/sound.rst": sound,
    "docs/windows.rst": windows,
    "docs/several_models.rst": several_models,
    "docs/command.rst": command,
    "docs/files.rst": files,
    "docs/adversaries.rst": adversaries,
    "docs/diffusion.rst": diffusion,
}
