"""The samples of suspects, decoded again from the bytes that were scored."""

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
    """One file and what is shown of it.

    Attributes
    ----------
    number : int
        Its place in the table, from 1.
    row : dict
        Its row.
    words : str
        What its verdict means.
    sample : ndarray or None
        The sample that was scored.
    problem : str or None
        Why there is no sample.
    score : float or None
        Its score, computed again.
    differs : bool
        Whether that is another one than in the table.
    position : Picture or None
        Where its score lies.
    is_beyond : bool
        Whether that is beyond the end of the axis.
    views : list of View
        What can be shown of it.
    """

    number: int
    row: dict
    words: str = ""
    sample: np.ndarray | None = None
    problem: str | None = None
    score: float | None = None
    differs: bool = False
    position: Picture | None = None
    is_beyond: bool = False
    views: list = field(default_factory=list)

    @property
    def columns(self):
        """The columns of all views, to be one table."""
        return [column for view in self.views for column in view.columns]


def read_suspect(number, row, decoder):
    """Read a suspect's file again, if it still is the one that was scored.

    Parameters
    ----------
    number : int
        Its place in the table, from 1.
    row : dict
        Its row.
    decoder : callable or None
        What made samples of the files.

    Returns
    -------
    Suspect
        With a sample, or with the reason why there is none.
    """
    suspect = Suspect(number, row)
    if decoder is None:
        suspect.problem = (
            "The decoder that made the sample is not known here: no picture. Write the report with "
            "decoder=, as the files were scored."
        )
        return suspect
    try:
        data = read_regular(path_of(row["uri"]), row["n_bytes"])
    except FileNotFoundError:
        suspect.problem = "The file is no longer where it was scored: no picture."
        return suspect
    except (OSError, ValueError) as error:
        suspect.problem = (
            "The file was changed after it was scored, or cannot be read: no picture. The reason: "
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
        sample = np.asarray(decoder(data)[0])
        if "x".join(map(str, sample.shape)) != row["shape"]:
            raise ValueError(f"a sample of shape {sample.shape}, where {row['shape']} was scored")
    except Exception as error:
        suspect.problem = (
            f"The file is the same, but cannot be decoded as it was: {plain_reason(error)}."
        )
        return suspect
    suspect.sample = sample
    return suspect
