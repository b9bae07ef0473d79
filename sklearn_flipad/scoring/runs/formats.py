"""Warnings about files whose format differs from the calibration samples'."""

__all__ = ["LOSSY", "counted", "mismatches", "negatives_warning"]

#: Formats with lossy compression. WebP may be lossless, but its name does not tell.
LOSSY = ("JPEG", "WEBP")


def counted(formats):
    """Formats and their numbers in one line, as "150 PNG, 50 JPEG"."""
    pairs = sorted(formats.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{n:,} {name}" for name, n in pairs) or "none"


def negatives_warning(own, negatives):
    """Warning if own samples and negatives differ in compression, else None.

    ``own`` and ``negatives`` count the samples of each format.
    """
    shares = [
        sum(formats.get(name, 0) for name in LOSSY) / sum(formats.values())
        for formats in (own, negatives)
    ]
    if abs(shares[0] - shares[1]) < 0.5:
        return None
    compressed, others = ("own samples", "negatives")[:: 1 if shares[0] > shares[1] else -1]
    return (
        f"The {compressed} are compressed, the {others} are not: the attributor may tell "
        "compression instead of the generator. Use --jpeg, which compresses both alike, or pass "
        "files of both that were saved in the same way, with --own and --negatives."
    )


def mismatches(notes, formats, n_resized):
    """Pairs of a finding and an advice, for suspects processed otherwise than own samples.

    ``notes`` are those of ``flipad fit``, of which "own_formats" and "own_samples_from" are read;
    ``formats`` counts the scored files of each format, of which ``n_resized`` were resized.
    """
    n_scored = sum(formats.values())
    found = _compressed_otherwise(_own_formats(notes), formats, n_scored)
    drawn = str(notes.get("own_samples_from", "")).startswith("latents")
    if n_resized and drawn:
        found.append((
            f"{n_resized:,} of {n_scored:,} scored files were resized, and the own samples that "
            "calibrated the attributor were not. The error rates do not hold for these files: "
            "'not own' may mean 'resized'.",
            "Fit an attributor for them with --own, --size and files of own samples that are as "
            "large.",
        ))  # fmt: skip
    return found


def _compressed_otherwise(own, formats, n_scored):
    unlike = [name for name in LOSSY if formats.get(name) and name not in own]
    if own and unlike:
        n, names = sum(formats[name] for name in unlike), " or ".join(unlike)
        finding = (
            f"{n:,} of {n_scored:,} scored files are {names}, and the own samples that calibrated "
            "the attributor were not. The error rates do not hold for these files: 'not own' may "
            "mean 'compressed'."
        )
        advice = f"with --jpeg, or with --own and files that were saved as {names}."
        return [(finding, f"Fit an attributor for them {advice}")]
    n_lossless = n_scored - sum(formats.get(name, 0) for name in LOSSY)
    if own and n_lossless and all(name in LOSSY for name in own):
        finding = (
            f"{n_lossless:,} of {n_scored:,} scored files are not compressed with loss, and the "
            "own samples that calibrated the attributor were. The error rates do not hold for "
            "these files."
        )
        return [(finding, "Fit an attributor for them without --jpeg.")]
    return []


def _own_formats(notes):
    """Noted formats of own samples, empty if the note is missing or malformed."""
    found = notes.get("own_formats")
    return found if isinstance(found, list) and all(isinstance(x, str) for x in found) else []
