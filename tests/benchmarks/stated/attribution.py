"""Numbers of attribution in the pages: phrases, and what fills them."""

import numpy as np
import pandas as pd

from sklearn_flipad.evaluation import clopper_pearson
from tests.benchmarks.stated.results import rate, read, row, rows, span, table, unseen


def experiments():
    owner = rows("methods", owner="fashion/dcgan-0", method="SM-Inv l2", fnr=0.005)
    medians = {source: -m for row in owner for source, m in row["median_scores"].items()}
    yield (
        "the median distance to them is {:.1f} gray levels, and to those of any other source {}",
        (medians.pop("fashion/dcgan-0"), span("{:.1f}", medians.values())),
    )
    shown = table("methods").set_index(["owner", "method"])
    best = shown.groupby("owner")["accuracy"].idxmax()
    assert [method for _, method in best].count("SM-Inv l2") == 3
    found = shown.loc["fashion/lsgan-0", "SM-Inv l2"]
    yield "accepts {:.0f} % of the others", (100 * found["FPR"],)
    yield "(AUC {:.3f})", (found["auc"],)
    minutes = table("methods").set_index(["owner", "method"])["minutes"]
    minutes = minutes["fashion/dcgan-0"]
    yield "at {:.1f} times the cost of FLIPAD", (minutes["SM-Inv l2"] / minutes["FLIPAD"],)

    def seeds(architecture, method="FLIPAD", fnr=0.005):
        found = unseen(rows("seeds", method=method, fnr=fnr))
        return [row for row in found if row["owner"].startswith(f"fashion/{architecture}-")]

    passed = {x: [rate(row) for row in seeds(x)] for x in ("dcgan", "lsgan", "wgan-gp", "ebgan")}
    yield (
        "(at most {:.0f} % of the other seeds' samples pass); {} % of the other seeds' samples "
        "pass "
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
    shown = table("whitening").set_index("method")
    off = (shown.loc["both"] - shown.loc["whitened preactivation"]).abs().max()
    yield "_ is within {:.3f} of whitened preactivations in each column", (off,)
    of = shown.loc["Mahalanobis"]
    yield (
        "the Mahalanobis distance alone has an accuracy of {:.2f} for _, {:.2f} for _, {:.2f} for "
        "_ "
        "and {:.2f} for _",
        [of[f"fashion/{name}"] for name in ("dcgan", "ebgan", "wgan-gp", "lsgan")],
    )

    of = {fnr: [rate(row, "fnr") for row in rows("perturbed", fnr=fnr)] for fnr in (0.005, 0.05)}
    yield (
        "({} % for nominal 0.5 %, {} % for nominal 5 %, on 1,000 samples)",
        [span("{:.1f}", values) for values in of.values()],
    )
    shown = table("perturbed").set_index(["fnr", "perturbation"])
    at = shown.loc[0.05]
    best = at[["SM-F", "RawPAD", "DCTPAD", "FLIPAD"]].max(axis=1) > 0.95
    yield "is above {:.2f} wherever a single method is", (0.95,)
    assert (at.loc[best, "combined"] > 0.95).all()
    yield "weakness under blur ({:.2f} to {:.2f})", at.loc["blur 3", ["FLIPAD", "combined"]]
    hard = at.loc[["noise 0.1", "platform"]]
    (pixels,) = set(hard["RawPAD"].round(2))
    yield "({:.2f} and {:.2f} against {:.2f})", (*hard["combined"], pixels)
    of_dct = unseen(rows("perturbed", method="DCTPAD", fnr=0.005))
    auc = pd.DataFrame(of_dct).groupby("perturbation")["auc"].mean()
    yield "its scores have a mean AUC of {}", (span("{:.2f}", auc),)

    auc = [row["auc"] for row in rows("super_resolution", method="FLIPAD")]
    auc += [row["auc"] for row in rows("super_resolution", method="FLIPAD, negatives of 3")]
    yield "(its AUC is {})", (span("{:.2f}", auc),)
    found = rows("super_resolution", method="reproduction")
    n, n_others = found[0]["n_test"], sum(part["n_test"] for part in found)
    assert not any(rate(part) for part in found)
    yield (
        "it accepts {:.0f} of the owner's {} samples, and none of the {} others",
        (n * (1 - found[0]["found_fnr"][0]), n, n_others),
    )
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
    copies = table("ladder")
    copies = copies[copies["rung"].str.startswith("noise 0.01")]["gray levels apart"]
    yield (
        "differ from the model's own by {:.2f} of a gray level, about as much as those of copies "
        "with "
        "1 % of noise ({}, _, see _)",
        (bfloat["rms"], span("{:.2f}", copies)),
    )
    of = {(r["device"], r["variant"]): r for r in rows("gpu", part="reproduction")}
    ms = {key: np.array([r[kind]["ms"] for kind in ("own", "other")]) for key, r in of.items()}
    card, wide = ms["cpu", 32] / ms["cuda", 32], ms["cpu", 32] / ms["cuda", 128]
    yield (
        "a factor of {:.0f} with its default of 32 samples in parallel and {} with _",
        (card[0], span("{:.0f}", wide)),
    )


def latent_diffusion():
    shown = table("latent_diffusion", dtype={"owner": str})
    shown = shown.set_index(["owner", "method"])
    first, second = shown.loc["0"], shown.loc["1"]
    yield (
        "it rejects that autoencoder ({:.2f} and {:.2f}; {:.2f} with the paper's three channels; "
        "the "
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
    further = "0, decoder trained on"
    plain, halved = (
        row("latent_diffusion", owner="0", method=method, source=further)["median_scores"]
        for method in ("reproduction", "reproduction, decoded in bfloat16")
    )
    yield (
        "the median distance of the model's is {:.2f} gray levels instead of {:.2f}, and {:.2f} of "
        "those of the decoder that was trained further",
        (-halved["0"], -plain["0"], -halved[further]),
    )
    ratios = {
        source: 100 - rate(row("latent_diffusion", owner="0", method="AEDR", source=source))
        for source in (further, "0, other latents")
    }
    yield (
        "it rejects {:.0f} %, where residuals reject nearly all, and of what the model's own "
        "decoder makes of other latents {:.0f} %",
        ratios.values(),
    )
    medians = row("vq_model", method="quantization error", source="real")["median_scores"]
    yield (
        "the median of the sums is {:.3f} for the model's images and {:.3f} for real ones",
        (-medians["VQ 0"], -medians["real"]),
    )
    last = row("sizes", case="Conv2d(128 -> 3, k3), 512x512")
    yield (
        "takes {:.1f} s to set up on two cores, {:.0f} s per image to the default tolerance, and "
        "{:.1f} GB",
        (last["set-up, seconds"], last["default, seconds"], last["memory, GB"]),
    )
    above = 100 * last["FISTA, objective above the default's"]
    yield "which take {:.0f} s, FISTA is {:.0f} % above that", (last["FISTA, seconds"], above)


def comparison():
    found = table("latent_diffusion", dtype={"owner": str}).set_index(["owner", "method"])
    schemes = ["AEROBLADE", "LatentTracer", "reproduction", "residual"]
    yield (
        "AEROBLADE's has an accuracy of {:.3f} and {:.3f}, LatentTracer's {:.3f} and {:.3f}, "
        "reproduction {:.3f} and {:.3f}, and the residual, which needs no search, {:.3f} and "
        "{:.3f}",
        found.loc["0"].loc[schemes, ["1", "2"]].to_numpy().flat,
    )
    times, distances = [], []
    for here in rows("published", part="features", code="here"):
        there = row("published", part="features", code="published", model=here["model"])
        times.append(there["ms"] / here["ms"])
        distances.append(there["distance"][0] / here["distance"][0])
    yield "after {:.0f} to {:.0f} times as long", (min(times), max(times))
    yield "{:.1f} to {:.1f} times as far", (min(distances), max(distances))


def reproduction():
    found = rows("reproduction")
    shipped = [row for row in found if row["owner"] != "public"]
    public = row("reproduction", owner="public")
    own = [row["own"] for row in shipped]
    assert public["own"]["outcomes"] == {"reproduced": public["own"]["n"]}
    n = sum(row["n"] for row in own)
    n_others = sum(part["n"] for row in shipped for part in row["others"].values())
    rejected = 100 * (1 - sum(row["accepted"] for row in own) / n)
    yield (
        "Of the {:,} fresh own samples of the twelve shipped generators {:,} were reproduced, "
        "after {} trials on average. The search for the other one, of _, ended {:.1f} gray levels "
        "away. "
        '{:.2f} % of all were called "not own" (0.5 % was chosen), and none of {:,} others was '
        "accepted",
        (
            n,
            sum(row["outcomes"]["reproduced"] for row in own),
            span("{:.0f}", [row["n_iter"] for row in own]),
            max(row["distances"][-1] for row in own),
            rejected,
            n_others,
        ),
    )
    assert not any(part["accepted"] for row in found for part in row["others"].values())
    missed = [100 * (1 - x) for x in public["own"]["interval"]]
    yield (
        "All of its {:,} own samples were reproduced, after {:.0f} trials; one was called "
        '"not own" (exact interval of the rate {:.3f} to {:.2f} %)',
        (public["own"]["n"], public["own"]["n_iter"], missed[1], missed[0]),
    )
    assert public["own"]["accepted"] == public["own"]["n"] - 1
    ladder = table("ladder").set_index(["owner", "rung"])["reproduction"].dropna()
    bf16 = ladder.xs("bf16", level="rung").min()
    yield "{:.0f} % or more of one whose weights were rounded to bfloat16", (100 * bf16,)
    copies = table("ladder_copies").set_index("rung")
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
        "took {:.0f} s a sample on two cores for four own samples (_, _), which run in a batch of "
        "16, "
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

    def accepted(method, source):
        found = rows("processed", processing="UnknownProcessing")
        shipped = [x for x in found if x["owner"].startswith("fashion/")]
        parts = [x for x in shipped if x["method"].startswith(method) and source in x["source"]]
        return span("{:.0f}", [100 * part["accepted"] / part["n"] for part in parts])

    searched = "reproduction, unknown"
    assert accepted(searched, "other") == accepted(searched, "copy") == "0 to 0"
    yield (
        "accepts {} % of the own samples of four owners, one of each architecture, and none of the "
        "copies' and of other architectures",
        (accepted(searched, "own"),),
    )
    files = "UnknownProcessing, JPEG 75 to 95"

    def of_files(source, *owners):
        found = [
            processed(files, source, "reproduction, unknown processing", owner=f"fashion/{owner}")
            for owner in owners
        ]
        return span("{:.0f}", [100 * part["accepted"] / part["n"] for part in found])

    others = "ebgan-0", "lsgan-0", "wgan-gp-0"
    last, earlier = "copy, 10 % last", "copy, 10 % earlier"
    assert of_files(last, "dcgan-0") == of_files(earlier, "dcgan-0") == "0 to 0"
    assert of_files("other architectures", "dcgan-0", *others) == "0 to 0"
    yield (
        "{} % of the own samples of _ are accepted and none of the copies'. Of the other three "
        "owners {} % are, {} % of the copies with other last weights, {} % of those with other "
        "earlier ones",
        (
            of_files("own", "dcgan-0").partition(" ")[0],
            *(of_files(source, *others) for source in ("own", last, earlier)),
        ),
    )
    public = {
        found["source"]: found
        for found in rows("processed", owner="public/dcgan", processing="UnknownProcessing")
    }
    assert not any(found["accepted"] for source, found in public.items() if source != "own")
    yield (
        "{} of {} own samples are accepted, none of {} of a distilled student",
        (
            public["own"]["accepted"],
            public["own"]["n"],
            public["student"]["n"],
        ),
    )
    public = {
        found["source"]: found
        for found in rows("processed", owner="public/dcgan", processing=files)
    }
    assert public["student"]["accepted"] == public[earlier]["accepted"] == 0
    yield (
        "{} of {} are, none of the student and of the copy with other earlier weights, but {} of "
        "{} of",
        [public[source][name] for source in ("own", last) for name in ("accepted", "n")],
    )
    of_copies = (accepted(method, "copy") for method in ("RawPAD", "whitened"))
    ends = sorted(float(end) for part in of_copies for end in part.split(" to "))
    yield (
        "accept {:.0f} to {:.0f} % of the copies' samples, and of other architectures RawPAD {} % "
        "and the whitened one {} %",
        (ends[0], ends[-1], accepted("RawPAD", "other"), accepted("whitened", "other")),
    )
    own, last = (
        [
            processed("UnknownGeometry", source, "reproduction, unknown processing", owner=owner)
            for owner in (f"fashion/{x}-0" for x in ("dcgan", "ebgan", "lsgan", "wgan-gp"))
        ]
        for source in ("own", "copy, 10 % last")
    )
    assert last[0]["accepted"] == 0
    yield (
        "{} of {} own ones are accepted for _, {} of {} for _, {} of {} for _ and {} of {} for _; "
        "of the copy with other last weights none, {}, {} and {}",
        (
            *(part[name] for part in own for name in ("accepted", "n")),
            *(part["accepted"] for part in last[1:]),
        ),
    )
    small = rows("processed", processing="UnknownGeometry, 18 pixels")
    own, _, *copies = ((part["accepted"], part["n"]) for part in small)
    n_accepted, n = map(sum, zip(*copies, strict=True))
    assert n_accepted == 0
    yield "{} of {} own samples are accepted, and none of {} of the copies'", (*own, n)
    noise = "GaussianNoise(random_state=0, std=0.1)"
    last, earlier = "copy, 10 % last", "copy, 10 % earlier"
    shares = [
        100 * found["accepted"] / found["n"]
        for found in (
            processed(noise, last),
            processed(noise.replace("0.1", "0.05"), last),
            processed("JPEGCompression(quality=80)", last),
            processed("JPEGCompression(quality=90)", last),
            processed(noise, earlier),
        )
    ]
    assert shares[0] == 100
    yield (
        "all samples are accepted under noise of 0.1, {:.0f} % under noise of 0.05, {:.0f} % after "
        "JPEG of quality 80, and {:.0f} % after quality 90; of the copy with other earlier weights "
        "{:.0f} % under noise of 0.1",
        shares[1:],
    )
    told = rows("processed", owner="fashion/lsgan-0", method="reproduction")
    others = [part for part in told if part["source"] == "other architectures"]
    assert len(others) == 6
    assert not any(part["accepted"] for part in others)


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
        "{:,} in total are accepted by the attributor of their model at _, and none of the {:,} "
        "samples "
        "of other models by any",
        (accepted, others),
    )


def windows():
    def errors(found, source):
        return round(found[source]["errors"] * found[source]["n"])

    plain, phases = (row("windows", method="FLIPAD, DeepSAD", phases=x) for x in (False, True))
    cropped, seeds = "own 63, cropped", ("seed 1 64", "seed 2 64")
    yield (
        "{} of {} own images without their first row and column are missed without phases and none",
        (errors(plain, cropped), plain[cropped]["n"]),
    )
    assert errors(phases, cropped) == 0
    yield (
        '{} and {} of 50 images of two other seeds are called "own" without phases, and {} and {} '
        "with them",
        [errors(found, source) for found in (plain, phases) for source in seeds],
    )
    of = {name: row("windows", method=name, max_windows=None) for name in METHODS_OF_WINDOWS}
    assert [errors(of[name], "own 64") for name in METHODS_OF_WINDOWS] == [0, 1, 0]
    small = [errors(found, "own 32") for found in of.values()]
    yield (
        "DCTPAD missed {} of 50 own images of 32 pixels and none of 64, FLIPAD {} and one, RawPAD "
        "{} "
        "and none",
        small,
    )
    one = row("windows", method="FLIPAD", max_windows=1)
    assert errors(of["FLIPAD"], "real 96") == 0
    yield (
        '{} of 50 real mosaics of 96 pixels "own" by one window of 16 pixels and none by all 36; '
        'of two other seeds of the architecture, {} and {} of 50 are called "own" by one window '
        "and {} and {} by all",
        (
            errors(one, "real 96"),
            *(errors(found, f"seed {k} 96") for found in (one, of["FLIPAD"]) for k in (1, 2)),
        ),
    )


METHODS_OF_WINDOWS = ("DCTPAD", "FLIPAD", "RawPAD")


def adversaries():
    shown = table("attacks")
    forged = shown[shown["attack"].str.startswith("forgery")]
    weights = forged[forged["knows"] == "weights"]
    assert (weights["8"] == 1).all()
    scores = forged[(forged["knows"] == "scores")].groupby("method")["8"].max()
    scores = scores[["whitened", "combined", "flipad"]]
    yield "({:.2f} at most)", (scores.max(),)
    for_weights = weights["4"].min()
    yield "forges {:.2f} and more at four gray levels and everything at eight", (for_weights,)
    for n, phrase in ((30, "ends at {:.2f} for 30 samples"), (8, "at {:.2f} for 8")):
        yield phrase, (clopper_pearson(0, n).high,)


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
    passed = {key: [round(60 * r["found_fpr"][0]) for r in x] for key, x in of.items()}
    yield (
        "by residuals, {} of the 60 clips of one sibling is accepted and {} of the other's",
        passed["one second", "residual"],
    )
    yield (
        "By residuals, {} of 60 and {} of 60 of the sibling's clips are still accepted; with a "
        "Gaussian, {} and {}",
        (*passed["quarter", "residual"], *passed["quarter", "residual, Gaussian"]),
    )
    found = rows("sound", task="detector noise", method="reproduction")
    assert all(row["found_fpr"][0] == 0 for row in found)
    missed = {row["owner"]: round(30 * row["found_fnr"][0]) for row in found}
    yield "and {} and {} of 30 own ones", (missed["L1"], missed["H1"])


def processing():
    missed = [
        row("strata", owner="fashion/dcgan-0", method="RawPAD", threshold="one", quality=quality)
        for quality in (60, 90)
    ]
    yield (
        "misses {:.1f} % of the files of quality 60 and {:.1f} % of those of quality 90",
        [100 * found["missed"] / found["n"] for found in missed],
    )
    apart = [row["interval"] for row in rows("strata", threshold="by quality", fnr=0.05)]
    hold = sum(low <= 0.05 <= high for low, high in apart)
    yield "{} of {} intervals contain the chosen rate", (hold, len(apart))


def tabular():
    speed = row("tabular_speed")
    yield "{:,} rows take {:.1f} s on two cores", (speed["rows"], speed["wall_s"])
    sets = table("tabular_sets")
    sets = sets[sets["test"] == "rank sum"].set_index(["table", "method", "rows of"])["100"]
    own = sets.xs("KL-WGAN", level="rows of")
    others = sets.drop("KL-WGAN", level="rows of")
    assert own.max() < 0.01
    weak = others[others < 1]
    assert {key[1:] for key in weak.index} == {("FLIPAD", "CopulaGAN")}
    yield "except for FLIPAD and CopulaGAN (at least {:.1f} %)", (100 * weak.min(),)
