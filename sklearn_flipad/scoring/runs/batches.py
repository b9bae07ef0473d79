"""Rows of the table from a batch of files."""

import hashlib
import threading
import warnings

import numpy as np

from sklearn_flipad.base.devices import DEVICE_ERRORS
from sklearn_flipad.base.estimators import as_taken, detector_of, last_step, takes_lists
from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.datasets.files.facts import facts_of
from sklearn_flipad.datasets.files.listing import plain_reason
from sklearn_flipad.scoring.runs.columns import (
    COLUMNS,
    safe_text,
    score_columns,
    shown_path,
    stratum_of,
    uri_of,
)
from sklearn_flipad.scoring.runs.conditions import Conditions
from sklearn_flipad.scoring.runs.stability import stability_column
from sklearn_flipad.storage.files import printable, read_regular

__all__ = ["BatchScorer", "check_listed", "row_of", "warn_if_none"]

#: Largest size of samples that wait for their scores, about, in bytes.
_MAX_WAITING = 2**27
#: Bytes of the largest file for decoders without a limit of their own.
_MAX_BYTES = 2**30
#: Errors that are not the fault of a sample, and end the run.
_EXHAUSTED = (MemoryError, *DEVICE_ERRORS)
#: Warnings for developers, which rows do not show.
_OF_CODE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)


class BatchScorer:
    """Rows of the table for one batch of files after the other.

    ``source`` is that of the attributor, with the levels and options of the run.
    """

    def __init__(self, attributor, decoder, source):
        self.attributor = attributor
        self.decoder = decoder
        self.levels = source.levels
        self.stability = source.stability
        self.conditions = Conditions(attributor, source.levels.get("fnr"))
        self.stratum_of = stratum_of(attributor)
        # Slight changes are those of images of one size.
        self._takes_sizes = takes_lists(attributor) and not self.stability
        detector = detector_of(attributor)
        self._check = getattr(detector, "check_files", None) if takes_lists(attributor) else None
        # Warnings are caught for the whole process, and an attributor need not be thread-safe.
        self._lock = threading.Lock()

    def __call__(self, entries):
        """Rows of files, in order, from pairs of a path and what is wrong with it, or None."""
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
                shape = None if self._takes_sizes else sample.shape
                waiting.setdefault((shape, sample.dtype), []).append((row, sample))
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
            sample = np.asanyarray(sample)  # an image of a file knows its compression
            if self._check is not None:
                self._check([sample])
        except Exception as error:
            row["reason"] = safe_text(plain_reason(error))
            return None
        row["shape"] = "x".join(map(str, sample.shape))
        row["decoding"] = safe_text(printable("; ".join(steps)))
        row["warning"] = self.conditions.note(row["decoding"])
        return sample if self._has_threshold(row) else None

    def _has_threshold(self, row):
        """Whether the stratum of a file was calibrated; where not, its row says so."""
        if self.stratum_of is None:
            return True
        try:
            stratum = str(self.stratum_of(facts_of(row["decoding"])))
        except Exception as error:  # of a user's function
            row["reason"] = safe_text(f"its stratum cannot be found: {plain_reason(error)}")
        else:
            row["stratum"] = safe_text(printable(stratum))
            known = last_step(self.attributor).strata_
            if row["stratum"] in known:
                return True
            row["reason"] = safe_text(
                f"no own samples of its stratum, {row['stratum']}, calibrated the attributor, and "
                "thresholds of others do not hold for it. Fit with own samples that were saved in "
                "the same way"
            )
        row["warning"] = None
        return False

    def _score(self, waiting):
        while waiting:
            _, group = waiting.popitem()
            self._score_group(*zip(*group, strict=True))

    def _score_group(self, rows, samples):
        X = as_taken(self.attributor, samples)
        strata = None if self.stratum_of is None else [row["stratum"] for row in rows]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                columns = score_columns(self.attributor, X, self.levels, strata)
                if self.stability:
                    columns["stability"] = stability_column(
                        self.attributor,
                        X,
                        self.levels,
                        verdicts=columns["verdict"],
                        strata=strata,
                        decodings=[row["decoding"] for row in rows],
                    )
        except Exception as error:
            if len(rows) > 1:  # one sample must not cost the others their scores
                # By halves, since many samples are searched faster together.
                middle = len(rows) // 2
                for part in (slice(middle), slice(middle, None)):
                    self._score_group(rows[part], samples[part])
                return
            if isinstance(error, _EXHAUSTED):
                raise
            reason = safe_text(f"cannot be scored: {plain_reason(error)}")
            rows[0].update(reason=reason, warning=None)
            return
        messages = dict.fromkeys(
            printable(str(found.message))[:300]
            for found in caught
            if not issubclass(found.category, _OF_CODE)
        )
        of_batch = [f"in a batch of {len(rows)}: {'; '.join(messages)}"] if messages else []
        for k, row in enumerate(rows):
            row.update({name: column[k] for name, column in columns.items()})
            note = [] if row["warning"] is None else [row["warning"]]
            row.update(status="scored", warning="; ".join(note + of_batch) or None)


def row_of(path, problem=None):
    """Row of a file without a score, with the reason if there is a problem."""
    row = dict.fromkeys(COLUMNS)
    row.update(path=shown_path(path), uri=uri_of(path), status="refused")
    if problem is not None:
        row["reason"] = safe_text(plain_reason(problem))
    return row


def check_listed(uri, entry, number):
    """Raise ValueError if row ``number`` of an interrupted run is not of the file now listed."""
    found = "nothing" if entry is None else uri_of(entry[0])
    if found != uri:
        raise ValueError(
            Message(
                "paths lead to other files than in the run that was interrupted: number "
                f"{number} was {uri}, and is {found}. Pass the same files to complete it; or ",
                Term("resume=False", "resume"),
                " to discard it and score all files again.",
            )
        )


def warn_if_none(rows):
    """Warn if no row of a first batch has a score: more than a few files may be wrong."""
    if rows and not any(row["status"] == "scored" for row in rows):
        warnings.warn(
            f"None of the first {len(rows)} files could be scored, the first for this reason: "
            f"{rows[0]['reason']}.",
            UserWarning,
            stacklevel=3,
        )
