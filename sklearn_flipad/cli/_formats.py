"""Compression of files: what an attributor was calibrated on, and what it is asked about."""

__all__ = ["LOSSY", "compression_warning", "counted", "negatives_warning"]

#: Formats that lose something. WebP may not, but does not say so.
LOSSY = ("JPEG", "WEBP")


def counted(formats):
    """Formats and their numbers in one line, as "150 PNG, 50 JPEG"."""
    pairs = sorted(formats.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{n:,} {name}" for name, n in pairs) or "none"


def negatives_warning(own, negatives):
    """What to say if own samples and negatives differ in compression; None if they do not.

    Parameters
    ----------
    own, negatives : dict of str to int
        How many samples of each have each format.

    Returns
    -------
    str or None
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


def compression_warning(own, suspects):
    """What to say of suspects that are compressed otherwise than own samples; None if none are.

    Parameters
    ----------
    own : list of str
        Formats of the own samples that calibrated the attributor.
    suspects : dict of str to int
        How many of the scored files have each format.

    Returns
    -------
    str or None
    """
    if not own:
        return None
    n_scored = sum(suspects.values())
    for name in LOSSY:
        if suspects.get(name) and name not in own:
            return (
                f"{suspects[name]:,} of {n_scored:,} scored files are {name}, and the own samples "
                "that calibrated the attributor were not. The error rates do not hold for these "
                "files: 'not own' may mean 'compressed'. Fit an attributor for them with --jpeg, "
                f"or with --own and files that were saved as {name}."
            )
    n_lossless = n_scored - sum(suspects.get(name, 0) for name in LOSSY)
    if n_lossless and all(name in LOSSY for name in own):
        return (
            f"{n_lossless:,} of {n_scored:,} scored files are not compressed with loss, and the "
            "own samples that calibrated the attributor were. The error rates do not hold for "
            "these files: fit an attributor for them without --jpeg."
        )
    return None
