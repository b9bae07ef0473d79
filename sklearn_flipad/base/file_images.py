"""Images that know how the files that they come from are compressed."""

import numpy as np

__all__ = ["FileImage"]


class FileImage(np.ndarray):
    """Gray levels (channels, height, width) of a file, with the compression of that file.

    `compression` is a perturbation that compresses other images alike; None for files without loss;
    or a function of the gray levels that returns either, and is called when it is asked for.
    """

    def __new__(cls, levels, compression=None):
        image = np.asarray(levels).view(cls)
        image._compression = compression
        return image

    def __array_finalize__(self, other):
        self._compression = getattr(other, "_compression", None)

    @property
    def compression(self):
        """The perturbation that compresses other images as the file does; None without loss."""
        if callable(self._compression):
            self._compression = self._compression(np.asarray(self))
        return self._compression

    def __reduce__(self):
        return FileImage, (np.asarray(self), self._compression)
