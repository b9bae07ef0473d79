"""Samples of many files in one array, with a reason for each that has none."""

import numpy as np
from sklearn.utils import Bunch

from sklearn_flipad.datasets._listing import iter_files, plain_reason
from sklearn_flipad.persistence.files import printable, read_regular

__all__ = ["read_samples"]

_MAX_LISTED = 10


def read_samples(paths, decoder, *, max_bytes=2**30, on_error="raise"):
    """Read files by a decoder.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files and folders.
    decoder : callable
        See :class:`~sklearn_flipad.scoring.ImageDecoder`.
    max_bytes : int, default=2**30
        Size of the largest file that is read.
    on_error : {"raise", "skip"}, default="raise"
        See :func:`~sklearn_flipad.datasets.load_images`.

    Returns
    -------
    Bunch
        ``samples`` : ndarray, shape (n, ...);
        ``filenames`` : list of str, where each comes from;
        ``steps`` : list of tuple of str, what was done to get each;
        ``errors`` : dict of str to str, the reason for each file that was skipped.

    Raises
    ------
    ValueError
        If a file could not be read and `on_error` is ``"raise"``, no sample is left, or samples
        differ in shape.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    samples, filenames, steps, errors, shapes = [], [], [], {}, {}
    for path, problem in iter_files(paths):
        name = printable(path)
        try:
            if problem is not None:
                raise problem
            sample, done = decoder(read_regular(path, max_bytes))
        except Exception as error:
            errors[name] = plain_reason(error)
            continue
        shapes.setdefault(sample.shape, name)
        samples.append(sample)
        filenames.append(name)
        steps.append(tuple(done))
    n_files = len(samples) + len(errors)
    listed = "\n".join(f"  {name}: {reason}" for name, reason in list(errors.items())[:_MAX_LISTED])
    if errors and (on_error == "raise" or not samples):
        raise ValueError(f"{len(errors)} of {n_files} files could not be read:\n{listed}")
    if not samples:
        raise ValueError("There is no file among paths.")
    if len(shapes) > 1:
        some = list(shapes.items())[:3]
        seen = ", ".join(f"{'x'.join(map(str, shape))} ({name})" for shape, name in some)
        raise ValueError(f"The files have {len(shapes)} shapes, such as {seen}.")
    return Bunch(samples=np.stack(samples), filenames=filenames, steps=steps, errors=errors)
