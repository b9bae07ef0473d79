"""Internal: linear maps as values, and the table of their kinds.

A :class:`Link` names its kind; the table says how links of a kind are checked, built, read from
a generator and cut out of larger images. Each module below adds the rows of its kinds.
"""

from sklearn_flipad.operators.links import layers, sums, weightless

__all__ = ["layers", "sums", "weightless"]
