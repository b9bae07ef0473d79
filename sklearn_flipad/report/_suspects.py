"""Suspects, whose samples are decoded again from the bytes that were scored."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from sklearn_flipad.datasets.files.listing import plain_reason
from sklearn_flipad.report._pictures import Picture
from sklearn_flipad.scoring import path_of
from sklearn_flipad.storage.files import read_regular

__all__ = ["Suspect", "read_suspect"]


@dataclass
class Suspect:
    """A file, and what the page shows of it."""

    #: Place in the table, from 1.
    number: int
    row: dict
    #: Place among the scored files, from 0.
    index: int = -1
    #: Meaning of the verdict.
    words: str = ""
    sample: np.ndarray | None = None
    #: Reason why there is no sample.
    problem: str | None = None
    #: Score, computed again, and whether it differs from that in the table.
    score: float | None = None
    differs: bool = False
    #: Plot of the score among the calibration scores, and whether it lies beyond the axis.
    position: Picture | None = None
    is_beyond: bool = False
    views: list = field(default_factory=list)

    @property
    def columns(self):
        """Columns of all views, for one table."""
        return [column for view in self.views for column in view.columns]


def read_suspect(number, row, decoder):
    """The suspect of a row, with its sample, or with the reason why there is none."""
    suspect = Suspect(number, row)
    if decoder is None:
        suspect.problem = (
            "There is no picture, since the decoder of the file is not known here. Write the "
            "report with the decoder= that the files were scored with."
        )
        return suspect
    try:
        data = read_regular(path_of(row["uri"]), row["n_bytes"])
    except FileNotFoundError:
        suspect.problem = "The file is no longer where it was scored: no picture."
        return suspect
    except (OSError, ValueError) as error:
        suspect.problem = (
            "The file was changed after it was scored, or cannot be read: no picture. Reason: "
            f"{plain_reason(error)}."
        )
        return suspect
    digest = hashlib.sha256(data).hexdigest()
    if digest != row["sha256"]:
        suspect.problem = (
            f"The file was changed after it was scored: no picture. Its SHA-256 now is {digest}."
        )
        return suspect
    try:
        sample = np.asanyarray(decoder(data)[0])
        if "x".join(map(str, sample.shape)) != row["shape"]:
            raise ValueError(f"its shape is {sample.shape}, and {row['shape']} was scored")
    except Exception as error:
        suspect.problem = (
            f"The file is unchanged, but it cannot be decoded as before: {plain_reason(error)}."
        )
        return suspect
    suspect.sample = sample
    return suspect
