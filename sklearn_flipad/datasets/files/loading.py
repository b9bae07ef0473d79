"""Samples of many files, with a reason for each file that has none."""

from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from sklearn_flipad.base.progress import progress
from sklearn_flipad.datasets.files.listing import count_files, iter_files, plain_reason
from sklearn_flipad.storage.files import printable, read_regular

__all__ = ["check_count", "check_on_error", "read_each", "read_samples"]

#: Files that an error message names where it does not name all.
_MAX_LISTED = 10


def check_on_error(on_error):
    """Raise ValueError if it is neither "raise" nor "skip"."""
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")


def check_count(name, value, unit, *, optional=True):
    """Raise ValueError if a parameter is not a positive integer, or None where that is valid."""
    if value is None and optional:
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive number of {unit}, got {value!r}.")


def read_each(files, read):
    """Yield the printable name of each file, what ``read(path)`` returns, and why it failed.

    ``files`` are pairs of a path and what is known to be wrong with it, or None.
    """
    for path, problem in files:
        name = printable(path)
        try:
            if problem is not None:
                raise problem
            content = read(path)
        except Exception as error:
            yield name, None, plain_reason(error)
        else:
            yield name, content, None


def read_samples(paths, decoder, *, max_bytes=2**30, same_shape=True, on_error="raise", verbose=0):
    """Samples of files, where each is from, the steps of the decoder, reasons, hidden files.

    The parameters are those of :func:`~sklearn_flipad.datasets.load_images`, with a decoder as
    :class:`~sklearn_flipad.scoring.ImageDecoder` and the size of the largest file.
    """
    check_on_error(on_error)
    samples, filenames, steps, errors, shapes, hidden = [], [], [], {}, {}, []

    def read(path):
        sample, done = decoder(read_regular(path, max_bytes))
        return sample, tuple(done)

    n_files = count_files(paths) if verbose else None
    with progress(n_files, "reading files", verbose=verbose) as bar:
        for name, content, reason in read_each(iter_files(paths, hidden.append), read):
            bar.update()
            if reason is not None:
                errors[name] = reason
                continue
            sample, done = content
            shapes.setdefault(sample.shape, name)
            samples.append(sample)
            filenames.append(name)
            steps.append(done)
    n_files = len(samples) + len(errors)
    listed = "\n".join(f"  {name}: {reason}" for name, reason in list(errors.items())[:_MAX_LISTED])
    if errors and (on_error == "raise" or not samples):
        raise ValueError(f"{len(errors)} of {n_files} files could not be read:\n{listed}")
    if not samples:
        raise ValueError("There is no file among paths.")
    if len(shapes) > 1 and same_shape:
        some = list(shapes.items())[:3]
        seen = ", ".join(f"{'x'.join(map(str, shape))} ({name})" for shape, name in some)
        raise ValueError(f"The files have {len(shapes)} shapes, such as {seen}.")
    samples = np.stack(samples) if same_shape else samples
    return Bunch(
        samples=samples, filenames=filenames, steps=steps, errors=errors, n_hidden=sum(hidden)
    )
