"""Formats of files, and own samples and negatives that differ in them."""

from sklearn_flipad.datasets.files.facts import LOSSLESS, facts_of, phrase

__all__ = ["counted", "is_lossy", "negatives_warning"]

#: Share of files that differ between own samples and negatives from which on there is a warning.
_MOSTLY = 0.5


def counted(formats):
    """Formats and their numbers in one line, as "150 PNG, 50 JPEG"."""
    pairs = sorted(formats.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{n:,} {name}" for name, n in pairs) or "none"


def is_lossy(decoding):
    """Return whether a file is compressed with loss, by the steps of its decoding."""
    return facts_of(decoding).get("compression", LOSSLESS) != LOSSLESS


def negatives_warning(own, negatives):
    """Warning if the files of own samples and of negatives differ, else None.

    ``own`` and ``negatives`` count the files by fact and value.
    """
    shares = [_share_of_lossless(facts) for facts in (own, negatives)]
    if None not in shares and abs(shares[0] - shares[1]) >= _MOSTLY:
        compressed, others = ("own samples", "negatives")[:: 1 if shares[0] < shares[1] else -1]
        return (
            f"The {compressed} are compressed, the {others} are not: the attributor may tell "
            "compression instead of the generator. Use --jpeg, which compresses both alike, or "
            "pass files of both that were saved in the same way, with --own and --negatives."
        )
    for name in own:
        if name != "resizing" and _distance(own, negatives, name) >= _MOSTLY:
            return (
                f"The own samples are {phrase(own[name])}, the negatives are "
                f"{phrase(negatives.get(name, {}))}: the attributor may tell that instead of the "
                "generator. Pass files of both that were saved in the same way, with --own and "
                "--negatives."
            )
    return None


def _share_of_lossless(facts):
    counts = facts.get("compression")
    return counts and counts.get(LOSSLESS, 0) / sum(counts.values())


def _distance(own, negatives, name):
    """Total variation distance of the values of a fact; 0 where one of both has none."""
    counts = [facts.get(name, {}) for facts in (own, negatives)]
    if not all(counts):
        return 0.0
    shares = [{v: n / sum(found.values()) for v, n in found.items()} for found in counts]
    values = {**shares[0], **shares[1]}
    return sum(abs(shares[0].get(v, 0) - shares[1].get(v, 0)) for v in values) / 2
