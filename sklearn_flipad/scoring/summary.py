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
    unlike : dict of str to dict of str to int
        Number of scored files that were made otherwise than the own samples that calibrated the
        attributor, by fact and by its value, as ``{"quality": {"JPEG of quality 50": 12}}``. Empty
        if the attributor does not know, see
        :class:`~sklearn_flipad.FNRThresholdCalibrator`'s ``file_facts``.
    n_hidden : int
        Number of hidden files and folders that were left out.
    n_unstable : int
        Number of scored files whose verdict a slight change flips, if ``stability`` was asked for.
    """

    out: str
    n_files: int = 0
    n_scored: int = 0
    verdicts: dict = field(default_factory=dict)
    n_rejected: int = 0
    n_warnings: int = 0
    formats: dict = field(default_factory=dict)
    n_resized: int = 0
    unlike: dict = field(default_factory=dict)
    n_hidden: int = 0
    n_unstable: int = 0
