"""Strata of files by their facts."""

from dataclasses import dataclass
from itertools import pairwise

__all__ = ["FileStrata"]

_QUALITY = "JPEG of quality "


@dataclass(frozen=True)
class FileStrata:
    """The stratum of a file by its facts, JPEG files by ranges of quality.

    It is called with the facts of one file, a dict of str to str with keys as in ``file_facts`` of
    :func:`~sklearn_flipad.datasets.load_images`, and returns the name of the stratum.

    Parameters
    ----------
    facts : sequence of str, default=("compression", "quality")
        Facts that divide files: "compression", "quality", "subsampling", "colors",
        "transparency", "resizing", and "bits" of sounds. A fact that a file does not have does not
        count.
    qualities : sequence of int, default=(70, 80, 90)
        JPEG qualities at which the next range begins, ascending.

    Raises
    ------
    ValueError
        If a parameter is not valid.

    Notes
    -----
    Ranges are closed: a file of quality 70 is in that from 70 to 79. Files with tables of other
    encoders than libjpeg have no quality, and each set of tables is a stratum.

    Examples
    --------
    >>> from sklearn_flipad.calibration import FileStrata
    >>> stratum_of = FileStrata(qualities=(70, 80, 90))
    >>> stratum_of({"compression": "compressed as JPEG", "quality": "JPEG of quality 75"})
    'JPEG of quality 70 to 79'
    >>> stratum_of({"compression": "not compressed with loss"})
    'not compressed with loss'
    """

    facts: tuple = ("compression", "quality")
    qualities: tuple = (70, 80, 90)

    def __post_init__(self):
        # Of lists too, so that equal ones compare equal.
        for name in ("facts", "qualities"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.facts or not all(isinstance(fact, str) for fact in self.facts):
            raise ValueError(f"facts must be names of facts of files, got {self.facts!r}.")
        ends = (1, *self.qualities, 101)
        if not all(isinstance(end, int) for end in ends) or any(a >= b for a, b in pairwise(ends)):
            raise ValueError(
                f"qualities must be whole numbers from 2 to 100 that ascend, got "
                f"{self.qualities!r}."
            )

    def __call__(self, facts):
        """Name of the stratum of a file with these facts."""
        found = {name: facts[name] for name in self.facts if name in facts}
        if "quality" in found:
            found.pop("compression", None)  # says no more
            found["quality"] = self._range(found["quality"])
        return ", ".join(found.values()) or "unknown"

    def _range(self, value):
        """The range of a quality; of other tables, the value itself."""
        number = value.removeprefix(_QUALITY)
        if number == value or not number.isdecimal():
            return value
        ends = (1, *self.qualities, 101)
        low, high = next(pair for pair in pairwise(ends) if pair[0] <= int(number) < pair[1])
        return f"{_QUALITY}{low} to {high - 1}"
