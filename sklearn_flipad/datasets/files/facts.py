"""Facts about files that decide how samples look, read back from the steps of their decoding."""

import re
from collections import Counter

__all__ = [
    "IN_COLOR",
    "LOSSLESS",
    "count_facts",
    "facts_of",
    "has_few_colors",
    "jpeg_quality",
    "phrase",
]

#: Texts are in the files of attributors, and stay as they are.
IN_COLOR, LOSSLESS = "in color", "not compressed with loss"
_USUAL_COLORS, _UNRESIZED = "in the model's own colors", "not resized"
#: Values of a fact that a phrase names.
_MAX_NAMED = 3

_IMAGE = re.compile(
    r"(?P<format>PNG|JPEG|WEBP) \d+x\d+ (?P<mode>[\w;]+)"
    r"(?: of (?P<quality>quality \d+|tables \w+))?(?: (?P<subsampling>\dx\d|\d:\d:\d))?"
    r"(?: (?P<loss>lossy|lossless))?"
)
_SOUND = re.compile(r"WAV \d+ Hz (?P<bits>\d+-bit(?: float)?) .*")
_CONVERTED = re.compile(r"(\w+) converted to \w+")
_RESIZED = re.compile(r"(\d+)x(\d+) resized and cropped to (\d+)x\3")
#: Files by the mode that was converted.
_COLORS = {"L": "gray", "RGB": IN_COLOR, "RGBA": IN_COLOR}
#: Modes of PNG files with fewer gray levels than a sample may have.
_FEW_LEVELS = ("1", "L;2", "L;4")


def facts_of(decoding):
    """Facts by name, as texts, of one file, whose steps are joined by semicolons.

    Empty for files of decoders that the library does not have.
    """
    head, *steps = decoding.split("; ")
    if match := _SOUND.fullmatch(head):
        return {"bits": match["bits"]}
    if not (match := _IMAGE.fullmatch(head)):
        return {}
    mode, steps = match["mode"], "; ".join(steps)
    lossy = {"JPEG": "compressed as JPEG", "WEBP": "compressed as lossy WebP"}
    is_lossy = match["format"] == "JPEG" or match["loss"] == "lossy"
    facts = {"compression": lossy[match["format"]] if is_lossy else LOSSLESS}
    if match["quality"]:
        facts["quality"] = f"JPEG of {match['quality']}"
    # Of gray pixels the chroma is empty, however it was stored.
    if match["subsampling"] and "equal channels" not in steps:
        facts["subsampling"] = f"of chroma {match['subsampling']}"
    converted, resized = _CONVERTED.search(steps), _RESIZED.search(steps)
    facts["colors"] = _USUAL_COLORS
    if _has_palette(mode):
        facts["colors"] = "reduced to a palette"
    elif mode in _FEW_LEVELS:
        facts["colors"] = "of few gray levels"
    elif converted:
        facts["colors"] = _COLORS.get(converted[1], f"of mode {converted[1]}")
    facts["transparency"] = "partly transparent" if "white" in steps else "opaque"
    facts["resizing"] = _UNRESIZED
    if resized:
        width, height, side = map(int, resized.groups())
        facts["resizing"] = f"resized by {side / min(width, height):.2g}"
    return facts


def has_few_colors(mode):
    """Whether a file of this mode has a palette, or fewer gray levels than a sample may have."""
    return _has_palette(mode) or mode in _FEW_LEVELS


def _has_palette(mode):
    return mode.partition(";")[0] == "P"


def count_facts(decodings):
    """Numbers of files by fact and by its value, of a Counter of their decodings."""
    found = {}
    for decoding, n in decodings.items():
        for name, value in facts_of(decoding).items():
            found.setdefault(name, Counter())[value] += n
    return {name: dict(counts.most_common()) for name, counts in found.items()}


def jpeg_quality(value):
    """The number of a JPEG quality, None for anything else."""
    number = value.removeprefix("JPEG of quality ")
    return int(number) if number != value and number.isdecimal() else None


def phrase(counts):
    """The commonest values of a fact in one phrase, by their numbers of files."""
    values = [value for value, _ in Counter(counts).most_common()]
    more = " or otherwise" if values[_MAX_NAMED:] else ""
    return " or ".join(values[:_MAX_NAMED]) + more
