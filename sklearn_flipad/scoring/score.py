"""A table of verdicts for files."""

import os
import warnings
from contextlib import closing
from itertools import chain, islice
from numbers import Integral
from pathlib import Path

import joblib

from sklearn_flipad.base.messages import Message
from sklearn_flipad.base.progress import progress
from sklearn_flipad.datasets.files.listing import count_files, iter_files
from sklearn_flipad.datasets.files.loading import check_count
from sklearn_flipad.scoring.decoders import ImageDecoder
from sklearn_flipad.scoring.runs.attributors import load_checked, source_of
from sklearn_flipad.scoring.runs.batches import BatchScorer, check_listed, warn_if_none
from sklearn_flipad.scoring.runs.cluster import on_cluster
from sklearn_flipad.scoring.runs.columns import levels_of
from sklearn_flipad.scoring.runs.journal import Journal
from sklearn_flipad.scoring.runs.outputs import Output, describe_run
from sklearn_flipad.scoring.runs.processes import in_processes
from sklearn_flipad.scoring.runs.tables import check_out
from sklearn_flipad.storage.files import writable_path

__all__ = ["score_files"]


def score_files(
    attributor,
    paths,
    out,
    *,
    fnr=None,
    fpr=None,
    n_jobs=1,
    batch_size=128,
    client=None,
    size=None,
    mode="RGB",
    max_pixels=2**26,
    decoder=None,
    stability=False,
    resume=True,
    verbose=0,
):
    """Write a table with a verdict, or a reason why there is none, for each file.

    Memory does not grow with the number of files. Rows are kept in a journal as they are
    computed, so that a run that was interrupted, however it was, is completed by the same call:
    nothing is lost or scored twice, and the table is the same. It appears when it is whole.

    A file that is damaged, empty, too large, an animation, of a size that the attributor does not
    take, missing, not a regular file or in a folder that may not be read is a row with a reason.
    So is one of a stratum that was not calibrated, if the attributor has strata.

    Parameters
    ----------
    attributor : estimator or path-like
        A fitted attributor, or the path of a saved one.
    paths : path-like or iterable of path-like
        Files and folders; a generator is not held in memory. All files below a folder are
        taken in the order of their names, except hidden ones, which the summary counts, and those
        behind links to folders.
    out : path-like
        The table: ``.csv``, ``.jsonl`` (a JSON object in each line) or ``.parquet``. Beside it,
        ``<out>.journal`` holds the rows of an unfinished run, ``<out>.run.json`` describes the
        finished one, and ``<out>.lock`` stays empty. None of them is scored.
    fnr, fpr : float, default=None
        Levels of the verdicts, in (0, 1): at most `fnr` of the model's samples are called "not
        own", and at most `fpr` of the reference population's "own". By default `fnr` is that of
        the attributor, and `fpr` is 0.05. ``threshold`` and ``prediction`` in the table follow
        `fnr`.
    n_jobs : int, default=1
        Processes that read, decode and score; -1 for all cores. They share the cores evenly.
    batch_size : int, default=128
        Files that each process reads at a time. An interruption loses the batches under way.
    client : distributed.Client, default=None
        A Dask cluster that works instead, where all workers find the files under the same paths.
        `n_jobs` must be 1 then.
    size, mode, max_pixels
        See :func:`~sklearn_flipad.datasets.load_images`.
    decoder : callable, default=None
        Turns files that are not images into samples, as
        :class:`~sklearn_flipad.scoring.ImageDecoder`, the default, does for images.
    stability : bool, default=False
        Whether to judge each image again after the changes of
        :func:`~sklearn_flipad.evaluation.slight_changes`, by the threshold of its own stratum. The
        column ``stability`` then says which of them flips the verdict, or "stable". Takes four
        times as long.
    resume : bool, default=True
        Whether to complete an interrupted run. With False its rows are discarded, and a finished
        table is replaced.
    verbose : int, default=0
        Whether to show progress.

    Returns
    -------
    ScoringSummary

    Raises
    ------
    ValueError
        If a parameter is out of range, or `out` or a file beside it is of a run with another
        attributor, other options, versions or files.
    TypeError
        If `attributor` is not an attributor, or one of `paths` is not a path.
    FileExistsError
        If `out` exists and is not what this call would write.
    FileNotFoundError
        If `paths` is a single path that does not exist.
    RuntimeError
        If another call is writing `out`.
    ImportError
        If a format needs a package that is missing.

    Warns
    -----
    UserWarning
        If no file of the first batch could be scored, if files were scored with a warning, or if
        they were saved or resized otherwise than the own samples that calibrated the attributor,
        whose ``file_facts_`` say how.

    Notes
    -----
    Scores are those of ``attributor.score_samples``, bit for bit, whatever the other files, the
    number of processes and the batches are. With estimators of scikit-learn that round a sample
    differently in another batch, such as PCA and Gaussian mixtures, they agree up to rounding.

    A row is about the bytes that were read, of which it has the SHA-256. A file that changes
    after it was scored is not scored again.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import pandas as pd
    >>> from PIL import Image
    >>> from sklearn.svm import OneClassSVM
    >>> from sklearn_flipad import make_rawpad
    >>> from sklearn_flipad.scoring import score_files
    >>> X = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), dtype=np.uint8)
    >>> attributor = make_rawpad(detector=OneClassSVM(), fnr=0.1, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for k in range(3):
    ...         Image.fromarray(X[k, 0]).save(f"{folder}/{k}.png")
    ...     done = score_files(attributor, folder, f"{folder}/verdicts.csv", mode="L")
    ...     table = pd.read_csv(done.out)
    >>> done.n_scored
    3
    >>> bool(np.allclose(table["score"], attributor.score_samples(X[:3])))
    True
    """
    n_jobs = _checked_jobs(n_jobs, client)
    check_count("batch_size", batch_size, "files", optional=False)
    decoder = _checked_decoder(decoder, size=size, mode=mode, max_pixels=max_pixels)
    out = Path(os.fsdecode(out)).resolve()  # two names of one file are one output
    check_out(out)
    if os.path.lexists(out):
        writable_path(out)
    output, source = Output(out), source_of(attributor, fnr, fpr, stability=bool(stability))
    attributor = load_checked(source)  # what cannot be loaded is told at once
    scorer = BatchScorer(attributor, decoder, source)
    n_files = count_files(paths, lambda path: not output.owns(path)) if verbose else None
    hidden = []
    entries = iter_files(paths, hidden.append)
    entries = (entry for entry in entries if not output.owns(entry[0]))
    entries = chain(list(islice(entries, 1)), entries)  # a path that leads nowhere as well
    header = describe_run(source, decoder, levels_of(attributor, source.levels))
    with output.locked():
        journal = Journal(output.journal)
        if not resume:
            journal.remove()
        elif (finished := output.finished(header, entries)) is not None:
            _warn_of_conditions(finished, scorer.conditions)
            return finished
        journal.start(header)
        with progress(n_files, "scoring files", verbose=verbose, unit="file") as bar:
            n_done = _take_done(journal, entries)
            bar.update(n_done)
            batches = iter(lambda: list(islice(entries, batch_size)), [])
            if client is not None:
                results = on_cluster(client, source, decoder, batches)
            elif n_jobs > 1:
                results = in_processes(source, decoder, batches, n_jobs)
            else:
                results = (scorer(batch) for batch in batches)
            with closing(results):
                for rows in results:
                    if not n_done:
                        warn_if_none(rows)
                    journal.append(rows)
                    n_done += len(rows)
                    bar.update(len(rows))
        summary, n_warnings = output.finish(header, journal.rows(), scorer.conditions, sum(hidden))
        journal.remove()
    _warn_of_conditions(summary, scorer.conditions)
    if n_warnings:
        warnings.warn(
            f"{n_warnings} of {summary.n_scored} files were scored with a warning, which "
            "is in the column 'warning'.",
            UserWarning,
            stacklevel=2,
        )
    return summary


def _warn_of_conditions(summary, conditions):
    """Warn of files that were made otherwise than own samples, in a warning for each fact."""
    for finding, advice in conditions.messages(summary.unlike, summary.n_scored):
        warnings.warn(Message(finding, " ", advice), UserWarning, stacklevel=3)


def _take_done(journal, entries):
    """Number of files whose rows the journal holds; their entries are taken from the iterator."""
    n_done = 0
    for row in journal.rows():
        check_listed(row["uri"], next(entries, None), n_done)
        n_done += 1
    return n_done


def _checked_jobs(n_jobs, client):
    """The number of processes."""
    n_jobs = 1 if n_jobs is None else n_jobs
    if not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool) or n_jobs == 0:
        raise ValueError(f"n_jobs must be a number of processes or -1, got {n_jobs!r}.")
    n_jobs = max(1, joblib.cpu_count() + 1 + n_jobs) if n_jobs < 0 else n_jobs
    if client is not None and n_jobs != 1:
        raise ValueError("The workers of client= do the work: leave n_jobs at 1.")
    return n_jobs


def _checked_decoder(decoder, **options):
    if decoder is None:
        return ImageDecoder(**options)
    if not callable(decoder):
        raise TypeError(f"decoder must be callable, got {decoder!r}.")
    if ImageDecoder(**options) != ImageDecoder():
        raise ValueError("size, mode and max_pixels are for images: leave them out with decoder=.")
    return decoder
