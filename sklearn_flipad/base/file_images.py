"""Images that know how the files that they come from are compressed."""

import numpy as np

__all__ = ["FileImage"]


class FileImage(np.ndarray):
    """Gray levels (channels, height, width) of a file, with the compression of that file.

    `compression` is a perturbation that compresses other images alike; None for files without loss;
    or a function of the gray levels that returns either, and is called when it is asked for.
    `is_repeatable` tells whether it makes the same file in every value, and not about that file.
    """

    def __new__(cls, levels, compression=None, is_repeatable=True):
        image = np.asarray(levels).view(cls)
        image._compression, image.is_repeatable = compression, is_repeatable
        return image

    def __array_finalize__(self, other):
        self._compression = getattr(other, "_compression", None)
        self.is_repeatable = getattr(other, "is_repeatable", True)

    def alike(self, levels):
        """Other gray levels as an image of the same file."""
        return FileImage(levels, self._compression, self.is_repeatable)

    @property
    def compression(self):
        """The perturbation that compresses other images as the file does; None without loss."""
        if callable(self._compression):
            self._compression = self._compression(np.asarray(self))
        return self._compression

    def __reduce__(self):
        return FileImage, (np.asarray(self), self._compression, self.is_repeatable)
