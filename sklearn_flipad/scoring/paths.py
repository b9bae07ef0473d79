"""Files of a table of verdicts."""

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

__all__ = ["path_of"]


def path_of(uri):
    r"""Return the path of a file in a table of verdicts.

    Parameters
    ----------
    uri : str
        The entry of the file in the column ``uri``.

    Returns
    -------
    pathlib.Path
        Absolute; names that are not UTF-8 are as :func:`os.fsdecode` has them.

    Raises
    ------
    ValueError
        If it is not a ``file:`` URI.

    Examples
    --------
    >>> from sklearn_flipad.scoring import path_of
    >>> path_of("file:///suspects/a%20%3D%0A.png").name
    'a =\n.png'
    """
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise ValueError(f"{uri!r:.100} is no URI of a file: take the column 'uri'.")
    return Path(os.fsdecode(unquote_to_bytes(parts.path)))
