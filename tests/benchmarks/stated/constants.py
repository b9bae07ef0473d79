"""Numbers of the benchmark of constants beside the constants: phrases, and what fills them."""

from tests.benchmarks.stated.results import row

_SEARCH = "reproduction.detector.SearchOptions"


def of(constant, value):
    """The row that was measured with one value of a constant."""
    return row("constants", constant=constant, value=value)


def at(constant, source, column, *values):
    """One number of a source with each of some values of a constant."""
    return [of(constant, value)[source][column] for value in values]


def kernel_density():
    name = "calibration.likelihood_ratios.kernel_density._PRECISION"
    found, exact = of(name, "1e-06"), of(name, "0.0")
    assert abs(found["log10_lr"] - exact["log10_lr"]) < 1e-6
    yield (
        "Ten ratios of 500 and 5,000 scores take {:.2f} s, and {:.2f} s with exact sums",
        (found["seconds"], exact["seconds"]),
    )


def earlier_jpeg():
    name = "evaluation._earlier_jpeg._SMALL"
    values = "0.7", "0.8", "0.9"
    found = [of(name, value) for value in values]
    assert all(x["never"] == x["once"] == 0 and x["before PNG"] == x["n"] for x in found)
    yield "in none of {} images that were compressed once or not at all", (2 * found[0]["n"],)
    yield "in all of {} that were JPEG of 50 to 80 and then PNG", (found[0]["n"],)
    counts = [x[key] for x in found for key in ("before JPEG", "before JPEG, within 2")]
    yield "in {}, {} and {} of 192 that were compressed again", counts[::2]
    yield "within two of the right one in {}, {} and {}", counts[1::2]


def anderson():
    name, values = "generators.diffusion._anderson._MEMORY", ("5", "0", "2", "10")
    found = [of(name, value) for value in values]
    assert [x["converged"] for x in found] == [3, 0, 3, 3]
    yield "3 of {} images converged, and all took {:.0f} runs", (found[0]["n"], found[0]["runs"])
    yield (
        "none, in {:.0f} runs; with 2 and 10, 3 in {:.0f} and {:.0f}",
        (x["runs"] for x in found[1:]),
    )


def schedulers():
    name = "generators.diffusion._schedulers._ROUNDING"
    refused = [of(name, value)["refused"] for value in ("0.0001", "1e-06", "1e-07", "1e-08")]
    assert refused[:3] == [[], [], []]
    yield "with 1e-8 {} of {} do not", (len(refused[3]), of(name, "1e-08")["n"])


def matching():
    name = "reproduction.seeds.matching._BLOCK"
    seconds = [of(name, value)["seconds"] for value in ("16", "64", "256")]
    yield "5,000 seeds take {:.2f}, {:.2f} and {:.2f} s with 16, 64 and 256", seconds


def resizings():
    name = "reproduction.search.resizings._N_ROUNDS"
    own = at(name, "own", "reproduced", "0", "1")
    copies = [at(name, f"copy, 10 % {where}", "area", "0", "1") for where in ("last", "earlier")]
    yield (
        "all {} own samples of dcgan-0 were reproduced in one round, and {} without any",
        (own[1], own[0]),
    )
    assert own[1] == 48
    assert [area for _, area in copies] == [1, 1]
    yield "rose from {:.2f} and {:.2f} to 1.00", (area for area, _ in copies)
    likely = "reproduction.search.resizings._N_LIKELY"
    yield "With one resizing {} were reproduced", at(likely, "own", "reproduced", "1")
    boxes = at(f"{name}, boxes", "own", "reproduced", "2", "1")
    yield "In unknown boxes, {} of 48 own samples of lsgan-0 were, and {} in one round", boxes


def options():
    own, others = "own", "other architectures"
    copies = "copy, 10 % last", "copy, 10 % earlier"

    def trials(value, *sources):
        return sum(of(_SEARCH, value)[source]["trials"] for source in sources) / len(sources)

    default = of(_SEARCH, "default")
    assert sum(default[source]["reproduced"] for source in copies) == 0
    assert default[own]["reproduced"] == default[own]["n"]
    assert default[others]["rejected"] == default[others]["n"]
    yield (
        "all {} own samples were reproduced (in {:.0f} trials on average)",
        (default[own]["reproduced"], default[own]["trials"]),
    )
    yield (
        "all {} samples of others rejected ({:.0f})",
        (default[others]["rejected"], default[others]["trials"]),
    )
    n = sum(default[source]["n"] for source in copies)
    yield (
        "none of {} of two copies with noise of 10 % reproduced ({:.0f})",
        (n, trials("default", *copies)),
    )
    checkpoints = "checkpoints=(20, 40, 60, 80)"
    yield (
        "others took {:.0f} trials and copies {:.0f}. The",
        (trials(checkpoints, others), trials(checkpoints, *copies)),
    )
    largest = of(_SEARCH, "quantile=1.0")[others]
    yield (
        "{} of {} samples of others were undecided, after {:.0f} trials",
        (largest["n"] - largest["rejected"], largest["n"], largest["trials"]),
    )
    yield (
        "multiple of the usual distance. With 2, others took {:.0f} trials",
        (trials("margin=2.0", others),),
    )
    yield (
        "whose trials have ended. With 3, copies took {:.0f} trials",
        (trials("end_margin=3.0", *copies),),
    )
    yield "may be wrong, too. With 3, others took {:.0f} trials", (trials("n_chances=3", others),)
    for value in ("slow=1.0", "nearer=0.0", "close=1.0"):
        assert abs(trials(value, others) - trials("default", others)) < 1
        assert abs(trials(value, *copies) - trials("default", *copies)) < 1
    assert of(_SEARCH, "n_corrections=0")[own]["rejected"] == 1
    yield (
        "an own sample was rejected, and copies took {:.0f} trials",
        (trials("n_corrections=0", *copies),),
    )
    for value in ("moves=((1.0, 0.35),)", "moves=((1.0, 0.5),)"):
        assert abs(trials(value, *copies) - trials("default", *copies)) < 15
    yield (
        "in deviations of the latents. With 0, copies took {:.0f} trials",
        (trials("same=0.0", *copies),),
    )
    yield "With 0.002, copies took {:.0f} trials", (trials("progress=0.002", *copies),)
    yield "With 0, own samples took {:.0f} trials", (trials("settled=0.0", own),)
    first = f"{_SEARCH}, first starts"
    yield (
        "With 2, copies took {:.0f} trials, and of {} own samples of the public DCGAN {} were "
        "reproduced from the first start in place of {}",
        (
            trials("curvature=2.0", *copies),
            *at(first, own, "n", "default"),
            *at(first, own, "reproduced", "curvature=2.0", "default"),
        ),
    )


def framing():
    name = "generators.process.framing._SLACK"
    own = at(name, "own", "reproduced", "0.003", "0.01", "0.03")
    farthest = at(name, "own", "farthest", "0.003", "0.01", "0.03")
    copies = at(name, "copy, 10 % earlier", "nearest", "0.003", "0.01", "0.03")
    assert own == [own[0]] * 3
    yield "with 0.003, 0.01 and 0.03, {} of 48 own samples of dcgan-0 were reproduced", own[:1]
    yield "the others ended at {:.2f} gray levels at most", (max(farthest),)
    yield "of a copy with noise of 10 % on its earlier weights at {:.2f} at least", (min(copies),)
    of_multiple = "generators.process.framing._MULTIPLE"
    rows = of(of_multiple, "4"), of(name, "0.01"), of(of_multiple, "1")
    yield (
        "takes {:.1f} and {:.1f} ms a trial in two runs, and {:.1f} ms with a frame for each",
        (found["own"]["ms"] / found["own"]["trials"] for found in rows),
    )


def guided():
    name = "reproduction.search.guided.GuidedSearch._search_failed"
    without, found = at(name, "own", "farthest", "none", "default")
    assert len(set(at(name, "own", "reproduced", "none", "default"))) == 1
    yield (
        "the farthest ended at {:.2f} gray levels without them, and at {:.2f} with",
        (without, found),
    )


def plan():
    name = "reproduction.search.plan._N_RESTARTS"
    none, four, default = at(name, "own", "rejected", "0", "4", "8")
    assert four == default == 0
    yield "{} of 192 own samples of ebgan-0 are rejected without any, and none with four", (none,)
    public = at(f"{name}, public", "own", "reproduced", "4", "8")
    yield "of 192 of the public 64x64 DCGAN {} are reproduced with four and {} with eight", public
    name = "reproduction.search.plan.SearchPlan.of"
    newton, default = of(name, "Gauss-Newton"), of(name, "default")
    sources = [source for source in default if isinstance(default[source], dict)]
    for column in ("reproduced", "area"):
        assert [newton[source][column] for source in sources] == [
            default[source][column] for source in sources
        ]


def reasons():
    (farthest,) = at("reproduction.search.reasons._OF_FILE", "own", "farthest", "1.2")
    yield (
        "48 of dcgan-0, as JPEG of 75 to 95 after UnknownProcessing, at {:.2f} or less",
        (farthest,),
    )


def targets():
    name = "reproduction.seeds._targets.DEVIATIONS"
    values = [f"({x},)" for x in (0.05, 0.1, 0.2, 0.4)]
    for source, phrase in {
        "own": "medians of own images {:.2f}, {:.2f}, {:.2f} and {:.2f}, {}, {}, {} and {} found",
        "JPEG 80": "after JPEG 80 {:.2f}, {:.2f}, {:.2f} and {:.2f}, {}, {}, {} and {} found",
        "noise 0.05": "noise of 0.05, {:.2f}, {:.2f}, {:.2f} and {:.2f}, {}, {}, {} and {}",
        "resized to 24": "resized to 24 {:.2f}, {:.2f}, {:.2f} and {:.2f}, {}, {}, {} and {}",
    }.items():
        columns = [at(name, source, column, *values) for column in ("correlation", "found")]
        yield phrase, [x for column in columns for x in column]
