"""A final layer as arrays and JSON values, in memory and in files."""

from sklearn_flipad.final_layer import _codec
from sklearn_flipad.final_layer._migration import FORMATS
from sklearn_flipad.storage.arrays import load_arrays, save_arrays

__all__ = ["FinalLayerParts"]


class FinalLayerParts:
    """Methods of :class:`~sklearn_flipad.FinalLayer` that take one apart and put it together."""

    @property
    def map_fingerprint(self):
        """SHA-256 of the linear map and activation, without the mean activation, in hex digits."""
        return _codec.map_digest(*self.to_parts())

    def save(self, path):
        """Write the layer to one safetensors file.

        The arrays are tensors and everything else is JSON in the file's header; nothing
        is pickled. The file appears whole or not at all.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        save_arrays(path, *self.to_parts())

    @classmethod
    def load(cls, path):
        """Read a layer that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            File to read.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If the file is truncated, was changed after it was written, or is not a final
            layer.
        """
        arrays, description = load_arrays(path, *FORMATS)
        try:
            return cls.from_parts(arrays, description)
        except ValueError as error:
            raise ValueError(f"{path} holds no valid final layer: {error}") from error

    def to_parts(self):
        """Take the layer apart into arrays and JSON values.

        Returns
        -------
        arrays : dict of str to ndarray
            Weights, bias, mean activation and so on.
        description : dict
            Everything else, with the number of the format.
        """
        return _codec.to_parts(self)

    @classmethod
    def from_parts(cls, arrays, description):
        """Put a layer together that :meth:`to_parts` took apart, in this version or an earlier one.

        Parameters
        ----------
        arrays : dict of str to ndarray
            Arrays.
        description : dict
            JSON values.

        Returns
        -------
        FinalLayer

        Raises
        ------
        ValueError
            If a part is missing, is not of its type, or would be ignored.
        """
        return _codec.from_parts(cls, arrays, description)

    @staticmethod
    def summarize_parts(arrays, description):
        """Describe the parts of a layer in one line, without building it.

        Parameters
        ----------
        arrays : dict of str to ndarray
            Arrays, from :meth:`to_parts`.
        description : dict
            JSON values, from :meth:`to_parts`.

        Returns
        -------
        str
            Kinds of the links, shapes, output activation, and the first digits of
            `map_fingerprint`.

        Raises
        ------
        ValueError
            If the format is unknown.
        """
        return _codec.summary(arrays, description)

    def __reduce__(self):
        return _codec.from_parts, (type(self), *self.to_parts())
