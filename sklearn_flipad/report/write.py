"""A table of verdicts as one page."""

import base64
import hashlib
import os
from datetime import UTC, datetime
from importlib.resources import files
from numbers import Integral
from pathlib import Path

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.features import FinalLayerInverter
from sklearn_flipad.persistence.inspection import inspect_attributor
from sklearn_flipad.report import _text
from sklearn_flipad.report._content import common_folder, listed, outcomes, suspects
from sklearn_flipad.report._provenance import noted, provenance
from sklearn_flipad.report._run import read_run
from sklearn_flipad.report._together import CONFIDENCE, NEITHER, evidence_of, together
from sklearn_flipad.report._views import methods_of
from sklearn_flipad.reproduction import ReproductionDetector, SMInvDetector
from sklearn_flipad.scoring.runs.formats import mismatches
from sklearn_flipad.storage.arrays import write_atomically
from sklearn_flipad.storage.files import printable

__all__ = ["write_report"]

#: Reasons for refused files that are written down.
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
    decoder=None,
    notes=None,
    overwrite=False,
):
    """Write a table of verdicts as one HTML page, to be read by people and printed.

    The page holds the question, how many files have each verdict, what all files say together,
    the verdict of each file, what was seen of the strongest suspects, what it all rests on, and
    its limits. It is one file: it loads nothing and runs no code, whatever the files are called.

    Parameters
    ----------
    verdicts : path-like
        The table that :func:`~sklearn_flipad.scoring.score_files` wrote, with its ``.run.json``
        beside it.
    attributor : estimator or path-like
        What ``score_files`` was given: the same file, or the same object.
    out : path-like
        The page, ``.html``.
    title : str, default=None
        Title of the page; "Attribution report" by default.
    model : str, default="the model"
        What the model is called in the text.
    max_suspects : int, default=20
        Scored files of which the page shows the sample, what the method saw of it, and where its
        score lies: those with the largest scores, which are most like the model's samples.
    max_files : int, default=1000
        Files whose verdicts are listed, in the order of the table. What is counted and
        what is said of all files together speaks of all of them.
    decoder : callable, default=None
        The decoder that ``score_files`` was given, where that is not one of the library's.
    notes : dict of str to object, default=None
        What is known of the attributor, such as where its samples came from, to be listed with
        what the verdicts rest on. By default what was noted in its file, if `attributor` is a
        path; see :func:`~sklearn_flipad.save_attributor`. From what ``flipad fit`` notes, the page
        says which files were compressed or resized otherwise than own samples.
    overwrite : bool, default=False
        Whether to replace a file that exists.

    Returns
    -------
    pathlib.Path
        `out`.

    Raises
    ------
    ValueError
        If the table is of another attributor, was changed since it was written, holds verdicts
        that do not follow from its scores, `decoder` is not that of the run, or a parameter is out
        of range.
    TypeError, NotFittedError
        If `attributor` is no attributor, or not fitted.
    FileNotFoundError
        If a file is missing.
    FileExistsError
        If `out` exists, and `overwrite` is False.
    ImportError
        If jinja2 or matplotlib is missing.

    Notes
    -----
    Suspects are read again from where they were scored. Of a file that is gone, or whose SHA-256
    is not that of the table, the page says so and shows no picture. Scores of those that
    are shown are computed again, and the page says where they are not those of the table.

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
    out = Path(os.fsdecode(out))
    if out.suffix not in (".html", ".htm"):
        raise ValueError(f"out must end in .html, got {printable(out.name)!r}.")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{printable(out)} exists. Pass overwrite=True to replace it.")
    template = _template()
    run = read_run(
        verdicts, attributor, decoder=decoder, n_listed=max_files, n_strongest=max_suspects
    )
    if notes is None:
        notes = {} if hasattr(attributor, "fit") else inspect_attributor(attributor).notes
    evidence = evidence_of(run)
    counts = outcomes(run, evidence)
    style = files("sklearn_flipad.report").joinpath("templates/report.css").read_text()
    page = template.render(
        title=title or "Attribution report",
        model=model,
        style=style,
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        run=run,
        folder=common_folder(run),
        evidence=evidence,
        together=together(run, evidence),
        confidence=CONFIDENCE,
        how_sure=_how_sure(evidence),
        counts=counts,
        n_neither=sum(n for _, meaning, n in counts if meaning == NEITHER),
        rows=listed(run, evidence),
        reasons=run.reasons.most_common(_MAX_REASONS),
        n_further_reasons=max(0, len(run.reasons) - _MAX_REASONS),
        suspects=suspects(run, evidence),
        facts=[*provenance(run, evidence), *noted(notes)],
        limits=_limits(run, evidence),
        mismatches=[found for found, _ in mismatches(notes, run.formats, run.n_resized)],
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page.encode())
    return out


def import_report_tools():
    """The module jinja2, if all that a report needs is installed."""
    for name in ("matplotlib", "jinja2"):
        module = import_optional(name, f"A report needs {name}", "report")
    return module


def _template():
    """The template, with everything escaped that is put into it."""
    jinja2 = import_report_tools()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sklearn_flipad.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": _text.visible,
        "number": _text.number,
        "percent": lambda share: f"{100 * share:g}\u00a0%",
        "count": lambda n: f"{n:,}",
    }
    return environment.get_template("report.html")


def _how_sure(evidence):
    """In which sense the levels hold."""
    confidence = getattr(getattr(evidence, "rule", None), "confidence", None)
    if confidence is None:
        return ", on average over sets of calibration samples"
    return f", with {100 * confidence:g} % confidence for the calibration samples that were drawn"


def _limits(run, evidence):
    """Which of the limits apply."""
    methods = list(methods_of(run.attributor))
    return {
        "reproduction": any(
            isinstance(method, ReproductionDetector | SMInvDetector) for method in methods
        ),
        "final_layer": any(isinstance(method, FinalLayerInverter) for method in methods),
        "reference": evidence is not None and evidence.p_reference is not None,
    }
