"""Samples of many files in one array, with a reason for each that has none."""

from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from sklearn_flipad.datasets.files.listing import iter_files, plain_reason
from sklearn_flipad.storage.files import printable, read_regular

__all__ = ["check_count", "read_each", "read_samples"]

_MAX_LISTED = 10


def check_count(name, value, unit, *, optional=True):
    """Refuse what is no number of something.

    Parameters
    ----------
    name : str
        Name of the parameter.
    value : object
        Its value.
    unit : str
        What is counted.
    optional : bool, default=True
        Whether None is valid.

    Raises
    ------
    ValueError
        If it is no positive integer.
    """
    if value is None and optional:
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a positive number of {unit}, got {value!r}.")


def read_each(files, read):
    """Read files, with a reason for each that cannot be read.

    Parameters
    ----------
    files : iterable of (path-like, Exception or None)
        Files, and what is wrong with them as far as that is known.
    read : callable
        ``read(path)``; whatever it raises is the reason.

    Yields
    ------
    name : str
        Printable name of the file.
    content : object
        What `read` returned, None if there is a reason.
    reason : str or None
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


def read_samples(paths, decoder, *, max_bytes=2**30, same_shape=True, on_error="raise"):
    """Read files by a decoder.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Files and folders.
    decoder : callable
        See :class:`~sklearn_flipad.scoring.ImageDecoder`.
    max_bytes : int, default=2**30
        Size of the largest file that is read.
    same_shape : bool, default=True
        Whether samples must have one shape; with False they come as a list.
    on_error : {"raise", "skip"}, default="raise"
        See :func:`~sklearn_flipad.datasets.load_images`.

    Returns
    -------
    Bunch
        ``samples`` : ndarray, shape (n, ...), or a list of arrays;
        ``filenames`` : list of str, where each comes from;
        ``steps`` : list of tuple of str, what was done to get each;
        ``errors`` : dict of str to str, the reason for each file that was skipped.

    Raises
    ------
    ValueError
        If a file could not be read and `on_error` is ``"raise"``, no sample is left, or samples
        differ in shape and must not.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}.")
    samples, filenames, steps, errors, shapes = [], [], [], {}, {}

    def read(path):
        sample, done = decoder(read_regular(path, max_bytes))
        return sample, tuple(done)

    for name, content, reason in read_each(iter_files(paths), read):
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
    return Bunch(samples=samples, filenames=filenames, steps=steps, errors=errors)
