"""Candidates for the seed of a sample: ranges, arrays, and tables of logged requests."""

from dataclasses import dataclass
from itertools import product
from os import PathLike, fspath

import numpy as np
import pandas as pd
from sklearn.utils.random import sample_without_replacement

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.reproduction.seeds._checks import checked_seeds

__all__ = ["SeedCandidates"]


@dataclass(frozen=True, eq=False)
class SeedCandidates:
    """Seeds that may have made a sample, with the settings that each was used with.

    Settings are ``steps``, the number of steps of a scheduler; ``size``, the side of square
    samples, or ``"WIDTHxHEIGHT"``; and numbers that the model is called with, by the name of the
    argument, such as ``class_labels``. :meth:`from_requests` reads those of a log, and
    :meth:`of_each` combines seeds with all values of the settings.

    Parameters
    ----------
    seeds : tuple of range or ndarray of int
        Seeds, in blocks.
    settings : tuple of tuple of dict
        Settings of each block. Each of its seeds is a candidate with each of them.
    rows : tuple of range or ndarray of int
        Rows of the table, or places in the range, that the seeds of each block come from.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_flipad.reproduction import SeedCandidates
    >>> log = pd.DataFrame({"seed": [7, 9, 7], "steps": [20, 50, 20], "user": ["a", "b", "c"]})
    >>> SeedCandidates.from_requests(log, settings=["steps"]).n_candidates
    2
    >>> SeedCandidates.of_each(range(1000), class_labels=range(10), steps=[20, 50]).n_candidates
    20000
    """

    seeds: tuple
    settings: tuple
    rows: tuple

    @classmethod
    def of(cls, seeds):
        """Candidates of what :class:`~sklearn_flipad.reproduction.SeedSearch` takes as `seeds`.

        Parameters
        ----------
        seeds : range, array-like of int, DataFrame, path-like or SeedCandidates
            Seeds, or a table of requests.

        Returns
        -------
        SeedCandidates

        Raises
        ------
        ValueError
            As in :meth:`of_each` and :meth:`from_requests`.
        """
        if isinstance(seeds, SeedCandidates):
            return seeds
        is_table = isinstance(seeds, pd.DataFrame | str | PathLike)
        return cls.from_requests(seeds) if is_table else cls.of_each(seeds)

    @classmethod
    def of_each(cls, seeds, **settings):
        """Candidates of all seeds with all combinations of settings.

        Parameters
        ----------
        seeds : range or array-like of int, shape (n_seeds,)
            Seeds. A range takes no memory.
        **settings
            Values of each setting, as ``class_labels=range(10)``.

        Returns
        -------
        SeedCandidates

        Raises
        ------
        ValueError
            If there are no seeds, no integers, or a setting has no sequence of values.
        """
        seeds = checked_seeds(seeds)
        for name, values in settings.items():
            if isinstance(values, str) or not np.iterable(values):
                raise ValueError(
                    f"{name} must be a sequence of the values that the setting may have, as "
                    f"{name}=[{values!r}], got {values!r}."
                )
        combined = tuple(
            dict(zip(settings, values, strict=True)) for values in product(*settings.values())
        )
        if not combined:
            raise ValueError("A setting has no values.")
        return cls((seeds,), (combined,), (range(len(seeds)),))

    @classmethod
    def from_requests(cls, requests, *, settings=None):
        """Candidates of logged requests; equal ones count once.

        Parameters
        ----------
        requests : path-like or DataFrame
            A table with the column ``seed``, one row per request: a CSV or Parquet file, or a data
            frame.
        settings : sequence of str, default=None
            Columns that are settings; by default all but ``seed``.

        Returns
        -------
        SeedCandidates

        Raises
        ------
        ValueError
            If there are no rows, a column is missing or has gaps, or seeds are no integers.
        ImportError
            If the file is Parquet and pyarrow is missing.
        """
        table = _read(requests) if isinstance(requests, str | PathLike) else requests
        names = [name for name in table.columns if name != "seed"]
        names = names if settings is None else list(settings)
        if missing := [name for name in ("seed", *names) if name not in table.columns]:
            advice = " The column of the seeds is named 'seed'." if missing[0] == "seed" else ""
            for mark in (";", "\t"):
                if len(table.columns) == 1 and mark in table.columns[0]:
                    advice = (
                        f" Its columns are separated by {mark!r}: save it with commas, or pass "
                        f"pandas.read_csv(path, sep={mark!r})."
                    )
            raise ValueError(
                f"The table of requests has no column {missing[0]!r}; it has "
                f"{', '.join(map(repr, table.columns))}.{advice}"
            )
        for name in ("seed", *names):
            if table[name].isna().any():
                row = int(np.flatnonzero(table[name].isna())[0])
                raise ValueError(
                    Message(
                        f"Row {row} of the requests, counted from 0, has no {name}. Leave out such "
                        "rows, or name the columns that are settings, by ",
                        Term("settings=[...]", "settings"),
                        ".",
                    )
                )
        seeds = table["seed"].to_numpy()
        if seeds.dtype == object:  # pandas' own integers, or some above 2**63
            seeds = np.asarray(seeds.tolist())
        seeds = checked_seeds(seeds)
        keys = table[names].reset_index(drop=True)
        groups = keys.groupby(names, sort=False).indices.values() if names else [range(len(keys))]
        blocks, combined, rows = [], [], []
        for places in groups:
            places = np.asarray(places)
            _, first = np.unique(seeds[places], return_index=True)
            places = places[np.sort(first)]
            blocks.append(seeds[places])
            combined.append(({name: _plain(keys[name].iloc[places[0]]) for name in names},))
            rows.append(places)
        return cls(tuple(blocks), tuple(combined), tuple(rows))

    @property
    def n_candidates(self):
        """Number of pairs of a seed and settings."""
        return sum(len(a) * len(b) for a, b in zip(self.seeds, self.settings, strict=True))

    @property
    def names(self):
        """Names of the settings."""
        return tuple(self.settings[0][0])

    def of_size(self, sample_shape):
        """Candidates whose size is that of samples; all where no sizes are given.

        Parameters
        ----------
        sample_shape : tuple of int
            Shape of the samples, ``(channels, height, width)`` for images.

        Returns
        -------
        SeedCandidates
            Without the setting ``size``.

        Raises
        ------
        ValueError
            If there are none.
        """
        if "size" not in self.names:
            return self
        blocks = zip(self.seeds, self.settings, self.rows, strict=True)
        kept = [
            (seeds, found, rows)
            for seeds, settings, rows in blocks
            if (found := _fitting(settings, tuple(sample_shape)))
        ]
        if not kept:
            size = "x".join(map(str, tuple(sample_shape)[:0:-1]))
            raise ValueError(f"No candidate has the size of the samples, {size}.")
        return SeedCandidates(*zip(*kept, strict=True))

    def drawn(self, n, rng):
        """Different candidates at random, as pairs of a seed and its settings.

        Parameters
        ----------
        n : int
            How many.
        rng : RandomState
            Random numbers.

        Returns
        -------
        list of (int, dict)

        Raises
        ------
        ValueError
            If there are fewer.
        """
        if n > self.n_candidates:
            raise ValueError(
                f"There are {self.n_candidates} candidates, fewer than {n}: ask for fewer samples."
            )
        sizes = [len(a) * len(b) for a, b in zip(self.seeds, self.settings, strict=True)]
        begins = np.concatenate([[0], np.cumsum(sizes)])
        found = []
        for place in sample_without_replacement(self.n_candidates, n, random_state=rng):
            block = int(np.searchsorted(begins, place, side="right")) - 1
            which, seed = divmod(int(place - begins[block]), len(self.seeds[block]))
            found.append((int(self.seeds[block][seed]), self.settings[block][which]))
        return found


def _read(path):
    """The table of a file, by its suffix."""
    name = fspath(path)
    if name.endswith(".parquet"):
        return pd.read_parquet(path)
    if name.endswith(".csv"):
        return pd.read_csv(path)
    raise ValueError(f"A table of requests is a .csv or a .parquet file, got {name!r}.")


def _plain(value):
    """A value of a column as a number or a text of Python."""
    return value.item() if isinstance(value, np.generic) else value


def _fitting(settings, shape):
    """Those settings whose size is that of samples of a shape, without it."""
    size = "x".join(map(str, shape[:0:-1]))
    return tuple(
        {name: value for name, value in found.items() if name != "size"}
        for found in settings
        if _size(found["size"]) == size
    )


def _size(value):
    """A size as ``"WIDTHxHEIGHT"``."""
    text = str(value)
    return text if "x" in text else f"{text}x{text}"
