"""Rows of a name and a value, which commands print for people."""

from sklearn_flipad.scoring.runs.formats import counted

__all__ = ["fit_rows", "inspection_rows", "score_rows", "validation_rows"]


def fit_rows(found):
    """Rows of an attributor that was made."""
    negatives = "none, so that nothing is called 'own'"
    if found["n_negatives"]:
        negatives = f"{found['n_negatives']:,}, of which {found['n_reference']:,} are the reference"
    return [
        ("attributor", found["out"]),
        ("SHA-256", found["sha256"]),
        ("method", found["method"]),
        ("own samples", f"{found['n_own']:,}, of which {found['n_calibration']:,} calibrate"),
        *((f"stratum: {name}", f"{n:,} calibrate") for name, n in found["strata"].items()),
        ("negatives", negatives),
        *_ratios(found["lr_bounds"]),
        ("next", found["next"]),
    ]


def _ratios(bounds):
    """Row of the strongest likelihood ratios that there can be, if there are any."""
    if bounds is None:
        return []
    against, in_favor = (f"{10**bound:,.3g}" for bound in (-bounds[0], bounds[1]))
    return [("likelihood ratios", f"up to {in_favor} for the generator, {against} against it")]


def score_rows(found):
    """Rows of counts of verdicts and formats."""
    counts = found["verdicts"]
    rows = [("own", counts["own"]), ("not own", counts["not own"])]
    if found["reference"] is None:
        rows.append(("undecided", counts["undecided"]))
    else:
        neither = found["n_rejected"] - counts["not own"]
        rows.append(("undecided: fits neither", neither))
        rows.append(("undecided: fits both", counts["undecided"] - neither))
    rows.append(("could not be scored", found["n_files"] - found["n_scored"]))
    if found["n_unstable"]:
        rows.append(("a slight change flips the verdict", found["n_unstable"]))
    if found["n_hidden"]:
        rows.append(("hidden, left out", found["n_hidden"]))
    rows = [(name, f"{n:,}") for name, n in rows]
    rows += [("formats", counted(found["formats"])), ("table", found["out"])]
    return rows + [(name, found[name]) for name in ("report",) if name in found]


def validation_rows(found):
    """Rows of the rates of a validation."""
    rows = [
        ("own, rejected", _rate(found["own_rejected"], found["fnr"])),
        ("others, called own", _rate(found["others_called_own"], found["fpr"])),
    ]
    if found["reference"] is None:
        rows[1] = ("others, called own", "none can be, without a reference population")
    if found["cllr"] is not None:
        rows.append(("Cllr", f"{found['cllr']:.3g}, of which scores {found['cllr_min']:.3g}"))
    return [*rows, ("table", found["table"]), ("validation", found["out"])]


def _rate(rate, level):
    """A rate with its interval and the level that was chosen."""
    low, high = 100 * rate["low"], 100 * rate["high"]
    return (
        f"{rate['count']:,} of {rate['n']:,}, {low:.3g} to {high:.3g} %; {100 * level:g} % chosen"
    )


def inspection_rows(found):
    """Rows of the description of an attributor."""
    return [
        ("file", found.path),
        ("SHA-256", found.sha256),
        ("size", f"{found.n_bytes:,} bytes, protocol {found.protocol}"),
        ("method", found.method),
        ("sample shape", _shape(found)),
        *_calibration(found),
        ("generator", ", ".join(found.generators) or "not in the file"),
        ("needs", ", ".join(found.needs) or "nothing"),
        ("versions", ", ".join(f"{name} {v}" for name, v in found.versions.items())),
        *((f"note: {name}", value) for name, value in found.notes.items()),
        *((f"step: {name}", value) for name, value in found.steps.items()),
        *found.parameters.items(),
    ]


def _shape(found):
    """Shape of samples, or of their windows, as text."""
    if found.window_shape is not None:
        return f"any, in windows of {'x'.join(map(str, found.window_shape))}"
    return "x".join(map(str, found.sample_shape or ())) or "unknown"


def _calibration(found):
    """Rows of the samples that calibrate the attributor, or that of each model."""
    if not found.models:
        rate = f"{found.fnr:g}, {found.n_calibration:,} calibration samples"
        rows = [("false-negative rate", rate), ("reference", _reference(found))]
        if found.lr:
            rows.append(("likelihood ratios", found.lr))
        merged = [(a, "alone" if a == b else f"merged: {b}") for a, b in found.strata.items()]
        return [*rows, *((f"stratum: {stratum}", group) for stratum, group in merged)]
    return [
        (
            f"model: {name}",
            f"{model.method}, false-negative rate {model.fnr:g}, "
            f"{model.n_calibration:,} calibration samples",
        )
        for name, model in found.models.items()
    ]


def _reference(found):
    if found.reference_name is None:
        return "none, so that nothing is called 'own'"
    return f"{found.reference_name}, {found.n_reference:,} samples"
