"""Files that were made otherwise than those of the samples that calibrated the attributor."""

from collections import Counter

from sklearn_flipad.base.estimators import last_step
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.datasets.files.facts import LOSSLESS, facts_of

__all__ = ["Conditions", "counted", "is_lossy", "negatives_warning"]

#: Values of a fact that a message names.
_MAX_NAMED = 3
#: Share of files that differ between own samples and negatives from which on there is a warning.
_MOSTLY = 0.5
#: Facts that are compared only where the compression is the same.
_OF_JPEG = ("quality", "subsampling")


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
                f"The own samples are {_named(own[name])}, the negatives are "
                f"{_named(negatives.get(name, {}))}: the attributor may tell that instead of the "
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


class Conditions:
    """Facts about the files that calibrated an attributor, with which suspects are compared.

    A fact of a suspect is usual if more than a share `fnr` of the own samples had it: less may all
    be rejected at that level. The quality of JPEG files may lie between those of own samples.
    """

    def __init__(self, attributor, fnr=None):
        calibrator = last_step(attributor)
        self.own = getattr(calibrator, "file_facts_", None) or {}
        self._fnr = fnr if fnr is not None else getattr(calibrator, "fnr", 0.0)
        self._known = {}

    def unlike(self, decoding):
        """Facts, by name, that a file of that decoding has and own samples do not."""
        if decoding not in self._known:
            facts = facts_of(decoding or "")
            found = {name: v for name, v in facts.items() if not self._is_usual(name, v)}
            if "compression" in found:
                found = {name: v for name, v in found.items() if name not in _OF_JPEG}
            self._known[decoding] = found
        return self._known[decoding]

    def note(self, decoding):
        """Text for the row of a file, None if it is like own samples."""
        found = self.unlike(decoding)
        if not found:
            return None
        pairs = [f"{value}, own samples {_named(self.own[name])}" for name, value in found.items()]
        return (
            f"{'; '.join(pairs)}: the error rates do not hold for this file. Calibrate with own "
            "samples that were saved in the same way"
        )

    def messages(self, unlike, n_scored):
        """Pairs of a finding and an advice; ``unlike`` counts files by fact and unusual value."""
        return [
            (
                f"{sum(counts.values()):,} of {n_scored:,} scored files are {_named(counts)}, and "
                f"the own samples that calibrated the attributor were {_named(self.own[name])}. "
                "The error rates do not hold for these files: 'not own' may mean "
                f"{_meaning(name)}.",
                _advice(name, counts),
            )
            for name, counts in unlike.items()
            if name in self.own
        ]

    def _is_usual(self, name, value):
        counts = self.own.get(name)
        if not counts:
            return True
        least = self._fnr * sum(counts.values())
        if counts.get(value, 0) > least:
            return True
        number = _quality(value)
        numbers = {q: n for v, n in counts.items() if (q := _quality(v)) is not None}
        if number is None or not numbers:
            return False
        below = sum(n for q, n in numbers.items() if q <= number)
        above = sum(n for q, n in numbers.items() if q >= number)
        return min(below, above) > least / 2


def _quality(value):
    """The number of a JPEG quality, None for anything else."""
    number = value.removeprefix("JPEG of quality ")
    return int(number) if number != value and number.isdecimal() else None


def _named(counts):
    """The commonest values of a fact in one phrase."""
    values = [value for value, _ in Counter(counts).most_common()]
    more = " or otherwise" if values[_MAX_NAMED:] else ""
    return " or ".join(values[:_MAX_NAMED]) + more


def _meaning(name):
    meanings = {"compression": "'compressed'", "resizing": "'resized'", "bits": "'rounded'"}
    return meanings.get(name, "'saved otherwise'")


def _advice(name, counts):
    """Advice for files with unusual values of a fact."""
    from_files = Term("own samples from files that were saved in the same way", "own files")
    if name == "resizing":
        from_files = Term("own samples that were as large and are resized alike", "own resized")
    advice = ["Fit an attributor for them with "]
    if name in _OF_JPEG or any("JPEG" in value for value in counts):
        like = Term("own samples that JPEGCompression.from_file(a suspect) compresses", "jpeg")
        advice += [like, ", or with "]
    elif LOSSLESS in counts:
        advice += [Term("own samples that are not compressed", "no jpeg"), ", or with "]
    elif name == "bits":
        advice += [
            Term("own samples that quantize_audio rounds to those bits", "bits"),
            ", or with ",
        ]
    return Message(*advice, from_files, ".")
