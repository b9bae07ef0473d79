"""The outcome of a run."""

from dataclasses import dataclass, field

__all__ = ["ScoringSummary"]


@dataclass(frozen=True)
class ScoringSummary:
    """The outcome of one run of :func:`~sklearn_flipad.scoring.score_files`.

    Attributes
    ----------
    out : str
        The table of verdicts.
    n_files : int
        Number of its rows.
    n_scored : int
        Number of files that have a score; the others have a reason.
    verdicts : dict of str to int
        Number of files with each verdict.
    n_rejected : int
        Number of files below the threshold, which the model is rejected for: those that are "not
        own", and of the undecided ones those that fit the reference population no better.
    n_warnings : int
        Number of files that were scored with a warning, which is in their rows.
    formats : dict of str to int
        Number of scored files with each format, as "PNG": the first word of ``decoding``.
    n_resized : int
        Number of scored files that were resized.
    """

    out: str
    n_files: int = 0
    n_scored: int = 0
    verdicts: dict = field(default_factory=dict)
    n_rejected: int = 0
    n_warnings: int = 0
    formats: dict = field(default_factory=dict)
    n_resized: int = 0
