"""Files that were made otherwise than those of the samples that calibrated the attributor."""

from sklearn_flipad.base.estimators import detector_of, last_step, takes_lists
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.datasets.files.facts import (
    IN_COLOR,
    LOSSLESS,
    facts_of,
    jpeg_quality,
    phrase,
)
from sklearn_flipad.reproduction import SeedDetector

__all__ = ["Conditions"]

#: Facts that are compared only where the compression is the same.
_OF_JPEG = ("quality", "subsampling")


class Conditions:
    """Facts about the files that calibrated an attributor, with which suspects are compared.

    A fact of a suspect is usual if more than a share `fnr` of the own samples had it: less may all
    be rejected at that level. The quality of JPEG files may lie between those of own samples.
    """

    def __init__(self, attributor, fnr=None):
        calibrator = last_step(attributor)
        self.own = getattr(calibrator, "file_facts_", None) or {}
        self._fnr = getattr(calibrator, "fnr_", 0.0) if fnr is None else fnr
        self._known = {}
        check = getattr(calibrator, "threshold_warnings", list)
        self._of_thresholds = check()
        self._made_again = isinstance(detector_of(attributor), SeedDetector)
        # What is made again is compressed as each file is.
        self._follows_files = self._made_again and takes_lists(attributor)

    def unlike(self, decoding):
        """Facts, by name, that a file of that decoding has and own samples do not."""
        if decoding not in self._known:
            facts = facts_of(decoding or "")
            found = {name: v for name, v in facts.items() if not self._is_usual(name, v)}
            if self._follows_files:
                found.pop("compression", None)
            if "compression" in found or self._follows_files:
                found = {name: v for name, v in found.items() if name not in _OF_JPEG}
                if found.get("colors") == IN_COLOR:  # gray with errors of the compression
                    del found["colors"]
            self._known[decoding] = found
        return self._known[decoding]

    def note(self, decoding):
        """Text for the row of a file, None if it is like own samples."""
        found = self.unlike(decoding)
        if not found:
            return None
        pairs = [f"{value}, own samples {phrase(self.own[name])}" for name, value in found.items()]
        return (
            f"{'; '.join(pairs)}: the error rates do not hold for this file. Calibrate with own "
            "samples that were saved in the same way"
        )

    def messages(self, unlike, n_scored, *, of_ratios=False):
        """Pairs of a finding and an advice; ``unlike`` counts files by fact and unusual value.

        The finding is about verdicts, or with `of_ratios` about likelihood ratios.
        """
        of_thresholds = [
            (Message("When the attributor was fitted: ", message), "")
            for message in self._of_thresholds
        ]
        return of_thresholds + [
            (
                f"{sum(counts.values()):,} of {n_scored:,} scored files are {phrase(counts)}, and "
                f"the own samples that calibrated the attributor were {phrase(self.own[name])}. "
                + (
                    "The likelihood ratios do not hold for these files."
                    if of_ratios
                    else "The error rates do not hold for these files: 'not own' may mean "
                    f"{_meaning(name, counts)}."
                ),
                _of_seeds(counts) if self._made_again else _advice(name, counts),
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
        number = jpeg_quality(value)
        numbers = {q: n for v, n in counts.items() if (q := jpeg_quality(v)) is not None}
        if number is None or not numbers:
            return False
        below = sum(n for q, n in numbers.items() if q <= number)
        above = sum(n for q, n in numbers.items() if q >= number)
        return min(below, above) > least / 2


def _meaning(name, counts):
    """The other meanings of verdicts on files with unusual values of a fact."""
    if LOSSLESS in counts:
        # The threshold allows for the errors of a compression, and a near-copy may come within it.
        return "'saved otherwise', and 'own' may mean 'nearly'"
    meanings = {"compression": "'compressed'", "resizing": "'resized'", "bits": "'rounded'"}
    return meanings.get(name, "'saved otherwise'")


def _of_seeds(counts):
    """The same for files whose seeds are found, and what the model makes of these."""
    advice = [
        "Their seeds may be found all the same, but what the model makes of them is not processed "
        "so: compare the two in the report"
    ]
    if any("JPEG" in value for value in counts):
        follows = Term("processing=FileFormat()", "files")
        advice += [", or fit an attributor with ", follows]
    return Message(*advice, ".")


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
