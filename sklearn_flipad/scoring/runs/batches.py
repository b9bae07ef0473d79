"""Rows of the table from a batch of files."""

import hashlib
import threading
import warnings

import numpy as np
import torch

from sklearn_flipad.datasets.files.listing import plain_reason
from sklearn_flipad.scoring.columns import (
    COLUMNS,
    safe_text,
    score_columns,
    shown_path,
    uri_of,
)
from sklearn_flipad.storage.files import printable, read_regular

__all__ = ["BatchScorer", "check_listed", "row_of", "warn_if_none"]

#: Samples that wait for their scores take about as many bytes at most.
_MAX_WAITING = 2**27
#: What decoders without a limit of their own read.
_MAX_BYTES = 2**30
#: What is not the fault of a sample, and may be mended before the run goes on.
_EXHAUSTED = (MemoryError, torch.OutOfMemoryError, getattr(torch, "AcceleratorError", MemoryError))
#: Warnings to whoever writes code.
_OF_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)


class BatchScorer:
    """Read, decode and score one batch of files after the other.

    Parameters
    ----------
    attributor : estimator
        A fitted attributor.
    decoder : callable
        See :class:`~sklearn_flipad.scoring.ImageDecoder`.
    levels : dict of str to float
        Levels of the verdicts, where they are not those of the attributor.
    """

    def __init__(self, attributor, decoder, levels):
        self.attributor = attributor
        self.decoder = decoder
        self.levels = levels
        # Warnings are caught for the whole process, and an attributor need not be thread-safe.
        self._lock = threading.Lock()

    def __call__(self, entries):
        """Score files.

        Parameters
        ----------
        entries : list of (str, Exception or None)
            Paths, and why one cannot be read if that is known.

        Returns
        -------
        list of dict
            A row for each, in order.
        """
        with self._lock:
            return self._rows(entries)

    def _rows(self, entries):
        rows, waiting, n_bytes = [], {}, 0
        for path, problem in entries:
            row = row_of(path, problem)
            rows.append(row)
            sample = self._decoded(path, row) if problem is None else None
            if sample is not None:
                # What differs in shape or type is another array.
                waiting.setdefault((sample.shape, sample.dtype), []).append((row, sample))
                n_bytes += sample.nbytes
            if n_bytes > _MAX_WAITING:
                self._score(waiting)
                n_bytes = 0
        self._score(waiting)
        return rows

    def _decoded(self, path, row):
        try:
            data = read_regular(path, getattr(self.decoder, "max_bytes", _MAX_BYTES))
            # The bytes that are decoded are those that the digest is of.
            row["n_bytes"], row["sha256"] = len(data), hashlib.sha256(data).hexdigest()
            sample, steps = self.decoder(data)
            sample = np.asarray(sample)
        except Exception as error:
            row["reason"] = safe_text(plain_reason(error))
            return None
        row["shape"] = "x".join(map(str, sample.shape))
        row["decoding"] = safe_text(printable("; ".join(steps)))
        return sample

    def _score(self, waiting):
        while waiting:
            _, group = waiting.popitem()
            self._score_group(*zip(*group, strict=True))

    def _score_group(self, rows, samples):
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                columns = score_columns(self.attributor, np.stack(samples), self.levels)
        except Exception as error:
            if len(rows) > 1:  # the others are not to suffer
                for row, sample in zip(rows, samples, strict=True):
                    self._score_group([row], [sample])
                return
            if isinstance(error, _EXHAUSTED):
                raise
            rows[0]["reason"] = safe_text(f"cannot be scored: {plain_reason(error)}")
            return
        messages = dict.fromkeys(
            printable(str(found.message))[:300]
            for found in caught
            if not issubclass(found.category, _OF_CODE)
        )
        warning = f"in a batch of {len(rows)}: {'; '.join(messages)}" if messages else None
        for k, row in enumerate(rows):
            row.update({name: column[k] for name, column in columns.items()})
            row.update(status="scored", warning=warning)


def row_of(path, problem=None):
    """A row of the table for a file that is not scored, or not yet.

    Parameters
    ----------
    path : str
        The file.
    problem : Exception, default=None
        Why it cannot be read.

    Returns
    -------
    dict
        With all of the columns.
    """
    row = dict.fromkeys(COLUMNS)
    row.update(path=shown_path(path), uri=uri_of(path), status="refused")
    if problem is not None:
        row["reason"] = safe_text(plain_reason(problem))
    return row


def check_listed(uri, entry, number):
    """Refuse a listing that is not the one of an interrupted run.

    Parameters
    ----------
    uri : str
        Of the file in the row that was kept.
    entry : tuple of (str, Exception or None), or None
        What is listed in its place.
    number : int
        Its place.

    Raises
    ------
    ValueError
        If it is another file.
    """
    found = "nothing" if entry is None else uri_of(entry[0])
    if found != uri:
        raise ValueError(
            f"paths lead to other files than in the run that was interrupted: number {number} was "
            f"{uri}, and is {found}. Pass the same files to complete it; or resume=False to "
            "discard it and score all files again."
        )


def warn_if_none(rows):
    """Warn if a first batch has no score: more may go wrong than a few files.

    Parameters
    ----------
    rows : list of dict
        Rows of the table.
    """
    if rows and not any(row["status"] == "scored" for row in rows):
        warnings.warn(
            f"None of the first {len(rows)} files could be scored, the first for this reason: "
            f"{rows[0]['reason']}.",
            UserWarning,
            stacklevel=4,
        )
