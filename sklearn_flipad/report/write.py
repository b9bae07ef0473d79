"""Reports: a table of verdicts as one HTML page."""

from numbers import Integral

from sklearn_flipad.calibration.likelihood_ratios import ENFSI_SCALE, VerbalScale
from sklearn_flipad.persistence.inspection import inspect_attributor
from sklearn_flipad.report._content import common_folder, listed, outcomes, suspects
from sklearn_flipad.report._evaluative import ratios_of
from sklearn_flipad.report._methods import limits
from sklearn_flipad.report._page import check_out, write_page
from sklearn_flipad.report._provenance import noted, provenance
from sklearn_flipad.report._run import read_run
from sklearn_flipad.report._together import CONFIDENCE, NEITHER, evidence_of, together
from sklearn_flipad.scoring.runs.conditions import Conditions

__all__ = ["write_report"]

#: Reasons for refused files that are listed.
_MAX_REASONS = 20


def write_report(
    verdicts,
    attributor,
    out,
    *,
    title=None,
    model="the model",
    max_suspects=20,
    max_files=1000,
    evaluative=False,
    scale=ENFSI_SCALE,
    decoder=None,
    stability=False,
    notes=None,
    overwrite=False,
    verbose=0,
):
    """Write a table of verdicts as one HTML page, for people to read and print.

    The page states the question, the number of files with each verdict, the evidence of all files
    together, the verdict on each file, pictures of the strongest suspects, the provenance of the
    verdicts, and their limits. It is one file that loads nothing and runs no code, whatever the
    names of the scored files are.

    Parameters
    ----------
    verdicts : path-like
        The table that :func:`~sklearn_flipad.scoring.score_files` wrote, with its ``.run.json``
        beside it.
    attributor : estimator or path-like
        The attributor as ``score_files`` was given it: the same file, or the same object.
    out : path-like
        The page to write, ``.html``.
    title : str, default=None
        Title of the page; "Attribution report" by default.
    model : str, default="the model"
        Name of the model in the text.
    max_suspects : int, default=20
        Number of scored files to show in detail, with the sample, what the method saw of it, and
        a plot of its score: those with the largest scores, which are most like the model's
        samples.
    max_files : int, default=1000
        Number of files whose verdicts are listed, in the order of the table. Counts and
        statements about all files together always cover the whole table.
    evaluative : bool, default=False
        Whether to write an evaluative report instead, as courts ask for: two propositions, the
        likelihood ratio of each file with its interval and in words, and the validation of the
        method, but no verdicts. The attributor must have been fitted with ``lr``.
    scale : VerbalScale, default=ENFSI_SCALE
        Words for likelihood ratios.
    decoder : callable, default=None
        The decoder that ``score_files`` was given, if it is not one of the library's.
    stability : bool, default=False
        Whether to judge the files that are shown in detail again after slight changes, as
        ``score_files`` does with ``stability``, where the table does not say it.
    notes : dict of str to object, default=None
        Notes about the attributor, such as the origin of its samples, to be listed with the
        provenance. By default those in its file, if `attributor` is a path; see
        :func:`~sklearn_flipad.save_attributor`.
    overwrite : bool, default=False
        Whether to replace an existing file.
    verbose : int, default=0
        Whether to show progress.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    ValueError
        If the table was made with another attributor, was changed since it was written, contains
        verdicts that do not follow from its scores, if `decoder` is not that of the run, a
        parameter is out of range, or an evaluative report is asked for and there are no likelihood
        ratios, or none within bounds.
    TypeError, NotFittedError
        If `attributor` is not an attributor, or not fitted, or `scale` is no scale.
    FileNotFoundError
        If a file is missing.
    FileExistsError
        If `out` exists, and `overwrite` is False.
    ImportError
        If jinja2 or matplotlib is missing.

    Notes
    -----
    Suspects are read again from where they were scored. If a file is gone, or its SHA-256 is not
    that of the table, the page says so and shows no picture. The scores of the files that are
    shown are computed again, and the page warns where they differ from the table.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad import make_rawpad
    >>> from sklearn_flipad.report import write_report
    >>> from sklearn_flipad.scoring import score_files
    >>> X = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), dtype=np.uint8)
    >>> attributor = make_rawpad(detector=OneClassSVM(), fnr=0.1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for k in range(3):
    ...         Image.fromarray(X[k, 0]).save(f"{folder}/{k}.png")
    ...     done = score_files(attributor, folder, f"{folder}/verdicts.csv", mode="L")
    ...     page = write_report(done.out, attributor, f"{folder}/report.html").read_text()
    >>> "Attribution report" in page
    True
    """
    for name, value in (("max_suspects", max_suspects), ("max_files", max_files)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{name} must be a number of files, got {value!r}.")
    if not isinstance(scale, VerbalScale):
        raise TypeError(f"scale must be a VerbalScale, got {scale!r}.")
    out = check_out(out, overwrite)
    run = read_run(
        verdicts, attributor, decoder=decoder, n_listed=max_files, n_strongest=max_suspects
    )
    if notes is None:
        notes = {} if hasattr(attributor, "fit") else inspect_attributor(attributor).notes
    evidence = evidence_of(run)
    ratios = ratios_of(run, evidence, scale) if evaluative else {}
    shown = suspects(
        run, evidence, stability=stability, with_thresholds=not evaluative, verbose=verbose
    )
    counts = outcomes(run, evidence)
    write_page(
        "evaluative.html" if evaluative else "report.html",
        out,
        title=title or ("Evaluative report" if evaluative else "Attribution report"),
        model=model,
        run=run,
        folder=common_folder(run),
        evidence=evidence,
        together=together(run, evidence),
        confidence=CONFIDENCE,
        guarantee=_guarantee(evidence),
        counts=counts,
        n_neither=sum(n for _, meaning, n in counts if meaning == NEITHER),
        rows=listed(run, evidence),
        reasons=run.reasons.most_common(_MAX_REASONS),
        n_further_reasons=max(0, len(run.reasons) - _MAX_REASONS),
        suspects=shown,
        facts=[*provenance(run, evidence), *noted(notes)],
        has_reference=evidence is not None and evidence.p_reference is not None,
        limits=limits(run.attributor),
        mismatches=[
            finding
            for finding, _ in Conditions(run.attributor).messages(
                run.unlike, len(run.scores), of_ratios=evaluative
            )
        ],
        **ratios,
    )
    return out


def _guarantee(evidence):
    """The sense in which the levels hold, as the end of a sentence."""
    confidence = getattr(getattr(evidence, "rule", None), "confidence", None)
    if confidence is None:
        return ", on average over sets of calibration samples"
    return f", with {100 * confidence:g} % confidence for the calibration samples that were drawn"
